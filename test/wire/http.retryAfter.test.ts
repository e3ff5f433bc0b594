import { assert, describe, it } from "@effect/vitest"
import * as Simulator from "effect-llm/testing/Simulator"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import {
  ended,
  eventually,
  failureOf,
  type Provider,
  providerNames,
  settled,
  type Simulated,
  simulated,
  sleepingUntil
} from "../support/overHttp.js"

// The client lives by the test's clock, the server in real time: what is waited for is exact, and waits take no time.

const now = Date.UTC(2026, 10, 23, 12, 0, 0)

const httpDate = (millis: number) => new Date(now + millis).toUTCString()

type Headers = Readonly<Record<string, string>>

const limited = (headers: Headers, status = 429) => Simulator.status(status, { headers })

/** The wait before a retry where the server asks for none. */
const backOff = 40

const client = { retry: { base: backOff, jitter: false } }

const begun = (
  provider: Provider,
  faults: ReadonlyArray<Simulator.Fault>
): Effect.Effect<Simulated, never, Scope.Scope> =>
  Effect.zipRight(TestClock.setTime(now), simulated({ provider, faults: Simulator.sequence(faults), client }))

/** Asserts that the next request comes after so many milliseconds, and not a millisecond before. */
const waitsFor = ({ requestCount, simulator }: Simulated, millis: number) =>
  Effect.gen(function*() {
    yield* sleepingUntil((yield* TestClock.currentTimeMillis) + millis)
    const sent = yield* requestCount
    yield* TestClock.adjust(millis - 1)
    yield* settled
    assert.strictEqual(yield* requestCount, sent, `a request after less than ${millis} ms`)
    yield* TestClock.adjust(1)
    yield* eventually("the next request", Effect.map(simulator.requests, (requests) => requests.length === sent + 1))
  })

/** Forms and limits are the same for all protocols: the cases take turns. */
const inTurn = <Case extends ReadonlyArray<unknown>>(cases: ReadonlyArray<Case>) =>
  cases.map((each, index) => [providerNames[index % providerNames.length] ?? "openai", ...each] as const)

