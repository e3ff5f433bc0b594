import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import type * as LlmEvent from "effect-llm/LlmEvent"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { timesOf } from "./targets.js"

export interface Options extends LlmTest.Options {
  /** Default: the standard options. */
  readonly client?: LlmClient.Options
  /** Default: a memory cache. */
  readonly cache?: LlmCache.Service
  /** Default: remembers the events. */
  readonly log?: LlmLogger.Service["log"]
}

/** A client, and the memory of its provider and of its logger. */
export interface ScriptedClient extends LlmTest.Service {
  readonly client: LlmClient.Service
  /** Provides the client. */
  readonly provide: <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E, Exclude<R, LlmClient.LlmClient>>
  /** The times at which the provider's requests started, in milliseconds of the Clock. */
  readonly times: Effect.Effect<ReadonlyArray<number>>
  readonly events: Effect.Effect<ReadonlyArray<LlmEvent.LlmEvent>>
  readonly eventLines: Effect.Effect<ReadonlyArray<string>>
}

/** A client as a value, on a provider that follows a script. */
export const scriptedClient = (
  script: LlmTest.Script,
  { cache, client, log, ...options }: Options = {}
): Effect.Effect<ScriptedClient, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { layer, provider: _, ...memory } = yield* LlmTest.make(script, { name: "scripted", ...options })
    const context = yield* Layer.build(
      LlmClient.layer(client).pipe(
        Layer.provide(log === undefined ? Layer.empty : Layer.succeed(LlmLogger.LlmLogger, { log })),
        Layer.provide([layer, cache === undefined ? LlmCache.layerMemory() : Layer.succeed(LlmCache.LlmCache, cache)]),
        Layer.provideMerge(LlmTest.layerLogger)
      )
    )
    const made = Context.get(context, LlmClient.LlmClient)
    return {
      ...memory,
      client: made,
      provide: Effect.provideService(LlmClient.LlmClient, made),
      times: timesOf(memory),
      events: Effect.provide(LlmTest.events, context),
      eventLines: Effect.provide(LlmTest.eventLines, context)
    }
  })

/** The events of attempts and calls in lines, without those of the cache. */
export const callLines = (events: ReadonlyArray<LlmEvent.LlmEvent>): ReadonlyArray<string> =>
  events.filter(({ _tag }) => _tag !== "CacheMiss" && _tag !== "CacheHit").map(LlmTest.eventLine)
