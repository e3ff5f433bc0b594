import type * as HttpClient from "@effect/platform/HttpClient"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Embedding from "../domain/Embedding.js"
import * as EmbeddingView from "../domain/embeddingView.js"
import { type LlmError, MalformedResponse, type Reason, UnsupportedFeature } from "../domain/LlmError.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import type * as Reasoning from "../domain/reasoning.js"
import * as LlmProvider from "../LlmProvider.js"
import * as Connection from "../wire/connection.js"
import * as Http from "../wire/http.js"
import * as AnswerStream from "./answerStream.js"
import { type Codec, type EmbeddingCodec, type Facts, Failed } from "./codec.js"
import * as Corrections from "./corrections.js"
import type { CountingCodec } from "./counting.js"
import { checked } from "./embeddings.js"
import * as Ending from "./ending.js"
import type { ListingCodec } from "./listing.js"
import * as OpaqueBlocks from "./opaqueBlocks.js"
import * as ProviderTools from "./providerTools.js"
import * as ReadableReasoning from "./readableReasoning.js"
import { noChanges } from "./settings.js"

/** Facts about an answer before it comes. */
type Known = Pick<Facts, "request" | "reader" | "warnings">

/** The account that a request is billed to, as far as its address and its headers say. */
const accountOf = (endpoint: string, { headers }: Connection.Connection): string =>
  [endpoint, headers["openai-organization"], headers["openai-project"]].filter((part) => part !== undefined).join(" ")

/** A request that is about all models, and has no texts. */
const aboutAll = EmbeddingView.requestOf({ model: "*", input: [] })

/** Far more than any embeddings of one request: 2,048 vectors of 3,072 numbers in JSON. */
const maxEmbeddingsBytes = 192 * 1024 * 1024
/** A request for no answer at all fills the cache of a service that has one to fill. */
const noTokens = UnsupportedFeature.make({
  feature: "maxTokens: 0",
  message: "this provider takes a limit of at least 1 token"
})

