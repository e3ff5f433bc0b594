import { assert, describe, it } from "@effect/vitest"
import type * as LlmError from "effect-llm/LlmError"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Scope from "effect/Scope"
import * as SharedRun from "../../src/runtime/sharedRun.js"
import { unauthorized } from "../support/errors.js"
import { valueOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { recordingLogs } from "../support/recordedLogs.js"
import { steppingBackAfter } from "../support/steppingBack.js"
import { settle, within } from "../support/testClock.js"
import { Colour, defect, hanging, type Note, noting, observe, type Scenario } from "./scenarios.js"

/** Has callers wait for one run of work: the first one begins it, the others join. */
type Together = <A>(
  work: Effect.Effect<A, LlmError.LlmError>
) => Effect.Effect<Effect.Effect<A, LlmError.LlmError>, never, Scope.Scope>

const ours: Together = <A>(work: Effect.Effect<A, LlmError.LlmError>) =>
  Effect.map(
    SharedRun.make<A, LlmError.LlmError, null>(),
    (runs) =>
      Effect.map(runs.run("key", { begin: () => null, join: () => true, work: () => work }), ({ value }) => value)
  )

/** Effect's own: the first caller forks the work, which its scope ends; all join it. */
const effects: Together = <A>(work: Effect.Effect<A, LlmError.LlmError>) =>
  Effect.map(Effect.scope, (scope) => {
    let forked: Fiber.Fiber<A, LlmError.LlmError> | undefined
    let callers = 0
    return Effect.acquireUseRelease(
      Effect.suspend(() => {
        callers++
        return forked === undefined
          ? Effect.tap(Effect.forkIn(Effect.interruptible(work), scope), (fiber) =>
            Effect.sync(() => {
              forked = fiber
            }))
          : Effect.succeed(forked)
      }),
      Fiber.join,
      (fiber) =>
        Effect.suspend(() => {
          if (--callers > 0) return Effect.void
          forked = undefined
          return Fiber.interrupt(fiber)
        })
    )
  })

const ref = FiberRef.unsafeMake("none")

const one = <A>(work: (note: Note) => Effect.Effect<A, LlmError.LlmError>): Scenario<Together> => (together, note) =>
  Effect.scoped(Effect.flatten(together(work(note))))

/** Two callers, the second a second later. Each notes how it ended. */
const two = <A>(work: (note: Note) => Effect.Effect<A, LlmError.LlmError>): Scenario<Together> => (together, note) =>
  Effect.scoped(Effect.gen(function*() {
    const wait = yield* together(work(note))
    const first = yield* Effect.fork(noting(note, "the first", wait))
    yield* Effect.sleep("1 second")
    const second = yield* Effect.fork(noting(note, "the second", wait))
    yield* Fiber.join(first)
    yield* Fiber.join(second)
  }))

/** Two callers, each of which leaves after so many seconds. */
const leaving = (firstAfter: number, secondAfter: number): Scenario<Together> => (together, note) =>
  Effect.scoped(Effect.gen(function*() {
    const wait = yield* together(Effect.zipRight(
      Effect.onInterrupt(
        Effect.sleep("10 seconds"),
        () => Effect.zipRight(Effect.sleep("5 seconds"), note("has ended"))
      ),
      note("has succeeded")
    ))
    const first = yield* Effect.fork(wait)
    yield* Effect.sleep("1 second")
    const second = yield* Effect.fork(wait)
    yield* Effect.all([
      Effect.delay(noting(note, "the first", Effect.flatten(Fiber.interrupt(first))), `${firstAfter} seconds`),
      Effect.delay(noting(note, "the second", Effect.flatten(Fiber.interrupt(second))), `${secondAfter} seconds`)
    ], { concurrency: "unbounded" })
  }))

const scenarios: { readonly [name: string]: Scenario<Together> } = {
  "a success at once": one(() => Effect.succeed(1)),
  "a success after a wait": one(() => Effect.delay(Effect.succeed(1), "9 seconds")),
  "a failure at once": one(() => unauthorized),
  "a failure after a wait": one(() => Effect.delay(unauthorized, "9 seconds")),
  "a defect at once": one(() => defect),
  "a defect after a wait": one(() => Effect.delay(defect, "9 seconds")),
  "work that throws": one(() =>
    Effect.sync(() => {
      throw new Error("thrown")
    })
  ),
  "work that interrupts itself at once": one(() => Effect.interrupt),
  "work that interrupts itself after a wait": one(() => Effect.delay(Effect.interrupt, "9 seconds")),
  "a caller that leaves work that cannot be interrupted": (together, note) =>
    Effect.scoped(Effect.gen(function*() {
      const work = Effect.uninterruptible(Effect.zipRight(Effect.sleep("9 seconds"), note("has ended")))
      const fiber = yield* Effect.fork(yield* together(work))
      yield* Effect.sleep("1 second")
      yield* noting(note, "the caller", Effect.flatten(Fiber.interrupt(fiber)))
    })),
  "a success for two": two(() => Effect.delay(Effect.succeed(1), "9 seconds")),
  "a failure for two": two(() => Effect.delay(unauthorized, "9 seconds")),
  "a defect for two": two(() => Effect.delay(defect, "9 seconds")),
  "an interruption inside for two": two(() => Effect.delay(Effect.interrupt, "9 seconds")),
  "a first caller that leaves": leaving(2, 20),
  "a second caller that leaves": leaving(20, 2),
  "two callers that leave": leaving(2, 4),
  "two callers that leave at the same moment": leaving(3, 3),
  "two callers that leave after the end": leaving(20, 20),
  "a caller that leaves, and one that comes while its run ends": (together, note) =>
    Effect.scoped(Effect.gen(function*() {
      let begun = 0
      const wait = yield* together(Effect.suspend(() => ++begun === 1 ? hanging(note) : Effect.succeed(begun)))
      const first = yield* Effect.fork(wait)
      yield* Effect.sleep("1 second")
      yield* Effect.fork(noting(note, "the first", Effect.flatten(Fiber.interrupt(first))))
      yield* Effect.sleep("1 second")
      yield* noting(note, "the second", wait)
      yield* Effect.sleep("10 seconds")
    })),
  "a caller in an uninterruptible region": (together, note) =>
    Effect.scoped(Effect.gen(function*() {
      const wait = yield* together(Effect.delay(Effect.succeed(1), "9 seconds"))
      const fiber = yield* Effect.fork(noting(note, "the caller", Effect.uninterruptible(wait)))
      yield* Effect.sleep("1 second")
      yield* noting(note, "its interruption", Effect.asVoid(Fiber.interrupt(fiber)))
    })),
  "a caller within a limit": (together, note) =>
    Effect.scoped(Effect.gen(function*() {
      const wait = yield* together(hanging(note))
      yield* noting(note, "the caller", Effect.timeoutOption(wait, "3 seconds"))
    })),
  "FiberRefs that the work sees and sets": (together, note) =>
    Effect.scoped(Effect.gen(function*() {
      const work = Effect.sleep("1 second").pipe(
        Effect.zipRight(Effect.flatMap(FiberRef.get(ref), note)),
        Effect.zipRight(FiberRef.set(ref, "inside"))
      )
      yield* FiberRef.set(ref, "outside")
      yield* yield* together(work)
      yield* Effect.flatMap(FiberRef.get(ref), note)
      yield* FiberRef.set(ref, "outside")
      yield* Effect.exit(yield* together(Effect.zipRight(work, unauthorized)))
      yield* Effect.flatMap(FiberRef.get(ref), note)
    })),
  "services": (together, note) =>
    Effect.scoped(Effect.gen(function*() {
      const wait = yield* together<string>(Effect.zipRight(Effect.sleep("1 second"), Colour))
      yield* Effect.all([
        noting(note, "the first", Effect.provideService(wait, Colour, "blue")),
        noting(note, "the second", Effect.provideService(wait, Colour, "red"))
      ], { concurrency: "unbounded" })
      return yield* Colour
    }))
}

describe("SharedRun beside Effect.fork and Fiber.join", () => {
  for (const [name, scenario] of Object.entries(scenarios)) {
    it.effect(`does the same with ${name}`, () =>
      leavingNoFiber(Effect.gen(function*() {
        assert.deepStrictEqual(yield* observe(ours, scenario), yield* observe(effects, scenario))
      })))
  }

  it.effect("does the same under a clock whose wall time steps back an hour", () =>
    leavingNoFiber(Effect.gen(function*() {
      for (const [name, scenario] of Object.entries(scenarios)) {
        const stepping: Scenario<Together> = (together, note) => steppingBackAfter(500)(scenario(together, note))
        assert.deepStrictEqual(yield* observe(ours, stepping), yield* observe(ours, scenario), name)
      }
    })))

  it.effect("logs nothing, whatever happens", () =>
    Effect.gen(function*() {
      for (const [name, scenario] of Object.entries(scenarios)) {
        assert.deepStrictEqual((yield* recordingLogs(observe(ours, scenario))).logged, [], name)
      }
    }))
})

const begins = <A, E>(work: Effect.Effect<A, E>) => ({ begin: () => null, join: () => true, work: () => work })

describe("SharedRun", () => {
  it.effect("gives the FiberRefs that the work set to the caller that began it, and to no other", () =>
    leavingNoFiber(Effect.scoped(Effect.gen(function*() {
      const runs = yield* SharedRun.make<string, never, null>()
      const work = Effect.as(Effect.zipRight(Effect.sleep("1 second"), FiberRef.set(ref, "inside")), "Elbe")
      const caller = Effect.gen(function*() {
        const { role, value } = yield* runs.run("key", begins(work))
        return [role, value, yield* FiberRef.get(ref)]
      })
      const both = Effect.locally(Effect.all([caller, caller], { concurrency: "unbounded" }), ref, "outside")
      assert.deepStrictEqual(valueOf(yield* within("1 second")(both)), [
        ["leader", "Elbe", "inside"],
        ["follower", "Elbe", "outside"]
      ])
    }))))

  it.effect("begins the work at once, and ends at once if nothing has to be waited for", () =>
    Effect.scoped(Effect.gen(function*() {
      const runs = yield* SharedRun.make<number, string, null>()
      let begun = 0
      const count = Effect.sync(() => ++begun)
      assert.deepStrictEqual(yield* runs.run("key", begins(count)), { value: 1, role: "leader" })
      assert.deepStrictEqual(yield* Effect.exit(runs.run("key", begins(Effect.fail("no")))), Exit.fail("no"))
      assert.strictEqual(yield* runs.size, 0)
      assert.deepStrictEqual(yield* runs.run("key", begins(count)), { value: 2, role: "leader" })
    })))

  it.effect("puts another run in the place of one that a caller cannot join, and joins the newer one from then on", () =>
    leavingNoFiber(Effect.scoped(Effect.gen(function*() {
      const runs = yield* SharedRun.make<number, never, { readonly generation: number }>()
      const ask = (generation: number, wait: number) =>
        Effect.fork(runs.run("key", {
          begin: () => ({ generation }),
          join: (state) => state.generation >= generation,
          work: (state) => Effect.delay(Effect.succeed(state.generation), wait)
        }))
      const fibers = [yield* ask(1, 3000), yield* ask(2, 5000), yield* ask(1, 1), yield* ask(2, 1)]
      yield* settle
      assert.strictEqual(yield* runs.size, 2)
      const all = valueOf(yield* within("5 seconds")(Fiber.join(Fiber.all(fibers))))
      assert.deepStrictEqual(all, [
        { value: 1, role: "leader" },
        { value: 2, role: "leader" },
        { value: 2, role: "follower" },
        { value: 2, role: "follower" }
      ])
      assert.strictEqual(yield* runs.size, 0)
    }))))

  it.effect("keeps a newer run when the one that it replaced ends or is left", () =>
    leavingNoFiber(Effect.scoped(Effect.gen(function*() {
      const runs = yield* SharedRun.make<string, never, null>()
      const ask = (name: string, joins: boolean, wait: number) =>
        Effect.fork(runs.run("key", {
          begin: () => null,
          join: () => joins,
          work: () => Effect.delay(Effect.succeed(name), wait)
        }))
      const left = yield* ask("left", false, 9000)
      const ended = yield* ask("ended", false, 1000)
      const newest = yield* ask("newest", false, 5000)
      yield* settle
      yield* Fiber.interrupt(left)
      yield* within("1 second")(Fiber.join(ended))
      const follower = yield* ask("follower", true, 1)
      yield* settle
      assert.strictEqual(yield* runs.size, 1)
      const both = valueOf(yield* within("4 seconds")(Effect.all([Fiber.join(newest), Fiber.join(follower)])))
      assert.deepStrictEqual(both.map(({ value }) => value), ["newest", "newest"])
    }))))

  it.effect("keeps the work of different keys apart", () =>
    leavingNoFiber(Effect.scoped(Effect.gen(function*() {
      const runs = yield* SharedRun.make<string, never, null>()
      const ask = (key: string) => runs.run(key, begins(Effect.delay(Effect.succeed(key), "1 second")))
      const all = Effect.forEach(["a", "b", "a"], ask, { concurrency: "unbounded" })
      assert.deepStrictEqual(valueOf(yield* within("1 second")(all)), [
        { value: "a", role: "leader" },
        { value: "b", role: "leader" },
        { value: "a", role: "follower" }
      ])
    }))))

  it.effect("interrupts all that is under way when its scope closes, and lets nobody begin from then on", () =>
    leavingNoFiber(Effect.gen(function*() {
      const scope = yield* Scope.make()
      const runs = yield* Scope.extend(SharedRun.make<string, never, null>(), scope)
      let ended = 0
      const hanging = Effect.onInterrupt(Effect.never, () => Effect.sync(() => ended++))
      const fibers = yield* Effect.forEach(["a", "b", "a"], (key) => Effect.fork(runs.run(key, begins(hanging))))
      yield* settle
      yield* Scope.close(scope, Exit.void)
      for (const fiber of fibers) assert.isTrue(Exit.isInterrupted(yield* Fiber.await(fiber)))
      assert.strictEqual(ended, 2)
      assert.isTrue(Exit.isInterrupted(yield* Effect.exit(runs.run("a", begins(Effect.succeed("late"))))))
      assert.strictEqual(yield* runs.size, 0)
    })))
})
