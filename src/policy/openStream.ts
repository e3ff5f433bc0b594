import * as Channel from "effect/Channel"
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
import type { Admitting } from "./admission.js"

/** A stream whose first parts have come. */
export interface Opened {
  /** All of its parts. */
  readonly parts: Stream.Stream<StreamPart, LlmError>
  /** The answer, if it was whole with its first parts. */
  readonly response: LlmResponse | undefined
  /** Closes the connection before the scope does. */
  readonly close: Effect.Effect<void>
}

/** Opens a provider's stream, in a scope. */
export type Open = (provider: LlmProvider.Service, request: LlmRequest) => Effect.Effect<Opened, LlmError>

/** The stream that was chosen among several opened ones. All are closed at its end. */
export const choose = (
  choice: (open: Open) => Effect.Effect<Opened, LlmError>
): Stream.Stream<StreamPart, LlmError> =>
  Stream.unwrapScopedWith((scope) =>
    Effect.map(choice((provider, request) => open(provider, request, scope)), ({ parts }) => parts)
  )

/**
 * Opens a stream up to its first parts: until then another provider can be asked without loss. A failure or an
 * interruption before that closes it at once.
 */
const open = (
  provider: LlmProvider.Service,
  request: LlmRequest,
  scope: Scope.Scope
): Effect.Effect<Opened, LlmError> =>
  Effect.uninterruptibleMask((restore) => openUninterruptibly(provider, request, scope, restore))

/** `restore` allows interruption while the first parts are on their way. */
const openUninterruptibly = Effect.fnUntraced(function*(
  provider: LlmProvider.Service,
  request: LlmRequest,
  scope: Scope.Scope,
  restore: Admitting["restore"]
) {
  const own = yield* Scope.fork(scope, scope.strategy)
  const parts = Channel.unwrap(Effect.sync(() => Stream.toChannel(provider.stream(request))))
  const pull = yield* Stream.toPull(Stream.fromChannel(parts)).pipe(Scope.extend(own))
  const first = yield* restore(Effect.repeat(pull, { until: Chunk.isNonEmpty })).pipe(
    Effect.mapError(Option.getOrElse(() => ended(provider, request))),
    Effect.onError((cause) => Scope.close(own, Exit.failCause(cause)))
  )
  return {
    parts: Stream.fromChannel(
      Channel.zipRight(Channel.write(first), Stream.toChannel(Stream.repeatEffectChunkOption(pull)))
    ),
    response: Option.getOrUndefined(
      Option.flatMap(
        Chunk.last(first),
        (part) => part._tag === "Finish" ? Option.some(part.response) : Option.none()
      )
    ),
    close: Scope.close(own, Exit.void)
  }
})

/** The failure of a stream that ends without `Finish`. */
export const ended = (provider: LlmProvider.Service, { model }: LlmRequest): LlmError =>
  new LlmError({
    operation: "stream",
    attempts: 1,
    provider: provider.name,
    model,
    reason: StreamInterrupted.make({
      message: "the provider's stream ended before the answer did",
      partial: { text: "", parts: [] }
    })
  })
