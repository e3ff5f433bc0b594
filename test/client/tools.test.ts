import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmLogger from "effect-llm/LlmLogger"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as LlmTool from "effect-llm/LlmTool"
import * as Message from "effect-llm/Message"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import {
  callLength,
  callWait,
  following,
  lengths,
  lengthTool,
  reasonOf,
  request,
  toolResult,
  waitTool
} from "../support/toolRuns.js"

/** The arguments of the tool `length`, as a model that does not keep to them reads them. */
const lengthArguments = "{ readonly river: string; readonly unit?: \"km\" | \"mi\" | undefined }"

const clientOn = <R>(provider: Layer.Layer<LlmProvider.LlmProvider, never, R>) =>
  LlmClient.layer().pipe(Layer.provide([provider, LlmCache.layerNone, LlmLogger.layerSilent]))

describe("LlmClient.runTools", () => {
  it.effect("runs the tools that the model calls and sends it the results, until it answers", () =>
    Effect.gen(function*() {
      const { asked, tool } = lengthTool()
      const input = Object.freeze({
        model: "m",
        system: "Be exact.",
        messages: Object.freeze([Object.freeze({ role: "user", content: "How long are they?" } as const)])
      })
      const run = yield* LlmClient.runTools(input, [tool])
      const [first, second, ...others] = yield* LlmTest.requests
      assert.deepStrictEqual(asked, ["Elbe", "Oder"])
      assert.lengthOf(others, 0)
      assert.deepStrictEqual(first?.tools, [{
        name: "length",
        description: "The length of a river in kilometers.",
        parameters: {
          type: "object",
          properties: { river: { type: "string" }, unit: { type: "string", enum: ["km", "mi"] } },
          required: ["river"],
          additionalProperties: false
        }
      }])
      assert.deepStrictEqual(second?.tools, first?.tools)
      assert.strictEqual(second?.system, "Be exact.")
      assert.deepStrictEqual(second?.messages, [
        { role: "user", content: [Message.Text.make({ text: "How long are they?" })] },
        {
          role: "assistant",
          content: ["Elbe", "Oder"].map((river, i) =>
            Message.ToolCall.make({ id: `call_${i}`, name: "length", arguments: { river } })
          )
        },
        { role: "tool", content: [toolResult("call_0", 1094), toolResult("call_1", 840)] }
      ])
      assert.strictEqual(run.response.text, "1094 and 840 km")
      assert.deepStrictEqual(run.messages, [
        ...second?.messages ?? [],
        { role: "assistant", content: [Message.Text.make({ text: "1094 and 840 km" })] }
      ])
      assert.deepStrictEqual(run.steps.map(({ response, results }) => [response.finishReason, results.length]), [
        ["tool_calls", 2],
        ["stop", 0]
      ])
    }).pipe(following([callLength("Elbe", "Oder"), "1094 and 840 km"])))

  it.effect("gives the answer that calls nothing as `call` would", () =>
    Effect.gen(function*() {
      const { asked, tool } = lengthTool()
      const { messages, response, steps } = yield* LlmClient.runTools(request, [tool])
      assert.strictEqual(response.text, "I know: 1094.")
      assert.lengthOf(steps, 1)
      assert.lengthOf(messages, 2)
      assert.lengthOf(asked, 0)
    }).pipe(following(["I know: 1094."])))

  it.effect("sums usage, cost, attempts and time over all turns, and leaves each turn its own", () =>
    Effect.gen(function*() {
      const slow = LlmTool.make("length", { handler: () => Effect.delay(Effect.succeed(1), "5 seconds") })
      const fiber = yield* Effect.fork(LlmClient.runTools(request, [slow]))
      yield* TestClock.adjust("1 minute")
      const { response, steps } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(response.usage, { inputTokens: 30, outputTokens: 3 })
      assert.strictEqual(response.cost, 0.75)
      assert.strictEqual(response.attempts, 3)
      assert.isTrue(Duration.greaterThan(response.latency, Duration.seconds(5)))
      assert.deepStrictEqual(steps.map((step) => step.response.usage.inputTokens), [10, 20])
      assert.deepStrictEqual(steps.map((step) => step.response.attempts), [1, 2])
    }).pipe(following([
      LlmTest.toolCalls([{ name: "length", arguments: {} }], {
        usage: { inputTokens: 10, outputTokens: 1 },
        cost: 0.25
      }),
      LlmTest.fail(LlmError.Overloaded.make({})),
      LlmTest.text("done", { usage: { inputTokens: 20, outputTokens: 2 }, cost: 0.5 })
    ])))

  it.effect("takes each turn through the pipeline of `call`: what is known is not asked again", () =>
    Effect.gen(function*() {
      const { asked, tool } = lengthTool()
      yield* LlmClient.runTools(request, [tool])
      const { response, steps } = yield* LlmClient.runTools(request, [tool])
      assert.deepStrictEqual(steps.map((step) => step.response.origin), ["cache", "cache"])
      assert.deepStrictEqual(response.usage, { inputTokens: 0, outputTokens: 0 })
      assert.deepStrictEqual(asked, ["Elbe", "Elbe"])
    }).pipe(following([callLength("Elbe"), "1094 km"])))

  it.effect("sends reasoning, signatures and texts of a turn back as they came", () =>
    Effect.gen(function*() {
      const { tool } = lengthTool()
      const parts = [
        Message.Reasoning.make({ text: "Hm.", signature: "sig", provider: "test" }),
        Message.Text.make({ text: "Let me look." }),
        Message.ToolCall.make({ id: "1", name: "length", arguments: { river: "Elbe" }, signature: "mark" })
      ]
      yield* LlmClient.runTools(request, [tool]).pipe(following([
        () => LlmResponse.make({ parts, finishReason: "tool_calls", model: "m", provider: "test" }),
        ({ messages }) => {
          assert.deepStrictEqual(messages[1], { role: "assistant", content: parts })
          return "ok"
        }
      ]))
    }))

  describe("sends the model", () => {
    const told = (...results: ReadonlyArray<Message.ToolResult>) => (request: { readonly messages: unknown }) => {
      assert.deepStrictEqual((request.messages as ReadonlyArray<unknown>).at(-1), { role: "tool", content: results })
      return "ok"
    }

    it.effect("the failures of its calls, where the handler says so", () =>
      LlmClient.runTools(request, [lengthTool().tool]).pipe(following([
        callLength("Rhone", "Elbe"),
        told(toolResult("call_0", "no river is called Rhone", { isError: true }), toolResult("call_1", 1094))
      ])))

    it.effect("where its arguments do not fit, and what was expected; the other calls are run", () =>
      Effect.gen(function*() {
        const { asked, tool } = lengthTool()
        yield* LlmClient.runTools(request, [tool]).pipe(following([
          LlmTest.toolCalls([
            { id: "a", name: "length", arguments: { river: 7, unit: "yd" } },
            { id: "b", name: "length", arguments: { river: "Elbe" } },
            { id: "c", name: "length", arguments: "Elbe" }
          ]),
          told(
            toolResult(
              "a",
              [
                "The arguments do not fit the tool's schema:",
                "- river: expected string",
                "- unit: expected \"km\" | \"mi\"",
                "Call the tool again with all arguments, corrected."
              ].join("\n"),
              { isError: true }
            ),
            toolResult("b", 1094),
            toolResult(
              "c",
              [
                "The arguments do not fit the tool's schema:",
                `- the arguments: expected ${lengthArguments}`,
                "Call the tool again with all arguments, corrected."
              ].join("\n"),
              { isError: true }
            )
          )
        ]))
        assert.deepStrictEqual(asked, ["Elbe"])
      }))

    it.effect("which tools there are, where it calls another", () =>
      LlmClient.runTools(request, [lengthTool().tool, LlmTool.make("depth", { handler: () => Effect.void })]).pipe(
        following([
          LlmTest.toolCalls([{ id: "a", name: "width", arguments: {} }]),
          told(toolResult("a", "There is no such tool. There are: length, depth.", { name: "width", isError: true }))
        ])
      ))

    it.effect("results as JSON: nothing as null, a text as it is, and all else in its own form", () =>
      Effect.gen(function*() {
        const results: Readonly<Record<string, unknown>> = {
          nothing: undefined,
          text: "1094 km",
          date: new Date(0),
          nested: { at: new Date(0), gone: undefined, list: [1, undefined] },
          error: Duration.seconds(1)
        }
        const tool = LlmTool.make("length", {
          parameters: Schema.Struct({ river: Schema.String }),
          handler: ({ river }) => Effect.succeed(results[river])
        })
        yield* LlmClient.runTools(request, [tool]).pipe(following([
          callLength(...Object.keys(results)),
          ({ messages }) => {
            const last = messages.at(-1)
            assert.deepStrictEqual(last?.role === "tool" ? last.content.map(({ result }) => result) : undefined, [
              null,
              "1094 km",
              "1970-01-01T00:00:00.000Z",
              { at: "1970-01-01T00:00:00.000Z", list: [1, null] },
              { _id: "Duration", _tag: "Millis", millis: 1000 }
            ])
            return "ok"
          }
        ]))
      }))
  })

  describe("fails", () => {
    it.effect("with what a handler fails with, at once, and with its type", () =>
      Effect.gen(function*() {
        const { asked, tool } = lengthTool()
        const failures = yield* LlmClient.runTools(request, [tool]).pipe(
          Effect.catchTag("LlmError", () => Effect.dieMessage("not this one")),
          Effect.flip
        )
        assert.strictEqual(failures.river, "Okavango")
        assert.deepStrictEqual(asked, ["Okavango"])
      }).pipe(following([callLength("Okavango", "Elbe")])))

    it.effect("with ToolArgumentsInvalid once the model was warned before, and runs nothing of that turn", () =>
      Effect.gen(function*() {
        const { asked, tool } = lengthTool()
        const error = yield* Effect.flip(LlmClient.runTools(request, [tool]))
        assert.deepStrictEqual({ ...reasonOf(error) }, {
          _tag: "ToolArgumentsInvalid",
          name: "length",
          raw: "{\"river\":[\"secret\"]}",
          issues: [{ path: "river", expected: "string" }],
          message: "the arguments do not fit the tool's schema"
        })
        assert.deepInclude(error, { operation: "runTools", attempts: 2, provider: "test", model: "gpt-4o-mini" })
        assert.notInclude(`${error} ${JSON.stringify(error)}`, "secret")
        assert.include(`${error}`, "river: string")
        assert.deepStrictEqual(asked, [])
      }).pipe(following([callLength(7), callLength("Elbe", ["secret"])])))

    it.effect("likewise for a tool that does not exist, and names those that do", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(LlmClient.runTools(request, [lengthTool().tool], { reask: 0 }))
        assert.deepInclude(reasonOf(error), { _tag: "ToolArgumentsInvalid", name: "width", available: ["length"] })
        assert.notProperty(reasonOf(error), "issues")
      }).pipe(following([LlmTest.toolCalls([{ name: "width", arguments: {} }])])))

    it.effect("after as many wrong turns in a row as it may, and a right one in between is a new beginning", () =>
      Effect.gen(function*() {
        const { tool } = lengthTool()
        const error = yield* Effect.flip(LlmClient.runTools(request, [tool], { reask: 2, maxSteps: 20 }))
        assert.strictEqual(reasonOf(error)._tag, "ToolArgumentsInvalid")
      }).pipe(following([
        callLength(1),
        callLength(2),
        callLength("Elbe"),
        callLength(3),
        callLength(4),
        callLength(5)
      ])))

    it.effect("as the call of a turn fails, after its retries, with all attempts counted", () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.fork(
          Effect.flip(LlmClient.runTools(request, [lengthTool().tool], { retry: { times: 1 } }))
        )
        yield* TestClock.adjust("1 minute")
        const error = yield* Fiber.join(fiber)
        assert.strictEqual(reasonOf(error)._tag, "Overloaded")
        assert.deepInclude(error, { operation: "runTools", attempts: 3 })
      }).pipe(
        following([callLength("Elbe"), LlmTest.repeat(LlmTest.fail(LlmError.Overloaded.make({})), 2)])
      ))

    it.effect("before anything is sent, where the options, the request or the tools make no sense", () =>
      Effect.gen(function*() {
        const { tool } = lengthTool()
        const fieldOf = (error: unknown) => {
          const reason = reasonOf(error)
          return reason._tag === "InvalidRequest" ? reason.field : reason._tag
        }
        const strange = LlmTool.make("no spaces", { handler: () => Effect.void })
        const big = LlmTool.make("big", {
          parameters: Schema.Struct({ size: Schema.BigIntFromSelf }),
          handler: () => Effect.void
        })
        const errors = yield* Effect.all([
          LlmClient.runTools(request, [tool], { maxSteps: 0 }),
          LlmClient.runTools(request, [tool], { concurrency: 0.5 }),
          LlmClient.runTools(request, [tool], { reask: -1 }),
          LlmClient.runTools(request, [tool], { runDeadline: 0 }),
          LlmClient.runTools({ ...request, tools: [{ name: "other", parameters: {} }] }, [tool]),
          LlmClient.runTools(request, [tool, lengthTool().tool]),
          LlmClient.runTools(request, [strange]),
          LlmClient.runTools({ model: "m", prompt: " " }, [tool]),
          LlmClient.runTools(request, [big])
        ].map((run) => Effect.flip(run)))
        assert.deepStrictEqual(errors.map(fieldOf), [
          "maxSteps",
          "concurrency",
          "reask",
          "runDeadline",
          "tools",
          "tools",
          "tools[0].name",
          "prompt",
          "UnsupportedFeature"
        ])
        for (const error of errors) assert.propertyVal(error, "operation", "runTools")
        assert.include(String(errors.at(-1)), "size is bigint")
      }).pipe(following([])))

    it.effect("by dying, where a handler dies", () =>
      Effect.gen(function*() {
        const dying = (handler: () => Effect.Effect<unknown>) =>
          LlmClient.runTools(request, [LlmTool.make("length", { handler })], { cache: "bypass" }).pipe(
            Effect.exit,
            Effect.map((exit) => Exit.isFailure(exit) && Cause.isDie(exit.cause))
          )
        assert.isTrue(yield* dying(() => Effect.die("bug")))
        assert.isTrue(
          yield* dying(() => {
            throw new Error("bug")
          })
        )
      }).pipe(following([LlmTest.repeat(callLength("Elbe"), 2)])))
  })

  describe("ends", () => {
    it.effect("at the limit of its turns with the calls that were not run, and a further run goes on with them", () =>
      Effect.gen(function*() {
        const { asked, tool } = lengthTool()
        const stopped = yield* LlmClient.runTools(request, [tool], { maxSteps: 2 })
        assert.strictEqual(stopped.response.finishReason, "tool_calls")
        assert.lengthOf(stopped.steps, 2)
        assert.deepStrictEqual(asked, ["Elbe"])
        const { messages, response } = yield* LlmClient.runTools({ model: "m", messages: stopped.messages }, [tool])
        assert.deepStrictEqual(asked, ["Elbe", "Oder"])
        assert.strictEqual(response.text, "done")
        assert.deepStrictEqual(messages.map(({ role }) => role), [
          "user",
          "assistant",
          "tool",
          "assistant",
          "tool",
          "assistant"
        ])
      }).pipe(following([callLength("Elbe"), callLength("Oder"), "done"])))

    it.effect("after eight turns, if nothing else is said", () =>
      Effect.gen(function*() {
        const { steps } = yield* LlmClient.runTools(request, [lengthTool().tool])
        assert.lengthOf(steps, 8)
      }).pipe(following([LlmTest.repeat(callLength("Elbe"), 8)])))

    it.effect.each(["length", "content_filter", "refusal", "context_window"] as const)(
      "with an answer that was cut short or refused, and runs none of its calls: %s",
      (finishReason) =>
        Effect.gen(function*() {
          const { asked, tool } = lengthTool()
          const { response } = yield* LlmClient.runTools(request, [tool])
          assert.strictEqual(response.finishReason, finishReason)
          assert.deepStrictEqual(asked, [])
        }).pipe(following([
          LlmTest.toolCalls([{ name: "length", arguments: { river: "Elbe" } }], { finishReason })
        ]))
    )

    it.effect("not where the provider paused and wants its turn sent back", () =>
      Effect.gen(function*() {
        const { response, steps } = yield* LlmClient.runTools(request, [lengthTool().tool])
        assert.lengthOf(steps, 2)
        assert.strictEqual(response.text, "done")
        const [, second] = yield* LlmTest.requests
        assert.strictEqual(second?.messages.at(-1)?.role, "assistant")
      }).pipe(following([LlmTest.text("Searching", { finishReason: "pause" }), "done"])))
  })

  describe("forces a call", () => {
    const choices = (toolChoice: "required" | "none" | { readonly tool: string }) =>
      Effect.gen(function*() {
        yield* LlmClient.runTools({ ...request, toolChoice }, [lengthTool().tool])
        return (yield* LlmTest.requests).map((request) => request.toolChoice)
      }).pipe(following([callLength("Elbe"), "done"]))

    it.effect("in the first turn only, so that the model comes to an answer", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* choices("required"), ["required", "auto"])
        assert.deepStrictEqual(yield* choices({ tool: "length" }), [{ tool: "length" }, "auto"])
        assert.deepStrictEqual(yield* choices("none"), ["none", "none"])
      }))
  })

  describe("runs the calls of a turn", () => {
    const resultsOf = (run: LlmClient.ToolRun) => run.steps[0]?.results.map(({ result }) => result)

    it.effect("one after another, if nothing else is said", () =>
      Effect.gen(function*() {
        const { log, tool } = waitTool()
        const fiber = yield* Effect.fork(LlmClient.runTools(request, [tool]))
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(resultsOf(yield* Fiber.join(fiber)), [3, 1])
        assert.deepStrictEqual(log, ["begin 3", "end 3", "begin 1", "end 1"])
      }).pipe(following([callWait(3, 1), "done"])))

    it.effect("as many at a time as is set, with the results in the order of the calls", () =>
      Effect.gen(function*() {
        const { log, tool } = waitTool()
        const fiber = yield* Effect.fork(LlmClient.runTools(request, [tool], { concurrency: 2 }))
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(resultsOf(yield* Fiber.join(fiber)), [3, 1, 2])
        assert.deepStrictEqual(log.slice(0, 4), ["begin 3", "begin 1", "end 1", "begin 2"])
      }).pipe(following([callWait(3, 1, 2), "done"])))

    it.effect("and interrupts them when it is interrupted", () =>
      Effect.gen(function*() {
        const { log, tool } = waitTool()
        const fiber = yield* Effect.fork(LlmClient.runTools(request, [tool], { concurrency: "unbounded" }))
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(log.toSorted(), ["begin 5", "begin 9", "interrupted 5", "interrupted 9"])
      }).pipe(following([callWait(9, 5)])))

    it.effect("and interrupts them when the time of the run is over", () =>
      Effect.gen(function*() {
        const { log, tool } = waitTool()
        const fiber = yield* Effect.fork(Effect.flip(
          LlmClient.runTools(request, [tool], { runDeadline: "4 seconds" })
        ))
        yield* TestClock.adjust("4 seconds")
        const error = yield* Fiber.join(fiber)
        assert.deepInclude(reasonOf(error), { _tag: "TimedOut", phase: "total", limit: Duration.seconds(4) })
        assert.deepInclude(error, { operation: "runTools", attempts: 2 })
        assert.deepStrictEqual(log, ["begin 3", "end 3", "begin 9", "interrupted 9"])
      }).pipe(following([callWait(3), callWait(9)])))

    it.effect("and not within the deadline of a turn's call, which is about the model", () =>
      Effect.gen(function*() {
        const { tool } = waitTool()
        const fiber = yield* Effect.fork(LlmClient.runTools(request, [tool], { deadline: "2 seconds" }))
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* Fiber.join(fiber)).response.text, "done")
      }).pipe(following([callWait(9), "done"])))

    it.effect("each in a span of its own, named and attributed by OpenTelemetry's conventions", () =>
      Effect.gen(function*() {
        const tool = LlmTool.make("length", {
          handler: () =>
            Effect.map(
              Effect.orDie(Effect.currentSpan),
              ({ attributes, kind, name }) => [name, kind, Object.fromEntries(attributes)]
            )
        })
        const { steps } = yield* LlmClient.runTools(request, [tool])
        assert.deepStrictEqual(steps[0]?.results.map(({ result }) => result), [[
          "execute_tool length",
          "internal",
          {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "length",
            "gen_ai.tool.call.id": "call_0",
            "gen_ai.tool.type": "function"
          }
        ]])
      }).pipe(following([callLength("secret"), "done"])))

    it.effect("with the services that handlers and schemas need", () =>
      Effect.gen(function*() {
        class Atlas extends Context.Tag("Atlas")<Atlas, { readonly find: (name: string) => number }>() {}
        class Names extends Context.Tag("Names")<Names, (name: string) => string>() {}
        const River = Schema.transformOrFail(Schema.String, Schema.String, {
          strict: true,
          decode: (name) => Effect.map(Names, (translate) => translate(name)),
          encode: Effect.succeed
        })
        const tool = LlmTool.make("length", {
          parameters: Schema.Struct({ river: River }),
          handler: ({ river }) => Effect.map(Atlas, (atlas) => atlas.find(river))
        })
        const run = yield* LlmClient.runTools(request, [tool]).pipe(
          Effect.provideService(Atlas, { find: (name) => lengths[name] ?? 0 }),
          Effect.provideService(Names, (name) => name === "Labe" ? "Elbe" : name)
        )
        assert.deepStrictEqual(run.steps[0]?.results, [toolResult("call_0", 1094)])
      }).pipe(following([callLength("Labe"), "done"])))
  })

  it.effect("puts each tool to the provider as strictly as that can take it", () =>
    Effect.gen(function*() {
      const definitions = (schemaDialect: LlmProvider.SchemaDialect | undefined, strict?: boolean) =>
        Effect.map(
          LlmClient.toolkit([
            LlmTool.make("said", { parameters: Schema.Struct({ a: Schema.optional(Schema.String) }), strict }),
            LlmTool.make("unsaid", { parameters: Schema.Struct({ a: Schema.Unknown }), strict })
          ]),
          ({ definitions }) => definitions.map(({ parameters, strict }) => [strict, parameters.required])
        ).pipe(Effect.provide(clientOn(LlmTest.layer([], { schemaDialect }))))
      const loose = [[false, []], [false, ["a"]]]
      assert.deepStrictEqual(yield* definitions("openai"), [[true, ["a"]], [false, ["a"]]])
      assert.deepStrictEqual(yield* definitions("anthropic"), [[true, []], [false, ["a"]]])
      assert.deepStrictEqual(yield* definitions("openai", false), loose)
      assert.deepStrictEqual(yield* definitions("anthropic", false), loose)
      assert.deepStrictEqual(yield* definitions("plain"), [[undefined, []], [undefined, ["a"]]])
      assert.deepStrictEqual(yield* definitions(undefined), [[undefined, []], [undefined, ["a"]]])
      const error = yield* Effect.flip(definitions("openai", true))
      assert.include(error.message, "a is a value of any type")
      assert.include((yield* Effect.flip(definitions("gemini"))).message, "a is a value of any type")
    }))
})

