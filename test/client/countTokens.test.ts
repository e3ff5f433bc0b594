import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as Simulator from "effect-llm/testing/Simulator"
import * as TokenEstimator from "effect-llm/TokenEstimator"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { serverFailed } from "../support/errors.js"
import { errorOf, valueOf } from "../support/exits.js"
import { json, provider, reasonOf } from "../support/fakeHttp.js"
import { client, quickly, simulator } from "../support/overHttp.js"
import { request } from "../support/samples.js"
import { scriptedClient } from "../support/scriptedClient.js"
import { within } from "../support/testClock.js"

const apiKey = Redacted.make("k-0123456789abcdef")

const tool: LlmRequest.Tool = { name: "look_up", description: "Looks up a river.", parameters: { type: "object" } }

/** A request with all that counts, and settings that do not. */
const input = (model: string): LlmRequest.Input => ({
  model,
  system: "You are terse.",
  prompt: "How long is the Elbe?",
  tools: [tool],
  maxTokens: 200,
  temperature: 0.5,
  stop: ["."],
  user: "user-17"
})

const providers = {
  OpenAi: { model: "gpt-4o-mini", at: (url: string) => OpenAi.layer({ apiKey, baseUrl: `${url}/v1` }) },
  Anthropic: { model: "claude-sonnet-4-5", at: (url: string) => Anthropic.layer({ apiKey, baseUrl: url }) },
  Gemini: { model: "gemini-2.5-flash", at: (url: string) => Gemini.layer({ apiKey, baseUrl: url }) }
} as const

describe("LlmClient.countTokens: providers", () => {
  for (const [name, { at, model }] of Object.entries(providers)) {
    it.scopedLive(`${name} counts what a call has, and no settings`, () =>
      Effect.gen(function*() {
        const { simulator: running } = yield* simulator()
        const { client: made } = yield* client({ provider: at(running.url) })
        const { stop: _, ...answered } = input(model)
        const { usage } = yield* made.call(name === "OpenAi" ? answered : input(model))
        const counted = yield* made.countTokens(input(model))
        assert.deepStrictEqual(counted, { tokens: usage.inputTokens ?? 0, source: "provider" })
        const [, { outcome, protocol } = { outcome: "none" }] = yield* running.requests
        assert.strictEqual(outcome, "answered")
        assert.match(protocol ?? "", /count-tokens$/)
      }))

    it.scopedLive(`${name} is asked again after a failure of the server`, () =>
      Effect.gen(function*() {
        const { simulator: running } = yield* simulator({ faults: Simulator.sequence([Simulator.status(503)]) })
        const { client: made, events } = yield* client({ provider: at(running.url), client: quickly })
        assert.strictEqual((yield* made.countTokens({ ...request, model })).source, "provider")
        assert.deepStrictEqual((yield* events).map(({ _tag }) => _tag), [
          "CallStarted",
          "CallFailed",
          "CallStarted",
          "CallOk"
        ])
      }))

    it.effect(`${name} without a number in its answer is malformed`, () =>
      Effect.gen(function*() {
        for (const body of [{}, { input_tokens: "7", totalTokens: "7" }, { input_tokens: -1, totalTokens: -1 }]) {
          const { provider: made } = yield* provider(at("https://service.test"), json(body))
          const decoded = yield* LlmRequest.decode({ ...request, model })
          assert(made.countTokens !== undefined)
          reasonOf(yield* Effect.flip(made.countTokens(decoded)), "MalformedResponse")
        }
      }))
  }

  it.scopedLive("a server that speaks the protocol without counting is estimated", () =>
    Effect.gen(function*() {
      const { simulator: running } = yield* simulator({
        faults: Simulator.always(Simulator.status(404, { body: "no such route" }))
      })
      const { client: made } = yield* client({ provider: providers.OpenAi.at(running.url) })
      assert.strictEqual((yield* made.countTokens(request)).source, "estimate")
    }))

  it.scopedLive("Ollama has no counting: it is estimated, and not asked", () =>
    Effect.gen(function*() {
      const { simulator: running } = yield* simulator()
      const { client: made } = yield* client({ provider: Ollama.layer({ baseUrl: running.url }) })
      const { source, tokens } = yield* made.countTokens({ model: "llama3.2", prompt: "a".repeat(300) })
      assert.deepStrictEqual([source, (yield* running.requests).length], ["estimate", 0])
      assert.isAtLeast(tokens, 100)
    }))
})

describe("LlmClient.countTokens", () => {
  it.scoped("estimates with the program's own estimator", () =>
    Effect.gen(function*() {
      const { client: made } = yield* scriptedClient([])
      const estimator = yield* TokenEstimator.make({ countText: () => 7 })
      const counted = yield* made.countTokens(request).pipe(
        Effect.provideService(TokenEstimator.TokenEstimator, estimator)
      )
      assert.deepStrictEqual(counted, { tokens: 11, source: "estimate" })
    }))

  const counting = (countTokens: NonNullable<LlmProvider.Service["countTokens"]>) =>
    Effect.map(
      Layer.build(
        LlmClient.layerDefault({ retry: { times: 1, jitter: false } }).pipe(
          Layer.provide(LlmProvider.layer({ name: "own", endpoint: "memory:", call: () => Effect.never, countTokens }))
        )
      ),
      (context) => Effect.provide(LlmClient.countTokens(request, { timeout: "2 seconds" }), context)
    )

  it.scoped("keeps to the limit of an attempt, and is retried", () =>
    Effect.gen(function*() {
      const exit = yield* within("5 seconds")(yield* counting(() => Effect.never))
      const { attempts, operation, reason } = errorOf(exit)
      assert.deepStrictEqual([reason._tag, attempts, operation], ["TimedOut", 2, "countTokens"])
    }))

  it.scoped("fails with the provider's failure, and estimates nothing then", () =>
    Effect.gen(function*() {
      const exit = yield* within("1 second")(yield* counting(() => Effect.fail(serverFailed)))
      assert.strictEqual(errorOf(exit).reason._tag, "ServerFailed")
    }))

  it.scoped("estimates where the provider says that it cannot", () =>
    Effect.gen(function*() {
      const unable = () => LlmError.fail({ _tag: "UnsupportedFeature", feature: "counting" })
      assert.strictEqual(valueOf(yield* within("0 millis")(yield* counting(unable))).source, "estimate")
    }))

  it.scoped("refuses a wrong request, and a wrong option", () =>
    Effect.gen(function*() {
      const { client: made } = yield* scriptedClient([])
      for (const count of [made.countTokens({ model: "", prompt: "a" }), made.countTokens(request, { timeout: 0 })]) {
        assert.strictEqual((yield* Effect.flip(count)).reason._tag, "InvalidRequest")
      }
    }))
})
