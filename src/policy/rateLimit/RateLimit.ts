/**
 * Keeps to a provider's limits ahead of time: requests and tokens a minute, and requests at a time. Requests over the
 * limit wait in a queue instead of being refused with a 429.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { LlmError, type Operation, type Reason, TimedOut } from "../../domain/LlmError.js"
import * as LlmEvent from "../../domain/LlmEvent.js"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import type { Limit, LlmResponse } from "../../domain/LlmResponse.js"
import * as Check from "../../internal/check.js"
import { type EffectOrStream, provided, type With } from "../../internal/effectOrStream.js"
import * as LlmProvider from "../../LlmProvider.js"
import * as Elapsed from "../../runtime/elapsed.js"
import * as Policy from "../Policy.js"
import * as PermitQueue from "./permitQueue.js"
import { Priority } from "./priority.js"
import * as Queue from "./queue.js"
import * as Queues from "./queues.js"
import * as RateLimitStore from "./RateLimitStore.js"
import * as Readiness from "./readiness.js"
import * as RequestCost from "./requestCost.js"
import * as Settings from "./settings.js"
import { statedLimits } from "./statedLimits.js"
import * as TokenBuckets from "./tokenBuckets.js"
import * as TokenEstimator from "./TokenEstimator.js"

export { Priority } from "./priority.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

export type { Adaptive, Limits, Options } from "./settings.js"

// ---------------------------------------------------------------------------------------------------------------------
// The limiter
// ---------------------------------------------------------------------------------------------------------------------

const defaultOutputTokens = 1_024

/** For requests without limits to count: all may go. The queue handles pauses itself. */
const countless: RateLimitStore.Service = {
  reserve: (_key, _limits, cost) =>
    Effect.succeed({
      _tag: "Reserved",
      reservation: { cost, left: {}, lowered: {}, pauses: 0 },
      // Never short of anything.
      state: TokenBuckets.initial(0)
    }),
  leave: () => Effect.void,
  settle: () => Effect.void,
  pause: () => Effect.void
}

const explain = (refusal: PermitQueue.Refusal, queue: Queue.Queue): string => {
  if (refusal._tag === "Full") return `${queue.settings.maxQueue} requests are waiting already`
  if (refusal._tag === "Unavailable") return `requests cannot be counted: ${refusal.problem}`
  const format = (millis: number) => Duration.format(Duration.millis(Math.ceil(millis)))
  return `a turn would come in ${format(refusal.wait)}, and the request can wait for ${format(refusal.left)}`
}

const shown = (fill: TokenBuckets.Fill | undefined): Limit | undefined =>
  fill && {
    limit: Math.floor(fill.limit),
    remaining: Math.floor(fill.remaining),
    resetAfter: Duration.millis(Math.ceil(fill.untilFull))
  }

