/**
 * Rate limits, budgets and a cache in Redis, for programs of many processes. It needs `ioredis` 5 or later.
 *
 * All counting is done by scripts on the server, in one trip and on its clock, so that the clocks of processes need not
 * agree. No operation waits for longer than `commandTimeout` (250 milliseconds). The option `onUnavailable` sets the
 * conduct without the server; an outage is reported as the event `StoreUnavailable` (of a cache: `CacheFailed`).
 *
 * The counts are as durable as the server: let it evict no limit or budget (`maxmemory-policy noeviction`, or a
 * separate server for the cache), and keep its data over restarts (`appendonly yes`) if budgets have to survive them.
 * After a loss of data, limits begin with full buckets and budgets with nothing spent. With a `Cluster`, all the keys
 * of a limit or an account are on one node.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as LlmCache from "../LlmCache.js"
import { Budget, type Service as Budgets } from "../policy/budget/Budget.js"
import * as RateLimitStore from "../policy/rateLimit/RateLimitStore.js"
import * as RedisBudgets from "./redis/budgets.js"
import * as RedisCache from "./redis/cache.js"
import * as RedisRateLimits from "./redis/rateLimits.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

export type { OutageOptions } from "./budgetLedger.js"
export type { BudgetOptions } from "./redis/budgets.js"
export type { CacheOptions } from "./redis/cache.js"
export type { Connection, ConnectionOptions } from "./redis/connection.js"
export type { RateLimitOptions } from "./redis/rateLimits.js"

// ---------------------------------------------------------------------------------------------------------------------
// Rate limits
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Makes a store of rate limits. A mistake in the options is a defect that names the option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeRateLimits = (
  options: RedisRateLimits.RateLimitOptions
): Effect.Effect<RateLimitStore.Service, never, Scope.Scope> => RedisRateLimits.make(options)

/**
 * Lets all processes with the same `account` share the limits of `RateLimit.limit`: requests and tokens a minute,
 * pauses after a 429, and `sharedConcurrency`. Reserving and settling take one trip each.
 *
 * A process whose request was refused has a place in line, so that a large request is served among many small ones. A
 * permit of `sharedConcurrency` is a lease: it is renewed, and free again within `leaseTime` if its process was killed.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config, Layer } from "effect"
 * import { OpenAi, RateLimit } from "effect-llm"
 * import * as RedisStores from "effect-llm/RedisStores"
 *
 * const Provider = OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(
 *   RateLimit.limit({ requestsPerMinute: 500, tokensPerMinute: 200_000, sharedConcurrency: 64 }),
 *   Layer.provide(RedisStores.layerRateLimits({ connection: "redis://127.0.0.1:6379", account: "openai-production" }))
 * )
 * ```
 */
export const layerRateLimits = (
  options: RedisRateLimits.RateLimitOptions
): Layer.Layer<RateLimitStore.RateLimitStore> =>
  Layer.scoped(RateLimitStore.RateLimitStore, RedisRateLimits.make(options))

// ---------------------------------------------------------------------------------------------------------------------
// Budgets
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Makes a store of budgets. A mistake in the options is a defect that names the option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeBudgets = (options: RedisBudgets.BudgetOptions): Effect.Effect<Budgets, never, Scope.Scope> =>
  RedisBudgets.make(options)

/**
 * Lets all processes with the same `account` share the budgets of `Budget.limit`. The estimate of a request is charged
 * when it is reserved, and corrected when its bill is known: that of a process that was killed stays charged. Windows
 * begin by the server's clock. Money is exact to the picodollar.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config, Layer } from "effect"
 * import { Budget, OpenAi } from "effect-llm"
 * import * as RedisStores from "effect-llm/RedisStores"
 *
 * const Provider = OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(
 *   Budget.limit({ scope: "day", tokens: 5_000_000, window: "1 day" }),
 *   Layer.provideMerge(RedisStores.layerBudgets({ connection: "redis://127.0.0.1:6379", account: "production" }))
 * )
 * ```
 */
export const layerBudgets = (options: RedisBudgets.BudgetOptions): Layer.Layer<Budget> =>
  Layer.scoped(Budget, RedisBudgets.make(options))

// ---------------------------------------------------------------------------------------------------------------------
// The cache
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Makes a cache. A mistake in the options is a defect that names the option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeCache = (options: RedisCache.CacheOptions): Effect.Effect<LlmCache.Service, never, Scope.Scope> =>
  RedisCache.make(options)

/**
 * Keeps answers in Redis, for their time to live by the server's clock. The server bounds their size, by `maxmemory`
 * and a policy that evicts. An entry that is damaged or of another version counts as a miss, and is removed. If the
 * server does not answer, that is a `CacheError`, which counts as a miss, too.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { LlmCache } from "effect-llm"
 * import * as RedisStores from "effect-llm/RedisStores"
 *
 * const cache = LlmCache.layerTiered(
 *   LlmCache.layerMemory({ timeToLive: "5 minutes" }),
 *   RedisStores.layerCache({ connection: "redis://127.0.0.1:6379", timeToLive: "7 days" })
 * )
 * ```
 */
export const layerCache = (options: RedisCache.CacheOptions): Layer.Layer<LlmCache.LlmCache> =>
  Layer.scoped(LlmCache.LlmCache, RedisCache.make(options))
