import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { Flight, type Patience } from "./flight.js"

/** Flights under way, by key. */
export interface Flights<A, E> {
  /** Joins the one under way for a key, or begins it with this work. To be run by the caller's fiber at once. */
  readonly run: (
    caller: Fiber.RuntimeFiber<unknown, unknown>,
    key: string,
    patience: Patience<E>,
    work: (flight: Flight<A, E>) => Effect.Effect<A, E>
  ) => Effect.Effect<A, E>
  readonly isUnderWay: (key: string) => boolean
  readonly size: () => number
}

/** Makes an empty set. What is still under way when the scope closes is interrupted. */
export const make = <A, E>(): Effect.Effect<Flights<A, E>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const flights = new Map<string, Flight<A, E>>()
    let isClosed = false

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        isClosed = true
        return Effect.forEach(Array.from(flights.values()), ({ abort }) => abort, {
          concurrency: "unbounded",
          discard: true
        })
      })
    )

    return {
      run: (caller, key, patience, work) => {
        if (isClosed) return Effect.interrupt
        const underWay = flights.get(key)
        if (underWay !== undefined) return underWay.join(caller, patience)
        const flight = new Flight<A, E>(caller, patience.deadline, () => {
          // By then the key may be somebody else's.
          if (flights.get(key) === flight) flights.delete(key)
        })
        flights.set(key, flight)
        return flight.begin(work(flight), patience)
      },
      isUnderWay: (key) => flights.has(key),
      size: () => flights.size
    }
  })
