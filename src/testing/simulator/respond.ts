import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { hangUp } from "./connection.js"
import type { Fault, StatusOptions } from "./faults.js"
import { describe } from "./faults.js"
import type { Entry } from "./journal.js"
import type { Completion, Prompt } from "./prompt.js"
import type { Problem, Protocol } from "./protocol.js"

/** A request on its way to an answer. */
export interface Exchange {
  readonly entry: Entry
  readonly protocol: Protocol
  readonly request: HttpServerRequest.HttpServerRequest
  readonly requestId: string
  /** When it came, in milliseconds since 1970. */
  readonly began: number
  /** Ends when the simulator shuts down. */
  readonly closed: Effect.Effect<void>
}

const encoder = new TextEncoder()

const page = (status: number): string =>
  `<!DOCTYPE html>\n<html>\n<head><title>${status}</title></head>\n<body>\n<center><h1>${status}</h1></center>\n` +
  "<hr><center>simulator</center>\n</body>\n</html>\n"

const responseHeaders = Effect.fnUntraced(function*(
  { began, protocol, requestId }: Exchange,
  facts: { readonly limited: boolean; readonly usage?: Completion["usage"] }
) {
  const now = yield* Clock.currentTimeMillis
  return protocol.headers({ ...facts, elapsed: now - began, now, requestId })
})

/** Answers with an error in the protocol's shape. */
export const respondProblem = Effect.fnUntraced(function*(
  exchange: Exchange,
  problem: Problem,
  model: string,
  options: StatusOptions = {}
) {
  const { protocol, requestId } = exchange
  const encoded = protocol.encodeProblem(problem, { model, requestId })
  const body = options.body === undefined ? encoded.body : options.body
  return HttpServerResponse.text(typeof body === "string" ? body : JSON.stringify(body), {
    status: encoded.status,
    contentType: options.headers?.["content-type"] ?? "application/json",
    headers: {
      ...(yield* responseHeaders(exchange, { limited: encoded.status === 429 })),
      ...(yield* retryAfterHeader(options)),
      ...options.headers
    }
  })
})

const retryAfterHeader = Effect.fnUntraced(function*({ retryAfter, retryAfterAs }: StatusOptions) {
  if (retryAfter === undefined) return {}
  const millis = Duration.toMillis(retryAfter)
  switch (retryAfterAs) {
    case "millis":
      return { "retry-after-ms": String(millis) }
    case "date": {
      const now = yield* Clock.currentTimeMillis
      // An HTTP date has whole seconds: rounded up, it never asks for less.
      return { "retry-after": new Date(Math.ceil((now + millis) / 1000) * 1000).toUTCString() }
    }
    default:
      return { "retry-after": String(millis / 1000) }
  }
})

const inChunks = (bytes: Uint8Array, size: number): ReadonlyArray<Uint8Array> =>
  Array.from(
    { length: Math.ceil(bytes.length / Math.max(1, size)) },
    (_, i) => bytes.subarray(i * size, (i + 1) * size)
  )

/** A body that comes bit by bit, and whose end, or the client's leaving before it, is noted. */
const streamed = (
  { closed, entry, request }: Exchange,
  body: Stream.Stream<Uint8Array>,
  options: HttpServerResponse.Options
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.stream(
    body.pipe(
      Stream.ensuringWith((exit) => Exit.isInterrupted(exit) ? entry.abort : entry.note({ outcome: "faulted" })),
      Stream.interruptWhen(Effect.zipRight(closed, hangUp(request, "resetAndDestroy")))
    ),
    options
  )

/** What is left where a connection cannot be broken: a body that fails. */
const broken = Stream.die("The simulator broke off this answer")

/** Does to a request what a fault says. `completion` is what it would have been answered with. */
export const respond = Effect.fnUntraced(function*(
  exchange: Exchange,
  fault: Fault,
  prompt: Prompt,
  completion: Completion
) {
  const { entry } = exchange
  if (fault._tag !== "Ok") yield* entry.note({ fault: describe(fault) })
  const response = yield* perform(exchange, fault, prompt, completion)
  yield* entry.note({
    status: response.status,
    // How these end shows when they do.
    ...(fault._tag !== "SlowBody" && fault._tag !== "StalledBody" &&
      { outcome: fault._tag === "Ok" ? "answered" : "faulted" })
  })
  return response
})

const perform = Effect.fnUntraced(function*(
  exchange: Exchange,
  fault: Fault,
  prompt: Prompt,
  completion: Completion
) {
  const { began, entry, protocol, request } = exchange
  const headers = yield* responseHeaders(exchange, { limited: false, usage: completion.usage })
  const bytes = encoder.encode(JSON.stringify(protocol.encode(completion, prompt, began)))
  const half = bytes.subarray(0, bytes.length / 2)
  const json = { contentType: "application/json", headers }
  // With the length of all of it, a client can tell that something is missing.
  const whole = { ...json, contentLength: bytes.length }

  switch (fault._tag) {
    case "Ok":
      return HttpServerResponse.uint8Array(bytes, json)
    case "Status":
      return yield* respondProblem(exchange, fault, prompt.model, fault)
    case "Quota":
      return yield* respondProblem(exchange, fault, prompt.model)
    case "Html":
      return HttpServerResponse.text(page(fault.status), { contentType: "text/html", status: fault.status })
    case "HalfJson":
      return HttpServerResponse.uint8Array(half, json)
    case "EmptyBody":
      return HttpServerResponse.uint8Array(new Uint8Array(), { ...json, status: fault.status })
    case "Redirect":
      return HttpServerResponse.empty({ headers: { location: fault.location }, status: fault.status })
    case "Silence":
      return yield* Effect.never
    case "Reset":
      yield* entry.note({ outcome: "faulted" })
      return (yield* hangUp(request, "resetAndDestroy"))
        ? yield* Effect.never
        : HttpServerResponse.stream(broken, whole)
    case "Cut": {
      const rest = Effect.map(hangUp(request, "destroySoon"), (isDone) => isDone ? Stream.never : broken)
      return HttpServerResponse.stream(Stream.concat(Stream.make(half), Stream.unwrap(rest)), whole)
    }
    case "SlowBody": {
      const chunks = Stream.fromIterable(inChunks(bytes, fault.chunkBytes))
      return streamed(exchange, Stream.mapEffect(chunks, (chunk) => Effect.as(Effect.sleep(fault.delay), chunk)), whole)
    }
    case "StalledBody": {
      const beginning = Stream.make(bytes.subarray(0, fault.afterBytes))
      return streamed(exchange, Stream.concat(beginning, Stream.never), whole)
    }
  }
})
