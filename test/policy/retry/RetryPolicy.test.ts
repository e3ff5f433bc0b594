import { assert, describe, it } from "@effect/vitest"
import * as LlmError from "effect-llm/LlmError"
import * as RetryPolicy from "effect-llm/RetryPolicy"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import { failure, rateLimited, serverFailed, unauthorized } from "../../support/errors.js"
import { errorOf, valueOf } from "../../support/exits.js"
import { leavingNoFiber } from "../../support/fibers.js"
import { eventually } from "../../support/overHttp.js"
import { settle, within } from "../../support/testClock.js"

type Attempt = Effect.Effect<string, LlmError.LlmError>

/** Makes the attempts in turn, the last one for ever, and notes when each began. */
const script = (...attempts: ReadonlyArray<Attempt>) => {
  const times: Array<number> = []
  const attempt: Attempt = Effect.flatMap(Clock.currentTimeMillis, (now) => {
    times.push(now)
    return attempts[Math.min(times.length, attempts.length) - 1] ?? Effect.succeed("ok")
  })
  return { attempt, times, waits: () => times.slice(1).map((time, i) => time - (times[i] ?? 0)) }
}

/** The waits that a schedule asks for, in milliseconds, without waiting for them. */
const delays = (options: RetryPolicy.Options, errors: Iterable<LlmError.LlmError>) =>
  Schedule.run(Schedule.delays(RetryPolicy.schedule(options)), 0, errors).pipe(
    Effect.map((waits) => Chunk.toReadonlyArray(waits).map((wait) => Duration.toMillis(wait)))
  )

const times = <A>(n: number, value: A): ReadonlyArray<A> => Array.from({ length: n }, () => value)

const ok: Attempt = Effect.succeed("ok")

const run = (options: Partial<RetryPolicy.Run> = {}): RetryPolicy.Run => ({
  key: "openai/gpt-4o-mini",
  deadline: () => Infinity,
  onDecision: () => Effect.void,
  ...options
})

const unjittered = { jitter: false } as const

