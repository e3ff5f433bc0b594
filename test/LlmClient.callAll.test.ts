import { assert, describe, it } from "@effect/vitest"
import * as LlmClient from "effect-llm/LlmClient"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { serverFailed, unauthorized } from "./support/errors.js"
import { valueOf } from "./support/exits.js"
import { leavingNoFiber } from "./support/fibers.js"
import { scriptedClient } from "./support/scriptedClient.js"
import { settle, within } from "./support/testClock.js"

const numbered = (n: number): ReadonlyArray<LlmRequest.Input> =>
  Array.from({ length: n }, (_, i) => ({ model: "m", prompt: `Question ${i}` }))

/** Requests without an end, and how many of them were taken. */
const endless = () => {
  const taken = { count: 0, closed: false }
  const requests: Iterable<LlmRequest.Input> = {
    *[Symbol.iterator]() {
      try {
        for (;;) yield { model: "m", prompt: `Question ${taken.count++}` }
      } finally {
        taken.closed = true
      }
    }
  }
  return { requests, taken }
}

const collect = <A>(stream: Stream.Stream<A>) => Effect.map(Stream.runCollect(stream), Chunk.toReadonlyArray)

const secondsOf = (request: LlmRequest.LlmRequest, ...seconds: ReadonlyArray<number>) =>
  Effect.delay(LlmTest.text(request.prompt), (seconds[Number(request.prompt.split(" ")[1])] ?? 0) * 1000)

