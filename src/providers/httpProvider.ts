import type * as HttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import type { Reason } from "../domain/LlmError.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import * as LlmProvider from "../LlmProvider.js"
import type * as Connection from "../wire/connection.js"
import * as Http from "../wire/http.js"
import * as AnswerStream from "./answerStream.js"
import { type Codec, Failed } from "./codec.js"

/** A provider that speaks a protocol at an address. */
export const make = (options: {
  readonly name: string
  readonly connection: Connection.Connection
  /** Tells the addresses of different services apart. */
  readonly endpoint: string
  readonly codec: Codec
}): Effect.Effect<LlmProvider.Service, never, HttpClient.HttpClient> =>
  Effect.map(Http.make(options.name, options.connection), (http) => {
    const { codec, endpoint, name } = options

    /** The request on its way, or the failure if there is no way. */
    const prepare = (operation: "call" | "stream", request: LlmRequest) =>
      Effect.suspend(() => {
        const streaming = operation === "stream"
        const { body, problem, warnings } = codec.encode(request, streaming)
        const purpose: Http.Purpose = { operation, request, path: codec.path(request, streaming), body }
        return problem === undefined
          ? Effect.succeed({ purpose, warnings })
          : Effect.fail(http.fail(purpose, problem, { attempts: 0 }))
      })

    const call = Effect.fnUntraced(function*(request: LlmRequest) {
      const { purpose, warnings } = yield* prepare("call", request)
      const { body, ...facts } = yield* http.post(purpose)
      const decoded = codec.decode(body, { ...facts, request, warnings })
      if (decoded === Failed) return yield* http.fail(purpose, yield* http.classify(purpose, body), facts)
      return "_tag" in decoded ? yield* http.fail(purpose, decoded, facts) : decoded
    })

    const open = Effect.fnUntraced(function*(request: LlmRequest) {
      const { purpose, warnings } = yield* prepare("stream", request)
      const { pull, ...facts } = yield* http.open(purpose)
      return {
        pull,
        framer: codec.framer(),
        decoder: codec.decoder({ ...facts, request, warnings }),
        classify: (event: unknown) => http.classify(purpose, event),
        fail: (reason: Reason) => http.fail(purpose, reason, facts)
      }
    })

    return LlmProvider.make({
      name,
      endpoint,
      schemaDialect: codec.schemaDialect,
      call,
      stream: (request) => AnswerStream.make(open(request))
    })
  })
