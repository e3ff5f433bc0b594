/**
 * The store of the counts of rate limits: in memory, or in a place that several processes share.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Check from "../../internal/check.js"
import * as Elapsed from "../../runtime/elapsed.js"
import * as SharedLine from "./sharedLine.js"
import * as TokenBuckets from "./tokenBuckets.js"
import type { Amounts, Limits, Reservation, Settlement, State } from "./tokenBuckets.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category models
 */
export type { Amounts, Bucket, Dimension, Limits, Reservation, Settlement, State, Told } from "./tokenBuckets.js"

/**
 * The answer to a reservation: a request may go, has to wait, or cannot be counted.
 *
 * `state` has the contents of the buckets afterwards, from which the waits of further requests are predicted without
 * another trip to the store. Without it none is predicted. `problem` is a failure of the store's server that has not
 * been reported yet: one line, without secrets.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome =
  | {
    readonly _tag: "Reserved"
    readonly reservation: Reservation
    readonly state?: State | undefined
    readonly problem?: string | undefined
  }
  | {
    readonly _tag: "Refused"
    /** The wait, if nothing is given back in the meantime. */
    readonly wait: Duration.Duration
    /** The time after which to ask again, as others may have given something back. Default: `wait`. */
    readonly askAgainIn?: Duration.Duration | undefined
    /** The rest of a pause, which this or another process has asked for. Default: none. */
    readonly pausedFor?: Duration.Duration | undefined
    readonly state?: State | undefined
    readonly problem?: string | undefined
  }
  | {
    /** The store's server does not answer, and no request may go without it. */
    readonly _tag: "Unavailable"
    readonly problem: string
  }

/**
 * A store of counts. Each operation is one atomic step over the counts of one key, so that it fits into one script on a
 * server. Time is the store's own, and all times given and returned are relative to it: the clocks of processes that
 * share a store need not agree.
 *
 * No operation fails: an implementation decides what happens while its server does not answer. A caller is not
 * interrupted during an operation, so it should take little time, or bound it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /**
   * Takes the cost of a request in all dimensions that are limited, and a place under `concurrency`, or nothing.
   *
   * `queue` is the name of the queue that the request is the first of. A refused request keeps its place in line for a
   * while: later ones leave it the amount that it needs, so that a large request is served among many small ones. Asked
   * again by the same queue, it keeps its place.
   */
  readonly reserve: (key: string, limits: Limits, cost: Amounts, queue?: string) => Effect.Effect<Outcome>
  /** Gives up the place of a queue in line. */
  readonly leave: (key: string, queue: string) => Effect.Effect<void>
  /** Replaces a reservation by the actual use, frees its place, and takes in the limits that the provider stated. */
  readonly settle: (key: string, limits: Limits, settlement: Settlement) => Effect.Effect<void>
  /** Lets nothing through for this long (a longer pause stays in force), and then begins with empty buckets. */
  readonly pause: (key: string, limits: Limits, duration: Duration.Duration) => Effect.Effect<void>
}

/**
 * The store of the counts of rate limits. `RateLimit.limit` uses the store that is provided to its layer. Default:
 * none, and each limit makes its own in memory.
 *
 * @since 0.1.0
 * @category references
 */
export class RateLimitStore extends Context.Reference<RateLimitStore>()("effect-llm/RateLimitStore", {
  defaultValue: (): Service | undefined => undefined
}) {}

// ---------------------------------------------------------------------------------------------------------------------
// In memory
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The size of a store in memory.
 *
 * @since 0.1.0
 * @category models
 */
export interface MemoryOptions {
  /** The most keys; beyond that, the least recently used one begins anew. An integer. Default: 10,000. */
  readonly capacity?: number | undefined
}

interface Entry {
  readonly state: State
  readonly line: SharedLine.Line
}

/**
 * Makes a store in memory, whose operations do not wait.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeMemory = (options: MemoryOptions = {}): Effect.Effect<Service> =>
  Effect.sync(() => {
    const maxKeys = Check.integer("capacity", options.capacity ?? 10_000, 1)
    const entries = new Map<string, Entry>()
    let permits = 0

    const get = (key: string, now: number): Entry =>
      entries.get(key) ?? { state: TokenBuckets.initial(now), line: SharedLine.empty }

    const set = (key: string, entry: Entry): void => {
      // The key used last is the last one.
      entries.delete(key)
      const [oldest] = entries.keys()
      if (entries.size >= maxKeys && oldest !== undefined) entries.delete(oldest)
      entries.set(key, entry)
    }

    return {
      reserve: (key, limits, cost, queue) =>
        Effect.clockWith((clock) => {
          const now = Elapsed.unsafeNow(clock)
          const { line, state } = get(key, now)
          // The permits of this process end with it.
          const ask = { cost, queue, permit: `${permits++}`, lapsesAt: Infinity }
          const outcome = SharedLine.reserve(limits, state, line, ask, now)
          set(key, { state: outcome.state, line: outcome.line })
          return Effect.succeed<Outcome>(
            outcome._tag === "Reserved"
              ? { _tag: "Reserved", state: outcome.state, reservation: outcome.reservation }
              : {
                _tag: "Refused",
                state: outcome.state,
                wait: Duration.millis(outcome.wait),
                askAgainIn: Duration.millis(outcome.askAgainIn),
                pausedFor: Duration.millis(outcome.state.pause)
              }
          )
        }),
      leave: (key, queue) =>
        Effect.sync(() => {
          const entry = entries.get(key)
          if (entry !== undefined) entries.set(key, { ...entry, line: SharedLine.leave(entry.line, queue) })
        }),
      settle: (key, limits, settlement) =>
        Effect.clockWith((clock) => {
          const now = Elapsed.unsafeNow(clock)
          const { line, state } = get(key, now)
          set(key, {
            state: TokenBuckets.settle(limits, state, settlement, now),
            line: SharedLine.release(line, settlement.reservation.permit)
          })
          return Effect.void
        }),
      pause: (key, limits, duration) =>
        Effect.map(
          Elapsed.now,
          (now) => {
            const { line, state } = get(key, now)
            set(key, { line, state: TokenBuckets.pause(limits, state, Duration.toMillis(duration), now) })
          }
        )
    }
  })

/**
 * Keeps count in memory for all limits that are built with it: limits with equal keys are shared.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config, Layer } from "effect"
 * import { OpenAi, OpenAiChat, RateLimit, RateLimitStore } from "effect-llm"
 *
 * const apiKey = Config.redacted("OPENAI_API_KEY")
 * const limits = { requestsPerMinute: 500, key: () => "openai" }
 *
 * // Two protocols, one account, one limit.
 * const Store = RateLimitStore.layerMemory()
 * const Responses = OpenAi.layerConfig({ apiKey }).pipe(RateLimit.limit(limits), Layer.provide(Store))
 * const Chat = OpenAiChat.layerConfig({ apiKey }).pipe(RateLimit.limit(limits), Layer.provide(Store))
 * ```
 */
export const layerMemory = (options?: MemoryOptions): Layer.Layer<RateLimitStore> =>
  Layer.effect(RateLimitStore, makeMemory(options))
