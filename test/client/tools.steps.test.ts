import { assert, describe, it } from "@effect/vitest"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmTool from "effect-llm/LlmTool"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { leavingNoFiber } from "../support/fibers.js"
import {
  callLength,
  callWait,
  following,
  lengthTool,
  reasonOf,
  request,
  toolResult,
  waitTool,
  ways
} from "../support/toolRuns.js"

const depth = LlmTool.make("depth", { handler: () => Effect.succeed(3) })

describe.each(ways)("LlmClient.%s: the time of a tool", (_, run) => {
  it.effect("is limited for each call: the call is interrupted, and the model gets an error", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { log, tool } = waitTool()
      const fiber = yield* Effect.fork(run(request, [tool], { concurrency: 2, toolTimeout: "5 seconds" }))
      yield* TestClock.adjust("5 seconds")
      const { steps } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(steps[0]?.results, [
        toolResult("wait_0", "The tool took longer than 5s, and was stopped.", { name: "wait", isError: true }),
        toolResult("wait_1", 4, { name: "wait" })
      ])
      assert.deepStrictEqual(log, ["begin 9", "begin 4", "end 4", "interrupted 9"])
    })).pipe(following([callWait(9, 4), "done"])))

  it.effect("is limited also where the run itself is not interruptible", () =>
    leavingNoFiber(Effect.gen(function*() {
      const never = LlmTool.make("never", { handler: () => Effect.never })
      const fiber = yield* Effect.fork(Effect.uninterruptible(run(request, [never], { toolTimeout: "5 seconds" })))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).response.text, "done")
    })).pipe(following([LlmTest.toolCalls([{ name: "never", arguments: {} }]), "done"])))

  it.effect("is the time of each, one after another", () =>
    Effect.gen(function*() {
      const { tool } = waitTool()
      const fiber = yield* Effect.fork(run(request, [tool], { toolTimeout: "5 seconds" }))
      yield* TestClock.adjust("8 seconds")
      const { steps } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(steps[0]?.results.map(({ result }) => result), [4, 4])
    }).pipe(following([callWait(4, 4), "done"])))

  it.effect("does not count a person's decision", () =>
    Effect.gen(function*() {
      const { tool } = waitTool()
      const fiber = yield* Effect.fork(run(request, [tool], {
        toolTimeout: "5 seconds",
        approve: () => Effect.delay(Effect.succeed(LlmTool.approved), "1 minute")
      }))
      yield* TestClock.adjust("64 seconds")
      const { steps } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(steps[0]?.results.map(({ result }) => result), [4])
    }).pipe(following([callWait(4), "done"])))
})

