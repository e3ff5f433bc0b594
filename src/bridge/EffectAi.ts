/**
 * To and from [`@effect/ai`](https://www.npmjs.com/package/@effect/ai): its programs on this library's client, and its
 * language models as providers of this library. It needs `@effect/ai` 0.37.
 *
 * - `layerLanguageModel` and `layerEmbeddingModel` let a program written for `@effect/ai` ask through `LlmClient`, with
 *   its time limits, retries, cache, budgets and providers.
 * - `layerProvider` and `withEmbeddings` make a provider of a model that only `@effect/ai` can reach.
 * - `tools` lets `LlmClient.runTools` run the tools of a `Toolkit`.
 *
 * @see https://github.com/Effect-TS/effect/tree/main/packages/ai/ai
 * @since 0.1.0
 */
import type * as AiError from "@effect/ai/AiError"
import type * as Chat from "@effect/ai/Chat"
import { EmbeddingModel } from "@effect/ai/EmbeddingModel"
import { LanguageModel } from "@effect/ai/LanguageModel"
import type * as Prompt from "@effect/ai/Prompt"
import type * as Response from "@effect/ai/Response"
import type * as Tool from "@effect/ai/Tool"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import * as LlmError from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import { type EffectOrStream, provided, type With } from "../internal/effectOrStream.js"
import type { LlmClient } from "../LlmClient.js"
import * as LlmProvider from "../LlmProvider.js"
import * as AiErrors from "./aiErrors.js"
import * as AiTools from "./aiTools.js"
import * as Embeddings from "./embeddings.js"
import * as KeptParts from "./keptParts.js"
import * as Models from "./languageModel.js"
import * as LosslessChat from "./losslessChat.js"
import * as Providers from "./provider.js"
import * as ProviderTools from "./providerTools.js"

