import { assert, describe, it } from "@effect/vitest"
import * as Budget from "effect-llm/Budget"
import * as CircuitBreaker from "effect-llm/CircuitBreaker"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmEvent from "effect-llm/LlmEvent"
import type * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmMetrics from "effect-llm/LlmMetrics"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as MetricState from "effect/MetricState"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { failure, serverFailed } from "../support/errors.js"
import { respond } from "../support/samples.js"
import { within } from "../support/testClock.js"

// The registry of Effect's metrics is one for the whole process: each test has a provider's name of its own.

interface Point {
  readonly name: string
  readonly labels: Record<string, string>
  readonly value: unknown
}

const valueOf = (state: MetricState.MetricState<unknown>): unknown => {
  if (MetricState.isCounterState(state)) return state.count
  if (MetricState.isGaugeState(state)) return state.value
  if (MetricState.isHistogramState(state)) return { count: state.count, sum: state.sum }
  return state
}

/** The series in the registry that have a label with this value. */
const pointsWith = (value: string): ReadonlyArray<Point> =>
  Metric.unsafeSnapshot().flatMap(({ metricKey, metricState }) => {
    const labels = Object.fromEntries(metricKey.tags.map((label) => [label.key, label.value]))
    return Object.values(labels).includes(value) ? [{ name: metricKey.name, labels, value: valueOf(metricState) }] : []
  })

/** The bounds of the buckets of a histogram that has a label with this value. */
const boundsOf = (value: string, name: string): ReadonlyArray<ReadonlyArray<number>> =>
  Metric.unsafeSnapshot().flatMap(({ metricKey, metricState }) =>
    metricKey.name === name && metricKey.tags.some((label) => label.value === value) &&
      MetricState.isHistogramState(metricState)
      ? [metricState.buckets.map(([bound]) => bound)]
      : []
  )

/** The values of a metric, each with those labels that are asked for. */
const valuesOf = (provider: string, name: string, ...labels: ReadonlyArray<string>) =>
  pointsWith(provider).filter((point) => point.name === name).map((point) => [
    ...labels.map((label) => point.labels[label]),
    point.value
  ])

const build = (
  provider: Layer.Layer<LlmProvider.LlmProvider>,
  options: LlmClient.Options = {},
  logger: Layer.Layer<LlmLogger.LlmLogger> = LlmMetrics.layer
) =>
  Effect.map(
    Layer.build(
      LlmClient.layer({ retry: { jitter: false }, ...options }).pipe(
        Layer.provide([provider, LlmCache.layerMemory(), logger])
      )
    ),
    Context.get(LlmClient.LlmClient)
  )

const request = { model: "gpt-4o-mini", prompt: "Name three rivers." } as const

