import type * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { AuthenticationFailed, LlmError } from "../domain/LlmError.js"
import { InvalidOption, invalidOption, positiveDuration } from "../internal/check.js"
import { isSecretName, secretsOfValue } from "../internal/secretFields.js"
import { visible } from "../internal/visible.js"
import * as Credentials from "./credentials.js"
import * as Signing from "./signing.js"

/** How to reach a provider. */
export interface Options {
  /**
   * The key, or an effect that fetches it. A fetched key is kept for `credentialTimeToLive`, and fetched again when the
   * service refuses it (401, or a 403 that blames it): once for all the requests that were refused with it, within
   * their attempts. Default: none, for servers that need none.
   */
  readonly apiKey?: Redacted.Redacted | Effect.Effect<Redacted.Redacted, LlmError> | undefined
  /** How long a fetched key is kept. Default: 5 minutes. */
  readonly credentialTimeToLive?: Duration.DurationInput | undefined
  /** The address of the service: https, or plain http on loopback. Without user, query and fragment. */
  readonly baseUrl?: string | undefined
  /**
   * Further headers for each request. A `Redacted` value is treated like the key, and so is any value under the name of a
   * secret: `authorization`, `x-api-key`, `cookie` ...
   */
  readonly headers?: { readonly [name: string]: string | Redacted.Redacted } | undefined
  /**
   * Signs each complete request anew, and gives the headers of the signature: `AwsSignature.make` of
   * `effect-llm/AwsSignature`, or a function of your own. Default: requests are not signed.
   */
  readonly sign?: Signing.Sign | undefined
  /** Allows a key over plain http to another machine. Default: false. */
  readonly insecure?: boolean | undefined
  /**
   * A lasting name of the account that pays. Encrypted or signed reasoning goes back only to the account that made it.
   * Default: the address of the service, with the organization and the project; `Balance` gives each of its targets its
   * own name.
   */
  readonly account?: string | undefined
}

/** The same, with the key and the address from the program's configuration. */
export interface ConfigOptions extends Omit<Options, "apiKey" | "baseUrl"> {
  /** The key. */
  readonly apiKey?: Config.Config<Redacted.Redacted> | undefined
  /** The address of the service, or the configuration that has it. */
  readonly baseUrl?: Config.Config<string> | string | undefined
}

/** The defaults of a protocol. */
export interface Protocol {
  /** The address of the service, unless the options name another. */
  readonly baseUrl: string
  /** The protocol's header for the key. */
  readonly authorize: (key: string) => { readonly [name: string]: string }
}

/** The checked options. */
export interface Connection {
  /** Without a slash at its end. */
  readonly baseUrl: string
  readonly host: string
  /** The headers of each request, without the key's. */
  readonly headers: { readonly [name: string]: string }
  readonly credentials: Credentials.Credentials
  readonly signer: Signing.Signer | undefined
  /** The account, if the program names it. */
  readonly account: string | undefined
}

