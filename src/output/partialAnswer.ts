import * as Option from "effect/Option"
import * as Json from "../wire/json.js"
import * as GrowingJson from "./growingJson.js"
import { type JsonCodec, nothingYet, type View } from "./jsonCodec.js"
import type { Wire } from "./jsonSchemaDialect.js"

// The visible part of an unfinished answer. A partial value belongs to the consumer and never changes afterwards.
// Partial values share their finished children; open containers (the objects around the current position, and at most one
// list) are copied for each value. An allowance for each look bounds the copying, so that all work is linear in the answer.

/** The work done so far: characters read, values converted, and the cost of copies (1 for each list element). */
export interface Work {
  readonly characters: number
  readonly values: number
  readonly copied: number
}

/** A structured answer that is still arriving. */
export interface PartialAnswer {
  /** Adds more of the answer's text. */
  readonly push: (text: string) => void
  /** The value so far, in the form that the schema decodes from; none if nothing was added since the last look. */
  readonly take: () => Option.Option<unknown>
  readonly work: () => Work
}

/**
 * The number of list elements that may be copied for each look; the unused rest is carried over. If elements arrive one
 * by one, the first 2,000 or so appear at once, later ones a few at a time (8 at the 8,000th), and all of them when the
 * list ends.
 */
const allowance = 1_024

/** The cost of copying a field, in list elements. */
const fieldCost = 16

/** An open container that is shown. */
interface Visible {
  readonly container: GrowingJson.Container
  readonly view: Exclude<View, { readonly _tag: "Hidden" | "Text" }>
  readonly list: Array<unknown>
  readonly fields: { [name: string]: unknown }
  /** The numbers of the container's children that have been processed, and that are shown. */
  taken: number
  shown: number
  /** An element was invalid: later ones would get wrong positions. */
  stuck: boolean
}

/** The visible part of a value, which may be `undefined`. */
interface Shown {
  readonly value: unknown
}

/** The value of one JSON object, as it grows. */
const makeValue = (json: GrowingJson.GrowingJson, root: Wire["root"]) => {
  const visible: Array<Visible> = []
  /** For each finished container, the value that was shown while it was open. */
  const finished = new WeakMap<object, unknown>()
  let changed = false
  let isDone = false
  let lastText = { container: undefined as GrowingJson.Container | undefined, size: -1, length: -1 }
  let values = 0
  let copied = 0
  let credit = 0

  const isFinished = (value: unknown): value is object =>
    typeof value === "object" && value !== null && finished.has(value)

  const viewOf = (codec: Pick<JsonCodec, "view">, value: unknown): View | undefined =>
    Array.isArray(value)
      ? codec.view("array", value)
      : Json.isObject(value)
      ? codec.view("object", value)
      : undefined

  /** The visible part of a complete value: the same as if it had arrived in pieces. */
  const shownOf = (codec: Pick<JsonCodec, "accepts" | "read" | "view">, value: unknown): Shown | undefined => {
    values++
    if (isFinished(value)) return { value: finished.get(value) }
    const view = viewOf(codec, value)
    if (view === undefined || view._tag === "Hidden" || view._tag === "Text") {
      return codec.accepts(value) ? { value: codec.read(value) } : undefined
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

  /** Whether all of a container's next child was already shown before it was complete. */
  const wasThere = (into: Visible, value: unknown): boolean =>
    typeof value === "string"
      ? lastText.container === into.container && lastText.size === into.taken && lastText.length === value.length
      : isFinished(value)

  const setField = (into: Visible, name: string, codec: JsonCodec, value: unknown): void => {
    const shown = shownOf(codec, value)
    if (shown === undefined) return
    if (!Object.hasOwn(into.fields, name)) into.shown++
    GrowingJson.setOwn(into.fields, name, shown.value)
    changed ||= !wasThere(into, value)
  }

  /** Adds one complete child. */
  const takeIn = (into: Visible, key: string | number, value: unknown): void => {
    const { view } = into
    switch (view._tag) {
      case "Fields": {
        const field = view.field(String(key))
        if (field !== undefined && !field.isAbsent(value)) setField(into, String(key), field.codec, value)
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

  /** The codec of the current child. The elements of a list are shown only when they are complete. */
  const currentCodec = (): Pick<JsonCodec, "view"> | undefined => {
    const parent = visible.at(-1)
    if (parent === undefined) return root
    return parent.view._tag === "Fields" ? parent.view.field(parent.container.key)?.codec : undefined
  }

  /** Catches up with the JSON since the last look. */
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
      const view = container && currentCodec()?.view(container.kind, container.value)
      if (container === undefined || view === undefined || view._tag === "Hidden" || view._tag === "Text") break
      visible.push(show(container, view))
      changed = true
    }
  }

  /** The unfinished string, if it is shown. */
  const currentText = (): Shown | undefined => {
    const text = json.text()
    const container = json.path.at(-1)
    if (text === undefined || container === undefined || container !== visible.at(-1)?.container) return undefined
    const view = currentCodec()?.view("string", "")
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
    const text = currentText()
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
 * Reads a structured answer while it arrives, in time linear in its length however it is divided. Like `jsonAnswer.ts`
 * in a complete answer, it finds the first JSON object after a byte-order mark, a fence or prose. Partial values have the
 * schema's encoded type, filters aside; values of another type are left out, and rejected at the end of the answer.
 * Fields that have not arrived are absent, texts grow, and numbers, literals and list elements appear when they are
 * complete. A union appears once its member is known.
 */
export const make = ({ root }: Pick<Wire, "root">): PartialAnswer => {
  let json = GrowingJson.make()
  let value = makeValue(json, root)
  let mode: "prose" | "json" | "skipping" | "done" = "prose"
  let hasShown = false
  let characters = 0
  // The state inside a bracketed piece that is not JSON; `jsonAnswer.ts` skips it the same way.
  let depth = 0
  let quoted = false
  let escaped = false

  /** A brace without a key yet may belong to prose. */
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
      // A shown value cannot be withdrawn, and a second object would contradict it.
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
