import { assert, describe, it } from "@effect/vitest"
import type * as LlmClient from "effect-llm/LlmClient"
import type * as LlmError from "effect-llm/LlmError"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as LlmTool from "effect-llm/LlmTool"
import * as Message from "effect-llm/Message"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import type * as StreamPart from "effect-llm/StreamPart"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import type { ServerResponse } from "node:http"
import { valueOf } from "../../support/exits.js"
import { sse } from "../../support/fakeHttp.js"
import { client, ended, serve, settled, sleepingUntil, type Transport, transports } from "../../support/overHttp.js"

// ---------------------------------------------------------------------------------------------------------------------
// A host that answers as a test says
// ---------------------------------------------------------------------------------------------------------------------

type Json = { readonly [field: string]: unknown }

/** A whole body, or a stream: its events or its text, and whether its connection stays open, is closed or breaks. */
type Answer =
  | { readonly body: Json }
  | { readonly events: ReadonlyArray<unknown> | string; readonly end?: "close" | "open" | "cut" }

const send = (response: ServerResponse, answer: Answer): void => {
  if ("body" in answer) {
    response.writeHead(200, { "content-type": "application/json" })
    response.end(JSON.stringify(answer.body))
    return
  }
  response.writeHead(200, { "content-type": "text/event-stream" })
  const text = typeof answer.events === "string" ? answer.events : sse(answer.events)
  // Event by event, as hosts do.
  for (const event of text.split(/(?<=\n\n)/)) response.write(event)
  if (answer.end === "cut") setImmediate(() => setImmediate(() => response.destroy()))
  else if (answer.end !== "open") response.end()
}

/** A client of a host that gives these answers in turn, the last one again and again. */
const host = (answers: ReadonlyArray<Answer>, options: {
  readonly transport?: Transport
  readonly host?: OpenAiChat.Options
  readonly client?: LlmClient.Options
} = {}) =>
  Effect.gen(function*() {
    const served = yield* serve((response, _, n) => {
      send(response, answers[Math.min(n, answers.length) - 1]!)
    })
    const made = yield* client({
      provider: OpenAiChat.layer({
        apiKey: Redacted.make("sk-test-1234567890abcdef"),
        name: "example",
        ...options.host,
        baseUrl: `${served.url}/v1`
      }),
      transport: transports[options.transport ?? "lean"],
      client: { retry: { times: 2, base: "1 millis", jitter: false }, ...options.client }
    })
    return { ...made, requests: served.requests }
  })

const request = { model: "m", prompt: "Which rivers rise in Bohemia?" } as const

/** What came of a request: the answer or the failure, and the stream parts before it. */
interface Outcome {
  readonly result: Either.Either<LlmResponse.LlmResponse, LlmError.LlmError>
  readonly parts: ReadonlyArray<StreamPart.StreamPart>
}

const called = ({ client }: { readonly client: LlmClient.Service }) => Effect.either(client.call(request))

const streamed = ({ client }: { readonly client: LlmClient.Service }): Effect.Effect<Outcome> =>
  Effect.gen(function*() {
    const parts: Array<StreamPart.StreamPart> = []
    const ended = yield* client.stream(request).pipe(
      Stream.runForEach((part) => Effect.sync(() => parts.push(part))),
      Effect.either
    )
    if (Either.isLeft(ended)) return { parts, result: Either.left(ended.left) }
    const last = parts.at(-1)
    assert(last?._tag === "Finish")
    return { parts, result: Either.right(last.response) }
  })

const answerOf = (result: Outcome["result"]): LlmResponse.LlmResponse => {
  assert(Either.isRight(result), `failed: ${Either.isLeft(result) ? result.left.message : ""}`)
  return result.right
}

const failureOf = (result: Outcome["result"], tag: LlmError.ReasonTag): LlmError.LlmError => {
  assert(Either.isLeft(result), "expected a failure")
  assert.strictEqual(result.left.reason._tag, tag, result.left.message)
  return result.left
}

const bothTransports: ReadonlyArray<Transport> = ["fetch", "lean"]

// ---------------------------------------------------------------------------------------------------------------------
// The host's words
// ---------------------------------------------------------------------------------------------------------------------

const chunk = (delta: Json | undefined, finish_reason?: string | null, fields: Json = {}): Json => ({
  id: "c1",
  model: "m",
  choices: [{ index: 0, ...(delta && { delta }), finish_reason: finish_reason ?? null }],
  ...fields
})
const text = (content: string) => chunk({ content })
const tools = (...pieces: ReadonlyArray<Json>) => chunk({ tool_calls: pieces })
const usage = (prompt_tokens: number, completion_tokens: number) => ({ usage: { prompt_tokens, completion_tokens } })
const done = "[DONE]"

const whole = (message: Json, finish_reason?: string | null, choice: Json = {}): Json => ({
  id: "c1",
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason, ...choice }]
})

const call = (id: string, name: string, args: unknown = "", index?: number): Json => ({
  ...(index !== undefined && { index }),
  ...(id !== "" && { id }),
  function: { ...(name !== "" && { name }), arguments: args }
})

/** The calls of an answer, without their ids. */
const callsOf = (response: LlmResponse.LlmResponse) => response.toolCalls.map((call) => [call.name, call.arguments])

const q = (n: number) => JSON.stringify({ q: n })

