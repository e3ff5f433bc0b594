/**
 * The primitives of `src/runtime/` beside those of Effect 4 itself: the CPU time of an operation of each, in one run. The
 * two take turns, and the least of their rounds counts. Run by `node
 * editions/effect4/bench/primitives.mjs` after `npm run edition:4`.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as RcMap from "effect/RcMap"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as LlmProvider from "../generated/src/LlmProvider.js"
import * as AttemptClock from "../generated/src/runtime/attemptClock.js"
import { disconnect } from "../generated/src/runtime/disconnect.js"
import * as Elapsed from "../generated/src/runtime/elapsed.js"
import { forkNow, joined, observe } from "../generated/src/runtime/forkNow.js"
import * as PartFeed from "../generated/src/runtime/partFeed.js"
import { raceWith } from "../generated/src/runtime/raceWith.js"
import * as SharedRun from "../generated/src/runtime/sharedRun.js"
import * as TimeLimit from "../generated/src/runtime/timeLimit.js"
import { setTimer } from "../generated/src/runtime/timer.js"

interface Pair {
  readonly name: string
  readonly ours: Effect.Effect<unknown, unknown>
  readonly effects: Effect.Effect<unknown, unknown>
  /** Operations in one run of the two. */
  readonly operations?: number
}

/** Ends at once, and is no exit, which needs no fiber at all. */
const atOnce = Effect.sync(() => 1)

/** Ends in a later turn, as an answer from a network does. */
const later = Effect.callback<number>((resume) => {
  setImmediate(() => resume(Effect.succeed(1)))
})

const parts = Array.from({ length: 1000 }, (_, index) => index)

/** Of both, the effect is left behind when its time has passed. */
const limits = (name: string, self: Effect.Effect<number>): Pair => ({
  name,
  ours: TimeLimit.timeoutOrElse(self, { duration: Duration.minutes(1), onTimeout: Effect.succeed(0) }),
  effects: Effect.timeoutOrElse(disconnect(self), { duration: Duration.minutes(1), orElse: () => Effect.succeed(0) })
})

const attempts = (name: string, self: Effect.Effect<number>, attempt: LlmProvider.Attempt): Pair => ({
  name,
  ours: AttemptClock.limited({
    attempt,
    limit: Duration.minutes(1),
    onTimeout: () => {
      throw new Error("a minute has passed")
    }
  })(self as Effect.Effect<number, never>),
  effects: Effect.timeoutOrElse(self, {
    duration: Duration.minutes(1),
    orElse: () => Effect.die("a minute has passed")
  })
})

