import { assert, describe, it } from "@effect/vitest"
import { Simulator } from "effect-llm/testing"
import * as Effect from "effect/Effect"
import { ask, eventsOf, type Json, over, parse, type Protocol, requests, user } from "../support/simulated.js"

const beta = "mcp-client-2025-11-20"

/** A request with fields of its own, as its protocol has it. */
const requestOf = (protocol: Protocol, body: Json, { stream = false, headers = {} } = {}) => {
  const request = requests("Elbe")[protocol](stream, body)
  return { ...request, headers: { ...request.headers, ...headers } }
}

const mcpServer = { type: "url", name: "rivers", url: "https://rivers.example.com/mcp" }
const toolset = { type: "mcp_toolset", mcp_server_name: "rivers" }
const mcp = { type: "mcp", server_label: "rivers", server_url: mcpServer.url }
const withBeta = { headers: { "anthropic-beta": `other-2025-01-01,${beta}` } }

/** Requests that a service refuses, and its words for it. */
const refused: ReadonlyArray<
  readonly [Protocol, Json, RegExp, { readonly headers?: Record<string, string> }?]
> = [
  [
    "openai-responses",
    { tools: [{ type: "web_serach" }] },
    /^Invalid value: 'web_serach'\. Supported values are: 'function'/
  ],
  [
    "openai-responses",
    { tools: [{ type: "code_interpreter" }] },
    /^Missing required parameter: 'tools\[0\]\.container'/
  ],
  [
    "openai-responses",
    { tools: [{ type: "file_search" }] },
    /^Missing required parameter: 'tools\[0\]\.vector_store_ids'/
  ],
  ["openai-responses", { tools: [{ type: "file_search", vector_store_ids: [] }] }, /empty array/],
  ["openai-responses", { tools: [{ type: "mcp", server_url: mcpServer.url }] }, /^Missing required .*server_label/],
  [
    "openai-responses",
    { tools: [{ type: "mcp", server_label: "rivers" }] },
    /^Exactly one of 'server_url' and 'connector_id'/
  ],
  ["openai-responses", { tools: [mcp, mcp] }, /^Duplicate MCP server label found: 'rivers'/],
  ["openai-responses", { include: ["everything"] }, /^Invalid value: 'everything'/],
  [
    "openai-responses",
    { tools: [mcp], tool_choice: { type: "web_search" } },
    /^Tool choice 'web_search' not found in 'tools' parameter/
  ],
  [
    "openai-responses",
    { input: [user("Elbe?"), { type: "mcp_approval_response", approval_request_id: "mcpr_1", approve: true }] },
    /^No approval request found with id 'mcpr_1'/
  ],
  [
    "openai-responses",
    { input: [user("Elbe?"), { type: "mcp_approval_response", approval_request_id: "mcpr_1" }] },
    /^Missing required parameter: 'input\[1\]\.approve'/
  ],
  [
    "anthropic-messages",
    { tools: [{ type: "web_search_20240101", name: "web_search" }] },
    /^tools\.0: Input tag 'web_search_20240101' found using 'type' does not match/
  ],
  [
    "anthropic-messages",
    { tools: [{ type: "web_search_20250305", name: "search" }] },
    /^tools\.0\.web_search_20250305\.name: Input should be 'web_search'/
  ],
  [
    "anthropic-messages",
    {
      tools: [{ type: "web_fetch_20250910", name: "web_fetch", allowed_domains: ["a.org"], blocked_domains: ["b.org"] }]
    },
    /Only one of 'allowed_domains' and 'blocked_domains'/
  ],
  [
    "anthropic-messages",
    { tools: [{ type: "web_search_20250305", name: "web_search", max_uses: 0 }] },
    /max_uses: Input should be greater than 0/
  ],
  [
    "anthropic-messages",
    {
      tools: [
        { type: "web_search_20250305", name: "web_search" },
        { name: "web_search", input_schema: { type: "object" } }
      ]
    },
    /Tool names must be unique/
  ],
  [
    "anthropic-messages",
    { mcp_servers: [mcpServer], tools: [toolset] },
    /^mcp_servers: Extra inputs are not permitted/
  ],
  ["anthropic-messages", { tools: [toolset] }, /needs the beta 'mcp-client-2025-11-20'/],
  ["anthropic-messages", { tools: [toolset] }, /^tools: MCP server 'rivers' is not defined/, withBeta],
  ["anthropic-messages", { mcp_servers: [mcpServer] }, /must be referenced by exactly one mcp_toolset/, withBeta],
  [
    "anthropic-messages",
    { mcp_servers: [{ ...mcpServer, url: undefined }], tools: [toolset] },
    /^mcp_servers\.0\.url: Field required/,
    withBeta
  ],
  [
    "anthropic-messages",
    {
      messages: [
        user("Elbe?"),
        { role: "assistant", content: [{ type: "mcp_tool_result", tool_use_id: "mcptoolu_1", content: "1094" }] },
        user("And?")
      ]
    },
    /unexpected `tool_use_id` found in `mcp_tool_result` blocks: mcptoolu_1/
  ],
  [
    "anthropic-messages",
    {
      messages: [
        user("Elbe?"),
        { role: "assistant", content: [{ type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {} }] },
        user("And?")
      ]
    },
    /`web_search` tool use with id `srvtoolu_1` was found without a corresponding result/
  ],
  ["gemini", { tools: [{ googelSearch: {} }] }, /Unknown name "googelSearch" at 'tools\[0\]'/],
  ["gemini", { tools: [{ code_execution: { python: 3 } }] }, /Unknown name "python" at 'tools\[0\]\.code_execution'/],
  ["gemini", { tools: [{ urlContext: true }] }, /Invalid value at 'tools\[0\]\.url_context', true/],
  [
    "gemini",
    { tools: [{ codeExecution: {} }], generationConfig: { responseMimeType: "application/json" } },
    /^Tool use with a response mime type: 'application\/json' is unsupported/
  ],
  [
    "gemini",
    {
      contents: [
        { role: "user", parts: [{ text: "7 * 6?" }] },
        { role: "model", parts: [{ codeExecutionResult: { outcome: "OUTCOME_OK", output: "42" } }] },
        { role: "user", parts: [{ text: "And?" }] }
      ]
    },
    /code execution result parts come immediately after executable code parts/
  ],
  [
    "gemini",
    {
      contents: [
        { role: "user", parts: [{ text: "Elbe?" }] },
        { role: "model", parts: [{ toolResponse: { id: "1", toolType: "GOOGLE_SEARCH_WEB", response: {} } }] },
        { role: "user", parts: [{ text: "And?" }] }
      ]
    },
    /tool_response: no tool_call has this id/
  ]
]

