import * as Cookies from "@effect/platform/Cookies"
import * as Headers from "@effect/platform/Headers"
import type * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as HttpIncomingMessage from "@effect/platform/HttpIncomingMessage"
import * as UrlParams from "@effect/platform/UrlParams"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Dispatcher } from "undici"
import { Exchange } from "./undiciExchange.js"
import * as Utf8 from "./utf8.js"

type ResponseError = HttpClientError.ResponseError

/** An answer of undici in the form of `@effect/platform`. */
class UndiciResponse extends Inspectable.Class implements HttpClientResponse.HttpClientResponse {
  readonly [HttpIncomingMessage.TypeId]: HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly [HttpClientResponse.TypeId]: HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly remoteAddress = Option.none<string>()
  readonly status: number
  private read: Effect.Effect<ReadonlyArray<Uint8Array>, ResponseError> | undefined

  constructor(
    readonly request: HttpClientRequest.HttpClientRequest,
    // Must not refer to the response: the client aborts a response once it is unreferenced.
    private readonly exchange: Exchange<unknown>
  ) {
    super()
    this.status = exchange.status
  }

  get headers(): Headers.Headers {
    return Headers.fromInput(this.exchange.headers)
  }

  get cookies(): Cookies.Cookies {
    return Cookies.fromSetCookie(this.exchange.setCookie)
  }

  get stream(): Stream.Stream<Uint8Array, ResponseError> {
    return Stream.repeatEffectChunkOption(
      Effect.matchEffect(this.exchange.pull, {
        onSuccess: (chunks) =>
          chunks === undefined ? Effect.fail(Option.none()) : Effect.succeed(Chunk.unsafeFromArray(chunks)),
        onFailure: (cause) => Effect.fail(Option.some(this.undecodable(cause)))
      })
    )
  }

  get text(): Effect.Effect<string, ResponseError> {
    return Effect.map(this.chunks, (chunks) => Utf8.decode(chunks))
  }

  get json(): Effect.Effect<unknown, ResponseError> {
    return this.decode(this.text, (text): unknown => text === "" ? null : JSON.parse(text))
  }

  get urlParamsBody(): Effect.Effect<UrlParams.UrlParams, ResponseError> {
    return this.decode(this.text, (text) => UrlParams.fromInput(new URLSearchParams(text)))
  }

  get arrayBuffer(): Effect.Effect<ArrayBuffer, ResponseError> {
    return Effect.map(this.chunks, (chunks) => {
      const bytes = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0))
      let at = 0
      for (const chunk of chunks) {
        bytes.set(chunk, at)
        at += chunk.length
      }
      return bytes.buffer
    })
  }

  get formData(): Effect.Effect<FormData, ResponseError> {
    const { "content-type": type = "" } = this.exchange.headers
    return Effect.flatMap(this.arrayBuffer, (body) =>
      Effect.tryPromise({
        try: () => new Response(body, { headers: { "content-type": type } }).formData(),
        catch: (cause) => this.undecodable(cause)
      }))
  }

  override toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, {
      _id: "@effect/platform/HttpClientResponse",
      request: this.request.toJSON(),
      status: this.status
    })
  }

  /** The whole body, read only once. */
  private get chunks(): Effect.Effect<ReadonlyArray<Uint8Array>, ResponseError> {
    return this.read ??= Effect.runSync(Effect.cached(Effect.suspend(() => {
      const read: Array<Uint8Array> = []
      const more = (
        chunks: ReadonlyArray<Uint8Array> | undefined
      ): Effect.Effect<ReadonlyArray<Uint8Array>, unknown> => {
        if (chunks === undefined) return Effect.succeed(read)
        for (const chunk of chunks) read.push(chunk)
        return Effect.flatMap(this.exchange.pull, more)
      }
      return Effect.mapError(more([]), (cause) => this.undecodable(cause))
    })))
  }

  private decode<A, B>(body: Effect.Effect<A, ResponseError>, decode: (body: A) => B): Effect.Effect<B, ResponseError> {
    return Effect.tryMap(body, { try: decode, catch: (cause) => this.undecodable(cause) })
  }

  private undecodable(cause: unknown): ResponseError {
    return new HttpClientError.ResponseError({ request: this.request, response: this, reason: "Decode", cause })
  }
}

type Body = NonNullable<Dispatcher.DispatchOptions["body"]> | null

interface Content {
  readonly body: Body
  readonly headers?: { readonly "content-type": string }
}

/** Undici sends anything iterable, but its types do not say so. */
const iterable = (body: ReadableStream<Uint8Array> | null): Content => ({ body: body as unknown as Body })

const contentOf = (body: HttpBody.HttpBody): Content => {
  switch (body._tag) {
    case "Empty":
      return { body: null }
    case "Uint8Array":
      return { body: body.body }
    case "Raw":
      return { body: body.body as Body }
    case "FormData": {
      // Undici accepts only its own forms, not those of the runtime.
      const encoded = new Response(body.formData)
      return { ...iterable(encoded.body), headers: { "content-type": encoded.headers.get("content-type") ?? "" } }
    }
    case "Stream":
      return iterable(Stream.toReadableStream(body.stream))
  }
}

/** Makes a general client on a dispatcher of undici. */
export const make = (dispatcher: Dispatcher): HttpClient.HttpClient =>
  HttpClient.make((request, url, signal) =>
    Effect.async((resume) => {
      const exchange = new Exchange((cause) => cause)
      const { body, headers } = contentOf(request.body)
      const options: Dispatcher.DispatchOptions = {
        origin: url.origin,
        path: url.pathname + url.search,
        method: request.method,
        headers: headers === undefined ? request.headers : { ...request.headers, ...headers },
        body,
        // Time limits are up to the program.
        headersTimeout: 0,
        bodyTimeout: 0
      }
      signal.addEventListener("abort", () => exchange.leave(), { once: true })
      exchange.send(dispatcher, options, (failed) =>
        resume(
          failed === undefined
            ? Effect.succeed(new UndiciResponse(request, exchange))
            : Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport", cause: failed.error }))
        ))
    })
  )