const loopback = /^(?:localhost|.*\.localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/** A token of RFC 9110 (5.6.2): no client sends another name. */
const headerName = /^[\w!#$%&'*+.^`|~-]+$/

// A line break in a key (from a file, say) would make `fetch` quote the key in its error.
const headerValue = /^[\x20-\x7E\x80-\xFF]+$/

const parseUrl = (baseUrl: string): URL => {
  const expected = "an http or https address without user, query and fragment"
  // A user part is a secret, so the address is not quoted.
  if (!URL.canParse(baseUrl)) return invalidOption("baseUrl", expected, "none")
  const url = new URL(baseUrl)
  const plain = url.username === "" && url.password === "" && url.search === "" && url.hash === ""
  return plain && /^https?:$/.test(url.protocol) ? url : invalidOption("baseUrl", expected, "another")
}

const isHeaderValue = (text: string): boolean => headerValue.test(text) && text.trim() === text

/** The difference between a secret and text that a header can hold, without the secret. */
const flawOf = (text: string): string =>
  text === "" ? "empty" : text.trim() === text ? "text with other characters" : "text with white space around it"

const reveal = (option: string, value: string | Redacted.Redacted): string => {
  const text = Redacted.isRedacted(value) ? Redacted.value(value as Redacted.Redacted) : value
  return isHeaderValue(text)
    ? text
    : invalidOption(option, "text that a header can hold, not empty, without spaces around it", flawOf(text))
}

/** Checks options. Throws `InvalidOption`, which quotes neither the key nor the address. */
export const check = (options: Options, protocol: Protocol): Connection => {
  const url = parseUrl(options.baseUrl ?? protocol.baseUrl)
  const secrets: Array<string> = []
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    if (!headerName.test(name)) {
      return invalidOption("headers", "names of letters, digits and !#$%&'*+.^_`|~-", JSON.stringify(visible(name)))
    }
    const text = reveal(`headers.${name}`, value)
    if (Redacted.isRedacted(value)) secrets.push(text)
    if (Redacted.isRedacted(value) || isSecretName(name)) {
      for (const secret of secretsOfValue(name, text)) secrets.push(secret)
    }
    headers[name.toLowerCase()] = text
  }
  const hasSecrets = options.apiKey !== undefined || options.sign !== undefined || secrets.length > 0
  if (hasSecrets && url.protocol === "http:" && !loopback.test(url.hostname) && options.insecure !== true) {
    return invalidOption("baseUrl", "https where a key is sent (or insecure: true)", "plain http to another machine")
  }
  const { account, sign } = options
  if (account?.trim() === "") return invalidOption("account", "text that is not empty", "empty")
  return {
    baseUrl: url.href.replace(/\/+$/, ""),
    host: url.hostname,
    headers,
    credentials: credentialsOf(options, protocol, secrets),
    signer: sign && Signing.make(sign),
    account
  }
}

const credentialsOf = (
  { apiKey, credentialTimeToLive = "5 minutes" }: Options,
  { authorize }: Protocol,
  secrets: ReadonlyArray<string>
): Credentials.Credentials => {
  const timeToLive = positiveDuration("credentialTimeToLive", credentialTimeToLive)
  if (apiKey === undefined) return Credentials.fixed({}, secrets)
  if (Effect.isEffect(apiKey)) {
    return Credentials.fetched({
      key: apiKey,
      timeToLive,
      secrets,
      headersOf: (key) => isHeaderValue(key) ? Effect.succeed(authorize(key)) : unusable
    })
  }
  const key = reveal("apiKey", apiKey)
  return Credentials.fixed(authorize(key), [key, ...secrets])
}

/** A fetched key that no header can hold. */
const unusable = Effect.fail(
  new LlmError({
    operation: "call",
    attempts: 0,
    reason: AuthenticationFailed.make({
      message: "the fetched key is empty, or has characters that a header cannot hold"
    })
  })
)

/** The options that were read from the configuration. */
export interface ResolvedConfig {
  readonly apiKey: Redacted.Redacted | undefined
  readonly baseUrl: string | undefined
}

/** Reads the key and the address from the configuration. If `check` refuses them, the failure is a `ConfigError`. */
export const resolveConfig = (
  options: ConfigOptions,
  protocol: Protocol
): Effect.Effect<ResolvedConfig, ConfigError.ConfigError> =>
  Effect.gen(function*() {
    const resolved = {
      apiKey: options.apiKey === undefined ? undefined : yield* options.apiKey,
      baseUrl: options.baseUrl === undefined || typeof options.baseUrl === "string"
        ? options.baseUrl
        : yield* options.baseUrl
    }
    yield* Effect.try({
      try: () => check({ ...options, ...resolved }, protocol),
      catch: (thrown) => ConfigError.InvalidData([], thrown instanceof InvalidOption ? thrown.message : String(thrown))
    })
    return resolved
  })
