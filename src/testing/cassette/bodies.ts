import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Record from "effect/Record"
import * as Stream from "effect/Stream"
import * as Format from "./format.js"

const encoder = new TextEncoder()

/** The bytes of a request's body, or what stands for those that cannot be had without being used up. */
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

/** A chunk of a body, and how many milliseconds after the one before, or the request, it came. */
type Chunk = readonly [after: number, bytes: Uint8Array]

/** Reads a body, to its end or to where it breaks. `began` is when the request was sent. */
export const readBody = Effect.fnUntraced(function*(response: HttpClientResponse.HttpClientResponse, began: number) {
  const chunks: Array<Chunk> = []
  let last = began
  const failure = yield* response.stream.pipe(
    Stream.runForEach((bytes) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
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

export const concat = (chunks: ReadonlyArray<Chunk>): Uint8Array => {
  const all = new Uint8Array(chunks.reduce((length, [, bytes]) => length + bytes.length, 0))
  let at = 0
  for (const [, bytes] of chunks) {
    all.set(bytes, at)
    at += bytes.length
  }
  return all
}

/** Cuts a body as it came. What is not accounted for, since something was taken out, goes with the last chunk. */
const inChunks = ({ body, timing = [] }: Format.Response): ReadonlyArray<Chunk> => {
  const bytes = Format.decodeBody(body)
  let at = 0
  return timing.map(([after, length], i) => {
    const chunk = bytes.subarray(at, i === timing.length - 1 ? bytes.length : at + length)
    at += length
    return [after, chunk]
  })
}

const timestamp = /^(?:\d{4}-\d\d-\d\dT[\d:.]+Z|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT)$/

/** Moves the times that headers tell: a limit that was over in a minute is over in a minute again. */
export const postpone = (headers: Format.Response["headers"], millis: number): Format.Response["headers"] =>
  Record.map(headers, (value) => {
    if (!timestamp.test(value)) return value
    const moved = new Date(Date.parse(value) + millis)
    return value.endsWith("GMT") ? moved.toUTCString() : moved.toISOString()
  })

const hasNoBody = (status: number): boolean => status === 204 || status === 205 || status === 304

/** A response that gives these bytes. */
export const respond = (
  request: HttpClientRequest.HttpClientRequest,
  { headers, status }: Pick<Format.Response, "headers" | "status">,
  body: Uint8Array | ReadableStream<Uint8Array>
): HttpClientResponse.HttpClientResponse =>
  // A copy, of which TypeScript knows that its memory is not shared.
  HttpClientResponse.fromWeb(
    request,
    new Response(hasNoBody(status) ? null : body instanceof Uint8Array ? new Uint8Array(body) : body, {
      status,
      headers
    })
  )

/** A body that breaks off. It is read on demand: what stands before the failure would be discarded otherwise. */
export const brokenBody = (chunks: ReadonlyArray<Chunk>, failure: unknown): ReadableStream<Uint8Array> => {
  let next = 0
  return new ReadableStream({
    pull: (controller) => {
      const chunk = chunks[next++]
      if (chunk === undefined) controller.error(failure)
      else controller.enqueue(chunk[1])
    }
  }, { highWaterMark: 0 })
}

/** A body that comes at its pace. */
export const pacedBody = (response: Format.Response): Effect.Effect<ReadableStream<Uint8Array>> =>
  Effect.map(Effect.runtime<never>(), (runtime) =>
    Stream.toReadableStreamRuntime(
      Stream.mapEffect(
        Stream.fromIterable(inChunks(response)),
        ([after, bytes]) => Effect.delay(Effect.succeed(bytes), after)
      ),
      runtime
    ))
