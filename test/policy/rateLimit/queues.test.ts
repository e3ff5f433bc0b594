import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Queue from "../../../src/policy/rateLimit/queue.js"
import * as Queues from "../../../src/policy/rateLimit/queues.js"
import * as RateLimitStore from "../../../src/policy/rateLimit/RateLimitStore.js"
import * as Settings from "../../../src/policy/rateLimit/settings.js"

const minute = 60_000

const store = Effect.runSync(RateLimitStore.makeMemory())

const make = () => {
  const settingsOf = Settings.check({})
  return Queues.make((key, model) => Queue.make(key, settingsOf(model), store))
}

describe("the queues of keys", () => {
  it("are one a key, as long as it is used", () => {
    const queues = make()
    const queue = queues.get("a", "m", 0)
    for (let now = 0; now < 60 * minute; now += minute) {
      assert.strictEqual(queues.get("a", "m", now), queue)
      queues.get(`other ${now}`, "m", now)
    }
    assert.isBelow(queues.size(), 15)
  })

  it("are forgotten when no request has come for 10 minutes, unless one is under way or a pause goes on", () => {
    const queues = make()
    for (let i = 0; i < 900; i++) queues.get(`idle ${i}`, "m", 0)
    const busy = queues.get("busy", "m", 0)
    busy.running = 1
    const paused = queues.get("paused", "m", 0)
    paused.pausedUntil = 120 * minute
    for (let i = 0; i < 500; i++) queues.get(`new ${i}`, "m", 11 * minute)
    assert.strictEqual(queues.size(), 502)
    assert.strictEqual(queues.get("busy", "m", 11 * minute), busy)
    assert.strictEqual(queues.get("paused", "m", 11 * minute), paused)
  })

  it("are never many more than 1,000, also where the first one is busy for ever", () => {
    const queues = make()
    const busy = queues.get("busy", "m", 0)
    busy.running = 1
    for (let i = 0; i < 20_000; i++) queues.get(`key ${i}`, "m", i)
    assert.isAtMost(queues.size(), 1_000)
    assert.strictEqual(queues.get("busy", "m", 20_000), busy)
  })
})
