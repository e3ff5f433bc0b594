import type { Json } from "../protocol.js"

/** An item of an answer: its start, its events, and the whole. */
export interface Item {
  readonly start: Json
  /** The events, without the fields that all events of an item share. */
  readonly events: ReadonlyArray<Json & { readonly type: string }>
  readonly whole: Json
}
