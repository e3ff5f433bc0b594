import { NodeHttpServer } from "@effect/platform-node"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpServer from "@effect/platform/HttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Simulator } from "effect-llm/testing"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { createServer } from "node:http"
import { connect, type Socket } from "node:net"
import * as JsonSchemaDialect from "../../src/output/jsonSchemaDialect.js"
import { valueOf } from "../../src/testing/simulator/schemaValue.js"
import { kindOf } from "../support/httpFailures.js"
import { type Json, lastEnds, layer, over, parse, post, type Reply, serverLayer, user } from "../support/simulated.js"

// ---------------------------------------------------------------------------------------------------------------------
// Helpers
// ---------------------------------------------------------------------------------------------------------------------

const chatBody = (body: Json = {}): Json => ({ model: "gpt-4o", messages: [user("Echo: hi")], ...body })

const messagesBody = (body: Json = {}): Json => ({
  model: "claude-sonnet-4-5",
  max_tokens: 1000,
  messages: [user("Echo: hi")],
  ...body
})

const version = { "anthropic-version": "2023-06-01" }

const chat = (simulator: Simulator.Service, body: Json = {}, headers: Record<string, string> = {}) =>
  post(`${simulator.url}/v1/chat/completions`, chatBody(body), headers)

const messages = (simulator: Simulator.Service, body: Json = {}, headers: Record<string, string> = version) =>
  post(`${simulator.url}/v1/messages`, messagesBody(body), headers)

const chatText = (reply: Reply): string => parse(reply).choices[0].message.content

const messageText = (reply: Reply): string => parse(reply).content.at(-1).text

/** The address of a server that listens nowhere. */
const unused: HttpServer.TcpAddress = { _tag: "TcpAddress", hostname: "127.0.0.1", port: 1 }

const outcomes = Effect.map((requests: ReadonlyArray<Simulator.ReceivedRequest>) => requests.map((r) => r.outcome))

const article =
  "The Elbe rises in the Giant Mountains. The Elbe flows through Dresden, and the Elbe flows through Hamburg. " +
  "People in boats fish. Near Cuxhaven the Elbe meets the sea after a thousand kilometres of meadows, vineyards and harbours."

const weather = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer", minimum: 1, maximum: 7 } },
  required: ["city", "days"],
  additionalProperties: false
}

const chatTool = { type: "function", function: { name: "get_weather", description: "Weather", parameters: weather } }

const messagesTool = { name: "get_weather", description: "Weather", input_schema: weather }

const fitsWeather = Schema.is(Schema.Struct({ city: Schema.String, days: Schema.Int.pipe(Schema.between(1, 7)) }))

// ---------------------------------------------------------------------------------------------------------------------
// Tests
// ---------------------------------------------------------------------------------------------------------------------