describe("LlmClient.callAll", () => {
  it.scoped("gives what came of each call, with the place of its request", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client } = yield* scriptedClient([
        LlmTest.repeat((request) => request.prompt === "Question 1" ? unauthorized : LlmTest.text(request.prompt))
      ])
      const results = yield* collect(client.callAll(numbered(3), { concurrency: 2 }))
      const byIndex = [...results].sort((x, y) => x.index - y.index)
      assert.deepStrictEqual(byIndex.map(({ index }) => index), [0, 1, 2])
      assert.strictEqual(valueOf(byIndex[0]?.result ?? assert.fail()).text, "Question 0")
      assert.strictEqual(byIndex[1]?.result._tag, "Failure")
      assert.strictEqual(valueOf(byIndex[2]?.result ?? assert.fail()).text, "Question 2")
    })))

  it.scoped("gives them in the order in which they end", () =>
    Effect.gen(function*() {
      const { client } = yield* scriptedClient([LlmTest.repeat((request) => secondsOf(request, 3, 1, 2))])
      const results = valueOf(yield* within("3 seconds")(collect(client.callAll(numbered(3), { concurrency: 3 }))))
      assert.deepStrictEqual(results.map(({ index }) => index), [1, 2, 0])
    }))

  it.scoped("gives each as soon as it has ended", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client } = yield* scriptedClient([LlmTest.repeat((request) => secondsOf(request, 1, 60))])
      const seen: Array<number> = []
      const fiber = yield* client.callAll(numbered(2), { concurrency: 2 }).pipe(
        Stream.runForEach(({ index }) => Effect.sync(() => seen.push(index))),
        Effect.fork
      )
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(seen, [0])
      yield* Fiber.interrupt(fiber)
    })))

  describe("concurrency", () => {
    it.scoped("bounds how many calls are under way, and makes use of it", () =>
      leavingNoFiber(Effect.gen(function*() {
        for (const concurrency of [1, 2, 3, 7]) {
          const { client, load } = yield* scriptedClient([
            LlmTest.repeat((request) => Effect.delay(LlmTest.text(request.prompt), "1 second"))
          ])
          const exit = yield* within(Math.ceil(20 / concurrency) * 1000)(
            collect(client.callAll(numbered(20), { concurrency }))
          )
          assert.strictEqual(valueOf(exit).length, 20)
          assert.strictEqual((yield* load).mostInFlight, concurrency)
        }
      })))

    it.scoped("can be unbounded", () =>
      Effect.gen(function*() {
        const { client, load } = yield* scriptedClient([
          LlmTest.repeat((request) => Effect.delay(LlmTest.text(request.prompt), "1 second"))
        ])
        const exit = yield* within("1 second")(collect(client.callAll(numbered(50), { concurrency: "unbounded" })))
        assert.strictEqual(valueOf(exit).length, 50)
        assert.strictEqual((yield* load).mostInFlight, 50)
      }))

    it.scoped("that is no positive whole number is a defect that names it, before anything is sent", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([LlmTest.repeat((request) => LlmTest.text(request.prompt))])
        for (const concurrency of [0, -1, 1.5, NaN]) {
          const exit = yield* within(0)(collect(client.callAll(numbered(3), { concurrency })))
          assert(exit._tag === "Failure" && Cause.isDie(exit.cause), String(concurrency))
          assert.include(Cause.pretty(exit.cause), "concurrency must be an integer of at least 1")
        }
        assert.strictEqual((yield* requests).length, 0)
      }))
  })

  describe("failures", () => {
    it.scoped("do not stop the others: of the provider, of its bugs, of requests that are wrong", () =>
      leavingNoFiber(Effect.gen(function*() {
        for (const concurrency of [1, 4]) {
          const { client } = yield* scriptedClient([LlmTest.repeat((request) => {
            switch (request.prompt) {
              case "Question 0":
                return unauthorized
              case "Question 1":
                return Effect.dieMessage("a bug")
              case "Question 2":
                return Effect.delay(serverFailed, 100)
              default:
                return Effect.delay(LlmTest.text(request.prompt), 200)
            }
          })])
          const requests = [...numbered(5), { model: "", prompt: "Question 5" }, { model: "m", prompt: "Question 6" }]
          const results = valueOf(
            yield* within("1 minute")(collect(client.callAll(requests, { concurrency, retry: false })))
          )
          assert.deepStrictEqual(
            [...results].sort((x, y) => x.index - y.index).map(({ result }) =>
              result._tag === "Success" ? result.value.text : result.cause._tag
            ),
            ["Fail", "Die", "Fail", "Question 3", "Question 4", "Fail", "Question 6"]
          )
        }
      })))

    it.scoped("of options are those of each call", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([LlmTest.repeat((request) => LlmTest.text(request.prompt))])
        const results = yield* collect(client.callAll(numbered(2), { concurrency: 2, timeout: -1 }))
        assert.deepStrictEqual(results.map(({ result }) => result._tag), ["Failure", "Failure"])
        assert.strictEqual((yield* requests).length, 0)
      }))
  })

  it.scoped("hands its call options to each call", () =>
    Effect.gen(function*() {
      const { client, events, requests } = yield* scriptedClient([
        LlmTest.repeat((request) => LlmTest.text(request.prompt))
      ])
      const options = { concurrency: 2, cache: "bypass", tags: { job: "nightly" } } as const
      yield* collect(client.callAll(numbered(3), options))
      yield* collect(client.callAll(numbered(3), options))
      assert.strictEqual((yield* requests).length, 6)
      assert.isTrue((yield* events).every(({ tags }) => tags?.job === "nightly"))
    }))

  it.scoped("can be run more than once, each time from the start", () =>
    Effect.gen(function*() {
      const { provide, requests } = yield* scriptedClient([LlmTest.repeat((request) => LlmTest.text(request.prompt))])
      const progress: Array<number> = []
      const stream = LlmClient.callAll(numbered(2), {
        concurrency: 1,
        onProgress: ({ completed }) => Effect.sync(() => progress.push(completed))
      })
      yield* provide(Effect.zipRight(Stream.runDrain(stream), Stream.runDrain(stream)))
      assert.deepStrictEqual(progress, [1, 2, 1, 2])
      assert.strictEqual((yield* requests).length, 2)
    }))

  it.scoped("makes no call until it is run, and none for no requests", () =>
    Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient([LlmTest.repeat((request) => LlmTest.text(request.prompt))])
      void client.callAll(numbered(3), { concurrency: 3 })
      yield* settle
      assert.deepStrictEqual(yield* collect(client.callAll([], { concurrency: 3 })), [])
      assert.strictEqual((yield* requests).length, 0)
    }))

  it.scoped("shares the runs of equal requests, and answers from the cache", () =>
    Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient([
        LlmTest.repeat((request) => Effect.delay(LlmTest.text(request.prompt), 100))
      ])
      const same = { model: "m", prompt: "Question" }
      const exit = yield* within(100)(collect(client.callAll([same, same, same], { concurrency: 3 })))
      const origins = valueOf(exit).map(({ result }) => valueOf(result).origin)
      assert.deepStrictEqual([...origins].sort(), ["provider", "shared", "shared"])
      const [again] = yield* collect(client.callAll([same], { concurrency: 3 }))
      assert.strictEqual(valueOf(again?.result ?? assert.fail()).origin, "cache")
      assert.strictEqual((yield* requests).length, 1)
    }))

  describe("onProgress", () => {
    it.scoped("learns of each call as it ends, with the counts of ended and failed ones", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient([LlmTest.repeat((request) =>
          request.prompt === "Question 1" ? Effect.delay(unauthorized, 2000) : secondsOf(request, 3, 0, 1)
        )])
        const told: Array<readonly [completed: number, failed: number, index: number]> = []
        yield* within("3 seconds")(collect(client.callAll(numbered(3), {
          concurrency: 3,
          onProgress: ({ completed, failed, last }) =>
            void told.push([completed, failed, last.index])
        })))
        assert.deepStrictEqual(told, [[1, 0, 2], [2, 1, 1], [3, 1, 0]])
      }))

    it.scoped("runs before the result is given, and is waited for where it is an effect", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient([LlmTest.repeat((request) => LlmTest.text(request.prompt))])
        let told = 0
        const onProgress = () => Effect.asVoid(Effect.delay(Effect.sync(() => told++), 100))
        const seen: Array<number> = []
        yield* within(300)(
          Stream.runForEach(client.callAll(numbered(3), { concurrency: 1, onProgress }), () =>
            Effect.sync(() => seen.push(told)))
        )
        assert.deepStrictEqual(seen, [1, 2, 3])
      }))
  })

  describe("interruption", () => {
    it.scoped("stops all calls, and sends no more", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { client, load, requests } = yield* scriptedClient([LlmTest.repeat(Effect.never)])
        const fiber = yield* Effect.fork(collect(client.callAll(numbered(100), { concurrency: 5 })))
        yield* settle
        assert.strictEqual((yield* load).inFlight, 5)
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual([(yield* load).inFlight, (yield* load).aborted, (yield* requests).length], [0, 5, 5])
      })))

    it.scoped("comes, too, with the end of a program that takes only some", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { client, load } = yield* scriptedClient([LlmTest.repeat((request) => secondsOf(request, 1, 60, 60))])
        const exit = yield* within("1 second")(
          collect(Stream.take(client.callAll(numbered(3), { concurrency: 3 }), 1))
        )
        assert.deepStrictEqual(valueOf(exit).map(({ index }) => index), [0])
        assert.deepStrictEqual([(yield* load).inFlight, (yield* load).aborted], [0, 2])
      })))
  })

  describe("requests without an end", () => {
    it.scoped("are taken one by one, as calls end", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { requests: input, taken } = endless()
        const { client, load, requests } = yield* scriptedClient([
          LlmTest.repeat((request) => Effect.delay(LlmTest.text(request.prompt), "1 second"))
        ])
        const exit = yield* within("3 seconds")(
          collect(Stream.take(client.callAll(input, { concurrency: 2 }), 5))
        )
        assert.deepStrictEqual(valueOf(exit).map(({ index }) => index).sort().slice(0, 4), [0, 1, 2, 3])
        assert.strictEqual((yield* load).inFlight, 0)
        assert.isAtMost((yield* requests).length, 8)
        // Not in large chunks: each may be large itself, and come from a file.
        assert.isAtMost(taken.count, 10)
      })))

    it.scoped("wait for a program that is slow to take the results", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { requests: input, taken } = endless()
        const { client } = yield* scriptedClient([LlmTest.repeat((request) => LlmTest.text(request.prompt))])
        const gate = yield* Deferred.make<void>()
        const fiber = yield* Effect.fork(
          Stream.runForEach(client.callAll(input, { concurrency: 2 }), () => Deferred.await(gate))
        )
        yield* Effect.repeatN(settle, 20)
        // Those under way, and what is buffered.
        assert.isAtMost(taken.count, 30)
        yield* Fiber.interrupt(fiber)
      })))
  })
})
