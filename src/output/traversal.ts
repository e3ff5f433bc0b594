import type { Dialect } from "../LlmProvider.js"
import type { JsonCodec } from "./jsonCodec.js"

/** Thrown for a schema that JSON, or the dialect, cannot express. */
export class Inexpressible {
  constructor(
    /** The place: `items[].id`; empty for the root. */
    readonly path: string,
    /** The construct that cannot be expressed, as a noun phrase. */
    readonly construct: string
  ) {}
}

/** The state of a walk through a schema. */
export interface Traversal {
  readonly dialect: Dialect
  /** The schemas that are referenced by name. */
  readonly definitions: Map<object, Definition>
  /** Whether null already has another meaning here, so that an `Option` has to keep its tags. */
  readonly nullIsTaken: boolean
  /** The number of optional, nullable or possibly empty schemas between the root and here. */
  readonly exits: number
  /** The start of the traversal, and the `exits` there. The root has a name only if a reference needs it. */
  readonly root: { readonly target: object; readonly exits: number }
}

interface Definition {
  readonly name: string
  /** The `exits` where its own traversal began. */
  readonly exits: number
  codec?: JsonCodec
}

/** Starts a traversal. */
export const begin = (dialect: Dialect, target: object): Traversal => ({
  dialect,
  definitions: new Map(),
  nullIsTaken: false,
  exits: 0,
  root: { target, exits: 0 }
})

/** The traversal inside something that may be absent, null or empty. */
export const past = (traversal: Traversal): Traversal => ({ ...traversal, exits: traversal.exits + 1 })

/** A name in the characters that every provider accepts. */
export const cleanName = (name: string): string | undefined => {
  const clean = name.replace(/[^\w-]+/g, "_").replace(/^_+|_+$/g, "").slice(0, 60)
  return clean === "" ? undefined : clean
}

const nameFor = (own: string | undefined, { definitions }: Traversal): string =>
  own === undefined || [...definitions.values()].some(({ name }) => name === own)
    ? `${own ?? "Recursive"}${definitions.size + 1}`
    : own

/** Refers to a schema by name, known or not. `build` runs once, for the first reference. */
export const refer = (
  target: object,
  options: { readonly name: string | undefined; readonly path: string; readonly build: () => JsonCodec },
  traversal: Traversal
): JsonCodec => {
  const { build, name, path } = options
  const known = traversal.definitions.get(target)
  const definition = known ?? { name: nameFor(name, traversal), exits: traversal.exits }
  // A definition that is still being built means that the path has come back to it.
  const begun = known === undefined ? (traversal.root.target === target ? traversal.root : undefined) : definition
  if (begun !== undefined && known?.codec === undefined) {
    const { recursion } = traversal.dialect
    if (recursion === "none") throw new Inexpressible(path, "a schema that refers to itself")
    if (recursion === "escapable" && traversal.exits === begun.exits) {
      throw new Inexpressible(path, "a schema that refers to itself, with nothing absent, null or empty on the way")
    }
  }
  if (known === undefined) {
    traversal.definitions.set(target, definition)
    definition.codec = build()
  }
  return {
    json: { $ref: `#/$defs/${definition.name}` },
    fits: (json) => definition.codec?.fits(json) ?? false,
    resembles: (json) => definition.codec?.resembles(json) ?? false,
    read: (json) => definition.codec?.read(json) ?? json,
    write: (encoded) => definition.codec?.write(encoded) ?? encoded,
    accepts: (json) => definition.codec?.accepts(json) ?? false,
    view: (kind, soFar) => definition.codec?.view(kind, soFar),
    direct: false,
    literal: false
  }
}

/** The path of a property. */
export const within = (path: string, name: string): string => path === "" ? name : `${path}.${name}`
