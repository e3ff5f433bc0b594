/**
 * Limits of tokens and money: for a provider and each of its tenants, for a day, or for a region of a program. The
 * largest possible use of a request is reserved before it is sent, and settled when its usage is known; a request that
 * does not fit is not sent.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import * as Check from "../../internal/check.js"
import { type EffectOrStream, provided, type With } from "../../internal/effectOrStream.js"
import * as LlmProvider from "../../LlmProvider.js"
import { Pricing } from "../pricing/Pricing.js"
import * as BudgetGuard from "./guard.js"
import * as BudgetLimits from "./limits.js"
import * as ScopedBudget from "./scopedBudget.js"
import * as ScopedGuard from "./scopedGuard.js"
import * as BudgetStore from "./store.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category models
 */
export type { Allowance } from "./limits.js"

/**
 * @since 0.1.0
 * @category models
 */
export type { Amount, Claim, Limits, Refusal, Reservation, Service, Spent } from "./store.js"

/**
 * A limit around a provider.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends BudgetLimits.Allowance {
  /**
   * The name of the limit in errors and events. Limits of one scope share its accounts, so a request must not pass more
   * than one of them.
   */
  readonly scope: string
  /**
   * The account that a request is charged to, for a scope that has many: by the request, or by the namespace or a tag of
   * the call. Requests without a key share one. Default: one account for all.
   */
  readonly key?:
    | ((
      request: LlmRequest,
      call: {
        readonly namespace?: string | undefined
        readonly tags?: { readonly [name: string]: string } | undefined
      }
    ) => string | undefined)
    | undefined
  /**
   * The time after which the accounts begin anew. Windows begin at multiples of their length since 1970: windows of a
   * day at midnight UTC. While a clock is set back, no time passes. Default: never.
   */
  readonly window?: Duration.DurationInput | undefined
}

/**
 * A limit for a region of a program.
 *
 * @since 0.1.0
 * @category models
 */
export interface RegionOptions extends BudgetLimits.Allowance {
  /** The name of the limit in errors and events. Default: "region". */
  readonly scope?: string | undefined
}

/** A limit of tokens alone needs no prices. */
interface NoMoney {
  readonly dollars?: undefined
}

// ---------------------------------------------------------------------------------------------------------------------
// The accounts
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The accounts of all scopes. Provide one layer of it, once, to all providers and the program.
 *
 * @since 0.1.0
 * @category services
 */
export class Budget extends Context.Tag("effect-llm/Budget")<Budget, BudgetStore.Service>() {}

/**
 * Keeps the accounts in memory, with nothing spent at first.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<Budget> = Layer.effect(Budget, BudgetStore.makeMemory)

/**
 * The amount spent in the current window of a scope, or of one of its keys.
 *
 * @since 0.1.0
 * @category accessors
 */
export const spent = (scope: string, key?: string): Effect.Effect<BudgetStore.Spent, never, Budget> =>
  Effect.flatMap(Budget, (budget) => budget.spent(scope, key))

// ---------------------------------------------------------------------------------------------------------------------
// Around a provider
// ---------------------------------------------------------------------------------------------------------------------

const makeLimited = (
  provider: LlmProvider.Service,
  { key, scope, window, ...allowance }: Options
): Effect.Effect<LlmProvider.Service, never, Budget> =>
  Effect.gen(function*() {
    const budget = yield* Budget
    const { estimate, limits, priceOf } = BudgetLimits.check(allowance, yield* Effect.serviceOption(Pricing))
    yield* budget.open(scope, window === undefined ? undefined : Check.positiveDuration("window", window))
    return BudgetGuard.guard(provider, {
      claims: (request, attempt) =>
        Effect.map(estimate(provider.name, request), (estimate) => [
          { scope, key: key?.(request, attempt) ?? "", limits, estimate }
        ]),
      reserve: budget.reserve,
      priceOf
    })
  })

