/**
 * Where rate limits keep count: in memory, or in a place that several processes share.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Check from "../../internal/check.js"
import * as Elapsed from "../../runtime/elapsed.js"
import * as TokenBuckets from "./tokenBuckets.js"
import type { Amounts, Limits, Reservation, Settlement } from "./tokenBuckets.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category models
 */
export type { Amounts, Dimension, Limits, Reservation, Settlement, Told } from "./tokenBuckets.js"

/**
 * A request may go, or has to wait before it is worth asking again.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome =
  | { readonly _tag: "Reserved"; readonly reservation: Reservation }
  | { readonly _tag: "Refused"; readonly wait: Duration.Duration }

/**
 * A store of counts. Each operation is one atomic step over the counts of one key, so that it fits one script where the
 * counts are on a server. Time is the store's own, and all times given and returned are relative to it: the clocks of
 * processes that share a store need not agree.
 *
 * No operation fails: an implementation decides what happens while its server does not answer. A caller is not
 * interrupted during an operation, so it should take little time, or bound it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** Takes the cost of a request in all dimensions that are limited, or nothing. A refusal changes nothing. */
  readonly reserve: (key: string, limits: Limits, cost: Amounts) => Effect.Effect<Outcome>
  /** How long it takes until so much was let through, if no other request comes. Changes nothing. */
  readonly foresee: (key: string, limits: Limits, amounts: Amounts) => Effect.Effect<Duration.Duration>
  /** Replaces a reservation by the actual use, and takes in the limits that the provider stated. */
  readonly settle: (key: string, limits: Limits, settlement: Settlement) => Effect.Effect<void>
  /** Lets nothing through for so long (a longer pause holds), and then begins with nothing saved up. */
  readonly pause: (key: string, limits: Limits, duration: Duration.Duration) => Effect.Effect<void>
}

/**
 * Where rate limits keep count. `RateLimit.limit` uses the store that is provided to its layer. Default: none, and each
 * limit makes its own in memory.
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
  /** The most keys; beyond it, the least recently used begins anew. An integer. Default: 10,000. */
  readonly capacity?: number | undefined
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
    const states = new Map<string, TokenBuckets.State>()

    const get = (key: string, now: number): TokenBuckets.State => states.get(key) ?? TokenBuckets.initial(now)

    const set = (key: string, state: TokenBuckets.State): void => {
      // The key used last is the last one.
      states.delete(key)
      const [oldest] = states.keys()
      if (states.size >= maxKeys && oldest !== undefined) states.delete(oldest)
      states.set(key, state)
    }

    return {
      reserve: (key, limits, cost) =>
        Effect.clockWith((clock) => {
          const now = Elapsed.unsafeNow(clock)
          const outcome = TokenBuckets.reserve(limits, get(key, now), cost, now)
          if (outcome._tag === "Refused") {
            return Effect.succeed<Outcome>({ _tag: "Refused", wait: Duration.millis(outcome.wait) })
          }
          set(key, outcome.state)
          return Effect.succeed<Outcome>(outcome)
        }),
      foresee: (key, limits, amounts) =>
        Effect.map(
          Elapsed.now,
          (now) => Duration.millis(TokenBuckets.foresee(limits, get(key, now), amounts, now))
        ),
      settle: (key, limits, settlement) =>
        Effect.clockWith((clock) => {
          const now = Elapsed.unsafeNow(clock)
          set(key, TokenBuckets.settle(limits, get(key, now), settlement, now))
          return Effect.void
        }),
      pause: (key, limits, duration) =>
        Effect.map(
          Elapsed.now,
          (now) => set(key, TokenBuckets.pause(limits, get(key, now), Duration.toMillis(duration), now))
        )
    }
  })

/**
 * Keeps count in memory, for all limits that are built with it: those of equal keys share their limits.
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
