import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as AnthropicTools from "effect-llm/AnthropicTools"
import * as Gemini from "effect-llm/Gemini"
import * as GeminiTools from "effect-llm/GeminiTools"
import type * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as LlmTool from "effect-llm/LlmTool"
import * as Message from "effect-llm/Message"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as OpenAiTools from "effect-llm/OpenAiTools"
import { Simulator } from "effect-llm/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as FakeHttp from "../support/fakeHttp.js"
import { client } from "../support/overHttp.js"
import { type Json, over } from "../support/simulated.js"

const apiKey = Redacted.make("sk-test-0123456789abcdef")

const providers = {
  openai: { model: "gpt-4o-mini", at: (url: string) => OpenAi.layer({ apiKey, baseUrl: `${url}/v1` }) },
  anthropic: { model: "claude-sonnet-4-5", at: (url: string) => Anthropic.layer({ apiKey, baseUrl: url }) },
  gemini: { model: "gemini-3-flash-preview", at: (url: string) => Gemini.layer({ apiKey, baseUrl: url }) },
  chat: { model: "gpt-4o-mini", at: (url: string) => OpenAiChat.layer({ apiKey, baseUrl: `${url}/v1` }) },
  ollama: { model: "llama3.2", at: (url: string) => Ollama.layer({ baseUrl: url }) }
}

type Protocol = keyof typeof providers

interface Case {
  readonly protocol: "openai" | "anthropic" | "gemini"
  readonly tool: LlmRequest.ProviderTool
  /** The kinds of the blocks that the answer has of it. */
  readonly blocks: ReadonlyArray<string>
  /** What the answer rests on. */
  readonly sources: ReadonlyArray<string | undefined>
}

const url = "https://example.com/elbe"
const server = { url: "https://rivers.example.com/mcp" }

const cases: ReadonlyArray<Case> = [
  {
    protocol: "openai",
    tool: OpenAiTools.webSearch({ allSources: true }),
    blocks: ["web_search_call"],
    sources: ["https://example.com/long", url]
  },
  {
    protocol: "openai",
    tool: OpenAiTools.fileSearch({ vectorStoreIds: ["vs_1"], results: true }),
    blocks: ["file_search_call"],
    sources: ["long.txt", "elbe.txt"]
  },
  {
    protocol: "openai",
    tool: OpenAiTools.codeInterpreter({ outputs: true }),
    blocks: ["code_interpreter_call"],
    sources: []
  },
  {
    protocol: "openai",
    tool: OpenAiTools.mcp({ label: "rivers", ...server, allowedTools: ["length"], requireApproval: "never" }),
    blocks: ["mcp_list_tools", "mcp_call"],
    sources: []
  },
  {
    protocol: "anthropic",
    tool: AnthropicTools.webSearch(),
    blocks: ["server_tool_use", "web_search_tool_result"],
    sources: ["https://example.com/long", url]
  },
  {
    protocol: "anthropic",
    tool: AnthropicTools.webFetch({ citations: true }),
    blocks: ["server_tool_use", "web_fetch_tool_result"],
    sources: ["On long"]
  },
  {
    protocol: "anthropic",
    tool: AnthropicTools.codeExecution(),
    blocks: ["server_tool_use", "bash_code_execution_tool_result"],
    sources: []
  },
  {
    protocol: "anthropic",
    tool: AnthropicTools.mcp({ name: "rivers", ...server, allowedTools: ["length"] }),
    blocks: ["mcp_tool_use", "mcp_tool_result"],
    sources: []
  },
  {
    protocol: "gemini",
    tool: GeminiTools.googleSearch(),
    blocks: [],
    sources: ["https://example.com/long", url]
  },
  { protocol: "gemini", tool: GeminiTools.urlContext(), blocks: [], sources: [url] },
  {
    protocol: "gemini",
    tool: GeminiTools.codeExecution(),
    blocks: ["executableCode", "codeExecutionResult"],
    sources: []
  }
]

const promptFor = ({ tool }: Pick<Case, "tool">): string => `Use ${tool.name}: how long is the Elbe? See ${url}.`

type Client = Effect.Effect.Success<ReturnType<typeof client>>["client"]

/** Runs a test against a service, with a client of its own. */
const against = <A, E>(
  protocol: Protocol,
  test: (llm: Client, simulator: Simulator.Service) => Effect.Effect<A, E>,
  options: Simulator.Options = {}
) =>
  over(options, (simulator) =>
    Effect.gen(function*() {
      const { client: llm } = yield* client({ provider: providers[protocol].at(simulator.url) })
      return yield* test(llm, simulator)
    }))

