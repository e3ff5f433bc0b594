import type { Usage } from "../../domain/LlmResponse.js"
import * as Check from "../../internal/check.js"
import * as Money from "../../internal/money.js"
import * as Published from "./published.js"

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
  /** Input that is written to it for an hour. Default: as `cacheWrite`. */
  readonly cacheWrite1h?: number | undefined
  /** Input that is written to it for at least 12 hours. Default: as `cacheWrite`. */
  readonly cacheWrite12h?: number | undefined
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
  /** Applies to requests with more input tokens than this, cached ones included. */
  readonly above: number
}

/**
 * The prices of tokens, also for long requests.
 *
 * @since 0.1.0
 * @category models
 */
export interface TieredRates extends Rates {
  /** Other rates for long requests. Default: the same for all. */
  readonly tiers?: ReadonlyArray<Tier> | undefined
}

/**
 * The price of a model.
 *
 * @since 0.1.0
 * @category models
 */
export interface Price extends TieredRates {
  /** The price of a request in addition to its tokens, in US dollars. Default: nothing. */
  readonly request?: number | undefined
  /**
   * The prices of tokens in other tiers of service, by their names in `usage.serviceTier`: as factors of the ordinary
   * ones, or as rates of their own. Default: the published ones, half for `flex` at OpenAI and Gemini, and half for
   * `batch` there and at Anthropic. In any other tier an answer has no cost.
   */
  readonly serviceTiers?: { readonly [tier: string]: number | TieredRates } | undefined
  /**
   * The prices of tools that the provider runs, in US dollars a use, by their names in `usage.serverToolUse`. Default: a cent
   * for a web search at OpenAI and Anthropic, a quarter of one for a file search at OpenAI, and nothing for a page that
   * Anthropic fetches. An answer that used any other tool has no cost.
   */
  readonly serverTools?: { readonly [tool: string]: number } | undefined
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
  readonly cacheWrite1h: bigint
  readonly cacheWrite12h: bigint
  readonly reasoning: bigint
}

/** From the longest requests to those of any length. */
type ByLength = ReadonlyArray<ExactRates>

/** A checked price. */
export interface ExactPrice {
  readonly request: Money.Picodollars
  /** The rates of a tier of service, `undefined` for the ordinary one; `undefined` where they are not known. */
  readonly rates: (tier: string | undefined) => ByLength | undefined
  /** The price of one use of a tool; `undefined` where it is not known. */
  readonly tool: (name: string) => Money.Picodollars | undefined
}

const exactRates = (name: string, above: number, rates: Rates, factor: number): ExactRates => {
  const rate = (part: keyof Rates, value: number) =>
    Money.fromDollars(Check.finite(`${name}.${part}`, value, 0) * factor)
  const { cacheWrite = rates.input } = rates
  return {
    above,
    input: rate("input", rates.input),
    output: rate("output", rates.output),
    cachedInput: rate("cachedInput", rates.cachedInput ?? rates.input),
    cacheWrite: rate("cacheWrite", cacheWrite),
    cacheWrite1h: rate("cacheWrite1h", rates.cacheWrite1h ?? cacheWrite),
    cacheWrite12h: rate("cacheWrite12h", rates.cacheWrite12h ?? cacheWrite),
    reasoning: rate("reasoning", rates.reasoning ?? rates.output)
  }
}

const byLength = (name: string, { tiers = [], ...base }: TieredRates, factor = 1): ByLength => [
  ...tiers
    .map((tier, index) => {
      const path = `${name}.tiers[${index}]`
      return exactRates(path, Check.integer(`${path}.above`, tier.above, 0), tier, factor)
    })
    .sort((a, b) => b.above - a.above),
  // For any length, even an unknown one.
  exactRates(name, -1, base, factor)
]

