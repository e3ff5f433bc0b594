import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { InvalidRequest, LlmError, MalformedResponse, NetworkFailed, type Reason } from "../domain/LlmError.js"
import * as LlmRequest from "../domain/LlmRequest.js"
import type * as LlmResponse from "../domain/LlmResponse.js"
import { scrub } from "../domain/scrub.js"
import { classify } from "./classify.js"
import type { Connection } from "./connection.js"
import * as Json from "./json.js"
import { rateLimitHeaders } from "./rateLimitHeaders.js"

/** A whole answer of a service, with what its headers told. */
export interface Answer {
  readonly body: Json.JsonObject
  readonly requestId: string | undefined
  readonly rateLimit: LlmResponse.RateLimit | undefined
}

/** An answer that is only beginning. */
export interface OpenAnswer extends Omit<Answer, "body"> {
  /** The bytes as they come. */
  readonly bytes: Stream.Stream<Uint8Array, LlmError>
}

/** What a request is sent for, as errors tell it. */
export interface Purpose {
  readonly operation: "call" | "stream"
  readonly request: LlmRequest.LlmRequest
  /** The path behind the base URL. */
  readonly path: string
  readonly body: Json.JsonObject
}

/** Sends requests to one service. */
export interface Http {
  /** Posts JSON and reads the whole JSON of the answer. All else is a failure. */
  readonly post: (purpose: Purpose) => Effect.Effect<Answer, LlmError>
  /** Posts JSON and gives the answer as it comes, until the scope closes. An answer that is no stream is a failure. */
  readonly open: (purpose: Purpose) => Effect.Effect<OpenAnswer, LlmError, Scope.Scope>
  /** Tells a failure that stands in an answer: in an event of a stream. */
  readonly classify: (purpose: Purpose, event: unknown) => Effect.Effect<Reason>
  /** The failure of a request that could not be sent (`attempts: 0`), or whose answer has arrived and is of no use. */
  readonly fail: (
    purpose: Purpose,
    reason: Reason,
    answer?: { readonly requestId?: string | undefined; readonly attempts?: number }
  ) => LlmError
}

/** No answer of a model is near this size. */
const maxBodyBytes = 32 * 1024 * 1024

/** More than any service says of an error; what comes beyond is not read. */
const maxErrorBodyBytes = 64 * 1024

/** How long the body of an error may take. What the status says is known without it. */
const errorBodyTimeout = "5 seconds"

const requestIdHeaders = [
  "x-request-id",
  "request-id",
  "apim-request-id",
  "x-ms-request-id",
  "x-generation-id",
  "x-goog-request-id",
  "mistral-correlation-id"
]

type Headers = { readonly [name: string]: string | undefined }

const requestIdOf = (headers: Headers, secrets: ReadonlyArray<string>): string | undefined => {
  for (const name of requestIdHeaders) {
    const id = headers[name]
    if (id === undefined || id === "") continue
    // Responses and logs carry it.
    return (secrets.some((secret) => id.includes(secret)) ? scrub(id, { secrets }) : id).slice(0, 200)
  }
  return undefined
}

/** Reads a body up to a limit, and says whether it ended before it. */
const readUpTo = <E>(body: Stream.Stream<Uint8Array, E>, limit: number) =>
  Effect.suspend(() => {
    const chunks: Array<Uint8Array> = []
    let bytes = 0
    return Stream.runForEachWhile(body, (chunk) =>
      Effect.sync(() => {
        bytes += chunk.length
        chunks.push(chunk)
        return bytes <= limit
      })).pipe(
        Effect.map(() => ({ text: decodeUtf8(chunks, Math.min(bytes, limit)), whole: bytes <= limit }))
      )
  })

const decodeUtf8 = (chunks: ReadonlyArray<Uint8Array>, length: number): string => {
  const decoder = new TextDecoder()
  let text = ""
  let left = length
  for (const chunk of chunks) {
    text += decoder.decode(chunk.length > left ? chunk.subarray(0, left) : chunk, { stream: true })
    left -= chunk.length
  }
  return text + decoder.decode()
}

