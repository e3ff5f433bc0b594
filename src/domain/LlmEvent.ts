/**
 * What the client reports while it works: one event for each thing that an operator may want to see. Events hold names
 * and numbers, never a prompt or an answer.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import type { LlmError } from "./LlmError.js"
import type { LlmResponse } from "./LlmResponse.js"

/**
 * What every event tells.
 *
 * @since 0.1.0
 * @category models
 */
export interface Common {
  /**
   * The call that the event belongs to: unique among the calls of a program. For a call that shares the run of another one
   * it is that one's. Absent only if a policy reports without a client.
   */
  readonly callId?: string | undefined
  readonly provider: string
  readonly model: string
  /** The caller's labels for the call. */
  readonly tags?: { readonly [name: string]: string } | undefined
}

/**
 * One thing that happened.
 *
 * - `CacheHit`, `CacheMiss`: the cache was asked and had an answer, or had none.
 * - `CacheFailed`: the cache failed, hung or held something that is no answer. The call goes on without it.
 * - `CallStarted`, `CallOk`, `CallFailed`: one attempt. `delay` is how long the client waits before the next.
 * - `CallGaveUp`: the call failed for good.
 * - `CallShared`: an equal call was under way, and this one gets its answer.
 * - `FellBack`: another provider is asked.
 * - `RateLimitWaited`: an attempt had to wait for its turn.
 * - `CircuitOpened`, `CircuitHalfOpened`, `CircuitClosed`: a circuit breaker changed its state.
 * - `OutputRejected`: an answer did not fit its schema. `issues` counts where.
 * - `BudgetSpent`: a call was charged to a budget.
 *
 * @since 0.1.0
 * @category models
 */
export type LlmEvent = Data.TaggedEnum<{
  CacheHit: Common & { readonly latency: Duration.Duration; readonly response: LlmResponse }
  CacheMiss: Common
  CacheFailed: Common & { readonly operation: "get" | "set"; readonly problem: string }
  CallStarted: Common & { readonly attempt: number }
  CallOk: Common & { readonly attempt: number; readonly latency: Duration.Duration; readonly response: LlmResponse }
  CallFailed: Common & {
    readonly attempt: number
    readonly latency: Duration.Duration
    readonly error: LlmError
    readonly willRetry: boolean
    readonly delay?: Duration.Duration | undefined
  }
  CallGaveUp: Common & { readonly attempts: number; readonly latency: Duration.Duration; readonly error: LlmError }
  CallShared: Common & { readonly latency: Duration.Duration }
  FellBack: Common & { readonly to: string; readonly error: LlmError }
  RateLimitWaited: Common & { readonly waited: Duration.Duration }
  CircuitOpened: Common & { readonly openFor: Duration.Duration }
  CircuitHalfOpened: Common
  CircuitClosed: Common
  OutputRejected: Common & { readonly attempt: number; readonly issues: number; readonly willRetry: boolean }
  BudgetSpent: Common & { readonly scope: string; readonly tokens: number; readonly cost?: number | undefined }
}>

/**
 * The event of a name.
 *
 * @since 0.1.0
 * @category models
 */
export type EventOf<Tag extends LlmEvent["_tag"]> = Extract<LlmEvent, { readonly _tag: Tag }>

const events = Data.taggedEnum<LlmEvent>()

/**
 * Whether a value is an event of a name: `LlmEvent.is("CallOk")`.
 *
 * @since 0.1.0
 * @category refinements
 */
export const is = events.$is

/**
 * Handles each kind of event in its own way.
 *
 * @since 0.1.0
 * @category pattern matching
 */
export const match = events.$match

/**
 * The constructors of the events, by their names.
 *
 * @since 0.1.0
 * @category constructors
 */
export const {
  BudgetSpent,
  CacheFailed,
  CacheHit,
  CacheMiss,
  CallFailed,
  CallGaveUp,
  CallOk,
  CallShared,
  CallStarted,
  CircuitClosed,
  CircuitHalfOpened,
  CircuitOpened,
  FellBack,
  OutputRejected,
  RateLimitWaited
} = events
