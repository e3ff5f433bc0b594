import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as LlmTool from "effect-llm/LlmTool"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { client, serve } from "../support/overHttp.js"

type Json = { readonly [field: string]: unknown }

const model = "claude-opus-4-8"

const message = (content: ReadonlyArray<Json>, stop_reason: string): Json => ({
  id: "msg_1",
  type: "message",
  role: "assistant",
  model,
  content,
  stop_reason,
  usage: { input_tokens: 3, output_tokens: 5, server_tool_use: { web_search_requests: 1 } }
})

const search = (n: number): ReadonlyArray<Json> => [
  { type: "thinking", thinking: `I search, ${n}.`, signature: `S${n}==` },
  { type: "server_tool_use", id: `srvtoolu_${n}`, name: "web_search", input: { query: `q${n}` } },
  {
    type: "web_search_tool_result",
    tool_use_id: `srvtoolu_${n}`,
    content: [{ type: "web_search_result", url: "https://example.com", title: "E", encrypted_content: `E${n}` }]
  }
]

const call = { type: "tool_use", id: "toolu_1", name: "river_length", input: { river: "Elbe" } }

const cited = {
  type: "text",
  text: "1,094 km",
  citations: [{
    type: "web_search_result_location",
    cited_text: "c",
    url: "https://example.com",
    title: "E",
    encrypted_index: "i"
  }]
}

const webSearch = { type: "web_search_20260318", name: "web_search", max_uses: 5 }

const request = {
  model,
  prompt: "How long is the Elbe?",
  providerOptions: { anthropic: { tools: [webSearch] } }
} as const

/** Runs the tool beside the service's own search, over the answers of a service. */
const running = (answers: ReadonlyArray<Json>, maxSteps?: number) =>
  Effect.gen(function*() {
    const asked: Array<string> = []
    const server = yield* serve((response, _, n) => {
      const answer = answers[Math.min(n, answers.length) - 1]
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer))
    })
    const { client: llm } = yield* client({
      provider: Anthropic.layer({ apiKey: Redacted.make("sk-ant-1234567890abcdef"), baseUrl: server.url })
    })
    const RiverLength = LlmTool.make("river_length", {
      description: "The length of a river in kilometers.",
      parameters: Schema.Struct({ river: Schema.String }),
      handler: ({ river }) =>
        Effect.sync(() => {
          asked.push(river)
          return { kilometers: 1094 }
        })
    })
    const run = yield* llm.runTools(request, [RiverLength], { ...(maxSteps !== undefined && { maxSteps }) })
    return { run, asked, bodies: server.requests.map(({ body }): Json => JSON.parse(body)) }
  }).pipe(Effect.scoped)

const turnsOf = ({ messages }: Json) =>
  (messages as ReadonlyArray<{ readonly role: string; readonly content: ReadonlyArray<Json> }>).slice(1)

describe("LlmClient.runTools beside tools that Anthropic runs", () => {
  it.live("sends both, runs its own, goes on after a pause with all that came, and ends with the answer", () =>
    Effect.gen(function*() {
      const paused = message(search(1), "pause_turn")
      const calling = message([...search(2), call], "tool_use")
      const { asked, bodies, run } = yield* running([paused, calling, message([cited], "end_turn")])
      assert.deepStrictEqual(asked, ["Elbe"])
      assert.strictEqual(run.response.text, "1,094 km")
      assert.deepStrictEqual(run.steps.map(({ response }) => response.finishReason), ["pause", "tool_calls", "stop"])
      assert.deepStrictEqual(run.response.usage.serverToolUse, { web_search_requests: 3 })
      for (const { tools } of bodies) {
        assert.deepStrictEqual((tools as ReadonlyArray<Json>).map(({ name }) => name), ["river_length", "web_search"])
      }
      // Equal as JSON, and in its place.
      assert.deepStrictEqual(turnsOf(bodies[1] ?? {}), [{ role: "assistant", content: search(1) }])
      assert.deepStrictEqual(turnsOf(bodies[2] ?? {}), [
        { role: "assistant", content: [...search(1), ...search(2), call] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "{\"kilometers\":1094}" }] }
      ])
      assert.deepStrictEqual(run.messages.at(-1)?.content.map(({ _tag }) => _tag), ["Text", "Source"])
    }))

  it.live("stops at maxSteps where the service pauses again and again, each time with more to go on with", () =>
    Effect.gen(function*() {
      const { bodies, run } = yield* running([1, 2, 3, 4].map((n) => message(search(n), "pause_turn")), 3)
      assert.strictEqual(bodies.length, 3)
      assert.strictEqual(run.response.finishReason, "pause")
      assert.deepStrictEqual(bodies.map((body) => turnsOf(body).flatMap(({ content }) => content)), [
        [],
        search(1),
        [...search(1), ...search(2)]
      ])
      assert.strictEqual(run.messages.length, 4)
    }))
})
