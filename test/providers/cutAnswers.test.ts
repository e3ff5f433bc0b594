import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { namedSse, sse } from "../support/fakeHttp.js"
import { outcomesOf, sameAnswer } from "../support/oddAnswers.js"

// A limit may cut an answer anywhere: before the first argument of a call, too, where the call looks like one of a tool
// without parameters.

type Json = { readonly [field: string]: unknown }

/** Two calls that came without arguments. */
interface Cut {
  readonly at: (baseUrl: string) => ReturnType<typeof OpenAi.layer>
  readonly model: string
  readonly body: Json
  readonly events: string
}

const apiKey = Redacted.make("sk-test-1234567890abcdef")
const names = ["list", "remove"]

const anthropic = (stop_reason: string): Cut => {
  const message = { id: "m1", type: "message", role: "assistant", model: "claude-x", usage: {} }
  const blocks = names.map((name) => ({ type: "tool_use", id: `call_${name}`, name, input: {} }))
  return {
    at: (baseUrl) => Anthropic.layer({ apiKey, baseUrl }),
    model: "claude-haiku-4-5",
    body: { ...message, content: blocks, stop_reason },
    events: namedSse([
      { type: "message_start", message: { ...message, content: [] } },
      ...blocks.flatMap((content_block, index) => [
        { type: "content_block_start", index, content_block },
        { type: "content_block_delta", index, delta: { type: "input_json_delta", partial_json: "" } },
        { type: "content_block_stop", index }
      ]),
      { type: "message_delta", delta: { stop_reason } },
      { type: "message_stop" }
    ])
  }
}

/** Services that speak the protocol leave out the status of an item. */
const responses = (isCut: boolean, itemStatus: string | undefined): Cut => {
  const output = names.map((name, index) => ({
    type: "function_call",
    id: `fc_${name}`,
    call_id: `call_${name}`,
    name,
    arguments: "",
    status: isCut && index === 1 ? itemStatus : undefined
  }))
  const status = isCut ? "incomplete" : "completed"
  const response = {
    id: "r1",
    object: "response",
    model: "gpt-x",
    output,
    status,
    ...(isCut && { incomplete_details: { reason: "max_output_tokens" } })
  }
  return {
    at: (baseUrl) => OpenAi.layer({ apiKey, baseUrl }),
    model: "gpt-5-mini",
    body: response,
    events: namedSse([
      ...output.flatMap((item, output_index) => [
        { type: "response.output_item.added", output_index, item },
        { type: "response.function_call_arguments.done", output_index, item_id: item.id, arguments: "" },
        { type: "response.output_item.done", output_index, item }
      ]),
      { type: `response.${status}`, response }
    ])
  }
}

const chat = (finish_reason: string): Cut => {
  const tool_calls = names.map((name, index) => ({ index, id: `call_${name}`, function: { name, arguments: "" } }))
  const choice = (fields: Json): Json => ({ id: "c1", model: "gpt-x", choices: [{ index: 0, ...fields }] })
  return {
    at: (baseUrl) => OpenAiChat.layer({ apiKey, baseUrl }),
    model: "gpt-4o-mini",
    body: choice({ message: { role: "assistant", tool_calls }, finish_reason }),
    events: sse([
      ...tool_calls.map((call) => choice({ delta: { tool_calls: [call] } })),
      choice({ delta: {}, finish_reason }),
      "[DONE]"
    ])
  }
}

const outcomes = ({ at, body, events, model }: Cut) =>
  outcomesOf(at, { model, prompt: "Remove the oldest." }, { call: { json: body }, stream: { events } })

const cut: { readonly [service: string]: Cut } = {
  "Anthropic": anthropic("max_tokens"),
  "Anthropic, by the context": anthropic("model_context_window_exceeded"),
  "Responses": responses(true, "incomplete"),
  "Responses, an item without a status": responses(true, undefined),
  "Responses, an item that claims to be whole": responses(true, "completed"),
  "Chat Completions": chat("length")
}

const whole: { readonly [service: string]: Cut } = {
  "Anthropic": anthropic("tool_use"),
  "Responses": responses(false, undefined),
  "Chat Completions": chat("tool_calls")
}

describe("Providers: a call without arguments", () => {
  for (const [service, answer] of Object.entries(cut)) {
    it.live(`is incomplete where the limit may have cut them, over a call and a stream: ${service}`, () =>
      Effect.gen(function*() {
        const outcome = yield* outcomes(answer)
        const { finishReason, toolCalls } = sameAnswer(outcome)
        assert.strictEqual(toolCalls.at(-1)?.incomplete, true)
        assert.notStrictEqual(finishReason, "tool_calls")
        assert.deepStrictEqual(outcome.requests, [1, 1])
      }))
  }

  for (const [service, answer] of Object.entries(whole)) {
    it.live(`is whole in a whole answer: ${service}`, () =>
      Effect.gen(function*() {
        const { finishReason, toolCalls } = sameAnswer(yield* outcomes(answer))
        assert.strictEqual(finishReason, "tool_calls")
        assert.deepStrictEqual(
          toolCalls.map(({ arguments: args, incomplete, name }) => [name, args, incomplete]),
          names.map((name) => [name, {}, undefined])
        )
      }))
  }
})
