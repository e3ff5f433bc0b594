import * as Effect from "effect/Effect"
import type * as LlmError from "../../domain/LlmError.js"
import type { StreamPart } from "../../domain/StreamPart.js"
import { content, fewTokens, type Requests, withResults } from "./calls.js"
import { answer, decode, deltas, type Entry, expect, finished, make, run, same, streamed, Violation } from "./check.js"

/** A broken stream must fail, and its failure must hold exactly the text of its deltas. */
const expectInterrupted = (
  parts: ReadonlyArray<StreamPart>,
  error: LlmError.LlmError | undefined,
  whole: string
): Effect.Effect<void, Violation> =>
  Effect.gen(function*() {
    if (error === undefined) return yield* new Violation({ expected: "a failure", actual: "a clean end" })
    yield* expect(!parts.some((part) => part._tag === "Finish"), "no Finish", "one")
    const text = deltas(parts)
    yield* expect(whole.startsWith(text), `a prefix of the answer ${JSON.stringify(whole)}`, text)
    // Before the first part, only the attempt is lost.
    if (parts.length === 0) return yield* expect(error.isRetryable, "a failure that can be retried", error.message)
    const { reason } = error
    if (reason._tag !== "StreamInterrupted") {
      return yield* new Violation({ expected: "StreamInterrupted", actual: error.message })
    }
    yield* same("partial.text", reason.partial.text, text)
    yield* expect(!error.isRetryable, "a failure that is not retried, after the first part", "isRetryable")
  })

export const streams = ({ text, tool }: Requests): ReadonlyArray<Entry> => [
  make("stream: gives its text in deltas, and exactly one Finish, last", {}, (subject) =>
    Effect.gen(function*() {
      const received = yield* streamed(subject, text)
      const response = yield* finished(received)
      yield* expect(response.text.trim() !== "", "a text", response.text)
      yield* same("the joined deltas", deltas(received.parts), response.text)
      yield* same("finishReason", response.finishReason, "stop")
      yield* same("provider", response.provider, subject.provider.name)
    })),

  make("stream: reports its usage", { capability: "usage" }, (subject) =>
    Effect.gen(function*() {
      const { usage } = yield* finished(yield* streamed(subject, text))
      yield* expect((usage.inputTokens ?? 0) > 0 && (usage.outputTokens ?? 0) > 0, "tokens in and out", usage)
    })),

  make(
    "stream: sends its request once for each run, and none before",
    { counts: true },
    (subject) =>
      Effect.gen(function*() {
        const { received } = subject.harness
        const before = yield* received
        const stream = subject.provider.stream(yield* decode(text))
        yield* same("the requests sent before the stream is run", (yield* received) - before, 0)
        yield* finished(yield* run(stream))
        yield* finished(yield* run(stream))
        yield* same("the requests sent by two runs", (yield* received) - before, 2)
      })
  ),

  make(
    "stream: gives the answer that call gives",
    { capability: "deterministic" },
    (subject) =>
      Effect.gen(function*() {
        for (const input of [text, { ...text, maxTokens: fewTokens }]) {
          const called = yield* answer(subject, input)
          const response = yield* finished(yield* streamed(subject, input))
          yield* same("the streamed answer", content(response), content(called))
        }
      })
  ),

  make(
    "stream: a tool call starts, grows and ends with parsed arguments",
    { capability: "tools" },
    (subject) =>
      Effect.gen(function*() {
        const received = yield* streamed(subject, tool)
        const response = yield* finished(received)
        const [call] = response.toolCalls
        if (call === undefined) return yield* new Violation({ expected: "a tool call", actual: "none" })
        const own = received.parts.filter((part) => "id" in part && part.id === call.id)
        yield* same("its first part", own.at(0)?._tag, "ToolCallStart")
        yield* same("its last part", own.at(-1), {
          _tag: "ToolCallEnd",
          id: call.id,
          name: call.name,
          arguments: call.arguments
        })
        const json = own.map((part) => part._tag === "ToolCallDelta" ? part.delta : "").join("")
        const parsed = yield* Effect.try({
          try: (): unknown => json === "" ? {} : JSON.parse(json),
          catch: () => new Violation({ expected: "deltas that join to JSON", actual: json })
        })
        yield* same("the joined deltas", parsed, call.arguments)
      })
  ),

  make(
    "stream: takes the result of a streamed tool call, and streams the answer to it",
    { capability: "tools" },
    (subject) =>
      Effect.gen(function*() {
        const request = yield* decode(tool)
        const called = yield* finished(yield* streamed(subject, tool))
        yield* same("finishReason", called.finishReason, "tool_calls")
        if (called.toolCalls.length === 0) return yield* new Violation({ expected: "a tool call", actual: "none" })
        const response = yield* finished(yield* streamed(subject, withResults(request, called)))
        yield* expect(response.parts.length > 0, "an answer to the tool's result", response.parts)
      })
  ),

  make("stream: a connection that breaks is StreamInterrupted, with the parts so far", {
    situation: "cutStream",
    capability: "deterministic"
  }, (subject) =>
    Effect.gen(function*() {
      yield* subject.harness.provoke("healthy")
      const whole = yield* answer(subject, text)
      yield* subject.harness.provoke("cutStream")
      const { error, parts } = yield* streamed(subject, text)
      yield* expectInterrupted(parts, error, whole.text)
    })),

  make("stream: an end without the protocol's end is StreamInterrupted", {
    situation: "endlessStream",
    capability: "deterministic"
  }, (subject) =>
    Effect.gen(function*() {
      yield* subject.harness.provoke("healthy")
      const whole = yield* answer(subject, text)
      yield* subject.harness.provoke("endlessStream")
      const { error, parts } = yield* streamed(subject, text)
      yield* expectInterrupted(parts, error, whole.text)
    })),

  make(
    "stream: an error in the middle is a failure, and never a clean end",
    { situation: "errorInStream" },
    (subject) =>
      Effect.gen(function*() {
        const { error, parts } = yield* streamed(subject, text)
        if (error === undefined) return yield* new Violation({ expected: "a failure", actual: "a clean end" })
        yield* expect(!parts.some((part) => part._tag === "Finish"), "no Finish", "one")
        yield* expect(error.reason._tag === "ServerFailed", "the reason ServerFailed", error.message)
      })
  )
]
