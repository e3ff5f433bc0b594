import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import * as Elapsed from "../../runtime/elapsed.js"
import { hangUp } from "./connection.js"
import * as Delivery from "./delivery.js"
import type { Fault, StatusOptions } from "./faults.js"
import { describe, ok, status as statusFault } from "./faults.js"
import type { Entry, Outcome } from "./journal.js"
import type { Completion, Prompt } from "./prompt.js"
import type { Problem, Protocol } from "./protocol.js"

/** A request on its way to an answer. */
export interface Exchange {
  readonly entry: Entry
  readonly protocol: Protocol
  readonly request: HttpServerRequest.HttpServerRequest
  readonly requestId: string
  /** The time of its arrival, in milliseconds since 1970. */
  readonly receivedAt: number
  /** The same moment, as `Elapsed.now`. */
  readonly started: number
  /** The wait before each event of a stream. */
  readonly pace: Duration.Duration
  /** Ends when the simulator shuts down. */
  readonly closed: Effect.Effect<void>
}

const page = (status: number): string =>
  `<!DOCTYPE html>\n<html>\n<head><title>${status}</title></head>\n<body>\n<center><h1>${status}</h1></center>\n` +
  "<hr><center>simulator</center>\n</body>\n</html>\n"

const responseHeaders = Effect.fnUntraced(function*(
  { protocol, requestId, started }: Exchange,
  facts: { readonly limited: boolean; readonly usage?: Completion["usage"] }
) {
  const now = yield* Clock.currentTimeMillis
  const elapsed = Duration.toMillis(yield* Elapsed.since(started))
  return protocol.headers({ ...facts, elapsed, now, requestId })
})

// ---------------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------------

/** Answers with an error in the protocol's shape. */
export const respondProblem = Effect.fnUntraced(function*(
  exchange: Exchange,
  problem: Problem,
  model: string,
  options: StatusOptions = {}
) {
  const { protocol, requestId } = exchange
  const { retryAfter, retryAfterAs } = options
  const wait = retryAfter === undefined ? undefined : Duration.toMillis(retryAfter)
  const encoded = protocol.encodeProblem(problem, { model, requestId, wait })
  const body = options.body === undefined ? encoded.body : options.body
  const isWaitInBody = protocol.waitInBody === true && retryAfterAs === undefined && options.body === undefined
  return HttpServerResponse.text(typeof body === "string" ? body : JSON.stringify(body), {
    status: encoded.status,
    contentType: options.headers?.["content-type"] ?? "application/json",
    headers: {
      ...(yield* responseHeaders(exchange, { limited: encoded.status === 429 })),
      ...(wait === undefined || isWaitInBody ? {} : yield* waitHeader(wait, retryAfterAs)),
      ...options.headers
    }
  })
})