const program = Effect.gen(function*() {
  const attempt = yield* LlmProvider.CurrentAttempt
  const scope = yield* Effect.scope
  const runs = yield* SharedRun.make<number, never, null>()
  const shared = yield* RcMap.make({
    lookup: (_: string) => Effect.forkScoped(later)
  })
  /** Opens a feed of all parts, one at a time. */
  const feedOf = Effect.sync(() => {
    let left = parts.length
    return Effect.sync(() => left-- > 0 ? [left] : undefined)
  })

  const pairs: ReadonlyArray<Pair> = [
    {
      name: "forkNow / forkChild, startImmediately: ends at once",
      ours: Effect.withFiber((parent) => {
        const child = forkNow(parent, atOnce)
        const ended = child.fiber.pollUnsafe()
        return ended === undefined ? Effect.never : joined(child, ended)
      }),
      effects: Effect.flatMap(Effect.forkChild(atOnce, { startImmediately: true }), Fiber.join)
    },
    {
      name: "forkNow / forkChild, startImmediately: waits",
      ours: Effect.withFiber((parent) => {
        const child = forkNow(parent, later)
        return Effect.callback<number>((resume) => {
          observe(child, (ended) => resume(joined(child, ended)))
        })
      }),
      effects: Effect.flatMap(Effect.forkChild(later, { startImmediately: true }), Fiber.join)
    },
    limits("timeLimit / timeoutOrElse of disconnect: ends at once", atOnce),
    limits("timeLimit / timeoutOrElse of disconnect: waits", later),
    attempts("attemptClock / timeoutOrElse: ends at once", atOnce, attempt),
    attempts("attemptClock / timeoutOrElse: waits", later, attempt),
    {
      name: "setTimer / sleep: set and given up",
      ours: Effect.withFiber((fiber) => Effect.sync(setTimer(fiber, 60_000, () => {}))),
      effects: Effect.flatMap(Effect.forkChild(Effect.sleep(60_000), { startImmediately: true }), Fiber.interrupt)
    },
    {
      name: "Elapsed.now / Clock.monotonicTimeNanos",
      ours: Elapsed.now,
      effects: Effect.map(
        Clock.clockWith((clock) => clock.monotonicTimeNanos),
        (nanos) => Math.round(Number(nanos) / 1e6)
      )
    },
    {
      name: "partFeed.toStream / Stream.fromPull: a part",
      operations: parts.length,
      ours: Stream.runDrain(PartFeed.toStream(feedOf)),
      effects: Stream.runDrain(
        Stream.unwrap(
          Effect.map(
            feedOf,
            (feed) => Stream.flattenArray(Stream.takeWhile(Stream.fromEffectRepeat(feed), (each) => each !== undefined))
          )
        )
      )
    },
    {
      name: "partFeed.withWaitLimit / timeoutOrElse: a part that is there",
      operations: parts.length,
      ours: Effect.flatMap(
        PartFeed.withWaitLimit(atOnce, {
          idleTimeout: Duration.minutes(1),
          deadline: () => Infinity,
          onTimeout: () => Effect.die("late")
        }),
        (next) => Effect.forEach(parts, () => next, { discard: true })
      ).pipe(Effect.provideService(Scope.Scope, scope)),
      effects: Effect.forEach(
        parts,
        () => Effect.timeoutOrElse(atOnce, { duration: Duration.minutes(1), orElse: () => Effect.die("late") }),
        { discard: true }
      )
    },
    {
      name: "sharedRun / RcMap of fibers: alone",
      ours: runs.run("key", { begin: () => null, join: () => true, work: () => later }),
      effects: Effect.scoped(Effect.flatMap(RcMap.get(shared, "key"), Fiber.join))
    },
    {
      name: "sharedRun / RcMap of fibers: ten at once",
      operations: 10,
      ours: Effect.all(
        Array.from({ length: 10 }, () => runs.run("key", { begin: () => null, join: () => true, work: () => later })),
        { concurrency: "unbounded", discard: true }
      ),
      effects: Effect.all(
        Array.from({ length: 10 }, () => Effect.scoped(Effect.flatMap(RcMap.get(shared, "key"), Fiber.join))),
        { concurrency: "unbounded", discard: true }
      )
    },
    {
      name: "raceWith / raceFirst",
      ours: raceWith(later, Effect.never, {
        onSelfDone: (exit, other) => Effect.andThen(Fiber.interrupt(other), exit),
        onOtherDone: (exit) => exit
      }),
      effects: Effect.raceFirst(later, Effect.never)
    }
  ]

  const rounds = 9
  for (const { effects, name, operations = 1, ours } of pairs) {
    const times = Math.ceil(4_000 / operations)
    const cost = (self: Effect.Effect<unknown, unknown>) =>
      Effect.gen(function*() {
        const before = process.cpuUsage()
        for (let i = 0; i < times; i++) yield* self
        const { system, user } = process.cpuUsage(before)
        return (user + system) / times / operations
      })
    let least = [Infinity, Infinity]
    for (let round = 0; round < rounds; round++) {
      const [a, b] = [yield* cost(ours), yield* cost(effects)]
      least = [Math.min(least[0]!, a), Math.min(least[1]!, b)]
    }
    console.log(`${name.padEnd(62)} ${least.map((micros) => micros.toFixed(2).padStart(8)).join(" ")} µs`)
  }
})

void Effect.runPromise(Effect.scoped(program))
