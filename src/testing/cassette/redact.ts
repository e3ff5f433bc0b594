import { secretsIn, secretsOfValue } from "../../internal/secretFields.js"
import { formsOf } from "../../internal/secretForms.js"

/** Headers and query parameters with these names carry secrets. */
const secretName = /auth|key|token|secret|password|cookie|credential|session|^sig$|signature/i

/** Replaces a secret in a cassette. */
export const redacted = "REDACTED"

// Shorter values are not secrets, and would be found in ordinary words.
const minLength = 8

/** The shapes of well-known keys, for keys that a service or a prompt quotes without being sent as one. */
const keyShapes = [
  /\b(?:(?:sk|pk|rk|gsk|xai|hf|r8|pplx|nvapi|gh[opsu]|glpat)[-_]|AKIA|ASIA|ya29\.)[\w*.-]{10,}/g,
  /\bAIza[\w-]{10,}/g,
  /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+/g
]

/** Decodes `%40` and the like. A text that is not well-formed stays as it is. */
const percentDecoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** A secret in base64 for addresses, and in upper-case hexadecimal. */
const variantsOf = (form: string): ReadonlyArray<string> => [
  form,
  form.replaceAll("+", "-").replaceAll("/", "_"),
  form.toLowerCase(),
  form.toUpperCase()
]

/** The value of a JSON text, if it is one. */
const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The secrets in a request's headers, query, address and JSON, in each form in which they may be quoted. */
export const secretsOf = (
  url: URL,
  headers: { readonly [name: string]: string | undefined },
  given: ReadonlyArray<string>,
  body: string = ""
): ReadonlyArray<string> => {
  const found = new Set(given)
  const add = (value: string): void => {
    found.add(value)
    // "Bearer …", and the pairs of a cookie.
    for (const piece of value.split(/[\s;,=]+/)) found.add(piece)
  }
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || !secretName.test(name)) continue
    add(value)
    // The password of a user.
    for (const secret of secretsOfValue(name, value)) found.add(secret)
  }
  for (const [name, value] of url.searchParams) if (secretName.test(name)) add(value)
  add(percentDecoded(url.username))
  add(percentDecoded(url.password))
  for (const secret of secretsIn(parsed(body))) found.add(secret)
  const forms = [...found]
    .filter((secret) => secret.length >= minLength)
    .flatMap((secret) => [
      ...formsOf(secret).flatMap(variantsOf),
      encodeURIComponent(secret),
      JSON.stringify(secret).slice(1, -1)
    ])
  return [...new Set(forms)]
    // A secret that contains another one is replaced first.
    .sort((a, b) => b.length - a.length)
}

/** Replaces the secrets in a text. */
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

/** The request headers that help a reader. All others are left out: any of them may hold a secret. */
export const requestHeaders = (
  headers: { readonly [name: string]: string | undefined },
  redact: (text: string) => string
) => pick(headers, /^(?:accept|content-type|anthropic-version|anthropic-beta|openai-beta)$/, redact)

/** The response headers that a client acts on. All others change each time, or name the account. */
export const responseHeaders = (
  headers: { readonly [name: string]: string | undefined },
  redact: (text: string) => string
) =>
  pick(
    headers,
    /^(?:content-type|location|retry-after|(?:x-ms-)?retry-after-ms|x-should-retry|(?:x-|anthropic-)?ratelimit-.*|x-ratelimit.*|.*request-id|x-generation-id|mistral-correlation-id)$/,
    redact
  )
