// In place of declarations: a channel of Effect 4 has no `readWithCause`; a stream is made of its pull.
import * as Arr from "effect/Array"
import * as PartFeed from "../runtime/partFeed.js"

export const make = ({ admit, ended, open }: Options): Stream.Stream<StreamPart.StreamPart, LlmError> =>
  PartFeed.toStream(Effect.gen(function*() {
    let settle: Settle = () => Effect.void
    // Only a stream that was closed before its end is not settled yet.
    yield* Effect.addFinalizer(() => Effect.flatMap(Effect.fiberId, (fiberId) => settle(() => Exit.interrupt(fiberId))))
    const admission = yield* Effect.uninterruptibleMask((restore) =>
      Effect.map(admit(restore), (admission) => {
        settle = once(admission)
        return admission
      })
    )
    return settling(admission, yield* PartFeed.fromStream(partsOf(admission, open)), settle, ended)
  }))

const partsOf = ({ attempt, begin = Effect.void }: Admission, open: Options["open"]) => {
  const parts = Stream.unwrap(Effect.andThen(begin, open))
  return attempt === undefined ? parts : Stream.provideService(parts, LlmProvider.CurrentAttempt, attempt)
}

type Parts = ReadonlyArray<StreamPart.StreamPart>

const settling = (
  { mapResponse = Effect.succeed }: Admission,
  feed: PartFeed.PartFeed<StreamPart.StreamPart, LlmError>,
  settle: Settle,
  ended: () => LlmError
): PartFeed.PartFeed<StreamPart.StreamPart, LlmError> => {
  const finish = (parts: Parts, response: LlmResponse): Effect.Effect<Parts> =>
    Effect.map(
      Effect.onExit(mapResponse(response), (exit) => settle(() => exit)),
      (mapped) =>
        mapped === response ? parts : Arr.append(Arr.dropRight(parts, 1), StreamPart.Finish({ response: mapped }))
    )

  return Effect.matchCauseEffect(feed, {
    onFailure: (cause) => Effect.andThen(settle(() => Exit.failCause(cause)), Effect.failCause(cause)),
    onSuccess: (parts) => {
      // After `Finish` there is nothing left to settle.
      if (parts === undefined) return Effect.as(settle(() => Exit.fail(ended())), undefined)
      const last = Option.getOrUndefined(Arr.last(parts))
      return last?._tag === "Finish" ? finish(parts, last.response) : Effect.succeed(parts)
    }
  })
}
