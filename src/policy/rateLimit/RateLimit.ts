/**
 * Keeps to a provider's limits ahead of time: requests and tokens a minute, and requests at a time. Who comes too early
 * waits for a turn, in order, in place of being refused with a 429.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { InvalidRequest, LlmError, type Operation, type Reason, TimedOut } from "../../domain/LlmError.js"
import * as LlmEvent from "../../domain/LlmEvent.js"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import type { LlmResponse } from "../../domain/LlmResponse.js"
import * as Check from "../../internal/check.js"
import * as LlmProvider from "../../LlmProvider.js"
import type * as Concurrency from "./adaptiveConcurrency.js"
import * as PermitQueue from "./permitQueue.js"
import { Priority } from "./priority.js"
import * as RateLimitStore from "./RateLimitStore.js"
import * as TokenEstimator from "./TokenEstimator.js"

export { Priority } from "./priority.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/**
 * How much may be asked of a provider. What is not set is not limited.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits {
  /** Requests a minute. */
  readonly requestsPerMinute?: number | undefined
  /** Tokens a minute, input and output together: for OpenAI, and most others. */
  readonly tokensPerMinute?: number | undefined
  /** Input tokens a minute, without those read from the provider's prompt cache: for Anthropic. */
  readonly inputTokensPerMinute?: number | undefined
  /** Output tokens a minute: for Anthropic. */
  readonly outputTokensPerMinute?: number | undefined
  /** Requests at a time, from this process. A stream counts until its end. */
  readonly concurrency?: number | undefined
}

/**
 * How a limit of concurrency follows what the provider can take: it grows by one for as many answers as it is, while it
 * is in use, and is cut when the provider says that it is too much (`RateLimited`, `Overloaded`), once for all requests
 * that began before the cut. It never is less than one. (AIMD, as in TCP's congestion control.)
 *
 * @since 0.1.0
 * @category models
 */
export interface Adaptive {
  /** Where it begins. Default: 16, or `concurrency` where that is less. */
  readonly initial?: number | undefined
  /** What it is multiplied by when it is cut: more than 0, less than 1. Default: 0.7. */
  readonly decrease?: number | undefined
}

/**
 * What to keep to, and how.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Limits {
  /** Other limits for some models, by their names; what they leave out is as above. */
  readonly models?: { readonly [model: string]: Limits } | undefined
  /**
   * What requests have in common that share limits. Default: the provider's name and the model, as most providers count
   * each model by itself.
   */
  readonly key?: ((request: LlmRequest) => string) | undefined
  /**
   * How much may be used at once after a time of rest, as so many seconds' worth of the limits: at most 1 minute, and
   * less for providers that count in shorter windows. Default: 1 minute, the whole limit, as the buckets of OpenAI and
   * Anthropic have it.
   */
  readonly burst?: Duration.DurationInput | undefined
  /** Whether the limit of concurrency finds its place by itself, up to `concurrency` (200 where none is set). Default: false. */
  readonly adaptive?: boolean | Adaptive | undefined
  /** How many requests may wait for their turn; further ones fail at once. Default: 1,000. */
  readonly maxQueue?: number | undefined
  /** The longest wait for a turn. Default: until the call's deadline. */
  readonly maxWait?: Duration.DurationInput | undefined
  /**
   * How much waiting is worth as much as a step of priority, so that no request waits for ever: with 30 seconds, one of
   * priority 1 goes before those of priority 0 that have waited for less than that. Default: 1 minute.
   */
  readonly aging?: Duration.DurationInput | undefined
  /**
   * How many tokens to set aside for the answer to a request. What it did not need is given back when it has come. Default:
   * the request's `maxTokens`, or 1,024 where there is none.
   */
  readonly expectedOutputTokens?: ((request: LlmRequest) => number) | undefined
  /**
   * Whether what an answer did not use of the tokens set aside for it is given back. `false` is for providers that keep
   * count of `maxTokens` as if all of them had been used. Default: true.
   */
  readonly refund?: boolean | undefined
  /**
   * Whether to believe what the provider's headers tell of its limits, where that is less than what is known here. They
   * are taken to be those of a minute. Default: true.
   */
  readonly learn?: boolean | undefined
  /** The longest pause after a 429, whatever it asks for. Default: 10 minutes. */
  readonly maxPause?: Duration.DurationInput | undefined
}

// ---------------------------------------------------------------------------------------------------------------------
// Options
// ---------------------------------------------------------------------------------------------------------------------

