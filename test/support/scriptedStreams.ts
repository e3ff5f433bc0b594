import { assert } from "@effect/vitest"
import * as LlmError from "effect-llm/LlmError"
import type * as LlmEvent from "effect-llm/LlmEvent"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as StreamPart from "effect-llm/StreamPart"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { valueOf } from "./exits.js"
import { within } from "./testClock.js"

// ---------------------------------------------------------------------------------------------------------------------
// What a provider streams
// ---------------------------------------------------------------------------------------------------------------------

export type Streamed = Stream.Stream<StreamPart.StreamPart, LlmError.LlmError>

/** A piece of text, a wait in milliseconds, a failure, the whole answer at the end, or any other parts in one chunk. */
export type Step =
  | string
  | number
  | LlmError.LlmError
  | LlmResponse.LlmResponse
  | ReadonlyArray<StreamPart.StreamPart>

const parts = (parts: ReadonlyArray<StreamPart.StreamPart>): Streamed =>
  // `Stream.fromIterable` would leave an empty chunk out.
  Stream.fromChannel(Channel.write(Chunk.fromIterable(parts)))

const ofStep = (step: Step): Streamed => {
  if (typeof step === "string") return parts([StreamPart.TextDelta({ text: step })])
  if (typeof step === "number") return Stream.drain(Stream.fromEffect(Effect.sleep(step)))
  if (LlmError.isLlmError(step)) return Stream.fail(step)
  return parts(step instanceof LlmResponse.LlmResponse ? [StreamPart.Finish({ response: step })] : step)
}

/** A stream that does one step after another, and then ends. */
export const steps = (...steps: ReadonlyArray<Step>): Streamed =>
  Stream.concatAll(Chunk.fromIterable(steps.map(ofStep)))

/** A chunk without parts: what a provider may give for a comment. */
export const nothing: Step = []

/** A script that answers each stream in turn, and no call. */
export const streams = (...all: ReadonlyArray<Streamed>): LlmTest.Script =>
  all.map((stream) => LlmTest.repeat(everyStream(() => stream), 1))

/** A step that answers every stream, by its number from 1, and no call. */
export const everyStream = (stream: (n: number) => Streamed): LlmTest.Step =>
  LlmTest.when({ operation: "stream" }, (_, n) => LlmTest.streamExactly(stream(n)))

// ---------------------------------------------------------------------------------------------------------------------
// What a consumer sees
// ---------------------------------------------------------------------------------------------------------------------

/** What came of a stream: its parts, when each came in milliseconds of the Clock, and how it ended. */
export interface Seen {
  readonly parts: ReadonlyArray<StreamPart.StreamPart>
  readonly times: ReadonlyArray<number>
  readonly exit: Exit.Exit<void, LlmError.LlmError>
}

/** Consumes a stream to its end, whatever that is. */
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

/** What comes of a stream within that much time of the test's clock; a defect if it has not ended by then. */
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

/** The events in lines, without those of the cache. */
export const callLines = (events: ReadonlyArray<LlmEvent.LlmEvent>): ReadonlyArray<string> =>
  events.filter(({ _tag }) => _tag !== "CacheMiss" && _tag !== "CacheHit").map(LlmTest.eventLine)