/**
 * Makes a provider that keeps to a limit. An invalid option is a defect that names the option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: {
  (
    provider: LlmProvider.Service,
    options: Options & NoMoney
  ): Effect.Effect<LlmProvider.Service, never, Budget>
  (
    provider: LlmProvider.Service,
    options: Options
  ): Effect.Effect<LlmProvider.Service, never, Budget | Pricing>
} = makeLimited

/**
 * Sends only requests that a budget has room for; others fail with `BudgetExceeded` before they are sent. That failure
 * is neither retried nor passed to another provider.
 *
 * The estimated input of each request and its `maxTokens` are reserved. Once the usage is known it is charged, and the
 * rest given back. With any number of requests at once, the limit holds as far as the estimates do: usage beyond an
 * estimate is charged as well. The reservation of a request that failed before it was billed is given back whole. If
 * the bill is unknown, as for an interrupted request, the reservation stays charged.
 *
 * Next to a provider, inside hedges and fallbacks, it counts each request; scopes are shared, so that one limit may
 * apply to several providers. Limits can be nested: a request that one of them refuses is charged to none. Each charge
 * is reported as `BudgetSpent`.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config, Layer } from "effect"
 * import { Budget, OpenAi, Pricing } from "effect-llm"
 * import * as GenaiPrices from "effect-llm/GenaiPrices"
 *
 * const Provider = OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(
 *   Pricing.priced,
 *   Budget.limit({ scope: "day", dollars: 20, window: "1 day" }),
 *   Budget.limit({
 *     scope: "tenant",
 *     key: (_request, { namespace }) => namespace,
 *     tokens: 100_000,
 *     window: "1 hour"
 *   }),
 *   Layer.provide(GenaiPrices.layer),
 *   Layer.provideMerge(Budget.layerMemory)
 * )
 *
 * const today = Budget.spent("day")
 * ```
 */
export const limit: {
  (
    options: Options & NoMoney
  ): <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>
  ) => Layer.Layer<LlmProvider.LlmProvider, E, R | Budget>
  (
    options: Options
  ): <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>
  ) => Layer.Layer<LlmProvider.LlmProvider, E, R | Budget | Pricing>
  <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>,
    options: Options & NoMoney
  ): Layer.Layer<LlmProvider.LlmProvider, E, R | Budget>
  <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>,
    options: Options
  ): Layer.Layer<LlmProvider.LlmProvider, E, R | Budget | Pricing>
} = dual(
  2,
  <E, R>(
    self: Layer.Layer<LlmProvider.LlmProvider, E, R>,
    options: Options
  ): Layer.Layer<LlmProvider.LlmProvider, E, R | Budget> =>
    LlmProvider.transform(self, (provider) => makeLimited(provider, options))
)

// ---------------------------------------------------------------------------------------------------------------------
// For a region of a program
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Gives a region of a program (an effect, or each run of a stream) its own budget, which all calls of an `LlmClient`
 * within it share. Regions nest, and a request must have room in each. An answer from the cache, or from the run of
 * another call, costs nothing.
 *
 * @since 0.1.0
 * @category combinators
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Budget, LlmClient, LlmError } from "effect-llm"
 *
 * const rivers = Effect.forEach(["Elbe", "Oder", "Rhine"], (river) =>
 *   LlmClient.call({ model: "gpt-4o-mini", prompt: `Where does the ${river} rise?`, maxTokens: 100 })
 * ).pipe(
 *   Budget.within({ tokens: 1_000 }),
 *   LlmError.catchReason("BudgetExceeded", ({ message }) => Effect.logWarning(message))
 * )
 * ```
 */
export const within: {
  (options: RegionOptions & NoMoney): <Self extends EffectOrStream>(self: Self) => With<Self>
  (options: RegionOptions): <Self extends EffectOrStream>(self: Self) => With<Self, never, never, Pricing>
  <Self extends EffectOrStream>(self: Self, options: RegionOptions & NoMoney): With<Self>
  <Self extends EffectOrStream>(self: Self, options: RegionOptions): With<Self, never, never, Pricing>
} = dual(
  2,
  (self: EffectOrStream, { scope = "region", ...allowance }: RegionOptions): EffectOrStream =>
    provided(
      self,
      ScopedBudget.CurrentRegions,
      Effect.zipWith(
        Effect.serviceOption(Pricing),
        ScopedBudget.CurrentRegions,
        (pricing, regions) => ScopedGuard.enter(scope, BudgetLimits.check(allowance, pricing), regions)
      )
    )
)

/**
 * The amount spent so far in the innermost region with a budget (`within`); none outside such a region. A budget
 * without limits only counts.
 *
 * @since 0.1.0
 * @category accessors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Budget, LlmClient } from "effect-llm"
 *
 * const counted = LlmClient.call({ model: "gpt-4o-mini", prompt: "Name three rivers." }).pipe(
 *   Effect.zip(Budget.spentHere),
 *   Budget.within({})
 * )
 * ```
 */
export const spentHere: Effect.Effect<Option.Option<BudgetStore.Spent>> = Effect.map(
  ScopedBudget.CurrentRegions,
  ({ all: [region] }) => region === undefined ? Option.none() : Option.some(BudgetStore.spentOf(region.account))
)
