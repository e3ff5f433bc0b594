import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Simulator from "effect-llm/testing/Simulator"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { serverFailed } from "../support/errors.js"
import { errorOf } from "../support/exits.js"
import { client, quickly, simulator, transports } from "../support/overHttp.js"
import { scriptedClient } from "../support/scriptedClient.js"
import { within } from "../support/testClock.js"

const apiKey = Redacted.make("k-0123456789abcdef")

const collect = <A, E, R>(stream: Stream.Stream<A, E, R>) =>
  Effect.map(Stream.runCollect(stream), Chunk.toReadonlyArray)

const providers = {
  OpenAi: { first: "gpt-4o-mini", at: (url: string) => OpenAi.layer({ apiKey, baseUrl: `${url}/v1` }) },
  OpenAiChat: { first: "gpt-4o-mini", at: (url: string) => OpenAiChat.layer({ apiKey, baseUrl: `${url}/v1` }) },
  Anthropic: { first: "claude-haiku-4-5", at: (url: string) => Anthropic.layer({ apiKey, baseUrl: url }) },
  Gemini: { first: "gemini-2.5-flash", at: (url: string) => Gemini.layer({ apiKey, baseUrl: url }) },
  Ollama: { first: "llama3.2:latest", at: (url: string) => Ollama.layer({ apiKey, baseUrl: url }) }
} as const

describe("LlmClient.models: providers", () => {
  for (const [name, { at, first }] of Object.entries(providers)) {
    for (const transport of ["fetch", "lean"] as const) {
      it.scopedLive(`${name} lists its models, over ${transport}`, () =>
        Effect.gen(function*() {
          const { simulator: running } = yield* simulator({ faults: Simulator.sequence([Simulator.status(503)]) })
          const made = yield* client({ provider: at(running.url), client: quickly, transport: transports[transport] })
          const models = yield* collect(made.client.models())
          const [model] = models
          assert.isAbove(models.length, 1)
          assert(model !== undefined)
          assert.strictEqual(model.id, first)
          assert.strictEqual(JSON.stringify(model.metadata).includes(first), true)
          assert.isTrue(Object.isFrozen(model.metadata))
          assert.strictEqual(
            typeof model.inputTokenLimit,
            name === "Anthropic" || name === "Gemini" ? "number" : "undefined"
          )
          const requests = yield* running.requests
          assert.deepStrictEqual(requests.map(({ method, status }) => [method, status]), [["GET", 503], ["GET", 200]])
        }))
    }
  }
})

describe("LlmClient.models", () => {
  const paging = (models: LlmProvider.Service["models"]) =>
    Effect.map(
      Layer.build(
        LlmClient.layerDefault({ retry: { times: 1, jitter: false } }).pipe(
          Layer.provide(LlmProvider.layer({ name: "own", endpoint: "memory:", call: () => Effect.never, models }))
        )
      ),
      (context) => Stream.provideContext(LlmClient.models({ timeout: "2 seconds" }), context)
    )

  const model = (id: string): LlmProvider.Model => ({ id, provider: "own", metadata: {} })

  it.scoped("asks for a page when the one before it has been read", () =>
    Effect.gen(function*() {
      const asked: Array<string | undefined> = []
      const models = yield* paging((page) =>
        Effect.sync(() => {
          asked.push(page)
          return {
            models: [model(`${page} 1`), model(`${page} 2`)],
            ...(asked.length < 3 && { next: `${asked.length}` })
          }
        })
      )
      assert.strictEqual((yield* collect(Stream.take(models, 2))).length, 2)
      assert.deepStrictEqual(asked, [undefined])
      asked.length = 0
      assert.deepStrictEqual((yield* collect(models)).map(({ id }) => id), [
        "undefined 1",
        "undefined 2",
        "1 1",
        "1 2",
        "2 1",
        "2 2"
      ])
    }))

  it.scoped("fails as a call does", () =>
    Effect.gen(function*() {
      const failed = errorOf(yield* within("1 second")(collect(yield* paging(() => Effect.fail(serverFailed)))))
      assert.deepStrictEqual([failed.reason._tag, failed.attempts, failed.operation], ["ServerFailed", 2, "models"])
      assert.strictEqual(
        errorOf(yield* within("5 seconds")(collect(yield* paging(() => Effect.never)))).reason._tag,
        "TimedOut"
      )
    }))

  it.scoped("fails with UnsupportedFeature where the provider has no list", () =>
    Effect.gen(function*() {
      const { client: made } = yield* scriptedClient([])
      const { attempts, reason } = yield* Effect.flip(collect(made.models()))
      assert.deepStrictEqual([reason._tag, attempts], ["UnsupportedFeature", 0])
    }))
})
