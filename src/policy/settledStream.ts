import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { LlmError } from "../domain/LlmError.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import * as StreamPart from "../domain/StreamPart.js"
import * as LlmProvider from "../LlmProvider.js"
import type { Admission, Admitting } from "./admission.js"

/** The parts of a stream that a policy lets in. */
interface Options {
  readonly admit: (restore: Admitting["restore"]) => Effect.Effect<Admission, LlmError>
  /** Makes the provider's stream. */
  readonly open: Effect.Effect<Stream.Stream<StreamPart.StreamPart, LlmError>>
  /** The failure of a stream that ends without `Finish`. */
  readonly ended: () => LlmError
}

type Settle = (exit: () => Exit.Exit<LlmResponse, LlmError>) => Effect.Effect<void>

/**
 * A stream that is admitted when it is run, and settled by its end: a single stage, which lets all chunks pass untouched
 * but the one with `Finish`.
 */
export const make = ({ admit, ended, open }: Options): Stream.Stream<StreamPart.StreamPart, LlmError> =>
  Stream.fromChannel(Channel.suspend(() => {
    let settle: Settle = () => Effect.void
    const admitted = Effect.uninterruptibleMask((restore) =>
      Effect.map(admit(restore), (admission) => {
        settle = once(admission)
        return admission
      })
    )
    return Channel.fromEffect(admitted).pipe(
      Channel.flatMap((admission) => Channel.pipeTo(partsOf(admission, open), settling(admission, settle, ended))),
      // Only a stream that was closed before its end is not settled yet.
      Channel.ensuring(Effect.flatMap(Effect.fiberId, (fiberId) => settle(() => Exit.interrupt(fiberId))))
    )
  }))

/** Settles an admission the first time that it is asked to. */
const once = (admission: Admission): Settle => {
  let settled = false
  return (exit) =>
    Effect.uninterruptible(Effect.suspend(() => {
      if (settled) return Effect.void
      settled = true
      return admission.settle(exit())
    }))
}

const partsOf = ({ attempt, begin = Effect.void }: Admission, open: Options["open"]) => {
  const parts = Channel.unwrap(Effect.zipRight(begin, Effect.map(open, Stream.toChannel)))
  return attempt === undefined ? parts : Channel.provideService(parts, LlmProvider.CurrentAttempt, attempt)
}

type Parts = Chunk.Chunk<StreamPart.StreamPart>

const settling = ({ mapResponse = Effect.succeed }: Admission, settle: Settle, ended: () => LlmError) => {
  const finish = (parts: Parts, response: LlmResponse): Effect.Effect<Parts> =>
    Effect.map(
      Effect.onExit(mapResponse(response), (exit) => settle(() => exit)),
      (mapped) =>
        mapped === response ? parts : Chunk.append(Chunk.dropRight(parts, 1), StreamPart.Finish({ response: mapped }))
    )

  const next: Channel.Channel<Parts, Parts, LlmError, LlmError, unknown, unknown> = Channel.readWithCause({
    onInput: (parts: Parts) => {
      const last = Option.getOrUndefined(Chunk.last(parts))
      const written = last?._tag === "Finish"
        ? Channel.flatMap(Channel.fromEffect(finish(parts, last.response)), Channel.write)
        : Channel.write(parts)
      return Channel.flatMap(written, () => next)
    },
    onFailure: (cause) =>
      Channel.fromEffect(Effect.zipRight(settle(() => Exit.failCause(cause)), Effect.failCause(cause))),
    // After `Finish` there is nothing left to settle.
    onDone: () => Channel.fromEffect(settle(() => Exit.fail(ended())))
  })
  return next
}