describe.each(ways)("LlmClient.%s: prepareStep", (operation, run) => {
  it.effect("gives the settings of the next turn, from its number and what there is so far", () =>
    Effect.gen(function*() {
      const states: Array<readonly [number, number, number]> = []
      const { messages, response } = yield* run({ ...request, temperature: 0.5 }, [lengthTool().tool, depth], {
        prepareStep: ({ messages, step, steps }) => {
          states.push([step, messages.length, steps.length])
          return step === 1
            ? { model: "big", toolChoice: "required", maxTokens: 10, temperature: undefined }
            : { tools: ["depth"], temperature: 1 }
        }
      })
      assert.deepStrictEqual(states, [[1, 1, 0], [2, 3, 1]])
      assert.deepStrictEqual(
        (yield* LlmTest.requests).map(({ maxTokens, model, temperature, toolChoice, tools }) => ({
          model,
          temperature,
          maxTokens,
          toolChoice,
          tools: tools?.map(({ name }) => name)
        })),
        [
          { model: "big", temperature: 0.5, maxTokens: 10, toolChoice: "required", tools: ["length", "depth"] },
          { model: "gpt-4o-mini", temperature: 1, maxTokens: undefined, toolChoice: undefined, tools: ["depth"] }
        ]
      )
      assert.lengthOf(messages, 4)
      assert.strictEqual(response.text, "done")
    }).pipe(following([callLength("Elbe"), "done"])))

  it.effect("sends another conversation for the turn, and the run keeps all of it", () =>
    Effect.gen(function*() {
      const { messages } = yield* run(request, [lengthTool().tool], {
        prepareStep: ({ step }) => step === 2 ? { messages: [{ role: "user", content: "In short?" }] } : {}
      })
      const [, second] = yield* LlmTest.requests
      assert.deepStrictEqual(second?.messages, [{ role: "user", content: [{ _tag: "Text", text: "In short?" }] }])
      assert.deepStrictEqual(messages.map(({ role }) => role), ["user", "assistant", "tool", "assistant"])
    }).pipe(following([callLength("Elbe"), "done"])))

  it.effect("takes away a tool: a call of it is one of a tool that there is not", () =>
    Effect.gen(function*() {
      const { asked, tool } = lengthTool()
      const { steps } = yield* run(request, [tool, depth], { prepareStep: () => ({ tools: ["depth"] }) })
      assert.deepStrictEqual(asked, [])
      assert.deepStrictEqual(steps[0]?.results, [
        toolResult("call_0", "There is no such tool. There is: depth.", { isError: true })
      ])
    }).pipe(following([callLength("Elbe"), "done"])))

  it.effect("takes away all tools, and then forces no call", () =>
    Effect.gen(function*() {
      yield* run({ ...request, toolChoice: "required" }, [depth], { prepareStep: () => ({ tools: [] }) })
      const [first] = yield* LlmTest.requests
      assert.deepStrictEqual([first?.tools, first?.toolChoice], [[], undefined])
    }).pipe(following(["done"])))

  it.effect("may be an Effect, with its services and failures", () =>
    Effect.gen(function*() {
      class Models extends Context.Tag("Models")<Models, (step: number) => Effect.Effect<string, "none left">>() {}
      const prepared = run(request, [lengthTool().tool], {
        prepareStep: ({ step }) =>
          Effect.map(Effect.flatMap(Models, (modelOf) => modelOf(step)), (model) => ({ model }))
      })
      const failed = yield* prepared.pipe(
        Effect.provideService(Models, (step) => step === 1 ? Effect.succeed("big") : Effect.fail("none left" as const)),
        Effect.flip
      )
      assert.strictEqual(failed, "none left")
      assert.deepStrictEqual((yield* LlmTest.requests).map(({ model }) => model), ["big"])
    }).pipe(following([callLength("Elbe")])))

  const senseless: ReadonlyArray<readonly [what: string, settings: object, field: string]> = [
    ["a tool that the run has not", { tools: ["length", "width"] }, "prepareStep.tools"],
    ["an unknown setting", { temprature: 1 }, "temprature"],
    ["a setting out of its range", { temperature: 3 }, "temperature"]
  ]

  it.effect.each(senseless)(
    "fails the run where its settings make no sense: %s",
    ([_, settings, field]) =>
      Effect.gen(function*() {
        const given: LlmClient.StepSettings = settings
        const error = yield* Effect.flip(run(request, [lengthTool().tool], { prepareStep: () => given }))
        assert.deepInclude(reasonOf(error), { _tag: "InvalidRequest", field })
        assert.deepInclude(error, { operation })
      }).pipe(following([]))
  )

  it.effect("dies where it throws", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(run(request, [lengthTool().tool], {
        prepareStep: () => {
          throw new Error("bug")
        }
      }))
      assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
    }).pipe(following([])))
})