describe("Simulator: the tools that services run", () => {
  it.live("refuses a wrong declaration, choice or turn with 400, whole and streamed, as the service does", () =>
    over({}, (simulator) =>
      Effect.gen(function*() {
        for (const [protocol, body, message, options = {}] of refused) {
          for (const stream of [false, true]) {
            const reply = yield* ask(simulator, requestOf(protocol, body, { ...options, stream }))
            assert.strictEqual(reply.status, 400, JSON.stringify(body))
            assert.match(parse(reply).error.message, message)
          }
        }
      })))

  it.live("takes tools of other hosts, and versions and forms that it does not play", () =>
    over({}, (simulator) =>
      Effect.gen(function*() {
        const taken: ReadonlyArray<readonly [Protocol, Json, { readonly headers?: Record<string, string> }?]> = [
          ["openai-responses", { model: "grok-4", tools: [{ type: "x_search" }], include: ["anything"] }],
          ["openai-responses", { tools: [{ type: "web_search_preview_2025_03_11" }, { type: "image_generation" }] }],
          ["anthropic-messages", { tools: [{ type: "bash_20250124", name: "bash" }] }],
          ["anthropic-messages", { mcp_servers: [mcpServer], tools: [toolset] }, withBeta],
          // A result may come an answer later, where the turn also called the program's tools.
          ["anthropic-messages", {
            messages: [
              user("Elbe?"),
              {
                role: "assistant",
                content: [
                  { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "Elbe" } },
                  { type: "tool_use", id: "toolu_1", name: "tide", input: {} }
                ]
              },
              user([{ type: "tool_result", tool_use_id: "toolu_1", content: "high" }]),
              {
                role: "assistant",
                content: [
                  { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [] },
                  { type: "text", text: "High." }
                ]
              },
              user("And the Oder?")
            ]
          }],
          ["gemini", { tools: [{ google_maps: { widget: true } }, { googleSearch: { time_range_filter: {} } }] }]
        ]
        for (const [protocol, body, options = {}] of taken) {
          const reply = yield* ask(simulator, requestOf(protocol, body, options))
          assert.strictEqual(reply.status, 200, reply.text)
        }
      })))

  it.live("asks for leave for those calls of MCP that the request guards", () =>
    over({}, (simulator) =>
      Effect.gen(function*() {
        const kinds = (tool: Json) =>
          Effect.map(
            ask(simulator, requestOf("openai-responses", { input: "Use mcp: Elbe?", tools: [{ ...mcp, ...tool }] })),
            (reply) => parse(reply).output.map(({ type }: Json) => type)
          )
        const waits = ["mcp_list_tools", "mcp_approval_request"]
        const runs = ["mcp_list_tools", "mcp_call", "message"]
        const allowed_tools = ["length"]
        assert.deepStrictEqual(yield* kinds({}), waits)
        assert.deepStrictEqual(yield* kinds({ require_approval: "always" }), waits)
        assert.deepStrictEqual(yield* kinds({ require_approval: "never" }), runs)
        assert.deepStrictEqual(
          yield* kinds({ allowed_tools, require_approval: { never: { tool_names: ["length"] } } }),
          runs
        )
        assert.deepStrictEqual(
          yield* kinds({ allowed_tools, require_approval: { always: { tool_names: ["delete"] } } }),
          runs
        )
        assert.deepStrictEqual(
          yield* kinds({
            allowed_tools: { tool_names: ["length"] },
            require_approval: { always: { tool_names: ["length"] } }
          }),
          waits
        )
      })))

  it.live("lists the tools of a server of MCP once in a conversation, also in one that it stored", () =>
    over({}, (simulator) =>
      Effect.gen(function*() {
        const tools = [{ ...mcp, require_approval: "never" }]
        const first = parse(yield* ask(simulator, requestOf("openai-responses", { input: "Use mcp: Elbe?", tools })))
        const second = parse(
          yield* ask(
            simulator,
            requestOf("openai-responses", { input: "Use mcp: Oder?", tools, previous_response_id: first.id })
          )
        )
        const kinds = ({ output }: { output: ReadonlyArray<Json> }) => output.map(({ type }) => type)
        assert.deepStrictEqual(kinds(first), ["mcp_list_tools", "mcp_call", "message"])
        assert.deepStrictEqual(kinds(second), ["mcp_call", "message"])
      })))

  it.live("streams the events of each tool of Responses in the service's order", () =>
    over({}, (simulator) =>
      Effect.gen(function*() {
        const tools = [
          { type: "file_search", vector_store_ids: ["vs_1"] },
          { type: "code_interpreter", container: { type: "auto" } },
          { ...mcp, require_approval: "never" }
        ]
        const input = "Use file_search, code_interpreter and rivers: Elbe?"
        const events = (fault: Simulator.Fault) =>
          Effect.gen(function*() {
            yield* simulator.setFaults(Simulator.always(fault))
            const reply = yield* ask(simulator, requestOf("openai-responses", { input, tools }, { stream: true }))
            const types = eventsOf(reply).map(({ event }) => String(event).replace(/^response\./, ""))
            // Each piece of a text is an event: one stands for all.
            return types.filter((type, index) => /_call|mcp_/.test(type) && type !== types[index - 1])
          })
        const began = [
          "mcp_list_tools.in_progress",
          "mcp_list_tools.completed",
          "file_search_call.in_progress",
          "file_search_call.searching"
        ]
        const ran = [
          "code_interpreter_call.in_progress",
          "code_interpreter_call_code.delta",
          "code_interpreter_call_code.done",
          "code_interpreter_call.interpreting"
        ]
        const called = ["mcp_call.in_progress", "mcp_call_arguments.delta", "mcp_call_arguments.done"]
        assert.deepStrictEqual(yield* events(Simulator.ok), [
          ...began,
          "file_search_call.completed",
          ...ran,
          "code_interpreter_call.completed",
          ...called,
          "mcp_call.completed"
        ])
        assert.deepStrictEqual(yield* events(Simulator.toolError()), [...began, ...ran, ...called, "mcp_call.failed"])
      })))

  it.live("reports a failure of Anthropic's tools by its code, in an answer with status 200", () =>
    over({ faults: Simulator.always(Simulator.toolError("max_uses_exceeded")) }, (simulator) =>
      Effect.gen(function*() {
        const body = {
          messages: [user("Use web_search, web_fetch, code_execution and mcp: https://example.com/elbe?")],
          tools: [
            { type: "web_search_20250305", name: "web_search" },
            { type: "web_fetch_20250910", name: "web_fetch" },
            { type: "code_execution_20250825", name: "code_execution" },
            toolset
          ],
          mcp_servers: [mcpServer]
        }
        const reply = yield* ask(simulator, requestOf("anthropic-messages", body, withBeta))
        assert.strictEqual(reply.status, 200)
        const { container, content, stop_reason, usage } = parse(reply)
        const results = content.filter(({ type }: Json) => String(type).endsWith("_result"))
        assert.deepStrictEqual(results.map(({ content }: Json) => content), [
          ...["web_search", "web_fetch", "bash_code_execution"].map((name) => ({
            type: `${name}_tool_result_error`,
            error_code: "max_uses_exceeded"
          })),
          [{ type: "text", text: "max_uses_exceeded" }]
        ])
        assert.isTrue(results[3].is_error)
        assert.isUndefined(content.at(-1).citations)
        assert.strictEqual(stop_reason, "end_turn")
        assert.deepStrictEqual(usage.server_tool_use, { web_search_requests: 1, web_fetch_requests: 1 })
        assert.match(container.id, /^container_/)
      })))

  it.live("an answer function gives runs of its own, and each protocol shows those that it has", () =>
    over({
      answer: () => ({
        text: "Forty-two.",
        serverRuns: [
          { kind: "code_execution", code: "6 * 7", output: "42" },
          { kind: "file_search", query: "42", files: [{ id: "file-1", name: "answers.txt", text: "42" }] },
          { kind: "web_fetch", url: "https://example.com/42", title: "42", text: "It is 42." }
        ]
      })
    }, (simulator) =>
      Effect.gen(function*() {
        const told = (protocol: Protocol) =>
          Effect.map(ask(simulator, requestOf(protocol, {})), (reply) => {
            assert.strictEqual(reply.status, 200)
            return ["code", "file_search", "example.com/42"].filter((sign) => reply.text.includes(sign))
          })
        assert.deepStrictEqual(yield* told("openai-responses"), ["code", "file_search"])
        assert.deepStrictEqual(yield* told("anthropic-messages"), ["code", "example.com/42"])
        assert.deepStrictEqual(yield* told("gemini"), ["code", "example.com/42"])
        assert.deepStrictEqual(yield* told("openai-chat"), [])
        assert.deepStrictEqual(yield* told("ollama"), [])
      })))
})
