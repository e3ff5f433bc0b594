import * as Option from "effect/Option"
import * as Json from "../wire/json.js"
import * as GrowingJson from "./growingJson.js"
import { nothingYet, type Shape, type View } from "./jsonCodec.js"
import type { Wire } from "./jsonSchemaDialect.js"

// What is shown of an answer before it is whole. A partial value is the consumer's: it never changes afterwards. What is
// whole in it is shared between partial values; what is open (objects around what is under way, and at most one list)
// is copied for each of them. So that this stays linear in the answer, copies are bounded by an allowance for each look.

/** How much has been done: characters looked at, values read from JSON, and what was copied (elements of lists count 1). */
export interface Work {
  readonly characters: number
  readonly values: number
  readonly copied: number
}

/** A structured answer as far as it has come. */
export interface PartialAnswer {
  /** Takes in more of the answer's text. */
  readonly push: (text: string) => void
  /** What there is of the value, in the form that the schema decodes from; nothing if that is no more than last time. */
  readonly take: () => Option.Option<unknown>
  readonly work: () => Work
}

/**
 * What may be copied for each look, in elements of a list; what is not used up is kept for later. Of elements that come
 * one by one the first 2,000 or so are shown at once, later ones a few at a time: at the 8,000th it is 8. Unless the
 * list ends, which shows them all.
 */
const allowance = 1_024

/** To copy a field is as much as to copy so many elements. */
const fieldCost = 16

/** A container that is open and shown. */
interface Visible {
  readonly container: GrowingJson.Container
  readonly view: Exclude<View, { readonly _tag: "Hidden" | "Text" }>
  readonly list: Array<unknown>
  readonly fields: { [name: string]: unknown }
  /** How many of the container's children have been taken in, and how many are shown. */
  taken: number
  shown: number
  /** An element is not what it should be: those after it would be in wrong places. */
  stuck: boolean
}

/** What is shown of a value, which may be `undefined`. */
interface Shown {
  readonly value: unknown
}

/** The value of one JSON object, as it grows. */
const makeValue = (json: GrowingJson.GrowingJson, root: Wire["root"]) => {
  const visible: Array<Visible> = []
  /** What was shown of a container while it was open, now that it is whole. */
  const finished = new WeakMap<object, unknown>()
  let changed = false
  let isDone = false
  let lastText = { container: undefined as GrowingJson.Container | undefined, size: -1, length: -1 }
  let values = 0
  let copied = 0
  let credit = 0

  const isFinished = (value: unknown): value is object =>
    typeof value === "object" && value !== null && finished.has(value)

  const viewOf = (shape: Pick<Shape, "view">, value: unknown): View | undefined =>
    Array.isArray(value)
      ? shape.view("array", value)
      : Json.isObject(value)
      ? shape.view("object", value)
      : undefined

  /** What is shown of a value that is whole: what would be if it had come in pieces. */
  const shownOf = (shape: Pick<Shape, "accepts" | "read" | "view">, value: unknown): Shown | undefined => {
    values++
    if (isFinished(value)) return { value: finished.get(value) }
    const view = viewOf(shape, value)
    if (view === undefined || view._tag === "Hidden" || view._tag === "Text") {
      return shape.accepts(value) ? { value: shape.read(value) } : undefined
    }
    const keys = Object.keys(Object(value))
    const container: GrowingJson.Container = {
      kind: Array.isArray(value) ? "array" : "object",
      value: Object(value),
      keys,
      size: keys.length,
      key: ""
    }
    return { value: view.wrap(contentOf(show(container, view))) }
  }

  const show = (container: GrowingJson.Container, view: Visible["view"]): Visible => {
    const visible: Visible = { container, view, list: [], fields: {}, taken: 0, shown: 0, stuck: false }
    catchUp(visible)
    return visible
  }

  /** Whether all of the child that a container takes in was there before it was whole. */
  const wasThere = (into: Visible, value: unknown): boolean =>
    typeof value === "string"
      ? lastText.container === into.container && lastText.size === into.taken && lastText.length === value.length
      : isFinished(value)

  const setField = (into: Visible, name: string, shape: Shape, value: unknown): void => {
    const shown = shownOf(shape, value)
    if (shown === undefined) return
    if (!Object.hasOwn(into.fields, name)) into.shown++
    GrowingJson.setOwn(into.fields, name, shown.value)
    changed ||= !wasThere(into, value)
  }

  /** Takes in one child that is whole. */
  const takeIn = (into: Visible, key: string | number, value: unknown): void => {
    const { view } = into
    switch (view._tag) {
      case "Fields": {
        const field = view.field(String(key))
        if (field !== undefined && !field.isAbsent(value)) setField(into, String(key), field.shape, value)
        return
      }
      case "Items": {
        const item = view.item(Number(key))
        if (into.stuck || item === undefined || !item.accepts(value)) {
          into.stuck = true
          return
        }
        values++
        into.list.push(item.read(value))
        into.shown++
        changed = true
        return
      }
      case "Pairs": {
        const { key: name, value: inner } = Json.object(value)
        if (typeof name === "string" && view.value.accepts(inner)) setField(into, name, view.value, inner)
      }
    }
  }

  const catchUp = (into: Visible): void => {
    const { keys, kind, size, value } = into.container
    for (; into.taken < size; into.taken++) {
      if (kind === "array") takeIn(into, into.taken, value[into.taken])
      else {
        const name = keys[into.taken] ?? ""
        takeIn(into, name, value[name])
      }
    }
  }

  const contentOf = ({ fields, list, view }: Visible): unknown => view._tag === "Items" ? list : fields

  /** The shape of the child under way. The elements of a list are shown when they are whole. */
  const shapeUnderWay = (): Pick<Shape, "view"> | undefined => {
    const parent = visible.at(-1)
    if (parent === undefined) return root
    return parent.view._tag === "Fields" ? parent.view.field(parent.container.key)?.shape : undefined
  }

  /** Follows what has happened to the JSON since last time. */
  const follow = (): void => {
    let depth = 0
    while (depth < visible.length && visible[depth]?.container === json.path[depth]) depth++
    while (visible.length > depth) {
      const closed = visible.pop()
      if (closed === undefined) break
      catchUp(closed)
      finished.set(closed.container.value, closed.view.wrap(contentOf(closed)))
    }
    for (const each of visible) catchUp(each)
    while (visible.length < json.path.length) {
      const container = json.path[visible.length]
      const view = container && shapeUnderWay()?.view(container.kind, container.value)
      if (container === undefined || view === undefined || view._tag === "Hidden" || view._tag === "Text") break
      visible.push(show(container, view))
      changed = true
    }
  }

  /** The text under way, if that is shown. */
  const textUnderWay = (): Shown | undefined => {
    const text = json.text()
    const container = json.path.at(-1)
    if (text === undefined || container === undefined || container !== visible.at(-1)?.container) return undefined
    const view = shapeUnderWay()?.view("string", "")
    if (view?._tag !== "Text") return undefined
    if (lastText.container !== container || lastText.size !== container.size || lastText.length !== text.length) {
      lastText = { container, size: container.size, length: text.length }
      changed = true
    }
    return { value: view.wrap(text) }
  }

  const copyOf = (
    { container, fields, list, view }: Visible,
    inner: Shown | undefined
  ): unknown => {
    if (view._tag === "Items") return list.slice()
    const copy = { ...fields }
    if (inner !== undefined) GrowingJson.setOwn(copy, container.key, inner.value)
    return copy
  }

  const snapshot = (text: Shown | undefined): unknown => {
    let inner = text
    for (let i = visible.length - 1; i >= 0; i--) {
      const each = visible[i]
      if (each === undefined) break
      inner = { value: each.view.wrap(copyOf(each, inner)) }
    }
    return inner === undefined ? nothingYet : inner.value
  }

  const cost = (): number =>
    visible.reduce((sum, { shown, view }) => sum + (view._tag === "Items" ? shown : (shown + 1) * fieldCost), 0)

  const take = (): Option.Option<unknown> => {
    credit += allowance
    follow()
    const whole = json.whole()
    if (whole !== undefined) {
      const { value } = whole
      if (isDone || (isFinished(value) && !changed)) return Option.none()
      isDone = true
      return Option.flatMap(Option.fromNullable(shownOf(root, value)), ({ value }) => shown(value))
    }
    const text = textUnderWay()
    if (!changed || visible.length === 0) return Option.none()
    const price = cost()
    if (price > credit) return Option.none()
    credit -= price
    copied += price
    changed = false
    return shown(snapshot(text))
  }

  const shown = (value: unknown): Option.Option<unknown> => value === nothingYet ? Option.none() : Option.some(value)

  return { take, work: () => ({ values, copied }) }
}

