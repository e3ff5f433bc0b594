import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmLogger from "effect-llm/LlmLogger"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Simulated from "../support/simulated.js"

const River = Schema.Struct({
  name: Schema.String,
  length: Schema.Number.pipe(Schema.positive({ title: "a positive number" })),
  mouth: Schema.Literal("sea", "river"),
  source: Schema.optional(Schema.String)
}).annotations({ identifier: "River" })

const elbe = { name: "Elbe", length: 1094, mouth: "sea" } as const
const request = { model: "gpt-4o-mini", prompt: "Describe the Elbe." } as const

/** Runs a test on a client whose provider follows a script. */
const following = (script: LlmTest.Script, options?: LlmClient.Options) =>
<A, E>(
  test: Effect.Effect<A, E, LlmClient.LlmClient | LlmTest.LlmTest | LlmTest.Events>
) =>
  test.pipe(
    Effect.zipLeft(LlmTest.assertDone),
    Effect.provide(
      LlmClient.layer(options).pipe(
        Layer.provideMerge(Layer.merge(LlmTest.layer(script), LlmTest.layerLogger)),
        Layer.provide(LlmCache.layerMemory())
      )
    )
  )

const clientOn = <R>(provider: Layer.Layer<LlmProvider.LlmProvider, never, R>) =>
  LlmClient.layer().pipe(Layer.provide([provider, LlmCache.layerNone, LlmLogger.layerSilent]))

const failed = <A, R>(effect: Effect.Effect<A, LlmError.LlmError, R>) => Effect.flip(effect)

const usage = (inputTokens: number, outputTokens: number) => ({ usage: { inputTokens, outputTokens } })

