import { assert } from "@effect/vitest"
import type * as LlmCache from "effect-llm/LlmCache"
import * as Cache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import type * as LlmEvent from "effect-llm/LlmEvent"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Supervisor from "effect/Supervisor"
import * as TestClock from "effect/TestClock"

// ---------------------------------------------------------------------------------------------------------------------
// Answers and failures
// ---------------------------------------------------------------------------------------------------------------------

type Fields = Parameters<typeof LlmResponse.make>[0]

export const respond = (text: string, fields: Partial<Fields> = {}): LlmResponse.LlmResponse =>
  LlmResponse.make({
    parts: [Message.Text.make({ text })],
    finishReason: "stop",
    model: "gpt-4o-mini-2024-07-18",
    provider: "scripted",
    usage: { inputTokens: 11, outputTokens: 7 },
    ...fields
  })

export const answer = (text: string, fields?: Partial<Fields>) => Effect.succeed(respond(text, fields))

/** An answer that takes its time. */
export const answerAfter = (duration: Duration.DurationInput, text: string) => Effect.delay(answer(text), duration)

export const failure = (
  reason: LlmError.Reason,
  fields: Partial<ConstructorParameters<typeof LlmError.LlmError>[0]> = {}
): LlmError.LlmError => new LlmError.LlmError({ operation: "call", attempts: 1, reason, ...fields })

export const serverFailed = failure(LlmError.ServerFailed.make({ message: "boom" }), { status: 500 })

export const unauthorized = failure(LlmError.AuthenticationFailed.make({}), { status: 401 })

export const rateLimited = (retryAfter?: Duration.DurationInput): LlmError.LlmError =>
  failure(
    LlmError.RateLimited.make(retryAfter === undefined ? {} : { retryAfter: Duration.decode(retryAfter) }),
    { status: 429 }
  )

export const request = { model: "gpt-4o-mini", prompt: "Name three rivers." } as const

// ---------------------------------------------------------------------------------------------------------------------
// A client on a provider that answers as told
// ---------------------------------------------------------------------------------------------------------------------

/** What the provider does: for each attempt in turn, or as a function of the request and the count of attempts from 1. */
export type Script =
  | ReadonlyArray<Effect.Effect<LlmResponse.LlmResponse, LlmError.LlmError>>
  | ((request: LlmRequest.LlmRequest, n: number) => Effect.Effect<LlmResponse.LlmResponse, LlmError.LlmError>)

export interface Options {
  /** Default: the standard options. */
  readonly client?: LlmClient.Options
  /** Default: a memory cache. */
  readonly cache?: LlmCache.Service
  /** Default: collects the events. */
  readonly log?: LlmLogger.Service["log"]
  readonly name?: string
  readonly endpoint?: string
}

export interface Pipeline {
  readonly client: LlmClient.Service
  /** The client as a layer, for what takes it from the context. */
  readonly provide: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, LlmClient.LlmClient>>
  /** What the provider was asked, and when (in milliseconds of the Clock). */
  readonly requests: Array<LlmRequest.LlmRequest>
  readonly times: Array<number>
  readonly events: Array<LlmEvent.LlmEvent>
  /** How many calls of the provider are under way, and how many were interrupted. */
  readonly provider: { running: number; mostRunning: number; interrupted: number }
}

export const make = Effect.fnUntraced(function*(script: Script, options: Options = {}) {
  const requests: Array<LlmRequest.LlmRequest> = []
  const times: Array<number> = []
  const events: Array<LlmEvent.LlmEvent> = []
  const provider = { running: 0, mostRunning: 0, interrupted: 0 }

  const call: LlmProvider.Service["call"] = (request) =>
    Effect.acquireUseRelease(
      Effect.map(Clock.currentTimeMillis, (now) => {
        requests.push(request)
        times.push(now)
        provider.running++
        provider.mostRunning = Math.max(provider.mostRunning, provider.running)
        return requests.length
      }),
      (n) =>
        typeof script === "function"
          ? script(request, n)
          : script[n - 1] ?? Effect.dieMessage(`The script has ${script.length} answers, and this is attempt ${n}`),
      () => Effect.sync(() => provider.running--)
    ).pipe(Effect.onInterrupt(() => Effect.sync(() => provider.interrupted++)))

  const context = yield* Layer.build(
    LlmClient.layer(options.client).pipe(
      Layer.provide(
        LlmProvider.layer({ name: options.name ?? "scripted", endpoint: options.endpoint ?? "memory:", call })
      ),
      Layer.provide(
        options.cache === undefined ? Cache.layerMemory() : Layer.succeed(Cache.LlmCache, options.cache)
      ),
      Layer.provide(
        Layer.succeed(LlmLogger.LlmLogger, {
          log: options.log ?? ((event) => Effect.sync(() => void events.push(event)))
        })
      )
    )
  )
  const pipeline: Pipeline = {
    client: Context.get(context, LlmClient.LlmClient),
    provide: Effect.provide(context),
    requests,
    times,
    events,
    provider
  }
  return pipeline
})

