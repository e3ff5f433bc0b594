import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as AnswerSoFar from "../domain/answerSoFar.js"
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
import * as LlmCache from "../LlmCache.js"
import * as LlmLogger from "../LlmLogger.js"
import * as LlmProvider from "../LlmProvider.js"
import * as Elapsed from "../runtime/elapsed.js"
import type * as GenAiSpan from "../telemetry/genAiSpan.js"
import * as ChunkClock from "./chunkClock.js"
import * as ClientOptions from "./options.js"

/** The services and settings of a client. */
export interface Environment {
  readonly provider: LlmProvider.Service
  readonly cache: LlmCache.Service
  /** Reports an event. It never fails. */
  readonly log: (event: LlmEvent.LlmEvent) => Effect.Effect<void>
  /** Whether a logger receives events, and whether it receives them with the requests of calls. */
  readonly isListening: boolean
  readonly reportsRequests: boolean
  readonly settings: ClientOptions.ClientSettings
  /** The id of a new call, and its place in the order in which calls began. */
  readonly nextCall: () => { readonly callId: string; readonly order: number }
}

/** Makes the environment of a client, and checks its options. */
export const makeEnvironment = (
  options: ClientOptions.Options
): Effect.Effect<Environment, never, LlmProvider.LlmProvider | LlmCache.LlmCache | LlmLogger.LlmLogger> =>
  Effect.gen(function*() {
    const logger = yield* LlmLogger.LlmLogger
    const client = yield* Random.nextIntBetween(0, 36 ** 6)
    let calls = 0
    return {
      provider: yield* LlmProvider.LlmProvider,
      cache: yield* LlmCache.LlmCache,
      settings: yield* ClientOptions.check(options),
      // A logger that dies must not take the call with it.
      log: logger === LlmLogger.silent
        ? logger.log
        : (event) => Effect.catchAllCause(Effect.suspend(() => logger.log(event)), () => Effect.void),
      isListening: logger !== LlmLogger.silent,
      reportsRequests: logger.receivesRequests === true,
      nextCall: () => {
        const order = ++calls
        return { callId: `${client.toString(36)}-${order}`, order }
      }
    }
  })

/** One call, or one turn of a conversation about a value. Moments are those of `Elapsed`. */
export interface Call {
  readonly operation: Operation
  readonly request: LlmRequest.LlmRequest
  readonly key: string
  readonly settings: ClientOptions.CallSettings
  readonly started: number
  readonly deadline: number
  /** Its place in the order in which the calls of its client began: several may begin at the same moment. */
  readonly order: number
  /** The fields that all events of the call have. */
  readonly common: LlmEvent.Common & { readonly callId: string }
  /** Whether the tool choice is the client's own, for the answer of `object`, instead of the program's. */
  readonly prefersTool?: boolean
  readonly progress: Progress
}

/** The progress of a call, over all of its turns. */
export interface Progress {
  attempts: number
  /** The requests that policies around the provider have added to the attempts. */
  extraRequests: number
  /** The US dollars that are in the cost of no answer yet; `undefined` if a price is not known. */
  spent: number | undefined
  /** The milliseconds that attempts have waited in queues. */
  queuedFor: number
  attemptStarted: number
  lastError: LlmError | undefined
  /** The service's id of an answer in the background. */
  responseId: string | undefined
  /** Whether a stream has exceeded the time for its next part. */
  isStalled: boolean
  /** The run that it waits for, of its own or of an equal call. */
  run: Run | undefined
}

/** An answer under way, for one caller or for several equal calls. */
export interface Run {
  /** The call that began it, and the budget region that it is charged to. */
  readonly call: Call
  readonly region: string
  /** The latest deadline of its callers. */
  deadline: number
  /** Whether the deadline has ended it, instead of a failed attempt. */
  isPastDeadline: boolean
  /** Whether a caller wants the answer to be kept, and for how long; by default for the cache's own time to live. */
  keeps: boolean
  ttl: Duration.Duration | undefined
  /** Whether one of its callers has kept the answer, where the run itself does not. */
  isKept: boolean
  /** The start of its first attempt. */
  firstStarted: number | undefined
  /** The targets that its attempts have asked. */
  readonly asked: LlmProvider.AskedTargets
  /** The times of the pieces of the last attempt's answer, and what they have brought. */
  readonly chunks: ChunkClock.ChunkClock
  readonly answer: AnswerSoFar.AnswerSoFar
}

/** Begins a call: decodes the request, checks the options, fills in the defaults and derives the key. */
export const begin = (
  environment: Environment,
  operation: Operation,
  input: LlmRequest.Input,
  options?: ClientOptions.CallOptions,
  /** The call of which this is a further turn. */
  previous?: Call
): Effect.Effect<Call, LlmError> =>
  Effect.flatMap(
    LlmRequest.decode(input, environment.settings.defaults, operation),
    (request) => beginWith(environment, operation, request, (scope) => CacheKey.make(request, scope), options, previous)
  )

