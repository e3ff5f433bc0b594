import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import type * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as AnthropicTools from "effect-llm/AnthropicTools"
import * as Gemini from "effect-llm/Gemini"
import * as GeminiTools from "effect-llm/GeminiTools"
import * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as OpenAiTools from "effect-llm/OpenAiTools"
import type * as StreamPart from "effect-llm/StreamPart"
import * as Conformance from "effect-llm/testing/Conformance"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { createServer } from "node:http"

interface Service {
  readonly url: string
  readonly apiKey: Redacted.Redacted
}

type ProviderLayer = Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient>

const onSimulator = (provider: (service: Service) => ProviderLayer) =>
  Conformance.simulated(provider).pipe(
    Layer.provide(FetchHttpClient.layer),
    Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 }))
  )

const chat = ({ apiKey, url }: Service): ProviderLayer =>
  OpenAiChat.layer({ apiKey, baseUrl: `${url}/v1`, capabilities: { batches: true } })

const providers = {
  OpenAi: {
    model: "gpt-4o-mini",
    embeddingModel: "text-embedding-3-small",
    providerTools: [
      OpenAiTools.webSearch({ allSources: true }),
      OpenAiTools.fileSearch({ vectorStoreIds: ["vs_1"], results: true }),
      OpenAiTools.codeInterpreter({ outputs: true }),
      OpenAiTools.mcp({ label: "rivers", url: "https://rivers.example.com/mcp", requireApproval: "never" })
    ],
    batches: true,
    at: ({ apiKey, url }) => OpenAi.layer({ apiKey, baseUrl: `${url}/v1` })
  },
  OpenAiChat: { model: "gpt-4o-mini", embeddingModel: "text-embedding-3-large", batches: true, at: chat },
  Anthropic: {
    model: "claude-sonnet-4-5",
    providerTools: [
      AnthropicTools.webSearch(),
      AnthropicTools.webFetch({ citations: true }),
      AnthropicTools.codeExecution(),
      AnthropicTools.mcp({ name: "rivers", url: "https://rivers.example.com/mcp" })
    ],
    batches: true,
    at: ({ apiKey, url }) => Anthropic.layer({ apiKey, baseUrl: url })
  },
  Gemini: {
    model: "gemini-2.5-flash",
    embeddingModel: "gemini-embedding-001",
    providerTools: [GeminiTools.googleSearch(), GeminiTools.urlContext(), GeminiTools.codeExecution()],
    batches: true,
    at: ({ apiKey, url }) => Gemini.layer({ apiKey, baseUrl: url })
  },
  Ollama: {
    model: "llama3.2",
    embeddingModel: "nomic-embed-text",
    at: ({ apiKey, url }) => Ollama.layer({ apiKey, baseUrl: url })
  }
} satisfies Record<
  string,
  {
    readonly model: string
    readonly embeddingModel?: string
    readonly providerTools?: ReadonlyArray<LlmRequest.ProviderTool>
    readonly batches?: boolean
    readonly at: (service: Service) => ProviderLayer
  }
>

for (const [name, { at, ...subject }] of Object.entries(providers)) {
  const tools = "providerTools" in subject ? subject.providerTools : []
  const options = { ...subject, providerTools: tools.map((tool) => ({ tool })) }
  layer(onSimulator(at))(`${name} conforms`, (it) => {
    for (const { check, name } of Conformance.checks(options)) it.effect(name, () => check)
  })
}