describe("RetryPolicy", () => {
  describe("back-off", () => {
    it.effect("waits 1, 2, 4 and again 4 seconds without jitter", () =>
      Effect.gen(function*() {
        const { attempt, times, waits } = script(serverFailed)
        const retried = Effect.retry(attempt, RetryPolicy.schedule({ ...unjittered, times: 4 }))
        assert.strictEqual(errorOf(yield* within("1 hour")(retried)), serverFailed)
        assert.strictEqual(times[0], 0)
        assert.deepStrictEqual(waits(), [1000, 2000, 4000, 4000])
      }))

    it.effect("makes two retries by default", () =>
      Effect.gen(function*() {
        const { attempt, waits } = script(serverFailed)
        yield* within("1 hour")(Effect.retry(attempt, RetryPolicy.schedule(unjittered)))
        assert.deepStrictEqual(waits(), [1000, 2000])
      }))

    it.effect("takes base, factor and cap from the options", () =>
      Effect.gen(function*() {
        const waits = (options: RetryPolicy.Options) =>
          delays({ ...unjittered, times: 8, ...options }, times(8, serverFailed))
        assert.deepStrictEqual(yield* waits({ cap: "40 seconds" }), [1, 2, 4, 8, 16, 32, 40, 40].map((s) => s * 1000))
        assert.deepStrictEqual(yield* waits({ base: 100, factor: 3, cap: 5000 }), [
          100,
          300,
          900,
          2700,
          5000,
          5000,
          5000,
          5000
        ])
        assert.deepStrictEqual(yield* waits({ base: 100, factor: 1 }), [...times(8, 100)])
        assert.deepStrictEqual(yield* waits({ base: "10 seconds" }), [...times(8, 4000)])
        assert.deepStrictEqual(yield* waits({ base: 0 }), [...times(8, 0)])
      }))

    it.effect("keeps to the cap however many attempts there were", () =>
      Effect.gen(function*() {
        // 2 ** 1024 is no finite number any more.
        const waits = yield* delays({ ...unjittered, times: 1100, cap: "40 seconds" }, times(1100, serverFailed))
        assert.deepStrictEqual(waits.slice(6), [...times(1094, 40_000)])
        const none = yield* delays({ ...unjittered, times: 1100, base: 0 }, times(1100, serverFailed))
        assert.deepStrictEqual(none, [...times(1100, 0)])
      }))
  })

  describe("jitter", () => {
    const sample = (seed: string) =>
      Effect.withRandom(
        Effect.map(delays({ times: 4000, base: "4 seconds" }, times(4000, serverFailed)), (waits) => waits),
        Random.make(seed)
      )

    it.effect("shortens each wait to between half and all of it, evenly", () =>
      Effect.gen(function*() {
        const waits = yield* sample("a seed")
        assert.strictEqual(waits.length, 4000)
        assert.isTrue(waits.every((wait) => wait >= 2000 && wait <= 4000))
        const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length
        assert.approximately(mean, 3000, 50)
        assert.isTrue(waits.some((wait) => wait < 2050) && waits.some((wait) => wait > 3950))
      }))

    it.effect("comes from Random: the same seed gives the same waits", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* sample("a seed"), yield* sample("a seed"))
        assert.notDeepEqual(yield* sample("a seed"), yield* sample("another seed"))
      }))

    it.effect("is applied to each step of the back-off", () =>
      Effect.gen(function*() {
        const waits = yield* delays({ times: 3 }, times(3, serverFailed)).pipe(Effect.withRandom(Random.make(1)))
        assert.strictEqual(waits.length, 3)
        waits.forEach((wait, i) => {
          assert.isAtLeast(wait, 500 * 2 ** i)
          assert.isAtMost(wait, 1000 * 2 ** i)
        })
      }))

    it.effect.prop(
      "never undercuts Retry-After, and never adds to it what back-off does not ask for",
      {
        base: FastCheck.integer({ min: 0, max: 10_000 }),
        cap: FastCheck.integer({ min: 0, max: 20_000 }),
        factor: FastCheck.double({ min: 1, max: 4, noNaN: true }),
        seed: FastCheck.integer(),
        asked: FastCheck.array(FastCheck.option(FastCheck.integer({ min: 0, max: 30_000 }), { nil: undefined }), {
          minLength: 1,
          maxLength: 8
        })
      },
      ({ asked, base, cap, factor, seed }) =>
        Effect.gen(function*() {
          const waits = yield* delays({ base, cap, factor, times: asked.length }, asked.map((ms) => rateLimited(ms)))
            .pipe(
              Effect.withRandom(Random.make(seed))
            )
          assert.strictEqual(waits.length, asked.length)
          asked.forEach((floor = 0, i) => {
            const nominal = Math.min(cap, base * factor ** i)
            const wait = waits[i] ?? NaN
            assert.isAtLeast(wait + 1e-6, Math.max(floor, nominal / 2))
            assert.isAtMost(wait - 1e-6, Math.max(floor, nominal))
          })
        })
    )
  })

  describe("Retry-After", () => {
    it.effect("is the floor of the wait that it belongs to, and of no other", () =>
      Effect.gen(function*() {
        const { attempt, waits } = script(serverFailed, rateLimited(5000), serverFailed, ok)
        const retried = Effect.retry(attempt, RetryPolicy.schedule({ ...unjittered, base: 100, times: 3 }))
        assert.strictEqual(valueOf(yield* within("1 hour")(retried)), "ok")
        assert.deepStrictEqual(waits(), [100, 5000, 400])
      }))

    it.effect("holds back the next attempt to the millisecond", () =>
      Effect.gen(function*() {
        const { attempt, times } = script(rateLimited(3000), rateLimited(2000), ok)
        const fiber = yield* Effect.fork(Effect.retry(attempt, RetryPolicy.schedule({ base: 100 })))
        yield* TestClock.adjust(2999)
        assert.strictEqual(times.length, 1)
        yield* TestClock.adjust(1)
        assert.strictEqual(times.length, 2)
        yield* TestClock.adjust(1999)
        assert.strictEqual(times.length, 2)
        yield* TestClock.adjust(1)
        assert.strictEqual(times.length, 3)
        assert.strictEqual(yield* Fiber.join(fiber), "ok")
      }))

    it.effect("counts wherever a reason has one", () =>
      Effect.gen(function*() {
        const retryAfter = Duration.seconds(7)
        const errors = [
          failure(LlmError.RateLimited.make({ retryAfter })),
          failure(LlmError.Overloaded.make({ retryAfter })),
          failure(LlmError.ServerFailed.make({ retryAfter }))
        ]
        assert.deepStrictEqual(yield* delays({ ...unjittered, times: 3 }, errors), [7000, 7000, 7000])
      }))

    it.effect("of maxRetryAfter is waited for; a longer one ends it at once, and the error says why", () =>
      Effect.gen(function*() {
        const policy = yield* RetryPolicy.make({ ...unjittered, maxRetryAfter: "10 seconds" })
        const bearable = script(rateLimited("10 seconds"), ok)
        assert.strictEqual(valueOf(yield* within("10 seconds")(policy.retry(bearable.attempt, run()))), "ok")
        const unbearable = script(rateLimited(10_001))
        const error = errorOf(yield* within(0)(policy.retry(unbearable.attempt, run())))
        assert.strictEqual(unbearable.times.length, 1)
        assert.include(error.gaveUp, "10s 1ms")
        assert.include(error.gaveUp, "maxRetryAfter (10s)")
        assert.include(error.message, error.gaveUp ?? "nothing")
        assert.deepStrictEqual(error.retryAfter, Duration.millis(10_001))
        assert.strictEqual(error.status, 429)
      }))

    it.effect("of more than a minute is not waited for by default", () =>
      Effect.gen(function*() {
        const asked = (retryAfter: Duration.DurationInput) => delays({ times: 1 }, times(1, rateLimited(retryAfter)))
        assert.deepStrictEqual(yield* asked("1 minute"), [60_000])
        // The schedule is done: `Schedule.delays` gives zero for that, and `Effect.retry` does not try again.
        assert.deepStrictEqual(yield* asked(60_001), [0])
        const { attempt, times: began } = script(rateLimited(60_001))
        const error = errorOf(yield* within(0)(Effect.retry(attempt, RetryPolicy.schedule())))
        assert.strictEqual(began.length, 1)
        assert.deepStrictEqual(error.retryAfter, Duration.millis(60_001))
      }))

    it.effect("ends it at once where it reaches the deadline, and the error says so", () =>
      Effect.gen(function*() {
        const policy = yield* RetryPolicy.make(unjittered)
        const asking = (retryAfter: number) => script(rateLimited(retryAfter), ok)
        yield* TestClock.adjust("1 day")
        const deadline = (yield* Clock.currentTimeMillis) + 5000
        for (const retryAfter of [5000, 5001, 59_999]) {
          const { attempt, times } = asking(retryAfter)
          const error = errorOf(yield* within(0)(policy.retry(attempt, run({ deadline: () => deadline }))))
          assert.strictEqual(times.length, 1)
          assert.include(error.gaveUp, "only 5s are left until the deadline")
        }
        const { attempt } = asking(4999)
        assert.strictEqual(
          valueOf(yield* within(4999)(policy.retry(attempt, run({ deadline: () => deadline })))),
          "ok"
        )
      }))

    it.effect("is measured against the deadline as it is then, not as it was", () =>
      Effect.gen(function*() {
        const policy = yield* RetryPolicy.make(unjittered)
        let deadline = 5000
        const { attempt } = script(
          Effect.sync(() => deadline = 20_000).pipe(Effect.zipRight(rateLimited("10 seconds"))),
          ok
        )
        const retried = policy.retry(attempt, run({ deadline: () => deadline }))
        assert.strictEqual(valueOf(yield* within("10 seconds")(retried)), "ok")
      }))
  })

  describe("retried reasons", () => {
    const retryable: ReadonlyArray<LlmError.Reason> = [
      LlmError.RateLimited.make({}),
      LlmError.Overloaded.make({}),
      LlmError.ServerFailed.make({}),
      LlmError.TimedOut.make({ phase: "attempt" }),
      LlmError.TimedOut.make({ phase: "firstPart" }),
      LlmError.NetworkFailed.make({ code: "ECONNRESET" }),
      LlmError.MalformedResponse.make({}),
      LlmError.StreamInterrupted.make({ partial: { text: "", parts: [] } })
    ]
    const final: ReadonlyArray<LlmError.Reason> = [
      LlmError.AuthenticationFailed.make({}),
      LlmError.PermissionDenied.make({}),
      LlmError.QuotaExhausted.make({}),
      LlmError.InvalidRequest.make({}),
      LlmError.ContextLengthExceeded.make({}),
      LlmError.ModelNotFound.make({}),
      LlmError.ContentFiltered.make({}),
      LlmError.Refused.make({}),
      LlmError.ReasoningRejected.make({}),
      LlmError.TimedOut.make({ phase: "queue" }),
      LlmError.TimedOut.make({ phase: "idle" }),
      LlmError.TimedOut.make({ phase: "total" }),
      LlmError.NetworkFailed.make({ code: "ENOTFOUND" }),
      LlmError.StreamInterrupted.make({ partial: { text: "a", parts: [{ _tag: "Text", text: "a" }] } }),
      LlmError.OutputInvalid.make({ text: "", issues: [] }),
      LlmError.OutputTruncated.make({ text: "" }),
      LlmError.ToolArgumentsInvalid.make({ raw: "" }),
      LlmError.UnsupportedFeature.make({ feature: "tools" }),
      LlmError.BudgetExceeded.make({}),
      LlmError.CircuitOpen.make({ retryAfter: Duration.seconds(1) }),
      LlmError.AllProvidersFailed.make({ errors: [] })
    ]
    const requests = (error: LlmError.LlmError) =>
      Effect.gen(function*() {
        const policy = yield* RetryPolicy.make({ base: 0 })
        const { attempt, times } = script(error)
        yield* Effect.exit(policy.retry(attempt, run()))
        return times.length
      })

    it.effect("is every reason that may pass", () =>
      Effect.gen(function*() {
        for (const reason of retryable) assert.strictEqual(yield* requests(failure(reason)), 3, reason._tag)
      }))

    it.effect("is no reason that stays: exactly one attempt, and its very error", () =>
      Effect.gen(function*() {
        for (const reason of final) assert.strictEqual(yield* requests(failure(reason)), 1, reason._tag)
        const policy = yield* RetryPolicy.make()
        assert.strictEqual(yield* Effect.flip(policy.retry(unauthorized, run())), unauthorized)
        // Later ones, too.
        const { attempt, times } = script(serverFailed, unauthorized)
        assert.strictEqual(errorOf(yield* within("1 minute")(policy.retry(attempt, run()))), unauthorized)
        assert.strictEqual(times.length, 2)
      }))

    it("knows every reason", () => {
      const known = new Set([...retryable, ...final].map((reason) => reason._tag))
      assert.strictEqual(known.size, LlmError.Reason.members.length)
    })

    it.effect("is what the server says of it, whatever the reason", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* requests(failure(LlmError.InvalidRequest.make({}), { shouldRetry: true })), 3)
        assert.strictEqual(yield* requests(failure(LlmError.ServerFailed.make({}), { shouldRetry: false })), 1)
      }))

    it.effect("is no defect and no interruption", () =>
      Effect.gen(function*() {
        const policy = yield* RetryPolicy.make({ base: 0 })
        const dying = script(Effect.die("a bug"))
        const exit = yield* Effect.exit(policy.retry(dying.attempt, run()))
        assert(exit._tag === "Failure" && Cause.isDie(exit.cause))
        const leaving = script(Effect.interrupt)
        yield* Effect.exit(policy.retry(leaving.attempt, run()))
        assert.deepStrictEqual([dying.times.length, leaving.times.length], [1, 1])
      }))

    it.effect("is nothing with times 0 or with false", () =>
      Effect.gen(function*() {
        for (const options of [{ times: 0 }, false] as const) {
          const policy = yield* RetryPolicy.make(options)
          const { attempt, times } = script(serverFailed)
          assert.strictEqual(yield* Effect.flip(policy.retry(attempt, run())), serverFailed)
          assert.strictEqual(times.length, 1)
        }
      }))
  })

  describe("decisions", () => {
    it.effect("are reported before the wait, with its length, and for the last failure without one", () =>
      Effect.gen(function*() {
        const policy = yield* RetryPolicy.make(unjittered)
        const told: Array<readonly [at: number, attempts: number, willRetry: boolean, delay: number | undefined]> = []
        const { attempt, times } = script(serverFailed, rateLimited("5 seconds"), serverFailed)
        const onDecision = ({ delay, willRetry }: RetryPolicy.Decision) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            told.push([now, times.length, willRetry, delay && Duration.toMillis(delay)])
          })
        yield* within("1 hour")(policy.retry(attempt, run({ onDecision })))
        assert.deepStrictEqual(told, [[0, 1, true, 1000], [1000, 2, true, 5000], [6000, 3, false, undefined]])
      }))

    it.effect("that end it early say why", () =>
      Effect.gen(function*() {
        const policy = yield* RetryPolicy.make({ budget: { ratio: 0, minimum: 0 } })
        const told: Array<RetryPolicy.Decision> = []
        const onDecision = (decision: RetryPolicy.Decision) => Effect.sync(() => void told.push(decision))
        for (const error of [serverFailed, rateLimited("1 hour"), unauthorized]) {
          yield* Effect.exit(policy.retry(error, run({ onDecision })))
        }
        assert.deepStrictEqual(told.map(({ willRetry }) => willRetry), [false, false, false])
        assert.include(told[0]?.error.gaveUp, "budget")
        assert.include(told[1]?.error.gaveUp, "maxRetryAfter")
        assert.isUndefined(told[2]?.error.gaveUp)
      }))
  })

  describe("interruption", () => {
    it.effect("during the wait ends it at once and starts no further attempt", () =>
      leavingNoFiber(Effect.gen(function*() {
        const policy = yield* RetryPolicy.make()
        const { attempt, times } = script(rateLimited("30 seconds"))
        const fiber = yield* Effect.fork(policy.retry(attempt, run()))
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* Clock.currentTimeMillis, 10_000)
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(times.length, 1)
      })))

    it.live("during the wait leaves no timer", () =>
      Effect.gen(function*() {
        const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length
        const policy = yield* RetryPolicy.make()
        const before = timers()
        const fibers = yield* Effect.forEach(
          times(20, serverFailed),
          (error) => Effect.fork(policy.retry(error, run()))
        )
        yield* settle
        // Others of the process come and go, too.
        assert.isAtLeast(timers(), 20)
        yield* Fiber.interruptAll(fibers)
        yield* eventually("the end of the timers", Effect.sync(() => timers() <= before))
      }))
  })
})
