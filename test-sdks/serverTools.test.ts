import Anthropic from "@anthropic-ai/sdk"
import { assert, describe, it } from "@effect/vitest"
import { ApiError, FinishReason, GoogleGenAI, Outcome, type Part, Type, UrlRetrievalStatus } from "@google/genai"
import { Simulator } from "effect-llm/testing"
import OpenAI from "openai"
import { always, failureOf, key, simulated } from "./simulator.js"

const page = "https://example.com/elbe"
const address = "https://rivers.example.com/mcp"

describe("openai: tools that the service runs", () => {
  const clientOf = ({ url }: { readonly url: string }) =>
    new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0, logLevel: "off" })

  const mcp = { type: "mcp" as const, server_label: "rivers", server_url: address, allowed_tools: ["length"] }

  it("searches files, runs code and calls a server of MCP, whole and streamed, and takes the turn back", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const request = {
        model: "gpt-4o-mini",
        input: "Use file_search, code_interpreter and mcp: how long is the Elbe?",
        tools: [
          { type: "file_search" as const, vector_store_ids: ["vs_1"] },
          { type: "code_interpreter" as const, container: { type: "auto" as const } },
          { ...mcp, require_approval: "never" as const }
        ],
        include: ["file_search_call.results" as const, "code_interpreter_call.outputs" as const]
      }
      const whole = await client.responses.create(request)
      const [list, search, code, call, message] = whole.output
      assert(list?.type === "mcp_list_tools")
      assert.deepStrictEqual(list.tools.map(({ name }) => name), ["length"])
      assert(search?.type === "file_search_call" && search.status === "completed")
      assert.deepStrictEqual(search.results?.map(({ filename }) => filename), ["long.txt", "elbe.txt"])
      assert(code?.type === "code_interpreter_call" && code.outputs?.[0]?.type === "logs")
      assert.deepStrictEqual([code.code, code.outputs[0].logs], ["print(\"long elbe\")", "long elbe\n"])
      assert(call?.type === "mcp_call" && call.status === "completed")
      assert.deepStrictEqual([call.name, JSON.parse(call.arguments)], ["length", { query: "long elbe" }])
      assert(message?.type === "message" && message.content[0]?.type === "output_text")
      assert.deepStrictEqual(message.content[0].annotations.map(({ type }) => type), ["file_citation", "file_citation"])

      const gathered = await client.responses.stream(request).finalResponse()
      assert.deepStrictEqual(JSON.parse(JSON.stringify(gathered.output, withoutParsed)), whole.output)
      const done: Array<unknown> = []
      let written = ""
      for await (const event of await client.responses.create({ ...request, stream: true })) {
        if (event.type === "response.output_item.done") done.push(event.item)
        if (event.type === "response.code_interpreter_call_code.delta") written += event.delta
      }
      assert.deepStrictEqual(done, whole.output)
      assert.strictEqual(written, code.code)

      const on = await client.responses.create({
        ...request,
        input: [
          { role: "user", content: request.input },
          ...whole.output as ReadonlyArray<OpenAI.Responses.ResponseInputItem>,
          { role: "user", content: "And the Oder?" }
        ]
      })
      assert.deepStrictEqual(on.output.map(({ type }) => type), ["message"])
    }))

  it("waits for leave to call a server of MCP, by items and by the answer's id", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const request = { model: "gpt-4o-mini", tools: [mcp] }
      const asked = await client.responses.create({ ...request, input: "Use mcp: how long is the Elbe?" })
      const waiting = asked.output.at(-1)
      assert(waiting?.type === "mcp_approval_request")
      for (const approve of [true, false]) {
        const answered = await client.responses.create({
          ...request,
          previous_response_id: asked.id,
          input: [{ type: "mcp_approval_response", approval_request_id: waiting.id, approve }]
        })
        assert.deepStrictEqual(answered.output.map(({ type }) => type), approve ? ["mcp_call", "message"] : ["message"])
      }
      const error = await failureOf(client.responses.create({
        ...request,
        input: [{ type: "mcp_approval_response", approval_request_id: "mcpr_none", approve: true }]
      }))
      assert(error instanceof OpenAI.BadRequestError)
    }))

  it("reports that a tool failed, and uses the one that it must", () =>
    simulated(always(Simulator.toolError("no such river")), async (simulator) => {
      const { output } = await clientOf(simulator).responses.create({
        model: "gpt-4o-mini",
        input: "How long is the Elbe?",
        tools: [{ ...mcp, require_approval: "never" as const }],
        tool_choice: { type: "mcp", server_label: "rivers" }
      })
      const call = output.find((item) => item.type === "mcp_call")
      assert.strictEqual(call?.status, "failed")
      assert(typeof call?.error === "object" && call.error?.type === "mcp_tool_execution_error")
      assert.deepStrictEqual(call.error.content, [{ type: "text", text: "no such river" }])
    }))
})

