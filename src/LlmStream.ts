/**
 * Streams to the browser and to other programs: the parts of an answer as server-sent events, and back. The failure of
 * a stream travels as its last event, an `LlmError`.
 *
 * An event has an id and, in its data, the JSON of a part or of an `LlmError`, with its `_tag`. Events have no names:
 * in a page, `new EventSource(url).onmessage` gets them all. A page has to close its `EventSource` at `Finish` and
 * `LlmError`; otherwise the browser asks again.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { dual } from "effect/Function"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as AnswerSoFar from "./domain/answerSoFar.js"
import { LlmError, MalformedResponse, type Reason, StreamInterrupted } from "./domain/LlmError.js"
import type * as StreamPart from "./domain/StreamPart.js"
import * as Check from "./internal/check.js"
import * as Replays from "./runtime/replays.js"
import * as PartEvents from "./wire/partEvents.js"
import * as Sse from "./wire/sse.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Options for writing events.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The interval between comments, which make proxies keep a connection open while a model thinks. Default: 15 seconds;
   * `Duration.infinity` for none.
   */
  readonly keepAlive?: Duration.DurationInput | undefined
}

/**
 * Options for keeping the runs of streams.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResumableOptions extends Options {
  /**
   * How long a run is kept without a reader, for one that comes back. After that, a run under way is interrupted, and
   * its request aborted. Default: 30 seconds.
   */
  readonly keepFor?: Duration.DurationInput | undefined
  /** The most runs that are kept without a reader; the one that has waited longest makes room. Default: 1,000. */
  readonly capacity?: number | undefined
}

/**
 * Streams that go on while their reader is away, within one process.
 *
 * @since 0.1.0
 * @category models
 */
export interface Resumable {
  /**
   * The events of a stream. With the id of the last event that the reader has, the events after it, from the run that
   * it belongs to; the given stream is then not run. A run that is no longer kept gives one event: an `LlmError` with
   * reason `StreamInterrupted`.
   */
  readonly toSse: <R>(
    stream: Stream.Stream<StreamPart.StreamPart, LlmError, R>,
    options?: {
      /** The reader's last event, from the header `Last-Event-ID`. Default: none, the stream begins. */
      readonly lastEventId?: string | undefined
    }
  ) => Stream.Stream<Uint8Array, never, R>
}

/**
 * The headers of a response of events.
 *
 * @since 0.1.0
 * @category models
 */
export const headers: {
  readonly "content-type": string
  readonly "cache-control": string
  readonly "x-accel-buffering": string
} = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache",
  // Nginx would hold events back.
  "x-accel-buffering": "no"
}

// ---------------------------------------------------------------------------------------------------------------------
// Writing
// ---------------------------------------------------------------------------------------------------------------------

const defaultKeepAlive = "15 seconds"

const optionNames: Check.Names<Options> = { keepAlive: true }

const resumableNames: Check.Names<ResumableOptions> = { keepAlive: true, keepFor: true, capacity: true }

const keepAliveOf = ({ keepAlive }: Options): Duration.Duration =>
  Check.positiveDuration("keepAlive", keepAlive ?? defaultKeepAlive)

const encoder = new TextEncoder()

/** The parts as events, and a failure as the last one. */
const written = <R>(
  stream: Stream.Stream<StreamPart.StreamPart, LlmError, R>,
  idOf: (place: number) => string
): Stream.Stream<string, never, R> =>
  Stream.suspend(() => {
    let place = 0
    const write = (content: PartEvents.Content) => PartEvents.encode(content, idOf(place++))
    return stream.pipe(
      Stream.map(write),
      Stream.catchAll((error) => Stream.sync(() => write(error)))
    )
  })

/** The events as bytes, with regular comments. */
const sent = <R>(events: Stream.Stream<string, never, R>, keepAlive: Duration.Duration) => {
  const bytes = (text: string) => encoder.encode(text)
  if (!Duration.isFinite(keepAlive)) return Stream.map(events, bytes)
  const comments = Stream.schedule(Stream.repeatValue(PartEvents.comment), Schedule.spaced(keepAlive))
  return Stream.map(Stream.merge(events, comments, { haltStrategy: "left" }), bytes)
}

/**
 * The parts of a stream as server-sent events. The failure of the stream is the last event. A defect has no event, and
 * breaks the connection off.
 *
 * @since 0.1.0
 * @category encoding
 * @example
 * ```ts
 * import { HttpServerResponse } from "@effect/platform"
 * import { Effect } from "effect"
 * import { LlmClient, LlmStream } from "effect-llm"
 *
 * // The handler of a route.
 * const story = Effect.map(LlmClient.LlmClient, (client) =>
 *   HttpServerResponse.stream(
 *     LlmStream.toSse(client.stream({ model: "gpt-4o-mini", prompt: "Tell a story." })),
 *     { headers: LlmStream.headers }
 *   ))
 * ```
 */
export const toSse: {
  (
    options?: Options
  ): <R>(self: Stream.Stream<StreamPart.StreamPart, LlmError, R>) => Stream.Stream<Uint8Array, never, R>
  <R>(
    self: Stream.Stream<StreamPart.StreamPart, LlmError, R>,
    options?: Options
  ): Stream.Stream<Uint8Array, never, R>
} = dual(
  (args) => isStream(args[0]),
  <R>(self: Stream.Stream<StreamPart.StreamPart, LlmError, R>, options: Options = {}) =>
    Stream.suspend(() => sent(written(self, String), keepAliveOf(Check.known(options, optionNames))))
)

const isStream = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Stream.StreamTypeId in value

/** The id of an event: the id of its run, and its place there. */
const eventId = /^([0-9a-f]{32})-(\d{1,15})$/

