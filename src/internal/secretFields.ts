// The values of headers, and of fields that a provider hands on to others (hosted tools, gateways), have no type that
// marks them as secret. Their names do.

/** Names with one of these words belong to secrets. */
const secretWords = new Set([
  "apikey",
  "authorization",
  "authentication",
  "bearer",
  "cookie",
  "cookies",
  "credential",
  "credentials",
  "passphrase",
  "passwd",
  "password",
  "secret",
  "secrets"
])

/** Names that end in one of these words belong to secrets: `access_token`, but not `token_count`. */
const lastWords = new Set(["accesstoken", "auth", "authtoken", "jwt", "secretkey", "sig", "signature", "token"])

/** A key is a secret by the word before it: `api_key`, but not `prompt_cache_key`. */
const keyWords = new Set([
  "access",
  "account",
  "admin",
  "api",
  "auth",
  "client",
  "encryption",
  "functions",
  "gateway",
  "license",
  "master",
  "private",
  "secret",
  "service",
  "shared",
  "signing",
  "subscription"
])

const wordsOf = (name: string): ReadonlyArray<string> =>
  name.replace(/([a-z\d])([A-Z])/g, "$1 $2").toLowerCase().split(/[^a-z\d]+/).filter((word) => word !== "")

/** Whether a header, a field or a parameter of this name holds a secret: `x-api-key`, `accessToken`, `Proxy-Authorization`. */
export const isSecretName = (name: string): boolean => {
  const words = wordsOf(name)
  const last = words.at(-1) ?? ""
  return words.some((word) => secretWords.has(word)) || lastWords.has(last) ||
    (last === "key" && keyWords.has(words.at(-2) ?? ""))
}

/** Shorter values are words ("auto", "none"), which would be blanked out of ordinary text. */
const shortest = 6

const scheme = /^(?:apikey|basic|bearer|digest|key|token)\s+/i

/** Decodes `%40` and the like. A text that is not well-formed stays as it is. */
const percentDecoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const userAndPassword = (encoded: string): ReadonlyArray<string> => {
  try {
    return [atob(encoded.trim()).replace(/^[^:]*:/, "")]
  } catch {
    return []
  }
}

/** Of `AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...` only the end is secret. */
const signature = /^[\w-]+\s.*\bsignature="?([^",\s]+)/i

/**
 * The secret part of a header's or a field's value: the token without its scheme, the signature among its parameters,
 * the values of a cookie's pairs.
 */
export const secretsOfValue = (name: string, value: string): ReadonlyArray<string> => {
  const own = signature.exec(value.trim())?.[1] ?? value.trim().replace(scheme, "")
  const found = /cookie/i.test(name)
    ? own.split(/;\s*/).map((pair) => pair.replace(/^[^=]*=/, ""))
    : /^\s*basic\s/i.test(value)
    ? [own, ...userAndPassword(own)]
    : [own]
  return found.filter((text) => text.length >= shortest)
}

/** The secrets in an address: its user and password, and parameters with the names of secrets. */
const secretsOfUrl = (text: string): ReadonlyArray<string> => {
  if (!/^(?:https?|wss?):/i.test(text) || !URL.canParse(text)) return []
  const { password, searchParams, username } = new URL(text)
  return [
    percentDecoded(username),
    percentDecoded(password),
    ...[...searchParams].flatMap(([name, value]) => isSecretName(name) || name === "key" ? [value] : [])
  ].filter((secret) => secret.length >= shortest)
}

/** All headers that are handed on may be secret, whatever their names, except these. */
const isPlainHeader = (name: string): boolean =>
  /^(?:accept|content|user-agent$|host$|origin$|referer$|date$|.*-(?:version|beta|id|type)$)/i.test(name)

/** In a JSON Schema these keywords hold the names of fields, not the fields. */
const schemaNames = /^(?:properties|patternProperties|\$defs|definitions)$/

const maxDepth = 64

/**
 * The secrets in a JSON value, at any depth: values under the names of secrets and all that is inside them, the headers of
 * hosted tools, addresses with a user or a token, and pairs of `name` and `value`.
 */
export const secretsIn = (value: unknown): ReadonlyArray<string> => {
  const found = new Set<string>()
  const add = (secrets: ReadonlyArray<string>): void => {
    for (const secret of secrets) found.add(secret)
  }

  const visit = (name: string, value: unknown, isSecret: boolean, depth: number): void => {
    if (typeof value === "string") return add(isSecret ? secretsOfValue(name, value) : secretsOfUrl(value))
    if (typeof value !== "object" || value === null || depth > maxDepth) return
    if (Array.isArray(value)) {
      for (const item of value) visit(typeof item === "string" ? name : "", item, isSecret, depth + 1)
      return
    }
    const fields = value as { readonly [field: string]: unknown }
    if (schemaNames.test(name)) {
      for (const field of Object.keys(fields)) visit("", fields[field], false, depth + 1)
      return
    }
    const areHeaders = /headers$/i.test(name)
    const paired = [fields.name, fields.key].find((name) => typeof name === "string" && isSecretName(name))
    for (const field of Object.keys(fields)) {
      const secret = isSecret || isSecretName(field) || (areHeaders && !isPlainHeader(field)) ||
        (paired !== undefined && field === "value")
      visit(field, fields[field], secret, depth + 1)
    }
  }

  visit("", value, false, 0)
  return [...found]
}
