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

/** Runs a program to its end, and gives its output. One that hangs is killed. */
export const run = async (command, args, cwd, seconds = 300) => {
  const child = start(command, args, { cwd, timeout: seconds * 1000, killSignal: "SIGKILL" })
  let output = ""
  let errors = ""
  child.stdout.setEncoding("utf8").on("data", (text) => output += text)
  child.stderr.setEncoding("utf8").on("data", (text) => errors += text)
  const [code, signal] = await once(child, "close")
  assert.equal(code, 0, `${command} ended with ${code ?? signal}\n${output}${errors}`.trim())
  return output.trim()
}

/** The first block of README below a heading. */
const blockOf = (heading) => {
  const readme = readFileSync(join(root, "README.md"), "utf8")
  const section = readme.slice(readme.indexOf(`\n## ${heading}\n`))
  const [, block] = /```\w+\n([^]*?)```/.exec(section) ?? []
  assert(block !== undefined, `README has no block below "${heading}"`)
  return block
}

/** The commands of the install block, with the tarball in place of the name. */
const installCommands = (tarball) => {
  const commands = blockOf("Install").split("\n").filter((line) => line.startsWith("npm install "))
  assert(commands.some((line) => line.includes(" effect-llm ")), "README does not install effect-llm")
  return commands.map((line) => line.replace(" effect-llm ", ` ${tarball} `).split(" ").slice(1))
}

/** npm, without words that nobody needs. */
const npm = (args, cwd) => run("npm", [...args, "--silent", "--no-audit", "--no-fund", "--prefer-offline"], cwd)

/** Packs the library and makes the project, by the commands of README. */
export const makeConsumer = async (folder) => {
  const project = join(folder, "project")
  mkdirSync(project)
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }))
  await npm(["pack", "--pack-destination", folder], root)
  const [tarball] = readdirSync(folder).filter((file) => file.endsWith(".tgz"))
  for (const command of installCommands(join(folder, tarball))) await npm(command, project)
  // For UndiciTransport, and for its declarations.
  await npm(["install", "undici@7", "@types/node@20"], project)
  for (const file of ["suite.js", "simulator.js", "server.js", "browser.js", "worker.js", "required.cjs"]) {
    copyFileSync(join(here, file), join(project, file))
  }
  writeFileSync(join(project, "first.ts"), blockOf("A first program"))
  return project
}
