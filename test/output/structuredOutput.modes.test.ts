import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as LlmTool from "effect-llm/LlmTool"
import * as Message from "effect-llm/Message"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import type { Simulator } from "effect-llm/testing"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { isRecord } from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as FakeHttp from "../support/fakeHttp.js"
import * as Simulated from "../support/simulated.js"

const modes: ReadonlyArray<LlmProvider.OutputMode> = ["native", "tool", "json", "prompt"]

const River = Schema.Struct({
  name: Schema.String,
  length: Schema.Number.pipe(Schema.positive({ description: "a positive number" })),
  mouth: Schema.Literal("sea", "river")
}).annotations({ identifier: "River" })

const elbe = { name: "Elbe", length: 1094, mouth: "sea" } as const
const json = JSON.stringify(elbe)
const request = { model: "gpt-4o-mini", prompt: "Describe the Elbe.", system: "Be exact." } as const

const following =
  (script: LlmTest.Script) =>
  <A, E>(test: Effect.Effect<A, E, LlmClient.LlmClient | LlmTest.LlmTest | LlmTest.Events>) =>
    test.pipe(
      Effect.zipLeft(LlmTest.assertDone),
      Effect.provide(
        LlmClient.layer().pipe(
          Layer.provideMerge(Layer.merge(LlmTest.layer(script), LlmTest.layerLogger)),
          Layer.provide(LlmCache.layerMemory())
        )
      )
    )

const clientOn = <R>(provider: Layer.Layer<LlmProvider.LlmProvider, never, R>) =>
  LlmClient.layer().pipe(Layer.provide([provider, LlmCache.layerNone, LlmLogger.layerSilent]))

// ---------------------------------------------------------------------------------------------------------------------
// Wrong answers
// ---------------------------------------------------------------------------------------------------------------------

/** An answer, how it ends, and what is told of it: how it fails, or the issues; `undefined` where it is right. */
interface Wrong {
  readonly text: string
  readonly fields?: LlmTest.ReplyFields
  readonly told: string | ReadonlyArray<string> | undefined
  /** The same for a tool, where that differs. */
  readonly toldOfTool?: string | ReadonlyArray<string>
}

const notJson = [": one JSON value"]

const ways: { readonly [way: string]: Wrong } = {
  "a missing field": {
    text: JSON.stringify({ name: "Elbe", mouth: "sea" }),
    told: ["length: a value: it is missing"]
  },
  "a wrong type": { text: JSON.stringify({ ...elbe, name: 1 }), told: ["name: string"] },
  "prose around it": { text: `Sure! ${json} Anything else?`, told: undefined, toldOfTool: notJson },
  "a fence": { text: `\`\`\`json\n${json}\n\`\`\``, told: undefined, toldOfTool: notJson },
  "single quotes": { text: json.replaceAll("\"", "'"), told: notJson },
  "a trailing comma": { text: json.replace("}", ",}"), told: notJson },
  "the token limit": { text: json.slice(0, -8), fields: { finishReason: "length" }, told: "OutputTruncated" },
  "a refusal": { text: "I'd rather not.", fields: { finishReason: "refusal" }, told: "Refused" },
  // A call without arguments is one of an empty object.
  "nothing": {
    text: "",
    told: notJson,
    toldOfTool: [
      "name: a value: it is missing",
      "length: a value: it is missing",
      "mouth: a value: it is missing"
    ]
  },
  "an array": { text: JSON.stringify([elbe]), told: [": River"] },
  "a number as a text": { text: JSON.stringify({ ...elbe, length: "1094" }), told: ["length: a positive number"] },
  "a wrong member of an enum": {
    text: JSON.stringify({ ...elbe, mouth: "lake" }),
    told: ["mouth: \"sea\" | \"river\""]
  }
}

const toldOf = (mode: LlmProvider.OutputMode, { told, toldOfTool }: Wrong) =>
  mode === "tool" ? toldOfTool ?? told : told

