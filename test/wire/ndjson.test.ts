import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import type { Frame } from "../../src/wire/frame.js"
import * as Ndjson from "../../src/wire/ndjson.js"

const encoder = new TextEncoder()

/** Chunks as they come from the network: text, or bytes. */
type Chunks = ReadonlyArray<string | ReadonlyArray<number>>

const decode = (chunks: Chunks): ReadonlyArray<string> =>
  Ndjson.decode(chunks.map((chunk) => typeof chunk === "string" ? encoder.encode(chunk) : Uint8Array.from(chunk)))
    .map(({ data }) => data)

describe("ndjson", () => {
  const cases: ReadonlyArray<
    readonly [name: string, chunks: Chunks, expected: ReadonlyArray<string>]
  > = [
    ["a line", ["{\"a\":1}\n"], ["{\"a\":1}"]],
    ["two lines in one chunk", ["1\n2\n"], ["1", "2"]],
    ["a line in several chunks", ["{\"a\"", ":", "1}", "\n"], ["{\"a\":1}"]],
    ["the last line without its end", ["1\n2"], ["1", "2"]],
    ["CRLF", ["1\r\n2\r\n"], ["1", "2"]],
    ["CRLF, divided", ["1\r", "\n2\r\n"], ["1", "2"]],
    ["a last line that ends in CR", ["1\r"], ["1"]],
    ["empty and blank lines", ["\n\n 1 \n  \n\r\n"], ["1"]],
    ["nothing", [], []],
    ["a byte order mark", [[0xEF, 0xBB], [0xBF], "1\n"], ["1"]],
    ["a character that is divided", ["\"", [0xF0, 0x9F], [0x98, 0x8A], "\"\n"], ["\"😊\""]],
    ["bytes that are no UTF-8", ["\"", [0xFF], "\"\n"], ["\"\uFFFD\""]],
    ["a character that the end cuts off", ["1\n\"", [0xF0, 0x9F]], ["1", "\"\uFFFD"]],
    ["what is no line break", ["\"\u2028\u2029\u0085\"\n"], ["\"\u2028\u2029\u0085\""]]
  ]
  for (const [name, chunks, expected] of cases) {
    it(`reads ${name}`, () => assert.deepStrictEqual(decode(chunks), expected))
  }

  it("gives the same lines for any values and any division of the bytes", () => {
    const value = FastCheck.jsonValue({ maxDepth: 2, stringUnit: "binary" })
    const lines = FastCheck.array(FastCheck.tuple(value, FastCheck.constantFrom("\n", "\r\n", "\n\n")), {
      maxLength: 8
    })
    const cuts = FastCheck.array(FastCheck.nat(), { maxLength: 40 })
    FastCheck.assert(
      FastCheck.property(lines, cuts, FastCheck.boolean(), (lines, cuts, isEnded) => {
        const text = lines.map(([value, end]) => JSON.stringify(value) + end).join("")
        const all = encoder.encode(isEnded ? text : text.trimEnd())
        const places = [0, ...cuts.map((cut) => cut % (all.length + 1)).sort((a, b) => a - b), all.length]
        const chunks = places.slice(1).map((end, i) => all.subarray(places[i], end))
        assert.deepStrictEqual(
          Ndjson.decode(chunks).map(({ data }) => data),
          lines.map(([value]) => JSON.stringify(value))
        )
      }),
      { numRuns: 200 }
    )
  })

  describe("is linear", () => {
    const size = 5_000_000
    const bytes = encoder.encode(`${"x".repeat(size)}\n`)
    /** Quadratic work would be some 10^13 steps here: hours, not seconds. */
    const seconds = 30

    for (const length of [1, 10_000, bytes.length]) {
      it(`in a line of 5 MB that comes in pieces of ${length}`, () => {
        const framer = Ndjson.make()
        const started = performance.now()
        const frames: Array<Frame> = []
        for (let i = 0; i < bytes.length; i += length) {
          for (const frame of framer.push(bytes.subarray(i, i + length))) frames.push(frame)
        }
        assert.strictEqual(frames.length, 1)
        assert.strictEqual(frames[0]?.data.length, size)
        assert.isBelow(performance.now() - started, seconds * 1000)
      }, 2 * seconds * 1000)
    }
  })

  describe("is bounded", () => {
    const feed = (maxLength: number, ...chunks: ReadonlyArray<string>) => {
      const framer = Ndjson.make({ maxLength })
      const frames = chunks.flatMap((chunk) => framer.push(encoder.encode(chunk)))
      return { data: [...frames, ...framer.end()].map(({ data }) => data), overflowed: framer.overflowed() }
    }

    it("says that a line is too long, and gives no more", () => {
      assert.deepStrictEqual(feed(8, "1\n", "012345", "678", "\n2\n"), { data: ["1"], overflowed: true })
    })

    it("gives no line that is too long, even when it comes in one piece", () => {
      assert.deepStrictEqual(feed(8, "1\n012345678\n2\n"), { data: ["1"], overflowed: true })
    })

    it("takes a line that is as long as allowed, each for itself", () => {
      assert.deepStrictEqual(feed(8, "01234567\n".repeat(3)), {
        data: ["01234567", "01234567", "01234567"],
        overflowed: false
      })
    })
  })
})
