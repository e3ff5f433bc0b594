import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as LlmEvent from "../domain/LlmEvent.js"
import * as LlmRequest from "../domain/LlmRequest.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import { scrub } from "../domain/scrub.js"
import { CacheError } from "../LlmCache.js"
import { type Call, type Environment, since } from "./context.js"

/** Answers kept between calls. Whatever the store does, a call goes on. */
export interface AnswerCache {
  /** The answer that is there already, as this caller gets it. */
  readonly find: (call: Call) => Effect.Effect<LlmResponse.LlmResponse | undefined>
  /** Keeps an answer if it is whole; takes at most half of the time until the deadline, in epoch milliseconds. */
  readonly keep: (call: Call, response: LlmResponse.LlmResponse, deadline: number) => Effect.Effect<void>
}

const failure = (operation: "get" | "set", problem: string) => new CacheError({ operation, problem })

/** Makes the cache of a client. */
export const make = ({ cache, log, settings: { cacheTimeout } }: Environment): AnswerCache => {
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

  const lookUp = (call: Call): Effect.Effect<LlmResponse.LlmResponse | undefined> =>
    Effect.suspend(() => cache.get(call.key)).pipe(
      Effect.timeoutFail({ duration: cacheTimeout, onTimeout: () => failure("get", "timed out") }),
      Effect.flatMap(Option.match({
        onNone: () => Effect.succeed(undefined),
        onSome: (found) =>
          found instanceof LlmResponse.LlmResponse
            ? Effect.succeed(found)
            : Effect.fail(failure("get", "what it holds is no answer"))
      })),
      Effect.catchAllCause((cause) => Effect.as(failed(call, "get", cause), undefined))
    )

  const find: AnswerCache["find"] = (call) =>
    call.settings.cache === "on" || call.settings.cache === "readOnly"
      ? Effect.gen(function*() {
        const found = yield* lookUp(call)
        if (found === undefined) {
          yield* log(LlmEvent.CacheMiss(call.common))
          return undefined
        }
        const latency = yield* since(call.started)
        const response = LlmResponse.reuse(found, { origin: "cache", latency })
        yield* log(LlmEvent.CacheHit({ ...call.common, latency, response }))
        return response
      })
      : Effect.succeed(undefined)

  const keep: AnswerCache["keep"] = (call, response, deadline) =>
    (call.settings.cache === "on" || call.settings.cache === "refresh") && LlmResponse.isComplete(response)
      ? Effect.flatMap(
        Clock.currentTimeMillis,
        (now) =>
          Effect.suspend(() => cache.set(call.key, response, call.settings.ttl)).pipe(
            Effect.timeoutFail({
              // What was paid for must reach the caller before its deadline does.
              duration: Duration.min(cacheTimeout, Duration.millis((deadline - now) / 2)),
              onTimeout: () => failure("set", "timed out")
            }),
            Effect.catchAllCause((cause) => failed(call, "set", cause))
          )
      )
      : Effect.void

  return { find, keep }
}
