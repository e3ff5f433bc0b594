import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import type { LlmError } from "../domain/LlmError.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import * as ScopedBudget from "../policy/budget/scopedBudget.js"
import * as AttemptTime from "../runtime/attemptTime.js"
import { clockOf } from "../runtime/fiber.js"
import type { Flight } from "../runtime/flight.js"
import * as GenAiSpan from "../telemetry/genAiSpan.js"
import type { Attempts } from "./attempts.js"
import { after, attemptFailed, type Call, type Environment, timedOut } from "./callState.js"
import type { AnswerCache } from "./responseCache.js"

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
  const run: Run = (call, flight, before) => {
    const { deadline, owner } = flight
    const clock = clockOf(owner)
    const limit = call.settings.timeout
    let within: GenAiSpan.Started["within"] = identity

    // What can be retried is, after the policy's wait.
    const goOn = call.settings.retry.begin(attempts.run(call, deadline))
    const retried = (error: LlmError) => goOn(attemptFailed(call, error), attempt(call, deadline))

    // The first attempt has the flight's fiber for itself.
    const first = call.settings.streaming
      ? () => streams.collect(call, deadline)
      : ask(
        call,
        owner,
        AttemptTime.limitedIn(flight, {
          limit,
          attempt: attempts.current(call, deadline),
          onTimeout: () => within(retried(timedOut(call, "attempt", limit)))
        })
      )

    const attempted = () => made(call, clock, deadline, { answer: first, failed: retried })

    return Effect.suspend(() =>
      after(before?.(call), () => {
        const span = GenAiSpan.start(owner, provider.name, call.request)
        return span === undefined ? attempted() : Effect.flatMap(span, (span) => {
          within = span.within
          flight.whenOver(span.end)
          return within(Effect.suspend(attempted))
        })
      })
    )
  }

  const ask = (
    call: Call,
    { currentContext }: Fiber.RuntimeFiber<unknown, unknown>,
    inTime: (self: Answer) => Answer
  ) =>
  (): Answer => inTime(ScopedBudget.enforcedIn(currentContext, provider).call(call.request))

  // A further attempt, with its own limit. The deadline ends it from outside, when nobody waits for it any more.
  const attempt = (call: Call, deadline: () => number): Answer =>
    Effect.withFiberRuntime((fiber) => {
      const clock = clockOf(fiber)
      const limit = call.settings.timeout
      const next = call.settings.streaming
        ? () => streams.collect(call, deadline)
        : ask(
          call,
          fiber,
          AttemptTime.limited({
            limit,
            attempt: attempts.current(call, deadline),
            onTimeout: () => timedOut(call, "attempt", limit)
          })
        )
      return made(call, clock, deadline, {
        answer: next,
        failed: (error) => Effect.fail(attemptFailed(call, error))
      })
    })

  const made = (
    call: Call,
    clock: Clock.Clock,
    deadline: () => number,
    { answer, failed }: { readonly answer: () => Answer; readonly failed: (error: LlmError) => Answer }
  ): Answer =>
    after(attempts.begin(call, clock.unsafeCurrentTimeMillis()), () =>
      Effect.matchEffect(answer(), {
        onFailure: failed,
        onSuccess: (answer) => succeeded(call, answer, clock, deadline)
      }))

  // Whole answers are kept; structured ones once they are known to fit.
  const succeeded = (call: Call, answer: LlmResponse, clock: Clock.Clock, deadline: () => number): Answer => {
    const now = clock.unsafeCurrentTimeMillis()
    const response = attempts.complete(call, answer, now)
    return after(attempts.succeed(call, response, now), () => {
      const keeping = call.operation === "object"
        ? undefined
        : answers.keep(call, response, clock.unsafeCurrentTimeMillis(), deadline())
      return after(keeping, () => Effect.succeed(response))
    })
  }

  return run
}
