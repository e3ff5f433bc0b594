import * as OpenAiClient from "@effect/ai-openai/OpenAiClient"
import * as OpenAiLanguageModel from "@effect/ai-openai/OpenAiLanguageModel"
import * as OpenAiTool from "@effect/ai-openai/OpenAiTool"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Prompt from "@effect/ai/Prompt"
import * as Tool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import { NodeContext, NodeHttpServer } from "@effect/platform-node"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as EffectAi from "effect-llm/EffectAi"
import * as LlmClient from "effect-llm/LlmClient"
import * as OpenAiTools from "effect-llm/OpenAiTools"
import { Cassette, Simulator } from "effect-llm/testing"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { createServer } from "node:http"
import { key, sentences } from "./simulator.js"

const River = Schema.Struct({ name: Schema.String, kilometers: Schema.Number })

const toolkit = Toolkit.make(
  Tool.make("weather", { parameters: { city: Schema.String }, success: Schema.String })
)

/** All that the model is asked, in each way that @effect/ai has. */
const everything = Effect.gen(function*() {
  const prompt = `Echo: ${sentences}`
  const whole = yield* LanguageModel.generateText({ prompt })
  const parts = yield* Stream.runCollect(LanguageModel.streamText({ prompt }))
  const object = yield* LanguageModel.generateObject({ prompt: "Tell about the river Elbe.", schema: River })
  const called = yield* LanguageModel.generateText({ prompt: "What is the weather in Dresden?", toolkit })
  const after = yield* LanguageModel.generateText({
    prompt: Prompt.merge(
      Prompt.merge(Prompt.make("What is the weather in Dresden?"), Prompt.fromResponseParts(called.content)),
      "Echo: Thanks."
    )
  })
  return {
    text: whole.text,
    usage: whole.usage,
    parts: [...parts],
    object: object.value,
    called: called.toolResults.map(({ name, result }) => ({ name, result })),
    after: after.text
  }
}).pipe(
  Effect.provide(toolkit.toLayer({ weather: ({ city }) => Effect.succeed(`It rains in ${city}.`) }))
)

const model = (url: string) =>
  OpenAiLanguageModel.layer({ model: "gpt-4o-mini" }).pipe(
    Layer.provide(OpenAiClient.layer({ apiKey: Redacted.make(key), apiUrl: `${url}/v1` }))
  )

/** No network: whoever comes here has no recording. */
const nowhere = Layer.succeed(
  HttpClient.HttpClient,
  HttpClient.make((request) => Effect.dieMessage(`Asked the network: ${request.url}`))
)

const temporary = Effect.map(
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped()),
  (directory) => `${directory}/effectAi.json`
)

type BridgedModel = Layer.Layer<
  Layer.Layer.Context<ReturnType<typeof EffectAi.layerProvider>>,
  never,
  HttpClient.HttpClient
>

const searches = [
  ["its package's own tool", undefined, EffectAi.providerTool(OpenAiTool.WebSearch({ search_context_size: "low" }))],
  ["a tool of the protocol", "openai", OpenAiTools.webSearch({ contextSize: "low" })]
] as const

describe("@effect/ai", () => {
  it.scopedLive("records and replays a model, whole and streamed, with tools and objects, and no key", () =>
    Effect.gen(function*() {
      const path = yield* temporary
      const simulator = Context.get(
        yield* Layer.build(
          Simulator.layer({ apiKey: key }).pipe(
            Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 }))
          )
        ),
        Simulator.Simulator
      )
      const under = (mode: Cassette.Mode, http: Layer.Layer<HttpClient.HttpClient>) =>
        Effect.provide(
          everything,
          Layer.provide(model(simulator.url), Layer.provide(Cassette.layer(path, { mode }), http))
        )

      const recorded = yield* under("record", FetchHttpClient.layer)
      assert.strictEqual(recorded.text, sentences)
      assert.strictEqual(
        recorded.parts.map((part) => part.type === "text-delta" ? part.delta : "").join(""),
        sentences
      )
      assert.strictEqual(recorded.called[0]?.name, "weather")
      assert.strictEqual(recorded.after, "Thanks.")
      const asked = (yield* simulator.requests).length
      assert.strictEqual(asked, 5)

      const replayed = yield* under("replay", nowhere)
      assert.deepStrictEqual(replayed, recorded)
      const auto = yield* under("auto", nowhere)
      assert.deepStrictEqual(auto, recorded)
      assert.strictEqual((yield* simulator.requests).length, asked)

      const file = yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(path))
      assert.notInclude(file, key)
      assert.strictEqual(JSON.parse(file).exchanges.length, asked)
    }).pipe(Effect.provide(NodeContext.layer)))

  for (const [name, toolProtocol, tool] of searches) {
    it.scopedLive(`runs a search of the provider behind layerProvider, streamed or not: ${name}`, () =>
      Effect.gen(function*() {
        const simulator = Context.get(
          yield* Layer.build(
            Simulator.layer({ apiKey: key }).pipe(
              Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 }))
            )
          ),
          Simulator.Simulator
        )
        const client = LlmClient.layerDefault().pipe(
          Layer.provide(
            EffectAi.layerProvider({ name: "acme", endpoint: simulator.url, model: "gpt-4o-mini", toolProtocol })
          ),
          // The library has a copy of @effect/ai of its own here, whose tag is another one for the compiler.
          Layer.provide(model(simulator.url) as unknown as BridgedModel),
          Layer.provide(FetchHttpClient.layer)
        )
        yield* Effect.gen(function*() {
          const question = {
            model: "gpt-4o-mini",
            prompt: "Use web_search: how long is the Elbe? See https://elbe.example/.",
            providerTools: [tool]
          }
          const answer = yield* LlmClient.call(question)
          const streamed = yield* Stream.runLast(LlmClient.stream(question, { cache: "bypass" }))
          for (
            const { parts } of [
              answer,
              ...streamed._tag === "Some" && streamed.value._tag === "Finish" ? [streamed.value.response] : []
            ]
          ) {
            assert.deepStrictEqual(parts.flatMap((part) => part._tag === "Opaque" ? [part.kind] : []), [
              "tool-call",
              "tool-result"
            ])
            assert.isTrue(parts.some(({ _tag }) => _tag === "Text"))
          }
        }).pipe(Effect.provide(client))
        const requests = yield* simulator.requests
        assert.lengthOf(requests, 2)
        for (const { body, status } of requests) {
          assert.strictEqual(status, 200)
          assert.deepNestedInclude(body, { "tools[0]": { type: "web_search", search_context_size: "low" } })
        }
      }))
  }

  it.scopedLive("gets the nearest recorded request if it asks something else", () =>
    Effect.gen(function*() {
      const path = yield* temporary
      const http = Layer.succeed(
        HttpClient.HttpClient,
        HttpClient.make(() => Effect.dieMessage("Asked the network"))
      )
      const ask = LanguageModel.generateText({ prompt: "Name a river." }).pipe(
        Effect.provide(Layer.provide(
          model("http://127.0.0.1:1"),
          Layer.provide(Cassette.layer(path, { mode: "replay" }), http)
        ))
      )
      const exit = yield* Effect.exit(ask)
      assert(exit._tag === "Failure")
      assert.match(
        Cause.pretty(exit.cause),
        /has no answer to this request: POST http:\/\/127\.0\.0\.1:1\/v1\/responses/
      )
      assert.match(Cause.pretty(exit.cause), /Nothing is recorded\./)
    }).pipe(Effect.provide(NodeContext.layer)))
})
