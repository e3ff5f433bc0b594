import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as ExactJson from "../../src/internal/exactJson.js"
import * as GrowingJson from "../../src/output/growingJson.js"
import * as Pieces from "../support/pieces.js"

const parse: (text: string) => Option.Option<unknown> = Option.liftThrowable(ExactJson.parse)

/** What comes of pieces, each read from its beginning. What follows the value may be white space only. */
const grown = (pieces: ReadonlyArray<string>): Option.Option<unknown> => {
  const json = GrowingJson.make()
  for (const piece of pieces) {
    const rest = piece.slice(json.push(piece, 0))
    if (rest.trim() !== "") return Option.none()
  }
  json.end()
  const whole = json.whole()
  assert.strictEqual(json.failed(), whole === undefined)
  return Option.map(Option.fromNullable(whole), ({ value }) => value)
}

const json = FastCheck.jsonValue({ maxDepth: 4, stringUnit: "binary" })

const texts = json.chain(Pieces.written)

describe("growingJson", () => {
  it("reads any JSON in any pieces as JSON.parse does", () => {
    FastCheck.assert(
      FastCheck.property(texts, Pieces.places, (text, places) => {
        assert.deepStrictEqual(grown(Pieces.cut(text, places)), parse(text))
      }),
      { numRuns: 1_000 }
    )
  })

  it("takes what JSON.parse takes, and nothing else, and keeps the digits of long integers", () => {
    const pieces = FastCheck.constantFrom(..."{}[]:,\"\\u0-+.eE19tfn \n\u0001'/")
    const broken = FastCheck.tuple(texts, FastCheck.nat(), FastCheck.nat(2), pieces).map(
      ([text, at, without, what]) => {
        const place = at % (text.length + 1)
        return text.slice(0, place) + what + text.slice(place + without)
      }
    )
    const garbage = FastCheck.array(pieces, { maxLength: 8 }).map((pieces) => pieces.join(""))
    FastCheck.assert(
      FastCheck.property(FastCheck.oneof(broken, garbage), Pieces.places, (text, places) => {
        // JSON.parse has no limit of depth, but these are not so deep. White space before and behind is the caller's.
        const [cut] = /^[^\u000b\u000c\u00a0\ufeff\u2028\u2029]*/.exec(text) ?? [""]
        assert.deepStrictEqual(grown(Pieces.cut(cut, places)), parse(cut))
      }),
      { numRuns: 3_000 }
    )
  })

  const cases: ReadonlyArray<readonly [text: string, value: unknown]> = [
    ["-0", -0],
    ["1e999", Infinity],
    ["-1.5E-3", -0.0015],
    ["{\"__proto__\":{\"x\":1},\"constructor\":2}", JSON.parse("{\"__proto__\":{\"x\":1},\"constructor\":2}")],
    ["{\"a\":1,\"b\":2,\"a\":3}", { a: 3, b: 2 }],
    ["\"\\ud83d\\ude00\\ud83d\"", "\ud83d\ude00\ud83d"],
    ["[[],{},[{}]]", [[], {}, [{}]]]
  ]
  it.each(cases)("reads %s", (text, value) => {
    for (const pieces of [[text], [...text], Pieces.cut(text, [3, 7])]) {
      assert.deepStrictEqual(grown(pieces), Option.some(value))
    }
  })

  it("keeps a property with a name of its own for what JSON calls __proto__", () => {
    const read = Option.getOrThrow(grown(["{\"__proto__\":", "{\"polluted\":true}}"]))
    assert.isTrue(Object.hasOwn(Object(read), "__proto__"))
    assert.isUndefined(Object(read).polluted)
  })

  it("gives up on what is nested deeper than any answer", () => {
    assert.isTrue(Option.isSome(grown(["[".repeat(128), "]".repeat(128)])))
    assert.isTrue(Option.isNone(grown(["[".repeat(129), "]".repeat(129)])))
  })

  it("gives the part of a text that has come, by whole characters, and no part of a key", () => {
    const json = GrowingJson.make()
    const seen = ["{\"k", "ey\":\"a", "\\", "n\\u00e", "4", "\ud83d", "\ude00", "\\ud83d", "\\ude00x", "\"}"].map(
      (piece) => {
        json.push(piece, 0)
        return json.text()
      }
    )
    assert.deepStrictEqual(seen, [
      undefined,
      "a",
      "a",
      "a\n",
      "a\nä",
      "a\nä",
      "a\nä😀",
      "a\nä😀",
      "a\nä😀😀x",
      undefined
    ])
  })
})