/** Checks a price. Throws `InvalidOption`. */
const check = (name: string, provider: string, price: Price): ExactPrice => {
  const { request = 0, serverTools = {}, serviceTiers = {} } = price
  const ordinary = byLength(name, price)
  const tiers = new Map(
    Object.entries(serviceTiers).map(([tier, rates]) => {
      const path = `${name}.serviceTiers.${tier}`
      return [
        Published.tierName(tier),
        typeof rates === "number" ? byLength(name, price, Check.finite(path, rates, 0)) : byLength(path, rates)
      ]
    })
  )
  const tools = new Map(
    Object.entries(serverTools).map(([tool, dollars]) => [
      tool,
      Money.fromDollars(Check.finite(`${name}.serverTools.${tool}`, dollars, 0))
    ])
  )
  const published = (tier: string): ByLength | undefined => {
    const factor = Published.tierFactor(provider, tier)
    return factor === undefined ? undefined : byLength(name, price, factor)
  }
  return {
    request: Money.fromDollars(Check.finite(`${name}.request`, request, 0)),
    rates: (tier) => tier === undefined ? ordinary : tiers.get(Published.tierName(tier)) ?? published(tier),
    tool: (tool) => {
      const dollars = Published.toolPrice(provider, tool)
      return tools.get(tool) ?? (dollars === undefined ? undefined : Money.fromDollars(dollars))
    }
  }
}

type Part = readonly [count: number | undefined, rate: bigint]

const tokens = (count: number): bigint => BigInt(Math.ceil(count))

/**
 * The cost of a whole whose parts have their own rates. A part without a count is priced as the rest: providers leave
 * out empty parts. Parts that exceed the whole are not trusted.
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

/** The tokens written to the cache, by their time there. */
const writes = (rates: ExactRates, usage: Usage): ReadonlyArray<Part> => {
  const { cacheWrite: rate } = rates
  const lasting: ReadonlyArray<Part> = [
    [usage.cacheWrite1hTokens, rates.cacheWrite1h],
    [usage.cacheWrite12hTokens, rates.cacheWrite12h]
  ]
  const apart = lasting.filter(([, own]) => own !== rate)
  const sum = apart.reduce((sum, [count = 0]) => sum + count, 0)
  const rest = (usage.cacheWriteTokens ?? sum) - sum
  // Parts that exceed the whole are not trusted.
  return [[rest < 0 ? NaN : rest, rate], ...apart]
}

const perMillion = 1_000_000n

const costOfTokens = (tiers: ByLength, usage: Usage): Money.Picodollars | undefined => {
  const { inputTokens } = usage
  const rates = inputTokens === undefined
    ? tiers.length === 1 ? tiers[0] : undefined
    : tiers.find(({ above }) => inputTokens > above)
  if (rates === undefined) return undefined
  const input = partly(inputTokens, rates.input, [
    [usage.cachedInputTokens, rates.cachedInput],
    ...writes(rates, usage)
  ])
  const output = partly(usage.outputTokens, rates.output, [[usage.reasoningTokens, rates.reasoning]])
  return input === undefined || output === undefined ? undefined : (input + output + perMillion / 2n) / perMillion
}

/** The cost of the tools that the provider ran, by the price of one use; `undefined` where a price is unknown. */
export const costOfTools = (
  { serverToolUse = {} }: Usage,
  priceOf: (tool: string) => Money.Picodollars | undefined
): Money.Picodollars | undefined => {
  let sum = 0n
  for (const [name, count] of Object.entries(serverToolUse)) {
    const each = count === 0 ? 0n : priceOf(name)
    if (each === undefined || !Number.isFinite(count)) return undefined
    sum += tokens(count) * each
  }
  return sum
}

/** The cost of usage, to the nearest picodollar; `undefined` where a price, or a count with a price, is unknown. */
export const cost = (price: ExactPrice, usage: Usage): Money.Picodollars | undefined => {
  const rates = price.rates(usage.serviceTier)
  const ofTokens = rates && costOfTokens(rates, usage)
  const ofTools = costOfTools(usage, price.tool)
  return ofTokens === undefined || ofTools === undefined ? undefined : price.request + ofTokens + ofTools
}

/** A checked table. */
export type ExactPrices = ReadonlyMap<string, ReadonlyMap<string, ExactPrice>>

/** Checks a table. Throws `InvalidOption`. */
export const checkAll = (prices: Prices): ExactPrices =>
  new Map(
    Object.entries(prices).map(([provider, models]) => [
      provider,
      new Map(
        Object.entries(models).map(([model, price]) => [model, check(`prices.${provider}.${model}`, provider, price)])
      )
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
