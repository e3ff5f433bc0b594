import * as Effect from "effect/Effect"
import type { Reason } from "../domain/LlmError.js"
import { type Incoming, readUpTo } from "./transport.js"

/** No body begins with more white space than this. */
const maxBlank = 64 * 1024

/** White space, and the bytes of a byte order mark. */
const blank: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0d, 0x20, 0xef, 0xbb, 0xbf])

/** An answer whose first byte is known; its body is still whole. */
export interface Begun {
  /** The first byte that is not white space; `undefined` if there is none. */
  readonly first: number | undefined
  readonly incoming: Incoming
}

/** Waits for the first significant byte of a body, for services whose headers do not state its type. */
export const firstByte = (incoming: Incoming): Effect.Effect<Begun, Reason> => {
  const read: Array<Uint8Array> = []
  let length = 0
  let isAtEnd = false

  const again: Incoming["pull"] = Effect.suspend(() => {
    if (read.length > 0) return Effect.succeed(read.splice(0))
    return isAtEnd ? Effect.succeed(undefined) : incoming.pull
  })

  const next: Effect.Effect<Begun, Reason> = Effect.flatMap(incoming.pull, (chunks) => {
    isAtEnd = chunks === undefined
    let first: number | undefined
    for (const chunk of chunks ?? []) {
      read.push(chunk)
      length += chunk.length
      first ??= chunk.find((byte) => !blank.has(byte))
    }
    return first === undefined && !isAtEnd && length <= maxBlank ? next : Effect.succeed({
      first,
      incoming: { ...incoming, pull: again, text: (limit) => readUpTo(again, limit) }
    })
  })

  return next
}
