import type * as HttpClient from "@effect/platform/HttpClient"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type LlmError, UnsupportedFeature } from "../domain/LlmError.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import type * as Reasoning from "../domain/reasoning.js"
import * as LlmProvider from "../LlmProvider.js"
import * as Connection from "../wire/connection.js"
import * as Http from "../wire/http.js"
import * as AnswerStream from "./answerStream.js"
import { type Codec, type Facts, Failed } from "./codec.js"
import * as Corrections from "./corrections.js"
import * as OpaqueBlocks from "./opaqueBlocks.js"
import * as ReadableReasoning from "./readableReasoning.js"

/** What is known about an answer before it comes. */
type Known = Pick<Facts, "request" | "reader" | "warnings">

/** The account that a request is billed to, as far as its address and its headers say. */
const accountOf = (endpoint: string, { headers }: Connection.Connection): string =>
  [endpoint, headers["openai-organization"], headers["openai-project"]].filter((part) => part !== undefined).join(" ")

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

    const corrections = Corrections.make(name, codec.errors, reasoning)

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
            const encoded = codec.encode(draft.request, streaming, draft.changes)
            return request.maxTokens !== 0 || codec.takesNoTokens === true ? encoded : { ...encoded, problem: noTokens }
          },
          send: ({ request, warnings: corrected }, { body, problem, warnings }) => {
            const purpose: Http.Purpose = { operation, request, path: codec.path(request, streaming), body }
            return problem === undefined
              ? send(purpose, { request, reader, warnings: [...readable.warnings, ...warnings, ...corrected] })
              : http.fail(purpose, problem, { attempts: 0 })
          }
        })
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
      return "_tag" in decoded ? http.fail(purpose, decoded, facts) : Effect.succeed(OpaqueBlocks.warned(decoded))
    }

    const call: LlmProvider.Service["call"] = (request) =>
      ask("call", request, (purpose, known) =>
        http.post(purpose, (answer) =>
          Effect.map(
            read(purpose, answer, known),
            (response) => LlmResponse.update(response, { raw: answer.body })
          )))

    const open = (request: LlmRequest): Effect.Effect<AnswerStream.Parts, LlmError, Scope.Scope> =>
      ask(
        "stream",
        request,
        (purpose, known) =>
          Effect.flatMap(http.open(purpose), (opened): Effect.Effect<AnswerStream.Parts, LlmError | Http.Rejected> => {
            if ("body" in opened) return Effect.map(read(purpose, opened, known), AnswerStream.wholeAnswer)
            const { complete, pull, ...facts } = opened
            return AnswerStream.begin({
              complete,
              pull,
              framer: codec.framer(),
              decoder: codec.decoder({ ...facts, ...known }),
              classify: (event) => http.classify(purpose, event),
              fail: (reason) => http.fail(purpose, reason, facts),
              whole: (body) => codec.decode(body, { ...facts, ...known })
            })
          })
      )

    return LlmProvider.make({
      name,
      endpoint,
      account: connection.account,
      schemaDialect: codec.schemaDialect,
      outputMode: codec.outputMode,
      call,
      stream: (request) => AnswerStream.make(open(request))
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