describe("Retry-After over HTTP", () => {
  const waits: ReadonlyArray<readonly [what: string, headers: Headers, millis: number]> = [
    ["seconds", { "retry-after": "7" }, 7_000],
    ["a part of a second", { "retry-after": "0.1" }, 100],
    ["seconds and a half", { "retry-after": "1.5" }, 1_500],
    ["an HTTP date", { "retry-after": httpDate(6_000) }, 6_000],
    ["a date of RFC 850", { "retry-after": "Monday, 23-Nov-26 12:00:09 GMT" }, 9_000],
    ["a date of asctime", { "retry-after": "Mon Nov 23 12:00:11 2026" }, 11_000],
    ["milliseconds", { "retry-after-ms": "250" }, 250],
    ["Azure's milliseconds", { "x-ms-retry-after-ms": "1250" }, 1_250],
    ["milliseconds, which win over seconds", { "retry-after-ms": "3000", "retry-after": "10" }, 3_000],
    ["milliseconds that cannot be read, beside seconds", { "retry-after-ms": "abc", "retry-after": "8" }, 8_000],
    ["a minute, the most that is waited for", { "retry-after": "60" }, 60_000],
    ["no milliseconds beside seconds: back-off", { "retry-after-ms": "0", "retry-after": "7" }, backOff],
    ["no seconds: back-off", { "retry-after": "0" }, backOff],
    ["less than back-off: back-off", { "retry-after-ms": "12" }, backOff],
    ["a date that is past: back-off", { "retry-after": httpDate(-60_000) }, backOff],
    ["words: back-off", { "retry-after": "soon" }, backOff],
    ["less than nothing: back-off", { "retry-after": "-5" }, backOff],
    ["for ever: back-off", { "retry-after": "Infinity" }, backOff],
    ["an exponent: back-off", { "retry-after": "1e3" }, backOff],
    ["two waits, of a service and its proxy: the longer", { "retry-after": "5, 10" }, 10_000],
    ["nothing: back-off", {}, backOff]
  ]

  it.scoped.each(inTurn(waits))("(%s) asks for %s", ([provider, , headers, millis]) =>
    Effect.gen(function*() {
      const run = yield* begun(provider, [limited(headers)])
      const fiber = yield* Effect.fork(run.call("Echo: patience"))
      yield* waitsFor(run, millis)
      const response = yield* yield* ended(fiber)
      assert.deepStrictEqual([response.text, response.attempts], ["patience", 2])
      assert.strictEqual(Duration.toMillis(response.latency ?? 0), millis)
    }))

  it.scoped.each(providerNames)(
    "(%s) counts with every status that is retried, each time anew",
    (provider) =>
      Effect.gen(function*() {
        const run = yield* begun(provider, [limited({ "retry-after": "7" }, 503), limited({ "retry-after": "2" }, 500)])
        const fiber = yield* Effect.fork(run.call("Echo: patience"))
        yield* waitsFor(run, 7_000)
        yield* waitsFor(run, 2_000)
        assert.strictEqual((yield* yield* ended(fiber)).attempts, 3)
      })
  )

  it.scoped.each(providerNames)("(%s) is not undercut by jitter", (provider) =>
    Effect.gen(function*() {
      const { call, events } = yield* simulated({
        provider,
        faults: Simulator.perPrompt([limited({ "retry-after-ms": "900" })]),
        client: { retry: { base: "1 second" } }
      })
      const fibers = yield* Effect.forEach(Array.from({ length: 20 }, (_, i) => i), (i) =>
        Effect.fork(call(`Echo: ${i}`)))
      const failed = Effect.map(events, (all) =>
        all.filter((event) => event._tag === "CallFailed"))
      yield* eventually("twenty failures", Effect.map(failed, ({ length }) => length === 20))
      const delays = (yield* failed).map(({ delay }) => Duration.toMillis(delay ?? 0))
      assert.isTrue(delays.every((delay) => delay >= 900 && delay <= 1000), String(delays))
      yield* Fiber.interruptAll(fibers)
    }))

  const tooLong: ReadonlyArray<readonly [what: string, headers: Headers, millis: number]> = [
    ["61 seconds", { "retry-after": "61" }, 61_000],
    ["an hour", { "retry-after": "3600" }, 3_600_000],
    ["an hour, as a date", { "retry-after": httpDate(3_600_000) }, 3_600_000],
    ["two minutes in milliseconds, beside a second", { "retry-after-ms": "120000", "retry-after": "1" }, 120_000],
    ["more than any timer takes", { "retry-after": "400000000000" }, 2_147_483_647]
  ]

  it.scoped.each(inTurn(tooLong))(
    "(%s) asks for %s: the call fails at once, and tells",
    ([provider, , headers, millis]) =>
      Effect.gen(function*() {
        const { call, requestCount } = yield* begun(provider, [limited(headers)])
        const error = yield* failureOf(call("Echo: patience"))
        assert.strictEqual(error.reason._tag, "RateLimited")
        assert.strictEqual(Duration.toMillis(error.retryAfter ?? 0), millis)
        assert.match(error.gaveUp ?? "", /asks to wait .* longer than maxRetryAfter/)
        assert.strictEqual(yield* requestCount, 1)
        assert.strictEqual(yield* TestClock.currentTimeMillis, now)
      })
  )

  it.scoped.each(providerNames)(
    "(%s) asks for more than is left until the deadline: the call fails at once, and tells",
    (provider) =>
      Effect.gen(function*() {
        const { call, requestCount } = yield* begun(provider, [limited({ "retry-after": "8" })])
        const error = yield* failureOf(call("Echo: patience", { deadline: "8 seconds" }))
        assert.strictEqual(error.reason._tag, "RateLimited")
        assert.strictEqual(Duration.toMillis(error.retryAfter ?? 0), 8_000)
        assert.match(error.gaveUp ?? "", /only 8s are left until the deadline/)
        assert.strictEqual(yield* requestCount, 1)
        assert.strictEqual(yield* TestClock.currentTimeMillis, now)
      })
  )

  it.scoped.each(providerNames)(
    "(%s) asks for less than is left: it is waited for, and what is left then is the limit of the attempt",
    (provider) =>
      Effect.gen(function*() {
        const run = yield* begun(provider, [limited({ "retry-after": "7" }), Simulator.silence])
        const fiber = yield* Effect.fork(Effect.flip(run.call("Echo: patience", { deadline: "8 seconds" })))
        yield* waitsFor(run, 7_000)
        yield* TestClock.adjust("1 second")
        const error = yield* yield* ended(fiber)
        assert.deepStrictEqual([error.reason._tag, error.attempts], ["TimedOut", 2])
        assert.match(error.message, /total 8s.*the last attempt had failed: RateLimited/)
        yield* eventually(
          "the abort",
          Effect.map(run.simulator.requests, ([, second]) => second?.outcome === "aborted")
        )
      })
  )

  it.scoped.each(providerNames)("(%s) can be longer where the policy allows it", (provider) =>
    Effect.gen(function*() {
      const run = yield* begun(provider, [limited({ "retry-after": "3600" })])
      const fiber = yield* Effect.fork(
        run.call("Echo: patience", { deadline: "2 hours", retry: { maxRetryAfter: "1 hour" } })
      )
      yield* waitsFor(run, 3_600_000)
      assert.strictEqual((yield* yield* ended(fiber)).text, "patience")
    }))

  it.scoped.each(providerNames)(
    "(%s) ends at once when the call is interrupted: no further request",
    (provider) =>
      Effect.gen(function*() {
        const { call, requestCount } = yield* begun(provider, [limited({ "retry-after": "7" })])
        const fiber = yield* Effect.fork(call("Echo: patience"))
        yield* sleepingUntil(now + 7_000)
        yield* Fiber.interrupt(fiber)
        yield* TestClock.adjust("1 minute")
        yield* settled
        assert.strictEqual(yield* requestCount, 1)
      })
  )
})
