import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type LlmError, StreamInterrupted, update } from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import * as Message from "../domain/Message.js"
import * as StreamPart from "../domain/StreamPart.js"
import * as AttemptTime from "../policy/attemptTime.js"
import * as BudgetRegion from "../policy/budgetRegion.js"
import * as TimeLimit from "../policy/timeLimit.js"
import * as GenAiSpan from "../telemetry/genAiSpan.js"
import type { AnswerCache } from "./answerCache.js"
import type { Attempts } from "./attempts.js"
import type { CallOptions } from "./clientOptions.js"
import { after, attemptFailed, begin, type Call, type Environment, failure, timedOut } from "./context.js"
import * as Relay from "./relay.js"

type Pull = Relay.Pull<StreamPart.StreamPart, LlmError>

/** An answer whose first content has come. */
interface Opened {
  readonly first: Chunk.Chunk<StreamPart.StreamPart>
  readonly rest: Pull
}

interface Traced extends Opened {
  readonly span: GenAiSpan.GenAiSpan
}

/** How long the report of a failure may take, which the deadline may have caused. */
const lastWord = Duration.millis(500)

/** The next parts, of which there is at least one. */
const nonEmpty = (pull: Pull): Pull =>
  Effect.flatMap(pull, (parts) => Chunk.isEmpty(parts) ? nonEmpty(pull) : Effect.succeed(parts))

/**
 * Makes the streaming side of a client: the pipeline of `call`, but that it retries only until the first content has
 * come, and shares no runs.
 */
