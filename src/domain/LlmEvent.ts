/**
 * The events that the client reports while it works, for operators. They hold names and numbers; a logger must not print
 * the prompts and answers in their `request`, `response` and `error`.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import type { LlmError } from "./LlmError.js"
import type { LlmRequest } from "./LlmRequest.js"
import type { LlmResponse, RateLimit } from "./LlmResponse.js"

/**
 * The fields of every event.
 *
 * @since 0.1.0
 * @category models
 */
export interface Common {
  /**
   * The id of the call, unique among the calls of a program. A call that shares the run of another has the id of that
   * one. Absent only if a policy reports without a client.
   */
  readonly callId?: string | undefined
  /** The name of the provider. */
  readonly provider: string
  /** The model of the request. */
  readonly model: string
  /** The caller's labels for the call. */
  readonly tags?: { readonly [name: string]: string } | undefined
}

/**
 * The cache had an answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheHit extends Common {
  readonly _tag: "CacheHit"
  /** The time from the call to the answer. */
  readonly latency: Duration.Duration
  /** The answer, as the caller gets it. */
  readonly response: LlmResponse
  /** The request, for a logger that asks for it (`LlmLogger.Service.receivesRequests`). */
  readonly request?: LlmRequest | undefined
}

/**
 * The cache had no answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheMiss extends Common {
  readonly _tag: "CacheMiss"
  /** The time from the call to the end of the search. */
  readonly latency?: Duration.Duration | undefined
}

/**
 * The cache failed, hung or held something that is not an answer. The call goes on without it.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheFailed extends Common {
  readonly _tag: "CacheFailed"
  /** The operation that failed. */
  readonly operation: "get" | "set"
  /** The cause: one line, without prompts or answers. */
  readonly problem: string
}

/**
 * An attempt started.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallStarted extends Common {
  readonly _tag: "CallStarted"
  /** The number of the attempt: 1 for the first. */
  readonly attempt: number
  /** The request, for a logger that asks for it (`LlmLogger.Service.receivesRequests`). */
  readonly request?: LlmRequest | undefined
}

/**
 * An attempt succeeded.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallOk extends Common {
  readonly _tag: "CallOk"
  /** The number of the attempt: 1 for the first. */
  readonly attempt: number
  /** The duration of the attempt. */
  readonly latency: Duration.Duration
  /** The answer. */
  readonly response: LlmResponse
  /** The time since the first attempt for the answer started: all attempts, and the waits between them. */
  readonly elapsed?: Duration.Duration | undefined
  /** The address that the requests of the client's provider go to. */
  readonly endpoint?: string | undefined
  /** When the pieces of a streamed answer came. Absent if the provider did not stream it. */
  readonly chunks?: ChunkTimes | undefined
}

/**
 * When the pieces of a streamed answer came. Parts of the answer that came at once are one piece.
 *
 * @since 0.1.0
 * @category models
 */
export interface ChunkTimes {
  /** The time from the request to the first piece, without that in the queue of a rate limit. */
  readonly first: Duration.Duration
  /** The times between two pieces, in milliseconds. */
  readonly between: ReadonlyArray<number>
}

/**
 * An attempt failed.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallFailed extends Common {
  readonly _tag: "CallFailed"
  /** The number of the attempt: 1 for the first. */
  readonly attempt: number
  /** The duration of the attempt. */
  readonly latency: Duration.Duration
  /** The failure. */
  readonly error: LlmError
  /** Whether another attempt follows. */
  readonly willRetry: boolean
  /** The wait before the next attempt, if one follows. */
  readonly delay?: Duration.Duration | undefined
}

/**
 * The call failed for good.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallGaveUp extends Common {
  readonly _tag: "CallGaveUp"
  /** How many requests were sent. */
  readonly attempts: number
  /** The duration of the call. */
  readonly latency: Duration.Duration
  /** The failure. */
  readonly error: LlmError
  /**
   * Whether the call made attempts of its own. It made none if it shared the run of another call, which reports the same
   * failure. Default: true.
   */
  readonly attempted?: boolean | undefined
  /** The address that the requests of the client's provider go to. */
  readonly endpoint?: string | undefined
}

/**
 * The caller left before there was an answer: it was interrupted, or stopped to read a stream before its end. Where other
 * callers wait for the same run, events of the run follow.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallInterrupted extends Common {
  readonly _tag: "CallInterrupted"
  /** How many requests were sent. */
  readonly attempts: number
  /** The time from the call to the interruption. */
  readonly latency: Duration.Duration
}

