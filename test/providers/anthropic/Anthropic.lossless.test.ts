import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { client, serve, type Transport, transports } from "../../support/overHttp.js"

type Json = { readonly [field: string]: unknown }

const model = "claude-opus-4-8"

const webResult = {
  type: "web_search_result",
  url: "https://example.com/elbe",
  title: "The Elbe",
  encrypted_content: "EqgfCioIARgBIiQ3YTAwMjY1",
  page_age: "April 30, 2026"
}

/** Turns of the model as the service sends them: each has to come back equal. */
const turns: { readonly [name: string]: ReadonlyArray<Json> } = {
  "a search, signed thoughts and citations": [
    { type: "thinking", thinking: "I search.", signature: "EqQBCgIYAhIM1gbcDa9G" },
    {
      type: "server_tool_use",
      id: "srvtoolu_1",
      name: "web_search",
      input: { query: "length of the Elbe" },
      caller: { type: "direct" }
    },
    { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [webResult], caller: { type: "direct" } },
    { type: "text", text: "The Elbe is " },
    {
      type: "text",
      text: "1,094 km long",
      citations: [
        {
          type: "web_search_result_location",
          cited_text: "The Elbe is 1,094 km long.",
          url: "https://example.com/elbe",
          title: "The Elbe",
          encrypted_index: "Eo8BCioIAhgBIiQy"
        },
        {
          type: "web_search_result_location",
          cited_text: "Its length is 1,094 km.",
          url: "https://example.org/elbe",
          title: null,
          encrypted_index: "Eo8BCioIAhgBIiQz"
        }
      ]
    },
    { type: "text", text: "." }
  ],
  "a search that failed": [
    { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "x" } },
    {
      type: "web_search_tool_result",
      tool_use_id: "srvtoolu_1",
      content: { type: "web_search_tool_result_error", error_code: "max_uses_exceeded" }
    },
    { type: "text", text: "I could not search." }
  ],
  "documents": [
    {
      type: "text",
      text: "the grass is green",
      citations: [
        {
          type: "char_location",
          cited_text: "The grass is green.",
          document_index: 0,
          document_title: "Nature",
          file_id: null,
          start_char_index: 0,
          end_char_index: 20
        },
        {
          type: "search_result_location",
          source: "kb://grass",
          title: "Grass",
          cited_text: "Grass is green.",
          search_result_index: 1,
          start_block_index: 0,
          end_block_index: 1
        }
      ]
    },
    {
      type: "text",
      text: " and the sky is blue",
      // The same place twice, and a kind that is not known.
      citations: [
        {
          type: "page_location",
          cited_text: "blue",
          document_index: 1,
          document_title: null,
          start_page_number: 5,
          end_page_number: 6
        },
        {
          type: "page_location",
          cited_text: "blue",
          document_index: 1,
          document_title: null,
          start_page_number: 5,
          end_page_number: 6
        },
        { type: "minute_location", cited_text: "blue", at: "00:05" }
      ]
    }
  ],
  "code, beside a tool of the program": [
    { type: "redacted_thinking", data: "EmwKAhgBEgy3va3pzix" },
    { type: "text", text: "I calculate." },
    { type: "server_tool_use", id: "srvtoolu_2", name: "code_execution", input: { code: "print(1 + 1)" } },
    {
      type: "code_execution_tool_result",
      tool_use_id: "srvtoolu_2",
      content: { type: "code_execution_result", stdout: "2\n", stderr: "", return_code: 0, content: [] }
    },
    { type: "container_upload", file_id: "file_011CNha8iCJcU1wXNR6q4V8w" },
    {
      type: "tool_use",
      id: "toolu_1",
      name: "look_up",
      input: { place: "Elbe", deep: [{ a: null }] },
      caller: { type: "code_execution_20260120", tool_id: "srvtoolu_2" },
      toolset_name: null
    }
  ],
  "another server's tools": [
    { type: "mcp_tool_use", id: "mcptoolu_1", name: "echo", server_name: "example", input: { a: 1 } },
    {
      type: "mcp_tool_result",
      tool_use_id: "mcptoolu_1",
      is_error: false,
      content: [{ type: "text", text: "Hello" }]
    },
    { type: "text", text: "It says hello." }
  ],
  "a conversation that was summed up": [
    { type: "compaction", content: "They spoke about rivers.", encrypted_content: "EuYB" },
    { type: "fallback", from: { model: "claude-opus-5" }, to: { model: "claude-opus-4-8" } },
    { type: "text", text: "So, the Elbe." }
  ],
  "kinds that nobody knows": [
    { type: "something_new", list: [1, { a: "b" }], text: "not a text of ours" },
    { type: "thinking", thinking: "", signature: "S==", duration: "4s" },
    { type: "text", text: "Yes.", tone: { calm: true } }
  ]
}

