import { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { messageOf } from "../stores/sql/database.js"
import { DatabaseFailed } from "./errors.js"

const backOff = Schedule.exponential("100 millis").pipe(Schedule.union(Schedule.spaced("5 seconds")))

/**
 * Tries a step of a job until the database does it. A workflow must not fail for a database that is away for a while: its
 * failure would be final.
 */
export const persist = <A, R>(effect: Effect.Effect<A, SqlError, R>): Effect.Effect<A, never, R> =>
  effect.pipe(
    Effect.tapError((error) => Effect.logWarning(`The database of the jobs failed, trying again: ${messageOf(error)}`)),
    Effect.retry(backOff),
    // The schedule has no end.
    Effect.orDie
  )

/** A failure of the database as whoever asks for a job gets it. */
export const toFailure = <E>(error: E): Exclude<E, SqlError> | DatabaseFailed =>
  error instanceof SqlError
    ? new DatabaseFailed({ problem: messageOf(error) })
    // The rest.
    : error as Exclude<E, SqlError>
