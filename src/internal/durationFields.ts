import * as Duration from "effect/Duration"
import type * as Schema from "effect/Schema"
import type * as Types from "effect/Types"
import type { NamedStruct } from "./namedStruct.js"

/** The fields of a value as a program writes them: a duration in any form. */
export type DurationsAsInput<A> = {
  readonly [Field in keyof A]: Duration.Duration extends A[Field] ? unknown extends A[Field] ? A[Field]
    : Duration.DurationInput | Exclude<A[Field], Duration.Duration>
    : A[Field]
}

type Given<A> = Types.Simplify<DurationsAsInput<Omit<A, "_tag">>>

/** A `NamedStruct` whose `make` takes durations in any form. */
export interface NamedStructOfDurations<
  A,
  Fields extends Schema.Struct.Fields,
  I = Types.Simplify<Schema.Struct.Encoded<Fields>>
> extends Omit<NamedStruct<A, Fields, I>, "make" | keyof Schema.Schema.All>, Schema.Schema<A, I> {
  readonly make: (
    ...args: object extends Given<A> ? [fields?: Given<A> | void, options?: Schema.MakeOptions]
      : [fields: Given<A>, options?: Schema.MakeOptions]
  ) => A
}

/** The names of fields that hold durations. */
const names: ReadonlySet<string> = new Set(["limit", "retryAfter"])

/** Decodes the durations among the fields of a reason. An invalid one is a defect. */
export const decodeDurations = <A extends object>(fields: A): { readonly [field: string]: unknown } =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]: [string, Duration.DurationInput | undefined]) => [
      name,
      names.has(name) && value !== undefined ? Duration.decode(value) : value
    ])
  )

/** A struct whose `make` takes durations in any form. */
export const withDurations = <A, Fields extends Schema.Struct.Fields, I>(
  struct: NamedStruct<A, Fields, I>
): NamedStructOfDurations<A, Fields, I> => {
  const make = struct.make as (fields: object, options?: Schema.MakeOptions) => A
  const withInput = (fields?: object | void, options?: Schema.MakeOptions) =>
    make(decodeDurations(fields ?? {}), options)
  // The schema itself, as a copy would lose the members of its class.
  return Object.assign<object, object>(struct, { make: withInput }) as NamedStructOfDurations<A, Fields, I>
}
