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
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as AttemptTime from "../../src/runtime/attemptTime.js"
import { failure } from "../support/errors.js"
import { errorOf, valueOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { request, respond } from "../support/samples.js"
import { within } from "../support/testClock.js"

const tooLong = failure(LlmError.TimedOut.make({ phase: "attempt" }))

const tenSeconds = (attempt: LlmProvider.Attempt) =>
  AttemptTime.limited({ attempt, limit: Duration.seconds(10), onTimeout: () => tooLong })

/** An attempt within a limit of ten seconds, that may itself be part of another. */
const limited = <A>(self: (attempt: LlmProvider.Attempt) => Effect.Effect<A, LlmError.LlmError>) =>
  Effect.flatMap(
    LlmProvider.CurrentAttempt,
    (outer) => tenSeconds(outer)(Effect.flatMap(LlmProvider.CurrentAttempt, self))
  )

describe("the time of an attempt", () => {
  it.effect("ends it, and what ended can tell why", () =>
    leavingNoFiber(Effect.gen(function*() {
      const ends: Array<boolean> = []
      const attempt = limited((attempt) =>
        Effect.onInterrupt(Effect.never, () => Effect.map(attempt.expired, (expired) => ends.push(expired)))
      )
      assert.strictEqual(errorOf(yield* within("10 seconds")(attempt)), tooLong)
      const fiber = yield* Effect.fork(attempt)
      yield* TestClock.adjust("9 seconds")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(ends, [true, false])
    })))

  it.effect("stands still for who waits for a turn, however often and in however many places at a time", () =>
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
      assert.strictEqual(errorOf(yield* Fiber.await(fiber)), tooLong)
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
      assert.strictEqual(errorOf(yield* within("20 seconds")(attempt)), tooLong)
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
