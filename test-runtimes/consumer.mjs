/** A project of a user, in a temporary folder: the packed library, and what its README says to install. */
import { strict as assert } from "node:assert"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

export const here = fileURLToPath(new URL(".", import.meta.url))
export const root = fileURLToPath(new URL("..", import.meta.url))

/** Programs that run. They end with this one. */
const running = new Set()
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

/** Starts a program. */
export const start = (command, args, options) => {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options })
  running.add(child)
  child.on("close", () => running.delete(child))
  return child
}

/** Runs a program to its end, and gives its output. One that takes longer than 5 minutes is killed. */
export const run = async (command, args, cwd, options) => {
  const child = start(command, args, { cwd, timeout: 300_000, killSignal: "SIGKILL", ...options })
  let output = ""
  let errors = ""
  child.stdout.setEncoding("utf8").on("data", (text) => output += text)
  child.stderr.setEncoding("utf8").on("data", (text) => errors += text)
  const [code, signal] = await once(child, "close")
  assert.equal(code, 0, `${command} ended with ${code ?? signal}\n${output}${errors}`.trim())
  return output.trim()
}

/** Runs a program that may have to download something: once more where it fails, which may be the network's fault. */
export const runOnline = (...args) =>
  run(...args).catch((error) => {
    console.error(`${error.message}\nOnce more:`)
    return run(...args)
  })

/** The text of README below a heading. */
const sectionOf = (heading) => {
  const readme = readFileSync(join(root, "README.md"), "utf8")
  const [section] = readme.slice(readme.indexOf(`\n## ${heading}\n`) + 1).split(/\n(?=## )/)
  assert(section.startsWith(`## ${heading}\n`), `README has no heading "${heading}"`)
  return section
}

/** The blocks of code below a heading of README. */
const blocksOf = (heading, language) => {
  const blocks = [...sectionOf(heading).matchAll(/```(\w+)\n([^]*?)```/g)].filter(([, it]) => it === language)
  assert(blocks.length > 0, `README has no ${language} below "${heading}"`)
  return blocks.map(([, , block]) => block)
}

/** The lines of README that install something, each as its words. */
export const installCommands = blocksOf("Install", "sh").flatMap((block) =>
  block.split("\n").filter((line) => line !== "").map((line) => line.split(" "))
)

/** The first program of README. */
export const firstProgram = blocksOf("A first program", "ts")[0]

/** The command of README that runs the first program, without the variables before it. */
export const firstCommand = blocksOf("A first program", "sh")[0].trim().split(" ").filter((word) => !word.includes("="))

/** npm, without words that nobody needs. */
const npm = (args, cwd) => runOnline("npm", [...args, "--silent", "--no-audit", "--no-fund", "--prefer-offline"], cwd)

/** Packs the library, and makes the project by npm's commands of README. */
export const makeConsumer = async (folder) => {
  const project = join(folder, "project")
  mkdirSync(project)
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }))
  await npm(["pack", "--pack-destination", folder], root)
  const tarball = join(folder, readdirSync(folder).find((file) => file.endsWith(".tgz")))
  const commands = installCommands.filter(([manager]) => manager === "npm")
  assert(commands.some((words) => words.includes("effect-llm")), "README does not install effect-llm")
  for (const [, ...words] of commands) await npm(words.map((word) => word === "effect-llm" ? tarball : word), project)
  // For UndiciTransport, and for its declarations.
  await npm(["install", "undici@7", "@types/node@20"], project)
  for (const file of ["suite.js", "simulator.js", "server.js", "browser.js", "worker.js", "required.cjs"]) {
    copyFileSync(join(here, file), join(project, file))
  }
  writeFileSync(join(project, "first.ts"), firstProgram)
  return { project, tarball }
}
