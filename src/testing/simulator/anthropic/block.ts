import * as Either from "effect/Either"
import type { Json } from "../protocol.js"
import { parseJson } from "../protocol.js"
import { fragments } from "../streaming.js"

/** A block of the answer: its start, its deltas, and the whole. */
export interface Block {
  readonly start: Json
  readonly deltas: ReadonlyArray<Json>
  readonly whole: Json
  /** Whether the token limit cut it, so that it has no end. */
  readonly isCut?: boolean
}

/** A block that comes in one piece. */
export const wholeBlock = (whole: Json): Block => ({ start: whole, deltas: [], whole })

/** Arguments that the token limit cut are not JSON: the call then has none. */
const parsed = (text: string): unknown => Either.getOrElse(parseJson(text), () => ({}))

/** A call of a tool: its input comes in pieces of JSON. */
export const callBlock = (call: Json, json: string, isCut = false): Block => ({
  start: { ...call, input: {} },
  deltas: ["", ...fragments(json)].map((piece) => ({ type: "input_json_delta", partial_json: piece })),
  whole: { ...call, input: parsed(json) },
  isCut
})