describe.each(ways)("LlmClient.%s: stopWhen", (_, run) => {
  it.effect("ends the run after a turn whose calls were run, and a run on its messages goes on", () =>
    Effect.gen(function*() {
      const { asked, tool } = lengthTool()
      const stopped = yield* run(request, [tool], { stopWhen: (steps) => steps.length === 2 })
      assert.deepStrictEqual(asked, ["Elbe", "Oder"])
      assert.strictEqual(stopped.response.finishReason, "tool_calls")
      assert.strictEqual(stopped.messages.at(-1)?.role, "tool")
      const { response } = yield* run({ model: "m", messages: stopped.messages }, [tool])
      assert.strictEqual(response.text, "done")
      assert.deepStrictEqual(asked, ["Elbe", "Oder"])
    }).pipe(following([callLength("Elbe"), callLength("Oder"), "done"])))

  it.effect("takes several conditions, of which one suffices", () =>
    Effect.gen(function*() {
      const { steps } = yield* run(request, [lengthTool().tool], {
        stopWhen: [
          (steps) => steps.length === 7,
          (steps) => steps.at(-1)?.results.some(({ result }) => result === 840) === true
        ]
      })
      assert.lengthOf(steps, 2)
    }).pipe(following([callLength("Elbe"), callLength("Oder")])))

  it.effect("bounds a run of many turns, each of which costs the same", () =>
    Effect.gen(function*() {
      const { steps } = yield* run(request, [lengthTool().tool], {
        maxSteps: 1_000,
        cache: "bypass",
        prepareStep: () => ({ messages: [{ role: "user", content: "Go on." }] }),
        stopWhen: (steps) => steps.length === 300
      })
      assert.lengthOf(steps, 300)
    }).pipe(following([LlmTest.repeat(callLength("Elbe"), 300)])))

  it.effect("ends no run before the model's own end", () =>
    Effect.gen(function*() {
      const { response } = yield* run(request, [lengthTool().tool], { stopWhen: () => true })
      assert.strictEqual(response.text, "done")
    }).pipe(following(["done"])))
})

describe.each(ways)("LlmClient.%s: options", (operation, run) => {
  it.effect("are checked before anything is sent or run, and unknown ones are named", () =>
    Effect.gen(function*() {
      const { asked, tool } = lengthTool()
      const input = {
        model: "m",
        messages: [
          { role: "user", content: "How long is it?" },
          { role: "assistant", content: [{ _tag: "ToolCall", id: "1", name: "length", arguments: { river: "Elbe" } }] }
        ]
      } as const
      const wrong: ReadonlyArray<readonly [object, string]> = [
        [{ toolTimeout: -1 }, "toolTimeout"],
        [{ runDeadline: 0 }, "runDeadline"],
        [{ maxStep: 3 }, "maxStep"],
        [{ timeot: 3 }, "timeot"],
        [{ timeout: -1 }, "timeout"]
      ]
      for (const [options, field] of wrong) {
        const error = yield* Effect.flip(run(input, [tool], options))
        assert.deepInclude(reasonOf(error), { _tag: "InvalidRequest", field })
        assert.deepInclude(error, { operation })
      }
      const misspelled = yield* Effect.flip(run(input, [tool], { maxStep: 3 } as LlmClient.RunToolsOptions))
      assert.include(String(misspelled), "such as maxSteps")
      assert.deepStrictEqual(asked, [])
    }).pipe(following([])))

  it.effect("of a region go for its turns", () =>
    Effect.gen(function*() {
      const { tool } = lengthTool()
      yield* run(request, [tool])
      const { steps } = yield* run(request, [tool])
      assert.deepStrictEqual(steps.map(({ response }) => response.origin), ["provider", "provider"])
    }).pipe(
      Effect.provide(Context.empty()),
      LlmClient.withOptions({ cache: "bypass" }),
      following([callLength("Elbe"), "done", callLength("Elbe"), "done"])
    ))
})

describe("LlmClient.runTools: options as a value", () => {
  it.effect("can be made before, for any tools", () =>
    Effect.gen(function*() {
      const options: LlmClient.RunToolsOptions = { maxSteps: 2, approve: () => Effect.succeed(LlmTool.approved) }
      const { value } = yield* LlmClient.runTools(request, [lengthTool().tool], options)
      assert.isUndefined(value)
      const Kilometers = Schema.Struct({ kilometers: Schema.Number })
      const typed = yield* LlmClient.runTools(request, [depth], { ...options, output: Kilometers })
      assert.strictEqual(typed.value?.kilometers, 1)
    }).pipe(following(["done", LlmTest.object({ kilometers: 1 })])))
})
