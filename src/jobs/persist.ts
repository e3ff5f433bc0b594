import { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { hasProperty, isTagged } from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import { messageOf } from "../stores/sql/database.js"
import { DatabaseFailed } from "./errors.js"

const backOff = Schedule.exponential("100 millis").pipe(Schedule.union(Schedule.spaced("5 seconds")))

/**
 * Tries a step of a job until the database carries it out. A workflow must not fail because the database is away for a
 * while: its failure would be final.
 */
export const persist = <A, R>(effect: Effect.Effect<A, SqlError, R>): Effect.Effect<A, never, R> =>
  effect.pipe(
    Effect.tapError((error) => Effect.logWarning(`The database of the jobs failed, trying again: ${messageOf(error)}`)),
    Effect.retry(backOff),
    // The schedule has no end.
    Effect.orDie
  )

/** The failure of the database behind a defect of the engine. */
const outageOf = (defect: unknown): Option.Option<SqlError> => {
  if (defect instanceof SqlError) return Option.some(defect)
  if (!isTagged(defect, "PersistenceError")) return Option.none()
  const cause = hasProperty(defect, "cause") ? defect.cause : undefined
  return Option.some(
    cause instanceof SqlError ? cause : new SqlError({ cause, message: "The storage of the engine failed" })
  )
}

/** A step of the engine, which dies if its storage is away: here that is a failure, not a mistake of the program. */
export const engineStep = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> =>
  Effect.catchSomeDefect(effect, (defect) => Option.map(outageOf(defect), Effect.fail))

/** A failure of the database, in the form that callers get. */
export const toFailure = <E>(error: E): Exclude<E, SqlError> | DatabaseFailed =>
  error instanceof SqlError
    ? new DatabaseFailed({ problem: messageOf(error) })
    // The rest.
    : error as Exclude<E, SqlError>