describe("Simulator", () => {
  describe("the server", () => {
    it.live("listens on the IPv4 loopback, without a slash at the end of its address", () =>
      over({}, ({ url }) => Effect.sync(() => assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/))))

    it.live("names the loopback for a server that listens everywhere", () =>
      Effect.map(Simulator.Simulator, ({ url }) => assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/)).pipe(
        Effect.provide(Simulator.layer().pipe(Layer.provide(NodeHttpServer.layerTest)))
      ))

    it.live("speaks each protocol behind any prefix", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          for (const prefix of ["", "/v1", "/openai/v1", "/api/paas/v4"]) {
            const reply = yield* post(`${simulator.url}${prefix}/chat/completions?api-version=1`, chatBody())
            assert.strictEqual(chatText(reply), "hi")
          }
          for (const prefix of ["/v1", "/proxy/anthropic/v1"]) {
            const reply = yield* post(`${simulator.url}${prefix}/messages`, messagesBody(), version)
            assert.strictEqual(messageText(reply), "hi")
          }
        })))

    it.live("answers unknown paths with 404 and other methods with 405, in the likelier protocol's shape", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const openAi = yield* post(`${simulator.url}/v1/moderations`, {})
          assert.deepStrictEqual([openAi.status, parse(openAi)], [404, {
            error: {
              message: "Invalid URL (POST /v1/moderations)",
              type: "invalid_request_error",
              param: null,
              code: null
            }
          }])
          const anthropic = yield* post(`${simulator.url}/v1/complete`, {}, version)
          assert.deepStrictEqual([anthropic.status, parse(anthropic).error.type], [404, "not_found_error"])
          const get = yield* HttpClient.get(`${simulator.url}/v1/messages`)
          assert.strictEqual(get.status, 405)
        })))

    it.live("lets pages of any origin use it: answers preflights, and exposes Retry-After", () =>
      over(
        { faults: Simulator.always(Simulator.status(429, { retryAfter: "2 seconds" })) },
        (simulator) =>
          Effect.gen(function*() {
            const origin = { origin: "http://page.test" }
            const asked = yield* HttpClient.execute(
              HttpClientRequest.make("OPTIONS")(`${simulator.url}/v1/chat/completions`).pipe(
                HttpClientRequest.setHeaders({
                  ...origin,
                  "access-control-request-method": "POST",
                  "access-control-request-headers": "authorization,content-type"
                })
              )
            )
            assert.strictEqual(asked.status, 204)
            assert.strictEqual(asked.headers["access-control-allow-origin"], "*")
            assert.include(asked.headers["access-control-allow-methods"], "POST")
            assert.strictEqual(asked.headers["access-control-allow-headers"], "authorization,content-type")
            const url = `${simulator.url}/v1/chat/completions`
            const refused = yield* post(url, chatBody(), origin)
            assert.strictEqual(refused.status, 429)
            assert.strictEqual(refused.headers["access-control-allow-origin"], "*")
            assert.include(refused.headers["access-control-expose-headers"], "retry-after")
            assert.notProperty((yield* post(url, chatBody())).headers, "access-control-allow-origin")
            // A preflight is the browser's, and no request of the program.
            assert.strictEqual((yield* simulator.requests).length, 2)
          })
      ))

    it.live("answers a body that is too large with 413, unread", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const reply = yield* messages(simulator, { messages: [user("x".repeat(33 * 1024 * 1024))] })
          assert.deepStrictEqual([reply.status, parse(reply).error.type], [413, "request_too_large"])
        })))

    it.live("runs several at once, each with its own requests and faults", () =>
      over({ faults: Simulator.always(Simulator.status(500)) }, (broken) =>
        over({}, (sound) =>
          Effect.gen(function*() {
            assert.strictEqual((yield* chat(broken)).status, 500)
            assert.strictEqual((yield* chat(sound)).status, 200)
            assert.deepStrictEqual(yield* outcomes(broken.requests), ["faulted"])
            assert.deepStrictEqual(yield* outcomes(sound.requests), ["answered"])
          }))))

    it.effect("dies over options that make no sense", () =>
      Effect.gen(function*() {
        for (const options of [{ history: 0 }, { latency: -1 }]) {
          const exit = yield* Effect.exit(Layer.launch(Layer.provide(Simulator.layer(options), serverLayer)))
          assert.match(Exit.match(exit, { onFailure: Cause.pretty, onSuccess: () => "" }), /must be/)
        }
      }))
  })

  describe("Chat Completions", () => {
    it.live("answers in OpenAI's shape, with its headers", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const reply = yield* chat(simulator, {
            messages: [{ role: "system", content: "Obey." }, user("Echo: Grüß Gott")]
          })
          const { created, id, system_fingerprint: fingerprint, ...rest } = parse(reply)
          assert.match(id, /^chatcmpl-[0-9a-f]{29}$/)
          assert.match(fingerprint, /^fp_[0-9a-f]{10}$/)
          assert.isTrue(Number.isInteger(created) && created > 1_700_000_000)
          assert.deepStrictEqual(rest, {
            object: "chat.completion",
            model: "gpt-4o",
            choices: [{
              index: 0,
              message: { role: "assistant", content: "Grüß Gott", refusal: null, annotations: [] },
              logprobs: null,
              finish_reason: "stop"
            }],
            usage: {
              prompt_tokens: 7, // "Obey." is 2 tokens, "Echo: Grüß Gott" with its 17 bytes 5
              completion_tokens: 3,
              total_tokens: 10,
              prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
              completion_tokens_details: {
                reasoning_tokens: 0,
                audio_tokens: 0,
                accepted_prediction_tokens: 0,
                rejected_prediction_tokens: 0
              }
            },
            service_tier: "default"
          })
          assert.strictEqual(reply.headers["content-type"], "application/json")
          assert.match(reply.headers["x-request-id"] ?? "", /^req_[0-9a-f]{32}$/)
          assert.match(reply.headers["openai-processing-ms"] ?? "", /^\d+$/)
          assert.strictEqual(reply.headers["x-ratelimit-limit-requests"], "10000")
          assert.strictEqual(reply.headers["x-ratelimit-remaining-requests"], "9999")
          assert.strictEqual(reply.headers["x-ratelimit-reset-requests"], "6ms")
          assert.strictEqual(reply.headers["x-ratelimit-remaining-tokens"], "1999990")
          assert.strictEqual(reply.headers["x-ratelimit-reset-tokens"], "1ms")
        })))

    it.live("gives each request an id of its own, and equal prompts equal answers", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const [a, b, c] = yield* Effect.all([
            chat(simulator),
            chat(simulator),
            chat(simulator, { messages: [user("Echo: ho")] })
          ])
          assert.notStrictEqual(a.headers["x-request-id"], b.headers["x-request-id"])
          assert.strictEqual(parse(a).id, parse(b).id)
          assert.notStrictEqual(parse(a).id, parse(c).id)
        })))

    it.live("cuts the answer at the token limit and at stop texts", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const messages = [user("Echo: abcdefghijkl")]
          for (const field of ["max_tokens", "max_completion_tokens"]) {
            const limited = parse(yield* chat(simulator, { messages, [field]: 2 }))
            assert.strictEqual(limited.choices[0].message.content, "abcdefgh")
            assert.strictEqual(limited.choices[0].finish_reason, "length")
            assert.strictEqual(limited.usage.completion_tokens, 2)
          }
          const whole = parse(yield* chat(simulator, { messages, max_tokens: 3 }))
          assert.strictEqual(whole.choices[0].finish_reason, "stop")
          const stopped = parse(yield* chat(simulator, { messages, stop: ["zzz", "gh", "cd"] }))
          assert.strictEqual(stopped.choices[0].message.content, "ab")
          assert.strictEqual(stopped.choices[0].finish_reason, "stop")
        })))

    it.live("never cuts a character in two", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const reply = yield* chat(simulator, { messages: [user("Echo: aé😀😀")], max_tokens: 2 })
          assert.strictEqual(chatText(reply), "aé😀") // 1 + 2 + 4 bytes; the next four do not fit into 8
        })))

    it.live("counts reasoning tokens of reasoning models, within the token limit", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const thought = parse(yield* chat(simulator, { model: "gpt-5-mini" })).usage
          assert.isAbove(thought.completion_tokens_details.reasoning_tokens, 0)
          assert.isAbove(thought.completion_tokens, thought.completion_tokens_details.reasoning_tokens)
          const none =
            parse(yield* chat(simulator, { model: "gpt-5.1", reasoning_effort: "none", temperature: 0 })).usage
          assert.strictEqual(none.completion_tokens_details.reasoning_tokens, 0)
          const starved = parse(yield* chat(simulator, { model: "o4-mini", max_completion_tokens: 2 }))
          assert.strictEqual(starved.choices[0].message.content, "")
          assert.strictEqual(starved.choices[0].finish_reason, "length")
          assert.strictEqual(starved.usage.completion_tokens_details.reasoning_tokens, 2)
        })))

    it.live("gives as many choices as wanted", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const { choices, usage } = parse(yield* chat(simulator, { n: 3 }))
          assert.deepStrictEqual(choices.map((choice: Json) => choice.index), [0, 1, 2])
          assert.strictEqual(usage.completion_tokens, 3)
        })))

    it.live("calls a tool when it must, or when the prompt names it, with arguments that fit its schema", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const ask = (text: string, body: Json = {}) =>
            Effect.map(
              chat(simulator, { messages: [user(text)], tools: [chatTool], ...body }),
              (reply) => parse(reply).choices[0]
            )
          for (
            const choice of [
              yield* ask("Will it rain?", { tool_choice: "required" }),
              yield* ask("Use get_weather, please."),
              yield* ask("Will it rain?", { tool_choice: { type: "function", function: { name: "get_weather" } } })
            ]
          ) {
            const [call] = choice.message.tool_calls
            assert.strictEqual(choice.message.content, null)
            assert.match(call.id, /^call_[0-9a-f]{24}$/)
            assert.deepStrictEqual([call.type, call.function.name], ["function", "get_weather"])
            assert.isTrue(fitsWeather(JSON.parse(call.function.arguments)))
          }
          assert.strictEqual((yield* ask("Use get_weather, please.")).finish_reason, "tool_calls")
          // OpenAI ends a call that was asked for by name with `stop`.
          const named = yield* ask("x", { tool_choice: { type: "function", function: { name: "get_weather" } } })
          assert.strictEqual(named.finish_reason, "stop")
          for (const body of [{}, { tool_choice: "none" }]) {
            const text = body.tool_choice === undefined ? "Will it rain?" : "Use get_weather, please."
            assert.notProperty((yield* ask(text, body)).message, "tool_calls")
          }
        })))

    it.live("calls several tools at once, unless the request forbids it", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const other = { type: "function", function: { name: "get_time" } }
          const ask = (body: Json) =>
            Effect.map(
              chat(simulator, { messages: [user("get_weather and get_time")], tools: [chatTool, other], ...body }),
              (reply) =>
                parse(reply).choices[0].message.tool_calls.map((call: { function: Json }) => call.function.name)
            )
          assert.deepStrictEqual(yield* ask({}), ["get_weather", "get_time"])
          assert.deepStrictEqual(yield* ask({ parallel_tool_calls: false }), ["get_weather"])
        })))

    it.live("answers the result of a tool with text", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const { message } = parse(
            yield* chat(simulator, { messages: [user("get_weather")], tools: [chatTool], tool_choice: "required" })
          ).choices[0]
          const [call] = message.tool_calls
          const reply = yield* chat(simulator, {
            messages: [user("get_weather"), message, {
              role: "tool",
              tool_call_id: call.id,
              content: "Sunny in Dresden."
            }],
            tools: [chatTool]
          })
          assert.strictEqual(chatText(reply), "Sunny in Dresden.")
        })))

    it.live("cuts the arguments of a tool call at the token limit", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const [choice] = parse(
            yield* chat(simulator, { tools: [chatTool], tool_choice: "required", max_tokens: 2 })
          ).choices
          assert.strictEqual(choice.finish_reason, "length")
          assert.strictEqual(choice.message.tool_calls[0].function.arguments.length, 8)
        })))

    it.live("answers with JSON that fits the schema asked for, or with any JSON object", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const schema = { type: "json_schema", json_schema: { name: "weather", schema: weather, strict: true } }
          assert.isTrue(fitsWeather(JSON.parse(chatText(yield* chat(simulator, { response_format: schema })))))
          const reply = yield* chat(simulator, {
            messages: [user("Reply in JSON. Dresden lies at the Elbe.")],
            response_format: { type: "json_object" }
          })
          assert.deepStrictEqual(JSON.parse(chatText(reply)), { answer: "Dresden lies at the Elbe." })
        })))

    it.live("reads content in parts, and counts images at a flat rate", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const image = { type: "image_url", image_url: { url: `data:image/png;base64,${"A".repeat(5000)}` } }
          const reply = yield* chat(simulator, { messages: [user([{ type: "text", text: "Echo: hi" }, image])] })
          assert.strictEqual(chatText(reply), "hi")
          assert.strictEqual(parse(reply).usage.prompt_tokens, 2 + 256)
        })))

    it.live("says what an `answer` function says: refusals, filters, cached tokens", () =>
      Effect.gen(function*() {
        const refused = yield* over(
          { answer: () => ({ refusal: "I can't help with that.", cachedInputTokens: 1 }) },
          (simulator) => Effect.map(chat(simulator), parse)
        )
        assert.deepStrictEqual(
          [refused.choices[0].message.content, refused.choices[0].message.refusal, refused.choices[0].finish_reason],
          [null, "I can't help with that.", "stop"]
        )
        assert.strictEqual(refused.usage.prompt_tokens_details.cached_tokens, 1)
        const filtered = yield* over(
          { answer: (prompt) => ({ text: prompt.model, finish: "content_filter" }) },
          (simulator) => Effect.map(chat(simulator), parse)
        )
        assert.deepStrictEqual(
          [filtered.choices[0].message.content, filtered.choices[0].finish_reason],
          ["gpt-4o", "content_filter"]
        )
      }))

    const call = { id: "call_1", type: "function", function: { name: "get_weather", arguments: "{}" } }
    const open = { type: "object", properties: { a: { type: "string" } }, required: ["a"] }

    const invalid: ReadonlyArray<
      readonly [what: string, body: Json, param: string | null, code: string | null, message: RegExp]
    > = [
      ["no model", { model: undefined }, null, null, /you must provide a model/],
      ["no messages", { messages: undefined }, "messages", "missing_required_parameter", /Missing required/],
      ["no list of messages", { messages: "hi" }, "messages", "invalid_type", /expected an array/],
      ["empty messages", { messages: [] }, "messages", "empty_array", /empty array/],
      ["an unknown role", { messages: [{ role: "bot", content: "" }] }, "messages[0].role", "invalid_value", /'bot'/],
      ["no content", { messages: [{ role: "user" }] }, "messages.[0].content", null, /expected a string, got null/],
      [
        "an unknown part",
        { messages: [user([{ type: "text", text: "a" }, { type: "video" }])] },
        "messages[0].content[1].type",
        "invalid_value",
        /'video'/
      ],
      [
        "a tool result without a call",
        { messages: [user("a"), { role: "tool", tool_call_id: "call_1", content: "b" }] },
        "messages.[1].role",
        null,
        /must be a response to a preceeding message/
      ],
      [
        "a tool result of another call",
        {
          messages: [{ role: "assistant", tool_calls: [call] }, { role: "tool", tool_call_id: "call_2", content: "b" }]
        },
        "messages.[1].tool_call_id",
        null,
        /'call_2' not found/
      ],
      [
        "a tool call without a result",
        { messages: [{ role: "assistant", tool_calls: [call] }, user("and?")] },
        "messages",
        null,
        /did not have response messages: call_1/
      ],
      ["a temperature too high", { temperature: 2.1 }, "temperature", "decimal_above_max_value", /<= 2/],
      ["a temperature too low", { temperature: -1 }, "temperature", "decimal_below_min_value", />= 0/],
      ["a temperature in words", { temperature: "hot" }, "temperature", "invalid_type", /expected a decimal/],
      ["max_tokens of 0", { max_tokens: 0 }, "max_tokens", "integer_below_min_value", />= 1/],
      ["max_tokens in parts", { max_tokens: 1.5 }, "max_tokens", "invalid_type", /got a decimal/],
      ["five stop texts", { stop: ["a", "b", "c", "d", "e"] }, "stop", "array_above_max_length", /length 5/],
      ["an unknown field", { top_k: 4 }, "top_k", "unknown_parameter", /Unknown parameter/],
      ...["o1", "o3-mini", "o4-mini", "gpt-5", "gpt-5.6-mini"].map((model) =>
        [
          `max_tokens for ${model}`,
          { model, max_tokens: 9 },
          "max_tokens",
          "unsupported_parameter",
          /max_completion/
        ] as const
      ),
      [
        "a temperature for gpt-5",
        { model: "gpt-5", temperature: 0 },
        "temperature",
        "unsupported_value",
        /default \(1\)/
      ],
      ["stop texts for o3", { model: "o3", stop: "a" }, "stop", "unsupported_parameter", /not supported/],
      [
        "a tool without a name",
        { tools: [{ function: {} }] },
        "tools[0].function.name",
        "missing_required_parameter",
        /name/
      ],
      [
        "a tool with spaces",
        { tools: [{ function: { name: "a b" } }] },
        "tools[0].function.name",
        "invalid_value",
        /match/
      ],
      ["a choice without tools", { tool_choice: "auto" }, "tool_choice", null, /only allowed when 'tools'/],
      [
        "a choice of another tool",
        { tools: [chatTool], tool_choice: { type: "function", function: { name: "look" } } },
        "tool_choice",
        null,
        /'look' not found/
      ],
      [
        "a strict tool that is not strict",
        { tools: [{ function: { name: "f", parameters: open, strict: true } }] },
        "tools[0].function.parameters",
        "invalid_function_parameters",
        /Invalid schema for function 'f': In context=\(\), 'additionalProperties'/
      ],
      [
        "a strict answer with an optional field",
        {
          response_format: {
            type: "json_schema",
            json_schema: { name: "a", strict: true, schema: { ...weather, required: ["city"] } }
          }
        },
        "response_format",
        null,
        /Missing 'days'/
      ],
      [
        "a strict answer whose schema nests what is not permitted",
        {
          response_format: {
            type: "json_schema",
            json_schema: {
              name: "a",
              strict: true,
              schema: {
                type: "object",
                properties: { list: { type: "array", items: { allOf: [] } } },
                required: ["list"],
                additionalProperties: false
              }
            }
          }
        },
        "response_format",
        null,
        /In context=\('properties', 'list', 'items'\), 'allOf' is not permitted/
      ],
      [
        "a strict answer that is no object",
        {
          response_format: { type: "json_schema", json_schema: { name: "a", strict: true, schema: { type: "string" } } }
        },
        "response_format",
        null,
        /got 'type: "string"'/
      ],
      [
        "a schema without a name",
        { response_format: { type: "json_schema", json_schema: { schema: weather } } },
        "response_format.json_schema.name",
        "missing_required_parameter",
        /Missing/
      ],
      ["an unknown format", { response_format: { type: "xml" } }, "response_format.type", "invalid_value", /'xml'/],
      ["JSON without the word", { response_format: { type: "json_object" } }, "messages", null, /the word 'json'/]
    ]
    for (const [what, body, param, code, message] of invalid) {
      it.live(`refuses ${what}`, () =>
        over({}, (simulator) =>
          Effect.gen(function*() {
            const reply = yield* chat(simulator, body)
            const { error } = parse(reply)
            assert.strictEqual(reply.status, 400)
            assert.deepStrictEqual([error.type, error.param, error.code], ["invalid_request_error", param, code])
            assert.match(error.message, message)
            assert.isString(reply.headers["x-request-id"])
          })))
    }

    it.live("is lenient towards models that are not OpenAI's, as compatible hosts are", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const reply = yield* chat(simulator, { model: "llama-3", top_k: 4, response_format: { type: "json_object" } })
          assert.strictEqual(reply.status, 200)
        })))

    it.live("refuses a body that is no JSON", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const reply = yield* post(`${simulator.url}/v1/chat/completions`, "{\"model\": ")
          assert.deepStrictEqual([reply.status, parse(reply).error.type], [400, "invalid_request_error"])
          assert.match(parse(reply).error.message, /could not parse the JSON body/)
          const [request] = yield* simulator.requests
          assert.deepStrictEqual([request?.body, request?.outcome, request?.status], ["{\"model\": ", "rejected", 400])
        })))
  })

  describe("Messages", () => {
    it.live("answers in Anthropic's shape, with its headers", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const reply = yield* messages(simulator, { system: "Obey.", messages: [user("Echo: Grüß Gott")] })
          const { id, ...rest } = parse(reply)
          assert.match(id, /^msg_01[0-9a-f]{22}$/)
          assert.deepStrictEqual(rest, {
            type: "message",
            role: "assistant",
            model: "claude-sonnet-4-5",
            content: [{ type: "text", text: "Grüß Gott" }],
            stop_reason: "end_turn",
            stop_sequence: null,
            usage: {
              input_tokens: 7,
              cache_creation_input_tokens: 0,
              cache_read_input_tokens: 0,
              cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
              output_tokens: 3,
              output_tokens_details: { thinking_tokens: 0 },
              service_tier: "standard"
            }
          })
          assert.match(reply.headers["request-id"] ?? "", /^req_[0-9a-f]{32}$/)
          assert.strictEqual(reply.headers["anthropic-ratelimit-requests-limit"], "4000")
          assert.strictEqual(reply.headers["anthropic-ratelimit-requests-remaining"], "3999")
          assert.strictEqual(reply.headers["anthropic-ratelimit-input-tokens-remaining"], "2000000")
          assert.match(
            reply.headers["anthropic-ratelimit-output-tokens-reset"] ?? "",
            /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/
          )
        })))

    it.live("cuts the answer at the token limit and at stop sequences", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const given = { messages: [user("Echo: abcdefghijkl")] }
          const limited = parse(yield* messages(simulator, { ...given, max_tokens: 2 }))
          assert.deepStrictEqual(
            [limited.content[0].text, limited.stop_reason, limited.stop_sequence],
            ["abcdefgh", "max_tokens", null]
          )
          const stopped = parse(yield* messages(simulator, { ...given, stop_sequences: ["zz", "cd"] }))
          assert.deepStrictEqual(
            [stopped.content[0].text, stopped.stop_reason, stopped.stop_sequence],
            ["ab", "stop_sequence", "cd"]
          )
          const warmed = parse(yield* messages(simulator, { ...given, max_tokens: 0 }))
          assert.deepStrictEqual([warmed.content, warmed.stop_reason], [[], "max_tokens"])
        })))

    it.live("calls tools, and answers their results with text", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const tools = { tools: [messagesTool] }
          const asked = user("Please use get_weather.")
          for (const choice of [undefined, { type: "any" }, { type: "tool", name: "get_weather" }]) {
            const { content, stop_reason: reason } = parse(
              yield* messages(simulator, { ...tools, messages: [asked], tool_choice: choice })
            )
            assert.strictEqual(reason, "tool_use")
            assert.match(content[0].id, /^toolu_01[0-9a-f]{22}$/)
            assert.deepStrictEqual([content[0].type, content[0].name], ["tool_use", "get_weather"])
            assert.isTrue(fitsWeather(content[0].input))
          }
          const none = parse(yield* messages(simulator, { ...tools, messages: [asked], tool_choice: { type: "none" } }))
          assert.strictEqual(none.stop_reason, "end_turn")

          const { content } = parse(yield* messages(simulator, { ...tools, messages: [asked] }))
          const result = { type: "tool_result", tool_use_id: content[0].id, content: "Sunny in Dresden." }
          const reply = yield* messages(simulator, {
            ...tools,
            messages: [asked, { role: "assistant", content }, user([result])]
          })
          assert.strictEqual(messageText(reply), "Sunny in Dresden.")
        })))

    it.live("thinks when the request asks for it, and takes its thoughts back unchanged only", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const thinking = { thinking: { type: "enabled", budget_tokens: 1024 }, max_tokens: 2000 }
          const { content, usage } = parse(yield* messages(simulator, thinking))
          assert.deepStrictEqual(content.map((block: Json) => block.type), ["thinking", "text"])
          assert.isAbove(usage.output_tokens_details.thinking_tokens, 0)
          const next = (thought: Json) =>
            messages(simulator, {
              ...thinking,
              messages: [user("Echo: hi"), { role: "assistant", content: [thought, content[1]] }, user("Echo: ho")]
            })
          assert.strictEqual((yield* next(content[0])).status, 200)
          const changed = yield* next({ ...content[0], thinking: "Something else." })
          assert.strictEqual(changed.status, 400)
          assert.match(parse(changed).error.message, /^messages\.1\.content\.0: Invalid `signature`/)
        })))

    it.live("answers with JSON that fits the schema asked for", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const schema = {
            type: "object",
            properties: { city: { type: "string" } },
            required: ["city"],
            additionalProperties: false
          }
          const reply = yield* messages(simulator, { output_config: { format: { type: "json_schema", schema } } })
          assert.deepStrictEqual(Object.keys(JSON.parse(messageText(reply))), ["city"])
        })))

    it.live("leaves cached tokens out of the input tokens", () =>
      over(
        { answer: () => ({ text: "ok", cachedInputTokens: 1, cacheWriteTokens: 1 }) },
        (simulator) =>
          Effect.gen(function*() {
            const { usage } = parse(yield* messages(simulator, { messages: [user("Echo: hello there")] }))
            assert.deepStrictEqual(
              [usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens],
              [3, 1, 1]
            )
          })
      ))

    it.live("has its own words for why a model stops", () =>
      Effect.gen(function*() {
        const words = {
          refusal: "refusal",
          pause: "pause_turn",
          context_window: "model_context_window_exceeded"
        } as const
        for (const finish of ["refusal", "pause", "context_window"] as const) {
          const reply = yield* over(
            { answer: () => ({ text: "Hm.", finish }) },
            (simulator) => Effect.map(messages(simulator), parse)
          )
          assert.strictEqual(reply.stop_reason, words[finish])
        }
      }))

    const use = { role: "assistant", content: [{ type: "tool_use", id: "toolu_1", name: "get_weather", input: {} }] }
    const result = (id: string) => user([{ type: "tool_result", tool_use_id: id, content: "a" }])

    const invalid: ReadonlyArray<readonly [what: string, body: Json, message: RegExp]> = [
      ["no model", { model: undefined }, /^model: Field required/],
      ["no max_tokens", { max_tokens: undefined }, /^max_tokens: Field required/],
      ["no messages", { messages: undefined }, /^messages: Field required/],
      ["empty messages", { messages: [] }, /at least one message is required/],
      ["an unknown role", { messages: [{ role: "tool", content: "a" }] }, /^messages\.0\.role/],
      ["instructions as the first message", { messages: [{ role: "system", content: "a" }] }, /top-level `system`/],
      ["empty content", { messages: [user("")] }, /must have non-empty content/],
      [
        "an empty text block",
        { messages: [user([{ type: "text", text: "" }])] },
        /text content blocks must be non-empty/
      ],
      ["an unknown block", { messages: [user([{ type: "video" }])] }, /'video'/],
      [
        "a last answer that ends in white space",
        { messages: [user("a"), { role: "assistant", content: "b " }] },
        /trailing whitespace/
      ],
      ["a tool result without a call", { messages: [result("toolu_1")] }, /unexpected `tool_use_id`.*toolu_1/],
      ["a tool call without a result", { messages: [user("a"), use, user("b")] }, /^messages\.1: `tool_use` ids/],
      ["a tool call without anything after it", { messages: [user("a"), use] }, /^messages\.1: `tool_use` ids/],
      ["a temperature above 1", { temperature: 1.5 }, /^temperature: Input should be less than or equal to 1/],
      ["both temperature and top_p", { temperature: 0, top_p: 0.5 }, /cannot both be specified/],
      ["a temperature for a newer model", { model: "claude-opus-4-7", temperature: 0 }, /`temperature` is deprecated/],
      ["top_k for a newer model", { model: "claude-opus-5", top_k: 4 }, /`top_k` is deprecated/],
      ["an unknown field", { seed: 4 }, /^seed: Extra inputs are not permitted/],
      ["thoughts that are too short", { thinking: { type: "enabled", budget_tokens: 10 } }, /1024/],
      ["thoughts longer than the answer", { thinking: { type: "enabled", budget_tokens: 1024 } }, /must be greater/],
      [
        "thoughts before a forced tool",
        { thinking: { type: "adaptive" }, tools: [messagesTool], tool_choice: { type: "any" } },
        /forces tool use/
      ],
      ["a tool without a schema", { tools: [{ name: "a" }] }, /input_schema: Field required/],
      ["a tool whose schema has no type", { tools: [{ name: "a", input_schema: {} }] }, /input_schema\.type/],
      ["a choice without tools", { tool_choice: { type: "auto" } }, /^tool_choice/],
      [
        "a choice of another tool",
        { tools: [messagesTool], tool_choice: { type: "tool", name: "look" } },
        /'look' not found/
      ],
      [
        "a schema that is open",
        { output_config: { format: { type: "json_schema", schema: { type: "object" } } } },
        /'additionalProperties' must be explicitly set to false/
      ],
      [
        "a schema with bounds",
        { output_config: { format: { type: "json_schema", schema: weather } } },
        /For 'integer' type, properties minimum, maximum are not supported/
      ]
    ]
    for (const [what, body, message] of invalid) {
      it.live(`refuses ${what}`, () =>
        over({}, (simulator) =>
          Effect.gen(function*() {
            const reply = yield* messages(simulator, body)
            const { error, request_id: requestId, type } = parse(reply)
            assert.deepStrictEqual([reply.status, type, error.type], [400, "error", "invalid_request_error"])
            assert.match(error.message, message)
            assert.strictEqual(reply.headers["request-id"], requestId)
          })))
    }

    it.live("refuses a request without a version, and a body that is no JSON", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const unversioned = yield* messages(simulator, {}, {})
          assert.match(parse(unversioned).error.message, /^anthropic-version: header is required/)
          const garbage = yield* post(`${simulator.url}/v1/messages`, "hello", version)
          assert.deepStrictEqual([garbage.status, parse(garbage).error.type], [400, "invalid_request_error"])
        })))

    it.live("takes what it may have looked like refusing", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          for (
            const body of [
              { messages: [user("a"), use, result("toolu_1")] },
              { messages: [user("a"), { role: "system", content: "b" }, user("c")] },
              { messages: [user("a"), { role: "assistant", content: "" }] },
              { model: "claude-opus-4-7", temperature: 1 },
              { model: "claude-sonnet-4-20250514", temperature: 0, top_p: 0.5 },
              { tools: [{ type: "web_search_20250305", name: "web_search" }] }
            ]
          ) {
            assert.strictEqual((yield* messages(simulator, body)).status, 200, JSON.stringify(body))
          }
        })))
  })

  describe("apiKey", () => {
    it.live("answers a missing or wrong key with 401 in the protocol's shape, and never quotes it whole", () =>
      over(
        { apiKey: Redacted.make("sk-right-0123456789"), faults: Simulator.always(Simulator.status(500)) },
        (simulator) =>
          Effect.gen(function*() {
            const missing = yield* chat(simulator)
            assert.deepStrictEqual([missing.status, parse(missing).error.code], [401, null])
            const wrong = yield* chat(simulator, {}, { authorization: "Bearer sk-wrong-0123456789" })
            assert.deepStrictEqual([wrong.status, parse(wrong).error.code], [401, "invalid_api_key"])
            assert.match(parse(wrong).error.message, /sk-wrong\*+6789/)
            const anthropic = yield* messages(simulator, {}, { ...version, "x-api-key": "sk-wrong" })
            assert.deepStrictEqual(
              [anthropic.status, parse(anthropic).error],
              [401, { type: "authentication_error", message: "invalid x-api-key" }]
            )
            assert.deepStrictEqual(yield* outcomes(simulator.requests), ["rejected", "rejected", "rejected"])
            // The plan decides only about requests that bring the right key.
            assert.strictEqual(
              (yield* chat(simulator, {}, { authorization: "Bearer sk-right-0123456789" })).status,
              500
            )
          })
      ))

    it.live("takes the right key in each header that carries one", () =>
      over({ apiKey: "secret" }, (simulator) =>
        Effect.gen(function*() {
          assert.strictEqual((yield* chat(simulator, {}, { authorization: "Bearer secret" })).status, 200)
          assert.strictEqual((yield* messages(simulator, {}, { ...version, "x-api-key": "secret" })).status, 200)
          assert.strictEqual(
            (yield* messages(simulator, {}, { ...version, authorization: "Bearer secret" })).status,
            200
          )
        })))
  })

  describe("the model", () => {
    const summary = (text: string) =>
      over({}, (simulator) => Effect.map(chat(simulator, { messages: [user(text)] }), chatText))

    it.live("summarises: the best one or two sentences, in their order", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* summary("Just one sentence here."), "Just one sentence here.")
        assert.strictEqual(
          yield* summary("Rivers are long. Rivers carry water, and rivers meet rivers. Birds sing songs today."),
          "Rivers carry water, and rivers meet rivers."
        )
        const two = yield* summary(`Summarise this in one sentence:\n\n${article}`)
        assert.strictEqual(
          two,
          "The Elbe rises in the Giant Mountains. The Elbe flows through Dresden, and the Elbe flows through Hamburg."
        )
      }))

    it.live("finds something to say about any text", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* summary(""), "There is nothing to summarise.")
        assert.strictEqual(yield* summary("?!"), "There is nothing to summarise.")
        assert.strictEqual(yield* summary("Ok"), "Ok")
        assert.strictEqual(yield* summary("エルベ川はドレスデンを流れる。"), "エルベ川はドレスデンを流れる。")
        assert.strictEqual(yield* summary("Pi is 3.14 on average."), "Pi is 3.14 on average.")
      }))

    it.live("says the same to the same prompt on another server, and something else to another prompt", () =>
      Effect.gen(function*() {
        const whole = (text: string) => over({}, (simulator) => messages(simulator, { messages: [user(text)] }))
        assert.strictEqual((yield* whole(article)).text, (yield* whole(article)).text)
        assert.notStrictEqual((yield* whole(article)).text, (yield* whole("Another text altogether.")).text)
      }))

    it.live("echoes any text unchanged", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const awkward = [
            "\"\\/\b\f\n\r\t\u0000\u2028",
            "😀e\u0301",
            "</script>",
            "{\"a\":1}",
            ...FastCheck.sample(
              FastCheck.string({ unit: "grapheme", minLength: 1, maxLength: 50 }),
              { numRuns: 50, seed: 7 }
            )
          ]
          for (const text of awkward) {
            assert.strictEqual(chatText(yield* chat(simulator, { messages: [user(`Echo: ${text}`)] })), text)
          }
        })))

    interface Tree {
      readonly label: string
      readonly children: ReadonlyArray<Tree>
    }
    const Tree = Schema.Struct({
      label: Schema.String,
      children: Schema.Array(Schema.suspend((): Schema.Schema<Tree> => Tree))
    }).annotations({ identifier: "Tree" })

    interface Chain {
      readonly next: Chain | null
    }
    const Chain = Schema.Struct({ next: Schema.NullOr(Schema.suspend((): Schema.Schema<Chain> => Chain)) })
      .annotations({ identifier: "Chain" })

    const schemas: Record<string, Schema.Schema.Any> = {
      "a literal": Schema.Literal("a", "b", 3, null),
      "a union": Schema.Union(Schema.Number, Schema.Struct({ a: Schema.Boolean })),
      "a tagged union": Schema.Array(
        Schema.Union(
          Schema.TaggedStruct("A", { a: Schema.Int }),
          Schema.TaggedStruct("B", { b: Schema.NonEmptyString })
        )
      ),
      "bounded numbers": Schema.Tuple(
        Schema.Int.pipe(Schema.between(-3, -2)),
        Schema.Number.pipe(Schema.greaterThan(0), Schema.lessThan(1)),
        Schema.Number.pipe(Schema.multipleOf(5), Schema.greaterThan(10)),
        Schema.NonNegativeInt,
        Schema.Number.pipe(Schema.lessThan(-1))
      ),
      "bounded strings": Schema.Struct({
        short: Schema.String.pipe(Schema.maxLength(2)),
        long: Schema.String.pipe(Schema.minLength(40)),
        pattern: Schema.String.pipe(Schema.pattern(/^[A-Z]{3}-\d{4}$/)),
        trimmed: Schema.Trimmed.pipe(Schema.minLength(3)),
        uuid: Schema.UUID,
        template: Schema.TemplateLiteral("a", Schema.Number)
      }),
      "lists": Schema.Struct({
        numbers: Schema.Array(Schema.NumberFromString),
        one: Schema.Array(Schema.String).pipe(Schema.maxItems(1)),
        some: Schema.NonEmptyArray(Schema.Date),
        many: Schema.Array(Schema.Int).pipe(Schema.minItems(5)),
        record: Schema.Record({ key: Schema.String, value: Schema.Int })
      }),
      "optional and nullable fields": Schema.Struct({
        a: Schema.optional(Schema.String),
        b: Schema.NullOr(Schema.Struct({ c: Schema.NullOr(Schema.String) }))
      }),
      "a recursive tree": Tree,
      "a recursive chain": Chain,
      "deep nesting": Schema.Struct({
        a: Schema.Struct({
          b: Schema.Struct({ c: Schema.Struct({ d: Schema.Struct({ e: Schema.NonEmptyArray(Tree) }) }) })
        })
      })
    }
    for (const [what, schema] of Object.entries(schemas)) {
      it(`makes values that fit ${what}, whatever the prompt`, () => {
        const made = JsonSchemaDialect.make(schema as Schema.Schema<unknown>, "plain")
        const { read, schema: jsonSchema } = Either.getOrThrow(made)
        const decode = Schema.decodeUnknownSync(schema as Schema.Schema<unknown>, { onExcessProperty: "error" })
        FastCheck.assert(
          FastCheck.property(
            FastCheck.array(FastCheck.string({ minLength: 1 }), { minLength: 1, maxLength: 4 }),
            (words) => {
              const [first = "word", ...others] = words
              const value = valueOf(jsonSchema, [first, ...others])
              assert.deepStrictEqual(valueOf(jsonSchema, [first, ...others]), value)
              decode(read(JSON.parse(JSON.stringify(value))))
            }
          ),
          { numRuns: 30 }
        )
      })
    }

    it("makes values of schemas that no schema library writes", () => {
      const words = ["elbe", "oder"] as const
      assert.deepStrictEqual(valueOf({}, words), "elbe")
      assert.deepStrictEqual(valueOf(true, words), "elbe")
      assert.deepStrictEqual(valueOf({ type: ["string", "null"] }, words), "elbe")
      assert.deepStrictEqual(valueOf({ const: { a: 1 } }, words), { a: 1 })
      assert.deepStrictEqual(
        valueOf({
          allOf: [
            { properties: { a: { type: "string" } }, required: ["a"] },
            { properties: { b: { type: "boolean" } }, required: ["b"] }
          ],
          type: "object"
        }, words),
        { a: "elbe", b: false }
      )
      assert.deepStrictEqual(
        valueOf({ $defs: { "a/b": { const: 1 } }, type: "array", minItems: 2, items: { $ref: "#/$defs/a~1b" } }, words),
        [1, 1]
      )
      assert.deepStrictEqual(valueOf({ $ref: "#" }, words), null)
      const person = {
        type: "object",
        properties: { name: { type: "string" }, mail: { type: "string", format: "email" } },
        required: ["name"]
      }
      const team = { $defs: { person }, properties: { people: { type: "array", items: { $ref: "#/$defs/person" } } } }
      assert.deepStrictEqual(valueOf(team, words), {
        people: [{ name: "elbe", mail: "reader@example.com" }, { name: "oder", mail: "reader@example.com" }]
      })
      assert.deepStrictEqual(valueOf({ type: "string", pattern: "(" }, words), "elbe")
      const inherited = valueOf({ type: "object", properties: JSON.parse("{\"__proto__\":{\"const\":1}}") }, words)
      assert.strictEqual(JSON.stringify(inherited), "{\"__proto__\":1}")
    })
  })

  describe("faults", () => {
    const meeting =
      (fault: Simulator.Fault, options: Simulator.Options = {}) =>
      <A, E>(test: (simulator: Simulator.Service) => Effect.Effect<A, E, HttpClient.HttpClient | Scope.Scope>) =>
        over({ ...options, faults: Simulator.always(fault) }, test)

    const answers = (fault: Simulator.Fault) =>
      meeting(fault)((simulator) =>
        Effect.all({ openAi: chat(simulator), anthropic: messages(simulator), requests: simulator.requests })
      )

    it.live("status: answers with the error that each protocol has for it", () =>
      Effect.gen(function*() {
        const expected: ReadonlyArray<readonly [number, string, string | null, string]> = [
          [400, "invalid_request_error", null, "invalid_request_error"],
          [401, "invalid_request_error", null, "authentication_error"],
          [403, "request_forbidden", "unsupported_country_region_territory", "permission_error"],
          [404, "invalid_request_error", "model_not_found", "not_found_error"],
          [408, "invalid_request_error", null, "invalid_request_error"],
          [409, "invalid_request_error", null, "conflict_error"],
          [413, "invalid_request_error", null, "request_too_large"],
          [429, "tokens", "rate_limit_exceeded", "rate_limit_error"],
          [500, "server_error", null, "api_error"],
          [503, "service_unavailable_error", "server_is_overloaded", "api_error"],
          [504, "server_error", null, "timeout_error"],
          [529, "service_unavailable_error", "server_is_overloaded", "overloaded_error"]
        ]
        for (const [status, type, code, anthropicType] of expected) {
          const { anthropic, openAi, requests } = yield* answers(Simulator.status(status))
          assert.deepStrictEqual([openAi.status, anthropic.status], [status, status])
          const { error } = parse(openAi)
          assert.deepStrictEqual(Object.keys(error), ["message", "type", "param", "code"])
          assert.deepStrictEqual([error.type, error.code], [type, code])
          const body = parse(anthropic)
          assert.deepStrictEqual([body.type, body.error.type], ["error", anthropicType])
          assert.strictEqual(body.request_id, anthropic.headers["request-id"])
          assert.deepStrictEqual(
            requests.map((r) => [r.outcome, r.fault, r.status]),
            [["faulted", `Status ${status}`, status], ["faulted", `Status ${status}`, status]]
          )
        }
      }))

    it.live("status 429: nothing of the rate limit is left", () =>
      Effect.gen(function*() {
        const { anthropic, openAi } = yield* answers(Simulator.status(429))
        assert.strictEqual(openAi.headers["x-ratelimit-remaining-requests"], "0")
        assert.strictEqual(openAi.headers["x-ratelimit-reset-requests"], "1m0s")
        assert.strictEqual(anthropic.headers["anthropic-ratelimit-tokens-remaining"], "0")
        assert.isUndefined(openAi.headers["retry-after"])
      }))

    it.live("status: asks to wait in each form", () =>
      Effect.gen(function*() {
        const header = (name: string, options: Simulator.StatusOptions) =>
          Effect.map(answers(Simulator.status(429, options)), ({ openAi }) => openAi.headers[name])
        assert.strictEqual(yield* header("retry-after", { retryAfter: "3 seconds" }), "3")
        assert.strictEqual(yield* header("retry-after", { retryAfter: "1500 millis" }), "1.5")
        assert.strictEqual(
          yield* header("retry-after-ms", { retryAfter: "1.5 seconds", retryAfterAs: "millis" }),
          "1500"
        )
        assert.strictEqual(yield* header("retry-after", { headers: { "retry-after": "soon" } }), "soon")
        const date = yield* header("retry-after", { retryAfter: "10 seconds", retryAfterAs: "date" })
        assert.match(date ?? "", /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/)
      }))

    it.live("status: sends any body and headers", () =>
      Effect.gen(function*() {
        const text = yield* answers(Simulator.status(500, { body: "oops", headers: { "content-type": "text/plain" } }))
        assert.deepStrictEqual([text.openAi.text, text.openAi.headers["content-type"]], ["oops", "text/plain"])
        const json = yield* answers(Simulator.status(200, { body: { error: { message: "no" } } }))
        assert.deepStrictEqual([json.openAi.status, parse(json.openAi)], [200, { error: { message: "no" } }])
        const empty = yield* answers(Simulator.status(418, { body: "" }))
        assert.strictEqual(empty.openAi.text, "")
      }))

    it.live("quota: refuses for money in each protocol's way", () =>
      Effect.gen(function*() {
        const credit = yield* answers(Simulator.quota("credit"))
        assert.strictEqual(credit.openAi.status, 429)
        assert.strictEqual(parse(credit.openAi).error.code, "insufficient_quota")
        assert.strictEqual(credit.anthropic.status, 400)
        assert.match(parse(credit.anthropic).error.message, /^Your credit balance is too low/)
        const spend = yield* answers(Simulator.quota("spendLimit"))
        assert.strictEqual(parse(spend.openAi).error.code, "organization_spend_limit_exceeded")
        assert.strictEqual(spend.anthropic.status, 429)
        assert.deepStrictEqual(parse(spend.anthropic).error.details, { error_code: "enforced_spend_limit_reached" })
        assert.isUndefined(spend.anthropic.headers["retry-after"])
        const usage = yield* answers(Simulator.quota("usageLimit"))
        assert.strictEqual(parse(usage.openAi).error.type, "insufficient_quota")
        assert.match(parse(usage.anthropic).error.message, /^You have reached your specified API usage limits/)
      }))

    it.live("html: answers with a page", () =>
      Effect.gen(function*() {
        const { openAi } = yield* answers(Simulator.html(502))
        assert.strictEqual(openAi.status, 502)
        assert.match(openAi.headers["content-type"] ?? "", /^text\/html/)
        assert.match(openAi.text, /^<!DOCTYPE html>/)
      }))

    it.live("halfJson, emptyBody: end cleanly with half of the JSON, or none", () =>
      Effect.gen(function*() {
        const half = yield* answers(Simulator.halfJson)
        assert.strictEqual(half.openAi.status, 200)
        assert.isTrue(half.openAi.text.startsWith("{\"id\":\"chatcmpl-"))
        assert.throws(() => parse(half.openAi), SyntaxError)
        const empty = yield* answers(Simulator.emptyBody())
        assert.deepStrictEqual(
          [empty.openAi.status, empty.openAi.text, empty.openAi.headers["content-type"]],
          [200, "", "application/json"]
        )
        assert.strictEqual((yield* answers(Simulator.emptyBody(204))).openAi.status, 204)
      }))

    it.live("redirect: sends the client elsewhere", () =>
      Effect.gen(function*() {
        const { openAi } = yield* answers(Simulator.redirect("http://127.0.0.1:1/elsewhere"))
        assert.deepStrictEqual([openAi.status, openAi.headers.location], [307, "http://127.0.0.1:1/elsewhere"])
        assert.strictEqual((yield* answers(Simulator.redirect("/", 302))).openAi.status, 302)
      }))

    it.live("reset: the connection breaks before any answer", () =>
      meeting(Simulator.reset)((simulator) =>
        Effect.gen(function*() {
          assert.match(kindOf(yield* Effect.flip(chat(simulator))), /^RequestError/)
          assert.deepStrictEqual(yield* outcomes(simulator.requests), ["faulted"])
        })
      ))

    it.live("cut: the headers come, and half of the body that they promise", () =>
      meeting(Simulator.cut)((simulator) =>
        Effect.gen(function*() {
          const response = yield* HttpClient.post(`${simulator.url}/v1/chat/completions`, {
            body: HttpBody.unsafeJson(chatBody())
          })
          assert.strictEqual(response.status, 200)
          assert.match(kindOf(yield* Effect.flip(response.text)), /^ResponseError/)
          assert.deepStrictEqual(yield* outcomes(simulator.requests), ["faulted"])
        })
      ))

    it.live("silence: nothing comes, and the client's leaving is noted", () =>
      meeting(Simulator.silence)((simulator) =>
        Effect.gen(function*() {
          const call = yield* Effect.fork(chat(simulator))
          yield* simulator.awaitRequests((requests) => requests[0]?.fault === "Silence")
          assert.deepStrictEqual(yield* outcomes(simulator.requests), ["pending"])
          yield* Fiber.interrupt(call)
          const request = yield* lastEnds(simulator)
          assert.strictEqual(request?.outcome, "aborted")
        })
      ))

    it.live("slowBody: the answer comes whole, in pieces", () =>
      meeting(Simulator.slowBody({ chunkBytes: 100, delay: "2 millis" }))((simulator) =>
        Effect.gen(function*() {
          const reply = yield* chat(simulator)
          assert.strictEqual(chatText(reply), "hi")
          assert.strictEqual(reply.headers["content-length"], String(reply.text.length))
          assert.deepStrictEqual(yield* outcomes(simulator.requests), ["faulted"])
        })
      ))

    for (
      const [name, fault] of [
        ["slowBody", Simulator.slowBody({ chunkBytes: 10, delay: "1 hour" })],
        ["stalledBody", Simulator.stalledBody({ afterBytes: 10 })]
      ] as const
    ) {
      it.live(`${name}: a client that leaves amid the body is noted`, () =>
        meeting(fault)((simulator) =>
          Effect.gen(function*() {
            const call = yield* Effect.fork(chat(simulator))
            yield* simulator.awaitRequests((requests) => requests[0]?.status === 200)
            yield* Fiber.interrupt(call)
            assert.strictEqual((yield* lastEnds(simulator))?.outcome, "aborted")
          })
        ))
    }

    it.live("stalledBody: the headers and the first bytes come, even none", () =>
      Effect.forEach(
        [0, 10],
        (afterBytes) =>
          meeting(Simulator.stalledBody({ afterBytes }))((simulator) =>
            Effect.gen(function*() {
              const response = yield* HttpClient.post(`${simulator.url}/v1/chat/completions`, {
                body: HttpBody.unsafeJson(chatBody())
              })
              assert.strictEqual(response.status, 200)
              assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.timeout(response.text, "20 millis"))))
            })
          )
      ))

    it.live("breaks off a body where the server has no socket to break", () =>
      Effect.gen(function*() {
        for (const fault of [Simulator.reset, Simulator.cut]) {
          const app = yield* Deferred.make<HttpApp.Default>()
          const server = HttpServer.make({
            address: unused,
            serve: (given) => Deferred.succeed(app, given as HttpApp.Default)
          })
          yield* Simulator.make({ faults: Simulator.always(fault) }).pipe(
            Effect.provideService(HttpServer.HttpServer, server)
          )
          const handler = HttpApp.toWebHandler(yield* Deferred.await(app))
          const request = new Request("http://127.0.0.1:1/v1/chat/completions", {
            method: "POST",
            body: JSON.stringify(chatBody())
          })
          const response = yield* Effect.promise(() => handler(request))
          assert.strictEqual(response.status, 200)
          yield* Effect.flip(Effect.tryPromise(() => response.text()))
        }
      }).pipe(Effect.scoped))

    it.live("are offered by name, each one doing what its name says", () =>
      Effect.gen(function*() {
        for (const [name, fault] of Object.entries(Simulator.faults.permanent)) {
          const { anthropic, openAi } = yield* answers(fault)
          assert.isTrue(openAi.status >= 400 && openAi.status < 500, name)
          assert.isTrue(anthropic.status >= 400 && anthropic.status < 500, name)
        }
        const { captivePortal, emptyBody, halfJson, rateLimited, silence, stalledBody, ...others } =
          Simulator.faults.transient
        assert.deepStrictEqual(
          [captivePortal, emptyBody, halfJson, rateLimited, silence, stalledBody].map(Simulator.describe),
          ["Html 200", "EmptyBody 200", "HalfJson", "Status 429", "Silence", "StalledBody"]
        )
        for (const [name, fault] of Object.entries(others)) {
          const exit = yield* Effect.exit(meeting(fault)((simulator) => chat(simulator)))
          assert.isTrue(Exit.isFailure(exit) || exit.value.status >= 400, name)
        }
      }))
  })

  describe("fault plans", () => {
    const statuses = (simulator: Simulator.Service, texts: ReadonlyArray<string>) =>
      Effect.forEach(texts, (text) => Effect.map(chat(simulator, { messages: [user(text)] }), (reply) => reply.status))

    const s = Simulator.status

    it.live("none: everything is answered", () =>
      over({ faults: Simulator.none }, (simulator) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* statuses(simulator, ["a", "b"]), [200, 200])
        })))

    it.live("sequence: one fault for each request, then success", () =>
      over({ faults: Simulator.sequence([s(500), Simulator.ok, s(503)]) }, (simulator) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* statuses(simulator, ["a", "a", "b", "a", "b"]), [500, 200, 503, 200, 200])
        })))

    it.live("sequence: requests that are wrong by themselves do not use it up", () =>
      over({ faults: Simulator.sequence([s(500)]) }, (simulator) =>
        Effect.gen(function*() {
          assert.strictEqual((yield* chat(simulator, { messages: [] })).status, 400)
          assert.deepStrictEqual(yield* statuses(simulator, ["a", "a"]), [500, 200])
        })))

    it.live("perPrompt: each prompt fails once, in its own way, and in turn", () =>
      over({ faults: Simulator.perPrompt([s(500), s(503)]) }, (simulator) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(
            yield* statuses(simulator, ["a", "b", "a", "c", "b", "a", "c", "d", "d"]),
            [500, 503, 200, 500, 200, 200, 200, 503, 200]
          )
        })))

    it.live("random: the same seed brings the same faults, in any order of the prompts", () =>
      Effect.gen(function*() {
        const texts = Array.from({ length: 60 }, (_, i) => `prompt ${i}`)
        const run = (seed: number, order: ReadonlyArray<string>) =>
          over(
            { faults: Simulator.random({ seed, rate: 0.5, faults: [s(500), s(503)] }) },
            (simulator) =>
              Effect.map(statuses(simulator, order), (all) => new Map(order.map((text, i) => [text, all[i]])))
          )
        const first = yield* run(1, texts)
        const again = yield* run(1, [...texts].reverse())
        const other = yield* run(2, texts)
        assert.deepStrictEqual(texts.map((text) => again.get(text)), texts.map((text) => first.get(text)))
        assert.notDeepEqual(texts.map((text) => other.get(text)), texts.map((text) => first.get(text)))
        for (const status of [200, 500, 503]) {
          assert.isAbove([...first.values()].filter((each) => each === status).length, 5)
        }
      }))

    it("random: never at rate 0, always at rate 1, about as often as the rate in between", () => {
      const attempt = (promptKey: string, attempt: number): Simulator.Attempt => ({
        attempt,
        promptIndex: 0,
        promptKey,
        request: 0,
        prompt: {
          protocol: "openai-chat",
          request: {},
          streaming: false,
          model: "m",
          turns: [],
          text: "",
          tools: [],
          toolChoice: "auto",
          parallelToolCalls: true,
          format: "text",
          stop: [],
          thinks: false,
          choices: 1
        }
      })
      const count = (rate: number) => {
        const plan = Simulator.random({ seed: "seed", rate, faults: [Simulator.reset] })
        return Array.from({ length: 2000 }, (_, i) => plan(attempt(`${i % 500}`, 1 + Math.floor(i / 500))))
          .filter((fault) => fault._tag === "Reset").length
      }
      assert.deepStrictEqual([count(0), count(1)], [0, 2000])
      assert.isTrue(count(0.2) > 320 && count(0.2) < 480)
    })

    it.live("a function: decides by the prompt", () =>
      over(
        { faults: ({ prompt, attempt }) => prompt.text === "bad" && attempt < 3 ? s(500) : Simulator.ok },
        (simulator) =>
          Effect.gen(function*() {
            assert.deepStrictEqual(yield* statuses(simulator, ["bad", "good", "bad", "bad"]), [500, 200, 500, 200])
          })
      ))

    it.live("can be changed while the simulator runs, and begin anew", () =>
      over({ faults: Simulator.sequence([s(500)]) }, (simulator) =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* statuses(simulator, ["a", "a"]), [500, 200])
          yield* simulator.setFaults(Simulator.sequence([s(503)]))
          assert.deepStrictEqual(yield* statuses(simulator, ["a", "a"]), [503, 200])
          yield* simulator.reset
          assert.deepStrictEqual(yield* simulator.requests, [])
          assert.deepStrictEqual(yield* statuses(simulator, ["a", "a"]), [500, 200])
        })))

    it.live("are reached through the service too", () =>
      Effect.gen(function*() {
        const { url } = yield* Simulator.Simulator
        yield* Simulator.setFaults(Simulator.always(s(500)))
        assert.strictEqual((yield* post(`${url}/chat/completions`, chatBody())).status, 500)
        assert.strictEqual((yield* Simulator.requests).length, 1)
      }).pipe(Effect.provide(layer())))
  })

  describe("requests", () => {
    it.live("show the requests, without keys", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          yield* chat(simulator, {}, { authorization: "Bearer sk-secret", "x-app": "spec" })
          yield* messages(simulator, {}, { ...version, "x-api-key": "sk-secret", cookie: "a=sk-secret" })
          const requests = yield* simulator.requests
          const [first, second] = requests
          assert.deepStrictEqual(
            [first?.method, first?.path, first?.protocol, first?.outcome, first?.status],
            ["POST", "/v1/chat/completions", "openai-chat", "answered", 200]
          )
          assert.deepStrictEqual(first?.body, chatBody())
          assert.strictEqual(first?.headers["x-app"], "spec")
          assert.strictEqual(first?.headers.authorization, "<redacted>")
          assert.strictEqual(second?.protocol, "anthropic-messages")
          assert.notInclude(JSON.stringify(requests), "sk-secret")
        })))

    it.live("keep the latest ones", () =>
      over({ history: 2 }, (simulator) =>
        Effect.gen(function*() {
          for (const text of ["a", "b", "c"]) yield* chat(simulator, { user: text })
          const requests = yield* simulator.requests
          assert.deepStrictEqual(requests.map(({ body }) => (body as Json).user), ["b", "c"])
        })))

    it.live("show an `answer` that throws: it is answered with 500, and logged", () =>
      Effect.gen(function*() {
        const logged: Array<string> = []
        const logger = Logger.make<unknown, void>(({ cause, message }) => {
          logged.push(`${String(message)} ${Cause.pretty(cause)}`)
        })
        const answer = () => {
          throw new Error("my mistake")
        }
        yield* over({ answer }, (simulator) =>
          Effect.gen(function*() {
            const reply = yield* chat(simulator)
            assert.deepStrictEqual([reply.status, parse(reply).error.type], [500, "server_error"])
            assert.deepStrictEqual(yield* outcomes(simulator.requests), ["faulted"])
          })).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
        assert.strictEqual(logged.length, 1)
        assert.match(logged[0] ?? "", /^The simulator failed Error: my mistake/)
      }))

    it.live("note a client that leaves while the model thinks", () =>
      over({ latency: "1 hour" }, (simulator) =>
        Effect.gen(function*() {
          const call = yield* Effect.fork(chat(simulator))
          yield* simulator.awaitRequests((requests) => requests[0]?.body !== undefined)
          yield* Fiber.interrupt(call)
          assert.strictEqual((yield* lastEnds(simulator))?.outcome, "aborted")
        })))
  })

  describe("latency", () => {
    it.live("comes before the answer, and before a fault", () =>
      over(
        { latency: "30 millis", faults: Simulator.sequence([Simulator.status(500)]) },
        (simulator) =>
          Effect.gen(function*() {
            for (const status of [500, 200]) {
              const [elapsed, reply] = yield* Effect.timed(chat(simulator))
              assert.strictEqual(reply.status, status)
              assert.isAtLeast(Duration.toMillis(elapsed), 29)
            }
          })
      ))
  })

  describe("shutdown", () => {
    for (
      const [name, fault] of [
        ["silent", Simulator.silence],
        ["stalled", Simulator.stalledBody({ afterBytes: 5 })]
      ] as const
    ) {
      it.live(`cuts off ${name} answers`, () =>
        Effect.gen(function*() {
          const scope = yield* Scope.make()
          const context = yield* Layer.buildWithScope(layer({ faults: Simulator.always(fault) }), scope)
          const call = yield* Effect.flatMap(Simulator.Simulator, (simulator) =>
            Effect.gen(function*() {
              const call = yield* Effect.forkDaemon(Effect.exit(chat(simulator)))
              yield* simulator.awaitRequests((requests) => requests[0]?.fault !== undefined)
              return call
            })).pipe(Effect.provide(context))
          yield* Scope.close(scope, Exit.void)
          assert.isTrue(Exit.isFailure(yield* Fiber.join(call)))
        }))
    }

    it.live("waits for no connection that a client keeps, or has opened to have one at hand", () =>
      Effect.gen(function*() {
        const server = createServer()
        const opened: Array<Socket> = []
        server.on("connection", (socket) => opened.push(socket))
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(
          Simulator.layer().pipe(
            Layer.provide(NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0 })),
            Layer.merge(FetchHttpClient.layer)
          ),
          scope
        )
        const simulator = Context.get(context, Simulator.Simulator)
        for (let i = 0; i < 6; i++) yield* Effect.provide(chat(simulator), context)
        assert.isBelow(opened.length, 6, "connections are used again")

        const { hostname, port } = new URL(simulator.url)
        const idle = connect(Number(port), hostname)
        yield* Effect.async<void>((resume) => void server.once("connection", () => resume(Effect.void)))
        assert.isAbove(opened.filter(({ destroyed }) => !destroyed).length, 1)

        // A server that waits for a connection without a request does so for a minute: longer than this test may take.
        yield* Scope.close(scope, Exit.void)
        assert.isEmpty(opened.filter(({ destroyed }) => !destroyed))
        idle.destroy()
      }))
  })
})
