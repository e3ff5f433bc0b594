import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import type * as LlmEvent from "effect-llm/LlmEvent"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as RateLimit from "effect-llm/RateLimit"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { cacheWith, noCache } from "../support/caches.js"
import { rateLimited, serverFailed, unauthorized } from "../support/errors.js"
import { errorOf, valueOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { recordingLogs } from "../support/recordedLogs.js"
import { request } from "../support/samples.js"
import { scriptedClient } from "../support/scriptedClient.js"
import * as Streams from "../support/scriptedStreams.js"
import { steppingBackAfter } from "../support/steppingBack.js"
import { settle, within } from "../support/testClock.js"

/** How a call ends that acquires a resource: in an uninterruptible region, where nothing but the call can end it. */
const acquiring = <A>(call: Effect.Effect<A, LlmError.LlmError>) =>
  Effect.scoped(Effect.acquireRelease(call, () => Effect.void))

const limitOf = (exit: Exit.Exit<unknown, LlmError.LlmError>) => {
  const { reason } = errorOf(exit)
  return reason._tag === "TimedOut"
    ? `${reason.phase} ${Duration.toMillis(reason.limit ?? Duration.zero)}`
    : reason._tag
}

const deadline = { deadline: 50 } as const

/** Asserts that an effect is under way until the moment, and how it ends there. */
const endsAt = <A>(millis: number, self: Effect.Effect<A, LlmError.LlmError>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(self)
    yield* TestClock.adjust(millis - 1)
    assert.isNull(fiber.unsafePoll(), "it ended early")
    yield* TestClock.adjust(1)
    const exit = fiber.unsafePoll()
    assert(exit !== null, "it is still under way")
    return exit
  })

describe("a call in an uninterruptible region ends at its deadline", () => {
  it.scoped("when the provider never answers", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, load } = yield* scriptedClient([LlmTest.repeat(Effect.never)])
      assert.strictEqual(limitOf(yield* endsAt(50, acquiring(client.call(request, deadline)))), "total 50")
      assert.deepStrictEqual(yield* load, { inFlight: 0, mostInFlight: 1, aborted: 1 })
    })))

  it.scoped("when it is streamed, and the provider brings no part, or no further one", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, load } = yield* scriptedClient(Streams.streams(Stream.never, Streams.steps("Elbe", 100_000)))
      const options = { ...deadline, streaming: true } as const
      assert.strictEqual(limitOf(yield* endsAt(50, acquiring(client.call(request, options)))), "total 50")
      assert.strictEqual(limitOf(yield* endsAt(50, acquiring(client.call(request, options)))), "total 50")
      assert.strictEqual((yield* load).inFlight, 0)
    })))

  it.scoped("when it is a stream, and the provider brings no part, or no further one", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, load } = yield* scriptedClient(Streams.streams(Stream.never, Streams.steps("Elbe", 100_000)))
      const drained = Effect.uninterruptible(Stream.runDrain(client.stream(request, deadline)))
      assert.strictEqual(limitOf(yield* endsAt(50, drained)), "total 50")
      assert.strictEqual(limitOf(yield* endsAt(50, drained)), "total 50")
      assert.strictEqual((yield* load).inFlight, 0)
    })))

  it.scoped("when it asks for a value", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, load } = yield* scriptedClient([LlmTest.repeat(Effect.never)])
      const object = client.object(Schema.Struct({ river: Schema.String }), request, deadline)
      assert.strictEqual(limitOf(yield* endsAt(50, acquiring(object))), "total 50")
      assert.strictEqual((yield* load).inFlight, 0)
    })))

  it.scoped("in the wait between two attempts", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient([LlmTest.repeat(serverFailed)], {
        client: { retry: { jitter: false } }
      })
      const exit = yield* endsAt(50, acquiring(client.call(request, deadline)))
      assert.strictEqual(limitOf(exit), "total 50")
      assert.include(errorOf(exit).message, "the last attempt had failed: ServerFailed")
      assert.strictEqual((yield* requests).length, 1)
    })))

  it.effect("in the queue of a rate limit", () =>
    leavingNoFiber(
      Effect.gen(function*() {
        const client = yield* LlmClient.LlmClient
        const holder = yield* Effect.fork(client.call({ ...request, seed: 1 }))
        yield* settle
        assert.strictEqual(limitOf(yield* endsAt(50, acquiring(client.call(request, deadline)))), "total 50")
        assert.strictEqual((yield* LlmTest.requests).length, 1)
        yield* Fiber.interrupt(holder)
      }).pipe(Effect.provide(
        LlmClient.layerDefault().pipe(
          Layer.provideMerge(
            Layer.unwrapEffect(Effect.sync(() => {
              const test = LlmTest.layer([LlmTest.repeat(Effect.never)])
              return Layer.merge(test, RateLimit.limit(test, { concurrency: 1 }))
            }))
          )
        )
      ))
    ))

  it.scoped("and not before it, by an interruption from outside", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, load } = yield* scriptedClient([LlmTest.repeat(Effect.delay(LlmTest.text("Elbe"), 40))])
      let acquired = 0
      const fiber = yield* Effect.fork(Effect.scoped(
        Effect.acquireRelease(client.call(request, deadline), () => Effect.sync(() => acquired++))
      ))
      yield* TestClock.adjust(10)
      const leaving = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* TestClock.adjust(30)
      yield* Fiber.join(leaving)
      assert.deepStrictEqual([acquired, (yield* load).aborted], [1, 0])
    })))
})

