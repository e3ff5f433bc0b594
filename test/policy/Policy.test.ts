import { assert, describe, it } from "@effect/vitest"
import type * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as Policy from "effect-llm/Policy"
import * as StreamPart from "effect-llm/StreamPart"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { serverFailed } from "../support/errors.js"
import { errorOf, valueOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { request, respond } from "../support/samples.js"
import { settle } from "../support/testClock.js"

type Answer = Effect.Effect<LlmResponse.LlmResponse, LlmError.LlmError>

const decoded = Effect.orDie(LlmRequest.decode(request))

const elbe = respond("Elbe")

const delta = StreamPart.TextDelta({ text: "Elbe" })

/** A provider that does the same for both operations: a stream has a part before its answer. */
const answering = (answer: Answer): LlmProvider.Service =>
  LlmProvider.make({
    name: "test",
    endpoint: "memory:",
    call: () => answer,
    stream: () =>
      Stream.concat(
        Stream.succeed(delta),
        Stream.fromEffect(Effect.map(answer, (response) => StreamPart.Finish({ response })))
      )
  })

/** The answer of a stream that is read to its end. */
const drained = (stream: Stream.Stream<StreamPart.StreamPart, LlmError.LlmError>): Answer =>
  Effect.flatMap(Stream.runLast(stream), (last) => {
    const part = Option.getOrUndefined(last)
    return part?._tag === "Finish" ? Effect.succeed(part.response) : Effect.dieMessage("The stream has no end")
  })

const operations = {
  call: (provider: LlmProvider.Service) => Effect.flatMap(decoded, (request) => provider.call(request)),
  stream: (provider: LlmProvider.Service) => Effect.flatMap(decoded, (request) => drained(provider.stream(request)))
}

const tagOf = (exit: Exit.Exit<unknown, LlmError.LlmError>): string =>
  Exit.match(exit, {
    onSuccess: () => "success",
    onFailure: (cause) =>
      Cause.isInterruptedOnly(cause)
        ? "interruption"
        : Option.match(Cause.failureOption(cause), { onNone: () => "defect", onSome: ({ reason }) => reason._tag })
  })

/** A policy that lets all in, and remembers it. */
const watching = (provider: LlmProvider.Service, more: Partial<Policy.Admission> = {}) => {
  const log = { admitted: 0, settled: Array<string>(), operations: Array<string>() }
  const watched = Policy.around(provider, (_request, _attempt, { operation }) =>
    Effect.sync(() => {
      log.admitted++
      log.operations.push(operation)
      return { ...more, settle: (exit) => Effect.sync(() => void log.settled.push(tagOf(exit))) }
    }))
  return { log, watched }
}

describe("LlmProvider.transform", () => {
  const layer = LlmProvider.layer({ name: "test", endpoint: "memory:", call: () => Effect.succeed(elbe) })
  const named = (name: string) => (provider: LlmProvider.Service): LlmProvider.Service => ({ ...provider, name })
  const nameOf = LlmProvider.LlmProvider.pipe(Effect.map(({ name }) => name))

  it.effect("wraps the provider of a layer, by a function or an effect", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Effect.provide(nameOf, LlmProvider.transform(layer, named("a"))), "a")
      const effect = layer.pipe(LlmProvider.transform((provider) => Effect.succeed(named("b")(provider))))
      assert.strictEqual(yield* Effect.provide(nameOf, effect), "b")
    }))

  it.effect("closes the scope of the wrapper with the layer, and fails with its failure", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const scoped = LlmProvider.transform(layer, (provider) =>
        Effect.as(
          Effect.acquireRelease(Effect.sync(() => log.push("open")), () => Effect.sync(() => log.push("closed"))),
          provider
        ))
      yield* Effect.provide(Effect.sync(() => log.push("used")), scoped)
      assert.deepStrictEqual(log, ["open", "used", "closed"])
      const failing = LlmProvider.transform(layer, () => Effect.fail("no"))
      assert.deepStrictEqual(yield* Effect.exit(Effect.provide(nameOf, failing)), Exit.fail("no"))
      const throwing = LlmProvider.transform(layer, () => {
        throw new Error("a bug")
      })
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.provide(nameOf, throwing))))
    }))
})

