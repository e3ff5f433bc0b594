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

// Runs this long that a text shares with something secret are taken for a quotation of it.
const quotation = 24

const collapse = (text: string): string => text.replace(/\s+/g, " ").trim()

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

/**
 * Removes each run of `text` that is quoted from `source`. The source may be megabytes long: it is cut into pieces of
 * half a quotation, of which every quotation holds one whole.
 */
const withoutQuotations = (text: string, source: string): string => {
  // Very short prompts ("hi") would blank out ordinary words.
  if (source.length < 6) return text
  const length = Math.min(quotation, source.length)
  const piece = length < quotation ? length : quotation / 2
  const positions = positionsOf(text, piece)
  const quoted = new Uint8Array(text.length)
  for (let at = 0; at + piece <= source.length && positions.size > 0; at += piece) {
    const key = source.slice(at, at + piece)
    const left = (positions.get(key) ?? []).filter((found) => {
      if (quoted[found] === 1 && quoted[found + piece - 1] === 1) return false
      let before = 0
      while (before < found && before < at && text[found - before - 1] === source[at - before - 1]) before++
      let after = piece
      while (found + after < text.length && text[found + after] === source[at + after]) after++
      if (before + after < length) return true
      quoted.fill(1, found - before, found + after)
      return false
    })
    // What is known to be quoted need not be found again: a source may say the same a thousand times.
    if (left.length > 0) positions.set(key, left)
    else positions.delete(key)
  }
  let out = ""
  for (let at = 0; at < text.length; at++) {
    if (quoted[at] === 0) out += text[at]
    else if (at === 0 || quoted[at - 1] === 0) out += "[…]"
  }
  return out
}

/**
 * Makes a provider's text fit to travel in an error: no key (neither the ones given nor anything of a key's shape), no
 * quotation of what was sent, no line breaks, at most 500 characters.
 */
export const scrub = (
  text: string,
  options: {
    /** Texts that must not appear at all: the provider's own keys. */
    readonly secrets?: ReadonlyArray<string>
    /** Texts of which no long run may appear: the prompt. */
    readonly sources?: ReadonlyArray<string>
  } = {}
): string => {
  const { secrets = [], sources = [] } = options
  const whole = collapse(text)
  let out = whole.slice(0, window)
  for (const secret of secrets) {
    if (secret !== "") out = out.replaceAll(secret, redacted)
  }
  for (const shape of keyShapes) {
    out = out.replace(shape, (_, label: unknown) => typeof label === "string" ? label + redacted : redacted)
  }
  if (whole.length > window) out = out.slice(0, -Math.max(tail, ...secrets.map((secret) => secret.length)))
  for (const source of sources) out = withoutQuotations(out, collapse(source))
  return out.length > maxProviderText ? `${out.slice(0, maxProviderText - 1)}…` : out
}
