/**
 * The promises of every store that processes share, as checks that run under any test runner: of rate limits, budgets
 * and caches. They compare a store with the pure functions and the store in memory, let many members use it at once,
 * some with wrong clocks, and take its server down.
 *
 * The checks of one server run one after the other.
 *
 * @since 0.1.0
 */
import type * as LlmCache from "../LlmCache.js"
import type { Service as Budgets } from "../policy/budget/Budget.js"
import type { Service as RateLimits } from "../policy/rateLimit/RateLimitStore.js"
import * as BudgetChecks from "./storeConformance/budgets.js"
import * as CacheChecks from "./storeConformance/caches.js"
import type { Harness, StoreCheck } from "./storeConformance/check.js"
import * as RateLimitChecks from "./storeConformance/rateLimits.js"

export type { Harness, Server, StoreCheck } from "./storeConformance/check.js"

/**
 * The checks of a store of rate limits. Its outcomes must state the buckets.
 *
 * @since 0.1.0
 * @category checks
 * @example
 * ```ts
 * import { it } from "@effect/vitest"
 * import { RateLimitStore } from "effect-llm"
 * import { StoreConformance } from "effect-llm/testing"
 * import { Effect } from "effect"
 *
 * const store = Effect.runSync(RateLimitStore.makeMemory())
 * const checks = StoreConformance.rateLimits({ join: Effect.succeed(store) })
 *
 * for (const { check, name } of checks) it.effect(name, () => check)
 * ```
 */
export const rateLimits = (harness: Harness<RateLimits>): ReadonlyArray<StoreCheck> =>
  RateLimitChecks.rateLimits(harness)

/**
 * The checks of a store of budgets. Without its server it refuses.
 *
 * @since 0.1.0
 * @category checks
 */
export const budgets = (harness: Harness<Budgets>): ReadonlyArray<StoreCheck> => BudgetChecks.budgets(harness)

/**
 * The checks of a cache.
 *
 * @since 0.1.0
 * @category checks
 */
export const caches = (harness: Harness<LlmCache.Service>): ReadonlyArray<StoreCheck> => CacheChecks.caches(harness)
