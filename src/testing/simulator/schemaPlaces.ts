import { isRecord } from "effect/Predicate"

export type Schema = Readonly<Record<string, unknown>>

/** A schema within a schema, with the path to it. */
export interface Place {
  readonly path: ReadonlyArray<string>
  readonly schema: Schema
}

const children = ({ path, schema }: Place): ReadonlyArray<Place> => {
  const place = (schema: unknown, ...steps: ReadonlyArray<string>): ReadonlyArray<Place> =>
    isRecord(schema) ? [{ path: [...path, ...steps], schema }] : []
  // The keys of a list are its indices.
  const within = (key: string) => Object.entries(schema[key] ?? {}).flatMap(([name, child]) => place(child, key, name))
  return [
    ...["properties", "$defs", "definitions", "anyOf", "oneOf", "allOf"].flatMap(within),
    ...place(schema.items, "items")
  ]
}

const places = (place: Place): ReadonlyArray<Place> => [place, ...children(place).flatMap(places)]

/** The first problem in a schema and the schemas within it. */
export const firstProblem = (
  schema: Schema,
  problemAt: (place: Place) => string | undefined
): string | undefined => {
  for (const place of places({ path: [], schema })) {
    const problem = problemAt(place)
    if (problem !== undefined) return problem
  }
  return undefined
}

export const isObject = (schema: Schema): boolean =>
  schema.type === "object" || (Array.isArray(schema.type) && schema.type.includes("object"))
