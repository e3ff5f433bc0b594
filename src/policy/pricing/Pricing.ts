/**
 * The cost of answers: a service that knows prices, and a policy that writes the cost into each response.
 *
 * The prices are your own table (`layerPrices`), those of a maintained package (`effect-llm/GenaiPrices`), or one on top
 * of the other (`orElse`). An unknown cost is absent, never 0.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { LlmError } from "../../domain/LlmError.js"
import * as LlmResponse from "../../domain/LlmResponse.js"
import * as Money from "../../internal/money.js"
import * as LlmProvider from "../../LlmProvider.js"
import * as Policy from "../Policy.js"
import * as Billing from "./billing.js"
import * as PriceTable from "./priceTable.js"

// ---------------------------------------------------------------------------------------------------------------------
// The service
// ---------------------------------------------------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category models
 */
export type { Price, Prices, Rates, Tier, TieredRates } from "./priceTable.js"

/**
 * A billed request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Billed {
  /** The provider that answered. */
  readonly provider: string
  /** The model that answered, as the provider names it: often a dated snapshot of the requested one. */
  readonly model: string
  /** The model's name in the request, such as an alias or a deployment. Default: unknown. */
  readonly requestedModel?: string | undefined
  /** The tokens, as in a response: the input includes cached tokens, the output includes reasoning. */
  readonly usage: LlmResponse.Usage
}

/**
 * The prices of models.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /**
   * The cost in US dollars. None if the price of the model, or a count that it needs, is unknown. It should be quick:
   * the answer waits for it.
   */
  readonly cost: (billed: Billed) => Effect.Effect<Option.Option<number>>
}

/**
 * The prices of models.
 *
 * @since 0.1.0
 * @category services
 */
export class Pricing extends Context.Tag("effect-llm/Pricing")<Pricing, Service>() {}

/**
 * Prices from a table of your own. An invalid price is a defect that names it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (prices: PriceTable.Prices): Effect.Effect<Service> =>
  Effect.sync(() => {
    const table = PriceTable.checkAll(prices)
    return {
      cost: ({ model, provider, requestedModel = model, usage }) =>
        Effect.sync(() => {
          const price = PriceTable.find(table, provider, [model, requestedModel])
          const cost = price === undefined ? undefined : PriceTable.cost(price, usage)
          return cost === undefined ? Option.none() : Option.some(Money.toDollars(cost))
        })
    }
  })

/**
 * Prices from a table of your own, in US dollars a million tokens. A model is found by its name in the response, with
 * or without its date, or by its name in the request.
 *
 * Input that was read from or written to the provider's cache has its own rate, if there is one, and is not counted
 * again as input; neither is reasoning as output. If the provider does not report such a part, all of it is priced
 * alike. If it does not report the input or the output, and they are not free, there is no cost. Tools that the
 * provider ran, such as web searches, and the tier of service have prices of their own (`serverTools`, `serviceTiers`).
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Pricing } from "effect-llm"
 *
 * // Not the prices of today: look them up.
 * const Prices = Pricing.layerPrices({
 *   openai: {
 *     "gpt-4o-mini": { input: 0.15, cachedInput: 0.075, output: 0.6 }
 *   },
 *   anthropic: {
 *     "claude-sonnet-4-5": {
 *       input: 3,
 *       cachedInput: 0.3,
 *       cacheWrite: 3.75,
 *       cacheWrite1h: 6,
 *       output: 15,
 *       tiers: [{ above: 200_000, input: 6, cachedInput: 0.6, cacheWrite: 7.5, cacheWrite1h: 12, output: 22.5 }]
 *     }
 *   }
 * })
 * ```
 */
export const layerPrices = (prices: PriceTable.Prices): Layer.Layer<Pricing> => Layer.effect(Pricing, make(prices))

/**
 * Falls back to other prices if these know none.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Pricing } from "effect-llm"
 * import * as GenaiPrices from "effect-llm/GenaiPrices"
 *
 * const Prices = Pricing.layerPrices({ openai: { "our-fine-tune": { input: 0.3, output: 1.2 } } }).pipe(
 *   Pricing.orElse(GenaiPrices.layer)
 * )
 * ```
 */
export const orElse: {
  <E2, R2>(
    that: Layer.Layer<Pricing, E2, R2>
  ): <E, R>(self: Layer.Layer<Pricing, E, R>) => Layer.Layer<Pricing, E | E2, R | R2>
  <E, R, E2, R2>(
    self: Layer.Layer<Pricing, E, R>,
    that: Layer.Layer<Pricing, E2, R2>
  ): Layer.Layer<Pricing, E | E2, R | R2>
} = dual(
  2,
  <E, R, E2, R2>(
    self: Layer.Layer<Pricing, E, R>,
    that: Layer.Layer<Pricing, E2, R2>
  ): Layer.Layer<Pricing, E | E2, R | R2> =>
    Layer.zipWith(self, that, (first, second) => {
      const [known, others] = [Context.get(first, Pricing), Context.get(second, Pricing)]
      return Context.make(Pricing, {
        cost: (billed) =>
          Effect.flatMap(known.cost(billed), (cost) => Option.isSome(cost) ? Effect.succeed(cost) : others.cost(billed))
      })
    })
)

