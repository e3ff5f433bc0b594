/**
 * Metrics of the client: a logger that counts and measures by Effect's `Metric`, for any exporter of it. The names are
 * those of OpenTelemetry's conventions for generative AI (v0.1.0), and `effect_llm.*` for what the conventions lack.
 *
 * | Name | Kind | Labels besides provider and model |
 * | --- | --- | --- |
 * | `gen_ai.client.inference.duration` | histogram, s | response model, server, `error.type` |
 * | `gen_ai.client.inference.time_to_first_chunk`, `.time_per_output_chunk` | histogram, s; streams only | response model, server |
 * | `gen_ai.client.inference.usage.input_tokens`, `.output_tokens`, `.cache_read.input_tokens`, `.cache_write.input_tokens`, `.reasoning.output_tokens` | counter, tokens | response model, server, modality |
 * | `gen_ai.client.inference.operation.input_tokens`, `.output_tokens` | histogram, tokens | response model, server |
 * | `effect_llm.failures` | counter, calls that failed for good | `error.type` |
 * | `effect_llm.retries` | counter, attempts that are made again | `error.type` |
 * | `effect_llm.fallbacks` | counter, changes of target | target, `error.type` |
 * | `effect_llm.queue.duration` | histogram, s in the queue of a rate limit | |
 * | `effect_llm.cache.lookups` | counter | result: `hit`, `miss` or `failed` |
 * | `effect_llm.shared_calls` | counter, calls that shared the run of another | |
 * | `effect_llm.circuit.state` | gauge: 0 closed, 1 half open, 2 open | |
 * | `effect_llm.circuit.openings` | counter | |
 * | `effect_llm.output.rejections` | counter, answers that did not fit their schema | |
 * | `effect_llm.cost` | counter, US dollars | response model, server |
 * | `effect_llm.budget.tokens.left`, `effect_llm.budget.cost.left` | gauge, tokens and US dollars | scope; no provider, no model |
 *
 * Each metric has its unit as the label `unit`, where exporters of Effect's metrics look for it. Effect's own labels
 * (`Effect.tagMetrics`) are added. Tags of calls are not, as there may be any number of them.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as MetricLabel from "effect/MetricLabel"
import type { LlmError } from "../domain/LlmError.js"
import type * as LlmEvent from "../domain/LlmEvent.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import * as Check from "../internal/check.js"
import * as LlmLogger from "../LlmLogger.js"
import { attributes, metrics, providerName, secondsBounds, serverOf, tokenBounds } from "./conventions.js"
import * as MetricFamily from "./metricFamily.js"

/**
 * Bounds for the number of series. The registry of Effect's metrics never removes one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The number of different values that each label may have, at least 1: of models, budgets ... Later values are counted
   * together, as `_OTHER`. Default: 100.
   */
  readonly maxValues?: number | undefined
  /**
   * The number of different sets of labels that each metric may have, at least 1. Later ones are counted together, with
   * `_OTHER` for each label. Default: 1,000.
   */
  readonly maxSeries?: number | undefined
}

const options: Check.Names<Options> = { maxValues: true, maxSeries: true }

/** The labels that metrics of an inference share, in the order of their values. */
const inference = [
  attributes.operation,
  attributes.provider,
  attributes.requestModel,
  attributes.responseModel,
  attributes.serverAddress,
  attributes.serverPort
] as const

const asked = [attributes.provider, attributes.requestModel] as const

type Value = string | undefined

/** The model answered, but the reader could not use the answer: the inference itself did not fail. */
const isOfReader = ({ operation, reason }: LlmError): boolean =>
  (operation === "object" || operation === "streamObject") &&
  (reason._tag === "OutputInvalid" || reason._tag === "OutputTruncated" || reason._tag === "Refused")

const circuit = { closed: 0, halfOpen: 1, open: 2 } as const