/**
 * Reads a structured answer as it comes, in time that is linear in its length, whatever the pieces. It finds the first
 * JSON object as `jsonAnswer.ts` does in a whole answer: past a byte-order mark, a fence, and prose. What is shown is of
 * the type that the schema decodes from, filters aside; what is not of it is left out, and up to the end of the answer
 * to complain of. Fields that have not come are absent, a text grows, and numbers, literals and the elements of lists are
 * there when they are whole. So is a union before it is known which member it is.
 */
export const make = ({ root }: Pick<Wire, "root">): PartialAnswer => {
  let json = GrowingJson.make()
  let value = makeValue(json, root)
  let mode: "prose" | "json" | "skipping" | "done" = "prose"
  let hasShown = false
  let characters = 0
  // Of a piece in brackets that is no JSON, as `jsonAnswer.ts` goes through it.
  let depth = 0
  let quoted = false
  let escaped = false

  /** Just a brace, which may belong to prose: there is no key yet. */
  const isBare = (): boolean => json.path[0]?.key === ""

  const skip = (character: string): void => {
    if (escaped) escaped = false
    else if (quoted) {
      if (character === "\\") escaped = true
      else if (character === "\"") quoted = false
    } else if (character === "\"") quoted = true
    else if (character === "{" || character === "[") depth++
    else if (character === "}" || character === "]") {
      depth--
      // What was shown cannot be taken back: a second object would contradict it.
      if (depth === 0) mode = hasShown ? "done" : "prose"
    }
  }

  const begin = (text: string, from: number): number => {
    let i = from
    while (i < text.length && text[i] !== "{" && text[i] !== "[") i++
    if (i === text.length) return i
    if (text[i] === "[") {
      depth = 0
      quoted = false
      escaped = false
      mode = "skipping"
      return i
    }
    json = GrowingJson.make()
    value = makeValue(json, root)
    mode = "json"
    return i
  }

  const push: PartialAnswer["push"] = (text) => {
    characters += text.length
    let i = 0
    while (i < text.length) {
      switch (mode) {
        case "prose":
          i = begin(text, i)
          break
        case "json":
          i = json.push(text, i)
          if (json.whole() !== undefined) mode = "done"
          else if (json.failed()) {
            depth = json.path.length
            quoted = json.place() !== "outside"
            escaped = json.place() === "escape"
            mode = "skipping"
          }
          break
        case "skipping":
          skip(text.charAt(i++))
          break
        case "done":
          return
      }
    }
  }

  return {
    push,
    take: () => {
      if (mode === "prose" || mode === "skipping" || (mode === "json" && isBare())) return Option.none()
      const taken = value.take()
      hasShown ||= Option.isSome(taken)
      return taken
    },
    work: () => ({ characters, ...value.work() })
  }
}
