import { assert, describe, it } from "@effect/vitest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as Ollama from "effect-llm/Ollama"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as FakeHttp from "../../support/fakeHttp.js"

const request = { model: "m", prompt: "Name three rivers." } as const

type Fields = { readonly [field: string]: unknown }

const lines = (values: ReadonlyArray<unknown>): string => values.map((value) => `${JSON.stringify(value)}\n`).join("")

const ndjson = (
  chunks: ReadonlyArray<string | Uint8Array>,
  end: "close" | "cut" | "open" = "close"
): Response => FakeHttp.streaming(chunks, { end, contentType: "application/x-ndjson" })

/** Streams one answer after the other, from one provider. */
const streams = Effect.gen(function*() {
  const answers: Array<Response> = []
  const { stream } = yield* FakeHttp.provider(Ollama.layer(), () => Effect.sync(() => answers.pop()!))
  return (answer: Response) => {
    answers.push(answer)
    return stream(request)
  }
})

const streamed = (answer: Response) => Effect.flatMap(streams, (stream) => stream(answer))

const streamedLines = (values: ReadonlyArray<unknown>) => streamed(ndjson([lines(values)]))

const called = (body: unknown) =>
  Effect.flatMap(FakeHttp.provider(Ollama.layer(), FakeHttp.json(body)), ({ call }) => call(request))

const line = (message: Fields) => ({ model: "m", message: { role: "assistant", content: "", ...message }, done: false })

const last = (fields: Fields = {}) => ({
  model: "m",
  message: { role: "assistant", content: "" },
  done: true,
  done_reason: "stop",
  total_duration: 5_043_500_667,
  prompt_eval_count: 26,
  eval_count: 12,
  ...fields
})

const call = { id: "call_9", function: { index: 0, name: "f", arguments: { a: 1 } } }

