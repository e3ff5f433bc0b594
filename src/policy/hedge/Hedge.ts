/**
 * A second request if the first one takes long: the first answer wins. It cuts off the slowest answers for a bounded
 * share of extra requests.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { dual, identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as EmbeddingView from "../../domain/embeddingView.js"
import type { LlmError } from "../../domain/LlmError.js"
import * as LlmEvent from "../../domain/LlmEvent.js"
import type { LlmRequest, Settings } from "../../domain/LlmRequest.js"
import type { LlmResponse } from "../../domain/LlmResponse.js"
import * as Check from "../../internal/check.js"
import * as LlmProvider from "../../LlmProvider.js"
import * as Elapsed from "../../runtime/elapsed.js"
import * as TargetSpan from "../../telemetry/targetSpan.js"
import * as OpenStream from "../openStream.js"
import * as RetryBudget from "../retry/retryBudget.js"
import * as StandingAnswer from "../standingAnswer.js"
import * as TargetRequest from "../targetRequest.js"
import * as LatencyQuantile from "./latencyQuantile.js"

/**
 * How much to hedge.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The share of attempts that may have a second request, from 0 to 1, for each model. It is saved up first: with 0.1, the
   * first nine attempts have none, and no ten later ones have more than three. Default: 0.1.
   */
  readonly maxExtraLoad?: number | undefined
  /**
   * Whether an answer waits for the answer of the other request, as a failure does: `Fallback.onFinish("refusal")`, or
   * any predicate. If there is no other request, or its answer is no better, or takes more than nine tenths of the time
   * that the attempt has left, the answer that came first is taken. A streamed answer counts only if it is whole with the
   * first parts of the stream. Default: no answer waits.
   */
  readonly when?: ((answer: LlmResponse) => boolean) | undefined
  /**
   * Settings of the second request, on top of the request's own: `{ serviceTier: "priority" }`. Default: none, both requests
   * are the same.
   */
  readonly settings?: Settings | undefined
}

/**
 * A delay that is learned from the latency of a model's answers (for streams: of their first parts), separately for
 * each model, and for calls and streams. Time in a queue does not count.
 *
 * @since 0.1.0
 * @category models
 */
export interface Percentile {
  /** The share of answers that come within the delay, between 0 and 1: 0.95 is the 95th percentile. */
  readonly percentile: number
  /** The delay until enough answers are known. Default: 10 seconds. */
  readonly initialDelay?: Duration.DurationInput | undefined
  /** The shortest delay, as a second request costs money. Default: 1 second. */
  readonly minDelay?: Duration.DurationInput | undefined
  /** The number of answers to learn from before the delay is known, at least 1. Default: 100. */
  readonly minimumSamples?: number | undefined
  /** How long an answer counts; at most twice as long. Default: 10 minutes. */
  readonly window?: Duration.DurationInput | undefined
}

/** The time to wait for an answer, and the way to learn from one. Times are elapsed milliseconds. */
interface WaitUntil {
  readonly delay: (key: string, now: number) => Duration.Duration
  readonly learn: (key: string, millis: number, now: number) => void
}

const isPercentile = (delay: Duration.DurationInput | Percentile): delay is Percentile =>
  typeof delay === "object" && "percentile" in delay

const waitUntil = (delay: Duration.DurationInput | Percentile): WaitUntil => {
  if (!isPercentile(delay)) {
    const fixed = Check.duration("delay", delay)
    return { delay: () => fixed, learn: () => {} }
  }
  const { minimumSamples, percentile, window } = delay
  const initial = Check.duration("initialDelay", delay.initialDelay ?? "10 seconds")
  const shortest = Check.duration("minDelay", delay.minDelay ?? "1 second")
  const latencies = LatencyQuantile.make({
    quantile: percentile > 0 && percentile < 1
      ? percentile
      : Check.invalidOption("percentile", "between 0 and 1", percentile),
    minimum: Check.integer("minimumSamples", minimumSamples ?? 100, 1),
    window: Duration.toMillis(Check.positiveDuration("window", window ?? "10 minutes"))
  })
  return {
    delay: (key, now) => {
      const estimate = latencies.estimate(key, now)
      return estimate === undefined ? initial : Duration.max(shortest, Duration.millis(estimate))
    },
    learn: latencies.record
  }
}

