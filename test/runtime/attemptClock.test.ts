import { assert, describe, it } from "@effect/vitest"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as AttemptClock from "../../src/runtime/attemptClock.js"
import * as Elapsed from "../../src/runtime/elapsed.js"
import { failure, unauthorized } from "../support/errors.js"
import { errorOf, valueOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { recordingLogs } from "../support/recordedLogs.js"
import { request, respond } from "../support/samples.js"
import { steppingBackAfter } from "../support/steppingBack.js"
import { within } from "../support/testClock.js"

const tooLong = (phase: AttemptClock.Phase) => failure(LlmError.TimedOut.make({ phase }))

type Options = Partial<AttemptClock.Options>

/** An attempt within a limit of ten seconds, that may itself be part of another. */
const limited = <A>(
  self: (attempt: LlmProvider.Attempt) => Effect.Effect<A, LlmError.LlmError>,
  options: Options = {}
) =>
  Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) =>
    Effect.flatMap(LlmProvider.CurrentAttempt, self).pipe(
      AttemptClock.limited({ attempt, limit: Duration.seconds(10), onTimeout: tooLong, ...options })
    ))

const phaseOf = (exit: Exit.Exit<unknown, LlmError.LlmError>) => {
  const { reason } = errorOf(exit)
  return reason._tag === "TimedOut" ? reason.phase : reason._tag
}

