// In place of the file: there is none for Effect 3, as its `@effect/ai` has nothing of what is tried here.
import { assert, describe, it } from "@effect/vitest"
import * as EffectAi from "effect-llm/EffectAi"
import * as Embedding from "effect-llm/Embedding"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Chat from "effect/ai/Chat"
import * as EmbeddingModel from "effect/ai/EmbeddingModel"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Model from "effect/ai/Model"
import * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

/** A language model and a client on a script. */
const onScript = (script: LlmTest.Script) =>
  EffectAi.layerLanguageModel({ model: "m" }).pipe(
    Layer.provideMerge(LlmClient.layer({ retry: { jitter: false } })),
    Layer.provideMerge(Layer.mergeAll(LlmTest.layer(script), LlmTest.layerLogger, LlmCache.layerNone))
  )

const lastRequest = Effect.map(LlmTest.requests, (requests) => requests.at(-1)!)

const parts = <A, E, R>(stream: Stream.Stream<A, E, R>) => Stream.runCollect(stream)

describe("EffectAi.layerLanguageModel on Effect 4", () => {
  it.effect("is the layer of a Model, which names its provider and itself", () => {
    const model = Model.make("openai", "gpt-5-mini", EffectAi.layerLanguageModel({ model: "gpt-5-mini" }))
    return Effect.gen(function*() {
      const { text } = yield* LanguageModel.generateText({ prompt: "Which river?" })
      assert.strictEqual(text, "The Elbe.")
      assert.deepStrictEqual([yield* Model.ProviderName, yield* Model.ModelName], ["openai", "gpt-5-mini"])
      assert.strictEqual((yield* lastRequest).model, "gpt-5-mini")
    }).pipe(Effect.provide(model.pipe(Layer.provideMerge(onScript(["The Elbe."])))))
  })

  it.effect("takes instructions in the middle of a conversation, and says so", () =>
    Effect.gen(function*() {
      const { supportsSystemMessagesInHistory = Effect.succeed(false) } = yield* LanguageModel.LanguageModel
      assert.isTrue(yield* supportsSystemMessagesInHistory)
    }).pipe(Effect.provide(onScript([]))))

  it.effect("reads objects by the JSON of their schemas, as other models do: dates, options, maps", () =>
    Effect.gen(function*() {
      const schema = Schema.Struct({
        seen: Schema.Date,
        mouth: Schema.Option(Schema.String),
        depths: Schema.ReadonlyMap(Schema.String, Schema.Finite)
      })
      const { value } = yield* LanguageModel.generateObject({ prompt: "Which river?", schema })
      assert.deepStrictEqual(value, {
        seen: new Date("2026-01-02T00:00:00.000Z"),
        mouth: Option.some("Cuxhaven"),
        depths: new Map([["Dresden", 2.5]])
      })
      // An option is shown to the model as by the client itself: as its value or null.
      const { properties } = (yield* lastRequest).outputSchema?.schema ?? {}
      assert.deepStrictEqual(JSON.parse(JSON.stringify(properties)).mouth, {
        anyOf: [{ type: "string" }, { type: "null" }]
      })
    }).pipe(Effect.provide(onScript([
      JSON.stringify({
        seen: "2026-01-02T00:00:00.000Z",
        mouth: "Cuxhaven",
        depths: [["Dresden", 2.5]]
      })
    ]))))

  it.effect("keeps the body of the provider's answer with it", () =>
    Effect.gen(function*() {
      const { content } = yield* LanguageModel.generateText({ prompt: "Which river?" })
      const known = Option.getOrThrow(EffectAi.response(content))
      assert.instanceOf(known, LlmResponse.LlmResponse)
      assert.deepStrictEqual(known.raw, { choices: [{ text: "The Elbe." }] })
    }).pipe(Effect.provide(onScript([() =>
      LlmResponse.make({
        parts: [Message.Text.make({ text: "The Elbe." })],
        finishReason: "stop",
        model: "m",
        provider: "test",
        raw: { choices: [{ text: "The Elbe." }] }
      })]))))

  describe("tools", () => {
    const Remove = Tool.make("remove", {
      parameters: Schema.Struct({ file: Schema.String }),
      success: Schema.String,
      needsApproval: true
    })
    const Files = Toolkit.make(Remove)
    const removed: Array<string> = []
    const FilesLive = Files.toLayer({
      remove: ({ file }) =>
        Effect.sync(() => {
          removed.push(file)
          return `removed ${file}`
        })
    })

    it.effect("that need approval run when they have it, and the provider sees the call and its result only", () =>
      Effect.gen(function*() {
        removed.length = 0
        const chat = yield* Chat.empty
        const asked = yield* chat.generateText({ prompt: "Remove it!", toolkit: Files })
        const [approval] = asked.content.filter((part) => part.type === "tool-approval-request")
        assert.deepStrictEqual(removed, [])
        const { text } = yield* chat.generateText({
          prompt: [{
            role: "tool",
            content: [{ type: "tool-approval-response", approvalId: approval?.approvalId ?? "", approved: true }]
          }],
          toolkit: Files
        })
        assert.deepStrictEqual([text, removed], ["Done.", ["a.txt"]])
        const { messages } = yield* lastRequest
        assert.deepStrictEqual(messages.slice(1), [
          {
            role: "assistant",
            content: [{ _tag: "ToolCall", id: "c1", name: "remove", arguments: { file: "a.txt" } }]
          },
          { role: "tool", content: [{ _tag: "ToolResult", id: "c1", name: "remove", result: "removed a.txt" }] }
        ])
      }).pipe(
        Effect.provide(FilesLive),
        Effect.provide(onScript([
          LlmTest.toolCalls([{ id: "c1", name: "remove", arguments: { file: "a.txt" } }]),
          "Done."
        ]))
      ))

    it.effect("that need approval are no tools of runTools, which would not ask", () =>
      Effect.gen(function*() {
        const { reason } = yield* Effect.flip(EffectAi.tools(Files))
        assert.deepInclude({ ...reason }, {
          _tag: "UnsupportedFeature",
          feature: "approval of the tool remove"
        })
        const tools = yield* EffectAi.tools(Toolkit.make(Remove.setNeedsApproval(false)))
        assert.deepStrictEqual(tools.map(({ name }) => name), ["remove"])
      }).pipe(Effect.provide(FilesLive)))

    it.effect("that are known at run time only keep their JSON Schema, there and in runTools", () =>
      Effect.gen(function*() {
        const parameters = {
          type: "object",
          properties: { river: { type: "string" }, year: { type: "integer" } },
          required: ["river", "year"],
          additionalProperties: false
        } as const
        const Lookup = Tool.dynamic("look_up", { description: "Looks a river up.", parameters })
        const Atlas = Toolkit.make(Lookup)
        const live = Atlas.toLayer({ look_up: (params) => Effect.succeed({ params }) })
        const asked = yield* LanguageModel.generateText({ prompt: "Look!", toolkit: Atlas }).pipe(Effect.provide(live))
        const args = { river: "Elbe", year: 2026 }
        assert.deepStrictEqual(asked.toolResults.map(({ result }): unknown => result), [{ params: args }])
        assert.deepInclude((yield* lastRequest).tools?.[0], { name: "look_up", description: "Looks a river up." })
        assert.deepInclude((yield* lastRequest).tools?.[0]?.parameters, {
          properties: parameters.properties,
          required: parameters.required
        })
        const tools = yield* EffectAi.tools(Atlas).pipe(Effect.provide(live))
        const { steps } = yield* LlmClient.runTools({ model: "m", prompt: "Look!" }, tools)
        assert.deepStrictEqual(
          steps.flatMap(({ results }) => results.map(({ result }) => result)),
          [{ params: args }]
        )
      }).pipe(Effect.provide(onScript([
        LlmTest.toolCalls([{ name: "look_up", arguments: { river: "Elbe", year: 2026 } }]),
        LlmTest.toolCalls([{ name: "look_up", arguments: { river: "Elbe", year: 2026 } }]),
        "Done."
      ]))))

    it.effect("show the model what they are told to, and give progress to those who watch", () =>
      Effect.gen(function*() {
        const Photo = Tool.make("photo", {
          parameters: Schema.Struct({ river: Schema.String }),
          success: Schema.String,
          toModelOutput: (data) => [
            Prompt.textPart({ text: "A photo." }),
            Prompt.filePart({ mediaType: "image/png", data })
          ]
        })
        const Photos = Toolkit.make(Photo)
        const live = Photos.toLayer({
          photo: (_, { preliminary }) => Effect.as(preliminary("BBBB"), "AQID")
        })
        const shown = [
          { _tag: "Text" as const, text: "A photo." },
          { _tag: "Image" as const, mediaType: "image/png", bytes: new Uint8Array([1, 2, 3]) }
        ]
        const chat = yield* Chat.empty
        const streamed = yield* parts(chat.streamText({ prompt: "Show!", toolkit: Photos })).pipe(Effect.provide(live))
        assert.deepStrictEqual(
          streamed.flatMap((part) => part.type === "tool-result" ? [part.preliminary] : []),
          [true, false]
        )
        yield* chat.generateText({ prompt: "And?" })
        const [result] = (yield* lastRequest).messages
          .flatMap(({ content }): ReadonlyArray<Message.Message["content"][number]> => content)
          .filter((part) => part._tag === "ToolResult")
        assert.deepInclude({ ...result }, { result: "", parts: shown })

        const tools = yield* EffectAi.tools(Photos).pipe(Effect.provide(live))
        const { steps } = yield* LlmClient.runTools({ model: "m", prompt: "Show!" }, tools)
        assert.deepStrictEqual<unknown>(
          steps.flatMap(({ results }) => results.map(({ parts, result }) => ({ parts, result }))),
          [{ result: "", parts: shown }]
        )
      }).pipe(Effect.provide(onScript([
        LlmTest.toolCalls([{ name: "photo", arguments: { river: "Elbe" } }]),
        "Nice.",
        LlmTest.toolCalls([{ name: "photo", arguments: { river: "Elbe" } }]),
        "Done."
      ]))))
  })

  it.effect("texts that are embedded at the same time go in one request", () => {
    const inputs: Array<ReadonlyArray<string>> = []
    const provider = LlmProvider.layer({
      name: "test",
      endpoint: "memory:",
      call: () => Effect.die(new Error("not asked for")),
      embed: ({ input, model }) =>
        Effect.sync(() => {
          inputs.push(input)
          return Embedding.make({ embeddings: input.map(({ length }) => [length]), usage: {}, model, provider: "test" })
        })
    })
    const model = EffectAi.layerEmbeddingModel({ model: "e" }).pipe(
      Layer.provide(LlmClient.layer()),
      Layer.provide([provider, LlmCache.layerNone, LlmTest.layerLogger])
    )
    return Effect.gen(function*() {
      const { embed } = yield* EmbeddingModel.EmbeddingModel
      const answers = yield* Effect.all([embed("Elbe"), embed("Danube")], { concurrency: "unbounded" })
      assert.deepStrictEqual(answers.map(({ vector }) => vector), [[4], [6]])
      assert.deepStrictEqual(inputs, [["Elbe", "Danube"]])
    }).pipe(Effect.provide(model))
  })
})

