import type * as AiError from "@effect/ai/AiError"
import * as Chat from "@effect/ai/Chat"
import * as EmbeddingModel from "@effect/ai/EmbeddingModel"
import * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as Tool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import { assert, describe, it } from "@effect/vitest"
import * as EffectAi from "effect-llm/EffectAi"
import * as Embedding from "effect-llm/Embedding"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as Simulator from "effect-llm/testing/Simulator"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Simulated from "../support/simulated.js"

/** A client on the simulator, in real time. */
const clientOn = (protocol: Simulated.Protocol, { url }: Simulator.Service, options?: LlmClient.Options) =>
  LlmClient.layer(options).pipe(
    Layer.provide([Simulated.providers[protocol].layer(url), LlmCache.layerNone, LlmLogger.layerSilent])
  )

/** A language model on the simulator; one that thinks, if it is to. */
const modelOn = (
  protocol: Simulated.Protocol,
  simulator: Simulator.Service,
  { client, thinking = false }: { readonly client?: LlmClient.Options; readonly thinking?: boolean } = {}
) => {
  const { model, thinking: thinker } = Simulated.providers[protocol]
  return EffectAi.layerLanguageModel(
    thinking ? { model: thinker, settings: { reasoningEffort: "low" } } : { model }
  ).pipe(Layer.provide(clientOn(protocol, simulator, client)))
}

const parts = <A, E, R>(stream: Stream.Stream<A, E, R>) => Effect.map(Stream.runCollect(stream), Chunk.toReadonlyArray)

const totalTokens = (usage: Response.Usage): number => usage.totalTokens ?? 0

const kindOf = (error: AiError.AiError): string => error._tag

const invalidKind = "MalformedInput"

const embedMany = (texts: ReadonlyArray<string>) =>
  Effect.flatMap(EmbeddingModel.EmbeddingModel, (model) => model.embedMany(texts))

const embed = (text: string) => Effect.flatMap(EmbeddingModel.EmbeddingModel, (model) => model.embed(text))

const Length = Tool.make("look_up", {
  description: "The length of a river.",
  parameters: { river: Schema.String, since: Schema.optional(Schema.Date), marks: Schema.Array(Schema.Int) },
  success: Schema.Struct({ kilometers: Schema.Number })
})

const Rivers = Toolkit.make(Length)

const RiversLive = Rivers.toLayer({ look_up: ({ river }) => Effect.succeed({ kilometers: river.length * 100 }) })

class River extends Schema.Class<River>("River")({
  name: Schema.String,
  lengthInKm: Schema.Number,
  mouth: Schema.optional(Schema.String),
  seen: Schema.Option(Schema.Date)
}) {}

