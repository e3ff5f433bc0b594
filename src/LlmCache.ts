/**
 * A store of answers. A cache failure never fails a call; it counts as a miss, and so do a cache that hangs and an
 * entry that is no answer.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { LlmResponse } from "./domain/LlmResponse.js"
import * as Check from "./internal/check.js"

/**
 * The failure of a store. It names the problem and holds no answer.
 *
 * @since 0.1.0
 * @category errors
 */
export class CacheError extends Data.TaggedError("CacheError")<{
  /** The operation that failed. */
  readonly operation: "get" | "set" | "remove"
  /** The problem, in the store's words. */
  readonly problem: string
}> {
  override get message(): string {
    return `Cache ${this.operation} failed: ${this.problem}`
  }
}

/**
 * The interface of a cache.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** The answer under a key, unless it has expired. */
  readonly get: (key: string) => Effect.Effect<Option.Option<LlmResponse>, CacheError>
  /** Keeps an answer. Default `ttl`: the cache's own time to live. */
  readonly set: (
    key: string,
    response: LlmResponse,
    ttl?: Duration.DurationInput | undefined
  ) => Effect.Effect<void, CacheError>
  /** Forgets the answer under a key, if there is one. */
  readonly remove: (key: string) => Effect.Effect<void, CacheError>
}

/**
 * The cache of a client.
 *
 * @since 0.1.0
 * @category services
 */
export class LlmCache extends Context.Tag("effect-llm/LlmCache")<LlmCache, Service>() {}

/**
 * The bounds of a memory cache.
 *
 * @since 0.1.0
 * @category models
 */
export interface MemoryOptions {
  /** Maximum entries; the least recently used is evicted. A positive integer. Default: 1,000. */
  readonly capacity?: number | undefined
  /** Maximum bytes, counted as twice the length of each answer's JSON. A positive integer. Default: 64 MiB. */
  readonly maxBytes?: number | undefined
  /** How long an answer is kept, if `set` has no `ttl`. Default: forever. */
  readonly timeToLive?: Duration.DurationInput | undefined
}

interface Entry {
  readonly response: LlmResponse
  readonly bytes: number
  readonly expiresAt: number
}

// JavaScript keeps a string in one or two bytes a unit: count the maximum.
const sizeOf = (response: LlmResponse): number => 2 * JSON.stringify(response).length

/**
 * Makes a cache in memory, bounded in entries and bytes: the least recently used answer is evicted. An answer that is
 * larger than `maxBytes` is not kept. A mistake in the options is a defect that names the option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeMemory = (options: MemoryOptions = {}): Effect.Effect<Service> =>
  Effect.sync(() => {
    const capacity = Check.integer("LlmCache.capacity", options.capacity ?? 1_000, 1)
    const maxBytes = Check.integer("LlmCache.maxBytes", options.maxBytes ?? 64 * 1024 * 1024, 1)
    const timeToLive = Check.duration("LlmCache.timeToLive", options.timeToLive ?? Duration.infinity)
    // A `Map` keeps the order of insertion: an entry that is used is inserted again, so the first is the oldest.
    const entries = new Map<string, Entry>()
    let bytes = 0

    const drop = (key: string, entry: Entry): void => {
      entries.delete(key)
      bytes -= entry.bytes
    }

    const get: Service["get"] = (key) =>
      Effect.clockWith((clock) => {
        const entry = entries.get(key)
        if (entry === undefined) return Effect.succeedNone
        if (clock.unsafeCurrentTimeMillis() >= entry.expiresAt) {
          drop(key, entry)
          return Effect.succeedNone
        }
        entries.delete(key)
        entries.set(key, entry)
        return Effect.succeedSome(entry.response)
      })

    const set: Service["set"] = (key, response, ttl) =>
      Effect.clockWith((clock) => {
        const now = clock.unsafeCurrentTimeMillis()
        const previous = entries.get(key)
        if (previous !== undefined) drop(key, previous)
        const entry = {
          response,
          bytes: sizeOf(response),
          expiresAt: now + Duration.toMillis(ttl ?? timeToLive)
        }
        if (entry.bytes > maxBytes || now >= entry.expiresAt) return Effect.void
        entries.set(key, entry)
        bytes += entry.bytes
        for (const [oldest, { bytes: freed }] of entries) {
          if (entries.size <= capacity && bytes <= maxBytes) break
          entries.delete(oldest)
          bytes -= freed
        }
        return Effect.void
      })

    const remove: Service["remove"] = (key) =>
      Effect.sync(() => {
        const entry = entries.get(key)
        if (entry !== undefined) drop(key, entry)
      })

    return { get, set, remove }
  })

/**
 * Keeps answers in memory, bounded in entries and bytes: the least recently used one is evicted.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { LlmCache } from "effect-llm"
 *
 * const cache = LlmCache.layerMemory({ capacity: 500, timeToLive: "1 hour" })
 * ```
 */
export const layerMemory = (options?: MemoryOptions): Layer.Layer<LlmCache> =>
  Layer.effect(LlmCache, makeMemory(options))

/**
 * A cache that keeps nothing.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerNone: Layer.Layer<LlmCache> = Layer.succeed(LlmCache, {
  get: () => Effect.succeedNone,
  set: () => Effect.void,
  remove: () => Effect.void
})

/** Runs the second effect even if the first fails, and fails if either does. */
const both = (
  first: Effect.Effect<void, CacheError>,
  second: Effect.Effect<void, CacheError>
): Effect.Effect<void, CacheError> => Effect.flatMap(Effect.exit(first), (exit) => Effect.zipRight(second, exit))

/** Two caches as one. After a miss or a failure of the near one, the near one keeps the answer of the far one. */
const tiered = (near: Service, far: Service): Service => ({
  get: (key) =>
    near.get(key).pipe(
      Effect.orElseSucceed(() => Option.none<LlmResponse>()),
      Effect.flatMap((found) =>
        Option.isSome(found)
          ? Effect.succeed(found)
          : Effect.tap(
            far.get(key),
            (fetched) => Option.isSome(fetched) ? Effect.ignore(near.set(key, fetched.value)) : Effect.void
          )
      )
    ),
  set: (key, response, ttl) => both(near.set(key, response, ttl), far.set(key, response, ttl)),
  remove: (key) => both(near.remove(key), far.remove(key))
})

/**
 * Puts a quick cache in front of a lasting one, such as memory in front of files. An answer from the far cache is kept
 * in the near one for the near cache's own time to live: make it short if far entries expire. `set` and `remove` reach
 * both caches, and fail if one of them fails.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTiered = <E1, R1, E2, R2>(
  near: Layer.Layer<LlmCache, E1, R1>,
  far: Layer.Layer<LlmCache, E2, R2>
): Layer.Layer<LlmCache, E1 | E2, R1 | R2> =>
  Layer.scoped(
    LlmCache,
    Effect.map(
      Effect.all([Layer.build(near), Layer.build(far)]),
      ([first, second]) => tiered(Context.get(first, LlmCache), Context.get(second, LlmCache))
    )
  )
