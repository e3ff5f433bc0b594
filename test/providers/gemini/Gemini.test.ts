import { assert, describe, it } from "@effect/vitest"
import * as Gemini from "effect-llm/Gemini"
import * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as Message from "effect-llm/Message"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as FakeHttp from "../../support/fakeHttp.js"

const apiKey = Redacted.make("AIzaTestKey0123456789")

const layer = Gemini.layer({ apiKey })

const request = { model: "gemini-2.5-flash", prompt: "Name three rivers." } as const

interface Candidate {
  readonly [field: string]: unknown
}

/** An answer with these parts and the finish reason STOP, unless the fields say otherwise. */
const answer = (parts: ReadonlyArray<unknown>, candidate: Candidate = {}, body: Candidate = {}) => ({
  candidates: [{ content: { role: "model", parts }, finishReason: "STOP", index: 0, ...candidate }],
  usageMetadata: { promptTokenCount: 4, candidatesTokenCount: 6, totalTokenCount: 10 },
  modelVersion: "gemini-2.5-flash-001",
  responseId: "r1",
  ...body
})

const ok = FakeHttp.json(answer([{ text: "Elbe" }]))

/** What is sent for a request, and the warnings that come back. */
const encoded = (input: LlmRequest.Input) =>
  Effect.gen(function*() {
    const { call, sent } = yield* FakeHttp.provider(layer, ok)
    const { warnings } = yield* call(input)
    assert.strictEqual(sent.length, 1)
    return { ...sent[0]!, warnings }
  })

const configOf = (input: LlmRequest.Input) => Effect.map(encoded(input), ({ body }) => body.generationConfig)

/** The parts of the content at an index of what is sent. */
const contentsOf = (input: LlmRequest.Input) => Effect.map(encoded(input), ({ body }) => body.contents)

const decoded = (body: unknown, input: LlmRequest.Input = request) =>
  Effect.flatMap(FakeHttp.provider(layer, FakeHttp.json(body)), ({ call }) => call(input))

const failed = (response: Response, input: LlmRequest.Input = request) =>
  Effect.flatMap(FakeHttp.provider(layer, response), ({ call }) => Effect.flip(call(input)))

const weather: LlmRequest.Tool = {
  name: "weather",
  description: "Tells the weather",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] }
}

const conversation = (...parts: ReadonlyArray<Message.ResponsePart>): LlmRequest.Input => ({
  model: "gemini-2.5-flash",
  messages: [
    { role: "user", content: "How is the weather?" },
    { role: "assistant", content: parts },
    { role: "user", content: "And now?" }
  ]
})

/** The one who can read reasoning in the answers. */
const reader = {
  provider: "gemini",
  account: "https://generativelanguage.googleapis.com/v1beta/models",
  model: "gemini-2.5-flash"
}