/** The SDK adds what it parses to texts and calls. */
const withoutParsed = (name: string, value: unknown) =>
  name === "parsed" || name === "parsed_arguments" ? undefined : value

describe("@anthropic-ai/sdk: tools that the service runs", () => {
  const clientOf = ({ url }: { readonly url: string }) =>
    new Anthropic({ apiKey: key, baseURL: url, maxRetries: 0, logLevel: "off" })

  const model = "claude-haiku-4-5"

  it("reads pages and runs code, whole and streamed, and takes the turn back", () =>
    simulated({}, async (simulator) => {
      const { messages } = clientOf(simulator)
      const asked: Anthropic.MessageParam = { role: "user", content: `Use web_fetch and code_execution: ${page}` }
      const params = {
        model,
        max_tokens: 1000,
        tools: [
          { type: "web_fetch_20250910", name: "web_fetch", citations: { enabled: true } },
          { type: "code_execution_20250825", name: "code_execution" }
        ] satisfies Array<Anthropic.ToolUnion>
      }
      const whole = await messages.create({ ...params, messages: [asked] })
      const [, fetched, , run, text] = whole.content
      assert(fetched?.type === "web_fetch_tool_result" && fetched.content.type === "web_fetch_result")
      assert.strictEqual(fetched.content.url, page)
      assert(run?.type === "bash_code_execution_tool_result" && run.content.type === "bash_code_execution_result")
      assert.strictEqual(run.content.return_code, 0)
      assert(text?.type === "text")
      assert.deepStrictEqual(text.citations?.map(({ type }) => type), ["char_location"])
      assert.strictEqual(whole.usage.server_tool_use?.web_fetch_requests, 1)
      assert.isString(whole.container?.id)
      const streamed = await messages.stream({ ...params, messages: [asked] }).finalMessage()
      assert.deepStrictEqual(streamed.content, whole.content)
      assert.strictEqual(streamed.container?.id, whole.container?.id)
      const on = await messages.create({
        ...params,
        messages: [asked, { role: "assistant", content: whole.content }, { role: "user", content: "And the Oder?" }]
      })
      assert.strictEqual(on.stop_reason, "end_turn")
      const error = await failureOf(messages.create({
        ...params,
        messages: [
          asked,
          { role: "assistant", content: whole.content.slice(1) },
          { role: "user", content: "And the Oder?" }
        ]
      }))
      assert(error instanceof Anthropic.BadRequestError)
    }))

  it("calls a server of MCP as the beta that it is, whole and streamed, and takes the turn back", () =>
    simulated({}, async (simulator) => {
      const { beta } = clientOf(simulator)
      const asked: Anthropic.Beta.BetaMessageParam = { role: "user", content: "Use mcp: how long is the Elbe?" }
      const params = {
        model,
        max_tokens: 1000,
        betas: ["mcp-client-2025-11-20"],
        mcp_servers: [{ type: "url" as const, name: "rivers", url: address }],
        tools: [{ type: "mcp_toolset" as const, mcp_server_name: "rivers" }]
      }
      const whole = await beta.messages.create({ ...params, messages: [asked] })
      const [call, result] = whole.content
      assert(call?.type === "mcp_tool_use" && result?.type === "mcp_tool_result")
      assert.deepStrictEqual([call.server_name, call.input], ["rivers", { query: "long elbe" }])
      assert.deepStrictEqual([result.tool_use_id, result.is_error], [call.id, false])
      const streamed = await beta.messages.stream({ ...params, messages: [asked] }).finalMessage()
      assert.deepStrictEqual(streamed.content, whole.content)
      const on = await beta.messages.create({
        ...params,
        messages: [
          asked,
          { role: "assistant", content: whole.content as Array<Anthropic.Beta.BetaContentBlockParam> },
          { role: "user", content: "And the Oder?" }
        ]
      })
      assert.strictEqual(on.stop_reason, "end_turn")
      const { betas: _, ...withoutBeta } = params
      const error = await failureOf(beta.messages.create({ ...withoutBeta, messages: [asked] }))
      assert(error instanceof Anthropic.BadRequestError)
    }))

  it("reports that a tool failed, in an answer, and uses the one that it must", () =>
    simulated(always(Simulator.toolError("url_not_accessible")), async (simulator) => {
      const { content } = await clientOf(simulator).messages.create({
        model,
        max_tokens: 1000,
        messages: [{ role: "user", content: page }],
        tools: [{ type: "web_fetch_20250910", name: "web_fetch" }],
        tool_choice: { type: "tool", name: "web_fetch" }
      })
      const result = content.find((block) => block.type === "web_fetch_tool_result")
      assert(result?.content.type === "web_fetch_tool_result_error")
      assert.strictEqual(result.content.error_code, "url_not_accessible")
    }))
})

