import { assert, describe, it } from "@effect/vitest"
import * as Gemini from "effect-llm/Gemini"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { client, serve, type Transport, transports } from "../../support/overHttp.js"

type Json = { readonly [field: string]: unknown }

const model = "gemini-3-flash"

/** Turns of the model as the service sends them: each has to come back equal. */
const turns: { readonly [name: string]: ReadonlyArray<Json> } = {
  "code that the service ran, between texts": [
    { text: "I calculate.", thoughtSignature: "CpUBAXLI2nx" },
    { executableCode: { language: "PYTHON", code: "print(1 + 1)", id: "c1" }, thoughtSignature: "CpUBAXLI2ny" },
    { codeExecutionResult: { outcome: "OUTCOME_OK", output: "2\n", id: "c1" } },
    { text: "It is 2." }
  ],
  "signed thoughts and a call": [
    { text: "I think so.", thought: true, thoughtSignature: "t==" },
    {
      functionCall: { id: "call_1", name: "look_up", args: { place: "Elbe", deep: [{ a: null }] } },
      thoughtSignature: "c==",
      partMetadata: { order: 1 }
    },
    { functionCall: { id: "call_2", name: "look_up", args: {} } }
  ],
  "tools that the service ran, which have to be echoed": [
    { toolCall: { id: "s1", toolType: "GOOGLE_SEARCH_WEB", args: { queries: ["Elbe"] } }, thoughtSignature: "s==" },
    { toolResponse: { id: "s1", toolType: "GOOGLE_SEARCH_WEB", response: { searchSuggestions: "<div/>" } } },
    { text: "1,094 km.", partMetadata: { from: "s1" } }
  ],
  "images and files": [
    { text: "Here:" },
    { inlineData: { mimeType: "image/png", data: "iVBORw0KGgo=" }, thoughtSignature: "i==" },
    { fileData: { mimeType: "video/mp4", fileUri: "gs://a/b" }, videoMetadata: { fps: 1 } },
    { text: "Like it?" }
  ],
  "a text that is only signed": [{ text: "Yes.", thoughtSignature: "a==" }, { text: "", thoughtSignature: "b==" }],
  "kinds that nobody knows": [{ hologram: { x: [1, { y: null }] } }, { text: "Yes." }]
}

const body = (parts: ReadonlyArray<Json>, candidate: Json = {}, more: Json = {}): Json => ({
  candidates: [{ content: { role: "model", parts }, finishReason: "STOP", index: 0, ...candidate }],
  usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 5 },
  modelVersion: model,
  responseId: "r1",
  ...more
})