/** A kind of request. */
interface Kind<A> {
  /** Requests with the same key share the learned delay. */
  readonly key: string
  readonly model: string
  readonly send: Effect.Effect<A, LlmError>
  /** Sends the second request. Default: as the first. */
  readonly sendAgain?: Effect.Effect<A, LlmError> | undefined
  /** The answer of a model, if it is known. */
  readonly answerOf: (result: A) => LlmResponse | undefined
  /** The cost, if it is known. */
  readonly spendOf: (result: A) => LlmProvider.Spend | undefined
  /** Releases a result that is not taken. */
  readonly discard: (result: A) => Effect.Effect<void>
}

/**
 * Makes a provider that hedges its requests. An invalid option is a defect that names it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  provider: LlmProvider.Service,
  delay: Duration.DurationInput | Percentile,
  options: Options = {}
): Effect.Effect<LlmProvider.Service> =>
  Effect.map(TargetRequest.checkSettings(options.settings ?? {}), (settings) => {
    const { delay: delayOf, learn } = waitUntil(delay)
    const ratio = Check.finite("maxExtraLoad", options.maxExtraLoad ?? 0.1, 0)
    if (ratio > 1) return Check.invalidOption("maxExtraLoad", "at most 1", ratio)
    const budget = RetryBudget.make({ ratio, minimum: 0 })

    const hedged: <A>(kind: Kind<A>) => Effect.Effect<A, LlmError> = Effect.fnUntraced(function*<A>(
      { answerOf, discard, key, model, send, sendAgain = send, spendOf }: Kind<A>
    ) {
      budget.deposit(model)
      const attempt = yield* LlmProvider.CurrentAttempt
      const started = yield* Elapsed.now
      const delay = Duration.toMillis(delayOf(key, started))
      const counting = yield* Effect.makeLatch(true)
      let queues = 0
      let queuedSince = 0
      let queuedFor = 0
      let isHedged = false
      let isBeaten = false

      const queued = <B, E, R>(turn: Effect.Effect<B, E, R>): Effect.Effect<B, E, R> =>
        Effect.acquireUseRelease(
          Effect.map(Elapsed.now, (now) => {
            if (queues++ > 0) return
            queuedSince = now
            counting.unsafeClose()
          }),
          // Once there is a second request, the attempt's clock runs on.
          () => isHedged ? turn : attempt.queued(turn),
          () =>
            Effect.map(Elapsed.now, (now) => {
              if (--queues > 0) return
              queuedFor += now - queuedSince
              counting.unsafeOpen()
            })
        )

      // A request in a queue needs no second one: its delay stands still.
      const delayed: Effect.Effect<void> = Effect.zipRight(
        counting.await,
        Elapsed.nowWith((now) => {
          const left = started + queuedFor + delay - now
          return left > 0 ? Effect.zipRight(Effect.sleep(left), delayed) : Effect.void
        })
      )

      const sent = (name: string, send: Effect.Effect<A, LlmError>, own: LlmProvider.Attempt) =>
        Effect.provideService(
          TargetSpan.around({ name, provider, model })(send),
          LlmProvider.CurrentAttempt,
          own
        )

      const first = sent("first request", send, { ...attempt, queued }).pipe(
        // A request that was cut off for being slow counts, or the slowest would seem to get faster.
        Effect.onExit((exit) =>
          Effect.zipWith(Elapsed.now, attempt.expired, (now, isExpired) => {
            const isSlow = isBeaten || (isExpired && Exit.isInterrupted(exit))
            if (Exit.isSuccess(exit) || isSlow) learn(key, now - started - queuedFor, now)
          })
        )
      )

      const report = Elapsed.nowWith((now) =>
        attempt.report(
          LlmEvent.Hedged({ provider: provider.name, model, after: Duration.millis(now - started - queuedFor) })
        )
      )

      const second = Effect.zipRight(
        delayed,
        Effect.suspend(() => {
          if (!budget.withdraw(model)) return Effect.never
          isHedged = true
          return Effect.zipRight(
            Effect.zipRight(attempt.countRequest, report),
            sent("second request", sendAgain, { ...attempt, queued: identity })
          )
        })
      )

      const wasteful = (result: A) => {
        const spend = spendOf(result)
        return Effect.zipRight(discard(result), spend === undefined ? Effect.void : attempt.spent(spend))
      }

      const waits = (exit: Exit.Exit<A, LlmError>): boolean => {
        if (Exit.isFailure(exit)) return Cause.isFailure(exit.cause)
        const answer = answerOf(exit.value)
        return answer !== undefined && options.when?.(answer) === true
      }

      /** The better of two results, if the first has waited for the second. */
      const better = (
        exit: Exit.Exit<A, LlmError>,
        last: Exit.Exit<A, LlmError>
      ): Effect.Effect<A, LlmError> => {
        const [taken, left] = Exit.isSuccess(last) && (Exit.isFailure(exit) || !waits(last))
          ? [last, exit]
          : [exit, last]
        return Exit.isSuccess(left) ? Effect.zipRight(wasteful(left.value), taken) : taken
      }

      /** The end of the other request. It is interrupted in time for an answer that waits for it. */
      const endOf = (
        other: Fiber.Fiber<A, LlmError>,
        exit: Exit.Exit<A, LlmError>
      ): Effect.Effect<Exit.Exit<A, LlmError>> =>
        Effect.flatMap(attempt.left, (left) => {
          if (Exit.isFailure(exit) || !Duration.isFinite(left)) return Fiber.await(other)
          const limit = Effect.interruptible(Effect.delay(Fiber.interrupt(other), StandingAnswer.patience(left)))
          return Effect.flatMap(
            Effect.fork(limit),
            (limit) => Effect.zipLeft(Fiber.await(other), Fiber.interrupt(limit))
          )
        })

      const decide = (
        exit: Exit.Exit<A, LlmError>,
        other: Fiber.Fiber<A, LlmError>
      ): Effect.Effect<A, LlmError> =>
        isHedged && waits(exit)
          ? Effect.flatMap(endOf(other, exit), (last) => better(exit, last))
          : Effect.flatMap(
            Fiber.interrupt(other),
            (lost) => Exit.isSuccess(lost) ? Effect.zipRight(wasteful(lost.value), exit) : exit
          )

      const beaten: typeof decide = (exit, other) => {
        isBeaten = Exit.isSuccess(exit) && !waits(exit)
        return decide(exit, other)
      }

      // An interruption from outside reaches both requests, and is over when they are.
      return yield* Effect.uninterruptibleMask((restore) =>
        Effect.raceWith(restore(first), restore(second), { onSelfDone: decide, onOtherDone: beaten })
      )
    })

    const { embed } = provider
    const again = (request: LlmRequest) => TargetRequest.requestFor({ settings }, request)

    return {
      ...provider,
      ...(embed !== undefined && {
        embed: (request) =>
          hedged({
            key: `embed ${request.model}`,
            model: request.model,
            send: Effect.suspend(() => embed(request)),
            answerOf: () => undefined,
            spendOf: EmbeddingView.responseOf,
            discard: () => Effect.void
          })
      }),
      call: (request) =>
        hedged({
          key: `call ${request.model}`,
          model: request.model,
          send: Effect.suspend(() => provider.call(request)),
          sendAgain: Effect.suspend(() => provider.call(again(request))),
          answerOf: identity,
          spendOf: identity,
          discard: () => Effect.void
        }),
      stream: (request) =>
        OpenStream.choose((open) =>
          hedged({
            key: `stream ${request.model}`,
            model: request.model,
            send: open(provider, request),
            sendAgain: Effect.suspend(() => open(provider, again(request))),
            answerOf: ({ response }) => response,
            spendOf: ({ response }) => response,
            discard: ({ close }) => close
          })
        )
    }
  })

