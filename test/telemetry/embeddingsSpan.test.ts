import { assert, describe, it } from "@effect/vitest"
import * as Embedding from "effect-llm/Embedding"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import type * as LlmError from "effect-llm/LlmError"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { unauthorized } from "../support/errors.js"
import { type Recorded, recorder } from "../support/recordedSpans.js"

const request = { model: "compass", input: ["The Elbe flows north.", "An oven is hot."] }

const answer = Embedding.make({
  embeddings: [[1, 2, 3], [4, 5, 6]],
  usage: { inputTokens: 20 },
  model: "compass-1",
  provider: "acme"
})

/** The spans of a request for embeddings, however it ends. */
const spansOf = (embed: Effect.Effect<Embedding.Response, LlmError.LlmError>) =>
  Effect.gen(function*() {
    const provider = LlmProvider.make({
      name: "acme",
      endpoint: "https://api.acme.example/v1/embeddings",
      call: () => Effect.dieMessage("no text is asked for"),
      embed: () => embed
    })
    const live = LlmClient.layer().pipe(
      Layer.provide([Layer.succeed(LlmProvider.LlmProvider, provider), LlmCache.layerNone, LlmLogger.layerSilent])
    )
    const { spans, traced } = recorder()
    yield* Effect.exit(traced(Effect.provide(LlmClient.embed(request), live)))
    return spans.filter(({ name }) => name.startsWith("embeddings"))
  })

const attributesOf = (spans: ReadonlyArray<Recorded>) => spans.map(({ attributes }) => Object.fromEntries(attributes))

const common = {
  "gen_ai.operation.name": "embeddings",
  "gen_ai.provider.name": "acme",
  "gen_ai.request.model": "compass",
  "server.address": "api.acme.example",
  "server.port": 443
}

/** The attributes beside those of the request. */
const added = (spans: ReadonlyArray<Recorded>) =>
  attributesOf(spans).map((all) => Object.fromEntries(Object.entries(all).filter(([name]) => !(name in common))))

describe("the span of embeddings", () => {
  it.effect("has the attributes of the conventions, and no text and no vector", () =>
    Effect.gen(function*() {
      const spans = yield* spansOf(Effect.succeed(answer))
      assert.deepStrictEqual(spans.map(({ kind, name }) => [name, kind]), [["embeddings compass", "client"]])
      assert.deepInclude(attributesOf(spans)[0], common)
      assert.deepStrictEqual(added(spans), [{
        "gen_ai.response.model": "compass-1",
        "gen_ai.embeddings.dimension.count": 3,
        "gen_ai.usage.input_tokens": 20
      }])
    }))

  it.effect("names the reason of a failure", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(added(yield* spansOf(unauthorized)), [{ "error.type": "AuthenticationFailed" }])
    }))
})
