import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as LlmResponse from "../../domain/LlmResponse.js"
import * as Message from "../../domain/Message.js"
import type * as LlmCache from "../../LlmCache.js"
import * as Elapsed from "../../runtime/elapsed.js"
import { expect, same, Violation } from "../conformance/check.js"
import { freshKey, type Harness, inTime, make, members, onceBack, type StoreCheck } from "./check.js"

/** An answer with something of everything. */
const answer = (text: string): LlmResponse.LlmResponse =>
  LlmResponse.make({
    parts: [
      Message.Reasoning.make({ text: "hm", signature: "c2ln", provider: "anthropic" }),
      Message.Text.make({ text }),
      Message.ToolCall.make({ id: "call_1", name: "f", arguments: { list: [1, null, "ä\u0000🦦"] } })
    ],
    finishReason: "tool_calls",
    usage: { inputTokens: 11, cachedInputTokens: 3, outputTokens: 7 },
    model: "claude-haiku-4-5",
    provider: "anthropic",
    requestId: "req_1",
    cost: 0.000012,
    latency: Duration.millis(1234.5),
    rateLimit: { requests: { limit: 50, resetAfter: Duration.seconds(1) } },
    providerMetadata: { service_tier: "standard" }
  })

const works = <A>(operation: Effect.Effect<A, LlmCache.CacheError>): Effect.Effect<A, Violation> =>
  Effect.mapError(operation, ({ message }) => new Violation({ expected: "an operation that works", actual: message }))

/** The checks of a cache. */
export const caches = (harness: Harness<LlmCache.Service>): ReadonlyArray<StoreCheck> => {
  const { patience = 1_000, server } = harness

  const holds = (cache: LlmCache.Service, key: string, text: string | undefined) =>
    Effect.flatMap(works(cache.get(key)), (found) =>
      same(
        "the answer",
        Option.isSome(found) ? found.value : "none",
        text === undefined ? "none" : answer(text)
      ))

  const general = [
    make(
      "gives back the answer of any member, and nothing for other keys",
      Effect.gen(function*() {
        const [one, other] = yield* members(harness, 2)
        const [key, unknown] = [freshKey(), freshKey()]
        yield* works(one!.set(key, answer("Elbe")))
        yield* holds(other!, key, "Elbe")
        yield* holds(other!, unknown, undefined)
        yield* works(other!.set(key, answer("Oder")))
        yield* holds(one!, key, "Oder")
        yield* works(one!.remove(key))
        yield* works(one!.remove(key))
        yield* holds(other!, key, undefined)
      })
    ),
    make(
      "keeps any text, and long ones",
      Effect.gen(function*() {
        const cache = yield* harness.join
        for (const text of ["", "'; drop table --", "ä\u0000\u2028🦦\"\\", "x".repeat(1_000_000)]) {
          const key = freshKey()
          yield* works(cache.set(key, answer(text)))
          yield* holds(cache, key, text)
        }
      })
    ),
    make(
      "forgets an answer when its time is over, and keeps others",
      Effect.gen(function*() {
        const cache = yield* harness.join
        /** Keeps an answer for a time: for a longer one where that was over before anybody could look. */
        const keptFor = (
          millis: number
        ): Effect.Effect<{ readonly millis: number; readonly short: string }, Violation> =>
          Effect.gen(function*() {
            const short = freshKey()
            const began = yield* Elapsed.now
            yield* works(cache.set(short, answer("Elbe"), Duration.millis(millis)))
            const found = yield* works(cache.get(short))
            if (Option.isNone(found) && (yield* Elapsed.now) - began >= millis) return yield* keptFor(4 * millis)
            yield* same("the answer", Option.isSome(found) ? found.value : "none", answer("Elbe"))
            return { millis, short }
          })
        const [long, forever] = [freshKey(), freshKey()]
        yield* works(cache.set(long, answer("Oder"), "1 hour"))
        yield* works(cache.set(forever, answer("Rhine"), Duration.infinity))
        const { millis, short } = yield* keptFor(150)
        yield* Effect.sleep(Duration.millis(millis + 10))
        yield* holds(cache, short, undefined)
        yield* holds(cache, long, "Oder")
        yield* holds(cache, forever, "Rhine")
      })
    ),
    make(
      "keeps nothing for a time of zero, and drops the old answer",
      Effect.gen(function*() {
        const cache = yield* harness.join
        const key = freshKey()
        yield* works(cache.set(key, answer("Elbe")))
        yield* works(cache.set(key, answer("Oder"), 0))
        yield* holds(cache, key, undefined)
      })
    ),
    make(
      "holds one whole answer of many that are set at once",
      Effect.gen(function*() {
        const caches = yield* members(harness, 4)
        const key = freshKey()
        const texts = Array.from({ length: 40 }, (_, i) => `${i} `.repeat(1_000))
        yield* Effect.forEach(texts, (text, i) => works(caches[i % 4]!.set(key, answer(text))), {
          concurrency: "unbounded"
        })
        const found = yield* works(caches[0]!.get(key))
        yield* expect(Option.isSome(found) && texts.includes(found.value.text), "one of them", found)
      })
    )
  ]
  if (server === undefined) return general

  return [
    ...general,
    make(
      "fails in time while the server hangs, and works again when it is back",
      Effect.gen(function*() {
        const cache = yield* harness.join
        const key = freshKey()
        yield* works(cache.set(key, answer("Elbe")))
        yield* server.hang
        yield* Effect.ensuring(
          Effect.gen(function*() {
            for (const operation of [cache.get(key), cache.set(key, answer("Oder")), cache.remove(freshKey())]) {
              const result = yield* inTime("an operation", patience, Effect.either(operation))
              yield* expect(Either.isLeft(result), "a CacheError", result)
            }
          }),
          server.resume
        )
        yield* onceBack(Effect.either(cache.get(key)), Either.isRight)
      })
    ),
    make(
      "fails in time while the server is gone, and keeps answers again when it is back",
      Effect.gen(function*() {
        const cache = yield* harness.join
        const key = freshKey()
        yield* works(cache.set(key, answer("Elbe")))
        yield* server.stop
        yield* Effect.ensuring(
          Effect.gen(function*() {
            for (const operation of [cache.get(key), cache.set(key, answer("Oder")), cache.remove(freshKey())]) {
              const result = yield* inTime("an operation", patience, Effect.either(operation))
              yield* expect(Either.isLeft(result), "a CacheError", result)
            }
          }),
          server.start
        )
        yield* onceBack(Effect.either(cache.set(key, answer("Rhine"))), Either.isRight)
        yield* holds(cache, key, "Rhine")
      })
    )
  ]
}