describe("LlmMetrics", () => {
  it.scoped("measures an inference by the conventions' metrics, with their labels and units", () =>
    Effect.gen(function*() {
      const answer = respond("Elbe", {
        provider: "metered",
        model: "gpt-4o-mini-2024-07-18",
        cost: 0.25,
        usage: { inputTokens: 11, cachedInputTokens: 3, cacheWriteTokens: 2, outputTokens: 7, reasoningTokens: 5 }
      })
      const scripted = yield* LlmTest.make([serverFailed, Effect.delay(Effect.succeed(answer), "2 seconds")], {
        name: "metered",
        endpoint: "https://api.metered.example/v1"
      })
      const client = yield* build(scripted.layer)
      yield* within("3 seconds")(client.call(request))

      const labels = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "metered",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "server.address": "api.metered.example",
        "server.port": "443"
      }
      const tokens = { ...labels, unit: "{token}", "gen_ai.token.modality": "unknown" }
      const table: ReadonlyArray<Point> = [
        // A second until the retry, and two for the answer.
        { name: "gen_ai.client.inference.duration", labels: { ...labels, unit: "s" }, value: { count: 1, sum: 3 } },
        { name: "gen_ai.client.inference.usage.input_tokens", labels: tokens, value: 11 },
        { name: "gen_ai.client.inference.usage.output_tokens", labels: tokens, value: 7 },
        { name: "gen_ai.client.inference.usage.cache_read.input_tokens", labels: tokens, value: 3 },
        { name: "gen_ai.client.inference.usage.cache_write.input_tokens", labels: tokens, value: 2 },
        { name: "gen_ai.client.inference.usage.reasoning.output_tokens", labels: tokens, value: 5 },
        {
          name: "gen_ai.client.inference.operation.input_tokens",
          labels: { ...labels, unit: "{token}" },
          value: { count: 1, sum: 11 }
        },
        {
          name: "gen_ai.client.inference.operation.output_tokens",
          labels: { ...labels, unit: "{token}" },
          value: { count: 1, sum: 7 }
        },
        { name: "effect_llm.cost", labels: { ...labels, unit: "{USD}" }, value: 0.25 },
        {
          name: "effect_llm.retries",
          labels: {
            "gen_ai.provider.name": "metered",
            "gen_ai.request.model": "gpt-4o-mini",
            "error.type": "ServerFailed",
            unit: "{attempt}"
          },
          value: 1
        },
        {
          name: "effect_llm.cache.lookups",
          labels: {
            "gen_ai.provider.name": "metered",
            "gen_ai.request.model": "gpt-4o-mini",
            "effect_llm.cache.result": "miss",
            unit: "{lookup}"
          },
          value: 1
        }
      ]
      assert.sameDeepMembers([...pointsWith("metered")], [...table])
    }))

  it.scoped("has the conventions' buckets", () =>
    Effect.gen(function*() {
      const scripted = yield* LlmTest.make(["Elbe"], { name: "bucketed" })
      const client = yield* build(scripted.layer)
      yield* client.call(request)
      assert.deepStrictEqual(boundsOf("bucketed", "gen_ai.client.inference.duration"), [[
        0.01,
        0.02,
        0.04,
        0.08,
        0.16,
        0.32,
        0.64,
        1.28,
        2.56,
        5.12,
        10.24,
        20.48,
        40.96,
        81.92,
        Infinity
      ]])
    }))

  it.scoped("measures the pieces of a stream, and leaves out what is not known", () =>
    Effect.gen(function*() {
      const scripted = yield* LlmTest.make([
        LlmTest.stream(Stream.mapEffect(
          Stream.make(["Elbe", 2] as const, [", Rhine", 1] as const, [", Oder", 4] as const),
          ([text, wait]) => Effect.delay(Effect.succeed(text), Duration.seconds(wait))
        ))
      ], { name: "streamed" })
      const client = yield* build(scripted.layer)
      yield* within("7 seconds")(Stream.runDrain(client.stream(request)))
      assert.deepStrictEqual(valuesOf("streamed", "gen_ai.client.inference.time_to_first_chunk"), [
        [{ count: 1, sum: 2 }]
      ])
      assert.deepStrictEqual(valuesOf("streamed", "gen_ai.client.inference.time_per_output_chunk"), [
        [{ count: 2, sum: 5 }]
      ])
      assert.deepStrictEqual(valuesOf("streamed", "gen_ai.client.inference.duration", "server.address"), [
        [undefined, { count: 1, sum: 7 }]
      ])
    }))

  it.scoped("counts failures by their reason, and the inference of a failed call once, though others share it", () =>
    Effect.gen(function*() {
      const scripted = yield* LlmTest.make([
        LlmTest.repeat(Effect.delay(failure(LlmError.Overloaded.make({})), "1 second"))
      ], { name: "failing" })
      const client = yield* build(scripted.layer, { retry: false })
      const call = Effect.exit(client.call(request))
      yield* within("1 second")(Effect.all([call, call, call], { concurrency: 3 }))
      assert.deepStrictEqual(valuesOf("failing", "effect_llm.failures", "error.type"), [["Overloaded", 3]])
      assert.deepStrictEqual(valuesOf("failing", "gen_ai.client.inference.duration", "error.type"), [
        ["Overloaded", { count: 1, sum: 1 }]
      ])
      assert.deepStrictEqual(valuesOf("failing", "effect_llm.retries"), [])
    }))

  it.scoped("counts an answer that its reader could not use as an inference that succeeded", () =>
    Effect.gen(function*() {
      const scripted = yield* LlmTest.make([LlmTest.repeat("no JSON")], { name: "unreadable" })
      const client = yield* build(scripted.layer)
      yield* Effect.exit(client.object(Schema.Struct({ river: Schema.String }), request, { reask: 0 }))
      assert.deepStrictEqual(valuesOf("unreadable", "effect_llm.failures", "error.type"), [["OutputInvalid", 1]])
      assert.deepStrictEqual(valuesOf("unreadable", "effect_llm.output.rejections"), [[1]])
      assert.deepStrictEqual(
        valuesOf("unreadable", "gen_ai.client.inference.duration", "error.type").map(([type]) => type),
        [undefined]
      )
    }))

  it.scoped("counts what the cache and shared runs save", () =>
    Effect.gen(function*() {
      const scripted = yield* LlmTest.make([Effect.delay(LlmTest.text("Elbe"), "1 second")], { name: "saving" })
      const client = yield* build(scripted.layer)
      yield* within("1 second")(Effect.all([client.call(request), client.call(request)], { concurrency: 2 }))
      yield* client.call(request)
      assert.sameDeepMembers(valuesOf("saving", "effect_llm.cache.lookups", "effect_llm.cache.result"), [
        ["miss", 2],
        ["hit", 1]
      ])
      assert.deepStrictEqual(valuesOf("saving", "effect_llm.shared_calls"), [[1]])
      assert.deepStrictEqual(valuesOf("saving", "gen_ai.client.inference.duration"), [[{ count: 1, sum: 1 }]])
    }))

  it.scoped("shows the state of a circuit", () =>
    Effect.gen(function*() {
      const scripted = yield* LlmTest.make([serverFailed, "Elbe"], { name: "broken" })
      const client = yield* build(
        scripted.layer.pipe(CircuitBreaker.protect({ consecutive: 1, openFor: "10 seconds" })),
        { retry: false }
      )
      yield* Effect.exit(client.call(request))
      assert.deepStrictEqual(valuesOf("broken", "effect_llm.circuit.state"), [[2]])
      yield* within("10 seconds")(Effect.sleep("10 seconds"))
      yield* client.call(request)
      assert.deepStrictEqual(valuesOf("broken", "effect_llm.circuit.state"), [[0]])
      assert.deepStrictEqual(valuesOf("broken", "effect_llm.circuit.openings"), [[1]])
    }))

  it.scoped("shows what is left of a budget, and counts changes of target and waits in a queue", () =>
    Effect.gen(function*() {
      const scripted = yield* LlmTest.make([LlmTest.text("Elbe", { usage: { inputTokens: 30, outputTokens: 12 } })], {
        name: "limited"
      })
      const client = yield* build(
        scripted.layer.pipe(Budget.limit({ scope: "metered-day", tokens: 10_000 }), Layer.provide(Budget.layerMemory))
      )
      yield* client.call({ ...request, maxTokens: 100 })
      assert.deepStrictEqual(valuesOf("metered-day", "effect_llm.budget.tokens.left"), [[9_958]])
      assert.deepStrictEqual(valuesOf("metered-day", "effect_llm.budget.cost.left"), [])

      const common = { provider: "changing", model: "gpt-4o-mini" }
      const { log } = yield* LlmMetrics.make()
      const error = new LlmError.LlmError({ operation: "call", attempts: 1, reason: LlmError.Overloaded.make({}) })
      yield* log(LlmEvent.FellBack({ ...common, to: "anthropic/claude-haiku-4-5", error }))
      yield* log(LlmEvent.RateLimitWaited({ ...common, waited: Duration.seconds(3) }))
      yield* log(LlmEvent.CacheFailed({ ...common, operation: "get", problem: "it hangs" }))
      assert.deepStrictEqual(valuesOf("changing", "effect_llm.fallbacks", "effect_llm.target", "error.type"), [
        ["anthropic/claude-haiku-4-5", "Overloaded", 1]
      ])
      assert.deepStrictEqual(valuesOf("changing", "effect_llm.queue.duration"), [[{ count: 1, sum: 3 }]])
      assert.deepStrictEqual(valuesOf("changing", "effect_llm.cache.lookups", "effect_llm.cache.result"), [
        ["failed", 1]
      ])
    }))

  it.effect("bounds the values of a label and the series of a metric, and loses no count", () =>
    Effect.gen(function*() {
      const countAll = (provider: string, options: LlmMetrics.Options) =>
        Effect.gen(function*() {
          const { log } = yield* LlmMetrics.make(options)
          for (let at = 0; at < 500; at++) {
            yield* log(LlmEvent.CacheMiss({ provider, model: `model-${at % 50}` }))
            yield* log(LlmEvent.CallShared({ provider, model: `model-${at % 50}`, latency: Duration.zero }))
          }
          return valuesOf(provider, "effect_llm.cache.lookups", "gen_ai.request.model")
        })
      const byValues = yield* countAll("many-values", { maxValues: 3 })
      assert.sameDeepMembers(byValues, [["model-0", 10], ["model-1", 10], ["model-2", 10], ["_OTHER", 470]])
      yield* countAll("many-series", { maxSeries: 4 })
      const inAll = pointsWith("_OTHER").filter(({ labels, name }) =>
        name === "effect_llm.cache.lookups" && labels["gen_ai.provider.name"] === "_OTHER"
      )
      assert.deepStrictEqual(inAll.map(({ value }) => value), [460])
    }))

  it.effect("adds the labels of the fiber, and none of the call's tags", () =>
    Effect.gen(function*() {
      const { log } = yield* LlmMetrics.make()
      yield* Effect.tagMetrics(
        log(LlmEvent.CacheMiss({ provider: "tagged", model: "gpt-4o-mini", tags: { user: "u-17" } })),
        "region",
        "eu"
      )
      assert.deepStrictEqual(pointsWith("tagged").map(({ labels }) => labels), [{
        "gen_ai.provider.name": "tagged",
        "gen_ai.request.model": "gpt-4o-mini",
        "effect_llm.cache.result": "miss",
        region: "eu",
        unit: "{lookup}"
      }])
    }))

  it.effect("names the conventions' providers", () =>
    Effect.gen(function*() {
      const { log } = yield* LlmMetrics.make()
      for (
        const [own, convention] of [
          ["gemini", "gcp.gemini"],
          ["mistral", "mistral_ai"],
          ["moonshot", "moonshot_ai"],
          ["azure", "azure.ai.openai"],
          ["anthropic", "anthropic"]
        ] as const
      ) {
        yield* log(LlmEvent.CacheMiss({ provider: own, model: `names-${own}` }))
        assert.deepStrictEqual(
          pointsWith(`names-${own}`).map(({ labels }) => labels["gen_ai.provider.name"]),
          [convention]
        )
      }
    }))

  it.effect("refuses options that make no sense", () =>
    Effect.gen(function*() {
      for (const options of [{ maxValues: 0 }, { maxSeries: 1.5 }, { maxLabels: 3 }]) {
        const exit = yield* Effect.exit(LlmMetrics.make(options))
        assert.include(String(exit), Object.keys(options)[0]!)
      }
    }))
})
