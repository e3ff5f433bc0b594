import type * as AiError from "@effect/ai/AiError"
import * as Chat from "@effect/ai/Chat"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Prompt from "@effect/ai/Prompt"
import * as Tool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import * as Persistence from "@effect/experimental/Persistence"
import { assert, describe, it } from "@effect/vitest"
import * as EffectAi from "effect-llm/EffectAi"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as LlmTool from "effect-llm/LlmTool"
import * as Message from "effect-llm/Message"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { leavingNoFiber } from "../support/fibers.js"

/** A language model on a script. */
const onScript = (script: LlmTest.Script, options: Partial<EffectAi.LanguageModelOptions> = {}) =>
  EffectAi.layerLanguageModel({ model: "m", ...options }).pipe(
    Layer.provideMerge(LlmClient.layer({ retry: { jitter: false } })),
    Layer.provideMerge(Layer.mergeAll(LlmTest.layer(script), LlmTest.layerLogger, LlmCache.layerMemory()))
  )

const lastRequest = Effect.map(LlmTest.requests, (requests) => requests.at(-1)!)

const parts = <A, E, R>(stream: Stream.Stream<A, E, R>) => Effect.map(Stream.runCollect(stream), Chunk.toReadonlyArray)

/** A response of the script's provider. */
const response = (fields: Parameters<typeof LlmResponse.make>[0]) => LlmResponse.make(fields)

const sealed = response({
  parts: [
    Message.Reasoning.make({ text: "Hm.", signature: "sig", provider: "test", account: "a", model: "m" }),
    Message.Reasoning.make({ encrypted: "gAAA", provider: "test", account: "a", model: "m" }),
    Message.Text.make({ text: "The Elbe.", native: { provider: "test", fields: { itemId: "msg_1" } } }),
    Message.Source.make({
      provider: "test",
      kind: "url_citation",
      url: "https://elbe.example/",
      title: "Elbe",
      json: {}
    }),
    Message.Opaque.make({ provider: "test", kind: "web_search_call", json: { id: "ws_1" } })
  ],
  finishReason: "stop",
  model: "m-1",
  provider: "test",
  id: "resp_1",
  cost: 0.25,
  usage: { inputTokens: 10, outputTokens: 5, reasoningTokens: 2, cachedInputTokens: 4, cacheWriteTokens: 1 }
})

class Gauge extends Context.Tag("test/Gauge")<Gauge, { readonly level: (at: Date) => number }>() {}

const Measure = Tool.make("measure", {
  description: "Measures a river.",
  parameters: { river: Schema.String, at: Schema.Date, depth: Schema.optional(Schema.Int) },
  success: Schema.Struct({ centimeters: Schema.Number, at: Schema.Date }),
  failure: Schema.String,
  dependencies: [Gauge]
})

const Ask = Tool.make("ask", {
  parameters: { question: Schema.String },
  success: Schema.String,
  failure: Schema.Struct({ why: Schema.String }),
  failureMode: "return"
})

const Now = Tool.make("now", { success: Schema.String })

const Rivers = Toolkit.make(Measure, Ask, Now)

const handlers = Rivers.toLayer({
  measure: ({ at }) => Effect.map(Gauge, (gauge) => ({ centimeters: gauge.level(at), at })),
  ask: ({ question }) => question === "?" ? Effect.fail({ why: "no question" }) : Effect.succeed("yes"),
  now: () => Effect.succeed("noon")
})

const RiversLive = Layer.merge(handlers, Layer.succeed(Gauge, { level: (at) => at.getUTCFullYear() }))

const measured = { river: "Elbe", at: "2026-01-02T00:00:00.000Z" }

/** A tool that the provider runs, of a request's own. */
const mine = {
  protocol: "anthropic",
  name: "code_execution",
  tool: { type: "code_execution_20250825", name: "code_execution" }
}

const kindOf = (error: AiError.AiError): string => error._tag

/** The errors of `@effect/ai` for ours, with words of their messages. */
const kinds: ReadonlyArray<readonly [reason: LlmError.Reason, kind: string, words: string]> = [
  [LlmError.InvalidRequest.make({}), "MalformedInput", "InvalidRequest"],
  [LlmError.ContextLengthExceeded.make({}), "MalformedInput", "ContextLengthExceeded"],
  [LlmError.UnsupportedFeature.make({ feature: "f" }), "MalformedInput", "UnsupportedFeature"],
  [LlmError.AuthenticationFailed.make({}), "UnknownError", "AuthenticationFailed"],
  [LlmError.QuotaExhausted.make({}), "UnknownError", "QuotaExhausted"],
  [LlmError.Overloaded.make({ retryAfter: "1 hour" }), "UnknownError", "Overloaded"]
]

/** The same for failures of answers. */
const answerKinds = {
  invalidOutput: "MalformedOutput",
  unknownTool: "MalformedOutput",
  unsupported: "MalformedInput",
  interrupted: "UnknownError"
}

/** The usage of the sealed answer, as `@effect/ai` has it. */
const sealedUsage: object = {
  inputTokens: 10,
  outputTokens: 5,
  totalTokens: 15,
  reasoningTokens: 2,
  cachedInputTokens: 4
}

/** A name that an answer gives. */
const given = (name: string): unknown => Option.some(name)

/** The parameters of the measuring call in an answer. */
const measuredParams: object = { river: "Elbe", at: new Date(measured.at) }

