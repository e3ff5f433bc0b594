import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as ExactJson from "../../src/internal/exactJson.js"

describe("JSON whose integers a number would change", () => {
  it("has each integer as a number if that has the same digits, and else as a text of its digits", () => {
    FastCheck.assert(FastCheck.property(FastCheck.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), (integer) => {
      const value = ExactJson.parse(`{"id":${integer}, "ids": [${integer} ,-1]}`) as {
        id: unknown
        ids: Array<unknown>
      }
      assert.deepStrictEqual(value.ids, [value.id, -1])
      if (typeof value.id === "string") assert.strictEqual(value.id, String(integer))
      else assert.isTrue(String(value.id) === String(integer) || BigInt(value.id as number) === integer)
    }))
  })

  it("is for everything else what JSON.parse reads", () => {
    const text = FastCheck.oneof(
      FastCheck.json(),
      FastCheck.json({ stringUnit: "binary" }),
      // Digits in texts and keys, behind a point, and with an exponent.
      FastCheck.stringMatching(/^\["[0-9:,\\"]{0,9}[0-9]{16,20}","\\\\",-?[1-9]\.[0-9]{16,20}(e[0-9]{1,2})?\]$/)
    )
    FastCheck.assert(FastCheck.property(text, (text) => {
      let expected: unknown
      try {
        expected = JSON.parse(text)
      } catch {
        assert.throws(() => ExactJson.parse(text))
        return
      }
      assert.deepStrictEqual(ExactJson.parse(text), expected)
    }))
  })

  const cases: ReadonlyArray<readonly [text: string, value: unknown]> = [
    ["9007199254740991", 9007199254740991],
    ["9007199254740993", "9007199254740993"],
    ["-1234567890123456789", "-1234567890123456789"],
    ["1000000000000000000000", 1e21],
    ["12345678901234567000", 12345678901234567000],
    [`1${"0".repeat(400)}`, `1${"0".repeat(400)}`],
    ["[0.12345678901234567890,1.5e300]", [0.12345678901234567890, 1.5e300]],
    ["{\"1234567890123456789\":\"1234567890123456789\"}", { "1234567890123456789": "1234567890123456789" }],
    ["[\"\\\\\",1234567890123456789,\"\\\",:1234567890123456789\"]", [
      "\\",
      "1234567890123456789",
      "\",:1234567890123456789"
    ]]
  ]
  for (const [text, value] of cases) {
    it(`reads ${text.slice(0, 60)}`, () => assert.deepStrictEqual(ExactJson.parse(text), value))
  }

  for (
    const text of ["01234567890123456789", "[1234567890123456789", "[1234567890123456789.]", "+1234567890123456789"]
  ) {
    it(`refuses ${text}, which is no JSON`, () => assert.throws(() => ExactJson.parse(text)))
  }

  it("is read in linear time", () => {
    const text = JSON.stringify({ text: "\\\"".repeat(500_000), ids: Array.from({ length: 50_000 }, () => "x") })
      .replaceAll("\"x\"", "1234567890123456789")
    const { ids } = ExactJson.parse(text) as { ids: Array<unknown> }
    assert.strictEqual(ids.at(-1), "1234567890123456789")
  })
})
