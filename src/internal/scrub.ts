import { boundedText, shortened } from "./boundedText.js"
import * as Quotations from "./quotations.js"
import { compared, comparedUnit, formsOf } from "./secretForms.js"
import { visible } from "./visible.js"

/** The longest text of a provider in an error. */
const maxProviderText = 500

// The shapes of well-known services' keys, and the values behind `Bearer` or `api_key=`.
const keyShapes = [
  /\b(?:(?:sk|pk|rk|gsk|xai|hf|r8|pplx|nvapi|gh[opsu]|glpat)[-_]|AKIA|ASIA|ya29\.)[\w*.-]{10,}/g,
  /\bAIza[\w-]{10,}/g,
  /\b(?:Bearer|Basic)\s+[\w.~+/=*-]{6,}/gi,
  /\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]+)?/g,
  /((?:api|access|secret)[-_ ]?(?:key|token)(?: provided)?["']?\s*[:=]\s*["']?)[^\s"',;&]{6,}/gi
]

const redacted = "<redacted>"

// The length up to which a text is scrubbed. A secret across the end would be cut and not be recognised, so the tail is
// dropped, too.
const window = 8 * maxProviderText
const tail = 256

/** Texts to hide: runs of at least `run` characters, and shorter texts as a whole. */
interface Hidden {
  readonly texts: ReadonlyArray<string>
  readonly run: number
  /** Shorter texts are not hidden: they would blank out ordinary words ("hi"). */
  readonly least: number
  readonly mark: string
  /** Case, white space and the alphabet of base64 make no difference. */
  readonly loosely?: boolean
}

const keys = { run: 8, least: 1, mark: redacted }
const quoted = { run: 16, least: 6, mark: "[…]" }

const collapse = (text: string): string => text.replace(/\s+/g, " ").trim()

// The forms of white space, quotes, backslashes and non-ASCII letters in a text that JSON, Python, HTML or an address has
// quoted, any number of times.
const written =
  /(?:\\+[bfnrt]|\s)+|\\+(?:u([\dA-Fa-f]{4})|U([\dA-Fa-f]{8})|x([\dA-Fa-f]{2}))?|["']+|&(?:(?:amp|#38|#[Xx]26);)*(?:#(\d{1,6});|#[Xx]([\dA-Fa-f]{1,5});|(lt|gt|quot|apos);)?|%(?:25)*([\dA-Fa-f]{2})/g

const meantByCode = (code: number): string => {
  const char = code <= 0x10ffff ? String.fromCodePoint(code) : ""
  return /\s/.test(char) ? " " : /["'\\]/.test(char) ? "" : char
}

/** The form for comparing a match of `written`: the same for every kind of quotation. */
const meant = (
  token: string,
  u?: string,
  upperU?: string,
  x?: string,
  decimal?: string,
  hex?: string,
  name?: string,
  percent?: string
) => {
  const code = u ?? upperU ?? x ?? hex ?? percent
  if (code !== undefined) return meantByCode(parseInt(code, 16))
  if (decimal !== undefined) return meantByCode(Number(decimal))
  if (token.startsWith("&")) return name === "lt" ? "<" : name === "gt" ? ">" : name === undefined ? "&" : ""
  return /^["']|^\\+$/.test(token) ? "" : " "
}

const fold = (text: string): string => text.replace(written, (...found: Parameters<typeof meant>) => meant(...found))

/** The compared form of a text, with the beginning and the end of each of its characters in the text. */
const foldWithPlaces = (text: string) => {
  const places: Array<readonly [from: number, to: number]> = []
  let folded = ""
  let at = 0
  const plain = (end: number) => {
    folded += text.slice(at, end)
    for (; at < end; at++) places.push([at, at + 1])
  }
  for (const found of text.matchAll(written)) {
    plain(found.index)
    const [token, ...groups] = found
    const unit = meant(token, ...groups)
    for (let i = 0; i < unit.length; i++) places.push([at, at + token.length])
    folded += unit
    at += token.length
  }
  plain(text.length)
  return { folded, places }
}

/** The same, in the form in which secrets are compared. */
const foldLoosely = (text: string) => {
  const { folded, places } = foldWithPlaces(text)
  const units = Array.from(places, (_, at) => comparedUnit(folded[at]!))
  return { folded: units.join(""), places: places.filter((_, at) => units[at] !== "") }
}

/** Replaces each run of a text that comes from a hidden one, however it is quoted there. */
const hide = (text: string, { least, loosely = false, mark, run, texts }: Hidden): string => {
  if (texts.length === 0) return text
  const { folded, places } = loosely ? foldLoosely(text) : foldWithPlaces(text)
  const quotations = Quotations.make(folded, run)
  for (const each of texts) {
    const source = loosely ? compared(fold(each)) : fold(each).trim()
    if (source.length >= least) quotations.add(source)
  }
  const seen = quotations.marks()
  let out = ""
  let shown = 0
  places.forEach(([from, to], at) => {
    if (seen[at] === 0) return
    if (at === 0 || seen[at - 1] === 0) out += text.slice(shown, from) + mark
    shown = to
  })
  return out + text.slice(shown)
}

/** Hides secrets, and those that are long enough to be known by their encodings in any of them. */
const hideSecrets = (text: string, secrets: ReadonlyArray<string>): string => {
  const isLong = (secret: string) => compared(fold(secret)).length >= keys.run
  const short = secrets.filter((secret) => !isLong(secret))
  const long = secrets.filter(isLong).flatMap(formsOf)
  return hide(hide(text, { texts: short, ...keys }), { texts: long, ...keys, loosely: true })
}

/**
 * Makes a provider's text safe for an error, an event or a recording: no key (neither a given one, in any usual
 * encoding, nor anything shaped like a key), no quotation of the request, no line breaks, no control characters, at
 * most 500 characters. Only the first 64 Ki code units are read. Linear in the text, the secrets and the sources.
 */
export const scrub = (
  text: string,
  options: {
    /** Texts of which no part may appear: the provider's own keys. */
    readonly secrets?: ReadonlyArray<string>
    /** Texts of which no long run may appear: the prompt. */
    readonly sources?: ReadonlyArray<string>
  } = {}
): string => {
  const { secrets = [], sources = [] } = options
  const whole = visible(collapse(boundedText(text)))
  let out = whole.slice(0, window)
  for (const secret of secrets) {
    if (secret !== "") out = out.replaceAll(collapse(secret), redacted)
  }
  out = hideSecrets(out, secrets)
  for (const shape of keyShapes) {
    out = out.replace(shape, (_, label: unknown) => typeof label === "string" ? label + redacted : redacted)
  }
  if (whole.length > window) out = out.slice(0, -Math.max(tail, ...secrets.map((secret) => secret.length)))
  out = hide(out, { texts: sources, ...quoted })
  return shortened(out, maxProviderText)
}