/** The most that an adaptive limit comes to where no other is set. */
const defaultMaximum = 200

const defaultOutputTokens = 1_024

const checkConcurrency = (
  concurrency: number | undefined,
  adaptive: Options["adaptive"]
): Concurrency.Settings => {
  const limit = concurrency === undefined ? undefined : Check.integer("concurrency", concurrency, 1)
  if (adaptive === undefined || adaptive === false) {
    return { initial: limit ?? Infinity, maximum: limit ?? Infinity, decrease: 1 }
  }
  const { decrease = 0.7, initial } = adaptive === true ? {} : adaptive
  const maximum = limit ?? defaultMaximum
  return {
    initial: initial === undefined ? Math.min(16, maximum) : Math.min(
      Check.integer("adaptive.initial", initial, 1),
      maximum
    ),
    maximum,
    decrease: decrease > 0 && decrease < 1
      ? decrease
      : Check.invalidOption("adaptive.decrease", "more than 0 and less than 1", decrease)
  }
}

const checkLimits = (limits: Limits, burst: number): RateLimitStore.Limits => {
  const perMinute = (option: keyof Limits, value: number | undefined) =>
    value === undefined || (Number.isFinite(value) && value > 0)
      ? value
      : Check.invalidOption(option, "a positive number", value)
  const checked = {
    requests: perMinute("requestsPerMinute", limits.requestsPerMinute),
    tokens: perMinute("tokensPerMinute", limits.tokensPerMinute),
    inputTokens: perMinute("inputTokensPerMinute", limits.inputTokensPerMinute),
    outputTokens: perMinute("outputTokensPerMinute", limits.outputTokensPerMinute)
  }
  return {
    burst,
    ...(checked.requests !== undefined && { requests: checked.requests }),
    ...(checked.tokens !== undefined && { tokens: checked.tokens }),
    ...(checked.inputTokens !== undefined && { inputTokens: checked.inputTokens }),
    ...(checked.outputTokens !== undefined && { outputTokens: checked.outputTokens })
  }
}

const minute = Duration.minutes(1)

interface Checked {
  readonly settingsOf: (model: string) => PermitQueue.Settings
  readonly maxPause: Duration.Duration
}

