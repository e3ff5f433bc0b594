import type * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { client, failureOf, serve, simulator, transports } from "../support/overHttp.js"

const key = "k-0123456789abcdef"
const apiKey = Redacted.make(key)
const token = Effect.succeed(Redacted.make(key))

type ProviderLayer = Layer.Layer<LlmProvider.LlmProvider, unknown, HttpClient.HttpClient>

/** Where a provider sends its requests, as its span and its cache keys have it. */
const endpointOf = (layer: ProviderLayer) =>
  Effect.map(
    Layer.build(Layer.provide(layer, transports.fetch)),
    (context) => Context.get(context, LlmProvider.LlmProvider).endpoint
  )

/** What a simulator got from a call, a stream and a count of a provider, and what it answered. */
const exchanged = Effect.fnUntraced(function*(
  at: (url: string) => Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient>,
  model: string,
  more: Partial<LlmRequest.Input> = {}
) {
  const { simulator: running } = yield* simulator({ apiKey: key })
  const { client: made } = yield* client({ provider: at(running.url), client: { retry: false, cache: {} } })
  const request = { model, prompt: "Echo: The Elbe.", ...more } as LlmRequest.Input
  const answer = yield* made.call(request, { cache: "bypass" })
  const texts = yield* Stream.runCollect(made.streamText(request, { cache: "bypass" }))
  assert.deepStrictEqual([answer.text, [...texts].join("")], ["The Elbe.", "The Elbe."])
  return { answer, made, request, requests: running.requests, received: yield* running.requests }
})

describe("OpenAi.azure", () => {
  it.scopedLive("sends its key as `api-key` to the v1 API, and the deployment as the model", () =>
    Effect.gen(function*() {
      const { answer, received } = yield* exchanged(
        (url) => OpenAi.layer(OpenAi.azure({ apiKey, baseUrl: url })),
        "my-deployment"
      )
      assert.deepStrictEqual(received.map(({ path }) => path), ["/openai/v1/responses", "/openai/v1/responses"])
      assert.isTrue(received.every(({ headers }) => "api-key" in headers && !("authorization" in headers)))
      assert.include(received[0]?.body, { model: "my-deployment" })
      assert.strictEqual(answer.provider, "azure")
    }))

  it.scopedLive("sends a token of Entra ID as a bearer", () =>
    Effect.gen(function*() {
      const { received } = yield* exchanged(
        (url) => OpenAi.layer(OpenAi.azure({ apiKey: token, keyHeader: "authorization", baseUrl: url })),
        "my-deployment"
      )
      assert.isTrue(received.every(({ headers }) => "authorization" in headers && !("api-key" in headers)))
    }))

  for (
    const endpoint of [
      "https://r.openai.azure.com",
      "https://r.openai.azure.com/",
      "https://r.openai.azure.com/openai/v1/"
    ]
  ) {
    it.scoped(`takes the endpoint as it is shown: ${endpoint}`, () =>
      Effect.gen(function*() {
        const expected = "https://r.openai.azure.com/openai/v1/responses"
        assert.strictEqual(yield* endpointOf(OpenAi.layer(OpenAi.azure({ apiKey, baseUrl: endpoint }))), expected)
        const configured = OpenAi.layerConfig(OpenAi.azure({ baseUrl: Config.string("ENDPOINT") }))
        const provider = ConfigProvider.fromMap(new Map([["ENDPOINT", endpoint]]))
        assert.strictEqual(yield* Effect.withConfigProvider(endpointOf(configured), provider), expected)
      }))
  }
})

