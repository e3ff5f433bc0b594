import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as SharedRun from "../../src/runtime/sharedRun.js"
import { leavingNoFiber } from "../support/fibers.js"
import { settle } from "../support/testClock.js"

type Ending = "succeed" | "fail" | "die" | "interrupt itself"

type Command =
  /** A caller joins the run of a key, or begins one: also in place of one under way, if it is to be fresh. */
  | { readonly type: "join"; readonly key: string; readonly fresh: boolean }
  /** One of the callers is interrupted. */
  | { readonly type: "leave"; readonly caller: number }
  /** One of the runs comes to its end. */
  | { readonly type: "end"; readonly run: number; readonly ending: Ending }
  /** Others get a few turns. */
  | { readonly type: "turns"; readonly turns: number }

const constant = <const A>(value: A) => FastCheck.constant(value)

const command: FastCheck.Arbitrary<Command> = FastCheck.oneof(
  {
    weight: 4,
    arbitrary: FastCheck.record({
      type: constant("join"),
      key: FastCheck.constantFrom("a", "b"),
      fresh: FastCheck.oneof({ weight: 4, arbitrary: constant(false) }, { weight: 1, arbitrary: constant(true) })
    })
  },
  { weight: 3, arbitrary: FastCheck.record({ type: constant("leave"), caller: FastCheck.nat(20) }) },
  {
    weight: 2,
    arbitrary: FastCheck.record({
      type: constant("end"),
      run: FastCheck.nat(12),
      ending: FastCheck.constantFrom<Array<Ending>>("succeed", "fail", "die", "interrupt itself")
    })
  },
  { weight: 3, arbitrary: FastCheck.record({ type: constant("turns"), turns: FastCheck.nat(6) }) }
)

const commands = FastCheck.array(command, { maxLength: 40 })

interface Run {
  readonly id: number
  readonly key: string
  readonly fresh: boolean
  readonly signal: Deferred.Deferred<number, number>
  ended: boolean
}

interface Caller {
  readonly key: string
  /** The run that it began or joined. */
  run: Run | undefined
  left: boolean
}

/** Callers of runs that end on command. The value, error or defect of each run is its number. */
const world = Effect.gen(function*() {
  const shared = yield* SharedRun.make<number, number, Run>()
  const runs: Array<Run> = []
  const callers: Array<
    { readonly caller: Caller; readonly fiber: Fiber.RuntimeFiber<SharedRun.Shared<number>, number> }
  > = []
  const leaving: Array<Fiber.Fiber<unknown>> = []

  const ask = (caller: Caller, fresh: boolean) =>
    shared.run(caller.key, {
      begin: () => {
        const run: Run = {
          id: runs.length,
          key: caller.key,
          fresh,
          signal: Deferred.unsafeMake(FiberId.none),
          ended: false
        }
        caller.run = run
        runs.push(run)
        return run
      },
      join: (run) => {
        const joins = !fresh || run.fresh
        if (joins) caller.run = run
        return joins
      },
      work: (run) =>
        Deferred.await(run.signal).pipe(
          // Some take long to be interrupted.
          Effect.onInterrupt(() => Effect.repeatN(Effect.yieldNow(), run.id % 7)),
          Effect.ensuring(Effect.sync(() => run.ended = true))
        )
    })

  const join = (key: string, fresh: boolean) =>
    Effect.suspend(() => {
      const caller: Caller = { key, run: undefined, left: false }
      return Effect.map(Effect.fork(ask(caller, fresh)), (fiber) => callers.push({ caller, fiber }))
    })

  const leave = (n: number) =>
    Effect.suspend(() => {
      const chosen = callers[n]
      if (chosen === undefined) return Effect.void
      chosen.caller.left = true
      return Effect.map(Effect.fork(Fiber.interrupt(chosen.fiber)), (fiber) => leaving.push(fiber))
    })

  const end = (run: Run | undefined, ending: Ending) =>
    run === undefined ? Effect.void : Deferred.done(run.signal, endings[ending](run.id))

  const step = (command: Command) => {
    switch (command.type) {
      case "join":
        return join(command.key, command.fresh)
      case "leave":
        return leave(command.caller)
      case "end":
        return end(runs[command.run], command.ending)
      case "turns":
        return Effect.repeatN(Effect.yieldNow(), command.turns)
    }
  }

  /** No run goes on that no caller waits for, and no caller waits for a run that has ended. */
  const check = Effect.gen(function*() {
    const waiting = callers.filter(({ fiber }) => fiber.unsafePoll() === null)
    assert.isTrue(waiting.every(({ caller: { left, run } }) => !left && run?.ended === false))
    const awaited = new Set(waiting.map(({ caller }) => caller.run))
    assert.deepStrictEqual(runs.filter((run) => !run.ended), runs.filter((run) => awaited.has(run)))
    assert.strictEqual(yield* shared.size, awaited.size)
  })

  /** Each caller has the answer of the run that it joined, but for those that left. */
  const checkAnswers = Effect.gen(function*() {
    for (const run of runs) yield* end(run, "succeed")
    yield* Effect.forEach(leaving, Fiber.await)
    for (const { caller, fiber } of callers) {
      const exit = yield* Fiber.await(fiber)
      // One that was told to leave may have had its answer before, or have left before it began.
      if (caller.left && Exit.isInterrupted(exit)) continue
      assert(caller.run !== undefined)
      assert.strictEqual(caller.run.key, caller.key)
      const expected = yield* Deferred.await(caller.run.signal).pipe(Effect.exit)
      assert.deepStrictEqual(kind(exit), kind(expected))
    }
    assert.strictEqual(yield* shared.size, 0)
    assert.isTrue(runs.every(({ ended }) => ended))
  })

  return { check, checkAnswers, step }
})

const endings: { readonly [ending in Ending]: (id: number) => Exit.Exit<number, number> } = {
  "succeed": Exit.succeed,
  "fail": Exit.fail,
  "die": Exit.die,
  "interrupt itself": () => Exit.interrupt(FiberId.none)
}

/** What a run gave to somebody, without the ids of fibers. */
const kind = (exit: Exit.Exit<SharedRun.Shared<number> | number, number>): unknown =>
  Exit.match(exit, {
    onFailure: (cause) => Cause.isInterruptedOnly(cause) ? "interrupted" : [cause._tag, Cause.squash(cause)],
    onSuccess: (value) => typeof value === "number" ? value : value.value
  })

describe("SharedRun, over random interleavings", () => {
  it.scoped.prop(
    "leaves no run without callers and no caller without an answer, when each step is let to its end",
    [commands],
    ([commands]) =>
      leavingNoFiber(Effect.gen(function*() {
        const { check, checkAnswers, step } = yield* world
        for (const command of commands) {
          yield* step(command)
          yield* settle
          yield* check
        }
        yield* checkAnswers
      })),
    { fastCheck: { numRuns: 50 }, timeout: 60_000 }
  )

  it.scoped.prop("leaves no run without callers and no caller without an answer, however steps overlap", [
    commands,
    // After how many operations a fiber lets others go on: each may be the place where two callers meet.
    FastCheck.integer({ min: 16, max: 80 })
  ], ([commands, operations]) =>
    leavingNoFiber(
      Effect.gen(function*() {
        const { check, checkAnswers, step } = yield* world
        for (const command of commands) yield* step(command)
        yield* Effect.repeatN(settle, 10)
        yield* check
        yield* checkAnswers
      }).pipe(Effect.withMaxOpsBeforeYield(operations))
    ), { timeout: 60_000 })
})
