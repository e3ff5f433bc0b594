import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Elapsed from "../runtime/elapsed.js"
import * as TimeLimit from "../runtime/timeLimit.js"
import type { Call } from "./callState.js"

/** The time limit of a report that must not hold up a failure or an interruption. */
const lastReport = Duration.millis(500)

const within = (report: Effect.Effect<void>, duration: Duration.Duration): Effect.Effect<void> =>
  TimeLimit.timeoutOrElse(report, { duration, onTimeout: Effect.void })

/** A report that must not hold up a failure or an interruption, such as one caused by a deadline. */
export const briefly = (report: Effect.Effect<void>): Effect.Effect<void> => within(report, lastReport)

/** A report outside the literal deadline of its call, within the time that is left. */
export const inTime = (call: Call, report: Effect.Effect<void>): Effect.Effect<void> =>
  Elapsed.nowWith((now) => within(report, Duration.millis(call.deadline - now)))