/** Begins a call with a checked request and its own key. */
export const beginWith = Effect.fnUntraced(function*(
  { nextCall, provider: { endpoint, name }, settings: client }: Environment,
  operation: Operation,
  request: LlmRequest.LlmRequest,
  keyOf: (scope: CacheKey.Scope) => string,
  options?: ClientOptions.CallOptions,
  previous?: Call
) {
  const region = yield* ClientOptions.RegionOptions
  const now = yield* Elapsed.now
  return yield* checked(operation, (): Call => {
    const settings = ClientOptions.resolve(client.call, ClientOptions.merge(region, options))
    const key = keyOf({ provider: name, endpoint, namespace: settings.namespace })
    if (previous !== undefined) return { ...previous, request, key }
    const { callId, order } = nextCall()
    return {
      operation,
      request,
      key,
      settings,
      started: now,
      deadline: now + Duration.toMillis(settings.deadline),
      order,
      common: { callId, provider: name, model: request.model, tags: settings.tags },
      progress: beginProgress(now)
    }
  })
})

/** One of several requests of a call, which are sent at the same time, each with its own progress. */
export const partOf = (call: Call, request: LlmRequest.LlmRequest, key: string): Call => ({
  ...call,
  request,
  key,
  progress: beginProgress(call.started)
})

const beginProgress = (now: number): Progress => ({
  attempts: 0,
  extraRequests: 0,
  spent: 0,
  queuedFor: 0,
  attemptStarted: now,
  lastError: undefined,
  responseId: undefined,
  isStalled: false,
  run: undefined
})

/** Begins the run of a call's answer. */
export const beginRun = (call: Call, region = ""): Run => {
  const run: Run = {
    call,
    region,
    deadline: call.deadline,
    isPastDeadline: false,
    keeps: ClientOptions.keeps(call.settings),
    ttl: call.settings.ttl,
    isKept: false,
    firstStarted: undefined,
    asked: new Map(),
    chunks: ChunkClock.make(),
    answer: AnswerSoFar.make()
  }
  call.progress.run = run
  return run
}

/** A caller's mistake in its options or values is a failure of the call, not a defect. */
export const checked = <A>(operation: Operation, f: () => A): Effect.Effect<A, LlmError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(f())
    } catch (thrown) {
      if (thrown instanceof InvalidOption) return invalid(operation, thrown.option, thrown.message)
      if (thrown instanceof CacheKey.NotCanonical) {
        return invalid(operation, thrown.path.replace(/^request\.?/, ""), thrown.message)
      }
      throw thrown
    }
  })

const invalid = (operation: Operation, field: string, message: string): LlmError =>
  new LlmError({ operation, attempts: 0, reason: InvalidRequest.make({ field, message }) })

/** A run, for its span. */
export const subjectOf = (
  { provider, settings: { traceContent } }: Environment,
  { call: { progress, request, settings }, chunks }: Run,
  streaming = settings.streaming
): GenAiSpan.Subject => ({
  provider,
  request,
  streaming,
  content: traceContent,
  chunks: chunks.times,
  attempt: () => progress.attempts
})

/** The request of a call in its events, if a logger asks for it. */
export const reported = (
  { reportsRequests }: Environment,
  { request }: Call
): { readonly request?: LlmRequest.LlmRequest } => reportsRequests ? { request } : {}

/** The number of requests that a call has made. */
export const requestsOf = ({ progress }: Call): number => progress.attempts + progress.extraRequests

/** A failure of a call itself, not of the provider. */
export const failure = (call: Call, reason: Reason): LlmError => {
  const { responseId, run } = call.progress
  const partial = run?.answer.partial()
  return new LlmError({
    reason,
    operation: call.operation,
    attempts: requestsOf(call),
    provider: call.common.provider,
    model: call.request.model,
    ...(responseId !== undefined && { responseId }),
    ...(partial !== undefined && { partial })
  })
}

/** A limit of a call has passed. */
export const timedOut = (call: Call, phase: typeof TimedOutPhase.Type): LlmError => {
  const { lastError } = call.progress
  return failure(
    call,
    TimedOut.make({
      phase,
      limit: limitOf(call, phase),
      ...(phase === "total" && lastError !== undefined && {
        message: `the last attempt had failed: ${lastError.message}`
      })
    })
  )
}

const limitOf = ({ settings }: Call, phase: typeof TimedOutPhase.Type): Duration.Duration => {
  switch (phase) {
    case "firstPart":
      return settings.firstPartTimeout
    case "idle":
      return settings.idleTimeout
    case "total":
      return settings.deadline
    default:
      return settings.timeout
  }
}

/** The failure of an attempt as a failure of its call, with the facts that the provider cannot know. */
export const attemptFailed = ({ answer, call, isPastDeadline }: Run, error: LlmError): LlmError => {
  if (isPastDeadline) return error
  const partial = error.partial ?? answer.partial()
  const failed = update(error, {
    operation: call.operation,
    attempts: requestsOf(call),
    provider: error.provider ?? call.common.provider,
    model: error.model ?? call.request.model,
    ...(partial !== undefined && { partial })
  })
  call.progress.lastError = failed
  return failed
}
