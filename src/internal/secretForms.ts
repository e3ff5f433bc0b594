const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

/** Base64 of bytes that stand `before` bytes into a longer text, without the characters that hold bits of their neighbours. */
const base64 = (bytes: Uint8Array, before: number): string => {
  let out = ""
  for (let bit = (6 - before * 8 % 6) % 6; bit + 6 <= bytes.length * 8; bit += 6) {
    const at = bit >> 3
    const pair = (bytes[at]! << 8) | (bytes[at + 1] ?? 0)
    out += digits[(pair >> (10 - (bit & 7))) & 63]
  }
  return out
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

const utf8 = new TextEncoder()

/**
 * A secret and its usual encodings: base64 wherever it may begin in a longer text, hexadecimal, and the bytes of UTF-8 one
 * by one, as percent-encoding shows them. Together at most eleven times as long as its UTF-8.
 */
export const formsOf = (secret: string): ReadonlyArray<string> => {
  const bytes = utf8.encode(secret)
  return [
    secret,
    ...(bytes.length === secret.length ? [] : [Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")]),
    base64(bytes, 0),
    base64(bytes, 1),
    base64(bytes, 2),
    hex(bytes)
  ]
}

/**
 * The compared form of a character of a secret: without case, the two alphabets of base64 as one, nothing for white
 * space and invisible characters.
 */
export const comparedUnit = (unit: string): string => {
  if (unit === "-") return "+"
  if (unit === "_") return "/"
  if (unit > " " && unit < "\u007f") return unit.toLowerCase()
  if (/[\s\u00ad\u200b-\u200d\u2060\ufeff]/.test(unit)) return ""
  const lower = unit.toLowerCase()
  return lower.length === 1 ? lower : unit
}

/** The compared form of a text. */
export const compared = (text: string): string => {
  let out = ""
  for (let i = 0; i < text.length; i++) out += comparedUnit(text[i]!)
  return out
}
