import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { run, show, total, violationsOf } from "./support/chaos.js"

/** A short run of what `npm run chaos` runs at length: docs/guide/reliability.md. */
describe("under all faults, with random interruptions", () => {
  const options = {
    counts: { call: 24, stream: 24, object: 4, streamObject: 4, runTools: 4, streamTools: 4 },
    seed: "gale",
    concurrency: 16,
    rounds: 1,
    limit: 1200,
    seconds: 40
  } as const

  it.live.each(["undici", "fetch"] as const)(
    "no promise is broken over %s",
    (transport) =>
      Effect.gen(function*() {
        const report = yield* run({ ...options, transport })
        assert.deepStrictEqual(violationsOf(report), [], show(report))
        assert.strictEqual(total(report.ends), 64)
        // It was no calm sea.
        assert.isAtLeast(total(report.faults), 15)
        assert.isAtLeast(new Set([...report.ends.keys()].map((end) => end.split(" ")[1])).size, 3)
        for (const end of ["call ok", "stream ok", "call interrupted", "stream interrupted"]) {
          assert.isAtLeast(report.ends.get(end) ?? 0, 1, end)
        }
      }),
    60_000
  )

  it.live("a run that does not end in time is a violation, and leaves nothing behind", () =>
    Effect.gen(function*() {
      const report = yield* run({ ...options, transport: "undici", seconds: 0.1 })
      assert.deepStrictEqual([...report.violations.keys()], ["not done in time"])
      assert.include(show(report), "VIOLATIONS")
    }), 60_000)

  it("has its command in package.json", () => {
    const { scripts } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))
    assert.include(scripts.chaos, "scripts/chaos.mjs")
  })
})
