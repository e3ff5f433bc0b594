/**
 * Runs the programs of docs/cookbook/ as they stand, and compares what they print with the page. Only `fetch` is another
 * one: it leads to a simulator, whose model has its answers from scripts/cookbook/recipes.ts.
 *
 *     node --import tsx scripts/check-cookbook.mjs           all pages
 *     node --import tsx scripts/check-cookbook.mjs chat      only those with such a name
 *     node --import tsx scripts/check-cookbook.mjs --write   writes what they print into the pages
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, ManagedRuntime } from "effect"
import { strict as assert } from "node:assert"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { basename, dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { Simulator } from "../src/testing/index.ts"
import { filesIn } from "./codeBlocks.mjs"
import { recipes } from "./cookbook/recipes.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
const words = process.argv.slice(2).filter((word) => word !== "--write")
const writes = process.argv.includes("--write")

// Inside the repository, so that a program finds its packages.
mkdirSync(join(root, ".cache"), { recursive: true })
const temporary = mkdtempSync(join(root, ".cache", "cookbook-"))
process.on("exit", () => rmSync(temporary, { recursive: true, force: true }))

const file = (path) => pathToFileURL(join(root, path)).href

/** The parts of a page: its program, the commands that run it, and what they print. */
const partsOf = (page) => {
  const text = readFileSync(join(root, page), "utf8")
  const block = (language) => {
    const [, found] = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "m").exec(text) ?? []
    assert(found !== undefined, `${page} has no block of ${language}`)
    return found
  }
  return { text, program: block("ts"), commands: block("sh").trim().split("\n"), output: block("text") }
}

/** A program with the words of its command; its process group ends with it. */
const started = (command, { cwd, env, name }) => {
  // `npx tsx program.ts "a word"`, with the variables before it left out: the network and the keys are those of the check.
  const words = [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, ...groups]) =>
    groups.find((it) => it !== undefined)
  )
  const at = words.findIndex((word) => word === "npx")
  const [, tool, ...args] = words.slice(at)
  const programs = {
    tsx: ["--import", "tsx", "--import", file("scripts/cookbook/network.mjs"), ...args],
    vitest: [
      join(root, "node_modules/vitest/vitest.mjs"),
      ...args,
      "--config",
      join(root, "scripts/cookbook/vitest.config.ts"),
      "--root",
      cwd
    ]
  }
  assert(tool in programs, `${name}: no such command: ${command}`)
  return spawn(process.execPath, programs[tool], { cwd, env, detached: true, stdio: ["pipe", "pipe", "pipe"] })
}

const ended = (child) => {
  let output = ""
  let errors = ""
  child.stdout.setEncoding("utf8").on("data", (text) => output += text)
  child.stderr.setEncoding("utf8").on("data", (text) => errors += text)
  const timer = setTimeout(() => child.kill("SIGKILL"), 120_000)
  return once(child, "close").then(([code, signal]) => {
    clearTimeout(timer)
    assert.equal(code, 0, `ended with ${code ?? signal}\n${output}${errors}`)
    return output
  })
}

/** Waits for the address that a server prints, and asks it what the page's second command asks. */
const visited = async (child, [, command]) => {
  try {
    const exit = once(child, "exit").then(([code]) => assert.fail(`the server ended with ${code}`))
    exit.catch(() => {})
    const address = new Promise((found) => {
      let output = ""
      child.stdout.setEncoding("utf8").on("data", (text) => {
        output += text
        const url = /http:\/\/[\w.:]+/.exec(output)?.[0]
        if (url !== undefined) found(url)
      })
    })
    const { pathname, search } = new URL(/http:\/\/[^\s'"]+/.exec(command)[0])
    const { hostname, port, protocol } = new URL(await Promise.race([address, exit]))
    const response = await fetch(`${protocol}//${hostname}:${port}${pathname}${search}`)
    return await response.text()
  } finally {
    try {
      process.kill(-child.pid, "SIGKILL")
    } catch {
      // It has ended by itself.
    }
  }
}

const Server = NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 })

/** Runs a page, and gives what it printed. */
const run = async (page, recipe) => {
  const name = basename(page, ".md")
  const cwd = join(temporary, name)
  const { commands, program } = partsOf(page)
  const { files = {}, input = "", serves = false, ...options } = recipe
  for (
    const [path, text] of Object.entries({
      "package.json": `{ "type": "module" }`,
      ...files,
      [recipe.program ?? `${name}.ts`]: program
    })
  ) {
    mkdirSync(dirname(join(cwd, path)), { recursive: true })
    writeFileSync(join(cwd, path), text)
  }
  const runtime = ManagedRuntime.make(Layer.provide(Simulator.layer(options), Server))
  try {
    const { url } = await runtime.runPromise(Effect.map(Simulator.Simulator, (simulator) => simulator))
    const env = {
      ...process.env,
      SIMULATOR: url,
      OPENAI_API_KEY: "sk-none",
      ANTHROPIC_API_KEY: "sk-none",
      PORT: "0",
      NO_COLOR: "1",
      TSX_TSCONFIG_PATH: join(root, "tsconfig.json")
    }
    const child = started(commands[0], { cwd, env, name })
    child.stdin.end(input)
    const output = await (serves ? visited(child, commands) : ended(child))
    return (recipe.shown?.(output) ?? output).replace(/[ \t]+$/gm, "").trim()
  } finally {
    await runtime.dispose()
  }
}

const problems = []
const pages = filesIn("docs/cookbook", ".md").filter((page) => basename(page) !== "index.md")
  .filter((page) => words.length === 0 || words.some((word) => page.includes(word)))
assert(pages.length > 0, "no such page")
for (const page of pages) {
  const recipe = recipes[basename(page, ".md")]
  try {
    assert(recipe !== undefined, "scripts/cookbook/recipes.ts has nothing for it")
    const printed = await run(page, recipe)
    const { output, text } = partsOf(page)
    if (writes) writeFileSync(join(root, page), text.replace("```text\n" + output, () => "```text\n" + printed + "\n"))
    else assert.equal(printed, output.trim())
  } catch (error) {
    problems.push(`${page}: ${error.message}`)
  }
}
for (const problem of problems) console.error(`\n${problem}`)
if (problems.length > 0) process.exit(1)
console.log(`${pages.length} programs of the cookbook print what their pages show.`)
