import type { Dialect } from "../LlmProvider.js"
import type { Shape } from "./jsonCodec.js"

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
  /** How often, on the way here, there was something that may be absent, null or empty. */
  readonly exits: number
  /** Where the walk began, which has no name unless it is referred to, and what `exits` was there. */
  readonly root: { readonly target: object; readonly exits: number }
}

interface Definition {
  readonly name: string
  /** What `exits` was where its walk began. */
  readonly exits: number
  shape?: Shape
}

/** A walk from its beginning. */
export const begin = (dialect: Dialect, target: object): Walk => ({
  dialect,
  definitions: new Map(),
  nullIsTaken: false,
  exits: 0,
  root: { target, exits: 0 }
})

/** The walk through what may be absent, null or empty. */
export const past = (walk: Walk): Walk => ({ ...walk, exits: walk.exits + 1 })

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
  options: { readonly name: string | undefined; readonly path: string; readonly build: () => Shape },
  walk: Walk
): Shape => {
  const { build, name, path } = options
  const known = walk.definitions.get(target)
  const definition = known ?? { name: nameFor(name, walk), exits: walk.exits }
  // What is not built yet is what the way began with: it has come round.
  const begun = known === undefined ? (walk.root.target === target ? walk.root : undefined) : definition
  if (begun !== undefined && known?.shape === undefined) {
    const { recursion } = walk.dialect
    if (recursion === "none") throw new Inexpressible(path, "a schema that refers to itself")
    if (recursion === "escapable" && walk.exits === begun.exits) {
      throw new Inexpressible(path, "a schema that refers to itself, with nothing absent, null or empty on the way")
    }
  }
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
    accepts: (json) => definition.shape?.accepts(json) ?? false,
    view: (kind, soFar) => definition.shape?.view(kind, soFar),
    direct: false,
    literal: false
  }
}

/** Where a property is. */
export const within = (path: string, name: string): string => path === "" ? name : `${path}.${name}`
