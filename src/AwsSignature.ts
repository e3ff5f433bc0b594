/**
 * AWS Signature Version 4, for Bedrock with the credentials of an account or a role, with
 * [aws4fetch](https://github.com/mhart/aws4fetch). Install it beside this library: `npm install aws4fetch`. It runs
 * wherever there is Web Crypto.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
 * @since 0.1.0
 */
import { AwsV4Signer } from "aws4fetch"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { AuthenticationFailed, LlmError } from "./domain/LlmError.js"
import { invalidOption, positiveDuration } from "./internal/check.js"
import * as Renewable from "./wire/renewable.js"
import type { Sign } from "./wire/signing.js"

/**
 * Credentials of AWS.
 *
 * @since 0.1.0
 * @category models
 */
export interface Credentials {
  /** The id of the access key. It is not a secret. */
  readonly accessKeyId: string
  /** The access key, which signs, and is never sent. */
  readonly secretAccessKey: Redacted.Redacted
  /** The token that temporary credentials have. Default: none. */
  readonly sessionToken?: Redacted.Redacted | undefined
  /** The end of temporary credentials. Fetched ones are kept until a minute before. Default: not known. */
  readonly expiration?: Date | undefined
}

/**
 * Options for signatures.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The region of the service: `us-east-1`. */
  readonly region: string
  /** The name of the service in signatures. Default: `bedrock-mantle`, Bedrock's endpoint for other protocols. */
  readonly service?: string | undefined
  /**
   * The credentials, or an effect that fetches them. Fetched ones are kept for `credentialTimeToLive`, and fetched
   * again when the service refuses them (401, or a 403 that blames them): once for all the requests that were refused
   * with them, within their attempts.
   */
  readonly credentials: Credentials | Effect.Effect<Credentials, LlmError>
  /** How long fetched credentials are kept, unless they end earlier. Default: 5 minutes. */
  readonly credentialTimeToLive?: Duration.DurationInput | undefined
}

/** Credentials, and the keys derived from them. */
interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string | undefined
  readonly secrets: ReadonlyArray<string>
  /** The keys that aws4fetch derives from the secret: one for each day. */
  readonly derived: Map<string, ArrayBuffer>
}

const keysOf = ({ accessKeyId, secretAccessKey: secret, sessionToken: token }: Credentials): Keys => {
  const secretAccessKey = Redacted.value(secret)
  const sessionToken = token && Redacted.value(token)
  return {
    accessKeyId,
    secretAccessKey,
    sessionToken,
    secrets: sessionToken === undefined ? [secretAccessKey] : [secretAccessKey, sessionToken],
    derived: new Map()
  }
}

const isSame = (one: Keys, other: Keys): boolean =>
  one.accessKeyId === other.accessKeyId && one.secretAccessKey === other.secretAccessKey &&
  one.sessionToken === other.sessionToken

/** A request takes time, and the service's clocks may differ from this one. */
const beforeEnd = Duration.toMillis("1 minute")

const fetchedKeys = (credentials: Effect.Effect<Credentials, LlmError>, timeToLive: number) =>
  Renewable.make({
    fetch: Effect.gen(function*() {
      const fetched = yield* credentials
      const left = fetched.expiration === undefined
        ? Infinity
        : fetched.expiration.getTime() - (yield* Clock.currentTimeMillis) - beforeEnd
      return { value: keysOf(fetched), timeToLive: Math.min(timeToLive, left) }
    }),
    isSame
  })

/** The headers of a signature. */
const names = ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"]

const headersOf = (signed: Headers): { readonly [name: string]: string } =>
  Object.fromEntries(names.flatMap((name) => {
    const value = signed.get(name)
    return value === null ? [] : [[name, value]]
  }))

/** The error may quote the credentials, so it is not shown. */
const unusable = () =>
  new LlmError({
    operation: "call",
    attempts: 0,
    reason: AuthenticationFailed.make({ message: "the request could not be signed with the AWS credentials" })
  })

/**
 * Makes a signer for the option `sign` of a provider. It signs each request once it is complete, and each attempt anew,
 * with the time of the `Clock`; neither the access key nor a session's token appears in any error. An invalid option is
 * a defect that names the option. If the credentials cannot be fetched, the call fails as their effect does;
 * credentials that do not fit into a header fail with `AuthenticationFailed`.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import { Anthropic } from "effect-llm"
 * import * as AwsSignature from "effect-llm/AwsSignature"
 *
 * const region = "us-east-1"
 *
 * const Claude = Anthropic.layer(Anthropic.bedrock({
 *   region,
 *   sign: AwsSignature.make({
 *     region,
 *     credentials: { accessKeyId: "AKIA...", secretAccessKey: Redacted.make("...") }
 *   })
 * }))
 * ```
 */
export const make = (
  { credentialTimeToLive = "5 minutes", credentials, region, service = "bedrock-mantle" }: Options
): Sign => {
  if (region.trim() === "") return invalidOption("region", "text that is not empty", "empty")
  if (service.trim() === "") return invalidOption("service", "text that is not empty", "empty")
  const timeToLive = Duration.toMillis(positiveDuration("credentialTimeToLive", credentialTimeToLive))
  const { current, renew } = Effect.isEffect(credentials)
    ? fetchedKeys(credentials, timeToLive)
    : { current: Effect.succeed(keysOf(credentials)), renew: undefined }

  return (request) =>
    Effect.gen(function*() {
      const keys = yield* current
      const { accessKeyId, derived, secretAccessKey, secrets, sessionToken } = keys
      const now = new Date(yield* Clock.currentTimeMillis)
      const signed = yield* Effect.tryPromise({
        try: () =>
          new AwsV4Signer({
            ...request,
            body: request.body ?? null,
            accessKeyId,
            secretAccessKey,
            ...(sessionToken !== undefined && { sessionToken }),
            region,
            service,
            datetime: now.toISOString().replace(/[:-]|\.\d{3}/g, ""),
            cache: derived
          }).sign(),
        catch: unusable
      })
      return { headers: headersOf(signed.headers), secrets, renew: renew?.(keys) }
    })
}
