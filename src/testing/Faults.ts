/**
 * Faults for any provider: a wrapper for its layer makes calls, streams, embeddings, counts of tokens and lists of
 * models fail, hang, slow down or break off, by a plan and a seed. Needs neither a network nor a test runner.
 *
 * The fault of a request depends on the seed, the request and the number of times that it was made, not on the order in
 * which concurrent requests arrive. A run that failed fails again with the same seed; the message of each injected
 * failure names the seed. All waits are on the Clock.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as CacheKey from "../domain/CacheKey.js"
import * as EmbeddingView from "../domain/embeddingView.js"
import * as ListingView from "../domain/listingView.js"
import * as LlmError from "../domain/LlmError.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import type { StreamPart } from "../domain/StreamPart.js"
import * as Check from "../internal/check.js"
import * as LlmProvider from "../LlmProvider.js"
import * as Elapsed from "../runtime/elapsed.js"
import { chance } from "./chance.js"
import { toQuantiles } from "./faults/latency.js"
import type { Attempt, Fault } from "./faults/plan.js"
import { ok } from "./faults/plan.js"
import { anyTransient, type Options } from "./faults/scenarios.js"
import { partsOf, textOf } from "./partsOf.js"

export { type Latency, longTail, uniform } from "./faults/latency.js"
export {
  always,
  type Attempt,
  cut,
  cutSomewhere,
  during,
  fail,
  type Fault,
  hang,
  malformed,
  ok,
  oneOf,
  overloaded,
  perRequest,
  type Plan,
  quotaExhausted,
  rateLimited,
  reset,
  sequence,
  serverError,
  slow,
  stall,
  unauthorized
} from "./faults/plan.js"
export { type Options, scenarios, transient } from "./faults/scenarios.js"

/** One request, and the fault that it meets. */
interface Decided extends Attempt {
  readonly fault: Fault
}

/**
 * Wraps a provider. An invalid option is a defect that names the option.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmProvider } from "effect-llm"
 * import { Faults } from "effect-llm/testing"
 *
 * const flaky = Effect.flatMap(LlmProvider.LlmProvider, (provider) => Faults.make(provider, { seed: 7, rate: 0.3 }))
 * ```
 */
export const make = (provider: LlmProvider.Service, options: Options = {}): Effect.Effect<LlmProvider.Service> =>
  Effect.gen(function*() {
    const { plan = anyTransient, rate = 1, seed = 0 } = options
    if (!(rate >= 0 && rate <= 1)) Check.invalidOption("rate", "a number between 0 and 1", rate)
    const latencyAt = toQuantiles("latency", options.latency ?? 0)
    const started = yield* Elapsed.now
    const attempts = new Map<string, number>()
    let index = 0

    const decide = (operation: Attempt["operation"], request: LlmRequest, page = ""): Effect.Effect<Decided> =>
      Effect.map(Elapsed.since(started), (elapsed) => {
        // Without the endpoint: the port of a local server differs in each run.
        const asked = CacheKey.make(request, { provider: provider.name, endpoint: "" })
        // Counting the tokens of a request is another request: neither changes the faults of the other.
        const isAnswered = operation !== "countTokens" && operation !== "models"
        const key = isAnswered ? asked : `${operation} ${page} ${asked}`
        const attempt = (attempts.get(key) ?? 0) + 1
        attempts.set(key, attempt)
        const seen: Attempt = {
          operation,
          request,
          index: index++,
          attempt,
          elapsed,
          draw: (decision) => chance(`${seed}/${key}/${attempt}/${decision}`)
        }
        return { ...seen, fault: seen.draw("rate") < rate ? plan(seen) : ok }
      })

    const failure = (
      { attempt, operation, request }: Decided,
      reason: LlmError.Reason,
      status?: number
    ): LlmError.LlmError =>
      new LlmError.LlmError({
        reason: { ...reason, message: reason.message ?? `injected fault (seed ${seed}, attempt ${attempt})` },
        operation,
        attempts: 1,
        provider: provider.name,
        model: request.model,
        ...(status !== undefined && { status })
      })

    /** The part of a fault that comes before the provider is asked, or in place of it. */
    const before = (decided: Decided): Effect.Effect<void, LlmError.LlmError> => {
      const { draw, fault } = decided
      const wait = Effect.sleep(latencyAt(draw("latency")))
      switch (fault._tag) {
        case "Fail":
          return Effect.zipRight(wait, failure(decided, fault.reason, fault.status))
        case "Hang":
          return Effect.never
        case "Slow":
          return Effect.zipRight(wait, Effect.sleep(toQuantiles("slow", fault.latency)(draw("slow"))))
        default:
          return wait
      }
    }

    /**
     * The part of a fault that comes before an answer in one piece, or in its place. An answer in one piece cannot
     * break off.
     */
    const whole = (decided: Decided): Effect.Effect<void, LlmError.LlmError> =>
      Effect.zipRight(
        before(decided),
        Effect.suspend(() => {
          switch (decided.fault._tag) {
            case "Cut":
              return failure(decided, LlmError.NetworkFailed.make({ code: "ECONNRESET" }))
            case "Stall":
              return Effect.never
            default:
              return Effect.void
          }
        })
      )

    /** An answer in one piece, unless the request meets a fault. */
    const answered = <A>(
      decided: Effect.Effect<Decided>,
      answer: () => Effect.Effect<A, LlmError.LlmError>
    ): Effect.Effect<A, LlmError.LlmError> => Effect.zipRight(Effect.flatMap(decided, whole), Effect.suspend(answer))

    const { countTokens, embed, models } = provider

    const call: LlmProvider.Service["call"] = (request) =>
      answered(decide("call", request), () => provider.call(request))

    /** The optional operations of providers. */
    const further: Partial<LlmProvider.Service> = {
      ...(embed !== undefined && {
        embed: (request) => answered(decide("embed", EmbeddingView.requestOf(request)), () => embed(request))
      }),
      ...(countTokens !== undefined && {
        countTokens: (request) => answered(decide("countTokens", request), () => countTokens(request))
      }),
      ...(models !== undefined && {
        models: (page) => answered(decide("models", ListingView.request, page), () => models(page))
      })
    }

    const stream: LlmProvider.Service["stream"] = (request) =>
      Stream.unwrap(Effect.gen(function*() {
        const decided = yield* decide("stream", request)
        yield* before(decided)
        return damaged(decided, provider.stream(request))
      }))

    const damaged = (
      decided: Decided,
      parts: Stream.Stream<StreamPart, LlmError.LlmError>
    ): Stream.Stream<StreamPart, LlmError.LlmError> => {
      const { draw, fault } = decided
      switch (fault._tag) {
        case "Cut":
          return firstParts(parts, fault.afterParts, (received) => {
            const content = partsOf(received)
            return failure(
              decided,
              LlmError.StreamInterrupted.make({ partial: { text: textOf(content), parts: content } })
            )
          })
        case "Stall":
          return firstParts(parts, fault.afterParts, () => Effect.never)
        case "Slow": {
          const perPart = toQuantiles("slow.perPart", fault.perPart)
          return Stream.mapEffect(
            Stream.zipWithIndex(parts),
            ([part, i]) => Effect.delay(Effect.succeed(part), perPart(draw(`part ${i}`)))
          )
        }
        default:
          return parts
      }
    }

    return { ...provider, ...further, call, stream }
  })

