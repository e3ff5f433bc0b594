/**
 * Where rate limits keep count: in memory, or wherever several processes share it.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Check from "../../internal/check.js"
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
 * A request may go, or has to wait for so long before it is worth to ask again.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome =
  | { readonly _tag: "Reserved"; readonly reservation: Reservation }
  | { readonly _tag: "Refused"; readonly wait: Duration.Duration }

/**
 * What a store does. Each operation is one atomic step over the counts of one key, so that it fits one script where the
 * counts are on a server. Time is the store's own, and what goes in and out is relative to it: clocks of processes that
 * share a store need not agree.
 *
 * None fails: an implementation decides by itself what happens while its server does not answer. A caller is not
 * interrupted during an operation, so it should take little time, or bound it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** Takes what a request costs in all dimensions that are limited, or nothing. A refusal changes nothing. */
  readonly reserve: (key: string, limits: Limits, cost: Amounts) => Effect.Effect<Outcome>
  /** How long it takes until so much was let through, if nobody else comes. Changes nothing. */
  readonly foresee: (key: string, limits: Limits, amounts: Amounts) => Effect.Effect<Duration.Duration>
  /** Makes a reservation what was used in fact, and takes in what the provider told about its limits. */
  readonly settle: (key: string, limits: Limits, settlement: Settlement) => Effect.Effect<void>
  /** Lets nothing through for so long, or longer if that was so already, and then begins with nothing saved up. */
  readonly pause: (key: string, limits: Limits, duration: Duration.Duration) => Effect.Effect<void>
}

/**
 * Where rate limits keep count. `RateLimit.limit` takes the one that is there when its layer is built, and makes one in
 * memory otherwise.
 *
 * @since 0.1.0
 * @category services
 */
export class RateLimitStore extends Context.Tag("effect-llm/RateLimitStore")<RateLimitStore, Service>() {}

// ---------------------------------------------------------------------------------------------------------------------
// In memory
// ---------------------------------------------------------------------------------------------------------------------

/**
 * How much a store in memory holds.
 *
 * @since 0.1.0
 * @category models
 */
export interface MemoryOptions {
  /** How many keys; beyond it, the one not used for longest begins anew. An integer. Default: 10,000. */
  readonly capacity?: number | undefined
}

/**
 * Makes a store in memory, whose operations are done at once.
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
          const now = clock.unsafeCurrentTimeMillis()
          const outcome = TokenBuckets.reserve(limits, get(key, now), cost, now)
          if (outcome._tag === "Refused") {
            return Effect.succeed<Outcome>({ _tag: "Refused", wait: Duration.millis(outcome.wait) })
          }
          set(key, outcome.state)
          return Effect.succeed<Outcome>(outcome)
        }),
      foresee: (key, limits, amounts) =>
        Effect.map(
          Clock.currentTimeMillis,
          (now) => Duration.millis(TokenBuckets.foresee(limits, get(key, now), amounts, now))
        ),
      settle: (key, limits, settlement) =>
        Effect.clockWith((clock) => {
          const now = clock.unsafeCurrentTimeMillis()
          set(key, TokenBuckets.settle(limits, get(key, now), settlement, now))
          return Effect.void
        }),
      pause: (key, limits, duration) =>
        Effect.map(
          Clock.currentTimeMillis,
          (now) => set(key, TokenBuckets.pause(limits, get(key, now), Duration.toMillis(duration), now))
        )
    }
  })

/**
 * Keeps count in memory, for all limits that are built with it: those of equal keys share what they may use.
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
