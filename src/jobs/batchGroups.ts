import type { Batches } from "../LlmProvider.js"

/** A request for a batch. */
export interface Sized {
  readonly index: number
  readonly model: string
  readonly bytes: number
}

/** The requests of a batch: their places, in order. All have the same model. */
export interface Group {
  readonly model: string
  readonly places: ReadonlyArray<number>
}

/**
 * Makes a function that puts requests into batches, one by one: each into a batch of its model that has room for it.
 */
export const make = (limits: Batches["limits"]) => {
  const open = new Map<string, { readonly places: Array<number>; bytes: number }>()
  const groups: Array<Group> = []
  return {
    add: ({ bytes, index, model }: Sized): void => {
      const last = open.get(model)
      if (last !== undefined && last.places.length < limits.requests && last.bytes + bytes <= limits.bytes) {
        last.places.push(index)
        last.bytes += bytes
        return
      }
      const places = [index]
      open.set(model, { places, bytes })
      groups.push({ model, places })
    },
    /** The batches so far, in the order of their first requests. */
    groups: (): ReadonlyArray<Group> => groups
  }
}

/** Halves a batch that was refused as a whole, to find the request that it was refused for. */
export const halves = ({ model, places }: Group): readonly [Group, Group] => {
  const middle = Math.ceil(places.length / 2)
  return [{ model, places: places.slice(0, middle) }, { model, places: places.slice(middle) }]
}
