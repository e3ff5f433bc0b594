/** A process of a fleet: it makes the calls that its parent asks for, and reports their ends. */
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as RateLimit from "effect-llm/RateLimit"
import * as RedisStores from "effect-llm/RedisStores"
import * as UndiciTransport from "effect-llm/UndiciTransport"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { Job, Report } from "./job.js"

const send = (report: Report): void => {
  process.send!(report)
}

let go = Deferred.unsafeMake<void>(FiberId.none)

const run = ({ deadline, limits, member, prompts, service, store }: Job) => {
  const Provider = OpenAiChat.layer({ baseUrl: `${service}/v1`, apiKey: Redacted.make(`key-of-${member}`) }).pipe(
    RateLimit.limit({ ...limits, key: () => "fleet" }),
    Layer.provide(RedisStores.layerRateLimits(store)),
    Layer.provide(UndiciTransport.layer())
  )
  let unavailable = 0
  const Logger = LlmLogger.layerHandler((event) => {
    if (event._tag === "StoreUnavailable") unavailable++
  })
  const Live = LlmClient.layer({ deadline, retry: { times: 0 } }).pipe(
    Layer.provide([Provider, LlmCache.layerNone, Logger])
  )
  return Effect.gen(function*() {
    yield* LlmClient.LlmClient
    send({ _tag: "Ready" })
    yield* Deferred.await(go)
    const errors: Record<string, number> = {}
    let tokens = 0
    let longest = 0
    let answered = 0
    const began = performance.now()
    yield* LlmClient.callAll(
      Array.from({ length: prompts }, (_, i) => ({ model: "m", prompt: `Echo: ${member} ${i}`, maxTokens: 10 })),
      { concurrency: "unbounded" }
    ).pipe(Stream.runForEach(({ result }) =>
      Effect.sync(() => {
        longest = performance.now() - began
        if (Exit.isSuccess(result)) {
          answered++
          tokens += (result.value.usage.inputTokens ?? 0) + (result.value.usage.outputTokens ?? 0)
          return
        }
        const name = result.cause._tag === "Fail" ? result.cause.error.reason._tag : result.cause._tag
        errors[`${name}`] = (errors[`${name}`] ?? 0) + 1
      })
    ))
    send({ _tag: "Done", answered, errors, longest, tokens, unavailable })
  }).pipe(Effect.provide(Live))
}

process.on("message", (message: Job | "go") => {
  if (message === "go") {
    Deferred.unsafeDone(go, Effect.void)
    return
  }
  go = Deferred.unsafeMake(FiberId.none)
  Effect.runFork(run(message))
})
send({ _tag: "Ready" })
