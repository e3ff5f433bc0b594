/**
 * What answers cost: a service that knows prices, and a policy that writes the cost into each response.
 *
 * The prices are your own table (`layerPrices`), those of a maintained package (`effect-llm/GenaiPrices`), or one on top
 * of the other (`orElse`). What is not known is absent, never 0.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { LlmError } from "../../domain/LlmError.js"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import * as LlmResponse from "../../domain/LlmResponse.js"
import * as StreamPart from "../../domain/StreamPart.js"
import * as Money from "../../internal/money.js"
import * as LlmProvider from "../../LlmProvider.js"
import * as Billing from "./billing.js"
import * as PriceTable from "./priceTable.js"

// ---------------------------------------------------------------------------------------------------------------------
// The service
// ---------------------------------------------------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category models
 */
export type { Price, Prices, Rates, Tier } from "./priceTable.js"

/**
 * What a request was billed for.
 *
 * @since 0.1.0
 * @category models
 */
export interface Billed {
  /** The provider that answered. */
  readonly provider: string
  /** The model that answered, as the provider names it: often a dated snapshot of the one that was asked for. */
  readonly model: string
  /** The name that the same model was asked for by, such as an alias or a deployment. Default: unknown. */
  readonly requestedModel?: string | undefined
  /** The tokens, as they are in a response: the input includes what was cached, the output includes reasoning. */
  readonly usage: LlmResponse.Usage
}

/**
 * What knows prices.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /**
   * The cost in US dollars. None where the model has no known price, or a count that it needs is unknown. It should be
   * quick: the answer waits for it.
   */
  readonly cost: (billed: Billed) => Effect.Effect<Option.Option<number>>
}

/**
 * What knows prices.
 *
 * @since 0.1.0
 * @category services
 */
export class Pricing extends Context.Tag("effect-llm/Pricing")<Pricing, Service>() {}

/**
 * Prices from a table of your own. A price that makes no sense is a defect that names it.
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
 * Prices from a table of your own, in US dollars a million tokens. A model is found by the name that it answers with,
 * the same without its date, or the name that it was asked for by.
 *
 * Input that was read from or written to the provider's cache has its own rate, if there is one, and is not counted
 * again as input; neither is reasoning as output. Where the provider does not tell such a part, all is priced alike.
 * Where it does not tell the input or the output, and they are not free, there is no cost.
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
 *       output: 15,
 *       tiers: [{ above: 200_000, input: 6, cachedInput: 0.6, cacheWrite: 7.5, output: 22.5 }]
 *     }
 *   }
 * })
 * ```
 */
export const layerPrices = (prices: PriceTable.Prices): Layer.Layer<Pricing> => Layer.effect(Pricing, make(prices))

/**
 * Other prices for what these do not know.
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

/** Prices what is billed in one attempt. */
interface Till {
  /** The attempt, for those inside. */
  readonly attempt: LlmProvider.Attempt
  readonly price: (response: LlmResponse.LlmResponse) => Effect.Effect<LlmResponse.LlmResponse>
  /** Tells what a failure has cost. */
  readonly failed: (error: LlmError) => Effect.Effect<void>
}

/**
 * Makes a provider whose answers tell what they cost.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makePriced = (provider: LlmProvider.Service, pricing: Service): LlmProvider.Service => {
  const till = (request: LlmRequest, attempt: LlmProvider.Attempt): Till => {
    // A target of a fallback may have been asked for another model.
    let requestedModel: string | undefined = request.model
    // What somebody inside has told is not told again when its failure comes by.
    const told = new Set<LlmResponse.Usage>()

    const costOf = ({ cost, model, provider: answered, usage }: LlmProvider.Spend) =>
      cost === undefined
        ? Effect.map(
          pricing.cost({
            provider: answered,
            model,
            usage,
            ...(answered === provider.name && requestedModel !== undefined && { requestedModel })
          }),
          Option.getOrUndefined
        )
        : Effect.succeed(cost)

    const spent: LlmProvider.Attempt["spent"] = (spend) =>
      Effect.suspend(() => {
        told.add(spend.usage)
        const { model, provider, usage } = spend
        return Effect.flatMap(costOf(spend), (cost) => attempt.spent({ provider, model, usage, cost }))
      })

    return {
      attempt: {
        ...attempt,
        spent,
        report: (event) => {
          if (event._tag === "FellBack") requestedModel = undefined
          return attempt.report(event)
        }
      },
      price: (response) =>
        Effect.map(
          costOf(response),
          (cost) => cost === response.cost ? response : LlmResponse.update(response, { cost })
        ),
      failed: (error) =>
        Effect.forEach(
          Billing.spendsOf(error, { provider: provider.name, model: request.model })
            .filter(({ usage }) => !told.has(usage)),
          spent,
          { discard: true }
        )
    }
  }

  const finished = ({ price }: Till) => (parts: Chunk.Chunk<StreamPart.StreamPart>) => {
    const last = Option.getOrUndefined(Chunk.last(parts))
    return last?._tag === "Finish"
      ? Effect.map(
        price(last.response),
        (response) => Chunk.append(Chunk.dropRight(parts, 1), StreamPart.Finish({ response }))
      )
      : Effect.succeed(parts)
  }

  return {
    ...provider,
    call: (request) =>
      Effect.flatMap(LlmProvider.CurrentAttempt, (current) => {
        const { attempt, failed, price } = till(request, current)
        return provider.call(request).pipe(
          Effect.provideService(LlmProvider.CurrentAttempt, attempt),
          Effect.flatMap(price),
          Effect.tapError(failed)
        )
      }),
    stream: (request) =>
      Stream.unwrap(Effect.map(LlmProvider.CurrentAttempt, (current) => {
        const open = till(request, current)
        return provider.stream(request).pipe(
          Stream.provideService(LlmProvider.CurrentAttempt, open.attempt),
          Stream.mapChunksEffect(finished(open)),
          Stream.tapError(open.failed)
        )
      }))
  }
}

/**
 * Has each answer of a provider tell what it cost: `response.cost`, in US dollars, for `call` and for the end of a
 * stream. A cost that the provider itself tells is left as it is.
 *
 * The cost is that of all requests whose usage is known: retries, questions that were asked again, and answers that
 * another one beat included. Requests that were cut off, and whose bill nobody tells, are not in it. An answer from the
 * cache, or from a run that another call has paid for, costs 0. Where a price is unknown there is no cost.
 *
 * Around a fallback, each answer has the price of the provider and model that gave it; but only next to a provider is it
 * known what name that was asked for by, such as a deployment's.
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
  Layer.provide(
    Layer.effect(LlmProvider.LlmProvider, Effect.zipWith(LlmProvider.LlmProvider, Pricing, makePriced)),
    self
  )