const message = (content: ReadonlyArray<Json>, fields: Json = {}): Json => ({
  id: "msg_1",
  type: "message",
  role: "assistant",
  model,
  content,
  stop_reason: content.some(({ type }) => type === "tool_use") ? "tool_use" : "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 3, output_tokens: 5 },
  ...fields
})

const sse = (events: ReadonlyArray<Json>): string =>
  events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("")

const halves = (text: string): ReadonlyArray<string> => {
  const middle = Math.ceil(text.length / 2)
  return text === "" ? [] : [text.slice(0, middle), text.slice(middle)]
}

/** How the service streams a block. */
const blockEvents = (block: Json, index: number): ReadonlyArray<Json> => {
  const start = (content_block: Json) => ({ type: "content_block_start", index, content_block })
  const delta = (fields: Json) => ({ type: "content_block_delta", index, delta: fields })
  const stop = { type: "content_block_stop", index }
  switch (block.type) {
    case "text": {
      const { citations = [], ...rest } = block
      return [
        start({ ...rest, text: "" }),
        ...(citations as ReadonlyArray<Json>).map((citation) => delta({ type: "citations_delta", citation })),
        ...halves(String(block.text)).map((text) => delta({ type: "text_delta", text })),
        stop
      ]
    }
    case "thinking":
      return [
        start({ ...block, thinking: "", signature: "" }),
        ...halves(String(block.thinking)).map((thinking) => delta({ type: "thinking_delta", thinking })),
        delta({ type: "signature_delta", signature: block.signature }),
        stop
      ]
    case "tool_use":
    case "server_tool_use":
    case "mcp_tool_use":
      return [
        start({ ...block, input: {} }),
        delta({ type: "input_json_delta", partial_json: "" }),
        ...halves(JSON.stringify(block.input)).map((partial_json) => delta({ type: "input_json_delta", partial_json })),
        stop
      ]
    case "compaction": {
      const { content, encrypted_content } = block
      return [
        start({ type: "compaction", content: null }),
        delta({ type: "compaction_delta", content, encrypted_content }),
        stop
      ]
    }
    default:
      return [start(block), stop]
  }
}

const messageEvents = (whole: Json, events = blockEvents): ReadonlyArray<Json> => {
  const { content, stop_reason, stop_sequence, usage, ...rest } = whole
  return [
    { type: "message_start", message: { ...rest, content: [], stop_reason: null, usage: { input_tokens: 3 } } },
    ...(content as ReadonlyArray<Json>).flatMap(events),
    { type: "message_delta", delta: { stop_reason, stop_sequence }, usage },
    { type: "message_stop" }
  ]
}

