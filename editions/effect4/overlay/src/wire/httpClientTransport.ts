// In place of declarations: an error of the `HttpClient` of Effect 4 has its kind in its reason.
import * as PartFeed from "../runtime/partFeed.js"

const reasonOf = ({ reason }: HttpClientError.HttpClientError): Reason => {
  if (reason._tag === "EncodeError" || reason._tag === "InvalidUrlError") return unsendable()
  // The client's error for status 204, which allows no body.
  if (reason._tag === "EmptyBodyError") return MalformedResponse.make({ message: "the answer is empty" })
  return networkFailure(reason.cause)
}

/** The answer that an error has, if it is that of a client that fails on a status. */
const isStatusError = (
  error: HttpClientError.HttpClientError
): error is HttpClientError.HttpClientError & { readonly response: HttpClientResponse.HttpClientResponse } =>
  error.reason._tag === "StatusCodeError"

/** An answer of the client. */
class ClientAnswer implements Incoming {
  /** Whether the body has been read to its end, so that there is nothing left to abort. */
  ended = false
  readonly status: number
  readonly headers: Headers

  constructor(private readonly response: HttpClientResponse.HttpClientResponse, private readonly scope: Scope.Scope) {
    this.status = response.status
    this.headers = response.headers
  }

  text(limit: number): Effect.Effect<Text, Reason> {
    if (!knownToFit(this.headers, limit)) {
      return Effect.map(readUpTo(this.pull, limit), (text) => {
        this.ended = text.whole
        return text
      })
    }
    return Effect.matchEffect(this.response.text, {
      onSuccess: (text) => {
        this.ended = true
        return Effect.succeed({ text, whole: true })
      },
      onFailure: (error) => Effect.fail(reasonOf(error))
    })
  }

  get pull(): Incoming["pull"] {
    return Effect.suspend(() => this.opened ?? this.openBody)
  }

  private opened: Incoming["pull"] | undefined

  private get openBody(): Incoming["pull"] {
    // Mapped first, as the runtime may log a failure of the body: a client's error holds the request and its headers.
    const bytes = Stream.mapError(this.response.stream, reasonOf)
    return Effect.flatMap(Scope.provide(PartFeed.fromStream(bytes), this.scope), (feed) => this.opened = feed)
  }
}
