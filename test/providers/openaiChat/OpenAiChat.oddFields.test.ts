import { assert, describe, it } from "@effect/vitest"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { sse } from "../../support/fakeHttp.js"
import { outcomesOf, sameAnswer } from "../../support/oddAnswers.js"

// Fields that hosts give another place, another type or no value.

type Json = { readonly [field: string]: unknown }

const at = (baseUrl: string) =>
  OpenAiChat.layer({ apiKey: Redacted.make("sk-test-1234567890abcdef"), baseUrl, name: "example" })

const request = { model: "example-1", prompt: "Which river?" } as const

const choice = (fields: Json, more: Json = {}): Json => ({
  id: "c1",
  model: "example-1",
  choices: [{ index: 0, ...fields }],
  ...more
})

const chunk = (delta: Json, finish_reason: string | null = null, more: Json = {}): Json =>
  choice({ delta, finish_reason }, more)

const whole = (message: Json, finish_reason: string | null = "stop", more: Json = {}): Json =>
  choice({ message: { role: "assistant", ...message }, finish_reason, ...more })

/** A whole answer, and the same one as chunks. */
const outcomes = (call: Json, ...chunks: ReadonlyArray<Json>) =>
  outcomesOf(at, request, { call: { json: call }, stream: { events: sse([...chunks, "[DONE]"]) } })

const piece = (index: unknown, name: string, args: string): Json => ({
  index,
  id: `call-${name}`,
  function: { name, arguments: args }
})

describe("Chat hosts: fields in another form", () => {
  it.live("an index of a tool call that is text is that number", () =>
    Effect.gen(function*() {
      const calls = [piece("0", "look", "{\"q\":1}"), piece("1", "find", "{\"q\":2}")]
      const answer = sameAnswer(
        yield* outcomes(
          whole({ content: null, tool_calls: calls }, "tool_calls"),
          chunk({ tool_calls: [piece("0", "look", ""), piece("1", "find", "")] }),
          chunk({ tool_calls: [{ index: "1", function: { arguments: "{\"q\":2}" } }] }),
          chunk({ tool_calls: [{ index: "0", function: { arguments: "{\"q\":1}" } }] }, "tool_calls")
        )
      )
      assert.deepStrictEqual(answer.toolCalls.map(({ arguments: args, name }) => [name, args]), [
        ["look", { q: 1 }],
        ["find", { q: 2 }]
      ])
    }))

  it.live("an error that is empty, in each chunk, is none", () =>
    Effect.gen(function*() {
      for (const error of [null, "", {}, [], false]) {
        const answer = sameAnswer(
          yield* outcomes(
            { ...whole({ content: "The Elbe" }), error },
            { ...chunk({ content: "The " }), error },
            { ...chunk({ content: "Elbe" }, "stop"), error }
          )
        )
        assert.strictEqual(answer.text, "The Elbe", JSON.stringify(error))
      }
    }))

  it.live("counts in the choice are the usage", () =>
    Effect.gen(function*() {
      const usage = { prompt_tokens: 5, completion_tokens: 6 }
      const { stream } = yield* outcomes(
        whole({ content: "Elbe" }),
        choice({ delta: { content: "Elbe" }, finish_reason: "stop", usage })
      )
      assert(stream._tag === "Right")
      assert.deepStrictEqual(stream.right.usage, { inputTokens: 5, outputTokens: 6 })
    }))

  it.live("a text in the choice, as in completions that are no chat, is the text", () =>
    Effect.gen(function*() {
      const outcome = yield* outcomes(
        choice({ text: "The Elbe", finish_reason: "stop" }),
        choice({ text: "The ", finish_reason: null }),
        choice({ text: "Elbe", finish_reason: "stop" })
      )
      assert.strictEqual(sameAnswer(outcome).text, "The Elbe")
    }))

  it.live("the word of the service behind a gateway says why a whole answer was cut, if the gateway has none", () =>
    Effect.gen(function*() {
      const { call, requests } = yield* outcomesOf(at, request, {
        call: {
          json: choice({ message: { content: "The E" }, finish_reason: null, native_finish_reason: "MAX_TOKENS" })
        }
      })
      assert(call._tag === "Right")
      assert.strictEqual(call.right.finishReason, "length")
      assert.deepStrictEqual(requests, [1, 1])
    }))
})