/** The turn that went back, after it came whole and as a stream. */
const roundTrips = (whole: Json, events: string, transport: Transport = "fetch") =>
  Effect.gen(function*() {
    const server = yield* serve((response, { body }) => {
      const streams = JSON.parse(body).stream === true
      response.writeHead(200, { "content-type": streams ? "text/event-stream" : "application/json" })
        .end(streams ? events : JSON.stringify(whole))
    })
    const { client: llm } = yield* client({
      provider: Anthropic.layer({ apiKey: Redacted.make("sk-ant-1234567890abcdef"), baseUrl: server.url }),
      transport: transports[transport]
    })
    const first = { role: "user", content: "Go." } as const
    const called = yield* llm.call({ model, messages: [first] }, { cache: "bypass" })
    const parts = yield* Stream.runCollect(llm.stream({ model, messages: [first] }, { cache: "bypass" }))
    const last = [...parts].at(-1)
    assert(last?._tag === "Finish")
    const back = (answer: LlmResponse.LlmResponse) =>
      Effect.map(
        llm.call({ model, messages: [first, answer.message, { role: "user", content: "And?" }] }, { cache: "bypass" }),
        ({ warnings }) => ({
          content: JSON.parse(server.requests.at(-1)?.body ?? "").messages[1].content as unknown,
          warnings
        })
      )
    return {
      called,
      streamed: last.response,
      parts: [...parts],
      sent: [yield* back(called), yield* back(last.response)]
    }
  }).pipe(Effect.scoped)