describe("LlmClient.object", () => {
  it.effect("gives a value of the schema's type and the answer that it was read from", () =>
    Effect.gen(function*() {
      const { response, value } = yield* LlmClient.object(River, request)
      expectTypeOf(value).toEqualTypeOf<typeof River.Type>()
      assert.deepStrictEqual(value, elbe)
      assert.strictEqual(response.text, JSON.stringify(elbe))
      assert.strictEqual(response.attempts, 1)
      const [sent] = yield* LlmTest.requests
      assert.strictEqual(sent?.outputSchema?.name, "River")
      assert.deepInclude(sent?.outputSchema?.schema, { type: "object", required: ["name", "length", "mouth"] })
    }).pipe(following([LlmTest.object(elbe)])))

  it.effect("decodes with the services that the schema needs", () =>
    Effect.gen(function*() {
      class Unit extends Context.Tag("Unit")<Unit, number>() {}
      const Metres = Schema.transformOrFail(Schema.Number, Schema.Number, {
        strict: true,
        decode: (kilometres) => Effect.map(Unit, (unit) => kilometres * unit),
        encode: (metres) => Effect.map(Unit, (unit) => metres / unit)
      })
      const effect = LlmClient.object(Schema.Struct({ length: Metres }), request)
      expectTypeOf(effect).toEqualTypeOf<
        Effect.Effect<
          LlmClient.ObjectResponse<{ readonly length: number }>,
          LlmError.LlmError,
          LlmClient.LlmClient | Unit
        >
      >()
      const { value } = yield* Effect.provideService(effect, Unit, 1000)
      assert.deepStrictEqual(value, { length: 1_094_000 })
    }).pipe(following([LlmTest.object({ length: 1094 })])))

  describe("of a first answer that is wrong, and a second that is right, takes", () => {
    const right = LlmTest.object(elbe)
    const json = JSON.stringify(elbe)
    const cut = json.slice(0, -8)

    /** The first answer, the count of requests, and the complaint about the first answer or the failure of the call. */
    const cases: ReadonlyArray<
      readonly [what: string, first: LlmTest.Answer, requests: number, issues: ReadonlyArray<string> | string]
    > = [
      ["a missing field", LlmTest.object({ name: "Elbe", mouth: "sea" }), 2, [
        "length: expected a value: it is missing"
      ]],
      ["a wrong type", LlmTest.object({ ...elbe, name: 1 }), 2, ["name: expected string"]],
      ["a number as a text", LlmTest.object({ ...elbe, length: "1094" }), 2, ["length: expected a positive number"]],
      ["a wrong member of an enum", LlmTest.object({ ...elbe, mouth: "lake" }), 2, [
        "mouth: expected \"sea\" | \"river\""
      ]],
      ["what a filter refuses", LlmTest.object({ ...elbe, length: -1 }), 2, ["length: expected a positive number"]],
      ["an array", LlmTest.object([elbe]), 2, ["the answer: expected River"]],
      ["single quotes", json.replaceAll("\"", "'"), 2, ["the answer: expected one JSON value"]],
      ["a trailing comma", json.replace("}", ",}"), 2, ["the answer: expected one JSON value"]],
      ["nothing", LlmTest.text(""), 2, ["the answer: expected one JSON value"]],
      ["prose", "It is a river.", 2, ["the answer: expected one JSON value"]],
      ["half a JSON that claims to be whole", cut, 2, ["the answer: expected one JSON value"]],
      ["prose around it", `Sure! ${json} Anything else?`, 1, []],
      ["a fence around it", `\`\`\`json\n${json}\n\`\`\``, 1, []],
      ["a byte-order mark before it", `\uFEFF${json}`, 1, []],
      ["a refusal", LlmTest.text("I'd rather not.", { finishReason: "refusal" }), 1, "Refused"],
      ["a filter that cut in", LlmTest.text(cut, { finishReason: "content_filter" }), 1, "ContentFiltered"],
      ["the token limit", LlmTest.text(cut, { finishReason: "length" }), 1, "OutputTruncated"],
      ["a full context", LlmTest.text(cut, { finishReason: "context_window" }), 1, "OutputTruncated"],
      ["a token limit behind the last bracket", LlmTest.text(json, { finishReason: "length" }), 1, "OutputTruncated"]
    ]

    it.effect.each(cases)("%s", ([_, first, requests, outcome]) =>
      Effect.gen(function*() {
        const result = yield* Effect.either(LlmClient.object(River, request))
        const sent = yield* LlmTest.requests
        const rejected = yield* LlmTest.eventsOf("OutputRejected")
        assert.strictEqual(sent.length, requests)
        assert.strictEqual(rejected.length, requests - 1)
        if (typeof outcome === "string") {
          const error = Either.getOrThrow(Either.flip(result))
          assert.strictEqual(error.reason._tag, outcome)
          assert.strictEqual(error.operation, "object")
          return
        }
        assert.deepStrictEqual(Either.getOrThrow(result).value, elbe)
        if (outcome.length === 0) return
        assert.deepStrictEqual(sent[1]?.prompt.split("\n").filter((line) => line.startsWith("- ")), [
          ...outcome.map((issue) => `- ${issue}`)
        ])
      }).pipe(following(requests === 2 ? [first, right] : [first])))
  })

  it.effect("a refusal in parts is one, whatever the finish reason says, and however well it fits", () =>
    Effect.gen(function*() {
      const error = yield* failed(LlmClient.object(Schema.String, request))
      assert.strictEqual(error.reason._tag, "Refused")
      assert.notInclude(JSON.stringify(error), "rather")
    }).pipe(following([
      () =>
        LlmResponse.make({
          parts: [Message.Refusal.make({ text: "I'd rather not." }), Message.Text.make({ text: "{\"value\":\"x\"}" })],
          finishReason: "stop",
          model: "m",
          provider: "test"
        })
    ])))

  describe("asks again", () => {
    it.effect("with the answer and the issues behind the conversation, which stays the caller's", () =>
      Effect.gen(function*() {
        const messages = [{ role: "user", content: "Hello" }, { role: "user", content: "The Elbe?" }] as const
        const input = Object.freeze({ model: "m", system: "Be exact.", messages: Object.freeze([...messages]) })
        yield* LlmClient.object(River, input)
        const [first, second] = yield* LlmTest.requests
        assert.deepStrictEqual(input.messages, messages)
        assert.strictEqual(second?.system, "Be exact.")
        assert.deepStrictEqual(second?.outputSchema, first?.outputSchema)
        assert.deepStrictEqual(second?.messages, [
          ...first?.messages ?? [],
          { role: "assistant", content: [Message.Text.make({ text: "{\"name\":\"Elbe\",\"length\":0}" })] },
          {
            role: "user",
            content: [Message.Text.make({
              text: [
                "Your answer does not fit the schema:",
                "- length: expected a positive number",
                "- mouth: expected a value: it is missing",
                "Answer again with the whole JSON, corrected, and nothing else."
              ].join("\n")
            })]
          }
        ])
      }).pipe(following([LlmTest.object({ name: "Elbe", length: 0 }), LlmTest.object(elbe)])))

    it.effect("with paths as the model wrote them where the root was wrapped", () =>
      Effect.gen(function*() {
        const { value } = yield* LlmClient.object(Schema.Array(River), request)
        assert.deepStrictEqual(value, [elbe])
        const [, second] = yield* LlmTest.requests
        assert.include(second?.prompt ?? "", "- value[0].name: expected string")
      }).pipe(following([LlmTest.object({ value: [{ ...elbe, name: 1 }] }), LlmTest.object({ value: [elbe] })])))

    it.effect("with paths of the value where the dialect has another shape for it", () =>
      Effect.gen(function*() {
        const provider = LlmTest.layer([
          LlmTest.repeat(
            LlmTest.object({ lengths: [{ key: "Elbe", value: 1094 }, { key: "Oder", value: "long" }] })
          )
        ], { schemaDialect: "openai" })
        const Lengths = Schema.Struct({ lengths: Schema.Record({ key: Schema.String, value: Schema.Number }) })
        const error = yield* failed(LlmClient.object(Lengths, request)).pipe(Effect.provide(clientOn(provider)))
        assert(error.reason._tag === "OutputInvalid")
        assert.deepStrictEqual(error.reason.issues, [{ path: "lengths.Oder", expected: "number" }])
      }))

    it.effect("as often as it may, and then fails with what is wrong, and no word of the answer", () =>
      Effect.gen(function*() {
        const error = yield* failed(LlmClient.object(River, request, { reask: 2 }))
        assert.strictEqual((yield* LlmTest.requests).length, 3)
        assert.deepStrictEqual(
          (yield* LlmTest.eventsOf("OutputRejected")).map((
            { attempt, issues, willRetry }
          ) => [attempt, issues, willRetry]),
          [[1, 1, true], [2, 1, true], [3, 1, false]]
        )
        assert.strictEqual((yield* LlmTest.eventsOf("CallGaveUp")).length, 1)
        assert.strictEqual(error.attempts, 3)
        assert.strictEqual(error.requestId, "req_3")
        assert.deepStrictEqual(error.reason, {
          _tag: "OutputInvalid",
          message: "the answer does not fit the schema",
          text: JSON.stringify({ ...elbe, name: ["secret 3"] }),
          issues: [{ path: "name", expected: "string" }]
        })
        assert.notInclude(`${error} ${JSON.stringify(error)}`, "secret")
      }).pipe(
        following([1, 2, 3].map((n) => LlmTest.object({ ...elbe, name: [`secret ${n}`] }, { requestId: `req_${n}` })))
      ))

    it.effect("not at all if the options say so", () =>
      Effect.gen(function*() {
        const error = yield* failed(LlmClient.object(River, request, { reask: 0 }))
        assert.strictEqual(error.reason._tag, "OutputInvalid")
      }).pipe(following(["no JSON"])))

    it.effect("not where tools are asked for, whose results have to come first", () =>
      Effect.gen(function*() {
        const error = yield* failed(LlmClient.object(River, request))
        assert.strictEqual(error.reason._tag, "OutputInvalid")
      }).pipe(following([LlmTest.toolCalls([{ name: "look", arguments: {} }])])))

    it.effect("and retries what fails in between by the rules of `retry`, and counts all", () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.fork(LlmClient.object(River, request))
        yield* TestClock.adjust("1 minute")
        const { response, value } = yield* Fiber.join(fiber)
        assert.deepStrictEqual(value, elbe)
        assert.strictEqual(response.attempts, 4)
        assert.deepStrictEqual((yield* LlmTest.eventsOf("CallStarted")).map(({ attempt }) => attempt), [1, 2, 3, 4])
      }).pipe(following([
        LlmTest.fail(LlmError.Overloaded.make({})),
        "no JSON",
        LlmTest.fail(LlmError.ServerFailed.make({})),
        LlmTest.object(elbe)
      ])))

    it.effect("within the deadline of the whole call", () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.fork(failed(LlmClient.object(River, request, { deadline: "5 seconds" })))
        yield* TestClock.adjust("5 seconds")
        const error = yield* Fiber.join(fiber)
        assert.deepInclude(error.reason, { _tag: "TimedOut", phase: "total", limit: Duration.seconds(5) })
        assert.strictEqual(error.attempts, 2)
      }).pipe(
        following(["no JSON", "still none"].map((answer) => LlmTest.text(answer).pipe(Effect.delay("3 seconds"))))
      ))

    it.effect("and sums the runs of the provider's tools, of any name", () =>
      Effect.gen(function*() {
        const { response } = yield* LlmClient.object(River, request)
        assert.deepStrictEqual(response.usage.serverToolUse, { constructor: 3, toString: 1 })
      }).pipe(following([
        LlmTest.text("no", { usage: { serverToolUse: { constructor: 1, toString: 1 } } }),
        LlmTest.object(elbe, { usage: { serverToolUse: { constructor: 2 } } })
      ])))

    it.effect("and sums usage and cost over all turns", () =>
      Effect.gen(function*() {
        const { response } = yield* LlmClient.object(River, request, { reask: 2 })
        assert.deepStrictEqual(response.usage, { inputTokens: 60, outputTokens: 6 })
        assert.strictEqual(response.cost, 0.75)
      }).pipe(following([
        LlmTest.text("no", { ...usage(10, 1), cost: 0.25 }),
        LlmTest.text("no", { usage: { inputTokens: 20, outputTokens: 2, reasoningTokens: 1 }, cost: 0.25 }),
        LlmTest.object(elbe, { ...usage(30, 3), cost: 0.25 })
      ])))

    it.effect("also for an answer with half a character", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual((yield* LlmClient.object(River, request)).value, elbe)
      }).pipe(following([LlmTest.text("no JSON \ud83d"), LlmTest.object(elbe)])))

    it.effect("with a list of issues that has an end", () =>
      Effect.gen(function*() {
        yield* LlmClient.object(Schema.Struct({ list: Schema.Array(Schema.Int) }), request)
        const [, second] = yield* LlmTest.requests
        const lines = second?.prompt.split("\n") ?? []
        assert.strictEqual(lines.length, 23)
        assert.strictEqual(lines[21], "- and 80 more")
      }).pipe(following([
        LlmTest.object({ list: Array.from({ length: 100 }, String) }),
        LlmTest.object({ list: [] })
      ])))
  })

  describe("keeps in the cache", () => {
    it.effect("the answer that fitted, under the first request's key, at the price of all", () =>
      Effect.gen(function*() {
        yield* LlmClient.object(River, request)
        const { response, value } = yield* LlmClient.object(River, request)
        assert.deepStrictEqual(value, elbe)
        assert.strictEqual(response.origin, "cache")
        assert.deepStrictEqual(response.usage, { inputTokens: 0, outputTokens: 0 })
        assert.deepStrictEqual(response.originalUsage, { inputTokens: 30, outputTokens: 3 })
      }).pipe(following([LlmTest.text("no JSON", usage(10, 1)), LlmTest.object(elbe, usage(20, 2))])))

    it.effect("none that does not fit", () =>
      Effect.gen(function*() {
        yield* failed(LlmClient.object(River, request, { reask: 0 }))
        const { value } = yield* LlmClient.object(River, request, { reask: 0 })
        assert.deepStrictEqual(value, elbe)
      }).pipe(following(["no JSON", LlmTest.object(elbe)])))

    it.effect("nothing where the caller says so", () =>
      Effect.gen(function*() {
        for (const cache of ["bypass", "readOnly"] as const) yield* LlmClient.object(River, request, { cache })
        yield* LlmClient.object(River, request)
        yield* LlmClient.object(River, request)
      }).pipe(following([LlmTest.repeat(LlmTest.object(elbe), 3)])))

    it.effect("an answer that is refreshed", () =>
      Effect.gen(function*() {
        yield* LlmClient.object(River, request)
        yield* LlmClient.object(River, request, { cache: "refresh" })
        const { response, value } = yield* LlmClient.object(River, request)
        assert.strictEqual(response.origin, "cache")
        assert.strictEqual(value.length, 1)
      }).pipe(following([LlmTest.object(elbe), LlmTest.object({ ...elbe, length: 1 })])))

    it.effect("one answer for each schema", () =>
      Effect.gen(function*() {
        yield* LlmClient.object(River, request)
        const { value } = yield* LlmClient.object(Schema.Struct({ name: Schema.String }), request)
        assert.deepStrictEqual(value, { name: "Oder" })
      }).pipe(following([LlmTest.object(elbe), LlmTest.object({ name: "Oder" })])))

    it.effect("an answer that another schema of the same JSON Schema did not take, until it is asked for itself", () =>
      Effect.gen(function*() {
        // The filter has no JSON Schema: both requests are the same.
        const Long = River.pipe(Schema.filter(({ length }) => length > 2000 || "a long river"))
        yield* LlmClient.object(River, request, { name: "River" })
        const { value } = yield* LlmClient.object(Long, request, { name: "River" })
        assert.strictEqual(value.length, 2850)
        assert.strictEqual((yield* LlmTest.eventsOf("CacheHit")).length, 1)
      }).pipe(following([LlmTest.object(elbe), LlmTest.object({ ...elbe, length: 2850 })])))
  })

  it.effect("takes a value without its wrapper for what it is, even if it has a property of the wrapper's name", () =>
    Effect.gen(function*() {
      const Amount = Schema.Union(Schema.String, Schema.Struct({ value: Schema.String, unit: Schema.String }))
      for (const cache of ["on", "bypass", "bypass", "bypass"] as const) {
        const { value } = yield* LlmClient.object(Amount, request, { cache })
        assert.deepStrictEqual(value, { value: "1094", unit: "km" })
      }
      // What is no value without the wrapper is in it.
      assert.strictEqual((yield* LlmClient.object(Amount, request, { cache: "bypass" })).value, "1094")
      assert.strictEqual((yield* LlmClient.object(Amount, request, { cache: "bypass" })).value, "1094")
    }).pipe(following([
      LlmTest.object({ value: "1094", unit: "km" }),
      LlmTest.object({ unit: "km", value: "1094" }),
      LlmTest.object({ value: "1094", unit: "km", note: "about" }),
      LlmTest.object({ value: { value: "1094", unit: "km" } }),
      LlmTest.object({ value: "1094" }),
      LlmTest.object({ value: "1094", note: "about" })
    ])))

  it.effect("shares the runs of equal calls, those that ask again too", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(
        Effect.all(Array.from({ length: 20 }, () => LlmClient.object(River, request)), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("10 seconds")
      const results = yield* Fiber.join(fiber)
      for (const { value } of results) assert.deepStrictEqual(value, elbe)
      assert.strictEqual((yield* LlmTest.requests).length, 2)
      const billed = results.reduce((sum, { response }) => sum + (response.usage.inputTokens ?? 0), 0)
      assert.strictEqual(billed, 30)
      yield* LlmClient.object(River, request)
    }).pipe(following([
      LlmTest.text("no JSON", usage(10, 1)).pipe(Effect.delay("1 second")),
      LlmTest.object(elbe, usage(20, 2)).pipe(Effect.delay("1 second"))
    ])))

  describe("before anything is sent", () => {
    it.effect("fails for a schema that the provider cannot take", () =>
      Effect.gen(function*() {
        const error = yield* failed(LlmClient.object(Schema.Struct({ size: Schema.BigIntFromSelf }), request))
        assert.strictEqual(error.reason._tag, "UnsupportedFeature")
        assert.include(error.message, "size is bigint")
        assert.deepInclude(error, { operation: "object", attempts: 0, provider: "test", model: "gpt-4o-mini" })
      }).pipe(following([])))

    it.effect("fails for a budget, a name or a request that makes no sense", () =>
      Effect.gen(function*() {
        const fieldOf = (error: LlmError.LlmError) =>
          error.reason._tag === "InvalidRequest" ? error.reason.field : error.reason._tag
        const errors = yield* Effect.all([
          failed(LlmClient.object(River, request, { reask: -1 })),
          failed(LlmClient.object(River, request, { reask: 0.5 })),
          failed(LlmClient.object(River, request, { name: "a river" })),
          failed(LlmClient.object(River, { model: "m", prompt: " " }))
        ])
        assert.deepStrictEqual(errors.map(fieldOf), ["reask", "reask", "outputSchema.name", "prompt"])
      }).pipe(following([])))
  })

  describe("in words", () => {
    const speechless = LlmTest.layer([
      LlmTest.repeat(({ outputSchema, system }) => LlmTest.object({ system, schema: outputSchema !== undefined }))
    ], { schemaDialect: undefined })

    const Told = Schema.Struct({ system: Schema.String, schema: Schema.Boolean })

    it.effect("gives the schema to a model whose provider knows no schemas", () =>
      Effect.gen(function*() {
        const { value } = yield* LlmClient.object(Told, { ...request, system: "Be exact." })
        assert.isFalse(value.schema)
        assert.match(
          value.system,
          /^Be exact\.\n\nAnswer with JSON that fits this JSON Schema, and nothing else: \{"type"/
        )
      }).pipe(Effect.provide(clientOn(speechless))))

    it.effect("gives any model, if asked to, a schema that its provider's own mode cannot express", () =>
      Effect.gen(function*() {
        const { value } = yield* LlmClient.object(Schema.Unknown, request, { mode: "prompt" })
        assert.strictEqual(value, 1)
        const [sent] = yield* LlmTest.requests
        assert.isUndefined(sent?.outputSchema)
        assert.include(sent?.system ?? "", "JSON Schema")
      }).pipe(following([LlmTest.object({ value: 1 })])))
  })

  describe("over HTTP", () => {
    const Basin = Schema.Struct({
      rivers: Schema.NonEmptyArray(River),
      area: Schema.Option(Schema.Int),
      lengths: Schema.Record({ key: Schema.String, value: Schema.Int }),
      place: Schema.Tuple(Schema.Number, Schema.Number),
      surveyed: Schema.Date
    })

    it.live.each([...Simulated.protocols])(
      "a model that follows the schema is understood: %s",
      (protocol) =>
        Simulated.over({}, (simulator) =>
          Effect.gen(function*() {
            const { layer, model } = Simulated.providers[protocol]
            const { response, value } = yield* LlmClient.object(Basin, { model, prompt: "The basin of the Elbe." })
              .pipe(
                Effect.provide(clientOn(layer(simulator.url)))
              )
            assert.isTrue(Schema.is(Basin)(value))
            assert.strictEqual(response.attempts, 1)
            assert.strictEqual((yield* simulator.requests).length, 1)
          }))
    )

    it.live.each([...Simulated.protocols])("and one that did not is asked again: %s", (protocol) =>
      Simulated.over({
        answer: ({ text }) => text.startsWith("Your answer") ? JSON.stringify({ value: "Elbe" }) : "It is the Elbe."
      }, (simulator) =>
        Effect.gen(function*() {
          const { layer, model } = Simulated.providers[protocol]
          const { response, value } = yield* LlmClient.object(Schema.String, { model, prompt: "Which river?" }).pipe(
            Effect.provide(clientOn(layer(simulator.url)))
          )
          assert.strictEqual(value, "Elbe")
          assert.strictEqual(response.attempts, 2)
          assert.strictEqual((yield* simulator.requests).length, 2)
        })))
  })
})
