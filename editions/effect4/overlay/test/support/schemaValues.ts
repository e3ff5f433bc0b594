// In place of the file: the arbitraries of Effect 4 are its own, and those of the tests fast-check's.
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import * as FastCheck from "fast-check"

/** An unpaired surrogate, as `JSON.stringify` writes it: what a model says has none. */
const unpaired = /\\u[dD][89a-fA-F]/

/** The values of a schema. A smaller one in place of one that fails is that of another seed. */
export const valuesOf = <A, I>(schema: Schema.Codec<A, I>): FastCheck.Arbitrary<A> => {
  const values = Arbitrary.schema(schema)
  return FastCheck.nat().map((seed) => {
    const [value] = Effect.runSync(Arbitrary.sampleEffect(values, { count: 1, seed }))
    if (value === undefined) throw new Error("no value of the schema")
    return value
  }).filter((value) => !unpaired.test(JSON.stringify(value)))
}
