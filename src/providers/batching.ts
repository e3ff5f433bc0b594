import { InvalidRequest, type Reason, TimedOut } from "../domain/LlmError.js"
import type { Batches, BatchRequest } from "../LlmProvider.js"
import type * as Http from "../wire/http.js"
import * as Json from "../wire/json.js"

/** A batch API, as pure functions. */
export interface BatchCodec {
  readonly limits: Batches["limits"]
  /**
   * The reason why a request cannot be part of a batch, although it could be sent alone. Default: none, any request
   * can.
   */
  readonly problem?: ((request: BatchRequest["request"]) => Reason | undefined) | undefined
  /** A request as an entry of a file or a list, in JSON: with its name, and the JSON of a call. */
  readonly entry: (id: string, body: string) => string
  /** Hands a batch over, and gives its id. */
  readonly submit: (batch: Batch) => Exchange<string>
  /** Finds the id of a batch by its name. Default: the service keeps no names. */
  readonly find?: ((name: string) => Exchange<string | undefined>) | undefined
  readonly state: (id: string) => Exchange<State>
  /** Finds out where the results of a batch are. */
  readonly results: (id: string) => Exchange<Results>
  /** Reads a result: an entry of the list, or a line of a file; `undefined` if it is none. */
  readonly result: (line: Json.JsonObject) => Result | undefined
  readonly cancel: (id: string) => Exchange<void>
}

/** A request to hand over: its name, and the JSON of a call. */
export interface Entry {
  readonly id: string
  readonly body: string
}

/** A batch to hand over. */
export interface Batch {
  readonly name: string
  readonly model: string
  readonly requests: ReadonlyArray<Entry>
  /** The bytes of its entries, each with its separator. */
  readonly bytes: number
}

/** A request to a batch API, and the meaning of its answer. */
export interface Exchange<A> extends Pick<Http.Purpose, "path" | "body" | "content" | "headers" | "maxBytes"> {
  /** `undefined` if the answer makes no sense. */
  readonly read: (answer: Http.Answer) => Step<A> | undefined
}

/** The meaning of an answer: the value, a further request that leads to it, or the reason why there is none. */
export type Step<A> =
  | { readonly _tag: "Done"; readonly value: A }
  | { readonly _tag: "Next"; readonly exchange: Exchange<A> }
  | Reason

export const done = <A>(value: A): Step<A> => ({ _tag: "Done", value })

export const next = <A>(exchange: Exchange<A>): Step<A> => ({ _tag: "Next", exchange })

/** A body that reports an error, and the HTTP status that it stands for, if that is known. */
export interface Failure {
  readonly status?: number | undefined
  readonly body: Json.JsonObject
}

/** The state of a batch. */
export interface State {
  readonly status: "running" | "ended"
  /** The reason why none of its requests has a result. */
  readonly refused?: Reason | Failure | undefined
  readonly succeeded?: number | undefined
  readonly failed?: number | undefined
}

/** The places of results: in the answer, and in files of JSON lines, by their paths after the base URL. */
export interface Results {
  readonly entries: ReadonlyArray<unknown>
  readonly files: ReadonlyArray<string>
}

/**
 * The result of a request: an answer, which may report an error, in the form of a call's answer; or the reason why
 * there is none.
 */
export interface Result {
  readonly id: string
  readonly outcome: Reason | (Failure & { readonly requestId?: string | undefined })
}

/** The service had no time for a request. */
export const expired: Reason = TimedOut.make({
  phase: "queue",
  message: "the service did not get to the request within the time of a batch"
})

/** A request was given up with its batch. */
export const cancelled: Reason = InvalidRequest.make({
  code: "cancelled",
  message: "the batch was cancelled before the service got to the request"
})

/** Results were asked for too early. */
export const unfinished: Reason = InvalidRequest.make({
  code: "not_ended",
  message: "the batch has no results yet: it has not ended"
})

/** A path with a further parameter. */
export const withQuery = (path: string, name: string, value: string | number): string =>
  `${path}${path.includes("?") ? "&" : "?"}${name}=${encodeURIComponent(value)}`

/** The sum of those counts that are known. */
export const sum = (...counts: ReadonlyArray<unknown>): number | undefined => {
  const known = counts.map(Json.count).filter((count) => count !== undefined)
  return known.length === 0 ? undefined : known.reduce((one, other) => one + other)
}
