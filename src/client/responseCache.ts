import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as LlmEvent from "../domain/LlmEvent.js"
import * as LlmRequest from "../domain/LlmRequest.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import * as OnTheSpot from "../domain/onTheSpot.js"
import { scrub } from "../internal/scrub.js"
import { CacheError } from "../LlmCache.js"
import * as TimeLimit from "../runtime/timeLimit.js"
import { after, type Call, type Environment } from "./callState.js"

/** Answers kept between calls. Whatever the store does, a call goes on. */
export interface AnswerCache {
  /**
   * What the cache has in memory, as far as that tells: the answer, as this caller gets it, or that there is none, which
   * `missed` is to report.
   */
  readonly atHand: (call: Call) => Option.Option<Effect.Effect<LlmResponse.LlmResponse>> | undefined
  readonly missed: (call: Call) => Effect.Effect<void> | undefined
  /** The answer that is there already, as this caller gets it. Reports whether there is one. */
  readonly find: (call: Call) => Effect.Effect<LlmResponse.LlmResponse | undefined>
  /**
   * Keeps an answer if it is whole, on the spot or else by what it gives; takes at most half of the time until the
   * deadline. Both moments are in epoch milliseconds.
   */
  readonly keep: (
    call: Call,
    response: LlmResponse.LlmResponse,
    now: number,
    deadline: number
  ) => Effect.Effect<void> | undefined
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

  const reads = ({ settings: { cache } }: Call): boolean => cache === "on" || cache === "readOnly"

  const missed: AnswerCache["missed"] = (call) => reads(call) ? tell(() => LlmEvent.CacheMiss(call.common)) : undefined

  const hit = (call: Call, found: LlmResponse.LlmResponse, now: number) => {
    const latency = Duration.millis(now - call.started)
    const response = LlmResponse.reuse(found, { origin: "cache", latency })
    const told = tell(() => LlmEvent.CacheHit({ ...call.common, latency, response }))
    return after(told, () => Effect.succeed(response))
  }

  const getInMemory = OnTheSpot.get.of(cache.get)
  const setInMemory = OnTheSpot.set.of(cache.set)

  const atHand: AnswerCache["atHand"] = (call) => {
    if (!reads(call)) return Option.none()
    const known = getInMemory?.(call.key, call.started)
    if (known === undefined) return undefined
    if (Option.isNone(known)) return Option.none()
    return known.value instanceof LlmResponse.LlmResponse
      ? Option.some(hit(call, known.value, call.started))
      : undefined
  }

  const find: AnswerCache["find"] = (call) => {
    const known = atHand(call)
    if (known !== undefined && Option.isSome(known)) return known.value
    const found = known === undefined ? lookUp(call) : Effect.succeed(undefined)
    return Effect.flatMap(found, (found) =>
      found === undefined
        ? Effect.as(missed(call) ?? Effect.void, undefined)
        : Effect.flatMap(Clock.currentTimeMillis, (now) => hit(call, found, now)))
  }

  const keep: AnswerCache["keep"] = (call, response, now, deadline) => {
    const { cache: mode, ttl } = call.settings
    if ((mode !== "on" && mode !== "refresh") || !LlmResponse.isComplete(response)) return undefined
    if (setInMemory !== undefined) {
      try {
        setInMemory(call.key, response, ttl, now)
        return undefined
      } catch (thrown) {
        return failed(call, "set", Cause.die(thrown))
      }
    }
    return TimeLimit.timeoutFail(Effect.suspend(() => cache.set(call.key, response, ttl)), {
      // What was paid for must reach the caller before its deadline does.
      duration: Duration.min(cacheTimeout, Duration.millis((deadline - now) / 2)),
      onTimeout: () => failure("set", "timed out")
    }).pipe(Effect.catchAllCause((cause) => failed(call, "set", cause)))
  }

  return { atHand, missed, find, keep }
}
