// A lone surrogate is half a character: UTF-8 and canonical JSON cannot express it, and services refuse it. A model may
// write one as an escape in JSON, and an answer may be cut inside of a character. As in invalid UTF-8, U+FFFD takes its
// place.

const replacement = "\ufffd"

// With the `u` flag, a surrogate pair is one code point and does not match.
const loneSurrogate = /\p{Surrogate}/u
const loneSurrogates = /\p{Surrogate}/gu

/** Whether a text has no lone surrogate. */
export const isWellFormed = (text: string): boolean => !loneSurrogate.test(text)

/** The text with U+FFFD in place of each lone surrogate. */
export const wellFormed = (text: string): string =>
  isWellFormed(text) ? text : text.replace(loneSurrogates, replacement)

/** An escape in the output of `JSON.stringify`: an escaped surrogate is a lone one. */
const escapes = /\\(?:u[0-9a-f]{4}|.)/g

/** The output of `JSON.stringify` with U+FFFD in place of each lone surrogate in it. */
export const wellFormedJson = (json: string): string =>
  json.includes("\\ud") ? json.replace(escapes, (escape) => escape.startsWith("\\ud") ? replacement : escape) : json

/** The value that `JSON.stringify` has written as this JSON: the value itself, if it holds no lone surrogate. */
export const wellFormedValue = <A>(value: A, json: string): A => {
  const whole = wellFormedJson(json)
  return whole === json ? value : JSON.parse(whole)
}
