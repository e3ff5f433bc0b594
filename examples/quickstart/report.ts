import { Terminal } from "@effect/platform"
import { Clock, Context, Effect, Layer } from "effect"
import { LlmLogger } from "effect-llm"

/** The output of the job: its events as they happen, a progress bar below them, and a summary at the end. */
export class Report extends Context.Tag("quickstart/Report")<Report, {
  readonly begin: (total: number) => Effect.Effect<void>
  readonly progress: (completed: number) => Effect.Effect<void>
  readonly end: (options: { readonly example: string | undefined }) => Effect.Effect<void>
}>() {}

const width = 30

const shown = ["attempt", "latency_s", "status", "reason", "will_retry", "delay_s", "input_tokens", "output_tokens"]

const show = (fields: Readonly<Record<string, unknown>>): string =>
  shown.filter((name) => name in fields).map((name) => `${name}=${String(fields[name])}`).join(" ")

/** The report, and the logger that feeds it. */
export const ReportLive = Layer.effectContext(Effect.gen(function*() {
  const terminal = yield* Terminal.Terminal
  const isInteractive = process.stdout.isTTY === true
  const display = (text: string) => Effect.ignore(terminal.display(text))

  const started = yield* Clock.currentTimeMillis
  const counts = { answered: 0, retries: 0, hits: 0, failed: 0, inputTokens: 0, outputTokens: 0 }
  let total = 0
  let completed = 0

  const bar = Effect.suspend(() => {
    const filled = total === 0 ? 0 : Math.round(width * completed / total)
    return display(`\r\x1b[K${"█".repeat(filled)}${"░".repeat(width - filled)} ${completed}/${total}`)
  })

  const line = (text: string) =>
    isInteractive ? Effect.zipRight(display(`\r\x1b[K${text}\n`), bar) : display(`${text}\n`)

  const logger: LlmLogger.Service = {
    log: (event) => {
      if (event._tag === "CallOk") {
        counts.answered++
        counts.inputTokens += event.response.usage.inputTokens ?? 0
        counts.outputTokens += event.response.usage.outputTokens ?? 0
      }
      if (event._tag === "CacheHit") counts.hits++
      if (event._tag === "CallFailed" && event.willRetry) counts.retries++
      if (event._tag === "CallGaveUp") counts.failed++
      const { fields, level, name } = LlmLogger.format(event)
      return level === "Debug" ? Effect.void : line(`${name.padEnd(15)} ${show(fields)}`)
    }
  }

  return Context.empty().pipe(
    Context.add(LlmLogger.LlmLogger, logger),
    Context.add(Report, {
      begin: (documents) =>
        Effect.suspend(() => {
          total = documents
          return isInteractive ? bar : Effect.void
        }),
      progress: (done) =>
        Effect.suspend(() => {
          completed = done
          return isInteractive ? bar : Effect.void
        }),
      end: ({ example }) =>
        Effect.gen(function*() {
          const seconds = ((yield* Clock.currentTimeMillis) - started) / 1000
          const { answered, failed, hits, inputTokens, outputTokens, retries } = counts
          yield* display([
            isInteractive ? "\n" : "",
            ...(example === undefined ? [] : [`\nThe first summary: ${example}\n`]),
            `\ncalls ${total} · answered by the model ${answered} · retries ${retries} · cache hits ${hits} · failed ${failed}`,
            `\ntokens ${inputTokens} in, ${outputTokens} out · ${seconds.toFixed(1)} seconds`,
            `\nresults/summaries.jsonl has all of them.${
              hits < total ? " Run it again: the cache has the answers." : ""
            }\n`
          ].join(""))
        })
    })
  )
}))