const sse = (chunks: ReadonlyArray<Json>): string =>
  chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\r\n\r\n`).join("")

/** How the service streams an answer: a chunk for each part, texts in pieces. */
const streamOf = (parts: ReadonlyArray<Json>, candidate: Json = {}, more: Json = {}): string =>
  sse([
    ...parts.flatMap((part): ReadonlyArray<Json> => {
      if (typeof part.text !== "string" || part.text.length < 2) return [part]
      const { text, ...rest } = part
      const { thought } = part
      return [{ text: text.slice(0, 1), ...(thought !== undefined && { thought }) }, { text: text.slice(1), ...rest }]
    }).map((part) => ({ candidates: [{ content: { role: "model", parts: [part] }, index: 0 }] })),
    body([], candidate, more)
  ])

const trip = (whole: Json, events: string, transport: Transport = "fetch") =>
  Effect.gen(function*() {
    const server = yield* serve((response, { url }) => {
      const streams = url.includes("alt=sse")
      response.writeHead(200, { "content-type": streams ? "text/event-stream" : "application/json" })
        .end(streams ? events : JSON.stringify(whole))
    })
    const { client: llm } = yield* client({
      provider: Gemini.layer({ apiKey: Redacted.make("AIzaTestKey0123456789"), baseUrl: server.url }),
      transport: transports[transport]
    })
    const first = { role: "user", content: "Go." } as const
    const uncached = { cache: "bypass" } as const
    const called = yield* llm.call({ model, messages: [first] }, uncached)
    const last = [...yield* Stream.runCollect(llm.stream({ model, messages: [first] }, uncached))].at(-1)
    assert(last?._tag === "Finish")
    const back = (answer: LlmResponse.LlmResponse) =>
      Effect.map(
        llm.call({ model, messages: [first, answer.message, { role: "user", content: "And?" }] }, uncached),
        ({ warnings }) => ({
          parts: JSON.parse(server.requests.at(-1)?.body ?? "").contents[1].parts as unknown,
          warnings
        })
      )
    return { called, streamed: last.response, sent: [yield* back(called), yield* back(last.response)] }
  }).pipe(Effect.scoped)

describe("Gemini: what came goes back equal", () => {
  for (const [name, parts] of Object.entries(turns)) {
    for (const transport of ["fetch", "undici"] as const) {
      it.live(`${name}, over ${transport}`, () =>
        Effect.gen(function*() {
          const { called, sent, streamed } = yield* trip(body(parts), streamOf(parts), transport)
          for (const { parts: back } of sent) assert.deepStrictEqual(back, parts)
          assert.deepStrictEqual(streamed.parts, called.parts)
          assert.deepStrictEqual(called.raw, body(parts))
          const kinds = new Set(called.parts.flatMap((part) => part._tag === "Opaque" ? [part.kind] : []))
          assert.deepStrictEqual(
            called.warnings,
            [...kinds].map((kind) => `a block of the kind ${kind} was kept as it came`)
          )
        }))
    }
  }
})

describe("Gemini: what an answer says about itself", () => {
  const web = { web: { uri: "https://example.com/elbe", title: "example.com" } }
  const file = { retrievedContext: { uri: "gs://a", title: "Rivers", text: "The Elbe is long." } }
  const grounding = {
    webSearchQueries: ["length of the Elbe"],
    searchEntryPoint: { renderedContent: "<div/>" },
    groundingChunks: [web, file, { maps: { placeId: "places/1", uri: "https://maps.example.com", title: "Elbe" } }],
    groundingSupports: [
      // Places count bytes: "ü" has two.
      { segment: { startIndex: 5, endIndex: 21, text: "1.094 Kilometer" }, groundingChunkIndices: [0, 1] }
    ]
  }
  const text = "Über 1.094 Kilometer."

  it.live("sources stand behind the text that they support, and the metadata has all of them", () =>
    Effect.gen(function*() {
      const fields = {
        groundingMetadata: grounding,
        citationMetadata: { citations: [{ startIndex: 0, endIndex: 5, uri: "https://example.com/u", license: "MIT" }] }
      }
      const { called, sent, streamed } = yield* trip(body([{ text }], fields), streamOf([{ text }], fields))
      for (const answer of [called, streamed]) {
        assert.deepStrictEqual(answer.sources.map(({ json: _, provider: __, ...source }) => source), [
          {
            _tag: "Source",
            kind: "web",
            url: "https://example.com/elbe",
            title: "example.com",
            span: { start: 4, end: 20 }
          },
          {
            _tag: "Source",
            kind: "retrievedContext",
            url: "gs://a",
            title: "Rivers",
            quote: "The Elbe is long.",
            span: { start: 4, end: 20 }
          },
          { _tag: "Source", kind: "maps", id: "places/1", url: "https://maps.example.com", title: "Elbe" },
          { _tag: "Source", kind: "citation", url: "https://example.com/u", span: { start: 0, end: 4 } }
        ])
        assert.deepStrictEqual(answer.providerMetadata, fields)
        assert.strictEqual(answer.parts[0]?._tag, "Text")
      }
      assert.deepStrictEqual(sent.map(({ parts }) => parts), [[{ text }], [{ text }]])
    }))

  it.live("further fields, tokens with their probabilities, and the tier are in it", () =>
    Effect.gen(function*() {
      const fields = {
        avgLogprobs: -0.5,
        urlContextMetadata: { urlMetadata: [] },
        logprobsResult: {
          chosenCandidates: [{ token: "Hi", tokenId: 1, logProbability: -0.1 }],
          topCandidates: [{ candidates: [{ token: "Hi", logProbability: -0.1 }, { token: "Ho", logProbability: -3 }] }]
        }
      }
      const more = {
        modelStatus: { stage: "STABLE" },
        usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 5, trafficType: "PROVISIONED_THROUGHPUT" }
      }
      const { called, streamed } = yield* trip(
        body([{ text: "Hi" }], fields, more),
        streamOf([{ text: "Hi" }], fields, more)
      )
      for (const answer of [called, streamed]) {
        assert.deepStrictEqual(answer.logprobs, [{
          token: "Hi",
          logprob: -0.1,
          top: [{ token: "Hi", logprob: -0.1 }, { token: "Ho", logprob: -3 }]
        }])
        assert.deepStrictEqual(answer.providerMetadata, {
          avgLogprobs: -0.5,
          urlContextMetadata: { urlMetadata: [] },
          modelStatus: { stage: "STABLE" }
        })
        assert.deepStrictEqual(answer.usage, {
          inputTokens: 3,
          outputTokens: 5,
          serviceTier: "PROVISIONED_THROUGHPUT"
        })
      }
    }))

  it.live("the place where the service goes on is in it", () =>
    Effect.gen(function*() {
      const fields = { finishReason: "CONTINUATION", continuationToken: "token" }
      const { called } = yield* trip(body([{ text: "Hi" }], fields), streamOf([{ text: "Hi" }], fields))
      assert.deepStrictEqual([called.finishReason, called.providerMetadata], ["length", { continuationToken: "token" }])
    }))

  it.live("further answers, which are billed, are kept, and do not go back", () =>
    Effect.gen(function*() {
      const other = { index: 1, content: { role: "model", parts: [{ text: "Ho" }] }, finishReason: "STOP" }
      const { candidates, ...rest } = body([{ text: "Hi" }])
      const whole = { candidates: [...candidates as ReadonlyArray<Json>, other], ...rest }
      const { called, sent } = yield* trip(whole, sse([whole]))
      assert.deepStrictEqual<ReadonlyArray<unknown>>(called.parts, [
        { _tag: "Text", text: "Hi" },
        { _tag: "Opaque", provider: "gemini", kind: "candidate 1", json: other }
      ])
      assert.deepStrictEqual(
        sent.map(({ parts, warnings }) => [parts, warnings[0]]),
        [1, 2].map(() => [
          [{ text: "Hi" }],
          "a block of the kind candidate 1 was not sent: gemini does not take it back"
        ])
      )
    }))
})
