/**
 * Packs the library, installs it in an empty project, and tries it there: plain Node imports every sub-path, also with the
 * portable SHA-256; both give the same keys; the declarations compile; the command `npx effect-llm-simulator` serves, and
 * `npx effect-llm-batch` goes on after Ctrl-C; both name a package that is missing. No test runner is installed there.
 */
import { strict as assert } from "node:assert"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { install, manifest, root, run as runIn } from "./consumer.mjs"

const temporary = mkdtempSync(join(tmpdir(), "effect-llm-smoke-"))
const consumer = join(temporary, "node_modules", "effect-llm")

const run = (command, args, cwd = temporary) => runIn(command, args, cwd)

const { exports, name } = manifest
const specifiers = Object.keys(exports)
  .filter((subPath) => subPath !== "./package.json")
  .map((subPath) => name + subPath.slice(1))

const importAll = `
for (const specifier of ${JSON.stringify(specifiers)}) {
  const module = await import(specifier)
  if (Object.keys(module).length === 0) throw new Error(specifier + " exports nothing")
}
`

const printKey = `
import { CacheKey, LlmRequest } from "effect-llm"
import { Effect } from "effect"
const request = Effect.runSync(LlmRequest.decode({ model: "gpt-4o-mini", prompt: "Grüße, 世界 \\u{1F30A}" }))
console.log(CacheKey.make(request, { provider: "openai", endpoint: "https://api.openai.com/v1/chat/completions" }))
`

