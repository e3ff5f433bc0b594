import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { LlmError, StreamInterrupted } from "../domain/LlmError.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import type { StreamPart } from "../domain/StreamPart.js"
import type * as LlmProvider from "../LlmProvider.js"

/** A stream whose first parts have come. */
export interface Opened {
  /** All of its parts. */
  readonly parts: Stream.Stream<StreamPart, LlmError>
  /** The answer, where it was whole with its first parts. */
  readonly response: LlmResponse | undefined
  /** Closes the connection, which the scope it was opened in would do otherwise. */
  readonly close: Effect.Effect<void>
}

/**
 * Opens a stream as far as its first parts: until then nothing is lost by asking somebody else. What fails or is
 * interrupted before that is closed at once.
 */
export const open = (
  provider: LlmProvider.Service,
  request: LlmRequest,
  scope: Scope.Scope
): Effect.Effect<Opened, LlmError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const own = yield* Scope.fork(scope, scope.strategy)
      const pull = yield* Stream.toPull(Stream.suspend(() => provider.stream(request))).pipe(Scope.extend(own))
      const first = yield* restore(Effect.repeat(pull, { until: Chunk.isNonEmpty })).pipe(
        Effect.mapError(Option.getOrElse(() => ended(provider, request))),
        Effect.onError((cause) => Scope.close(own, Exit.failCause(cause)))
      )
      return {
        parts: Stream.concat(Stream.fromChunk(first), Stream.fromPull(Effect.succeed(pull))),
        response: Option.getOrUndefined(
          Option.flatMap(
            Chunk.last(first),
            (part) => part._tag === "Finish" ? Option.some(part.response) : Option.none()
          )
        ),
        close: Scope.close(own, Exit.void)
      }
    })
  )

const ended = (provider: LlmProvider.Service, { model }: LlmRequest): LlmError =>
  new LlmError({
    operation: "stream",
    attempts: 1,
    provider: provider.name,
    model,
    reason: StreamInterrupted.make({
      message: "the provider's stream ended without an end of the answer",
      partial: { text: "", parts: [] }
    })
  })