/**
 * Makes a provider that keeps to limits. It counts in the `RateLimitStore` and estimates with the `TokenEstimator` of the
 * context, or with its own. An invalid option is a defect that names it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  provider: LlmProvider.Service,
  options: Settings.Options = {}
): Effect.Effect<LlmProvider.Service> =>
  Effect.gen(function*() {
    const settingsOf = yield* Effect.sync(() => Settings.check(options))
    const { expectedOutputTokens, key, learn = true, refund = true } = options
    const given = yield* RateLimitStore.RateLimitStore
    const own = yield* RateLimitStore.makeMemory()
    const estimator = (yield* TokenEstimator.TokenEstimator) ?? (yield* TokenEstimator.make())

    const queues = Queues.make((key, model) => {
      const settings = settingsOf(model)
      return Queue.make(key, settings, given ?? (RequestCost.countsAnything(settings.limits) ? own : countless))
    })

    const keyOf = (request: LlmRequest): string =>
      key === undefined ? `${provider.name}/${request.model}` : key(request)

    const outputOf = (request: LlmRequest): number =>
      expectedOutputTokens === undefined
        ? request.maxTokens ?? defaultOutputTokens
        : Check.finite("expectedOutputTokens", expectedOutputTokens(request), 0)

    /** The cost to reserve for a request, or the reason why it never gets a turn. */
    const costOf = (request: LlmRequest, limits: RateLimitStore.Limits) => {
      if (!RequestCost.countsTokens(limits)) return { cost: RequestCost.oneRequest }
      const estimate = estimator.estimate(request)
      const outputTokens = outputOf(request)
      const tooLarge = RequestCost.tooLarge(limits, estimate, outputTokens)
      return { cost: RequestCost.estimated(limits, estimate, outputTokens), estimate, tooLarge }
    }

    const failed = (operation: Operation, { model }: LlmRequest, reason: Reason): LlmError =>
      new LlmError({ operation, model, reason, attempts: 0, provider: provider.name })

    const queueTimedOut = (refusal: PermitQueue.Refusal, queue: Queue.Queue): Reason =>
      TimedOut.make({
        phase: "queue",
        message: explain(refusal, queue),
        ...(refusal._tag === "TooLate" && { limit: Duration.millis(refusal.left) })
      })

    /** Settles by an answer. */
    const answered = (
      queue: Queue.Queue,
      permit: PermitQueue.Permit,
      estimate: TokenEstimator.Estimate | undefined,
      requests: number,
      response: LlmResponse
    ): Effect.Effect<void> => {
      const { inputTokens } = response.usage
      if (estimate !== undefined && inputTokens !== undefined) estimator.observe(estimate, inputTokens)
      PermitQueue.succeeded(queue)
      const used = { ...RequestCost.usedBy(response, permit.reservation, refund), requests }
      return PermitQueue.release(queue, permit, { used, told: learn ? statedLimits(response.rateLimit) : undefined })
    }

    /** Settles without an answer: the use is unknown, unless nothing was sent. */
    const broken = (
      queue: Queue.Queue,
      permit: PermitQueue.Permit,
      isSent: boolean,
      requests: number,
      cause: Cause.Cause<LlmError>
    ): Effect.Effect<void> => {
      const error = Option.getOrUndefined(Cause.failureOption(cause))
      const release = (used: RateLimitStore.Settlement["used"]) =>
        PermitQueue.release(queue, permit, { used, told: undefined })
      if (!isSent || error?.attempts === 0) return release(RequestCost.nothing)
      const tag = error?.reason._tag
      if (tag === "RateLimited" || tag === "Overloaded") PermitQueue.overloaded(queue, permit)
      const unknown = { ...RequestCost.unknown, requests }
      if (error === undefined || tag !== "RateLimited") return release(unknown)
      // Before the permit is released: no request must slip through.
      return Effect.zipRight(
        PermitQueue.pause(queue, error.retryAfter),
        Effect.suspend(() => release(unknown))
      )
    }

    /** Reports what is left, once an attempt is settled. */
    const reportUse = (queue: Queue.Queue, attempt: LlmProvider.Attempt, model: string): Effect.Effect<void> =>
      attempt.isListening === false ? Effect.void : Elapsed.nowWith((now) => {
        const { concurrency, running } = queue
        const left = Queue.left(queue, now)
        return attempt.report(LlmEvent.RateLimitUsed({
          provider: provider.name,
          model,
          running,
          left: {
            requests: shown(left.requests),
            tokens: shown(left.tokens),
            inputTokens: shown(left.inputTokens),
            outputTokens: shown(left.outputTokens)
          },
          ...(Number.isFinite(concurrency.limit) && { concurrency: Math.floor(concurrency.limit) })
        }))
      })

    const admission = (
      queue: Queue.Queue,
      permit: PermitQueue.Permit,
      estimate: TokenEstimator.Estimate | undefined,
      attempt: LlmProvider.Attempt,
      model: string
    ): Policy.Admission => {
      let isSent = false
      // A provider that corrects a request asks again within the same permit.
      let requests = 1
      const send = Effect.sync(() => {
        isSent = true
      })
      return {
        attempt: {
          ...attempt,
          countRequest: Effect.suspend(() => {
            requests++
            return attempt.countRequest
          })
        },
        begin: permit.waited === undefined ? send : Effect.zipRight(
          attempt.report(
            LlmEvent.RateLimitWaited({ provider: provider.name, model, waited: Duration.millis(permit.waited) })
          ),
          send
        ),
        settle: (exit) =>
          Effect.zipRight(
            Exit.isSuccess(exit)
              ? answered(queue, permit, estimate, requests, exit.value)
              : broken(queue, permit, isSent, requests, exit.cause),
            reportUse(queue, attempt, model)
          )
      }
    }

    const limited = Policy.around(provider, (request, attempt, { operation, restore }) =>
      Effect.flatMap(Effect.zip(Priority, Elapsed.now), ([priority, now]) => {
        const { model } = request
        const queue = queues.get(keyOf(request), model, now)
        const { cost, estimate, tooLarge } = costOf(request, queue.settings.limits)
        if (tooLarge !== undefined) return Effect.fail(failed(operation, request, tooLarge))
        return Effect.map(
          PermitQueue.take({
            queue,
            priority,
            attempt,
            cost,
            reportProblem: (problem) =>
              attempt.report(
                LlmEvent.StoreUnavailable({ provider: provider.name, model, store: "rateLimits", problem })
              ),
            reportWait: (ahead) => attempt.report(LlmEvent.RateLimitQueued({ provider: provider.name, model, ahead })),
            refuse: (refusal) => failed(operation, request, queueTimedOut(refusal, queue))
          }, restore),
          (permit) => admission(queue, permit, estimate, attempt, model)
        )
      }))

    // A request for more than the tokens of a minute would never get a turn: the client sends several.
    const embedLimits = (model: string) => {
      const { inputTokens = Infinity, tokens = Infinity } = settingsOf(model).limits
      const own = provider.embedLimits?.(model)
      return { ...own, tokens: Math.min(own?.tokens ?? Infinity, tokens, inputTokens) }
    }

    const ready = (request: LlmRequest): Effect.Effect<void> =>
      Elapsed.nowWith((now) => {
        const queue = queues.get(keyOf(request), request.model, now)
        const { cost, tooLarge } = costOf(request, queue.settings.limits)
        const inner = provider.ready?.(request) ?? Effect.void
        return tooLarge === undefined ? Effect.zipRight(inner, Readiness.ready(queue, cost)) : inner
      })

    return { ...limited, ready, ...(limited.embed !== undefined && { embedLimits }) }
  })

