import { assert, describe, it } from "@effect/vitest"
import * as SingleFlight from "effect-llm/SingleFlight"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { leavingNoFiber } from "../../support/fibers.js"
import { settle } from "../../support/testClock.js"

/** Work that waits for a signal, and tells how often it ran and how it ended. */
const signalled = Effect.gen(function*() {
  const signal = yield* Deferred.make<string, string>()
  const seen = { runs: 0, interrupted: 0 }
  const work = () =>
    Effect.suspend(() => {
      seen.runs++
      return Deferred.await(signal)
    }).pipe(Effect.onInterrupt(() => Effect.sync(() => seen.interrupted++)))
  return { seen, signal, work }
})

const flights = SingleFlight.make<string, string>()

const at = (deadline: number, work: (flight: SingleFlight.Flight) => Effect.Effect<string, string>) => ({
  deadline,
  work
})

/** Has a fiber let all others go on once: before the step of this number. */
const yieldingAt = (fiber: Fiber.RuntimeFiber<unknown, unknown>, step: number): Scheduler.Scheduler => {
  let steps = 0
  return {
    shouldYield: (other) => other === fiber && ++steps === step ? 1 : false,
    scheduleTask: (task, priority, ...more) => {
      if (priority === 1) setImmediate(task)
      else Scheduler.defaultScheduler.scheduleTask(task, priority, ...more)
    }
  }
}

