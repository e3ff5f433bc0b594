import { assert, describe, it } from "@effect/vitest"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as OpenAi from "effect-llm/OpenAi"
import * as StreamPart from "effect-llm/StreamPart"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { finished, json, namedSse, provider, streaming } from "../../support/fakeHttp.js"

type Json = { readonly [field: string]: unknown }

const layer = OpenAi.layer({ apiKey: Redacted.make("sk-1234567890abcdef") })

const citation = { type: "url_citation", start_index: 4, end_index: 8, url: "https://example.com/elbe", title: "Elbe" }
const file = { type: "file_citation", index: 8, file_id: "file_1", filename: "rivers.pdf" }

const reasoning = {
  type: "reasoning",
  id: "rs_1",
  summary: [{ type: "summary_text", text: "**Search**\n\nI look." }, { type: "summary_text", text: "Then I answer." }],
  encrypted_content: "E1"
}
const search = {
  type: "web_search_call",
  id: "ws_1",
  status: "completed",
  action: { type: "search", query: "Elbe", sources: [{ type: "url", url: "https://example.com/elbe" }] }
}
const commentary = {
  type: "message",
  id: "msg_1",
  role: "assistant",
  status: "completed",
  phase: "commentary",
  content: [{ type: "output_text", text: "I look.", annotations: [] }]
}
const code = {
  type: "code_interpreter_call",
  id: "ci_1",
  status: "completed",
  container_id: "c_1",
  code: "1 + 1",
  outputs: [{ type: "logs", logs: "2\n" }, null]
}
const call = {
  type: "function_call",
  id: "fc_1",
  call_id: "call_1",
  name: "find",
  arguments: "{\"q\":1}",
  status: "completed",
  caller: { type: "program", caller_id: "p_1" }
}
const compaction = { type: "compaction", id: "cmp_1", encrypted_content: "C1" }
const answer = {
  type: "message",
  id: "msg_2",
  role: "assistant",
  status: "completed",
  phase: "final_answer",
  content: [{ type: "output_text", text: "The Elbe.", annotations: [citation, file], logprobs: [] }]
}
const output: ReadonlyArray<Json> = [reasoning, search, commentary, code, call, compaction, answer]

const body = (output: ReadonlyArray<Json>, fields: Json = {}): Json => ({
  id: "resp_1",
  object: "response",
  status: "completed",
  model: "gpt-5.6",
  output,
  usage: { input_tokens: 10, output_tokens: 5 },
  ...fields
})

/** The events of an answer, item by item: each begins empty and comes whole at its end. */
const eventsOf = (body: Json, output: ReadonlyArray<Json>, last: unknown = output) =>
  namedSse([
    { type: "response.created", response: { ...body, status: "in_progress", output: [], usage: null } },
    ...output.flatMap((item, output_index) => [
      {
        type: "response.output_item.added",
        output_index,
        item: { ...item, status: "in_progress", ...("content" in item && { content: [] }) }
      },
      { type: `response.${String(item.type)}.searching`, output_index, item_id: item.id },
      ...annotated(item, output_index),
      { type: "response.output_item.done", output_index, item }
    ]),
    { type: "response.completed", response: { ...body, output: last } }
  ])

const annotated = (item: Json, output_index: number) =>
  item !== answer ? [] : [citation, file].map((annotation, annotation_index) => ({
    type: "response.output_text.annotation.added",
    output_index,
    item_id: item.id,
    content_index: 0,
    annotation_index,
    annotation
  }))

const ask: LlmRequest.Input = { model: "gpt-5.6", prompt: "Which river?" }

/** The items that are sent for a turn in a later request. */
const sentBack = (message: Message.AssistantMessage, model = "gpt-5.6") =>
  Effect.gen(function*() {
    const next = yield* provider(layer, json(body([answer])))
    const { warnings } = yield* next.call({
      model,
      messages: [{ role: "user", content: "Which river?" }, message, {
        role: "tool",
        content: [Message.ToolResult.make({ id: "call_1", result: "ok" })]
      }]
    })
    const input = next.sent[0]!.body.input as ReadonlyArray<Json>
    return { items: input.slice(1, -1), warnings }
  })