/** The answer as a provider has it: a text, or a call of the tool; one whose arguments are no JSON is a failure. */
const answerOf = (mode: LlmProvider.OutputMode, { fields, text }: Pick<Wrong, "text" | "fields">): LlmTest.Answer => {
  if (mode !== "tool" || fields?.finishReason === "refusal") return LlmTest.text(text, fields)
  if (fields?.finishReason === "length") {
    return ({ model }) =>
      LlmResponse.make({
        parts: [Message.ToolCall.make({ id: "call_1", name: "River", arguments: text, incomplete: true })],
        model,
        provider: "test",
        finishReason: "length"
      })
  }
  if (text === "") return LlmTest.toolCalls([{ name: "River", arguments: {} }])
  return Either.match(Either.try((): unknown => JSON.parse(text)), {
    onLeft: () => LlmTest.fail(LlmError.ToolArgumentsInvalid.make({ name: "River", raw: text })),
    onRight: (value) => LlmTest.toolCalls([{ name: "River", arguments: value }])
  })
}

const issuesOf = ({ reason }: LlmError.LlmError): string | ReadonlyArray<string> =>
  reason._tag === "OutputInvalid" ? reason.issues.map(({ expected, path }) => `${path}: ${expected}`) : reason._tag

describe.each(modes)("in mode %s", (mode) => {
  const right = answerOf(mode, { text: json })

  describe("object, of a first answer that is wrong and a second that is right, takes", () => {
    it.effect.each(Object.entries(ways))("%s", ([_, wrong]) => {
      const told = toldOf(mode, wrong)
      const asksAgain = Array.isArray(told)
      return Effect.gen(function*() {
        const result = yield* Effect.either(LlmClient.object(River, request, { mode }))
        const rejected = yield* LlmTest.eventsOf("OutputRejected")
        assert.strictEqual((yield* LlmTest.requests).length, asksAgain ? 2 : 1)
        assert.strictEqual(rejected.length, asksAgain ? 1 : 0)
        if (typeof told === "string") {
          const error = Either.getOrThrow(Either.flip(result))
          assert.strictEqual(error.reason._tag, told)
          assert.strictEqual(error.operation, "object")
        } else {
          const { response, value } = Either.getOrThrow(result)
          assert.deepStrictEqual(value, elbe)
          assert.strictEqual(response.attempts, asksAgain ? 2 : 1)
        }
      }).pipe(following(asksAgain ? [answerOf(mode, wrong), right] : [answerOf(mode, wrong)]))
    })
  })

  describe("object, which may not ask again, and streamObject, which never does, fail with", () => {
    it.effect.each(Object.entries(ways))("%s", ([_, wrong]) =>
      Effect.gen(function*() {
        const told = toldOf(mode, wrong)
        const object = yield* Effect.either(LlmClient.object(River, request, { mode, reask: 0, cache: "bypass" }))
        const streamed = yield* Effect.either(Stream.runLast(LlmClient.streamObject(River, request, { mode })))
        if (told === undefined) {
          assert.deepStrictEqual(Either.getOrThrow(object).value, elbe)
          assert.deepInclude(Either.getOrThrow(streamed), { _tag: "Some" })
          return
        }
        const errors = [object, streamed].map((result) =>
          Either.getOrThrow(Either.flip<unknown, LlmError.LlmError>(result))
        )
        assert.deepStrictEqual(errors.map(issuesOf), [told, told])
        assert.deepStrictEqual(errors.map(({ operation }) => operation), ["object", "streamObject"])
        assert.strictEqual((yield* LlmTest.eventsOf("OutputRejected")).length, Array.isArray(told) ? 2 : 0)
        assert.strictEqual((yield* LlmTest.eventsOf("CallGaveUp")).length, 2)
      }).pipe(following([LlmTest.repeat(answerOf(mode, wrong), 2)])))
  })

  it.effect("object and streamObject ask the same, and share what is kept", () =>
    Effect.gen(function*() {
      yield* LlmClient.object(River, request, { mode })
      const parts = Array.from(yield* Stream.runCollect(LlmClient.streamObject(River, request, { mode })))
      assert.deepStrictEqual(parts.map(({ _tag, value }) => [_tag, value]), [["Partial", elbe], ["Finish", elbe]])
      const [, finish] = parts
      assert(finish?._tag === "Finish")
      assert.strictEqual(finish.response.origin, "cache")
    }).pipe(following([right])))
})