const notKept = new LlmError({
  operation: "stream",
  attempts: 0,
  reason: StreamInterrupted.make({
    message: "the stream is no longer kept, and cannot be resumed",
    partial: { text: "", parts: [] }
  })
})

/**
 * Makes streams resumable by the id of the last event, within this process: a reader that has lost its connection comes
 * back with the header `Last-Event-ID`, as browsers do by themselves, and misses nothing. In the meantime the stream
 * goes on. Runs without a reader are bounded in number and time. A mistake in the options is a defect that names the
 * option.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { HttpServerRequest, HttpServerResponse } from "@effect/platform"
 * import { Effect } from "effect"
 * import { LlmClient, LlmStream } from "effect-llm"
 *
 * // Makes the handler of a route.
 * const story = Effect.gen(function*() {
 *   const client = yield* LlmClient.LlmClient
 *   const { toSse } = yield* LlmStream.makeResumable({ keepFor: "1 minute" })
 *   return Effect.map(HttpServerRequest.HttpServerRequest, ({ headers }) =>
 *     HttpServerResponse.stream(
 *       toSse(client.stream({ model: "gpt-4o-mini", prompt: "Tell a story." }), {
 *         lastEventId: headers["last-event-id"]
 *       }),
 *       { headers: LlmStream.headers }
 *     ))
 * })
 * ```
 */
export const makeResumable = (options: ResumableOptions = {}): Effect.Effect<Resumable, never, Scope.Scope> =>
  Effect.gen(function*() {
    const settings = yield* Effect.sync(() => {
      const { capacity = 1_000, keepFor = "30 seconds" } = Check.known(options, resumableNames)
      return {
        capacity: Check.integer("capacity", capacity, 0),
        keepFor: Check.duration("keepFor", keepFor),
        keepAlive: keepAliveOf(options)
      }
    })
    const replays = yield* Replays.make<string>(settings)

    // A reader needs only the id to get the answer, so it must not be guessable.
    const newId = Effect.sync(() =>
      Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("")
    )

    const begin = <R>(stream: Stream.Stream<StreamPart.StreamPart, LlmError, R>) =>
      Stream.unwrap(Effect.map(newId, (id) => replays.begin(id, written(stream, (place) => `${id}-${place}`))))

    const resume = (lastEventId: string): Stream.Stream<string> => {
      const [, id = "", place = ""] = eventId.exec(lastEventId) ?? []
      const otherwise = Stream.make(PartEvents.encode(notKept, lastEventId.replace(/[\r\n\0]/g, "")))
      return replays.resume(id, Number(place) + 1, otherwise)
    }

    return {
      toSse: <R>(
        stream: Stream.Stream<StreamPart.StreamPart, LlmError, R>,
        { lastEventId = "" }: { readonly lastEventId?: string | undefined } = {}
      ): Stream.Stream<Uint8Array, never, R> =>
        sent<R>(lastEventId === "" ? begin(stream) : resume(lastEventId), settings.keepAlive)
    }
  })

// ---------------------------------------------------------------------------------------------------------------------
// Reading
// ---------------------------------------------------------------------------------------------------------------------

const failed = (reason: Reason): LlmError => new LlmError({ operation: "stream", attempts: 1, reason })

/** An event, read. */
interface Event {
  readonly id: string | undefined
  readonly content: PartEvents.Content
}

const eventsOf = <E, R>(bytes: Stream.Stream<Uint8Array, E, R>): Stream.Stream<Event, E | LlmError, R> =>
  Stream.suspend(() => {
    const framer = Sse.make()
    return bytes.pipe(
      Stream.mapEffect((chunk) => {
        const events: Array<Event> = []
        for (const frame of framer.push(chunk)) {
          const content = PartEvents.decode(frame)
          if (Either.isLeft(content)) {
            return Effect.succeed([...events, { id: undefined, content: failed(content.left) }])
          }
          events.push({ id: frame.id, content: content.right })
        }
        return framer.overflowed()
          ? Effect.fail(failed(MalformedResponse.make({ message: "an event is too long" })))
          : Effect.succeed(events)
      }),
      Stream.flattenIterables
    )
  })

/**
 * The parts in a body of server-sent events, as `toSse` writes them: the same parts, and the same `LlmError`. A body
 * that ends before its `Finish` fails with `StreamInterrupted`, which has the text so far, and one that holds anything
 * else with `MalformedResponse`. Anything after the end is not read.
 *
 * @since 0.1.0
 * @category decoding
 * @example
 * ```ts
 * import { HttpClient, HttpClientResponse } from "@effect/platform"
 * import { Effect, Stream } from "effect"
 * import { LlmStream } from "effect-llm"
 *
 * const program = HttpClient.get("http://127.0.0.1:3000/story").pipe(
 *   HttpClientResponse.stream,
 *   LlmStream.fromSse,
 *   Stream.runForEach((part) =>
 *     part._tag === "TextDelta" ? Effect.sync(() => process.stdout.write(part.text)) : Effect.void
 *   )
 * )
 * ```
 */
export const fromSse = <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>
): Stream.Stream<StreamPart.StreamPart, E | LlmError, R> =>
  Stream.suspend(() => {
    const answer = AnswerSoFar.make()
    let isFinished = false
    const parts = Stream.mapEffect(eventsOf(bytes), ({ content }) => {
      if (content._tag === "LlmError") return Effect.fail(content)
      answer.push(content)
      if (content._tag === "Finish") isFinished = true
      return Effect.succeed(content)
    })
    const end = Stream.suspend(() =>
      isFinished ? Stream.empty : Stream.fail(failed(StreamInterrupted.make({
        message: "the events ended before the answer did",
        partial: answer.partial() ?? { text: "", parts: [] }
      })))
    )
    return Stream.concat(Stream.takeUntil(parts, ({ _tag }) => _tag === "Finish"), end)
  })
