import { Terminal } from "@effect/platform"
import { Clock, Context, Duration, Effect, Layer } from "effect"
import type { LlmError, LlmEvent } from "effect-llm"
import { LlmLogger } from "effect-llm"
import { Results } from "./results.js"
import { wrap } from "./text.js"

/** How a run has ended. */
export interface Outcome {
  /** The first summary, if there is one. */
  readonly example: string | undefined
  /** The failure that all further documents would have met, if the run stopped at one. */
  readonly stoppedBy: LlmError.LlmError | undefined
  /** What became of the results; nothing, if the run stopped. */
  readonly written: string | undefined
}

/** The output of the job: its events as they happen, a progress bar below them, and a summary at the end. */
export class Report extends Context.Tag("quickstart/Report")<Report, {
  readonly begin: (options: { readonly description: string; readonly total: number }) => Effect.Effect<void>
  /** One more document has a result. */
  readonly progress: Effect.Effect<void>
  readonly end: (outcome: Outcome) => Effect.Effect<void>
  /** The person has pressed Ctrl-C. */
  readonly interrupted: Effect.Effect<void>
}>() {}

const width = 30

const colors = { good: 32, odd: 33, bad: 31 } as const

interface Line {
  readonly color: keyof typeof colors
  readonly sign: string
  readonly text: string
}

const seconds = (duration: Duration.Duration): string => `${Duration.toSeconds(duration).toFixed(2)} s`

const tokens = (count: number | undefined): string => count === undefined ? "?" : String(count)

const kindOf = ({ reason, status }: LlmError.LlmError): string =>
  status === undefined ? reason._tag : `${reason._tag} (status ${status})`

/** The line of an event. `explain` gives the whole message of an error at its first time. */
const lineOf = (event: LlmEvent.LlmEvent, explain: (error: LlmError.LlmError) => string): Line | undefined => {
  switch (event._tag) {
    case "CallOk": {
      const { usage } = event.response
      return {
        color: "good",
        sign: "✓",
        text: `${seconds(event.latency)}, attempt ${event.attempt}, ` +
          `${tokens(usage.inputTokens)} > ${tokens(usage.outputTokens)} tokens`
      }
    }
    case "CacheHit":
      return { color: "good", sign: "✓", text: "from the cache" }
    case "CallShared":
      return { color: "good", sign: "✓", text: "shared with an equal document" }
    case "CallFailed":
      return event.willRetry
        ? {
          color: "odd",
          sign: "…",
          text: `again in ${seconds(event.delay ?? Duration.zero)}: ${explain(event.error)}`
        }
        : undefined
    case "CallGaveUp":
      return { color: "bad", sign: "✗", text: explain(event.error) }
    case "CacheFailed":
      return { color: "odd", sign: "!", text: `the cache fails to ${event.operation} the answer: ${event.problem}` }
    default:
      return undefined
  }
}

/** The report, and the logger that feeds it. */
export const ReportLive = Layer.effectContext(Effect.gen(function*() {
  const terminal = yield* Terminal.Terminal
  const { areKept } = yield* Results
  const isInteractive = process.stdout.isTTY === true
  const hasColors = isInteractive && (process.env.NO_COLOR ?? "") === ""
  const display = (text: string) => Effect.ignore(terminal.display(text))

  const started = yield* Clock.currentTimeMillis
  const counts = { answered: 0, retries: 0, hits: 0, failed: 0, kept: 0, inputTokens: 0, outputTokens: 0 }
  const explained = new Set<string>()
  let endpoint: string | undefined
  let total = 0
  let completed = 0

  const bar = Effect.suspend(() => {
    const filled = total === 0 ? 0 : Math.round(width * completed / total)
    return display(`\r\x1b[K${"█".repeat(filled)}${"░".repeat(width - filled)} ${completed}/${total}`)
  })

  const line = (text: string) =>
    isInteractive ? Effect.zipRight(display(`\r\x1b[K${text}\n`), bar) : display(`${text}\n`)

  const paragraph = (text: string) =>
    display(`${isInteractive ? "\r\x1b[K" : ""}${text.split("\n").map((line) => wrap(line)).join("\n")}\n`)

  const explain = (error: LlmError.LlmError): string => {
    const kind = kindOf(error)
    const known = `${kind} ${error.reason.message ?? ""}`
    if (explained.has(known)) return kind
    explained.add(known)
    return error.message
  }

  const count = (event: LlmEvent.LlmEvent): void => {
    switch (event._tag) {
      case "CallOk":
        counts.answered++
        // Whole answers alone are kept.
        if (event.response.finishReason === "stop") counts.kept++
        counts.inputTokens += event.response.usage.inputTokens ?? 0
        counts.outputTokens += event.response.usage.outputTokens ?? 0
        return
      case "CacheHit":
        counts.hits++
        return
      case "CacheFailed":
        if (event.operation === "set") counts.kept--
        return
      case "CallFailed":
        if (event.willRetry) counts.retries++
        return
      case "CallGaveUp":
        counts.failed++
        endpoint = event.endpoint
    }
  }

  const logger: LlmLogger.Service = {
    log: (event) =>
      Effect.suspend(() => {
        count(event)
        const shown = lineOf(event, explain)
        if (shown === undefined) return Effect.void
        const text = wrap(shown.text, `${shown.sign} ${(event.tags?.document ?? "?").padEnd(14)} `)
        return line(hasColors ? `\x1b[${colors[shown.color]}m${text}\x1b[0m` : text)
      })
  }

  /** What a second run would find. */
  const advice = (): string => {
    const kept = counts.hits + Math.max(0, counts.kept)
    if (!areKept || kept === 0 || counts.hits === total) return ""
    return kept === total
      ? " Run it again: the cache has the answers."
      : ` Run it again: the cache has ${kept} of ${total} answers.`
  }

  return Context.empty().pipe(
    Context.add(LlmLogger.LlmLogger, logger),
    Context.add(Report, {
      begin: (options) =>
        Effect.suspend(() => {
          total = options.total
          return Effect.zipRight(paragraph(`${options.description}\n`), isInteractive ? bar : Effect.void)
        }),
      progress: Effect.suspend(() => {
        completed++
        return isInteractive ? bar : Effect.void
      }),
      interrupted: Effect.suspend(() =>
        paragraph(`Interrupted: ${counts.answered + counts.hits} of ${total} documents have an answer.${advice()}`)
      ),
      end: ({ example, stoppedBy, written }) =>
        Effect.gen(function*() {
          const time = ((yield* Clock.currentTimeMillis) - started) / 1000
          const { answered, failed, hits, inputTokens, outputTokens, retries } = counts
          yield* paragraph("")
          if (example !== undefined) yield* paragraph(`The first summary: ${example}\n`)
          yield* paragraph(
            `${total} documents · ${answered} answered by the model · ${hits} by the cache · ${failed} failed`
          )
          yield* paragraph(
            `${retries} retries · ${inputTokens} tokens in, ${outputTokens} out · ${time.toFixed(1)} seconds`
          )
          if (written !== undefined) yield* paragraph(`${written}${advice()}`)
          if (stoppedBy !== undefined) {
            yield* paragraph(`Stopped at ${stoppedBy.reason._tag}, which the other documents would meet, too.`)
            if (endpoint !== undefined) yield* paragraph(`The address is ${endpoint}`)
          }
        })
    })
  )
}))