describe("Anthropic: what came goes back equal", () => {
  for (const [name, content] of Object.entries(turns)) {
    for (const transport of ["fetch", "undici"] as const) {
      it.live(`${name}, over ${transport}`, () =>
        Effect.gen(function*() {
          const whole = message(content)
          const { called, sent, streamed } = yield* roundTrips(whole, sse(messageEvents(whole)), transport)
          for (const { content: back } of sent) assert.deepStrictEqual(back, content)
          assert.deepStrictEqual(streamed.parts, called.parts)
          assert.deepStrictEqual(streamed.providerMetadata, called.providerMetadata)
          assert.deepStrictEqual(called.raw, whole)
          // Each kind that is no part of ours is named.
          const kinds = new Set(called.parts.flatMap((part) => part._tag === "Opaque" ? [part.kind] : []))
          assert.deepStrictEqual(
            called.warnings,
            [...kinds].map((kind) => `a block of the kind ${kind} was kept as it came`)
          )
        }))
    }
  }

  it("in whatever pieces the stream comes", () => {
    const all = Object.values(turns).flat()
    return FastCheck.assert(
      FastCheck.asyncProperty(FastCheck.shuffledSubarray(all), FastCheck.nat(50), (content, at) => {
        const whole = message(content)
        const events = sse(messageEvents(whole))
        return Effect.runPromise(
          Effect.gen(function*() {
            const cut = Math.floor(events.length * at / 50)
            const server = yield* serve((response) => {
              response.writeHead(200, { "content-type": "text/event-stream" })
              response.write(events.slice(0, cut))
              setImmediate(() => response.end(events.slice(cut)))
            })
            const { client: llm } = yield* client({
              provider: Anthropic.layer({ apiKey: Redacted.make("sk-ant-1234567890abcdef"), baseUrl: server.url })
            })
            const parts = yield* Stream.runCollect(llm.stream({ model, prompt: "Go." }))
            const last = [...parts].at(-1)
            assert(last?._tag === "Finish")
            yield* Effect.ignore(
              llm.stream({
                model,
                messages: [{ role: "user", content: "Go." }, last.response.message, { role: "user", content: "And?" }]
              })
                .pipe(Stream.runDrain)
            )
            const turn = JSON.parse(server.requests.at(-1)?.body ?? "").messages[1]
            assert.deepStrictEqual(content.length === 0 ? [] : turn.content, content)
          }).pipe(Effect.scoped)
        )
      }),
      { numRuns: 20 }
    )
  })

  it.live("sources say what they cite", () =>
    Effect.gen(function*() {
      const whole = message(turns.documents ?? [])
      const { called, parts } = yield* roundTrips(whole, sse(messageEvents(whole)))
      assert.deepStrictEqual(
        called.sources.map(({ json: _, ...source }) => source),
        [
          {
            _tag: "Source",
            provider: "anthropic",
            kind: "char_location",
            title: "Nature",
            quote: "The grass is green."
          },
          {
            _tag: "Source",
            provider: "anthropic",
            kind: "search_result_location",
            url: "kb://grass",
            title: "Grass",
            quote: "Grass is green."
          },
          { _tag: "Source", provider: "anthropic", kind: "page_location", quote: "blue" },
          { _tag: "Source", provider: "anthropic", kind: "page_location", quote: "blue" },
          { _tag: "Source", provider: "anthropic", kind: "minute_location", quote: "blue" }
        ]
      )
      assert.strictEqual(called.text, "the grass is green and the sky is blue")
      assert.deepStrictEqual(parts.filter(({ _tag }) => _tag === "Source"), [...called.sources])
    }))

  it.live("a block whose pieces are not all known is partial: kept, never cached, and not sent back", () =>
    Effect.gen(function*() {
      const whole = message([{ type: "text", text: "Hi" }])
      const odd = (deltas: ReadonlyArray<Json>, type = "server_tool_use"): string =>
        sse(messageEvents(whole, (block, index) => [
          { type: "content_block_start", index: 0, content_block: { type, id: "a", name: "web_search", input: {} } },
          ...deltas.map((delta) => ({ type: "content_block_delta", index: 0, delta })),
          { type: "content_block_stop", index: 0 },
          ...blockEvents(block, index + 1)
        ]))
      for (
        const deltas of [
          [{ type: "something_delta", value: 1 }],
          [{ type: "input_json_delta", partial_json: "{\"query\":" }],
          [{ type: "text_delta", text: 5 }]
        ]
      ) {
        const { sent, streamed } = yield* roundTrips(whole, odd(deltas))
        const [block] = streamed.parts
        assert(block?._tag === "Opaque")
        assert.deepStrictEqual([block.kind, block.partial], ["server_tool_use", true])
        assert.isFalse(LlmResponse.isComplete(streamed))
        assert.deepStrictEqual(sent[1], {
          content: [{ type: "text", text: "Hi" }],
          warnings: ["a block of the kind server_tool_use was not sent: it did not come whole"]
        })
      }
    }))

  it.live("pieces of a text that are not known are kept beside it", () =>
    Effect.gen(function*() {
      const whole = message([{ type: "text", text: "Hi" }])
      const events = messageEvents(whole).flatMap((event) =>
        event.type === "content_block_stop"
          ? [1, 2].map((value) => ({ type: "content_block_delta", index: 0, delta: { type: "tone_delta", value } }))
            .concat(
              event as never
            )
          : [event]
      )
      const { sent, streamed } = yield* roundTrips(whole, sse(events))
      assert.deepStrictEqual<ReadonlyArray<unknown>>(streamed.parts, [
        { _tag: "Text", text: "Hi" },
        {
          _tag: "Opaque",
          provider: "anthropic",
          kind: "tone_delta",
          json: [{ type: "tone_delta", value: 1 }, { type: "tone_delta", value: 2 }],
          partial: true
        }
      ])
      assert.deepStrictEqual(sent[1]?.content, [{ type: "text", text: "Hi" }])
    }))

  it.live("to the provider that sent it: others get neither blocks nor citations nor further fields", () =>
    Effect.gen(function*() {
      const server = yield* serve((response) => {
        response.writeHead(200, { "content-type": "application/json" }).end(
          JSON.stringify(message([{ type: "text", text: "Hi" }]))
        )
      })
      const { client: llm } = yield* client({
        provider: Anthropic.layer({ apiKey: Redacted.make("sk-ant-1234567890abcdef"), baseUrl: server.url })
      })
      const fields = { provider: "openai", json: { type: "x" } }
      const answer = yield* llm.call({
        model,
        messages: [
          { role: "user", content: "Go." },
          {
            role: "assistant",
            content: [
              Message.Opaque.make({ ...fields, kind: "web_search_call" }),
              Message.Text.make({ text: "A", native: { provider: "openai", fields: { x: 1 } } }),
              Message.Source.make({ ...fields, kind: "url_citation", url: "https://example.com" })
            ]
          },
          { role: "user", content: "And?" }
        ]
      })
      assert.deepStrictEqual(JSON.parse(server.requests[0]?.body ?? "").messages[1].content, [{
        type: "text",
        text: "A"
      }])
      assert.deepStrictEqual(answer.warnings, ["a block of the kind web_search_call was not sent: it came from openai"])
    }).pipe(Effect.scoped))

  it.live("thoughts without a signature go back to models that do not sign, and never to Claude", () =>
    Effect.gen(function*() {
      const server = yield* serve((response) => {
        response.writeHead(200, { "content-type": "application/json" }).end(
          JSON.stringify(message([{ type: "text", text: "Hi" }]))
        )
      })
      const { client: llm } = yield* client({
        provider: Anthropic.layer({ apiKey: Redacted.make("sk-ant-1234567890abcdef"), baseUrl: server.url })
      })
      const thought = Message.Reasoning.make({ text: "Hm.", provider: "anthropic" })
      for (
        const [asked, blocks] of [["deepseek-reasoner", [{ type: "thinking", thinking: "Hm." }]], [model, []]] as const
      ) {
        yield* llm.call({
          model: asked,
          messages: [
            { role: "user", content: "Go." },
            { role: "assistant", content: [thought, Message.Text.make({ text: "A" })] },
            { role: "user", content: "And?" }
          ]
        })
        assert.deepStrictEqual(JSON.parse(server.requests.at(-1)?.body ?? "").messages[1].content, [
          ...blocks,
          { type: "text", text: "A" }
        ])
      }
    }).pipe(Effect.scoped))
})