/** A body whose length is given in advance cannot be longer; compressed, it can. */
const knownToFit = ({ headers }: HttpClientResponse.HttpClientResponse, limit: number): boolean => {
  const length = headers["content-length"]
  const encoding = headers["content-encoding"]
  return length !== undefined && Number(length) <= limit && (encoding === undefined || encoding === "identity")
}

/** The system's code for what broke a connection, wherever the runtime has put it. Nothing else of a cause is kept. */
const networkCode = (cause: unknown, depth = 0): string | undefined => {
  if (typeof cause !== "object" || cause === null || depth > 5) return undefined
  const { cause: inner, code, errors } = cause as Json.JsonObject
  if (typeof code === "string" && /^\w{2,64}$/.test(code)) return code
  return networkCode(inner, depth + 1) ?? networkCode(Json.array(errors)[0], depth + 1)
}

const reasonOf = (error: HttpClientError.HttpClientError): Reason => {
  if (error.reason === "Encode" || error.reason === "InvalidUrl") {
    return InvalidRequest.make({ message: "the request could not be built" })
  }
  // How `fetch` tells of status 204, which allows no body.
  if (error.reason === "EmptyBody") return MalformedResponse.make({ message: "the answer is empty" })
  const code = networkCode(error.cause)
  return NetworkFailed.make(code === undefined ? { message: "the connection failed" } : { code })
}

/** The server's own word on whether to send the request again. It does not make a bad key or an empty account good. */
const shouldRetry = (headers: Headers, reason: Reason): boolean | undefined => {
  switch (headers["x-should-retry"]) {
    case "false":
      return false
    case "true":
      return reason._tag === "AuthenticationFailed" || reason._tag === "PermissionDenied" ||
          reason._tag === "QuotaExhausted"
        ? undefined
        : true
    default:
      return undefined
  }
}

/**
 * Sends requests to one service over the program's `HttpClient`: once each, without redirects (they would carry the key
 * elsewhere) and without trace headers (they are not the service's business), reading no more than it should. Closing
 * or interrupting aborts the request.
 */