declare module "@effect/ai/Response" {
  interface FinishPartMetadata {
    /** The answer of `LlmClient`: cost, origin, attempts, warnings and all parts. */
    readonly effectLlm?: { readonly response: LlmResponse } | undefined
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Programs of @effect/ai on the client
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The options of a language model over the client.
 *
 * @since 0.1.0
 * @category models
 */
export interface LanguageModelOptions extends Models.LanguageModelOptions {}

/**
 * The settings of a request that `@effect/ai` has no place for.
 *
 * @since 0.1.0
 * @category models
 */
export interface Settings extends Models.Settings {}

/**
 * A `LanguageModel` of `@effect/ai` that asks through the client. A mistake in the options is a defect that names the
 * option.
 *
 * Objects are asked for with `LlmClient.object`: in the provider's dialect of JSON Schema, and again if one does not
 * fit. Their schemas have to encode, as `@effect/ai` decodes each value again. The arguments of tools, too, have the
 * form of the tool's own schema, whatever the provider's dialect had to change.
 *
 * The last part of each answer (`finish`) has the whole `LlmResponse` in its metadata: `response` reads it. A refusal has
 * no text, and finishes with `content-filter`.
 *
 * Failures are `AiError`s whose `cause` is the `LlmError`, which `llmError` reads: `MalformedInput` for a request that is
 * wrong or not supported, `MalformedOutput` for an answer that is, and `UnknownError` for all others.
 *
 * A tool of `Tool.providerDefined` that OpenAI, Anthropic or Google runs goes to the provider, as those of the setting
 * `providerTools` do: its calls and results are parts of what the client answered. One that needs a handler, or is of
 * another provider, is not supported. Of the options of messages and parts, those are read that mark a prefix to cache
 * (`cacheControl`, `cachePoint`), the `imageDetail` of OpenAI, and title, context and citations of a document for Anthropic.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { LanguageModel } from "@effect/ai"
 * import { FetchHttpClient } from "@effect/platform"
 * import { Config, Effect, Layer } from "effect"
 * import { LlmClient, OpenAi } from "effect-llm"
 * import * as EffectAi from "effect-llm/EffectAi"
 *
 * const Model = EffectAi.layerLanguageModel({ model: "gpt-5-mini", settings: { maxTokens: 500 } }).pipe(
 *   Layer.provide(LlmClient.layerDefault({ deadline: "1 minute" })),
 *   Layer.provide(OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") })),
 *   Layer.provide(FetchHttpClient.layer)
 * )
 *
 * const program = LanguageModel.generateText({ prompt: "Name three rivers." }).pipe(
 *   Effect.flatMap(({ text }) => Effect.log(text)),
 *   Effect.provide(Model)
 * )
 * ```
 */
export const layerLanguageModel = (
  options: LanguageModelOptions
): Layer.Layer<LanguageModel, never, LlmClient> => Layer.effect(LanguageModel, Models.make(options))

/**
 * Sets settings for a region of a program of `@effect/ai`: an effect or a stream. Those of an inner region take
 * precedence over those of an outer one, and both over those of the layer. (`LlmClient.withOptions` sets the options of
 * calls.)
 *
 * @since 0.1.0
 * @category combinators
 * @example
 * ```ts
 * import { LanguageModel } from "@effect/ai"
 * import * as EffectAi from "effect-llm/EffectAi"
 *
 * const program = LanguageModel.generateText({ prompt: "Name three rivers." }).pipe(
 *   EffectAi.withSettings({ model: "gpt-5", reasoningEffort: "high" })
 * )
 * ```
 */
export const withSettings: {
  (settings: Settings): <Self extends EffectOrStream>(self: Self) => With<Self>
  <Self extends EffectOrStream>(self: Self, settings: Settings): With<Self>
} = dual(
  2,
  (self: EffectOrStream, settings: Settings): EffectOrStream =>
    provided(
      self,
      Models.RegionSettings,
      Effect.map(Models.RegionSettings, (outer) => Models.merge(outer, settings))
    )
)

/**
 * The options of an embedding model over the client.
 *
 * @since 0.1.0
 * @category models
 */
export interface EmbeddingModelOptions extends Embeddings.EmbeddingModelOptions {}

/**
 * An `EmbeddingModel` of `@effect/ai` that asks through the client, which splits lists that are too long for one
 * request. Failures are those of `layerLanguageModel`. A mistake in the options is a defect that names the option.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { EmbeddingModel } from "@effect/ai"
 * import { Effect } from "effect"
 * import * as EffectAi from "effect-llm/EffectAi"
 *
 * const program = Effect.gen(function*() {
 *   const { embedMany } = yield* EmbeddingModel.EmbeddingModel
 *   return yield* embedMany(["The Elbe", "The Oder"])
 * }).pipe(Effect.provide(EffectAi.layerEmbeddingModel({ model: "text-embedding-3-small", dimensions: 512 })))
 * ```
 */
export const layerEmbeddingModel = (
  options: EmbeddingModelOptions
): Layer.Layer<EmbeddingModel, never, LlmClient> => Layer.effect(EmbeddingModel, Embeddings.makeModel(options))

// ---------------------------------------------------------------------------------------------------------------------
// Parts that @effect/ai has no place for
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The client's answer, from the parts of an answer of `layerLanguageModel`, streamed or not: with its cost, origin,
 * attempts, warnings, and all of its parts. None for answers of other models.
 *
 * @since 0.1.0
 * @category accessors
 * @example
 * ```ts
 * import { LanguageModel } from "@effect/ai"
 * import { Effect, Option } from "effect"
 * import * as EffectAi from "effect-llm/EffectAi"
 *
 * const program = LanguageModel.generateText({ prompt: "Name three rivers." }).pipe(
 *   Effect.map(({ content }) => EffectAi.response(content)),
 *   Effect.map(Option.map(({ cost, origin }) => ({ cost, origin })))
 * )
 * ```
 */
export const response: (content: ReadonlyArray<Response.AnyPart>) => Option.Option<LlmResponse> = KeptParts.responseOf

/**
 * The next turns of a conversation, made from the parts of an answer, as `Prompt.fromResponseParts` does. That function
 * loses the parts that `@effect/ai` has no place for; here the options of the message keep them: signatures and
 * encrypted reasoning, citations, blocks of the provider's own tools. All of them go back to the provider that sent
 * them. If the message is changed, its visible content counts.
 *
 * @since 0.1.0
 * @category conversations
 * @example
 * ```ts
 * import { LanguageModel, Prompt } from "@effect/ai"
 * import { Effect } from "effect"
 * import * as EffectAi from "effect-llm/EffectAi"
 *
 * const program = Effect.gen(function*() {
 *   const question = Prompt.make("Name a river.")
 *   const { content } = yield* LanguageModel.generateText({ prompt: question })
 *   const conversation = question.pipe(Prompt.merge(EffectAi.prompt(content)), Prompt.merge("Another."))
 *   return yield* LanguageModel.generateText({ prompt: conversation })
 * })
 * ```
 */
export const prompt: (content: ReadonlyArray<Response.AnyPart>) => Prompt.Prompt = LosslessChat.promptOf

/**
 * The same chat of `@effect/ai`, whose history keeps the same parts as `prompt`, and exports them, too. It answers one
 * turn at a time. Use only the new chat. One of `Chat.Persistence` saves itself before the turn is complete: run its
 * `save` after it.
 *
 * @since 0.1.0
 * @category conversations
 * @example
 * ```ts
 * import { Chat } from "@effect/ai"
 * import { Effect } from "effect"
 * import * as EffectAi from "effect-llm/EffectAi"
 *
 * const program = Effect.gen(function*() {
 *   const chat = yield* Effect.flatMap(Chat.empty, EffectAi.losslessChat)
 *   yield* chat.generateText({ prompt: "Name a river." })
 *   yield* chat.generateText({ prompt: "Another." })
 *   return yield* chat.exportJson
 * })
 * ```
 */
export const losslessChat: <C extends Chat.Service>(chat: C) => Effect.Effect<C> = LosslessChat.make

/**
 * The `LlmError` behind a failure of `layerLanguageModel` or `layerEmbeddingModel`. None for those of other models.
 *
 * @since 0.1.0
 * @category errors
 * @example
 * ```ts
 * import { LanguageModel } from "@effect/ai"
 * import { Effect, Option } from "effect"
 * import * as EffectAi from "effect-llm/EffectAi"
 *
 * const program = LanguageModel.generateText({ prompt: "Name three rivers." }).pipe(
 *   Effect.tapError((error) =>
 *     Option.match(EffectAi.llmError(error), {
 *       onNone: () => Effect.void,
 *       onSome: ({ isRetryable, reason }) => Effect.log(reason._tag, isRetryable)
 *     })
 *   )
 * )
 * ```
 */
export const llmError: (error: AiError.AiError) => Option.Option<LlmError.LlmError> = AiErrors.causeOf

// ---------------------------------------------------------------------------------------------------------------------
// Models of @effect/ai as providers
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The options of a provider over a language model.
 *
 * @since 0.1.0
 * @category models
 */
export interface ProviderOptions extends Providers.ProviderOptions {}

/**
 * A setting of a request that `@effect/ai` has no place for.
 *
 * @since 0.1.0
 * @category models
 */
export type Setting = Providers.Setting

/**
 * A provider that asks a `LanguageModel` of `@effect/ai`, for a service that this library does not reach itself. If it
 * does, its own provider does more. Turn off the retries of the language model: the client retries. A mistake in the
 * options is a defect that names the option.
 *
 * Text, images, files, reasoning and tools go both ways; signatures of reasoning travel in the metadata of its parts.
 * Citations do not go back. The `providerOptions` of messages and parts are their options there. A tool's result is a text
 * there: its images and files follow in a turn of the user, with a warning.
 *
 * Tools that the service runs (`providerTools`) are handed on if they are of `providerTool`, or of the option
 * `toolProtocol`. Their calls and results are `Opaque` parts of the answer, of the kinds `tool-call` and `tool-result`.
 *
 * A language model has its model and its settings in its own layer. `configure` hands on those of a request that are in
 * `takes`; others are left out with a warning, or fail with `UnsupportedFeature` if they would change the answer.
 * Errors are classified by their status, headers and body.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import type { LanguageModel } from "@effect/ai"
 * import { Layer } from "effect"
 * import { LlmClient } from "effect-llm"
 * import * as EffectAi from "effect-llm/EffectAi"
 *
 * declare const Bedrock: Layer.Layer<LanguageModel.LanguageModel>
 *
 * const Live = LlmClient.layerDefault().pipe(
 *   Layer.provide(EffectAi.layerProvider({
 *     name: "bedrock",
 *     endpoint: "https://bedrock-runtime.eu-central-1.amazonaws.com",
 *     model: "nova-pro"
 *   })),
 *   Layer.provide(Bedrock)
 * )
 * ```
 */
export const layerProvider = (
  options: ProviderOptions
): Layer.Layer<LlmProvider.LlmProvider, never, LanguageModel> =>
  Layer.effect(LlmProvider.LlmProvider, Providers.make(options))

/**
 * The options of the embeddings of a provider.
 *
 * @since 0.1.0
 * @category models
 */
export interface EmbeddingsOptions extends Embeddings.EmbeddingsOptions {}

/**
 * Adds the embeddings of an `EmbeddingModel` of `@effect/ai` to a provider, in place of its own. Their usage is not known,
 * and `dimensions` and `providerOptions` fail with `UnsupportedFeature`.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import type { LanguageModel } from "@effect/ai"
 * import type { Layer } from "effect"
 * import * as EffectAi from "effect-llm/EffectAi"
 *
 * declare const Bedrock: Layer.Layer<LanguageModel.LanguageModel>
 *
 * const Provider = EffectAi.layerProvider({ name: "bedrock", endpoint: "bedrock", model: "nova-pro" }).pipe(
 *   EffectAi.withEmbeddings({ model: "titan-embed-text-v2", maxInputs: 50 })
 * )
 * ```
 */
export const withEmbeddings: {
  (
    options: EmbeddingsOptions
  ): <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>
  ) => Layer.Layer<LlmProvider.LlmProvider, E, R | EmbeddingModel>
  <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>,
    options: EmbeddingsOptions
  ): Layer.Layer<LlmProvider.LlmProvider, E, R | EmbeddingModel>
} = dual(
  2,
  <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>,
    options: EmbeddingsOptions
  ): Layer.Layer<LlmProvider.LlmProvider, E, R | EmbeddingModel> =>
    LlmProvider.transform(self, (provider) => Embeddings.withEmbeddings(provider, options))
)