/** The first parts of a stream, never its `Finish`, and then another end. */
const firstParts = (
  parts: Stream.Stream<StreamPart, LlmError.LlmError>,
  count: number,
  end: (received: ReadonlyArray<StreamPart>) => Effect.Effect<never, LlmError.LlmError>
): Stream.Stream<StreamPart, LlmError.LlmError> =>
  Stream.suspend(() => {
    const received: Array<StreamPart> = []
    return parts.pipe(
      Stream.takeWhile((part) => part._tag !== "Finish"),
      Stream.take(count),
      Stream.tap((part) => Effect.sync(() => received.push(part))),
      Stream.concat(Stream.suspend(() => Stream.fromEffect(end(received))))
    )
  })

/**
 * Wraps the provider of a layer. Other services of the layer stay as they are.
 *
 * @since 0.1.0
 * @category combinators
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { LlmClient } from "effect-llm"
 * import { Faults, LlmTest } from "effect-llm/testing"
 *
 * const program = LlmClient.call({ model: "gpt-4o-mini", prompt: "Name a river." })
 *
 * // Half of the attempts fail and are retried, the same ones in every run.
 * const spec = program.pipe(
 *   Effect.provide(LlmClient.layerDefault()),
 *   Effect.provide(LlmTest.layerEcho.pipe(Faults.inject({ seed: 7, rate: 0.5 })))
 * )
 *
 * // Every request meets a rate limit, then a reset, and is answered at the third attempt.
 * const stubborn = LlmTest.layerEcho.pipe(
 *   Faults.inject({ plan: Faults.perRequest([Faults.rateLimited("2 seconds"), Faults.reset]) })
 * )
 *
 * // A bad day, by name.
 * const outage = Layer.provide(LlmClient.layerDefault(), LlmTest.layerEcho.pipe(Faults.inject(Faults.scenarios.outage)))
 * ```
 */
export const inject =
  (options: Options = {}) =>
  <Id, E, R>(self: Layer.Layer<Id | LlmProvider.LlmProvider, E, R>): Layer.Layer<Id | LlmProvider.LlmProvider, E, R> =>
    Layer.flatMap(self, (context) =>
      Layer.effectContext(
        Effect.map(
          make(Context.get(context, LlmProvider.LlmProvider), options),
          (provider) => Context.add(context, LlmProvider.LlmProvider, provider)
        )
      ))
