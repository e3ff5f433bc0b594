import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import { checkedSettings } from "../domain/checkedSettings.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import * as Check from "../internal/check.js"
import * as RetryPolicy from "../policy/retry/RetryPolicy.js"
import type { Content } from "../telemetry/content.js"

/**
 * A call's use of the cache: `on` reads and fills it; `bypass` does neither, and does not share the run of an equal
 * call; `refresh` fills it without reading; `readOnly` reads it without filling.
 */
export type CacheMode = "on" | "bypass" | "refresh" | "readOnly"

const cacheModes: ReadonlyArray<string> = ["on", "bypass", "refresh", "readOnly"] satisfies ReadonlyArray<CacheMode>

/**
 * The options of one call, or with `withOptions` of a region of a program. A mistake fails the call with
 * `InvalidRequest`.
 */
export interface CallOptions {
  /** The limit of one attempt, without its wait in the queue of a rate limit. Default: 30 seconds. */
  readonly timeout?: Duration.DurationInput | undefined
  /** The limit of the whole call: cache, waits and all attempts. Default: 2 minutes. */
  readonly deadline?: Duration.DurationInput | undefined
  /** Changes to the client's retry policy, or `false` for a single attempt. Default: the client's policy. */
  readonly retry?: RetryPolicy.Options | false | undefined
  /** The call's use of the cache. Default: "on". */
  readonly cache?: CacheMode | undefined
  /** How long the cache keeps the answer. Default: the client's `cache.timeToLive`, else the cache's own. */
  readonly ttl?: Duration.DurationInput | undefined
  /** Keeps the answers of one tenant from another. Default: the client's, else none. */
  readonly namespace?: string | undefined
  /** Labels on the events of the call. Default: none. */
  readonly tags?: { readonly [name: string]: string } | undefined
  /** For streams: the limit from the request to the first content. Default: 30 seconds. */
  readonly firstPartTimeout?: Duration.DurationInput | undefined
  /** For streams: the limit between two pieces of content. Default: 30 seconds. */
  readonly idleTimeout?: Duration.DurationInput | undefined
  /**
   * For whole answers: whether the provider streams them to the client, so that a long answer takes the time it needs.
   * `firstPartTimeout` and `idleTimeout` then replace `timeout`; the deadline still applies. Default: false.
   */
  readonly streaming?: boolean | undefined
}

/** The options of a client. A mistake is a defect that names the option. */
export interface Options {
  /** The limit of one attempt, without its wait in the queue of a rate limit. Default: 30 seconds. */
  readonly timeout?: Duration.DurationInput | undefined
  /** The limit of the whole call: cache, waits and all attempts. Default: 2 minutes. */
  readonly deadline?: Duration.DurationInput | undefined
  /** The retry policy, or `false` for a single attempt. Default: 2 retries after about 1 and 2 seconds. */
  readonly retry?: RetryPolicy.Options | false | undefined
  /** Settings for requests that leave them out: `temperature`, `maxTokens`, `system` ... Default: none. */
  readonly defaults?: LlmRequest.Settings | undefined
  /** Keeps the answers of one tenant from another. Default: none. */
  readonly namespace?: string | undefined
  /** The client's use of its cache. */
  readonly cache?: {
    /** How long answers are kept. Default: the cache's own time to live. */
    readonly timeToLive?: Duration.DurationInput | undefined
    /**
     * The limit of each read and each write of the cache; then the call goes on without it. Default: 500 milliseconds.
     */
    readonly getTimeout?: Duration.DurationInput | undefined
  } | undefined
  /** For streams: the limit from the request to the first content. Default: 30 seconds. */
  readonly firstPartTimeout?: Duration.DurationInput | undefined
  /** For streams: the limit between two pieces of content. Default: 30 seconds. */
  readonly idleTimeout?: Duration.DurationInput | undefined
  /**
   * For whole answers: whether the provider streams them to the client, so that a long answer takes the time it needs.
   * `firstPartTimeout` and `idleTimeout` then replace `timeout`; the deadline still applies. Default: false.
   */
  readonly streaming?: boolean | undefined
  /**
   * Records prompts and answers on the spans of calls, as `gen_ai.system_instructions`, `gen_ai.input.messages` and
   * `gen_ai.output.messages`. They may be personal data. The bytes of images and files are not recorded. Default: no
   * prompt and no answer is recorded.
   */
  readonly traceContent?: {
    /**
     * The most characters of the prompt, and of the answer. Of a prompt the last messages are kept. The attribute
     * `effect_llm.content.cut` marks a text that was cut. Default: 10,000.
     */
    readonly maxLength?: number | undefined
    /** Changes each text before it is cut and recorded. A text for which it throws is left out. Default: no change. */
    readonly redact?: ((text: string) => string) | undefined
  } | undefined
}

