/** The commands of README in an empty folder, with each package manager: from nothing to a streamed answer and a spec. */
import { strict as assert } from "node:assert"
import { execFileSync } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { firstCommand, firstProgram, here, installCommands, root, run, runOnline, start } from "./consumer.mjs"

const readme = readFileSync(join(root, "README.md"), "utf8")

/** The spec of llms.md: the first block of code below its heading. */
const spec = /^### A spec\n\n```ts\n([^]*?)```/m.exec(readFileSync(join(root, "llms.md"), "utf8"))?.[1]
assert(spec !== undefined, "llms.md has no spec")

/** The words of a command line that a user may have to type another way with a manager, and that README states so. */
const stated = (line) => {
  assert(readme.includes(`\`${line}\``), `README does not say "${line}"`)
  return line.split(" ")
}

/** A command that lives as long as `use`. Its process group ends with it: a manager may run it as a child of its own. */
const serving = async (command, args, options, use) => {
  const child = start(command, args, { ...options, detached: true })
  const exit = once(child, "exit")
  try {
    let output = ""
    const announced = new Promise((found) =>
      child.stdout.setEncoding("utf8").on("data", (text) => {
        output += text
        const url = /http:\/\/\S+/.exec(output)?.[0]
        if (url !== undefined) found(url)
      })
    )
    let errors = ""
    child.stderr.setEncoding("utf8").on("data", (text) => errors += text)
    const early = exit.then(([code, signal]) => assert.fail(`the simulator ended with ${code ?? signal}\n${errors}`))
    early.catch(() => {})
    return await use(await Promise.race([announced, early]))
  } finally {
    try {
      process.kill(-child.pid, "SIGKILL")
    } catch {
      // It has ended by itself.
    }
    await exit
  }
}

/**
 * - `word`: its name in README.
 * - `program`: its name or path, and first arguments.
 * - `also`: what its `add` is in the commands that README shows for npm alone.
 * - `dev`: its option for a package of development.
 * - `runs`: how it runs the first program, and `binary` a command of a package.
 */
const manager = ({ also, binary, dev, environment, name, program, runs, word = name }) => ({
  name: `${name}, by README`,
  version: versionOf(program),
  suite: async ({ folder, tarball }) => {
    const project = join(folder, `with ${name}`)
    mkdirSync(project)
    writeFileSync(join(project, "package.json"), "{}")
    writeFileSync(join(project, "first.ts"), firstProgram)
    writeFileSync(join(project, "rivers.test.ts"), spec)
    const env = {
      ...process.env,
      // As for a person who says yes to npx.
      npm_config_yes: "true",
      // A build by Vite before has set it to "production", with which npm leaves packages of development out.
      NODE_ENV: undefined,
      ...environment?.(folder)
    }
    const call = ([command, ...args], more = {}, how = run) => {
      const [first, ...rest] = command === word ? program : [command]
      return how(first, [...rest, ...args], project, { env: { ...env, ...more } })
    }
    // A packed library in place of the one on npm.
    const add = (words) =>
      call(words.map((it) => it === "effect-llm" ? `effect-llm@file:${tarball}` : it), {}, runOnline)

    const own = installCommands.filter(([first, , ...words]) => first === word && words.includes("effect-llm"))
    assert.equal(own.length, 1, `README has no command of ${word}`)
    await add(own[0])
    const others = installCommands.filter(([first, , ...words]) => first === "npm" && !words.includes("effect-llm"))
    for (const [, , ...words] of others) {
      await add([word, ...also, ...words.map((it) => it === "--save-dev" ? dev : it)])
    }

    const [command, ...args] = [...binary, "effect-llm-simulator", "--port", "0"]
    const [first, ...rest] = command === word ? program : [command]
    const output = await serving(
      first,
      [...rest, ...args],
      { cwd: project, env },
      // Some managers download `tsx` for it.
      (url) => call(runs, { OPENAI_API_KEY: "none", OPENAI_BASE_URL: `${url}/v1` }, runOnline)
    )
    assert.match(output, /Where does this river rise: Name a river\./, `the program printed\n${output}`)
    assert.match(await call([...binary, "vitest", "run"]), /1 passed/)
    return { passed: ["install", "first.ts", "a spec"], problems: [] }
  }
})

/** The version that a program prints; `undefined` if it is not here or does not start. */
const versionOf = ([command, ...args]) => {
  if (args.some((path) => !existsSync(path))) return undefined
  try {
    return execFileSync(command, [...args, "--version"], { encoding: "utf8", stdio: "pipe" }).trim()
  } catch {
    return undefined
  }
}

const installed = (path) => join(here, "node_modules", path)

export const managers = [
  manager({
    name: "npm",
    program: ["npm"],
    also: ["install"],
    dev: "--save-dev",
    runs: firstCommand,
    binary: ["npx"]
  }),
  manager({
    name: "pnpm",
    program: [installed(".bin/pnpm")],
    also: ["add", "--ignore-scripts"],
    dev: "--save-dev",
    runs: firstCommand,
    binary: ["pnpm", "exec"]
  }),
  // The classic Yarn takes a file of a known name and version from its cache.
  manager({
    name: "Yarn 1",
    word: "yarn",
    program: [process.execPath, installed("yarn-1/bin/yarn.js")],
    also: ["add"],
    dev: "--dev",
    runs: firstCommand,
    binary: ["yarn", "--silent"],
    environment: (folder) => ({ YARN_CACHE_FOLDER: join(folder, "yarn-1") })
  }),
  manager({
    name: "Yarn 4",
    word: "yarn",
    program: [process.execPath, installed("yarn-4/bin/yarn.js")],
    also: ["add"],
    dev: "--dev",
    runs: stated("yarn dlx tsx first.ts"),
    binary: ["yarn"],
    // In continuous integration it would refuse to write a lock file.
    environment: () => ({ YARN_ENABLE_IMMUTABLE_INSTALLS: "false", YARN_ENABLE_TELEMETRY: "false" })
  }),
  manager({
    name: "Bun",
    word: "bun",
    program: [installed(".bin/bun")],
    also: ["add"],
    dev: "--dev",
    runs: stated("bun first.ts"),
    binary: ["bun", "x"]
  })
]
