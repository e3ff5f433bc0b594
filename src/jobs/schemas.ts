import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type * as Schema from "effect/Schema"

/** The schemas that a process knows, by name. They are code, and so cannot be stored with a job. */
export interface Schemas {
  readonly add: (name: string, schema: Schema.Schema.AnyNoContext) => Effect.Effect<void>
  /**
   * Waits until a schema is known here: after a restart a job continues before the program has given its schema again.
   */
  readonly find: (name: string) => Effect.Effect<Schema.Schema.AnyNoContext>
}

/** Remembers schemas. */
export const make = (known: { readonly [name: string]: Schema.Schema.AnyNoContext } = {}): Schemas => {
  const schemas = new Map<string, Schema.Schema.AnyNoContext>(Object.entries(known))
  const awaited = new Map<string, Deferred.Deferred<void>>()
  return {
    add: (name, schema) =>
      Effect.suspend(() => {
        schemas.set(name, schema)
        const waiting = awaited.get(name)
        awaited.delete(name)
        return waiting === undefined ? Effect.void : Effect.asVoid(Deferred.succeed(waiting, undefined))
      }),
    find: (name) =>
      Effect.suspend(() => {
        const schema = schemas.get(name)
        if (schema !== undefined) return Effect.succeed(schema)
        const waiting = awaited.get(name) ?? Deferred.unsafeMake<void>(FiberId.none)
        awaited.set(name, waiting)
        return Effect.logInfo(`A job waits for its schema: run it, or name ${name} in the option schemas`).pipe(
          Effect.zipRight(Deferred.await(waiting)),
          Effect.map(() => schemas.get(name)!)
        )
      })
  }
}
