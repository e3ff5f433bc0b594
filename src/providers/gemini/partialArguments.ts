import * as Json from "../../wire/json.js"

/** Far more than the arguments of any tool have. */
const maxDepth = 64
const maxIndex = 10_000

const step = /\.([^.[\]]+)|\[(\d{1,5})\]|\[(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\]/y

const unescaped = (name: string): string => name.replace(/\\(.)/gs, "$1")

/** The keys and indexes of a path such as `$.stops[0].city`; `undefined` if the text is not a path. */
const parsePath = (path: string): ReadonlyArray<string | number> | undefined => {
  if (!path.startsWith("$")) return undefined
  const steps: Array<string | number> = []
  for (step.lastIndex = 1; step.lastIndex < path.length && steps.length < maxDepth;) {
    const found = step.exec(path)
    if (found === null) return undefined
    const [, key, index, single, double] = found
    steps.push(index !== undefined ? Number(index) : key ?? unescaped(single ?? double ?? ""))
    if (step.lastIndex === path.length) return steps
  }
  return undefined
}

/** A value under construction: an object's members or a list's elements, by key or index. */
type Node = Map<string | number, unknown>

const plain = (value: unknown): unknown => {
  if (!(value instanceof Map)) return value
  const entries = [...value].map(([key, inner]) => [key, plain(inner)] as const)
  if (entries.length > 0 && entries.every(([key]) => typeof key === "number")) {
    const list: Array<unknown> = []
    for (const [key, inner] of entries) list[Number(key)] = inner
    return Array.from(list, (inner) => inner ?? null)
  }
  return Object.fromEntries(entries)
}

/** The value of a piece, under whichever name it stands. */
const valueOf = ({ boolValue, nullValue, numberValue, stringValue }: Json.JsonObject): unknown =>
  stringValue ?? numberValue ?? boolValue ?? (nullValue === undefined ? undefined : null)

/** The arguments of a call that come in pieces, each with its place. */
export interface PartialArguments {
  /** Adds some pieces; false if one of them has no place. */
  readonly add: (pieces: unknown) => boolean
  /** Whether a text will continue. */
  readonly continues: () => boolean
  /** The arguments so far, as JSON. */
  readonly json: () => string
}

export const make = (): PartialArguments => {
  const root: Node = new Map()
  let open: string | undefined
  /** The places whose texts will continue, also behind pieces for others. */
  const unfinished = new Set<string>()

  const addPiece = (piece: Json.JsonObject): boolean => {
    const path = Json.string(piece.jsonPath) ?? ""
    const steps = parsePath(path)
    if (steps === undefined) return false
    let node = root
    for (const key of steps.slice(0, -1)) {
      const inner = node.get(key)
      const next: Node = inner instanceof Map ? inner : new Map()
      node.set(key, next)
      node = next
    }
    const last = steps.at(-1)
    if (last === undefined || steps.some((each) => typeof each === "number" && each > maxIndex)) return false
    const value = valueOf(piece)
    const before = node.get(last)
    if (value !== undefined) {
      const goesOn = unfinished.has(path) && typeof before === "string" && typeof value === "string"
      node.set(last, goesOn ? before + value : value)
    }
    open = piece.willContinue === true ? path : undefined
    if (open === undefined) unfinished.delete(path)
    else unfinished.add(path)
    return true
  }

  return {
    add: (pieces) => Json.array(pieces).map(Json.object).every(addPiece),
    continues: () => open !== undefined,
    json: () => JSON.stringify(plain(root))
  }
}
