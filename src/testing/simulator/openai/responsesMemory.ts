import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Invalid, Json, Memory } from "../protocol.js"
import { problem, records } from "../protocol.js"

/** The maximum of stored answers, and of items. The oldest are dropped. */
const capacity = 1000

/** Stores an entry as the newest one. */
const put = <K, V>(map: Map<K, V>, key: K, value: V): void => {
  map.delete(key)
  map.set(key, value)
  for (const oldest of map.keys()) {
    if (map.size <= capacity) return
    map.delete(oldest)
  }
}

/** The items of an input. A text is a message of the user. */
const itemsOf = (input: unknown): ReadonlyArray<unknown> =>
  Array.isArray(input) ? input : typeof input === "string" ? [{ role: "user", content: input }] : []

const previousNotFound = (id: string): Invalid =>
  problem(`Previous response with id '${id}' not found.`, "previous_response_id", "previous_response_not_found")

const itemNotFound = (id: unknown, store: unknown): Invalid => ({
  ...problem(
    `Item with id '${String(id)}' not found.${
      store === false
        ? " Items are not persisted when `store` is set to false. Try again with `store` set to true, or remove this " +
          "item from your input."
        : ""
    }`,
    "input"
  ),
  status: 404
})

/**
 * The stored answers of the service; those with `store: false` are not stored. A request can continue from an answer by its
 * id, and refer to an item by its id. Instructions are not stored.
 */
export const makeMemory = (): Memory => {
  const conversations = new Map<string, ReadonlyArray<unknown>>()
  const items = new Map<unknown, Json>()

  return {
    recall: (body) =>
      Either.gen(function*() {
        if (!isRecord(body)) return body
        const { input, previous_response_id: previous, store } = body
        if (typeof input !== "string" && !Array.isArray(input)) return body
        const before = typeof previous === "string" ? conversations.get(previous) : []
        if (before === undefined) return yield* Either.left(previousNotFound(String(previous)))
        const refersTo = (item: unknown): unknown =>
          isRecord(item) && item.type === "item_reference" ? item.id : undefined
        if (before.length === 0 && !itemsOf(input).some((item) => refersTo(item) !== undefined)) return body
        const now: Array<unknown> = []
        for (const item of itemsOf(input)) {
          const id = refersTo(item)
          const found = id === undefined ? item : items.get(id)
          if (found === undefined) return yield* Either.left(itemNotFound(id, store))
          now.push(found)
        }
        return { ...body, input: [...before, ...now] }
      }),
    keep: ({ input, store }, { id, output }) => {
      if (store === false || typeof id !== "string") return
      const answered = records(output)
      put(conversations, id, [...itemsOf(input), ...answered])
      for (const item of answered) put(items, item.id, item)
    },
    clear: () => {
      conversations.clear()
      items.clear()
    }
  }
}