describe("Anthropic: what an answer says about itself", () => {
  it.live("is in its usage and metadata, called and streamed", () =>
    Effect.gen(function*() {
      const whole = message([{ type: "text", text: "Hi" }], {
        container: { id: "container_1", expires_at: "2026-12-01T00:00:00Z" },
        diagnostics: null,
        stop_sequence: "END",
        context_management: { applied_edits: [] },
        usage: {
          input_tokens: 3,
          output_tokens: 5,
          cache_read_input_tokens: 10,
          cache_creation_input_tokens: 30,
          cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
          server_tool_use: { web_search_requests: 2, web_fetch_requests: 0 },
          service_tier: "priority",
          inference_geo: "us",
          speed: "fast"
        }
      })
      const { called, streamed } = yield* roundTrips(whole, sse(messageEvents(whole)))
      for (const answer of [called, streamed]) {
        assert.deepStrictEqual(answer.usage, {
          inputTokens: 43,
          cachedInputTokens: 10,
          cacheWriteTokens: 30,
          cacheWrite5mTokens: 10,
          cacheWrite1hTokens: 20,
          outputTokens: 5,
          serverToolUse: { web_search_requests: 2, web_fetch_requests: 0 },
          serviceTier: "priority"
        })
        assert.deepStrictEqual(answer.providerMetadata, {
          container: { id: "container_1", expires_at: "2026-12-01T00:00:00Z" },
          context_management: { applied_edits: [] },
          stop_sequence: "END",
          service_tier: "priority",
          inference_geo: "us",
          speed: "fast"
        })
      }
      assert.notProperty(streamed, "raw")
    }))

  it.live("that comes with its last event counts, too", () =>
    Effect.gen(function*() {
      const whole = message([{ type: "text", text: "Hi" }])
      const events = messageEvents(whole).map((event) =>
        event.type === "message_delta"
          ? {
            ...event,
            delta: { ...Object(event.delta), container: { id: "c" } },
            context_management: { applied_edits: [1] },
            usage: { ...Object(event.usage), server_tool_use: { web_search_requests: 1 } }
          }
          : event
      )
      const { streamed } = yield* roundTrips(whole, sse(events))
      assert.deepStrictEqual(streamed.providerMetadata, {
        context_management: { applied_edits: [1] },
        container: { id: "c" }
      })
      assert.deepStrictEqual(streamed.usage.serverToolUse, { web_search_requests: 1 })
    }))
})
