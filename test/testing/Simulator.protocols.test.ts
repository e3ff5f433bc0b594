import { assert, describe, it } from "@effect/vitest"
import { Simulator } from "effect-llm/testing"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import {
  ask,
  eventsOf,
  type Json,
  over,
  parse,
  post,
  protocols,
  type Reply,
  requests,
  user
} from "../support/simulated.js"

const requestsOf = requests("hi")

const weather = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" } },
  required: ["city", "days"],
  additionalProperties: false
}

const fitsWeather = Schema.is(Schema.Struct({ city: Schema.String, days: Schema.Int }))

const responses = (simulator: Simulator.Service, body: Json = {}, headers: Record<string, string> = {}) => {
  const request = requestsOf["openai-responses"](false, body)
  return ask(simulator, { ...request, headers })
}

const gemini = (simulator: Simulator.Service, body: Json = {}, model = "gemini-2.0-flash") =>
  post(`${simulator.url}/v1beta/models/${model}:generateContent`, requestsOf.gemini(false, body).body)

const ollama = (simulator: Simulator.Service, body: Json = {}) => ask(simulator, requestsOf.ollama(false, body))

const contents = (text: string) => [{ role: "user", parts: [{ text }] }]

describe("Simulator, protocols", () => {
  // -------------------------------------------------------------------------------------------------------------------
  describe("Responses", () => {
    const tool = { type: "function", name: "get_weather", description: "Weather", parameters: weather, strict: true }

    it.live("answers in OpenAI's shape, with its headers, and gives the settings back", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const reply = yield* responses(simulator, { instructions: "Obey.", input: "Echo: Grüß Gott", temperature: 0 })
          const { created_at: createdAt, id, output, ...rest } = parse(reply)
          assert.match(id, /^resp_[0-9a-f]{48}$/)
          assert.isTrue(Number.isInteger(createdAt) && createdAt > 1_700_000_000)
          assert.match(output[0].id, /^msg_[0-9a-f]{48}$/)
          assert.deepStrictEqual(output, [{
            id: output[0].id,
            type: "message",
            role: "assistant",
            status: "completed",
            content: [{ type: "output_text", annotations: [], logprobs: [], text: "Grüß Gott" }]
          }])
          assert.deepStrictEqual(rest.usage, {
            input_tokens: 7,
            input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
            output_tokens: 3,
            output_tokens_details: { reasoning_tokens: 0 },
            total_tokens: 10
          })
          assert.deepStrictEqual(
            [rest.object, rest.status, rest.error, rest.incomplete_details, rest.model],
            ["response", "completed", null, null, "gpt-4o"]
          )
          assert.deepStrictEqual(
            [rest.instructions, rest.temperature, rest.top_p, rest.store, rest.tools],
            ["Obey.", 0, 1, true, []]
          )
          assert.match(reply.headers["x-request-id"] ?? "", /^req_/)
          assert.strictEqual(reply.headers["x-ratelimit-remaining-tokens"], "1999990")
        })))

    it.live("calls tools, which stand flat, and answers their results with text", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const input = [user("Use get_weather, please.")]
          for (
            const choice of [undefined, "required", { type: "function", name: "get_weather" }]
          ) {
            const { output, status } = parse(yield* responses(simulator, { input, tools: [tool], tool_choice: choice }))
            assert.strictEqual(status, "completed")
            assert.deepStrictEqual([output[0].type, output[0].name], ["function_call", "get_weather"])
            assert.match(output[0].call_id, /^call_[0-9a-f]{24}$/)
            assert.isTrue(fitsWeather(JSON.parse(output[0].arguments)))
          }
          const { output } = parse(yield* responses(simulator, { input, tools: [tool] }))
          const result = { type: "function_call_output", call_id: output[0].call_id, output: "Sunny in Dresden." }
          const reply = parse(yield* responses(simulator, { input: [...input, ...output, result], tools: [tool] }))
          assert.strictEqual(reply.output[0].content[0].text, "Sunny in Dresden.")
        })))

    it.live("thinks; shows it only as asked, and takes it back unchanged only", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const model = "gpt-5-mini"
          const include = ["reasoning.encrypted_content"]
          const reasoning = { effort: "low", summary: "auto" }
          const silent = parse(yield* responses(simulator, { model })).output[0]
          assert.deepStrictEqual([silent.type, silent.summary, silent.encrypted_content], ["reasoning", [], undefined])
          const { output, usage } = parse(yield* responses(simulator, { model, include, reasoning, store: false }))
          assert.match(output[0].summary[0].text, /^The prompt is about/)
          assert.isAbove(usage.output_tokens_details.reasoning_tokens, 0)
          const next = (thought: Json) =>
            responses(simulator, {
              model,
              store: false,
              input: [user("Echo: hi"), thought, output[1], user("Echo: ho")]
            })
          assert.strictEqual((yield* next(output[0])).status, 200)
          const changed = yield* next({ ...output[0], encrypted_content: `${output[0].encrypted_content}0` })
          assert.deepStrictEqual([changed.status, parse(changed).error.code], [400, "invalid_encrypted_content"])
          const lost = yield* next({ ...output[0], encrypted_content: undefined })
          assert.deepStrictEqual([lost.status, parse(lost).error.param], [404, "input"])
          const none = parse(yield* responses(simulator, { model: "gpt-5.1", reasoning: { effort: "none" } }))
          assert.strictEqual(none.output[0].type, "message")
        })))

    it.live("is incomplete at the token limit and at a filter; declines in a part of its own", () =>
      Effect.gen(function*() {
        const long = { input: `Echo: ${"abcd".repeat(30)}`, max_output_tokens: 16 }
        const limited = yield* over({}, (simulator) => Effect.map(responses(simulator, long), parse))
        assert.deepStrictEqual(
          [limited.status, limited.incomplete_details, limited.output[0].status],
          ["incomplete", { reason: "max_output_tokens" }, "incomplete"]
        )
        assert.strictEqual(limited.output[0].content[0].text.length, 64)
        const filtered = yield* over(
          { answer: () => ({ text: "Hm.", finish: "content_filter" }) },
          (simulator) => Effect.map(responses(simulator), parse)
        )
        assert.deepStrictEqual(filtered.incomplete_details, { reason: "content_filter" })
        const refused = yield* over(
          { answer: () => ({ refusal: "No.", cachedInputTokens: 1 }) },
          (simulator) => Effect.map(responses(simulator), parse)
        )
        assert.deepStrictEqual(refused.output[0].content, [{ type: "refusal", refusal: "No." }])
        assert.strictEqual(refused.usage.input_tokens_details.cached_tokens, 1)
      }))

    it.live("answers with JSON that fits the schema asked for, or with any JSON object", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const format = { type: "json_schema", name: "weather", schema: weather, strict: true }
          const structured = parse(yield* responses(simulator, { text: { format } }))
          assert.isTrue(fitsWeather(JSON.parse(structured.output[0].content[0].text)))
          const json = yield* responses(simulator, { input: "Any JSON?", text: { format: { type: "json_object" } } })
          assert.isObject(JSON.parse(parse(json).output[0].content[0].text))
        })))

    it.live("goes on from an answer by its id, and from an item by its own, whole and streamed", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const ask = (body: Json) => Effect.map(responses(simulator, { tools: [tool], ...body }), parse)
          for (const stream of [false, true]) {
            const first = stream
              ? eventsOf(yield* responses(simulator, { input: "Use get_weather.", tools: [tool], stream })).at(-1)?.data
                .response
              : yield* ask({ input: "Use get_weather." })
            const result = { type: "function_call_output", call_id: first.output[0].call_id, output: "Sunny." }
            const second = yield* ask({ input: [result], previous_response_id: first.id })
            assert.strictEqual(second.output[0].content[0].text, "Sunny.")
            assert.strictEqual(second.previous_response_id, first.id)
            // It is what the same conversation in full is answered with.
            const full = yield* ask({ input: [user("Use get_weather."), ...first.output, result] })
            assert.deepStrictEqual([full.output, full.usage], [second.output, second.usage])
            const third = yield* ask({ input: "Echo: Thanks.", previous_response_id: second.id })
            assert.isAbove(third.usage.input_tokens, second.usage.input_tokens)
            const item = { type: "item_reference", id: first.output[0].id }
            const named = yield* ask({ input: [user("Use get_weather."), item, result] })
            assert.deepStrictEqual(named.output, second.output)
          }
        })))

    it.live("keeps no answer that is not to be stored, and none that was deleted", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const problemOf = (body: Json) =>
            Effect.map(responses(simulator, body), (reply) => [reply.status, parse(reply).error?.code])
          const lost = parse(yield* responses(simulator, { input: "Echo: one", store: false }))
          const goesOn = { input: "Echo: two", previous_response_id: lost.id }
          assert.deepStrictEqual(yield* problemOf(goesOn), [400, "previous_response_not_found"])
          const item = { type: "item_reference", id: lost.output[0].id }
          assert.deepStrictEqual(yield* problemOf({ input: [item] }), [404, null])
          yield* responses(simulator, { input: "Echo: one" })
          assert.deepStrictEqual(yield* problemOf(goesOn), [200, undefined])
          yield* simulator.reset
          assert.deepStrictEqual(yield* problemOf(goesOn), [400, "previous_response_not_found"])
        })))

    const call = { type: "function_call", call_id: "call_1", name: "f", arguments: "{}" }
    const output = { type: "function_call_output", call_id: "call_1", output: "a" }
    const invalid: ReadonlyArray<
      readonly [what: string, body: Json, param: string | null, code: string | null, message: RegExp]
    > = [
      ["no model", { model: undefined }, "model", "missing_required_parameter", /'model'/],
      ["no input", { input: undefined }, "input", "missing_required_parameter", /'input'/],
      ["an input of another type", { input: 4 }, "input", "invalid_type", /got a integer/],
      ["an unknown field", { top_k: 4 }, "top_k", "unknown_parameter", /Unknown/],
      ["stop texts", { stop: ["a"] }, "stop", "unknown_parameter", /Unknown/],
      ["a field of Chat", { max_tokens: 9 }, "max_tokens", "unsupported_parameter", /moved to 'max_output_tokens'/],
      ["a format of Chat", { response_format: {} }, "response_format", "unsupported_parameter", /'text\.format'/],
      [
        "an earlier answer that there never was",
        { previous_response_id: "r" },
        "previous_response_id",
        "previous_response_not_found",
        /'r'/
      ],
      ["an unknown role", { input: [{ role: "bot", content: "" }] }, "input[0].role", "invalid_value", /'bot'/],
      ["a part of Chat", { input: [user([{ type: "text" }])] }, "input[0].content[0]", "invalid_value", /'input_text'/],
      ["an unknown item", { input: [{ type: "thing" }] }, "input[0].type", "invalid_value", /'thing'/],
      ["a result without a call", { input: [output] }, "input", null, /No tool call found.*call_1/],
      ["a call without a result", { input: [user("a"), call] }, "input", null, /No tool output found.*call_1/],
      [
        "a call whose arguments are an object",
        { input: [{ ...call, arguments: {} }] },
        "input[0].arguments",
        "missing_required_parameter",
        /'input\[0\]\.arguments'/
      ],
      ["a limit that is too low", { max_output_tokens: 9 }, "max_output_tokens", "integer_below_min_value", />= 16/],
      ["a temperature too high", { temperature: 3 }, "temperature", "decimal_above_max_value", /<= 2/],
      ["a temperature for gpt-5", { model: "gpt-5", temperature: 0 }, "temperature", "unsupported_value", /default/],
      ["an effort for gpt-4o", { reasoning: { effort: "low" } }, "reasoning.effort", "unsupported_parameter", /effort/],
      ["an unknown effort", { reasoning: { effort: "huge" } }, "reasoning.effort", "invalid_value", /'huge'/],
      ["encrypted thoughts of gpt-4o", { include: ["reasoning.encrypted_content"] }, "include", null, /Encrypted/],
      [
        "a tool in the shape of Chat",
        { tools: [{ type: "function", function: { name: "f" } }] },
        "tools[0].name",
        "missing_required_parameter",
        /'tools\[0\]\.name'/
      ],
      ["a choice without tools", { tool_choice: "auto" }, "tool_choice", null, /only allowed when 'tools'/],
      [
        "a strict tool that is not strict",
        { tools: [{ ...tool, parameters: { type: "object" } }] },
        "tools[0].parameters",
        "invalid_function_parameters",
        /'additionalProperties'/
      ],
      [
        "a schema without a name",
        { text: { format: { type: "json_schema", schema: weather } } },
        "text.format.name",
        "missing_required_parameter",
        /'text\.format\.name'/
      ],
      ["JSON without the word", { text: { format: { type: "json_object" } } }, "input", null, /the word 'json'/]
    ]
    for (const [what, body, param, code, message] of invalid) {
      it.live(`refuses ${what}`, () =>
        over({}, (simulator) =>
          Effect.gen(function*() {
            const reply = yield* responses(simulator, body)
            const { error } = parse(reply)
            assert.deepStrictEqual([reply.status, error.type], [400, "invalid_request_error"])
            assert.deepStrictEqual([error.param, error.code], [param, code])
            assert.match(error.message, message)
          })))
    }

    it.live("takes every kind of item, and several results at once", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const reply = yield* responses(simulator, {
            input: [
              { type: "message", role: "developer", content: "Obey." },
              user([{ type: "input_text", text: "Echo: no" }, { type: "input_image", image_url: "https://a.b/c.png" }]),
              { role: "assistant", content: [{ type: "output_text", text: "no" }] },
              call,
              { ...call, call_id: "call_2" },
              output,
              { ...output, call_id: "call_2", output: [{ type: "input_text", text: "Echo: yes" }] }
            ]
          })
          assert.strictEqual(parse(reply).output[0].content[0].text, "yes")
        })))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("Gemini", () => {
    const declaration = { name: "get_weather", description: "Weather", parametersJsonSchema: weather }
    const tools = [{ functionDeclarations: [declaration] }]

    const error = (reply: Reply) => parse(reply).error

    it.live("answers in Gemini's shape, the model being in the path, behind any prefix", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const body = { systemInstruction: { parts: [{ text: "Obey." }] }, contents: contents("Echo: Grüß Gott") }
          const { responseId, ...rest } = parse(yield* gemini(simulator, body))
          assert.match(responseId, /^[0-9a-f]{22}$/)
          assert.deepStrictEqual(rest, {
            candidates: [{
              content: { parts: [{ text: "Grüß Gott" }], role: "model" },
              finishReason: "STOP",
              index: 0
            }],
            usageMetadata: {
              promptTokenCount: 7,
              candidatesTokenCount: 3,
              totalTokenCount: 10,
              promptTokensDetails: [{ modality: "TEXT", tokenCount: 7 }]
            },
            modelVersion: "gemini-2.0-flash"
          })
          for (
            const path of [
              "/v1/projects/p/locations/l/publishers/google/models/gemini-2.0-flash:generateContent",
              "/proxy/v1beta/tunedModels/my%2Fmodel:generateContent"
            ]
          ) {
            assert.strictEqual((yield* post(simulator.url + path, body)).status, 200)
          }
          const [, , last] = yield* simulator.requests
          assert.strictEqual(last?.protocol, "gemini")
        })))

    it.live("reads names in the way of protocol buffers, too", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const reply = parse(
            yield* gemini(simulator, {
              system_instruction: { parts: [{ text: "Obey." }] },
              generation_config: { max_output_tokens: 2, stop_sequences: ["zz"] },
              contents: contents("Echo: abcdefghijkl")
            })
          )
          assert.strictEqual(reply.candidates[0].content.parts[0].text, "abcdefgh")
          assert.strictEqual(reply.candidates[0].finishReason, "MAX_TOKENS")
        })))

    it.live("calls tools, whole, and answers their results with text", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const config = (mode: string, names?: ReadonlyArray<string>) => ({
            functionCallingConfig: { mode, ...(names !== undefined && { allowedFunctionNames: names }) }
          })
          const asked = contents("Use get_weather, please.")
          const named = { toolConfig: config("ANY", ["get_weather"]) }
          for (const more of [{}, { toolConfig: config("ANY") }, named, { toolConfig: config("VALIDATED") }]) {
            const [candidate] = parse(yield* gemini(simulator, { contents: asked, tools, ...more })).candidates
            assert.strictEqual(candidate.finishReason, "STOP")
            const [{ functionCall }] = candidate.content.parts
            assert.strictEqual(functionCall.name, "get_weather")
            assert.isTrue(fitsWeather(functionCall.args))
          }
          const none = parse(yield* gemini(simulator, { contents: asked, tools, toolConfig: config("NONE") }))
          assert.isString(none.candidates[0].content.parts[0].text)

          const { content } = parse(yield* gemini(simulator, { contents: asked, tools })).candidates[0]
          const result = { functionResponse: { name: "get_weather", response: { output: "Sunny in Dresden." } } }
          const reply = yield* gemini(simulator, {
            contents: [...asked, content, { role: "user", parts: [result] }],
            tools
          })
          assert.strictEqual(parse(reply).candidates[0].content.parts[0].text, "Sunny in Dresden.")
        })))

    it.live("reads the schemas of OpenAPI", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const responseSchema = {
            type: "OBJECT",
            properties: {
              city: { type: "STRING" },
              days: { anyOf: [{ type: "INTEGER" }] },
              list: { type: "ARRAY", items: { type: "BOOLEAN", nullable: true } }
            },
            required: ["city", "days", "list"],
            propertyOrdering: ["days", "city", "list"]
          }
          const reply = parse(
            yield* gemini(simulator, { generationConfig: { responseMimeType: "application/json", responseSchema } })
          )
          const Answer = Schema.Struct({
            city: Schema.String,
            days: Schema.Int,
            list: Schema.NonEmptyArray(Schema.Boolean)
          })
          assert.isTrue(Schema.is(Answer)(JSON.parse(reply.candidates[0].content.parts[0].text)))
          const open = { type: "object", additionalProperties: false }
          const refused = yield* gemini(simulator, {
            tools: [{ functionDeclarations: [{ name: "f", parameters: { type: "object", properties: { a: open } } }] }]
          })
          assert.match(
            error(refused).message,
            /Unknown name "additionalProperties" at 'tools\[0\].*properties\[0\]\.value'/
          )
        })))

    it.live("thinks, shows its thoughts as asked, and counts them apart", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const thinking = (config: Json, model: string) =>
            Effect.map(gemini(simulator, { generationConfig: { thinkingConfig: config } }, model), parse)
          const silent = yield* thinking({}, "gemini-2.5-flash")
          assert.deepStrictEqual(silent.candidates[0].content.parts, [{ text: "hi" }])
          assert.isAbove(silent.usageMetadata.thoughtsTokenCount, 0)
          assert.strictEqual(silent.usageMetadata.candidatesTokenCount, 1)
          const shown = yield* thinking({ includeThoughts: true }, "gemini-2.5-flash")
          assert.strictEqual(shown.candidates[0].content.parts[0].thought, true)
          const off = yield* thinking({ thinkingBudget: 0 }, "gemini-2.5-flash")
          assert.notProperty(off.usageMetadata, "thoughtsTokenCount")
          const starved = parse(
            yield* gemini(simulator, { generationConfig: { maxOutputTokens: 1 } }, "gemini-2.5-pro")
          )
          assert.deepStrictEqual(starved.candidates[0], {
            content: { role: "model" },
            finishReason: "MAX_TOKENS",
            index: 0
          })
        })))

    it.live("signs calls from version 3 on, and wants the signatures back", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const model = "gemini-3-pro-preview"
          const asked = contents("Use get_weather, please.")
          const { content } = parse(yield* gemini(simulator, { contents: asked, tools }, model)).candidates[0]
          const [part] = content.parts
          assert.isString(part.functionCall.id)
          const result = { functionResponse: { name: "get_weather", response: { output: "Sunny." } } }
          const next = (call: Json, of: string = model) =>
            gemini(simulator, {
              contents: [...asked, { role: "model", parts: [call] }, { role: "user", parts: [result] }],
              tools
            }, of)
          assert.strictEqual((yield* next(part)).status, 200)
          const skipped = { ...part, thoughtSignature: "skip_thought_signature_validator" }
          assert.strictEqual((yield* next(skipped)).status, 200)
          const unsigned = { functionCall: part.functionCall }
          assert.match(error(yield* next(unsigned)).message, /missing a thought_signature.*get_weather/)
          assert.strictEqual((yield* next(unsigned, "gemini-2.5-flash")).status, 200)
          const forged = { ...part, thoughtSignature: "AAAA" }
          assert.strictEqual(error(yield* next(forged)).message, "Corrupted thought signature.")
        })))

    it.live("gives several candidates, and none at all where the prompt is blocked", () =>
      Effect.gen(function*() {
        const several = yield* over({}, (simulator) =>
          Effect.map(gemini(simulator, { generationConfig: { candidateCount: 2 } }), parse))
        assert.deepStrictEqual(
          several.candidates.map((candidate: Json) =>
            candidate.index
          ),
          [0, 1]
        )
        const filtered = yield* over(
          { answer: () => ({ text: "Hm.", finish: "content_filter" }) },
          (simulator) => Effect.map(gemini(simulator), parse)
        )
        assert.strictEqual(filtered.candidates[0].finishReason, "SAFETY")
        const blocked = yield* over(
          { answer: () => ({ finish: "content_filter" }) },
          (simulator) => Effect.map(gemini(simulator), parse)
        )
        assert.deepStrictEqual(blocked.promptFeedback, { blockReason: "SAFETY" })
        assert.notProperty(blocked, "candidates")
      }))

    const config = (generationConfig: Json) => ({ generationConfig })
    const modelCall = { role: "model", parts: [{ functionCall: { name: "f", args: {} } }] }
    const result = { functionResponse: { name: "f", response: {} } }
    const invalid: ReadonlyArray<readonly [what: string, body: Json, message: RegExp, model?: string]> = [
      ["no contents", { contents: [] }, /contents is not specified/],
      ["an unknown role", { contents: [{ role: "assistant", parts: [{ text: "a" }] }] }, /valid role: user, model/],
      ["content without parts", { contents: [{ role: "user", parts: [] }] }, /contents\[0\]\.parts: .* not be empty/],
      ["an empty part", { contents: [{ parts: [{}] }] }, /contents\[0\]\.parts\[0\]\.data: required oneof/],
      ["an unknown field", { prompt: "a" }, /Unknown name "prompt": Cannot find field/],
      ["an unknown setting", config({ max_tokens: 4 }), /Unknown name "max_tokens" at 'generation_config'/],
      ["a temperature too high", config({ temperature: 3 }), /temperature must be in the range \[0, 2\]/],
      ["a temperature in words", config({ temperature: "hot" }), /\(TYPE_FLOAT\), "hot"/],
      ["half a token", config({ maxOutputTokens: 0.5 }), /max_output_tokens' \(TYPE_INT32\)/],
      ["six stop texts", config({ stopSequences: ["a", "b", "c", "d", "e", "f"] }), /stop_sequences/],
      ["a schema without a type", config({ responseJsonSchema: weather }), /response_mime_type/],
      [
        "two schemas",
        config({ responseMimeType: "application/json", responseJsonSchema: weather, responseSchema: {} }),
        /Only one of/
      ],
      ["JSON and tools", { tools, ...config({ responseMimeType: "application/json" }) }, /is unsupported/],
      ["a result without a call", { contents: [{ parts: [result] }] }, /immediately after a function call turn/],
      ["a call without a result", { contents: [modelCall, ...contents("a")] }, /number of function response parts/],
      [
        "a call with arguments in words",
        { contents: [{ role: "model", parts: [{ functionCall: { name: "f", args: "{}" } }] }] },
        /google\.protobuf\.Struct\), "\{\}"/
      ],
      ["a tool with spaces", { tools: [{ functionDeclarations: [{ name: "a b" }] }] }, /Invalid function name/],
      ["a forced call of nothing", { toolConfig: { functionCallingConfig: { mode: "ANY" } } }, /without function_decl/],
      [
        "a choice of another tool",
        { tools, toolConfig: { functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["look"] } } },
        /look is not declared/
      ],
      ["thoughts of an old model", config({ thinkingConfig: { includeThoughts: true } }), /Thinking is not enabled/],
      ["no thoughts of pro", config({ thinkingConfig: { thinkingBudget: 0 } }), /Budget 0/, "gemini-2.5-pro"],
      ["a level for 2.5", config({ thinkingConfig: { thinkingLevel: "LOW" } }), /level is not/, "gemini-2.5-flash"],
      [
        "a level and a budget",
        config({ thinkingConfig: { thinkingLevel: "LOW", thinkingBudget: 1 } }),
        /only one/,
        "gemini-3-flash"
      ]
    ]
    for (const [what, body, message, model] of invalid) {
      it.live(`refuses ${what}`, () =>
        over({}, (simulator) =>
          Effect.gen(function*() {
            const reply = yield* gemini(simulator, body, model)
            assert.deepStrictEqual([error(reply).code, error(reply).status], [reply.status, "INVALID_ARGUMENT"])
            assert.strictEqual(reply.status, 400)
            assert.match(error(reply).message, message)
          })))
    }

    it.live("errors say how long to wait in their body by default", () =>
      Effect.gen(function*() {
        const limited = (options: Simulator.StatusOptions) =>
          over({ faults: Simulator.always(Simulator.status(429, options)) }, (simulator) => gemini(simulator))
        const inBody = yield* limited({ retryAfter: "1500 millis" })
        assert.deepStrictEqual([inBody.status, error(inBody).status], [429, "RESOURCE_EXHAUSTED"])
        assert.isUndefined(inBody.headers["retry-after"])
        assert.match(error(inBody).message, /Please retry in 1\.5s\.$/)
        const retryInfo = error(inBody).details.find((detail: Json) => String(detail["@type"]).endsWith("RetryInfo"))
        assert.strictEqual(retryInfo.retryDelay, "1.5s")
        const inHeader = yield* limited({ retryAfter: "1500 millis", retryAfterAs: "seconds" })
        assert.strictEqual(inHeader.headers["retry-after"], "1.5")
        const silent = yield* limited({})
        assert.deepStrictEqual(error(silent).details.length, 1)
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("Ollama", () => {
    const tool = { type: "function", function: { name: "get_weather", parameters: weather } }

    it.live("answers in Ollama's shape, with durations in nanoseconds", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const reply = yield* ollama(simulator, {
            messages: [{ role: "system", content: "Obey." }, user("Echo: Grüß Gott")]
          })
          assert.match(reply.headers["content-type"] ?? "", /^application\/json/)
          const { created_at: createdAt, ...rest } = parse(reply)
          assert.match(createdAt, /^\d{4}-\d\d-\d\dT.*Z$/)
          assert.deepStrictEqual(rest, {
            model: "llama3.2",
            message: { role: "assistant", content: "Grüß Gott" },
            done: true,
            done_reason: "stop",
            total_duration: 42_000_000,
            load_duration: 5_000_000,
            prompt_eval_count: 7,
            prompt_eval_duration: 7_000_000,
            eval_count: 3,
            eval_duration: 30_000_000
          })
        })))

    it.live("applies its options: the token limit, stop texts", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const messages = [user("Echo: abcdefghijkl")]
          const limited = parse(yield* ollama(simulator, { messages, options: { num_predict: 2, mirostat: 1 } }))
          assert.deepStrictEqual([limited.message.content, limited.done_reason], ["abcdefgh", "length"])
          const stopped = parse(yield* ollama(simulator, { messages, options: { stop: ["cd"], num_predict: -1 } }))
          assert.deepStrictEqual([stopped.message.content, stopped.done_reason], ["ab", "stop"])
          const fits = { messages, truncate: false, options: { num_ctx: 5 } }
          assert.strictEqual((yield* ollama(simulator, fits)).status, 200)
          const long = yield* ollama(simulator, { ...fits, options: { num_ctx: 4 } })
          assert.deepStrictEqual(
            [long.status, parse(long)],
            [400, { error: "the input length exceeds the context length" }]
          )
        })))

    it.live("calls tools, whole and as objects, and answers their results with text", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const asked = user("Use get_weather.")
          const { done_reason: reason, message } = parse(yield* ollama(simulator, { messages: [asked], tools: [tool] }))
          assert.strictEqual(reason, "stop")
          assert.strictEqual(message.tool_calls[0].function.name, "get_weather")
          assert.isTrue(fitsWeather(message.tool_calls[0].function.arguments))
          const result = { role: "tool", content: "Sunny in Dresden.", tool_name: "get_weather" }
          const reply = yield* ollama(simulator, { messages: [asked, message, result], tools: [tool] })
          assert.strictEqual(parse(reply).message.content, "Sunny in Dresden.")
        })))

    it.live("thinks if asked to, and some models by themselves", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const thought = (body: Json) => Effect.map(ollama(simulator, body), (reply) => parse(reply).message.thinking)
          assert.isUndefined(yield* thought({}))
          assert.match(yield* thought({ model: "any", think: true }), /^The prompt/)
          assert.match(yield* thought({ model: "qwen3" }), /^The prompt/)
          assert.isUndefined(yield* thought({ model: "qwen3", think: false }))
        })))

    it.live("answers with JSON that fits the schema asked for, or with any JSON", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const content = (format: unknown) =>
            Effect.map(ollama(simulator, { format }), (reply) => JSON.parse(parse(reply).message.content))
          assert.isTrue(fitsWeather(yield* content(weather)))
          assert.isObject(yield* content("json"))
        })))

    it.live("only loads the model where there are no messages, and leaves out counts of 0", () =>
      Effect.gen(function*() {
        const loaded = yield* over({}, (simulator) => Effect.map(ollama(simulator, { messages: [] }), parse))
        assert.deepStrictEqual([loaded.message.content, loaded.done_reason], ["", "load"])
        const cached = yield* over(
          { answer: () => ({ text: "hi", cachedInputTokens: 2 }) },
          (simulator) => Effect.map(ollama(simulator), parse)
        )
        assert.notProperty(cached, "prompt_eval_count")
      }))

    const args = (args: unknown) => ({ role: "assistant", tool_calls: [{ function: { name: "f", arguments: args } }] })
    const invalid: ReadonlyArray<readonly [what: string, body: Json, message: RegExp]> = [
      ["no model", { model: "" }, /^model is required$/],
      ["an unknown role", { messages: [{ role: "bot", content: "" }] }, /^invalid role: bot/],
      ["content in parts", { messages: [user([])] }, /cannot unmarshal array .*messages\.content of type string$/],
      ["arguments in words", { messages: [args("{}")] }, /cannot unmarshal string .*ToolCallFunctionArguments$/],
      ["an image with its type", { messages: [{ ...user(""), images: ["data:image/png;base64,AA=="] }] }, /byte 4$/],
      ["messages of another type", { messages: {} }, /cannot unmarshal object .*\[\]api\.Message$/],
      ["a limit in words", { options: { num_predict: "9" } }, /^option "num_predict" must be of type integer$/],
      ["a stop text by itself", { options: { stop: "a" } }, /must be of type array/],
      ["thoughts of a model that has none", { think: true }, /^"llama3\.2" does not support thinking$/],
      ["an unknown level", { model: "gpt-oss", think: "huge" }, /^invalid think value: "huge"/],
      ["an unknown format", { format: "xml" }, /^invalid format: "xml"/],
      ["a stream that is neither", { stream: "yes" }, /cannot unmarshal string .*stream of type bool$/]
    ]
    for (const [what, body, message] of invalid) {
      it.live(`refuses ${what}`, () =>
        over({}, (simulator) =>
          Effect.gen(function*() {
            const reply = yield* ollama(simulator, body)
            assert.strictEqual(reply.status, 400)
            assert.match(parse(reply).error, message)
          })))
    }
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("every protocol", () => {
    it.live("takes the right key in each header that carries one", () =>
      over({ apiKey: "secret" }, (simulator) =>
        Effect.gen(function*() {
          const bearer = { authorization: "Bearer secret" }
          const keys = {
            "openai-chat": [bearer],
            "openai-responses": [bearer],
            "anthropic-messages": [bearer, { "x-api-key": "secret" }],
            gemini: [bearer, { "x-goog-api-key": "secret" }],
            ollama: [bearer]
          }
          for (const protocol of protocols) {
            const request = requestsOf[protocol](false)
            for (const headers of keys[protocol]) {
              assert.strictEqual(
                (yield* ask(simulator, { ...request, headers: { ...request.headers, ...headers } })).status,
                200
              )
            }
          }
          const { body, path } = requestsOf.gemini(false)
          assert.strictEqual((yield* post(`${simulator.url}${path}?key=secret`, body)).status, 200)
          assert.notInclude(JSON.stringify(yield* simulator.requests), "secret")
        })))

    it.live("answers a missing or wrong key, and a body that is no JSON, in its own shape", () =>
      over({ apiKey: "secret" }, (simulator) =>
        Effect.gen(function*() {
          const status = (
            reply: Reply
          ) => [reply.status, parse(reply).error.status ?? parse(reply).error.code ?? parse(reply).error]
          const wrong = { "x-goog-api-key": "wrong" }
          const request = requestsOf.gemini(false)
          assert.deepStrictEqual(status(yield* ask(simulator, request)), [403, "PERMISSION_DENIED"])
          const refused = yield* ask(simulator, { ...request, headers: wrong })
          assert.deepStrictEqual(status(refused), [400, "INVALID_ARGUMENT"])
          assert.strictEqual(parse(refused).error.details[0].reason, "API_KEY_INVALID")
          assert.deepStrictEqual(status(yield* ask(simulator, requestsOf.ollama(false))), [401, "unauthorized"])
          const key = { authorization: "Bearer secret" }
          const garbage = (path: string) => post(simulator.url + path, "{\"model\": ", key)
          assert.deepStrictEqual(status(yield* garbage("/api/chat")), [400, "unexpected EOF"])
          assert.deepStrictEqual(status(yield* garbage(request.path)), [400, "INVALID_ARGUMENT"])
          assert.match(parse(yield* garbage("/v1/responses")).error.message, /could not parse the JSON body/)
        })))

    it.live("answers paths that it does not know in the likelier protocol's shape", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const unknown = (path: string) => Effect.map(post(simulator.url + path, {}), parse)
          assert.strictEqual((yield* unknown("/v1beta/models/gemini-2.0-flash:predict")).error.status, "NOT_FOUND")
          assert.match((yield* unknown("/api/generate")).error, /^Invalid URL/)
          assert.strictEqual((yield* unknown("/v1/responses/resp_1")).error.type, "invalid_request_error")
        })))
  })
})
