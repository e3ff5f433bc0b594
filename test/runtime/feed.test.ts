import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import type { Dispatcher } from "undici"
import * as Feed from "../../src/runtime/feed.js"
import { Exchange } from "../../src/wire/undiciExchange.js"
import { settle } from "../support/testClock.js"

// A reader may make room for others between looking and waiting: what comes in between must not pass it by.

describe("a feed", () => {
  it.scoped("that draws gives what came since the reader looked, and draws no further for it", () =>
    Effect.gen(function*() {
      const queue = yield* Queue.unbounded<number>()
      let drawn = 0
      const feed = yield* Feed.draw(Effect.tap(Queue.take(queue), () => Effect.sync(() => drawn++)))
      yield* settle
      let woken = 0
      const wake = () => {
        woken++
      }
      assert.isUndefined(feed.take())
      feed.whenReady(wake)
      yield* Queue.offerAll(queue, [1, 2])
      yield* settle
      assert.deepStrictEqual([woken, drawn], [1, 1])
      feed.whenReady(wake)
      yield* settle
      assert.deepStrictEqual([woken, drawn], [2, 1])
      assert.deepStrictEqual(feed.take(), Exit.succeed(1))
      assert.isUndefined(feed.take())
    }))

  const controller: Dispatcher.DispatchController = {
    aborted: false,
    paused: false,
    reason: null,
    rawHeaders: null,
    rawTrailers: null,
    abort: () => {},
    pause: () => {},
    resume: () => {}
  }

  const happenings: ReadonlyArray<readonly [what: string, happen: (exchange: Exchange<string>) => void]> = [
    ["more of the body", (exchange) => exchange.onResponseData(controller, new Uint8Array([1]))],
    ["the end", (exchange) => exchange.onResponseEnd()],
    ["a failure", (exchange) => exchange.onResponseError(controller, new Error("reset"))]
  ]

  for (const [what, happen] of happenings) {
    it(`of undici's wakes a reader at once that looked before there was ${what}`, () => {
      const exchange = new Exchange(String)
      assert.isUndefined(exchange.take())
      happen(exchange)
      let woken = 0
      exchange.whenReady(() => {
        woken++
      })
      assert.strictEqual(woken, 1)
      assert.isDefined(exchange.take())
    })
  }
})
