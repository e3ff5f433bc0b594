import { assert, describe, it } from "@effect/vitest"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as RateLimit from "effect-llm/RateLimit"
import * as RateLimitStore from "effect-llm/RateLimitStore"
import * as Effect from "effect/Effect"
import * as Elapsed from "../../../src/runtime/elapsed.js"
import * as Borrow from "../../../src/stores/borrowing/borrow.js"
import { valueOf } from "../../support/exits.js"
import { respond } from "../../support/samples.js"
import { runVirtually } from "../../support/virtualTime.js"

const members = 4
const each = 150

/** Forty requests a second, of which five seconds may be saved up. */
const options = { requestsPerMinute: 2_400, tokensPerMinute: 60_000, burst: "5 seconds", key: () => "all" } as const

/** Calls of four processes at once, each with a limiter of its own over the same buckets: the moments when they were sent. */
const run = (hold: number | undefined) =>
  valueOf(runVirtually(Effect.scoped(Effect.gen(function*() {
    const memory = yield* RateLimitStore.makeMemory()
    let trips = 0
    const trip = <A>(self: Effect.Effect<A>) =>
      Effect.zipRight(
        Effect.sync(() => trips++),
        Effect.delay(self, 1)
      )
    const lender: RateLimitStore.Service = {
      ...memory,
      reserve: (...args) => trip(memory.reserve(...args)),
      settle: (...args) => trip(memory.settle(...args))
    }
    const sent: Array<{ readonly member: number; readonly at: number }> = []
    const limiters = yield* Effect.forEach(Array.from({ length: members }), (_, member) =>
      Effect.gen(function*() {
        const store = hold === undefined
          ? lender
          : yield* Borrow.make(lender, { hold, slack: 250, share: () => 1 / members })
        const provider = LlmProvider.make({
          name: "memory",
          endpoint: "memory",
          call: () =>
            Effect.zipRight(
              Effect.map(Elapsed.now, (at) => sent.push({ member, at })),
              Effect.delay(Effect.succeed(respond("Elbe", { usage: { inputTokens: 4, outputTokens: 3 } })), 30)
            )
        })
        return yield* Effect.provideService(
          RateLimit.make(provider, options),
          RateLimitStore.RateLimitStore,
          store
        )
      }))
    const request = yield* Effect.orDie(LlmRequest.decode({ model: "m", prompt: "Name a river.", maxTokens: 10 }))
    yield* Effect.forEach(
      Array.from({ length: members * each }, (_, i) => limiters[i % members]!),
      (limiter) => limiter.call(request),
      { concurrency: "unbounded", discard: true }
    )
    return { sent, trips }
  }))))

const keepsTo = (sent: ReadonlyArray<{ readonly at: number }>) => {
  let left = 200
  let last = 0
  for (const { at } of sent) {
    left = Math.min(200, left + (at - last) / 1_000 * 40) - 1
    last = at
    assert.isAtLeast(left, -1e-6)
  }
}

describe("clients that borrow from one limit", () => {
  it("keep to it together, take turns, lose nothing of it, and need few trips", () => {
    const { sent, trips } = run(500)
    assert.lengthOf(sent, members * each)
    keepsTo(sent)
    // 170 at once, and the others as the limit allows.
    assert.isAtMost(sent.at(-1)!.at, (members * each - 170) / 40 * 1_000 * 1.1)
    for (let member = 0; member < members; member++) {
      let last = 0
      for (const { at } of sent.filter((request) => request.member === member)) {
        assert.isBelow(at - last, 1_500, `member ${member} waited for a turn`)
        last = at
      }
    }
    const plain = run(undefined)
    keepsTo(plain.sent)
    assert.isAtMost(trips, plain.trips / 3)
  })
})
