// A JavaScript number holds an integer beyond 2^53 only roughly: `JSON.parse` makes another id of one with 19 digits, and
// a tool would act on that. Such an integer is kept as the text of its digits: no digit is lost, a schema that asks for a
// number refuses it, and one that asks for a string takes it.

/** The value of a number in JSON. It is a text only if no JavaScript number writes an integer with these digits. */
export const exactNumber = (literal: string): number | string => {
  const number = Number(literal)
  if (Number.isSafeInteger(number) || !/^-?\d+$/.test(literal)) return number
  // A number that is written with the same digits, in short or in full, loses nothing.
  const isExact = String(number) === literal || (Number.isFinite(number) && String(BigInt(number)) === literal)
  return isExact ? number : literal
}

/** Integers of at least 16 digits where a value of JSON begins, and digits in texts that look like them. */
const longIntegers = /^\d{16}|[[:,\s-]\d{16}/

/** The texts and numbers of JSON. */
const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

const exactToken = (token: string): string => typeof exactNumber(token) === "string" ? `"${token}"` : token

/** `JSON.parse`, with integers that a number would change as texts. Throws if the text is not JSON. */
export const parse = (text: string): unknown => {
  const value: unknown = JSON.parse(text)
  if (!longIntegers.test(text)) return value
  const exact = text.replace(tokens, (token) => token.startsWith("\"") ? token : exactToken(token))
  return exact === text ? value : JSON.parse(exact)
}
