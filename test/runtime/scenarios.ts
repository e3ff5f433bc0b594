import type * as LlmError from "effect-llm/LlmError"
import * as LlmErrors from "effect-llm/LlmError"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as TestClock from "effect/TestClock"
import { failure, unauthorized } from "../support/errors.js"
import { settle } from "../support/testClock.js"

// ---------------------------------------------------------------------------------------------------------------------
// What a scenario is
// ---------------------------------------------------------------------------------------------------------------------

/** Gives an effect a time. Its result is "late" if the effect took longer. */
export type Limit = (
  duration: Duration.DurationInput
) => <A>(self: Effect.Effect<A, LlmError.LlmError>) => Effect.Effect<A | "late", LlmError.LlmError>

/** Notes something, with the time. */
export type Note = (what: string) => Effect.Effect<void>

/** Does something with a function under test, and notes what happens. */
export type Scenario<F> = (subject: F, note: Note) => Effect.Effect<unknown, unknown>

/** An exit in a word or two. */
export const told = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.match(exit, {
    onSuccess: (value) => `gives ${JSON.stringify(value)}`,
    onFailure: (cause) => {
      if (Cause.isInterruptedOnly(cause)) return "is interrupted"
      const problem = Cause.squash(cause)
      const text = LlmErrors.isLlmError(problem) ? problem.reason._tag : String(problem)
      return Cause.isDie(cause) ? `dies of ${text}` : `fails with ${text}`
    }
  })

/** All that happens in two minutes, as lines of milliseconds and notes; notes of the same moment are sorted. */
export const observe = <F>(subject: F, scenario: Scenario<F>): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function*() {
    const notes: Array<readonly [at: number, what: string]> = []
    const start = yield* Clock.currentTimeNanos
    const note: Note = (what) =>
      Effect.map(Clock.currentTimeNanos, (now) => void notes.push([Number((now - start) / 1_000_000n), what]))
    const fiber = yield* Effect.fork(
      Effect.flatMap(Effect.exit(scenario(subject, note)), (exit) => note(told(exit)))
    )
    yield* TestClock.adjust("2 minutes")
    if (fiber.unsafePoll() === null) {
      yield* note("hangs")
      yield* Effect.fork(Fiber.interrupt(fiber))
      yield* settle
    }
    return notes
      .sort(([a, whatA], [b, whatB]) => a - b || (whatA < whatB ? -1 : 1))
      .map(([at, what]) => `${at} ${what}`)
  })

// ---------------------------------------------------------------------------------------------------------------------
// Parts of scenarios
// ---------------------------------------------------------------------------------------------------------------------

export const tooLong = failure(LlmErrors.TimedOut.make({ phase: "attempt" }))

export const defect = Effect.dieMessage("a bug")

/** Never ends, and takes five seconds to be interrupted. */
export const hanging = (note: Note): Effect.Effect<never> =>
  Effect.onInterrupt(
    Effect.never,
    () => Effect.zipRight(note("is told to end"), Effect.zipRight(Effect.sleep("5 seconds"), note("has ended")))
  )

/** Says what came of an effect, and when. */
export const noting = <A, E, R>(
  note: Note,
  what: string,
  self: Effect.Effect<A, E, R>
): Effect.Effect<void, never, R> => Effect.flatMap(Effect.exit(self), (exit) => note(`${what} ${told(exit)}`))

export class Colour extends Context.Reference<Colour>()("test/Colour", { defaultValue: () => "none" }) {}

// ---------------------------------------------------------------------------------------------------------------------
// The scenarios of a time limit
// ---------------------------------------------------------------------------------------------------------------------

