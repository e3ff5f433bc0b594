import * as Duration from "effect/Duration"
import { visible } from "../internal/visible.js"
import type * as LlmEvent from "./LlmEvent.js"
import type { LlmResponse } from "./LlmResponse.js"

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

/** The same line, in the colour of its outcome. */
export const coloredLine = (event: LlmEvent.LlmEvent): string | undefined => {
  const row = rowOf(event)
  return row && `\u001b[${colors[row.color]}m${lineOf(event, row)}\u001b[0m`
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