describe("a request says", () => {
  const sent = (options: LlmClient.ObjectOptions, input: Partial<LlmRequest.Settings> = {}) =>
    Effect.gen(function*() {
      yield* LlmClient.object(River, { ...request, ...input }, options)
      const [first] = yield* LlmTest.requests
      assert(first !== undefined)
      return first
    }).pipe(following([LlmTest.object(elbe)]))

  const schema = {
    type: "object",
    properties: {
      name: { type: "string" },
      length: { type: "number", exclusiveMinimum: 0, description: "a positive number" },
      mouth: { type: "string", enum: ["sea", "river"] }
    },
    required: ["name", "length", "mouth"],
    additionalProperties: false
  }

  it.effect("the schema (native)", () =>
    Effect.gen(function*() {
      const { outputFormat, outputSchema, system, tools } = yield* sent({ mode: "native", description: "A river." })
      assert.deepStrictEqual(outputSchema, { name: "River", description: "A river.", schema })
      assert.deepStrictEqual([outputFormat, system, tools], [undefined, "Be exact.", undefined])
    }))

  it.effect("a tool that has to be called, beside others, which are not (tool)", () =>
    Effect.gen(function*() {
      const other = { name: "look_up", parameters: { type: "object" } }
      const options = { mode: "tool", name: "river", description: "A river." } as const
      const { outputSchema, system, toolChoice, tools } = yield* sent(options, { tools: [other] })
      assert.deepStrictEqual(tools, [other, { name: "river", description: "A river.", parameters: schema }])
      assert.deepStrictEqual(toolChoice, { tool: "river" })
      assert.deepStrictEqual([outputSchema, system], [undefined, "Be exact."])
    }))

  it.effect("that the answer is JSON, and the schema in words (json)", () =>
    Effect.gen(function*() {
      const { outputFormat, outputSchema, system } = yield* sent({ mode: "json" })
      assert.strictEqual(outputFormat, "json")
      assert.isUndefined(outputSchema)
      assert.strictEqual(
        system,
        `Be exact.\n\nAnswer with JSON that fits this JSON Schema, and nothing else: ${JSON.stringify(schema)}`
      )
    }))

  it.effect("the schema in words only (prompt)", () =>
    Effect.gen(function*() {
      const { outputFormat, outputSchema, system } = yield* sent({ mode: "prompt" })
      assert.deepStrictEqual([outputFormat, outputSchema], [undefined, undefined])
      assert.include(system, JSON.stringify(schema))
    }))
})

