/**
 * Estimates the tokens of a request before a provider has counted them: by its bytes, or with a tokenizer, and better
 * with each answer that states the count.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import * as TokenCount from "./tokenCount.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/**
 * An estimate of the input tokens of a request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Estimate {
  readonly model: string
  /** The best guess: a whole number. */
  readonly tokens: number
  /** The count, before the correction by experience. */
  readonly counted: number
}

/**
 * An estimator. Both functions are synchronous, as each request waits for them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** Estimates the input tokens of a request. */
  readonly estimate: (request: LlmRequest) => Estimate
  /** Learns from the provider's count. */
  readonly observe: (estimate: Estimate, inputTokens: number) => void
}

/**
 * Estimates the tokens of requests. `RateLimit.limit` uses the estimator that is provided to its layer. Default: none, and
 * each limit makes its own, which counts bytes.
 *
 * @since 0.1.0
 * @category references
 */
export class TokenEstimator extends Context.Reference<TokenEstimator>()("effect-llm/TokenEstimator", {
  defaultValue: (): Service | undefined => undefined
}) {}

/**
 * How to count.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Counts the tokens of a text for a model. Default: a third of its bytes in UTF-8. */
  readonly countText?: ((text: string, model: string) => number) | undefined
  /**
   * Whether the provider's counts correct these, for each model. That also covers tokens that a tokenizer does not see,
   * such as those of roles and tools. A count more than 8 times as high or as low is taken as an exception and ignored:
   * it may include a file or a search. Default: true.
   */
  readonly calibrate?: boolean | undefined
}

// ---------------------------------------------------------------------------------------------------------------------
// Estimators
// ---------------------------------------------------------------------------------------------------------------------

interface Experience {
  /** The provider's tokens for each token counted here. */
  readonly ratio: number
  readonly answers: number
}

/** Counts further off say nothing about the text of other requests. */
const furthest = 8

const isOutlier = (ratio: number): boolean => !(ratio <= furthest && ratio >= 1 / furthest)

/** An answer counts for as much as those before it at first, and for a tenth later on. */
const learn = ({ answers, ratio }: Experience, observed: number): Experience => ({
  ratio: ratio + (observed - ratio) * Math.max(0.1, 1 / (answers + 1)),
  answers: answers + 1
})

/** More models than any program has; the least recently observed is forgotten. */
const maxModels = 1_000

/**
 * Makes an estimator.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<Service> =>
  Effect.sync(() => {
    const { calibrate = true, countText = TokenCount.ofText } = options
    const experiences = new Map<string, Experience>()
    const unknown: Experience = { ratio: 1, answers: 0 }
    return {
      estimate: (request) => {
        const { model } = request
        const counted = TokenCount.ofRequest(request, (text) => countText(text, model))
        return { model, counted, tokens: Math.ceil(counted * (experiences.get(model) ?? unknown).ratio) }
      },
      observe: ({ counted, model }, inputTokens) => {
        const ratio = inputTokens / counted
        if (!calibrate || isOutlier(ratio)) return
        const experience = learn(experiences.get(model) ?? unknown, ratio)
        experiences.delete(model)
        const [oldest] = experiences.keys()
        if (experiences.size >= maxModels && oldest !== undefined) experiences.delete(oldest)
        experiences.set(model, experience)
      }
    }
  })

/**
 * Estimates by bytes, or by a tokenizer of your own. Limits that are built with it share its experience.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config, Layer } from "effect"
 * import { OpenAi, RateLimit, TokenEstimator } from "effect-llm"
 *
 * // For example that of `gpt-tokenizer`
 * declare const countTokens: (text: string) => number
 *
 * const Provider = OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(
 *   RateLimit.limit({ tokensPerMinute: 200_000 }),
 *   Layer.provide(TokenEstimator.layer({ countText: countTokens }))
 * )
 * ```
 */
export const layer = (options?: Options): Layer.Layer<TokenEstimator> => Layer.effect(TokenEstimator, make(options))