const makeMetrics = (limits: MetricFamily.Limits) => {
  const { counter, gauge, histogram } = MetricFamily.make(limits)

  const seconds = (name: string, description: string, labels: ReadonlyArray<string>) =>
    histogram({ name, description, labels, unit: "s", bounds: secondsBounds })

  const tokensOfCall = (name: string, description: string) =>
    histogram({ name, description, labels: inference, unit: "{token}", bounds: tokenBounds })

  const tokens = (name: string, description: string) =>
    counter({ name, description, labels: [...inference, attributes.modality], unit: "{token}" })

  const count = (name: string, thing: string, description: string, ...labels: ReadonlyArray<string>) =>
    counter({ name, description, labels: [...asked, ...labels], unit: `{${thing}}` })

  const { budgetScope, cacheResult, errorType, target } = attributes
  return {
    duration: seconds(metrics.duration, "The duration of an inference, with all of its attempts.", [
      ...inference,
      errorType
    ]),
    timeToFirstChunk: seconds(
      metrics.timeToFirstChunk,
      "The time from the request to the first piece of a streamed answer.",
      inference
    ),
    timePerOutputChunk: seconds(
      metrics.timePerOutputChunk,
      "The time between two pieces of a streamed answer.",
      inference
    ),
    inputTokens: tokens(metrics.inputTokens, "Input tokens, those of caches included."),
    outputTokens: tokens(metrics.outputTokens, "Output tokens, those of reasoning included."),
    cacheReadTokens: tokens(metrics.cacheReadTokens, "Input tokens from the provider's cache."),
    cacheWriteTokens: tokens(metrics.cacheWriteTokens, "Input tokens that were written to the provider's cache."),
    reasoningTokens: tokens(metrics.reasoningTokens, "Output tokens of reasoning."),
    inputTokensOfCall: tokensOfCall(metrics.inputTokensOfCall, "The input tokens of an inference."),
    outputTokensOfCall: tokensOfCall(metrics.outputTokensOfCall, "The output tokens of an inference."),
    failures: count(metrics.failures, "call", "Calls that failed for good.", errorType),
    retries: count(metrics.retries, "attempt", "Attempts that failed and are made again.", errorType),
    fallbacks: count(metrics.fallbacks, "change", "Changes to another target.", target, errorType),
    queueDuration: seconds(metrics.queueDuration, "The wait of an attempt in the queue of a rate limit.", asked),
    cacheLookups: count(metrics.cacheLookups, "lookup", "Operations of the client's cache.", cacheResult),
    sharedCalls: count(metrics.sharedCalls, "call", "Calls that shared the run of an equal call."),
    circuitState: gauge({
      name: metrics.circuitState,
      description: "The state of a circuit: 0 closed, 1 half open, 2 open.",
      labels: asked,
      unit: "{state}"
    }),
    circuitOpenings: count(metrics.circuitOpenings, "opening", "Circuits that opened."),
    outputRejections: count(metrics.outputRejections, "answer", "Answers that did not fit their schema."),
    cost: counter({
      name: metrics.cost,
      description: "The cost of answers, in US dollars.",
      labels: inference,
      unit: "{USD}"
    }),
    budgetTokensLeft: gauge({
      name: metrics.budgetTokensLeft,
      description: "The tokens that a budget has left.",
      labels: [budgetScope],
      unit: "{token}"
    }),
    budgetCostLeft: gauge({
      name: metrics.budgetCostLeft,
      description: "The US dollars that a budget has left.",
      labels: [budgetScope],
      unit: "{USD}"
    })
  }
}

const seconds = Duration.toSeconds

/** Updates the metrics with an event. */
type Recorder = (event: LlmEvent.LlmEvent, labels: ReadonlyArray<MetricLabel.MetricLabel>) => void