describe("Odd answers of Chat hosts", () => {
  // -------------------------------------------------------------------------------------------------------------------
  describe("content after a finish reason belongs to the answer", () => {
    const streams: ReadonlyArray<readonly [name: string, events: ReadonlyArray<unknown>]> = [
      ["finish and usage in every chunk", [
        chunk({ content: "The " }, "stop", usage(5, 1)),
        chunk({ content: "Elbe " }, "stop", usage(5, 2)),
        chunk({ content: "rises" }, "stop", usage(5, 3)),
        done
      ]],
      ["the same without [DONE]", [
        chunk({ content: "The Elbe " }, "stop", usage(5, 2)),
        chunk({ content: "rises" }, "stop", usage(5, 3))
      ]],
      ["content behind a finish reason of its own", [
        text("The Elbe "),
        chunk({}, "stop"),
        chunk({ content: "rises" }, null, usage(5, 3)),
        done
      ]],
      ["usage on its own after each chunk", [
        chunk({ content: "The Elbe " }, "stop"),
        { choices: [], ...usage(5, 2) },
        chunk({ content: "rises" }, "stop"),
        { choices: [], ...usage(5, 3) },
        done
      ]],
      ["a last count of 0", [
        chunk({ content: "The Elbe " }, "stop", usage(5, 2)),
        chunk({ content: "rises" }, "stop", usage(5, 3)),
        { choices: [], ...usage(0, 0) },
        done
      ]]
    ]
    for (const [name, events] of streams) {
      it.scopedLive(name, () =>
        Effect.gen(function*() {
          for (const transport of bothTransports) {
            const at = yield* host([{ events }], { transport })
            const response = answerOf((yield* streamed(at)).result)
            assert.strictEqual(response.text, "The Elbe rises")
            assert.strictEqual(response.finishReason, "stop")
            assert.deepStrictEqual(response.usage, { inputTokens: 5, outputTokens: 3 })
            // The cache has the whole text, too.
            assert.strictEqual(answerOf((yield* streamed(at)).result).text, "The Elbe rises")
            assert.strictEqual(at.requests.length, 1)
          }
        }))
    }

    it.scopedLive("tool calls, too", () =>
      Effect.gen(function*() {
        const at = yield* host([{
          events: [
            chunk({ tool_calls: [call("k1", "look", q(1), 0)] }, "stop", usage(5, 1)),
            chunk({ tool_calls: [call("k2", "find", q(2), 1)] }, "stop", usage(5, 2)),
            done
          ]
        }])
        const response = answerOf((yield* streamed(at)).result)
        assert.deepStrictEqual(callsOf(response), [["look", { q: 1 }], ["find", { q: 2 }]])
        assert.strictEqual(response.finishReason, "tool_calls")
      }))

    it.scopedLive("and of several reasons the gravest counts, so that a cut text is not kept", () =>
      Effect.gen(function*() {
        const at = yield* host([{
          events: [chunk({ content: "The " }, "length"), chunk({ content: "El" }, "stop"), done]
        }])
        assert.strictEqual(answerOf((yield* streamed(at)).result).finishReason, "length")
        yield* streamed(at)
        assert.strictEqual(at.requests.length, 2)
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("tool-call pieces are distinguished by id, name and place", () => {
    const expected = [["look", {}], ["find", { q: 2 }]]
    const two = [["look", { q: 1 }], ["find", { q: 2 }]]
    const streams: ReadonlyArray<readonly [name: string, events: ReadonlyArray<Json>, expected: unknown]> = [
      ["a name that comes after the arguments, by id", [
        tools(call("k1", "look")),
        tools(call("k2", "", q(2))),
        tools(call("k2", "find"))
      ], expected],
      ["the same under one index", [
        tools(call("k1", "look", "", 0)),
        tools(call("k2", "", q(2), 0)),
        tools(call("k2", "find", "", 0))
      ], expected],
      ["a name that comes last, after two pieces of arguments", [
        tools(call("k1", "look", q(1))),
        tools(call("k2", "", "{\"q\":")),
        tools(call("k2", "", "2}")),
        tools(call("k2", "find"))
      ], two],
      ["pieces of two calls in turns, by id", [
        tools(call("k1", "look")),
        tools(call("k2", "find")),
        tools(call("k1", "", "{\"q\":")),
        tools(call("k2", "", "{\"q\":")),
        tools(call("k1", "", "1}")),
        tools(call("k2", "", "2}"))
      ], two],
      ["the same, all with index 0", [
        tools(call("k1", "look", "", 0), call("k2", "find", "", 0)),
        tools(call("k1", "", "{\"q\":", 0), call("k2", "", "{\"q\":", 0)),
        tools(call("k2", "", "2}", 0)),
        tools(call("k1", "", "1}", 0))
      ], two],
      ["pieces by their place in the list", [
        tools(call("k1", "look"), call("k2", "find")),
        tools(call("", "", "{\"q\":"), call("", "", "{\"q\":")),
        tools(call("", "", "1}"), call("", "", "2}"))
      ], two],
      ["pieces by their place in the list, all with index 0 and without ids", [
        tools(call("", "look", "", 0), call("", "find", "", 0)),
        tools(call("", "", q(1), 0), call("", "", q(2), 0))
      ], two],
      ["whole calls with one index and no ids", [
        tools(call("", "look", q(1), 0)),
        tools(call("", "find", q(2), 0))
      ], two],
      ["whole calls of one tool with one index and no ids", [
        tools(call("", "look", q(1), 0)),
        tools(call("", "look", q(2), 0))
      ], [["look", { q: 1 }], ["look", { q: 2 }]]],
      ["a name in each piece, without index and id", [
        tools(call("", "look", "{\"q\":")),
        tools(call("", "look", "1}")),
        tools(call("", "find", q(2)))
      ], two],
      ["a late name without index and id", [
        tools(call("", "", "{\"q\":")),
        tools(call("", "look", "1}"))
      ], [["look", { q: 1 }]]],
      ["a call that is sent again whole, which counts once", [
        tools(call("k1", "look", q(1), 0)),
        tools(call("k1", "look", q(1), 0))
      ], [["look", { q: 1 }]]]
    ]
    for (const [name, events, calls] of streams) {
      it.scopedLive(name, () =>
        Effect.gen(function*() {
          const at = yield* host([{ events: [...events, chunk({}, "tool_calls"), done] }])
          const { parts, result } = yield* streamed(at)
          assert.deepStrictEqual(callsOf(answerOf(result)), calls)
          // The stream says the same as its answer.
          assert.deepStrictEqual(
            parts.flatMap((part) => part._tag === "ToolCallEnd" ? [[part.name, part.arguments]] : []),
            calls
          )
          const ids = answerOf(result).toolCalls.map(({ id }) => id)
          assert.strictEqual(new Set(ids).size, ids.length)
        }))
    }

    it.scopedLive("a call that never gets a name, and has no index, is no call of another tool", () =>
      Effect.gen(function*() {
        const at = yield* host([{
          events: [tools(call("k1", "look", q(1))), tools(call("k2", "", q(2))), chunk({}, "tool_calls"), done]
        }])
        failureOf((yield* streamed(at)).result, "MalformedResponse")
      }))

    it.scopedLive("calls of a whole message, whatever their indexes and ids", () =>
      Effect.gen(function*() {
        for (
          const tool_calls of [
            [call("k1", "look", q(1), 0), call("k2", "find", q(2), 0)],
            [call("", "look", q(1)), call("", "find", q(2))],
            [call("k", "look", q(1)), call("k", "find", q(2))]
          ]
        ) {
          const at = yield* host([{ body: whole({ content: null, tool_calls }, "tool_calls") }])
          assert.deepStrictEqual(callsOf(answerOf(yield* called(at))), two)
        }
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("whole calls decide about tool_calls, whatever the word for the end", () => {
    const tool_calls = [call("k1", "look", q(1), 0)]
    for (const word of ["stop", "eos_token", "end_turn", "STOP", "tool_use", "OTHER", "something_new", "", null]) {
      it.scopedLive(`${JSON.stringify(word)}`, () =>
        Effect.gen(function*() {
          for (
            const result of [
              yield* called(yield* host([{ body: whole({ content: null, tool_calls }, word) }])),
              (yield* streamed(yield* host([{ events: [chunk({ tool_calls }), chunk({}, word), done] }]))).result
            ]
          ) {
            assert.strictEqual(answerOf(result).finishReason, "tool_calls")
            assert.deepStrictEqual(callsOf(answerOf(result)), [["look", { q: 1 }]])
          }
        }))
    }

    for (const word of ["length", "max_tokens", "content_filter", "refusal", "model_context_window_exceeded"]) {
      it.scopedLive(`but for ${word}`, () =>
        Effect.gen(function*() {
          const body = yield* called(yield* host([{ body: whole({ tool_calls }, word) }]))
          const stream = yield* streamed(yield* host([{ events: [chunk({ tool_calls }), chunk({}, word), done] }]))
          assert.notStrictEqual(answerOf(body).finishReason, "tool_calls")
          assert.strictEqual(answerOf(stream.result).finishReason, answerOf(body).finishReason)
        }))
    }

    it.scopedLive("a stream without any word for the end has to have [DONE] and arguments that are whole", () =>
      Effect.gen(function*() {
        const cases: ReadonlyArray<ReadonlyArray<unknown>> = [
          [chunk({ tool_calls })],
          [tools(call("k1", "look", "{\"q\":1", 0)), done],
          [tools(call("k1", "look", "", 0)), done]
        ]
        for (const events of cases) {
          failureOf((yield* streamed(yield* host([{ events }]))).result, "StreamInterrupted")
        }
      }))

    it.scopedLive("runTools runs them", () =>
      Effect.gen(function*() {
        for (const word of [null, "eos_token", "end_turn"]) {
          const at = yield* host([
            { body: whole({ content: null, tool_calls }, word) },
            { body: whole({ content: "Done." }, "stop") }
          ])
          const seen: Array<number> = []
          const look = LlmTool.make("look", {
            description: "Looks.",
            parameters: Schema.Struct({ q: Schema.Number }),
            handler: ({ q }) =>
              Effect.sync(() => {
                seen.push(q)
                return "seen"
              })
          })
          const { response } = yield* at.client.runTools(request, [look])
          assert.deepStrictEqual(seen, [1])
          assert.strictEqual(response.text, "Done.")
        }
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("a last chunk that repeats the whole message counts once", () => {
    const last = (message: Json, choice: Json = {}) => ({
      choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason: "stop", ...choice }]
    })
    const streams: ReadonlyArray<readonly [name: string, events: ReadonlyArray<unknown>]> = [
      ["a text", [text("The "), text("Elbe"), last({ content: "The Elbe" }), done]],
      ["a text beside an empty delta", [text("The "), text("Elbe"), last({ content: "The Elbe" }, { delta: {} })]],
      ["a text that has more than was streamed", [text("The "), last({ content: "The Elbe" }), done]],
      ["a text in parts", [text("The "), text("Elbe"), last({ content: [{ type: "text", text: "The Elbe" }] }), done]],
      ["a text behind a finish reason", [text("The Elbe"), chunk({}, "stop"), last({ content: "The Elbe" }), done]],
      ["a text of which nothing was streamed", [chunk({ role: "assistant" }), last({ content: "The Elbe" }), done]],
      ["messages in place of deltas", [
        { choices: [{ index: 0, message: { content: "The " } }] },
        { choices: [{ index: 0, message: { content: "Elbe" } }] },
        last({ content: "The Elbe" }),
        done
      ]]
    ]
    for (const [name, events] of streams) {
      it.scopedLive(name, () =>
        Effect.gen(function*() {
          const { parts, result } = yield* streamed(yield* host([{ events }]))
          assert.strictEqual(answerOf(result).text, "The Elbe")
          assert.strictEqual(parts.map((part) => part._tag === "TextDelta" ? part.text : "").join(""), "The Elbe")
        }))
    }

    const repeated = [["look", { q: 1 }], ["look", { q: 2 }]]
    for (
      const [name, calls] of [
        ["under their ids", [call("k1", "look", q(1)), call("k2", "look", q(2))]],
        ["without ids", [call("", "look", q(1)), call("", "look", q(2))]],
        ["under new ids", [call("x1", "look", q(1)), call("x2", "look", q(2))]]
      ] as const
    ) {
      it.scopedLive(`calls ${name}, which run once`, () =>
        Effect.gen(function*() {
          const events = [
            tools(call("k1", "look", q(1), 0)),
            tools(call("k2", "look", "{\"q\":", 1)),
            tools(call("", "", "2}", 1)),
            last({ content: null, tool_calls: calls }),
            done
          ]
          assert.deepStrictEqual(callsOf(answerOf((yield* streamed(yield* host([{ events }]))).result)), repeated)
        }))
    }

    it.scopedLive("reasoning", () =>
      Effect.gen(function*() {
        const events = [
          chunk({ reasoning_content: "Hm, " }),
          chunk({ reasoning_content: "so." }),
          text("Yes"),
          last({ reasoning_content: "Hm, so.", content: "Yes" }),
          done
        ]
        const { parts } = answerOf((yield* streamed(yield* host([{ events }]))).result)
        assert.deepStrictEqual(parts, [
          { _tag: "Reasoning", text: "Hm, so.", provider: "example" },
          { _tag: "Text", text: "Yes" }
        ])
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("reasoning goes back in a conversation with tools", () => {
    const reasoning = Message.Reasoning.make({ text: "Hm.", provider: "example" })
    const tool = { name: "look", description: "Looks.", parameters: { type: "object" } } as const
    const turns = [
      { role: "user", content: "x" },
      { role: "assistant", content: [reasoning, Message.Text.make({ text: "Sunny." })] },
      { role: "user", content: "y" }
    ] as const
    const sentTurns = Effect.fnUntraced(function*(
      reasoningEcho: OpenAiChat.Capabilities["reasoningEcho"],
      tools: ReadonlyArray<typeof tool>
    ) {
      const at = yield* host([{ body: whole({ content: "Hi" }, "stop") }], {
        host: { capabilities: { reasoningEcho } }
      })
      yield* Effect.orDie(at.client.call({ model: "m", messages: turns, tools }))
      const [first] = at.requests
      return (JSON.parse(first?.body ?? "{}").messages as ReadonlyArray<Json>).filter(({ role }) =>
        role === "assistant"
      )
    })

    it.scopedLive("with every turn, where the host wants it", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* sentTurns("reasoning_content", [tool]), [
          { role: "assistant", content: "Sunny.", reasoning_content: "Hm." }
        ])
      }))

    it.scopedLive("but not without tools, and not to other hosts", () =>
      Effect.gen(function*() {
        const plain = [{ role: "assistant", content: "Sunny." }]
        assert.deepStrictEqual(yield* sentTurns("reasoning_content", []), plain)
        assert.deepStrictEqual(yield* sentTurns("none", [tool]), plain)
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("a host's own word that it broke is a failure that is retried", () => {
    const words: ReadonlyArray<readonly [finish: string, native: string | undefined, tag: LlmError.ReasonTag]> = [
      ["stop", "network_error", "ServerFailed"],
      ["stop", "error", "ServerFailed"],
      ["stop", "upstream_timeout", "ServerFailed"],
      ["stop", "MALFORMED_FUNCTION_CALL", "ServerFailed"],
      ["stop", "overloaded", "Overloaded"],
      ["error", undefined, "ServerFailed"],
      ["network_error", undefined, "ServerFailed"],
      ["abort", undefined, "ServerFailed"],
      ["insufficient_system_resource", undefined, "Overloaded"]
    ]
    for (const [finish, native_finish_reason, tag] of words) {
      it.scopedLive(`${finish}${native_finish_reason === undefined ? "" : `, natively ${native_finish_reason}`}`, () =>
        Effect.gen(function*() {
          const body = whole({ content: "" }, finish, { native_finish_reason })
          const event = { choices: [{ index: 0, delta: { content: "" }, finish_reason: finish, native_finish_reason }] }
          const failing = yield* host([{ body }])
          failureOf(yield* called(failing), tag)
          assert.strictEqual(failing.requests.length, 3)
          failureOf((yield* streamed(yield* host([{ events: [event, done] }]))).result, tag)
          // A later attempt answers.
          const mended = yield* host([{ body }, { body: whole({ content: "Hi" }, "stop") }])
          assert.strictEqual(answerOf(yield* called(mended)).text, "Hi")
          const mendedStream = yield* host([{ events: [event, done] }, {
            events: [text("Hi"), chunk({}, "stop"), done]
          }])
          assert.strictEqual(answerOf((yield* streamed(mendedStream)).result).text, "Hi")
        }))
    }

    it.scopedLive("also where only the service behind it says so, after text: half an answer is none", () =>
      Effect.gen(function*() {
        const choice = { native_finish_reason: "network_error" }
        failureOf(yield* called(yield* host([{ body: whole({ content: "The " }, null, choice) }])), "ServerFailed")
        const events = [text("The "), { choices: [{ index: 0, delta: {}, finish_reason: null, ...choice }] }, done]
        failureOf((yield* streamed(yield* host([{ events }]))).result, "ServerFailed")
      }))

    it.scopedLive("and the word of the service behind it is no failure where it is one of success", () =>
      Effect.gen(function*() {
        for (const native_finish_reason of ["STOP", "end_turn", "completed", "eos", "a_new_word", null]) {
          const at = yield* host([{ body: whole({ content: "Hi" }, "stop", { native_finish_reason }) }])
          assert.strictEqual(answerOf(yield* called(at)).finishReason, "stop")
        }
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("errors that are no event of the protocol are read and classified, at status 200", () => {
    const exceeded = {
      code: 400,
      message: "the request exceeds the available context size",
      type: "exceed_context_size_error"
    }
    const streams: ReadonlyArray<readonly [name: string, events: string, tag: LlmError.ReasonTag, words: string]> = [
      [
        "a field error",
        `error: ${JSON.stringify(exceeded)}\n\ndata: [DONE]\n\n`,
        "ContextLengthExceeded",
        exceeded.message
      ],
      [
        "a field error after text",
        `${sse([text("The ")])}error: ${JSON.stringify(exceeded)}\n\ndata: [DONE]\n\n`,
        "ContextLengthExceeded",
        exceeded.message
      ],
      [
        "bare JSON after a chunk",
        `${sse([text("")])}${JSON.stringify({ error: exceeded })}\n`,
        "ContextLengthExceeded",
        exceeded.message
      ],
      [
        "bare JSON over several lines after text",
        `${sse([text("The ")])}${JSON.stringify({ error: exceeded }, undefined, 2)}`,
        "ContextLengthExceeded",
        exceeded.message
      ],
      [
        "bare JSON before [DONE]",
        `${sse([text("")])}${JSON.stringify({ error: exceeded })}\ndata: [DONE]\n\n`,
        "ContextLengthExceeded",
        exceeded.message
      ],
      [
        "an event that is only an error",
        sse([text(""), { ...exceeded }, done]),
        "ContextLengthExceeded",
        exceeded.message
      ],
      [
        "a detail",
        sse([text("The "), { detail: "the request exceeds the available context size" }, done]),
        "ContextLengthExceeded",
        exceeded.message
      ],
      ["a field error in words", "error: invalid api key\n\n", "AuthenticationFailed", "invalid api key"]
    ]
    for (const [name, events, tag, words] of streams) {
      it.scopedLive(name, () =>
        Effect.gen(function*() {
          for (const transport of bothTransports) {
            const at = yield* host([{ events }], { transport })
            const error = failureOf((yield* streamed(at)).result, tag)
            assert.include(error.reason.message ?? "", words)
            assert.strictEqual(at.requests.length, 1)
          }
        }))
    }

    it.scopedLive("in a whole body, too", () =>
      Effect.gen(function*() {
        for (const body of [exceeded, { detail: exceeded.message }, { success: false, message: exceeded.message }]) {
          const at = yield* host([{ body }])
          assert.include(failureOf(yield* called(at), "ContextLengthExceeded").reason.message ?? "", exceeded.message)
          assert.strictEqual(at.requests.length, 1)
        }
      }))

    it.scopedLive("bare JSON at once, though the connection stays open", () =>
      Effect.gen(function*() {
        for (const indent of [undefined, 2]) {
          const events = `${sse([text("The ")])}${JSON.stringify({ error: exceeded }, undefined, indent)}\n`
          failureOf((yield* streamed(yield* host([{ events, end: "open" }]))).result, "ContextLengthExceeded")
        }
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("an empty turn is left out of the next request", () => {
    const nextTurn = Effect.fnUntraced(function*(content: ReadonlyArray<Message.ResponsePart>) {
      const at = yield* host([{ body: whole({ content: "Hi" }, "stop") }])
      yield* Effect.orDie(at.client.call({
        model: "m",
        messages: [{ role: "user", content: "x" }, { role: "assistant", content }, { role: "user", content: "y" }]
      }))
      const [first] = at.requests
      return JSON.parse(first?.body ?? "{}").messages as ReadonlyArray<Json>
    })
    const without = [{ role: "user", content: "x" }, { role: "user", content: "y" }]

    it.scopedLive("one without parts, with an empty text, and with nothing but reasoning", () =>
      Effect.gen(function*() {
        for (
          const content of [
            [],
            [Message.Text.make({ text: "" })],
            [Message.Reasoning.make({ text: "Hm.", provider: "example" })]
          ]
        ) assert.deepStrictEqual(yield* nextTurn(content), without)
      }))

    it.scopedLive("as is a call that was cut and has no result: its half arguments would be refused", () =>
      Effect.gen(function*() {
        const cut = Message.ToolCall.make({ id: "k1", name: "look", arguments: "{\"q\":", incomplete: true })
        assert.deepStrictEqual(yield* nextTurn([cut]), without)
        assert.deepStrictEqual((yield* nextTurn([Message.Text.make({ text: "I look." }), cut]))[1], {
          role: "assistant",
          content: "I look."
        })
      }))

    it.scopedLive("so that a conversation goes on after an empty answer", () =>
      Effect.gen(function*() {
        const at = yield* host([{ body: whole({ content: "" }, "stop") }, { body: whole({ content: "Hi" }, "stop") }])
        const empty = answerOf(yield* called(at))
        const user = { role: "user", content: "x" } as const
        yield* Effect.orDie(at.client.call({ model: "m", messages: [user, empty.message, user] }))
        assert.deepStrictEqual(JSON.parse(at.requests[1]?.body ?? "{}").messages, [user, user])
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("words of other protocols for the end mean what they say", () => {
    const words: ReadonlyArray<readonly [word: string, finishReason: LlmResponse.FinishReason]> = [
      ["max_tokens", "length"],
      ["MAX_TOKENS", "length"],
      ["max_output_tokens", "length"],
      ["FINISH_REASON_MAX_TOKENS", "length"],
      ["Length", "length"],
      ["STOP", "stop"],
      ["end_turn", "stop"],
      ["endTurn", "stop"],
      ["eos_token", "stop"],
      ["stop_sequence", "stop"],
      ["COMPLETE", "stop"],
      ["model_context_window_exceeded", "context_window"],
      ["SAFETY", "content_filter"],
      ["sensitive", "content_filter"],
      ["refusal", "refusal"],
      ["something_new", "other"]
    ]
    for (const [word, finishReason] of words) {
      it.scopedLive(`${word} is ${finishReason}`, () =>
        Effect.gen(function*() {
          const kept = finishReason === "stop" ? 1 : 2
          const at = yield* host([{ body: whole({ content: "The Elbe" }, word) }])
          assert.strictEqual(answerOf(yield* called(at)).finishReason, finishReason)
          yield* called(at)
          assert.strictEqual(at.requests.length, kept, "a cut text is not kept")
          const stream = yield* host([{ events: [text("The Elbe"), chunk({}, word), done] }])
          assert.strictEqual(answerOf((yield* streamed(stream)).result).finishReason, finishReason)
        }))
    }

    it.scopedLive("and a word for no end yet is none: the answer goes on", () =>
      Effect.gen(function*() {
        for (const word of ["", "null", "None", "in_progress"]) {
          const events = [chunk({ content: "The " }, word), chunk({ content: "Elbe" }, word)]
          failureOf((yield* streamed(yield* host([{ events: [...events, done] }]))).result, "StreamInterrupted")
          const at = yield* host([{ events: [...events, chunk({}, "stop"), done] }])
          assert.strictEqual(answerOf((yield* streamed(at)).result).text, "The Elbe")
        }
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("an answer of which nothing was read is a failure that is retried, never an empty success", () => {
    const messages: ReadonlyArray<readonly [name: string, message: Json, finish: string | null]> = [
      ["calls that were announced, and did not come", { content: null }, "tool_calls"],
      ["no word for the end and no content", { content: "" }, null],
      ["an unknown word for the end and no content", { content: "" }, "something_new"]
    ]
    for (const [name, message, finish] of messages) {
      it.scopedLive(name, () =>
        Effect.gen(function*() {
          const at = yield* host([{ body: whole(message, finish) }])
          failureOf(yield* called(at), "MalformedResponse")
          assert.strictEqual(at.requests.length, 3)
          if (finish === null) return
          const stream = yield* host([{ events: [chunk(message), chunk({}, finish), done] }])
          failureOf((yield* streamed(stream)).result, "MalformedResponse")
        }))
    }

    const kept: ReadonlyArray<readonly [name: string, message: Json, kind: string, json: unknown]> = [
      [
        "content of an unknown kind",
        { content: [{ type: "hologram", data: "x" }] },
        "content.hologram",
        { type: "hologram", data: "x" }
      ],
      ["content that is an object", { content: { parts: ["x"] } }, "content.part", { parts: ["x"] }],
      ["a field that is not known", { content: null, audio: { data: "UklG" } }, "audio", { data: "UklG" }],
      ["images only", { content: "", images: [{ type: "image_url" }] }, "images", [{ type: "image_url" }]]
    ]
    for (const [name, message, kind, json] of kept) {
      it.scopedLive(`${name}: it is in the answer as it came, with a warning, and the answer is not cached`, () =>
        Effect.gen(function*() {
          const at = yield* host([{ body: whole(message, "stop") }])
          const stream = yield* host([{ events: [chunk(message), chunk({}, "stop"), done] }])
          for (const answer of [answerOf(yield* called(at)), answerOf((yield* streamed(stream)).result)]) {
            assert.deepStrictEqual(answer.parts, [{ _tag: "Opaque", provider: "example", kind, json }])
            assert.deepStrictEqual(answer.warnings, [`a block of the kind ${kind} was kept as it came`])
          }
          yield* called(at)
          yield* streamed(stream)
          assert.strictEqual(at.requests.length + stream.requests.length, 4)
        }))
    }

    it.scopedLive("a field in pieces that nobody can join is kept in pieces, and the text beside it is not cached", () =>
      Effect.gen(function*() {
        const pieces = [chunk({ audio: { data: "Uk" } }), chunk({ content: "Elbe", audio: { data: "lG" } })]
        const at = yield* host([{ events: [...pieces, chunk({}, "stop"), done] }])
        const answer = answerOf((yield* streamed(at)).result)
        assert.strictEqual(answer.text, "Elbe")
        const json = [{ data: "Uk" }, { data: "lG" }]
        assert.deepStrictEqual(answer.parts.at(-1), {
          _tag: "Opaque",
          provider: "example",
          kind: "audio",
          json,
          partial: true
        })
        yield* streamed(at)
        assert.strictEqual(at.requests.length, 2)
      }))

    it.scopedLive("an empty text with stop is an answer, as the model may say nothing, but it is not kept", () =>
      Effect.gen(function*() {
        for (const content of ["", "\n", null]) {
          const at = yield* host([{ body: whole({ content }, "stop") }, { body: whole({ content: "Hi" }, "stop") }])
          assert.strictEqual(answerOf(yield* called(at)).text.trim(), "")
          assert.strictEqual(answerOf(yield* called(at)).text, "Hi")
          const stream = yield* host([{ events: [chunk({ content }), chunk({}, "stop"), done] }])
          assert.strictEqual(answerOf((yield* streamed(stream)).result).text.trim(), "")
          yield* streamed(stream)
          assert.strictEqual(stream.requests.length, 2)
        }
      }))

    it.scopedLive("calls that were announced beside a text leave the text, which is not kept", () =>
      Effect.gen(function*() {
        const at = yield* host([{ body: whole({ content: "I look." }, "tool_calls") }])
        assert.strictEqual(answerOf(yield* called(at)).text, "I look.")
        yield* called(at)
        assert.strictEqual(at.requests.length, 2)
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("a connection that is left open or breaks after the finish reason", () => {
    const opened = Effect.fnUntraced(function*(events: ReadonlyArray<unknown>, limit: number, transport: Transport) {
      const at = yield* host([{ events, end: "open" }], { transport })
      const began = yield* Clock.currentTimeMillis
      const fiber = yield* Effect.fork(streamed(at))
      yield* sleepingUntil(began + limit)
      yield* TestClock.adjust(limit - 1)
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust(1)
      return answerOf(valueOf(yield* ended(fiber)).result)
    })

    it.scoped("gives the answer after 1 second of silence, where the finish reason came on its own", () =>
      Effect.gen(function*() {
        for (const ends of [[chunk({}, "stop")], [chunk({}, "stop"), { choices: [], ...usage(5, 2) }]]) {
          const response = yield* opened([text("The Elbe"), ...ends], 1000, "lean")
          assert.strictEqual(response.text, "The Elbe")
          assert.strictEqual(response.finishReason, "stop")
        }
      }))

    it.scoped("despite anything that keeps the connection alive", () =>
      Effect.gen(function*() {
        let keepAlive: (text: string) => void = () => {}
        const served = yield* serve((response) => {
          send(response, { events: [text("The Elbe"), chunk({}, "stop")], end: "open" })
          keepAlive = (text) => response.write(text)
        })
        const at = yield* client({
          provider: OpenAiChat.layer({ baseUrl: `${served.url}/v1` }),
          transport: transports.lean
        })
        const fiber = yield* Effect.fork(streamed(at))
        yield* sleepingUntil(1000)
        for (const words of [": still here\n\n", "data: {}\n\n"]) {
          yield* TestClock.adjust(400)
          keepAlive(words)
          yield* settled
        }
        assert.isNull(fiber.unsafePoll())
        yield* TestClock.adjust(200)
        assert.strictEqual(answerOf(valueOf(yield* ended(fiber)).result).text, "The Elbe")
      }))

    it.scoped("over fetch, too", () =>
      Effect.gen(function*() {
        const events = [chunk({ tool_calls: [call("k1", "look", q(1), 0)] }), chunk({}, "tool_calls")]
        assert.deepStrictEqual(callsOf(yield* opened(events, 1000, "fetch")), [["look", { q: 1 }]])
      }))

    it.scoped("gives the answer after 3 seconds, where it came beside content, as more may follow", () =>
      Effect.gen(function*() {
        assert.strictEqual(
          (yield* opened([chunk({ content: "The Elbe" }, "stop", usage(5, 2))], 3000, "lean")).text,
          "The Elbe"
        )
      }))

    it.scopedLive("loses nothing where it breaks after a finish reason on its own and usage: nothing else follows them", () =>
      Effect.gen(function*() {
        for (const transport of bothTransports) {
          for (
            const ends of [
              [chunk({}, "stop"), { choices: [], ...usage(5, 2) }],
              [chunk({}, "stop", usage(5, 2))]
            ]
          ) {
            const at = yield* host([{ events: [text("The Elbe"), ...ends], end: "cut" }], { transport })
            assert.strictEqual(answerOf((yield* streamed(at)).result).text, "The Elbe")
          }
        }
      }))

    it.scopedLive("is no success where it breaks before usage, or after content: more may have followed, and the failure has the text", () =>
      Effect.gen(function*() {
        for (
          const events of [
            [chunk({ content: "The " }, "stop")],
            [chunk({ content: "The " }, "stop", usage(5, 1))],
            [chunk({ content: "The " }, "stop"), chunk({ content: "Elbe " }, "stop", usage(5, 2))],
            [text("The Elbe"), chunk({}, "stop")]
          ]
        ) {
          const at = yield* host([{ events, end: "cut" }])
          const { reason } = failureOf((yield* streamed(at)).result, "StreamInterrupted")
          assert(reason._tag === "StreamInterrupted")
          assert.match(reason.partial.text, /^The /)
        }
      }))

    it.scopedLive("and an error event after text stays the reason that it names: the text has been given out already", () =>
      Effect.gen(function*() {
        const events = [text("The "), { error: { message: "the model is overloaded", code: 503 } }]
        const { parts, result } = yield* streamed(yield* host([{ events }]))
        failureOf(result, "Overloaded")
        assert.deepStrictEqual(parts, [{ _tag: "TextDelta", text: "The " }])
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("framing that says nothing is skipped:", () => {
    for (
      const noise of [
        "data: : OPENROUTER PROCESSING\n\n",
        "data: null\n\n",
        "data: ping\n\n",
        "data: \"ping\"\n\n",
        "data: keep-alive\n\n",
        "data: []\n\n",
        "data: {}\n\n",
        "data: {\"type\":\"ping\"}\n\n",
        "data: {\"status\":\"queued\",\"message\":\"please wait\"}\n\n",
        "event: heartbeat\ndata: 1764400000\n\n",
        "event: ping\ndata: still here\n\n"
      ]
    ) {
      it.scopedLive(JSON.stringify(noise), () =>
        Effect.gen(function*() {
          const events = [text("The "), text("Elbe"), chunk({}, "stop"), done].map((event) => noise + sse([event]))
            .join("")
          assert.strictEqual(answerOf((yield* streamed(yield* host([{ events }]))).result).text, "The Elbe")
        }))
    }

    it.scopedLive("but text that may be content is not, as it would be lost", () =>
      Effect.gen(function*() {
        for (const data of ["Elbe", "\"Elbe\"", "{unparsable}"]) {
          const events = `${sse([text("The ")])}data: ${data}\n\n${sse([chunk({}, "stop"), done])}`
          failureOf((yield* streamed(yield* host([{ events }]))).result, "StreamInterrupted")
        }
      }))

    it.scopedLive("Mistral's thinking is read as a list and as plain text", () =>
      Effect.gen(function*() {
        for (const thinking of ["Hm.", [{ type: "text", text: "Hm." }]]) {
          const content = [{ type: "thinking", thinking }, { type: "text", text: "Hi" }]
          const parts = [{ _tag: "Reasoning", text: "Hm.", provider: "example" }, { _tag: "Text", text: "Hi" }]
          const body = answerOf(yield* called(yield* host([{ body: whole({ content }, "stop") }])))
          assert.deepStrictEqual<unknown>(body.parts, parts)
          const stream = yield* streamed(yield* host([{ events: [chunk({ content }), chunk({}, "stop"), done] }]))
          assert.deepStrictEqual<unknown>(answerOf(stream.result).parts, parts)
        }
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("arguments of tools in an odd form:", () => {
    const forms: ReadonlyArray<readonly [name: string, args: unknown, expected: unknown]> = [
      ["encoded twice are the object, as arguments always are one", JSON.stringify(q(1)), { q: 1 }],
      ["null are those of a tool without parameters", "null", {}],
      ["null, encoded twice, are none, too", "\"null\"", {}],
      ["no text at all are none, too", null, {}],
      ["\"{}\" and then the arguments are the arguments, as \"{}\" only begins them", `{}${q(1)}`, { q: 1 }],
      ["the whole arguments twice are the arguments once", q(1) + q(1), { q: 1 }],
      ["an object that is not encoded is the object", { q: 1 }, { q: 1 }]
    ]
    for (const [name, args, expected] of forms) {
      it.scopedLive(name, () =>
        Effect.gen(function*() {
          const tool_calls = [call("k1", "look", args, 0)]
          const body = yield* called(yield* host([{ body: whole({ tool_calls }, "tool_calls") }]))
          assert.deepStrictEqual(callsOf(answerOf(body)), [["look", expected]])
          const events = [chunk({ tool_calls }), chunk({}, "tool_calls"), done]
          assert.deepStrictEqual(callsOf(answerOf((yield* streamed(yield* host([{ events }]))).result)), [[
            "look",
            expected
          ]])
        }))
    }

    it.scopedLive("\"{}\" in the first piece and the arguments in the next are the arguments", () =>
      Effect.gen(function*() {
        for (const second of [call("", "", q(1), 0), call("k1", "", q(1), 0), call("k1", "look", q(1), 0)]) {
          const events = [tools(call("k1", "look", "{}", 0)), tools(second), chunk({}, "tool_calls"), done]
          assert.deepStrictEqual(callsOf(answerOf((yield* streamed(yield* host([{ events }]))).result)), [["look", {
            q: 1
          }]])
        }
      }))

    it.scopedLive("two different objects are not repaired: nobody knows which one was meant", () =>
      Effect.gen(function*() {
        const at = yield* host([{ body: whole({ tool_calls: [call("k1", "look", q(1) + q(2))] }, "tool_calls") }])
        failureOf(yield* called(at), "ToolArgumentsInvalid")
      }))

    it.scopedLive("a call in the old field function_call is a call", () =>
      Effect.gen(function*() {
        const function_call = { name: "look", arguments: q(1) }
        const body = yield* called(yield* host([{ body: whole({ content: null, function_call }, "function_call") }]))
        const events = [
          chunk({ function_call: { name: "look", arguments: "" } }),
          chunk({ function_call: { arguments: "{\"q\":" } }),
          chunk({ function_call: { arguments: "1}" } }),
          chunk({}, "function_call"),
          done
        ]
        const { result } = yield* streamed(yield* host([{ events }]))
        for (const response of [answerOf(body), answerOf(result)]) {
          assert.deepStrictEqual(callsOf(response), [["look", { q: 1 }]])
          assert.strictEqual(response.finishReason, "tool_calls")
        }
        assert.deepStrictEqual(answerOf(result).parts, answerOf(body).parts)
      }))
  })
})
