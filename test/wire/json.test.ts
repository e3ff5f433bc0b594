import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Json from "../../src/wire/json.js"

describe("Json.parse", () => {
  const lists = (levels: number) => "[".repeat(levels) + "]".repeat(levels)
  const objects = (levels: number) => "{\"a\":".repeat(levels) + "1" + "}".repeat(levels)

  it("reads what is nested 512 levels deep, and nothing deeper", () => {
    for (const nested of [lists, objects]) {
      assert.isDefined(Json.parse(nested(512)))
      for (const levels of [513, 600, 20_000, 1_000_000]) assert.isUndefined(Json.parse(nested(levels)), `${levels}`)
    }
  })

  it("counts levels, not brackets: neither those in texts nor those side by side", () => {
    for (const value of ["[".repeat(5_000), "\\\"[{".repeat(5_000), "\\", "\"", "]".repeat(5_000)]) {
      const wide = { value, list: Array.from({ length: 2_000 }, () => [{}]), [value]: "[{".repeat(600) }
      assert.deepStrictEqual(Json.parse(JSON.stringify(wide)), wide)
    }
  })

  it("reads what `JSON.parse` reads", () => {
    const padding = "x".repeat(2_000)
    FastCheck.assert(FastCheck.property(FastCheck.jsonValue({ maxDepth: 5 }), (value) => {
      const text = JSON.stringify([value, padding])
      assert.deepStrictEqual(Json.parse(text), JSON.parse(text))
    }))
  })
})