const makeRecorder = (limits: MetricFamily.Limits): Recorder => {
  const known = makeMetrics(limits)
  const servers = new Map<string, { readonly address: Value; readonly port: Value }>()

  const serverAt = (endpoint: string | undefined) => {
    if (endpoint === undefined) return { address: undefined, port: undefined }
    const found = servers.get(endpoint)
    if (found !== undefined) return found
    const server = serverOf(endpoint)
    // Effect's labels are texts.
    const made = { address: server?.address, port: server && String(server.port) }
    if (servers.size < limits.maxValues) servers.set(endpoint, made)
    return made
  }

  const askedOf = ({ model, provider }: LlmEvent.Common): ReadonlyArray<Value> => [providerName(provider), model]

  const inferenceOf = (
    { endpoint, model, provider }: LlmEvent.CallOk | LlmEvent.CallGaveUp,
    response: LlmResponse | undefined
  ): ReadonlyArray<Value> => {
    // The answer of another target came from another server.
    const server = serverAt(response === undefined || response.provider === provider ? endpoint : undefined)
    return ["chat", providerName(response?.provider ?? provider), model, response?.model, server.address, server.port]
  }

  return (event, labels) => {
    switch (event._tag) {
      case "CallOk": {
        const { chunks, elapsed, latency, response } = event
        const { cacheWriteTokens, cachedInputTokens, inputTokens, outputTokens, reasoningTokens } = response.usage
        const values = inferenceOf(event, response)
        const ofTokens = [...values, "unknown"]
        known.duration(seconds(elapsed ?? latency), [...values, undefined], labels)
        if (chunks !== undefined) {
          known.timeToFirstChunk(seconds(chunks.first), values, labels)
          for (const millis of chunks.between) known.timePerOutputChunk(millis / 1000, values, labels)
        }
        if (inputTokens !== undefined) {
          known.inputTokens(inputTokens, ofTokens, labels)
          known.inputTokensOfCall(inputTokens, values, labels)
        }
        if (outputTokens !== undefined) {
          known.outputTokens(outputTokens, ofTokens, labels)
          known.outputTokensOfCall(outputTokens, values, labels)
        }
        if (cachedInputTokens !== undefined) known.cacheReadTokens(cachedInputTokens, ofTokens, labels)
        if (cacheWriteTokens !== undefined) known.cacheWriteTokens(cacheWriteTokens, ofTokens, labels)
        if (reasoningTokens !== undefined) known.reasoningTokens(reasoningTokens, ofTokens, labels)
        if (response.cost !== undefined) known.cost(response.cost, values, labels)
        return
      }
      case "CallGaveUp": {
        const { attempted = true, error, latency } = event
        const reason = error.reason._tag
        known.failures(1, [...askedOf(event), reason], labels)
        if (attempted && !isOfReader(error)) {
          known.duration(seconds(latency), [...inferenceOf(event, undefined), reason], labels)
        }
        return
      }
      case "CallFailed":
        if (event.willRetry) known.retries(1, [...askedOf(event), event.error.reason._tag], labels)
        return
      case "FellBack":
        return known.fallbacks(
          1,
          [...askedOf(event), event.to, event.error?.reason._tag ?? event.answer?.finishReason],
          labels
        )
      case "RateLimitWaited":
        return known.queueDuration(seconds(event.waited), askedOf(event), labels)
      case "CacheHit":
        return known.cacheLookups(1, [...askedOf(event), "hit"], labels)
      case "CacheMiss":
        return known.cacheLookups(1, [...askedOf(event), "miss"], labels)
      case "CacheFailed":
        return known.cacheLookups(1, [...askedOf(event), "failed"], labels)
      case "CallShared":
        return known.sharedCalls(1, askedOf(event), labels)
      case "CircuitOpened":
        known.circuitOpenings(1, askedOf(event), labels)
        return known.circuitState(circuit.open, askedOf(event), labels)
      case "CircuitHalfOpened":
        return known.circuitState(circuit.halfOpen, askedOf(event), labels)
      case "CircuitClosed":
        return known.circuitState(circuit.closed, askedOf(event), labels)
      case "OutputRejected":
        return known.outputRejections(1, askedOf(event), labels)
      case "BudgetSpent":
        if (event.tokensLeft !== undefined) known.budgetTokensLeft(event.tokensLeft, [event.scope], labels)
        if (event.costLeft !== undefined) known.budgetCostLeft(event.costLeft, [event.scope], labels)
        return
      case "CallStarted":
      case "RateLimitUsed":
        return
    }
  }
}

/**
 * Makes a logger that updates the metrics. An invalid option is a defect that names it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = ({ maxSeries = 1_000, maxValues = 100, ...unknown }: Options = {}): Effect.Effect<
  LlmLogger.Service
> =>
  Effect.sync(() => {
    Check.known(unknown, options)
    const record = makeRecorder({
      maxValues: Check.integer("maxValues", maxValues, 1),
      maxSeries: Check.integer("maxSeries", maxSeries, 1)
    })
    return {
      isImmediate: true,
      log: (event) => Effect.map(Effect.metricLabels, (labels) => record(event, labels))
    }
  })

/**
 * A logger that updates the metrics, with your own limits.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWith = (options: Options): Layer.Layer<LlmLogger.LlmLogger> =>
  Layer.effect(LlmLogger.LlmLogger, make(options))

/**
 * A logger that updates the metrics, and prints nothing. `LlmLogger.layerMerge` adds it to another logger. An exporter of
 * Effect's metrics sends them, such as a layer of `Otlp` of `@effect/opentelemetry`.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { LlmCache, LlmClient, LlmLogger, LlmMetrics, OpenAi } from "effect-llm"
 *
 * const Client = LlmClient.layer().pipe(
 *   Layer.provide([
 *     OpenAi.layerConfig({}),
 *     LlmCache.layerMemory(),
 *     LlmLogger.layer.pipe(LlmLogger.layerMerge(LlmMetrics.layer))
 *   ]),
 *   Layer.provide(FetchHttpClient.layer)
 * )
 * ```
 */
export const layer: Layer.Layer<LlmLogger.LlmLogger> = layerWith({})