// ---------------------------------------------------------------------------------------------------------------------
// Tools
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A tool of `@effect/ai` as one of this library, with its handler; or one that the provider runs.
 *
 * @since 0.1.0
 * @category tools
 */
export type HandledTool<T> = AiTools.Runnable<T>

/**
 * The tools of a `Toolkit` of `@effect/ai`, with their handlers, for `LlmClient.runTools` and `streamTools`; an
 * `McpServer` can offer the same toolkit.
 *
 * A failure of a handler fails the run, or is the model's to handle where the tool has the `failureMode` "return". A result
 * that does not fit the tool's own schema is a defect, and so are parameters that their schema does not encode. A tool of
 * `Tool.providerDefined` that OpenAI, Anthropic or Google runs becomes a provider tool; another one fails with
 * `UnsupportedFeature`.
 *
 * @since 0.1.0
 * @category tools
 * @example
 * ```ts
 * import { Tool, Toolkit } from "@effect/ai"
 * import { Effect, Schema } from "effect"
 * import { LlmClient } from "effect-llm"
 * import * as EffectAi from "effect-llm/EffectAi"
 *
 * const Rivers = Toolkit.make(
 *   Tool.make("river_length", { parameters: { river: Schema.String }, success: Schema.Number })
 * )
 *
 * const program = Effect.gen(function*() {
 *   const tools = yield* EffectAi.tools(Rivers)
 *   const run = yield* LlmClient.runTools({ model: "gpt-5-mini", prompt: "How long is the Elbe?" }, tools)
 *   return run.response.text
 * }).pipe(Effect.provide(Rivers.toLayer({ river_length: () => Effect.succeed(1094) })))
 * ```
 */
