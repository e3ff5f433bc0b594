import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { valueOf } from "../../support/exits.js"
import {
  bytes,
  finished,
  json,
  networkFailure,
  provider,
  reasonOf,
  type Service,
  sse,
  streaming,
  textOf
} from "../../support/fakeHttp.js"
import { within } from "../../support/testClock.js"

type Json = { readonly [field: string]: unknown }

const openAi = (options: OpenAiChat.Options = {}) =>
  OpenAiChat.layer({ apiKey: Redacted.make("sk-test-1234567890abcdef"), ...options })

const request = { model: "gpt-4o", prompt: "Say hi." } as const

const streamed = (answer: Service, options?: OpenAiChat.Options) =>
  Effect.flatMap(provider(openAi(options), answer), (service) => service.stream(request))

/** What comes of a stream of these events. */
const events = (events: ReadonlyArray<unknown>, options?: OpenAiChat.Options) =>
  streamed(streaming([sse(events)]), options)

// ---------------------------------------------------------------------------------------------------------------------
// Events
// ---------------------------------------------------------------------------------------------------------------------

const chunk = (delta: Json, choice: Json = {}, fields: Json = {}): Json => ({
  id: "c1",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [{ index: 0, delta, finish_reason: null, ...choice }],
  ...fields
})

const text = (content: string) => chunk({ content })
const finish = (finish_reason: string) => chunk({}, { finish_reason })
const tool = (...calls: ReadonlyArray<Json>) => chunk({ tool_calls: calls })
const usage = (fields: Json = { prompt_tokens: 5, completion_tokens: 2 }) =>
  chunk({}, {}, { choices: [], usage: fields })
const done = "[DONE]"

const weather = (fields: Json = {}) => ({
  id: "call_a",
  type: "function",
  function: { name: "w", arguments: "" },
  ...fields
})

/** Two calls of a tool at the same time, then the usage. */
const parallelCalls: ReadonlyArray<Json> = [
  chunk({ role: "assistant", content: null, tool_calls: [weather({ index: 0 })] }, {}, { usage: null }),
  tool({ index: 0, function: { arguments: "{\"city\":" } }),
  tool({ index: 1, id: "call_b", type: "function", function: { name: "w", arguments: "{\"city\":\"Rome\"}" } }),
  tool({ index: 0, function: { arguments: "\"Paris\"}" } })
]
const parallel = [
  ...parallelCalls,
  finish("tool_calls"),
  usage({
    prompt_tokens: 20,
    completion_tokens: 12,
    total_tokens: 32,
    prompt_tokens_details: { cached_tokens: 4 },
    completion_tokens_details: { reasoning_tokens: 3 }
  }),
  done
]

const paris = { _tag: "ToolCall", id: "call_a", name: "w", arguments: { city: "Paris" } } as const
const rome = { _tag: "ToolCall", id: "call_b", name: "w", arguments: { city: "Rome" } } as const

const hello = [
  chunk({ role: "assistant", content: "" }),
  text("Hel"),
  text("lo, Wörld 😊"),
  finish("stop"),
  usage(),
  done
]
const helloText = "Hello, Wörld 😊"

