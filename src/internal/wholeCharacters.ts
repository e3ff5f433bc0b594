// Half a surrogate pair is no character: UTF-8 cannot carry it, services refuse it, and it has no canonical JSON. As in
// invalid UTF-8, U+FFFD stands in its place.

const replacement = "\ufffd"

/** The text without halves of characters. */
export const inText = (text: string): string => text.replace(/\p{Surrogate}/gu, replacement)

/** An escape in the output of `JSON.stringify`: an escaped surrogate is a lone one. */
const escapes = /\\(?:u[0-9a-f]{4}|.)/g

/** JSON that `JSON.stringify` has written, without halves of characters. */
export const inJson = (json: string): string =>
  json.includes("\\ud") ? json.replace(escapes, (escape) => escape.startsWith("\\ud") ? replacement : escape) : json

/** The value of JSON that `JSON.stringify` has written of it: the value itself, if it has only whole characters. */
export const inValue = (value: unknown, json: string): unknown => {
  const whole = inJson(json)
  return whole === json ? value : JSON.parse(whole)
}
