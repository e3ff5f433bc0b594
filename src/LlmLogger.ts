/**
 * The receiver of the client's events: Effect's logger, a handler of your own, or none.
 *
 * @since 0.1.0
 */
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import type { LlmError } from "./domain/LlmError.js"
import * as LlmEvent from "./domain/LlmEvent.js"
import type { LlmResponse } from "./domain/LlmResponse.js"
import { visible } from "./internal/visible.js"

/**
 * The interface of a logger.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** Receives an event. The call waits for it, so it should be quick; a defect in it is ignored. */
  readonly log: (event: LlmEvent.LlmEvent) => Effect.Effect<void>
  /** Whether `log` never waits, so that `layerMerge` can do without a fiber for it. Default: false. */
  readonly isImmediate?: boolean | undefined
  /** Whether events have the `request` of their call, with its prompt. Default: false. */
  readonly receivesRequests?: boolean | undefined
}

/**
 * The logger of a client.
 *
 * @since 0.1.0
 * @category services
 */
export class LlmLogger extends Context.Tag("effect-llm/LlmLogger")<LlmLogger, Service>() {}

const seconds = (duration: Duration.Duration): number => Math.round(Duration.toMillis(duration)) / 1000

const ofResponse = (response: LlmResponse) => ({
  request_id: response.requestId,
  finish_reason: response.finishReason,
  input_tokens: response.usage.inputTokens,
  output_tokens: response.usage.outputTokens,
  cost: response.cost
})

const ofError = (error: LlmError) => ({
  request_id: error.requestId,
  status: error.status,
  reason: error.reason._tag,
  error: error.message
})

interface Entry {
  readonly name: string
  readonly fields: Record<string, unknown>
}

const entry = (name: string, fields: Entry["fields"] = {}): Entry => ({ name, fields })

const levels: { readonly [Tag in LlmEvent.LlmEvent["_tag"]]: "Debug" | "Info" | "Warning" | "Error" } = {
  CacheHit: "Info",
  CacheMiss: "Debug",
  CacheFailed: "Warning",
  CallStarted: "Debug",
  CallOk: "Info",
  CallFailed: "Warning",
  CallGaveUp: "Error",
  CallInterrupted: "Info",
  CallShared: "Info",
  FellBack: "Warning",
  Hedged: "Info",
  RequestCorrected: "Warning",
  RateLimitQueued: "Debug",
  RateLimitWaited: "Info",
  RateLimitUsed: "Debug",
  CircuitOpened: "Warning",
  CircuitHalfOpened: "Info",
  CircuitClosed: "Info",
  OutputRejected: "Warning",
  BudgetSpent: "Debug",
  StoreUnavailable: "Warning"
}

