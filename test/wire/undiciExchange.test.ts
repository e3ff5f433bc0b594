import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Dispatcher } from "undici"
import { Exchange } from "../../src/wire/undiciExchange.js"
import { happeningAfter } from "../support/betweenOperations.js"
import { settle } from "../support/testClock.js"

const recordingController = () => {
  const done: Array<string> = []
  const controller: Dispatcher.DispatchController = {
    aborted: false,
    paused: false,
    reason: null,
    rawHeaders: null,
    rawTrailers: null,
    abort: () => void done.push("abort"),
    pause: () => void done.push("pause"),
    resume: () => void done.push("resume")
  }
  return { controller, done }
}

const { controller } = recordingController()

const bytes = (length: number) => new Uint8Array(length)

interface Happening {
  readonly what: string
  readonly happen: (exchange: Exchange<string>) => void
  readonly pulled: Either.Either<ReadonlyArray<Uint8Array> | undefined, string>
}

const happenings: ReadonlyArray<Happening> = [
  {
    what: "more of the body",
    happen: (exchange) => exchange.onResponseData(controller, bytes(1)),
    pulled: Either.right([bytes(1)])
  },
  { what: "the end", happen: (exchange) => exchange.onResponseEnd(), pulled: Either.right(undefined) },
  {
    what: "a failure",
    happen: (exchange) => exchange.onResponseError(controller, new Error("reset")),
    pulled: Either.left("Error: reset")
  }
]

describe("the body of an exchange", () => {
  for (const { happen, pulled, what } of happenings) {
    it.effect(`gives ${what} that was there before the reader`, () =>
      Effect.gen(function*() {
        const exchange = new Exchange(String)
        happen(exchange)
        assert.deepStrictEqual(yield* Effect.either(exchange.pull), pulled)
      }))

    it.effect(`wakes a reader that waits when there is ${what}`, () =>
      Effect.gen(function*() {
        const exchange = new Exchange(String)
        const reader = yield* Effect.fork(Effect.either(exchange.pull))
        yield* settle
        assert.isNull(reader.unsafePoll())
        happen(exchange)
        assert.deepStrictEqual(yield* Fiber.join(reader), pulled)
      }))

    // A fiber may let others run after any of its operations, so also between a look and a wait.
    it.effect(`wakes a reader at once that looked before there was ${what}`, () =>
      Effect.gen(function*() {
        for (let operations = 1; operations <= 16; operations++) {
          const exchange = new Exchange(String)
          let isOver = false
          const happenOnce = () => {
            if (isOver) return
            isOver = true
            happen(exchange)
          }
          const reader = yield* Effect.fork(
            happeningAfter(operations, happenOnce)(Effect.either(exchange.pull))
          )
          yield* settle
          happenOnce()
          yield* settle
          const exit = reader.unsafePoll()
          assert.deepStrictEqual(exit, Exit.succeed(pulled), `after ${operations} operations`)
        }
      }))
  }

  it.effect("gives all that has come at once, in order, and the end after it", () =>
    Effect.gen(function*() {
      const exchange = new Exchange(String)
      for (const length of [1, 2, 3]) exchange.onResponseData(controller, bytes(length))
      exchange.onResponseEnd()
      assert.deepStrictEqual(yield* exchange.pull, [bytes(1), bytes(2), bytes(3)])
      assert.isUndefined(yield* exchange.pull)
      assert.isUndefined(yield* exchange.pull)
    }))

  it.effect("gives what came before a failure, then the failure each time", () =>
    Effect.gen(function*() {
      const exchange = new Exchange(String)
      exchange.onResponseData(controller, bytes(1))
      exchange.onResponseError(controller, "reset")
      exchange.onResponseError(controller, "another")
      assert.deepStrictEqual(yield* exchange.pull, [bytes(1)])
      assert.strictEqual(yield* Effect.flip(exchange.pull), "reset")
      assert.strictEqual(yield* Effect.flip(exchange.pull), "reset")
    }))

  it.effect("loses nothing that comes after a reader gave up, and wakes only the one that waits now", () =>
    Effect.gen(function*() {
      const exchange = new Exchange(String)
      const first = yield* Effect.fork(exchange.pull)
      yield* settle
      yield* Fiber.interrupt(first)
      exchange.onResponseData(controller, bytes(1))
      yield* settle
      assert.deepStrictEqual(yield* exchange.pull, [bytes(1)])
      const second = yield* Effect.fork(exchange.pull)
      yield* settle
      exchange.onResponseData(controller, bytes(2))
      assert.deepStrictEqual(yield* Fiber.join(second), [bytes(2)])
    }))

  it.effect("has the connection wait while too much waits for the reader", () =>
    Effect.gen(function*() {
      const { controller, done } = recordingController()
      const exchange = new Exchange(String)
      exchange.onRequestStart(controller)
      exchange.onResponseData(controller, bytes(64 * 1024))
      assert.deepStrictEqual(done, [])
      exchange.onResponseData(controller, bytes(1))
      assert.deepStrictEqual(done, ["pause"])
      yield* exchange.pull
      assert.deepStrictEqual(done, ["pause", "resume"])
    }))

  it("is aborted once when it is left, and never sent if it has no connection yet", () => {
    const early = recordingController()
    const queued = new Exchange(String)
    queued.leave()
    // To throw drops a request that has not been sent; to abort would destroy the connection.
    assert.throws(() => queued.onRequestStart(early.controller), "the request was left")
    assert.deepStrictEqual(early.done, [])

    const late = recordingController()
    const running = new Exchange(String)
    running.onRequestStart(late.controller)
    running.leave()
    running.leave()
    assert.deepStrictEqual(late.done, ["abort"])
  })

  it("is not aborted when it has ended or failed", () => {
    for (const { happen, what } of happenings.slice(1)) {
      const { controller, done } = recordingController()
      const exchange = new Exchange(String)
      exchange.onRequestStart(controller)
      happen(exchange)
      exchange.leave()
      assert.deepStrictEqual(done, [], what)
    }
  })
})