/**
 * The call shared the run of an equal call that had already started.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallShared extends Common {
  readonly _tag: "CallShared"
  /** The time from the call to the answer. */
  readonly latency: Duration.Duration
  /** The call's own id, which its events had before it joined the run: `callId` is that of the run. */
  readonly followerId?: string | undefined
}

/**
 * Another provider is asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface FellBack extends Common {
  readonly _tag: "FellBack"
  /** The name of the next provider. */
  readonly to: string
  /** The failure of the previous provider. Absent if it answered. */
  readonly error?: LlmError | undefined
  /** The answer of the previous provider, for which another one is asked. Absent if it failed. */
  readonly answer?: LlmResponse | undefined
}

/**
 * A second request is sent within the same attempt, as the first one takes long. The first answer wins.
 *
 * @since 0.1.0
 * @category models
 */
export interface Hedged extends Common {
  readonly _tag: "Hedged"
  /** How long the first request has taken, without its time in the queue of a rate limit. */
  readonly after: Duration.Duration
}

/**
 * The service refused a part of a request, and is asked again without it, within the same attempt.
 *
 * @since 0.1.0
 * @category models
 */
export interface RequestCorrected extends Common {
  readonly _tag: "RequestCorrected"
  /** The change: a setting is left out or has another name, the key is another, or the reasoning is left out. */
  readonly correction: "setting" | "key" | "reasoning"
  /**
   * The setting, by its name in the request: "temperature", "reasoningEffort" ... A stream that is asked for without its
   * usage has "stream_options".
   */
  readonly setting?: string | undefined
  /** The refusal. */
  readonly error: LlmError
}

/**
 * An attempt has to wait in the queue of a rate limit. `RateLimitWaited` follows when its turn has come; without a turn
 * the attempt fails, or another target is asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimitQueued extends Common {
  readonly _tag: "RateLimitQueued"
  /** The number of requests before it, in this process. */
  readonly ahead: number
}

/**
 * An attempt waited in the queue of a rate limit.
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimitWaited extends Common {
  readonly _tag: "RateLimitWaited"
  /** The time in the queue. */
  readonly waited: Duration.Duration
}

/**
 * An attempt has gone through a rate limit, and its use is settled. The rest of the limits is as far as this process
 * knows it.
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimitUsed extends Common {
  readonly _tag: "RateLimitUsed"
  /** How many requests of this process are under way in the limit. */
  readonly running: number
  /** The most of them at present. Absent: not limited. */
  readonly concurrency?: number | undefined
  /**
   * The limits of a minute: `limit` is the most that may be used at once, `remaining` what is left of it, below zero where
   * more was used than had been reserved, and `resetAfter` the time until all of it is there again.
   */
  readonly left: RateLimit
}

/**
 * A circuit breaker stopped calls to the provider.
 *
 * @since 0.1.0
 * @category models
 */
export interface CircuitOpened extends Common {
  readonly _tag: "CircuitOpened"
  /** How long until it lets a probe through. */
  readonly openFor: Duration.Duration
}

/**
 * A circuit breaker lets a probe through.
 *
 * @since 0.1.0
 * @category models
 */
export interface CircuitHalfOpened extends Common {
  readonly _tag: "CircuitHalfOpened"
}

/**
 * A circuit breaker lets all calls through again.
 *
 * @since 0.1.0
 * @category models
 */
export interface CircuitClosed extends Common {
  readonly _tag: "CircuitClosed"
}

/**
 * An answer did not fit its schema.
 *
 * @since 0.1.0
 * @category models
 */
export interface OutputRejected extends Common {
  readonly _tag: "OutputRejected"
  /** The number of the answer: 1 for the first. */
  readonly attempt: number
  /** The number of places that do not fit. */
  readonly issues: number
  /** Whether the model is asked again. */
  readonly willRetry: boolean
}

/**
 * A call was charged to a budget.
 *
 * @since 0.1.0
 * @category models
 */
export interface BudgetSpent extends Common {
  readonly _tag: "BudgetSpent"
  /** The name of the budget's scope. */
  readonly scope: string
  /** The tokens of the call. */
  readonly tokens: number
  /** The cost in US dollars, if the price is known. */
  readonly cost?: number | undefined
  /** The tokens that are neither spent nor reserved, if they are limited and the store knows it. */
  readonly tokensLeft?: number | undefined
  /** The US dollars that are neither spent nor reserved, if they are limited and the store knows it. */
  readonly costLeft?: number | undefined
}

/**
 * The server of a store that processes share does not answer. The call goes on as the store's `onUnavailable` says. It is
 * reported when it is noticed: at most once a second for each store of a process.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoreUnavailable extends Common {
  readonly _tag: "StoreUnavailable"
  /** The contents of the store. */
  readonly store: "rateLimits" | "budgets"
  /** The cause: one line, without secrets. */
  readonly problem: string
}

