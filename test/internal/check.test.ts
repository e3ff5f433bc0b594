import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Check from "../../src/internal/check.js"

const problem = (check: () => unknown): string => {
  try {
    check()
  } catch (error) {
    assert.instanceOf(error, Check.InvalidOption)
    return error.message
  }
  return assert.fail("it was accepted")
}

describe("check: a duration option", () => {
  it("takes what Duration takes, from nothing to for ever", () => {
    for (
      const [input, millis] of [
        [0, 0],
        [1.5, 1.5],
        [5n, 5e-6],
        ["2 seconds", 2000],
        [[1, 500_000_000], 1500],
        [Duration.minutes(1), 60_000],
        [Infinity, Infinity],
        [Duration.infinity, Infinity]
      ] as ReadonlyArray<readonly [Duration.DurationInput, number]>
    ) {
      assert.strictEqual(Duration.toMillis(Check.duration("timeout", input)), millis)
    }
  })

  for (
    const wrong of [NaN, -1, -Infinity, -1n, "-1 seconds", " -5 millis", "soon", "5", "", [-1, 0], [NaN, 0], null, {}]
  ) {
    it(`rejects ${String(wrong) || "the empty text"} (${typeof wrong}) and names the option`, () => {
      assert.include(
        problem(() => Check.duration("LlmClient.timeout", wrong as Duration.DurationInput)),
        "LlmClient.timeout must be a duration that is not negative, but is "
      )
    })
  }

  it("may have to be more than nothing", () => {
    assert.deepStrictEqual(Check.positiveDuration("timeout", "1 millis"), Duration.millis(1))
    for (const wrong of [0, "0 seconds", -1] as const) {
      assert.include(problem(() => Check.positiveDuration("timeout", wrong)), "timeout must be")
    }
  })
})

describe("check: a number option", () => {
  it("must be an integer in its bounds", () => {
    assert.strictEqual(Check.integer("times", 0, 0), 0)
    for (const wrong of [-1, 1.5, NaN, Infinity, 2 ** 53, "1"]) {
      assert.strictEqual(
        problem(() => Check.integer("times", wrong as number, 0)),
        `times must be an integer of at least 0, but is ${wrong}`
      )
    }
  })

  it("or a finite number in its bounds", () => {
    assert.strictEqual(Check.finite("factor", 1.5, 1), 1.5)
    for (const wrong of [0.5, NaN, Infinity, -Infinity, "1"]) {
      assert.strictEqual(
        problem(() => Check.finite("factor", wrong as number, 1)),
        `factor must be a finite number of at least 1, but is ${wrong}`
      )
    }
  })
})

describe("check: the names of options", () => {
  const names: Check.Names<{ readonly timeout?: number; readonly retry?: boolean; readonly idleTimeout?: number }> = {
    timeout: true,
    retry: true,
    idleTimeout: true
  }
  const check = (options: object) => Check.known(options as { readonly timeout?: number }, names, "client.")

  it("takes those that there are, and what is undefined", () => {
    for (const options of [{}, { timeout: 1, retry: false }, { timout: undefined }, { idleTimeout: undefined }]) {
      assert.strictEqual(check(options), options)
    }
  })

  it.each([["timout", "timeout"], ["Retry", "retry"], ["retries", "retry"], ["idle_timeout", "idleTimeout"]])(
    "rejects %s and names %s",
    (wrong, nearest) =>
      assert.strictEqual(
        problem(() => check({ timeout: 1, [wrong]: "s3cret" })),
        `client.${wrong} must be a known option, such as client.${nearest}, but is unknown`
      )
  )

  it("rejects what every object has by another name", () => {
    for (const wrong of ["toString", "constructor", "__proto__", ""]) {
      assert.include(problem(() => check(Object.fromEntries([[wrong, 1]]))), `client.${wrong} must be`)
    }
  })
})