describe("a cache that hangs where nothing can interrupt it", () => {
  const stuck = Effect.scoped(Effect.acquireRelease(Effect.never, () => Effect.void))

  it.scoped("is waited for as long as getTimeout says, to read and to write", () =>
    Effect.gen(function*() {
      const reading = yield* scriptedClient([LlmTest.repeat(LlmTest.text("Elbe"))], {
        cache: yield* cacheWith({ get: () => stuck })
      })
      assert.strictEqual(valueOf(yield* endsAt(500, reading.client.call(request))).text, "Elbe")
      const both = yield* scriptedClient([LlmTest.repeat(LlmTest.text("Elbe"))], {
        cache: { ...noCache, get: () => stuck, set: () => stuck },
        client: { cache: { getTimeout: "2 seconds" } }
      })
      assert.strictEqual(valueOf(yield* endsAt(4000, both.client.call(request))).text, "Elbe")
    }))

  it.scoped("does not outlive the deadline, in an uninterruptible region neither", () =>
    Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient([LlmTest.repeat(LlmTest.text("Elbe"))], {
        cache: { ...noCache, get: () => stuck }
      })
      assert.strictEqual(limitOf(yield* endsAt(50, client.call(request, deadline))), "total 50")
      assert.strictEqual(limitOf(yield* endsAt(50, acquiring(client.call(request, deadline)))), "total 50")
      const drained = Stream.runDrain(client.stream(request, deadline))
      assert.strictEqual(limitOf(yield* endsAt(50, drained)), "total 50")
      assert.strictEqual((yield* requests).length, 0)
    }))

  it.scoped("does not hold up an interruption", () =>
    Effect.gen(function*() {
      const { client } = yield* scriptedClient([LlmTest.repeat(LlmTest.text("Elbe"))], {
        cache: { ...noCache, get: () => stuck }
      })
      const fiber = yield* Effect.fork(client.call(request))
      yield* settle
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
    }))
})

describe("when the wall time steps back an hour", () => {
  const stepping = steppingBackAfter(10)

  it.scoped("the limit of an attempt ends it", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client } = yield* scriptedClient([LlmTest.repeat(Effect.never)])
      const call = client.call(request, { retry: false, timeout: "5 seconds" })
      assert.strictEqual(limitOf(yield* endsAt(5000, stepping(call))), "attempt 5000")
    })))

  it.scoped("the deadline ends the call", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client, events } = yield* scriptedClient([LlmTest.repeat(Effect.never)])
      assert.strictEqual(limitOf(yield* endsAt(5000, stepping(client.call(request, { deadline: 5000 })))), "total 5000")
      assert.deepStrictEqual(
        (yield* events).flatMap((event) => event._tag === "CallGaveUp" ? [Duration.toMillis(event.latency)] : []),
        [5000]
      )
    })))

  it.scoped("a stream ends when it brings no first part, no further one, or at its deadline", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client } = yield* scriptedClient(Streams.streams(
        Stream.never,
        Streams.steps(5, "Elbe", 1_000_000),
        Streams.steps(5, "Elbe", 3000, "Oder", 3000, "Rhein")
      ))
      const options = { retry: false, firstPartTimeout: "4 seconds", idleTimeout: "4 seconds" } as const
      const drained = (options: LlmClient.CallOptions) => stepping(Stream.runDrain(client.stream(request, options)))
      assert.strictEqual(limitOf(yield* endsAt(4000, drained(options))), "firstPart 4000")
      assert.strictEqual(limitOf(yield* endsAt(4005, drained(options))), "idle 4000")
      assert.strictEqual(limitOf(yield* endsAt(5000, drained({ ...options, deadline: 5000 }))), "total 5000")
    })))

  it.scoped("the wait before a retry is as long as ever, and so is a Retry-After in seconds", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client } = yield* scriptedClient([
        Effect.delay(serverFailed, 5),
        serverFailed,
        LlmTest.text("Elbe"),
        Effect.delay(rateLimited("20 seconds"), 5),
        LlmTest.text("Oder")
      ], { client: { retry: { jitter: false } } })
      const first = valueOf(yield* endsAt(3005, stepping(client.call(request))))
      assert.deepStrictEqual([first.text, Duration.toMillis(first.latency)], ["Elbe", 3005])
      const second = valueOf(yield* endsAt(20_005, stepping(client.call({ ...request, seed: 1 }))))
      assert.deepStrictEqual([second.text, Duration.toMillis(second.latency)], ["Oder", 20_005])
    })))

  it.scoped("a cache that hangs is waited for as long as ever", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { client } = yield* scriptedClient([LlmTest.repeat(LlmTest.text("Elbe"))], {
        cache: { ...noCache, get: () => Effect.never }
      })
      assert.strictEqual(valueOf(yield* endsAt(500, stepping(client.call(request)))).text, "Elbe")
    })))
})

