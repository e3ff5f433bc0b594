// In place of declarations: a model of Effect 4 keeps no vectors, and gives the usage beside them.
import * as Context from "effect/Context"
import { RegionOptions } from "../client/options.js"

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
}

const modelOptionNames: Check.Names<EmbeddingModelOptions> = {
  model: true,
  dimensions: true,
  providerOptions: true,
  call: true
}

/** Makes an embedding model that asks the client, which splits what is too much for one request. */
export const makeModel = (
  options: EmbeddingModelOptions
): Effect.Effect<EmbeddingModel.EmbeddingModel, never, LlmClient> =>
  Effect.gen(function*() {
    const { call, ...request } = Check.known(options, modelOptionNames)
    const client = yield* LlmClient
    return yield* EmbeddingModel.make({
      // Texts that are embedded at the same time go together, unless their calls have other options.
      batchKey: (context) => Context.get(context, RegionOptions),
      embedMany: ({ inputs }) =>
        client.embed({ ...request, input: inputs }, call).pipe(
          Effect.map(({ embeddings, usage }) => ({
            results: embeddings.map((vector) => [...vector]),
            usage: { inputTokens: usage.inputTokens }
          })),
          Effect.mapError(AiErrors.toAiError("embedMany"))
        )
    })
  })

/** The vectors of some texts, and their usage as far as it is known. */
const embedded = (ai: EmbeddingModel.EmbeddingModel, input: ReadonlyArray<string>) =>
  Effect.map(ai.embedMany(input), ({ embeddings, usage: { inputTokens } }) => ({
    embeddings: embeddings.map(({ vector }) => vector),
    usage: inputTokens === undefined ? {} : { inputTokens }
  }))