const plain = ({ id: _, status: _1, ...item }: Json): Json => item

describe("OpenAi: an answer with blocks that are not modelled", () => {
  it.effect("holds each item in its place, over a call and a stream", () =>
    Effect.gen(function*() {
      const called = yield* Effect.flatMap(provider(layer, json(body(output))), ({ call }) => call(ask))
      assert.deepStrictEqual(called.parts.map((part) => part._tag === "Opaque" ? part.kind : part._tag), [
        "Reasoning",
        "web_search_call",
        "Text",
        "code_interpreter_call",
        "ToolCall",
        "compaction",
        "Text",
        "Source",
        "Source"
      ])
      assert.deepStrictEqual(called.sources, [
        {
          _tag: "Source",
          provider: "openai",
          kind: "url_citation",
          url: "https://example.com/elbe",
          title: "Elbe",
          span: { start: 4, end: 8 },
          json: citation
        },
        { _tag: "Source", provider: "openai", kind: "file_citation", id: "file_1", title: "rivers.pdf", json: file }
      ])
      assert.deepStrictEqual(called.warnings, [
        "a block of the kind web_search_call was kept as it came",
        "a block of the kind code_interpreter_call was kept as it came",
        "a block of the kind compaction was kept as it came"
      ])
      assert.deepStrictEqual(called.raw, body(output))
      assert.isTrue(Object.isFrozen(LlmResponse.freeze(called).raw))
      for (const last of [output, [], undefined]) {
        const events = eventsOf(body(output), output, last)
        const { stream } = yield* provider(layer, streaming([events]))
        const streamed = yield* stream(ask)
        assert.deepStrictEqual(finished(streamed), LlmResponse.withoutRaw(called))
        // As soon as it is whole, and once.
        const given = streamed.parts.filter((part) => part._tag === "Opaque" || part._tag === "Source")
        assert.deepStrictEqual(given, called.parts.filter((part) => part._tag === "Opaque" || part._tag === "Source"))
        const tags = streamed.parts.map(({ _tag }) => _tag)
        assert.isBelow(tags.indexOf("Opaque"), tags.indexOf("TextDelta"))
      }
    }))

  it.effect("goes back as it came: opaque items unchanged, all in their places, texts with their annotations", () =>
    Effect.gen(function*() {
      const called = yield* Effect.flatMap(provider(layer, json(body(output))), ({ call }) => call(ask))
      const { items, warnings } = yield* sentBack(called.message)
      assert.deepStrictEqual(warnings, [])
      assert.deepStrictEqual(items, [
        reasoning,
        search,
        { role: "assistant", content: "I look.", phase: "commentary" },
        code,
        plain(call),
        compaction,
        {
          role: "assistant",
          phase: "final_answer",
          content: [{ type: "output_text", text: "The Elbe.", annotations: [citation, file] }]
        }
      ])
    }))

  it.effect("goes back in part to another service: without the blocks of this one, with a warning for each kind", () =>
    Effect.gen(function*() {
      const called = yield* Effect.flatMap(provider(layer, json(body(output))), ({ call }) => call(ask))
      const foreign = called.parts.map((part) => "provider" in part ? { ...part, provider: "other" } : part)
      const { items, warnings } = yield* sentBack({ role: "assistant", content: foreign })
      assert.deepStrictEqual(items.map((item) => item.type ?? item.content), ["I look.", "function_call", "The Elbe."])
      assert.deepStrictEqual(
        warnings,
        [
          "reasoning was not sent: another provider made it",
          ...["web_search_call", "code_interpreter_call", "compaction"].map((kind) =>
            `a block of the kind ${kind} was not sent: it came from other`
          )
        ]
      )
    }))

  it.effect("has the parts of a message that are no text behind the text, and sends them back in the message", () =>
    Effect.gen(function*() {
      const image = { type: "output_image", image_url: "https://example.com/elbe.png" }
      const mixed = { ...answer, content: [{ type: "output_text", text: "The Elbe:", annotations: [] }, image] }
      const called = yield* Effect.flatMap(provider(layer, json(body([mixed]))), ({ call }) => call(ask))
      assert.deepStrictEqual(called.parts, [
        { _tag: "Text", text: "The Elbe:", phase: "final_answer" },
        { _tag: "Opaque", provider: "openai", kind: "message.output_image", json: image }
      ])
      assert.deepStrictEqual(
        (yield* sentBack({
          role: "assistant",
          content: [...called.parts, Message.ToolCall.make({ id: "call_1", name: "find", arguments: {} })]
        })).items[0],
        {
          role: "assistant",
          phase: "final_answer",
          content: [{ type: "output_text", text: "The Elbe:", annotations: [] }, image]
        }
      )
    }))

  it.effect("keeps what the protocol's own tools were used for, the tier, and further fields of the body", () =>
    Effect.gen(function*() {
      const fields = {
        service_tier: "priority",
        tool_usage: { web_search: { num_requests: 2 } },
        conversation: { id: "conv_1" },
        instructions: "You are terse.",
        metadata: {}
      }
      const called = yield* Effect.flatMap(provider(layer, json(body([answer], fields))), ({ call }) => call(ask))
      assert.deepStrictEqual(called.usage, {
        inputTokens: 10,
        outputTokens: 5,
        serverToolUse: { web_search: 2 },
        serviceTier: "priority"
      })
      assert.deepStrictEqual(called.providerMetadata, {
        service_tier: "priority",
        tool_usage: { web_search: { num_requests: 2 } },
        conversation: { id: "conv_1" }
      })
    }))

  it.effect("has the logprobs of its tokens, over a call and a stream", () =>
    Effect.gen(function*() {
      const token = { token: "Elbe", logprob: -0.25, bytes: [69, 108, 98, 101], top_logprobs: [] }
      const other = { ...token, top_logprobs: [{ token: "Oder", logprob: -2, bytes: null }] }
      const said = { ...commentary, content: [{ type: "output_text", text: "ElbeElbe", logprobs: [token, other] }] }
      const expected = [
        { token: "Elbe", logprob: -0.25, bytes: [69, 108, 98, 101] },
        { token: "Elbe", logprob: -0.25, bytes: [69, 108, 98, 101], top: [{ token: "Oder", logprob: -2 }] }
      ]
      const called = yield* Effect.flatMap(provider(layer, json(body([said]))), ({ call }) => call(ask))
      assert.deepStrictEqual(called.logprobs, expected)
      const delta = (logprobs: ReadonlyArray<Json>) => ({
        type: "response.output_text.delta",
        output_index: 0,
        content_index: 0,
        delta: "Elbe",
        logprobs
      })
      const events = namedSse([delta([token]), delta([other]), { type: "response.completed", response: body([]) }])
      const { stream } = yield* provider(layer, streaming([events]))
      assert.deepStrictEqual(finished(yield* stream(ask)).logprobs, expected)
    }))

  it.effect("keeps the tools and includes of providerOptions beside ours", () =>
    Effect.gen(function*() {
      const made = yield* provider(layer, json(body([answer])))
      yield* made.call({
        ...ask,
        tools: [{ name: "find", parameters: { type: "object" } }],
        providerOptions: { openai: { tools: [{ type: "web_search" }], include: ["web_search_call.action.sources"] } }
      })
      const { include, tools } = made.sent[0]!.body
      assert.deepStrictEqual(tools, [
        { type: "function", name: "find", parameters: { type: "object" }, strict: false },
        { type: "web_search" }
      ])
      assert.deepStrictEqual(include, ["reasoning.encrypted_content", "web_search_call.action.sources"])
    }))

  it("is a stream of parts, too, when it comes from a cache", () => {
    const parts = [Message.Opaque.make({ provider: "openai", kind: "web_search_call", json: search })]
    const response = LlmResponse.make({ parts, finishReason: "stop", model: "m", provider: "openai" })
    assert.deepStrictEqual(StreamPart.fromResponse(response)[0], parts[0])
  })
})
