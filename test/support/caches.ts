import * as LlmCache from "effect-llm/LlmCache"
import * as Effect from "effect/Effect"

/** A cache that keeps nothing. */
export const noCache: LlmCache.Service = {
  get: () => Effect.succeedNone,
  set: () => Effect.void,
  remove: () => Effect.void
}

/** A memory cache with some of its functions replaced. */
export const cacheWith = (overrides: Partial<LlmCache.Service>) =>
  Effect.map(LlmCache.makeMemory(), (cache): LlmCache.Service => ({ ...cache, ...overrides }))
