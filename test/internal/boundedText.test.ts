import { assert, describe, it } from "@effect/vitest"
import { boundedJson, boundedText } from "../../src/internal/boundedText.js"

const lengthOf = (value: unknown): number => (JSON.stringify(value) ?? "").length

describe("boundedText", () => {
  it("leaves a text within the limit as it is", () => {
    assert.strictEqual(boundedText("x".repeat(64 * 1024)), "x".repeat(64 * 1024))
    assert.strictEqual(boundedText(""), "")
  })

  it("drops what stands at a cut, where half a key could be", () => {
    assert.strictEqual(boundedText("x".repeat(64 * 1024 + 1)).length, 63 * 1024)
    assert.strictEqual(boundedText("x".repeat(2_000), 1_500), "x".repeat(476))
    assert.strictEqual(boundedText("x".repeat(2_000), 500), "")
  })
})

describe("boundedJson", () => {
  it("keeps a small value", () => {
    const value = { error: { message: "no", code: null, details: [1, true, { a: "b" }], status: 429 } }
    assert.deepStrictEqual(boundedJson(value), value)
    for (const value of ["text", 1, null, undefined, false, [], {}]) assert.deepStrictEqual(boundedJson(value), value)
  })

  it("keeps the beginning of a value that is long in any way", () => {
    const huge = "x".repeat(30_000_000)
    for (
      const value of [
        { error: { message: huge, type: "server_error" } },
        { error: huge },
        huge,
        { error: { code: 1, details: Array.from({ length: 300_000 }, () => ({})) } },
        { error: { details: Array.from({ length: 300_000 }, () => "detail") } },
        Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`key${n}`, n])),
        { [huge]: 1 },
        Array.from({ length: 1_000 }, () => "x".repeat(1_000))
      ]
    ) {
      assert.isAtMost(lengthOf(boundedJson(value)), 3 * 64 * 1024)
    }
  })

  it("keeps a code behind a long message", () => {
    const bounded = boundedJson({ error: { message: "x".repeat(30_000_000), code: "insufficient_quota" }, status: 429 })
    const left = 64 * 1024 - 2 * 16 - "errormessage".length
    assert.deepStrictEqual(bounded, {
      error: { message: "x".repeat(left / 2 - 1024), code: "insufficient_quota" },
      status: 429
    })
  })

  it("goes no deeper than 64 levels", () => {
    const deep = JSON.parse("[".repeat(100_000) + "]".repeat(100_000))
    assert.isAtMost(lengthOf(boundedJson(deep)), 200)
  })

  it("takes a member for a member whatever its name", () => {
    const value: unknown = JSON.parse("{\"__proto__\": {\"a\": 1}}")
    assert.strictEqual(JSON.stringify(boundedJson(value)), "{\"__proto__\":{\"a\":1}}")
  })
})