/** The names and fields in the log. The first three are those of the Python client that this one began as. */
const toEntry: (event: LlmEvent.LlmEvent) => Entry = LlmEvent.match({
  CacheHit: (event) =>
    entry("llm_cache_hit", { latency_s: seconds(event.latency), attempt: 0, ...ofResponse(event.response) }),
  CallOk: (event) =>
    entry("llm_call_ok", {
      latency_s: seconds(event.latency),
      attempt: event.attempt,
      ...ofResponse(event.response)
    }),
  CallFailed: (event) =>
    entry("llm_call_failed", {
      latency_s: seconds(event.latency),
      attempt: event.attempt,
      ...ofError(event.error),
      will_retry: event.willRetry,
      delay_s: event.delay && seconds(event.delay)
    }),
  CallGaveUp: (event) =>
    entry("llm_call_gave_up", {
      latency_s: seconds(event.latency),
      attempt: event.attempts,
      ...ofError(event.error)
    }),
  CallInterrupted: (event) =>
    entry("llm_call_interrupted", { latency_s: seconds(event.latency), attempt: event.attempts }),
  CacheMiss: (event) => entry("llm_cache_miss", { latency_s: event.latency && seconds(event.latency) }),
  CacheFailed: (event) => entry("llm_cache_failed", { operation: event.operation, problem: event.problem }),
  CallStarted: (event) => entry("llm_call_started", { attempt: event.attempt }),
  CallShared: (event) =>
    entry("llm_call_shared", { latency_s: seconds(event.latency), attempt: 0, follower_id: event.followerId }),
  FellBack: ({ answer, error, to }) =>
    entry("llm_fell_back", { to, ...(error && ofError(error)), ...(answer && ofResponse(answer)) }),
  RequestCorrected: (event) =>
    entry("llm_request_corrected", {
      correction: event.correction,
      setting: event.setting,
      ...ofError(event.error)
    }),
  Hedged: (event) => entry("llm_hedged", { after_s: seconds(event.after) }),
  RateLimitQueued: (event) => entry("llm_rate_limit_queued", { ahead: event.ahead }),
  RateLimitWaited: (event) => entry("llm_rate_limit_waited", { waited_s: seconds(event.waited) }),
  RateLimitUsed: ({ concurrency, left, running }) =>
    entry("llm_rate_limit_used", {
      running,
      concurrency,
      requests_left: left.requests?.remaining,
      tokens_left: left.tokens?.remaining,
      input_tokens_left: left.inputTokens?.remaining,
      output_tokens_left: left.outputTokens?.remaining
    }),
  CircuitOpened: (event) => entry("llm_circuit_opened", { open_for_s: seconds(event.openFor) }),
  CircuitHalfOpened: () => entry("llm_circuit_half_opened"),
  CircuitClosed: () => entry("llm_circuit_closed"),
  OutputRejected: (event) =>
    entry("llm_output_rejected", {
      attempt: event.attempt,
      issues: event.issues,
      will_retry: event.willRetry
    }),
  BudgetSpent: (event) =>
    entry("llm_budget_spent", {
      scope: event.scope,
      tokens: event.tokens,
      cost: event.cost,
      tokens_left: event.tokensLeft,
      cost_left: event.costLeft
    }),
  StoreUnavailable: (event) => entry("llm_store_unavailable", { store: event.store, problem: event.problem })
})

const present = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

/**
 * The name of an event on the log, and its fields: `model` and, where they apply, `latency_s` and `attempt` first.
 *
 * @since 0.1.0
 * @category formatting
 */
export const format = (event: LlmEvent.LlmEvent): {
  /** `llm_call_ok`, `llm_call_failed`, `llm_cache_hit` ... */
  readonly name: string
  /** The level that `layer` logs it at. */
  readonly level: LogLevel.LogLevel["_tag"]
  /** Numbers and names; unknown ones are absent. */
  readonly fields: Readonly<Record<string, unknown>>
} => {
  const { fields: { attempt, latency_s, ...others }, name } = toEntry(event)
  const { callId, model, provider, tags } = event
  const own = present({ model, latency_s, attempt, provider, call_id: callId, ...others })
  // Spread twice, so that they are first and no tag replaces them.
  return { name, level: levels[event._tag], fields: { ...own, ...tags, ...own } }
}

/**
 * Logs each event through Effect's logger, with its fields as annotations: calls that failed for good as errors; failed
 * attempts, caches, stores and answers, fallbacks, corrected requests and opened circuits as warnings; cache misses,
 * starts, queues and spending at debug level; all others at info level. No field holds a prompt or an answer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<LlmLogger> = Layer.succeed(LlmLogger, {
  isImmediate: true,
  log: (event) =>
    Effect.suspend(() => {
      const { fields, level, name } = format(event)
      return Effect.annotateLogs(Effect.logWithLevel(LogLevel.fromLiteral(level), name), fields)
    })
})

/**
 * A logger that drops all events.
 *
 * @since 0.1.0
 * @category constructors
 */
export const silent: Service = { isImmediate: true, log: () => Effect.void }

/**
 * A logger that drops all events, as a layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerSilent: Layer.Layer<LlmLogger> = Layer.succeed(LlmLogger, silent)

/**
 * Passes each event to a function, which may return an Effect. It cannot fail; a defect in it is ignored.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmLogger } from "effect-llm"
 *
 * const counting = (onRetry: () => void) =>
 *   LlmLogger.layerHandler((event) =>
 *     Effect.sync(() => {
 *       if (event._tag === "CallFailed" && event.willRetry) onRetry()
 *     })
 *   )
 * ```
 */
