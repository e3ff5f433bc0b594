import type { Dialect } from "./dialect.js"
import type { Shape } from "./shape.js"

/** Thrown: a schema that JSON, or the dialect, cannot express. */
export class Inexpressible {
  constructor(
    /** Where: `items[].id`; empty for the root. */
    readonly path: string,
    readonly what: string
  ) {}
}

/** What a walk through a schema needs to know. */
export interface Walk {
  readonly dialect: Dialect
  /** The schemas that are referred to by name. */
  readonly definitions: Map<object, Definition>
  /** Whether null means something else here already, so that an `Option` has to keep its tags. */
  readonly nullIsTaken: boolean
}

interface Definition {
  readonly name: string
  shape?: Shape
}

/** A name in the letters that all providers take. */
export const cleanName = (name: string): string | undefined => {
  const clean = name.replace(/[^\w-]+/g, "_").replace(/^_+|_+$/g, "").slice(0, 60)
  return clean === "" ? undefined : clean
}

const nameFor = (own: string | undefined, { definitions }: Walk): string =>
  own === undefined || [...definitions.values()].some(({ name }) => name === own)
    ? `${own ?? "Recursive"}${definitions.size + 1}`
    : own

/** Refers to a schema by name, whether or not it is known yet. `build` is run once, for the first who refers to it. */
export const refer = (
  target: object,
  name: string | undefined,
  build: () => Shape,
  walk: Walk
): Shape => {
  const known = walk.definitions.get(target)
  const definition = known ?? { name: nameFor(name, walk) }
  if (known === undefined) {
    walk.definitions.set(target, definition)
    definition.shape = build()
  }
  return {
    json: { $ref: `#/$defs/${definition.name}` },
    fits: (json) => definition.shape?.fits(json) ?? false,
    resembles: (json) => definition.shape?.resembles(json) ?? false,
    read: (json) => definition.shape?.read(json) ?? json,
    write: (encoded) => definition.shape?.write(encoded) ?? encoded,
    direct: false,
    literal: false
  }
}

/** Where a property is. */
export const within = (path: string, name: string): string => path === "" ? name : `${path}.${name}`