// ---------------------------------------------------------------------------------------------------------------------
// Use
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Keeps to a provider's limits ahead of time. A request first needs a place under `concurrency`, and then one request
 * and its tokens (the estimated input, and the most that the answer may have) from the minute's limits, all of them or
 * none. The unused tokens are given back with the answer. The use of an attempt that failed or was interrupted is
 * unknown, and not given back. A stream keeps its place until its end.
 *
 * Requests over the limit wait in a queue, by `Priority` and then in the order in which they come. The wait is reported
 * as `RateLimitQueued` and `RateLimitWaited`, and stated in `LlmResponse.queuedFor`. It counts against the call's
 * deadline, but not against the time of the attempt. If it would be too long for the deadline or `maxWait`, or
 * `maxQueue` requests wait already, the request fails at once with `TimedOut` of phase `queue`. That is not retried,
 * but a `Fallback` takes over. A request that needs more tokens than the limit of a minute fails with `InvalidRequest`
 * (code `request_too_large`). The rest of the limits is reported after each attempt, as `RateLimitUsed`.
 *
 * A 429 stops all requests of the key until its `Retry-After` has passed (the longest one counts; without one, 1
 * second, doubled up to a minute as long as there is no answer), and they resume one by one, as the bucket is empty
 * then. The provider's headers are believed if they state less than is known here: others may use the same account. A
 * limit over a window other than a minute, or over an unknown one, lowers the rest, not the rate. No number from the
 * provider stops requests for longer than `maxPause`.
 *
 * The bucket is full at first and refills evenly. After an idle time a whole minute's worth may be used at once, and as
 * much again within the minute that follows: for providers that count fixed windows strictly, set `burst`.
 *
 * Put it next to the provider, inside all other policies, so that each request counts: retries, second requests and
 * probes.
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
  (options?: Settings.Options): <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>
  ) => Layer.Layer<LlmProvider.LlmProvider, E, R>
  <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>,
    options?: Settings.Options
  ): Layer.Layer<LlmProvider.LlmProvider, E, R>
} = dual(
  (args) => Layer.isLayer(args[0]),
  <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>,
    options?: Settings.Options
  ): Layer.Layer<LlmProvider.LlmProvider, E, R> => LlmProvider.transform(self, (provider) => make(provider, options))
)

/**
 * Sets the priority of the requests of a region of a program: an effect or a stream. Higher ones go first; the default
 * is 0.
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
  (priority: number): <Self extends EffectOrStream>(self: Self) => With<Self>
  <Self extends EffectOrStream>(self: Self, priority: number): With<Self>
} = dual(
  2,
  (self: EffectOrStream, priority: number): EffectOrStream =>
    provided(self, Priority, Effect.sync(() => Check.finite("priority", priority, -Number.MAX_VALUE)))
)
