import * as LlmError from "effect-llm/LlmError"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as StreamPart from "effect-llm/StreamPart"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

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
