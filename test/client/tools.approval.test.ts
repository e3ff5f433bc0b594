import { assert, describe, it } from "@effect/vitest"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmTool from "effect-llm/LlmTool"
import * as Message from "effect-llm/Message"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { callLength, following, lengthTool, request, toolResult, ways } from "../support/toolRuns.js"

class Refusal {
  readonly _tag = "Refusal"
}

class Person extends Context.Tag("Person")<Person, {
  readonly decide: (river: string) => Effect.Effect<LlmTool.Approval, Refusal>
}>() {}

const deciding = (decisions: Readonly<Record<string, LlmTool.Approval>>) => ({
  approve: (call: { readonly arguments: { readonly river: string } }) =>
    Effect.succeed(decisions[call.arguments.river] ?? LlmTool.approved)
})

const Stored = Schema.parseJson(Schema.Array(Message.Message))

describe.each(ways)("LlmClient.%s: approval", (_, run) => {
  it.effect("decides on each call, in their order, with the arguments as values, before any is run", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const tool = LlmTool.make("length", {
        parameters: Schema.Struct({ at: Schema.Date }),
        handler: ({ at }) => Effect.sync(() => seen.push(`run ${at.getTime()}`))
      })
      yield* run(request, [tool], {
        concurrency: "unbounded",
        approve: (call) => {
          seen.push([call.id, call.name, call.arguments.at])
          return Effect.succeed(LlmTool.approved)
        }
      })
      assert.deepStrictEqual(seen, [
        ["a", "length", new Date(0)],
        ["b", "length", new Date(1)],
        "run 0",
        "run 1"
      ])
    }).pipe(following([
      LlmTest.toolCalls([
        { id: "a", name: "length", arguments: { at: "1970-01-01T00:00:00.000Z" } },
        { id: "b", name: "length", arguments: { at: "1970-01-01T00:00:00.001Z" } }
      ]),
      "done"
    ])))

  it.effect("sends the model the reason of a denial, and does not run the call", () =>
    Effect.gen(function*() {
      const { asked, tool } = lengthTool()
      const { pending, steps } = yield* run(
        request,
        [tool],
        deciding({ Elbe: LlmTool.denied("It is a secret."), Rhone: LlmTool.denied() })
      )
      assert.deepStrictEqual(asked, ["Oder"])
      assert.deepStrictEqual(steps[0]?.results, [
        toolResult("call_0", "It is a secret.", { isError: true }),
        toolResult("call_1", 840),
        toolResult("call_2", "This call was not allowed.", { isError: true })
      ])
      assert.deepStrictEqual(pending, [])
    }).pipe(following([callLength("Elbe", "Oder", "Rhone"), "done"])))

  it.effect("is not asked about calls that are wrong", () =>
    Effect.gen(function*() {
      const { tool } = lengthTool()
      let decisions = 0
      yield* run(request, [tool], {
        approve: () =>
          Effect.sync(() => {
            decisions++
            return LlmTool.approved
          })
      })
      assert.strictEqual(decisions, 1)
    }).pipe(following([callLength(7, "Oder"), "done"])))

  describe("left open", () => {
    it.effect("ends the run once the other calls are run, and a run on its stored messages goes on", () =>
      Effect.gen(function*() {
        const { asked, tool } = lengthTool()
        const first = yield* run(request, [tool], deciding({ Elbe: LlmTool.pending }))
        assert.deepStrictEqual(asked, ["Oder"])
        assert.deepStrictEqual(first.pending, [
          Message.ToolCall.make({ id: "call_0", name: "length", arguments: { river: "Elbe" } })
        ])
        assert.strictEqual(first.response.finishReason, "tool_calls")
        assert.deepStrictEqual(first.steps[0]?.results, [toolResult("call_1", 840)])
        assert.lengthOf(yield* LlmTest.requests, 1)

        const stored = yield* Schema.encode(Stored)(first.messages)
        const second = yield* run({ model: "m", messages: yield* Schema.decode(Stored)(stored) }, [tool], deciding({}))
        assert.deepStrictEqual(asked, ["Oder", "Elbe"])
        assert.deepStrictEqual(second.messages.slice(2, -1), [
          { role: "tool", content: [toolResult("call_0", 1094), toolResult("call_1", 840)] }
        ])
        assert.deepStrictEqual<unknown>((yield* LlmTest.requests).at(-1)?.messages, second.messages.slice(0, -1))
        assert.strictEqual(second.response.text, "done")
        assert.lengthOf(second.steps, 1)
      }).pipe(following([callLength("Elbe", "Oder"), "done"])))

    it.effect("again, ends the next run before the model is asked, which costs nothing", () =>
      Effect.gen(function*() {
        const { asked, tool } = lengthTool()
        const first = yield* run(request, [tool], {
          approve: () => Effect.succeed(LlmTool.pending)
        })
        const second = yield* run(
          { model: "m", messages: first.messages },
          [tool],
          deciding({ Elbe: LlmTool.denied("No."), Oder: LlmTool.pending })
        )
        assert.deepStrictEqual(second.pending.map(({ id }) => id), ["call_1"])
        assert.deepStrictEqual(second.messages.at(-1), {
          role: "tool",
          content: [toolResult("call_0", "No.", { isError: true })]
        })
        assert.deepStrictEqual(second.steps, [])
        assert.deepInclude({ ...second.response }, { finishReason: "tool_calls", attempts: 0, model: "m" })
        assert.deepStrictEqual(second.response.usage, { inputTokens: 0, outputTokens: 0 })
        assert.deepStrictEqual(second.response.parts, first.response.parts)
        assert.deepStrictEqual(asked, [])
      }).pipe(following([callLength("Elbe", "Oder")])))

    it.effect("can be answered by the program itself", () =>
      Effect.gen(function*() {
        const { asked, tool } = lengthTool()
        const { messages, pending } = yield* run(request, [tool], {
          approve: () => Effect.succeed(LlmTool.pending)
        })
        const results = pending.map(({ id }) => ({ id, result: 1 }))
        const { response } = yield* run({ model: "m", messages: [...messages, Message.toolResults(results)] }, [tool])
        assert.strictEqual(response.text, "done")
        assert.deepStrictEqual(asked, [])
      }).pipe(following([callLength("Elbe", "Oder"), "done"])))
  })

  it.effect("has the services and the failures of the Effect that decides", () =>
    Effect.gen(function*() {
      const { asked, tool } = lengthTool()
      const decided = run(request, [tool], {
        approve: ({ arguments: { river } }) => Effect.flatMap(Person, (person) => person.decide(river))
      })
      const exit = yield* decided.pipe(
        Effect.provideService(Person, { decide: () => Effect.fail(new Refusal()) }),
        Effect.catchTag("Refusal", () => Effect.succeed("refused")),
        Effect.exit
      )
      assert.deepStrictEqual(exit, Exit.succeed("refused"))
      assert.deepStrictEqual(asked, [])
    }).pipe(following([callLength("Elbe")])))
})

describe("LlmClient.streamTools: approval", () => {
  it.effect("emits the reason of a denial as a result, and nothing for a call that is left open", () =>
    Effect.gen(function*() {
      const { tool } = lengthTool()
      const parts = yield* Stream.runCollect(
        LlmClient.streamTools(request, [tool], deciding({ Elbe: LlmTool.denied("No."), Oder: LlmTool.pending }))
      )
      assert.deepStrictEqual([...parts].filter((part) => part._tag === "ToolResult"), [
        toolResult("call_0", "No.", { isError: true })
      ])
    }).pipe(following([callLength("Elbe", "Oder")])))
})
