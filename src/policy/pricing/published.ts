// Prices that providers have published for all of their models, July to November 2026:
// https://platform.openai.com/docs/pricing, https://platform.claude.com/docs/en/about-claude/pricing,
// https://ai.google.dev/gemini-api/docs/pricing, https://console.groq.com/docs/flex-processing

interface ByProvider {
  readonly [provider: string]: { readonly [name: string]: number } | undefined
}

/**
 * The prices of tokens in other tiers of service, as factors of the ordinary ones. Tiers whose price differs by model
 * or by contract (`priority`, provisioned throughput) are not here.
 */
const tierFactors: ByProvider = {
  openai: { batch: 0.5, flex: 0.5 },
  anthropic: { batch: 0.5 },
  gemini: { batch: 0.5, flex: 0.5 },
  groq: { flex: 1 }
}

/** The price of one use of a tool that the provider runs, in US dollars, in addition to its tokens. */
const toolPrices: ByProvider = {
  openai: { web_search: 0.01, file_search: 0.0025 },
  anthropic: { web_search_requests: 0.01, web_fetch_requests: 0 }
}

const own = (data: ByProvider, provider: string, name: string): number | undefined => {
  const ofProvider = Object.hasOwn(data, provider) ? data[provider] : undefined
  return ofProvider !== undefined && Object.hasOwn(ofProvider, name) ? ofProvider[name] : undefined
}

/** A tier by its common name: Vertex calls flex `ON_DEMAND_FLEX`. */
export const tierName = (tier: string): string => tier.toLowerCase().replace(/^on_demand_/, "")

/** The factor for a tier of a provider; `undefined` where none is published. */
export const tierFactor = (provider: string, tier: string): number | undefined =>
  own(tierFactors, provider, tierName(tier))

/** The price of one use of a provider's tool; `undefined` where none is published. */
export const toolPrice = (provider: string, tool: string): number | undefined => own(toolPrices, provider, tool)