describe("EffectAi.layerProvider on Effect 4", () => {
  const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } }

  /** A client over a language model that gives these answers in turn, and the prompts that it got. */
  const over = (
    answers: ReadonlyArray<ReadonlyArray<Response.PartEncoded>>,
    options: Partial<EffectAi.ProviderOptions> = {}
  ) => {
    const asked: Array<LanguageModel.ProviderOptions> = []
    const model = Layer.effect(
      LanguageModel.LanguageModel,
      LanguageModel.make({
        generateText: (options) =>
          Effect.sync(() => {
            asked.push(options)
            return [...answers[asked.length - 1] ?? [], { type: "finish" as const, reason: "stop" as const, usage }]
          }),
        streamText: () => Stream.empty
      })
    )
    const layer = LlmClient.layerDefault({ retry: false }).pipe(
      Layer.provide(
        EffectAi.layerProvider({ name: "acme", endpoint: "https://acme.example", model: "a-1", ...options })
      ),
      Layer.provide(model)
    )
    return { asked, layer }
  }

  it.effect("a value that does not fit its schema is asked for again, with the places that are wrong", () => {
    const { asked, layer } = over(
      [[{ type: "text", text: "{\"name\":7}" }], [{ type: "text", text: "{\"name\":\"Elbe\"}" }]],
      { schemaDialect: "openai" }
    )
    return Effect.gen(function*() {
      const River = Schema.Struct({ name: Schema.String })
      const { value } = yield* LlmClient.object(River, { model: "a-1", prompt: "Which river?" })
      assert.deepStrictEqual(value, { name: "Elbe" })
      assert.lengthOf(asked, 2)
      assert.include(JSON.stringify(asked[1]?.prompt.content.at(-1)), "name")
    }).pipe(Effect.provide(layer))
  })

  it.effect("a call of a tool that there is not comes to the client, as calls of others do", () => {
    const { layer } = over([[{ type: "tool-call", id: "c1", name: "fly", params: { to: "Rome" } }]])
    return Effect.gen(function*() {
      const { toolCalls } = yield* LlmClient.call({
        model: "a-1",
        prompt: "Fly!",
        tools: [{ name: "walk", parameters: { type: "object" } }]
      })
      assert.deepStrictEqual(toolCalls.map(({ arguments: args, name }) => ({ args, name })), [
        { name: "fly", args: { to: "Rome" } }
      ])
    }).pipe(Effect.provide(layer))
  })
})
