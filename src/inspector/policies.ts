import * as Duration from "effect/Duration"
import type { LlmError } from "../domain/LlmError.js"
import type * as LlmEvent from "../domain/LlmEvent.js"
import type { Limit, LlmResponse } from "../domain/LlmResponse.js"
import type { Stamped } from "./timeline.js"

// The state of the policies, from the events of all calls. Moments are elapsed milliseconds, as in events.

/** A circuit that has been open. */
export interface Circuit {
  readonly provider: string
  readonly model: string
  readonly state: "closed" | "half open" | "open"
  /** The time at which an open circuit lets a probe through. */
  readonly until: number | undefined
  readonly openings: number
}

/** An account of a budget. */
export interface Budget {
  readonly scope: string
  /** The amount spent since the page began to listen. */
  readonly tokens: number
  readonly cost: number | undefined
  readonly tokensLeft: number | undefined
  readonly costLeft: number | undefined
}

/** One of a provider's limits, as the provider states it. */
export interface Stated {
  readonly limit: number | undefined
  readonly remaining: number | undefined
  /** The time at which the window is full again. */
  readonly until: number | undefined
}

/** One of the program's own limits of a minute, with the rest of it. */
export interface Bucket {
  readonly name: "requests" | "tokens" | "input tokens" | "output tokens"
  readonly limit: number
  readonly remaining: number
  /** The times of the observation, and at which the bucket is full again: it refills evenly. */
  readonly at: number
  readonly until: number
}

/** The rest of a program's own limits after the last attempt. */
export interface Own {
  readonly running: number
  readonly concurrency: number | undefined
  readonly buckets: ReadonlyArray<Bucket>
}

/** The limits of a model. */
export interface RateLimit {
  readonly provider: string
  readonly model: string
  /** The number of waits, and their total and longest time, in milliseconds. */
  readonly waits: number
  readonly waited: number
  readonly longest: number
  /** The end of the provider's last Retry-After. */
  readonly pausedUntil: number | undefined
  /** The provider's limits. */
  readonly requests: Stated | undefined
  readonly tokens: Stated | undefined
  /** Those of the program. */
  readonly own: Own | undefined
}

/** A store whose server did not answer. */
export interface Store {
  readonly store: string
  readonly problem: string
  readonly at: number
}

/** The reports of policies, each kind by its key. */
export interface Policies {
  readonly circuits: ReadonlyMap<string, Circuit>
  readonly budgets: ReadonlyMap<string, Budget>
  readonly limits: ReadonlyMap<string, RateLimit>
  readonly stores: ReadonlyMap<string, Store>
}

/** Before any event. */
export const empty: Policies = { circuits: new Map(), budgets: new Map(), limits: new Map(), stores: new Map() }

/** The number of entries of each kind that are kept: the oldest goes first. */
const maxEach = 100

const updated = <A>(all: ReadonlyMap<string, A>, key: string, update: (found: A | undefined) => A): Map<string, A> => {
  const next = new Map(all)
  next.set(key, update(all.get(key)))
  const [oldest] = next.keys()
  if (next.size > maxEach && oldest !== undefined) next.delete(oldest)
  return next
}

const circuit = (
  policies: Policies,
  { model, provider }: LlmEvent.Common,
  state: Circuit["state"],
  until?: number
): Policies => ({
  ...policies,
  circuits: updated(policies.circuits, `${provider}/${model}`, (found) => ({
    provider,
    model,
    state,
    until,
    openings: (found?.openings ?? 0) + (state === "open" ? 1 : 0)
  }))
})

const limit = (
  policies: Policies,
  provider: string,
  model: string,
  change: (found: RateLimit) => Partial<RateLimit>
): Policies => ({
  ...policies,
  limits: updated(policies.limits, `${provider}/${model}`, (found) => {
    const before = found ?? {
      provider,
      model,
      waits: 0,
      waited: 0,
      longest: 0,
      pausedUntil: undefined,
      requests: undefined,
      tokens: undefined,
      own: undefined
    }
    return { ...before, ...change(before) }
  })
})