describe("Gemini", () => {
  describe("a request", () => {
    it.effect("goes to the model's address, with the key in a header and never in the address", () =>
      Effect.gen(function*() {
        const { body, headers, method, url } = yield* encoded(request)
        assert.strictEqual(method, "POST")
        assert.strictEqual(
          url,
          "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent"
        )
        assert.strictEqual(headers["x-goog-api-key"], Redacted.value(apiKey))
        assert.deepStrictEqual(body, {
          contents: [{ role: "user", parts: [{ text: "Name three rivers." }] }],
          generationConfig: { temperature: 0 }
        })
      }))

    it.effect("takes names with their collection, and encodes what is not a name", () =>
      Effect.gen(function*() {
        const urls = yield* Effect.forEach(
          ["models/gemini-2.5-pro", "tunedModels/mine-1", "a/../b?key=1#x", "lone \ud800"],
          (model) => Effect.map(encoded({ ...request, model }), ({ url }) => new URL(url).pathname)
        )
        assert.deepStrictEqual(urls, [
          "/v1beta/models/gemini-2.5-pro:generateContent",
          "/v1beta/tunedModels/mine-1:generateContent",
          "/v1beta/models/a%2F..%2Fb%3Fkey%3D1%23x:generateContent",
          "/v1beta/models/lone%20%EF%BF%BD:generateContent"
        ])
      }))

    it.effect("carries all settings", () =>
      Effect.gen(function*() {
        const { body, warnings } = yield* encoded({
          ...request,
          system: "Be terse.",
          temperature: 0.5,
          topP: 0.9,
          topK: 40,
          maxTokens: 100,
          stop: ["END"],
          seed: 7,
          user: "u-1"
        })
        assert.deepStrictEqual(body, {
          contents: [{ role: "user", parts: [{ text: "Name three rivers." }] }],
          systemInstruction: { parts: [{ text: "Be terse." }] },
          generationConfig: {
            temperature: 0.5,
            topP: 0.9,
            topK: 40,
            maxOutputTokens: 100,
            stopSequences: ["END"],
            seed: 7
          }
        })
        assert.deepStrictEqual(warnings, [])
      }))

    it.effect("has temperature 0 for the models that are known to be made for it, and none for others", () =>
      Effect.gen(function*() {
        const temperatures = yield* Effect.forEach(
          [
            "gemini-1.5-pro-002",
            "gemini-2.0-flash",
            "models/gemini-2.5-flash-lite",
            "gemini-3-pro-preview",
            "gemini-3.8-flash",
            "gemini-flash-latest",
            "gemma-4-26b-a4b-it",
            "robot-9"
          ],
          (model) => Effect.map(encoded({ ...request, model }), ({ body }) => body.generationConfig)
        )
        const [zero, none] = [{ temperature: 0 }, undefined]
        assert.deepStrictEqual(temperatures, [zero, zero, zero, none, none, none, none, none])
        assert.deepStrictEqual(yield* configOf({ ...request, model: "gemini-3.8-flash", temperature: 0 }), zero)
      }))

    it.effect("has the roles of the protocol, and all instructions before the conversation", () =>
      Effect.gen(function*() {
        const { body, warnings } = yield* encoded({
          model: "gemini-2.5-flash",
          system: "Be terse.",
          messages: [
            { role: "user", content: "Name a river." },
            { role: "assistant", content: [Message.Text.make({ text: "" }), Message.Refusal.make({ text: "No." })] },
            { role: "system", content: "Be kind." },
            { role: "user", content: "Please." }
          ]
        })
        assert.deepStrictEqual(body.contents, [
          { role: "user", parts: [{ text: "Name a river." }] },
          { role: "model", parts: [{ text: "No." }] },
          { role: "user", parts: [{ text: "Please." }] }
        ])
        assert.deepStrictEqual(body.systemInstruction, { parts: [{ text: "Be terse.\n\nBe kind." }] })
        assert.deepStrictEqual(warnings, ["system messages in the course of the conversation were sent before it"])
      }))

    it.effect("carries images and files by bytes and by address", () =>
      Effect.gen(function*() {
        const bytes = Uint8Array.of(1, 2, 3)
        const contents = yield* contentsOf({
          model: "gemini-2.5-flash",
          messages: [{
            role: "user",
            content: [
              { _tag: "Text", text: "What is this?" },
              { _tag: "Image", bytes, mediaType: "image/png" },
              { _tag: "Image", url: "https://example.org/a.JPG?size=1" },
              { _tag: "Image", url: "https://generativelanguage.googleapis.com/v1beta/files/abc" },
              { _tag: "File", bytes, mediaType: "application/pdf", name: "a.pdf" },
              { _tag: "File", url: "https://example.org/a.mp4", mediaType: "video/mp4" }
            ]
          }]
        })
        assert.deepStrictEqual(contents, [{
          role: "user",
          parts: [
            { text: "What is this?" },
            { inlineData: { mimeType: "image/png", data: "AQID" } },
            { fileData: { mimeType: "image/jpeg", fileUri: "https://example.org/a.JPG?size=1" } },
            { fileData: { fileUri: "https://generativelanguage.googleapis.com/v1beta/files/abc" } },
            { inlineData: { mimeType: "application/pdf", data: "AQID" } },
            { fileData: { mimeType: "video/mp4", fileUri: "https://example.org/a.mp4" } }
          ]
        }])
      }))

    it.effect("asks for JSON that fits a schema", () =>
      Effect.gen(function*() {
        const schema = { type: "object", properties: { name: { type: "string" } } }
        assert.deepStrictEqual(yield* configOf({ ...request, outputSchema: { name: "river", schema } }), {
          temperature: 0,
          responseMimeType: "application/json",
          responseJsonSchema: schema
        })
      }))

    it.effect("offers tools, and says which may or must be called", () =>
      Effect.gen(function*() {
        const choices: ReadonlyArray<LlmRequest.ToolChoice | undefined> = [
          undefined,
          "auto",
          "none",
          "required",
          { tool: "weather" }
        ]
        const bodies = yield* Effect.forEach(
          choices,
          (toolChoice) => Effect.map(encoded({ ...request, tools: [weather], toolChoice }), ({ body }) => body)
        )
        assert.deepStrictEqual(bodies[0]?.tools, [{
          functionDeclarations: [{
            name: "weather",
            description: "Tells the weather",
            parametersJsonSchema: weather.parameters
          }]
        }])
        assert.deepStrictEqual(bodies.map(({ toolConfig }) => toolConfig), [
          undefined,
          { functionCallingConfig: { mode: "AUTO" } },
          { functionCallingConfig: { mode: "NONE" } },
          { functionCallingConfig: { mode: "ANY" } },
          { functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["weather"] } }
        ])
        const strict = yield* encoded({ ...request, tools: [{ ...weather, strict: true }] })
        assert.deepStrictEqual(strict.body.toolConfig, { functionCallingConfig: { mode: "VALIDATED" } })
        const none = yield* encoded({ ...request, tools: [], toolChoice: "none" })
        assert.isFalse("tools" in none.body || "toolConfig" in none.body)
      }))

    it.effect("gives back calls and results, all of one turn together, by id and name", () =>
      Effect.gen(function*() {
        const contents = yield* contentsOf({
          model: "gemini-2.5-flash",
          messages: [
            { role: "user", content: "How is the weather in Paris and Rome?" },
            {
              role: "assistant",
              content: [
                Message.ToolCall.make({ id: "a", name: "weather", arguments: { city: "Paris" }, signature: "sig==" }),
                Message.ToolCall.make({ id: "b", name: "weather", arguments: { city: "Rome" } })
              ]
            },
            { role: "tool", content: [{ _tag: "ToolResult", id: "a", result: { celsius: 20 } }] },
            { role: "tool", content: [{ _tag: "ToolResult", id: "b", result: "no such city", isError: true }] },
            { role: "user", content: "And tomorrow?" }
          ]
        })
        assert.deepStrictEqual(contents, [
          { role: "user", parts: [{ text: "How is the weather in Paris and Rome?" }] },
          {
            role: "model",
            parts: [
              { functionCall: { id: "a", name: "weather", args: { city: "Paris" } }, thoughtSignature: "sig==" },
              { functionCall: { id: "b", name: "weather", args: { city: "Rome" } } }
            ]
          },
          {
            role: "user",
            parts: [
              { functionResponse: { id: "a", name: "weather", response: { output: { celsius: 20 } } } },
              { functionResponse: { id: "b", name: "weather", response: { error: "no such city" } } }
            ]
          },
          { role: "user", parts: [{ text: "And tomorrow?" }] }
        ])
      }))

    it.effect("takes a result for the call before it, where an id was given twice", () =>
      Effect.gen(function*() {
        const turn = (name: string): ReadonlyArray<Message.Input> => [
          { role: "assistant", content: [{ _tag: "ToolCall", id: "call_0", name, arguments: {} }] },
          { role: "tool", content: [{ _tag: "ToolResult", id: "call_0", result: name }] }
        ]
        const { body } = yield* encoded({
          model: "gemini-2.5-flash",
          messages: [{ role: "user", content: "Go." }, ...turn("first"), ...turn("second")]
        })
        assert.include(JSON.stringify(body), `"name":"first","response":{"output":"first"}`)
        assert.include(JSON.stringify(body), `"name":"second","response":{"output":"second"}`)
      }))

    it.effect("is not sent with a result that belongs to no tool", () =>
      Effect.gen(function*() {
        const { call, sent } = yield* FakeHttp.provider(layer, ok)
        const orphan: LlmRequest.Input = {
          model: "gemini-2.5-flash",
          messages: [
            { role: "user", content: "Go." },
            { role: "tool", content: [{ _tag: "ToolResult", id: "x", result: 1 }] }
          ]
        }
        const error = yield* Effect.flip(call(orphan))
        assert.strictEqual(FakeHttp.reasonOf(error, "InvalidRequest").field, "messages[1].content[0].name")
        assert.strictEqual(error.attempts, 0)
        assert.strictEqual(sent.length, 0)
        const named: LlmRequest.Input = {
          ...orphan,
          messages: [
            { role: "user", content: "Go." },
            { role: "tool", content: [{ _tag: "ToolResult", id: "x", name: "weather", result: 1 }] }
          ]
        }
        yield* call(named)
        assert.strictEqual(sent.length, 1)
      }))

    it.effect("gives back signatures where they came, and only the thoughts of this provider that are signed", () =>
      Effect.gen(function*() {
        const contents = yield* contentsOf(conversation(
          Message.Reasoning.make({ text: "mine", signature: "t==", provider: "gemini" }),
          Message.Reasoning.make({ text: "mine, unsigned", provider: "gemini" }),
          Message.Reasoning.make({ text: "another's", signature: "c==", provider: "anthropic" }),
          Message.Text.make({ text: "Let me see.", signature: "x==" }),
          Message.Text.make({ text: "", signature: "y==" }),
          Message.ToolCall.make({ id: "a", name: "weather", arguments: { city: "Paris" }, signature: "z==" })
        ))
        assert.deepStrictEqual((contents as ReadonlyArray<unknown>)[1], {
          role: "model",
          parts: [
            { text: "mine", thought: true, thoughtSignature: "t==" },
            { text: "Let me see.", thoughtSignature: "x==" },
            { text: "", thoughtSignature: "y==" },
            {
              functionCall: { id: "a", name: "weather", args: { city: "Paris" } },
              thoughtSignature: "z=="
            }
          ]
        })
      }))

    it.effect("leaves out a turn of which nothing is left", () =>
      Effect.gen(function*() {
        const contents = yield* contentsOf(conversation(
          Message.Reasoning.make({ text: "another's", signature: "c==", provider: "anthropic" })
        ))
        assert.deepStrictEqual(contents, [
          { role: "user", parts: [{ text: "How is the weather?" }] },
          { role: "user", parts: [{ text: "And now?" }] }
        ])
      }))

    it.effect("says of calls that another model made that they never had a signature, to models that insist", () =>
      Effect.gen(function*() {
        const signatures = (model: string, ...given: ReadonlyArray<string | undefined>) =>
          Effect.map(
            contentsOf({
              ...conversation(...given.map((signature, n) =>
                Message.ToolCall.make({
                  id: `${n}`,
                  name: "weather",
                  arguments: {},
                  ...(signature !== undefined && { signature })
                })
              )),
              model
            }),
            (contents) =>
              (contents as ReadonlyArray<{ readonly parts: ReadonlyArray<{ readonly thoughtSignature?: string }> }>)[1]
                ?.parts.map((part) => part.thoughtSignature)
          )
        const none = "skip_thought_signature_validator"
        assert.deepStrictEqual(yield* signatures("gemini-3-pro-preview", undefined, undefined), [none, undefined])
        assert.deepStrictEqual(yield* signatures("gemini-flash-latest", undefined), [none])
        assert.deepStrictEqual(yield* signatures("gemini-3-pro-preview", "s==", undefined), ["s==", undefined])
        assert.deepStrictEqual(yield* signatures("gemini-2.5-pro", undefined), [undefined])
        assert.deepStrictEqual(yield* signatures("gemini-1.5-pro-latest", undefined), [undefined])
      }))

    it.effect("lets raw fields win, and merges those of the generation config", () =>
      Effect.gen(function*() {
        const { body } = yield* encoded({
          ...request,
          maxTokens: 10,
          providerOptions: {
            gemini: {
              safetySettings: [{ category: "HARM_CATEGORY_HARASSMENT", threshold: "BLOCK_NONE" }],
              generationConfig: { temperature: 1, presencePenalty: 0.5 }
            },
            openai: { logprobs: true }
          }
        })
        assert.deepStrictEqual(body, {
          contents: [{ role: "user", parts: [{ text: "Name three rivers." }] }],
          safetySettings: [{ category: "HARM_CATEGORY_HARASSMENT", threshold: "BLOCK_NONE" }],
          generationConfig: { temperature: 1, maxOutputTokens: 10, presencePenalty: 0.5 }
        })
      }))
  })

  describe("reasoningEffort", () => {
    const thinking = (model: string, reasoningEffort: LlmRequest.ReasoningEffort) =>
      Effect.map(encoded({ ...request, model, reasoningEffort }), ({ body, warnings }) => ({
        config: (body.generationConfig as { readonly thinkingConfig?: unknown } | undefined)?.thinkingConfig,
        warnings
      }))

    const budget = (thinkingBudget: number) => ({ thinkingBudget, includeThoughts: true })
    const level = (thinkingLevel: string) => ({ thinkingLevel, includeThoughts: true })

    it.effect.each<[string, LlmRequest.ReasoningEffort, unknown]>([
      ["gemini-2.5-flash", "none", { thinkingBudget: 0 }],
      ["gemini-2.5-flash", "low", budget(1_024)],
      ["gemini-2.5-flash", "medium", budget(8_192)],
      ["gemini-2.5-flash-lite", "minimal", budget(512)],
      ["models/gemini-2.5-pro", "high", budget(24_576)],
      ["gemini-2.5-pro", "max", budget(32_768)],
      ["gemini-3-flash-preview", "minimal", level("MINIMAL")],
      ["gemini-3.1-flash-lite", "minimal", level("MINIMAL")],
      ["gemini-3.7-flash-lite", "minimal", level("MINIMAL")],
      ["gemini-3.1-pro-preview", "medium", level("MEDIUM")],
      ["gemini-4-hydrogen", "xhigh", level("XHIGH")],
      ["gemini-flash-latest", "low", level("LOW")],
      ["robot-9", "xhigh", level("XHIGH")]
    ])("%s is told about %s", ([model, effort, expected]) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* thinking(model, effort), { config: expected, warnings: [] })
      }))

    it.effect.each<[string, LlmRequest.ReasoningEffort, string, unknown]>([
      ["gemini-2.5-flash", "max", "high", budget(24_576)],
      ["gemini-3.8-flash", "minimal", "low", level("LOW")],
      ["gemini-3.1-pro-preview", "minimal", "low", level("LOW")],
      ["gemini-3-flash-preview", "xhigh", "high", level("HIGH")],
      ["gemini-4-hydrogen", "max", "xhigh", level("XHIGH")],
      ["gemini-4-pro", "max", "high", level("HIGH")]
    ])(
      "%s does not take %s, and is told about %s, with a warning",
      ([model, effort, taken, expected]) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* thinking(model, effort), {
            config: expected,
            warnings: [`reasoningEffort was sent as ${taken}: ${model} does not take ${effort}`]
          })
        })
    )

    it.effect("none is the least that a model takes, with a warning where that is not nothing", () =>
      Effect.gen(function*() {
        const warning = (least: string, model: string) => [
          `reasoningEffort was sent as ${least}: ${model} does not take none`
        ]
        assert.deepStrictEqual(yield* thinking("gemini-2.5-pro", "none"), {
          config: { thinkingBudget: 128 },
          warnings: warning("minimal", "gemini-2.5-pro")
        })
        assert.deepStrictEqual(yield* thinking("gemini-3-flash-preview", "none"), {
          config: { thinkingLevel: "MINIMAL" },
          warnings: warning("minimal", "gemini-3-flash-preview")
        })
        assert.deepStrictEqual(yield* thinking("gemini-3.1-pro-preview", "none"), {
          config: { thinkingLevel: "LOW" },
          warnings: warning("low", "gemini-3.1-pro-preview")
        })
      }))

    it.effect("is left out with a warning for models that do not take it", () =>
      Effect.gen(function*() {
        for (const model of ["gemini-2.0-flash", "gemini-2.5-flash-image", "gemma-4-26b-a4b-it"]) {
          assert.deepStrictEqual(yield* thinking(model, "high"), {
            config: undefined,
            warnings: [`reasoningEffort was not sent: ${model} does not take it`]
          })
        }
      }))
  })

  describe("an answer", () => {
    it.effect("has its text, model, id and usage", () =>
      Effect.gen(function*() {
        const response = yield* decoded(answer([{ text: "Elbe, " }, { text: "Oder" }]))
        assert.strictEqual(response.text, "Elbe, Oder")
        assert.deepStrictEqual(response.parts, [Message.Text.make({ text: "Elbe, Oder" })])
        assert.strictEqual(response.finishReason, "stop")
        assert.strictEqual(response.model, "gemini-2.5-flash-001")
        assert.strictEqual(response.provider, "gemini")
        assert.strictEqual(response.id, "r1")
        assert.deepStrictEqual(response.usage, { inputTokens: 4, outputTokens: 6 })
        assert.isUndefined(response.providerMetadata)
      }))

    it.effect("counts thoughts as output, and what the service's tools read as input", () =>
      Effect.gen(function*() {
        const usageOf = (usageMetadata: unknown) =>
          Effect.map(decoded(answer([{ text: "Elbe" }], {}, { usageMetadata })), ({ usage }) => usage)
        assert.deepStrictEqual(
          yield* usageOf({
            promptTokenCount: 55,
            cachedContentTokenCount: 20,
            toolUsePromptTokenCount: 89,
            candidatesTokenCount: 51,
            thoughtsTokenCount: 56,
            totalTokenCount: 251
          }),
          { inputTokens: 144, cachedInputTokens: 20, outputTokens: 107, reasoningTokens: 56 }
        )
        assert.deepStrictEqual(yield* usageOf({ promptTokenCount: 9, thoughtsTokenCount: 5 }), {
          inputTokens: 9,
          outputTokens: 5,
          reasoningTokens: 5
        })
        assert.deepStrictEqual(yield* usageOf({ promptTokenCount: 9 }), { inputTokens: 9 })
        assert.deepStrictEqual(yield* usageOf(undefined), {})
      }))

    it.effect("has thoughts and calls in their order, each with its signature", () =>
      Effect.gen(function*() {
        const response = yield* decoded(answer([
          { text: "I think", thought: true },
          { text: " so.", thought: true, thoughtSignature: "t==" },
          { text: "Let me see.", thoughtSignature: "x==" },
          { text: "Wait." },
          { functionCall: { id: "f1", name: "weather", args: { city: "Paris" } }, thoughtSignature: "c==" },
          { functionCall: { id: "f2", name: "weather", args: { city: "Rome" } } }
        ]))
        assert.deepStrictEqual(response.parts, [
          Message.Reasoning.make({ text: "I think so.", signature: "t==", ...reader }),
          Message.Text.make({ text: "Let me see.", signature: "x==" }),
          Message.Text.make({ text: "Wait." }),
          Message.ToolCall.make({ id: "f1", name: "weather", arguments: { city: "Paris" }, signature: "c==" }),
          Message.ToolCall.make({ id: "f2", name: "weather", arguments: { city: "Rome" } })
        ])
        assert.strictEqual(response.finishReason, "tool_calls")
      }))

    it.effect("gives calls without an id one that is the same each time, and new to the conversation", () =>
      Effect.gen(function*() {
        const calls = answer([
          { functionCall: { name: "now" } },
          { functionCall: { id: "", name: "weather", args: { city: "Rome" } } }
        ])
        const idsOf = (input: LlmRequest.Input) =>
          Effect.map(decoded(calls, input), ({ toolCalls }) => toolCalls.map(({ id }) => id))
        assert.deepStrictEqual(yield* idsOf(request), ["local_call_0", "local_call_1"])
        const first = yield* decoded(calls)
        assert.deepStrictEqual(first.toolCalls.map((call) => call.arguments), [{}, { city: "Rome" }])
        assert.deepStrictEqual(yield* idsOf(conversation(...first.parts)), ["local_call_2", "local_call_3"])
      }))

    it.effect.each<[string, string]>([
      ["STOP", "stop"],
      ["MAX_TOKENS", "length"],
      ["SAFETY", "content_filter"],
      ["RECITATION", "content_filter"],
      ["BLOCKLIST", "content_filter"],
      ["PROHIBITED_CONTENT", "content_filter"],
      ["SPII", "content_filter"],
      ["IMAGE_SAFETY", "content_filter"],
      ["LANGUAGE", "content_filter"],
      ["ESCALATION", "content_filter"],
      ["PUP_LIMITED_DISABLED", "content_filter"],
      ["OTHER", "other"],
      ["IMAGE_OTHER", "other"],
      ["NO_IMAGE", "other"],
      ["SOMETHING_NEW", "other"]
    ])("that ends with %s is %s", ([finishReason, expected]) =>
      Effect.gen(function*() {
        const response = yield* decoded(answer([{ text: "Elbe" }], { finishReason }))
        assert.strictEqual(response.finishReason, expected)
        assert.strictEqual(response.text, "Elbe")
        assert.strictEqual(
          response.providerMetadata?.finishReason,
          expected === "content_filter" || expected === "other" ? finishReason : undefined
        )
      }))

    it.effect("may be cut before any content", () =>
      Effect.gen(function*() {
        for (const content of [undefined, {}, { role: "model" }]) {
          const response = yield* decoded(answer([], { content, finishReason: "MAX_TOKENS" }))
          assert.strictEqual(response.finishReason, "length")
          assert.strictEqual(response.text, "")
          assert.deepStrictEqual(response.parts, [])
        }
      }))

    it.effect("passes on what the service found out on the way", () =>
      Effect.gen(function*() {
        const groundingMetadata = { webSearchQueries: ["rivers"] }
        const response = yield* decoded(answer([{ text: "Elbe" }], { groundingMetadata, finishMessage: null }))
        assert.deepStrictEqual(response.providerMetadata, { groundingMetadata })
      }))

    it.effect("is the first candidate; parts of the service's own tools and further candidates are kept as they came", () =>
      Effect.gen(function*() {
        const { candidates: [first], ...rest } = answer([
          { executableCode: { language: "PYTHON", code: "1" }, thoughtSignature: "e==" },
          { codeExecutionResult: { outcome: "OUTCOME_OK", output: "1" } },
          { text: "" },
          { text: "One." },
          "garbage",
          null
        ])
        const second = { content: { role: "model", parts: [{ text: "Two." }] }, finishReason: "OTHER", index: 1 }
        const response = yield* decoded({ candidates: [second, first], ...rest })
        const code = { executableCode: { language: "PYTHON", code: "1" }, thoughtSignature: "e==" }
        const result = { codeExecutionResult: { outcome: "OUTCOME_OK", output: "1" } }
        assert.deepStrictEqual<ReadonlyArray<unknown>>(response.parts, [
          { _tag: "Opaque", provider: "gemini", kind: "executableCode", json: code },
          { _tag: "Opaque", provider: "gemini", kind: "codeExecutionResult", json: result },
          { _tag: "Text", text: "One." },
          { _tag: "Opaque", provider: "gemini", kind: "candidate 1", json: second }
        ])
        assert.deepStrictEqual([response.text, response.finishReason], ["One.", "stop"])
      }))
  })

  describe("a failure", () => {
    it.effect("is a prompt that was blocked", () =>
      Effect.gen(function*() {
        for (const blockReason of ["SAFETY", "OTHER", "PROHIBITED_CONTENT", "JAILBREAK"]) {
          const error = yield* failed(FakeHttp.json({ promptFeedback: { blockReason }, modelVersion: "g" }))
          assert.include(FakeHttp.reasonOf(error, "ContentFiltered").message, blockReason)
        }
        const fine = { promptFeedback: { blockReason: "BLOCK_REASON_UNSPECIFIED" } }
        assert.strictEqual((yield* decoded(answer([{ text: "Elbe" }], {}, fine))).text, "Elbe")
      }))

    it.effect("is a function call that is none, and keeps what the model wrote out of its text", () =>
      Effect.gen(function*() {
        const finishMessage = "Malformed function call: print(default_api.weather(city='Paris'"
        const error = yield* failed(FakeHttp.json(
          answer([], { content: {}, finishReason: "MALFORMED_FUNCTION_CALL", finishMessage })
        ))
        assert.strictEqual(FakeHttp.reasonOf(error, "ToolArgumentsInvalid").raw, finishMessage)
        assert.notInclude(`${error} ${JSON.stringify(error)}`, "Paris")
      }))

    it.effect("is an answer without an end, or without a candidate", () =>
      Effect.gen(function*() {
        for (
          const body of [
            answer([{ text: "Elbe" }], { finishReason: undefined }),
            answer([{ text: "Elbe" }], { finishReason: "FINISH_REASON_UNSPECIFIED" }),
            { candidates: [], usageMetadata: { promptTokenCount: 4 } },
            { candidates: "none" },
            {}
          ]
        ) FakeHttp.reasonOf(yield* failed(FakeHttp.json(body)), "MalformedResponse")
      }))

    it.effect("is a call that cannot be run: without a name, or without the end of its arguments", () =>
      Effect.gen(function*() {
        const nameless = yield* failed(FakeHttp.json(answer([{ functionCall: { args: {} } }])))
        FakeHttp.reasonOf(nameless, "MalformedResponse")
        const pieces = [
          { functionCall: { name: "weather", willContinue: true } },
          { functionCall: { partialArgs: [{ jsonPath: "$.city", stringValue: "Paris" }] } }
        ]
        for (const piece of pieces) {
          FakeHttp.reasonOf(yield* failed(FakeHttp.json(answer([piece]))), "MalformedResponse")
        }
      }))

    it.effect("in a body with status 200 is the failure that it says, in an array or not", () =>
      Effect.gen(function*() {
        const error = { error: { code: 503, message: "The model is overloaded.", status: "UNAVAILABLE" } }
        for (const body of [error, [error]]) {
          FakeHttp.reasonOf(yield* failed(FakeHttp.json(body)), "Overloaded")
        }
      }))

    const rpc = (type: string, fields: object) => ({ "@type": `type.googleapis.com/google.rpc.${type}`, ...fields })
    const rejection = (code: number, status: string, message: string, ...details: ReadonlyArray<object>) =>
      FakeHttp.json([{ error: { code, message, status, details } }], { status: code })

    it.effect("waits as long as the service asks for", () =>
      Effect.gen(function*() {
        const error = yield* failed(rejection(
          429,
          "RESOURCE_EXHAUSTED",
          "You exceeded your current quota. Please retry in 2.5s.",
          rpc("QuotaFailure", { violations: [{ quotaId: "GenerateRequestsPerMinutePerProjectPerModel" }] }),
          rpc("RetryInfo", { retryDelay: "2.5s" })
        ))
        const { retryAfter } = FakeHttp.reasonOf(error, "RateLimited")
        assert.deepStrictEqual(retryAfter, Duration.millis(2500))
        assert.strictEqual(error.status, 429)
        assert.isTrue(error.isRetryable)
      }))

    it.effect.each(
      [
        [
          "QuotaExhausted",
          rejection(
            429,
            "RESOURCE_EXHAUSTED",
            "You exceeded your current quota.",
            rpc("QuotaFailure", { violations: [{ quotaId: "GenerateRequestsPerDayPerProjectPerModel-FreeTier" }] }),
            rpc("RetryInfo", { retryDelay: "36605s" })
          )
        ],
        [
          "AuthenticationFailed",
          rejection(
            400,
            "INVALID_ARGUMENT",
            "API key not valid. Please pass a valid API key.",
            rpc("ErrorInfo", { reason: "API_KEY_INVALID" })
          )
        ],
        ["ModelNotFound", rejection(404, "NOT_FOUND", "models/x is not found for API version v1beta")],
        ["PermissionDenied", rejection(403, "PERMISSION_DENIED", "The caller has no permission")],
        [
          "ContextLengthExceeded",
          rejection(
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
          )
        ],
        [
          "InvalidRequest",
          rejection(400, "INVALID_ARGUMENT", "Thinking level MINIMAL is not supported for this model.")
        ],
        ["ServerFailed", rejection(500, "INTERNAL", "An internal error has occurred.")]
      ] as const
    )("is %s", ([tag, response]) =>
      Effect.gen(function*() {
        const error = yield* failed(response)
        FakeHttp.reasonOf(error, tag)
        assert.strictEqual(error.provider, "gemini")
        assert.strictEqual(error.model, "gemini-2.5-flash")
      }))
  })

  describe("options", () => {
    it.effect("give the provider another name and address", () =>
      Effect.gen(function*() {
        const other = Gemini.layer({ apiKey, name: "google", baseUrl: "https://proxy.example.org/gemini/" })
        const { call, provider, sent } = yield* FakeHttp.provider(other, ok)
        assert.strictEqual(provider.name, "google")
        assert.strictEqual(provider.endpoint, "https://proxy.example.org/gemini/v1beta/models")
        const response = yield* call({ ...request, providerOptions: { google: { labels: { team: "a" } } } })
        assert.strictEqual(response.provider, "google")
        assert.strictEqual(
          sent[0]?.url,
          "https://proxy.example.org/gemini/v1beta/models/gemini-2.5-flash:generateContent"
        )
        assert.deepStrictEqual(sent[0]?.body.labels, { team: "a" })
      }))

    it.effect("can come from the configuration, and are errors of it where they make no sense", () =>
      Effect.gen(function*() {
        const build = (address: string) =>
          Layer.build(
            Gemini.layerConfig({ apiKey: Config.redacted("KEY"), baseUrl: Config.string("URL") }).pipe(
              Layer.provide(FakeHttp.service(ok).layer)
            )
          ).pipe(
            Effect.scoped,
            Effect.map(Context.get(LlmProvider.LlmProvider)),
            Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["KEY", "AIzaSecret0123"], ["URL", address]])))
          )
        const provider = yield* build("https://proxy.example.org")
        assert.strictEqual(provider.endpoint, "https://proxy.example.org/v1beta/models")
        const error = yield* Effect.flip(build("http://proxy.example.org"))
        assert.include(String(error), "baseUrl")
        assert.notInclude(String(error), "AIzaSecret0123")
      }))
  })
})
