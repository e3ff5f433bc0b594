/** What the bridge to and from `@effect/ai` infers, as the compiler must infer it. Checked by `tsc`; there is nothing to run. */
import type * as AiError from "@effect/ai/AiError"
import * as Chat from "@effect/ai/Chat"
import type * as EmbeddingModel from "@effect/ai/EmbeddingModel"
import * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Prompt from "@effect/ai/Prompt"
import type * as Response from "@effect/ai/Response"
import * as Tool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import * as EffectAi from "effect-llm/EffectAi"
import * as LlmClient from "effect-llm/LlmClient"
import type * as LlmError from "effect-llm/LlmError"
import type * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmResponse from "effect-llm/LlmResponse"
import type * as LlmTool from "effect-llm/LlmTool"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { expectTypeOf } from "vitest"

class Gauge extends Context.Tag("Gauge")<Gauge, { readonly level: number }>() {}

const Measure = Tool.make("measure", {
  parameters: { river: Schema.String, at: Schema.Date },
  success: Schema.Number,
  failure: Schema.Literal("dry"),
  dependencies: [Gauge]
})

const Ask = Tool.make("ask", { failure: Schema.Literal("no"), failureMode: "return" })

const Rivers = Toolkit.make(Measure, Ask)

type RiversHandlers = Tool.Handler<"measure"> | Tool.Handler<"ask">

// Layers need what they stand on, and nothing else.
expectTypeOf(EffectAi.layerLanguageModel({ model: "m" })).toEqualTypeOf<
  Layer.Layer<LanguageModel.LanguageModel, never, LlmClient.LlmClient>
>()
expectTypeOf(EffectAi.layerEmbeddingModel({ model: "m" })).toEqualTypeOf<
  Layer.Layer<EmbeddingModel.EmbeddingModel, never, LlmClient.LlmClient>
>()

const provider = EffectAi.layerProvider({ name: "acme", endpoint: "acme", model: "m" })

expectTypeOf(provider).toEqualTypeOf<Layer.Layer<LlmProvider.LlmProvider, never, LanguageModel.LanguageModel>>()
type Embedding = Layer.Layer<
  LlmProvider.LlmProvider,
  never,
  LanguageModel.LanguageModel | EmbeddingModel.EmbeddingModel
>
expectTypeOf(provider.pipe(EffectAi.withEmbeddings({ model: "e" }))).toEqualTypeOf<Embedding>()
expectTypeOf(EffectAi.withEmbeddings(provider, { model: "e" })).toEqualTypeOf<Embedding>()

// Tools keep their names, parameters, failures and needs.
const tools = EffectAi.tools(Rivers)

expectTypeOf(tools).toEqualTypeOf<
  Effect.Effect<
    ReadonlyArray<EffectAi.HandledTool<typeof Measure> | EffectAi.HandledTool<typeof Ask>>,
    LlmError.LlmError,
    RiversHandlers
  >
>()
expectTypeOf<LlmTool.Failure<EffectAi.HandledTool<typeof Measure>>>().toEqualTypeOf<"dry">()
expectTypeOf<LlmTool.Failure<EffectAi.HandledTool<typeof Ask>>>().toEqualTypeOf<never>()
expectTypeOf<LlmTool.ToolCall<EffectAi.HandledTool<typeof Measure>>>().toEqualTypeOf<
  { readonly id: string; readonly name: "measure"; readonly arguments: { readonly river: string; readonly at: Date } }
>()

const run = Effect.flatMap(
  tools,
  (tools) => LlmClient.runTools({ model: "m", prompt: "p" }, tools)
)

expectTypeOf(run).toEqualTypeOf<
  Effect.Effect<LlmClient.ToolRun, LlmError.LlmError | "dry", LlmClient.LlmClient | Gauge | RiversHandlers>
>()

declare const withHandler: Toolkit.WithHandler<{ readonly measure: typeof Measure }>

expectTypeOf(EffectAi.tools(withHandler)).toEqualTypeOf<
  Effect.Effect<ReadonlyArray<EffectAi.HandledTool<typeof Measure>>, LlmError.LlmError>
>()

// Regions keep the types of effects and streams.
declare const effect: Effect.Effect<"done", "failed", "Database">
declare const stream: Stream.Stream<"done", "failed", "Database">

expectTypeOf(effect.pipe(EffectAi.withSettings({ temperature: 1 }))).toEqualTypeOf<typeof effect>()
expectTypeOf(EffectAi.withSettings(stream, { model: "m" })).toEqualTypeOf<typeof stream>()

// A chat stays the chat that it was.
expectTypeOf(Effect.flatMap(Chat.empty, EffectAi.losslessChat)).toEqualTypeOf<Effect.Effect<Chat.Service>>()

declare const persisted: Chat.Persisted

expectTypeOf(EffectAi.losslessChat(persisted)).toEqualTypeOf<Effect.Effect<Chat.Persisted>>()

// Answers of any toolkit, streamed or not.
declare const answer: LanguageModel.GenerateTextResponse<{ readonly measure: typeof Measure }>
declare const streamed: ReadonlyArray<Response.StreamPart<{ readonly measure: typeof Measure }>>

expectTypeOf(EffectAi.response(answer.content)).toEqualTypeOf<Option.Option<LlmResponse.LlmResponse>>()
expectTypeOf(EffectAi.response(streamed)).toEqualTypeOf<Option.Option<LlmResponse.LlmResponse>>()
expectTypeOf(EffectAi.prompt(streamed)).toEqualTypeOf<Prompt.Prompt>()

declare const error: AiError.AiError

expectTypeOf(EffectAi.llmError(error)).toEqualTypeOf<Option.Option<LlmError.LlmError>>()

expectTypeOf(
  Stream.map(
    LanguageModel.streamText({ prompt: "p" }),
    (part) => part.type === "finish" ? part.metadata.effectLlm?.response.cost : undefined
  )
).toEqualTypeOf<Stream.Stream<number | undefined, AiError.AiError, LanguageModel.LanguageModel>>()

// @ts-expect-error a model has a name
EffectAi.layerLanguageModel({})
// @ts-expect-error tools come from toolkits
EffectAi.layerLanguageModel({ model: "m", settings: { tools: [] } })
// @ts-expect-error no such setting
EffectAi.layerProvider({ name: "acme", endpoint: "acme", model: "m", takes: ["tools"] })