const check = (options: Options): Checked => {
  const burst = Check.positiveDuration("burst", options.burst ?? minute)
  if (Duration.greaterThan(burst, minute)) return Check.invalidOption("burst", "at most 1 minute", options.burst)
  const common = {
    maxQueue: Check.integer("maxQueue", options.maxQueue ?? 1_000, 0),
    maxWait: Duration.toMillis(Check.duration("maxWait", options.maxWait ?? Duration.infinity)),
    aging: Duration.toMillis(Check.duration("aging", options.aging ?? minute))
  }
  const settings = (limits: Limits): PermitQueue.Settings => ({
    ...common,
    limits: checkLimits(limits, Duration.toMillis(burst) / Duration.toMillis(minute)),
    concurrency: checkConcurrency(limits.concurrency, options.adaptive)
  })
  const general = settings(options)
  const models = new Map(
    Object.entries(options.models ?? {}).map(([model, limits]) => [
      model,
      settings({
        requestsPerMinute: limits.requestsPerMinute ?? options.requestsPerMinute,
        tokensPerMinute: limits.tokensPerMinute ?? options.tokensPerMinute,
        inputTokensPerMinute: limits.inputTokensPerMinute ?? options.inputTokensPerMinute,
        outputTokensPerMinute: limits.outputTokensPerMinute ?? options.outputTokensPerMinute,
        concurrency: limits.concurrency ?? options.concurrency
      })
    ])
  )
  return {
    settingsOf: (model) => models.get(model) ?? general,
    maxPause: Check.positiveDuration("maxPause", options.maxPause ?? "10 minutes")
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// What a request costs
// ---------------------------------------------------------------------------------------------------------------------

const oneRequest: RateLimitStore.Amounts = { requests: 1, tokens: 0, inputTokens: 0, outputTokens: 0 }

const costOf = (inputTokens: number, outputTokens: number): RateLimitStore.Amounts => ({
  requests: 1,
  tokens: inputTokens + outputTokens,
  inputTokens,
  outputTokens
})

/** Used by a request that was not sent after all. */
const nothing: RateLimitStore.Amounts = { requests: 0, tokens: 0, inputTokens: 0, outputTokens: 0 }

const unknown: Partial<RateLimitStore.Amounts> = {}

const countsAnything = (limits: RateLimitStore.Limits): boolean => limits.requests !== undefined || countsTokens(limits)

const countsTokens = ({ inputTokens, outputTokens, tokens }: RateLimitStore.Limits): boolean =>
  (tokens ?? inputTokens ?? outputTokens) !== undefined

/** What an answer says that it cost; what it does not say is absent. Without refunds, all that it might have had. */
const usedBy = (
  { usage }: LlmResponse,
  { cost }: RateLimitStore.Reservation,
  refund: boolean
): Partial<RateLimitStore.Amounts> => {
  const { cachedInputTokens = 0, inputTokens } = usage
  const outputTokens = refund ? usage.outputTokens : Math.max(usage.outputTokens ?? 0, cost.outputTokens)
  return {
    ...(inputTokens !== undefined && { inputTokens: Math.max(0, inputTokens - cachedInputTokens) }),
    ...(outputTokens !== undefined && { outputTokens }),
    ...(inputTokens !== undefined && outputTokens !== undefined && { tokens: inputTokens + outputTokens })
  }
}

/** Why a request never gets a turn, however long it waits. */
const tooLarge = (limits: RateLimitStore.Limits, cost: RateLimitStore.Amounts): Reason | undefined => {
  const exceeds = (dimension: RateLimitStore.Dimension): boolean => cost[dimension] > (limits[dimension] ?? Infinity)
  const found = (["tokens", "inputTokens", "outputTokens"] as const).find(exceeds)
  if (found === undefined) return undefined
  const name = { tokens: "tokens", inputTokens: "input tokens", outputTokens: "output tokens" }[found]
  return InvalidRequest.make({
    field: found === "inputTokens" || cost.inputTokens > (limits.tokens ?? Infinity) ? "messages" : "maxTokens",
    code: "request_too_large",
    message: `the request needs up to ${cost[found]} ${name}, and the limit is ${limits[found]} a minute`
  })
}

// ---------------------------------------------------------------------------------------------------------------------
// The limiter
// ---------------------------------------------------------------------------------------------------------------------

/** Somebody who asks for a turn, and what was guessed. */
interface Asking extends PermitQueue.Asking {
  readonly operation: Operation
  readonly request: LlmRequest
  readonly estimate: TokenEstimator.Estimate | undefined
}

/** For what is not counted: all may go. Pauses are the line's own business. */
const countless: RateLimitStore.Service = {
  reserve: (_key, _limits, cost) =>
    Effect.succeed({ _tag: "Reserved", reservation: { cost, left: {}, lowered: {}, pauses: 0 } }),
  foresee: () => Effect.succeed(Duration.zero),
  settle: () => Effect.void,
  pause: () => Effect.void
}

/** More keys than most programs have; the one not used for longest goes, if nobody is there. */
const maxLines = 1_000

const explain = (refusal: PermitQueue.Refusal, line: PermitQueue.Line): string => {
  if (refusal._tag === "Full") return `${line.settings.maxQueue} requests are waiting already`
  const format = (millis: number) => Duration.format(Duration.millis(Math.ceil(millis)))
  return `a turn would come in ${format(refusal.wait)}, and the request can wait for ${format(refusal.left)}`
}

/**
 * Makes a provider that keeps to limits. It counts in the `RateLimitStore` and estimates with the `TokenEstimator` that
 * it finds in the context, or with its own. Options that make no sense are a defect that names the option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (provider: LlmProvider.Service, options: Options = {}): Effect.Effect<LlmProvider.Service> =>
  Effect.gen(function*() {
    const { maxPause, settingsOf } = yield* Effect.sync(() => check(options))
    const { expectedOutputTokens, key, learn = true, refund = true } = options
    const given = yield* Effect.serviceOption(RateLimitStore.RateLimitStore)
    const own = yield* RateLimitStore.makeMemory()
    const estimator = yield* Effect.flatMap(
      Effect.serviceOption(TokenEstimator.TokenEstimator),
      Option.match({ onNone: () => TokenEstimator.make(), onSome: Effect.succeed })
    )
    const lines = new Map<string, PermitQueue.Line>()

    const newLine = (name: string, settings: PermitQueue.Settings): PermitQueue.Line =>
      PermitQueue.makeLine(
        name,
        settings,
        Option.getOrElse(given, () => countsAnything(settings.limits) ? own : countless)
      )

    const lineOf = (request: LlmRequest): PermitQueue.Line => {
      const name = key === undefined ? `${provider.name}/${request.model}` : key(request)
      const found = lines.get(name)
      if (found !== undefined && lines.size < maxLines) return found
      const line = found ?? newLine(name, settingsOf(request.model))
      lines.delete(name)
      const [oldest] = lines.values()
      if (lines.size >= maxLines && oldest !== undefined && PermitQueue.isEmpty(oldest)) lines.delete(oldest.key)
      lines.set(name, line)
      return line
    }

    const outputOf = (request: LlmRequest): number =>
      expectedOutputTokens === undefined
        ? request.maxTokens ?? defaultOutputTokens
        : Check.finite("expectedOutputTokens", expectedOutputTokens(request), 0)

    const failed = (operation: Operation, { model }: LlmRequest, reason: Reason): LlmError =>
      new LlmError({ operation, model, reason, attempts: 0, provider: provider.name })

    const ask = (context: Context.Context<never>, operation: Operation, request: LlmRequest): Asking => {
      const line = lineOf(request)
      const estimate = countsTokens(line.settings.limits) ? estimator.estimate(request) : undefined
      return {
        operation,
        request,
        line,
        estimate,
        cost: estimate === undefined ? oneRequest : costOf(estimate.tokens, outputOf(request)),
        attempt: Context.get(context, LlmProvider.CurrentAttempt),
        priority: Context.get(context, Priority),
        refuse: (refusal) =>
          failed(
            operation,
            request,
            TimedOut.make({
              phase: "queue",
              message: explain(refusal, line),
              ...(refusal._tag === "TooLate" && { limit: Duration.millis(refusal.left) })
            })
          )
      }
    }

    /** Waits for a turn. To be run where it cannot be interrupted: `restore` allows it where it waits. */
    const admit = (asking: Asking, restore: PermitQueue.Restore): Effect.Effect<PermitQueue.Turn, LlmError> => {
      const { cost, estimate, line, operation, request } = asking
      const reason = estimate === undefined ? undefined : tooLarge(line.settings.limits, cost)
      return reason === undefined ? PermitQueue.take(asking, restore) : Effect.fail(failed(operation, request, reason))
    }

    /** Sends the request that has its turn. */
    const send = <A, E>({ attempt, request }: Asking, turn: PermitQueue.Turn, send: () => Effect.Effect<A, E>) => {
      const sending = Effect.suspend(() => {
        turn.sent = true
        return send()
      })
      if (turn.waited === 0) return sending
      const waited = Duration.millis(turn.waited)
      return Effect.zipRight(
        attempt.report(LlmEvent.RateLimitWaited({ provider: provider.name, model: request.model, waited })),
        sending
      )
    }

    /** Settles by what the answer says, and gives `result`. Only the first end of a turn counts. */
    const answered = <A>(
      { estimate, line }: Asking,
      turn: PermitQueue.Turn,
      response: LlmResponse,
      result: A
    ): Effect.Effect<A> => {
      if (turn.ended) return Effect.succeed(result)
      const { inputTokens } = response.usage
      if (estimate !== undefined && inputTokens !== undefined) estimator.observe(estimate, inputTokens)
      PermitQueue.succeeded(line)
      const used = usedBy(response, turn.reservation, refund)
      return PermitQueue.end(line, turn, { used, told: learn ? response.rateLimit : undefined }, result)
    }

    /** What was used is not known, unless nothing was sent. */
    const broken = ({ line }: Asking, turn: PermitQueue.Turn, cause: Cause.Cause<LlmError>): Effect.Effect<void> => {
      if (turn.ended) return Effect.void
      const error = Option.getOrUndefined(Cause.failureOption(cause))
      const end = (used: RateLimitStore.Settlement["used"]) =>
        PermitQueue.end(line, turn, { used, told: undefined }, undefined)
      if (!turn.sent || error?.attempts === 0) return end(nothing)
      const tag = error?.reason._tag
      if (tag === "RateLimited" || tag === "Overloaded") PermitQueue.overloaded(line, turn)
      if (error === undefined || tag !== "RateLimited") return end(unknown)
      const retryAfter = error.retryAfter && Duration.min(error.retryAfter, maxPause)
      // Before the permit is free: nobody must slip through.
      return Effect.zipRight(PermitQueue.pause(line, retryAfter), Effect.suspend(() => end(unknown)))
    }

    const call: LlmProvider.Service["call"] = (request) =>
      Effect.contextWithEffect((context: Context.Context<never>) => {
        const asking = ask(context, "call", request)
        return Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(
            admit(asking, restore),
            (turn) =>
              Effect.matchCauseEffect(restore(send(asking, turn, () => provider.call(request))), {
                onFailure: (cause) => Effect.zipRight(broken(asking, turn, cause), Effect.failCause(cause)),
                onSuccess: (response) => answered(asking, turn, response, response)
              })
          )
        )
      })

    const stream: LlmProvider.Service["stream"] = (request) =>
      Stream.unwrapScoped(Effect.contextWithEffect((context: Context.Context<never>) => {
        const asking = ask(context, "stream", request)
        return Effect.uninterruptibleMask((restore) =>
          Effect.gen(function*() {
            const turn = yield* admit(asking, restore)
            const fail = (cause: Cause.Cause<LlmError>) => Effect.suspend(() => broken(asking, turn, cause))
            // Where the stream is closed before its end.
            yield* Effect.addFinalizer(() => fail(Cause.empty))
            const parts = yield* restore(send(asking, turn, () => Effect.sync(() => provider.stream(request))))
            return parts.pipe(
              Stream.mapChunksEffect((parts) => {
                const last = Option.getOrUndefined(Chunk.last(parts))
                return last?._tag === "Finish"
                  ? answered(asking, turn, last.response, parts)
                  : Effect.succeed(parts)
              }),
              Stream.tapErrorCause(fail)
            )
          })
        )
      }))

    return { ...provider, call, stream }
  })