describe("Ollama", () => {
  describe("a stream", () => {
    it.effect("is asked for with the same body as a call, but for one field", () =>
      Effect.gen(function*() {
        const { sent, stream } = yield* FakeHttp.provider(Ollama.layer(), ndjson([lines([last()])]))
        FakeHttp.finished(yield* stream(request))
        assert.strictEqual(sent[0]?.url, "http://127.0.0.1:11434/api/chat")
        assert.deepStrictEqual(sent[0]?.body, {
          model: "m",
          messages: [{ role: "user", content: "Name three rivers." }],
          truncate: false,
          stream: true,
          options: { temperature: 0 }
        })
      }))

    it.effect("gives thoughts, text and whole calls as they come, and then the whole answer", () =>
      Effect.gen(function*() {
        const answer = yield* streamedLines([
          line({ thinking: "t" }),
          line({ content: "Hi", tool_calls: [call] }),
          line({ tool_calls: [{ function: { name: "g", arguments: {} } }] }),
          last()
        ])
        const response = FakeHttp.finished(answer)
        assert.deepStrictEqual(answer.parts.slice(0, -1), [
          { _tag: "ReasoningDelta", text: "t" },
          { _tag: "TextDelta", text: "Hi" },
          { _tag: "ToolCallStart", id: "call_9", name: "f" },
          { _tag: "ToolCallDelta", id: "call_9", delta: "{\"a\":1}" },
          { _tag: "ToolCallEnd", id: "call_9", name: "f", arguments: { a: 1 } },
          { _tag: "ToolCallStart", id: "call_0", name: "g" },
          { _tag: "ToolCallDelta", id: "call_0", delta: "{}" },
          { _tag: "ToolCallEnd", id: "call_0", name: "g", arguments: {} }
        ])
        assert.deepStrictEqual(response.parts, [
          Message.Reasoning.make({ text: "t", provider: "ollama" }),
          Message.Text.make({ text: "Hi" }),
          Message.ToolCall.make({ id: "call_9", name: "f", arguments: { a: 1 } }),
          Message.ToolCall.make({ id: "call_0", name: "g", arguments: {} })
        ])
        assert.strictEqual(response.finishReason, "tool_calls")
        assert.deepStrictEqual(response.usage, { inputTokens: 26, outputTokens: 12 })
        assert.deepStrictEqual(response.providerMetadata, { total_duration: 5_043_500_667 })
      }))

    it.effect("ends with its last line: with or without an end of the line, a message, a reason, or more after it", () =>
      Effect.gen(function*() {
        const text = lines([line({ content: "Elbe" })])
        for (const end of [last(), last({ message: undefined, done_reason: undefined })]) {
          for (const after of ["", "\n", "\r\n\n", "\n{\"garbage", "\n{\"error\":\"too late\"}\n"]) {
            const response = FakeHttp.finished(yield* streamed(ndjson([`\n${text}${JSON.stringify(end)}${after}`])))
            assert.strictEqual(response.text, "Elbe")
            assert.strictEqual(response.finishReason, "stop")
          }
        }
      }))

    it.effect("need not close: its last line is its end", () =>
      Effect.gen(function*() {
        const answer = yield* streamed(ndjson([lines([line({ content: "Elbe" }), last()])], "open"))
        assert.strictEqual(FakeHttp.finished(answer).text, "Elbe")
      }))

    it.effect("may be cut by the token limit, and leaves unknown what it does not count", () =>
      Effect.gen(function*() {
        const response = FakeHttp.finished(
          yield* streamedLines([
            line({ content: "El" }),
            last({ done_reason: "length", prompt_eval_count: undefined })
          ])
        )
        assert.strictEqual(response.finishReason, "length")
        assert.deepStrictEqual(response.usage, { outputTokens: 12 })
      }))

    const piece = FastCheck.oneof(
      FastCheck.string().map((thinking): Fields => ({ thinking })),
      FastCheck.string().map((content): Fields => ({ content })),
      FastCheck.string().map((text): Fields => ({ tool_calls: [{ function: { name: "f", arguments: { text } } }] }))
    )

    const joined = (pieces: ReadonlyArray<Fields>, field: string): string =>
      pieces.map((piece) => piece[field] ?? "").join("")

    it.effect.prop(
      "is the same answer as a call, however it is divided",
      [FastCheck.array(piece, { maxLength: 6 }), FastCheck.integer({ min: 1, max: 40 })],
      ([pieces, size]) =>
        Effect.gen(function*() {
          const message = {
            role: "assistant",
            content: joined(pieces, "content"),
            thinking: joined(pieces, "thinking"),
            tool_calls: pieces.flatMap(({ tool_calls }) => tool_calls ?? [])
          }
          const expected = LlmResponse.withoutRaw(yield* called(last({ message })))
          const bytes = FakeHttp.bytes(lines([...pieces.map(line), last()]))
          const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
            bytes.subarray(n * size, (n + 1) * size))
          assert.deepStrictEqual(FakeHttp.finished(yield* streamed(ndjson(chunks))), expected)
        }),
      { fastCheck: { numRuns: 40 } }
    )
  })

  describe("a stream that breaks off", () => {
    const bytes = FakeHttp.bytes(lines([
      { message: { content: "Hel" } },
      { message: { tool_calls: [{ function: { name: "f" } }], content: "lo 😊" } },
      { done: true }
    ]))
    const text = "Hello 😊"

    it.effect("anywhere is never a success, and what came before is the beginning of the answer", () =>
      Effect.gen(function*() {
        const stream = yield* streams
        // The last line is whole without its end.
        for (let length = 0; length < bytes.length - "\n".length; length++) {
          for (const end of length % 7 === 0 ? ["close", "cut"] as const : ["close"] as const) {
            const answer = yield* stream(ndjson([bytes.subarray(0, length)], end))
            assert.isDefined(answer.error, `success after ${length} of ${bytes.length} bytes, ${end}`)
            assert.isTrue(text.startsWith(FakeHttp.textOf(answer)))
            if (answer.parts.length > 0) {
              const { partial } = FakeHttp.reasonOf(answer.error, "StreamInterrupted")
              assert.strictEqual(partial.text, FakeHttp.textOf(answer))
              assert.isFalse(answer.error?.isRetryable)
            } else assert.isTrue(answer.error?.isRetryable, `not to be tried again after ${length} bytes, ${end}`)
          }
        }
      }))

    it.effect("between two lines keeps all that came", () =>
      Effect.gen(function*() {
        const answer = yield* streamedLines([line({ thinking: "t" }), line({ content: "Hi", tool_calls: [call] })])
        const { partial } = FakeHttp.reasonOf(answer.error, "StreamInterrupted")
        assert.strictEqual(partial.text, "Hi")
        assert.deepStrictEqual(partial.parts.map((part) => part._tag), ["Reasoning", "Text", "ToolCall"])
        assert.isUndefined(partial.usage)
      }))

    it.effect("by its connection before any content fails as the connection did", () =>
      Effect.gen(function*() {
        const answer = yield* streamed(ndjson([lines([line({})])], "cut"))
        FakeHttp.reasonOf(answer.error, "NetworkFailed")
        assert.deepStrictEqual(answer.parts, [])
      }))
  })

  describe("a stream that says that it failed", () => {
    it.effect("fails so, also after some content", () =>
      Effect.gen(function*() {
        const cases = [
          ["an error was encountered while running the model: CUDA error", "ServerFailed"],
          ["the input length exceeds the context length", "ContextLengthExceeded"]
        ] as const
        for (const [error, tag] of cases) {
          for (const before of [[], [line({ content: "Elbe" })]]) {
            const answer = yield* streamedLines([...before, { error }])
            assert.strictEqual(FakeHttp.reasonOf(answer.error, tag).message, error)
            assert.strictEqual(FakeHttp.textOf(answer), before.length === 0 ? "" : "Elbe")
          }
        }
      }))

    it.effect("by its status fails so", () =>
      Effect.gen(function*() {
        const answer = yield* streamed(FakeHttp.json({ error: "model \"m\" not found" }, { status: 404 }))
        FakeHttp.reasonOf(answer.error, "ModelNotFound")
      }))

    it.effect("is one that is not of lines of JSON", () =>
      Effect.gen(function*() {
        for (const body of ["<html></html>", "", "\n\n", "data: {}\n"]) {
          const answer = yield* streamed(ndjson([body]))
          FakeHttp.reasonOf(answer.error, "MalformedResponse")
        }
      }))
  })
})
