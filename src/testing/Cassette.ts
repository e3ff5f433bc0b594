/**
 * Record and replay at the level of HTTP: a layer that wraps an `HttpClient`, writes the answers of a service into a
 * readable file, and gives them from the file the next time, without a network and without a key. It works for every
 * provider of this library, and for any other program that uses the `HttpClient` of `@effect/platform`.
 *
 * A request matches a recorded one with the same method, host, path, query and body; bodies are compared as canonical
 * JSON. Equal requests get the recorded answers in order, each once.
 *
 * No secret is written to the file. Only harmless headers are kept. The values of headers and query parameters whose
 * names mark them as secrets, and texts in the shape of well-known keys, are replaced by `REDACTED` everywhere: in the
 * address, in a body that quotes them, and before requests are compared. Values of fewer than eight characters are not
 * replaced in bodies: they would be found in ordinary words.
 *
 * While it records, it reads an answer to its end before the program sees it, so that an answer is recorded whole even if
 * the program stops reading. An answer that breaks off, or whose request the program interrupts, is not recorded.
 *
 * Use one layer for a cassette at a time: two that write to the same file do not see each other's recordings.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import type * as Path from "@effect/platform/Path"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Check from "../internal/check.js"
import * as Elapsed from "../runtime/elapsed.js"
import * as Bodies from "./cassette/bodies.js"
import * as CassetteFile from "./cassette/file.js"
import * as Format from "./cassette/format.js"
import { keyOf, nearest } from "./cassette/matching.js"
import { redactText, redactUrl, requestHeaders, responseHeaders, secretsOf } from "./cassette/redact.js"
import { concatBytes } from "./concatBytes.js"

export { CassetteError } from "./cassette/file.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/**
 * How a cassette answers a request:
 *
 * - `auto` answers from the recording if there is one; otherwise it asks the service and records the answer. Answers
 *   with status 401 or 403 are not recorded: they concern the key, not the service.
 * - `record` asks the service for every request, and starts a new file.
 * - `replay` never asks the service: a request that is not recorded is a defect, `NotRecorded`.
 * - `passthrough` sends every request to the service, and records none.
 *
 * @since 0.1.0
 * @category models
 */
export type Mode = "auto" | "record" | "replay" | "passthrough"

/**
 * Options for recording and replaying.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Default: `auto`. */
  readonly mode?: Mode | undefined
  /** The greatest age of a recording. An older one is ignored, and `auto` replaces it. Default: any age. */
  readonly maxAge?: Duration.DurationInput | undefined
  /** Whether to record the pace of an answer, and replay it on the Clock. Default: false, answers come at once. */
  readonly timing?: boolean | undefined
  /** More texts to keep out of the file. Those with fewer than eight characters are ignored. Default: none. */
  readonly secrets?: ReadonlyArray<Redacted.Redacted | string> | undefined
  /** Removes more from addresses, headers and bodies, before they are written and compared. Default: nothing more. */
  readonly redact?: ((text: string) => string) | undefined
}

