import { assert, describe, it } from "@effect/vitest"
import type { RateLimit } from "effect-llm/LlmResponse"
import * as StreamPart from "effect-llm/StreamPart"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { statedLimits } from "../../../src/policy/rateLimit/statedLimits.js"
import { rateLimitHeaders } from "../../../src/wire/rateLimitHeaders.js"
import { valueOf } from "../../support/exits.js"
import { leavingNoFiber } from "../../support/fibers.js"
import { limitedBy } from "../../support/limits.js"
import { respond } from "../../support/samples.js"
import { within } from "../../support/testClock.js"

const headers = {
  "Together's, which are of a second": {
    "x-ratelimit-limit": "10",
    "x-ratelimit-remaining": "9",
    "x-ratelimit-reset": "1"
  },
  "a proxy's under OpenAI's names, of a second": {
    "x-ratelimit-limit-requests": "10",
    "x-ratelimit-remaining-requests": "9",
    "x-ratelimit-reset-requests": "1s"
  },
  "a gateway's of a second": { "x-ratelimit-limit-second": "10", "x-ratelimit-remaining-second": "9" },
  "the IETF's of a second": { ratelimit: "\"a\";r=9;t=1", "ratelimit-policy": "\"a\";q=10;w=1" },
  "Cerebras' of a day": { "x-ratelimit-limit-requests-day": "40", "x-ratelimit-remaining-requests-day": "30" },
  "Groq's of a day": {
    "x-ratelimit-limit-requests": "40",
    "x-ratelimit-remaining-requests": "30",
    "x-ratelimit-reset-requests": "6h0m0s"
  }
}

/** A limiter whose provider answers with headers, and a call and a stream of it. */
const limitedWith = (fields: Record<string, string>, requestsPerMinute: number) =>
  Effect.map(limitedBy({ requestsPerMinute }), ({ call, stream, world }) => {
    const response = respond("Elbe", { rateLimit: rateLimitHeaders(fields, 0) })
    world.answer = () => Effect.succeed(response)
    world.stream = () => Stream.make(StreamPart.Finish({ response }))
    return [Effect.asVoid(call("a")), Stream.runDrain(stream("a"))]
  })

/** So long it takes, and no shorter. */
const assertTakes = (time: Duration.DurationInput, asked: Effect.Effect<void, unknown>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(asked)
    yield* TestClock.adjust(Duration.subtract(time, "10 millis"))
    assert.isNull(fiber.unsafePoll())
    yield* TestClock.adjust("10 millis")
    yield* Fiber.join(fiber)
  })

describe("RateLimit, of the limits that a provider states", () => {
  for (const [what, fields] of Object.entries(headers)) {
    it.effect(`takes ${what} for no rate of a minute: 25 requests take seconds`, () =>
      leavingNoFiber(Effect.gen(function*() {
        for (const asked of yield* limitedWith(fields, 600)) {
          valueOf(yield* within("3 seconds")(Effect.repeatN(asked, 24)))
          valueOf(yield* within("3 seconds")(Effect.replicateEffect(asked, 25, { concurrency: "unbounded" })))
        }
      })))
  }

  it.effect("keeps to what is left of a limit of an unknown window", () =>
    leavingNoFiber(Effect.gen(function*() {
      const [asked] = yield* limitedWith({ "x-ratelimit-limit": "10", "x-ratelimit-remaining": "0" }, 60)
      yield* asked!
      yield* assertTakes("1 second", asked!)
    })))

  it.effect("keeps to the rate of a limit of a minute, and of a second", () =>
    leavingNoFiber(Effect.gen(function*() {
      const slow = [
        { "x-ratelimit-limit-requests": "10", "x-ratelimit-remaining-requests": "0" },
        { "ratelimit-limit": "1", "ratelimit-remaining": "0", "ratelimit-policy": "1;w=6" }
      ]
      for (const fields of slow) {
        const [asked] = yield* limitedWith(fields, 600)
        yield* asked!
        yield* assertTakes("6 seconds", asked!)
      }
    })))
})

describe("statedLimits", () => {
  it("gives the limits of a minute, and of others only what is left", () => {
    const cases: ReadonlyArray<readonly [RateLimit["requests"], number | undefined]> = [
      [{ limit: 10, remaining: 3 }, 10],
      [{ limit: 10, remaining: 3, window: Duration.seconds(1) }, 600],
      [{ limit: 10, remaining: 3, window: Duration.minutes(1) }, 10],
      [{ limit: 10, remaining: 3, window: Duration.days(1) }, undefined],
      [{ limit: 10, remaining: 3, window: Duration.zero }, undefined],
      [{ limit: 10, remaining: 3, window: "unknown" }, undefined]
    ]
    for (const [requests, limit] of cases) {
      assert.deepStrictEqual(statedLimits({ requests })?.requests, { limit, remaining: 3 })
    }
    assert.isUndefined(statedLimits(undefined))
  })
})