const statedAt = (at: number, { limit, remaining, resetAfter }: Limit = {}): Stated | undefined =>
  limit === undefined && remaining === undefined
    ? undefined
    : { limit, remaining, until: resetAfter && at + Duration.toMillis(resetAfter) }

/** The limits in the headers of an answer. If they separate input and output, the one that is used up first. */
const stated = (policies: Policies, at: number, { model }: LlmEvent.Common, response: LlmResponse): Policies => {
  const { rateLimit } = response
  if (rateLimit === undefined) return policies
  const parts = [rateLimit.inputTokens, rateLimit.outputTokens].filter((part) => part !== undefined)
  const [scarcest] = parts.sort((a, b) => (a.remaining ?? Infinity) - (b.remaining ?? Infinity))
  return limit(policies, response.provider, model, (before) => ({
    requests: statedAt(at, rateLimit.requests) ?? before.requests,
    tokens: statedAt(at, rateLimit.tokens ?? scarcest) ?? before.tokens
  }))
}

const own = (at: number, { concurrency, left, running }: LlmEvent.RateLimitUsed): Own => {
  const bucket = (name: Bucket["name"], { limit, remaining, resetAfter = Duration.zero }: Limit = {}) =>
    limit === undefined || remaining === undefined
      ? []
      : [{ name, limit, remaining, at, until: at + Duration.toMillis(resetAfter) }]
  return {
    running,
    concurrency,
    buckets: [
      ...bucket("requests", left.requests),
      ...bucket("tokens", left.tokens),
      ...bucket("input tokens", left.inputTokens),
      ...bucket("output tokens", left.outputTokens)
    ]
  }
}

/** A provider that refuses a request because of its limits states when to ask again. */
const refused = (policies: Policies, at: number, event: LlmEvent.Common, error: LlmError | undefined): Policies => {
  const { provider = event.provider, model = event.model, reason, retryAfter } = error ?? {}
  return reason?._tag !== "RateLimited" || retryAfter === undefined
    ? policies
    : limit(policies, provider, model, () => ({ pausedUntil: at + Duration.toMillis(retryAfter) }))
}

const sum = (one: number | undefined, other: number | undefined): number | undefined =>
  other === undefined ? one : (one ?? 0) + other

/** The policies after an event. */
export const step = (policies: Policies, { at, event }: Stamped): Policies => {
  switch (event._tag) {
    case "CircuitOpened":
      return circuit(policies, event, "open", at + Duration.toMillis(event.openFor))
    case "CircuitHalfOpened":
      return circuit(policies, event, "half open")
    case "CircuitClosed":
      return circuit(policies, event, "closed")
    case "BudgetSpent":
      return {
        ...policies,
        budgets: updated(policies.budgets, event.scope, (found) => ({
          scope: event.scope,
          tokens: (found?.tokens ?? 0) + event.tokens,
          cost: sum(found?.cost, event.cost),
          tokensLeft: event.tokensLeft ?? found?.tokensLeft,
          costLeft: event.costLeft ?? found?.costLeft
        }))
      }
    case "RateLimitQueued":
      return limit(policies, event.provider, event.model, () => ({}))
    case "RateLimitWaited": {
      const waited = Duration.toMillis(event.waited)
      return limit(policies, event.provider, event.model, (before) => ({
        waits: before.waits + 1,
        waited: before.waited + waited,
        longest: Math.max(before.longest, waited)
      }))
    }
    case "RateLimitUsed":
      return limit(policies, event.provider, event.model, () => ({ own: own(at, event) }))
    case "CallOk":
      return stated(policies, at, event, event.response)
    case "CallFailed":
    case "FellBack":
      return refused(policies, at, event, event.error)
    case "StoreUnavailable":
      return {
        ...policies,
        stores: updated(policies.stores, event.store, () => ({ store: event.store, problem: event.problem, at }))
      }
    default:
      return policies
  }
}