describe("an answer by a tool", () => {
  const calls = (...values: ReadonlyArray<unknown>) =>
    LlmTest.toolCalls(values.map((value) => ({ name: "River", arguments: value })))

  const ask = LlmClient.object(River, request, { mode: "tool" })

  it.effect("that is wrong is complained of in the result of its call", () =>
    Effect.gen(function*() {
      yield* ask
      const [first, second] = yield* LlmTest.requests
      assert.deepStrictEqual(second?.messages, [
        ...first?.messages ?? [],
        {
          role: "assistant",
          content: [Message.ToolCall.make({ id: "call_1", name: "River", arguments: { ...elbe, length: 0 } })]
        },
        {
          role: "tool",
          content: [Message.ToolResult.make({
            id: "call_1",
            name: "River",
            result: [
              "Your answer does not fit the schema:",
              "- length: expected a positive number",
              "Answer again with the whole JSON, corrected, and nothing else."
            ].join("\n"),
            isError: true
          })]
        }
      ])
      assert.deepStrictEqual(second?.toolChoice, { tool: "River" })
    }).pipe(following([calls({ ...elbe, length: 0 }), calls(elbe)])))

  it.effect("whose arguments are no JSON is shown to the model as it wrote it, and its price is unknown", () =>
    Effect.gen(function*() {
      const { response } = yield* ask
      const [first, second] = yield* LlmTest.requests
      assert.deepStrictEqual(second?.messages, [
        ...first?.messages ?? [],
        { role: "assistant", content: [Message.Text.make({ text: "{name: Elbe}" })] },
        {
          role: "user",
          content: [Message.Text.make({
            text: [
              "Your answer does not fit the schema:",
              "- the answer: expected one JSON value",
              "Answer again with the whole JSON, corrected, and nothing else."
            ].join("\n")
          })]
        }
      ])
      assert.deepStrictEqual(response.usage, {})
    }).pipe(following([
      LlmTest.fail(LlmError.ToolArgumentsInvalid.make({ name: "River", raw: "{name: Elbe}" })),
      calls(elbe)
    ])))

  it.effect("may be said twice", () =>
    Effect.map(ask, ({ value }) => assert.deepStrictEqual(value, elbe)).pipe(following([calls(elbe, elbe)])))

  it.effect("is none where it is two different ones", () =>
    Effect.gen(function*() {
      yield* ask
      const [, second] = yield* LlmTest.requests
      const results = second?.messages.at(-1)?.content ?? []
      assert.deepStrictEqual(results.map((part) => part._tag === "ToolResult" && part.id), ["call_1", "call_2"])
    }).pipe(following([calls(elbe, { ...elbe, name: "Oder" }), calls(elbe)])))

  it.effect("may be JSON in a string", () =>
    Effect.map(ask, ({ value }) => assert.deepStrictEqual(value, elbe)).pipe(following([calls(json)])))

  it.effect("may come in words, from a model that cannot be forced", () =>
    Effect.map(ask, ({ value }) => assert.deepStrictEqual(value, elbe)).pipe(following([`It is ${json}.`])))

  it.effect("is not waited for where another tool is called, whose result has to come first", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(ask)
      assert.strictEqual(error.reason._tag, "OutputInvalid")
    }).pipe(following([LlmTest.toolCalls([{ name: "look_up", arguments: {} }])])))

  it.effect("fails as any other call does where another tool's arguments are wrong", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(ask)
      assert.strictEqual(error.reason._tag, "ToolArgumentsInvalid")
    }).pipe(following([LlmTest.fail(LlmError.ToolArgumentsInvalid.make({ name: "look_up", raw: "{" }))])))
})

const apiKey = Redacted.make("key")

describe("arguments that are no JSON, of a real protocol,", () => {
  const chunk = (delta: unknown, reason: string | null = null) =>
    `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`

  /** Calls the tool with these arguments. */
  const calling = (args: string, streaming: boolean): Response => {
    const call = { index: 0, id: "call_1", type: "function", function: { name: "River", arguments: args } }
    return streaming
      ? new Response(
        `${chunk({ tool_calls: [call] })}${chunk({}, "tool_calls")}data: [DONE]\n\n`,
        { headers: { "content-type": "text/event-stream" } }
      )
      : Response.json({
        choices: [{ index: 0, message: { role: "assistant", tool_calls: [call] }, finish_reason: "tool_calls" }]
      })
  }

  const service = (...args: ReadonlyArray<string>) => {
    let n = 0
    return FakeHttp.service(({ body }) => calling(args[n++] ?? "", body.stream === true))
  }

  it.effect("are asked for again", () => {
    const { layer, sent } = service("{name: Elbe}", json)
    return Effect.gen(function*() {
      const { value } = yield* LlmClient.object(River, request, { mode: "tool" })
      assert.deepStrictEqual(value, elbe)
      assert.strictEqual(sent.length, 2)
    }).pipe(Effect.provide(clientOn(Layer.provide(OpenAiChat.layer({ apiKey }), layer))))
  })

  it.effect("end a stream as invalid output", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Stream.runDrain(LlmClient.streamObject(River, request, { mode: "tool" })))
      assert(error.reason._tag === "OutputInvalid")
      assert.strictEqual(error.reason.text, "{\"name\":\"Elbe\",}")
      assert.strictEqual(error.operation, "streamObject")
    }).pipe(
      Effect.provide(
        clientOn(Layer.provide(OpenAiChat.layer({ apiKey }), service("{\"name\":\"Elbe\",}").layer))
      )
    ))
})

