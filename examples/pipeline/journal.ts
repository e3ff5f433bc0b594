import { FileSystem } from "@effect/platform"
import { Clock, Duration, Effect, Layer, Option, Schema } from "effect"
import { type LlmEvent, LlmLogger } from "effect-llm"
import { stepOf } from "./jobs.js"

// The events of all runs, in a file: the report of a continued run includes the events before the stop.

/** An attempt that has ended. Times are in milliseconds; `ended` is a date. */
const Entry = Schema.parseJson(Schema.Struct({
  /** When the process began that made it, which names the run. */
  run: Schema.Number,
  step: Schema.String,
  ended: Schema.Number,
  took: Schema.Number,
  /** The reason of its failure. Absent: it was answered. */
  failure: Schema.optional(Schema.String),
  /** Whether another attempt follows. */
  again: Schema.optional(Schema.Boolean)
}))

export type Entry = typeof Entry.Type

const write = Schema.encodeSync(Entry)
const read = Schema.decodeOption(Entry)

const entryOf = (event: LlmEvent.LlmEvent, run: number, ended: number): Entry | undefined => {
  const step = stepOf(event.tags?.["job"] ?? "")
  switch (event._tag) {
    case "CallOk":
      return { run, step, ended, took: Duration.toMillis(event.latency) }
    case "CallFailed":
      return {
        run,
        step,
        ended,
        took: Duration.toMillis(event.latency),
        failure: event.error.reason._tag,
        again: event.willRetry
      }
    default:
      return undefined
  }
}

/** A logger that writes the attempts into a file. */
export const layer = (path: string) =>
  Layer.scoped(
    LlmLogger.LlmLogger,
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const file = yield* fs.open(path, { flag: "a" })
      const encoder = new TextEncoder()
      const run = yield* Clock.currentTimeMillis
      return {
        log: (event) =>
          Effect.gen(function*() {
            const entry = entryOf(event, run, yield* Clock.currentTimeMillis)
            if (entry !== undefined) yield* Effect.ignoreLogged(file.writeAll(encoder.encode(`${write(entry)}\n`)))
          })
      }
    })
  )

/** The attempts in a file, in the order in which they ended. A line that a kill has cut is left out. */
export const entries = (path: string) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const text = yield* fs.readFileString(path)
    return text.split("\n").flatMap((line) => Option.toArray(read(line))).sort((a, b) => a.ended - b.ended)
  })
