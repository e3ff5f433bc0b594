import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { type LlmError, StreamInterrupted, update } from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import * as StreamPart from "../domain/StreamPart.js"
import * as ScopedBudget from "../policy/budget/scopedBudget.js"
import * as AttemptClock from "../runtime/attemptClock.js"
import * as PartFeed from "../runtime/partFeed.js"
import * as GenAiSpan from "../telemetry/genAiSpan.js"
import type { Attempts } from "./attempts.js"
import { retrying, withinDeadline } from "./call.js"
import {
  attemptFailed,
  begin,
  beginRun,
  type Call,
  type Environment,
  failure,
  type Run,
  subjectOf,
  timedOut
} from "./callState.js"
import type { CallOptions } from "./options.js"
import * as Reports from "./reports.js"
import type { ResponseCache } from "./responseCache.js"

type Parts = Chunk.Chunk<StreamPart.StreamPart>

type Feed = PartFeed.PartFeed<StreamPart.StreamPart, LlmError>

/** An answer whose first content has come. */
interface Opened {
  readonly first: Parts
  readonly rest: Feed
}

interface Traced extends Opened {
  readonly span: GenAiSpan.GenAiSpan
}

/** The next parts, of which there is at least one and of which a failure will know, or the end. */
const nonEmpty = (run: Run, feed: Feed): Feed =>
  Effect.flatMap(feed, (parts) => {
    if (parts !== undefined) {
      if (Chunk.isEmpty(parts)) return nonEmpty(run, feed)
      if (Chunk.unsafeHead(parts)._tag !== "Finish") run.chunks.came(run.call.progress.queuedFor)
      for (const part of parts) run.answer.push(part)
    }
    return Effect.succeed(parts)
  })

/** The answer, if its end is among the parts. */
const answerIn = (parts: Parts): LlmResponse | undefined => {
  for (const part of parts) if (part._tag === "Finish") return part.response
  return undefined
}

/**
 * Makes the streams of a client. A stream takes the same steps as a call, with two differences: it is retried only
 * until its first content has come, and it shares no run.
 */
