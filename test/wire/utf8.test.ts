import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Utf8 from "../../src/wire/utf8.js"

/** What the platform's own decoder reads. */
const expected = (chunks: ReadonlyArray<Uint8Array>): string => {
  const decoder = new TextDecoder()
  return chunks.map((bytes) => decoder.decode(bytes, { stream: true })).join("") + decoder.decode()
}

const read = (chunks: ReadonlyArray<Uint8Array>): string => {
  const utf8 = Utf8.make()
  return chunks.map(utf8.push).join("") + utf8.end()
}

const bytes = (...chunks: ReadonlyArray<ReadonlyArray<number> | string>): ReadonlyArray<Uint8Array> =>
  chunks.map((chunk) => typeof chunk === "string" ? new TextEncoder().encode(chunk) : Uint8Array.from(chunk))

const mark = [0xEF, 0xBB, 0xBF]

const cases: ReadonlyArray<readonly [name: string, chunks: ReadonlyArray<Uint8Array>, text: string]> = [
  ["nothing", [], ""],
  ["ASCII", bytes("El", "", "be"), "Elbe"],
  ["a character that is cut, after ASCII", bytes("El", [0xC3], [0xA9], "be"), "Elébe"],
  ["a mark at the start", bytes(mark, "Elbe"), "Elbe"],
  ["a mark at the start, cut", bytes([], [0xEF], [0xBB], [0xBF, 0x45]), "E"],
  ["a mark in the midst", bytes("El", [...mark, 0x62], "e"), "El\uFEFFbe"],
  ["a second mark", bytes([...mark, ...mark]), "\uFEFF"],
  ["a character that is cut at the end", bytes("El", [0xE2, 0x82]), "El\uFFFD"],
  [
    "a lone first byte at the end of a chunk, which is as long as its replacement",
    bytes([0x45, 0xE2], "be"),
    "E\uFFFDbe"
  ],
  ["a byte that is part of no character", bytes("E", [0xFF], "b"), "E\uFFFDb"],
  ["a replacement character that was sent", bytes("E", "\uFFFD", "b"), "E\uFFFDb"]
]

describe("utf8", () => {
  it.each(cases)("reads %s", (_, chunks, text) => {
    assert.strictEqual(read(chunks), text)
    assert.strictEqual(expected(chunks), text)
  })

  it("reads all bytes, however divided, as the platform does", () => {
    // Mostly ASCII, with parts of characters, whole ones and marks in between.
    const piece = FastCheck.oneof(
      FastCheck.string({ maxLength: 8 }).map((text) => [...new TextEncoder().encode(text)]),
      FastCheck.string({ maxLength: 4, unit: "grapheme" }).map((text) => [...new TextEncoder().encode(text)]),
      FastCheck.constant(mark),
      FastCheck.array(FastCheck.integer({ min: 0, max: 255 }), { maxLength: 3 })
    )
    FastCheck.assert(
      FastCheck.property(FastCheck.array(piece), FastCheck.array(FastCheck.nat()), (pieces, cuts) => {
        const all = Uint8Array.from(pieces.flat())
        const places = [0, ...cuts.map((cut) => cut % (all.length + 1)).sort((a, b) => a - b), all.length]
        const chunks = places.slice(1).map((end, i) => all.subarray(places[i], end))
        assert.strictEqual(read(chunks), expected([all]))
      }),
      { numRuns: 500 }
    )
  })
})
