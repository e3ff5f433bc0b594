import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as JsonAnswer from "../../src/output/jsonAnswer.js"

const found = (text: string): unknown => Option.getOrElse(JsonAnswer.find(text), () => "nothing")

const answer = { name: "Elbe", basin: { area: 148_268, countries: ["CZ", "DE"] }, note: "\"[{\" and \\" }
const json = JSON.stringify(answer)

describe("jsonAnswer", () => {
  describe("finds the JSON", () => {
    const cases: ReadonlyArray<readonly [what: string, text: string]> = [
      ["that is all of the answer", json],
      ["with white space around it", `\n\t ${JSON.stringify(answer, null, 2)} \r\n`],
      ["after a byte-order mark", `\uFEFF${json}`],
      ["after a byte-order mark and before prose", `\uFEFF${json}\nThat is all.`],
      ["in a fence", `\`\`\`json\n${json}\n\`\`\``],
      ["in a fence without a language", `\`\`\`\n${json}\n\`\`\``],
      ["in a fence that is never closed", `\`\`\`json\n${json}`],
      ["in a fence in prose", `Here is the river:\n\n\`\`\`json\n${json}\n\`\`\`\n\nIt's long, isn't it?`],
      ["in prose", `The answer is ${json}, I think.`],
      ["in prose with brackets of its own", `From {my} notes [sic], as of [1]: ${json} (see [2]).`],
      ["in prose with a quotation mark", `Measured with a 12" ruler: ${json}`],
      ["that is said twice", `${json}\n\nSo, again:\n${json}`]
    ]
    it.each(cases)("%s", (_, text) => {
      assert.deepStrictEqual(found(text), answer)
    })

    it("that is an array, where there is no object", () => {
      assert.deepStrictEqual(found("Here: [1, 2]"), [1, 2])
    })

    it("that is no object at all", () => {
      assert.deepStrictEqual([found("3"), found("\"a\""), found("null"), found(" true ")], [3, "a", null, true])
    })
  })

  describe("finds nothing", () => {
    const cases: ReadonlyArray<readonly [what: string, text: string]> = [
      ["in an empty answer", ""],
      ["in white space", " \n"],
      ["in prose", "I cannot say."],
      ["in single quotes", "{'name': 'Elbe'}"],
      ["behind a trailing comma", "{\"name\": \"Elbe\",}"],
      ["in two different objects", "{\"name\": \"Elbe\"} or {\"name\": \"Oder\"}"],
      ["in an object of which half is there", "{\"rivers\": [{\"name\": \"Elbe\"}, {\"name\": \"Oder\"}"],
      ["in an array of which half is there", "[{\"name\": \"Elbe\"}, {\"name\": "],
      ["in a fence that was cut short", "```json\n{\"rivers\": [{\"name\": \"Elbe\"}"],
      ["in a string that was cut short", "{\"name\": \"{\\\"a\\\": 1}"]
    ]
    it.each(cases)("%s", (_, text) => {
      assert.strictEqual(found(text), "nothing")
    })

    it("in any beginning of an object, however it is wrapped", () => {
      const value = FastCheck.jsonValue({ maxDepth: 3 }).map((inner) => JSON.stringify({ inner }))
      const prefix = FastCheck.constantFrom("", "Sure: ", "```json\n")
      FastCheck.assert(
        FastCheck.property(value, prefix, FastCheck.nat(), (text, prefix, at) => {
          const cut = text.slice(0, at % text.length)
          // A beginning without its bracket is no beginning.
          assert.strictEqual(cut === "" ? "nothing" : found(prefix + cut), "nothing")
        }),
        { numRuns: 500 }
      )
    })
  })

  it("finds any object in prose", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.dictionary(FastCheck.string(), FastCheck.jsonValue()), (value) => {
        const text = JSON.stringify(value)
        assert.deepStrictEqual(found(`Well, ${text}: that is it.`), JSON.parse(text))
      })
    )
  })

  it("takes time that is linear in the answer", () => {
    const nothing = "{\"a\":[".repeat(20_000)
    const started = performance.now()
    assert.strictEqual(found(nothing), "nothing")
    assert.strictEqual(found(`x ${"{\"a\":\"}".repeat(20_000)}`), "nothing")
    assert.isBelow(performance.now() - started, 10_000)
  })
})
