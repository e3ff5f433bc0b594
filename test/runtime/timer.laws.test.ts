import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Elapsed from "../../src/runtime/elapsed.js"
import { setTimer } from "../../src/runtime/timer.js"
import { leavingNoFiber } from "../support/fibers.js"
import { recordingLogs } from "../support/recordedLogs.js"
import { steppingBackAfter } from "../support/steppingBack.js"
import { settle, within } from "../support/testClock.js"
import { observe, type Scenario } from "./scenarios.js"

/** Waits so many milliseconds. */
type Sleep = (millis: number) => Effect.Effect<void>

const timer: Sleep = (millis) =>
  Effect.withFiberRuntime((fiber) =>
    Effect.async((resume) => Effect.sync(setTimer(fiber, millis, () => resume(Effect.void))))
  )

const sleeping: { readonly [name: string]: Scenario<Sleep> } = {
  "a wait": (sleep) => sleep(9999),
  "no wait": (sleep) => sleep(0),
  "a wait for ever": (sleep) => sleep(Infinity),
  "waits one after another": (sleep, note) => Effect.repeatN(Effect.zipRight(sleep(1000), note("wakes")), 3),
  "waits side by side": (sleep, note) =>
    Effect.forEach([3000, 1000, 2000], (millis) => Effect.zipRight(sleep(millis), note("wakes")), {
      concurrency: "unbounded"
    }),
  "a wait that is given up": (sleep, note) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(Effect.zipRight(sleep(2000), note("wakes")))
      yield* sleep(1000)
      yield* Fiber.interrupt(fiber)
      yield* note("is given up")
      yield* sleep(5000)
    }),
  "a wait in an uninterruptible region": (sleep, note) =>
    Effect.uninterruptible(Effect.zipRight(sleep(1000), note("wakes")))
}

describe("setTimer beside Effect.sleep", () => {
  for (const [name, scenario] of Object.entries(sleeping)) {
    it.effect(`does the same with ${name}`, () =>
      leavingNoFiber(Effect.gen(function*() {
        const expected = yield* observe(Effect.sleep, scenario)
        assert.deepStrictEqual(yield* observe(timer, scenario), expected)
        // The wall time is of no concern to a wait.
        const stepping: Scenario<Sleep> = (sleep, note) => steppingBackAfter(500)(scenario(sleep, note))
        assert.deepStrictEqual(yield* observe(timer, stepping), expected)
        assert.deepStrictEqual((yield* recordingLogs(observe(timer, scenario))).logged, [])
      })))
  }

  it.live("does the same on the live clock", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const wake = (name: string, sleep: Sleep, millis: number) =>
        Effect.map(Effect.timed(sleep(millis)), ([elapsed]) => {
          order.push(`${name} ${millis}`)
          // A timer of JavaScript may fire within the millisecond before.
          assert.isAtLeast(Duration.toMillis(elapsed), millis - 1)
        })
      yield* Effect.all([
        wake("timer", timer, 60),
        wake("sleep", Effect.sleep, 40),
        wake("timer", timer, 20),
        wake("sleep", Effect.sleep, 0)
      ], { concurrency: "unbounded" })
      assert.deepStrictEqual(order, ["sleep 0", "timer 20", "sleep 40", "timer 60"])
    }))

  it.live("never fires on the live clock if it was cancelled, or is further off than any timer of JavaScript", () =>
    Effect.gen(function*() {
      const fired: Array<string> = []
      yield* Effect.withFiberRuntime<void>((fiber) => {
        setTimer(fiber, 1, () => fired.push("cancelled"))()
        setTimer(fiber, 2 ** 31, () => fired.push("far"))
        setTimer(fiber, Infinity, () => fired.push("never"))
        setTimer(fiber, 1, () => fired.push("next"))
        return Effect.void
      })
      yield* Effect.sleep(20)
      assert.deepStrictEqual(fired, ["next"])
    }))

  it.effect("never fires on a TestClock once it was cancelled", () =>
    leavingNoFiber(Effect.gen(function*() {
      let fired = 0
      const cancel = yield* Effect.withFiberRuntime<() => void>((fiber) =>
        Effect.sync(() =>
          setTimer(fiber, 1000, () => {
            fired++
          })
        )
      )
      cancel()
      yield* settle
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(fired, 0)
    })))
})

describe("Elapsed beside Effect.timed", () => {
  const measured = <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.gen(function*() {
      const start = yield* Elapsed.now
      const [timed] = yield* Effect.timed(self)
      return { elapsed: yield* Elapsed.since(start), timed }
    })

  for (const millis of [0, 1, 1234, 3_600_000]) {
    it.effect(`finds the same after ${millis} ms, also when the wall time steps back an hour`, () =>
      Effect.gen(function*() {
        for (const clock of [<A, E, R>(self: Effect.Effect<A, E, R>) => self, steppingBackAfter(millis / 2)]) {
          const exit = yield* within(millis)(clock(measured(Effect.sleep(millis))))
          const { elapsed, timed } = yield* exit
          assert.deepStrictEqual([elapsed, timed].map(Duration.toMillis), [millis, millis])
        }
      }))
  }

  it.live("finds the same on the live clock, to the millisecond", () =>
    Effect.gen(function*() {
      const { elapsed, timed } = yield* measured(Effect.sleep(20))
      assert.isTrue(Number.isInteger(Duration.toMillis(elapsed)))
      assert.isAtLeast(Duration.toMillis(elapsed), Math.floor(Duration.toMillis(timed)) - 1)
    }))

  it.effect("does not change with the date", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust("10 seconds")
      const clock = yield* Clock.clockWith(Effect.succeed)
      const before = Elapsed.unsafeNow(clock)
      const after = yield* steppingBackAfter(0)(Effect.zip(Elapsed.now, Clock.currentTimeMillis))
      assert.deepStrictEqual(after, [before, 10_000 - 3_600_000])
    }))
})
