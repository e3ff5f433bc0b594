import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import * as StreamPart from "../../domain/StreamPart.js"

/**
 * A request to a scripted provider, and its end. Times are milliseconds of the Clock.
 *
 * @since 0.1.0
 * @category models
 */
export interface Exchange {
  /** For embeddings, a view of the request with the texts as the parts of one user message. */
  readonly request: LlmRequest
  readonly operation: "call" | "stream" | "embed" | "countTokens"
  readonly startedAt: number
  /** Absent while it is pending. */
  readonly endedAt: number | undefined
  /**
   * `answered` with a response, or with a stream up to its `Finish`; `failed` with an error, a defect or a stream
   * without a `Finish`; `aborted` by an interruption, or because its stream was closed before its end.
   */
  readonly outcome: "pending" | "answered" | "failed" | "aborted"
}

/**
 * The requests of a scripted provider, as numbers.
 *
 * @since 0.1.0
 * @category models
 */
export interface Load {
  /** Requests in flight: streams count until they are closed. */
  readonly inFlight: number
  /** The most requests that were in flight at the same time. */
  readonly mostInFlight: number
  /** Requests that were aborted. */
  readonly aborted: number
}

type Open = { -readonly [Field in keyof Exchange]: Exchange[Field] } & { readonly n: number }

/** Records the exchanges of a provider. */
export const recorder = () => {
  const exchanges: Array<Open> = []
  const timeline: Array<string> = []
  let inFlight = 0
  let mostInFlight = 0

  const begin = (operation: Exchange["operation"], request: LlmRequest): Effect.Effect<Open> =>
    Effect.map(Clock.currentTimeMillis, (startedAt) => {
      const n = exchanges.length + 1
      const exchange: Open = { n, request, operation, startedAt, endedAt: undefined, outcome: "pending" }
      exchanges.push(exchange)
      timeline.push(`${operation} ${n} at ${startedAt}`)
      mostInFlight = Math.max(mostInFlight, ++inFlight)
      return exchange
    })

  const end = (exchange: Open, outcome: Exchange["outcome"]): Effect.Effect<void> =>
    Effect.map(Clock.currentTimeMillis, (endedAt) => {
      inFlight--
      exchange.endedAt = endedAt
      exchange.outcome = outcome
      timeline.push(`${exchange.operation} ${exchange.n} ${outcome} at ${endedAt}`)
    })

  const outcomeOf = (exit: Exit.Exit<unknown, unknown>, atSuccess: Exchange["outcome"]): Exchange["outcome"] =>
    exit._tag === "Success" ? atSuccess : Cause.isInterruptedOnly(exit.cause) ? "aborted" : "failed"

  return {
    /** Records a request that is answered in one piece. */
    whole: <A, E, R>(
      operation: Exclude<Exchange["operation"], "stream">,
      request: LlmRequest,
      answer: Effect.Effect<A, E, R>
    ): Effect.Effect<A, E, R> =>
      Effect.acquireUseRelease(
        begin(operation, request),
        () => answer,
        (exchange, exit) => end(exchange, outcomeOf(exit, "answered"))
      ),
    /** Records a stream, from its start until it is closed. */
    stream: <E, R>(
      request: LlmRequest,
      parts: Stream.Stream<StreamPart.StreamPart, E, R>
    ): Stream.Stream<StreamPart.StreamPart, E, R> =>
      Stream.suspend(() => {
        let outcome: Exchange["outcome"] = "aborted"
        const watched = parts.pipe(
          // Chunk by chunk, as the parts come.
          Stream.map((part) => {
            if (StreamPart.is("Finish")(part)) outcome = "answered"
            return part
          }),
          Stream.concat(Stream.drain(Stream.sync(() => {
            // Without a Finish.
            if (outcome === "aborted") outcome = "failed"
          }))),
          Stream.tapErrorCause((cause) =>
            Effect.sync(() => {
              if (!Cause.isInterruptedOnly(cause)) outcome = "failed"
            })
          )
        )
        return Stream.acquireRelease(begin("stream", request), (exchange) => end(exchange, outcome)).pipe(
          Stream.flatMap(() => watched)
        )
      }),
    requests: Effect.sync((): ReadonlyArray<LlmRequest> => exchanges.map(({ request }) => request)),
    exchanges: Effect.sync((): ReadonlyArray<Exchange> => exchanges.map(({ n: _, ...exchange }) => exchange)),
    timeline: Effect.sync((): ReadonlyArray<string> => [...timeline]),
    load: Effect.sync((): Load => ({
      inFlight,
      mostInFlight,
      aborted: exchanges.filter(({ outcome }) => outcome === "aborted").length
    }))
  }
}