export const make = (
  provider: string,
  connection: Connection
): Effect.Effect<Http, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const context = yield* Effect.context<HttpClient.HttpClient>()
    // The request's span is the client's: one that dumps all headers is not wanted on top.
    const client = Context.get(context, HttpClient.HttpClient).pipe(
      HttpClient.withTracerPropagation(false),
      HttpClient.withTracerDisabledWhen(() => true),
      HttpClient.withScope
    )
    const { secrets } = connection
    const fetchOptions: RequestInit = {
      ...Option.getOrUndefined(Context.getOption(context, FetchHttpClient.RequestInit)),
      redirect: "manual"
    }

    const failure = (
      { operation, request }: Purpose,
      reason: Reason,
      answer: {
        readonly attempts?: number
        readonly requestId?: string | undefined
        readonly status?: number
        readonly headers?: Headers
      } = {}
    ): LlmError => {
      const retry = answer.headers === undefined ? undefined : shouldRetry(answer.headers, reason)
      return new LlmError({
        reason,
        operation,
        attempts: answer.attempts ?? 1,
        provider,
        model: request.model,
        ...(answer.requestId !== undefined && { requestId: scrub(answer.requestId, { secrets }) }),
        ...(answer.status !== undefined && { status: answer.status }),
        ...(retry !== undefined && { shouldRetry: retry })
      })
    }

    const classified: Http["classify"] = ({ request }, answer) =>
      Effect.map(Clock.currentTimeMillis, (nowMillis) =>
        classify(answer, { nowMillis, secrets, sources: LlmRequest.texts(request) }))

    const rejected = (
      purpose: Purpose,
      { headers, status }: HttpClientResponse.HttpClientResponse,
      body: unknown
    ): Effect.Effect<never, LlmError> =>
      Effect.flatMap(classified(purpose, { status, headers, body }), (reason) =>
        failure(purpose, reason, { requestId: requestIdOf(headers, secrets), status, headers }))

    const asLlmError = (purpose: Purpose) => (error: LlmError | HttpClientError.HttpClientError): LlmError =>
      error._tag === "LlmError" ? error : failure(purpose, reasonOf(error))

    /** What the runtime logs of a stream that fails is this error, not one that holds the request and its headers. */
    const bytesOf = (purpose: Purpose, { stream }: HttpClientResponse.HttpClientResponse) =>
      Stream.mapError(stream, asLlmError(purpose))

    const readError = (purpose: Purpose, response: HttpClientResponse.HttpClientResponse) =>
      Effect.gen(function*() {
        const read = yield* readUpTo(bytesOf(purpose, response), maxErrorBodyBytes).pipe(
          Effect.option,
          Effect.timeoutTo({ duration: errorBodyTimeout, onSuccess: identity, onTimeout: Option.none })
        )
        // Without a body the status says enough.
        const { text, whole } = Option.getOrElse(read, () => ({ text: "", whole: true }))
        // Half a key would not be recognised as one.
        return yield* rejected(purpose, response, whole ? text : text.slice(0, -1024))
      })

    const readAnswer = (purpose: Purpose, response: HttpClientResponse.HttpClientResponse) =>
      Effect.gen(function*() {
        const { headers, status } = response
        const { text, whole } = knownToFit(response, maxBodyBytes)
          ? { text: yield* response.text, whole: true }
          : yield* readUpTo(bytesOf(purpose, response), maxBodyBytes)
        const facts = { requestId: requestIdOf(headers, secrets), status, headers }
        const malformed = (message: string) =>
          failure(purpose, MalformedResponse.make({ message }), facts)
        if (!whole) {
          return yield* malformed(`the answer is longer than ${maxBodyBytes} bytes`)
        }
        const body = Json.parse(text)
        // Google wraps the errors of its streams into an array.
        const { error } = Json.object(Array.isArray(body) ? body[0] : body)
        if (error !== undefined && error !== null) {
          return yield* rejected(purpose, response, body)
        }
        if (!Json.isObject(body)) {
          const type = scrub(headers["content-type"] ?? "no content type", { secrets }).slice(0, 80)
          return yield* malformed(
            text.trim() === ""
              ? "the answer is empty"
              : `the answer is not a JSON object (${type}, ${text.length} characters)`
          )
        }
        const rateLimit = rateLimitHeaders(headers, yield* Clock.currentTimeMillis)
        return { body, requestId: facts.requestId, rateLimit }
      })

    const send = (purpose: Purpose) =>
      HttpClientRequest.post(`${connection.baseUrl}${purpose.path}`).pipe(
        HttpClientRequest.setHeaders(connection.headers),
        HttpClientRequest.bodyText(JSON.stringify(purpose.body), "application/json"),
        client.execute,
        // A client that fails on a status has the answer at hand.
        Effect.catchIf(isStatusError, (error) =>
          Effect.succeed(error.response)),
        Effect.provideService(FetchHttpClient.RequestInit, fetchOptions)
      )

    const post: Http["post"] = (purpose) =>
      Effect.flatMap(
        send(purpose),
        (response): Effect.Effect<Answer, LlmError | HttpClientError.HttpClientError> =>
          isSuccess(response) ? readAnswer(purpose, response) : readError(purpose, response)
      ).pipe(
        Effect.mapError(asLlmError(purpose)),
        // Closes the connection, however this ends, where the body was not read to its end.
        Effect.scoped
      )

    const open: Http["open"] = (purpose) =>
      Effect.gen(function*() {
        const response = yield* send(purpose)
        if (!isSuccess(response)) {
          return yield* readError(purpose, response)
        }
        const { headers } = response
        if (/\b(?:html|json)\b/i.test(headers["content-type"]?.replace(/x-ndjson|jsonl/, "") ?? "")) {
          // It may be an error, or the whole of an answer: the one is told, the other is not what was asked for.
          yield* readAnswer(purpose, response)
          return yield* failure(purpose, MalformedResponse.make({ message: "the answer is not a stream" }))
        }
        return {
          requestId: requestIdOf(headers, secrets),
          rateLimit: rateLimitHeaders(headers, yield* Clock.currentTimeMillis),
          bytes: bytesOf(purpose, response)
        }
      }).pipe(Effect.mapError(asLlmError(purpose)))

    return { post, open, classify: classified, fail: failure }
  })

const isSuccess = ({ status }: HttpClientResponse.HttpClientResponse): boolean => status >= 200 && status < 300

const isStatusError = (error: HttpClientError.HttpClientError): error is HttpClientError.ResponseError =>
  error._tag === "ResponseError" && error.reason === "StatusCode"
