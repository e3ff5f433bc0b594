import { assert, describe, it } from "@effect/vitest"
import * as SingleFlight from "effect-llm/SingleFlight"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import { leavingNoFiber } from "../../support/fibers.js"
import { settle } from "../../support/testClock.js"

type Command =
  /** A caller asks for the work of a key. */
  | { readonly type: "ask"; readonly key: string }
  /** One of the callers is interrupted. */
  | { readonly type: "leave"; readonly caller: number }
  /** The newest run of a key comes to its end. */
  | { readonly type: "end"; readonly key: string; readonly ending: "succeed" | "fail" | "die" }
  /** Others get a few turns. */
  | { readonly type: "turns"; readonly turns: number }

const key = FastCheck.constantFrom("a", "b")
const command: FastCheck.Arbitrary<Command> = FastCheck.oneof(
  { weight: 4, arbitrary: FastCheck.record({ type: FastCheck.constant("ask" as const), key }) },
  { weight: 3, arbitrary: FastCheck.record({ type: FastCheck.constant("leave" as const), caller: FastCheck.nat(20) }) },
  {
    weight: 2,
    arbitrary: FastCheck.record({
      type: FastCheck.constant("end" as const),
      key,
      ending: FastCheck.constantFrom("succeed" as const, "fail" as const, "die" as const)
    })
  },
  { weight: 3, arbitrary: FastCheck.record({ type: FastCheck.constant("turns" as const), turns: FastCheck.nat(6) }) }
)
const commands = FastCheck.array(command, { maxLength: 40 })

interface Run {
  readonly id: number
  readonly key: string
  readonly signal: Deferred.Deferred<number, number>
  ended: boolean
}

/** Flights whose runs end on command. Each run's value, error or defect is its number. */
const world = Effect.gen(function*() {
  const { run, size } = yield* SingleFlight.make<number, number>()
  const runs: Array<Run> = []
  const callers: Array<
    { readonly key: string; readonly fiber: Fiber.RuntimeFiber<SingleFlight.Shared<number>, number> }
  > = []
  const leaving: Array<Fiber.Fiber<unknown>> = []

  const work = (key: string) => () =>
    Effect.flatMap(Deferred.make<number, number>(), (signal) => {
      const run: Run = { id: runs.length, key, signal, ended: false }
      runs.push(run)
      return Deferred.await(signal).pipe(
        // Some take long to be interrupted.
        Effect.onInterrupt(() => Effect.repeatN(Effect.yieldNow(), run.id % 7)),
        Effect.ensuring(Effect.sync(() => run.ended = true))
      )
    })

  const ask = (key: string) =>
    Effect.map(Effect.fork(run(key, { deadline: 0, work: work(key) })), (fiber) => callers.push({ fiber, key }))

  const leave = (caller: number) =>
    Effect.suspend(() => {
      const chosen = callers[caller]
      return chosen === undefined
        ? Effect.void
        : Effect.map(Effect.fork(Fiber.interrupt(chosen.fiber)), (fiber) => leaving.push(fiber))
    })

  const end = (run: Run | undefined, ending: "succeed" | "fail" | "die") =>
    run === undefined ? Effect.void : Deferred.done(
      run.signal,
      ending === "succeed" ? Exit.succeed(run.id) : ending === "fail" ? Exit.fail(run.id) : Exit.die(run.id)
    )

  return { ask, callers, end, leave, leaving, runs, size }
})

/** The number of the run that an exit comes from. */
const runOf = (exit: Exit.Exit<SingleFlight.Shared<number>, number>): unknown =>
  Exit.match(exit, {
    onFailure: (cause) => Cause.isInterruptedOnly(cause) ? "interrupted" : Cause.squash(cause),
    onSuccess: ({ value }) => value
  })