describe("EffectAi over HTTP", () => {
  it.live.each(Simulated.protocols)(
    "programs of @effect/ai ask for text, values and tools: %s",
    (protocol) =>
      Simulated.over({}, (simulator) =>
        Effect.gen(function*() {
          const { finishReason, text, usage } = yield* LanguageModel.generateText({ prompt: "Echo: hello there" })
          assert.deepStrictEqual([text, finishReason], ["hello there", "stop"])
          assert.isAbove(totalTokens(usage), 0)

          const { value } = yield* LanguageModel.generateObject({ prompt: "Name a river", schema: River })
          assert.instanceOf(value, River)

          const called = yield* LanguageModel.generateText({
            prompt: "Please look_up the Elbe",
            toolkit: Rivers,
            toolChoice: "required"
          })
          assert.strictEqual(called.finishReason, "tool-calls")
          assert.deepStrictEqual(called.toolResults.map(({ isFailure, name }) => [name, isFailure]), [[
            "look_up",
            false
          ]])

          const streamed = yield* parts(LanguageModel.streamText({ prompt: "Echo: one two three" }))
          const told = streamed.map((part) => part.type === "text-delta" ? part.delta : "").join("")
          assert.strictEqual(told, "one two three")
          assert.strictEqual(streamed.at(-1)?.type, "finish")

          const streamedCall = yield* parts(
            LanguageModel.streamText({ prompt: "Please look_up the Elbe", toolkit: Rivers })
          )
          assert.lengthOf(streamedCall.filter(({ type }) => type === "tool-call"), 1)
          assert.lengthOf(streamedCall.filter(({ type }) => type === "tool-result"), 1)
        }).pipe(Effect.provide(modelOn(protocol, simulator)), Effect.provide(RiversLive)))
  )

  it.live.each(Simulated.protocols)(
    "a chat of @effect/ai calls tools over several turns: %s",
    (protocol) =>
      Simulated.over({
        // It calls the tool for each river, and then tells what it was told.
        answer: (prompt) =>
          prompt.turns.at(-1)?.role === "tool"
            ? { text: `I know: ${prompt.turns.at(-1)?.text}` }
            : Simulator.answer(prompt)
      }, (simulator) =>
        Effect.gen(function*() {
          const chat = yield* Chat.fromPrompt([{ role: "system", content: "Be terse." }])
          for (const river of ["Elbe", "Oder"]) {
            const { toolCalls } = yield* chat.generateText({ prompt: `Please look_up the ${river}`, toolkit: Rivers })
            assert.lengthOf(toolCalls, 1)
            const { text } = yield* chat.generateText({ prompt: [], toolkit: Rivers })
            assert.match(text, /^I know: .*kilometers/)
          }
          // It goes on after it was stored.
          const stored = yield* Chat.fromJson(yield* chat.exportJson)
          yield* Stream.runDrain(stored.streamText({ prompt: "Please look_up the Weser", toolkit: Rivers }))
          const { text } = yield* stored.generateText({ prompt: [], toolkit: Rivers })
          assert.match(text, /^I know: /)
          const requests = yield* simulator.requests
          assert.deepStrictEqual(requests.map(({ status }) => status), [200, 200, 200, 200, 200, 200])
        }).pipe(Effect.provide(modelOn(protocol, simulator)), Effect.provide(RiversLive)))
  )

  it.live.each(Simulated.protocols)(
    "a lossless chat gives the provider its reasoning back: %s",
    (protocol) =>
      Simulated.over({
        answer: (prompt) => ({ ...Simulator.answer(prompt), reasoning: "A secret thought." })
      }, (simulator) =>
        Effect.gen(function*() {
          const chat = yield* Effect.flatMap(Chat.empty, EffectAi.losslessChat)
          const first = yield* chat.generateText({ prompt: "Please look_up the Elbe", toolkit: Rivers })
          const known = Option.getOrThrow(EffectAi.response(first.content))
          assert.isTrue(known.parts.some(({ _tag }) => _tag === "Reasoning"))
          const streamed = yield* parts(chat.streamText({ prompt: [], toolkit: Rivers }))
          assert.deepStrictEqual(Option.getOrThrow(EffectAi.response(streamed)).warnings, [])
          const stored = yield* Effect.flatMap(Chat.fromJson(yield* chat.exportJson), EffectAi.losslessChat)
          const last = yield* stored.generateText({ prompt: "Echo: and then" })
          assert.strictEqual(last.text, "and then")
          assert.deepStrictEqual(Option.getOrThrow(EffectAi.response(last.content)).warnings, [])
          const seals = known.parts.flatMap((part) =>
            part._tag === "Reasoning" || part._tag === "ToolCall" || part._tag === "Text"
              ? [part.signature, "encrypted" in part ? part.encrypted : undefined].filter((seal) => seal !== undefined)
              : []
          )
          const requests = yield* simulator.requests
          for (const seal of seals) assert.include(JSON.stringify(requests.at(-1)?.body), seal)
          // Ollama signs nothing.
          assert.strictEqual(seals.length > 0, protocol !== "ollama" && protocol !== "openai-chat")
        }).pipe(
          Effect.provide(modelOn(protocol, simulator, { thinking: true })),
          Effect.provide(RiversLive)
        ))
  )

  it.live.each(Simulated.protocols)(
    "streams have the thoughts that are told, before the text: %s",
    (protocol) =>
      Simulated.over({}, (simulator) =>
        Effect.gen(function*() {
          const streamed = yield* parts(LanguageModel.streamText({ prompt: "Echo: one two" }))
          const order = streamed.map(({ type }) => type).filter((type) => /-(?:start|end)$/.test(type))
          // OpenAI's model keeps its thoughts to itself.
          const thoughts = protocol === "openai-responses" ? [] : ["reasoning-start", "reasoning-end"]
          assert.deepStrictEqual(order, [...thoughts, "text-start", "text-end"])
        }).pipe(Effect.provide(modelOn(protocol, simulator, { thinking: true }))))
  )

  const searches = [
    {
      protocol: "anthropic-messages",
      tool: Tool.providerDefined({
        id: "anthropic.web_search_20250305",
        toolkitName: "AnthropicWebSearch",
        providerName: "web_search",
        args: { max_uses: Schema.Number }
      })({ max_uses: 2 }),
      block: "web_search_tool_result"
    },
    {
      protocol: "openai-responses",
      tool: Tool.providerDefined({
        id: "openai.web_search",
        toolkitName: "OpenAiWebSearch",
        providerName: "web_search",
        args: { search_context_size: Schema.String }
      })({ search_context_size: "low" }),
      block: "web_search_call"
    },
    {
      protocol: "gemini",
      tool: Tool.providerDefined({
        id: "google.google_search",
        toolkitName: "GoogleSearch",
        providerName: "google_search",
        args: {}
      })({}),
      block: undefined
    }
  ] as const

  it.live.each(searches)(
    "a tool of @effect/ai that $protocol runs brings its sources, streamed or not, and goes back in a lossless chat",
    ({ block, protocol, tool }) =>
      Simulated.over({}, (simulator) =>
        Effect.gen(function*() {
          const chat = yield* Effect.flatMap(Chat.empty, EffectAi.losslessChat)
          const toolkit = Toolkit.make(tool)
          const first = yield* chat.generateText({
            prompt: "Use web_search, googleSearch: how long is the Elbe? See https://elbe.example/.",
            toolkit
          })
          assert.isAbove(first.content.filter(({ type }) => type === "source").length, 0)
          assert.deepStrictEqual(first.toolCalls.map((call): unknown => call), [])
          const kinds = Option.getOrThrow(EffectAi.response(first.content)).parts.flatMap((part) =>
            part._tag === "Opaque" ? [part.kind] : []
          )
          if (block !== undefined) assert.include(kinds, block)
          const streamed = yield* parts(chat.streamText({ prompt: "Use web_search, googleSearch again." }))
          assert.deepStrictEqual(Option.getOrThrow(EffectAi.response(streamed)).warnings, [])
          const [asked, again] = yield* simulator.requests
          assert.strictEqual(asked?.status, 200)
          if (block !== undefined) assert.include(JSON.stringify(again?.body), block)
        }).pipe(Effect.provide(modelOn(protocol, simulator))))
  )

  it.live("a prefix that options mark is cached by the provider", () =>
    Simulated.over({}, (simulator) =>
      Effect.gen(function*() {
        const cacheControl = { type: "ephemeral", ttl: "1h" }
        yield* LanguageModel.generateText({
          prompt: [
            { role: "system", content: "Be terse.", options: { anthropic: { cacheControl } } },
            {
              role: "user",
              content: [
                { type: "text", text: "A long text.", options: { anthropic: { cacheControl } } },
                { type: "text", text: "Echo: short" }
              ]
            }
          ]
        })
        const [request] = yield* simulator.requests
        assert.strictEqual(request?.status, 200)
        assert.deepInclude(request?.body, {
          system: [{ type: "text", text: "Be terse.", cache_control: cacheControl }],
          messages: [{
            role: "user",
            content: [
              { type: "text", text: "A long text.", cache_control: cacheControl },
              { type: "text", text: "Echo: short" }
            ]
          }]
        })
      }).pipe(Effect.provide(modelOn("anthropic-messages", simulator)))))

  it.live("a 429 is retried by the client, after the wait that the service asks for", () =>
    Simulated.over({
      faults: Simulator.sequence([Simulator.status(429, { retryAfter: "1 second" })])
    }, (simulator) =>
      Effect.gen(function*() {
        const [elapsed, { content, text }] = yield* Effect.timed(
          LanguageModel.generateText({ prompt: "Echo: at last" })
        )
        assert.strictEqual(text, "at last")
        assert.isAtLeast(Duration.toMillis(elapsed), 1000)
        assert.strictEqual(Option.getOrThrow(EffectAi.response(content)).attempts, 2)
        assert.deepStrictEqual((yield* simulator.requests).map(({ status }) => status), [429, 200])
      }).pipe(Effect.provide(modelOn("openai-chat", simulator, { client: { retry: { base: "1 millis" } } })))))

  it.live("a stream that breaks is a typed failure with what has come, and is not asked for again", () =>
    Simulated.over(
      { faults: Simulator.always(Simulator.cutStream({ afterEvents: 8 })) },
      (simulator) =>
        Effect.gen(function*() {
          let text = ""
          const error = yield* LanguageModel.streamText({
            prompt: "Echo: The Elbe rises in the Giant Mountains and flows through Dresden to the North Sea."
          }).pipe(
            Stream.runForEach((part) =>
              Effect.sync(() => {
                if (part.type === "text-delta") text += part.delta
              })
            ),
            Effect.flip
          )
          assert.isAbove(text.length, 0)
          const { reason } = Option.getOrThrow(EffectAi.llmError(error))
          assert.strictEqual(reason._tag, "StreamInterrupted")
          if (reason._tag === "StreamInterrupted") assert.strictEqual(reason.partial.text, text)
          assert.lengthOf(yield* simulator.requests, 1)
        }).pipe(Effect.provide(modelOn("openai-chat", simulator)))
    ))

  it.live("a refused key is a failure with our error, and without the key", () =>
    Simulated.over({ apiKey: "another" as never }, (simulator) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(LanguageModel.generateText({ prompt: "Echo: no" }))
        const cause = Option.getOrThrow(EffectAi.llmError(error))
        assert.deepInclude({ ...cause }, { status: 401, attempts: 1 })
        assert.strictEqual(cause.reason._tag, "AuthenticationFailed")
        assert.notInclude(JSON.stringify(error) + String(error), "simulated-key")
      }).pipe(Effect.provide(modelOn("openai-chat", simulator)))))

  it.live.each(["generateText", "streamText"] as const)(
    "interruption aborts the request: %s",
    (operation) =>
      Simulated.over({ faults: Simulator.always(Simulator.silence) }, (simulator) =>
        Effect.gen(function*() {
          const fiber = yield* Effect.fork(
            operation === "generateText"
              ? LanguageModel.generateText({ prompt: "Echo: no" })
              : Stream.runDrain(LanguageModel.streamText({ prompt: "Echo: no" }))
          )
          yield* simulator.awaitRequests((requests) => requests.length === 1)
          yield* Fiber.interrupt(fiber)
          const last = yield* Simulated.lastEnds(simulator)
          assert.strictEqual(last?.outcome, "aborted")
        }).pipe(Effect.provide(modelOn("openai-chat", simulator))))
  )

  it.live("embeddings go both ways: an EmbeddingModel over the client, and a provider over it", () =>
    Simulated.over({}, (simulator) =>
      Effect.gen(function*() {
        const texts = ["The Elbe is a river.", "The Oder is a river.", "A pizza needs a hot oven."]
        const model = EffectAi.layerEmbeddingModel({ model: "text-embedding-3-small", dimensions: 64 }).pipe(
          Layer.provide(clientOn("openai-chat", simulator))
        )
        const vectors = yield* Effect.gen(function*() {
          const vectors = yield* embedMany(texts)
          assert.deepStrictEqual(vectors.map(({ length }) => length), [64, 64, 64])
          assert.lengthOf(yield* simulator.requests, 1)
          assert.deepStrictEqual(yield* embed(texts[1]!), vectors[1])
          const error = yield* Effect.flip(embed(""))
          assert.strictEqual(kindOf(error), invalidKind)
          return vectors
        }).pipe(Effect.provide(model))
        const [elbe = [], oder = [], pizza = []] = vectors
        assert.isAbove(Embedding.similarity(elbe, oder), Embedding.similarity(elbe, pizza))

        const back = LlmClient.layer().pipe(
          Layer.provide(
            Simulated.providers["anthropic-messages"].layer(simulator.url).pipe(
              EffectAi.withEmbeddings({ model: "small" }),
              Layer.provide(model)
            )
          ),
          Layer.provide([LlmCache.layerNone, LlmLogger.layerSilent])
        )
        const { embeddings, provider } = yield* Effect.provide(LlmClient.embed({ model: "small", input: texts }), back)
        assert.deepStrictEqual([embeddings, provider], [vectors, "anthropic"])
      })))
})
