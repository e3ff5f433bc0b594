import * as EmbeddingModel from "@effect/ai/EmbeddingModel"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Embedding from "../domain/Embedding.js"
import * as LlmError from "../domain/LlmError.js"
import * as Check from "../internal/check.js"
import { type EmbedOptions, LlmClient } from "../LlmClient.js"
import type * as LlmProvider from "../LlmProvider.js"
import * as AiErrors from "./aiErrors.js"

// ---------------------------------------------------------------------------------------------------------------------
// Over the client
// ---------------------------------------------------------------------------------------------------------------------

/** The options of an embedding model over the client. */
export interface EmbeddingModelOptions {
  /** The provider's name of the model. */
  readonly model: string
  /** The length of the vectors, for models that can shorten them. Default: the model's own. */
  readonly dimensions?: number | undefined
  /** Raw fields for the wire body, by the name of the provider or its protocol. Default: none. */
  readonly providerOptions?: Embedding.Input["providerOptions"]
  /** The options of each call: `timeout`, `deadline`, `retry`, `cache` ... Default: those of the client. */
  readonly call?: EmbedOptions | undefined
  /** The vectors that `@effect/ai` keeps itself, beside the client's cache. Default: none. */
  readonly cache?: {
    /** The number of vectors. */
    readonly capacity: number
    /** How long they are kept. */
    readonly timeToLive: Duration.DurationInput
  } | undefined
}

const modelOptionNames: Check.Names<EmbeddingModelOptions> = {
  model: true,
  dimensions: true,
  providerOptions: true,
  call: true,
  cache: true
}

/** Makes an embedding model that asks the client, which splits lists that are too long for one request. */
export const makeModel = (
  options: EmbeddingModelOptions
): Effect.Effect<EmbeddingModel.Service, never, LlmClient> =>
  Effect.gen(function*() {
    const { cache, call, ...request } = Check.known(options, modelOptionNames)
    const client = yield* LlmClient
    return yield* EmbeddingModel.make({
      ...(cache !== undefined && { cache }),
      embedMany: (input) =>
        client.embed({ ...request, input }, call).pipe(
          Effect.map(({ embeddings }) => embeddings.map((vector, index) => ({ index, embeddings: [...vector] }))),
          Effect.mapError(AiErrors.toAiError("embedMany"))
        )
    })
  })

// ---------------------------------------------------------------------------------------------------------------------
// As a provider
// ---------------------------------------------------------------------------------------------------------------------

/** The options of embeddings of a provider. */
export interface EmbeddingsOptions {
  /** The name of the model behind the layer. A request for another one fails with `ModelNotFound`. */
  readonly model: string
  /** The most texts of one request. Default: no limit. */
  readonly maxInputs?: number | undefined
}

const providerOptionNames: Check.Names<EmbeddingsOptions> = { model: true, maxInputs: true }

/** The reason why a request cannot be asked for. */
const obstacle = (
  { dimensions, model, providerOptions }: Embedding.Request,
  known: string
): LlmError.Reason | undefined => {
  if (model !== known) return LlmError.ModelNotFound.make({ message: `the embedding model is ${known}` })
  const feature = dimensions !== undefined
    ? "dimensions"
    : providerOptions !== undefined
    ? "providerOptions"
    : undefined
  return feature && LlmError.UnsupportedFeature.make({
    feature,
    message: `${feature}: an EmbeddingModel takes it in its own layer only`
  })
}

/** The vectors of some texts, and their usage as far as it is known. */
const embedded = (ai: EmbeddingModel.Service, input: ReadonlyArray<string>) =>
  Effect.map(ai.embedMany(input), (embeddings) => ({ embeddings, usage: {} }))

/** The same provider, with the embeddings of an embedding model. */
export const withEmbeddings = (
  provider: LlmProvider.Service,
  options: EmbeddingsOptions
): Effect.Effect<LlmProvider.Service, never, EmbeddingModel.EmbeddingModel> =>
  Effect.gen(function*() {
    const { maxInputs, model } = Check.known(options, providerOptionNames)
    if (maxInputs !== undefined) Check.integer("maxInputs", maxInputs, 1)
    const ai = yield* EmbeddingModel.EmbeddingModel
    const failed = (attempts: number, failure: AiErrors.Failure) =>
      AiErrors.toLlmError(failure, { operation: "embed", attempts, provider: provider.name, model })
    return {
      ...provider,
      embedLimits: () => ({ inputs: maxInputs }),
      embed: (request) =>
        Effect.gen(function*() {
          const reason = obstacle(request, model)
          if (reason !== undefined) return yield* failed(0, { reason })
          const answer = yield* Effect.catchAll(
            embedded(ai, request.input),
            (error) =>
              Effect.flatMap(
                Clock.currentTimeMillis,
                (nowMillis) => failed(1, AiErrors.read(error, { nowMillis, sources: request.input }))
              )
          )
          return Embedding.make({ ...answer, model, provider: provider.name })
        })
    }
  })
