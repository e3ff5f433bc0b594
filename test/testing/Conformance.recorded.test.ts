import { assert, describe, it } from "@effect/vitest"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Conformance from "effect-llm/testing/Conformance"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { namedSse, sse } from "../support/fakeHttp.js"

type Json = { readonly [field: string]: unknown }

const apiKey = Redacted.make("sk-1234567890abcdef")

// ---------------------------------------------------------------------------------------------------------------------
// Responses
// ---------------------------------------------------------------------------------------------------------------------

const responses = OpenAi.layer({ apiKey })

const responsesBody = (output: ReadonlyArray<Json>): Json => ({
  id: "resp_1",
  object: "response",
  status: "completed",
  model: "gpt-5.6",
  output,
  usage: { input_tokens: 10, output_tokens: 5 }
})

const responsesRecording = (
  name: string,
  output: ReadonlyArray<Json>,
  blocks: ReadonlyArray<unknown> = output
): Conformance.Recording => ({
  name,
  request: { model: "gpt-5.6", prompt: "Which river?" },
  body: responsesBody(output),
  stream: namedSse([
    { type: "response.created", response: { ...responsesBody([]), status: "in_progress", usage: null } },
    ...output.flatMap((item, output_index) => [
      { type: "response.output_item.added", output_index, item: { ...item, status: "in_progress" } },
      { type: `response.${String(item.type)}.in_progress`, output_index, item_id: item.id },
      { type: "response.output_item.done", output_index, item }
    ]),
    { type: "response.completed", response: responsesBody(output) }
  ]),
  blocks
})

const citation = { type: "url_citation", start_index: 0, end_index: 4, url: "https://example.com/elbe", title: "Elbe" }

const says = (text: string, annotations: ReadonlyArray<Json>, phase?: string): Json => ({
  type: "message",
  id: `msg_${text.length}`,
  role: "assistant",
  status: "completed",
  ...(phase !== undefined && { phase }),
  content: [{ type: "output_text", text, annotations, logprobs: [] }]
})

const reasoning = (id: string, ...summary: ReadonlyArray<string>): Json => ({
  type: "reasoning",
  id,
  summary: summary.map((text) => ({ type: "summary_text", text })),
  encrypted_content: `E-${id}`
})

const items: { readonly [name: string]: ReadonlyArray<Json> } = {
  "a web search": [{
    type: "web_search_call",
    id: "ws_1",
    status: "completed",
    action: { type: "search", query: "q" }
  }],
  "a file search": [
    {
      type: "file_search_call",
      id: "fs_1",
      status: "completed",
      queries: ["q"],
      results: [{ file_id: "f", score: 0.5 }]
    }
  ],
  "a run of code": [
    { type: "code_interpreter_call", id: "ci_1", status: "completed", container_id: "c", code: "1", outputs: null }
  ],
  "the tools of a server": [
    { type: "mcp_list_tools", id: "ml_1", server_label: "s", tools: [{ name: "t", input_schema: {} }] },
    { type: "mcp_call", id: "mc_1", server_label: "s", name: "t", arguments: "{}", output: "ö", error: null }
  ],
  "an image": [{ type: "image_generation_call", id: "ig_1", status: "completed", result: "iVBORw==" }],
  "the use of a computer": [
    { type: "computer_call", id: "cc_1", call_id: "c_1", status: "completed", action: { type: "wait" } }
  ],
  "compaction": [{ type: "compaction", id: "cmp_1", encrypted_content: "C" }],
  "a call of a custom tool": [{ type: "custom_tool_call", id: "ct_1", call_id: "c", name: "f", input: "x" }],
  "an item that nobody knows yet": [{ type: "hologram", id: "h_1", depth: [1.5, null, { "__proto__x": "\u2028" }] }]
}

// ---------------------------------------------------------------------------------------------------------------------
// Chat Completions
// ---------------------------------------------------------------------------------------------------------------------

const gemini = OpenAiChat.layer({
  apiKey,
  baseUrl: "https://generativelanguage.googleapis.com/v1beta/openai",
  name: "g"
})

const signature = { google: { thought_signature: "S" } }

const chatChoice = (choice: Json): Json => ({
  id: "c1",
  model: "m",
  choices: [{ index: 0, finish_reason: null, ...choice }]
})

const chatRecording: Conformance.Recording = {
  name: "a signed text",
  request: { model: "m", prompt: "Which river?" },
  body: chatChoice({
    message: { role: "assistant", content: "Elbe", extra_content: signature },
    finish_reason: "stop"
  }),
  stream: sse([
    chatChoice({ delta: { role: "assistant", content: "El" } }),
    chatChoice({ delta: { content: "be", extra_content: signature } }),
    chatChoice({ delta: {}, finish_reason: "stop" }),
    "[DONE]"
  ]),
  blocks: [{ role: "assistant", content: "Elbe", extra_content: signature }]
}

const recordings: ReadonlyArray<readonly [provider: typeof responses, Conformance.Recording]> = [
  ...Object.entries(items).flatMap(([name, output]) => [
    [responses, responsesRecording(name, output)] as const,
    [
      responses,
      responsesRecording(
        `${name} before a text`,
        [reasoning("rs_1", "**A**\n\nB"), ...output, reasoning("rs_2"), says("Elbe", [citation], "final_answer")],
        [reasoning("rs_1", "**A**\n\nB"), ...output, reasoning("rs_2"), citation]
      )
    ] as const
  ]),
  [gemini, chatRecording]
]

for (const [provider, recording] of recordings) {
  describe(`A recorded answer: ${recording.name}`, () => {
    for (const { check, name } of Conformance.recorded(provider, recording)) it.effect(name, () => check)
  })
}

describe("Conformance.recorded", () => {
  const recording = responsesRecording("a search", [...items["a web search"]!, says("Elbe", [])], items["a web search"])

  const verdicts = (damage: (response: LlmResponse.LlmResponse) => LlmResponse.LlmResponse) =>
    Effect.forEach(
      Conformance.recorded(
        LlmProvider.transform(responses, (provider) => ({
          ...provider,
          call: (request) => Effect.map(provider.call(request), damage),
          stream: (request) =>
            Stream.map(provider.stream(request), (part) =>
              part._tag === "Finish" ? { ...part, response: damage(part.response) } : part)
        })),
        recording
      ),
      ({ check, name }) =>
        Effect.map(Effect.exit(check), (exit) => [name.split(":")[0], Exit.isSuccess(exit)] as const)
    )

  it.effect("holds for a provider that keeps what came", () =>
    Effect.map(verdicts((response) => response), (verdicts) => {
      assert.deepStrictEqual(verdicts.map(([, holds]) => holds), [true, true, true, true])
    }))

  it.effect("fails for one that loses a block, changes one, or puts it elsewhere", () =>
    Effect.gen(function*() {
      const damages: ReadonlyArray<(response: LlmResponse.LlmResponse) => LlmResponse.LlmResponse> = [
        (response) => LlmResponse.update(response, { parts: response.parts.filter(({ _tag }) => _tag !== "Opaque") }),
        (response) =>
          LlmResponse.update(response, {
            parts: response.parts.map((part) =>
              part._tag === "Opaque" ? { ...part, json: { ...Object(part.json), status: "failed" } } : part
            )
          }),
        (response) =>
          LlmResponse.update(response, {
            parts: response.parts.map((part) => part._tag === "Opaque" ? { ...part, provider: "other" } : part)
          })
      ]
      for (const damage of damages) {
        assert.deepStrictEqual(yield* verdicts(damage), [
          ["call", false],
          ["cache", false],
          ["stream", false],
          ["stream", true]
        ])
      }
    }))
})
