import { assert, describe, it } from "@effect/vitest"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmTool from "effect-llm/LlmTool"
import * as StreamPart from "effect-llm/StreamPart"
import * as Faults from "effect-llm/testing/Faults"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { errorOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { within } from "../support/testClock.js"
import {
  callLength,
  callWait,
  Drought,
  following,
  lengthTool,
  reasonOf,
  request,
  toolResult,
  waitTool
} from "../support/toolRuns.js"

/** A part in a word or two, for the order of parts. */
const brief = (part: LlmClient.ToolPart<unknown>): string => {
  switch (part._tag) {
    case "TextDelta":
      return part.text
    case "ToolCallStart":
    case "ToolCallEnd":
    case "ToolCallDelta":
      return `${part._tag} ${part.id}`
    case "ToolResult":
      return `${part.id}: ${JSON.stringify(part.result)}`
    case "Finish":
      return "run" in part ? "the run" : `Finish ${part.response.finishReason}`
    default:
      return part._tag
  }
}

const runOf = <A>(parts: Iterable<LlmClient.ToolPart<A>>): LlmClient.ToolRun<A> => {
  const last = [...parts].at(-1)
  return last?._tag === "Finish" && "run" in last ? last.run : assert.fail("no run at the end")
}

const all = <A, E, R>(stream: Stream.Stream<A, E, R>) =>
  Effect.map(Stream.runCollect(stream), (chunk): ReadonlyArray<A> => [...chunk])

const depthTool = LlmTool.make("depth", { handler: () => Effect.succeed(3) })

const callDepth = LlmTest.toolCalls([{ name: "depth", arguments: {} }])

const streamedCall = LlmTest.stream([
  "Let me ",
  "look.",
  StreamPart.ToolCallStart({ id: "call_0", name: "length" }),
  StreamPart.ToolCallDelta({ id: "call_0", delta: "{\"river\":\"Elbe\"}" }),
  StreamPart.ToolCallEnd({ id: "call_0", name: "length", arguments: { river: "Elbe" } })
], { every: "1 second" })

describe("LlmClient.streamTools", () => {
  it.effect("emits each part of each turn as it comes, results as they end, and last the run", () =>
    Effect.gen(function*() {
      const { tool } = lengthTool()
      const seen: Array<readonly [number, string]> = []
      const fiber = yield* Effect.fork(
        LlmClient.streamTools(request, [tool]).pipe(
          Stream.tap((part) => Effect.map(Clock.currentTimeMillis, (now) => seen.push([now / 1000, brief(part)]))),
          all
        )
      )
      yield* TestClock.adjust("1 minute")
      const run = runOf(yield* Fiber.join(fiber))
      assert.deepStrictEqual(seen, [
        [1, "Let me "],
        [2, "look."],
        [3, "ToolCallStart call_0"],
        [4, "ToolCallDelta call_0"],
        [5, "ToolCallEnd call_0"],
        [5, "Finish tool_calls"],
        [5, "call_0: 1094"],
        [6, "1094"],
        [7, " km"],
        [7, "Finish stop"],
        [7, "the run"]
      ])
      assert.strictEqual(run.response.text, "1094 km")
      assert.strictEqual(run.response.attempts, 2)
      assert.deepStrictEqual(run.steps.map(({ results }) => results), [[toolResult("call_0", 1094)], []])
    }).pipe(following([streamedCall, LlmTest.stream(["1094", " km"], { every: "1 second" })])))

  it.effect("ends with the run that `runTools` gives", () =>
    Effect.gen(function*() {
      const { tool } = lengthTool()
      const options = { concurrency: 2, cache: "bypass" } as const
      const streamed = runOf(yield* all(LlmClient.streamTools(request, [tool], options)))
      const whole = yield* LlmClient.runTools(request, [tool], options)
      assert.deepStrictEqual(streamed, whole)
      assert.lengthOf(whole.steps, 3)
    }).pipe(following([
      callLength("Elbe", "Rhone"),
      callLength("Oder"),
      "done",
      callLength("Elbe", "Rhone"),
      callLength("Oder"),
      "done"
    ])))

  it.effect("shares the cache with `runTools`", () =>
    Effect.gen(function*() {
      const { tool } = lengthTool()
      yield* LlmClient.runTools(request, [tool])
      const run = runOf(yield* all(LlmClient.streamTools(request, [tool])))
      assert.deepStrictEqual(run.steps.map(({ response }) => response.origin), ["cache", "cache"])
    }).pipe(following([callLength("Elbe"), "1094 km"])))

  it.effect("asks and runs anew each time that it is run, and nothing before", () =>
    Effect.gen(function*() {
      const { asked, tool } = lengthTool()
      const stream = LlmClient.streamTools(request, [tool], { cache: "bypass" })
      assert.lengthOf(yield* LlmTest.requests, 0)
      const first = runOf(yield* all(stream))
      const second = runOf(yield* all(stream))
      assert.deepStrictEqual(second.messages, first.messages)
      assert.deepStrictEqual(asked, ["Elbe", "Elbe"])
    }).pipe(following([callLength("Elbe"), "done", callLength("Elbe"), "done"])))

  it.effect("emits the results in the order in which they end, and has them in the order of the calls", () =>
    Effect.gen(function*() {
      const { tool } = waitTool()
      const fiber = yield* Effect.fork(
        all(LlmClient.streamTools(request, [tool], { concurrency: "unbounded" }))
      )
      yield* TestClock.adjust("10 seconds")
      const parts = yield* Fiber.join(fiber)
      assert.deepStrictEqual(parts.flatMap((part) => part._tag === "ToolResult" ? [part.result] : []), [1, 2, 3])
      assert.deepStrictEqual(runOf(parts).steps[0]?.results.map(({ result }) => result), [3, 1, 2])
    }).pipe(following([callWait(3, 1, 2), "done"])))

  it.effect("gives results that no consumer can change for the model", () =>
    Effect.gen(function*() {
      const tool = LlmTool.make("length", { handler: () => Effect.succeed({ kilometers: [1094] }) })
      const results = yield* LlmClient.streamTools(request, [tool]).pipe(
        Stream.filter((part) => part._tag === "ToolResult"),
        all
      )
      assert.isTrue(Object.isFrozen(results[0]))
      assert.isTrue(Object.isFrozen((results[0]?.result as { readonly kilometers: unknown }).kilometers))
    }).pipe(following([callLength("Elbe"), "done"])))

  it.effect("leaves the conversation as it came", () =>
    Effect.gen(function*() {
      const { tool } = lengthTool()
      yield* all(LlmClient.streamTools(request, [tool]))
      const [, second] = yield* LlmTest.requests
      assert.deepStrictEqual(second?.messages.at(1), {
        role: "assistant",
        content: [
          { _tag: "Text", text: "Let me look." },
          { _tag: "ToolCall", id: "call_0", name: "length", arguments: { river: "Elbe" } }
        ]
      })
    }).pipe(
      following([
        LlmTest.stream([
          "Let me ",
          "look.",
          StreamPart.ToolCallStart({ id: "call_0", name: "length" }),
          StreamPart.ToolCallEnd({ id: "call_0", name: "length", arguments: { river: "Elbe" } })
        ]),
        "done"
      ])
    ))

  describe("goes at the pace of its consumer:", () => {
    it.effect("no tool is run, and no turn made, before the parts before it are taken", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { asked, tool } = lengthTool()
        const told: Array<string> = []
        yield* LlmClient.streamTools(request, [tool], { concurrency: 2 }).pipe(
          Stream.runForEach((part) =>
            Effect.map(LlmTest.requests, ({ length }) => told.push(`${brief(part)}, ${length}, ${asked.length}`))
          )
        )
        assert.deepStrictEqual(told, [
          "ToolCallStart call_0, 1, 0",
          "ToolCallDelta call_0, 1, 0",
          "ToolCallEnd call_0, 1, 0",
          "Finish tool_calls, 1, 0",
          "call_0: 1094, 1, 1",
          "done, 2, 1",
          "Finish stop, 2, 1",
          "the run, 2, 1"
        ])
      })).pipe(following([callLength("Elbe"), "done"])))

    it.effect("one that stops at the end of a turn has no tool run", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { asked, tool } = lengthTool()
        yield* LlmClient.streamTools(request, [tool]).pipe(
          Stream.takeUntil((part) => part._tag === "Finish"),
          Stream.runDrain
        )
        assert.deepStrictEqual(asked, [])
      })).pipe(following([callLength("Elbe")])))

    it.effect("one that stops at a result interrupts the tools that still run, and waits for their end", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { log, tool } = waitTool()
        const exit = yield* LlmClient.streamTools(request, [tool], { concurrency: "unbounded" }).pipe(
          Stream.takeUntil((part) => part._tag === "ToolResult"),
          Stream.runDrain,
          within("2 seconds")
        )
        assert.isTrue(Exit.isSuccess(exit))
        assert.deepStrictEqual(log.toSorted(), [
          "begin 1",
          "begin 5",
          "begin 9",
          "end 1",
          "interrupted 5",
          "interrupted 9"
        ])
      })).pipe(following([callWait(9, 1, 5)])))

    it.effect("one that stops within a turn aborts its request", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { tool } = lengthTool()
        yield* LlmClient.streamTools(request, [tool]).pipe(
          Stream.takeUntil((part) => part._tag === "TextDelta"),
          Stream.runDrain
        )
        assert.deepInclude(yield* LlmTest.load, { aborted: 1 })
      })).pipe(following([LlmTest.stream(["Well, "], { end: "silence" })])))
  })

  describe("interrupted", () => {
    it.effect.each(["in a turn", "in a tool", "in a decision", "in the settings of a turn"] as const)(
      "%s, it ends what is under way and leaves no fiber",
      (where) =>
        leavingNoFiber(Effect.gen(function*() {
          const begun = yield* Deferred.make<void>()
          let interrupted = 0
          const stuck = Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never).pipe(
            Effect.onInterrupt(() => Effect.sync(() => void interrupted++))
          )
          const tool = LlmTool.make("length", { handler: () => where === "in a tool" ? stuck : Effect.void })
          const fiber = yield* Effect.fork(Stream.runDrain(
            LlmClient.streamTools(request, [tool], {
              concurrency: 2,
              runDeadline: "1 hour",
              toolTimeout: "1 hour",
              ...(where === "in a decision" && { approve: () => stuck }),
              ...(where === "in the settings of a turn" && { prepareStep: () => stuck })
            })
          ))
          if (where === "in a turn") yield* Effect.repeatN(Effect.yieldNow(), 50)
          else yield* Deferred.await(begun)
          yield* Fiber.interrupt(fiber)
          if (where === "in a turn") assert.deepInclude(yield* LlmTest.load, { aborted: 1 })
          else assert.strictEqual(interrupted, where === "in a tool" ? 2 : 1)
        })).pipe(following(
          where === "in a turn"
            ? [LlmTest.stream([], { end: "silence" })]
            : where === "in the settings of a turn"
            ? []
            : [callLength("Elbe", "Oder")]
        ))
    )

    it.effect("by a tool of its own, it is interrupted, and does not hang", () =>
      leavingNoFiber(Effect.gen(function*() {
        const tool = LlmTool.make("length", { handler: () => Effect.interrupt })
        for (const concurrency of [1, 2]) {
          const exit = yield* within("1 second")(
            Stream.runDrain(LlmClient.streamTools(request, [tool], { concurrency }))
          )
          assert.isTrue(Exit.isFailure(exit) && Cause.isInterrupted(exit.cause))
        }
      })).pipe(following([callLength("Elbe", "Oder")])))
  })

  describe("fails", () => {
    it.effect("with what a handler fails with, and interrupts the others", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { log, tool } = waitTool()
        const seen: Array<string> = []
        const exit = yield* LlmClient.streamTools(request, [tool, lengthTool().tool], { concurrency: 2 }).pipe(
          Stream.runForEach((part) => Effect.sync(() => seen.push(brief(part)))),
          Effect.exit
        )
        const failures = Exit.isFailure(exit) ? [...Cause.failures(exit.cause)] : []
        assert.lengthOf(failures, 1)
        assert.isTrue(failures[0] instanceof Drought && failures[0].river === "Okavango")
        assert.strictEqual(seen.at(-1), "Finish tool_calls")
        assert.deepStrictEqual(log, ["begin 5", "interrupted 5"])
      })).pipe(following([LlmTest.toolCalls([
        { name: "wait", arguments: { seconds: 5 } },
        { name: "length", arguments: { river: "Okavango" } }
      ])])))

    it.effect("by dying, where a handler dies", () =>
      Effect.gen(function*() {
        const tool = LlmTool.make("length", { handler: () => Effect.die("bug") })
        const exit = yield* Effect.exit(Stream.runDrain(LlmClient.streamTools(request, [tool])))
        assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
      }).pipe(following([callLength("Elbe")])))

    it.effect("as a stream fails: in the middle of a turn for good, with what had come", () =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const exit = yield* LlmClient.streamTools(request, [depthTool]).pipe(
          Stream.runForEach((part) => Effect.sync(() => seen.push(brief(part)))),
          Effect.exit
        )
        const error = errorOf(exit)
        assert.deepInclude(error, { operation: "streamTools", attempts: 2, provider: "test", model: "gpt-4o-mini" })
        assert(error.reason._tag === "StreamInterrupted")
        assert.strictEqual(error.reason.partial.text, "It is ")
        assert.deepStrictEqual(seen.slice(-2), ["call_1: 3", "It is "])
      }).pipe(following([callDepth, LlmTest.stream(["It is "], { end: "cut" })])))

    it.effect("after the retries of a turn that has brought nothing", () =>
      Effect.gen(function*() {
        const { tool } = lengthTool()
        const fiber = yield* Effect.fork(all(LlmClient.streamTools(request, [tool])))
        yield* TestClock.adjust("1 minute")
        const run = runOf(yield* Fiber.join(fiber))
        assert.strictEqual(run.response.attempts, 3)
      }).pipe(following([callLength("Elbe"), LlmTest.fail(LlmError.Overloaded.make({})), "done"])))

    it.effect("at its deadline, wherever it is, and interrupts the tools", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { log, tool } = waitTool()
        const exit = yield* LlmClient.streamTools(request, [tool], { runDeadline: "4 seconds" }).pipe(
          Stream.runDrain,
          within("4 seconds")
        )
        const error = errorOf(exit)
        assert.deepInclude(reasonOf(error), { _tag: "TimedOut", phase: "total", limit: Duration.seconds(4) })
        assert.deepInclude(error, { operation: "streamTools", attempts: 2 })
        assert.deepStrictEqual(log, ["begin 3", "end 3", "begin 9", "interrupted 9"])
      })).pipe(following([callWait(3), callWait(9)])))

    it.effect("at the deadline of a turn, which the time of tools does not shorten", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { tool } = waitTool()
        const exit = yield* LlmClient.streamTools(request, [tool], { deadline: "2 seconds" }).pipe(
          Stream.runDrain,
          within("12 seconds")
        )
        assert.deepInclude(reasonOf(errorOf(exit)), { phase: "total", limit: Duration.seconds(2) })
      })).pipe(following([callWait(9), LlmTest.stream(["It "], { end: "silence" })])))
  })

  it.effect("takes the faults of a provider as streams do: what can be retried is, and the run is the same", () =>
    Effect.gen(function*() {
      const { tool } = lengthTool()
      const { layer } = yield* LlmTest.make([
        LlmTest.repeat(({ messages }) => messages.length === 1 ? callLength("Elbe", "Oder") : "1094 and 840")
      ])
      const run = (provider: typeof layer) =>
        Effect.gen(function*() {
          const fiber = yield* Effect.fork(all(LlmClient.streamTools(request, [tool])))
          yield* TestClock.adjust("10 minutes")
          return runOf(yield* Fiber.join(fiber))
        }).pipe(Effect.provide(LlmClient.layerDefault()), Effect.provide(provider))
      const plain = yield* run(layer)
      const faulty = yield* run(layer.pipe(
        Faults.inject({ plan: Faults.perRequest([Faults.overloaded(), Faults.hang]) })
      ))
      assert.deepStrictEqual(faulty.messages, plain.messages)
      assert.deepStrictEqual([plain.response.attempts, faulty.response.attempts], [2, 6])
    }))
})
