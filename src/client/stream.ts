import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { type LlmError, StreamInterrupted, update } from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import * as Message from "../domain/Message.js"
import * as StreamPart from "../domain/StreamPart.js"
import type * as LlmProvider from "../LlmProvider.js"
import * as ScopedBudget from "../policy/budget/scopedBudget.js"
import * as AttemptTime from "../runtime/attemptTime.js"
import * as Feed from "../runtime/feed.js"
import * as TimeLimit from "../runtime/timeLimit.js"
import * as WaitLimit from "../runtime/waitLimit.js"
import * as GenAiSpan from "../telemetry/genAiSpan.js"
import * as DirectStream from "../wire/directStream.js"
import type { Attempts } from "./attempts.js"
import { after, attemptFailed, begin, type Call, type Environment, failure, timedOut } from "./callState.js"
import type { CallOptions } from "./options.js"
import * as Pulls from "./pull.js"
import type { AnswerCache } from "./responseCache.js"

type Parts = Chunk.Chunk<StreamPart.StreamPart>

type Pull = Pulls.Pull<StreamPart.StreamPart, LlmError>

/** An answer of which something has come, or which ended without. */
interface Begun {
  readonly first: Parts | undefined
  readonly rest: Effect.Effect<DirectStream.Parts, never, Scope.Scope>
}

/** An answer whose first content has come. */
interface Opened extends Begun {
  readonly first: Parts
}

interface Traced extends Opened {
  readonly span: GenAiSpan.GenAiSpan
}

/** How long the report of a failure may take, which the deadline may have caused. */
const lastWord = Duration.millis(500)

/** The next parts, of which there is at least one, or the end. */
const nonEmpty = (pull: Pull): Pull =>
  Effect.flatMap(
    pull,
    (parts) => parts !== undefined && Chunk.isEmpty(parts) ? nonEmpty(pull) : Effect.succeed(parts)
  )

