import { assert, describe, it } from "@effect/vitest"
import * as RawFields from "../../src/providers/rawFields.js"

describe("raw fields", () => {
  it("go over ours, and lists of tools and of what to include behind ours", () => {
    assert.deepStrictEqual(
      RawFields.over(
        { tools: [{ name: "a" }], include: ["reasoning"], stop: ["x"], temperature: 0 },
        { tools: [{ type: "web_search" }], include: ["reasoning", "sources"], stop: ["y"], n: 1 }
      ),
      {
        tools: [{ name: "a" }, { type: "web_search" }],
        include: ["reasoning", "sources"],
        stop: ["y"],
        temperature: 0,
        n: 1
      }
    )
  })

  it("stand alone where we have no list, and replace ours by an empty list and by what is no list", () => {
    assert.deepStrictEqual(RawFields.over({ include: ["reasoning"] }, { include: [] }), { include: [] })
    assert.deepStrictEqual(RawFields.over({ tools: undefined }, { tools: [{ type: "web_search" }] }), {
      tools: [{ type: "web_search" }]
    })
    assert.deepStrictEqual(RawFields.over({ tools: [{ name: "a" }] }, { tools: null }), { tools: null })
  })
})
