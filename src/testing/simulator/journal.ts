import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type { ProtocolName } from "./prompt.js"

/**
 * How a request ended: with an answer, with an error because it was invalid, with a fault, or because the client hung
 * up, which a stream notices at once. A request that is `pending` has not ended.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome = "pending" | "answered" | "rejected" | "faulted" | "aborted"

/**
 * A request that the simulator received.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReceivedRequest {
  readonly method: string
  readonly path: string
  /** By lower-case name. Keys and cookies are replaced by `<redacted>`. */
  readonly headers: Readonly<Record<string, string>>
  /** The parsed JSON, or the text where it is none. */
  readonly body: unknown
  /** The protocol that it is in, if it is in any. */
  readonly protocol?: ProtocolName | undefined
  readonly outcome: Outcome
  /** The status that it was answered with. */
  readonly status?: number | undefined
  /** The fault that it met, by `Simulator.describe`. */
  readonly fault?: string | undefined
}

/** Notes on one request, taken while it is handled. */
export interface Entry {
  readonly note: (notes: Partial<ReceivedRequest>) => Effect.Effect<void>
  /** Notes that the client hung up, unless the request had ended before. */
  readonly abort: Effect.Effect<void>
}

export interface Journal {
  /** Begins an entry. The oldest one goes when there is no room. */
  readonly open: (request: ReceivedRequest) => Entry
  readonly requests: Effect.Effect<ReadonlyArray<ReceivedRequest>>
  readonly await: (
    predicate: (requests: ReadonlyArray<ReceivedRequest>) => boolean
  ) => Effect.Effect<ReadonlyArray<ReceivedRequest>>
  readonly clear: Effect.Effect<void>
}

/** Keeps the requests that were received, the latest `capacity` of them. */
export const make = (capacity: number): Journal => {
  let entries: Array<{ request: ReceivedRequest }> = []
  let changed = Deferred.unsafeMake<void>(FiberId.none)
  const change = () => {
    const waiting = changed
    changed = Deferred.unsafeMake(FiberId.none)
    Deferred.unsafeDone(waiting, Effect.void)
  }
  const requests = Effect.sync(() => entries.map(({ request }) => request))
  const awaitRequests: Journal["await"] = (predicate) =>
    Effect.suspend(() => {
      const next = Deferred.await(changed)
      return Effect.flatMap(
        requests,
        (all) => predicate(all) ? Effect.succeed(all) : Effect.zipRight(next, awaitRequests(predicate))
      )
    })
  return {
    open: (request) => {
      const entry = { request }
      entries.push(entry)
      if (entries.length > capacity) entries.shift()
      change()
      const note: Entry["note"] = (notes) =>
        Effect.sync(() => {
          entry.request = { ...entry.request, ...notes }
          change()
        })
      return {
        note,
        abort: Effect.suspend(() => entry.request.outcome === "pending" ? note({ outcome: "aborted" }) : Effect.void)
      }
    },
    requests,
    await: awaitRequests,
    clear: Effect.sync(() => {
      entries = []
      change()
    })
  }
}