export const layerHandler = (
  handler: (event: LlmEvent.LlmEvent) => Effect.Effect<void> | void
): Layer.Layer<LlmLogger> =>
  Layer.succeed(LlmLogger, {
    log: (event) =>
      Effect.suspend(() => {
        const handled = handler(event)
        return Effect.isEffect(handled) ? handled : Effect.void
      }).pipe(Effect.catchAllDefect(() => Effect.void))
  })

const safely = ({ log }: Service) => (event: LlmEvent.LlmEvent): Effect.Effect<void> =>
  Effect.catchAllCause(Effect.suspend(() => log(event)), () => Effect.void)

/** A logger that does not ask for requests gets none, whatever another one asks for. */
const withoutRequest = (event: LlmEvent.LlmEvent): LlmEvent.LlmEvent =>
  "request" in event && event.request !== undefined ? { ...event, request: undefined } : event

/** A logger as one of two, of which the other may ask for requests. */
const besides = (self: Service, that: Service): Service =>
  that.receivesRequests && !self.receivesRequests
    ? { ...self, log: (event) => self.log(withoutRequest(event)) }
    : self

/** How long a merged logger is waited for, where it does not answer at once. */
const longestReport = Duration.millis(500)

/** Logs within the limit, and does not wait for the end of a logger that hangs. */
const briefly = (logger: Service) => {
  const log = safely(logger)
  return (event: LlmEvent.LlmEvent): Effect.Effect<void> =>
    Effect.asVoid(Effect.timeoutOption(Effect.disconnect(log(event)), longestReport))
}

/**
 * Makes one logger of two, each of which receives all events. One that dies, hangs or is slow does not keep the other
 * from its events: both log at the same time, and an event waits for neither longer than 500 milliseconds. Requests go
 * only to the one that asks for them.
 *
 * @since 0.1.0
 * @category constructors
 */
export const merge = (self: Service, that: Service): Service => {
  const receivesRequests = self.receivesRequests === true || that.receivesRequests === true
  return { receivesRequests, ...together(besides(self, that), besides(that, self)) }
}

const together = (self: Service, that: Service): Pick<Service, "isImmediate" | "log"> => {
  const first = safely(self)
  const second = safely(that)
  if (self.isImmediate && that.isImmediate) {
    return { isImmediate: true, log: (event) => Effect.zipRight(first(event), second(event)) }
  }
  if (self.isImmediate) return { log: (event) => Effect.zipRight(first(event), briefly(that)(event)) }
  if (that.isImmediate) return together(that, self)
  return {
    log: (event) => Effect.zip(briefly(self)(event), briefly(that)(event), { concurrent: true })
  }
}

/**
 * Adds another logger to that of a layer: both receive all events, and one that dies or hangs does not keep the other from
 * its events. An event waits for neither longer than 500 milliseconds.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { LlmLogger, LlmMetrics } from "effect-llm"
 *
 * const Logger = LlmLogger.layer.pipe(LlmLogger.layerMerge(LlmMetrics.layer))
 * ```
 */
export const layerMerge: {
  <E2, R2>(
    that: Layer.Layer<LlmLogger, E2, R2>
  ): <E, R>(self: Layer.Layer<LlmLogger, E, R>) => Layer.Layer<LlmLogger, E | E2, R | R2>
  <E, R, E2, R2>(
    self: Layer.Layer<LlmLogger, E, R>,
    that: Layer.Layer<LlmLogger, E2, R2>
  ): Layer.Layer<LlmLogger, E | E2, R | R2>
} = dual(
  2,
  <E, R, E2, R2>(
    self: Layer.Layer<LlmLogger, E, R>,
    that: Layer.Layer<LlmLogger, E2, R2>
  ): Layer.Layer<LlmLogger, E | E2, R | R2> =>
    Layer.zipWith(
      self,
      that,
      (one, other) => Context.make(LlmLogger, merge(Context.get(one, LlmLogger), Context.get(other, LlmLogger)))
    )
)

// ---------------------------------------------------------------------------------------------------------------------
// Development
// ---------------------------------------------------------------------------------------------------------------------

const colors = { ok: 32, saved: 36, failed: 31 } as const

const fitting = (text: string, width: number): string =>
  (text.length > width ? `${text.slice(0, width - 1)}…` : text).padEnd(width)

