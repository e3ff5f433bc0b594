import * as Otlp from "@effect/opentelemetry/Otlp"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmMetrics from "effect-llm/LlmMetrics"
import * as Pricing from "effect-llm/Pricing"
import * as Simulator from "effect-llm/testing/Simulator"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import { attributesOf, otlpReceiver } from "../support/otlpReceiver.js"
import { providers, quickly, serve, simulator } from "../support/overHttp.js"

const { at, model } = providers.openai

const exporterTo = (baseUrl: string) =>
  Otlp.layerJson({ baseUrl, resource: { serviceName: "rivers" }, replaceLogger: Logger.none })

/** A program that is traced and measured, up to what the exporter sends at its end. */
const exported = <A, E>(
  program: Effect.Effect<A, E, LlmClient.LlmClient>,
  provider: string,
  options: LlmClient.Options = {}
) =>
  Effect.gen(function*() {
    const receiver = yield* otlpReceiver
    const Client = LlmClient.layer({ ...quickly, ...options }).pipe(
      Layer.provide([
        Layer.provide(
          Pricing.priced(at(provider)),
          Pricing.layerPrices({ openai: { [model]: { input: 1, output: 2 } } })
        ),
        LlmCache.layerMemory(),
        LlmLogger.layerSilent.pipe(LlmLogger.layerMerge(LlmMetrics.layer))
      ])
    )
    const result = yield* program.pipe(
      Effect.withSpan("program"),
      Effect.provide(Client),
      Effect.provide(exporterTo(receiver.url)),
      Effect.provide(FetchHttpClient.layer),
      Effect.exit
    )
    assert.deepStrictEqual(receiver.problems, [])
    return { ...receiver, metrics: receiver.metrics(), result }
  })

describe("an OTLP receiver", () => {
  it.scopedLive("gets the spans of a call that is retried, over HTTP, with the conventions' attributes", () =>
    Effect.gen(function*() {
      const { simulator: { url } } = yield* simulator({
        faults: Simulator.sequence([Simulator.status(503), Simulator.ok])
      })
      const { spans } = yield* exported(
        LlmClient.call({ model, prompt: "Name a river.", stop: "END", maxTokens: 50 }),
        url
      )
      const nameOf = (id: string | undefined) => spans.find(({ spanId }) => spanId === id)?.name
      const tree = spans.map(({ name, parentSpanId }) => `${nameOf(parentSpanId) ?? "-"} > ${name}`)
      assert.includeMembers([...tree], [
        "- > program",
        `program > chat ${model}`,
        `chat ${model} > attempt 1`,
        `chat ${model} > attempt 2`
      ])
      assert.strictEqual(new Set(spans.map(({ traceId }) => traceId)).size, 1)
      const chat = spans.find(({ name }) => name === `chat ${model}`)
      assert(chat !== undefined)
      assert.deepStrictEqual([chat.kind, chat.status.code], [3, 1])
      const attributes = attributesOf(chat.attributes)
      assert.deepInclude(attributes, {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.stop_sequences": ["END"],
        "gen_ai.response.finish_reasons": ["stop"],
        "server.address": "127.0.0.1",
        "server.port": Number(new URL(url).port)
      })
      assert.isAbove(Number(attributes["effect_llm.cost"]), 0)
      assert.notInclude(JSON.stringify(spans), "Name a river.")
      const failed = spans.find(({ name }) => name === "attempt 1")
      assert.strictEqual(failed?.status.code, 2)
      assert.oneOf(attributesOf(failed?.attributes ?? [])["error.type"], ["Overloaded", "ServerFailed"])
    }))

  it.scopedLive("gets the metrics of calls and streams, with units and buckets", () =>
    Effect.gen(function*() {
      const { simulator: { url } } = yield* simulator()
      const port = new URL(url).port
      const { metrics } = yield* exported(
        Effect.zipRight(
          LlmClient.call({ model, prompt: "Name a river." }),
          Stream.runDrain(LlmClient.stream({ model, prompt: "Name three rivers." }))
        ),
        url
      )
      // Other metrics of the process are sent, too: those of this server are ours.
      const pointsOf = (name: string) => {
        const metric = metrics.find((metric) => metric.name === name)
        assert(metric !== undefined, name)
        const { dataPoints } = "sum" in metric ? metric.sum : "gauge" in metric ? metric.gauge : metric.histogram
        const own = dataPoints.filter(({ attributes }) => attributesOf(attributes)["server.port"] === port)
        return { unit: metric.unit, points: own }
      }
      const countOf = (name: string) =>
        pointsOf(name).points.reduce((sum, point) => sum + ("count" in point ? point.count : 0), 0)
      assert.strictEqual(countOf("gen_ai.client.inference.duration"), 2)
      assert.strictEqual(countOf("gen_ai.client.inference.time_to_first_chunk"), 1)
      assert.strictEqual(countOf("gen_ai.client.inference.operation.input_tokens"), 2)
      assert.strictEqual(pointsOf("gen_ai.client.inference.duration").unit, "s")
      assert.strictEqual(pointsOf("gen_ai.client.inference.usage.input_tokens").unit, "{token}")
      const [tokens] = pointsOf("gen_ai.client.inference.usage.output_tokens").points
      assert(tokens !== undefined && "asDouble" in tokens)
      assert.isAbove(tokens.asDouble, 0)
      assert.deepInclude(attributesOf(tokens.attributes), {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "gen_ai.token.modality": "unknown",
        "server.address": "127.0.0.1"
      })
    }))

  it.scopedLive("gets prompts and answers where they are asked for", () =>
    Effect.gen(function*() {
      const { simulator: { url } } = yield* simulator()
      const { spans } = yield* exported(
        LlmClient.call({ model, prompt: "Name a river." }),
        url,
        { traceContent: { redact: (text) => text.replace("river", "***") } }
      )
      const chat = spans.find(({ name }) => name === `chat ${model}`)
      const attributes = attributesOf(chat?.attributes ?? [])
      assert.deepStrictEqual(JSON.parse(String(attributes["gen_ai.input.messages"])), [
        { role: "user", parts: [{ type: "text", content: "Name a ***." }] }
      ])
      assert.isString(attributes["gen_ai.output.messages"])
    }))

  it.scopedLive("is the only one: a provider gets no header of a trace", () =>
    Effect.gen(function*() {
      const provider = yield* serve((response) => void response.writeHead(400).end("{}"))
      const { result } = yield* exported(LlmClient.call({ model, prompt: "Name a river." }), provider.url)
      assert.strictEqual(result._tag, "Failure")
      assert.strictEqual(provider.requests.length, 1)
      const names = Object.keys(provider.requests[0]?.headers ?? {})
      assert.deepStrictEqual(names.filter((name) => /trace|b3|baggage|sentry|span/i.test(name)), [])
    }))
})
