import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as LlmRequest from "../../domain/LlmRequest.js"
import * as LlmResponse from "../../domain/LlmResponse.js"
import * as Message from "../../domain/Message.js"
import { answer, decode, type Entry, expect, make, same, Violation } from "./check.js"

/** Fewer tokens than the answer has, and the fewest that OpenAI takes. */
export const fewTokens = 16

/** The requests of the checks. */
export interface Requests {
  readonly text: LlmRequest.Input
  readonly tool: LlmRequest.Input
}

/** The conversation after a turn that calls a tool, with a result for each call, and the parts that go with it. */
export const withResults = (
  { messages, model, tools }: LlmRequest.LlmRequest,
  response: LlmResponse.LlmResponse,
  parts?: ReadonlyArray<Message.ToolResultPart>
): LlmRequest.Input => ({
  model,
  ...(tools !== undefined && { tools }),
  messages: [
    ...messages,
    response.message,
    Message.toolResults(
      response.toolCalls.map(({ id, name }) => ({ id, name, result: { celsius: 21 }, ...(parts && { parts }) }))
    )
  ]
})

/** A red dot. */
const dot = Message.ImageBytes.make({
  mediaType: "image/png",
  bytes: Uint8Array.from(
    atob("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="),
    (character) => character.charCodeAt(0)
  )
})

/** The fields that are equal in two answers of a deterministic model. */
export const content = ({ finishReason, model, parts, provider, text, usage }: LlmResponse.LlmResponse) => ({
  finishReason,
  model,
  parts,
  provider,
  text,
  usage
})

export const calls = ({ text, tool }: Requests): ReadonlyArray<Entry> => [
  make("call: answers with a text that is complete", {}, (subject) =>
    Effect.gen(function*() {
      const response = yield* answer(subject, text)
      const { attempts, finishReason, model, origin, parts, provider } = response
      yield* expect(response.text.trim() !== "", "a text", response.text)
      yield* same("text", response.text, Message.text({ role: "assistant", content: parts }))
      yield* same("finishReason", finishReason, "stop")
      yield* same("provider", provider, subject.provider.name)
      yield* expect(model !== "", "the name of the model", model)
      yield* same("origin", origin, "provider")
      yield* same("attempts", attempts, 1)
    })),

  make("call: sends its request once", { counts: true }, (subject) =>
    Effect.gen(function*() {
      const before = yield* subject.harness.received
      const request = yield* decode(text)
      const call = subject.provider.call(request)
      yield* same("the requests sent before the call is run", (yield* subject.harness.received) - before, 0)
      yield* Effect.mapError(call, (error) => new Violation({ expected: "an answer", actual: error.message }))
      yield* same("the requests sent", (yield* subject.harness.received) - before, 1)
    })),

  make("call: its answer can be stored and read again", {}, (subject) =>
    Effect.gen(function*() {
      const response = yield* answer(subject, text)
      const stored = yield* Schema.encode(Schema.parseJson(LlmResponse.LlmResponse))(response).pipe(
        Effect.flatMap(Schema.decode(Schema.parseJson(LlmResponse.LlmResponse))),
        Effect.mapError((error) => new Violation({ expected: "an answer that JSON can hold", actual: error.message }))
      )
      // The raw body is the receiver's own, and is not stored.
      yield* same("the stored answer", stored, { ...response, raw: undefined })
    })),

  make("call: reports its usage", { capability: "usage" }, (subject) =>
    Effect.gen(function*() {
      const { usage } = yield* answer(subject, text)
      const { cachedInputTokens = 0, inputTokens = 0, outputTokens = 0, reasoningTokens = 0 } = usage
      yield* expect(inputTokens > 0 && inputTokens >= cachedInputTokens, "input tokens, with those from a cache", usage)
      yield* expect(
        outputTokens > 0 && outputTokens >= reasoningTokens,
        "output tokens, with those of reasoning",
        usage
      )
    })),

  make(
    "call: a token limit ends it for the reason length",
    { capability: "maxTokens" },
    (subject) =>
      Effect.gen(function*() {
        const { finishReason } = yield* answer(subject, { ...text, maxTokens: fewTokens })
        yield* same("finishReason", finishReason, "length")
      })
  ),

  make(
    "call: each of several concurrent calls gets its own answer",
    { capability: "deterministic" },
    (subject) =>
      Effect.gen(function*() {
        const inputs = ["north", "east", "south", "west"].map((word) => ({
          ...text,
          system: `Answer as from the ${word}.`
        }))
        const alone = yield* Effect.forEach(inputs, (input) => answer(subject, input))
        const together = yield* Effect.forEach(inputs, (input) => answer(subject, input), { concurrency: "unbounded" })
        yield* same("the answers", together.map(content), alone.map(content))
      })
  ),

  make(
    "call: asks for a tool with parsed arguments, and takes its result",
    { capability: "tools" },
    (subject) =>
      Effect.gen(function*() {
        const request = yield* decode(tool)
        const response = yield* answer(subject, tool)
        yield* same("finishReason", response.finishReason, "tool_calls")
        const [call] = response.toolCalls
        if (call === undefined) return yield* new Violation({ expected: "a tool call", actual: "none" })
        yield* same("the tool's name", call.name, request.tools?.[0]?.name)
        yield* expect(call.id !== "", "an id of the call", call.id)
        yield* expect(typeof call.arguments === "object" && call.arguments !== null, "parsed arguments", call.arguments)
        const next = yield* answer(subject, withResults(request, response))
        yield* expect(next.parts.length > 0, "an answer to the tool's result", next.parts)
      })
  ),

  make(
    "call: takes a tool's result with text and an image, which both reach the model",
    { capability: "toolImages" },
    (subject) =>
      Effect.gen(function*() {
        const request = yield* decode(tool)
        const response = yield* answer(subject, tool)
        if (response.toolCalls.length === 0) return yield* new Violation({ expected: "a tool call", actual: "none" })
        const tokens = (parts: ReadonlyArray<Message.ToolResultPart>) =>
          Effect.flatMap(answer(subject, withResults(request, response, parts)), ({ parts, usage }) =>
            Effect.as(
              expect(parts.length > 0, "an answer to the tool's result", parts),
              usage.inputTokens
            ))
        const words = Message.Text.make({ text: "The sky, as a picture:" })
        const [none, some] = [yield* tokens([words]), yield* tokens([words, dot])]
        yield* expect(
          none === undefined || some === undefined || some > none,
          `more input tokens than ${none}, for the image`,
          some
        )
      })
  )
]
