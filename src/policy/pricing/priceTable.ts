import type { Usage } from "../../domain/LlmResponse.js"
import * as Check from "../../internal/check.js"
import * as Money from "../../internal/money.js"

/**
 * The prices of tokens, in US dollars a million.
 *
 * @since 0.1.0
 * @category models
 */
export interface Rates {
  /** Input. */
  readonly input: number
  /** Output. */
  readonly output: number
  /** Input that is read from the provider's prompt cache. Default: as `input`. */
  readonly cachedInput?: number | undefined
  /** Input that is written to the provider's prompt cache. Default: as `input`. */
  readonly cacheWrite?: number | undefined
  /** Output that is reasoning. Default: as `output`. */
  readonly reasoning?: number | undefined
}

/**
 * The prices of all tokens of a request with a long input.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tier extends Rates {
  /** Holds for requests with more input tokens than this, cached ones included. */
  readonly above: number
}

/**
 * The price of a model.
 *
 * @since 0.1.0
 * @category models
 */
export interface Price extends Rates {
  /** The price of a request beside its tokens, in US dollars. Default: nothing. */
  readonly request?: number | undefined
  /** Other rates for long requests. Default: the same for all. */
  readonly tiers?: ReadonlyArray<Tier> | undefined
}

/**
 * Prices by the provider's name and the model's.
 *
 * @since 0.1.0
 * @category models
 */
export interface Prices {
  readonly [provider: string]: { readonly [model: string]: Price }
}

/** In picodollars a million tokens. */
interface ExactRates {
  readonly above: number
  readonly input: bigint
  readonly output: bigint
  readonly cachedInput: bigint
  readonly cacheWrite: bigint
  readonly reasoning: bigint
}

/** A checked price. */
export interface ExactPrice {
  readonly request: Money.Picodollars
  /** From the longest requests to those of any length. */
  readonly tiers: ReadonlyArray<ExactRates>
}

const exactRates = (name: string, above: number, rates: Rates): ExactRates => {
  const rate = (part: keyof Rates, value: number) => Money.fromDollars(Check.finite(`${name}.${part}`, value, 0))
  return {
    above,
    input: rate("input", rates.input),
    output: rate("output", rates.output),
    cachedInput: rate("cachedInput", rates.cachedInput ?? rates.input),
    cacheWrite: rate("cacheWrite", rates.cacheWrite ?? rates.input),
    reasoning: rate("reasoning", rates.reasoning ?? rates.output)
  }
}

/** Checks a price. Throws `InvalidOption`. */
export const check = (name: string, { request = 0, tiers = [], ...base }: Price): ExactPrice => ({
  request: Money.fromDollars(Check.finite(`${name}.request`, request, 0)),
  tiers: [
    ...tiers
      .map((tier, index) => {
        const path = `${name}.tiers[${index}]`
        return exactRates(path, Check.integer(`${path}.above`, tier.above, 0), tier)
      })
      .sort((a, b) => b.above - a.above),
    // For any length, also an unknown one.
    exactRates(name, -1, base)
  ]
})

type Part = readonly [count: number | undefined, rate: bigint]

const tokens = (count: number): bigint => BigInt(Math.ceil(count))

/**
 * The cost of a whole whose parts have rates of their own. A part without a count is priced as the rest: providers leave
 * out empty parts. Parts that exceed the whole prove nothing.
 */
const partly = (whole: number | undefined, rate: bigint, parts: ReadonlyArray<Part>): bigint | undefined => {
  const apart = parts.filter(([, own]) => own !== rate)
  if (whole === undefined || !Number.isFinite(whole)) return rate === 0n && apart.length === 0 ? 0n : undefined
  let rest = tokens(whole)
  let sum = 0n
  for (const [count = 0, own] of apart) {
    if (!Number.isFinite(count)) return undefined
    rest -= tokens(count)
    sum += tokens(count) * own
  }
  return rest < 0n ? undefined : sum + rest * rate
}

const perMillion = 1_000_000n

/** The cost of usage, to the nearest picodollar; `undefined` where a count with a price is unknown. */
export const cost = ({ request, tiers }: ExactPrice, usage: Usage): Money.Picodollars | undefined => {
  const { inputTokens } = usage
  const rates = inputTokens === undefined
    ? tiers.length === 1 ? tiers[0] : undefined
    : tiers.find(({ above }) => inputTokens > above)
  if (rates === undefined) return undefined
  const input = partly(inputTokens, rates.input, [
    [usage.cachedInputTokens, rates.cachedInput],
    [usage.cacheWriteTokens, rates.cacheWrite]
  ])
  const output = partly(usage.outputTokens, rates.output, [[usage.reasoningTokens, rates.reasoning]])
  return input === undefined || output === undefined
    ? undefined
    : request + (input + output + perMillion / 2n) / perMillion
}

/** A checked table. */
export type ExactPrices = ReadonlyMap<string, ReadonlyMap<string, ExactPrice>>

/** Checks a table. Throws `InvalidOption`. */
export const checkAll = (prices: Prices): ExactPrices =>
  new Map(
    Object.entries(prices).map(([provider, models]) => [
      provider,
      new Map(Object.entries(models).map(([model, price]) => [model, check(`prices.${provider}.${model}`, price)]))
    ])
  )

/** The name of a snapshot without its date: `gpt-4o-2024-08-06`, `claude-sonnet-4-20250514`, `claude-sonnet-4@20250514`. */
export const undated = (model: string): string => model.replace(/[-@](?:\d{4}-\d{2}-\d{2}|20\d{6})$/, "")

/** The price of the first name of a model that has one, as it is or without its date. */
export const find = (
  prices: ExactPrices,
  provider: string,
  names: ReadonlyArray<string>
): ExactPrice | undefined => {
  const models = prices.get(provider)
  if (models === undefined) return undefined
  for (const name of names) {
    const price = models.get(name) ?? models.get(undated(name))
    if (price !== undefined) return price
  }
  return undefined
}