describe("the id of a call", () => {
  const recording = () => {
    const events: Array<LlmEvent.LlmEvent> = []
    const log = (event: LlmEvent.LlmEvent) => Effect.sync(() => void events.push(event))
    return { events, log }
  }

  const ids = (events: ReadonlyArray<{ readonly callId?: string | undefined }>) =>
    new Set(events.map((it) => it.callId))

  it.scoped("is that of all of its events, and differs between calls", () =>
    Effect.gen(function*() {
      const cache = yield* cacheWith({ set: () => Effect.dieMessage("full") })
      const { events, log } = recording()
      const { client } = yield* scriptedClient([serverFailed, LlmTest.repeat(LlmTest.text("Elbe"))], { cache, log })
      yield* within("3 seconds")(client.call(request))
      const first = events.splice(0)
      yield* within("3 seconds")(client.call(request))
      const second = events.splice(0)
      yield* within("3 seconds")(Effect.exit(client.call(request, { cache: "bypass", retry: false })))
      assert.deepStrictEqual(first.map(LlmTest.eventLine).map((line) => line.split(" ")[0]), [
        "CacheMiss",
        "CallStarted",
        "CallFailed",
        "CallStarted",
        "CallOk",
        "CacheFailed"
      ])
      const all = [first, second, events].map(ids)
      for (const of of all) assert.strictEqual(of.size, 1)
      assert.strictEqual(new Set(all.flatMap((of) => [...of])).size, 3)
      assert.isFalse(all.some((of) => of.has(undefined)))
    }))

  it.scoped("is that of its run for CallShared, and its own for all others", () =>
    Effect.gen(function*() {
      const { events, log } = recording()
      const { client } = yield* scriptedClient(
        [Effect.delay(LlmTest.text("Elbe"), "1 second"), Effect.delay(unauthorized, "1 second")],
        {
          cache: noCache,
          log
        }
      )
      const two = within("1 second")(Effect.all([client.call(request), client.call(request)].map(Effect.exit), {
        concurrency: "unbounded"
      }))
      yield* two
      const [leader, follower] = events.filter(({ _tag }) => _tag === "CacheMiss").map(({ callId }) => callId)
      assert.notStrictEqual(leader, follower)
      assert.deepStrictEqual(
        events.filter(({ callId }) => callId === leader).map(({ _tag }) => _tag),
        ["CacheMiss", "CallStarted", "CallOk", "CallShared"]
      )
      assert.deepStrictEqual(events.filter(({ callId }) => callId === follower).map(({ _tag }) => _tag), ["CacheMiss"])
      events.splice(0)
      yield* two
      const misses = ids(events.filter(({ _tag }) => _tag === "CacheMiss"))
      assert.deepStrictEqual(ids(events.filter(({ _tag }) => _tag === "CallGaveUp")), misses)
      assert.strictEqual(misses.size, 2)
    }))

  it.scoped("is that of all events of a stream, too", () =>
    Effect.gen(function*() {
      const { events, log } = recording()
      const { client } = yield* scriptedClient(
        Streams.streams(Stream.fail(serverFailed), Streams.steps("Elbe", serverFailed)),
        { log }
      )
      const drained = Effect.exit(Stream.runDrain(client.stream(request, { retry: { base: 0 } })))
      yield* within("1 second")(drained)
      assert.strictEqual(events.length, 6)
      assert.strictEqual(ids(events).size, 1)
      assert.isFalse(ids(events).has(undefined))
    }))
})