// ---------------------------------------------------------------------------------------------------------------------
// Use
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Keeps to a provider's limits ahead of time. A request needs a permit of `concurrency` first, and then one request and
 * its tokens (the estimated input, and all that the answer may have) of the minute's limits, all of them or none; what
 * the answer did not use is given back when it has come. What was used by an attempt that failed or was interrupted is
 * not known, and not given back. A stream has its permit until its end.
 *
 * Who has to wait does so in a queue: by `Priority`, and first come, first served. The wait is reported as
 * `RateLimitWaited` and told in `LlmResponse.queuedFor`. It counts against the call's deadline, but not against the time
 * of the attempt. A request fails at once with `TimedOut` of phase `queue`, which is not retried, but lets a `Fallback`
 * take over, where its turn would come too late for the deadline or `maxWait`, or where `maxQueue` wait already; and with
 * `InvalidRequest` (code `request_too_large`) where it needs more tokens than the limit of a minute.
 *
 * A 429 stops all requests of the key until its `Retry-After` has passed (the longest one counts; where there is none, 1
 * second, doubled up to a minute as long as there is no answer), and they come back one by one: the bucket is empty then.
 * The provider's headers are believed where they tell of less than is known here: others may use the same account.
 *
 * The bucket is one that is full at first and refills evenly. After a rest a whole minute's worth may so be used at once,
 * and within the minute that follows once more as much: for providers that count fixed windows strictly, set `burst`.
 *
 * It belongs next to the provider, inside of all other policies, so that each request counts: retries, second requests
 * and probes.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { OpenAi, RateLimit } from "effect-llm"
 *
 * const Provider = OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(
 *   RateLimit.limit({ requestsPerMinute: 500, tokensPerMinute: 200_000, concurrency: 64 })
 * )
 * ```
 */
export const limit: {
  (options?: Options): <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>
  ) => Layer.Layer<LlmProvider.LlmProvider, E, R>
  <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>,
    options?: Options
  ): Layer.Layer<LlmProvider.LlmProvider, E, R>
} = dual(
  (args) => Layer.isLayer(args[0]),
  <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>,
    options?: Options
  ): Layer.Layer<LlmProvider.LlmProvider, E, R> =>
    Layer.provide(
      Layer.effect(
        LlmProvider.LlmProvider,
        Effect.flatMap(LlmProvider.LlmProvider, (provider) => make(provider, options))
      ),
      self
    )
)

/**
 * Sets how urgent the requests of a region of a program are. Higher ones go first; 0 is what all others have.
 *
 * @since 0.1.0
 * @category combinators
 * @example
 * ```ts
 * import { LlmClient, RateLimit } from "effect-llm"
 *
 * const interactive = LlmClient.call({ model: "gpt-4o-mini", prompt: "Name three rivers." }).pipe(
 *   RateLimit.withPriority(10)
 * )
 * ```
 */
export const withPriority: {
  (priority: number): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, priority: number): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, priority: number): Effect.Effect<A, E, R> =>
    Effect.suspend(() => Effect.provideService(self, Priority, Check.finite("priority", priority, -Number.MAX_VALUE)))
)