describe("Policy.around", () => {
  for (const [operation, ask] of Object.entries(operations)) {
    describe(operation, () => {
      it.effect("admits, asks and settles once, by the outcome, and changes no outcome", () =>
        Effect.gen(function*() {
          const cases: ReadonlyArray<readonly [Answer, string]> = [
            [Effect.succeed(elbe), "success"],
            [Effect.fail(serverFailed), "ServerFailed"],
            [Effect.dieMessage("a bug"), "defect"],
            [Effect.interrupt, "interruption"]
          ]
          for (const [answer, outcome] of cases) {
            const { log, watched } = watching(answering(answer))
            const exit = yield* Effect.exit(ask(watched))
            assert.strictEqual(tagOf(exit), outcome)
            assert.deepStrictEqual(log, { admitted: 1, settled: [outcome], operations: [operation] })
          }
        }))

      it.effect("takes a provider that throws for a defect, and settles it", () =>
        Effect.gen(function*() {
          const throws = () => {
            throw new Error("a bug")
          }
          const { log, watched } = watching({ ...answering(Effect.succeed(elbe)), call: throws, stream: throws })
          assert.strictEqual(tagOf(yield* Effect.exit(ask(watched))), "defect")
          assert.deepStrictEqual(log.settled, ["defect"])
        }))

      it.effect("asks nobody where the admission fails, and settles nothing", () =>
        Effect.gen(function*() {
          let asked = 0
          const provider = answering(Effect.sync(() => {
            asked++
            return elbe
          }))
          const refusing = Policy.around(provider, () => Effect.fail(serverFailed))
          assert.strictEqual(errorOf(yield* Effect.exit(ask(refusing))), serverFailed)
          assert.strictEqual(asked, 0)
        }))

      it.effect("settles once whenever it is interrupted: while it is admitted, begins, asks, changes or settles", () =>
        leavingNoFiber(Effect.gen(function*() {
          const step = Effect.yieldNow()
          const outcomes = new Set<string>()
          for (let turns = 0; turns < 40; turns++) {
            let admitted = 0
            const settled: Array<string> = []
            const slow = Policy.around(
              answering(Effect.as(Effect.repeatN(step, 2), elbe)),
              () =>
                Effect.as(Effect.zipRight(step, Effect.zipLeft(Effect.sync(() => admitted++), step)), {
                  begin: step,
                  mapResponse: (response) => Effect.as(step, response),
                  settle: (exit) => Effect.zipRight(step, Effect.sync(() => settled.push(tagOf(exit))))
                })
            )
            const fiber = yield* Effect.fork(ask(slow))
            yield* Effect.repeatN(step, turns)
            yield* Fiber.interrupt(fiber)
            assert.strictEqual(settled.length, admitted, `after ${turns} turns`)
            for (const outcome of settled) outcomes.add(outcome)
          }
          assert.deepStrictEqual([...outcomes], ["interruption", "success"])
        })))

      it.effect("lets a wait within the admission be interrupted, and takes nothing for it", () =>
        leavingNoFiber(Effect.gen(function*() {
          const semaphore = yield* Effect.makeSemaphore(1)
          const limited = Policy.around(
            answering(Effect.never),
            (_request, attempt, { restore }) =>
              Effect.as(attempt.queued(restore(semaphore.take(1))), { settle: () => semaphore.release(1) })
          )
          const first = yield* Effect.fork(ask(limited))
          yield* settle
          const second = yield* Effect.fork(ask(limited))
          yield* settle
          yield* Fiber.interrupt(second)
          yield* Fiber.interrupt(first)
          assert.strictEqual(yield* semaphore.withPermits(1)(Effect.succeed("free")), "free")
        })))

      it.effect("does not interrupt the rest of an admission", () =>
        leavingNoFiber(Effect.gen(function*() {
          const taking = yield* Deferred.make<void>()
          let settled = 0
          const slow = Policy.around(answering(Effect.never), () =>
            Effect.as(Deferred.await(taking), {
              settle: () =>
                Effect.sync(() => {
                  settled++
                })
            }))
          const fiber = yield* Effect.fork(ask(slow))
          yield* settle
          const interrupted = yield* Effect.fork(Fiber.interrupt(fiber))
          yield* settle
          assert.isNull(fiber.unsafePoll())
          yield* Deferred.succeed(taking, undefined)
          yield* Fiber.join(interrupted)
          assert.strictEqual(settled, 1)
        })))

      it.effect("hands over to others that wait, whoever leaves whenever", () =>
        leavingNoFiber(Effect.gen(function*() {
          const semaphore = yield* Effect.makeSemaphore(2)
          let running = 0
          let mostRunning = 0
          const enter = Effect.sync(() => {
            mostRunning = Math.max(mostRunning, ++running)
          })
          const leave = () =>
            Effect.sync(() => {
              running--
            })
          const slow = Effect.acquireUseRelease(enter, () => Effect.as(Effect.sleep("1 second"), elbe), leave)
          const limited = Policy.around(answering(slow), (_request, _attempt, { restore }) =>
            Effect.as(restore(semaphore.take(1)), {
              settle: () =>
                semaphore.release(1)
            }))
          const fibers = yield* Effect.forEach(Array.from({ length: 12 }), () =>
            Effect.fork(ask(limited)))
          yield* settle
          // Two that run, and three that wait.
          yield* Effect.forEach([0, 1, 4, 7, 11], (i) => Fiber.interrupt(fibers[i]!))
          for (let i = 0; i < 4; i++) yield* TestClock.adjust("1 second")
          const exits = yield* Effect.forEach(fibers, Fiber.await)
          assert.strictEqual(exits.filter(Exit.isSuccess).length, 7)
          assert.strictEqual(mostRunning, 2)
          assert.strictEqual(yield* semaphore.withPermits(2)(Effect.succeed("free")), "free")
        })))

      it.effect("settles a time-out from outside as an interruption", () =>
        leavingNoFiber(Effect.gen(function*() {
          const { log, watched } = watching(answering(Effect.never))
          const fiber = yield* Effect.fork(Effect.timeoutOption(ask(watched), "1 second"))
          yield* TestClock.adjust("1 second")
          assert.isTrue(Option.isNone(yield* Fiber.join(fiber)))
          assert.deepStrictEqual(log.settled, ["interruption"])
        })))

      it.effect("goes on to its answer in an uninterruptible region", () =>
        leavingNoFiber(Effect.gen(function*() {
          const { log, watched } = watching(answering(Effect.as(Effect.sleep("1 second"), elbe)))
          const fiber = yield* Effect.fork(Effect.uninterruptible(ask(watched)))
          yield* settle
          const interrupted = yield* Effect.fork(Fiber.interrupt(fiber))
          yield* TestClock.adjust("1 second")
          yield* Fiber.join(interrupted)
          assert.deepStrictEqual(log.settled, ["success"])
        })))

      it.effect("waits for the settlement, which is not interrupted", () =>
        leavingNoFiber(Effect.gen(function*() {
          let settled = 0
          const slow = Policy.around(answering(Effect.succeed(elbe)), () =>
            Effect.succeed({
              settle: () =>
                Effect.map(Effect.sleep("1 second"), () => {
                  settled++
                })
            }))
          const fiber = yield* Effect.fork(ask(slow))
          yield* settle
          const interrupted = yield* Effect.fork(Fiber.interrupt(fiber))
          yield* TestClock.adjust("1 second")
          yield* Fiber.join(interrupted)
          assert.strictEqual(settled, 1)
        })))

      it.effect("gives the provider the attempt of the admission, or else its own", () =>
        Effect.gen(function*() {
          const reported: Array<string> = []
          const attempt = yield* LlmProvider.CurrentAttempt
          const reporting = (name: string): LlmProvider.Attempt => ({
            ...attempt,
            countRequest: Effect.sync(() => void reported.push(name))
          })
          const counting = answering(
            Effect.as(Effect.flatMap(LlmProvider.CurrentAttempt, ({ countRequest }) => countRequest), elbe)
          )
          const outer = Effect.provideService(LlmProvider.CurrentAttempt, reporting("outer"))
          yield* outer(ask(watching(counting).watched))
          yield* outer(ask(watching(counting, { attempt: reporting("inner") }).watched))
          assert.deepStrictEqual(reported, ["outer", "inner"])
        }))

      it.effect("begins after the admission, and may be interrupted there", () =>
        leavingNoFiber(Effect.gen(function*() {
          let asked = 0
          const provider = answering(Effect.sync(() => {
            asked++
            return elbe
          }))
          const { log, watched } = watching(provider, { begin: Effect.never })
          const fiber = yield* Effect.fork(ask(watched))
          yield* settle
          yield* Fiber.interrupt(fiber)
          assert.deepStrictEqual([log.settled, asked], [["interruption"], 0])
        })))

      it.effect("settles by the changed answer, and gives it out", () =>
        Effect.gen(function*() {
          const settled: Array<number | undefined> = []
          const priced = Policy.around(answering(Effect.succeed(elbe)), () =>
            Effect.succeed({
              mapResponse: () => Effect.succeed(respond("Elbe", { cost: 2 })),
              settle: (exit) => Effect.sync(() => void settled.push(valueOf(exit).cost))
            }))
          assert.strictEqual((yield* ask(priced)).cost, 2)
          assert.deepStrictEqual(settled, [2])
        }))

      it.effect("settles a change that dies as a defect, once", () =>
        Effect.gen(function*() {
          const { log, watched } = watching(answering(Effect.succeed(elbe)), {
            mapResponse: () => Effect.dieMessage("a bug")
          })
          assert.strictEqual(tagOf(yield* Effect.exit(ask(watched))), "defect")
          assert.deepStrictEqual(log.settled, ["defect"])
        }))

      it.effect("keeps what the provider sets in a fiber", () =>
        Effect.gen(function*() {
          const ref = FiberRef.unsafeMake(0)
          const { watched } = watching(answering(Effect.as(FiberRef.set(ref, 1), elbe)))
          yield* ask(watched)
          assert.strictEqual(yield* FiberRef.get(ref), 1)
        }))

      it.effect("lets policies nest: the inner one settles first", () =>
        Effect.gen(function*() {
          const order: Array<string> = []
          const policy = (name: string) => (provider: LlmProvider.Service) =>
            Policy.around(provider, () =>
              Effect.sync(() => {
                order.push(`${name} admits`)
                return { settle: () => Effect.sync(() => void order.push(`${name} settles`)) }
              }))
          const provider = policy("outer")(policy("inner")(answering(Effect.succeed(elbe))))
          yield* ask(provider)
          assert.deepStrictEqual(order, ["outer admits", "inner admits", "inner settles", "outer settles"])
        }))
    })
  }

  describe("stream", () => {
    const streaming = (stream: Stream.Stream<StreamPart.StreamPart, LlmError.LlmError>) =>
      watching({ ...answering(Effect.never), stream: () => stream })
    const parts = Stream.make(delta, delta)
    const finish = Stream.succeed(StreamPart.Finish({ response: elbe }))

    it.effect("admits when it is run, each time, and not when it is made", () =>
      Effect.gen(function*() {
        const { log, watched } = streaming(Stream.concat(parts, finish))
        const stream = watched.stream(yield* decoded)
        assert.strictEqual(log.admitted, 0)
        yield* Stream.runDrain(stream)
        yield* Stream.runDrain(stream)
        assert.deepStrictEqual([log.admitted, log.settled], [2, ["success", "success"]])
      }))

    it.effect("is settled when its Finish comes, and not again when it is closed", () =>
      Effect.gen(function*() {
        const { log, watched } = streaming(Stream.concat(Stream.concat(parts, finish), Stream.never))
        yield* Stream.runForEach(
          Stream.take(watched.stream(yield* decoded), 3),
          ({ _tag }) => Effect.sync(() => assert.deepStrictEqual(log.settled, _tag === "Finish" ? ["success"] : []))
        )
        assert.deepStrictEqual(log.settled, ["success"])
      }))

    it.effect("is interrupted where its reader closes it early, fails or leaves", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { log, watched } = streaming(Stream.concat(parts, Stream.never))
        const stream = watched.stream(yield* decoded)
        yield* Stream.runDrain(Stream.take(stream, 1))
        assert.deepStrictEqual(log.settled, ["interruption"])
        yield* Effect.exit(Stream.runForEach(stream, () => Effect.fail("no")))
        assert.deepStrictEqual(log.settled, ["interruption", "interruption"])
        const fiber = yield* Effect.fork(Stream.runDrain(stream))
        yield* settle
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual([log.admitted, log.settled.length], [3, 3])
      })))

    it.effect("is settled where it is opened and never pulled", () =>
      Effect.gen(function*() {
        const { log, watched } = streaming(Stream.concat(parts, finish))
        const stream = watched.stream(yield* decoded)
        yield* Effect.asVoid(Effect.scoped(Stream.toPull(stream)))
        assert.deepStrictEqual([log.admitted, log.settled], [0, []])
        const scope = yield* Scope.make()
        const pull = yield* Scope.extend(Stream.toPull(stream), scope)
        yield* pull
        assert.deepStrictEqual([log.admitted, log.settled], [1, []])
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual([log.admitted, log.settled], [1, ["interruption"]])
      }))

    it.effect("has failed where it ends without Finish, also where nothing came", () =>
      Effect.gen(function*() {
        for (const stream of [parts, Stream.empty]) {
          const { log, watched } = streaming(stream)
          yield* Stream.runDrain(watched.stream(yield* decoded))
          assert.deepStrictEqual(log.settled, ["StreamInterrupted"])
        }
      }))

    it.effect("passes its chunks on as they are", () =>
      Effect.gen(function*() {
        const chunked = Stream.concat(Stream.concat(parts, Stream.make(delta, delta, delta)), finish)
        const sizes = (stream: Stream.Stream<StreamPart.StreamPart, LlmError.LlmError>) =>
          Stream.runCollect(Stream.map(Stream.chunks(stream), (chunk) => chunk.length))
        const { watched } = streaming(chunked)
        assert.deepStrictEqual(
          Array.from(yield* sizes(watched.stream(yield* decoded))),
          Array.from(yield* sizes(chunked))
        )
      }))
  })
})