describe("OpenAiChat.stream", () => {
  // -------------------------------------------------------------------------------------------------------------------
  describe("gives", () => {
    it.effect("text as it comes, and then the whole answer", () =>
      Effect.gen(function*() {
        const { parts } = yield* events(hello)
        assert.deepStrictEqual(parts.slice(0, -1), [
          { _tag: "TextDelta", text: "Hel" },
          { _tag: "TextDelta", text: "lo, Wörld 😊" }
        ])
        const response = finished(yield* events(hello))
        assert.strictEqual(response.text, helloText)
        assert.strictEqual(response.finishReason, "stop")
        assert.strictEqual(response.model, "m")
        assert.strictEqual(response.id, "c1")
        assert.deepStrictEqual(response.usage, { inputTokens: 5, outputTokens: 2 })
      }))

    it.effect("tool calls that come at the same time", () =>
      Effect.gen(function*() {
        const stream = yield* events(parallel)
        assert.deepStrictEqual(stream.parts.slice(0, -1), [
          { _tag: "ToolCallStart", id: "call_a", name: "w" },
          { _tag: "ToolCallDelta", id: "call_a", delta: "{\"city\":" },
          { _tag: "ToolCallStart", id: "call_b", name: "w" },
          { _tag: "ToolCallDelta", id: "call_b", delta: "{\"city\":\"Rome\"}" },
          { _tag: "ToolCallDelta", id: "call_a", delta: "\"Paris\"}" },
          { _tag: "ToolCallEnd", id: "call_a", name: "w", arguments: { city: "Paris" } },
          { _tag: "ToolCallEnd", id: "call_b", name: "w", arguments: { city: "Rome" } }
        ])
        const response = finished(stream)
        assert.deepStrictEqual(response.parts, [paris, rome])
        assert.strictEqual(response.finishReason, "tool_calls")
        assert.deepStrictEqual(response.usage, {
          inputTokens: 20,
          cachedInputTokens: 4,
          outputTokens: 12,
          reasoningTokens: 3
        })
      }))

    it.effect("reasoning, a refusal, and white space as it is", () =>
      Effect.gen(function*() {
        const reasoned = yield* events([
          chunk({ reasoning_content: "h" }),
          chunk({ reasoning: "m" }),
          text("\n"),
          text("\nHi"),
          finish("stop"),
          done
        ])
        assert.deepStrictEqual(reasoned.parts.slice(0, 2), [
          { _tag: "ReasoningDelta", text: "h" },
          { _tag: "ReasoningDelta", text: "m" }
        ])
        assert.deepStrictEqual(finished(reasoned).parts, [
          { _tag: "Reasoning", text: "hm", provider: "openai" },
          { _tag: "Text", text: "\n\nHi" }
        ])
        const refused = finished(
          yield* events([chunk({ refusal: "I " }), chunk({ refusal: "can't." }), finish("stop"), done])
        )
        assert.strictEqual(refused.finishReason, "refusal")
        assert.deepStrictEqual(refused.parts, [{ _tag: "Refusal", text: "I can't." }])
      }))

    it.effect("request id and rate limits of the headers", () =>
      Effect.gen(function*() {
        const headers = { "x-request-id": "req_1", "x-ratelimit-remaining-requests": "59" }
        const response = finished(yield* streamed(streaming([sse(hello)], { headers })))
        assert.strictEqual(response.requestId, "req_1")
        assert.deepStrictEqual(response.rateLimit, { requests: { remaining: 59 } })
      }))

    it.effect("warnings about what was not sent", () =>
      Effect.gen(function*() {
        const service = yield* provider(openAi(), streaming([sse(hello)]))
        const response = finished(yield* service.stream({ ...request, topK: 5 }))
        assert.deepStrictEqual(response.warnings, ["topK was not sent: openai does not take it"])
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("reads tool calls", () => {
    const ends = [finish("tool_calls"), usage(), done]
    const variants: ReadonlyArray<readonly [name: string, events: ReadonlyArray<unknown>]> = [
      ["without an index, by their ids", [
        tool(weather()),
        tool({ function: { arguments: "{\"city\":\"Paris\"}" } }),
        tool({ id: "call_b", function: { name: "w", arguments: "{\"city\":\"Rome\"}" } })
      ]],
      ["without an index, two of them in one event", [
        tool(
          { id: "call_a", function: { name: "w", arguments: "{\"city\":\"Paris\"}" } },
          { id: "call_b", function: { name: "w", arguments: "{\"city\":\"Rome\"}" } }
        )
      ]],
      ["that all have the same index, by their ids", [
        tool({ index: 0, id: "call_a", function: { name: "w", arguments: "{\"city\":\"Paris\"}" } }),
        tool({ index: 0, id: "call_b", function: { name: "w", arguments: "{\"city\":" } }),
        tool({ index: 0, function: { arguments: "\"Rome\"}" } })
      ]],
      ["with null as the id of later pieces", [
        tool(weather({ index: 0 })),
        tool({ index: 0, id: null, type: null, function: { name: null, arguments: "{\"city\":\"Paris\"}" } }),
        tool({ index: 1, id: "call_b", function: { name: "w", arguments: "{\"city\":\"Rome\"}" } })
      ]],
      ["with id and name in every piece", [
        tool(weather({ index: 0 })),
        tool({ index: 0, id: "call_a", type: "function", function: { name: "w", arguments: "{\"city\":" } }),
        tool({ index: 0, id: "call_a", type: "function", function: { name: "w", arguments: "\"Paris\"}" } }),
        tool({ index: 1, id: "call_b", function: { name: "w", arguments: "{\"city\":\"Rome\"}" } }),
        tool({ index: 1, id: "call_b", function: { name: "w", arguments: "" } })
      ]],
      ["whose id is another in each piece", [
        tool(weather({ index: 0 })),
        tool({ index: 0, id: "call_x", function: { arguments: "{\"city\":\"Paris\"}" } }),
        tool({ index: 1, id: "call_b", function: { name: "w", arguments: "{\"city\":\"Rome\"}" } })
      ]],
      ["that are followed by an empty piece", [
        ...parallelCalls,
        tool({ index: 0, function: { arguments: "" } }),
        tool({ index: 1 })
      ]],
      ["whose arguments are an object", [
        tool({ index: 0, id: "call_a", function: { name: "w", arguments: { city: "Paris" } } }),
        tool({ index: 1, id: "call_b", function: { name: "w", arguments: { city: "Rome" } } })
      ]],
      ["with a message instead of a delta", [
        {
          choices: [{
            message: {
              tool_calls: [
                { index: 0, id: "call_a", function: { name: "w", arguments: "{\"city\":\"Paris\"}" } },
                { index: 1, id: "call_b", function: { name: "w", arguments: "{\"city\":\"Rome\"}" } }
              ]
            }
          }]
        }
      ]]
    ]
    for (const [name, variant] of variants) {
      it.effect(name, () =>
        Effect.gen(function*() {
          assert.deepStrictEqual(finished(yield* events([...variant, ...ends])).parts, [paris, rome])
        }))
    }

    it.effect("where the finish reason is stop", () =>
      Effect.gen(function*() {
        const response = finished(yield* events([...parallelCalls, finish("stop"), done]))
        assert.strictEqual(response.finishReason, "tool_calls")
        assert.deepStrictEqual(response.parts, [paris, rome])
      }))

    it.effect("without index and id: each name begins one", () =>
      Effect.gen(function*() {
        const response = finished(
          yield* events([
            tool({ function: { name: "f", arguments: "{\"a\":" } }),
            tool({ function: { arguments: "1}" } }),
            tool({ function: { name: "f", arguments: "{}" } }),
            ...ends
          ])
        )
        assert.deepStrictEqual(response.parts, [
          { _tag: "ToolCall", id: "call_0", name: "f", arguments: { a: 1 } },
          { _tag: "ToolCall", id: "call_1", name: "f", arguments: {} }
        ])
      }))

    it.effect("that share an id as two, with two ids", () =>
      Effect.gen(function*() {
        const response = finished(
          yield* events([
            tool({ index: 0, id: "call", function: { name: "f", arguments: "{\"a\":1}" } }),
            tool({ index: 1, id: "call", function: { name: "f", arguments: "{\"a\":2}" } }),
            ...ends
          ])
        )
        assert.deepStrictEqual(response.toolCalls.map((call) => call.arguments), [{ a: 1 }, { a: 2 }])
        assert.strictEqual(new Set(response.toolCalls.map((call) => call.id)).size, 2)
      }))

    it.effect("whose parsable beginning is not the whole", () =>
      Effect.gen(function*() {
        const response = finished(
          yield* events([
            tool({ index: 0, id: "c", function: { name: "f", arguments: "1" } }),
            tool({ index: 0, function: { arguments: "2" } }),
            ...ends
          ])
        )
        assert.deepStrictEqual(response.toolCalls[0]?.arguments, 12)
      }))

    it.effect("up to index 127, and none with an index that makes no sense", () =>
      Effect.gen(function*() {
        const at = (index: unknown) =>
          events([tool({ index, id: "c", function: { name: "f", arguments: "{}" } }), ...ends])
        assert.strictEqual(finished(yield* at(127)).toolCalls.length, 1)
        for (const index of [-1, 1.5, 2 ** 53, 128, 1e9, "__proto__", "128", "0x1", {}, true]) {
          const { error, parts } = yield* at(index)
          reasonOf(error, "MalformedResponse")
          assert.isEmpty(parts)
        }
      }))

    it.effect("no more than 128", () =>
      Effect.gen(function*() {
        const calls = (n: number) =>
          events([
            ...Array.from({ length: n }, (_, i) => tool({ id: `c${i}`, function: { name: "f", arguments: "{}" } })),
            ...ends
          ])
        assert.strictEqual(finished(yield* calls(128)).toolCalls.length, 128)
        reasonOf((yield* calls(129)).error, "StreamInterrupted")
      }))

    it.effect("whose arguments are no JSON as a failure, after what was given out", () =>
      Effect.gen(function*() {
        const { error, parts } = yield* events([
          tool({ index: 0, id: "c", function: { name: "f", arguments: "{\"a\": nope}" } }),
          ...ends
        ])
        const reason = reasonOf(error, "ToolArgumentsInvalid")
        assert.strictEqual(reason.raw, "{\"a\": nope}")
        assert.strictEqual(reason.name, "f")
        assert.deepStrictEqual(parts.map(({ _tag }) => _tag), ["ToolCallStart", "ToolCallDelta"])
      }))

    it.effect("that the limit cut as incomplete, without an end", () =>
      Effect.gen(function*() {
        const stream = yield* events([
          tool({ index: 0, id: "c", function: { name: "f", arguments: "{\"a\": 1, \"b" } }),
          finish("length"),
          done
        ])
        const response = finished(stream)
        assert.strictEqual(response.finishReason, "length")
        assert.deepStrictEqual(response.parts, [
          { _tag: "ToolCall", id: "c", name: "f", arguments: "{\"a\": 1, \"b", incomplete: true }
        ])
        assert.isEmpty(stream.parts.filter((part) => part._tag === "ToolCallEnd"))
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("reads usage", () => {
    const cases: ReadonlyArray<readonly [name: string, events: ReadonlyArray<unknown>]> = [
      ["in an event without choices", [text("Hi"), finish("stop"), {
        id: "c1",
        usage: { prompt_tokens: 5, completion_tokens: 2 }
      }, done]],
      ["with the finish reason", [
        text("Hi"),
        chunk({}, { finish_reason: "stop" }, { usage: { prompt_tokens: 5, completion_tokens: 2 } }),
        done
      ]],
      ["in each event, where the last one counts", [
        chunk({ content: "H" }, {}, { usage: { prompt_tokens: 5, completion_tokens: 0 } }),
        chunk({ content: "i" }, {}, { usage: { prompt_tokens: 5, completion_tokens: 1 } }),
        finish("stop"),
        usage(),
        done
      ]],
      ["in Groq's place for it", [
        text("Hi"),
        chunk({}, { finish_reason: "stop" }, {
          x_groq: { id: "req", usage: { prompt_tokens: 5, completion_tokens: 2 } }
        }),
        done
      ]]
    ]
    for (const [name, stream] of cases) {
      it.effect(name, () =>
        Effect.gen(function*() {
          const response = finished(yield* events(stream))
          assert.deepStrictEqual(response.usage, { inputTokens: 5, outputTokens: 2 })
          assert.strictEqual(response.text, "Hi")
        }))
    }

    it.effect("that never comes as unknown", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(finished(yield* events([text("Hi"), finish("stop"), done])).usage, {})
        assert.deepStrictEqual(finished(yield* events([text("Hi"), finish("stop")])).usage, {})
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("ends", () => {
    const open = (stream: ReadonlyArray<unknown>) => () => streaming([sse(stream)], { end: "open" })

    it.effect("at [DONE], though the connection stays open", () =>
      Effect.gen(function*() {
        assert.strictEqual(finished(yield* streamed(open([text("Hi"), finish("stop"), done]))).text, "Hi")
      }))

    it.effect("when finish reason and usage are there, though the connection stays open", () =>
      Effect.gen(function*() {
        const stream = yield* within("1 second")(streamed(open([text("Hi"), finish("stop"), usage()])))
        assert.strictEqual(finished(valueOf(stream)).text, "Hi")
      }))

    it.effect("without [DONE], and with one that lacks its line break", () =>
      Effect.gen(function*() {
        assert.strictEqual(finished(yield* events([text("Hi"), finish("stop"), usage()])).text, "Hi")
        assert.strictEqual(
          finished(yield* streamed(streaming([sse([text("Hi"), finish("stop")]), "data: [DONE]"]))).text,
          "Hi"
        )
      }))

    it.effect("with what comes at the end of the bytes without an empty line", () =>
      Effect.gen(function*() {
        const last = `data: ${JSON.stringify(finish("stop"))}`
        assert.strictEqual(finished(yield* streamed(streaming([sse([text("Hi")]), last]))).text, "Hi")
      }))

    it.effect("whole where only the usage behind the finish reason was cut", () =>
      Effect.gen(function*() {
        const cut = sse([text("Hi"), finish("stop"), usage()]).slice(0, -10)
        const response = finished(yield* streamed(streaming([cut])))
        assert.strictEqual(response.text, "Hi")
        assert.deepStrictEqual(response.usage, {})
      }))

    it.effect("ignoring what stands behind [DONE]", () =>
      Effect.gen(function*() {
        const stream = yield* events([text("Hi"), finish("stop"), done, text("more"), { error: { message: "late" } }])
        assert.strictEqual(finished(stream).text, "Hi")
      }))

    it.effect("without a finish reason only where the service is known to do so", () =>
      Effect.gen(function*() {
        const stream = [text("Hi"), done]
        reasonOf((yield* events(stream)).error, "StreamInterrupted")
        const response = finished(yield* events(stream, { capabilities: { doneIsTerminal: true } }))
        assert.strictEqual(response.text, "Hi")
        assert.strictEqual(response.finishReason, "stop")
      }))

    it.effect("never with nothing, even there", () =>
      Effect.gen(function*() {
        const { error } = yield* events([chunk({ role: "assistant" }), done], {
          capabilities: { doneIsTerminal: true }
        })
        reasonOf(error, "StreamInterrupted")
        assert.isTrue(error?.isRetryable)
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("skips", () => {
    const noise: ReadonlyArray<readonly [name: string, noise: string]> = [
      ["comments", ": OPENROUTER PROCESSING\n\n: keep-alive\n\n"],
      ["events that say nothing", "data:\n\ndata: \n\n"],
      ["retry, id and unknown lines", "retry: 100\nid: 7\nfoo: bar\n\n"],
      ["an event without choices", sse([{ id: "c1", object: "x" }])],
      ["choices that are null or empty", sse([{ choices: null }, { choices: [] }, { choices: [null] }])],
      [
        "null in all places",
        sse([chunk({ role: "", content: null, refusal: null, tool_calls: null, reasoning: null })])
      ],
      ["a choice without a delta", sse([{ choices: [{ index: 0, finish_reason: null }] }])],
      ["other choices", sse([chunk({ content: "other" }, { index: 1, finish_reason: "length" })])],
      ["errors that are null", sse([chunk({}, {}, { error: null })])],
      ["unknown fields", sse([chunk({ x: 1 }, { logprobs: {} }, { obfuscation: "abc", x_new: { y: 1 } })])]
    ]
    for (const [name, text] of noise) {
      it.effect(name, () =>
        Effect.gen(function*() {
          const stream = yield* streamed(streaming(hello.flatMap((event) => [text, sse([event])])))
          assert.strictEqual(finished(stream).text, helloText)
        }))
    }

    it.effect("the additions of Azure's filter before and after the answer", () =>
      Effect.gen(function*() {
        const response = finished(
          yield* events([
            { choices: [], created: 0, id: "", model: "", object: "", prompt_filter_results: [{ prompt_index: 0 }] },
            text("Hi"),
            finish("stop"),
            {
              choices: [{ content_filter_offsets: {}, content_filter_results: {}, finish_reason: null, index: 0 }],
              id: ""
            },
            done
          ])
        )
        assert.strictEqual(response.text, "Hi")
        assert.strictEqual(response.model, "m")
        assert.strictEqual(response.id, "c1")
        assert.strictEqual(response.finishReason, "stop")
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("fails with what an event says", () => {
    const cases = [
      [
        "a server error",
        { error: { message: "oops", type: "server_error", param: null, code: null } },
        "ServerFailed",
        true
      ],
      ["a numeric code", { error: { message: "bad", code: 400 } }, "InvalidRequest", false],
      ["a rate limit", { error: { message: "slow", code: "rate_limit_exceeded" } }, "RateLimited", true],
      ["an empty account", { error: { message: "quota", type: "insufficient_quota" } }, "QuotaExhausted", false],
      [
        "an error of the old vLLM",
        { object: "error", message: "x", type: "BadRequestError", code: 400 },
        "InvalidRequest",
        false
      ],
      ["a flat error", { type: "error", code: "server_error", message: "x" }, "ServerFailed", true],
      ["an error as text", { error: "model overloaded" }, "Overloaded", true],
      ["Groq's error", { x_groq: { id: "req", error: "over_capacity" } }, "Overloaded", true],
      [
        "OpenRouter's error",
        chunk({ content: "" }, { finish_reason: "error" }, { error: { code: 502, message: "x" } }),
        "ServerFailed",
        true
      ],
      [
        "an error in the choice",
        chunk({}, { error: { code: 429, message: "x" }, finish_reason: "error" }),
        "RateLimited",
        true
      ],
      ["a failure as the finish reason", finish("error"), "ServerFailed", true],
      ["a lack of resources", finish("insufficient_system_resource"), "Overloaded", true]
    ] as const
    for (const [name, event, tag, retryable] of cases) {
      it.effect(`${name}: before content and after it`, () =>
        Effect.gen(function*() {
          const before = yield* events([event, done])
          reasonOf(before.error, tag)
          assert.isEmpty(before.parts)
          assert.strictEqual(before.error?.isRetryable, retryable)
          const after = yield* events([text("Hello"), event, text("never"), done])
          reasonOf(after.error, tag)
          assert.deepStrictEqual(after.parts, [{ _tag: "TextDelta", text: "Hello" }])
        }))
    }

    for (
      const data of ["{\"error\":{\"message\":\"m\"}}", "{\"message\":\"m\"}", "null", "\"m\"", "7", "plain words"]
    ) {
      it.effect(`in an event that is named error: ${data}`, () =>
        Effect.gen(function*() {
          for (const before of ["", sse([text("Hello")])]) {
            reasonOf((yield* streamed(streaming([`${before}event: error\ndata: ${data}\n\n`]))).error, "ServerFailed")
          }
        }))
    }

    it.effect("in words, if it has no others", () =>
      Effect.gen(function*() {
        const { error } = yield* streamed(streaming(["event: error\ndata: the model is overloaded\n\n"]))
        assert.strictEqual(reasonOf(error, "Overloaded").message, "the model is overloaded")
      }))

    it.effect("with all facts of an error", () =>
      Effect.gen(function*() {
        const { error } = yield* streamed(
          streaming([sse([{ error: { message: "oops", type: "server_error" } }])], {
            headers: { "x-request-id": "req_1" }
          })
        )
        assert.strictEqual(error?.operation, "stream")
        assert.strictEqual(error?.provider, "openai")
        assert.strictEqual(error?.model, "gpt-4o")
        assert.strictEqual(error?.requestId, "req_1")
        assert.strictEqual(error?.reason.message, "oops")
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("fails where the answer is no stream:", () => {
    it.effect("the JSON of an error, with its reason", () =>
      Effect.gen(function*() {
        const answer = { error: { message: "slow", code: "rate_limit_exceeded" } }
        reasonOf((yield* streamed(json(answer))).error, "RateLimited")
        for (const body of [answer, [answer], { object: "error", message: "rate limit" }]) {
          const { error } = yield* streamed(streaming([JSON.stringify(body, undefined, 2)]))
          reasonOf(error, "RateLimited")
        }
      }))

    const malformed = [
      ["a page", streaming(["<html>Sign in</html>"], { contentType: "text/html" })],
      ["a page that says that it is a stream", streaming(["<html>\n\nSign in</html>"])],
      ["nothing", streaming([])],
      ["nothing, of JSON", json("")],
      ["comments only", streaming([": keep-alive\n\n: keep-alive\n\n"])],
      ["half an event", streaming(["data: {\"choices\":[{\"del"])],
      ["what is no JSON", streaming(["data: {unparsable}\n\n", sse([text("Hi"), finish("stop"), done])])]
    ] as const
    for (const [name, answer] of malformed) {
      it.effect(name, () =>
        Effect.gen(function*() {
          const { error, parts } = yield* streamed(answer)
          reasonOf(error, "MalformedResponse")
          assert.isEmpty(parts)
          assert.isTrue(error?.isRetryable)
        }))
    }

    it.effect("but takes a stream of any other type of content, and of none", () =>
      Effect.gen(function*() {
        for (const contentType of ["text/plain", "application/octet-stream", "TEXT/EVENT-STREAM; charset=utf-8", ""]) {
          assert.strictEqual(finished(yield* streamed(streaming([sse(hello)], { contentType }))).text, helloText)
        }
      }))

    it.effect("an event that is too long", () =>
      Effect.gen(function*() {
        const long = "x".repeat(1024 * 1024)
        const chunks = ["data: {\"a\":\"", ...Array.from({ length: 17 }, () => long)]
        reasonOf((yield* streamed(streaming(chunks))).error, "MalformedResponse")
        const after = yield* streamed(streaming([sse([text("Hello")]), ...chunks]))
        assert.strictEqual(reasonOf(after.error, "StreamInterrupted").partial.text, "Hello")
      }))

    it.effect("an HTTP status", () =>
      Effect.gen(function*() {
        const answer = json({ error: { message: "slow", code: "rate_limit_exceeded" } }, { status: 429 })
        const { error } = yield* streamed(answer)
        reasonOf(error, "RateLimited")
        assert.strictEqual(error?.status, 429)
        assert.strictEqual(error?.operation, "stream")
      }))

    it.effect("no connection", () =>
      Effect.gen(function*() {
        const { error } = yield* streamed((_, request) => Effect.fail(networkFailure(request, "ECONNREFUSED")))
        assert.strictEqual(reasonOf(error, "NetworkFailed").code, "ECONNREFUSED")
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("a stream that breaks off", () => {
    it.effect("before content fails with the reason itself, and can be retried", () =>
      Effect.gen(function*() {
        const start = sse([chunk({ role: "assistant", content: "" })])
        const cut = yield* streamed(streaming([start], { end: "cut" }))
        assert.strictEqual(reasonOf(cut.error, "NetworkFailed").code, "UND_ERR_SOCKET")
        assert.isTrue(cut.error?.isRetryable)
        const ended = yield* streamed(streaming([start]))
        assert.deepStrictEqual(reasonOf(ended.error, "StreamInterrupted").partial.parts, [])
        assert.isTrue(ended.error?.isRetryable)
      }))

    it.effect("after content is interrupted, and has the content so far", () =>
      Effect.gen(function*() {
        for (const end of ["close", "cut"] as const) {
          const stream = sse([...parallelCalls, text("Hi"), chunk({ reasoning: "hm" })])
          const { error, parts } = yield* streamed(streaming([stream], { end }))
          const { partial } = reasonOf(error, "StreamInterrupted")
          assert.strictEqual(partial.text, "Hi")
          assert.deepStrictEqual(partial.parts, [
            { ...paris, arguments: "{\"city\":\"Paris\"}", incomplete: true },
            { ...rome, arguments: "{\"city\":\"Rome\"}", incomplete: true },
            { _tag: "Text", text: "Hi" },
            { _tag: "Reasoning", text: "hm", provider: "openai" }
          ])
          assert.isFalse(error?.isRetryable)
          assert.isEmpty(parts.filter((part) => part._tag === "Finish" || part._tag === "ToolCallEnd"))
        }
      }))

    it.effect("reports the known usage", () =>
      Effect.gen(function*() {
        const { error } = yield* events([
          chunk({ content: "Hi" }, {}, { usage: { prompt_tokens: 5, completion_tokens: 1 } })
        ])
        assert.deepStrictEqual(reasonOf(error, "StreamInterrupted").partial.usage, { inputTokens: 5, outputTokens: 1 })
      }))

    it.effect("gives no event that is no JSON for content", () =>
      Effect.gen(function*() {
        const { error, parts } = yield* events([text("Hello"), "{unparsable}", text("never"), finish("stop"), done])
        assert.strictEqual(reasonOf(error, "StreamInterrupted").partial.text, "Hello")
        assert.deepStrictEqual(parts, [{ _tag: "TextDelta", text: "Hello" }])
      }))

    it.effect("at any byte is a failure, never an answer and never another text", () =>
      Effect.gen(function*() {
        const short = [
          { choices: [{ delta: { content: "" } }] },
          { choices: [{ delta: { content: "Hel" } }] },
          { choices: [{ delta: { content: "lo, Wörld 😊" } }] },
          { choices: [{ finish_reason: "stop" }] },
          { usage: { prompt_tokens: 5 } },
          done
        ]
        const whole = bytes(sse(short))
        // From here on the finish reason is known, and all of the text.
        const terminal = bytes(sse(short.slice(0, 4))).length - 2
        let answer = json("")
        const service = yield* provider(openAi(), () => answer)
        for (const end of ["close", "cut"] as const) {
          for (let length = 0; length < whole.length; length++) {
            answer = streaming([whole.subarray(0, length)], { end })
            const stream = yield* service.stream(request)
            const { error } = stream
            if (error === undefined) {
              assert.isAtLeast(length, terminal, `an answer after ${length} bytes`)
              assert.strictEqual(finished(stream).text, helloText)
              continue
            }
            assert.isTrue(helloText.startsWith(textOf(stream)))
            if (error.reason._tag === "StreamInterrupted" && error.reason.partial.parts.length > 0) {
              assert.strictEqual(error.reason.partial.text, textOf(stream))
              assert.isFalse(error.isRetryable)
            } else {
              assert.isTrue(error.isRetryable, `${error} after ${length} bytes`)
              assert.isEmpty(stream.parts)
            }
          }
        }
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  it.effect("gives the same for any division of the bytes and any line breaks", () =>
    Effect.gen(function*() {
      const stream = [chunk({ reasoning: "hm" }), ...hello.slice(0, 3), ...parallel]
      const expected = finished(yield* events(stream))
      const divisions = FastCheck.sample(
        FastCheck.tuple(
          FastCheck.constantFrom("\n", "\r", "\r\n"),
          FastCheck.array(FastCheck.nat(), { maxLength: 60 })
        ),
        60
      )
      for (const [end, cuts] of divisions) {
        const all = bytes(sse(stream).replaceAll("\n", end))
        const places = [0, ...cuts.map((cut) => cut % all.length).sort((a, b) => a - b), all.length]
        const chunks = places.slice(1).map((end, i) => all.subarray(places[i], end))
        const divided = yield* streamed(streaming(chunks))
        assert.deepStrictEqual(finished(divided), expected)
        assert.strictEqual(textOf(divided), helloText)
      }
      const single = yield* streamed(streaming([...bytes(sse(stream))].map((byte) => Uint8Array.of(byte))))
      assert.deepStrictEqual(finished(single), expected)
    }))

  it.effect("gives what a call gives", () =>
    Effect.gen(function*() {
      const fields = { id: "c1", created: 1, model: "m", system_fingerprint: "fp_1" }
      const calls = [
        { id: "call_a", type: "function", function: { name: "w", arguments: "{\"city\":\"Paris\"}" } },
        { id: "call_b", type: "function", function: { name: "w", arguments: "{\"city\":\"Rome\"}" } }
      ]
      const pairs: ReadonlyArray<readonly [message: Json, finish: string, stream: ReadonlyArray<Json>]> = [
        [{ content: "Hi" }, "stop", [text("H"), text("i"), finish("stop")]],
        [{ content: "Hi" }, "length", [text("Hi"), finish("length")]],
        [{ content: null, refusal: "No." }, "stop", [
          chunk({ refusal: "N" }),
          chunk({ refusal: "o." }),
          finish("stop")
        ]],
        // A message has its parts in one order only, in whatever order they are streamed.
        [
          { content: "Hi", reasoning_content: "hm", tool_calls: calls },
          "tool_calls",
          [...parallelCalls, text("Hi"), chunk({ reasoning_content: "hm" }), finish("tool_calls")]
        ],
        [
          { tool_calls: [{ id: "c", function: { name: "f", arguments: "{\"a" } }] },
          "length",
          [tool({ index: 0, id: "c", function: { name: "f", arguments: "{\"a" } }), finish("length")]
        ]
      ]
      for (const [message, finish_reason, stream] of pairs) {
        const counted = { usage: { prompt_tokens: 5, completion_tokens: 2 } }
        const choices = [{ index: 0, message: { role: "assistant", ...message }, finish_reason }]
        const service = yield* provider(openAi(), json({ ...fields, ...counted, object: "chat.completion", choices }))
        const called = yield* service.call(request)
        const events = [...stream, usage(counted.usage)].map((event) => ({ ...event, ...fields }))
        assert.deepStrictEqual(
          finished(yield* streamed(streaming([sse([...events, done])]))),
          LlmResponse.withoutRaw(called)
        )
      }
    }))

  // -------------------------------------------------------------------------------------------------------------------
  describe("a consumer that stops early", () => {
    /** An endless answer that knows how often it was asked for more, and whether it was left. */
    const endless = () => {
      const seen = { pulls: 0, cancelled: false }
      const body = new ReadableStream<Uint8Array>({
        pull: (controller) => {
          seen.pulls++
          controller.enqueue(bytes(sse([text("x")])))
        },
        cancel: () => {
          seen.cancelled = true
        }
      })
      return { seen, answer: () => new Response(body, { headers: { "content-type": "text/event-stream" } }) }
    }

    it.effect("aborts the request", () =>
      Effect.gen(function*() {
        const { answer, seen } = endless()
        const service = yield* provider(openAi(), answer)
        const taken = yield* Stream.fromEffect(LlmRequest.decode(request)).pipe(
          Stream.flatMap(service.provider.stream),
          Stream.take(2),
          Stream.runCollect
        )
        assert.strictEqual(taken.length, 2)
        assert.isTrue(seen.cancelled)
      }))

    it.effect("has caused no more to be read than it took", () =>
      Effect.gen(function*() {
        const { answer, seen } = endless()
        const service = yield* provider(openAi(), answer)
        const decoded = yield* LlmRequest.decode(request)
        yield* Effect.scoped(
          Effect.gen(function*() {
            const pull = yield* Stream.toPull(service.provider.stream(decoded))
            yield* pull
            // Time for whoever would read ahead.
            for (let i = 0; i < 100; i++) yield* Effect.yieldNow()
            yield* pull
            assert.isBelow(seen.pulls, 8)
          }).pipe(Effect.orDie)
        )
      }))
  })
})
