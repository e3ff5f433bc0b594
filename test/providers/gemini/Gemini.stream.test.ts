import { assert, describe, it } from "@effect/vitest"
import * as Gemini from "effect-llm/Gemini"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Redacted from "effect/Redacted"
import * as FakeHttp from "../../support/fakeHttp.js"

const layer = Gemini.layer({ apiKey: Redacted.make("AIzaTestKey0123456789") })

const request = { model: "gemini-2.5-flash", prompt: "Name three rivers." } as const

/** Events as this service writes them. */
const events = (chunks: ReadonlyArray<unknown>): string =>
  chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\r\n\r\n`).join("")

/** Streams one answer after the other, from one provider. */
const streams = Effect.gen(function*() {
  const answers: Array<Response> = []
  const { stream } = yield* FakeHttp.provider(layer, () => Effect.sync(() => answers.pop()!))
  return (answer: Response) => {
    answers.push(answer)
    return stream(request)
  }
})

const streamed = (answer: Response) => Effect.flatMap(streams, (stream) => stream(answer))

const streamedChunks = (chunks: ReadonlyArray<unknown>) => streamed(FakeHttp.streaming([events(chunks)]))

const called = (body: unknown) =>
  Effect.flatMap(FakeHttp.provider(layer, FakeHttp.json(body)), ({ call }) => call(request))

type Part = { readonly [field: string]: unknown }

const chunk = (parts: ReadonlyArray<Part>, candidate: Part = {}) => ({
  candidates: [{ content: { role: "model", parts }, index: 0, ...candidate }],
  modelVersion: "g",
  responseId: "r1"
})

const overloaded = { error: { code: 503, message: "The model is overloaded.", status: "UNAVAILABLE" } }

/** Text, then a call; the counts grow. */
const recorded = [
  {
    candidates: [{ content: { role: "model", parts: [{ text: "Hel", thought: false }] }, index: 0 }],
    usageMetadata: { promptTokenCount: 9, totalTokenCount: 9 },
    modelVersion: "g",
    responseId: "r1"
  },
  {
    candidates: [{
      content: {
        role: "model",
        parts: [{ text: "lo 😊" }, { functionCall: { name: "f", args: { a: 1 } }, thoughtSignature: "AA==" }]
      },
      finishReason: "STOP",
      index: 0
    }],
    usageMetadata: {
      promptTokenCount: 9,
      cachedContentTokenCount: 2,
      candidatesTokenCount: 5,
      thoughtsTokenCount: 3,
      totalTokenCount: 17
    },
    modelVersion: "g",
    responseId: "r1"
  }
]

describe("Gemini", () => {
  describe("a stream", () => {
    it.effect("is asked for at an address of its own, with the same body as a call", () =>
      Effect.gen(function*() {
        const { sent, stream } = yield* FakeHttp.provider(layer, FakeHttp.streaming([events(recorded)]))
        FakeHttp.finished(yield* stream({ ...request, model: "models/gemini-2.5-flash", maxTokens: 10 }))
        assert.strictEqual(
          sent[0]?.url,
          "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
        )
        assert.deepStrictEqual(sent[0]?.body, {
          contents: [{ role: "user", parts: [{ text: "Name three rivers." }] }],
          generationConfig: { temperature: 0, maxOutputTokens: 10 }
        })
      }))

    it.effect("gives text and whole calls as they come, and then the whole answer", () =>
      Effect.gen(function*() {
        const answer = yield* streamedChunks(recorded)
        const response = FakeHttp.finished(answer)
        assert.deepStrictEqual(answer.parts.slice(0, -1), [
          { _tag: "TextDelta", text: "Hel" },
          { _tag: "TextDelta", text: "lo 😊" },
          { _tag: "ToolCallStart", id: "local_call_0", name: "f" },
          { _tag: "ToolCallDelta", id: "local_call_0", delta: "{\"a\":1}" },
          { _tag: "ToolCallEnd", id: "local_call_0", name: "f", arguments: { a: 1 } }
        ])
        assert.deepStrictEqual(response.parts, [
          Message.Text.make({ text: "Hello 😊" }),
          Message.ToolCall.make({ id: "local_call_0", name: "f", arguments: { a: 1 }, signature: "AA==" })
        ])
        assert.strictEqual(response.finishReason, "tool_calls")
        assert.deepStrictEqual(response.usage, {
          inputTokens: 9,
          cachedInputTokens: 2,
          outputTokens: 8,
          reasoningTokens: 3
        })
        assert.strictEqual(response.model, "g")
        assert.strictEqual(response.id, "r1")
      }))

    it.effect("gives thoughts apart from text", () =>
      Effect.gen(function*() {
        const answer = yield* streamedChunks([
          chunk([{ text: "I thi", thought: true }]),
          chunk([{ text: "nk.", thought: true }]),
          chunk([{ text: "Elbe" }], { finishReason: "STOP" })
        ])
        assert.deepStrictEqual(answer.parts.slice(0, -1), [
          { _tag: "ReasoningDelta", text: "I thi" },
          { _tag: "ReasoningDelta", text: "nk." },
          { _tag: "TextDelta", text: "Elbe" }
        ])
        assert.deepStrictEqual(FakeHttp.finished(answer).parts, [
          Message.Reasoning.make({ text: "I think.", provider: "gemini" }),
          Message.Text.make({ text: "Elbe" })
        ])
      }))

    it.effect("keeps a signature that comes with an empty piece of text", () =>
      Effect.gen(function*() {
        const response = FakeHttp.finished(
          yield* streamedChunks([
            chunk([{ text: "El" }]),
            chunk([{ text: "be" }]),
            chunk([{ text: "", thoughtSignature: "s==" }], { finishReason: "STOP" })
          ])
        )
        assert.deepStrictEqual(response.parts, [Message.Text.make({ text: "Elbe", signature: "s==" })])
      }))

    it.effect("goes on after its finish reason until it ends: the usage may come last", () =>
      Effect.gen(function*() {
        const response = FakeHttp.finished(
          yield* streamedChunks([
            chunk([{ text: "El" }], { finishReason: "STOP" }),
            chunk([{ text: "be" }], { finishReason: "MAX_TOKENS" }),
            { candidates: [], usageMetadata: { promptTokenCount: 4, candidatesTokenCount: 2 } },
            { usageMetadata: { promptTokenCount: 4, candidatesTokenCount: null } }
          ])
        )
        assert.strictEqual(response.text, "Elbe")
        assert.strictEqual(response.finishReason, "length")
        assert.deepStrictEqual(response.usage, { inputTokens: 4, outputTokens: 2 })
      }))

    it.effect("may end without any content", () =>
      Effect.gen(function*() {
        const answer = yield* streamedChunks([{ candidates: [{ finishReason: "MAX_TOKENS", index: 0 }] }])
        const response = FakeHttp.finished(answer)
        assert.strictEqual(answer.parts.length, 1)
        assert.strictEqual(response.finishReason, "length")
        assert.strictEqual(response.text, "")
      }))

    it.effect("takes what proxies add: comments, names of events, unknown fields, [DONE], a missing last line break", () =>
      Effect.gen(function*() {
        const body =
          `: hello\n\nevent: message\ndata: ${JSON.stringify({ ...chunk([{ text: "Elbe" }]), extra: 1 })}\n\n` +
          `data: {"something":"else"}\n\ndata: ${JSON.stringify(chunk([], { finishReason: "STOP" }))}`
        for (const end of ["", "\n\n", "\n\ndata: [DONE]\n\n"]) {
          assert.strictEqual(FakeHttp.finished(yield* streamed(FakeHttp.streaming([body + end]))).text, "Elbe")
        }
      }))

    const piece = FastCheck.oneof(
      {
        weight: 3,
        arbitrary: FastCheck.record({ kind: FastCheck.constant("text" as const), text: FastCheck.string() })
      },
      {
        weight: 1,
        arbitrary: FastCheck.record({ kind: FastCheck.constant("thought" as const), text: FastCheck.string() })
      },
      {
        weight: 1,
        arbitrary: FastCheck.record({ kind: FastCheck.constant("call" as const), text: FastCheck.string() })
      }
    )
    const part = FastCheck.tuple(piece, FastCheck.constantFrom(undefined, "s1==", "s2==")).map(
      ([{ kind, text }, thoughtSignature]): Part => ({
        ...(kind === "call" ? { functionCall: { name: "f", args: { text } } } : { text }),
        ...(kind === "thought" && { thought: true }),
        ...(thoughtSignature !== undefined && { thoughtSignature })
      })
    )

    /** A text may come in two pieces, the second of which is signed. */
    const split = ({ text, thoughtSignature, ...others }: Part): ReadonlyArray<Part> => {
      if (typeof text !== "string") return [{ text, thoughtSignature, ...others }]
      const middle = Math.floor(text.length / 2)
      return [{ text: text.slice(0, middle), ...others }, { text: text.slice(middle), thoughtSignature, ...others }]
    }

    it.effect.prop(
      "is the same answer as a call, however it is divided",
      [FastCheck.array(part, { maxLength: 6 }), FastCheck.integer({ min: 1, max: 40 })],
      ([parts, size]) =>
        Effect.gen(function*() {
          const { candidates: [candidate], ...facts } = chunk(parts, { finishReason: "STOP", safetyRatings: [] })
          const expected = LlmResponse.withoutRaw(yield* called({ candidates: [candidate], ...facts }))
          const pieces = parts.flatMap(split).map((part) => chunk([part]))
          const bytes = FakeHttp.bytes(events([...pieces, chunk([], { finishReason: "STOP", safetyRatings: [] })]))
          const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
            bytes.subarray(n * size, (n + 1) * size))
          assert.deepStrictEqual(FakeHttp.finished(yield* streamed(FakeHttp.streaming(chunks))), expected)
        }),
      { fastCheck: { numRuns: 40 } }
    )
  })

  describe("a stream that breaks off", () => {
    const bytes = FakeHttp.bytes(events([
      { candidates: [{ content: { parts: [{ text: "Hel" }] } }], usageMetadata: { promptTokenCount: 9 } },
      {
        candidates: [{ content: { parts: [{ functionCall: { name: "f" } }, { text: "lo 😊" }] }, finishReason: "STOP" }]
      }
    ]))
    const text = "Hello 😊"

    it.effect("anywhere is never a success, and what came before is the beginning of the answer", () =>
      Effect.gen(function*() {
        const stream = yield* streams
        // The last event is whole without the empty line after it.
        for (let length = 0; length < bytes.length - "\r\n\r\n".length; length++) {
          for (const end of length % 7 === 0 ? ["close", "cut"] as const : ["close"] as const) {
            const answer = yield* stream(FakeHttp.streaming([bytes.subarray(0, length)], { end }))
            assert.isDefined(answer.error, `success after ${length} of ${bytes.length} bytes, ${end}`)
            assert.isTrue(text.startsWith(FakeHttp.textOf(answer)))
            if (answer.parts.length > 0) {
              const { partial } = FakeHttp.reasonOf(answer.error, "StreamInterrupted")
              assert.strictEqual(partial.text, FakeHttp.textOf(answer))
              assert.deepStrictEqual(partial.usage, { inputTokens: 9 })
              assert.isFalse(answer.error?.isRetryable)
            } else assert.isTrue(answer.error?.isRetryable, `not to be tried again after ${length} bytes, ${end}`)
          }
        }
      }))

    it.effect("by its connection after all has come is not a success either: more could have followed", () =>
      Effect.gen(function*() {
        const answer = yield* streamed(FakeHttp.streaming([bytes], { end: "cut" }))
        const { partial } = FakeHttp.reasonOf(answer.error, "StreamInterrupted")
        assert.strictEqual(partial.text, text)
        assert.strictEqual(partial.parts.length, 3)
      }))
  })

  describe("a stream that says that it failed", () => {
    it.effect("fails so, also after some content", () =>
      Effect.gen(function*() {
        for (const [before, expected] of [[[], ""], [[chunk([{ text: "Elbe" }])], "Elbe"]] as const) {
          for (const event of [overloaded, [overloaded]]) {
            const answer = yield* streamedChunks([...before, event])
            FakeHttp.reasonOf(answer.error, "Overloaded")
            assert.strictEqual(FakeHttp.textOf(answer), expected)
            assert.isFalse(answer.parts.some((part) => part._tag === "Finish"))
          }
        }
      }))

    it.effect("is understood without the framing of a stream, under any content type", () =>
      Effect.gen(function*() {
        for (const error of [overloaded, [overloaded]]) {
          for (const contentType of ["text/event-stream", "application/json; charset=UTF-8"]) {
            for (const indent of [undefined, 2]) {
              const answer = yield* streamed(
                FakeHttp.streaming([JSON.stringify(error, undefined, indent)], { contentType })
              )
              assert.deepStrictEqual(answer.parts, [])
              FakeHttp.reasonOf(answer.error, "Overloaded")
            }
          }
        }
      }))

    it.effect("is a prompt that was blocked", () =>
      Effect.gen(function*() {
        const answer = yield* streamedChunks([
          { promptFeedback: { blockReason: "SAFETY" }, usageMetadata: { promptTokenCount: 9 } }
        ])
        FakeHttp.reasonOf(answer.error, "ContentFiltered")
        assert.deepStrictEqual(answer.parts, [])
      }))

    it.effect("is a prompt that was blocked, without the framing of a stream", () =>
      Effect.gen(function*() {
        const body = JSON.stringify({ promptFeedback: { blockReason: "PROHIBITED_CONTENT" } })
        const answer = yield* streamed(FakeHttp.streaming([body], { contentType: "text/event-stream" }))
        FakeHttp.reasonOf(answer.error, "ContentFiltered")
        assert.deepStrictEqual(answer.parts, [])
      }))

    it.effect("is a function call that is none, after some text", () =>
      Effect.gen(function*() {
        const answer = yield* streamedChunks([
          chunk([{ text: "Let me see." }]),
          chunk([], { finishReason: "MALFORMED_FUNCTION_CALL", finishMessage: "print(weather(" })
        ])
        assert.strictEqual(FakeHttp.textOf(answer), "Let me see.")
        assert.strictEqual(FakeHttp.reasonOf(answer.error, "ToolArgumentsInvalid").raw, "print(weather(")
      }))

    it.effect("is a malformed answer: to be tried again only if nothing of it has come", () =>
      Effect.gen(function*() {
        const end = chunk([], { finishReason: "MALFORMED_RESPONSE" })
        const atOnce = yield* streamedChunks([end])
        FakeHttp.reasonOf(atOnce.error, "MalformedResponse")
        const later = yield* streamedChunks([chunk([{ text: "Elbe" }]), end])
        assert.strictEqual(FakeHttp.reasonOf(later.error, "StreamInterrupted").partial.text, "Elbe")
        assert.isFalse(later.error?.isRetryable)
      }))

    it.effect("is one that is neither a stream nor an answer", () =>
      Effect.gen(function*() {
        for (const answer of [FakeHttp.json([1]), FakeHttp.json("<html>", {})]) {
          FakeHttp.reasonOf((yield* streamed(answer)).error, "MalformedResponse")
        }
      }))
  })
})