const fresh = { cache: "bypass" } as const

const finished = (llm: Client, input: LlmRequest.Input) =>
  Effect.gen(function*() {
    const last = yield* Stream.runLast(llm.stream(input, fresh))
    assert(last._tag === "Some" && last.value._tag === "Finish")
    return last.value.response
  })

const kindsOf = ({ parts }: LlmResponse.LlmResponse): ReadonlyArray<string> =>
  parts.flatMap((part) => part._tag === "Opaque" ? [part.kind] : [])

const jsonOf = ({ parts }: LlmResponse.LlmResponse, kind: string): Json => {
  const part = parts.find((part) => part._tag === "Opaque" && part.kind === kind)
  assert(part?._tag === "Opaque")
  return part.json as Json
}

const Stored = Schema.parseJson(Schema.Array(Message.Message))

const user = (text: string): Message.UserMessage => ({ role: "user", content: [Message.Text.make({ text })] })

/** The turn of the model in a body, as its service has it: Responses has items. */
const turnIn = (protocol: Case["protocol"], body: unknown): unknown => {
  const { contents, input, messages } = body as Record<string, ReadonlyArray<Json>>
  switch (protocol) {
    case "openai":
      return input?.slice(1, -1).filter(({ role }) => role === undefined)
    case "anthropic":
      return messages?.[1]?.content
    case "gemini":
      return contents?.[1]?.parts
  }
}

/** The turn of the model as it came. */
const turnOf = (protocol: Case["protocol"], raw: unknown): unknown => {
  const { candidates, content, output } = raw as Record<string, ReadonlyArray<Json>>
  switch (protocol) {
    case "openai":
      return output?.filter(({ type }) => type !== "message")
    case "anthropic":
      return content
    case "gemini":
      return (candidates?.[0]?.content as Json).parts
  }
}