try {
  install(temporary)

  for (const file of ["LICENSE", "README.md", "dist/index.js", "dist/index.d.ts", "src/index.ts"]) {
    assert(existsSync(join(consumer, file)), `${file} is not in the package`)
  }
  const pagesOf = (folder) =>
    readdirSync(join(consumer, folder)).filter((file) => file.endsWith(".md")).map((page) => `${folder}/${page}`)
  const pages = ["README.md", ...pagesOf("docs/guide"), ...pagesOf("docs/cookbook")]
  for (const page of pages) {
    for (const [, link] of readFileSync(join(consumer, page), "utf8").matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)) {
      assert(
        existsSync(join(consumer, dirname(page), link)),
        `${page} has a link to ${link}, which is not in the package`
      )
    }
  }

  const node = (conditions, code, cwd) =>
    run(process.execPath, [...conditions, "--input-type=module", "--eval", code], cwd)
  const native = []
  const portable = ["--conditions=browser"]
  const sha256 = "console.log(import.meta.resolve('#sha256'))"
  assert.match(node(native, sha256, consumer), /\/sha256\.node\.js$/)
  assert.match(node(portable, sha256, consumer), /\/sha256\.noble\.js$/)

  for (const conditions of [native, portable]) node(conditions, importAll)
  const key = node(native, printKey)
  assert.match(key, /^[0-9a-f]{64}$/)
  assert.equal(node(portable, printKey), key)

  const importing = (chosen) => chosen.map((specifier, n) => `export * as M${n} from "${specifier}"\n`).join("")
  const forNode = [`${name}/UndiciTransport`]
  writeFileSync(join(temporary, "anywhere.ts"), importing(specifiers.filter((it) => !forNode.includes(it))))
  writeFileSync(join(temporary, "node.ts"), importing(forNode))
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
  for (const [module, moduleResolution] of [["nodenext", "nodenext"], ["esnext", "bundler"]]) {
    const compilerOptions = { strict: true, noEmit: true, target: "es2022", types: [], module, moduleResolution }
    for (const file of ["anywhere.ts", "node.ts"]) {
      writeFileSync(join(temporary, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [file] }))
      run(process.execPath, [tsc, "--project", temporary])
    }
  }

  /** Starts a command of the package. A signal to its process group reaches it and npx before it, as Ctrl-C does. */
  const start = (...args) =>
    spawn("npx", ["--no-install", ...args], {
      cwd: temporary,
      detached: true,
      env: { ...process.env, OPENAI_API_KEY: "sk-none" }
    })

  /** Starts the simulator's command. */
  const startSimulator = async (...options) => {
    const child = start("effect-llm-simulator", "--port", "0", ...options)
    const exit = once(child, "exit")
    child.stderr.pipe(process.stderr)
    const [announced] = await Promise.race([once(child.stdout, "data"), exit])
    const url = /http:\/\/\S+/.exec(String(announced))?.[0]
    const stop = async () => {
      process.kill(-child.pid, "SIGINT")
      const [code, signal] = await exit
      assert(code === 0 || code === 130 || signal === "SIGINT", `the simulator ended with ${code ?? signal}`)
    }
    return { url, stop, log: async () => (await fetch(`${url}/_simulator/log`)).json() }
  }

  assert.match(run("npx", ["--no-install", "effect-llm-simulator", "--help"]), /--faults <file>/)
  const plan = join(temporary, "plan.json")
  writeFileSync(plan, JSON.stringify({ plan: "sequence", faults: [{ fault: "status", status: 503 }] }))
  const faulty = await startSimulator("--faults", plan)
  const request = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Echo: Elbe" }] }
  const ask = () => fetch(`${faulty.url}/v1/chat/completions`, { method: "POST", body: JSON.stringify(request) })
  assert.equal((await ask()).status, 503)
  assert.equal((await (await ask()).json()).choices[0].message.content, "Elbe")
  assert.deepEqual((await faulty.log()).map(({ outcome }) => outcome), ["faulted", "answered"])
  await faulty.stop()

  // A job: stopped with Ctrl-C in the middle, and run again.
  const slow = await startSimulator("--latency", "300 millis")
  const count = 200
  const file = join(temporary, "rivers.jsonl")
  writeFileSync(file, Array.from({ length: count }, (_, i) => `{"prompt": "Echo: river ${i}"}\n`).join(""))

  /** Runs the command to its end, or until Ctrl-C. */
  const batch = (args, until) =>
    new Promise((resume, fail) => {
      const child = start("effect-llm-batch", ...args)
      let text = ""
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => text += part)
      child.on("close", (code, signal) => resume({ code: signal ?? code, text }))
      until?.().then(() => process.kill(-child.pid, "SIGINT")).catch(fail)
    })
  const command = [
    ...["run", file, "--model", "m", "--provider", "openai-chat", "--base-url", `${slow.url}/v1`],
    ...["--out", `${file}.results`, "--concurrency", "8"]
  ]
  const stopped = await batch(command, async () => {
    while ((await slow.log()).length < 40) await new Promise((resume) => setTimeout(resume, 50))
  })
  assert([130, "SIGINT"].includes(stopped.code), `the job ended with ${stopped.code}\n${stopped.text}`)
  assert.match(stopped.text, /Run the same command again to go on/)
  assert.match((await batch(["status", `${file}.db`])).text, /^rivers: running/)
  const ended = await batch(command)
  assert.equal(ended.code, 0, ended.text)
  // What was under way at Ctrl-C was waited for, and is not asked again.
  assert.equal((await slow.log()).length, count)
  const results = await batch(["results", `${file}.db`, "rivers"])
  assert.equal(results.text, readFileSync(`${file}.results`, "utf8"))
  assert.deepEqual(
    results.text.trim().split("\n").map((line) => JSON.parse(line).text),
    Array.from({ length: count }, (_, i) => `river ${i}`)
  )
  assert.equal((await batch(["status", `${file}.none`])).code, 1)
  await slow.stop()

  const platform = join(temporary, "node_modules", "@effect", "platform-node")
  renameSync(platform, `${platform}-away`)
  const { status, stderr } = spawnSync("npx", ["--no-install", "effect-llm-simulator"], {
    cwd: temporary,
    encoding: "utf8"
  })
  assert.equal(status, 1)
  assert.match(stderr, /^The simulator needs @effect\/platform-node/)
  assert.match(stderr, /npm install --save-dev @effect\/platform-node/)
  const incomplete = await batch(["status", `${file}.db`])
  assert.equal(incomplete.code, 1)
  assert.match(incomplete.text, /^A package is missing/)
  // Everything but the commands works without it.
  node(native, importAll)

  console.log(
    `${specifiers.length} sub-paths of the packed library import and type-check; the keys agree; the simulator serves; ` +
      "a job goes on after Ctrl-C."
  )
} finally {
  rmSync(temporary, { recursive: true, force: true })
}
