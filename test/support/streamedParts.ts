import * as LlmError from "effect-llm/LlmError"
import * as Message from "effect-llm/Message"
import * as StreamPart from "effect-llm/StreamPart"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { respond } from "./samples.js"

const decoder = new TextDecoder()

const { Finish, ReasoningDelta, TextDelta, ToolCallDelta, ToolCallEnd, ToolCallStart } = StreamPart

export const response = respond("Elbe", {
  latency: Duration.millis(1234),
  providerMetadata: { note: "line\nbreak" },
  parts: [
    Message.Text.make({ text: "Elbe" }),
    Message.ToolCall.make({ id: "1", name: "f", arguments: { a: [null, "ü\u2028"] } })
  ]
})

/** A part of each kind. */
export const parts: ReadonlyArray<StreamPart.StreamPart> = [
  ReasoningDelta({ text: "hm\r\n" }),
  TextDelta({ text: "El" }),
  TextDelta({ text: "be\n\ndata: x" }),
  TextDelta({ text: "" }),
  ToolCallStart({ id: "1", name: "f" }),
  ToolCallDelta({ id: "1", delta: "{\"a\":" }),
  ToolCallEnd({ id: "1", name: "f", arguments: { a: [null, "ü\u2028"] } }),
  Finish({ response })
]

export type Parts = Stream.Stream<StreamPart.StreamPart, LlmError.LlmError>

export const collect = <A, E, R>(stream: Stream.Stream<A, E, R>) =>
  Effect.map(Stream.runCollect(stream), Chunk.toReadonlyArray)

/** What a stream gave, and how it ended. */
export const watched = Effect.fnUntraced(function*<E, R>(stream: Stream.Stream<StreamPart.StreamPart, E, R>) {
  const seen: Array<StreamPart.StreamPart> = []
  const exit = yield* Effect.exit(Stream.runForEach(stream, (part) => Effect.sync(() => seen.push(part))))
  return { seen, exit }
})

export const textOf = (bytes: ReadonlyArray<Uint8Array>): string => bytes.map((each) => decoder.decode(each)).join("")

/** The failure of a stream that broke off. */
export const interrupted = (partial: string) =>
  new LlmError.LlmError({
    operation: "stream",
    attempts: 2,
    provider: "openai",
    model: "gpt-4o-mini",
    requestId: "req_1",
    gaveUp: "a part of the answer had been delivered",
    reason: LlmError.StreamInterrupted.make({
      partial: { text: partial, parts: [Message.Text.make({ text: partial })], usage: { inputTokens: 3 } }
    })
  })

const lines = (bytes: ReadonlyArray<Uint8Array>) => textOf(bytes).split("\n")

/** The ids of the events in a body. */
export const idsIn = (bytes: ReadonlyArray<Uint8Array>) =>
  lines(bytes).flatMap((line) => line.startsWith("id: ") ? [line.slice(4)] : [])
