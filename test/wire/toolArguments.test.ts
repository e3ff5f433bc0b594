import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { readToolCall } from "../../src/wire/toolArguments.js"

const read = (json: string, truncated = false) => {
  const call = readToolCall({ id: "k1", name: "look", json }, { truncated })
  return call._tag === "ToolCall" ? call.arguments : call._tag
}

describe("toolArguments", () => {
  it("reads whole arguments in an odd form", () => {
    for (
      const [json, expected] of [
        ["{\"q\":1}", { q: 1 }],
        ["", {}],
        [" ", {}],
        ["null", {}],
        ["\"null\"", {}],
        ["\"\"", {}],
        [JSON.stringify("{\"q\":1}"), { q: 1 }],
        ["{}{\"q\":1}", { q: 1 }],
        ["{}{}", {}],
        ["{\"q\":1}{\"q\":1}", { q: 1 }]
      ] as const
    ) assert.deepStrictEqual(read(json), expected, json)
  })

  it("takes other JSON as it is: the tool's schema decides about it", () => {
    for (const json of ["12", "true", "[1]", "\"words\"", "\"[1]\"", "\"12\""]) {
      assert.deepStrictEqual(read(json), JSON.parse(json))
    }
  })

  it("repairs nothing: neither half an object nor two different ones", () => {
    for (const json of ["{\"q\":", "{\"q\":1}{\"q\":2}", "{}{\"q\":", "{\"q\":1} and more", "{}12"]) {
      assert.strictEqual(read(json), "ToolArgumentsInvalid", json)
      assert.strictEqual(read(json, true), json)
    }
  })

  it("reads an object alike, however it comes", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.dictionary(FastCheck.string(), FastCheck.jsonValue()), (value) => {
        const json = JSON.stringify(value)
        const expected = JSON.parse(json)
        for (const form of [json, JSON.stringify(json), `{}${json}`, json + json]) {
          assert.deepStrictEqual(read(form), expected)
        }
      })
    )
  })
})