describe("a call that fails leaves no line on the log but the logger's", () => {
  const never = LlmTest.repeat(Effect.never)

  /** Draws from a stream to its end. (Effect's own `run` functions log the failure of the fiber that they draw in.) */
  const drained = (stream: Stream.Stream<unknown, unknown>) =>
    Effect.scoped(Effect.flatMap(Stream.toPull(stream), Effect.forever))

  const failing: {
    readonly [name: string]: readonly [
      script: LlmTest.Script,
      call: (client: LlmClient.Service) => Effect.Effect<unknown, unknown>,
      options?: LlmClient.Options
    ]
  } = {
    "at once": [[LlmTest.repeat(unauthorized)], (client) => client.call(request)],
    "after a wait": [[LlmTest.repeat(Effect.delay(unauthorized, 100))], (client) => client.call(request)],
    "after retries": [[LlmTest.repeat(Effect.delay(serverFailed, 100))], (client) => client.call(request)],
    "by a defect": [[LlmTest.repeat(Effect.dieMessage("a bug"))], (client) => client.call(request)],
    "by a defect after a wait": [
      [LlmTest.repeat(Effect.delay(Effect.dieMessage("a bug"), 100))],
      (client) => client.call(request)
    ],
    "by a defect while it is interrupted": [
      [LlmTest.repeat(Effect.onInterrupt(Effect.never, () => Effect.dieMessage("a bug")))],
      (client) => client.call(request, { deadline: "1 second" })
    ],
    "at the limit of an attempt": [[never], (client) => client.call(request, { timeout: "1 second" })],
    "at its deadline": [[never], (client) => client.call(request, { deadline: "1 second" })],
    "by an interruption": [[never], (client) => Effect.timeout(client.call(request), "1 second")],
    "for all that share it": [
      [LlmTest.repeat(Effect.delay(unauthorized, 100))],
      (client) =>
        Effect.all(Array.from({ length: 5 }, () => Effect.exit(client.call(request))), { concurrency: "unbounded" })
    ],
    "for some that share it, at their own deadlines": [
      [never],
      (client) =>
        Effect.all([1, 2, 3].map((n) => Effect.exit(client.call(request, { deadline: `${n} seconds` }))), {
          concurrency: "unbounded"
        })
    ],
    "by a request that is none": [[never], (client) => client.call({ ...request, temperature: 99 })],
    "as a stream, before its first part": [
      [LlmTest.repeat(Effect.delay(unauthorized, 100))],
      (client) => drained(client.stream(request))
    ],
    "as a stream that brings nothing": [
      [never],
      (client) => drained(client.stream(request, { firstPartTimeout: "1 second", retry: false }))
    ],
    "as a stream at its deadline": [
      [never],
      (client) => drained(client.stream(request, { deadline: "1 second" }))
    ],
    "as a call that is streamed": [
      [never],
      (client) => client.call(request, { deadline: "1 second", streaming: true })
    ],
    "as a value that does not fit": [
      [LlmTest.repeat("no JSON")],
      (client) => client.object(Schema.Struct({ river: Schema.String }), request)
    ]
  }

  for (const [name, [script, call]] of Object.entries(failing)) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const program = Effect.flatMap(LlmClient.LlmClient, (client) => within("1 minute")(Effect.exit(call(client))))
        const run = (logger: Layer.Layer<LlmLogger.LlmLogger>) =>
          recordingLogs(program.pipe(Effect.provide(
            LlmClient.layer().pipe(
              Layer.provide([LlmCache.layerMemory(), logger, LlmTest.layer(script)])
            )
          )))
        const { exit, logged } = yield* run(LlmLogger.layer)
        assert(Exit.isSuccess(exit))
        assert.deepStrictEqual(logged.filter((line) => !/^[A-Z]+ llm_\w+$/.test(line)), [])
        assert.deepStrictEqual((yield* run(LlmLogger.layerSilent)).logged, [])
      }))
  }
})

describe("a provider whose own deadline has passed", () => {
  it.scoped("fails an attempt, with the limit that it names", () =>
    Effect.gen(function*() {
      const limit = Duration.seconds(7)
      const { client, events } = yield* scriptedClient([
        LlmTest.fail(LlmError.TimedOut.make({ phase: "total", limit }))
      ])
      const error = yield* Effect.flip(client.call(request))
      assert.deepStrictEqual(error.reason, LlmError.TimedOut.make({ phase: "total", limit }))
      assert.isTrue((yield* events).some(({ _tag }) => _tag === "CallFailed"))
    }))
})
