import { assert, describe, it } from "@effect/vitest"
import * as LlmError from "effect-llm/LlmError"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as z from "zod"
import { callLength, following, lengthTool, reasonOf, request, toolResult, ways } from "../support/toolRuns.js"

const River = Schema.Struct({ name: Schema.String, kilometers: Schema.NumberFromString })
const elbe = { name: "Elbe", kilometers: "1094" }

/** The answer as a call of the tool that takes it. */
const callAnswer = (value: unknown, id = "answer_0") => LlmTest.toolCalls([{ name: "answer", id, arguments: value }])

describe.each(ways)("LlmClient.%s: output", (operation, run) => {
  it.effect("gives the final answer as a value", () =>
    Effect.gen(function*() {
      const { asked, tool } = lengthTool()
      const { response, steps, value } = yield* run(request, [tool], { output: River })
      assert.deepStrictEqual(value, { name: "Elbe", kilometers: 1094 })
      assert.deepStrictEqual(asked, ["Elbe"])
      assert.deepStrictEqual(steps.map(({ results }) => results.length), [1, 0])
      assert.strictEqual(response.text, JSON.stringify(elbe))
      const requests = yield* LlmTest.requests
      assert.deepStrictEqual(
        requests.map(({ outputSchema, tools }) => [outputSchema?.schema.required, tools?.map(({ name }) => name)]),
        [[["name", "kilometers"], ["length"]], [["name", "kilometers"], ["length"]]]
      )
    }).pipe(following([callLength("Elbe"), LlmTest.object(elbe)])))

  it.effect("reads it with a schema of another library, and with the services of a schema", () =>
    Effect.gen(function*() {
      class Names extends Context.Tag("Names")<Names, (name: string) => string>() {}
      const Translated = Schema.Struct({
        name: Schema.transformOrFail(Schema.String, Schema.String, {
          strict: true,
          decode: (name) => Effect.map(Names, (translate) => translate(name)),
          encode: Effect.succeed
        })
      })
      const zod = yield* run(request, [], { output: z.object({ name: z.string() }) })
      const effect = yield* run({ ...request, seed: 1 }, [], { output: Translated }).pipe(
        Effect.provideService(Names, (name) => name.toUpperCase())
      )
      assert.deepStrictEqual([zod.value, effect.value], [{ name: "Elbe" }, { name: "ELBE" }])
    }).pipe(following([LlmTest.object({ name: "Elbe" }), LlmTest.object({ name: "Elbe" })])))

  it.effect("asks again for an answer that does not fit, with what was expected, and bills both", () =>
    Effect.gen(function*() {
      const { messages, response, steps, value } = yield* run(request, [lengthTool().tool], { output: River })
      assert.strictEqual(value?.kilometers, 1094)
      assert.strictEqual(response.usage.outputTokens, 3)
      assert.lengthOf(steps, 3)
      const complaint = messages.at(-2)
      assert.deepStrictEqual(complaint, {
        role: "user",
        content: [{
          _tag: "Text",
          text: [
            "Your answer does not fit the schema:",
            "- kilometers: expected a value: it is missing",
            "Answer again with the whole JSON, corrected, and nothing else."
          ].join("\n")
        }]
      })
      assert.deepStrictEqual<unknown>((yield* LlmTest.requests).at(-1)?.messages, messages.slice(0, -1))
      assert.deepInclude((yield* LlmTest.eventsOf("OutputRejected"))[0], { attempt: 2, issues: 1, willRetry: true })
    }).pipe(following([
      LlmTest.toolCalls([{ name: "length", arguments: { river: "Elbe" } }], { usage: { outputTokens: 1 } }),
      LlmTest.object({ name: "Elbe" }, { usage: { outputTokens: 1 } }),
      LlmTest.object(elbe, { usage: { outputTokens: 1 } })
    ])))

  it.effect("fails with OutputInvalid once it has asked as often as `reask` says", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(run(request, [lengthTool().tool], { output: River, reask: 2 }))
      assert.deepInclude(error, { operation, attempts: 3 })
      assert.deepInclude(reasonOf(error), {
        _tag: "OutputInvalid",
        text: "no",
        issues: [{ path: "", expected: "one JSON value" }]
      })
    }).pipe(following(["not", "at all", "no"])))

  it.effect("fails at the last turn, where there is none left to ask again", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(run(request, [lengthTool().tool], { output: River, maxSteps: 1 }))
      assert.strictEqual(reasonOf(error)._tag, "OutputInvalid")
    }).pipe(following(["no"])))

  it.effect("counts wrong calls and wrong answers in a row together", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(run(request, [lengthTool().tool], { output: River }))
      assert.strictEqual(reasonOf(error)._tag, "OutputInvalid")
    }).pipe(following([callLength(7), "no"])))

  it.effect.each(
    [
      ["length", "OutputTruncated"],
      ["content_filter", "ContentFiltered"],
      ["refusal", "Refused"]
    ] as const
  )("fails where the answer is none, as `object` does: %s", ([finishReason, tag]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(run(request, [lengthTool().tool], { output: River }))
      assert.strictEqual(reasonOf(error)._tag, tag)
      assert.deepInclude(error, { requestId: "req_1" })
    }).pipe(following([LlmTest.text("{\"na", { finishReason, requestId: "req_1" })])))

  it.effect("has no value where the run ends before the answer", () =>
    Effect.gen(function*() {
      const { response, value } = yield* run(request, [lengthTool().tool], { output: River, maxSteps: 1 })
      assert.isUndefined(value)
      assert.strictEqual(response.finishReason, "tool_calls")
    }).pipe(following([callLength("Elbe")])))

  it.effect("fails before anything is sent or run, where the provider cannot be asked for the schema", () =>
    Effect.gen(function*() {
      const { asked, tool } = lengthTool()
      const input = {
        model: "m",
        messages: [
          { role: "user", content: "How long is it?" },
          { role: "assistant", content: [{ _tag: "ToolCall", id: "1", name: "length", arguments: { river: "Elbe" } }] }
        ]
      } as const
      const error = yield* Effect.flip(run(input, [tool], { output: Schema.Struct({ size: Schema.BigIntFromSelf }) }))
      assert.strictEqual(reasonOf(error)._tag, "UnsupportedFeature")
      assert.strictEqual(error._tag === "LlmError" ? error.operation : "", operation)
      assert.deepStrictEqual(asked, [])
    }).pipe(following([])))

  describe("by a tool", () => {
    const options = { output: River, outputMode: "tool" } as const

    it.effect("takes the call as the answer, and leaves a conversation that can go on", () =>
      Effect.gen(function*() {
        const { tool } = lengthTool()
        const { messages, steps, value } = yield* run({ ...request, toolChoice: "required" }, [tool], options)
        assert.deepStrictEqual(value, { name: "Elbe", kilometers: 1094 })
        assert.deepStrictEqual(steps.map(({ results }) => results.length), [1, 0])
        const requests = yield* LlmTest.requests
        assert.deepStrictEqual(requests.map(({ toolChoice }) => toolChoice), ["required", "auto"])
        assert.deepStrictEqual(requests[0]?.tools?.map(({ name }) => name), ["length", "answer"])
        assert.deepStrictEqual(messages.slice(-2), [
          { role: "assistant", content: [{ _tag: "ToolCall", id: "answer_0", name: "answer", arguments: elbe }] },
          {
            role: "tool",
            content: [{ _tag: "ToolResult", id: "answer_0", name: "answer", result: "The answer was taken." }]
          }
        ])
        const next = yield* run({ model: "m", messages: [...messages, { role: "user", content: "Thanks." }] }, [tool])
        assert.strictEqual(next.response.text, "You are welcome.")
      }).pipe(following([callLength("Elbe"), callAnswer(elbe), "You are welcome."])))

    it.effect("takes an answer in words, too, if it has the value", () =>
      Effect.gen(function*() {
        const { value } = yield* run(request, [lengthTool().tool], options)
        assert.strictEqual(value?.kilometers, 1094)
      }).pipe(following([`Here it is: ${JSON.stringify(elbe)}`])))

    it.effect("has the model call the tool after an answer that does not fit", () =>
      Effect.gen(function*() {
        const { value } = yield* run(request, [lengthTool().tool], { ...options, reask: 2 })
        assert.strictEqual(value?.kilometers, 1094)
        const requests = yield* LlmTest.requests
        assert.deepStrictEqual(requests.map(({ toolChoice }) => toolChoice), [
          undefined,
          { tool: "answer" },
          { tool: "answer" }
        ])
        const last = requests[2]?.messages.at(-1)
        assert.isTrue(last?.role === "tool" && last.content[0].isError)
      }).pipe(following(["It is long.", callAnswer({ name: "Elbe" }), callAnswer(elbe)])))

    it.effect("asks again for arguments that are not JSON", () =>
      Effect.gen(function*() {
        const { value } = yield* run(request, [lengthTool().tool], options)
        assert.strictEqual(value?.kilometers, 1094)
      }).pipe(following([
        LlmTest.fail(LlmError.ToolArgumentsInvalid.make({ name: "answer", raw: "{\"name\":" })),
        callAnswer(elbe)
      ])))

    it.effect("takes no answer that comes with other calls, as these can change it", () =>
      Effect.gen(function*() {
        const { asked, tool } = lengthTool()
        const { steps, value } = yield* run(request, [tool], options)
        assert.deepStrictEqual(asked, ["Elbe"])
        assert.strictEqual(value?.kilometers, 1094)
        assert.deepStrictEqual(steps[0]?.results, [
          {
            _tag: "ToolResult",
            id: "b",
            name: "answer",
            result: "The answer comes last: call this tool again, alone, once you have the other results.",
            isError: true
          },
          toolResult("a", 1094)
        ])
      }).pipe(following([
        LlmTest.toolCalls([
          { id: "b", name: "answer", arguments: { name: "Elbe", kilometers: "0" } },
          { id: "a", name: "length", arguments: { river: "Elbe" } }
        ]),
        callAnswer(elbe)
      ])))
  })

  it.effect("knows the tool of the answer in the calls that a conversation begins with", () =>
    Effect.gen(function*() {
      const { asked, tool } = lengthTool()
      const options = { output: River, outputMode: "tool" } as const
      const stopped = yield* run(request, [tool], { ...options, maxSteps: 1 })
      const { value } = yield* run({ model: "m", messages: stopped.messages }, [tool], { ...options, reask: 0 })
      assert.strictEqual(value?.name, "Elbe")
      assert.deepStrictEqual(asked, ["Elbe"])
    }).pipe(following([
      LlmTest.toolCalls([
        { id: "a", name: "length", arguments: { river: "Elbe" } },
        { id: "b", name: "answer", arguments: elbe }
      ]),
      callAnswer(elbe)
    ])))

  it.effect("in words, keeps the instructions of a turn beside its own", () =>
    Effect.gen(function*() {
      yield* run({ ...request, system: "Be exact." }, [lengthTool().tool], {
        output: River,
        outputMode: "prompt",
        prepareStep: ({ step }) => step === 2 ? { system: "Be brief." } : {}
      })
      const systems = (yield* LlmTest.requests).map(({ system = "" }) => system.split("\n\n"))
      assert.deepStrictEqual(systems.map(([own]) => own), ["Be exact.", "Be brief."])
      for (const [, asked] of systems) assert.match(asked ?? "", /^Answer with JSON that fits this JSON Schema/)
    }).pipe(following([callLength("Elbe"), LlmTest.object(elbe)])))

  it.effect("and no tool at all is a value, too", () =>
    Effect.gen(function*() {
      const { value } = yield* run(request, [], { output: River })
      assert.strictEqual(value?.name, "Elbe")
    }).pipe(following([LlmTest.object(elbe)])))
})