const waitHeader = Effect.fnUntraced(function*(millis: number, as: StatusOptions["retryAfterAs"]) {
  switch (as) {
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

// ---------------------------------------------------------------------------------------------------------------------
// Bodies
// ---------------------------------------------------------------------------------------------------------------------

/** A body that fails, for servers whose connections cannot be broken. */
const broken = Stream.die("The simulator broke off this answer")

/** The bytes of a delivery, at their pace. The first, empty chunk sends the headers. */
const toStream = (
  { request }: Exchange,
  { chunks, pause, then }: Delivery.Delivery,
  noteEnd: Effect.Effect<void>
): Stream.Stream<Uint8Array> => {
  const paced = (chunks: ReadonlyArray<Uint8Array>) =>
    Duration.toMillis(pause) === 0
      ? Stream.fromIterable(chunks)
      : Stream.mapEffect(Stream.fromIterable(chunks), (chunk) => Effect.delay(Effect.succeed(chunk), pause))
  // A client that has read the last chunk has the whole answer: its end is recorded before that.
  const sent = then === "end"
    ? Stream.concat(paced(chunks.slice(0, -1)), Stream.tap(paced(chunks.slice(-1)), () => noteEnd))
    : paced(chunks)
  const rest = then === "end"
    ? Stream.empty
    : then === "stall"
    ? Stream.never
    : then === "cut"
    ? Stream.unwrap(
      Effect.map(
        Effect.zipRight(noteEnd, hangUp(request, "destroySoon")),
        (isClosed) => isClosed ? Stream.never : broken
      )
    )
    : Stream.repeatEffect(Effect.delay(Effect.succeed(then.bytes), then.every))
  return Stream.make(new Uint8Array()).pipe(Stream.concat(sent), Stream.concat(rest))
}

/** An answer in chunks. Its end is recorded, or the client's earlier leave. */
const respondWith = (
  exchange: Exchange,
  delivery: Delivery.Delivery,
  outcome: Outcome,
  options: HttpServerResponse.Options
): HttpServerResponse.HttpServerResponse => {
  const { closed, entry, request } = exchange
  const noteEnd = entry.note({ outcome })
  return HttpServerResponse.stream(
    toStream(exchange, delivery, noteEnd).pipe(
      // A server may join the chunks that it gets at once.
      Stream.rechunk(1),
      Stream.ensuringWith((exit) => Exit.isInterrupted(exit) ? entry.abort : noteEnd),
      Stream.interruptWhen(Effect.zipRight(closed, hangUp(request, "resetAndDestroy")))
    ),
    { ...options, ...(delivery.length !== undefined && { contentLength: delivery.length }) }
  )
}

// ---------------------------------------------------------------------------------------------------------------------
// Faults
// ---------------------------------------------------------------------------------------------------------------------

/** The counterpart of a fault for an answer that is not streamed. */
const withoutStream = (fault: Fault): Fault => {
  switch (fault._tag) {
    case "ErrorEvent":
      return statusFault(fault.status)
    case "NoTerminalMarker":
    case "DoneWithoutFinish":
    case "DuplicateStart":
    case "CrlfLines":
      return ok
    default:
      return fault
  }
}

/** Applies a fault to a request. `completion` is its answer without the fault. */
export const respond = Effect.fnUntraced(function*(
  exchange: Exchange,
  fault: Fault,
  prompt: Prompt,
  completion: Completion
) {
  const { entry } = exchange
  if (fault._tag !== "Ok") yield* entry.note({ fault: describe(fault) })
  const met = prompt.streaming ? fault : withoutStream(fault)
  const outcome = met._tag === "Ok" ? "answered" : "faulted"
  const said = met._tag === "ToolError" ? withToolErrors(completion, met.code) : completion
  const response = yield* perform(exchange, met, prompt, said, outcome)
  yield* entry.note({
    status: response.status,
    // The outcome of a stream is recorded at its end.
    ...(response.body._tag !== "Stream" && { outcome })
  })
  return response
})

/** The answer whose tools of the service failed. */
const withToolErrors = ({ serverRuns, ...completion }: Completion, error: string): Completion => ({
  ...completion,
  serverRuns: serverRuns.map((run) => ({ ...run, error }))
})
/** The text of a whole answer. */
const textOf = ({ contentType }: Protocol, answer: unknown): string =>
  contentType !== undefined && typeof answer === "string" ? answer : JSON.stringify(answer)

const perform = Effect.fnUntraced(function*(
  exchange: Exchange,
  fault: Fault,
  prompt: Prompt,
  completion: Completion,
  outcome: Outcome
) {
  const { entry, pace, protocol, receivedAt, request, requestId } = exchange
  const { streaming } = protocol
  const options = {
    contentType: prompt.streaming ? streaming.contentType : protocol.contentType ?? "application/json",
    headers: {
      ...(yield* responseHeaders(exchange, { limited: false, usage: completion.usage })),
      ...protocol.answerHeaders?.(prompt)
    }
  }
  switch (fault._tag) {
    case "Status":
      return yield* respondProblem(exchange, fault, prompt.model, fault)
    case "Quota":
      return yield* respondProblem(exchange, fault, prompt.model)
    case "Html":
      return HttpServerResponse.text(page(fault.status), { contentType: "text/html", status: fault.status })
    case "EmptyBody":
      return HttpServerResponse.uint8Array(new Uint8Array(), { ...options, status: fault.status })
    case "Redirect":
      return HttpServerResponse.empty({ headers: { location: fault.location }, status: fault.status })
    case "Silence":
      return yield* Effect.never
    case "Reset":
      yield* entry.note({ outcome })
      return (yield* hangUp(request, "resetAndDestroy"))
        ? yield* Effect.never
        : HttpServerResponse.stream(broken, options)
    default: {
      const body = prompt.streaming
        ? Delivery.streamed(streaming, streaming.events(completion, prompt, receivedAt), pace)
        : Delivery.plain(textOf(protocol, protocol.encode(completion, prompt, receivedAt)), pace)
      if (fault._tag === "Ok" && !prompt.streaming) {
        return HttpServerResponse.uint8Array(Delivery.bytesOf(body), options)
      }
      const delivery = Delivery.deliver(
        fault,
        body,
        (status, index) =>
          streaming.error(protocol.encodeProblem({ _tag: "Status", status }, { model: prompt.model, requestId }), index)
      )
      return respondWith(exchange, delivery, outcome, options)
    }
  }
})