describe("the time of an attempt", () => {
  it.scoped("is seen by its policies alone", () =>
    Effect.gen(function*() {
      const outside = yield* LlmProvider.CurrentAttempt
      const inside = yield* limited(Effect.succeed)
      assert.notStrictEqual(inside, outside)
      assert.strictEqual(yield* LlmProvider.CurrentAttempt, outside)
    }))

  it.scoped("is seen by its policies alone, also where the attempt has set a FiberRef that its caller keeps", () =>
    Effect.gen(function*() {
      const ref = yield* FiberRef.make("unset")
      const outside = yield* LlmProvider.CurrentAttempt
      const inside = yield* limited((attempt) => Effect.as(FiberRef.set(ref, "set"), attempt))
      assert.notStrictEqual(inside, outside)
      assert.strictEqual(yield* FiberRef.get(ref), "set")
      assert.strictEqual(yield* LlmProvider.CurrentAttempt, outside)
    }))

  it.effect("ends it, and the ended attempt knows why", () =>
    leavingNoFiber(Effect.gen(function*() {
      const ends: Array<boolean> = []
      const attempt = limited((attempt) =>
        Effect.onInterrupt(Effect.never, () => Effect.map(attempt.expired, (expired) => ends.push(expired)))
      )
      assert.deepStrictEqual(errorOf(yield* within("10 seconds")(attempt)), tooLong("attempt"))
      const fiber = yield* Effect.fork(attempt)
      yield* TestClock.adjust("9 seconds")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(ends, [true, false])
    })))

  it.effect("stands still while a policy waits for its turn, however often and in however many places at a time", () =>
    leavingNoFiber(Effect.gen(function*() {
      const left: Array<number> = []
      const attempt = limited(({ left: now, queued }) => {
        const note = Effect.map(now, (duration) => left.push(Duration.toSeconds(duration)))
        return Effect.gen(function*() {
          yield* Effect.sleep("3 seconds")
          yield* queued(Effect.zipRight(Effect.sleep("1 minute"), note))
          yield* Effect.sleep("3 seconds")
          yield* Effect.all([queued(Effect.sleep("20 seconds")), queued(Effect.sleep("40 seconds"))], {
            concurrency: 2
          })
          yield* note
          return yield* Effect.never
        })
      })
      const fiber = yield* Effect.fork(attempt)
      yield* TestClock.adjust("109999 millis")
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(errorOf(yield* Fiber.await(fiber)), tooLong("attempt"))
      assert.deepStrictEqual(left, [7, 4])
    })))

  it.effect("goes on after a wait that failed or was given up", () =>
    leavingNoFiber(Effect.gen(function*() {
      const attempt = limited(({ queued }) =>
        Effect.gen(function*() {
          yield* Effect.ignore(queued(Effect.delay(Effect.fail("full"), "5 seconds")))
          yield* Effect.timeoutOption(queued(Effect.never), "5 seconds")
          return yield* Effect.never
        })
      )
      assert.deepStrictEqual(errorOf(yield* within("20 seconds")(attempt)), tooLong("attempt"))
    })))

  it.effect("stands still within another that does, and is never more than that one has left", () =>
    leavingNoFiber(Effect.gen(function*() {
      const both = limited(({ queued }) =>
        Effect.zipRight(
          Effect.sleep("4 seconds"),
          limited((inner) =>
            Effect.gen(function*() {
              assert.deepStrictEqual(yield* inner.left, Duration.seconds(6))
              yield* inner.queued(Effect.sleep("1 minute"))
              assert.deepStrictEqual(yield* inner.left, Duration.seconds(6))
              // Only the outer one's.
              yield* queued(Effect.sleep("5 seconds"))
              assert.deepStrictEqual(yield* inner.left, Duration.seconds(5))
              return "done"
            })
          )
        )
      )
      assert.strictEqual(valueOf(yield* within("69 seconds")(both)), "done")
    })))

  it.effect("is the same, in queues too, when the wall time steps back an hour", () =>
    leavingNoFiber(Effect.gen(function*() {
      const queued: Array<number> = []
      const attempt = limited(
        ({ left, queued }) =>
          Effect.gen(function*() {
            yield* queued(Effect.sleep("30 seconds"))
            assert.deepStrictEqual(yield* left, Duration.seconds(10))
            yield* Effect.sleep("4 seconds")
            assert.deepStrictEqual(yield* left, Duration.seconds(6))
            return yield* Effect.never
          }),
        { onQueued: (millis) => queued.push(millis) }
      )
      assert.strictEqual(phaseOf(yield* within("40 seconds")(steppingBackAfter("20 seconds")(attempt))), "attempt")
      assert.strictEqual(phaseOf(yield* within("40 seconds")(steppingBackAfter("32 seconds")(attempt))), "attempt")
      assert.deepStrictEqual(queued, [30_000, 30_000])
    })))

  it.effect("reports each time in a queue once, overlapping ones as one", () =>
    leavingNoFiber(Effect.gen(function*() {
      const waits: Array<number> = []
      yield* within("1 minute")(limited(({ queued }) =>
        Effect.gen(function*() {
          yield* queued(Effect.sleep("2 seconds"))
          yield* Effect.sleep("1 second")
          yield* Effect.all(
            [queued(Effect.sleep("3 seconds")), Effect.delay(queued(Effect.sleep("3 seconds")), 1000)],
            {
              concurrency: 2
            }
          )
          yield* queued(Effect.void)
        }), { onQueued: (millis) => waits.push(millis) }))
      assert.deepStrictEqual(waits, [2000, 4000, 0])
    })))

  it.effect("is seen inside only: outside, the attempt is what it was", () =>
    leavingNoFiber(Effect.gen(function*() {
      const before = yield* LlmProvider.CurrentAttempt
      const left = yield* before.left
      for (const wait of [Effect.void, Effect.sleep("1 second")]) {
        const seen = Effect.gen(function*() {
          const inside = yield* limited((attempt) => Effect.as(wait, attempt))
          return { inside, outside: yield* LlmProvider.CurrentAttempt }
        })
        const { inside, outside } = valueOf(yield* within("1 second")(seen))
        assert.notStrictEqual(inside, before)
        assert.strictEqual(outside, before)
      }
      assert.deepStrictEqual(yield* before.left, left)
    })))

  describe("and a deadline", () => {
    it.effect("end it with whichever comes first, and the failure names the one", () =>
      leavingNoFiber(Effect.gen(function*() {
        const now = yield* Elapsed.now
        const until = (millis: number) => limited(() => Effect.never, { deadline: () => now + millis })
        const early = yield* Effect.fork(until(4000))
        const late = yield* Effect.fork(until(10_001))
        yield* TestClock.adjust(3999)
        assert.isNull(early.unsafePoll())
        yield* TestClock.adjust(1)
        assert.strictEqual(phaseOf(yield* Fiber.await(early)), "total")
        yield* TestClock.adjust(6000)
        assert.strictEqual(phaseOf(yield* Fiber.await(late)), "attempt")
        assert.strictEqual(phaseOf(yield* within(0)(limited(() => Effect.never, { deadline: () => now }))), "total")
      })))

    it.effect("end it in a queue, too, where only the deadline counts", () =>
      leavingNoFiber(Effect.gen(function*() {
        const now = yield* Elapsed.now
        const attempt = limited(({ queued }) => queued(Effect.never), { deadline: () => now + 15_000 })
        const fiber = yield* Effect.fork(attempt)
        yield* TestClock.adjust(14_999)
        assert.isNull(fiber.unsafePoll())
        yield* TestClock.adjust(1)
        assert.strictEqual(phaseOf(yield* Fiber.await(fiber)), "total")
      })))

    it.effect("let it go on when the deadline has been put off meanwhile", () =>
      leavingNoFiber(Effect.gen(function*() {
        const now = yield* Elapsed.now
        let deadline = now + 4000
        const fiber = yield* Effect.fork(limited(() => Effect.never, { deadline: () => deadline }))
        yield* TestClock.adjust(3000)
        deadline = now + 7000
        yield* TestClock.adjust(3999)
        assert.isNull(fiber.unsafePoll())
        yield* TestClock.adjust(1)
        assert.strictEqual(phaseOf(yield* Fiber.await(fiber)), "total")
      })))

    it.effect("end it on time when the wall time steps back an hour", () =>
      leavingNoFiber(Effect.gen(function*() {
        const now = yield* Elapsed.now
        const attempt = limited(() => Effect.never, { deadline: () => now + 4000 })
        assert.strictEqual(phaseOf(yield* within(4000)(steppingBackAfter(1000)(attempt))), "total")
      })))
  })

  it.effect("logs nothing when an attempt fails, takes too long, or waits in vain", () =>
    Effect.gen(function*() {
      const late = { deadline: () => 0 }
      const attempts = [
        limited(({ queued }) => queued(Effect.delay(unauthorized, "1 second"))),
        limited(({ queued }) => queued(Effect.delay(Effect.dieMessage("bug"), "1 second"))),
        limited(() => Effect.onInterrupt(Effect.never, () => Effect.dieMessage("bug"))),
        limited(({ queued }) => queued(Effect.never), late)
      ]
      for (const attempt of attempts) {
        const { exit, logged } = yield* recordingLogs(Effect.flatten(within("10 seconds")(Effect.exit(attempt))))
        assert(Exit.isSuccess(exit) && Exit.isFailure(exit.value))
        assert.deepStrictEqual(logged, [])
      }
    }))

  describe("of a client", () => {
    type Answer = Effect.Effect<LlmResponse.LlmResponse, LlmError.LlmError>

    const queueing = (wait: Duration.DurationInput, then: Answer) => (_: LlmRequest.LlmRequest): Answer =>
      Effect.flatMap(LlmProvider.CurrentAttempt, ({ queued }) => Effect.zipRight(queued(Effect.sleep(wait)), then))

    const clientOn = (call: LlmProvider.Service["call"]) =>
      Effect.provide(Layer.provide(
        LlmClient.layerDefault({ retry: false }),
        LlmProvider.layer({ name: "busy", endpoint: "memory:", call })
      ))

    it.effect("does not pass in a queue, for a call nor for a stream", () =>
      Effect.gen(function*() {
        const call = within("80 seconds")(LlmClient.call(request))
        const stream = within("80 seconds")(Stream.runDrain(LlmClient.stream({ ...request, seed: 1 })))
        assert(Exit.isSuccess(yield* call))
        assert(Exit.isSuccess(yield* stream))
      }).pipe(clientOn(queueing("1 minute", Effect.delay(Effect.succeed(respond("Elbe")), "20 seconds")))))

    it.effect("is the same after the queue as without one", () =>
      Effect.gen(function*() {
        const { reason } = errorOf(yield* within("90 seconds")(LlmClient.call(request)))
        assert.deepStrictEqual(reason, LlmError.TimedOut.make({ phase: "attempt", limit: Duration.seconds(30) }))
      }).pipe(clientOn(queueing("1 minute", Effect.never))))

    it.effect("does not stop the deadline", () =>
      Effect.gen(function*() {
        const { reason } = errorOf(yield* within("40 seconds")(LlmClient.call(request, { deadline: "40 seconds" })))
        assert(reason._tag === "TimedOut" && reason.phase === "total")
      }).pipe(clientOn(queueing("1 minute", Effect.succeed(respond("Elbe"))))))
  })
})
