import { assert, describe, it } from "@effect/vitest"
import * as Balance from "effect-llm/Balance"
import * as Budget from "effect-llm/Budget"
import * as CircuitBreaker from "effect-llm/CircuitBreaker"
import * as Fallback from "effect-llm/Fallback"
import * as Hedge from "effect-llm/Hedge"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as RateLimit from "effect-llm/RateLimit"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { serverFailed } from "../support/errors.js"
import { eventually } from "../support/overHttp.js"
import { respond } from "../support/samples.js"
import { settle } from "../support/testClock.js"

const mebibyte = 1024 * 1024

const heapUsed = Effect.map(settle, () => {
  assert(globalThis.gc !== undefined, "the tests run with --expose-gc")
  globalThis.gc()
  globalThis.gc()
  return process.memoryUsage().heapUsed
})

describe("all policies together", () => {
  it.live("keep nothing of the calls that went through them", () => {
    let requests = 0
    const provider = (name: string) =>
      LlmProvider.layer({
        name,
        endpoint: `memory:${name}`,
        call: () => ++requests % 17 === 0 ? Effect.fail(serverFailed) : Effect.as(Effect.yieldNow(), respond("Elbe"))
      })
    const account = (name: string) =>
      provider(name).pipe(
        RateLimit.limit({ requestsPerMinute: 10_000_000, tokensPerMinute: 1e12, concurrency: 64 }),
        Budget.limit({ scope: "all", tokens: 1e12 }),
        CircuitBreaker.protect({ failureRatio: 0.9 })
      )
    const live = LlmClient.layer({ retry: { base: "1 millis", budget: false } }).pipe(
      Layer.provide([
        Balance.over([{ id: "a", layer: account("a") }, { id: "b", layer: account("b") }]).pipe(
          Hedge.after({ percentile: 0.95 }),
          Fallback.to(provider("c"))
        ),
        LlmCache.layerNone,
        LlmLogger.layerSilent
      ]),
      Layer.provide(Budget.layerMemory)
    )
    const calls = (from: number, to: number) =>
      Effect.forEach(
        Arr.range(from, to - 1),
        // Of a kilobyte each.
        (i) => Effect.exit(LlmClient.call({ model: `model-${i % 5}`, prompt: `${i} `.padEnd(1024, "x") })),
        { concurrency: 32, discard: true }
      )
    return Effect.gen(function*() {
      yield* calls(0, 2_000)
      const before = yield* heapUsed
      yield* calls(2_000, 14_000)
      // The prompts alone are twelve. Effect's scheduler has a weak map of all fibers, whose table doubles now and then: in
      // 50,000 calls it grew once, by seven.
      yield* eventually(
        "a heap that has not grown by 9 MiB",
        Effect.map(heapUsed, (now) => now - before < 9 * mebibyte)
      )
      assert.isAtLeast(requests, 14_000)
    }).pipe(Effect.provide(live))
  }, 120_000)
})
