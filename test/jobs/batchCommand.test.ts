import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import * as Simulator from "effect-llm/testing/Simulator"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const file = fileURLToPath(new URL("../../src/jobs/batchCommand.ts", import.meta.url))

const timeout = 240_000

const simulator = Simulator.layer({ latency: "500 millis" }).pipe(
  Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 }))
)

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-llm-command-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const start = (args: ReadonlyArray<string>, env: { readonly [name: string]: string } = {}) => {
  const child = spawn(process.execPath, ["--import", "tsx", file, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, OPENAI_API_KEY: "sk-test", NO_COLOR: "1", ...env }
  })
  let [out, problems] = ["", ""]
  child.stdout.setEncoding("utf8").on("data", (text: string) => out += text)
  child.stderr.setEncoding("utf8").on("data", (text: string) => problems += text)
  const ended = once(child, "close").then(([code]) => ({ code: code as number, out, problems }))
  return { child, ended }
}

const run = (...args: Parameters<typeof start>) => Effect.promise(() => start(...args).ended)

const requests = (count: number) =>
  Array.from({ length: count }, (_, i) => JSON.stringify({ prompt: `Echo: item ${i}` })).join("\n") + "\n"

describe("effect-llm-batch", () => {
  it.live("has the version of its package", () =>
    Effect.gen(function*() {
      const { code, out } = yield* run(["--version"])
      const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
      assert.deepStrictEqual([code, out.trim().slice(-version.length)], [0, version])
    }), timeout)

  it.scopedLive(
    "answers a file, goes on after Ctrl-C where it was, and shows and writes what there is",
    () =>
      Effect.gen(function*() {
        const simulator = yield* Simulator.Simulator
        const path = join(yield* folder, "rivers.jsonl")
        writeFileSync(path, requests(600))
        const out = `${path}.results`
        const command = ["run", path, "--model", "m", "--provider", "openai-chat", "--base-url", `${simulator.url}/v1`]

        const first = start([...command, "--concurrency", "4", "--out", out])
        yield* simulator.awaitRequests((received) => received.length >= 20)
        const second = yield* run(command)
        assert.strictEqual(second.code, 5, second.problems)
        assert.match(second.problems, /Another process runs the jobs/)
        const atStop = (yield* simulator.requests).length
        first.child.kill("SIGINT")
        const stopped = yield* Effect.promise(() => first.ended)
        assert.strictEqual(stopped.code, 130, stopped.problems)
        assert.match(stopped.problems, /Run the same command again to go on/)
        const before = (yield* simulator.requests).length
        // It stops with the answers that are under way, and not with the chunk.
        assert.isAtMost(before - atStop, 3 * 4)

        const status = yield* run(["status", `${path}.db`])
        assert.match(status.out, /^rivers: running · \d+ of 600 answered/)

        const third = yield* run([...command, "--concurrency", "64", "--out", out])
        assert.strictEqual(third.code, 0, third.problems)
        assert.match(third.problems, /600\/600/)
        // What was under way at Ctrl-C was waited for.
        assert.strictEqual((yield* simulator.requests).length, 600)
        const lines = readFileSync(out, "utf8").trim().split("\n").map((line) => JSON.parse(line))
        assert.deepStrictEqual(
          lines.map(({ index, text }) => `${index} ${text}`),
          Array.from({ length: 600 }, (_, i) => `${i} item ${i}`)
        )
        const results = yield* run(["results", `${path}.db`, "rivers"])
        assert.strictEqual(results.out, readFileSync(out, "utf8"))
        const cancelled = yield* run(["cancel", `${path}.db`, "rivers"])
        assert.match(cancelled.out, /^rivers: done/)
      }).pipe(Effect.provide(simulator)),
    timeout
  )

  it.scopedLive("explains mistakes, and ends with a code for each kind of end", () =>
    Effect.gen(function*() {
      const simulator = yield* Simulator.Simulator
      const directory = yield* folder
      const path = join(directory, "a.jsonl")
      const command = ["run", path, "--model", "m", "--provider", "openai-chat", "--base-url", `${simulator.url}/v1`]

      const missing = yield* run(command)
      assert.deepStrictEqual([missing.code, missing.problems.trim()], [1, `There is no file ${path}`])

      writeFileSync(path, `${requests(2)}\n{"prompt": "x", "temprature": 1}\n`)
      const misspelled = yield* run(command)
      assert.strictEqual(misspelled.code, 1)
      assert.match(misspelled.problems, /a\.jsonl:4: temprature/)

      writeFileSync(path, requests(3))
      yield* simulator.setFaults(Simulator.always(Simulator.status(401)))
      const halted = yield* run(command)
      assert.strictEqual(halted.code, 3, halted.problems)
      assert.match(halted.problems, /The job was halted: AuthenticationFailed/)

      yield* simulator.setFaults(Simulator.sequence([Simulator.status(400)]))
      const failed = yield* run([...command, "--concurrency", "1"])
      assert.strictEqual(failed.code, 2, failed.problems)
      assert.match(failed.problems, /1 of 3 requests failed/)

      writeFileSync(path, requests(4))
      const changed = yield* run(command)
      assert.strictEqual(changed.code, 1)
      assert.match(changed.problems, /has changed since.*request 4 \(added\)/)

      const keyless = yield* run(["run", path, "--model", "claude-haiku-4-5"], { ANTHROPIC_API_KEY: "" })
      assert.strictEqual(keyless.code, 1)
      const unknown = yield* run(["status", join(directory, "none.db")])
      assert.strictEqual(unknown.code, 1)
      assert.match(unknown.problems, /There is no file/)
    }).pipe(Effect.provide(simulator)), timeout)

  it.scopedLive("goes through the batch API, plans by a deadline, and says why", () =>
    Effect.gen(function*() {
      const simulator = yield* Simulator.Simulator
      const path = join(yield* folder, "a.jsonl")
      writeFileSync(path, requests(3))
      const asking = [path, "--model", "gpt-4o-mini", "--base-url", `${simulator.url}/v1`]

      const planned = yield* run(["plan", ...asking, "--deadline", "2 days", "--budget", "5"])
      assert.strictEqual(planned.code, 0, planned.problems)
      assert.match(planned.out, /There are 3 requests\..*A batch is the cheapest way that is in time\./s)
      assert.strictEqual((yield* simulator.requests).length, 0)

      const batched = yield* run(["run", ...asking, "--deadline", "2 days", "--out", `${path}.out`])
      assert.strictEqual(batched.code, 0, batched.problems)
      assert.match(batched.problems, /A batch is the cheapest way/)
      assert.deepStrictEqual(
        readFileSync(`${path}.out`, "utf8").trim().split("\n").map((line) => JSON.parse(line).text),
        ["item 0", "item 1", "item 2"]
      )
      const received = yield* simulator.requests
      assert.isTrue(received.every(({ path }) => /\/(?:batches|files)/.test(path)))

      const other = yield* run(["run", ...asking, "--id", "b", "--via", "provider"])
      assert.strictEqual(other.code, 0, other.problems)
      const wrong = yield* run(["run", ...asking, "--deadline", "soon"])
      assert.strictEqual(wrong.code, 1)
      const both = yield* run(["run", ...asking, "--via", "client", "--deadline", "1 hour"])
      assert.strictEqual(both.code, 1)
      assert.match(both.problems, /--deadline: with --via client there is nothing to choose/)
    }).pipe(Effect.provide(simulator)), timeout)
})
