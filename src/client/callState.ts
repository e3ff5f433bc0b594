import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as CacheKey from "../domain/CacheKey.js"
import {
  InvalidRequest,
  LlmError,
  type Operation,
  type Reason,
  TimedOut,
  type TimedOutPhase,
  update
} from "../domain/LlmError.js"
import type * as LlmEvent from "../domain/LlmEvent.js"
import * as LlmRequest from "../domain/LlmRequest.js"
import { InvalidOption } from "../internal/check.js"
import type * as LlmCache from "../LlmCache.js"
import type * as LlmProvider from "../LlmProvider.js"
import { clockOf } from "../runtime/fiber.js"
import * as ClientOptions from "./options.js"

/** What a client works with. */
export interface Environment {
  readonly provider: LlmProvider.Service
  readonly cache: LlmCache.Service
  /** Reports an event. Never fails. */
  readonly log: (event: LlmEvent.LlmEvent) => Effect.Effect<void>
  /** Reports an event, which is made only if anybody listens: on the spot, or else by what it gives. */
  readonly tell: (event: () => LlmEvent.LlmEvent) => Effect.Effect<void> | undefined
  readonly settings: ClientOptions.ClientSettings
}

/** One call, and how far it has come. */
export interface Call {
  readonly operation: Operation
  /** What is asked, and its key: in each turn of a structured call something else. */
  request: LlmRequest.LlmRequest
  key: string
  readonly settings: ClientOptions.CallSettings
  /** In epoch milliseconds. */
  readonly started: number
  readonly deadline: number
  /** What every event of the call tells. */
  readonly common: LlmEvent.Common
  /** How many attempts were made so far, when the last of them was, and how it failed. */
  attempts: number
  /** How many requests the policies around the provider added to these. */
  extraRequests: number
  /** What was billed, in US dollars, and is in the cost of no answer yet; `undefined` where nobody knows. */
  spent: number | undefined
  /** How many parts of the call wait for a turn just now, since when, and how long that was before: milliseconds. */
  waiting: number
  waitingSince: number
  queuedFor: number
  attemptStarted: number
  lastError: LlmError | undefined
  /** Whether a stream gave no further part in time. */
  stalled: boolean
}

/** How long it is since a moment in epoch milliseconds. */
export const since = (moment: number): Effect.Effect<Duration.Duration> =>
  Effect.map(Clock.currentTimeMillis, (now) => Duration.millis(now - moment))

/** Does something when what may be still to be done is done. */
export const after = <A, E, R>(
  before: Effect.Effect<void> | undefined,
  next: () => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => before === undefined ? next() : Effect.flatMap(before, next)

/** Begins a call: checks the request and the options, fills in the defaults, derives the key. */
export const begin = (
  environment: Environment,
  operation: Operation,
  input: LlmRequest.Input,
  options?: ClientOptions.CallOptions
): Effect.Effect<Call, LlmError> =>
  Effect.withFiberRuntime((fiber) => {
    const call = beginIn(fiber, environment, operation, input, options)
    return call instanceof LlmError ? call : Effect.succeed(call)
  })

/** The same on the spot. */
export const beginIn = (
  fiber: Fiber.RuntimeFiber<unknown, unknown>,
  { provider: { endpoint, name }, settings: client }: Environment,
  operation: Operation,
  input: LlmRequest.Input,
  options?: ClientOptions.CallOptions
): Call | LlmError => {
  const request = LlmRequest.decodeSync(input, client.defaults, operation)
  return request instanceof LlmError ? request : checkedSync(operation, (): Call => {
    const region = Context.get(fiber.currentContext, ClientOptions.RegionOptions)
    const settings = ClientOptions.resolve(client.call, ClientOptions.merge(region, options))
    const started = clockOf(fiber).unsafeCurrentTimeMillis()
    return {
      operation,
      request,
      key: CacheKey.make(request, { provider: name, endpoint, namespace: settings.namespace }),
      settings,
      started,
      deadline: started + Duration.toMillis(settings.deadline),
      common: { provider: name, model: request.model, tags: settings.tags },
      attempts: 0,
      extraRequests: 0,
      spent: 0,
      waiting: 0,
      waitingSince: started,
      queuedFor: 0,
      attemptStarted: started,
      lastError: undefined,
      stalled: false
    }
  })
}

/** What a caller got wrong in its options or values is a failure of the call, not a defect. */
export const checked = <A>(operation: Operation, f: () => A): Effect.Effect<A, LlmError> =>
  Effect.suspend(() => {
    const value = checkedSync(operation, f)
    return value instanceof LlmError ? value : Effect.succeed(value)
  })

const checkedSync = <A>(operation: Operation, f: () => A): A | LlmError => {
  try {
    return f()
  } catch (thrown) {
    if (thrown instanceof InvalidOption) return invalid(operation, thrown.option, thrown.message)
    if (thrown instanceof CacheKey.NotCanonical) {
      return invalid(operation, thrown.path.replace(/^request\.?/, ""), thrown.message)
    }
    throw thrown
  }
}

const invalid = (operation: Operation, field: string, message: string): LlmError =>
  new LlmError({ operation, attempts: 0, reason: InvalidRequest.make({ field, message }) })

/** A failure of a call that is not the provider's. */
export const failure = (call: Call, reason: Reason): LlmError =>
  new LlmError({
    reason,
    operation: call.operation,
    attempts: call.attempts + call.extraRequests,
    provider: call.common.provider,
    model: call.request.model
  })

/** A limit of a call has passed. */
export const timedOut = (call: Call, phase: typeof TimedOutPhase.Type, limit: Duration.Duration): LlmError =>
  failure(
    call,
    TimedOut.make({
      phase,
      limit,
      ...(phase === "total" && call.lastError !== undefined && {
        message: `the last attempt had failed: ${call.lastError.message}`
      })
    })
  )

/** A failure of the provider, as one of this call: with what the provider cannot know. */
export const attemptFailed = (call: Call, error: LlmError): LlmError => {
  call.lastError = update(error, {
    operation: call.operation,
    attempts: call.attempts + call.extraRequests,
    provider: error.provider ?? call.common.provider,
    model: error.model ?? call.request.model
  })
  return call.lastError
}
