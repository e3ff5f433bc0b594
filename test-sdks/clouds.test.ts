import { AnthropicBedrockMantle } from "@anthropic-ai/bedrock-sdk"
import type OfficialAnthropic from "@anthropic-ai/sdk"
import { AnthropicVertex } from "@anthropic-ai/vertex-sdk"
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { GoogleGenAI } from "@google/genai"
import { Anthropic, Gemini, LlmClient, type LlmProvider, type LlmRequest, OpenAi } from "effect-llm"
import * as AwsSignature from "effect-llm/AwsSignature"
import type { Simulator } from "effect-llm/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { OAuth2Client } from "google-auth-library"
import { createServer, type IncomingHttpHeaders } from "node:http"
import type { AddressInfo } from "node:net"
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

/** What the request to Claude says, for both. */
const claude = {
  own: { maxTokens: 1000, system: "Be terse.", stop: ["END"] },
  theirs: {
    max_tokens: 1000,
    system: "Be terse.",
    stop_sequences: ["END"],
    messages: [{ role: "user", content: prompt }]
  } satisfies Partial<OfficialAnthropic.MessageCreateParamsNonStreaming>
}

/** The version of the protocol that Anthropic's SDK has. */
const version = "2026-10-21"

/** The headers that Anthropic's protocol has beside the key's. */
const ofProtocol = ({ headers }: Simulator.ReceivedRequest) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => /^(?:anthropic-|content-type$)/.test(name)))

/** The same text in both forms that the protocol has for it. */
const asBlocks = (content: unknown) => typeof content === "string" ? [{ type: "text", text: content }] : content

const normal = (body: Record<string, unknown>) => ({
  ...body,
  ...("system" in body && { system: asBlocks(body["system"]) }),
  messages: (body["messages"] as Array<OfficialAnthropic.MessageParam>)
    .map(({ content, role }) => ({ role, content: asBlocks(content) }))
})