/** Makes a provider that speaks a protocol at an address. */
export const make = (options: {
  readonly name: string
  readonly connection: Connection.Connection
  /** The address of requests: two services never have the same. */
  readonly endpoint: string
  readonly codec: Codec
}): Effect.Effect<LlmProvider.Service, never, HttpClient.HttpClient> =>
  Effect.map(Http.make(options.name, options.connection, options.codec.errors), (http) => {
    const { codec, connection, endpoint, name } = options

    const reasoning = ReadableReasoning.make(codec)

    const readerOf = ({ model }: LlmRequest, attempt: LlmProvider.Attempt): Reasoning.Reader => ({
      provider: name,
      account: connection.account ?? attempt.account ?? accountOf(endpoint, connection),
      model
    })

    const corrections = Corrections.make(name, codec, reasoning)

    const encode: Codec["encode"] = (request, streaming, changes) => {
      const problem = ProviderTools.problem(request, codec.protocol)
      return problem === undefined
        ? codec.encode(request, streaming, changes)
        : { body: {}, warnings: [], problem }
    }

    /** Encodes a request and sends it, as often as it has to be corrected; fails if it cannot be encoded. */
    const ask = <A, R>(
      operation: "call" | "stream",
      request: LlmRequest,
      send: (
        purpose: Http.Purpose,
        known: Known
      ) => Effect.Effect<A, LlmError | Http.Rejected, R>
    ): Effect.Effect<A, LlmError, R> =>
      Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) => {
        const streaming = operation === "stream"
        const reader = readerOf(request, attempt)
        const readable = reasoning.readable(request, reader)
        return corrections.ask(readable.request, {
          encode: (draft) => {
            const encoded = encode(draft.request, streaming, draft.changes)
            return request.maxTokens !== 0 || codec.takesNoTokens === true ? encoded : { ...encoded, problem: noTokens }
          },
          send: ({ request, warnings: corrected }, { body, problem, warnings }) => {
            const purpose: Http.Purpose = {
              operation,
              request,
              path: codec.path(request, streaming),
              body,
              headers: ProviderTools.headersOf(request)
            }
            return problem === undefined
              ? send(purpose, { request, reader, warnings: [...readable.warnings, ...warnings, ...corrected] })
              : http.fail(purpose, problem, { attempts: 0 })
          }
        })
      })

    /** Sends a request as it is: nothing but its key may be corrected. */
    const send = <A>(purpose: Http.Purpose, read: (answer: Http.Answer) => Effect.Effect<A, LlmError>) =>
      corrections.ask(purpose.request, {
        encode: () => ({ body: {}, warnings: [], problem: undefined }),
        send: () => http.post(purpose, read)
      })

    /** Reads the whole answer to a request. */
    const read = (
      purpose: Http.Purpose,
      { body, ...facts }: Http.Answer,
      known: Known
    ): Effect.Effect<LlmResponse.LlmResponse, LlmError> => {
      const decoded = codec.decode(body, { ...facts, ...known })
      if (decoded === Failed) {
        return Effect.flatMap(http.classify(purpose, body), (reason) => http.fail(purpose, reason, facts))
      }
      if ("_tag" in decoded) return http.fail(purpose, decoded, facts)
      const problem = Ending.overlooked(decoded, () => Ending.holdsText(body))
      return problem === undefined
        ? Effect.succeed(OpaqueBlocks.warned(decoded))
        : http.fail(purpose, problem, facts)
    }

    /** Reads an answer as it comes, up to its first parts. */
    const begin = (purpose: Http.Purpose, { complete, pull, ...facts }: Http.OpenAnswer, known: Known) =>
      AnswerStream.begin({
        complete,
        pull,
        framer: codec.framer(),
        decoder: codec.decoder({ ...facts, ...known }),
        classify: (event) => http.classify(purpose, event),
        fail: (reason) => http.fail(purpose, reason, facts),
        whole: (body) => codec.decode(body, { ...facts, ...known })
      })

    /** Reads a stream that came where none was asked for. Nobody has seen a part of it: if it is cut, all may be asked again. */
    const readStream = (purpose: Http.Purpose, opened: Http.OpenAnswer, known: Known) =>
      Effect.flatMap(
        begin(purpose, opened, known),
        (parts) =>
          Effect.mapError(AnswerStream.response(parts), (error) =>
            error.reason._tag === "StreamInterrupted"
              ? http.fail(purpose, MalformedResponse.make({ message: "the answer has no end" }), opened)
              : error)
      )

    const call: LlmProvider.Service["call"] = (request) =>
      ask("call", request, (purpose, known) =>
        http.post(
          purpose,
          (answer) =>
            Effect.map(
              read(purpose, answer, known),
              (response) => LlmResponse.update(response, { raw: answer.body })
            ),
          (opened) => readStream(purpose, opened, known)
        ))

    const open = (request: LlmRequest): Effect.Effect<AnswerStream.Parts, LlmError, Scope.Scope> =>
      ask(
        "stream",
        request,
        (purpose, known) =>
          Effect.flatMap(
            http.open(purpose),
            (opened): Effect.Effect<AnswerStream.Parts, LlmError | Http.Rejected> =>
              "body" in opened
                ? Effect.map(read(purpose, opened, known), AnswerStream.wholeAnswer)
                : begin(purpose, opened, known)
          )
      )

    const embed = (
      { decode, encode, path }: EmbeddingCodec
    ): NonNullable<LlmProvider.Service["embed"]> =>
    (request) =>
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

    const countTokens = ({ body, path, tokens }: CountingCodec) => (request: LlmRequest) =>
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

    const models = ({ decode, path }: ListingCodec) => (page: string | undefined) =>
      Effect.suspend(() => {
        const purpose: Http.Purpose = { operation: "models", request: aboutAll, path: path(page) }
        return send(purpose, ({ body, requestId }) => {
          const decoded = decode(body, name)
          return decoded === undefined
            ? http.fail(purpose, MalformedResponse.make({ message: "the answer has no list of models" }), { requestId })
            : Effect.succeed(decoded)
        })
      })

    const { counting, embeddings, listing } = codec

    return LlmProvider.make({
      name,
      endpoint,
      account: connection.account,
      schemaDialect: codec.schemaDialect,
      outputMode: codec.outputMode,
      call,
      stream: (request) => AnswerStream.make(open(request)),
      ...(embeddings !== undefined && { embed: embed(embeddings), embedLimits: embeddings.limits }),
      ...(counting !== undefined && { countTokens: countTokens(counting) }),
      ...(listing !== undefined && { models: models(listing) })
    })
  })

/** Options whose key and address have been read from the program's configuration. */
type Resolved<ConfigOptions> = Omit<ConfigOptions, keyof Connection.ResolvedConfig> & Connection.ResolvedConfig

/** The `layerConfig` of a provider: its `make`, with the key and the address from the program's configuration. */
export const layerConfig = <ConfigOptions extends Connection.ConfigOptions>(
  options: ConfigOptions,
  protocol: Connection.Protocol,
  make: (options: Resolved<ConfigOptions>) => Effect.Effect<LlmProvider.Service, never, HttpClient.HttpClient>
): Layer.Layer<LlmProvider.LlmProvider, ConfigError.ConfigError, HttpClient.HttpClient> =>
  Layer.effect(
    LlmProvider.LlmProvider,
    Effect.flatMap(Connection.resolveConfig(options, protocol), (resolved) => make({ ...options, ...resolved }))
  )