describe("Tools that a provider runs, against services that run them", () => {
  for (const each of cases) {
    const { blocks, protocol, sources, tool } = each
    const { model } = providers[protocol]
    const input: LlmRequest.Input = { model, messages: [user(promptFor(each))], providerTools: [tool] }
    const name = `${protocol}, ${tool.name}`

    it.live(`${name}: an answer has its call, its result and its sources, called and streamed`, () =>
      against(protocol, (llm) =>
        Effect.gen(function*() {
          const called = yield* llm.call(input, fresh)
          assert.deepStrictEqual(kindsOf(called), blocks)
          assert.deepStrictEqual(called.sources.map(({ title, url }) => url ?? title), sources)
          assert.notStrictEqual(called.text, "")
          assert.strictEqual(called.finishReason, "stop")
          const streamed = yield* finished(llm, input)
          assert.deepStrictEqual(streamed.parts, called.parts)
          assert.deepStrictEqual(streamed.usage, called.usage)
        })))

    it.live(`${name}: the turn goes back unchanged, also through JSON, and the conversation goes on`, () =>
      against(protocol, (llm, simulator) =>
        Effect.gen(function*() {
          const called = yield* llm.call(input, fresh)
          const messages = [user(promptFor(each)), called.message, user("And the Oder?")]
          const read = yield* Effect.flatMap(Schema.encode(Stored)(messages), Schema.decode(Stored))
          const next = yield* llm.call({ model, messages: read as typeof messages, providerTools: [tool] }, fresh)
          assert.notStrictEqual(next.text, "")
          assert.deepStrictEqual(next.warnings, [])
          const body = (yield* simulator.requests).at(-1)?.body
          assert.deepStrictEqual(turnIn(protocol, body), turnOf(protocol, called.raw))
          yield* finished(llm, { model, messages: read as typeof messages, providerTools: [tool] })
          assert.isTrue((yield* simulator.requests).every(({ outcome }) => outcome === "answered"))
        })))

    it.live(`${name}: its failure is in an answer that is whole, and goes back`, () =>
      against(protocol, (llm, simulator) =>
        Effect.gen(function*() {
          const called = yield* llm.call(input, fresh)
          assert.deepStrictEqual(kindsOf(called), blocks)
          assert.deepStrictEqual(called.sources, [])
          const told = JSON.stringify(turnOf(protocol, called.raw)) + JSON.stringify(called.providerMetadata ?? {})
          // A search that failed leaves no trace at Google, and is only that at OpenAI.
          if (tool.name !== "googleSearch") {
            assert.match(told, /unavailable|"status":"failed"|URL_RETRIEVAL_STATUS_ERROR|OUTCOME_FAILED/)
          }
          assert.deepStrictEqual((yield* finished(llm, input)).parts, called.parts)
          const messages = [user(promptFor(each)), called.message, user("And the Oder?")] as const
          yield* llm.call({ model, messages, providerTools: [tool] }, fresh)
          const requests = yield* simulator.requests
          assert.deepStrictEqual(requests.map(({ fault, status }) => [fault, status]), [
            ["ToolError unavailable", 200],
            ["ToolError unavailable", 200],
            ["ToolError unavailable", 200]
          ])
        }), { faults: Simulator.always(Simulator.toolError()) }))

    if (protocol !== "gemini" && tool.name !== "rivers") {
      it.live(`${name}: runs where toolChoice names it, and not where that is none`, () =>
        against(protocol, (llm, simulator) =>
          Effect.gen(function*() {
            const about = `How long is the Elbe? See ${url}.`
            const ask = (toolChoice: LlmRequest.ToolChoice, prompt = about) =>
              llm.call({ model, prompt, providerTools: [tool], toolChoice }, fresh)
            assert.deepStrictEqual(kindsOf(yield* ask({ tool: tool.name })), blocks)
            assert.deepStrictEqual(kindsOf(yield* ask("required")), blocks)
            assert.deepStrictEqual(kindsOf(yield* ask("auto")), [])
            assert.deepStrictEqual(kindsOf(yield* ask("none", promptFor(each))), [])
            const [first] = yield* simulator.requests
            assert.deepStrictEqual((first?.body as Json).tool_choice, tool.choice)
          })))
    }
  }

  it.live("openai: a server of MCP is chosen by its label, among several", () =>
    against("openai", (llm) =>
      Effect.gen(function*() {
        const mcp = (label: string) => OpenAiTools.mcp({ label, ...server, requireApproval: "never" })
        const { parts } = yield* llm.call({
          model: providers.openai.model,
          prompt: "How long is the Elbe?",
          providerTools: [mcp("lakes"), mcp("rivers")],
          toolChoice: { tool: "rivers" }
        })
        const labels = parts.flatMap((part) =>
          part._tag === "Opaque" ? [`${part.kind} ${String((part.json as Json).server_label)}`] : []
        )
        assert.deepStrictEqual(labels, ["mcp_list_tools lakes", "mcp_list_tools rivers", "mcp_call rivers"])
      })))

  it.live("openai: a call of MCP waits for leave, runs once it has it, and does not if it is refused", () =>
    against("openai", (llm, simulator) =>
      Effect.gen(function*() {
        const tool = OpenAiTools.mcp({ label: "rivers", ...server, allowedTools: ["length"] })
        const request = { model: providers.openai.model, providerTools: [tool] }
        const question = user("Use rivers: how long is the Elbe?")
        for (const approve of [true, false]) {
          for (const ask of [llm.call, finished.bind(undefined, llm)] as ReadonlyArray<Client["call"]>) {
            const asked = yield* ask({ ...request, messages: [question] }, fresh)
            assert.deepStrictEqual(kindsOf(asked), ["mcp_list_tools", "mcp_approval_request"])
            assert.strictEqual(asked.finishReason, "tool_calls")
            const decisions = asked.message.content.flatMap((part) => OpenAiTools.mcpApproval(part, approve) ?? [])
            const decided = { role: "assistant", content: decisions } as const
            const answered = yield* ask({ ...request, messages: [question, asked.message, decided] }, fresh)
            assert.deepStrictEqual(kindsOf(answered), approve ? ["mcp_call"] : [])
            if (approve) {
              const { approval_request_id: id, output } = jsonOf(answered, "mcp_call")
              assert.strictEqual(id, jsonOf(asked, "mcp_approval_request").id)
              assert.isString(output)
            }
            // A decision counts once.
            const on = yield* ask({
              ...request,
              messages: [question, asked.message, decided, answered.message, user("Echo: And on.")]
            }, fresh)
            assert.deepStrictEqual([kindsOf(on), on.text], [[], "And on."])
          }
        }
        assert.isTrue((yield* simulator.requests).every(({ outcome }) => outcome === "answered"))
      })))

  const river = LlmTool.make("river_length", {
    description: "The length of a river in kilometers.",
    parameters: Schema.Struct({ river: Schema.String }),
    handler: () => Effect.succeed({ kilometers: 1094 })
  })

  it.live("gemini: beside the program's tools the calls of its own are shown, and go back unchanged", () =>
    against("gemini", (llm, simulator) =>
      Effect.gen(function*() {
        const { model } = providers.gemini
        const run = yield* llm.runTools({ model, prompt: `Use googleSearch and urlContext: ${url}` }, [
          river,
          GeminiTools.googleSearch(),
          GeminiTools.urlContext()
        ])
        assert.deepStrictEqual(kindsOf(run.response), ["toolCall", "toolResponse", "toolCall", "toolResponse"])
        const next = yield* llm.runTools({ model, messages: [...run.messages, user("Call river_length.")] as never }, [
          river,
          GeminiTools.googleSearch(),
          GeminiTools.urlContext()
        ])
        assert.strictEqual(next.steps.length, 2)
        const [first, second] = yield* simulator.requests
        assert.isDefined(first)
        assert.deepStrictEqual(turnIn("gemini", second?.body), turnOf("gemini", run.response.raw))
      })))

  it.effect("a tool that a protocol cannot choose is UnsupportedFeature, before anything is sent", () =>
    Effect.gen(function*() {
      const custom = (protocol: string) =>
        LlmTool.providerTool({ protocol, name: "browser", tool: { type: "browser" } })
      const unsupported: ReadonlyArray<readonly [Protocol, LlmRequest.ProviderTool, LlmRequest.ToolChoice, string]> = [
        ["openai", custom("openai"), { tool: "browser" }, "toolChoice: browser"],
        ["chat", custom("openaiChat"), { tool: "browser" }, "toolChoice: browser"],
        [
          "anthropic",
          AnthropicTools.mcp({ name: "rivers", ...server }),
          { tool: "rivers" },
          "toolChoice: rivers"
        ],
        ["gemini", GeminiTools.googleSearch(), { tool: "googleSearch" }, "toolChoice: googleSearch"],
        ["gemini", GeminiTools.googleSearch(), "required", "toolChoice: required"],
        ["ollama", custom("ollama"), "auto", "the tool browser"]
      ]
      for (const [protocol, tool, toolChoice, feature] of unsupported) {
        const { call, sent, stream } = yield* FakeHttp.provider(providers[protocol].at("http://localhost"), () => {
          throw new Error("nothing is sent")
        })
        const input = { model: providers[protocol].model, prompt: "Elbe?", providerTools: [tool], toolChoice }
        assert.strictEqual(FakeHttp.reasonOf(yield* Effect.flip(call(input)), "UnsupportedFeature").feature, feature)
        assert.strictEqual(FakeHttp.reasonOf((yield* stream(input)).error, "UnsupportedFeature").feature, feature)
        assert.deepStrictEqual(sent, [])
      }
    }))

  it.live("gemini: with the choice none, Google's tools do not run either", () =>
    against("gemini", (llm, simulator) =>
      Effect.gen(function*() {
        const { model } = providers.gemini
        const providerTools = [GeminiTools.codeExecution()]
        const prompt = "Use codeExecution: 3 + 4."
        assert.lengthOf(kindsOf(yield* llm.call({ model, prompt, providerTools })), 2)
        assert.lengthOf(kindsOf(yield* llm.call({ model, prompt, providerTools, toolChoice: "none" })), 0)
        assert.isUndefined(((yield* simulator.requests)[1]?.body as Json).tools)
      })))

  it.live("gemini: up to 2.5 its tools with JSON as the answer are UnsupportedFeature, and from 3 on they work", () =>
    against("gemini", (llm, simulator) =>
      Effect.gen(function*() {
        const schema = Schema.Struct({ river: Schema.String })
        const ask = (model: string) =>
          llm.object(schema, {
            model,
            prompt: "Use codeExecution: Elbe.",
            providerTools: [GeminiTools.codeExecution()]
          })
        const error = yield* Effect.flip(ask("gemini-2.5-flash"))
        assert.strictEqual(FakeHttp.reasonOf(error, "UnsupportedFeature").feature, "provider tools with JSON")
        assert.deepStrictEqual(yield* simulator.requests, [])
        assert.isString((yield* ask("gemini-3-flash-preview")).value.river)
      })))
})
