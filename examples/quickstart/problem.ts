import { Cause, Data, Effect, Layer, Predicate } from "effect"
import { wrap } from "./text.js"

/** A reason why the job cannot be done, in a sentence for the person who started it. */
export class Problem extends Data.TaggedError("Problem")<{ readonly message: string }> {}

/** Names the variables that an option comes from, if the provider cannot be made with it. */
export const settingsFrom = (variables: string) => <A, E, R>(provider: Layer.Layer<A, E, R>) =>
  Layer.catchAllCause(provider, (cause): Layer.Layer<A, E | Problem> => {
    const defect = Cause.squash(cause)
    return Predicate.isTagged(defect, "InvalidOption") && defect instanceof Error
      ? Layer.fail(new Problem({ message: `${variables} cannot be used: ${defect.message}.` }))
      : Layer.failCause(cause)
  })

/** Reports a problem as its sentence, without a stack. */
export const reported = <A, E, R>(program: Effect.Effect<A, E, R>) =>
  Effect.tapErrorCause(program, (cause) => {
    if (Cause.isInterruptedOnly(cause)) return Effect.void
    const error = Cause.squash(cause)
    return error instanceof Problem
      ? Effect.sync(() => process.stderr.write(`${wrap(error.message)}\n`))
      : Effect.logError(cause)
  })
