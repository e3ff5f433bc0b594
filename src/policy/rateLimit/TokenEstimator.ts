/**
 * How many tokens a request has, before a provider has counted them: by its bytes, or with a tokenizer, and better with
 * each answer that tells the count.
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
 * A guess at the input tokens of a request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Estimate {
  readonly model: string
  /** The best guess: a whole number. */
  readonly tokens: number
  /** What was counted, before experience corrected it. */
  readonly counted: number
}

/**
 * What an estimator does. Both at once, as each request waits for it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** Guesses how many input tokens a request has. */
  readonly estimate: (request: LlmRequest) => Estimate
  /** Told how many there were, as the provider counted them. */
  readonly observe: (estimate: Estimate, inputTokens: number) => void
}

/**
 * How many tokens a request has. `RateLimit.limit` takes the one that is there when its layer is built, and counts
 * bytes otherwise.
 *
 * @since 0.1.0
 * @category services
 */
export class TokenEstimator extends Context.Tag("effect-llm/TokenEstimator")<TokenEstimator, Service>() {}

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
   * Whether the counts are corrected, for each model, by what the provider counted. It makes up for what a tokenizer
   * does not see, too: how a provider writes roles and tools. Default: true.
   */
  readonly calibrate?: boolean | undefined
}

// ---------------------------------------------------------------------------------------------------------------------
// Estimators
// ---------------------------------------------------------------------------------------------------------------------

interface Experience {
  /** How many tokens there are for one that is counted. */
  readonly ratio: number
  readonly answers: number
}

/** An answer counts for as much as those before it at first, and for a tenth later on. */
const learn = ({ answers, ratio }: Experience, observed: number): Experience => ({
  ratio: ratio + (observed - ratio) * Math.max(0.1, 1 / (answers + 1)),
  answers: answers + 1
})

/** More models than any program has; the one not heard of for longest goes. */
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
        if (!calibrate || counted <= 0) return
        const experience = learn(experiences.get(model) ?? unknown, inputTokens / counted)
        experiences.delete(model)
        const [oldest] = experiences.keys()
        if (experiences.size >= maxModels && oldest !== undefined) experiences.delete(oldest)
        experiences.set(model, experience)
      }
    }
  })

/**
 * Estimates by bytes, or by a tokenizer of your own. Limits that are built with it share what it learns.
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
