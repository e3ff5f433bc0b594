import type * as HttpClient from "@effect/platform/HttpClient"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { LlmError } from "../domain/LlmError.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import * as LlmProvider from "../LlmProvider.js"
import * as Connection from "../wire/connection.js"
import * as Http from "../wire/http.js"
import * as AnswerStream from "./answerStream.js"
import { type Codec, Failed } from "./codec.js"
import * as Corrections from "./corrections.js"
import * as OpaqueBlocks from "./opaqueBlocks.js"

/** Makes a provider that speaks a protocol at an address. */
export const make = (options: {
  readonly name: string
  readonly connection: Connection.Connection
  /** The address of requests: two services never have the same. */
  readonly endpoint: string
  readonly codec: Codec
}): Effect.Effect<LlmProvider.Service, never, HttpClient.HttpClient> =>
  Effect.map(Http.make(options.name, options.connection, options.codec.errors), (http) => {
    const { codec, endpoint, name } = options

    const corrections = Corrections.make(name, codec.errors)

    /** Encodes a request and sends it, as often as it has to be corrected; fails if it cannot be encoded. */
    const ask = <A, R>(
      operation: "call" | "stream",
      request: LlmRequest,
      send: (purpose: Http.Purpose, warnings: ReadonlyArray<string>) => Effect.Effect<A, LlmError | Http.Rejected, R>
    ): Effect.Effect<A, LlmError, R> => {
      const streaming = operation === "stream"
      return corrections.ask(request, {
        encode: (draft) => codec.encode(draft.request, streaming, draft.changes),
        send: ({ request, warnings: corrected }, { body, problem, warnings }) => {
          const purpose: Http.Purpose = { operation, request, path: codec.path(request, streaming), body }
          return problem === undefined
            ? send(purpose, corrected.length === 0 ? warnings : [...warnings, ...corrected])
            : http.fail(purpose, problem, { attempts: 0 })
        }
      })
    }

    const call: LlmProvider.Service["call"] = (request) =>
      ask("call", request, (purpose, warnings) =>
        http.post(purpose, ({ body, ...facts }) => {
          const { request } = purpose
          const decoded = codec.decode(body, { ...facts, request, warnings })
          if (decoded === Failed) {
            return Effect.flatMap(http.classify(purpose, body), (reason) => http.fail(purpose, reason, facts))
          }
          return "_tag" in decoded
            ? http.fail(purpose, decoded, facts)
            : Effect.succeed(OpaqueBlocks.warned(LlmResponse.update(decoded, { raw: body })))
        }))

    const open = (request: LlmRequest): Effect.Effect<AnswerStream.Source, LlmError, Scope.Scope> =>
      ask(
        "stream",
        request,
        (purpose, warnings) =>
          Effect.map(http.open(purpose), ({ complete, pull, ...facts }): AnswerStream.Source => ({
            complete,
            pull,
            framer: codec.framer(),
            decoder: codec.decoder({ ...facts, request: purpose.request, warnings }),
            classify: (event) => http.classify(purpose, event),
            fail: (reason) => http.fail(purpose, reason, facts)
          }))
      )

    return LlmProvider.make({
      name,
      endpoint,
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
