import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { inMemory } from "../domain/inMemory.js"
import * as LlmEvent from "../domain/LlmEvent.js"
import * as LlmRequest from "../domain/LlmRequest.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import { scrub } from "../domain/scrub.js"
import { CacheError } from "../LlmCache.js"
import * as TimeLimit from "../policy/timeLimit.js"
import type { Call, Environment } from "./context.js"

/** Answers kept between calls. Whatever the store does, a call goes on. */
export interface AnswerCache {
  /** The answer that the cache has in memory. */
  readonly atHand: (call: Call) => Effect.Effect<LlmResponse.LlmResponse> | undefined
  /** The answer that is there already, as this caller gets it. */
  readonly find: (call: Call) => Effect.Effect<LlmResponse.LlmResponse | undefined>
  /** Keeps an answer if it is whole; takes at most half of the time until the deadline, in epoch milliseconds. */
  readonly keep: (call: Call, response: LlmResponse.LlmResponse, deadline: number) => Effect.Effect<void>
}

const failure = (operation: "get" | "set", problem: string) => new CacheError({ operation, problem })

/** Makes the cache of a client. */
export const make = ({ cache, log, settings: { cacheTimeout }, tell }: Environment): AnswerCache => {
  const failed = (call: Call, operation: "get" | "set", cause: Cause.Cause<CacheError>) => {
    const thrown = Cause.squash(cause)
    const told = thrown instanceof CacheError
      ? thrown.problem
      : thrown instanceof Error
      ? thrown.message
      : String(thrown)
    const problem = scrub(told, { sources: LlmRequest.texts(call.request) })
    return log(LlmEvent.CacheFailed({ ...call.common, operation, problem }))
  }

  const answerIn = (found: Option.Option<LlmResponse.LlmResponse>) =>
    Option.isNone(found)
      ? Effect.succeed(undefined)
      : found.value instanceof LlmResponse.LlmResponse
      ? Effect.succeed(found.value)
      : Effect.fail(failure("get", "what it holds is no answer"))

  const lookUp = (call: Call): Effect.Effect<LlmResponse.LlmResponse | undefined> =>
    Effect.suspend(() => cache.get(call.key)).pipe(
      TimeLimit.timeoutFail({ duration: cacheTimeout, onTimeout: () => failure("get", "timed out") }),
      Effect.flatMap(answerIn),
      Effect.catchAllCause((cause) => Effect.as(failed(call, "get", cause), undefined))
    )

  const missed = (call: Call) => tell(() => LlmEvent.CacheMiss(call.common), undefined)

  const hit = (call: Call, found: LlmResponse.LlmResponse, now: number) => {
    const latency = Duration.millis(now - call.started)
    const response = LlmResponse.reuse(found, { origin: "cache", latency })
    return tell(() => LlmEvent.CacheHit({ ...call.common, latency, response }), response)
  }

  const reads = ({ settings: { cache } }: Call): boolean => cache === "on" || cache === "readOnly"

  // A cache that is none fails where it is told.
  const getInMemory = typeof cache.get === "function" ? inMemory.get(cache.get) : undefined

  const atHand: AnswerCache["atHand"] = (call) => {
    const known = reads(call) ? getInMemory?.(call.key, call.started) : undefined
    return known !== undefined && Option.isSome(known) && known.value instanceof LlmResponse.LlmResponse
      ? hit(call, known.value, call.started)
      : undefined
  }

  const find: AnswerCache["find"] = (call) => {
    if (!reads(call)) return Effect.succeed(undefined)
    const known = getInMemory?.(call.key, call.started)
    if (known !== undefined && Option.isNone(known)) return missed(call)
    return Effect.flatMap(lookUp(call), (found) =>
      found === undefined
        ? missed(call)
        : Effect.flatMap(Clock.currentTimeMillis, (now) => hit(call, found, now)))
  }

  const keep: AnswerCache["keep"] = (call, response, deadline) =>
    (call.settings.cache === "on" || call.settings.cache === "refresh") && LlmResponse.isComplete(response)
      ? Effect.flatMap(
        Clock.currentTimeMillis,
        (now) =>
          TimeLimit.timeoutFail(cache.set(call.key, response, call.settings.ttl), {
            // What was paid for must reach the caller before its deadline does.
            duration: Duration.min(cacheTimeout, Duration.millis((deadline - now) / 2)),
            onTimeout: () => failure("set", "timed out")
          })
      ).pipe(Effect.catchAllCause((cause) => failed(call, "set", cause)))
      : Effect.void

  return { atHand, find, keep }
}