/** The options of one call, checked and complete. */
export interface CallSettings {
  readonly timeout: Duration.Duration
  readonly deadline: Duration.Duration
  readonly firstPartTimeout: Duration.Duration
  readonly idleTimeout: Duration.Duration
  readonly streaming: boolean
  readonly retry: RetryPolicy.RetryPolicy
  readonly cache: CacheMode
  readonly ttl: Duration.Duration | undefined
  readonly namespace: string | undefined
  readonly tags: { readonly [name: string]: string } | undefined
}

/** Whether a call may be answered from the cache. */
export const reads = ({ cache }: CallSettings): boolean => cache === "on" || cache === "readOnly"

/** Whether the answer of a call is kept. */
export const keeps = ({ cache }: CallSettings): boolean => cache === "on" || cache === "refresh"

/** The options of a client, checked and complete. */
export interface ClientSettings {
  readonly call: CallSettings
  readonly defaults: LlmRequest.Settings
  readonly cacheTimeout: Duration.Duration
  readonly traceContent: Content | undefined
}

const noOptions: CallOptions = {}

/** The call options of a region of a program. */
export class RegionOptions extends Context.Reference<RegionOptions>()("effect-llm/LlmClient/RegionOptions", {
  defaultValue: () => noOptions
}) {}

/** Options on top of others: an `undefined` option changes nothing, tags add up. */
export const merge = (below: CallOptions, above: CallOptions = noOptions): CallOptions => {
  if (above === noOptions) return below
  if (below === noOptions) return above
  const merged: CallOptions = {
    ...below,
    ...Object.fromEntries(Object.entries(above).filter(([, value]) => value !== undefined))
  }
  return below.tags === undefined || above.tags === undefined
    ? merged
    : { ...merged, tags: { ...below.tags, ...above.tags } }
}

/** The names of the options of a call. */
export const callOptionNames: Check.Names<CallOptions> = {
  timeout: true,
  deadline: true,
  retry: true,
  cache: true,
  ttl: true,
  namespace: true,
  tags: true,
  firstPartTimeout: true,
  idleTimeout: true,
  streaming: true
}

const clientOptions: Check.Names<Options> = {
  timeout: true,
  deadline: true,
  retry: true,
  defaults: true,
  namespace: true,
  cache: true,
  firstPartTimeout: true,
  idleTimeout: true,
  streaming: true,
  traceContent: true
}

const contentOptions: Check.Names<NonNullable<Options["traceContent"]>> = { maxLength: true, redact: true }

const cacheOptions: Check.Names<NonNullable<Options["cache"]>> = { timeToLive: true, getTimeout: true }

/** Checks the options of one call, and puts them on top of the client's. Throws `InvalidOption`. */
export const resolve = (settings: CallSettings, options: CallOptions): CallSettings => {
  if (options === noOptions) return settings
  Check.known(options, callOptionNames)
  const limit = (name: "timeout" | "deadline" | "firstPartTimeout" | "idleTimeout") =>
    options[name] === undefined ? settings[name] : Check.positiveDuration(name, options[name])
  return {
    timeout: limit("timeout"),
    deadline: limit("deadline"),
    firstPartTimeout: limit("firstPartTimeout"),
    idleTimeout: limit("idleTimeout"),
    streaming: options.streaming ?? settings.streaming,
    retry: options.retry === undefined ? settings.retry : settings.retry.with(options.retry),
    cache: options.cache === undefined || cacheModes.includes(options.cache)
      ? options.cache ?? settings.cache
      : Check.invalidOption("cache", `one of ${cacheModes.join(", ")}`, options.cache),
    ttl: options.ttl === undefined ? settings.ttl : Check.duration("ttl", options.ttl),
    namespace: options.namespace ?? settings.namespace,
    tags: options.tags ?? settings.tags
  }
}

const standard = {
  timeout: Duration.seconds(30),
  deadline: Duration.minutes(2),
  firstPartTimeout: Duration.seconds(30),
  idleTimeout: Duration.seconds(30),
  streaming: false,
  cache: "on",
  ttl: undefined,
  namespace: undefined,
  tags: undefined
} as const

const contentOf = (options: NonNullable<Options["traceContent"]>): Content => {
  const { maxLength = 10_000, redact = identity } = Check.known(options, contentOptions, "traceContent.")
  return { maxLength: Check.integer("traceContent.maxLength", maxLength, 1), redact }
}

/** Checks the options of a client. A mistake is a defect that names the option. */
export const check = (options: Options): Effect.Effect<ClientSettings> =>
  Effect.gen(function*() {
    const { cache = {}, defaults = {}, retry, traceContent, ...limits } = Check.known(options, clientOptions)
    Check.known(cache, cacheOptions, "cache.")
    yield* checkedSettings("defaults", defaults)
    const policy = yield* RetryPolicy.make(retry)
    const ttl = cache.timeToLive === undefined ? undefined : Check.duration("cache.timeToLive", cache.timeToLive)
    return {
      call: resolve({ ...standard, retry: policy, ttl }, limits),
      defaults,
      cacheTimeout: Check.positiveDuration("cache.getTimeout", cache.getTimeout ?? "500 millis"),
      traceContent: traceContent && contentOf(traceContent)
    }
  })