describe("SingleFlight, over random interleavings", () => {
  it.scoped.prop(
    "does what a simple model of it does, when each step is let to its end",
    [commands],
    ([commands]) =>
      leavingNoFiber(Effect.gen(function*() {
        const { ask, callers, end, leave, runs, size } = yield* world
        // The model: for each key the run under way, and who waits for it.
        const underWay = new Map<string, { readonly id: number; readonly waiting: Set<number> }>()
        const expected: Array<unknown> = []
        let begun = 0
        for (const command of commands) {
          switch (command.type) {
            case "ask": {
              yield* ask(command.key)
              const caller = expected.push("waits") - 1
              const joined = underWay.get(command.key) ?? { id: begun++, waiting: new Set() }
              underWay.set(command.key, joined)
              joined.waiting.add(caller)
              break
            }
            case "leave": {
              yield* leave(command.caller)
              for (const [key, { waiting }] of underWay) {
                if (!waiting.delete(command.caller)) continue
                expected[command.caller] = "interrupted"
                if (waiting.size === 0) underWay.delete(key)
              }
              break
            }
            case "end": {
              const ended = underWay.get(command.key)
              if (ended === undefined) break
              yield* end(runs[ended.id], command.ending)
              for (const caller of ended.waiting) expected[caller] = ended.id
              underWay.delete(command.key)
              break
            }
            case "turns":
          }
          yield* settle
          assert.strictEqual(runs.length, begun)
          assert.strictEqual(yield* size, underWay.size)
          assert.deepStrictEqual(
            runs.filter(({ ended }) => !ended).map(({ id }) => id),
            [...underWay.values()].map(({ id }) => id).sort((x, y) => x - y)
          )
          assert.deepStrictEqual(
            callers.map(({ fiber }) => {
              const exit = fiber.unsafePoll()
              return exit === null ? "waits" : runOf(exit)
            }),
            expected
          )
        }
        yield* Fiber.interruptAll(callers.map(({ fiber }) => fiber))
        assert.strictEqual(yield* size, 0)
        assert.isTrue(runs.every(({ ended }) => ended))
      }))
  )

  it.scoped.prop("leaves nobody without an answer and no run without a caller, however steps overlap", [
    commands,
    // After how many operations a fiber lets others go on: each may be the place where two callers meet.
    FastCheck.integer({ min: 16, max: 80 })
  ], ([commands, operations]) =>
    leavingNoFiber(
      Effect.gen(function*() {
        const { ask, callers, end, leave, leaving, runs, size } = yield* world
        const left = new Set<number>()
        for (const command of commands) {
          switch (command.type) {
            case "ask":
              yield* ask(command.key)
              break
            case "leave":
              if (command.caller < callers.length) left.add(command.caller)
              yield* leave(command.caller)
              break
            case "end":
              yield* end(runs.findLast((run) => run.key === command.key), command.ending)
              break
            case "turns":
              yield* Effect.repeatN(Effect.yieldNow(), command.turns)
          }
        }
        yield* Effect.repeatN(settle, 10)
        // Nobody waits for a run that has ended, and no run goes on that nobody waits for.
        const waiting = new Set(callers.filter(({ fiber }) => fiber.unsafePoll() === null).map(({ key }) => key))
        assert.deepStrictEqual(runs.filter(({ ended }) => !ended).map(({ key }) => key).sort(), [...waiting].sort())
        assert.strictEqual(yield* size, waiting.size)
        for (const run of runs) yield* end(run, "succeed")
        yield* Effect.forEach(leaving, Fiber.await)
        for (const [i, { fiber, key }] of callers.entries()) {
          const from = runOf(yield* Fiber.await(fiber))
          // A caller that did not leave has the answer of a run of its own key.
          if (typeof from === "number") assert.strictEqual(runs[from]?.key, key)
          else assert.isTrue(left.has(i), `caller ${i}: ${String(from)}`)
        }
        assert.strictEqual(yield* size, 0)
        assert.isTrue(runs.every(({ ended }) => ended))
      }).pipe(Effect.withMaxOpsBeforeYield(operations))
    ))
})
