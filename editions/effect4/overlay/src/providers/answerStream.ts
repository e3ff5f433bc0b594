// In place of declarations: a stream of Effect 4 is made of its pull, where one of Effect 3 is made of a channel.
import * as PartFeed from "../runtime/partFeed.js"

/** The same, as all that is read of it. */
export const wholeAnswer = (response: LlmResponse): Parts => {
  let left: ReadonlyArray<StreamPart.StreamPart> | undefined = partsOf(response)
  return Effect.sync(() => {
    const parts = left
    left = undefined
    return parts
  })
}

export const response = (parts: Parts): Effect.Effect<LlmResponse, LlmError> =>
  Effect.flatMap(parts, (some) => {
    if (some === undefined) return Effect.die(new Error("The parts of an answer ended without it"))
    const finish = some.find((part) => part._tag === "Finish")
    return finish === undefined ? response(parts) : Effect.succeed(finish.response)
  })

export type Parts = PartFeed.PartFeed<StreamPart.StreamPart, LlmError>

const partsFrom = (source: Source, first: Outcome, step: Effect.Effect<Outcome>): Parts => {
  const after = (step: Outcome): Parts => {
    if (step._tag !== "More") source.over?.()
    next = step._tag === "More"
      ? loop
      : step._tag === "End"
      ? Effect.succeed(undefined)
      : failing(source, step)
    return step.parts.length === 0 ? next : Effect.succeed(step.parts)
  }

  const loop: Parts = Effect.flatMap(step, after)

  let next: Parts = Effect.suspend(() => after(first))

  return Effect.suspend(() => next)
}

export const make = (
  open: Effect.Effect<Parts, LlmError, Scope.Scope>
): Stream.Stream<StreamPart.StreamPart, LlmError> => PartFeed.toStream(open)