// ---------------------------------------------------------------------------------------------------------------------
// Around a provider
// ---------------------------------------------------------------------------------------------------------------------

/** The cost of a bill, unless the bill states one. The name in the request is known only for the provider itself. */
const costOf = (
  pricing: Service,
  { cost, model, provider, usage }: LlmProvider.Spend,
  asked: { readonly provider: string; readonly model: string | undefined }
): Effect.Effect<number | undefined> =>
  cost === undefined
    ? Effect.map(
      pricing.cost({
        provider,
        model,
        usage,
        ...(provider === asked.provider && asked.model !== undefined && { requestedModel: asked.model })
      }),
      Option.getOrUndefined
    )
    : Effect.succeed(cost)

const withCost = (response: LlmResponse.LlmResponse, cost: number | undefined): LlmResponse.LlmResponse =>
  cost === response.cost ? response : LlmResponse.update(response, { cost })

/** Batches whose answers state their cost. */
const pricedBatches = (
  batches: LlmProvider.Batches,
  { name }: LlmProvider.Service,
  pricing: Service
): LlmProvider.Batches => ({
  ...batches,
  results: (id) =>
    Stream.map(batches.results(id), (result) => ({
      ...result,
      read: (request, omitted) =>
        Effect.flatMap(result.read(request, omitted), (response) =>
          Effect.map(
            costOf(pricing, response, { provider: name, model: request.model }),
            (cost) => withCost(response, cost)
          ))
    }))
})

/**
 * Makes a provider whose answers, including those of its batches, state their cost.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makePriced = (provider: LlmProvider.Service, pricing: Service): LlmProvider.Service => {
  const priced = Policy.around(provider, (request, attempt) =>
    Effect.sync(() => {
      // A target of a fallback may have been asked for another model.
      let requestedModel: string | undefined = request.model
      // Usage that was reported within is not reported again with a failure.
      const reported = new Set<LlmResponse.Usage>()

      const cost = (spend: LlmProvider.Spend) =>
        costOf(pricing, spend, { provider: provider.name, model: requestedModel })

      const spent: LlmProvider.Attempt["spent"] = (spend) =>
        Effect.suspend(() => {
          reported.add(spend.usage)
          const { model, provider, usage } = spend
          return Effect.flatMap(cost(spend), (cost) => attempt.spent({ provider, model, usage, cost }))
        })

      const failed = (error: LlmError) =>
        Effect.forEach(
          Billing.spendsOf(error, { provider: provider.name, model: request.model })
            .filter(({ usage }) => !reported.has(usage)),
          spent,
          { discard: true }
        )

      return {
        attempt: {
          ...attempt,
          spent,
          report: (event) => {
            if (event._tag === "FellBack") requestedModel = undefined
            return attempt.report(event)
          }
        },
        mapResponse: (response) => Effect.map(cost(response), (cost) => withCost(response, cost)),
        settle: (exit) =>
          Exit.isSuccess(exit)
            ? Effect.void
            : Option.match(Cause.failureOption(exit.cause), { onNone: () => Effect.void, onSome: failed })
      }
    }))
  const { batches } = provider
  return {
    ...priced,
    price: ({ model, usage }) => pricing.cost({ provider: provider.name, model, requestedModel: model, usage }),
    ...(batches !== undefined && { batches: pricedBatches(batches, provider, pricing) })
  }
}

/**
 * Writes the cost of each answer of a provider into `response.cost`, in US dollars, for `call`, for the end of a stream and
 * for the results of a batch, which are priced at its tier. A cost that the provider itself states is left as it is.
 *
 * The cost covers all requests whose usage is known, including retries, corrections, and answers that lost against
 * another one. It does not include requests that were cut off and whose bill is unknown. An answer from the cache, or
 * from a run that another call has paid for, costs 0. If a price is unknown there is no cost.
 *
 * Around a fallback, each answer has the price of the provider and model that gave it; but the name in the request,
 * such as that of a deployment, is known only next to a provider.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config, Layer } from "effect"
 * import { OpenAi, Pricing } from "effect-llm"
 * import * as GenaiPrices from "effect-llm/GenaiPrices"
 *
 * const Provider = OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(
 *   Pricing.priced,
 *   Layer.provide(GenaiPrices.layer)
 * )
 * ```
 */
export const priced = <E, R>(
  self: Layer.Layer<LlmProvider.LlmProvider, E, R>
): Layer.Layer<LlmProvider.LlmProvider, E, R | Pricing> =>
  LlmProvider.transform(self, (provider) => Effect.map(Pricing, (pricing) => makePriced(provider, pricing)))
