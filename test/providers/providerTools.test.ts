import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as AnthropicTools from "effect-llm/AnthropicTools"
import * as Gemini from "effect-llm/Gemini"
import * as GeminiTools from "effect-llm/GeminiTools"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmTool from "effect-llm/LlmTool"
import * as Message from "effect-llm/Message"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as OpenAiTools from "effect-llm/OpenAiTools"
import type { Simulator } from "effect-llm/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as FakeHttp from "../support/fakeHttp.js"
import { client } from "../support/overHttp.js"
import { allEnd, over } from "../support/simulated.js"

const apiKey = Redacted.make("sk-test-0123456789abcdef")

const answers = {
  openai: { status: "completed", output: [{ type: "message", content: [{ type: "output_text", text: "Hi" }] }] },
  chat: { choices: [{ finish_reason: "stop", message: { role: "assistant", content: "Hi" } }] },
  anthropic: { stop_reason: "end_turn", content: [{ type: "text", text: "Hi" }], usage: {} },
  gemini: { candidates: [{ finishReason: "STOP", content: { parts: [{ text: "Hi" }] } }] },
  ollama: { done: true, done_reason: "stop", message: { role: "assistant", content: "Hi" } }
}

const layers = {
  openai: OpenAi.layer({ apiKey }),
  chat: OpenAiChat.layer({ apiKey }),
  anthropic: Anthropic.layer({ apiKey, beta: ["files-api-2025-04-14"] }),
  gemini: Gemini.layer({ apiKey }),
  ollama: Ollama.layer({})
}

type Protocol = keyof typeof layers

const weather = { name: "weather", parameters: { type: "object" } }

const request = { model: "m", prompt: "How high is the Elbe?" } as const

/** What a provider sends for a request. */
const sentFor = (protocol: Protocol, input: LlmRequest.Input) =>
  Effect.gen(function*() {
    const { call, sent } = yield* FakeHttp.provider(layers[protocol], FakeHttp.json(answers[protocol]))
    yield* call(input)
    assert(sent[0] !== undefined)
    return sent[0]
  })

