import { assert, describe, it } from "@effect/vitest"
import type * as LlmError from "effect-llm/LlmError"
import * as RetryPolicy from "effect-llm/RetryPolicy"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import { serverFailed } from "../../support/errors.js"

const run = (key = "openai/gpt-4o-mini"): RetryPolicy.Run => ({
  key,
  deadline: () => Infinity,
  onDecision: () => Effect.void
})

/** Counts the attempts that are made of it. */
const counted = (attempt: Effect.Effect<unknown, LlmError.LlmError>) => {
  let requests = 0
  return {
    attempt: Effect.zipRight(Effect.sync(() => requests++), attempt),
    count: () => requests,
    /** The attempts since the last time. */
    taken: () => {
      const count = requests
      requests = 0
      return count
    }
  }
}

const atOnce = { base: 0, jitter: false } as const

describe("RetryPolicy", () => {
  describe("budget", () => {
    it.effect("allows 20% of the calls as retries against a dead provider, and not much less", () =>
      Effect.gen(function*() {
        const policy = yield* RetryPolicy.make(atOnce)
        const dead = counted(serverFailed)
        for (let i = 0; i < 10_000; i++) yield* Effect.exit(policy.retry(dead.attempt, run()))
        assert.isAtMost(dead.count(), 12_000)
        assert.isAtLeast(dead.count(), 11_990)
      }))

    it.effect("holds for calls that are under way at the same time", () =>
      Effect.gen(function*() {
        const policy = yield* RetryPolicy.make(atOnce)
        const dead = counted(Effect.zipRight(Effect.yieldNow(), serverFailed))
        yield* Effect.forEach(Array.from({ length: 10_000 }), () => Effect.exit(policy.retry(dead.attempt, run())), {
          concurrency: "unbounded",
          discard: true
        })
        assert.isAtMost(dead.count(), 12_000)
        assert.isAtLeast(dead.count(), 10_100)
      }))

    it.effect("allows 100 retries however few calls there were", () =>
      Effect.gen(function*() {
        const policy = yield* RetryPolicy.make(atOnce)
        const dead = counted(serverFailed)
        for (let i = 0; i < 50; i++) {
          yield* Effect.exit(policy.retry(dead.attempt, run()))
          assert.strictEqual(dead.taken(), 3)
        }
        const error = yield* Effect.flip(policy.retry(dead.attempt, run()))
        assert.strictEqual(dead.taken(), 1)
        assert.include(error.gaveUp, "the retry budget is spent")
      }))

    it.effect("can be set: a ratio and a minimum, also none of both", () =>
      Effect.gen(function*() {
        const requests = Effect.fnUntraced(function*(
          budget: RetryPolicy.Options["budget"],
          calls: number
        ) {
          const policy = yield* RetryPolicy.make({ ...atOnce, budget })
          const dead = counted(serverFailed)
          for (let i = 0; i < calls; i++) yield* Effect.exit(policy.retry(dead.attempt, run()))
          return dead.count()
        })
        assert.strictEqual(yield* requests({ ratio: 0, minimum: 0 }, 100), 100)
        assert.strictEqual(yield* requests({ ratio: 0, minimum: 7 }, 100), 107)
        assert.strictEqual(yield* requests({ ratio: 0.2, minimum: 0 }, 100), 120)
        assert.strictEqual(yield* requests({ ratio: 0.5, minimum: 5 }, 100), 150)
        // More of the budget than `times` makes use of.
        assert.strictEqual(yield* requests({ ratio: 5 }, 100), 300)
        assert.strictEqual(yield* requests(false, 10_000), 30_000)
      }))

    it.effect("fills up again while calls succeed", () =>
      Effect.gen(function*() {
        const policy = yield* RetryPolicy.make(atOnce)
        const dead = counted(serverFailed)
        const alive = Effect.succeed("ok")
        const storm = Effect.gen(function*() {
          for (let i = 0; i < 200; i++) yield* Effect.exit(policy.retry(dead.attempt, run()))
          return dead.taken() - 200
        })
        assert.strictEqual(yield* storm, 100)
        assert.isAtMost(yield* storm, 40)
        for (let i = 0; i < 1000; i++) yield* policy.retry(alive, run())
        const recovered = yield* storm
        // What 1,000 good calls saved up, and what the storm's own calls bring.
        assert.isAtLeast(recovered, 150)
        assert.isAtMost(recovered, 240)
        // A good day does not save up for a night of storms.
        for (let i = 0; i < 20_000; i++) yield* policy.retry(alive, run())
        assert.isAtMost(yield* storm, 240)
      }))

    it.effect("is kept for each provider and model", () =>
      Effect.gen(function*() {
        const policy = yield* RetryPolicy.make({ ...atOnce, budget: { ratio: 0, minimum: 2 } })
        const dead = counted(serverFailed)
        const requests = (key: string) =>
          Effect.map(Effect.exit(policy.retry(dead.attempt, run(key))), () => dead.taken())
        assert.strictEqual(yield* requests("openai/a"), 3)
        assert.strictEqual(yield* requests("openai/a"), 1)
        assert.strictEqual(yield* requests("openai/b"), 3)
        assert.strictEqual(yield* requests("anthropic/a"), 3)
        assert.strictEqual(yield* requests("anthropic/a"), 1)
      }))

    it.effect("is not charged for what is not retried anyway", () =>
      Effect.gen(function*() {
        const policy = yield* RetryPolicy.make({ ...atOnce, times: 1, budget: { ratio: 0, minimum: 1 } })
        const asking = yield* Effect.exit(policy.with({ times: 0 }).retry(serverFailed, run()))
        assert.strictEqual(asking._tag, "Failure")
        const dead = counted(serverFailed)
        yield* Effect.exit(policy.retry(dead.attempt, run()))
        assert.strictEqual(dead.taken(), 2)
      }))

    it.effect.prop(
      "never allows more retries than the larger of its minimum and its share of the calls",
      {
        ratio: FastCheck.double({ min: 0, max: 1, noNaN: true }),
        minimum: FastCheck.integer({ min: 0, max: 20 }),
        times: FastCheck.integer({ min: 0, max: 4 }),
        calls: FastCheck.array(FastCheck.boolean(), { maxLength: 200 })
      },
      ({ calls, minimum, ratio, times }) =>
        Effect.gen(function*() {
          const policy = yield* RetryPolicy.make({ ...atOnce, times, budget: { ratio, minimum } })
          const dead = counted(serverFailed)
          const alive = counted(Effect.succeed("ok"))
          let made = 0
          for (const fails of calls) {
            made++
            yield* Effect.exit(policy.retry(fails ? dead.attempt : alive.attempt, run()))
            const retries = dead.count() + alive.count() - made
            assert.isAtMost(retries, Math.max(minimum, ratio * made) + 1e-6)
          }
        })
    )
  })

  describe("with", () => {
    const requests = (policy: RetryPolicy.RetryPolicy) => {
      const dead = counted(serverFailed)
      return Effect.map(Effect.exit(policy.retry(dead.attempt, run())), dead.count)
    }

    it.effect("changes some options and leaves the others, and the policy that it came from, alone", () =>
      Effect.gen(function*() {
        const policy = yield* RetryPolicy.make({ ...atOnce, times: 4 })
        assert.strictEqual(yield* requests(policy.with({ times: 1 })), 2)
        assert.strictEqual(yield* requests(policy.with({ cap: 0 })), 5)
        assert.strictEqual(yield* requests(policy.with({})), 5)
        assert.strictEqual(yield* requests(policy), 5)
      }))

    it.effect("takes an option that is undefined for one that is not given", () =>
      Effect.gen(function*() {
        const policy = yield* RetryPolicy.make({ ...atOnce, times: 4 })
        assert.strictEqual(yield* requests(policy.with({ times: undefined })), 5)
      }))

    it.effect("false makes a single attempt", () =>
      Effect.gen(function*() {
        const policy = yield* RetryPolicy.make(atOnce)
        assert.strictEqual(yield* requests(policy.with(false)), 1)
        assert.strictEqual(yield* requests(policy), 3)
      }))

    it.effect("draws on the same budget, unless it is given up", () =>
      Effect.gen(function*() {
        const policy = yield* RetryPolicy.make({ ...atOnce, budget: { ratio: 0, minimum: 2 } })
        assert.strictEqual(yield* requests(policy.with({ cap: 0 })), 3)
        assert.strictEqual(yield* requests(policy), 1)
        assert.strictEqual(yield* requests(policy.with({ budget: false })), 3)
        assert.strictEqual(yield* requests(policy), 1)
      }))

    it.effect("counts the calls that it makes for the budget of all", () =>
      Effect.gen(function*() {
        const policy = yield* RetryPolicy.make({ ...atOnce, times: 1, budget: { ratio: 0.1, minimum: 0 } })
        const single = policy.with(false)
        for (let i = 0; i < 10; i++) yield* single.retry(Effect.void, run())
        assert.strictEqual(yield* requests(policy), 2)
      }))
  })

  describe("options that make no sense", () => {
    const bad: ReadonlyArray<readonly [RetryPolicy.Options, option: string]> = [
      [{ times: -1 }, "retry.times"],
      [{ times: 1.5 }, "retry.times"],
      [{ times: NaN }, "retry.times"],
      [{ times: Infinity }, "retry.times"],
      [{ base: -1 }, "retry.base"],
      [{ base: NaN }, "retry.base"],
      [{ base: "-1 seconds" }, "retry.base"],
      [{ factor: 0.5 }, "retry.factor"],
      [{ factor: NaN }, "retry.factor"],
      [{ factor: Infinity }, "retry.factor"],
      [{ cap: -1 }, "retry.cap"],
      [{ maxRetryAfter: -1 }, "retry.maxRetryAfter"],
      [{ maxRetryAfter: NaN }, "retry.maxRetryAfter"],
      [{ budget: { ratio: -0.1 } }, "retry.budget.ratio"],
      [{ budget: { ratio: NaN } }, "retry.budget.ratio"],
      [{ budget: { minimum: -1 } }, "retry.budget.minimum"],
      [{ budget: { minimum: Infinity } }, "retry.budget.minimum"]
    ]

    it.effect("are a defect that names the option", () =>
      Effect.gen(function*() {
        for (const [options, option] of bad) {
          const exit = yield* Effect.exit(RetryPolicy.make(options))
          assert(exit._tag === "Failure" && Cause.isDie(exit.cause), option)
          assert.include(Cause.pretty(exit.cause), `${option} must be`)
        }
      }))

    it.effect("are refused by with, too", () =>
      Effect.gen(function*() {
        const policy = yield* RetryPolicy.make()
        for (const [options, option] of bad) assert.throws(() => policy.with(options), `${option} must be`)
      }))

    it("are refused by schedule, too", () => {
      for (const [options, option] of bad) {
        if (options.budget === undefined) assert.throws(() => RetryPolicy.schedule(options), `${option} must be`)
      }
    })
  })
})
