import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { openPage, suiteInChromium } from "../chromium.js"

/** A browser and a server are slow to start on a busy machine. */
const timeout = 60_000

/** Runs the example as one types it, without a key, and gives its address. */
const example = Effect.map(
  Effect.acquireRelease(
    Effect.promise(async () => {
      const { CI: _ci, OPENAI_API_KEY: _key, PORT: _port, ...env } = process.env
      const child = spawn(process.execPath, ["--import", "tsx", "examples/web.ts"], {
        cwd: fileURLToPath(new URL("../..", import.meta.url)),
        env,
        stdio: ["ignore", "pipe", "inherit"]
      })
      for await (const line of createInterface(child.stdout)) {
        const [, url] = /^Open (http:\S+)$/.exec(line) ?? []
        if (url !== undefined) return { child, url }
      }
      throw new Error("The example has ended")
    }),
    ({ child }) =>
      Effect.promise(async () => {
        child.kill()
        if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
      })
  ),
  ({ url }) => url
)

suiteInChromium("examples/web.ts, in Chromium", () => {
  it.scopedLive("shows an answer as it arrives, and then its tokens", () =>
    Effect.gen(function*() {
      const url = yield* example
      const page = yield* openPage
      const errors: Array<string> = []
      page.on("pageerror", (error) => errors.push(error.message))
      yield* Effect.promise(() => page.goto(url))
      yield* Effect.promise(() => page.fill("[name=prompt]", "Describe the Elbe."))
      yield* Effect.promise(() => page.click("button"))

      const answer = page.locator("#answer")
      const end = page.locator("#end")
      yield* Effect.promise(() => answer.filter({ hasText: "You asked: Describe" }).waitFor())
      const early = {
        answer: yield* Effect.promise(() => answer.innerText()),
        end: yield* Effect.promise(() => end.innerText())
      }
      yield* Effect.promise(() => end.filter({ hasText: /^\d+ tokens$/ }).waitFor())
      const whole = yield* Effect.promise(() => answer.innerText())

      assert.strictEqual(
        whole,
        "You asked: Describe the Elbe.\n" +
          "The river rises in the mountains,\nand carries a hundred brooks to the sea."
      )
      assert.strictEqual(early.end, "")
      assert.isTrue(whole.startsWith(early.answer.trimEnd()))
      assert.isBelow(early.answer.length, whole.length)
      assert.deepStrictEqual(errors, [])
    }), timeout)
})