/**
 * One event.
 *
 * @since 0.1.0
 * @category models
 */
export type LlmEvent =
  | CacheHit
  | CacheMiss
  | CacheFailed
  | CallStarted
  | CallOk
  | CallFailed
  | CallGaveUp
  | CallInterrupted
  | CallShared
  | FellBack
  | Hedged
  | RequestCorrected
  | RateLimitQueued
  | RateLimitWaited
  | RateLimitUsed
  | CircuitOpened
  | CircuitHalfOpened
  | CircuitClosed
  | OutputRejected
  | BudgetSpent
  | StoreUnavailable

/**
 * The event with a given tag.
 *
 * @since 0.1.0
 * @category models
 */
export type EventOf<Tag extends LlmEvent["_tag"]> = Extract<LlmEvent, { readonly _tag: Tag }>

const events = Data.taggedEnum<LlmEvent>()

/**
 * Whether a value is the event with a given tag: `LlmEvent.is("CallOk")`.
 *
 * @since 0.1.0
 * @category refinements
 */
export const is = events.$is

/**
 * Handles each kind of event.
 *
 * @since 0.1.0
 * @category pattern matching
 */
export const match = events.$match

/**
 * Makes the event `CacheHit`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const CacheHit: Data.Case.Constructor<CacheHit, "_tag"> = events.CacheHit

/**
 * Makes the event `CacheMiss`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const CacheMiss: Data.Case.Constructor<CacheMiss, "_tag"> = events.CacheMiss

/**
 * Makes the event `CacheFailed`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const CacheFailed: Data.Case.Constructor<CacheFailed, "_tag"> = events.CacheFailed

/**
 * Makes the event `CallStarted`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const CallStarted: Data.Case.Constructor<CallStarted, "_tag"> = events.CallStarted

/**
 * Makes the event `CallOk`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const CallOk: Data.Case.Constructor<CallOk, "_tag"> = events.CallOk

/**
 * Makes the event `CallFailed`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const CallFailed: Data.Case.Constructor<CallFailed, "_tag"> = events.CallFailed

/**
 * Makes the event `CallGaveUp`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const CallGaveUp: Data.Case.Constructor<CallGaveUp, "_tag"> = events.CallGaveUp

/**
 * Makes the event `CallInterrupted`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const CallInterrupted: Data.Case.Constructor<CallInterrupted, "_tag"> = events.CallInterrupted

/**
 * Makes the event `CallShared`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const CallShared: Data.Case.Constructor<CallShared, "_tag"> = events.CallShared

/**
 * Makes the event `FellBack`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const FellBack: Data.Case.Constructor<FellBack, "_tag"> = events.FellBack

/**
 * Makes the event `Hedged`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const Hedged: Data.Case.Constructor<Hedged, "_tag"> = events.Hedged

/**
 * Makes the event `RequestCorrected`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const RequestCorrected: Data.Case.Constructor<RequestCorrected, "_tag"> = events.RequestCorrected

/**
 * Makes the event `RateLimitQueued`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const RateLimitQueued: Data.Case.Constructor<RateLimitQueued, "_tag"> = events.RateLimitQueued

/**
 * Makes the event `RateLimitWaited`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const RateLimitWaited: Data.Case.Constructor<RateLimitWaited, "_tag"> = events.RateLimitWaited

/**
 * Makes the event `RateLimitUsed`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const RateLimitUsed: Data.Case.Constructor<RateLimitUsed, "_tag"> = events.RateLimitUsed

/**
 * Makes the event `CircuitOpened`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const CircuitOpened: Data.Case.Constructor<CircuitOpened, "_tag"> = events.CircuitOpened

/**
 * Makes the event `CircuitHalfOpened`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const CircuitHalfOpened: Data.Case.Constructor<CircuitHalfOpened, "_tag"> = events.CircuitHalfOpened

/**
 * Makes the event `CircuitClosed`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const CircuitClosed: Data.Case.Constructor<CircuitClosed, "_tag"> = events.CircuitClosed

/**
 * Makes the event `OutputRejected`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const OutputRejected: Data.Case.Constructor<OutputRejected, "_tag"> = events.OutputRejected

/**
 * Makes the event `BudgetSpent`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const BudgetSpent: Data.Case.Constructor<BudgetSpent, "_tag"> = events.BudgetSpent

/**
 * Makes the event `StoreUnavailable`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const StoreUnavailable: Data.Case.Constructor<StoreUnavailable, "_tag"> = events.StoreUnavailable