/**
 * Sends a second request if the first has no answer (for a stream: no part) after `delay`, and takes the first answer.
 * The other request is interrupted and its connection closed before the answer is returned. If the first request fails
 * before the delay, there is no second; if both fail, the call fails with the failure that came first.
 *
 * A good delay is one that few answers exceed: the 95th percentile of the time to the first part, which is learned with
 * `{ percentile: 0.95 }`. Both requests may be billed, so hedging is off unless asked for, and `maxExtraLoad` bounds
 * it. An answer that came too late is part of the response's cost; the cost of an interrupted request is unknown. Each
 * second request is reported as `Hedged`. Do not hedge requests that must not be made twice.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { Hedge, OpenAi } from "effect-llm"
 *
 * const Provider = OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(
 *   Hedge.after({ percentile: 0.95, initialDelay: "5 seconds" }, { maxExtraLoad: 0.05 })
 * )
 *
 * const Fixed = OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(Hedge.after("3 seconds"))
 * ```
 */
export const after: {
  (delay: Duration.DurationInput | Percentile, options?: Options): <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>
  ) => Layer.Layer<LlmProvider.LlmProvider, E, R>
  <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>,
    delay: Duration.DurationInput | Percentile,
    options?: Options
  ): Layer.Layer<LlmProvider.LlmProvider, E, R>
} = dual(
  (args) => Layer.isLayer(args[0]),
  <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>,
    delay: Duration.DurationInput | Percentile,
    options?: Options
  ): Layer.Layer<LlmProvider.LlmProvider, E, R> =>
    LlmProvider.transform(self, (provider) => make(provider, delay, options))
)
