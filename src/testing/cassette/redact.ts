/** Headers and query parameters of these names carry secrets. */
const secretName = /auth|key|token|secret|password|cookie|credential|session|^sig$|signature/i

/** What stands for a secret in a cassette. */
export const redacted = "REDACTED"

// Shorter values are no secrets, and would be found in ordinary words.
const minLength = 8

/** Shapes of well-known keys: one that a service or a prompt quotes, though it is not the one of the request. */
const keyShapes = [
  /\b(?:(?:sk|pk|rk|gsk|xai|hf|r8|pplx|nvapi|gh[opsu]|glpat)[-_]|AKIA|ASIA|ya29\.)[\w*.-]{10,}/g,
  /\bAIza[\w-]{10,}/g,
  /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+/g
]

/** The secrets that a request carries: in its headers, its query and its address, each as it may be quoted. */
export const secretsOf = (
  url: URL,
  headers: { readonly [name: string]: string | undefined },
  given: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const found = new Set(given)
  const add = (value: string): void => {
    found.add(value)
    // "Bearer …", and the pairs of a cookie.
    for (const piece of value.split(/[\s;,=]+/)) found.add(piece)
  }
  for (const [name, value] of Object.entries(headers)) if (value !== undefined && secretName.test(name)) add(value)
  for (const [name, value] of url.searchParams) if (secretName.test(name)) add(value)
  add(decodeURIComponent(url.username))
  add(decodeURIComponent(url.password))
  return [...found]
    .filter((secret) => secret.length >= minLength)
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
    // A secret that holds another one goes first.
    .sort((a, b) => b.length - a.length)
}

/** Takes secrets out of a text. */
export const redactText = (text: string, secrets: ReadonlyArray<string>): string => {
  let out = text
  for (const secret of secrets) out = out.replaceAll(secret, redacted)
  for (const shape of keyShapes) out = out.replace(shape, redacted)
  return out
}

/** An address without user, fragment and secrets. */
export const redactUrl = (url: URL, redact: (text: string) => string): string => {
  const clean = new URL(url)
  clean.username = clean.password = clean.hash = ""
  for (const name of new Set(url.searchParams.keys())) {
    if (secretName.test(name)) clean.searchParams.set(name, redacted)
  }
  return redact(clean.href)
}

const pick = (
  headers: { readonly [name: string]: string | undefined },
  wanted: RegExp,
  redact: (text: string) => string
): { readonly [name: string]: string } =>
  Object.fromEntries(
    Object.entries(headers)
      .flatMap(([name, value]) => value !== undefined && wanted.test(name) ? [[name, redact(value)] as const] : [])
      .sort(([a], [b]) => a < b ? -1 : 1)
  )

/** The request headers that say something to a reader. All others are left out: any may hold a secret. */
export const requestHeaders = (
  headers: { readonly [name: string]: string | undefined },
  redact: (text: string) => string
) => pick(headers, /^(?:accept|content-type|anthropic-version|anthropic-beta|openai-beta)$/, redact)

/** The response headers that a client acts upon. All others are volatile, or name the account. */
export const responseHeaders = (
  headers: { readonly [name: string]: string | undefined },
  redact: (text: string) => string
) =>
  pick(
    headers,
    /^(?:content-type|location|retry-after|(?:x-ms-)?retry-after-ms|x-should-retry|(?:x-|anthropic-)?ratelimit-.*|x-ratelimit.*|.*request-id|x-generation-id|mistral-correlation-id)$/,
    redact
  )