/** What a limit does in them is what Effect's own function does. */
export const ofLimits: { readonly [name: string]: Scenario<Limit> } = {
  "a success at once": (limit) => limit("10 seconds")(Effect.succeed(1)),
  "a success after a wait": (limit) => limit("10 seconds")(Effect.delay(Effect.succeed(1), "9999 millis")),
  "a success after a yield": (limit) => limit("10 seconds")(Effect.zipRight(Effect.yieldNow(), Effect.succeed(1))),
  "a failure at once": (limit) => limit("10 seconds")(unauthorized),
  "a failure after a wait": (limit) => limit("10 seconds")(Effect.delay(unauthorized, "9999 millis")),
  "a defect at once": (limit) => limit("10 seconds")(defect),
  "a defect after a wait": (limit) => limit("10 seconds")(Effect.delay(defect, "9999 millis")),
  "an effect that throws": (limit) =>
    limit("10 seconds")(Effect.sync(() => {
      throw new Error("thrown")
    })),
  "an effect that interrupts itself at once": (limit) => limit("10 seconds")(Effect.interrupt),
  "an effect that interrupts itself after a wait": (limit) =>
    limit("10 seconds")(Effect.delay(Effect.interrupt, "9 seconds")),
  "an effect that takes too long": (limit, note) =>
    limit("10 seconds")(Effect.onInterrupt(Effect.never, () => note("is told to end"))),
  "no time at all": (limit) => limit(0)(Effect.never),
  "time for ever": (limit) => limit(Infinity)(Effect.delay(Effect.succeed(1), "1 minute")),
  "an effect that takes too long, and long to end": (limit, note) => limit("10 seconds")(hanging(note)),
  "an effect that takes too long, and dies as it ends": (limit) =>
    limit("10 seconds")(Effect.onInterrupt(Effect.never, () => defect)),
  "an effect that takes too long and cannot be interrupted": (limit, note) =>
    limit("10 seconds")(Effect.uninterruptible(Effect.zipRight(Effect.sleep("20 seconds"), note("has ended")))),
  "an interruption from outside": (limit, note) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(limit("10 seconds")(hanging(note)))
      yield* Effect.sleep("4 seconds")
      yield* noting(note, "the caller", Effect.flatten(Fiber.interrupt(fiber)))
      yield* Effect.sleep("20 seconds")
    }),
  "an interruption from outside, of what cannot be interrupted": (limit, note) =>
    Effect.gen(function*() {
      const inside = Effect.uninterruptible(Effect.zipRight(Effect.sleep("8 seconds"), note("has ended")))
      const fiber = yield* Effect.fork(limit("10 seconds")(inside))
      yield* Effect.sleep("4 seconds")
      yield* noting(note, "the caller", Effect.flatten(Fiber.interrupt(fiber)))
      yield* Effect.sleep("20 seconds")
    }),
  "an interruption from outside after the time": (limit, note) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(limit("10 seconds")(hanging(note)))
      yield* Effect.sleep("12 seconds")
      yield* noting(note, "the caller", Effect.flatten(Fiber.interrupt(fiber)))
      yield* Effect.sleep("20 seconds")
    }),
  "a limit within a longer one": (limit, note) =>
    limit("10 seconds")(Effect.zipRight(noting(note, "inside", limit("4 seconds")(Effect.never)), Effect.never)),
  "a limit within a shorter one": (limit, note) =>
    limit("4 seconds")(
      noting(note, "inside", limit("10 seconds")(Effect.onInterrupt(Effect.never, () => note("is told to end"))))
    ),
  "three limits, one after another": (limit, note) =>
    Effect.repeatN(noting(note, "each", limit("10 seconds")(Effect.never)), 2),
  ...Object.fromEntries(
    Object.entries({ "at once": Effect.void, "after a wait": Effect.sleep("1 second") }).flatMap(([when, wait]) =>
      Object.entries({ succeeds: Effect.void, fails: unauthorized, "takes too long": Effect.never }).map((
        [how, end]
      ): readonly [string, Scenario<Limit>] => [
        `a FiberRef set inside ${when} by an effect that ${how}`,
        (limit, note) =>
          Effect.gen(function*() {
            const ref = FiberRef.unsafeMake("none")
            yield* FiberRef.set(ref, "outside")
            yield* Effect.exit(
              limit("10 seconds")(wait.pipe(
                Effect.zipRight(FiberRef.get(ref)),
                Effect.tap((seen) => note(`sees ${seen}`)),
                Effect.zipRight(FiberRef.set(ref, "inside")),
                Effect.zipRight(end)
              ))
            )
            return yield* FiberRef.get(ref)
          })
      ])
    )
  ),
  "services": (limit, note) =>
    Effect.gen(function*() {
      const inside = Effect.zipRight(Effect.sleep("1 second"), Colour)
      yield* noting(note, "within", limit("10 seconds")(inside).pipe(Effect.provideService(Colour, "blue")))
      yield* noting(note, "provided inside", limit("10 seconds")(Effect.provideService(inside, Colour, "red")))
      return yield* Colour
    })
}
