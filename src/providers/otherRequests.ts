import * as Effect from "effect/Effect"
import * as Embedding from "../domain/Embedding.js"
import * as EmbeddingView from "../domain/embeddingView.js"
import { type LlmError, MalformedResponse, type Reason } from "../domain/LlmError.js"
import type * as LlmProvider from "../LlmProvider.js"
import type * as Http from "../wire/http.js"
import { type Codec, type EmbeddingCodec, Failed } from "./codec.js"
import type { CountingCodec } from "./counting.js"
import { checked } from "./embeddings.js"
import type { ListingCodec } from "./listing.js"
import * as ProviderTools from "./providerTools.js"
import { noChanges } from "./settings.js"

/** A request that is about all models, and has no texts. */
export const aboutAll = EmbeddingView.requestOf({ model: "*", input: [] })

/** Far more than any embeddings of one request: 2,048 vectors of 3,072 numbers in JSON. */
const maxEmbeddingsBytes = 192 * 1024 * 1024

/** The requests to a service for something else than the answer of a model. */
export interface OtherRequests {
  readonly embed: (codec: EmbeddingCodec) => NonNullable<LlmProvider.Service["embed"]>
  readonly countTokens: (codec: CountingCodec) => NonNullable<LlmProvider.Service["countTokens"]>
  readonly models: (codec: ListingCodec) => NonNullable<LlmProvider.Service["models"]>
}

/** Makes the requests of a provider. */
export const make = ({ encode, http, name, send }: {
  readonly name: string
  readonly http: Http.Http
  readonly encode: Codec["encode"]
  /** Sends a request as it is. */
  readonly send: <A>(
    purpose: Http.Purpose,
    read: (answer: Http.Answer) => Effect.Effect<A, LlmError>
  ) => Effect.Effect<A, LlmError>
}): OtherRequests => {
  const embed: OtherRequests["embed"] = ({ decode, encode, path }) => (request) =>
    Effect.suspend(() => {
      const { body, problem, warnings } = encode(request)
      const purpose: Http.Purpose = {
        operation: "embed",
        request: EmbeddingView.requestOf(request),
        path: path(request),
        body,
        maxBytes: maxEmbeddingsBytes
      }
      if (problem !== undefined) return http.fail(purpose, problem, { attempts: 0 })
      return send(purpose, ({ body, rateLimit, requestId }) => {
        const fail = (reason: Reason) => http.fail(purpose, reason, { requestId })
        const decoded = decode(body, { request, requestId, rateLimit, warnings })
        if (decoded === Failed) return Effect.flatMap(http.classify(purpose, body), fail)
        if ("_tag" in decoded) return fail(decoded)
        const embeddings = checked(decoded.vectors, request)
        if ("_tag" in embeddings) return fail(embeddings)
        const { model, usage } = decoded
        return Effect.succeed(Embedding.make({
          embeddings,
          usage,
          model,
          provider: name,
          warnings,
          ...(requestId !== undefined && { requestId }),
          ...(rateLimit !== undefined && { rateLimit })
        }))
      })
    })

  const countTokens: OtherRequests["countTokens"] = ({ body, path, tokens }) => (request) =>
    Effect.suspend(() => {
      const { body: call, problem } = encode(request, false, noChanges)
      const purpose: Http.Purpose = {
        operation: "countTokens",
        request,
        path: path(request),
        body: body(call, request),
        headers: ProviderTools.headersOf(request)
      }
      if (problem !== undefined) return http.fail(purpose, problem, { attempts: 0 })
      return send(purpose, ({ body, requestId }) => {
        const count = tokens(body)
        return count === undefined
          ? http.fail(purpose, MalformedResponse.make({ message: "the answer has no number of tokens" }), {
            requestId
          })
          : Effect.succeed(count)
      })
    })

  const models: OtherRequests["models"] = ({ decode, path }) => (page) =>
    Effect.suspend(() => {
      const purpose: Http.Purpose = { operation: "models", request: aboutAll, path: path(page) }
      return send(purpose, ({ body, requestId }) => {
        const decoded = decode(body, name)
        return decoded === undefined
          ? http.fail(purpose, MalformedResponse.make({ message: "the answer has no list of models" }), { requestId })
          : Effect.succeed(decoded)
      })
    })

  return { embed, countTokens, models }
}