export const tools = <Tools extends Record<string, Tool.Any>, E = never, R = never>(
  toolkit: AiTools.Source<Tools, E, R>
): Effect.Effect<ReadonlyArray<HandledTool<Tools[keyof Tools]>>, E | LlmError.LlmError, R> =>
  Effect.flatMap(Effect.isEffect(toolkit) ? toolkit : Effect.succeed(toolkit), (toolkit) =>
    Either.mapLeft(
      AiTools.handled(toolkit),
      (reason) => new LlmError.LlmError({ operation: "runTools", attempts: 0, reason })
    ))

/**
 * A tool of `Tool.providerDefined` that its provider runs.
 *
 * @since 0.1.0
 * @category tools
 */
export interface ProvidedTool extends ProviderTools.Provided {}

/**
 * A tool that a package of `@effect/ai` defines and its provider runs, for the setting `providerTools` of requests to
 * `layerProvider`: it goes to the language model as it is, and its calls and results are `Opaque` parts of the answer. Other
 * providers refuse it with `UnsupportedFeature`.
 *
 * @since 0.1.0
 * @category tools
 * @example
 * ```ts
 * import { Tool } from "@effect/ai"
 * import { Schema } from "effect"
 * import { LlmClient } from "effect-llm"
 * import * as EffectAi from "effect-llm/EffectAi"
 *
 * // As a package defines it.
 * const WebSearch = Tool.providerDefined({
 *   id: "acme.web_search",
 *   toolkitName: "AcmeWebSearch",
 *   providerName: "web_search",
 *   args: { max_uses: Schema.Number }
 * })
 *
 * const program = LlmClient.call({
 *   model: "acme-1",
 *   prompt: "How long is the Elbe?",
 *   providerTools: [EffectAi.providerTool(WebSearch({ max_uses: 2 }))]
 * })
 * ```
 */
export const providerTool: (tool: ProvidedTool) => LlmRequest.ProviderTool = ProviderTools.own