const shownTime = (duration: Duration.Duration): string => {
  const millis = Math.round(Duration.toMillis(duration))
  return millis < 1000 ? `${millis} ms` : `${(millis / 1000).toFixed(millis < 10_000 ? 2 : 1)} s`
}

const shownCost = (cost: number | undefined): string => {
  if (cost === undefined) return ""
  return cost > 0 && cost < 0.0001 ? "<$0.0001" : `$${cost.toFixed(4)}`
}

const shownTokens = ({ usage: { inputTokens, outputTokens } }: LlmResponse): string =>
  inputTokens === undefined && outputTokens === undefined ? "" : `${inputTokens ?? "?"} > ${outputTokens ?? "?"} tokens`

const attemptsOf = (count: number): string => count === 1 ? "1 request" : `${count} requests`

/** The columns of a call that has ended. */
interface Row {
  readonly color: keyof typeof colors
  readonly sign: string
  readonly latency: Duration.Duration
  readonly way: string
  readonly tokens?: string
  readonly cost?: string
  readonly note?: string
}

const rowOf = (event: LlmEvent.LlmEvent): Row | undefined => {
  switch (event._tag) {
    case "CallOk": {
      const { response } = event
      return {
        color: "ok",
        sign: "✓",
        latency: response.latency,
        way: attemptsOf(response.attempts),
        tokens: shownTokens(response),
        cost: shownCost(response.cost),
        note: [
          response.finishReason === "stop" ? "" : response.finishReason,
          response.queuedFor === undefined ? "" : `queued for ${shownTime(response.queuedFor)}`
        ].filter((note) => note !== "").join(", ")
      }
    }
    case "CacheHit":
      return { color: "saved", sign: "✓", latency: event.latency, way: "cache", tokens: shownTokens(event.response) }
    case "CallShared":
      return { color: "saved", sign: "✓", latency: event.latency, way: "shared" }
    case "CallGaveUp":
      return {
        color: "failed",
        sign: "✗",
        latency: event.latency,
        way: attemptsOf(event.attempts),
        note: event.error.message
      }
    default:
      return undefined
  }
}

/**
 * The line of `layerPretty` for an event, without colours; `undefined` for an event that does not end a call.
 *
 * @since 0.1.0
 * @category formatting
 */
export const formatPretty = (event: LlmEvent.LlmEvent): string | undefined => {
  const row = rowOf(event)
  return row && lineOf(event, row)
}

const lineOf = ({ model }: LlmEvent.LlmEvent, { cost = "", latency, note = "", sign, tokens = "", way }: Row): string =>
  [
    sign,
    fitting(visible(model), 24),
    shownTime(latency).padStart(8),
    way.padEnd(11),
    tokens.padStart(20),
    cost.padStart(9),
    visible(note)
  ].join("  ").trimEnd()

/** Whether a terminal that shows colours reads the standard output. */
const hasColors = (): boolean => {
  const { process } = globalThis as {
    readonly process?: {
      readonly stdout?: { readonly isTTY?: boolean }
      readonly env?: { readonly [name: string]: string | undefined }
    }
  }
  return process?.stdout?.isTTY === true && (process.env?.NO_COLOR ?? "") === ""
}

/**
 * A logger for development: one aligned line on the `Console` for each answer and each call that failed, with model, time,
 * requests, tokens in and out, cost, and the reason of a failure. Colours are used where standard output is a terminal and
 * `NO_COLOR` is not set. No line holds a prompt or an answer.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { LlmCache, LlmClient, LlmLogger, OpenAi } from "effect-llm"
 *
 * const Client = LlmClient.layer().pipe(
 *   Layer.provide([OpenAi.layerConfig({}), LlmCache.layerMemory(), LlmLogger.layerPretty]),
 *   Layer.provide(FetchHttpClient.layer)
 * )
 * ```
 */
export const layerPretty: Layer.Layer<LlmLogger> = Layer.sync(LlmLogger, () => {
  const colored = hasColors()
  return {
    isImmediate: true,
    log: (event) => {
      const row = rowOf(event)
      if (row === undefined) return Effect.void
      const line = lineOf(event, row)
      return Console.log(colored ? `\u001b[${colors[row.color]}m${line}\u001b[0m` : line)
    }
  }
})
