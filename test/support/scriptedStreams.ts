import { assert } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import type * as LlmEvent from "effect-llm/LlmEvent"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as StreamPart from "effect-llm/StreamPart"
import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { lines, type Options, valueOf, within } from "./pipeline.js"

// ---------------------------------------------------------------------------------------------------------------------
// What a provider streams
// ---------------------------------------------------------------------------------------------------------------------

export type Streamed = Stream.Stream<StreamPart.StreamPart, LlmError.LlmError>

/** A piece of text, a wait in milliseconds, a failure, the whole answer at the end, or any other parts in one chunk. */
export type Step =
  | string
  | number
  | LlmError.LlmError
  | LlmResponse.LlmResponse
  | ReadonlyArray<StreamPart.StreamPart>

const parts = (parts: ReadonlyArray<StreamPart.StreamPart>): Streamed =>
  // `Stream.fromIterable` would leave an empty chunk out.
  Stream.fromChannel(Channel.write(Chunk.fromIterable(parts)))

const ofStep = (step: Step): Streamed => {
  if (typeof step === "string") return parts([StreamPart.TextDelta({ text: step })])
  if (typeof step === "number") return Stream.drain(Stream.fromEffect(Effect.sleep(step)))
  if (LlmError.isLlmError(step)) return Stream.fail(step)
  return parts(step instanceof LlmResponse.LlmResponse ? [StreamPart.Finish({ response: step })] : step)
}

/** A stream that does one step after another, and then ends. */
export const steps = (...steps: ReadonlyArray<Step>): Streamed =>
  Stream.concatAll(Chunk.fromIterable(steps.map(ofStep)))

/** A chunk without parts: what a provider may give for a comment. */
export const nothing: Step = []

// ---------------------------------------------------------------------------------------------------------------------
// A client on such a provider
// ---------------------------------------------------------------------------------------------------------------------

/** What the provider streams: at each attempt in turn, or as a function of the count of attempts from 1. */
export type Script = ReadonlyArray<Streamed> | ((n: number) => Streamed)

export interface StreamPipeline {
  readonly client: LlmClient.Service
  /** The client as a layer, for what takes it from the context. */
  readonly provide: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, LlmClient.LlmClient>>
  /** What the provider was asked. */
  readonly requests: Array<LlmRequest.LlmRequest>
  readonly events: Array<LlmEvent.LlmEvent>
  /** When the provider's streams were opened and closed, in milliseconds of the Clock: `opened 1 at 0`. */
  readonly trace: Array<string>
  /** How many of the provider's streams are open. */
  readonly provider: { open: number }
}

/** A client of a provider that streams as told. Its `call` answers "called". */
export const make = Effect.fnUntraced(function*(
  script: Script,
  options: Options & { readonly call?: LlmProvider.Service["call"] } = {}
) {
  const requests: Array<LlmRequest.LlmRequest> = []
  const events: Array<LlmEvent.LlmEvent> = []
  const trace: Array<string> = []
  const provider = { open: 0 }

  const note = (what: string, n: number) =>
    Effect.map(Clock.currentTimeMillis, (now) => void trace.push(`${what} ${n} at ${now}`))

  const stream: LlmProvider.Service["stream"] = (request) =>
    Stream.suspend(() => {
      const n = requests.push(request)
      const streamed = typeof script === "function" ? script(n) : script[n - 1]
      return Stream.acquireRelease(
        Effect.zipRight(Effect.sync(() => provider.open++), note("opened", n)),
        () => Effect.zipRight(Effect.sync(() => provider.open--), note("closed", n))
      ).pipe(Stream.flatMap(() => streamed ?? Stream.dieMessage(`The script has no attempt ${n}`)))
    })

  const context = yield* Layer.build(
    LlmClient.layer(options.client).pipe(
      Layer.provide(LlmProvider.layer({
        name: options.name ?? "scripted",
        endpoint: options.endpoint ?? "memory:",
        call: options.call ?? (() => Effect.dieMessage("The script has no calls")),
        stream
      })),
      Layer.provide(
        options.cache === undefined ? LlmCache.layerMemory() : Layer.succeed(LlmCache.LlmCache, options.cache)
      ),
      Layer.provide(Layer.succeed(LlmLogger.LlmLogger, {
        log: options.log ?? ((event) => Effect.sync(() => void events.push(event)))
      }))
    )
  )
  const pipeline: StreamPipeline = {
    client: Context.get(context, LlmClient.LlmClient),
    provide: Effect.provide(context),
    requests,
    events,
    trace,
    provider
  }
  return pipeline
})

// ---------------------------------------------------------------------------------------------------------------------
// What a consumer sees
// ---------------------------------------------------------------------------------------------------------------------

/** What came of a stream: its parts, when each came in milliseconds of the Clock, and how it ended. */
export interface Seen {
  readonly parts: ReadonlyArray<StreamPart.StreamPart>
  readonly times: ReadonlyArray<number>
  readonly exit: Exit.Exit<void, LlmError.LlmError>
}

/** Consumes a stream to its end, whatever that is. */
export const seen = <R>(
  stream: Stream.Stream<StreamPart.StreamPart, LlmError.LlmError, R>
): Effect.Effect<Seen, never, R> =>
  Effect.gen(function*() {
    const parts: Array<StreamPart.StreamPart> = []
    const times: Array<number> = []
    const exit = yield* Effect.exit(Stream.runForEach(stream, (part) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        parts.push(part)
        times.push(now)
      })))
    return { parts, times, exit }
  })

/** What comes of a stream within that much time of the test's clock; a defect if it has not ended by then. */
export const seenWithin = <R>(
  duration: Duration.DurationInput,
  stream: Stream.Stream<StreamPart.StreamPart, LlmError.LlmError, R>
): Effect.Effect<Seen, never, R> => Effect.map(within(duration)(seen(stream)), valueOf)

/** Each part in a word: its text, or else its tag. */
export const wordsOf = ({ parts }: Pick<Seen, "parts">): ReadonlyArray<string> =>
  parts.map((part) => part._tag === "TextDelta" ? part.text : part._tag)

/** The whole answer at the end of a stream: of exactly one `Finish`, which is last. */
export const finishOf = ({ exit, parts }: Seen): LlmResponse.LlmResponse => {
  valueOf(exit)
  assert.strictEqual(parts.filter(({ _tag }) => _tag === "Finish").length, 1, "the number of Finish parts")
  const last = parts.at(-1)
  assert(last?._tag === "Finish", "Finish is the last part")
  return last.response
}

/** The events in lines, without those of the cache. */
export const callLines = (events: ReadonlyArray<LlmEvent.LlmEvent>): ReadonlyArray<string> =>
  lines(events.filter(({ _tag }) => _tag !== "CacheMiss" && _tag !== "CacheHit"))
