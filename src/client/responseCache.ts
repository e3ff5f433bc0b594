import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as LlmEvent from "../domain/LlmEvent.js"
import * as LlmRequest from "../domain/LlmRequest.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import { scrub } from "../internal/scrub.js"
import { CacheError } from "../LlmCache.js"
import * as Elapsed from "../runtime/elapsed.js"
import * as TimeLimit from "../runtime/timeLimit.js"
import { type Call, type Environment, reported, type Run } from "./callState.js"
import * as ClientOptions from "./options.js"
import * as Reports from "./reports.js"

/** The answers that are kept between calls. A call goes on, whatever the store does. */
export interface ResponseCache {
  /** The kept answer, as this caller gets it. Reports a hit. */
  readonly find: (call: Call) => Effect.Effect<Option.Option<LlmResponse.LlmResponse>>
  /** Reports that there is no answer, if the call may be answered from the cache. */
  readonly missed: (call: Call) => Effect.Effect<void>
  /**
   * Keeps the answer of a run if it is whole and its callers want it kept, within half of the time until the run's
   * deadline. A run never replaces the answer of one that began later.
   */
  readonly keep: (run: Run, response: LlmResponse.LlmResponse) => Effect.Effect<void>
  /** The entries under a call's own keys, as far as they arrive within the limit of one read. */
  readonly findAll: (
    call: Call,
    keys: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyMap<string, LlmResponse.LlmResponse>>
  /** Keeps entries under a run's own keys, as `keep` does. */
  readonly keepAll: (run: Run, entries: ReadonlyMap<string, LlmResponse.LlmResponse>) => Effect.Effect<void>
}

/** The number of entries read or written at a time. */
const atATime = 64

/**
 * The number of keys for which the cache knows the run of the last answer: the order is lost only if this many runs
 * overtake an older one.
 */
const maxKeys = 1_000

const problemOf = (cause: Cause.Cause<CacheError>): string => {
  const thrown = Cause.squash(cause)
  if (thrown instanceof CacheError) return thrown.problem
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** Makes the cache of a client. */
export const make = (environment: Environment): ResponseCache => {
  const { cache, isListening, log, settings: { cacheTimeout } } = environment

  /** The place in the order of calls of the run whose answer was kept last, by key. */
  const newest = new Map<string, number>()

  /** Runs an operation of the store within a time limit, and reports its failure. */
  const within = <A, B>(
    call: Call,
    operation: "get" | "set",
    duration: Duration.Duration,
    self: Effect.Effect<A, CacheError>,
    otherwise: B
  ): Effect.Effect<A | B> => {
    const onTimeout = Effect.failSync(() => new CacheError({ operation, problem: "timed out" }))
    return Effect.catchAllCause(
      TimeLimit.timeoutOrElse(self, { duration, onTimeout }),
      (cause) => Effect.as(failed(call, operation, problemOf(cause)), otherwise)
    )
  }

  /** Reports an event. The literal deadline of the call does not include the cache. */
  const report = (call: Call, event: LlmEvent.LlmEvent): Effect.Effect<void> => Reports.inTime(call, log(event))

  const failed = (call: Call, operation: "get" | "set", problem: string): Effect.Effect<void> =>
    report(
      call,
      LlmEvent.CacheFailed({
        ...call.common,
        operation,
        problem: scrub(problem, { sources: LlmRequest.texts(call.request) })
      })
    )

  const find: ResponseCache["find"] = (call) => {
    if (!ClientOptions.reads(call.settings)) return Effect.succeedNone
    const limit = Duration.min(cacheTimeout, call.settings.deadline)
    const get = Effect.suspend(() => cache.get(call.key))
    return Effect.flatMap(within(call, "get", limit, get, Option.none()), (found) => {
      // A cache may give anything, despite its type.
      if (!Option.isOption(found)) return unreadable(call)
      if (Option.isNone(found)) return Effect.succeedNone
      return found.value instanceof LlmResponse.LlmResponse ? hit(call, found.value) : unreadable(call)
    })
  }

  const hit = (call: Call, found: LlmResponse.LlmResponse) =>
    Elapsed.sinceWith(call.started, (latency) => {
      const response = LlmResponse.freeze(LlmResponse.reuse(found, { origin: "cache", latency }))
      const event = LlmEvent.CacheHit({ latency, response, ...call.common, ...reported(environment, call) })
      return Effect.as(report(call, event), Option.some(response))
    })

  const unreadable = (call: Call) =>
    Effect.as(failed(call, "get", "it holds something that is no answer"), Option.none())

  const missed: ResponseCache["missed"] = (call) =>
    isListening && ClientOptions.reads(call.settings)
      ? Effect.clockWith((clock) => {
        const latency = Duration.millis(Elapsed.unsafeNow(clock) - call.started)
        return log(LlmEvent.CacheMiss({ latency, ...call.common }))
      })
      : Effect.void

  const isOutdated = ({ call: { key, order } }: Run): boolean => (newest.get(key) ?? order) > order

  const kept = ({ call: { key, order } }: Run): void => {
    newest.delete(key)
    newest.set(key, order)
    const [oldest] = newest.keys()
    if (newest.size > maxKeys && oldest !== undefined) newest.delete(oldest)
  }

  /** An answer that was paid for must reach its callers before their deadline. */
  const limitOf = (run: Run, now: number): Duration.Duration =>
    Duration.min(cacheTimeout, Duration.millis((run.deadline - now) / 2))

  const keep: ResponseCache["keep"] = (run, response) =>
    Elapsed.nowWith((now) => {
      if (!run.keeps || !LlmResponse.isComplete(response) || isOutdated(run)) return Effect.void
      kept(run)
      const set = Effect.suspend(() => cache.set(run.call.key, LlmResponse.withoutRaw(response), run.ttl))
      return within(run.call, "set", limitOf(run, now), set, undefined)
    })

  const findAll: ResponseCache["findAll"] = (call, keys) =>
    Effect.suspend(() => {
      const found = new Map<string, LlmResponse.LlmResponse>()
      if (!ClientOptions.reads(call.settings)) return Effect.succeed(found)
      const get = (key: string) =>
        Effect.map(Effect.suspend(() => cache.get(key)), (entry) => {
          if (Option.isOption(entry) && Option.isSome(entry)) found.set(key, entry.value)
        })
      const limit = Duration.min(cacheTimeout, call.settings.deadline)
      const all = Effect.forEach(keys, get, { concurrency: atATime, discard: true })
      return Effect.as(within(call, "get", limit, all, undefined), found)
    })

  const keepAll: ResponseCache["keepAll"] = (run, entries) =>
    Elapsed.nowWith((now) => {
      if (!run.keeps) return Effect.void
      const set = Effect.forEach(
        entries,
        ([key, entry]) => Effect.suspend(() => cache.set(key, entry, run.ttl)),
        { concurrency: atATime, discard: true }
      )
      return within(run.call, "set", limitOf(run, now), set, undefined)
    })

  return { find, missed, keep, findAll, keepAll }
}