/** The bodies and headers of Claude's protocol are the same. */
const bothOfClaude = async (simulator: Running) => {
  const { own, theirs } = await both(simulator)
  assert.deepStrictEqual(normal(own), normal(theirs))
  const [official, ours] = await simulator.requests()
  assert(official !== undefined && ours !== undefined)
  assert.deepStrictEqual(ofProtocol(ours), ofProtocol(official))
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

  const model = "anthropic.claude-haiku-4-5"

  it("gets requests for Claude with a key as AnthropicBedrockMantle sends them, at the same address", () =>
    simulated({ apiKey: key }, async (simulator) => {
      const official = new AnthropicBedrockMantle({ apiKey: key, awsRegion: "us-east-1" })
      assert.strictEqual(official.baseURL, Anthropic.bedrock({ region: "us-east-1", apiKey }).baseUrl)
      const baseURL = `${simulator.url}/anthropic`
      const client = new AnthropicBedrockMantle({ apiKey: key, awsRegion: "us-east-1", baseURL, maxRetries: 0 })
      await client.messages.create({ model, ...claude.theirs })
      const bedrock = Anthropic.bedrock({ apiKey, region: "us-east-1", baseUrl: baseURL, version })
      await ours(Anthropic.layer(bedrock), model, claude.own)
      await bothOfClaude(simulator)
    }))

  it("gets requests for Claude that are signed as AnthropicBedrockMantle signs them", async () => {
    const received: Array<{ readonly path: string | undefined; readonly headers: IncomingHttpHeaders }> = []
    const server = createServer(({ headers, url }, response) => {
      received.push({ path: url, headers })
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({
        id: "msg_1",
        type: "message",
        role: "assistant",
        model,
        content: [{ type: "text", text: "The Elbe." }],
        stop_reason: "end_turn",
        usage: { input_tokens: 8, output_tokens: 4 }
      }))
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    try {
      const [accessKeyId, secret, token] = ["AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "token-0123456"]
      const baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/anthropic`
      const client = new AnthropicBedrockMantle({
        awsAccessKey: accessKeyId,
        awsSecretAccessKey: secret,
        awsSessionToken: token,
        awsRegion: "us-east-1",
        baseURL,
        maxRetries: 0
      })
      await client.messages.create({ model, ...claude.theirs })
      const credentials = { accessKeyId, secretAccessKey: Redacted.make(secret), sessionToken: Redacted.make(token) }
      const sign = AwsSignature.make({ region: "us-east-1", credentials })
      const bedrock = Anthropic.bedrock({ region: "us-east-1", baseUrl: baseURL, version, sign })
      await ours(Anthropic.layer(bedrock), model, claude.own)
      const [theirs, own] = received.map(({ headers, path }) => ({
        path,
        // The day may end between the two.
        scope: /^AWS4-HMAC-SHA256 Credential=[^,]+/.exec(headers.authorization ?? "")?.[0].replace(/\/\d{8}\//, "//"),
        token: headers["x-amz-security-token"],
        key: headers["x-api-key"]
      }))
      assert.match(String(own?.scope), /bedrock-mantle/)
      assert.deepStrictEqual(own, theirs)
    } finally {
      server.close()
    }
  })
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

  const claudeModel = "claude-haiku-4-5@20251001"

  it("gets requests for Claude as AnthropicVertex sends them", () =>
    simulated({ apiKey: key }, async (simulator) => {
      const baseURL = `${simulator.url}/v1`
      const client = new AnthropicVertex({ region: "us-east5", projectId: "p-1", authClient, baseURL, maxRetries: 0 })
      await client.messages.create({ model: claudeModel, ...claude.theirs })
      const vertex = Anthropic.vertex({ apiKey, project: "p-1", location: "us-east5", baseUrl: simulator.url, version })
      await ours(Anthropic.layer(vertex), claudeModel, claude.own)
      await bothOfClaude(simulator)
    }))

  it("gets streams and counts of Claude at the paths of AnthropicVertex", () =>
    simulated({ apiKey: key }, async (simulator) => {
      const baseURL = `${simulator.url}/v1`
      const client = new AnthropicVertex({ region: "us-east5", projectId: "p-1", authClient, baseURL, maxRetries: 0 })
      await client.messages.stream({ model: claudeModel, ...claude.theirs }).finalMessage()
      await client.messages.countTokens({ model: claudeModel, messages: claude.theirs.messages })
      await Effect.gen(function*() {
        yield* Stream.runDrain(LlmClient.stream({ model: claudeModel, prompt, ...claude.own }))
        yield* LlmClient.countTokens({ model: claudeModel, prompt })
      }).pipe(
        Effect.provide(LlmClient.layerDefault({ retry: false })),
        Effect.provide(
          Anthropic.layer(
            Anthropic.vertex({ apiKey, project: "p-1", location: "us-east5", baseUrl: simulator.url, version })
          ).pipe(Layer.provide(NodeHttpClient.layer))
        ),
        Effect.runPromise
      )
      const [theirStream, theirCount, ownStream, ownCount] = await simulator.requests()
      assert(theirStream && theirCount && ownStream && ownCount)
      assert.deepStrictEqual([ownStream, ownCount].map(addressed), [theirStream, theirCount].map(addressed))
      assert.deepStrictEqual(normal(ownStream.body as never), normal(theirStream.body as never))
      assert.deepStrictEqual(normal(ownCount.body as never), normal(theirCount.body as never))
    }))

  it("has the same address of each place", () => {
    for (const location of ["global", "eu", "us", "europe-west4"]) {
      const { models } = official(undefined, location)
      // Its `apiClient` is private in its types only.
      const { apiClient } = models as unknown as { readonly apiClient: { readonly getBaseUrl: () => string } }
      const expected = apiClient.getBaseUrl().replace(/\/$/, "")
      assert.strictEqual(Gemini.vertex({ project: "p-1", location, apiKey }).baseUrl, expected)
      assert.strictEqual(Anthropic.vertex({ project: "p-1", location, apiKey }).baseUrl, expected)
      const { baseURL } = new AnthropicVertex({ region: location, projectId: "p-1", authClient })
      assert.strictEqual(`${expected}/v1`, baseURL)
    }
  })
})