export const make = (environment: Environment, answers: Pick<AnswerCache, "find" | "keep">, attempts: Attempts) => {
  const { provider } = environment

  const stream = (
    input: LlmRequest.Input,
    options?: CallOptions
  ): Stream.Stream<StreamPart.StreamPart, LlmError> =>
    Stream.unwrapScoped(Effect.flatMap(begin(environment, "stream", input, options), answer))

  /** The parts of a call's answer, from the cache or a provider whose first content has come. */
  const answer = (call: Call) =>
    Effect.flatMap(Effect.scope, (scope) =>
      Effect.flatMap(answers.find(call), (found) =>
        found === undefined
          ? Effect.flatMap(opened(call, scope), (opened) => Scope.extend(delivered(call, opened), scope))
          : Effect.succeed(Stream.fromIterable(StreamPart.fromResponse(found)))).pipe(
          TimeLimit.timeoutFail({
            duration: call.settings.deadline,
            onTimeout: () => timedOut(call, "total", call.settings.deadline)
          }),
          Effect.tapError((error) => attempts.giveUp(call, error))
        ))

  /** Until the first content has come nothing is lost by another attempt. */
  const opened = (call: Call, scope: Scope.Scope): Effect.Effect<Traced, LlmError> =>
    Effect.flatMap(
      GenAiSpan.scoped(provider.name, call.request).pipe(Scope.extend(scope)),
      (span) => {
        const deadline = () => call.deadline
        const attempt = Effect.clockWith((clock) =>
          after(
            attempts.begin(call, clock.unsafeCurrentTimeMillis()),
            () => open(call, scope, deadline, span.within)
          )
        )
        return call.settings.retry.retry(attempt, attempts.run(call, deadline)).pipe(
          Effect.map((opened) => ({ ...opened, span })),
          Effect.onError(span.failed)
        )
      }
    )

  const open = (
    call: Call,
    scope: Scope.Scope,
    deadline: () => number,
    within: GenAiSpan.GenAiSpan["within"] = identity
  ): Effect.Effect<Opened, LlmError> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const limit = call.settings.firstPartTimeout
        const attempt = yield* Scope.fork(scope, scope.strategy)
        const asked = yield* BudgetRegion.enforced(provider)
        const rest = nonEmpty(
          yield* Stream.toPull(Stream.suspend(() => asked.stream(call.request))).pipe(Scope.extend(attempt))
        )
        const first = yield* rest.pipe(
          Effect.mapError(Option.getOrElse(() => ended(call, ""))),
          AttemptTime.limited({
            limit,
            attempt: attempts.current(call, deadline),
            onTimeout: () => timedOut(call, "firstPart", limit)
          }),
          restore,
          Effect.mapError((error) => attemptFailed(call, error)),
          within,
          // Closes the connection before the next attempt.
          Effect.onError((cause) => Scope.close(attempt, Exit.failCause(cause)))
        )
        return { first, rest }
      })
    )

  /** Limits the wait for the next parts. */
  const inTime = (call: Call, rest: Pull, deadline: () => number) =>
    Relay.make(rest, {
      idleTimeout: call.settings.idleTimeout,
      deadline,
      onTimeout: (phase) => {
        call.stalled = phase === "idle"
        return timedOut(call, phase, phase === "idle" ? call.settings.idleTimeout : call.settings.deadline)
      }
    })

  /** One attempt to get a whole answer as a stream. Nobody has seen a part of it, so all may be done again. */
  const collect = (call: Call, deadline: () => number): Effect.Effect<LlmResponse, LlmError> =>
    Effect.scoped(
      Effect.flatMap(Effect.scope, (scope) =>
        Effect.flatMap(open(call, scope, deadline), ({ first, rest }) => {
          const last = Chunk.unsafeLast(first)
          return last._tag === "Finish"
            ? Effect.succeed(last.response)
            : Effect.flatMap(inTime(call, rest, deadline), (next) => toTheEnd(call, next))
        }))
    )

  const toTheEnd = (call: Call, next: Pull): Effect.Effect<LlmResponse, LlmError> => {
    const draw: Effect.Effect<LlmResponse, Option.Option<LlmError>> = Effect.flatMap(next, (parts) => {
      const last = Chunk.unsafeLast(parts)
      return last._tag === "Finish" ? Effect.succeed(last.response) : draw
    })
    return Effect.mapError(draw, (error) => {
      const failed = attemptFailed(call, Option.getOrElse(error, () => ended(call, "")))
      return failed.reason._tag === "StreamInterrupted" ? update(failed, { shouldRetry: true }) : failed
    })
  }

  const ended = (call: Call, text: string): LlmError =>
    failure(
      call,
      StreamInterrupted.make({
        message: "the provider's stream ended without an end of the answer",
        partial: { text, parts: text === "" ? [] : [Message.Text.make({ text })] }
      })
    )

  /** From here on the parts go to the program: what comes twice, or not at all, could not be taken back. */
  const delivered = (call: Call, { first, rest, span }: Traced) =>
    Effect.map(
      span.within(inTime(call, rest, () => call.deadline)),
      (next) => Stream.fromPull(Effect.succeed(deliver(call, first, next, span)))
    )

  const deliver = (
    call: Call,
    first: Chunk.Chunk<StreamPart.StreamPart>,
    next: Pull,
    span: GenAiSpan.GenAiSpan
  ): Pull => {
    let text = ""
    let finished = false
    let pending: Pull | undefined = Effect.succeed(first)

    const complete = (parts: Chunk.Chunk<StreamPart.StreamPart>): Pull => {
      let index = -1
      for (const part of parts) {
        index++
        if (part._tag === "TextDelta") text += part.text
        else if (part._tag === "Finish") return finish(Chunk.take(parts, index), part)
      }
      return Effect.succeed(parts)
    }

    const finish = (
      before: Chunk.Chunk<StreamPart.StreamPart>,
      { response: answer }: Extract<StreamPart.StreamPart, { readonly _tag: "Finish" }>
    ): Pull =>
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        // A logger that hangs must not outlast the deadline.
        const response = attempts.complete(call, answer, now)
        yield* TimeLimit.timeoutFail(attempts.succeed(call, response, now) ?? Effect.void, {
          duration: Duration.millis(call.deadline - now),
          onTimeout: () => Option.some(timedOut(call, "total", call.settings.deadline))
        })
        finished = true
        yield* span.succeeded(response)
        yield* answers.keep(call, response, now, call.deadline) ?? Effect.void
        return Chunk.append(before, StreamPart.Finish({ response }))
      })

    const broken = (cause: Option.Option<LlmError>): Effect.Effect<never, Option.Option<LlmError>> =>
      Effect.gen(function*() {
        const failed = attemptFailed(call, Option.getOrElse(cause, () => ended(call, text)))
        const error = failed.isRetryable
          ? update(failed, { gaveUp: "a part of the answer had been delivered" })
          : failed
        // Nor must it hold a failure back.
        yield* Effect.timeoutOption(attempts.fail(call, { error, willRetry: false, delay: undefined }), lastWord)
        yield* attempts.giveUp(call, error)
        yield* span.failed(Cause.fail(error))
        return yield* Effect.fail(Option.some(error))
      })

    const pull: Pull = Effect.suspend(() => {
      if (finished) return Effect.fail(Option.none())
      const parts = pending ?? next
      pending = undefined
      return Effect.catchAll(Effect.flatMap(parts, complete), broken)
    })

    // A failure has been told; the end of the stream is none.
    const watched = Effect.onError(
      pull,
      (cause) => Cause.isFailure(cause) ? Effect.void : span.failed(Cause.stripFailures(cause))
    )

    return span.within(watched)
  }

  return { answer, collect, stream }
}
