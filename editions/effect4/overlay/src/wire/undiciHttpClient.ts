// In place of declarations: answers and errors of the `HttpClient` of Effect 4 have another form.
import * as Cause from "effect/Cause"
import * as Formatter from "effect/Formatter"
import * as Pipeable from "effect/Pipeable"
import type * as Schema from "effect/Schema"

type ResponseError = HttpClientError.HttpClientError

/** An answer of undici in the form of `effect/http`. */
class UndiciResponse extends Pipeable.Class implements HttpClientResponse.HttpClientResponse {
  readonly [HttpIncomingMessage.TypeId] = HttpIncomingMessage.TypeId
  readonly [HttpClientResponse.TypeId] = HttpClientResponse.TypeId
  readonly remoteAddress = Option.none<string>()
  readonly status: number
  private read: Effect.Effect<ReadonlyArray<Uint8Array>, ResponseError> | undefined

  constructor(
    readonly request: HttpClientRequest.HttpClientRequest,
    readonly url: string,
    // Must not refer to the response: the client aborts a response that nothing refers to any more.
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
    return Stream.fromIterableEffectRepeat(
      Effect.matchEffect(this.exchange.pull, {
        onSuccess: (chunks) => chunks === undefined ? Cause.done() : Effect.succeed(chunks),
        onFailure: (cause) => Effect.fail(this.undecodable(cause))
      })
    )
  }

  get text(): Effect.Effect<string, ResponseError> {
    return Effect.map(this.chunks, (chunks) => Utf8.decode(chunks))
  }

  get json(): Effect.Effect<Schema.Json, ResponseError> {
    return this.decode(this.text, (text): Schema.Json => text === "" ? null : JSON.parse(text))
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

  /** Undici has no socket of an answer to give. */
  get upgrade(): HttpClientResponse.HttpClientResponse["upgrade"] {
    return Effect.fail(this.undecodable(new Error("an answer of UndiciTransport cannot be upgraded")))
  }

  override toString(): string {
    return Formatter.format(this.toJSON(), { ignoreToString: true, space: 2 })
  }

  [Inspectable.NodeInspectSymbol](): unknown {
    return this.toJSON()
  }

  toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, {
      _id: "effect/HttpClientResponse",
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
    return Effect.flatMap(
      body,
      (body) => Effect.try({ try: () => decode(body), catch: (cause) => this.undecodable(cause) })
    )
  }

  private undecodable(cause: unknown): ResponseError {
    return new HttpClientError.HttpClientError({
      reason: new HttpClientError.DecodeError({ request: this.request, response: this, cause })
    })
  }
}

export const make = (dispatcher: Dispatcher): HttpClient.HttpClient =>
  HttpClient.make((request, url, signal) =>
    Effect.callback((resume) => {
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
            ? Effect.succeed(new UndiciResponse(request, url.toString(), exchange))
            : Effect.fail(
              new HttpClientError.HttpClientError({
                reason: new HttpClientError.TransportError({ request, cause: failed.error })
              })
            )
        ))
    })
  )