/** A cache that keeps nothing. */
export const noCache: LlmCache.Service = {
  get: () => Effect.succeedNone,
  set: () => Effect.void,
  remove: () => Effect.void
}

/** A memory cache with some of its functions replaced. */
export const cacheWith = (overrides: Partial<LlmCache.Service>) =>
  Effect.map(Cache.makeMemory(), (cache): LlmCache.Service => ({ ...cache, ...overrides }))

const millis = (duration: Duration.Duration | undefined) =>
  duration === undefined ? "" : ` ${Duration.toMillis(duration)}`

const reasonOf = ({ reason }: LlmError.LlmError) =>
  reason._tag === "TimedOut" ? `${reason._tag}(${reason.phase})` : reason._tag

/** Each event in a line: its name, the attempt, the reason, and the wait before the next attempt (in milliseconds). */
export const lines = (events: ReadonlyArray<LlmEvent.LlmEvent>): ReadonlyArray<string> =>
  events.map((event) => {
    switch (event._tag) {
      case "CallStarted":
      case "CallOk":
        return `${event._tag} ${event.attempt}`
      case "CallFailed":
        return `CallFailed ${event.attempt} ${reasonOf(event.error)} ${
          event.willRetry ? `retry${millis(event.delay)}` : "end"
        }`
      case "CallGaveUp":
        return `CallGaveUp ${event.attempts} ${reasonOf(event.error)}`
      case "CacheFailed":
        return `CacheFailed ${event.operation}`
      default:
        return event._tag
    }
  })

// ---------------------------------------------------------------------------------------------------------------------
// Time and fibers
// ---------------------------------------------------------------------------------------------------------------------

/** How an effect ends if that much time passes; a defect if it has not ended by then. */
export const within =
  (duration: Duration.DurationInput) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<Exit.Exit<A, E>, never, R> =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(self)
      yield* TestClock.adjust(duration)
      const exit = fiber.unsafePoll()
      if (exit === null) {
        yield* Effect.fork(Fiber.interrupt(fiber))
        return yield* Effect.dieMessage(`Still under way after ${Duration.format(duration)}`)
      }
      return exit
    })

/** Lets all others go on until they wait for something. */
export const settle = Effect.yieldNow().pipe(Effect.repeatN(50))

/** Runs an effect and asserts that no fiber it had started, daemons included, outlives it. */
export const leavingNoFiber = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    // The clock's own warning fiber would count otherwise.
    yield* TestClock.adjust(0)
    const supervisor = yield* Supervisor.track
    const exit = yield* Effect.exit(Effect.supervised(self, supervisor))
    // Where the effect has failed, that is what went wrong.
    if (exit._tag === "Success") assert.strictEqual((yield* supervisor.value).length, 0, "fibers left behind")
    return yield* exit
  })

/** The failure of an exit that must be a typed one. */
export const errorOf = (exit: Exit.Exit<unknown, LlmError.LlmError>): LlmError.LlmError => {
  assert(exit._tag === "Failure" && exit.cause._tag === "Fail", `Expected a failure, but got ${String(exit)}`)
  return exit.cause.error
}

/** The value of an exit that must be a success. */
export const valueOf = <A, E>(exit: Exit.Exit<A, E>): A => {
  assert(exit._tag === "Success", `Expected a success, but got ${String(exit)}`)
  return exit.value
}