/** The parts after a call that is run while its stream goes on. */
const afterCall = ["tool-result c1", "response-metadata", "finish"]

describe("EffectAi.layerLanguageModel", () => {
  it.effect("answers with the text, the usage and the reason of the end, and with what the client answered", () =>
    Effect.gen(function*() {
      const answer = yield* LanguageModel.generateText({ prompt: "Which river?" })
      assert.strictEqual(answer.text, "The Elbe.")
      assert.strictEqual(answer.reasoningText, "Hm.")
      assert.strictEqual(answer.finishReason, "stop")
      assert.deepStrictEqual<object>({ ...answer.usage }, sealedUsage)
      assert.deepStrictEqual(answer.content.map(({ type }) => type), [
        "reasoning",
        "text",
        "source",
        "response-metadata",
        "finish"
      ])
      const known = Option.getOrThrow(EffectAi.response(answer.content))
      assert.deepInclude({ ...known }, { cost: 0.25, origin: "provider", attempts: 1, usage: sealed.usage })
      assert.deepStrictEqual(known.parts, sealed.parts)
      const [metadata] = answer.content.filter((part) => part.type === "response-metadata")
      assert.deepStrictEqual<unknown>(metadata?.modelId, given("m-1"))
      assert.deepStrictEqual<unknown>(metadata?.id, given("resp_1"))
      const [source] = answer.content.filter((part) => part.type === "source")
      assert.deepInclude(source, { sourceType: "url", title: "Elbe" })
    }).pipe(Effect.provide(onScript([() => sealed]))))

  it.effect("asks with the conversation, the settings of the layer and those of the region", () =>
    Effect.gen(function*() {
      const ask = LanguageModel.generateText({
        prompt: [
          { role: "system", content: "Be terse." },
          {
            role: "user",
            content: [
              { type: "text", text: "What is this?" },
              { type: "file", mediaType: "image/png", data: new Uint8Array([1, 2, 3]) },
              { type: "file", mediaType: "image/png", data: new URL("https://elbe.example/a.png") },
              {
                type: "file",
                mediaType: "application/pdf",
                data: "data:application/pdf;base64,AQID",
                fileName: "a.pdf"
              },
              { type: "file", mediaType: "application/pdf", data: "https://elbe.example/a.pdf" }
            ]
          },
          { role: "assistant", content: [{ type: "text", text: "A river." }] },
          { role: "system", content: "Be polite." },
          { role: "user", content: "Which one?" }
        ]
      })
      yield* ask.pipe(EffectAi.withSettings({ model: "big", temperature: 1 }), EffectAi.withSettings({ maxTokens: 7 }))
      const request = yield* lastRequest
      assert.deepInclude({ ...request }, { model: "big", system: "Be terse.", temperature: 1, maxTokens: 7, topP: 0.5 })
      const bytes = new Uint8Array([1, 2, 3])
      assert.deepStrictEqual([...request.messages], [
        {
          role: "user",
          content: [
            { _tag: "Text", text: "What is this?" },
            { _tag: "Image", mediaType: "image/png", bytes },
            { _tag: "Image", url: "https://elbe.example/a.png" },
            { _tag: "File", mediaType: "application/pdf", name: "a.pdf", bytes },
            { _tag: "File", mediaType: "application/pdf", url: "https://elbe.example/a.pdf" }
          ]
        },
        { role: "assistant", content: [{ _tag: "Text", text: "A river." }] },
        { role: "system", content: [{ _tag: "Text", text: "Be polite." }] },
        { role: "user", content: [{ _tag: "Text", text: "Which one?" }] }
      ])
      yield* Stream.runDrain(
        EffectAi.withSettings(LanguageModel.streamText({ prompt: "Which one?" }), { seed: 3 })
      )
      assert.deepInclude({ ...(yield* lastRequest) }, { model: "m", seed: 3, maxTokens: 9 })
    }).pipe(Effect.provide(
      onScript([LlmTest.repeat("The Elbe.")], { settings: { system: "(the layer's)", maxTokens: 9, topP: 0.5 } })
    )))

  describe("options of messages and parts", () => {
    const cached = { anthropic: { cacheControl: { type: "ephemeral" } } }
    const forAnHour = { anthropic: { cacheControl: { type: "ephemeral", ttl: "1h" } } }

    it.effect("that mark a prefix to cache are cache points, at the end of a part, a turn, or what comes before a turn", () =>
      Effect.gen(function*() {
        yield* LanguageModel.generateText({
          prompt: [
            { role: "system", content: "Be terse.", options: forAnHour },
            {
              role: "user",
              content: [
                { type: "text", text: "A long text.", options: cached },
                { type: "text", text: "What is it?" }
              ],
              options: { bedrock: { cachePoint: { type: "default" } } }
            },
            { role: "assistant", content: [{ type: "text", text: "A text.", options: cached }] },
            { role: "user", content: [{ type: "text", text: "How long?" }] }
          ]
        })
        const { messages } = yield* lastRequest
        assert.deepStrictEqual(messages.map(({ content }) => content), [
          [
            { _tag: "CachePoint", lifetime: "1h" },
            { _tag: "Text", text: "A long text." },
            { _tag: "CachePoint" },
            { _tag: "Text", text: "What is it?" },
            { _tag: "CachePoint" }
          ],
          [{ _tag: "Text", text: "A text." }],
          [{ _tag: "CachePoint" }, { _tag: "Text", text: "How long?" }]
        ])
      }).pipe(Effect.provide(onScript(["Long."]))))

    it.effect("that mark the end of a prompt without a turn of the user are left out with a warning", () =>
      Effect.gen(function*() {
        const { content } = yield* LanguageModel.generateText({
          prompt: [
            { role: "user", content: [{ type: "text", text: "Say it!" }] },
            { role: "assistant", content: [{ type: "text", text: "It is" }], options: cached }
          ]
        })
        assert.deepStrictEqual(Option.getOrThrow(EffectAi.response(content)).warnings, [
          "a cache point was not sent: no turn of the user comes after it"
        ])
      }).pipe(Effect.provide(onScript([LlmTest.repeat("long.")]))))

    it.effect("have the detail of images, and title, context and citations of documents", () =>
      Effect.gen(function*() {
        const data = new Uint8Array([1])
        const document = { citations: { enabled: true }, documentTitle: "Rivers", documentContext: "An atlas." }
        yield* LanguageModel.generateText({
          prompt: [{
            role: "user",
            content: [
              { type: "file", mediaType: "image/png", data, options: { openai: { imageDetail: "low" } } },
              { type: "file", mediaType: "application/pdf", data, options: { anthropic: document } },
              { type: "text", text: "What is this?" }
            ]
          }]
        })
        const { messages: [message] } = yield* lastRequest
        assert.deepStrictEqual(message?.content.slice(0, 2), [
          { _tag: "Image", mediaType: "image/png", bytes: data, detail: "low" },
          {
            _tag: "File",
            mediaType: "application/pdf",
            bytes: data,
            providerOptions: {
              anthropic: { title: "Rivers", context: "An atlas.", citations: { enabled: true } }
            }
          }
        ])
      }).pipe(Effect.provide(onScript(["A map."]))))
  })

  it.effect("passes the options of calls on, so that equal requests are answered from the cache", () =>
    Effect.gen(function*() {
      const origin = LanguageModel.generateText({ prompt: "Which river?" }).pipe(
        Effect.map(({ content }) => Option.getOrThrow(EffectAi.response(content)).origin)
      )
      assert.deepStrictEqual(yield* Effect.all([origin, origin]), ["provider", "cache"])
      assert.strictEqual(yield* LlmClient.withOptions(origin, { cache: "refresh" }), "provider")
      assert.lengthOf(yield* LlmTest.requests, 2)
      const streamed = LanguageModel.streamText({ prompt: "Which river?" })
      yield* Stream.runDrain(streamed)
      assert.lengthOf(yield* LlmTest.requests, 2)
      yield* Stream.runDrain(LlmClient.withOptions(streamed, { cache: "bypass" }))
      assert.lengthOf(yield* LlmTest.requests, 3)
    }).pipe(Effect.provide(onScript([LlmTest.repeat("The Elbe.")]))))

  it.effect("the options of calls in the layer hold for text, objects and streams", () =>
    Effect.gen(function*() {
      for (let i = 0; i < 2; i++) {
        yield* LanguageModel.generateText({ prompt: "Which river?" })
        yield* LanguageModel.generateObject({ prompt: "Which?", schema: Schema.Struct({ river: Schema.String }) })
        yield* Stream.runDrain(LanguageModel.streamText({ prompt: "Which river?" }))
      }
      assert.lengthOf(yield* LlmTest.requests, 6)
    }).pipe(Effect.provide(onScript([LlmTest.repeat("{\"river\":\"Elbe\"}")], { call: { cache: "bypass" } }))))

  it.effect("a mistake in its options is a defect that names the option", () =>
    Effect.gen(function*() {
      const defectOf = (options: object) =>
        Layer.build(onScript([], options)).pipe(
          Effect.scoped,
          Effect.exit,
          Effect.map((exit) => Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "none")
        )
      assert.match(yield* defectOf({ setings: {} }), /setings must be a known option, such as settings/)
      assert.match(
        yield* defectOf({ call: { timout: 1 } }),
        /call\.timout must be a known option, such as call\.timeout/
      )
      assert.match(yield* defectOf({ settings: { temperature: 3 } }), /settings must be .*temperature/)
      assert.match(yield* defectOf({ reask: -1 }), /reask must be/)
      assert.match(yield* defectOf({ mode: "magic" }), /mode must be one of native/)
    }))

  describe("objects", () => {
    class River extends Schema.Class<River>("test/River")({ name: Schema.String, seen: Schema.Date }) {}

    it.effect("are decoded, and asked for again where they do not fit", () =>
      Effect.gen(function*() {
        const { content, text, value } = yield* LanguageModel.generateObject({ prompt: "Which river?", schema: River })
        assert.instanceOf(value, River)
        assert.deepStrictEqual(value.seen, new Date("2026-01-02T00:00:00.000Z"))
        assert.deepStrictEqual(JSON.parse(text), { name: "Elbe", seen: "2026-01-02T00:00:00.000Z" })
        assert.strictEqual(Option.getOrThrow(EffectAi.response(content)).attempts, 2)
        const [first, second] = yield* LlmTest.requests
        assert.strictEqual(first?.outputSchema?.name, "test_River")
        assert.include(second?.prompt, "does not fit the schema")
      }).pipe(Effect.provide(onScript([
        "{\"name\":1,\"seen\":\"2026-01-02T00:00:00.000Z\"}",
        "{\"name\":\"Elbe\",\"seen\":\"2026-01-02T00:00:00.000Z\"}"
      ]))))

    it.effect("that never fit are MalformedOutput with our error, and its issues, as cause", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(LanguageModel.generateObject({ prompt: "Which river?", schema: River }))
        assert.strictEqual(kindOf(error), answerKinds.invalidOutput)
        const { reason } = Option.getOrThrow(EffectAi.llmError(error))
        assert.strictEqual(reason._tag, "OutputInvalid")
        assert.lengthOf(yield* LlmTest.requests, 1)
      }).pipe(Effect.provide(onScript(["{}"], { reask: 0 }))))

    it.effect("take the services of their schemas from the program", () =>
      Effect.gen(function*() {
        const Level = Schema.transformOrFail(Schema.Number, Schema.Number, {
          strict: true,
          decode: (meters) => Effect.map(Gauge, (gauge) => meters + gauge.level(new Date(0))),
          encode: (sum) => Effect.map(Gauge, (gauge) => sum - gauge.level(new Date(0)))
        })
        const { value } = yield* LanguageModel.generateObject({
          prompt: "How high?",
          schema: Schema.Struct({ level: Level })
        })
        assert.deepStrictEqual(value, { level: 105 })
      }).pipe(
        Effect.provideService(Gauge, { level: () => 100 }),
        Effect.provide(onScript(["{\"level\":5}"]))
      ))
  })

  describe("tools", () => {
    it.effect("are run by @effect/ai, with decoded parameters and the services of their handlers", () =>
      Effect.gen(function*() {
        const answer = yield* LanguageModel.generateText({
          prompt: "Measure!",
          toolkit: Rivers,
          toolChoice: "required"
        })
        assert.deepStrictEqual(answer.finishReason, "tool-calls")
        assert.deepStrictEqual(answer.toolCalls.map(({ id, name, params }): object => ({ id, name, params })), [
          { id: "c1", name: "measure", params: measuredParams },
          { id: "c2", name: "ask", params: { question: "?" } },
          { id: "c3", name: "now", params: {} }
        ])
        assert.deepStrictEqual(
          // They come as they end.
          answer.toolResults.toSorted((one, other) => one.id < other.id ? -1 : 1).map((
            { encodedResult, isFailure }
          ) => ({ encodedResult, isFailure })),
          [
            { encodedResult: { centimeters: 2026, at: measured.at }, isFailure: false },
            { encodedResult: { why: "no question" }, isFailure: true },
            { encodedResult: "noon", isFailure: false }
          ]
        )
        const { toolChoice, tools = [] } = yield* lastRequest
        assert.strictEqual(toolChoice, "required")
        assert.deepStrictEqual(tools.map(({ name }) => name), ["measure", "ask", "now"])
        assert.strictEqual(tools[0]?.description, "Measures a river.")
        assert.deepStrictEqual(tools[2]?.parameters, {
          type: "object",
          properties: {},
          required: [],
          additionalProperties: false
        })
      }).pipe(
        Effect.provide(RiversLive),
        Effect.provide(onScript([LlmTest.toolCalls([
          { id: "c1", name: "measure", arguments: { ...measured, depth: null } },
          { id: "c2", name: "ask", arguments: { question: "?" } },
          { id: "c3", name: "now", arguments: {} }
        ])]))
      ))

    it.effect("are left to the program where it has disabled their resolution", () =>
      Effect.gen(function*() {
        const answer = yield* LanguageModel.generateText({
          prompt: "Ask!",
          toolkit: Rivers,
          disableToolCallResolution: true
        })
        assert.lengthOf(answer.toolCalls, 1)
        assert.lengthOf(answer.toolResults, 0)
        const streamed = yield* parts(LanguageModel.streamText({
          prompt: "Ask!",
          toolkit: Rivers,
          disableToolCallResolution: true
        }))
        assert.lengthOf(streamed.filter(({ type }) => type === "tool-call"), 1)
        assert.lengthOf(streamed.filter(({ type }) => type === "tool-result"), 0)
      }).pipe(
        Effect.provide(RiversLive),
        Effect.provide(onScript([LlmTest.repeat(LlmTest.toolCalls([{ name: "ask", arguments: { question: "?" } }]))]))
      ))

    it.effect("are chosen as the program says", () =>
      Effect.gen(function*() {
        const choose = (
          toolChoice: "none" | { readonly tool: "ask" } | {
            readonly mode?: "auto" | "required"
            readonly oneOf: ReadonlyArray<"ask" | "now">
          }
        ) =>
          Effect.zipRight(
            LanguageModel.generateText({ prompt: "Ask!", toolkit: Rivers, toolChoice }),
            Effect.map(lastRequest, ({ toolChoice, tools }) => [toolChoice, tools?.map(({ name }) => name)])
          )
        const all = ["measure", "ask", "now"]
        assert.deepStrictEqual(yield* choose("none"), ["none", all])
        assert.deepStrictEqual(yield* choose({ tool: "ask" }), [{ tool: "ask" }, all])
        assert.deepStrictEqual(yield* choose({ oneOf: ["ask", "now"] }), ["auto", ["ask", "now"]])
        assert.deepStrictEqual(yield* choose({ mode: "required", oneOf: ["now"] }), ["required", ["now"]])
        yield* LanguageModel.generateText({ prompt: "Without any" })
        assert.notProperty({ ...(yield* lastRequest) }, "toolChoice")
      }).pipe(Effect.provide(RiversLive), Effect.provide(onScript([LlmTest.repeat("No.")]))))

    it.effect("that an unknown provider defines are refused, with the way they go", () =>
      Effect.gen(function*() {
        const Search = Tool.providerDefined({
          id: "acme.web_search",
          toolkitName: "AcmeWebSearch",
          providerName: "web_search",
          args: {}
        })({})
        const toolkit = Toolkit.make(Search)
        for (
          const error of [
            yield* Effect.flip(LanguageModel.generateText({ prompt: "Search!", toolkit })),
            yield* Effect.flip(Stream.runDrain(LanguageModel.streamText({ prompt: "Search!", toolkit })))
          ]
        ) {
          assert.strictEqual(kindOf(error), answerKinds.unsupported)
          assert.match(
            String(error),
            /AcmeWebSearch \(acme\.web_search\) is defined by a provider.*providerTools/
          )
          assert.strictEqual(Option.getOrThrow(EffectAi.llmError(error)).reason._tag, "UnsupportedFeature")
        }
        assert.lengthOf(yield* LlmTest.requests, 0)
      }).pipe(Effect.provide(onScript([]))))

    it.effect("that the provider runs go to it beside those of the program, under their names there", () =>
      Effect.gen(function*() {
        const toolkit = Toolkit.make(
          Now,
          Tool.providerDefined({
            id: "anthropic.web_search_20250305",
            toolkitName: "AnthropicWebSearch",
            providerName: "web_search",
            args: { max_uses: Schema.Number }
          })({ max_uses: 3 }),
          Tool.providerDefined({
            id: "anthropic.tool_search_bm25_20251119",
            toolkitName: "AnthropicToolSearch",
            providerName: "tool_search",
            args: {}
          })({})
        )
        const { toolCalls } = yield* LanguageModel.generateText({
          prompt: "Search!",
          toolkit,
          toolChoice: { tool: "AnthropicWebSearch" }
        }).pipe(EffectAi.withSettings({ providerTools: [LlmTool.providerTool(mine)] }))
        assert.lengthOf(toolCalls, 0)
        const { providerTools, toolChoice, tools } = yield* lastRequest
        assert.deepStrictEqual(toolChoice, { tool: "web_search" })
        assert.deepStrictEqual(tools?.map(({ name }) => name), ["now"])
        assert.deepStrictEqual(providerTools, [
          { _tag: "ProviderTool", ...mine },
          {
            _tag: "ProviderTool",
            protocol: "anthropic",
            name: "web_search",
            tool: { max_uses: 3, type: "web_search_20250305", name: "web_search" },
            choice: { type: "tool", name: "web_search" }
          },
          {
            _tag: "ProviderTool",
            protocol: "anthropic",
            name: "tool_search_tool_bm25",
            tool: { type: "tool_search_tool_bm25_20251119", name: "tool_search_tool_bm25" },
            choice: { type: "tool", name: "tool_search_tool_bm25" }
          }
        ])
      }).pipe(Effect.provide(RiversLive), Effect.provide(onScript(["Found."]))))

    it.effect("that the program has to run for a provider are refused", () =>
      Effect.gen(function*() {
        const Shell = Tool.providerDefined({
          id: "openai.local_shell",
          toolkitName: "OpenAiLocalShell",
          providerName: "local_shell",
          requiresHandler: true,
          args: {},
          parameters: {},
          success: Schema.String
        })({})
        const error = yield* LanguageModel.generateText({ prompt: "List!", toolkit: Toolkit.make(Shell) }).pipe(
          Effect.flip,
          Effect.provide(Toolkit.make(Shell).toLayer({ OpenAiLocalShell: () => Effect.succeed("") }))
        )
        assert.strictEqual(kindOf(error as AiError.AiError), answerKinds.unsupported)
      }).pipe(Effect.provide(onScript([]))))

    it.effect("are not called by half: a call that the token limit has cut is left out", () =>
      Effect.gen(function*() {
        const answer = yield* LanguageModel.generateText({ prompt: "Ask!", toolkit: Rivers })
        assert.strictEqual(answer.finishReason, "length")
        assert.lengthOf(answer.toolCalls, 0)
      }).pipe(
        Effect.provide(RiversLive),
        Effect.provide(onScript([() =>
          response({
            parts: [Message.ToolCall.make({ id: "c", name: "ask", arguments: "{\"que", incomplete: true })],
            finishReason: "length",
            model: "m",
            provider: "test"
          })]))
      ))

    it.effect("that there are not fail the call with MalformedOutput", () =>
      Effect.gen(function*() {
        const call = LanguageModel.generateText({ prompt: "Ask!", toolkit: Rivers })
        const error = yield* Effect.flip(call)
        assert.strictEqual(kindOf(error as AiError.AiError), answerKinds.unknownTool)
      }).pipe(
        Effect.provide(RiversLive),
        Effect.provide(onScript([LlmTest.toolCalls([{ name: "fly", arguments: {} }])]))
      ))

    it.effect("fail the call with their own failure", () =>
      Effect.gen(function*() {
        const Failing = Toolkit.make(Tool.make("fail", { failure: Schema.Literal("broken") }))
        const error = yield* LanguageModel.generateText({ prompt: "Fail!", toolkit: Failing }).pipe(
          Effect.flip,
          Effect.provide(Failing.toLayer({ fail: () => Effect.fail("broken" as const) }))
        )
        assert.strictEqual(error, "broken")
      }).pipe(Effect.provide(onScript([LlmTest.toolCalls([{ name: "fail", arguments: {} }])]))))
  })

  describe("streams", () => {
    it.effect("have a start and an end around each text, thought and call, and one end of all", () =>
      Effect.gen(function*() {
        const streamed = yield* parts(LanguageModel.streamText({ prompt: "Ask!", toolkit: Rivers }))
        assert.deepStrictEqual(
          streamed.map((part) =>
            part.type === "text-delta" || part.type === "reasoning-delta" || part.type === "tool-params-delta"
              ? `${part.type} ${part.id} ${part.delta}`
              : "id" in part && typeof part.id === "string"
              ? `${part.type} ${part.id}`
              : part.type
          ),
          [
            "reasoning-start block_1",
            "reasoning-delta block_1 Hm",
            "reasoning-delta block_1 .",
            "reasoning-end block_1",
            "text-start block_2",
            "text-delta block_2 I ask.",
            "text-end block_2",
            "tool-params-start c1",
            "tool-params-delta c1 {\"question\":",
            "tool-params-delta c1 \"!\"}",
            "tool-params-end c1",
            "tool-call c1",
            ...afterCall
          ]
        )
        const finish = streamed.at(-1)
        assert.deepInclude(finish, { reason: "tool-calls" })
        assert.strictEqual(Option.getOrThrow(EffectAi.response(streamed)).text, "I ask.")
      }).pipe(
        Effect.provide(RiversLive),
        Effect.provide(onScript([LlmTest.stream(Stream.make(
          { _tag: "ReasoningDelta", text: "Hm" } as const,
          { _tag: "ReasoningDelta", text: "." } as const,
          { _tag: "TextDelta", text: "I ask." } as const,
          { _tag: "ToolCallStart", id: "c1", name: "ask" } as const,
          { _tag: "ToolCallDelta", id: "c1", delta: "{\"question\":" } as const,
          { _tag: "ToolCallDelta", id: "c1", delta: "\"!\"}" } as const,
          { _tag: "ToolCallEnd", id: "c1", name: "ask", arguments: { question: "!" } } as const
        ))]))
      ))

    it.effect("fail with what the client failed with", () =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const error = yield* LanguageModel.streamText({ prompt: "Tell!" }).pipe(
          Stream.runForEach((part) => Effect.sync(() => seen.push(part.type))),
          Effect.flip
        )
        assert.deepStrictEqual(seen, ["text-start", "text-delta"])
        assert.strictEqual(kindOf(error), answerKinds.interrupted)
        const { isRetryable, reason } = Option.getOrThrow(EffectAi.llmError(error))
        assert.deepInclude({ ...reason }, { _tag: "StreamInterrupted" })
        assert.isFalse(isRetryable)
      }).pipe(Effect.provide(onScript([LlmTest.stream(["The"], { end: "cut" })]))))
  })

  it.effect("a refusal has no text, ends with content-filter, and is in what the client answered", () =>
    Effect.gen(function*() {
      const answer = yield* LanguageModel.generateText({ prompt: "Do it!" })
      assert.deepStrictEqual([answer.text, answer.finishReason], ["", "content-filter"])
      const known = Option.getOrThrow(EffectAi.response(answer.content))
      assert.deepStrictEqual(known.parts, [{ _tag: "Refusal", text: "I will not." }])
    }).pipe(Effect.provide(onScript([() =>
      response({
        parts: [Message.Refusal.make({ text: "I will not." })],
        finishReason: "refusal",
        model: "m",
        provider: "test"
      })]))))

  describe("failures", () => {
    for (const [reason, kind, words] of kinds) {
      it.effect(`with reason ${reason._tag} are ${kind}, with our error as cause`, () =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(LanguageModel.generateText({ prompt: "Which river?" }))
          assert.strictEqual(kindOf(error), kind)
          const cause = Option.getOrThrow(EffectAi.llmError(error))
          assert.strictEqual(cause.reason._tag, reason._tag)
          assert.include(String(error), words)
        }).pipe(Effect.provide(onScript([LlmTest.fail(reason)]))))
    }

    it.effect("that can be retried are retried by the client", () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.fork(LanguageModel.generateText({ prompt: "Which river?" }))
        yield* TestClock.adjust("10 seconds")
        const { text } = yield* Fiber.join(fiber)
        assert.strictEqual(text, "The Elbe.")
        assert.lengthOf(yield* LlmTest.requests, 2)
      }).pipe(Effect.provide(onScript([LlmTest.fail(LlmError.ServerFailed.make({})), "The Elbe."]))))
  })

  it.effect("interruption reaches the provider, and leaves nothing behind", () =>
    Effect.gen(function*() {
      const started = yield* Deferred.make<void>()
      const stopped = yield* Ref.make(0)
      const hanging = LlmProvider.layer({
        name: "test",
        endpoint: "memory:",
        call: () =>
          Deferred.succeed(started, undefined).pipe(
            Effect.zipRight(Effect.never),
            Effect.onInterrupt(() => Ref.update(stopped, (n) => n + 1))
          )
      })
      const model = EffectAi.layerLanguageModel({ model: "m" }).pipe(
        Layer.provide(LlmClient.layer()),
        Layer.provide([hanging, LlmCache.layerNone, LlmTest.layerLogger])
      )
      yield* leavingNoFiber(Effect.gen(function*() {
        const fiber = yield* Effect.fork(
          LanguageModel.generateText({ prompt: "Which river?" }).pipe(Effect.provide(model))
        )
        yield* Deferred.await(started)
        const exit = yield* Fiber.interrupt(fiber)
        assert.isTrue(Exit.isInterrupted(exit))
      }))
      assert.strictEqual(yield* Ref.get(stopped), 1)
    }))

  // -------------------------------------------------------------------------------------------------------------------
  // Conversations
  // -------------------------------------------------------------------------------------------------------------------

  describe("conversations", () => {
    const sent = Effect.map(lastRequest, ({ messages }) => messages.filter(({ role }) => role === "assistant").at(-1))

    for (const operation of ["generateText", "streamText"] as const) {
      it.effect(`EffectAi.prompt gives all parts back to the provider: ${operation}`, () =>
        Effect.gen(function*() {
          const content = operation === "generateText"
            ? (yield* LanguageModel.generateText({ prompt: "Which river?" })).content
            : yield* parts(LanguageModel.streamText({ prompt: "Which river?" }))
          const turns = EffectAi.prompt(content)
          // As a chat would store it.
          const json = yield* Schema.encode(Prompt.FromJson)(turns)
          const stored = yield* Schema.decode(Prompt.FromJson)(json)
          for (const prompt of [turns, stored]) {
            yield* LanguageModel.generateText({ prompt: Prompt.merge(prompt, "And then?") })
            assert.deepStrictEqual(yield* sent, { role: "assistant", content: sealed.parts })
          }
        }).pipe(Effect.provide(onScript([LlmTest.repeat(() => sealed)], { call: { cache: "bypass" } }))))
    }

    it.effect("the visible content of a changed message counts, and not the parts kept with it", () =>
      Effect.gen(function*() {
        const { content } = yield* LanguageModel.generateText({ prompt: "Which river?" })
        const changed = Prompt.fromMessages(
          EffectAi.prompt(content).content.map((message) =>
            message.role === "assistant"
              ? { ...message, content: [Prompt.textPart({ text: "The Oder." })] }
              : message
          )
        )
        yield* LanguageModel.generateText({ prompt: Prompt.merge(changed, "And then?") })
        assert.deepStrictEqual(yield* sent, { role: "assistant", content: [{ _tag: "Text", text: "The Oder." }] })
      }).pipe(Effect.provide(onScript([LlmTest.repeat(() => sealed)]))))

    it.effect("a turn of another provider is sent as far as it is seen, with warnings", () =>
      Effect.gen(function*() {
        const { content } = yield* LanguageModel.generateText({
          prompt: [
            { role: "user", content: "Search!" },
            {
              role: "assistant",
              content: [
                { type: "tool-call", id: "s1", name: "search", params: {}, providerExecuted: true },
                {
                  type: "tool-result",
                  id: "s1",
                  name: "search",
                  result: {},
                  isFailure: false,
                  providerExecuted: true
                },
                { type: "text", text: "Found." }
              ]
            },
            { role: "user", content: "And?" }
          ]
        })
        assert.deepStrictEqual(yield* sent, { role: "assistant", content: [{ _tag: "Text", text: "Found." }] })
        assert.deepStrictEqual(Option.getOrThrow(EffectAi.response(content)).warnings, [
          "a call of search was not sent: a provider has run it",
          "a result of search was not sent: a provider has run it"
        ])
      }).pipe(Effect.provide(onScript(["No more."]))))

    it.effect("parameters and results go back in their encoded form, also after they were stored", () =>
      Effect.gen(function*() {
        const chat = yield* Chat.empty
        yield* chat.generateText({ prompt: "Measure!", toolkit: Rivers })
        const stored = yield* Chat.fromJson(yield* chat.exportJson)
        for (const each of [chat, stored]) {
          const { text } = yield* each.generateText({ prompt: [], toolkit: Rivers })
          assert.strictEqual(text, "Done.")
          const { messages } = yield* lastRequest
          assert.deepStrictEqual(messages.slice(1), [
            { role: "assistant", content: [{ _tag: "ToolCall", id: "c1", name: "measure", arguments: measured }] },
            {
              role: "tool",
              content: [{
                _tag: "ToolResult",
                id: "c1",
                name: "measure",
                result: { centimeters: 2026, at: measured.at }
              }]
            }
          ])
        }
      }).pipe(
        Effect.provide(RiversLive),
        Effect.provide(onScript([
          LlmTest.toolCalls([{ id: "c1", name: "measure", arguments: measured }]),
          LlmTest.repeat("Done.")
        ]))
      ))

    for (const operation of ["generateText", "streamText", "generateObject"] as const) {
      it.effect(`a lossless chat keeps all parts, in its export too: ${operation}`, () =>
        Effect.gen(function*() {
          const json = { ...sealed, parts: [...sealed.parts.slice(0, 2), Message.Text.make({ text: "{\"a\":1}" })] }
          const answered = response(json)
          const chat = yield* Effect.flatMap(Chat.fromPrompt("Some say:"), EffectAi.losslessChat)
          const ask = (prompt: string): Effect.Effect<unknown, unknown, LanguageModel.LanguageModel> =>
            operation === "generateText"
              ? chat.generateText({ prompt })
              : operation === "streamText"
              ? Stream.runDrain(chat.streamText({ prompt }))
              : chat.generateObject({ prompt, schema: Schema.Struct({ a: Schema.Number }) })
          yield* ask("Which river?").pipe(Effect.provide(onScript([() => answered])))
          const stored = yield* Effect.flatMap(Chat.fromJson(yield* chat.exportJson), EffectAi.losslessChat).pipe(
            Effect.provide(onScript([]))
          )
          for (const each of [chat, stored]) {
            yield* Effect.gen(function*() {
              yield* each.generateText({ prompt: "And then?" })
              assert.deepStrictEqual(yield* sent, { role: "assistant", content: answered.parts })
            }).pipe(Effect.provide(onScript(["The sea."])))
          }
        }))
    }

    it.effect("a lossless chat that is persistent keeps all parts once it is saved", () =>
      Effect.gen(function*() {
        const { get, getOrCreate } = yield* Chat.Persistence
        const chat = yield* Effect.flatMap(getOrCreate("one"), EffectAi.losslessChat)
        yield* chat.generateText({ prompt: "Which river?" })
        yield* chat.save
        const again = yield* get("one")
        yield* again.generateText({ prompt: "And then?" })
        assert.deepStrictEqual(yield* sent, { role: "assistant", content: sealed.parts })
      }).pipe(
        Effect.provide(onScript([() => sealed, "The sea."])),
        Effect.provide(Layer.provide(Chat.layerPersisted({ storeId: "chats" }), Persistence.layerMemory))
      ))

    it.effect("a lossless chat keeps the parts of turns that are asked for at once, and a stream that is left early ends its turn", () =>
      Effect.gen(function*() {
        const chat = yield* Effect.flatMap(Chat.empty, EffectAi.losslessChat)
        yield* chat.streamText({ prompt: "One." }).pipe(Stream.take(1), Stream.runDrain)
        yield* Effect.all(
          [chat.generateText({ prompt: "Two." }), chat.generateText({ prompt: "Three." })],
          { concurrency: "unbounded" }
        )
        const { content } = yield* Ref.get(chat.history)
        assert.deepStrictEqual(content.map(({ role }) => role).slice(-4), ["user", "assistant", "user", "assistant"])
        for (const message of content.slice(-4)) {
          if (message.role === "assistant") assert.property(message.options, "effectLlm")
        }
      }).pipe(Effect.provide(onScript([LlmTest.repeat("Yes, of course.")]))))

    it.effect("an answer of which nothing can be seen is kept in a turn of its own", () =>
      Effect.gen(function*() {
        const chat = yield* Effect.flatMap(Chat.empty, EffectAi.losslessChat)
        yield* chat.generateText({ prompt: "Think!" })
        yield* chat.generateText({ prompt: "Go on." })
        assert.deepStrictEqual(yield* sent, { role: "assistant", content: [sealed.parts[1]!] })
      }).pipe(Effect.provide(onScript([
        () => response({ parts: [sealed.parts[1]!], finishReason: "pause", model: "m", provider: "test" }),
        "Done."
      ]))))
  })

  it.effect("tools of a toolkit run in runTools, over several turns", () =>
    Effect.gen(function*() {
      const tools = yield* EffectAi.tools(Rivers)
      const run = yield* LlmClient.runTools({ model: "m", prompt: "Measure!" }, tools)
      assert.strictEqual(run.response.text, "Done.")
      assert.deepStrictEqual(
        run.steps.flatMap(({ results }) => results.map(({ isError = false, result }) => ({ isError, result }))),
        [
          { isError: false, result: { centimeters: 2026, at: measured.at } },
          { isError: true, result: { why: "no question" } },
          { isError: false, result: "noon" }
        ]
      )
    }).pipe(
      Effect.provide(RiversLive),
      Effect.provide(onScript([
        LlmTest.toolCalls([
          { name: "measure", arguments: { ...measured, depth: null } },
          { name: "ask", arguments: { question: "?" } }
        ]),
        LlmTest.toolCalls([{ name: "now", arguments: {} }]),
        "Done."
      ]))
    ))

  it.effect("tools of a toolkit fail a run of tools with their own failure, and die where a result does not fit", () =>
    Effect.gen(function*() {
      const Odd = Toolkit.make(
        Tool.make("fail", { failure: Schema.Literal("broken") }),
        Tool.make("lie", { success: Schema.Number })
      )
      const tools = yield* EffectAi.tools(Odd).pipe(Effect.provide(Odd.toLayer({
        fail: () => Effect.fail("broken" as const),
        lie: () => Effect.succeed("a text" as unknown as number)
      })))
      const failed = yield* Effect.either(LlmClient.runTools({ model: "m", prompt: "One." }, tools))
      assert.deepStrictEqual(failed, Either.left("broken" as const))
      const exit = yield* Effect.exit(LlmClient.runTools({ model: "m", prompt: "Two." }, tools))
      assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
    }).pipe(Effect.provide(onScript([
      LlmTest.toolCalls([{ name: "fail", arguments: {} }]),
      LlmTest.toolCalls([{ name: "lie", arguments: {} }])
    ]))))
})
