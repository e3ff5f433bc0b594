import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Elapsed from "../../runtime/elapsed.js"
import * as Queue from "./queue.js"
import type * as RateLimitStore from "./RateLimitStore.js"

/** The time for which a request is expected after its turn has come, in milliseconds. */
const patience = 1_000

/**
 * Waits until a request would get a permit at once, and takes none. The request is expected from then on: the next one
 * that waits here leaves it the amount that it needs, however long it takes on its way (a budget, a cache, a store
 * elsewhere).
 */
export const ready = (queue: Queue.Queue, cost: RateLimitStore.Amounts): Effect.Effect<void> =>
  Effect.clockWith((clock) => {
    const look: Effect.Effect<void> = Effect.suspend(() => {
      const now = Elapsed.unsafeNow(clock)
      queue.expected = queue.expected.filter(({ until }) => until > now)
      const wait = Queue.untilTurn(queue, cost, now)
      if (wait <= 0) {
        queue.expected = [...queue.expected, { cost, until: now + patience }]
        return Effect.void
      }
      const change = Deferred.await(queue.change)
      return Effect.zipRight(wait === Infinity ? change : Effect.raceFirst(change, Effect.sleep(wait)), look)
    })
    return look
  })
