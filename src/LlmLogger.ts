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
import { format } from "./domain/eventEntry.js"
import { coloredLine, formatPretty } from "./domain/eventLine.js"
import type * as LlmEvent from "./domain/LlmEvent.js"

export { format } from "./domain/eventEntry.js"
export { formatPretty } from "./domain/eventLine.js"

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

/**
 * Logs each event through Effect's logger, with its fields as annotations: calls that failed for good as errors; failed
 * attempts, caches, stores and answers, fallbacks, corrected requests and opened circuits as warnings; cache misses,
 * starts, queues and spending at debug level; all others at info level. No field holds a prompt or an answer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<LlmLogger> = /* #__PURE__ */ Layer.succeed(LlmLogger, {
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
export const layerSilent: Layer.Layer<LlmLogger> = /* #__PURE__ */ Layer.succeed(LlmLogger, silent)

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
export const layerPretty: Layer.Layer<LlmLogger> = /* #__PURE__ */ Layer.sync(LlmLogger, () => {
  const lineOf = hasColors() ? coloredLine : formatPretty
  return {
    isImmediate: true,
    log: (event) => {
      const line = lineOf(event)
      return line === undefined ? Effect.void : Console.log(line)
    }
  }
})
