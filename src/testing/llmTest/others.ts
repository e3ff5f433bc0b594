import * as Effect from "effect/Effect"
import * as Embedding from "../../domain/Embedding.js"
import * as EmbeddingView from "../../domain/embeddingView.js"
import * as LlmError from "../../domain/LlmError.js"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import { invalidOption } from "../../internal/check.js"
import type * as LlmProvider from "../../LlmProvider.js"
import { countTokens as tokensOf } from "../simulator/prompt.js"
import { vectorOf } from "../simulator/vectors.js"
import type { Failure } from "./answers.js"
import type { recorder } from "./exchanges.js"

/**
 * The vectors of a request for embeddings, one for each text, as a value or an Effect. A reason or an `LlmError` fails it.
 *
 * @since 0.1.0
 * @category models
 */
export type Vectors =
  | ReadonlyArray<Embedding.Vector>
  | Failure
  | Effect.Effect<ReadonlyArray<Embedding.Vector>, Failure>

/**
 * The embeddings of a scripted provider: by the words of a text (texts with common words are close to each other, in
 * the requested `dimensions`, or 64), or by a function of the request, which counts the requests from 1.
 *
 * @since 0.1.0
 * @category models
 */
export type EmbedScript = "words" | ((request: Embedding.Request, n: number) => Vectors)

/**
 * The token counts of a scripted provider for a request.
 *
 * @since 0.1.0
 * @category models
 */
export type CountScript = (request: LlmRequest, n: number) => number | Failure | Effect.Effect<number, Failure>

/**
 * The operations of a scripted provider besides answers.
 *
 * @since 0.1.0
 * @category models
 */
export interface Others {
  /** Its embeddings. Default: none, `LlmClient.embed` fails with `UnsupportedFeature`. */
  readonly embed?: EmbedScript | undefined
  /** The limits of a request for embeddings. Default: no limit. */
  readonly embedLimits?: Embedding.Limits | undefined
  /** Its counts of tokens. Default: none, `LlmClient.countTokens` estimates. */
  readonly countTokens?: CountScript | undefined
  /** The models that it lists. Default: none, `LlmClient.models` fails with `UnsupportedFeature`. */
  readonly models?: ReadonlyArray<Pick<LlmProvider.Model, "id"> & Partial<LlmProvider.Model>> | undefined
}

const defaultDimensions = 64

const byWords = ({ dimensions = defaultDimensions, input }: Embedding.Request) =>
  input.map((text) => vectorOf(text, dimensions))

/** The operations of a scripted provider besides answers, with the requests recorded. */
export const make = (
  { countTokens, embed, embedLimits, models }: Others,
  name: string,
  { whole }: ReturnType<typeof recorder>
): Partial<LlmProvider.Service> => {
  const failed = (operation: LlmError.Operation, model: string) => (failure: Failure): LlmError.LlmError =>
    LlmError.isLlmError(failure)
      ? failure
      : new LlmError.LlmError({ reason: failure, operation, attempts: 1, provider: name, model })

  let embedded = 0
  let counted = 0

  const vectorsOf = (script: EmbedScript, request: Embedding.Request) => {
    const given: Vectors = script === "words" ? byWords(request) : script(request, ++embedded)
    // An `LlmError` is an Effect that fails with itself.
    if (Effect.isEffect(given)) return given
    return "_tag" in given ? Effect.fail(given) : Effect.succeed(given)
  }

  return {
    ...(embedLimits !== undefined && { embedLimits: () => embedLimits }),
    ...(embed !== undefined && {
      embed: (request) =>
        whole(
          "embed",
          EmbeddingView.requestOf(request),
          Effect.suspend(() => vectorsOf(embed, request)).pipe(
            Effect.mapError(failed("embed", request.model)),
            Effect.map((embeddings) => {
              if (embeddings.length !== request.input.length) {
                invalidOption("embed", `${request.input.length} vectors`, embeddings.length)
              }
              return Embedding.make({
                embeddings,
                usage: { inputTokens: request.input.reduce((sum, text) => sum + tokensOf(text), 0) },
                model: request.model,
                provider: name
              })
            })
          )
        )
    }),
    ...(countTokens !== undefined && {
      countTokens: (request) =>
        whole(
          "countTokens",
          request,
          Effect.suspend((): Effect.Effect<number, Failure> => {
            const given = countTokens(request, ++counted)
            if (typeof given === "number") return Effect.succeed(given)
            return Effect.isEffect(given) ? given : Effect.fail(given)
          }).pipe(Effect.mapError(failed("countTokens", request.model)))
        )
    }),
    ...(models !== undefined && {
      models: () => Effect.succeed({ models: models.map((model) => ({ provider: name, metadata: {}, ...model })) })
    })
  }
}
