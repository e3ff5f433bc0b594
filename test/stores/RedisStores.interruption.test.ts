import { assert, describe, it } from "@effect/vitest"
import * as RedisStores from "effect-llm/RedisStores"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"

/** A connection to a server that answers when the test says so: each request is the function that answers it. */
const connect = () => {
  const requests: Array<(answer: unknown) => void> = []
  const connection: RedisStores.Connection = {
    status: "ready",
    call: () => new Promise((resolve) => void requests.push(resolve)),
    once: () => {},
    off: () => {}
  }
  const answer = Effect.promise(async () => requests.shift()?.(null))
  return { connection, requests, answer }
}

describe("RedisStores, when a caller is interrupted", () => {
  it.scoped("ends its wait at once, and asks again for others", () =>
    Effect.gen(function*() {
      const { answer, connection, requests } = connect()
      const cache = yield* RedisStores.makeCache({ connection })
      const interrupted = yield* Effect.fork(cache.get("a"))
      yield* TestClock.adjust(0)
      yield* Fiber.interrupt(interrupted)
      assert.lengthOf(requests, 1)
      yield* answer

      const other = yield* Effect.fork(cache.get("a"))
      yield* TestClock.adjust(0)
      yield* answer
      assert.isTrue(Option.isNone(yield* Fiber.join(other)))
    }))

  it.scoped("finds out all the same whether the server is back", () =>
    Effect.gen(function*() {
      const { answer, connection, requests } = connect()
      const cache = yield* RedisStores.makeCache({ connection, commandTimeout: 250, retryAfter: "1 second" })
      const begun = <A, E>(effect: Effect.Effect<A, E>) => Effect.tap(Effect.fork(effect), TestClock.adjust(0))

      const unanswered = yield* begun(Effect.flip(cache.get("a")))
      yield* TestClock.adjust(250)
      assert.strictEqual((yield* Fiber.join(unanswered)).problem, "no answer within 250 ms")
      yield* answer
      // The late answer counts for nothing: the server is not asked for a second.
      yield* Effect.flip(cache.get("a"))
      assert.lengthOf(requests, 0)

      // One that is interrupted and gets no answer: the outage goes on for a second, and no longer.
      yield* TestClock.adjust("1 second")
      yield* Effect.flatMap(begun(cache.get("a")), Fiber.interrupt)
      yield* Effect.flip(cache.get("b"))
      assert.lengthOf(requests, 1)
      yield* TestClock.adjust(250)
      yield* TestClock.adjust("1 second")

      // One that is interrupted and answered: the server is back.
      yield* Effect.flatMap(begun(cache.get("a")), Fiber.interrupt)
      assert.lengthOf(requests, 2)
      yield* Effect.zipRight(answer, answer)
      yield* TestClock.adjust(0)
      const next = yield* begun(cache.get("b"))
      yield* answer
      assert.isTrue(Option.isNone(yield* Fiber.join(next)))
    }))
})
