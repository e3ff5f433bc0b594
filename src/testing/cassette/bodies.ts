import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Record from "effect/Record"
import * as Stream from "effect/Stream"
import * as Elapsed from "../../runtime/elapsed.js"
import * as Format from "./format.js"

const encoder = new TextEncoder()

/** The bytes of a request's body, or a placeholder for a body that could be read only once. */
export const bodyBytes = ({ body }: HttpClientRequest.HttpClientRequest): Uint8Array => {
  switch (body._tag) {
    case "Empty":
      return new Uint8Array()
    case "Uint8Array":
      return body.body
    case "Raw":
      return body.body instanceof Uint8Array
        ? body.body
        : encoder.encode(typeof body.body === "string" ? body.body : "(a body of another kind)")
    case "FormData":
      return encoder.encode(JSON.stringify(
        [...body.formData].map(([name, value]) =>
          typeof value === "string" ? { name, value } : { name, file: value.name, size: value.size }
        )
      ))
    case "Stream":
      return encoder.encode("(a stream)")
  }
}

/** A piece of a body, and the milliseconds since the piece before it, or since the request. */
type TimedBytes = readonly [after: number, bytes: Uint8Array]

/** Reads a body to its end or to the place where it breaks off. `sentAt` is when the request was sent (`Elapsed.now`). */
export const readBody = Effect.fnUntraced(function*(response: HttpClientResponse.HttpClientResponse, sentAt: number) {
  const chunks: Array<TimedBytes> = []
  let last = sentAt
  const failure = yield* response.stream.pipe(
    Stream.runForEach((bytes) =>
      Effect.map(Elapsed.now, (now) => {
        chunks.push([now - last, bytes])
        last = now
      })
    ),
    Effect.catchIf((error) => error.reason === "EmptyBody", () => Effect.void),
    Effect.flip,
    Effect.option
  )
  return { chunks, failure: Option.getOrUndefined(failure) }
})

/** Cuts a body into the recorded pieces. Redaction may have changed its length: the last piece has the rest. */
const inPieces = ({ body, timing = [] }: Format.Response): ReadonlyArray<TimedBytes> => {
  const bytes = Format.decodeBody(body)
  if (timing.length === 0) return [[0, bytes]]
  let at = 0
  return timing.map(([after, length], i) => {
    const chunk = bytes.subarray(at, i === timing.length - 1 ? bytes.length : at + length)
    at += length
    return [after, chunk]
  })
}

const timestamp = /^(?:\d{4}-\d\d-\d\dT[\d:.]+Z|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT)$/

/** Moves the dates in headers: a limit that was reset after a minute is reset after a minute again. */
export const postpone = (headers: Format.Response["headers"], millis: number): Format.Response["headers"] =>
  Record.map(headers, (value) => {
    if (!timestamp.test(value)) return value
    const moved = new Date(Date.parse(value) + millis)
    if (Number.isNaN(moved.getTime())) return value
    return value.endsWith("GMT") ? moved.toUTCString() : moved.toISOString()
  })

const hasNoBody = (status: number): boolean => status === 204 || status === 205 || status === 304

/** A response with these bytes. */
export const respond = (
  request: HttpClientRequest.HttpClientRequest,
  { headers, status }: Pick<Format.Response, "headers" | "status">,
  body: Uint8Array | ReadableStream<Uint8Array>
): HttpClientResponse.HttpClientResponse =>
  // A copy, because `Response` takes no bytes in shared memory.
  HttpClientResponse.fromWeb(
    request,
    new Response(hasNoBody(status) ? null : body instanceof Uint8Array ? new Uint8Array(body) : body, {
      status,
      headers
    })
  )

/** A body that breaks off. It is read on demand: a failure would discard the pieces that are still queued. */
export const brokenBody = (chunks: ReadonlyArray<TimedBytes>, failure: unknown): ReadableStream<Uint8Array> => {
  let next = 0
  return new ReadableStream({
    pull: (controller) => {
      const chunk = chunks[next++]
      if (chunk === undefined) controller.error(failure)
      else controller.enqueue(chunk[1])
    }
  }, { highWaterMark: 0 })
}

/** A body that comes at its recorded pace. */
export const pacedBody = (response: Format.Response): Effect.Effect<ReadableStream<Uint8Array>> =>
  Stream.fromIterable(inPieces(response)).pipe(
    Stream.mapEffect(([after, bytes]) => Effect.delay(Effect.succeed(bytes), after)),
    Stream.toReadableStreamEffect()
  )
