import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type { ProtocolName } from "./prompt.js"

/**
 * The end of a request: `answered`, `rejected` because it was invalid, `faulted`, or `aborted` by the client. A request
 * that is `pending` has not ended.
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
  /** The parsed JSON, or the text if it is not JSON. */
  readonly body: unknown
  /** Absent if the path belongs to no protocol. */
  readonly protocol?: ProtocolName | undefined
  readonly outcome: Outcome
  /** The HTTP status of the answer. Absent if there was none. */
  readonly status?: number | undefined
  /** The fault that it met, as `Simulator.describe` writes it. */
  readonly fault?: string | undefined
}

/** The entry of one request. */
export interface Entry {
  readonly note: (notes: Partial<ReceivedRequest>) => Effect.Effect<void>
  /** Records that the client left, unless the request has ended. */
  readonly abort: Effect.Effect<void>
}

export interface Journal {
  /** Adds an entry. The oldest one is dropped when the journal is full. */
  readonly open: (request: ReceivedRequest) => Entry
  readonly requests: Effect.Effect<ReadonlyArray<ReceivedRequest>>
  readonly await: (
    predicate: (requests: ReadonlyArray<ReceivedRequest>) => boolean
  ) => Effect.Effect<ReadonlyArray<ReceivedRequest>>
  readonly clear: Effect.Effect<void>
}

/** Keeps the latest `capacity` requests. */
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