describe("Gemini.vertex", () => {
  const places = {
    global: "https://aiplatform.googleapis.com",
    "europe-west4": "https://europe-west4-aiplatform.googleapis.com",
    eu: "https://aiplatform.eu.rep.googleapis.com"
  }
  for (const [location, address] of Object.entries(places)) {
    it.scoped(`is at ${address} for ${location}`, () =>
      Effect.gen(function*() {
        assert.strictEqual(
          yield* endpointOf(Gemini.layer(Gemini.vertex({ project: "p-1", location, apiKey: token }))),
          `${address}/v1beta1/projects/p-1/locations/${location}`
        )
      }))
  }

  it.scopedLive("has the project, the location and the publisher in its paths, and a token as a bearer", () =>
    Effect.gen(function*() {
      const { made, received, request, requests } = yield* exchanged(
        (url) => Gemini.layer(Gemini.vertex({ project: "p-1", location: "us-east5", apiKey: token, baseUrl: url })),
        "gemini-2.5-flash",
        { system: "Be terse." }
      )
      const model = "/v1beta1/projects/p-1/locations/us-east5/publishers/google/models/gemini-2.5-flash"
      assert.deepStrictEqual(received.map(({ path }) => path), [
        `${model}:generateContent`,
        `${model}:streamGenerateContent`
      ])
      assert.isTrue(received.every(({ headers }) => "authorization" in headers && !("x-goog-api-key" in headers)))
      assert.isAbove((yield* made.countTokens(request)).tokens, 0)
      const count = (yield* requests).at(-1)
      assert(count !== undefined)
      assert.strictEqual(count.path, `${model}:countTokens`)
      assert.hasAllKeys(count.body, ["contents", "generationConfig", "systemInstruction"])
    }))

  it.scopedLive("takes models of other publishers, and endpoints of the project", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* serve((response) => response.writeHead(404).end())
      const { client: made } = yield* client({
        provider: Gemini.layer(Gemini.vertex({ project: "p", apiKey: token, baseUrl: url })),
        client: { retry: false }
      })
      for (const model of ["publishers/meta/models/llama-4", "endpoints/123", "models/gemini-2.5-pro"]) {
        yield* failureOf(made.call({ model, prompt: "Name a river." }))
      }
      const place = "/v1beta1/projects/p/locations/global"
      assert.deepStrictEqual(requests.map(({ url }) => url), [
        `${place}/publishers/meta/models/llama-4:generateContent`,
        `${place}/endpoints/123:generateContent`,
        `${place}/publishers/google/models/gemini-2.5-pro:generateContent`
      ])
    }))

  it.scopedLive("has neither embeddings nor a list of models", () =>
    Effect.gen(function*() {
      const { client: made } = yield* client({ provider: Gemini.layer(Gemini.vertex({ project: "p", apiKey: token })) })
      const error = yield* failureOf(made.embed({ model: "gemini-embedding-001", input: "Elbe" }))
      assert.strictEqual(error.reason._tag, "UnsupportedFeature")
      const other = yield* failureOf(Stream.runDrain(made.models()))
      assert.strictEqual(other.reason._tag, "UnsupportedFeature")
    }))
})

describe("Anthropic.vertex", () => {
  it.scopedLive("has the model in its path, and the version in its body", () =>
    Effect.gen(function*() {
      const { answer, made, received, request, requests } = yield* exchanged(
        (url) =>
          Anthropic.layer(Anthropic.vertex({ project: "p-1", location: "us-east5", apiKey: token, baseUrl: url })),
        "claude-sonnet-4-5@20250929"
      )
      const models = "/v1/projects/p-1/locations/us-east5/publishers/anthropic/models"
      assert.deepStrictEqual(received.map(({ path }) => path), [
        `${models}/claude-sonnet-4-5@20250929:rawPredict`,
        `${models}/claude-sonnet-4-5@20250929:streamRawPredict`
      ])
      for (const { body, headers } of received) {
        assert.include(body, { anthropic_version: "vertex-2023-10-16" })
        assert.notProperty(body, "model")
        assert.isTrue("authorization" in headers && !("x-api-key" in headers) && !("anthropic-version" in headers))
      }
      assert.strictEqual(answer.model, "claude-sonnet-4-5@20250929")
      assert.isAbove((yield* made.countTokens(request)).tokens, 0)
      const count = (yield* requests).at(-1)
      assert(count !== undefined)
      assert.strictEqual(count.path, `${models}/count-tokens:rawPredict`)
      assert.include(count.body, { anthropic_version: "vertex-2023-10-16", model: "claude-sonnet-4-5@20250929" })
    }))

  it.scopedLive("has the version that the program has chosen in its body", () =>
    Effect.gen(function*() {
      const { received } = yield* exchanged(
        (url) =>
          Anthropic.layer(Anthropic.vertex({ project: "p-1", apiKey: token, baseUrl: url, version: "2026-10-21" })),
        "claude-sonnet-4-5@20250929",
        { temperature: 0.5 }
      )
      for (const { body } of received) {
        assert.include(body, { anthropic_version: "2026-10-21" })
        assert.notProperty(body, "temperature")
      }
    }))
})

