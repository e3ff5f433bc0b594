import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Violation } from "../conformance/check.js"

/**
 * The control of the server behind a store.
 *
 * @since 0.1.0
 * @category models
 */
export interface Server {
  /** Kills it. */
  readonly stop: Effect.Effect<void>
  /** Starts it again after `stop`, and waits until it answers. */
  readonly start: Effect.Effect<void>
  /** Stops its answers, while its connections stay open. */
  readonly hang: Effect.Effect<void>
  /** Ends `hang`, and waits until it answers. */
  readonly resume: Effect.Effect<void>
  /** Whether it keeps its data when it is killed. Default: false. */
  readonly isLasting?: boolean | undefined
  /** Makes it forget the scripts that it was sent. Default: it has none. */
  readonly forgetScripts?: Effect.Effect<void> | undefined
}

/**
 * A store under test.
 *
 * @since 0.1.0
 * @category models
 */
export interface Harness<Store> {
  /** Makes another member, which shares the store with the earlier ones as another process would. */
  readonly join: Effect.Effect<Store, never, Scope.Scope>
  /** Absent for a store without one: its checks are left out. */
  readonly server?: Server | undefined
  /** The longest time of an operation while the server does not answer: milliseconds. Default: 1,000. */
  readonly patience?: number | undefined
  /**
   * The time for which a member of a store of rate limits may keep amounts that it took in advance or has to give back:
   * milliseconds. After that, others have them. Default: 0.
   */
  readonly hold?: number | undefined
}

/**
 * A promise of a store. The check runs in real time, and fails after 20 seconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoreCheck {
  /** The promise, in a few words. */
  readonly name: string
  readonly check: Effect.Effect<void, Violation>
}

const timeLimit = "20 seconds"

/** Makes a check. */
export const make = (name: string, check: Effect.Effect<void, Violation, Scope.Scope>): StoreCheck => ({
  name,
  check: Effect.scoped(check).pipe(
    Effect.timeoutFail({
      duration: timeLimit,
      onTimeout: () => new Violation({ expected: "an end", actual: `none within ${timeLimit}` })
    }),
    Effect.withClock(Clock.make())
  )
})

/** So many members. */
export const members = <Store>({ join }: Harness<Store>, count: number) =>
  Effect.all(Array.from({ length: count }, () => join))

/** Numbers from 0 to 1, always the same for a seed. */
export const numbers = (seed: number) => {
  let state = seed
  return (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

let keys = 0

/** A key that no check has used before, on this server or another. */
export const freshKey = (): string => `key ${++keys} ${crypto.randomUUID()}`

/** A process whose clock is wrong by a number of milliseconds. */
export const withClockOff = (millis: number) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  const real = Clock.make()
  const nanos = () => real.unsafeCurrentTimeNanos() + BigInt(millis) * 1_000_000n
  const wrong: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => real.unsafeCurrentTimeMillis() + millis,
    unsafeCurrentTimeNanos: nanos,
    currentTimeMillis: Effect.sync(() => real.unsafeCurrentTimeMillis() + millis),
    currentTimeNanos: Effect.sync(nanos),
    sleep: (duration) => real.sleep(duration)
  }
  return Effect.withClock(self, wrong)
}

/** Fails if an operation exceeds its time, or dies. */
export const inTime = <A, E>(
  what: string,
  patience: number,
  operation: Effect.Effect<A, E>
): Effect.Effect<A, E | Violation> =>
  Effect.timeoutFail(operation, {
    duration: patience,
    onTimeout: () => new Violation({ expected: `an end of ${what} within ${patience} ms`, actual: "none" })
  })

/** Repeats an operation until its server is back. */
export const onceBack = <A>(
  operation: Effect.Effect<A>,
  isBack: (result: A) => boolean
): Effect.Effect<A, Violation> =>
  inTime(
    "an outage whose server is back",
    10_000,
    Effect.repeat(Effect.delay(operation, "5 millis"), { until: isBack })
  )