describe("LlmTool.toolkit", () => {
  const Forecast = LlmTool.make("forecast", { parameters: Schema.Struct({ city: Schema.String, day: Schema.Date }) })
  const Alarm = LlmTool.make("alarm", {
    parameters: Schema.Struct({ at: Schema.optionalWith(Schema.Int, { default: () => 7 }) })
  })

  const answerOf = (...calls: ReadonlyArray<Message.ToolCall>) =>
    LlmResponse.make({
      parts: [Message.Text.make({ text: "Well." }), ...calls],
      finishReason: "tool_calls",
      model: "m",
      provider: "p",
      requestId: "req_1"
    })
  const call = (name: string, args: unknown, fields: Partial<Message.ToolCall> = {}) =>
    Message.ToolCall.make({ id: `id of ${name}`, name, arguments: args, ...fields })

  const dialects: ReadonlyArray<LlmProvider.SchemaDialect> = ["openai", "anthropic", "gemini", "plain"]

  it.effect.each(dialects)(
    "gives the calls of an answer with their arguments as values (%s)",
    (dialect) =>
      Effect.gen(function*() {
        const { toolCalls } = yield* LlmTool.toolkit([Forecast, Alarm], { dialect })
        const calls = yield* toolCalls(answerOf(
          call("alarm", dialect === "openai" ? { at: null } : {}),
          call("forecast", { city: "Kiel", day: "1970-01-01T00:00:00.000Z" })
        ))
        assert.deepStrictEqual(calls, [
          { id: "id of alarm", name: "alarm", arguments: { at: 7 } },
          { id: "id of forecast", name: "forecast", arguments: { city: "Kiel", day: new Date(0) } }
        ])
        const [first] = calls
        if (first?.name === "alarm") assert.strictEqual(first.arguments.at, 7)
      })
  )

  it.effect("gives the arguments of a call as their schema decodes them, whatever the dialect made of it", () =>
    Effect.gen(function*() {
      const Marks = LlmTool.make("marks", {
        parameters: Schema.Struct({
          river: Schema.optional(Schema.String),
          marks: Schema.Record({ key: Schema.String, value: Schema.NumberFromString })
        })
      })
      const { encodedArguments } = yield* LlmTool.toolkit([Marks], { dialect: "openai" })
      const asked = { river: null, marks: [{ key: "low", value: "7" }] }
      assert.deepStrictEqual(encodedArguments(call("marks", asked)), Either.right({ marks: { low: "7" } }))
      // The schema would not take them.
      assert.deepStrictEqual(encodedArguments(call("marks", { river: 1 })), Either.right({ river: 1 }))
      const reasonOf = (call: Message.ToolCall) => Either.getOrThrow(Either.flip(encodedArguments(call)))
      assert.deepInclude({ ...reasonOf(call("flood", {})) }, { _tag: "ToolArgumentsInvalid", available: ["marks"] })
      assert.deepInclude({ ...reasonOf(call("marks", "{\"ri", { incomplete: true })) }, { _tag: "OutputTruncated" })
    }))

  it.effect("unwraps arguments that are no object", () =>
    Effect.gen(function*() {
      const { definitions, toolCalls } = yield* LlmTool.toolkit([
        LlmTool.make("sum", { parameters: Schema.Array(Schema.Number) })
      ])
      assert.deepInclude(definitions[0]?.parameters, { type: "object", required: ["value"] })
      assert.deepStrictEqual((yield* toolCalls(answerOf(call("sum", { value: [1, 2] }))))[0]?.arguments, [1, 2])
    }))

  const wrong = {
    "arguments that do not fit": [call("forecast", { city: "secret" }), {
      _tag: "ToolArgumentsInvalid",
      name: "forecast",
      raw: "{\"city\":\"secret\"}",
      issues: [{ path: "day", expected: "a value: it is missing" }]
    }],
    "a tool that there is not": [call("bake", { cake: "secret" }), {
      _tag: "ToolArgumentsInvalid",
      name: "bake",
      raw: "{\"cake\":\"secret\"}",
      available: ["forecast", "alarm"]
    }],
    "a call that was cut short": [call("forecast", "{\"city\":\"sec", { incomplete: true }), {
      _tag: "OutputTruncated",
      text: "{\"city\":\"sec"
    }]
  } as const

  it.effect.each(Object.entries(wrong))(
    "fails for %s, and shows none of them",
    ([_, [wrong, expected]]) =>
      Effect.gen(function*() {
        const { toolCalls } = yield* LlmTool.toolkit([Forecast, Alarm])
        const error = yield* Effect.flip(toolCalls(answerOf(call("alarm", {}), wrong)))
        assert.deepInclude({ ...error.reason }, expected)
        assert.deepInclude(error, { provider: "p", model: "m", requestId: "req_1", attempts: 1 })
        assert.notInclude(`${error} ${JSON.stringify(error)}`, "sec")
      })
  )
})