describe("SingleFlight", () => {
  it.scoped("does equal work that is asked for 100 times once, and one of the 100 has begun it", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { run, size } = yield* flights
      const { seen, signal, work } = yield* signalled
      const fibers = yield* Effect.forEach(
        Array.from({ length: 100 }),
        () => Effect.fork(run("a", at(0, work)))
      )
      yield* settle
      assert.strictEqual(yield* size, 1)
      yield* Deferred.succeed(signal, "done")
      const all = yield* Fiber.join(Fiber.all(fibers))
      assert.strictEqual(seen.runs, 1)
      assert.isTrue(all.every(({ value }) => value === "done"))
      assert.strictEqual(all.filter(({ role }) => role === "leader").length, 1)
      assert.strictEqual(all[0]?.role, "leader")
      assert.strictEqual(yield* size, 0)
    })))

  it.scopedLive("gives its result to a caller that makes room for others before it comes to wait", () =>
    Effect.gen(function*() {
      const { run } = yield* flights
      const asked = run("a", at(Infinity, () => Effect.as(Effect.promise(() => Promise.resolve()), "done")))
      for (let step = 1; step <= 20; step++) {
        const { value } = yield* Effect.withFiberRuntime<SingleFlight.Shared<string>, string>((caller) =>
          Effect.withScheduler(asked, yieldingAt(caller, step))
        )
        assert.strictEqual(value, "done")
      }
    }))

  it.scoped("keeps different keys apart", () =>
    Effect.gen(function*() {
      const { run, size } = yield* flights
      const a = yield* signalled
      const b = yield* signalled
      const fibers = [yield* Effect.fork(run("a", at(0, a.work))), yield* Effect.fork(run("b", at(0, b.work)))]
      yield* settle
      assert.strictEqual(yield* size, 2)
      yield* Deferred.succeed(b.signal, "b")
      yield* Deferred.succeed(a.signal, "a")
      assert.deepStrictEqual(yield* Fiber.join(Fiber.all(fibers)), [
        { value: "a", role: "leader" },
        { value: "b", role: "leader" }
      ])
    }))

  it.scoped("keeps nothing: a later call does the work anew, after a result and after a failure", () =>
    Effect.gen(function*() {
      const { run, size } = yield* flights
      let runs = 0
      const work = () => Effect.suspend(() => ++runs === 2 ? Effect.fail("second") : Effect.succeed(`run ${runs}`))
      assert.deepStrictEqual(yield* run("a", at(0, work)), { value: "run 1", role: "leader" })
      assert.strictEqual(yield* Effect.flip(run("a", at(0, work))), "second")
      assert.deepStrictEqual(yield* run("a", at(0, work)), { value: "run 3", role: "leader" })
      assert.strictEqual(yield* size, 0)
    }))

  it.scoped("shares failures and defects like results", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { run, size } = yield* flights
      const bug = new Error("a bug")
      const endings = [Exit.fail("failed"), Exit.die(bug)]
      for (const ending of endings) {
        const { seen, signal, work } = yield* signalled
        const fibers = yield* Effect.forEach([1, 2, 3], () => Effect.fork(run("a", at(0, work))))
        yield* settle
        yield* Deferred.done(signal, ending)
        const exits = yield* Effect.forEach(fibers, Fiber.await)
        assert.strictEqual(seen.runs, 1)
        for (const exit of exits) assert.deepStrictEqual(Exit.asVoid(exit), Exit.asVoid(ending))
        assert.strictEqual(yield* size, 0)
      }
    })))

  it.scoped("takes work that throws, before it even is an effect, for a defect of that call", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { run, size } = yield* flights
      const exit = yield* Effect.exit(run(
        "a",
        at(0, () => {
          throw new Error("a bug")
        })
      ))
      assert(exit._tag === "Failure" && Cause.isDie(exit.cause))
      assert.strictEqual(yield* size, 0)
    })))

  describe("interruption", () => {
    it.scoped("of the one that began the work leaves it to the others", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { run } = yield* flights
        const { seen, signal, work } = yield* signalled
        const leader = yield* Effect.fork(run("a", at(0, work)))
        yield* settle
        const follower = yield* Effect.fork(run("a", at(0, work)))
        yield* settle
        yield* Fiber.interrupt(leader)
        yield* Deferred.succeed(signal, "done")
        assert.deepStrictEqual(yield* Fiber.join(follower), { value: "done", role: "follower" })
        assert.deepStrictEqual(seen, { runs: 1, interrupted: 0 })
      })))

    it.scoped("of a follower leaves the work to the one that began it", () =>
      Effect.gen(function*() {
        const { run } = yield* flights
        const { seen, signal, work } = yield* signalled
        const leader = yield* Effect.fork(run("a", at(0, work)))
        const follower = yield* Effect.fork(run("a", at(0, work)))
        yield* settle
        yield* Fiber.interrupt(follower)
        yield* Deferred.succeed(signal, "done")
        assert.deepStrictEqual(yield* Fiber.join(leader), { value: "done", role: "leader" })
        assert.deepStrictEqual(seen, { runs: 1, interrupted: 0 })
      }))

    it.scoped("of all of them interrupts the work, and the last waits for its end", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { run, size } = yield* flights
        let cleanedUp = false
        const work = () =>
          Effect.never.pipe(
            Effect.onInterrupt(() => Effect.zipRight(Effect.sleep(100), Effect.sync(() => cleanedUp = true)))
          )
        const first = yield* Effect.fork(run("a", at(0, work)))
        const last = yield* Effect.fork(run("a", at(0, work)))
        yield* settle
        yield* Fiber.interrupt(first)
        const leaving = yield* Effect.fork(Fiber.interrupt(last))
        yield* TestClock.adjust(99)
        assert.isNull(leaving.unsafePoll())
        assert.isFalse(cleanedUp)
        yield* TestClock.adjust(1)
        assert.isTrue(cleanedUp)
        assert.isTrue(Exit.isInterrupted(yield* Fiber.join(leaving)))
        assert.strictEqual(yield* size, 0)
      })))

    it.scoped("of all of them at once interrupts the work once", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { run, size } = yield* flights
        const { seen, work } = yield* signalled
        const fibers = yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.fork(run("a", at(0, work))))
        yield* settle
        yield* Fiber.interruptAll(fibers)
        assert.deepStrictEqual(seen, { runs: 1, interrupted: 1 })
        assert.strictEqual(yield* size, 0)
      })))

    it.scoped("before the work has made its first step leaves nothing behind", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { run, size } = yield* flights
        const { seen, work } = yield* signalled
        const exits = yield* Effect.forEach(Array.from({ length: 8 }, (_, i) => i), (yields) =>
          Effect.gen(function*() {
            const fiber = yield* Effect.fork(run("a", at(0, work)))
            yield* Effect.repeatN(Effect.yieldNow(), yields)
            return yield* Fiber.interrupt(fiber)
          }))
        assert.isTrue(exits.every(Exit.isInterrupted))
        assert.strictEqual(seen.interrupted, seen.runs)
        assert.strictEqual(yield* size, 0)
      })))

    it.scoped("leaves a caller that comes while abandoned work is still ending to begin anew", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { run, size } = yield* flights
        const stuck = () => Effect.never.pipe(Effect.onInterrupt(() => Effect.sleep(100)))
        const abandoned = yield* Effect.fork(run("a", at(0, stuck)))
        yield* settle
        const leaving = yield* Effect.fork(Fiber.interrupt(abandoned))
        yield* settle
        const { signal, work } = yield* signalled
        const next = yield* Effect.fork(run("a", at(0, work)))
        yield* settle
        assert.strictEqual(yield* size, 1)
        // The end of the abandoned work does not take the new one's place from it.
        yield* TestClock.adjust(100)
        yield* Fiber.join(leaving)
        assert.strictEqual(yield* size, 1)
        const joining = yield* Effect.fork(run("a", at(0, work)))
        yield* settle
        yield* Deferred.succeed(signal, "anew")
        assert.deepStrictEqual(yield* Fiber.join(next), { value: "anew", role: "leader" })
        assert.deepStrictEqual(yield* Fiber.join(joining), { value: "anew", role: "follower" })
        assert.strictEqual(yield* size, 0)
      })))

    it.scoped("by a time limit takes the work with it when nobody else waits", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { run } = yield* flights
        const { seen, work } = yield* signalled
        const fiber = yield* Effect.fork(Effect.timeoutOption(run("a", at(1000, work)), 1000))
        yield* TestClock.adjust(1000)
        assert.strictEqual((yield* Fiber.join(fiber))._tag, "None")
        assert.deepStrictEqual(seen, { runs: 1, interrupted: 1 })
      })))

    it.scoped("of the work from within ends the waiting of all", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { run, size } = yield* flights
        const gate = yield* Deferred.make<void>()
        const work = () => Effect.zipRight(Deferred.await(gate), Effect.interrupt)
        const fibers = yield* Effect.forEach([1, 2], () => Effect.fork(run("a", at(0, work))))
        yield* settle
        yield* Deferred.succeed(gate, undefined)
        const exits = yield* Effect.forEach(fibers, Fiber.await)
        assert.isTrue(exits.every(Exit.isInterrupted))
        assert.strictEqual(yield* size, 0)
      })))
  })

  describe("scope", () => {
    it.effect("closing interrupts what is under way, and waits for its end", () =>
      leavingNoFiber(Effect.gen(function*() {
        const scope = yield* Scope.make()
        const { run, size } = yield* Scope.extend(flights, scope)
        const { seen, work } = yield* signalled
        const fibers = yield* Effect.forEach(["a", "a", "b"], (key) => Effect.fork(run(key, at(0, work))))
        yield* settle
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(seen, { runs: 2, interrupted: 2 })
        const exits = yield* Effect.forEach(fibers, Fiber.await)
        assert.isTrue(exits.every(Exit.isInterrupted))
        assert.strictEqual(yield* size, 0)
      })))

    it.effect("that is closed takes no more work", () =>
      leavingNoFiber(Effect.gen(function*() {
        const scope = yield* Scope.make()
        const { run, size } = yield* Scope.extend(flights, scope)
        yield* Scope.close(scope, Exit.void)
        const { seen, work } = yield* signalled
        const exit = yield* Effect.exit(run("a", at(0, work)))
        assert.isTrue(Exit.isInterrupted(exit))
        assert.strictEqual(seen.runs, seen.interrupted)
        assert.strictEqual(yield* size, 0)
      })))
  })

  describe("deadline", () => {
    it.scoped("is the latest of all callers", () =>
      Effect.gen(function*() {
        const { run } = yield* flights
        const seen: Array<number> = []
        const work = (flight: SingleFlight.Flight) =>
          Effect.sync(() => seen.push(flight.deadline())).pipe(
            Effect.delay(10),
            Effect.repeatN(2),
            Effect.as("done")
          )
        const fibers = [yield* Effect.fork(run("a", at(100, work)))]
        yield* TestClock.adjust(10)
        fibers.push(yield* Effect.fork(run("a", at(300, work))))
        yield* TestClock.adjust(10)
        fibers.push(yield* Effect.fork(run("a", at(200, work))))
        yield* TestClock.adjust(10)
        yield* Fiber.join(Fiber.all(fibers))
        assert.deepStrictEqual(seen, [100, 300, 300])
        assert.strictEqual(yield* Clock.currentTimeMillis, 30)
      }))

    it.scoped("of the first is there when the work begins", () =>
      Effect.gen(function*() {
        const { run } = yield* flights
        const work = (flight: SingleFlight.Flight) => Effect.succeed(String(flight.deadline()))
        assert.strictEqual((yield* run("a", at(100, work))).value, "100")
        // No earlier run's deadline is left over.
        assert.strictEqual((yield* run("a", at(50, work))).value, "50")
      }))
  })
})