describe("@google/genai: tools that the service runs", () => {
  const clientOf = ({ url }: { readonly url: string }) =>
    new GoogleGenAI({ apiKey: key, vertexai: false, httpOptions: { baseUrl: url } })

  it("runs code and reads pages, whole and streamed, and takes the turn back", () =>
    simulated({}, async (simulator) => {
      const { models } = clientOf(simulator)
      const asked = { role: "user", parts: [{ text: `Use code_execution and urlContext: ${page}` }] }
      const request = { model: "gemini-2.5-flash", config: { tools: [{ codeExecution: {} }, { urlContext: {} }] } }
      const whole = await models.generateContent({ ...request, contents: [asked] })
      const candidate = whole.candidates?.[0]
      assert(candidate?.content?.parts !== undefined)
      const [code, result] = candidate.content.parts
      assert.strictEqual(whole.executableCode, code?.executableCode?.code)
      assert.strictEqual(whole.codeExecutionResult, result?.codeExecutionResult?.output)
      assert.deepStrictEqual(candidate.urlContextMetadata?.urlMetadata, [
        { retrievedUrl: page, urlRetrievalStatus: UrlRetrievalStatus.URL_RETRIEVAL_STATUS_SUCCESS }
      ])
      assert.isAbove(whole.usageMetadata?.toolUsePromptTokenCount ?? 0, 0)
      const parts: Array<Part> = []
      let last: typeof whole | undefined
      for await (const chunk of await models.generateContentStream({ ...request, contents: [asked] })) {
        for (const part of chunk.candidates?.[0]?.content?.parts ?? []) parts.push(part)
        last = chunk
      }
      assert.deepStrictEqual(parts.slice(0, 2), candidate.content.parts.slice(0, 2))
      assert.deepStrictEqual(last?.candidates?.[0]?.urlContextMetadata, candidate.urlContextMetadata)
      const on = await models.generateContent({
        ...request,
        contents: [asked, candidate.content, { role: "user", parts: [{ text: "And the Oder?" }] }]
      })
      assert.strictEqual(on.candidates?.[0]?.finishReason, FinishReason.STOP)
    }))

  it("shows the calls of its tools beside functions, and takes them back with their signatures only", () =>
    simulated({}, async (simulator) => {
      const { models } = clientOf(simulator)
      const asked = { role: "user", parts: [{ text: "Use googleSearch: how long is the Elbe?" }] }
      const tide = { name: "tide", parameters: { type: Type.OBJECT, properties: {} } }
      const request = {
        model: "gemini-3-flash-preview",
        config: {
          tools: [{ googleSearch: {} }, { functionDeclarations: [tide] }],
          toolConfig: { includeServerSideToolInvocations: true }
        }
      }
      const { candidates } = await models.generateContent({ ...request, contents: [asked] })
      const content = candidates?.[0]?.content
      assert(content?.parts !== undefined)
      const [call, response] = content.parts
      assert.strictEqual(response?.toolResponse?.id, call?.toolCall?.id)
      assert.isString(call?.thoughtSignature)
      const next = { role: "user", parts: [{ text: "And the Oder?" }] }
      const on = await models.generateContent({ ...request, contents: [asked, content, next] })
      assert.strictEqual(on.candidates?.[0]?.finishReason, FinishReason.STOP)
      const changed = { ...content, parts: [{ ...call, thoughtSignature: "bWluZQ==" }, ...content.parts.slice(1)] }
      const error = await failureOf(models.generateContent({ ...request, contents: [asked, changed, next] }))
      assert(error instanceof ApiError && error.status === 400)
    }))

  it("reports that code failed, and that a page could not be read", () =>
    simulated(always(Simulator.toolError("exit code 1")), async (simulator) => {
      const { candidates } = await clientOf(simulator).models.generateContent({
        model: "gemini-2.5-flash",
        contents: `Use code_execution and urlContext: ${page}`,
        config: { tools: [{ codeExecution: {} }, { urlContext: {} }] }
      })
      const result = candidates?.[0]?.content?.parts?.[1]?.codeExecutionResult
      assert.deepStrictEqual(result, { outcome: Outcome.OUTCOME_FAILED, output: "exit code 1" })
      assert.strictEqual(
        candidates?.[0]?.urlContextMetadata?.urlMetadata?.[0]?.urlRetrievalStatus,
        UrlRetrievalStatus.URL_RETRIEVAL_STATUS_ERROR
      )
    }))
})