/**
 * The cassette has no answer to a request. The spec is wrong or the program has changed, so this is a defect: it is never
 * retried, no other provider is asked, and the spec fails with this message.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotRecorded extends Data.TaggedError("NotRecorded")<{
  /** The path of the cassette file. */
  readonly path: string
  readonly method: string
  /** The address, without secrets. */
  readonly url: string
  /** The reason, in one or more lines. */
  readonly details: ReadonlyArray<string>
}> {
  override get message(): string {
    return [
      `The cassette ${this.path} has no answer to this request: ${this.method} ${this.url}`,
      ...this.details.map((line) => `  ${line}`),
      "  Mode \"auto\" or \"record\" would record it."
    ].join("\n")
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// The client
// ---------------------------------------------------------------------------------------------------------------------

interface Recorded {
  readonly exchange: Format.Exchange
  readonly key: string
  used: boolean
}

const recordedOf = (exchange: Format.Exchange): Recorded => ({ exchange, key: keyOf(exchange.request), used: false })

/**
 * Wraps a client. Fails if the file exists and cannot be read or is not a cassette. A file that cannot be written later
 * is a defect of the request that was to be recorded.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { HttpClient } from "@effect/platform"
 * import { Effect } from "effect"
 * import { Cassette } from "effect-llm/testing"
 *
 * const recorded = Effect.flatMap(
 *   HttpClient.HttpClient,
 *   (client) => Cassette.make(client, "test/cassettes/rivers.json", { maxAge: "30 days" })
 * )
 * ```
 */
export const make = (
  client: HttpClient.HttpClient,
  path: string,
  options: Options = {}
): Effect.Effect<HttpClient.HttpClient, CassetteFile.CassetteError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function*() {
    const { mode = "auto", redact: redactMore = (text) => text, timing = false } = options
    if (mode === "passthrough") return client
    const maxAge = Check.duration("maxAge", options.maxAge ?? Duration.infinity)
    const secrets = (options.secrets ?? []).map((secret) =>
      typeof secret === "string" ? secret : Redacted.value(secret)
    )
    const file = yield* CassetteFile.open(path)
    const loaded = (mode === "record" ? [] : yield* file.read).map(recordedOf)
    // In the order in which the requests were sent; answers may come in another.
    const added: Array<Format.Exchange | undefined> = []
    const lock = yield* Effect.makeSemaphore(1)

    const isFresh = ({ exchange }: Recorded, now: number): boolean =>
      now - Date.parse(exchange.recordedAt) <= Duration.toMillis(maxAge)

    const save = Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      yield* file.write([
        ...loaded.filter((recorded) => isFresh(recorded, now)).map(({ exchange }) => exchange),
        ...added.filter((exchange) => exchange !== undefined)
      ])
    }).pipe(lock.withPermits(1), Effect.uninterruptible, Effect.orDie)

    const notRecorded = (sent: Format.Request, key: string, now: number): NotRecorded => {
      const equal = loaded.filter((recorded) => recorded.key === key)
      const stale = equal.filter((recorded) => !recorded.used && !isFresh(recorded, now)).length
      const near = equal.length > 0 ? undefined : nearest(loaded.map(({ exchange }) => exchange.request), sent)
      const more = (near?.differences.length ?? 0) - 10
      return new NotRecorded({
        path,
        method: sent.method,
        url: sent.url,
        details: stale > 0
          ? [`It was recorded more than ${Duration.format(maxAge)} ago, which is too old.`]
          : equal.length > 0
          ? [`It was recorded ${equal.length} times, and has been replayed as often.`]
          : near === undefined
          ? ["Nothing is recorded."]
          : [
            `The nearest of ${loaded.length} recorded requests, number ${near.index + 1}, differs:`,
            ...near.differences.slice(0, 10).map((line) => `  ${line}`),
            ...more > 0 ? [`  and ${more} more`] : []
          ]
      })
    }

    const replay = (
      request: HttpClientRequest.HttpClientRequest,
      { recordedAt, response: recorded }: Format.Exchange,
      now: number
    ) => {
      const response = { ...recorded, headers: Bodies.postpone(recorded.headers, now - Date.parse(recordedAt)) }
      const body: Effect.Effect<Uint8Array | ReadableStream<Uint8Array>> = timing && response.timing !== undefined
        ? Bodies.pacedBody(response)
        : Effect.sync(() => Format.decodeBody(response.body))
      return Effect.map(body, (body) => Bodies.respond(request, response, body))
    }

    const record = Effect.fnUntraced(function*(
      request: HttpClientRequest.HttpClientRequest,
      live: Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>,
      sent: Format.Request,
      redact: (text: string) => string
    ) {
      const place = added.push(undefined) - 1
      const recordedAt = yield* Clock.currentTimeMillis
      const sentAt = yield* Elapsed.now
      const response = yield* live
      const { status } = response
      const { chunks, failure } = yield* Bodies.readBody(response, sentAt)
      const headers = { ...response.headers }
      // These headers described the bytes on the wire.
      delete headers["content-encoding"]
      delete headers["content-length"]
      delete headers["transfer-encoding"]
      if (failure !== undefined) {
        return Bodies.respond(request, { status, headers }, Bodies.brokenBody(chunks, failure))
      }
      const bytes = concatBytes(chunks.map(([, bytes]) => bytes))
      if (mode === "record" || (status !== 401 && status !== 403)) {
        const body = Format.encodeBody(bytes, redact)
        added[place] = {
          recordedAt: new Date(recordedAt).toISOString(),
          request: sent,
          response: {
            status,
            headers: responseHeaders(headers, redact),
            ...(body !== undefined && { body }),
            ...(timing && { timing: chunks.map(([after, bytes]) => [after, bytes.length] as const) })
          }
        }
        yield* save
      }
      return Bodies.respond(request, { status, headers }, bytes)
    })

    return HttpClient.transform(client, (live, request) =>
      Effect.gen(function*() {
        const url = Option.getOrUndefined(HttpClientRequest.toUrl(request))
        // The client reports the invalid address.
        if (url === undefined) return yield* live
        const bytes = Bodies.bodyBytes(request)
        const own = secretsOf(url, request.headers, secrets, new TextDecoder().decode(bytes))
        const redact = (text: string): string => redactMore(redactText(text, own))
        const body = Format.encodeBody(bytes, redact, { loose: true })
        const sent: Format.Request = {
          method: request.method,
          url: redactUrl(url, redact),
          headers: requestHeaders(request.headers, redact),
          ...(body !== undefined && { body })
        }
        const key = keyOf(sent)
        const now = yield* Clock.currentTimeMillis
        const found = loaded.find((recorded) => recorded.key === key && !recorded.used && isFresh(recorded, now))
        if (found !== undefined) {
          found.used = true
          return yield* replay(request, found.exchange, now)
        }
        if (mode === "replay") return yield* Effect.die(notRecorded(sent, key, now))
        return yield* record(request, live, sent, redact)
      }))
  })

/**
 * Wraps the `HttpClient` of the environment. Fails if the file exists and cannot be read or is not a cassette.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { NodeContext } from "@effect/platform-node"
 * import { Config, Layer, Redacted } from "effect"
 * import { OpenAiChat } from "effect-llm"
 * import { Cassette } from "effect-llm/testing"
 *
 * const OpenAiRecorded = OpenAiChat.layerConfig({
 *   apiKey: Config.redacted("OPENAI_API_KEY").pipe(Config.withDefault(Redacted.make("no-key-in-ci")))
 * }).pipe(
 *   Layer.provide(Cassette.layer("test/cassettes/rivers.json", { mode: process.env.CI ? "replay" : "auto" })),
 *   Layer.provide([FetchHttpClient.layer, NodeContext.layer])
 * )
 * ```
 */
export const layer = (
  path: string,
  options: Options = {}
): Layer.Layer<
  HttpClient.HttpClient,
  CassetteFile.CassetteError,
  HttpClient.HttpClient | FileSystem.FileSystem | Path.Path
> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.flatMap(HttpClient.HttpClient, (client) => make(client, path, options))
  )
