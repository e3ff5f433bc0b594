import * as Duration from "effect/Duration"
import type { LlmError } from "../domain/LlmError.js"
import type * as LlmEvent from "../domain/LlmEvent.js"

// A call as it follows from its events: a state machine without time and effects of its own.

/** An event, and the moment when it was reported: elapsed milliseconds, which never step back, and the wall clock's. */
export interface Stamped {
  readonly at: number
  readonly wall: number
  readonly event: LlmEvent.LlmEvent
}

/**
 * The activity of a call: it searches the cache, is about to start, waits for the run of an equal call (`shared`),
 * waits in the queue of a rate limit, asks a provider, rests before the next attempt, or reads an answer (`check`).
 * `other` is not known.
 */
export type Kind = "cache" | "start" | "shared" | "queue" | "attempt" | "backoff" | "check" | "other"

/** The activity of a call at a time. */
export interface Phase {
  readonly kind: Kind
  /** The number of the attempt. Absent where several are under way. */
  readonly attempt?: number | undefined
  /** The target that is asked, or in whose queue it waits, where it is known. */
  readonly target?: string | undefined
}

/** A part of a call's time. */
export interface Segment extends Phase {
  readonly start: number
  readonly end: number
  /** Why it ended without an answer. */
  readonly failed?: string | undefined
}

/** How a call ended. */
export type Outcome = "running" | "ok" | "cached" | "shared" | "failed" | "interrupted"

/** Tokens and money. Amounts that no answer has stated are absent. */
export interface Bill {
  readonly inputTokens?: number | undefined
  readonly cachedInputTokens?: number | undefined
  readonly outputTokens?: number | undefined
  readonly reasoningTokens?: number | undefined
  readonly cost?: number | undefined
}

/** A call, from its events so far. */
export interface Call {
  readonly id: string
  readonly provider: string
  readonly model: string
  readonly tags: Readonly<Record<string, string>> | undefined
  readonly start: number
  /** When it began, by the wall clock. */
  readonly begun: number
  readonly outcome: Outcome
  /** Its time so far, without gaps. */
  readonly segments: ReadonlyArray<Segment>
  /** Its current activity, and since when. Absent: it has ended. */
  readonly now: (Phase & { readonly start: number }) | undefined
  /** How many attempts are under way, how many of their requests are second ones, and how many wait in a queue. */
  readonly inFlight: number
  readonly hedged: number
  readonly queued: number
  /** How many attempts are yet to come after a rest. */
  readonly resting: number
  /** The last attempt, and its target. */
  readonly attempt: number
  readonly target: string | undefined
  readonly queueOf: string | undefined
  readonly retries: number
  readonly hedges: number
  readonly fallbacks: number
  readonly corrections: number
  readonly rejections: number
  readonly bill: Bill
  readonly answeredBy: { readonly provider: string; readonly model: string } | undefined
  readonly finishReason: string | undefined
  readonly error: { readonly reason: string; readonly message: string } | undefined
  /** The call whose run it shared. */
  readonly leader: string | undefined
}

/** More parts than a bar can show. Later parts are joined. */
const maxSegments = 200

/** The moment up to which the time of a call is known. */
export const endOf = ({ now, segments, start }: Call): number => now?.start ?? segments.at(-1)?.end ?? start

// ---------------------------------------------------------------------------------------------------------------------
// Time
// ---------------------------------------------------------------------------------------------------------------------

const isSame = (one: Phase, other: Phase): boolean =>
  one.kind === other.kind && one.attempt === other.attempt && one.target === other.target

const withSegment = (segments: ReadonlyArray<Segment>, segment: Segment): ReadonlyArray<Segment> => {
  const last = segments.at(-1)
  if (segment.end <= segment.start) return segments
  if (last === undefined) return [segment]
  if (last.failed === undefined && isSame(last, segment)) {
    return [...segments.slice(0, -1), { ...segment, start: last.start }]
  }
  return segments.length < maxSegments
    ? [...segments, segment]
    : [...segments.slice(0, -1), { kind: "other", start: last.start, end: segment.end }]
}

/** The activity of a call between its end and an event that came later all the same. */
const between = ({ outcome, segments }: Call): Phase => {
  const last = segments.at(-1)
  if (outcome === "interrupted" && last !== undefined) {
    const { kind, attempt, target } = last
    return { kind, attempt, target }
  }
  return { kind: outcome === "cached" ? "cache" : "check" }
}

/** The facts of an event about the part of the time that it ends. */
type Known = Partial<Pick<Segment, "failed" | "kind" | "target">>

