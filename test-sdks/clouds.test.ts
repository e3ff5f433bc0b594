import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { GoogleGenAI } from "@google/genai"
import { Anthropic, Gemini, LlmClient, type LlmProvider, type LlmRequest, OpenAi } from "effect-llm"
import type { Simulator } from "effect-llm/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { OAuth2Client } from "google-auth-library"
import type OpenAI from "openai"
import { AzureOpenAI, BedrockOpenAI } from "openai"
import { key, type Running, simulated } from "./simulator.js"

// The presets of the clouds send what the official SDKs send.

const apiKey = Redacted.make(key)

const prompt = "Echo: The Elbe."

/** Calls a provider of this library. */
const ours = (
  layer: ReturnType<typeof OpenAi.layer>,
  model: string,
  more: Partial<LlmRequest.Input> = {}
): Promise<unknown> =>
  LlmClient.call({ model, prompt, ...more } as LlmRequest.Input).pipe(
    Effect.provide(LlmClient.layerDefault({ retry: false })),
    Effect.provide(
      Layer.provide(layer satisfies Layer.Layer<LlmProvider.LlmProvider, never, unknown>, NodeHttpClient.layer)
    ),
    Effect.runPromise
  )

/** Where a request goes, and how it proves who sends it: the same for both. */
const addressed = ({ headers, method, path, protocol }: Simulator.ReceivedRequest) => ({
  method,
  path,
  protocol,
  keys: Object.keys(headers).filter((name) =>
    ["api-key", "authorization", "x-api-key", "x-goog-api-key"].includes(name)
  )
})

const both = async ({ requests }: Running) => {
  const [theirs, own, ...rest] = await requests()
  assert(theirs !== undefined && own !== undefined && rest.length === 0)
  assert.strictEqual(theirs.outcome, "answered")
  assert.deepStrictEqual(addressed(own), addressed(theirs))
  return { theirs: theirs.body as Record<string, unknown>, own: own.body as Record<string, unknown> }
}

describe("Azure", () => {
  const create = (client: OpenAI) => client.responses.create({ model: "my-deployment", input: prompt, store: false })

  it("gets a key as AzureOpenAI sends it", () =>
    simulated({ apiKey: key }, async (simulator) => {
      await create(
        new AzureOpenAI({ apiKey: key, baseURL: `${simulator.url}/openai/v1`, apiVersion: "preview", maxRetries: 0 })
      )
      await ours(OpenAi.layer(OpenAi.azure({ apiKey, baseUrl: simulator.url })), "my-deployment")
      const { own, theirs } = await both(simulator)
      assert.strictEqual(own.model, theirs.model)
    }))

  it("gets a token of Entra ID as AzureOpenAI sends it", () =>
    simulated({ apiKey: key }, async (simulator) => {
      await create(
        new AzureOpenAI({
          azureADTokenProvider: () => Promise.resolve(key),
          baseURL: `${simulator.url}/openai/v1`,
          apiVersion: "preview",
          maxRetries: 0
        })
      )
      const azure = OpenAi.azure({
        apiKey: Effect.succeed(apiKey),
        keyHeader: "authorization",
        baseUrl: `${simulator.url}/openai/v1`
      })
      await ours(OpenAi.layer(azure), "my-deployment")
      await both(simulator)
    }))
})

describe("Bedrock", () => {
  it("gets a key as BedrockOpenAI sends it, at the same address", () =>
    simulated({ apiKey: key }, async (simulator) => {
      const official = new BedrockOpenAI({ apiKey: key, awsRegion: "us-east-1" })
      assert.strictEqual(official.baseURL, OpenAi.bedrock({ region: "us-east-1", apiKey }).baseUrl)
      const client = new BedrockOpenAI({ apiKey: key, baseURL: `${simulator.url}/openai/v1`, maxRetries: 0 })
      await client.responses.create({ model: "gpt-oss-120b", input: prompt })
      const bedrock = OpenAi.bedrock({ apiKey, region: "us-east-1", baseUrl: `${simulator.url}/openai/v1` })
      await ours(OpenAi.layer(bedrock), "gpt-oss-120b")
      await both(simulator)
    }))
})

describe("Vertex AI", () => {
  const authClient = new OAuth2Client()
  authClient.setCredentials({ access_token: key, expiry_date: Date.now() + 3_600_000 })

  const official = (url: string | undefined, location: string) =>
    new GoogleGenAI({
      vertexai: true,
      project: "p-1",
      location,
      googleAuthOptions: { authClient },
      ...(url !== undefined && { httpOptions: { baseUrl: url } })
    })

  it("gets requests for Gemini as @google/genai sends them", () =>
    simulated({ apiKey: key }, async (simulator) => {
      const config = { temperature: 0.5, systemInstruction: "Be terse." }
      await official(simulator.url, "us-east5").models.generateContent({
        model: "gemini-2.5-flash",
        contents: prompt,
        config
      })
      const vertex = Gemini.vertex({ apiKey, project: "p-1", location: "us-east5", baseUrl: simulator.url })
      await ours(Gemini.layer(vertex), "gemini-2.5-flash", { temperature: 0.5, system: "Be terse." })
      const { own, theirs } = await both(simulator)
      assert.deepStrictEqual([own.contents, own.generationConfig], [theirs.contents, theirs.generationConfig])
    }))

  it("has the same address of each place", () => {
    for (const location of ["global", "eu", "us", "europe-west4"]) {
      const { models } = official(undefined, location)
      // Its `apiClient` is private in its types only.
      const { apiClient } = models as unknown as { readonly apiClient: { readonly getBaseUrl: () => string } }
      const expected = apiClient.getBaseUrl().replace(/\/$/, "")
      assert.strictEqual(Gemini.vertex({ project: "p-1", location, apiKey }).baseUrl, expected)
      assert.strictEqual(Anthropic.vertex({ project: "p-1", location, apiKey }).baseUrl, expected)
    }
  })
})