describe("the mode", () => {
  const providers = {
    chat: OpenAiChat.layer({ apiKey }),
    responses: OpenAi.layer({ apiKey }),
    anthropic: Anthropic.layer({ apiKey }),
    gemini: Gemini.layer({ apiKey }),
    ollama: Ollama.layer({}),
    deepSeek: OpenAiChat.layer(OpenAiChat.deepSeek({ apiKey })),
    instructions: OpenAiChat.layer(OpenAiChat.vllm({ capabilities: { outputSchema: "instructions" } }))
  }

  const cases: ReadonlyArray<readonly [keyof typeof providers, model: string, mode: LlmProvider.OutputMode]> = [
    ["chat", "gpt-4o-mini", "native"],
    ["chat", "gpt-5.1", "native"],
    ["chat", "gpt-4.1", "native"],
    ["chat", "ft:gpt-4o-mini:acme", "native"],
    ["chat", "gpt-4-turbo", "tool"],
    ["chat", "gpt-4", "tool"],
    ["chat", "gpt-3.5-turbo", "tool"],
    ["chat", "gpt-4o-2024-05-13", "tool"],
    ["chat", "o1-mini", "prompt"],
    ["chat", "some-model", "native"],
    ["responses", "gpt-4o", "native"],
    ["responses", "gpt-4-turbo", "tool"],
    ["anthropic", "claude-sonnet-4-5", "native"],
    ["anthropic", "claude-opus-4-6", "native"],
    ["anthropic", "claude-sonnet-4-20250514", "tool"],
    ["anthropic", "claude-3-5-haiku-latest", "tool"],
    ["anthropic", "some-model", "native"],
    ["gemini", "gemini-2.5-flash", "native"],
    ["ollama", "llama3.2", "native"],
    ["deepSeek", "deepseek-chat", "json"],
    ["instructions", "some-model", "prompt"]
  ]
  it.effect.each(cases)("of %s for %s is %s", ([provider, model, mode]) =>
    Effect.gen(function*() {
      const { outputMode } = Context.get(yield* Layer.build(providers[provider]), LlmProvider.LlmProvider)
      assert.strictEqual(outputMode?.(model), mode)
    }).pipe(Effect.scoped, Effect.provide(FakeHttp.service(new Response()).layer)))

  it.effect("native is not there where a provider takes no schema", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(LlmClient.object(River, request, { mode: "native" }))
      assert(error.reason._tag === "UnsupportedFeature")
      assert.strictEqual(error.reason.feature, "structured output: mode native")
      assert.strictEqual(error.attempts, 0)
    }).pipe(Effect.provide(clientOn(LlmTest.layer([], { schemaDialect: undefined })))))

  it.effect("is native in a dialect that the provider brings, for the answer and for tools", () =>
    Effect.gen(function*() {
      const dialect: LlmProvider.Dialect = {
        name: "acme",
        closed: true,
        allRequired: true,
        open: false,
        examples: false,
        strictTools: true,
        recursion: "none",
        enumerates: () => false,
        constrains: (keyword) => keyword === "maxLength"
      }
      const Reply = Schema.Struct({ name: Schema.optional(Schema.String.pipe(Schema.maxLength(9))) })
      const asked: Array<LlmRequest.LlmRequest> = []
      const provider = LlmProvider.layer({
        name: "acme",
        endpoint: "memory:",
        schemaDialect: dialect,
        call: (request) => {
          asked.push(request)
          const parts = [Message.Text.make({ text: JSON.stringify({ name: null }) })]
          return Effect.succeed(LlmResponse.make({ parts, finishReason: "stop", model: "m", provider: "acme" }))
        }
      })
      const [{ value }, { definitions }] = yield* Effect.all([
        LlmClient.object(Reply, request),
        LlmClient.toolkit([LlmTool.make("reply", { parameters: Reply })])
      ]).pipe(Effect.provide(clientOn(provider)))
      assert.deepStrictEqual(value, {})
      const [{ outputSchema } = {}] = asked
      assert.deepStrictEqual(outputSchema?.schema, definitions[0]?.parameters)
      assert.deepInclude(outputSchema?.schema, { required: ["name"], additionalProperties: false })
      assert.include(JSON.stringify(outputSchema?.schema), "\"maxLength\":9")
      assert.isTrue(definitions[0]?.strict)
    }))

  it.effect("json is left out with a warning where the service has none", () =>
    Effect.gen(function*() {
      const warned = yield* Effect.forEach(
        [Anthropic.layer({ apiKey }), OpenAiChat.layer(OpenAiChat.lmStudio({}))],
        (layer) =>
          Effect.gen(function*() {
            const { call } = Context.get(yield* Layer.build(layer), LlmProvider.LlmProvider)
            const input = yield* LlmRequest.decode({ ...request, outputFormat: "json" })
            return (yield* call(input)).warnings
          })
      )
      assert.deepStrictEqual(warned.map(([warning]) => warning), [
        "outputFormat was not sent: Messages has no JSON mode",
        "outputFormat was not sent: lmstudio does not take it"
      ])
    }).pipe(
      Effect.scoped,
      Effect.provide(
        FakeHttp.service(({ url }) =>
          Response.json(
            url.endsWith("/messages")
              ? { type: "message", role: "assistant", content: [{ type: "text", text: "{}" }], stop_reason: "end_turn" }
              : { choices: [{ index: 0, message: { role: "assistant", content: "{}" }, finish_reason: "stop" }] }
          )
        ).layer
      )
    ))
})

