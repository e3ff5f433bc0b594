import { assert } from "@effect/vitest"
import type * as LlmError from "effect-llm/LlmError"
import type * as LlmResponse from "effect-llm/LlmResponse"
import type * as StreamPart from "effect-llm/StreamPart"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { valueOf } from "./exits.js"
import { within } from "./testClock.js"

/** The parts of a stream, the time of each in milliseconds of the Clock, and its exit. */
export interface Seen {
  readonly parts: ReadonlyArray<StreamPart.StreamPart>
  readonly times: ReadonlyArray<number>
  readonly exit: Exit.Exit<void, LlmError.LlmError>
}

/** Consumes a stream to its end, also one that fails. */
export const seen = <R>(
  stream: Stream.Stream<StreamPart.StreamPart, LlmError.LlmError, R>
): Effect.Effect<Seen, never, R> =>
  Effect.gen(function*() {
    const parts: Array<StreamPart.StreamPart> = []
    const times: Array<number> = []
    const exit = yield* Effect.exit(Stream.runForEach(stream, (part) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        parts.push(part)
        times.push(now)
      })))
    return { parts, times, exit }
  })

/** Consumes a stream in that much time of the test's clock; a defect if it has not ended by then. */
export const seenWithin = <R>(
  duration: Duration.DurationInput,
  stream: Stream.Stream<StreamPart.StreamPart, LlmError.LlmError, R>
): Effect.Effect<Seen, never, R> => Effect.map(within(duration)(seen(stream)), valueOf)

/** Each part in a word: its text, or else its tag. */
export const wordsOf = ({ parts }: Pick<Seen, "parts">): ReadonlyArray<string> =>
  parts.map((part) => part._tag === "TextDelta" ? part.text : part._tag)

/** The whole answer at the end of a stream: of exactly one `Finish`, which is last. */
export const finishOf = ({ exit, parts }: Seen): LlmResponse.LlmResponse => {
  valueOf(exit)
  assert.strictEqual(parts.filter(({ _tag }) => _tag === "Finish").length, 1, "the number of Finish parts")
  const last = parts.at(-1)
  assert(last?._tag === "Finish", "Finish is the last part")
  return last.response
}
