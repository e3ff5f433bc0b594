import { assert, describe, it } from "@effect/vitest"
import type * as LlmError from "effect-llm/LlmError"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Elapsed from "../../src/runtime/elapsed.js"
import * as PartFeed from "../../src/runtime/partFeed.js"
import { happeningAfter } from "../support/betweenOperations.js"
import { unauthorized } from "../support/errors.js"
import { valueOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { recordingLogs } from "../support/recordedLogs.js"
import { steppingBackAfter } from "../support/steppingBack.js"
import { settle, within } from "../support/testClock.js"
import { Colour, defect, hanging, type Note, noting, observe, type Scenario, tooLong } from "./scenarios.js"

type Draw<A> = Effect.Effect<A, LlmError.LlmError>

/** Gives each draw from a feed ten seconds. */
type Limited = <A>(feed: Draw<A>) => Effect.Effect<Draw<A>, never, Scope.Scope>

const ours: Limited = (feed) =>
  PartFeed.withWaitLimit(feed, {
    idleTimeout: Duration.seconds(10),
    deadline: () => Infinity,
    onTimeout: () => tooLong
  })

const effects: Limited = (feed) =>
  Effect.succeed(Effect.timeoutFail(feed, { duration: "10 seconds", onTimeout: () => tooLong }))

/** Draws one step after another. */
const feedOf = <A>(...steps: ReadonlyArray<Draw<A>>): Draw<A> => {
  let drawn = 0
  return Effect.suspend(() => steps[drawn++] ?? Effect.dieMessage("drawn beyond the end"))
}

/** Draws so often, and notes what comes. */
const drawing = (times: number) => <A>(limited: Limited, note: Note, feed: Draw<A>) =>
  Effect.scoped(Effect.flatMap(limited(feed), (draw) => Effect.repeatN(noting(note, "a draw", draw), times - 1)))

/** What Effect's own does in an uninterruptible region: it waits for the end of the draw. */
const effectsInRegion = ["20000 a draw fails with TimedOut", "20000 gives undefined"]

const ref = FiberRef.unsafeMake("none")

/** What a limited feed does in them is what `Effect.timeoutFail` around each draw does. */
const scenarios: { readonly [name: string]: Scenario<Limited> } = {
  "parts that are there": (limited, note) =>
    drawing(3)(limited, note, feedOf(Effect.succeed(1), Effect.succeed(2), Effect.succeed(undefined))),
  "parts that come": (limited, note) =>
    drawing(4)(
      limited,
      note,
      feedOf(
        Effect.delay(Effect.succeed(1), 9999),
        Effect.succeed(2),
        Effect.delay(Effect.succeed(3), 9999),
        Effect.as(Effect.yieldNow(), 4)
      )
    ),
  "failures": (limited, note) =>
    drawing(3)(limited, note, feedOf(unauthorized, Effect.delay(unauthorized, 5), Effect.succeed(1))),
  "defects": (limited, note) => drawing(3)(limited, note, feedOf(defect, Effect.delay(defect, 5), Effect.succeed(1))),
  "draws that interrupt themselves": (limited, note) =>
    drawing(3)(limited, note, feedOf(Effect.interrupt, Effect.delay(Effect.interrupt, 5), Effect.succeed(1))),
  "a wait that is too long": (limited, note) =>
    drawing(1)(limited, note, Effect.onInterrupt(Effect.never, () => note("is told to end"))),
  "a wait that is too long, and long to end": (limited, note) => drawing(1)(limited, note, hanging(note)),
  "a wait that is too long and cannot be interrupted": (limited, note) =>
    drawing(1)(limited, note, Effect.uninterruptible(Effect.zipRight(Effect.sleep("20 seconds"), note("has ended")))),
  "an interruption from outside while a wait that was too long ends": (limited, note) =>
    Effect.scoped(Effect.gen(function*() {
      const reader = yield* Effect.fork(yield* limited(hanging(note)))
      yield* Effect.sleep("12 seconds")
      yield* noting(note, "the reader", Effect.flatten(Fiber.interrupt(reader)))
    })),
  "draws after a wait that was too long": (limited, note) =>
    drawing(3)(limited, note, feedOf<number>(Effect.never, Effect.succeed(1), Effect.delay(Effect.succeed(2), 5))),
  "a limit within another one": (limited, note) =>
    Effect.scoped(
      Effect.flatMap(limited(Effect.delay(Effect.succeed(1), "8 seconds")), (draw) => drawing(2)(limited, note, draw))
    ),
  "FiberRefs that draws set": (limited, note) => {
    const noteRef = Effect.flatMap(FiberRef.get(ref), note)
    const set = (colour: string) => Effect.zipRight(noteRef, FiberRef.set(ref, colour))
    return Effect.scoped(Effect.gen(function*() {
      yield* FiberRef.set(ref, "outside")
      const draw = yield* limited(feedOf<unknown>(
        set("first"),
        Effect.zipRight(Effect.sleep(5), set("second")),
        Effect.zipRight(Effect.sleep(5), Effect.zipRight(set("failed"), unauthorized)),
        Effect.zipRight(set("late"), Effect.never)
      ))
      yield* Effect.repeatN(Effect.zipRight(Effect.exit(draw), noteRef), 3)
    }))
  },
  "services": (limited, note) =>
    Effect.scoped(Effect.gen(function*() {
      const draw = yield* limited(feedOf<string>(Colour, Effect.zipRight(Effect.sleep(5), Colour)))
      yield* noting(note, "a draw", Effect.provideService(draw, Colour, "blue"))
      yield* noting(note, "a draw", Effect.provideService(draw, Colour, "red"))
      return yield* Colour
    }))
}

describe("PartFeed.withWaitLimit beside Effect.timeoutFail around each draw", () => {
  for (const [name, scenario] of Object.entries(scenarios)) {
    it.effect(`does the same with ${name}`, () =>
      leavingNoFiber(Effect.gen(function*() {
        assert.deepStrictEqual(yield* observe(ours, scenario), yield* observe(effects, scenario))
      })))
  }

  it.effect("does the same under a clock whose wall time steps back an hour", () =>
    leavingNoFiber(Effect.gen(function*() {
      const stepping = (scenario: Scenario<Limited>): Scenario<Limited> => (limited, note) =>
        steppingBackAfter("2 seconds")(scenario(limited, note))
      for (const [name, scenario] of Object.entries(scenarios)) {
        assert.deepStrictEqual(yield* observe(ours, stepping(scenario)), yield* observe(ours, scenario), name)
      }
    })))

  it.effect("logs nothing, whatever happens", () =>
    Effect.gen(function*() {
      for (const [name, scenario] of Object.entries(scenarios)) {
        assert.deepStrictEqual((yield* recordingLogs(observe(ours, scenario))).logged, [], name)
      }
    }))

  it.effect("ends a wait on time in an uninterruptible region, too, whatever Effect's does", () =>
    leavingNoFiber(Effect.gen(function*() {
      const inRegion: Scenario<Limited> = (limited, note) =>
        Effect.uninterruptible(drawing(1)(limited, note, Effect.delay(Effect.succeed(1), "20 seconds")))
      assert.deepStrictEqual(yield* observe(ours, inRegion), [
        "10000 a draw fails with TimedOut",
        "10000 gives undefined"
      ])
      assert.deepStrictEqual(yield* observe(effects, inRegion), effectsInRegion)
    })))
})

describe("a feed with a limit", () => {
  it.scoped("loses nothing that comes to a reader that gave up, and draws no further for it", () =>
    Effect.gen(function*() {
      const queue = yield* Queue.unbounded<number>()
      let drawn = 0
      const draw = yield* ours(Effect.tap(Queue.take(queue), () => Effect.sync(() => drawn++)))
      const reader = yield* Effect.fork(draw)
      yield* settle
      yield* Fiber.interrupt(reader)
      yield* Queue.offerAll(queue, [1, 2])
      yield* settle
      assert.strictEqual(drawn, 1)
      assert.strictEqual(yield* draw, 1)
      assert.strictEqual(drawn, 1)
      assert.strictEqual(yield* draw, 2)
    }))

  it.effect("wakes a reader at once that looked before the parts came, or their failure", () =>
    leavingNoFiber(Effect.gen(function*() {
      for (const end of [Exit.succeed(1), Exit.fail(tooLong), Exit.die("a bug")]) {
        for (let operations = 1; operations <= 40; operations++) {
          const parts = Deferred.unsafeMake<number, LlmError.LlmError>(FiberId.none)
          const come = () => Deferred.unsafeDone(parts, end)
          const reader = yield* Effect.fork(Effect.scoped(
            Effect.flatMap(ours(Deferred.await(parts)), happeningAfter(operations, come))
          ))
          yield* settle
          come()
          yield* settle
          assert.deepStrictEqual(reader.unsafePoll(), end, `after ${operations} operations`)
        }
      }
    })))

  it.scoped("gives a reader that takes up a wait its own ten seconds", () =>
    Effect.gen(function*() {
      const draw = yield* ours(Effect.delay(Effect.succeed(1), "18 seconds"))
      const reader = yield* Effect.fork(draw)
      yield* TestClock.adjust("9 seconds")
      yield* Fiber.interrupt(reader)
      assert.strictEqual(valueOf(yield* within("9 seconds")(draw)), 1)
    }))

  it.scoped("gives a reader that takes up a wait the parts that were drawn, or the failure, at once", () =>
    Effect.gen(function*() {
      for (const end of [Effect.succeed(1), unauthorized, defect]) {
        const draw = yield* ours(Effect.delay(end, "1 second"))
        const reader = yield* Effect.fork(draw)
        yield* settle
        yield* Fiber.interrupt(reader)
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(yield* Effect.exit(draw), yield* Effect.exit(end))
      }
    }))

  it.scoped("ends a wait at its deadline, which may be put off meanwhile for the next wait, and says which limit it was", () =>
    Effect.gen(function*() {
      const start = yield* Elapsed.now
      let deadline = start + 4000
      const draw = yield* PartFeed.withWaitLimit(Effect.never, {
        idleTimeout: Duration.seconds(10),
        deadline: () => deadline,
        onTimeout: Effect.fail
      })
      assert.deepStrictEqual(yield* within(4000)(draw), Exit.fail("total"))
      assert.deepStrictEqual(yield* within(0)(draw), Exit.fail("total"))
      deadline = start + 14_001
      assert.deepStrictEqual(yield* within(10_000)(draw), Exit.fail("idle"))
    }))

  it.scoped("ends a wait at its deadline when the wall time steps back an hour", () =>
    Effect.gen(function*() {
      const start = yield* Elapsed.now
      const draw = yield* PartFeed.withWaitLimit(Effect.sleep(1500), {
        idleTimeout: Duration.hours(3),
        deadline: () => start + 4000,
        onTimeout: Effect.fail
      })
      assert.deepStrictEqual(yield* within(4000)(steppingBackAfter(1000)(Effect.forever(draw))), Exit.fail("total"))
    }))

  it.effect("ends with its scope, which waits for the end of a draw under way", () =>
    leavingNoFiber(Effect.gen(function*() {
      const scope = yield* Scope.make()
      const closed = yield* Deferred.make<number>()
      const feed = Effect.onInterrupt(Effect.never, () =>
        Effect.zipRight(
          Effect.sleep("5 seconds"),
          Effect.flatMap(Clock.currentTimeMillis, (now) => Deferred.succeed(closed, now))
        ))
      const draw = yield* Scope.extend(ours(feed), scope)
      const reader = yield* Effect.fork(draw)
      yield* settle
      yield* Fiber.interrupt(reader)
      assert.isFalse(yield* Deferred.isDone(closed))
      yield* within("5 seconds")(Scope.close(scope, Exit.void))
      assert.strictEqual(yield* Deferred.await(closed), 5000)
    })))
})
