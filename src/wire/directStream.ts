import type * as Chunk from "effect/Chunk"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { LlmError } from "../domain/LlmError.js"
import type { StreamPart } from "../domain/StreamPart.js"
import type { Feed } from "../runtime/feed.js"

/** The parts of an answer as they come; `undefined` after the last. To tell a failure may take an effect. */
export type Parts = Feed<Exit.Exit<Chunk.Chunk<StreamPart> | undefined, LlmError> | Effect.Effect<never, LlmError>>

/** Begins an answer, which the scope ends. */
type Open = Effect.Effect<Parts, LlmError, Scope.Scope>

type Answer = Stream.Stream<StreamPart, LlmError>

const openOf = new WeakMap<Answer, Open>()

/**
 * How to have a stream's parts without running it as a stream, which costs more than to decode them. It goes with the
 * stream itself: one that a policy makes of it is another one, and run as it is.
 */
export const set = (stream: Answer, open: Open): Answer => {
  openOf.set(stream, open)
  return stream
}

/** How to have a stream's parts without it, where it is known. */
export const openerOf = (stream: Answer): Open | undefined => openOf.get(stream)
