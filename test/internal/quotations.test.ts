import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Quotations from "../../src/internal/quotations.js"

const quotedParts = (text: string, sources: ReadonlyArray<string>, run: number): string => {
  const quotations = Quotations.make(text, run)
  for (const source of sources) quotations.add(source)
  const marks = quotations.marks()
  return Array.from(text, (character, at) => marks[at] === 1 ? character : ".").join("")
}

/** The same by trying every substring. */
const byTrying = (text: string, sources: ReadonlyArray<string>, run: number): string => {
  const marks = new Set<number>()
  for (let from = 0; from < text.length; from++) {
    for (let to = from + 1; to <= text.length; to++) {
      const part = text.slice(from, to)
      if (!sources.some((source) => source.includes(part) && (part.length >= run || part === source))) continue
      for (let at = from; at < to; at++) marks.add(at)
    }
  }
  return Array.from(text, (character, at) => marks.has(at) ? character : ".").join("")
}

const workOn = (text: string, sources: ReadonlyArray<string>): number => {
  const quotations = Quotations.make(text, 16)
  for (const source of sources) quotations.add(source)
  quotations.marks()
  return quotations.work()
}

describe("quotations", () => {
  it("finds each run of a source, and short sources where they stand whole", () => {
    assert.strictEqual(quotedParts("xx12345678yy345yy", ["0123456789"], 6), "..12345678.......")
    assert.strictEqual(quotedParts("xx345yy3456", ["345"], 6), "..345..345.")
    assert.strictEqual(quotedParts("aaaa", ["aa"], 6), "aaaa")
    assert.strictEqual(quotedParts("", ["abc"], 6), "")
    assert.strictEqual(quotedParts("abc", [""], 6), "...")
    assert.strictEqual(quotedParts("abc", [], 6), "...")
  })

  it("leaves the spaces around a run", () => {
    assert.strictEqual(quotedParts("say: one two! now", ["I have one two three"], 6), ".....one two.....")
    assert.strictEqual(quotedParts("say  one two  now", ["I have one two three"], 6), ".....one two.....")
  })

  it("finds what trying every substring finds", () => {
    const text = FastCheck.stringMatching(/^[abc]{0,40}$/)
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(text, { maxLength: 4 }),
        text,
        FastCheck.integer({ min: 1, max: 12 }),
        (sources, around, run) => {
          const quoting = [around, ...sources.map((source) => source.slice(2)), around].join("b")
          assert.strictEqual(quotedParts(quoting, sources, run), byTrying(quoting, sources, run))
        }
      ),
      { numRuns: 400 }
    )
  })

  it("takes a bounded number of steps a code unit, whatever the text and the sources", () => {
    const runs = "a".repeat(4_000)
    const stairs = Array.from({ length: 90 }, (_, n) => `${"a".repeat(n)}b`).join("")
    const blocks = "aaaaaaaabbbbbbbb"
    const texts = [
      runs,
      stairs,
      blocks.repeat(250),
      `${"ab".repeat(2_000)}`,
      `${"a".repeat(2_000)}${"b".repeat(2_000)}`
    ]
    const sources = [runs, stairs, blocks, "ab", "aab", `${"a".repeat(60)}b`, "abcdefghijklmnop", "a", "c"]
    for (const text of texts) {
      for (const source of sources) {
        const long = source.repeat(Math.ceil(64_000 / source.length))
        const steps = workOn(text, [long])
        assert.isAtMost(steps, 12 * text.length + 2 * long.length, `${text.slice(0, 20)} / ${source.slice(0, 20)}`)
        assert.isAtLeast(steps, text.length + long.length)
      }
    }
  })

  it("takes as many steps for many short sources as for a long one", () => {
    const text = "word1 word2 word3 ".repeat(200)
    const many = Array.from({ length: 10_000 }, (_, n) => `word${n}`)
    assert.isAtMost(workOn(text, many), 12 * text.length + 2 * many.join("").length)
  })
})