describe("Tools that a provider runs: what is sent", () => {
  it.effect("OpenAI's are beside the program's, with the fields that show their results", () =>
    Effect.gen(function*() {
      const { body } = yield* sentFor("openai", {
        ...request,
        tools: [weather],
        providerTools: [
          OpenAiTools.webSearch({
            allowedDomains: ["example.com"],
            contextSize: "low",
            userLocation: { country: "DE" },
            allSources: true
          }),
          OpenAiTools.fileSearch({ vectorStoreIds: ["vs_1"], maxResults: 3, results: true }),
          OpenAiTools.codeInterpreter({ memoryLimit: "4g", outputs: true }),
          OpenAiTools.mcp({
            label: "rivers",
            url: "https://rivers.example.com/mcp",
            allowedTools: ["length"],
            requireApproval: "never"
          })
        ]
      })
      assert.deepStrictEqual(body.tools, [
        { type: "function", ...weather, strict: false },
        {
          type: "web_search",
          filters: { allowed_domains: ["example.com"] },
          search_context_size: "low",
          user_location: { type: "approximate", country: "DE" }
        },
        { type: "file_search", vector_store_ids: ["vs_1"], max_num_results: 3 },
        { type: "code_interpreter", container: { type: "auto", memory_limit: "4g" } },
        {
          type: "mcp",
          server_label: "rivers",
          server_url: "https://rivers.example.com/mcp",
          allowed_tools: ["length"],
          require_approval: "never"
        }
      ])
      assert.deepStrictEqual(body.include, [
        "web_search_call.action.sources",
        "file_search_call.results",
        "code_interpreter_call.outputs"
      ])
    }))

  it.effect("Anthropic's are beside the program's, with servers and betas", () =>
    Effect.gen(function*() {
      const { body, headers } = yield* sentFor("anthropic", {
        ...request,
        tools: [weather],
        providerTools: [
          AnthropicTools.webSearch({ maxUses: 2, blockedDomains: ["example.org"] }),
          AnthropicTools.webFetch({ citations: true, version: "20260318" }),
          AnthropicTools.codeExecution(),
          AnthropicTools.mcp({ name: "rivers", url: "https://rivers.example.com/mcp", allowedTools: ["length"] }),
          AnthropicTools.mcp({ name: "lakes", url: "https://lakes.example.com/mcp", authorizationToken: "t0k3n-123" })
        ]
      })
      assert.deepStrictEqual(body.tools, [
        { name: "weather", input_schema: { type: "object" } },
        { type: "web_search_20250305", name: "web_search", max_uses: 2, blocked_domains: ["example.org"] },
        { type: "web_fetch_20260318", name: "web_fetch", citations: { enabled: true } },
        { type: "code_execution_20250825", name: "code_execution" },
        {
          type: "mcp_toolset",
          mcp_server_name: "rivers",
          default_config: { enabled: false },
          configs: { length: { enabled: true } }
        },
        { type: "mcp_toolset", mcp_server_name: "lakes" }
      ])
      assert.deepStrictEqual(body.mcp_servers, [
        { type: "url", name: "rivers", url: "https://rivers.example.com/mcp" },
        { type: "url", name: "lakes", url: "https://lakes.example.com/mcp", authorization_token: "t0k3n-123" }
      ])
      assert.strictEqual(headers["anthropic-beta"], "files-api-2025-04-14,mcp-client-2025-11-20")
    }))

  it.effect("Gemini's are tools of their own, whose calls are asked for beside the program's", () =>
    Effect.gen(function*() {
      const providerTools = [GeminiTools.googleSearch(), GeminiTools.urlContext(), GeminiTools.codeExecution()]
      const tools = [{ googleSearch: {} }, { urlContext: {} }, { codeExecution: {} }]
      const alone = yield* sentFor("gemini", { ...request, model: "gemini-2.5-flash", providerTools })
      assert.deepStrictEqual(alone.body.tools, tools)
      assert.isUndefined(alone.body.toolConfig)
      const mixed = yield* sentFor("gemini", {
        ...request,
        model: "gemini-3-pro-preview",
        tools: [weather],
        toolChoice: "auto",
        providerTools
      })
      assert.deepStrictEqual(mixed.body.tools, [
        { functionDeclarations: [{ name: "weather", parametersJsonSchema: { type: "object" } }] },
        ...tools
      ])
      assert.deepStrictEqual(mixed.body.toolConfig, {
        functionCallingConfig: { mode: "AUTO" },
        includeServerSideToolInvocations: true
      })
    }))

  it.effect("raw tools of providerOptions stand behind them, and an empty list takes all away", () =>
    Effect.gen(function*() {
      const raw = { type: "image_generation" }
      const input = { ...request, tools: [weather], providerTools: [OpenAiTools.webSearch()] }
      const both = yield* sentFor("openai", { ...input, providerOptions: { openai: { tools: [raw] } } })
      assert.deepStrictEqual((both.body.tools as ReadonlyArray<{ type: string }>).map(({ type }) => type), [
        "function",
        "web_search",
        "image_generation"
      ])
      const none = yield* sentFor("openai", { ...input, providerOptions: { openai: { tools: [] } } })
      assert.deepStrictEqual(none.body.tools, [])
    }))

  it.effect("any other tool of a protocol is made by its fields", () =>
    Effect.gen(function*() {
      const compound = LlmTool.providerTool({
        protocol: "openaiChat",
        name: "browser_search",
        tool: { type: "browser_search" },
        fields: { search_settings: { country: "germany" } },
        headers: { "Groq-Model-Version": "latest" }
      })
      const { body, headers } = yield* sentFor("chat", { ...request, providerTools: [compound] })
      assert.deepStrictEqual(body.tools, [{ type: "browser_search" }])
      assert.deepStrictEqual(body.search_settings, { country: "germany" })
      assert.strictEqual(headers["groq-model-version"], "latest")
    }))

  const own: Record<Protocol, string> = {
    openai: "openai",
    chat: "openaiChat",
    anthropic: "anthropic",
    gemini: "gemini",
    ollama: "ollama"
  }

  for (const [protocol, name] of Object.entries(own)) {
    it.effect(`${protocol}: a tool of another protocol is UnsupportedFeature, before anything is sent`, () =>
      Effect.gen(function*() {
        const at = protocol as Protocol
        const all = [OpenAiTools.webSearch(), AnthropicTools.webSearch(), GeminiTools.googleSearch()]
        const strangers = all.filter((tool) => tool.protocol !== name)
        const { call, sent, stream } = yield* FakeHttp.provider(layers[at], FakeHttp.json(answers[at]))
        for (const tool of strangers) {
          const input = { ...request, providerTools: [tool] }
          const feature = `the tool ${tool.name} of ${tool.protocol}`
          const called = yield* Effect.flip(call(input))
          assert.strictEqual(FakeHttp.reasonOf(called, "UnsupportedFeature").feature, feature)
          assert.strictEqual(FakeHttp.reasonOf((yield* stream(input)).error, "UnsupportedFeature").feature, feature)
        }
        assert.deepStrictEqual(sent, [])
      }))
  }

  it.effect("up to Gemini 2.5, a provider's tool beside the program's is UnsupportedFeature", () =>
    Effect.gen(function*() {
      const { call, sent } = yield* FakeHttp.provider(layers.gemini, FakeHttp.json(answers.gemini))
      const error = yield* Effect.flip(
        call({
          ...request,
          model: "gemini-2.5-flash",
          tools: [weather],
          providerTools: [GeminiTools.googleSearch()]
        })
      )
      assert.strictEqual(FakeHttp.reasonOf(error, "UnsupportedFeature").feature, "provider tools beside other tools")
      assert.deepStrictEqual(sent, [])
    }))

  it.effect("a token for a server is in no error that quotes it", () =>
    Effect.gen(function*() {
      const authorization = "mcp-s3cret-0123456789"
      const { call } = yield* FakeHttp.provider(
        layers.openai,
        FakeHttp.json({ error: { message: `no access with ${authorization}` } }, { status: 400 })
      )
      const tool = OpenAiTools.mcp({ label: "rivers", url: "https://rivers.example.com/mcp", authorization })
      const error = yield* Effect.flip(call({ ...request, providerTools: [tool] }))
      assert.include(error.message, "no access with")
      assert.notInclude(`${error} ${JSON.stringify(error)}`, authorization)
    }))

  it.effect("a request with them is stored as JSON, and comes back equal", () =>
    Effect.gen(function*() {
      const Stored = Schema.parseJson(LlmRequest.LlmRequest)
      const providerTools = [
        AnthropicTools.mcp({ name: "rivers", url: "https://rivers.example.com/mcp" }),
        OpenAiTools.webSearch({ allSources: true })
      ]
      const decoded = yield* LlmRequest.decode({ ...request, providerTools })
      const stored = yield* Schema.encode(Stored)(decoded)
      assert.deepStrictEqual(yield* Schema.decode(Stored)(stored), decoded)
    }))

  it("OpenAiTools.mcpApproval answers a request for approval, and nothing else", () => {
    const asked = Message.Opaque.make({
      provider: "openai",
      kind: "mcp_approval_request",
      json: { type: "mcp_approval_request", id: "mcpr_1", name: "length", arguments: "{}" }
    })
    const kind = "mcp_approval_response"
    assert.deepStrictEqual(
      OpenAiTools.mcpApproval(asked, true),
      Message.Opaque.make({
        provider: "openai",
        kind,
        json: { type: kind, approval_request_id: "mcpr_1", approve: true }
      })
    )
    assert.isUndefined(OpenAiTools.mcpApproval({ ...asked, kind: "web_search_call" }, true))
    assert.isUndefined(OpenAiTools.mcpApproval(Message.Text.make({ text: "Elbe" }), true))
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Against services that run them
// ---------------------------------------------------------------------------------------------------------------------

const river = LlmTool.make("river_length", {
  description: "The length of a river in kilometers.",
  parameters: Schema.Struct({ river: Schema.String }),
  handler: () => Effect.succeed({ kilometers: 1094 })
})

const services = {
  openai: {
    model: "gpt-4o-mini",
    tool: OpenAiTools.webSearch({ allSources: true }),
    kinds: ["web_search_call"],
    at: (url: string) => OpenAi.layer({ apiKey, baseUrl: `${url}/v1` })
  },
  anthropic: {
    model: "claude-sonnet-4-5",
    tool: AnthropicTools.webSearch(),
    kinds: ["server_tool_use", "web_search_tool_result"],
    at: (url: string) => Anthropic.layer({ apiKey, baseUrl: url })
  },
  gemini: {
    model: "gemini-3-flash-preview",
    tool: GeminiTools.googleSearch(),
    kinds: [],
    at: (url: string) => Gemini.layer({ apiKey, baseUrl: url })
  }
}

const question = "Use web_search: how long is the Elbe near Dresden?"

/** Runs a test against a service, with a client of its own. */
const against = <A, E>(
  name: keyof typeof services,
  test: (
    llm: Effect.Effect.Success<ReturnType<typeof client>>["client"],
    simulator: Simulator.Service
  ) => Effect.Effect<A, E>,
  options: Simulator.Options = {}
) =>
  over(options, (simulator) =>
    Effect.gen(function*() {
      const { client: llm } = yield* client({ provider: services[name].at(simulator.url) })
      return yield* test(llm, simulator)
    }))

describe("Tools that a provider runs: what comes back", () => {
  for (const name of ["openai", "anthropic", "gemini"] as const) {
    const { kinds, model, tool } = services[name]

    it.live(`${name}: an answer has the search, and the pages that it rests on, called and streamed`, () =>
      against(name, (llm) =>
        Effect.gen(function*() {
          const input = { model, prompt: question, providerTools: [tool] }
          const called = yield* llm.call(input, { cache: "bypass" })
          assert.deepStrictEqual(called.parts.flatMap((part) => part._tag === "Opaque" ? [part.kind] : []), kinds)
          assert.deepStrictEqual(
            called.sources.map(({ title, url }) => [url, title]),
            [["https://example.com/long", "On long"], ["https://example.com/elbe", "On elbe"]]
          )
          assert.notStrictEqual(called.text, "")
          const streamed = yield* Stream.runLast(llm.stream(input, { cache: "bypass" }))
          assert(streamed._tag === "Some" && streamed.value._tag === "Finish")
          assert.deepStrictEqual(streamed.value.response.parts, called.parts)
          assert.deepStrictEqual(streamed.value.response.usage, called.usage)
          // The conversation goes on with all that came.
          const next = yield* llm.call({
            ...input,
            messages: [{ role: "user", content: question }, called.message, { role: "user", content: "And the Oder?" }],
            prompt: undefined
          } as LlmRequest.MessagesInput)
          assert.deepStrictEqual(next.warnings, [])
        })))

    it.live(`${name}: runTools puts it beside the program's own tools, in each turn`, () =>
      against(name, (llm, simulator) =>
        Effect.gen(function*() {
          const run = yield* llm.runTools({ model, prompt: "Call river_length for the Elbe." }, [river, tool])
          assert.deepStrictEqual(run.steps.map(({ results }) => results.length), [1, 0])
          for (const { body } of yield* simulator.requests) {
            const { tools } = body as { readonly tools: ReadonlyArray<unknown> }
            assert.strictEqual(tools.length, 2)
            assert.deepStrictEqual(tools[1], tool.tool)
          }
        })))
  }

  it.live("anthropic: a run goes on by itself where the service pauses, whole and streamed", () =>
    against("anthropic", (llm, simulator) =>
      Effect.gen(function*() {
        const input = { model: "claude-sonnet-4-5", prompt: question }
        const tools = [river, AnthropicTools.webSearch()]
        const run = yield* llm.runTools(input, tools)
        assert.deepStrictEqual(run.steps.map(({ response }) => response.finishReason), ["pause", "pause", "stop"])
        assert.strictEqual(run.response.text, "Long enough.")
        assert.deepStrictEqual(run.response.usage.serverToolUse, { web_search_requests: 2, web_fetch_requests: 0 })
        const streamed = yield* Stream.runLast(llm.streamTools(input, tools, { cache: "bypass" }))
        assert(streamed._tag === "Some" && "run" in streamed.value)
        assert.deepStrictEqual(streamed.value.run.messages, run.messages)
        assert.deepStrictEqual(
          (yield* allEnd(simulator)).map(({ outcome }) => outcome),
          Array(6).fill("answered")
        )
      }), {
      answer: ({ request: { messages } }) => {
        const paused = JSON.stringify(messages).split("\"web_search_tool_result\"").length - 1
        const pages = [{ url: `https://example.com/${paused}`, title: `Page ${paused}` }]
        return paused < 2
          ? { serverRuns: [{ kind: "web_search", query: `q${paused}`, pages }], finish: "pause" }
          : { text: "Long enough." }
      }
    }))
})
