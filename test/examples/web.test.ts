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
      // The page itself notes the states that it shows: whoever asks it from outside may be late.
      const states = yield* Effect.promise(() =>
        page.evaluateHandle(() => {
          const states: Array<{ readonly answer: string; readonly end: string }> = []
          const textOf = (id: string) => document.getElementById(id)?.innerText ?? ""
          new MutationObserver(() => states.push({ answer: textOf("answer"), end: textOf("end") }))
            .observe(document.body, { childList: true, characterData: true, subtree: true })
          return states
        })
      )
      yield* Effect.promise(() => page.fill("[name=prompt]", "Describe the Elbe."))
      yield* Effect.promise(() => page.click("button"))

      yield* Effect.promise(() => page.locator("#end").filter({ hasText: /^\d+ tokens$/ }).waitFor())
      const whole = yield* Effect.promise(() => page.locator("#answer").innerText())
      const early = (yield* Effect.promise(() => states.jsonValue())).filter(({ answer }) =>
        answer.includes("You asked: Describe") && answer.trimEnd().length < whole.length
      )

      assert.strictEqual(
        whole,
        "You asked: Describe the Elbe.\n" +
          "The river rises in the mountains,\nand carries a hundred brooks to the sea."
      )
      assert.isNotEmpty(early)
      for (const { answer, end } of early) {
        assert.strictEqual(end, "")
        assert.isTrue(whole.startsWith(answer.trimEnd()))
      }
      assert.deepStrictEqual(errors, [])
    }), timeout)
})
