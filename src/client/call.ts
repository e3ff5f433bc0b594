import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { LlmError } from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import * as ScopedBudget from "../policy/budget/scopedBudget.js"
import * as AttemptClock from "../runtime/attemptClock.js"
import * as Elapsed from "../runtime/elapsed.js"
import * as GenAiSpan from "../telemetry/genAiSpan.js"
import type { Attempts } from "./attempts.js"
import { attemptFailed, begin, type Call, type Environment, type Run, subjectOf, timedOut } from "./callState.js"
import type { CallOptions } from "./options.js"
import type { ResponseCache } from "./responseCache.js"
import * as Sharing from "./sharing.js"
import type * as Turns from "./turns.js"

type Answer = Effect.Effect<LlmResponse.LlmResponse, LlmError>

/** The stages of the pipeline that have their own files. */
export interface Stages {
  readonly attempts: Attempts
  readonly cache: ResponseCache
  /** One attempt that gets a whole answer over a stream, with the limits of streams. */
  readonly collect: (run: Run) => Answer
}

/** The pipeline of a call. */
export interface Pipeline {
  /** The whole pipeline; for one of many calls, with the wait for its turn. */
  readonly call: (input: LlmRequest.Input, options?: CallOptions, turn?: Turns.Turn) => Answer
  /** The steps from 4 on, for a call that has a deadline around it already. */
  readonly answer: (call: Call) => Answer
}

/** Makes the pipeline of a client's calls. The steps are in the order in which a call takes them. */
export const make = (
  environment: Environment,
  { attempts, cache, collect }: Stages
): Effect.Effect<Pipeline, never, Scope.Scope> =>
  Effect.gen(function*() {
    const share = yield* Sharing.make<LlmResponse.LlmResponse>(
      environment,
      (answer, how) => LlmResponse.freeze(LlmResponse.reuse(answer, how))
    )

    // 1. Decode the request, fill in the defaults, derive the key.
    const call: Pipeline["call"] = (input, options, turn) =>
      Effect.flatMap(begin(environment, "call", input, options), (call) => cached(call, turn))

    // 2. The cache may have the answer: it costs no call, and never fails one. One of many calls waits for its turn here,
    // before its deadline starts, and looks again: an equal one may have been answered meanwhile.
    const cached = (call: Call, turn?: Turns.Turn): Answer =>
      Effect.flatMap(cache.find(call), (found) => {
        if (Option.isSome(found)) return Effect.succeed(found.value)
        return turn === undefined ? attempts.watched(call)(inTime(call)) : turn(call, cached)
      })

    // 3. All that follows keeps to the deadline: one `Effect.timeoutFail`, in `withinDeadline` below.
    const inTime = (call: Call): Answer => withinDeadline(call)(Effect.zipRight(cache.missed(call), answer(call)))

    // 4. Equal calls share one run, which belongs to all callers that wait for it.
    const answer: Pipeline["answer"] = (call) => share(call, keep)

    // 5. The attempt is retried with an exponential back-off, and not before a Retry-After: one `Effect.retry`, in
    // `retrying` below, with the policy's `Schedule.exponential`.
    const retry = (run: Run): Answer =>
      GenAiSpan.traced(subjectOf(environment, run), (span) => retrying(attempts, run)(attempt(run, span)))

    // 6. An attempt has a time limit. It is not `Effect.timeoutFail`, as its clock stands still while the attempt waits in
    // the queue of a rate limit.
    const attempt = (run: Run, span: GenAiSpan.GenAiSpan): Answer =>
      attempts.start(run).pipe(
        Effect.zipRight(span.attempt(run.call.settings.streaming ? collect(run) : ask(run))),
        Effect.mapError((error) => attemptFailed(run, error)),
        Effect.flatMap((answer) => attempts.succeed(run, answer))
      )

    const ask = (run: Run): Answer =>
      Effect.flatMap(ScopedBudget.enforced(environment.provider), (provider) => provider.call(run.call.request)).pipe(
        AttemptClock.limited(attempts.limits(run, "attempt"))
      )

    // 7. A whole answer is kept. An answer that has to be a value is kept once it fits: see object.ts.
    const keep = (run: Run): Answer =>
      run.call.operation === "object" ? retry(run) : Effect.tap(retry(run), (response) => cache.keep(run, response))

    return { call, answer }
  })

/** Gives an effect the rest of a call's deadline. */
export const withinDeadline =
  (call: Call) => <A, R>(self: Effect.Effect<A, LlmError, R>): Effect.Effect<A, LlmError, R> =>
    Elapsed.sinceWith(call.started, (elapsed) =>
      Effect.timeoutFail(self, {
        duration: Duration.subtract(call.settings.deadline, elapsed),
        onTimeout: () => timedOut(call, "total")
      }))

/** Retries an attempt as the policy of its call says. */
export const retrying =
  (attempts: Attempts, run: Run) => <A, R>(attempt: Effect.Effect<A, LlmError, R>): Effect.Effect<A, LlmError, R> =>
    Effect.suspend(() => {
      const { giveUp, schedule } = run.call.settings.retry.start(attempts.retrying(run))
      return attempt.pipe(Effect.retry(schedule), Effect.catchAll(giveUp))
    })
