import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Simulator } from "effect-llm/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))
const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href

/** An empty folder that has the examples, too. */
const makeFolder = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "effect-llm-quickstart-"))
    symlinkSync(join(root, "examples"), join(folder, "examples"))
    return folder
  }),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** What the machine's own environment may have, and a test must not meet. */
const unset = Object.fromEntries(
  ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "LLM_BASE_URL", "LLM_MODEL", "LLM_API_KEY"].map((name) => [name, undefined])
)

interface Ended {
  readonly code: number | null
  readonly output: string
}

/** What `npm start` runs, in a folder and with variables. It gets Ctrl-C when its output matches `until`. */
const start = (
  folder: string,
  variables: Record<string, string> = {},
  until?: RegExp
): Effect.Effect<Ended, never, Scope.Scope> =>
  Effect.flatMap(
    Effect.acquireRelease(
      Effect.sync(() => {
        return spawn(
          process.execPath,
          ["--import", tsx, join(root, "examples/quickstart.ts")],
          {
            cwd: folder,
            env: { ...process.env, ...unset, TSX_TSCONFIG_PATH: join(root, "tsconfig.json"), ...variables },
            stdio: ["ignore", "pipe", "pipe"]
          }
        )
      }),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    ),
    (child) =>
      Effect.async<Ended>((resume) => {
        let output = ""
        let isAsked = false
        for (const stream of [child.stdout, child.stderr]) {
          stream.setEncoding("utf8").on("data", (text: string) => {
            output += text
            if (until?.test(output) === true && !isAsked) {
              isAsked = true
              child.kill("SIGINT")
            }
          })
        }
        child.on("close", (code) => resume(Effect.succeed({ code, output })))
      })
  )

const Server = NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 })

const count = (text: string, part: string): number => text.split(part).length - 1

const assertReadable = (output: string): void => {
  for (const line of output.split("\n")) assert.isAtMost(line.length, 80, line)
  assert.notInclude(output, "\u001b")
  assert.notMatch(output, /^\s+at /m)
}

const limit = 120_000

describe.concurrent("The quickstart", () => {
  it.scopedLive("names each document, and finds its answers again", () =>
    Effect.gen(function*() {
      const folder = yield* makeFolder
      const first = yield* start(folder)
      assertReadable(first.output)
      assert.strictEqual(first.code, 0, first.output)
      assert.match(first.output, /^✓ lighthouse +\d/m)
      assert.match(first.output, /^… tides +again in 1\.00 s: RateLimited/m)
      assert.strictEqual(count(first.output, "Rate limit reached"), 1)
      assert.match(first.output, /24 documents · 24 answered by the model · 0 by the cache · 0 failed/)
      const lines = readFileSync(join(folder, "results/summaries.jsonl"), "utf8").trim().split("\n")
      assert.strictEqual(lines.length, 24)

      const second = yield* start(folder)
      assertReadable(second.output)
      // On a busy machine the client gives up to wait for the cache, and asks the model.
      const [, answered, hits] =
        /24 documents · (\d+) answered by the model · (\d+) by the cache/.exec(second.output) ?? []
      assert.strictEqual(Number(answered) + Number(hits), 24)
      assert.isAtLeast(Number(hits), 12)
    }), limit)

  it.scopedLive("stops at a key that is refused, says why once, and names the address", () =>
    Effect.gen(function*() {
      const { url } = yield* Simulator.Simulator
      const { code, output } = yield* start(yield* makeFolder, { LLM_BASE_URL: `${url}/v1`, LLM_MODEL: "gpt-5-mini" })
      assertReadable(output)
      assert.strictEqual(code, 1)
      assert.include(output, `Asking gpt-5-mini at ${url}/v1`)
      assert.strictEqual(count(output, "AuthenticationFailed from"), 1, output)
      assert.include(output, `The address is ${url}/v1/chat/completions`)
      assert.notInclude(output, "the cache has")
      assert.isAtMost((yield* Simulator.requests).length, 12)
    }).pipe(
      Effect.provide(Simulator.layer({ faults: Simulator.always(Simulator.status(401)) }).pipe(Layer.provide(Server)))
    ), limit)

  it.scopedLive("stops where nobody answers, and names the address", () =>
    Effect.gen(function*() {
      // Nothing listens on the port for tcpmux.
      const { code, output } = yield* start(yield* makeFolder, { LLM_BASE_URL: "http://127.0.0.1:1", LLM_MODEL: "m" })
      assertReadable(output)
      assert.strictEqual(code, 1)
      assert.include(output, "Stopped at NetworkFailed")
      assert.include(output, "The address is http://127.0.0.1:1/chat/completions")
      assert.notInclude(output, "the cache has")
    }), limit)

  it.scopedLive("says that an address or a model is missing", () =>
    Effect.gen(function*() {
      const folder = yield* makeFolder
      const invalid = yield* start(folder, { LLM_BASE_URL: "foo", LLM_MODEL: "m" })
      assertReadable(invalid.output)
      assert.match(invalid.output, /^LLM_BASE_URL cannot be used: baseUrl must be an http or https address/)
      assert.strictEqual(invalid.code, 1)
      const nameless = yield* start(folder, { LLM_BASE_URL: "http://127.0.0.1:1" })
      assert.strictEqual(nameless.output, "LLM_MODEL must name the model to ask at LLM_BASE_URL.\n")
      assert.strictEqual(nameless.code, 1)
    }), limit)

  it.scopedLive("works without a folder for its results, and does not promise any", () =>
    Effect.gen(function*() {
      const folder = yield* makeFolder
      // Even the superuser cannot write in it.
      writeFileSync(join(folder, "results"), "")
      const { code, output } = yield* start(folder)
      assertReadable(output)
      assert.strictEqual(code, 0, output)
      assert.include(output, "24 answered by the model")
      assert.include(output, "The folder results/ cannot be written: nothing is kept for the next run.")
      assert.notInclude(output, "Run it again")
    }), limit)

  it.scopedLive("ends at Ctrl-C with the number of answers", () =>
    Effect.gen(function*() {
      const { code, output } = yield* start(yield* makeFolder, {}, /^✓ /m)
      assertReadable(output)
      assert.strictEqual(code, 0, output)
      assert.match(output, /Interrupted: \d+ of 24 documents have an answer\./)
    }), limit)
})
