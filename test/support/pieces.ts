import * as FastCheck from "effect/FastCheck"

/** Places in a text, of which each is taken modulo its length; or everywhere. */
export type Places = ReadonlyArray<number> | "everywhere"

/** A text cut at these places. */
export const cut = (text: string, places: Places): ReadonlyArray<string> => {
  // Between code units, not characters.
  if (places === "everywhere") return text.split("")
  const ends = [...new Set(places.map((place) => place % (text.length + 1)))].sort((a, b) => a - b)
  return [...ends, text.length].map((end, i) => text.slice(ends[i - 1] ?? 0, end))
}

/** Where to cut: nowhere, at a few places, or everywhere. */
export const places: FastCheck.Arbitrary<Places> = FastCheck.oneof(
  FastCheck.constant([]),
  FastCheck.array(FastCheck.nat(), { maxLength: 30 }),
  FastCheck.constant("everywhere" as const)
)

/** JSON as somebody may write it: with white space, and with characters in escapes. */
export const written = (value: unknown): FastCheck.Arbitrary<string> =>
  FastCheck.record({
    space: FastCheck.constantFrom("", " ", "\t", "\r\n "),
    escape: FastCheck.constantFrom(/(?!)/, /[^"\\{}[\]:,\s\d]/g, /[^\u0000-\u007f]/g)
  }).map(({ escape, space }) => {
    const text = JSON.stringify(value, null, space === "" ? undefined : 1).replaceAll("\n", space === "" ? "\n" : space)
    // Only in strings: outside of them are the letters of literals and numbers.
    return text.replace(/"(?:[^"\\]|\\.)*"/g, (string) =>
      string.replace(/\\u[0-9a-f]{4}|\\.|[^\\]/gs, (unit) =>
        unit.length === 1 && unit.search(escape) === 0
          ? `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`
          : unit))
  })
