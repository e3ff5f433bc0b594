import { FileSystem } from "@effect/platform"
import { Context, Duration, Effect, Layer } from "effect"
import { KeyValueCache, LlmCache } from "effect-llm"

const cache = "results/cache"
const summaries = "results/summaries.jsonl"

/** What is left of a run: a file of summaries, and the answers for the next run. */
export class Results extends Context.Tag("quickstart/Results")<Results, {
  /** Whether files can be written. */
  readonly areKept: boolean
  /** Writes the summaries, and says what became of them. */
  readonly write: (lines: ReadonlyArray<object>) => Effect.Effect<string>
}>() {}

export const ResultsLive = Layer.effect(
  Results,
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const problem = yield* fs.makeDirectory(cache, { recursive: true }).pipe(
      Effect.zipRight(fs.access("results", { writable: true })),
      Effect.zipRight(fs.access(cache, { writable: true })),
      Effect.match({ onFailure: (error) => error, onSuccess: () => undefined })
    )
    return {
      areKept: problem === undefined,
      write: (lines) =>
        problem !== undefined
          ? Effect.succeed("The folder results/ cannot be written: nothing is kept for the next run.")
          : fs.writeFileString(summaries, lines.map((line) => `${JSON.stringify(line)}\n`).join("")).pipe(
            Effect.match({
              onFailure: () => `${summaries} cannot be written.`,
              onSuccess: () => `${summaries} has all results.`
            })
          )
    }
  })
)

/** Answers are kept in files for a day, so that the next run finds them; in memory, where there can be no files. */
export const CacheLive = Layer.unwrapEffect(Effect.map(
  Results,
  ({ areKept }) =>
    areKept
      ? KeyValueCache.layerFile({ directory: cache, timeToLive: Duration.days(1) })
      : LlmCache.layerMemory()
))
