/** The longest text of a provider that travels in an error. */
const maxProviderText = 500

// The shapes that keys of well-known services have, and what stands behind `Bearer` or `api_key=`.
const keyShapes = [
  /\b(?:(?:sk|pk|rk|gsk|xai|hf|r8|pplx|nvapi|gh[opsu]|glpat)[-_]|AKIA|ASIA|ya29\.)[\w*.-]{10,}/g,
  /\bAIza[\w-]{10,}/g,
  /\b(?:Bearer|Basic)\s+[\w.~+/=*-]{6,}/gi,
  /\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]+)?/g,
  /((?:api|access|secret)[-_ ]?(?:key|token)(?: provided)?["']?\s*[:=]\s*["']?)[^\s"',;&]{6,}/gi
]

const redacted = "<redacted>"

// What is looked at. A secret that stands across its end would be cut, and not be recognised: the tail goes, too.
const window = 8 * maxProviderText
const tail = 256

/** Texts that must not be seen, and what of them counts: a run of so many characters, or a whole one that is shorter. */
interface Hidden {
  readonly texts: ReadonlyArray<string>
  readonly run: number
  /** Texts that are shorter than this would blank out ordinary words ("hi"). */
  readonly least: number
  readonly mark: string
}

const keys = { run: 8, least: 1, mark: redacted }
const quotations = { run: 16, least: 6, mark: "[…]" }

const collapse = (text: string): string => text.replace(/\s+/g, " ").trim()

// What becomes of white space, quotes, backslashes and letters beyond ASCII where JSON, Python or HTML quote a text, as
// often as they like.
const written =
  /(?:\\+[bfnrt]|\s)+|\\+(?:u([\dA-Fa-f]{4})|U([\dA-Fa-f]{8})|x([\dA-Fa-f]{2}))?|["']+|&(?:(?:amp|#38|#[Xx]26);)*(?:#(\d{1,6});|#[Xx]([\dA-Fa-f]{1,5});|(lt|gt|quot|apos);)?/g

const meantByCode = (code: number): string => {
  const char = code <= 0x10ffff ? String.fromCodePoint(code) : ""
  return /\s/.test(char) ? " " : /["'\\]/.test(char) ? "" : char
}

/** What is compared of a piece that `written` finds: the same however it is quoted. */
const meant = (
  token: string,
  u?: string,
  upperU?: string,
  x?: string,
  decimal?: string,
  hex?: string,
  name?: string
) => {
  const code = u ?? upperU ?? x ?? hex
  if (code !== undefined) return meantByCode(parseInt(code, 16))
  if (decimal !== undefined) return meantByCode(Number(decimal))
  if (token.startsWith("&")) return name === "lt" ? "<" : name === "gt" ? ">" : name === undefined ? "&" : ""
  return /^["']|^\\+$/.test(token) ? "" : " "
}

const fold = (text: string): string => text.replace(written, (...found: Parameters<typeof meant>) => meant(...found))

/** A text as it is compared, and where each of its characters begins and ends in the text. */
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

/** Where each piece of a text stands in it. */
const positionsOf = (text: string, length: number): Map<string, ReadonlyArray<number>> => {
  const positions = new Map<string, Array<number>>()
  for (let at = 0; at + length <= text.length; at++) {
    const piece = text.slice(at, at + length)
    const known = positions.get(piece)
    if (known === undefined) positions.set(piece, [at])
    else known.push(at)
  }
  return positions
}

/** Notes in `seen` where a text that is shorter than a run stands. */
const findWhole = (text: string, source: string, seen: Uint8Array): void => {
  for (let at = text.indexOf(source); at >= 0; at = text.indexOf(source, at + 1)) seen.fill(1, at, at + source.length)
}

/**
 * Notes in `seen` each run of `text` that comes from `source`. The source may be megabytes long: it is cut into pieces of
 * half a run, of which every run holds one whole. `positions` tells where such pieces stand in the text.
 */
const findRuns = (
  text: string,
  source: string,
  run: number,
  positions: Map<string, ReadonlyArray<number>>,
  seen: Uint8Array
): void => {
  const piece = run / 2
  for (let at = 0; at + piece <= source.length && positions.size > 0; at += piece) {
    const key = source.slice(at, at + piece)
    const left = (positions.get(key) ?? []).filter((found) => {
      if (seen[found] === 1 && seen[found + piece - 1] === 1) return false
      let before = 0
      while (before < found && before < at && text[found - before - 1] === source[at - before - 1]) before++
      let after = piece
      while (found + after < text.length && text[found + after] === source[at + after]) after++
      if (before + after < run) return true
      // What stands around a quotation remains.
      if (text[found - before] === " ") before--
      if (text[found + after - 1] === " ") after--
      seen.fill(1, found - before, found + after)
      return false
    })
    // What is known to be quoted need not be found again: a source may say the same a thousand times.
    if (left.length > 0) positions.set(key, left)
    else positions.delete(key)
  }
}

/** Replaces each run of a text that comes from one that must not be seen, however it is quoted there. */
const hide = (text: string, { least, mark, run, texts }: Hidden): string => {
  if (texts.length === 0) return text
  const { folded, places } = foldWithPlaces(text)
  const seen = new Uint8Array(folded.length)
  const positions = positionsOf(folded, run / 2)
  for (const each of texts) {
    const source = fold(each).trim()
    if (source.length >= run) findRuns(folded, source, run, positions, seen)
    else if (source.length >= least) findWhole(folded, source, seen)
  }
  let out = ""
  let shown = 0
  places.forEach(([from, to], at) => {
    if (seen[at] === 0) return
    if (at === 0 || seen[at - 1] === 0) out += text.slice(shown, from) + mark
    shown = to
  })
  return out + text.slice(shown)
}

/**
 * Makes a provider's text fit to travel in an error: no key (neither the ones given nor anything of a key's shape), no
 * quotation of what was sent, no line breaks, at most 500 characters.
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
  const whole = collapse(text)
  let out = whole.slice(0, window)
  for (const secret of secrets) {
    if (secret !== "") out = out.replaceAll(collapse(secret), redacted)
  }
  out = hide(out, { texts: secrets, ...keys })
  for (const shape of keyShapes) {
    out = out.replace(shape, (_, label: unknown) => typeof label === "string" ? label + redacted : redacted)
  }
  if (whole.length > window) out = out.slice(0, -Math.max(tail, ...secrets.map((secret) => secret.length)))
  out = hide(out, { texts: sources, ...quotations })
  return out.length > maxProviderText ? `${out.slice(0, maxProviderText - 1)}…` : out
}