export const make = (
  environment: Environment,
  { attempts, cache }: { readonly attempts: Attempts; readonly cache: ResponseCache }
) => {
  const { isListening, provider } = environment

  // 1. Decode the request, fill in the defaults, derive the key.
  const stream = (input: LlmRequest.Input, options?: CallOptions): Stream.Stream<StreamPart.StreamPart, LlmError> =>
    PartFeed.toStream(Effect.flatMap(begin(environment, "stream", input, options), open))

  // 2. The cache may have the answer, which is then given as a stream.
  const open = (call: Call): Effect.Effect<Feed, LlmError, Scope.Scope> =>
    Effect.flatMap(
      cache.find(call),
      Option.match({
        onNone: () => attempts.watched(call)(inTime(beginRun(call))),
        onSome: (found) => Effect.succeed(replay(found))
      })
    )

  const replay = (found: LlmResponse): Feed => {
    let left: Parts | undefined = Chunk.unsafeFromArray(StreamPart.fromResponse(found))
    return Effect.sync(() => {
      const parts = left
      left = undefined
      return parts
    })
  }

  // 3. All that follows keeps to the deadline: the opening here, and each wait for parts below.
  const inTime = (run: Run): Effect.Effect<Feed, LlmError, Scope.Scope> =>
    Effect.flatMap(
      Effect.scope,
      (scope) =>
        Effect.zipRight(cache.missed(run.call), retry(run, scope)).pipe(
          withinDeadline(run.call),
          Effect.flatMap((opened) => delivered(run, opened))
        )
    )

  // 4. A stream shares no run: each consumer takes the parts at its own pace.

  // 5. The attempt is retried until its first content has come: up to then another attempt loses nothing.
  const retry = (run: Run, scope: Scope.Scope): Effect.Effect<Traced, LlmError> =>
    Effect.flatMap(
      Scope.extend(GenAiSpan.scoped(subjectOf(environment, run, true)), scope),
      (span) =>
        attempts.start(run).pipe(
          Effect.zipRight(attempt(run, scope, span.openAttempt)),
          span.within,
          retrying(attempts, run),
          Effect.map((opened) => ({ ...opened, span })),
          Effect.onError(span.failed)
        )
    )

  // 6. An attempt has a time limit up to its first content.
  const attempt = (
    run: Run,
    scope: Scope.Scope,
    spanned: GenAiSpan.GenAiSpan["openAttempt"] = identity
  ): Effect.Effect<Opened, LlmError> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Scope.fork(scope, scope.strategy), (own) =>
        spanned(ask(run)).pipe(
          Scope.extend(own),
          AttemptClock.limited(attempts.limits(run, "firstPart")),
          restore,
          Effect.mapError((error) => attemptFailed(run, error)),
          // Closes the connection before the next attempt.
          Effect.onError((cause) => Scope.close(own, Exit.failCause(cause)))
        ))
    )

  const ask = Effect.fnUntraced(function*(run: Run) {
    const asked = yield* ScopedBudget.enforced(provider)
    const rest = nonEmpty(run, yield* PartFeed.fromStream(asked.stream(run.call.request)))
    const first = yield* rest
    return first === undefined ? yield* ended(run) : { first, rest }
  })

  const ended = ({ answer, call }: Run): LlmError =>
    failure(
      call,
      StreamInterrupted.make({
        message: "the provider's stream ended before the answer did",
        partial: answer.partial() ?? { text: "", parts: [] }
      })
    )

  /** Limits each wait for further parts. */
  const waiting = (run: Run, feed: Feed): Effect.Effect<Feed, never, Scope.Scope> =>
    PartFeed.withWaitLimit(feed, {
      idleTimeout: run.call.settings.idleTimeout,
      deadline: () => run.deadline,
      onTimeout: (phase) => {
        run.call.progress.isStalled = phase === "idle"
        run.isPastDeadline = phase === "total"
        return timedOut(run.call, phase)
      }
    })

  // 7. A whole answer is kept. From here on the parts go to the program: a failure is final.
  const delivered = Effect.fnUntraced(function*(run: Run, { first, rest, span }: Traced) {
    const more = yield* waiting(run, rest)
    const { call } = run
    let pending: Parts | undefined = first
    let finished = false
    let isBroken = false

    // A consumer may leave at any part.
    if (isListening) {
      yield* Effect.addFinalizer(() => Effect.suspend(() => finished || isBroken ? Effect.void : attempts.leave(call)))
    }

    const next: Feed = Effect.suspend(() => {
      if (finished) return Effect.succeed(undefined)
      if (pending === undefined) return Effect.flatMap(more, deliver)
      const parts = pending
      pending = undefined
      return deliver(parts)
    })

    const deliver = (parts: Parts | undefined): Feed => {
      if (parts === undefined) return ended(run)
      const answer = answerIn(parts)
      return answer === undefined
        ? Effect.succeed(parts)
        : finish(Chunk.takeWhile(parts, ({ _tag }) => _tag !== "Finish"), answer)
    }

    const finish = (before: Parts, answer: LlmResponse): Feed =>
      attempts.succeed(run, answer).pipe(
        withinDeadline(call),
        Effect.tap((response) => {
          finished = true
          return span.succeeded(response)
        }),
        Effect.tap((response) => cache.keep(run, response)),
        Effect.map((response) => Chunk.append(before, StreamPart.Finish({ response })))
      )

    const broken = (cause: Cause.Cause<LlmError>): Effect.Effect<never, LlmError> => {
      // A defect is not an interruption, either.
      isBroken = !Cause.isInterruptedOnly(cause)
      return Option.match(Cause.failureOption(cause), { onNone: () => Effect.failCause(cause), onSome: failedWith })
    }

    const failedWith = (failure: LlmError): Effect.Effect<never, LlmError> =>
      Effect.gen(function*() {
        const failed = attemptFailed(run, failure)
        const error = failed.isRetryable
          ? update(failed, { gaveUp: "a part of the answer had been delivered" })
          : failed
        yield* Reports.briefly(attempts.fail(call, { error, willRetry: false, delay: undefined }))
        yield* attempts.giveUp(call, error)
        return yield* error
      })

    return span.watch(Effect.catchAllCause(next, broken))
  })

  /** One attempt to get a whole answer as a stream. The program has not seen a part of it, so it can be retried. */
  const collect = Effect.fnUntraced(
    function*(run: Run) {
      const { first, rest } = yield* attempt(run, yield* Effect.scope)
      const more = yield* waiting(run, rest)
      const toTheEnd = (parts: Parts | undefined): Effect.Effect<LlmResponse, LlmError> => {
        if (parts === undefined) return ended(run)
        const answer = answerIn(parts)
        return answer === undefined ? Effect.flatMap(more, toTheEnd) : Effect.succeed(answer)
      }
      return yield* Effect.mapError(
        toTheEnd(first),
        (error) => error.reason._tag === "StreamInterrupted" ? update(error, { shouldRetry: true }) : error
      )
    },
    Effect.scoped
  )

  return { collect, open, stream }
}
