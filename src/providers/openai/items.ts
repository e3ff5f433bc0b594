import * as Json from "../../wire/json.js"

/** The kind of an item, which is its type. */
export type Kind = string

/** An item of the answer, as far as it has arrived. */
export interface Item {
  readonly key: string
  readonly kind: Kind
  readonly index: unknown
  /** The id of a call, which stays the same. */
  callId: string | undefined
  /** Whether an event said that the item begins, and that it is whole. */
  added: boolean
  done: boolean
}

/**
 * The items of an answer. Not every service gives an item the same index and id in all events, and some give all items
 * one index: an item is found by its id, or else as the last one of its kind and index.
 */
export const make = () => {
  const items: Array<Item> = []
  const ids = new Map<string, Item>()

  const known = (kind: Kind, id: string | undefined): Item | undefined =>
    id === undefined ? undefined : ids.get(`${kind} ${id}`)

  const name = (item: Item, id: string | undefined, callId: string | undefined): Item => {
    if (id !== undefined) ids.set(`${item.kind} ${id}`, item)
    item.callId ??= callId
    return item
  }

  const begin = (kind: Kind, index: unknown): Item => {
    const item: Item = {
      key: String(items.length),
      kind,
      index,
      callId: undefined,
      added: false,
      done: false
    }
    items.push(item)
    return item
  }

  const last = (kind: Kind, index: unknown): Item | undefined =>
    items.findLast((item) => item.kind === kind && item.index === index)

  const byCall = (callId: string | undefined): Item | undefined =>
    callId === undefined ? undefined : items.find((item) => item.callId === callId)

  /** Whether two calls are known to differ. */
  const differ = (item: Item, callId: string | undefined): boolean =>
    callId !== undefined && item.callId !== undefined && item.callId !== callId

  return {
    /** The item that a piece belongs to. */
    ofPiece: (kind: Kind, event: Json.JsonObject): Item => {
      const id = Json.nonEmpty(event.item_id)
      const callId = Json.nonEmpty(event.call_id)
      const found = known(kind, id) ?? byCall(callId) ?? last(kind, event.output_index)
      // The arguments of a whole call are complete: more belong to another one.
      const isNew = found === undefined || differ(found, callId) ||
        (kind === "function_call" && found.done && event.type !== "response.function_call_arguments.done")
      return name(isNew ? begin(kind, event.output_index) : found, id, callId)
    },
    /** The item that begins. */
    added: (kind: Kind, event: Json.JsonObject): Item => {
      const { call_id, id: itemId } = Json.object(event.item)
      const [id, callId] = [Json.nonEmpty(itemId), Json.nonEmpty(call_id)]
      const before = last(kind, event.output_index)
      // Its first pieces may have come before.
      const found = known(kind, id) ?? byCall(callId) ?? (before?.added === false ? before : undefined)
      const item = name(found ?? begin(kind, event.output_index), id, callId)
      item.added = true
      return item
    },
    /** The item that is whole. */
    done: (kind: Kind, event: Json.JsonObject): Item => {
      const { call_id, id: itemId } = Json.object(event.item)
      const [id, callId] = [Json.nonEmpty(itemId), Json.nonEmpty(call_id)]
      const open = items.findLast((item) =>
        item.kind === kind && item.index === event.output_index && !item.done && !differ(item, callId)
      )
      const item = name(known(kind, id) ?? byCall(callId) ?? open ?? begin(kind, event.output_index), id, callId)
      item.done = true
      return item
    },
    /** The items of the list at the end, in which they may have other ids: the rest are found by their order. */
    listed: (list: ReadonlyArray<{ readonly kind: Kind; readonly item: Json.JsonObject }>): ReadonlyArray<Item> => {
      const found = list.map(({ item, kind }) =>
        known(kind, Json.nonEmpty(item.id)) ?? byCall(Json.nonEmpty(item.call_id))
      )
      const left = new Set(items)
      for (const item of found) if (item !== undefined) left.delete(item)
      return list.map(({ item, kind }, index) => {
        const callId = Json.nonEmpty(item.call_id)
        const next = found[index] ?? [...left].find((each) => each.kind === kind && !differ(each, callId)) ??
          begin(kind, undefined)
        left.delete(next)
        return name(next, undefined, callId)
      })
    },
    any: (): boolean => items.length > 0
  }
}