describe("Conformance", () => {
  /** The names of the checks that fail for a provider on the simulator. */
  const violations = (
    damage: (provider: LlmProvider.Service, secret: string) => Partial<LlmProvider.Service>,
    options: Conformance.Options = { model: "gpt-4o-mini" }
  ) =>
    Effect.gen(function*() {
      const damaged = (service: Service) =>
        Layer.map(chat(service), (context) => {
          const provider = Context.get(context, LlmProvider.LlmProvider)
          return Context.make(LlmProvider.LlmProvider, {
            ...provider,
            ...damage(provider, Redacted.value(service.apiKey))
          })
        })
      const context = yield* Layer.build(onSimulator(damaged))
      const failed: Array<string> = []
      for (const { check, name } of Conformance.checks(options)) {
        const exit = yield* Effect.exit(Effect.provide(check, context))
        if (exit._tag === "Failure") {
          assert(exit.cause._tag === "Fail", `${name} does not fail as it should: ${exit.cause}`)
          assert.match(exit.cause.error.message, /^Expected .+, but got /)
          failed.push(name)
        }
      }
      return failed
    })

  const twice = <E>(parts: Stream.Stream<StreamPart.StreamPart, E>, tag: StreamPart.StreamPart["_tag"]) =>
    Stream.mapConcat(parts, (part) => Array<StreamPart.StreamPart>(part._tag === tag ? 2 : 1).fill(part))

  const names = Conformance.checks({ model: "m" }).map(({ name }) => name)
  const ofErrors = names.filter((name) => name.endsWith(", after one request"))
  const finishing = [
    "stream: gives its text in deltas, and exactly one Finish, last",
    "stream: reports its usage",
    "stream: sends its request once for each run, and none before",
    "stream: gives the answer that call gives",
    "stream: a tool call starts, grows and ends with parsed arguments",
    "stream: takes the result of a streamed tool call, and streams the answer to it"
  ]
  const breaking = [
    "stream: a connection that breaks is StreamInterrupted, with the parts so far",
    "stream: an end without the protocol's end is StreamInterrupted",
    "stream: an error in the middle is a failure, and never a clean end"
  ]

  it("has a name of its own for each check", () => {
    assert.strictEqual(new Set(names).size, names.length)
    assert.strictEqual(ofErrors.length, 25)
  })

  it.scopedLive("a provider that retries fails wherever requests are counted", () =>
    Effect.gen(function*() {
      const failed = yield* violations(({ call }) => ({ call: (request) => Effect.retry(call(request), { times: 1 }) }))
      assert.deepStrictEqual(failed, ofErrors.filter((name) => name.startsWith("call")))
    }))

  it.scopedLive("a provider that takes a broken stream for a whole one fails wherever streams break", () =>
    Effect.gen(function*() {
      const failed = yield* violations(({ stream }) => ({
        stream: (request) => Stream.catchAll(stream(request), () => Stream.empty)
      }))
      assert.deepStrictEqual(failed, [...breaking, ...ofErrors.filter((name) => name.startsWith("stream"))])
    }))

  it.scopedLive("a provider that finishes twice fails wherever a stream has an end", () =>
    Effect.gen(function*() {
      const failed = yield* violations(({ stream }) => ({
        stream: (request) => twice(stream(request), "Finish")
      }))
      assert.deepStrictEqual(failed, finishing)
    }))

  it.scopedLive("a provider that repeats what it said fails where deltas are joined", () =>
    Effect.gen(function*() {
      const failed = yield* violations(({ stream }) => ({
        stream: (request) => twice(stream(request), "TextDelta")
      }))
      assert.deepStrictEqual(failed, [finishing[0], breaking[0], breaking[1]])
    }))

  it.scopedLive("a provider that quotes its key in errors fails wherever there is an error", () =>
    Effect.gen(function*() {
      const failed = yield* violations(({ call }, secret) => ({
        call: (request) =>
          Effect.mapError(
            call(request),
            (error) => new LlmError.LlmError({ ...error, reason: { ...error.reason, message: `for ${secret}` } })
          )
      }))
      assert.deepStrictEqual(failed, ofErrors.filter((name) => name.startsWith("call")))
    }))

  it.scopedLive("a provider that reports no usage, or another, fails the check of usage", () =>
    Effect.gen(function*() {
      const failed = yield* violations(({ call }) => ({
        call: (request) => Effect.map(call(request), (response) => LlmResponse.update(response, { usage: {} }))
      }))
      assert.deepStrictEqual(failed, ["call: reports its usage", "stream: gives the answer that call gives"])
    }))

  it.scopedLive("a provider that does not end its work fails where it is interrupted", () =>
    Effect.gen(function*() {
      const failed = yield* violations(({ call }) => ({
        call: (request) => Effect.flatMap(Effect.forkDaemon(call(request)), Fiber.join)
      }))
      assert.deepStrictEqual(failed, ["call: interrupting it aborts its request"])
    }))

  it.scopedLive("a provider whose batches lose a result, or mix them up, fails the checks of batches", () =>
    Effect.gen(function*() {
      const damaged = (damage: (batches: LlmProvider.Batches) => Partial<LlmProvider.Batches>) =>
        violations(
          ({ batches }) => batches === undefined ? {} : { batches: { ...batches, ...damage(batches) } },
          { model: "gpt-4o-mini", batches: true }
        )
      const lost = yield* damaged(({ results }) => ({ results: (id) => Stream.drop(results(id), 1) }))
      assert.deepStrictEqual(lost, ["batches: gives each request a result under its name, at the tier of batches"])
      const mixed = yield* damaged(({ results }) => ({
        results: (id) =>
          Stream.map(
            results(id),
            (result) => ({
              ...result,
              id: result.id === "north" ? "south" : result.id === "south" ? "north" : result.id
            })
          )
      }))
      assert.deepStrictEqual(mixed, ["batches: gives the answers that call gives"])
      const missing = yield* violations(() => ({ batches: undefined }), { model: "gpt-4o-mini", batches: true })
      assert.strictEqual(missing.length, ofErrors.filter((name) => name.startsWith("call")).length + 4)
    }))

  it("leaves out what a provider cannot do, and what a harness cannot provoke", () => {
    const listed = (capabilities: Conformance.Capabilities) =>
      Conformance.checks({ model: "m", capabilities }).map(({ name }) => name)
    assert.isEmpty(listed({ streaming: false }).filter((name) => name.startsWith("stream")))
    assert.isEmpty(listed({ tools: false }).filter((name) => /tool/.test(name)))
    assert.deepStrictEqual(listed({ usage: false }), names.filter((name) => !/usage/.test(name)))
    assert.deepStrictEqual(
      listed({ situations: ["html"] }).filter((name) => / is .*, after one request$/.test(name)),
      ["call: html is MalformedResponse, after one request", "stream: html is MalformedResponse, after one request"]
    )
    assert.deepStrictEqual(listed({ situations: [], deterministic: false }), [
      "call: answers with a text that is complete",
      "call: its answer can be stored and read again",
      "call: reports its usage",
      "call: a token limit ends it for the reason length",
      "call: asks for a tool with parsed arguments, and takes its result",
      "call: takes a tool's result with text and an image, which both reach the model",
      "stream: gives its text in deltas, and exactly one Finish, last",
      "stream: reports its usage",
      "stream: a tool call starts, grows and ends with parsed arguments",
      "stream: takes the result of a streamed tool call, and streams the answer to it"
    ])
  })

  it("runs under any runner that takes a name and a function", async () => {
    const tests: Array<readonly [name: string, run: () => Promise<void>]> = []
    const register = (answer: LlmTest.Answer) =>
      Conformance.register(
        (name, run) => tests.push([name, run]),
        Layer.merge(LlmTest.layer([LlmTest.repeat(answer)]), Conformance.unobserved),
        { model: "m", capabilities: { situations: [], deterministic: false, maxTokens: false, tools: false } }
      )
    register("Elbe")
    for (const [, run] of tests) await run()
    assert.strictEqual(tests.length, 5)
    tests.length = 0
    register("")
    const results = await Promise.allSettled(tests.map(([, run]) => run()))
    assert.isAbove(results.filter(({ status }) => status === "rejected").length, 2)
  })
})