/** Asks a provider. What its policies make of a stream is run as one, in a fiber: its parts come the long way. */
const ask = (
  provider: LlmProvider.Service,
  request: LlmRequest.LlmRequest
): Effect.Effect<Begun, LlmError, Scope.Scope> =>
  Effect.suspend(() => {
    const stream = provider.stream(request)
    const opener = DirectStream.openerOf(stream)
    return opener === undefined
      ? Effect.flatMap(Pulls.fromStream(stream), (pull) => {
        const filled = nonEmpty(pull)
        return Effect.map(filled, (first): Begun => ({ first, rest: Feed.draw(filled) }))
      })
      : Effect.flatMap(
        opener,
        (feed) => Effect.map(Feed.next(feed), (first): Begun => ({ first, rest: Effect.succeed(feed) }))
      )
  })

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
    Pulls.toStream(Effect.flatMap(begin(environment, "stream", input, options), answer))

  /** The parts of a call's answer, from the cache or a provider whose first content has come. */
  const answer = (call: Call): Effect.Effect<Pull, LlmError, Scope.Scope> =>
    Effect.flatMap(Effect.scope, (scope) =>
      Effect.flatMap(answers.find(call), (found) =>
        found === undefined
          ? Effect.flatMap(opened(call, scope), (opened) => Scope.extend(delivered(call, opened), scope))
          : Effect.succeed(replay(found))).pipe(
          TimeLimit.timeoutFail({
            duration: call.settings.deadline,
            onTimeout: () => timedOut(call, "total", call.settings.deadline)
          }),
          Effect.tapError((error) => attempts.giveUp(call, error))
        ))

  const replay = (found: LlmResponse): Pull => {
    let left: Parts | undefined = Chunk.unsafeFromArray(StreamPart.fromResponse(found))
    return Effect.sync(() => {
      const parts = left
      left = undefined
      return parts
    })
  }

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
        const asked = yield* ScopedBudget.enforced(provider)
        return yield* ask(asked, call.request).pipe(
          Scope.extend(attempt),
          Effect.flatMap(({ first, rest }) =>
            first === undefined ? Effect.fail(ended(call, "")) : Effect.succeed({ first, rest })
          ),
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
      })
    )

  /** Limits the wait for the next parts. */
  const inTime = (
    call: Call,
    feed: Feed.Feed<Pull>,
    deadline: () => number,
    expired: (error: LlmError) => Effect.Effect<never, LlmError>
  ) =>
    WaitLimit.make(feed, {
      idleTimeout: call.settings.idleTimeout,
      deadline,
      onTimeout: (phase) => {
        call.stalled = phase === "idle"
        return expired(timedOut(call, phase, phase === "idle" ? call.settings.idleTimeout : call.settings.deadline))
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
            : Effect.flatMap(rest, (feed) =>
              Effect.flatMap(
                inTime(call, feed, deadline, Effect.fail),
                (next) => toTheEnd(call, next)
              ))
        }))
    )

  const toTheEnd = (call: Call, next: Pull): Effect.Effect<LlmResponse, LlmError> => {
    const draw: Effect.Effect<LlmResponse, LlmError> = Effect.flatMap(next, (parts) => {
      if (parts === undefined) return Effect.fail(ended(call, ""))
      const last = Chunk.unsafeLast(parts)
      return last._tag === "Finish" ? Effect.succeed(last.response) : draw
    })
    return Effect.mapError(draw, (error) => {
      const failed = attemptFailed(call, error)
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
  const delivered = (call: Call, { first, rest, span }: Traced): Effect.Effect<Pull, never, Scope.Scope> =>
    span.within(Effect.flatMap(rest, (feed) => {
      const { broken, parts } = delivering(call, first, feed, span)
      return Effect.map(inTime(call, parts, () => call.deadline, broken), (next) =>
        span.heard
          // A failure has been told.
          ? span.within(Effect.onError(
            next,
            (cause) => Cause.isFailure(cause) ? Effect.void : span.failed(Cause.stripFailures(cause))
          ))
          : next)
    }))

  /** The parts as the program gets them, and what is done where no more come in time. */
  const delivering = (call: Call, first: Parts, feed: DirectStream.Parts, span: GenAiSpan.GenAiSpan) => {
    let text = ""
    let finished = false
    let pending: Exit.Exit<Parts> | undefined = Exit.succeed(first)

    const complete = (parts: Parts | undefined, as?: Pull): Pull => {
      if (parts === undefined) return broken(ended(call, text))
      const all = Chunk.toReadonlyArray(parts)
      for (let i = 0; i < all.length; i++) {
        const part = all[i]!
        if (part._tag === "TextDelta") text += part.text
        else if (part._tag === "Finish") return Effect.catchAll(finish(Chunk.take(parts, i), part), broken)
      }
      return as ?? Effect.succeed(parts)
    }

    const finish = (
      before: Parts,
      { response: answer }: Extract<StreamPart.StreamPart, { readonly _tag: "Finish" }>
    ): Pull =>
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        // A logger that hangs must not outlast the deadline.
        const response = attempts.complete(call, answer, now)
        yield* TimeLimit.timeoutFail(attempts.succeed(call, response, now) ?? Effect.void, {
          duration: Duration.millis(call.deadline - now),
          onTimeout: () => timedOut(call, "total", call.settings.deadline)
        })
        finished = true
        yield* span.succeeded(response)
        yield* answers.keep(call, response, now, call.deadline) ?? Effect.void
        return Chunk.append(before, StreamPart.Finish({ response }))
      })

    const broken = (cause: LlmError): Effect.Effect<never, LlmError> =>
      Effect.gen(function*() {
        const failed = attemptFailed(call, cause)
        const error = failed.isRetryable
          ? update(failed, { gaveUp: "a part of the answer had been delivered" })
          : failed
        // Nor must it hold a failure back.
        yield* Effect.timeoutOption(attempts.fail(call, { error, willRetry: false, delay: undefined }), lastWord)
        yield* attempts.giveUp(call, error)
        yield* span.failed(Cause.fail(error))
        return yield* Effect.fail(error)
      })

    const take = (): Pull | undefined => {
      if (finished) return Exit.succeed(undefined)
      const taken = pending ?? feed.take()
      pending = undefined
      if (taken === undefined) return undefined
      // Nearly always: then nothing is to be run.
      return Exit.isExit(taken) && Exit.isSuccess(taken)
        ? complete(taken.value, taken)
        : Effect.matchEffect(taken, { onSuccess: (parts) => complete(parts), onFailure: broken })
    }

    const parts: Feed.Feed<Pull> = { take, whenReady: (wake) => feed.whenReady(wake), stop: feed.stop }
    return { broken, parts }
  }

  return { answer, collect, stream }
}