/** From a moment on, a call does something else, or has ended. */
const moved = (call: Call, at: number, phase: Phase | undefined, known: Known): Call => {
  const { now, segments } = call
  if (now !== undefined && phase !== undefined && isSame(now, phase)) return call
  const start = now?.start ?? endOf(call)
  const end = Math.max(at, start)
  const { kind, attempt, target } = now ?? between(call)
  return {
    ...call,
    segments: withSegment(segments, { kind, attempt, target, ...(now && known), start, end }),
    now: phase && { ...phase, start: end }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Facts
// ---------------------------------------------------------------------------------------------------------------------

const plus = (one: number | undefined, other: number | undefined): number | undefined =>
  one === undefined ? other : one + (other ?? 0)

/** Adds what an answer cost. */
export const billed = (bill: Bill, { response: { cost, usage } }: LlmEvent.CallOk): Bill => ({
  inputTokens: plus(bill.inputTokens, usage.inputTokens),
  cachedInputTokens: plus(bill.cachedInputTokens, usage.cachedInputTokens),
  outputTokens: plus(bill.outputTokens, usage.outputTokens),
  reasoningTokens: plus(bill.reasoningTokens, usage.reasoningTokens),
  cost: plus(bill.cost, cost)
})

const nameOf = ({ model, provider }: LlmEvent.Common): string => `${provider}/${model}`

const isQueueTimeout = (error: LlmError | undefined): boolean =>
  error?.reason._tag === "TimedOut" && error.reason.phase === "queue"

/** One attempt less is under way. */
const settled = (call: Call, failure?: LlmError): Call => {
  const inFlight = Math.max(0, call.inFlight - 1)
  const queued = isQueueTimeout(failure) ? Math.max(0, call.queued - 1) : call.queued
  return { ...call, inFlight, queued: inFlight === 0 ? 0 : queued, hedged: inFlight === 0 ? 0 : call.hedged }
}

const answered = (call: Call, { response }: LlmEvent.CallOk | LlmEvent.CacheHit): Call => ({
  ...call,
  answeredBy: { provider: response.provider, model: response.model },
  finishReason: response.finishReason,
  error: undefined
})

/** The changes by an event, besides the time. */
const counted = (call: Call, event: LlmEvent.LlmEvent): Call => {
  switch (event._tag) {
    case "CacheHit":
      return answered(call, event)
    case "CallStarted":
      return {
        ...call,
        inFlight: call.inFlight + 1,
        // The remains of an earlier attempt.
        hedged: call.inFlight === 0 ? 0 : call.hedged,
        queued: call.inFlight === 0 ? 0 : call.queued,
        resting: event.attempt > 1 ? Math.max(0, call.resting - 1) : call.resting,
        attempt: event.attempt,
        target: undefined
      }
    case "CallOk":
      return { ...answered(settled(call), event), bill: billed(call.bill, event) }
    case "CallFailed": {
      const { error, willRetry } = event
      const failed = settled(call, error)
      return willRetry ? { ...failed, retries: call.retries + 1, resting: call.resting + 1 } : failed
    }
    case "CallGaveUp":
      return {
        ...call,
        inFlight: 0,
        hedged: 0,
        queued: 0,
        resting: 0,
        error: { reason: event.error.reason._tag, message: event.error.message }
      }
    case "FellBack":
      return {
        ...call,
        fallbacks: call.fallbacks + 1,
        target: event.to,
        queued: isQueueTimeout(event.error) ? Math.max(0, call.queued - 1) : call.queued
      }
    case "Hedged":
      return { ...call, hedges: call.hedges + 1, hedged: call.hedged + 1 }
    case "RateLimitQueued":
      return { ...call, queued: call.queued + 1, queueOf: nameOf(event) }
    case "RateLimitWaited":
      return { ...call, queued: Math.max(0, call.queued - 1) }
    case "CallShared":
      return event.followerId === event.callId ? call : { ...call, leader: event.callId }
    case "RequestCorrected":
      return { ...call, corrections: call.corrections + 1 }
    case "OutputRejected":
      return { ...call, rejections: call.rejections + 1 }
    default:
      return call
  }
}

/** The events of a run, which may go on after its call seemed to have ended. */
const ofRun: ReadonlySet<LlmEvent.LlmEvent["_tag"]> = new Set([
  "CacheMiss",
  "CallFailed",
  "CallOk",
  "CallStarted",
  "FellBack",
  "Hedged",
  "RateLimitQueued",
  "RateLimitWaited"
])

/** The events that may be the last ones of a call's time. */
const ends: ReadonlySet<LlmEvent.LlmEvent["_tag"]> = new Set([
  "CacheHit",
  "CallGaveUp",
  "CallInterrupted",
  "CallOk",
  "CallShared"
])

/** The activity of a call after an event. */
const phaseAfter = (call: Call, { _tag }: LlmEvent.LlmEvent): Phase | undefined => {
  if (_tag === "CallGaveUp" || _tag === "CallInterrupted") return undefined
  if (call.now === undefined && !ofRun.has(_tag)) return undefined
  if (call.inFlight > 0) {
    const isAlone = call.inFlight === 1
    const attempt = isAlone ? call.attempt : undefined
    // As the client counts it: an attempt is in a queue while none of its requests is under way.
    return call.queued >= call.inFlight + call.hedged
      ? { kind: "queue", attempt, target: call.queueOf }
      : { kind: "attempt", attempt, target: isAlone ? call.target : undefined }
  }
  if (call.resting > 0) return { kind: "backoff", attempt: call.attempt }
  switch (_tag) {
    case "CacheHit":
    case "CallOk":
    case "CallShared":
      return undefined
    case "CacheMiss":
      return { kind: "start" }
    case "CallFailed":
      return { kind: "check" }
    default:
      return call.now
  }
}

const outcomeAfter = ({ attempt, now, outcome }: Call, { _tag }: LlmEvent.LlmEvent): Outcome => {
  if (now !== undefined) return "running"
  switch (_tag) {
    case "CallOk":
      return "ok"
    case "CacheHit":
      return "cached"
    case "CallShared":
      return attempt === 0 ? "shared" : "ok"
    case "CallGaveUp":
      return "failed"
    case "CallInterrupted":
      return "interrupted"
    default:
      return outcome
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Events
// ---------------------------------------------------------------------------------------------------------------------

const knownBy = ({ now, target }: Call, event: LlmEvent.LlmEvent): Known => {
  switch (event._tag) {
    case "CallShared":
      return now?.kind === "start" ? { kind: "shared" } : {}
    case "CallGaveUp":
      // It waited in vain for the run of another call.
      return now?.kind === "start" && event.attempted === false ? { kind: "shared" } : {}
    case "CallFailed":
      return { failed: event.error.reason._tag }
    case "FellBack":
      return {
        target: target ?? nameOf(event),
        failed: event.error?.reason._tag ?? event.answer?.finishReason ?? "other"
      }
    default:
      return {}
  }
}

/** The search in the cache is reported at its end. */
const searchedBefore = (call: Call, { at, event }: Stamped): Call => {
  if (event._tag !== "CacheMiss" || event.latency === undefined || call.segments.length > 0) return call
  const start = Math.min(call.start, at - Duration.toMillis(event.latency))
  return { ...call, start, begun: call.begun - (call.start - start), now: call.now && { ...call.now, start } }
}

/** A wait whose beginning was not reported, as a policy of the program may do it. */
const waitedBefore = (call: Call, { at, event }: Stamped): Call => {
  if (event._tag !== "RateLimitWaited" || call.queued > 0 || call.now?.kind !== "attempt") return call
  return moved(call, at - Duration.toMillis(event.waited), {
    kind: "queue",
    attempt: call.now.attempt,
    target: nameOf(event)
  }, {})
}

/** The call after an event. */
export const step = (call: Call, stamped: Stamped): Call => {
  const { at, event } = stamped
  const before = waitedBefore(searchedBefore(call, stamped), stamped)
  const after = counted(before, event)
  const phase = phaseAfter(after, event)
  // Budgets and caches also report when a call has its answer.
  if (after.now === undefined && phase === undefined && !ends.has(event._tag)) return after
  const timed = moved(after, at, phase, knownBy(before, event))
  return { ...timed, outcome: outcomeAfter(timed, event) }
}

/** How a call begins that an event is the first one of. Absent: its beginning was not seen. */
const beginningOf = ({ at, event }: Stamped): (Phase & { readonly start: number }) | undefined => {
  switch (event._tag) {
    case "CacheHit":
      return { kind: "cache", start: at - Duration.toMillis(event.latency) }
    case "CacheMiss":
      return { kind: "cache", start: at }
    case "CacheFailed":
      return event.operation === "get" ? { kind: "cache", start: at } : undefined
    case "CallStarted":
      return event.attempt === 1 ? { kind: "other", start: at } : undefined
    case "CallShared":
      return { kind: "shared", start: at - Duration.toMillis(event.latency) }
    case "CallInterrupted":
    case "CallGaveUp":
      return { kind: "other", start: at - Duration.toMillis(event.latency) }
    default:
      return undefined
  }
}

/** The call that begins with an event, if one does. */
export const begin = (id: string, stamped: Stamped): Call | undefined => {
  const now = beginningOf(stamped)
  if (now === undefined) return undefined
  const { at, event: { model, provider, tags }, wall } = stamped
  const begun: Call = {
    id,
    provider,
    model,
    tags,
    start: now.start,
    begun: wall - (at - now.start),
    outcome: "running",
    segments: [],
    now,
    inFlight: 0,
    hedged: 0,
    queued: 0,
    resting: 0,
    attempt: 0,
    target: undefined,
    queueOf: undefined,
    retries: 0,
    hedges: 0,
    fallbacks: 0,
    corrections: 0,
    rejections: 0,
    bill: {},
    answeredBy: undefined,
    finishReason: undefined,
    error: undefined,
    leader: undefined
  }
  return step(begun, stamped)
}
