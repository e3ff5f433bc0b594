import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import type { LlmError } from "../domain/LlmError.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import * as AttemptTime from "../policy/attemptTime.js"
import * as BudgetRegion from "../policy/budgetRegion.js"
import { clockOf } from "../policy/fiber.js"
import type { Flight } from "../policy/flight.js"
import * as GenAiSpan from "../telemetry/genAiSpan.js"
import type { AnswerCache } from "./answerCache.js"
import type { Attempts } from "./attempts.js"
import { after, attemptFailed, type Call, type Environment, timedOut } from "./context.js"

type Answer = Effect.Effect<LlmResponse, LlmError>

/** What equal calls share: the attempts to get an answer, up to one that succeeds. */
export type Run = (
  call: Call,
  flight: Flight<LlmResponse, LlmError>,
  /** What is to be done first, on the spot, or else by what it gives. */
  before?: (call: Call) => Effect.Effect<void> | undefined
) => Answer

/** Makes the part of a client that asks its provider. */
export const make = (
  { provider }: Environment,
  { answers, attempts, streams }: {
    readonly answers: Pick<AnswerCache, "keep">
    readonly attempts: Attempts
    readonly streams: {
      /** One attempt to get a whole answer as a stream. */
      readonly collect: (call: Call, deadline: () => number) => Answer
    }
  }
): Run => {
  const run: Run = (call, flight, before) =>
    Effect.withFiberRuntime((fiber) =>
      after(before?.(call), () => {
        const span = GenAiSpan.start(fiber, provider.name, call.request)
        return span === undefined ? asked(call, flight, fiber) : Effect.flatMap(span, ({ end, within }) => {
          flight.whenOver(end)
          return within(asked(call, flight, fiber, within))
        })
      })
    )

  // What can be retried is, after the policy's wait. The first attempt has the flight's fiber for itself.
  const asked = (
    call: Call,
    flight: Flight<LlmResponse, LlmError>,
    fiber: Fiber.RuntimeFiber<unknown, unknown>,
    within: GenAiSpan.Started["within"] = identity
  ): Answer => {
    const { deadline } = flight
    const clock = clockOf(fiber)
    const goOn = call.settings.retry.begin(attempts.run(call, deadline))
    const retried = (error: LlmError) => goOn(attemptFailed(call, error), attempt(call, deadline))

    const first = () => {
      if (call.settings.streaming) return streams.collect(call, deadline)
      const limit = call.settings.timeout
      return BudgetRegion.enforcedIn(fiber.currentContext, provider).call(call.request).pipe(
        AttemptTime.limitedIn(flight, {
          limit,
          attempt: attempts.current(call, deadline),
          onTimeout: () => within(retried(timedOut(call, "attempt", limit)))
        })
      )
    }

    return after(attempts.begin(call, clock.unsafeCurrentTimeMillis()), () =>
      Effect.matchEffect(first(), {
        onFailure: retried,
        onSuccess: (answer) => succeeded(call, answer, clock, deadline)
      }))
  }

  // A further attempt, with its own limit. The deadline ends it from outside, when nobody waits for it any more.
  const attempt = (call: Call, deadline: () => number): Answer =>
    Effect.withFiberRuntime((fiber) => {
      const clock = clockOf(fiber)
      const limit = call.settings.timeout
      const answer = () =>
        call.settings.streaming
          ? streams.collect(call, deadline)
          : BudgetRegion.enforcedIn(fiber.currentContext, provider).call(call.request).pipe(
            AttemptTime.limited({
              limit,
              attempt: attempts.current(call, deadline),
              onTimeout: () => timedOut(call, "attempt", limit)
            })
          )
      return after(attempts.begin(call, clock.unsafeCurrentTimeMillis()), () =>
        Effect.matchEffect(answer(), {
          onFailure: (error) => Effect.fail(attemptFailed(call, error)),
          onSuccess: (answer) => succeeded(call, answer, clock, deadline)
        }))
    })

  // Whole answers are kept; structured ones once they are known to fit.
  const succeeded = (call: Call, answer: LlmResponse, clock: Clock.Clock, deadline: () => number): Answer => {
    const now = clock.unsafeCurrentTimeMillis()
    const response = attempts.complete(call, answer, now)
    return after(attempts.succeed(call, response, now), () => {
      const keeping = call.operation === "object"
        ? undefined
        : answers.keep(call, response, clock.unsafeCurrentTimeMillis(), deadline())
      return keeping === undefined ? Effect.succeed(response) : Effect.as(keeping, response)
    })
  }

  return run
}