describe("over HTTP", () => {
  const Answer = Schema.Struct({ answer: Schema.String, more: Schema.optional(Schema.String) })
  const value = { answer: "The Elbe flows into the North Sea." }

  const answer = ({ tools }: Simulator.Prompt): string | Simulator.Answer =>
    tools.length === 0
      ? JSON.stringify(value)
      : { toolCalls: tools.map(({ name }) => ({ name, arguments: value })) }

  /** Where the body of a request says that the answer is JSON of any kind. */
  const formats: { readonly [P in Simulated.Protocol]: ReadonlyArray<string> } = {
    "openai-chat": ["response_format", "type"],
    "openai-responses": ["text", "format", "type"],
    "anthropic-messages": [],
    gemini: ["generationConfig", "responseMimeType"],
    ollama: ["format"]
  }
  const at = (body: unknown, path: ReadonlyArray<string>): unknown =>
    path.reduce((value: unknown, name) => isRecord(value) ? value[name] : undefined, body)

  const cases = Simulated.protocols.flatMap((protocol) => modes.map((mode) => [protocol, mode] as const))

  it.live.each(cases)(
    "a service of %s understands mode %s, and is understood, streaming and not",
    ([protocol, mode]) =>
      Simulated.over({ answer }, (simulator) =>
        Effect.gen(function*() {
          const { layer, model } = Simulated.providers[protocol]
          const input = { model, prompt: "Where does the Elbe flow?" }
          const [object, parts] = yield* Effect.all([
            LlmClient.object(Answer, input, { mode }),
            Stream.runCollect(LlmClient.streamObject(Answer, input, { mode }))
          ]).pipe(Effect.provide(clientOn(layer(simulator.url))))
          assert.deepStrictEqual(object.value, value)
          const last = Array.from(parts).at(-1)
          assert(last?._tag === "Finish")
          assert.deepStrictEqual(last.value, value)
          assert.isAbove(parts.length, 1)
          const requests = yield* Simulated.allEnd(simulator)
          assert.deepStrictEqual(requests.map(({ outcome }) => outcome), ["answered", "answered"])
          for (const { body } of requests) {
            const format = formats[protocol].length === 0 ? "none" : at(body, formats[protocol])
            const json = ["json_object", "application/json", "json", "none"]
            if (mode === "json") assert.include(json, format)
            else if (mode !== "native") assert.include([undefined, "none", "text"], format)
          }
        }))
  )
})
