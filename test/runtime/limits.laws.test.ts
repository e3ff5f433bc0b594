import { assert, describe, it } from "@effect/vitest"
import type * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as AttemptClock from "../../src/runtime/attemptClock.js"
import * as TimeLimit from "../../src/runtime/timeLimit.js"
import { happeningAfter } from "../support/betweenOperations.js"
import { unauthorized } from "../support/errors.js"
import { leavingNoFiber } from "../support/fibers.js"
import { recordingLogs } from "../support/recordedLogs.js"
import { steppingBackAfter } from "../support/steppingBack.js"
import { settle } from "../support/testClock.js"
import { type Limit, observe, ofLimits, type Scenario, tooLong } from "./scenarios.js"

const failingLate = <A>(self: Effect.Effect<A, LlmError.LlmError>) =>
  Effect.catchAll(self, (error) => error === tooLong ? Effect.succeed("late" as const) : Effect.fail(error))

/** What happens in an uninterruptible region: to an effect that could be interrupted, and to one that could not. */
type InRegion = readonly [interruptible: ReadonlyArray<string>, uninterruptible: ReadonlyArray<string>]

interface Beside {
  readonly ours: Limit
  readonly effects: Limit
  readonly inUninterruptibleRegion: { readonly ours: InRegion; readonly effects: InRegion }
}

/** Effect's own wait there for the end of what they limit. */
const effectsInRegion: { readonly timeoutFail: InRegion; readonly timeoutOption: InRegion } = {
  timeoutFail: [["20000 gives \"late\"", "20000 has ended"], ["20000 gives \"late\"", "20000 has ended"]],
  timeoutOption: [["20000 gives \"late\"", "20000 has ended"], ["20000 gives \"late\"", "20000 has ended"]]
}

const functions: { readonly [name: string]: Beside } = {
  "AttemptClock.limited beside Effect.timeoutFail": {
    ours: (duration) => (self) =>
      Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) =>
        failingLate(
          AttemptClock.limited({ attempt, limit: Duration.decode(duration), onTimeout: () => tooLong })(self)
        )),
    effects: (duration) => (self) => failingLate(Effect.timeoutFail(self, { duration, onTimeout: () => tooLong })),
    inUninterruptibleRegion: {
      ours: [["10000 gives \"late\""], ["20000 gives \"late\"", "20000 has ended"]],
      effects: effectsInRegion.timeoutFail
    }
  },
  "TimeLimit.timeoutOption beside Effect.timeoutOption of Effect.disconnect": {
    ours: (duration) => (self) =>
      TimeLimit.timeoutOrElse(self, {
        duration: Duration.decode(duration),
        onTimeout: Effect.succeed("late" as const)
      }),
    effects: (duration) => (self) =>
      Effect.map(Effect.timeoutOption(Effect.disconnect(self), duration), Option.getOrElse(() => "late" as const)),
    inUninterruptibleRegion: {
      ours: [["10000 gives \"late\""], ["10000 gives \"late\"", "20000 has ended"]],
      effects: effectsInRegion.timeoutOption
    }
  }
}

/** A limit on an effect of twenty seconds. */
const twentySeconds = (restrict: typeof Effect.uninterruptible): Scenario<Limit> => (limit, note) =>
  limit("10 seconds")(restrict(Effect.zipRight(Effect.sleep("20 seconds"), note("has ended"))))

const inRegion = (scenario: Scenario<Limit>): Scenario<Limit> => (limit, note) =>
  Effect.uninterruptible(scenario(limit, note))

for (const [name, { effects, inUninterruptibleRegion, ours }] of Object.entries(functions)) {
  describe(name, () => {
    for (const [scenario, run] of Object.entries(ofLimits)) {
      it.effect(`does the same with ${scenario}`, () =>
        leavingNoFiber(Effect.gen(function*() {
          assert.deepStrictEqual(yield* observe(ours, run), yield* observe(effects, run))
        })))
    }

    it.effect("ends an effect on time in an uninterruptible region, too, whatever Effect's does", () =>
      leavingNoFiber(Effect.gen(function*() {
        const regions = [inRegion(twentySeconds((self) => self)), inRegion(twentySeconds(Effect.uninterruptible))]
        const happens = (limit: Limit) => Effect.forEach(regions, (scenario) => observe(limit, scenario))
        assert.deepStrictEqual(
          { ours: yield* happens(ours), effects: yield* happens(effects) },
          { ours: [...inUninterruptibleRegion.ours], effects: [...inUninterruptibleRegion.effects] }
        )
      })))

    it.effect("misses no end, between whichever of its operations that comes", () =>
      leavingNoFiber(Effect.gen(function*() {
        for (const end of [Exit.succeed(1), Exit.fail(unauthorized), Exit.die("a bug")]) {
          for (let operations = 1; operations <= 40; operations++) {
            const inside = Deferred.unsafeMake<number, LlmError.LlmError>(FiberId.none)
            const comes = () => Deferred.unsafeDone(inside, end)
            const fiber = yield* Effect.fork(
              happeningAfter(operations, comes)(ours("10 seconds")(Deferred.await(inside)))
            )
            yield* settle
            comes()
            yield* settle
            assert.deepStrictEqual(fiber.unsafePoll(), end, `after ${operations} operations`)
          }
        }
      })))

    it.effect("does the same under a clock whose wall time steps back an hour", () =>
      leavingNoFiber(Effect.gen(function*() {
        const stepping = (scenario: Scenario<Limit>): Scenario<Limit> => (limit, note) =>
          steppingBackAfter("2 seconds")(scenario(limit, note))
        for (const [scenario, run] of Object.entries(ofLimits)) {
          assert.deepStrictEqual(yield* observe(ours, stepping(run)), yield* observe(ours, run), scenario)
        }
      })))

    it.effect("logs nothing, whatever happens", () =>
      Effect.gen(function*() {
        for (const [scenario, run] of Object.entries(ofLimits)) {
          assert.deepStrictEqual((yield* recordingLogs(observe(ours, run))).logged, [], scenario)
        }
      }))
  })
}

it.effect("these laws look for the log's line about an unhandled fiber", () =>
  Effect.gen(function*() {
    const { logged } = yield* recordingLogs(Effect.flatMap(Effect.fork(unauthorized), Fiber.await))
    assert.deepStrictEqual(logged, ["DEBUG Fiber terminated with an unhandled error"])
  }))
