import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Invalid, Json, Memory } from "../protocol.js"
import { records } from "../protocol.js"
import { problem } from "./service.js"

/** The oldest go where there are more. */
const capacity = 1000

const put = <K, V>(map: Map<K, V>, key: K, value: V): void => {
  map.delete(key)
  map.set(key, value)
  for (const oldest of map.keys()) {
    if (map.size <= capacity) return
    map.delete(oldest)
  }
}

/** A text is short for the message of a user. */
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
 * What the service keeps of its answers, unless `store` is false: a request may go on from an answer by its id, and name
 * an item of one in place of sending it. Instructions are not kept.
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
      const said = records(output)
      put(conversations, id, [...itemsOf(input), ...said])
      for (const item of said) put(items, item.id, item)
    },
    clear: () => {
      conversations.clear()
      items.clear()
    }
  }
}