describe("Bedrock", () => {
  it.scoped("is at its endpoint of the region, in each protocol", () =>
    Effect.gen(function*() {
      const options = { region: "us-east-1", apiKey }
      const host = "https://bedrock-mantle.us-east-1.api.aws"
      assert.deepStrictEqual(
        [
          yield* endpointOf(OpenAi.layer(OpenAi.bedrock(options))),
          yield* endpointOf(OpenAiChat.layer(OpenAiChat.bedrock(options))),
          yield* endpointOf(Anthropic.layer(Anthropic.bedrock(options)))
        ],
        [`${host}/openai/v1/responses`, `${host}/v1/chat/completions`, `${host}/anthropic/v1/messages`]
      )
    }))

  it.scoped("takes no region that leads elsewhere", () =>
    Effect.gen(function*() {
      const layer = OpenAi.layer(OpenAi.bedrock({ region: "evil.example/#", apiKey }))
      const exit = yield* Effect.exit(endpointOf(layer))
      assert.match(String(exit), /baseUrl/)
      assert.notInclude(String(exit), key)
    }))

  const of = (baseUrl: string) => ({ region: "eu-central-1", apiKey: token, baseUrl })
  const layers = {
    OpenAi: {
      model: "gpt-oss-120b",
      at: (url: string) => OpenAi.layer(OpenAi.bedrock(of(`${url}/openai/v1`))),
      own: "api-key"
    },
    OpenAiChat: {
      model: "gpt-oss-120b",
      at: (url: string) => OpenAiChat.layer(OpenAiChat.bedrock(of(`${url}/v1`))),
      own: "api-key"
    },
    Anthropic: {
      model: "anthropic.claude-haiku-4-5",
      at: (url: string) => Anthropic.layer(Anthropic.bedrock(of(`${url}/anthropic`))),
      own: "x-api-key"
    }
  }
  for (const [name, { at, model, own }] of Object.entries(layers)) {
    it.scopedLive(`sends its key as a bearer (${name})`, () =>
      Effect.gen(function*() {
        const { received } = yield* exchanged(at, model)
        assert.isTrue(received.every(({ headers }) => "authorization" in headers && !(own in headers)))
        assert.include(received[0]?.body, { model })
      }))
  }
})

// ---------------------------------------------------------------------------------------------------------------------
// Signatures
// ---------------------------------------------------------------------------------------------------------------------

const chatAnswer = {
  id: "1",
  model: "m",
  choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "The Elbe." } }]
}

describe("requests that are signed", () => {
  it.scopedLive("are signed when they are finished, each attempt anew", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* serve((response, _, n) =>
        n === 1
          ? response.writeHead(500).end()
          : response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(chatAnswer))
      )
      const signed: Array<string> = []
      const { client: made } = yield* client({
        provider: OpenAiChat.layer(OpenAiChat.bedrock({
          region: "us-east-1",
          baseUrl: `${url}/v1`,
          headers: { "x-own": "1" },
          sign: ({ body, headers, method, url }) =>
            Effect.sync(() => {
              signed.push(`${method} ${url} ${headers["x-own"]} ${JSON.parse(body ?? "").model}`)
              const authorization = `AWS4-HMAC-SHA256 Signature=${signed.length}`
              return { headers: { authorization, "x-amz-date": "20261129T000000Z" } }
            })
        })),
        client: { retry: { base: "1 millis", jitter: false } }
      })
      assert.strictEqual((yield* made.call({ model: "m", prompt: "Name a river." })).text, "The Elbe.")
      assert.deepStrictEqual(signed, Array(2).fill(`POST ${url}/v1/chat/completions 1 m`))
      assert.deepStrictEqual(requests.map(({ headers }) => headers.authorization), [
        "AWS4-HMAC-SHA256 Signature=1",
        "AWS4-HMAC-SHA256 Signature=2"
      ])
      assert.isTrue(requests.every(({ headers }) => headers["x-amz-date"] === "20261129T000000Z"))
    }))

  it.scopedLive("leave no secret of the signature in an error that quotes it", () =>
    Effect.gen(function*() {
      const secret = "FwoGZXIvYXdzEXAMPLETOKEN0123456789"
      const { url } = yield* serve((response, { headers }) =>
        response.writeHead(403, { "content-type": "application/json" })
          .end(JSON.stringify({ error: { message: `bad token ${String(headers["x-amz-security-token"])}` } }))
      )
      const { client: made } = yield* client({
        provider: OpenAiChat.layer({
          baseUrl: `${url}/v1`,
          sign: () => Effect.succeed({ headers: { "x-amz-security-token": secret } })
        }),
        client: { retry: false }
      })
      const error = yield* failureOf(made.call({ model: "m", prompt: "Name a river." }))
      assert.include(error.message, "bad token")
      assert.notInclude(JSON.stringify(error), secret)
    }))

  it.scopedLive("are not sent where the signer fails", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* serve((response) => response.writeHead(200).end())
      const { client: made } = yield* client({
        provider: OpenAiChat.layer({
          baseUrl: `${url}/v1`,
          sign: () => LlmError.fail(LlmError.AuthenticationFailed.make({ message: "no credentials" }))
        }),
        client: { retry: false }
      })
      const error = yield* failureOf(made.call({ model: "m", prompt: "Name a river." }))
      assert.strictEqual(error.reason._tag, "AuthenticationFailed")
      assert.lengthOf(requests, 0)
    }))

  it.scoped("do not go over plain http to another machine", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(endpointOf(
        OpenAiChat.layer({ baseUrl: "http://example.com/v1", sign: () => Effect.succeed({ headers: {} }) })
      ))
      assert.match(String(exit), /https where a key is sent/)
    }))
})
