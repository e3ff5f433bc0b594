import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as LlmRequest from "../../domain/LlmRequest.js"
import * as LlmClient from "../../LlmClient.js"
import * as Elapsed from "../../runtime/elapsed.js"
import type { Progress } from "../job.js"
import * as LlmBatch from "../LlmBatch.js"
import * as Planning from "../planning.js"
import * as Reader from "../reader.js"
import * as Sqlite from "../sqlite.js"
import * as Flags from "./flags.js"
import { type Defaults, readRequest, writeResult } from "./lines.js"
import { progressLine, type Seen, spent, statusLine } from "./progressLine.js"
import * as Provider from "./provider.js"

/** The output of the command for a person. */
export interface Screen {
  /** Whether lines can be written over. */
  readonly isTerminal: boolean
  readonly write: (text: string) => void
  /** Writes a line of a result, if no file is given. */
  readonly print: (line: string) => void
}

/**
 * An end that is not a full success. Codes: 1 a mistake, 2 some requests failed, 3 halted, 4 cancelled, 5 another process
 * runs the jobs.
 */
export class Ended extends Data.TaggedError("Ended")<{ readonly code: number; readonly message: string }> {}

const ended = (code: number, message: string) => new Ended({ code, message })

/** A failure in words for a person. */
const toEnded = (error: { readonly message: string }): Ended =>
  error instanceof Ended ? error : ended(error instanceof LlmBatch.DatabaseInUse ? 5 : 1, error.message)

// ---------------------------------------------------------------------------------------------------------------------
// Files
// ---------------------------------------------------------------------------------------------------------------------

const databaseOf = (database: Option.Option<string>, requests: string): string =>
  Option.getOrElse(database, () => `${requests}.db`)

const nameOf = (path: string): string => path.replace(/^.*[/\\]/, "").replace(/\.[^.]+$/, "") || path

/** The requests in a file, checked, line by line. */
const requestsIn = (path: string, defaults: Defaults) =>
  Stream.unwrap(Effect.map(FileSystem.FileSystem, (files) =>
    files.stream(path).pipe(
      Stream.mapError(({ message }) => ended(1, `${path} cannot be read: ${message}`)),
      Stream.decodeText(),
      Stream.splitLines,
      Stream.zipWithIndex,
      Stream.filter(([line]) => line.trim() !== ""),
      Stream.mapEffect(([line, index]) => {
        const wrong = (problem: string) => ended(1, `${path}:${index + 1}: ${problem}`)
        return Effect.flatMap(
          Either.mapLeft(readRequest(line, defaults), wrong),
          (request) =>
            Effect.mapError(LlmRequest.decode(request), ({ message, reason }) => wrong(reason.message ?? message))
        )
      })
    )))

/** Writes results to a file, which appears once it is whole, or to the screen. */
const writeResults = (
  jobs: Pick<LlmBatch.Service, "results">,
  id: string,
  { out, screen }: { readonly out: Option.Option<string>; readonly screen: Screen }
) =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const lines = Stream.map(jobs.results(id), writeResult)
    if (Option.isNone(out)) return yield* Stream.runForEach(lines, (line) => Effect.sync(() => screen.print(line)))
    const part = `${out.value}.part`
    yield* lines.pipe(
      Stream.map((line) => `${line}\n`),
      Stream.encodeText,
      Stream.run(files.sink(part))
    )
    yield* files.rename(part, out.value)
    screen.write(`The results are in ${out.value}\n`)
  })

// ---------------------------------------------------------------------------------------------------------------------
// run
// ---------------------------------------------------------------------------------------------------------------------

/** The number of observations that the rate is taken from. */
const looks = 40

/** Shows the plan of a job once there is one. */
const makeExplain = (screen: Screen) => {
  let isExplained = false
  return ({ plan }: Progress): void => {
    if (plan === undefined || isExplained) return
    isExplained = true
    screen.write(`${screen.isTerminal ? "\r\u001b[K" : ""}${plan.reasons.join("\n")}\n`)
  }
}

/** Shows the progress of a job repeatedly. */
const watch = (id: string, screen: Screen, explain: (progress: Progress) => void) => {
  const seen: Array<Seen> = []
  return Effect.gen(function*() {
    const progress = yield* LlmBatch.progress(id)
    explain(progress)
    const now = { at: yield* Elapsed.now, progress }
    seen.push(now)
    if (seen.length > looks) seen.shift()
    const line = progress.status === "submitting"
      ? `Reading: ${progress.total} requests`
      : progressLine(seen[0] ?? now, now)
    screen.write(screen.isTerminal ? `\r\u001b[K${line}` : `${line}\n`)
  }).pipe(
    // Before the job is there.
    Effect.ignore,
    Effect.repeat(Schedule.spaced(screen.isTerminal ? "250 millis" : "5 seconds"))
  )
}

/** The result of the command for the end of a job. */
const outcome = (progress: Progress, howToGoOn: string): Effect.Effect<void, Ended> => {
  switch (progress.status) {
    case "halted":
      return ended(3, `The job was halted: ${progress.halted?.message ?? "for an unknown reason"}\n${howToGoOn}`)
    case "cancelled":
      return ended(4, "The job was cancelled")
    default:
      return progress.failed > 0
        ? ended(2, `${progress.failed} of ${progress.total} requests failed: the results name the reasons`)
        : Effect.void
  }
}

const database = Options.text("database").pipe(
  Options.withDescription("The file that keeps the jobs (default: that of the requests, with .db behind)"),
  Options.optional
)

const out = Options.text("out").pipe(
  Options.withDescription("The file for the results, as JSON lines in the order of the requests"),
  Options.optional
)

const id = Options.text("id").pipe(
  Options.withDescription("The name of the job (default: that of the file of requests)"),
  Options.optional
)

/** The requests of a file, and the client that answers them. */
const asked = (given: {
  readonly file: string
  readonly model: Option.Option<string>
  readonly provider: Option.Option<Provider.Name>
  readonly baseUrl: Option.Option<string>
  readonly system: Option.Option<string>
  readonly maxTokens: Option.Option<number>
  readonly temperature: Option.Option<number>
  readonly concurrency: number
}) =>
  Effect.gen(function*() {
    const name = Option.getOrElse(given.provider, () => Provider.guess(Option.getOrElse(given.model, () => "")))
    if (given.concurrency < 1) return yield* ended(1, "--concurrency: expected a number of at least 1")
    const files = yield* FileSystem.FileSystem
    if (!(yield* files.exists(given.file))) return yield* ended(1, `There is no file ${given.file}`)
    return {
      requests: Stream.provideService(requestsIn(given.file, Flags.defaultsOf(given)), FileSystem.FileSystem, files),
      client: Provider.clientOf(name, Option.getOrUndefined(given.baseUrl)).pipe(
        Layer.mapError(() => ended(1, `The key of ${name} is missing: set ${Provider.keyOf[name] ?? "it"}`))
      )
    }
  })

const run = (screen: Screen) =>
  Command.make("run", {
    file: Flags.file,
    ...Flags.asking,
    via: Options.choice("via", ["client", "provider", "auto"]).pipe(
      Options.withDescription(
        "Through calls (client), through the batch API of the provider, mostly for half the price and within a day " +
          "(provider), or as the time and the money decide (auto) (default: auto with a deadline, else client)"
      ),
      Options.optional
    ),
    ...Flags.limits,
    database,
    id,
    out
  }, (given) =>
    Effect.gen(function*() {
      const job = Option.getOrElse(given.id, () => nameOf(given.file))
      const filename = databaseOf(given.database, given.file)
      const deadline = Option.getOrUndefined(given.deadline)
      const via = Option.getOrUndefined(given.via)
      if (deadline !== undefined && via !== undefined && via !== "auto") {
        return yield* ended(1, `--deadline: with --via ${via} there is nothing to choose. Leave one of them out`)
      }
      const { client, requests } = yield* asked(given)
      yield* Effect.gen(function*() {
        const explain = makeExplain(screen)
        const watching = yield* Effect.fork(watch(job, screen, explain))
        const summary = yield* LlmBatch.run({
          id: job,
          requests,
          via,
          deadline,
          budget: Option.getOrUndefined(given.budget)
        }).pipe(
          Effect.ensuring(Fiber.interrupt(watching)),
          Effect.catchTag("JobChanged", ({ field, index }) => {
            const where = index === undefined ? field : `request ${index + 1} (${field})`
            return ended(
              1,
              `${given.file} has changed since job ${job} began. The first difference: ${where}.\n` +
                "Begin another job with --id, or restore the requests."
            )
          })
        )
        const now = { at: yield* Elapsed.now, progress: summary }
        explain(summary)
        screen.write(`${screen.isTerminal ? "\r\u001b[K" : ""}${progressLine(now, now)}\n`)
        screen.write(`Cost: ${spent(summary)}\n`)
        yield* writeResultsIf(Option.isSome(given.out), job, { out: given.out, screen })
        yield* outcome(summary, "Run the same command again to go on.")
      }).pipe(
        Effect.provide(LlmBatch.layerSqlite({ filename, concurrency: given.concurrency }).pipe(Layer.provide(client))),
        Effect.onInterrupt(() => Effect.sync(() => screen.write("\nStopped. Run the same command again to go on.\n")))
      )
    }).pipe(Effect.mapError(toEnded))).pipe(
      Command.withDescription(
        "Answers all requests of a file. After any stop, the same command continues where it was"
      )
    )

/** The number of requests, from the beginning of a file, that stand for all of them. */
const sampled = 1_000

const plan = (screen: Screen) =>
  Command.make("plan", { file: Flags.file, ...Flags.asking, ...Flags.limits }, (given) =>
    Effect.gen(function*() {
      const { client, requests } = yield* asked(given)
      const { sample, total } = yield* Stream.runFoldEffect(
        requests,
        { sample: [] as ReadonlyArray<LlmRequest.LlmRequest>, total: 0 },
        ({ sample, total }, request) =>
          Effect.succeed({ sample: total < sampled ? [...sample, request] : sample, total: total + 1 })
      )
      const made = yield* Effect.flatMap(LlmClient.LlmClient, (client) =>
        Planning.forRequests(client, { requests: sample, total, outputTokens: undefined }, {
          concurrency: given.concurrency,
          deadline: Option.getOrUndefined(given.deadline),
          budget: Option.getOrUndefined(given.budget)
        })).pipe(
          Effect.provide(client)
        )
      for (const reason of made.reasons) {
        screen.print(reason)
      }
    }).pipe(Effect.mapError(toEnded))).pipe(
      Command.withDescription("Says how a job would be answered, and why, and asks nothing")
    )

const writeResultsIf = (
  isWanted: boolean,
  id: string,
  target: { readonly out: Option.Option<string>; readonly screen: Screen }
) => isWanted ? Effect.flatMap(LlmBatch.LlmBatch, (jobs) => writeResults(jobs, id, target)) : Effect.void

// ---------------------------------------------------------------------------------------------------------------------
// status, results, cancel
// ---------------------------------------------------------------------------------------------------------------------

const databaseFile = Args.text({ name: "requests.jsonl.db" }).pipe(
  Args.withDescription("The file that keeps the jobs")
)

const jobName = Args.text({ name: "id" }).pipe(Args.withDescription("The name of the job"))

/** Reads a file of jobs, also while another process runs them. */
const reading = <A, E extends { readonly message: string }, R>(
  filename: string,
  use: (reader: Reader.Reader) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    if (!(yield* files.exists(filename))) return yield* ended(1, `There is no file ${filename}`)
    return yield* Effect.provide(Effect.flatMap(Reader.make, use), Sqlite.layer(filename))
  }).pipe(Effect.mapError(toEnded))

const status = (screen: Screen) =>
  Command.make(
    "status",
    { databaseFile, job: Args.optional(jobName) },
    ({ databaseFile, job }) =>
      reading(databaseFile, (reader) =>
        Effect.gen(function*() {
          const all = Option.isSome(job) ? [yield* reader.progress(job.value)] : yield* reader.list
          for (const progress of all) screen.print(statusLine(progress))
        }))
  ).pipe(Command.withDescription("Shows where jobs stand, also while they are run"))

const results = (screen: Screen) =>
  Command.make(
    "results",
    { databaseFile, jobName, out },
    ({ databaseFile, jobName, out }) =>
      reading(databaseFile, (reader) => writeResults(reader, jobName, { out, screen }))
  ).pipe(
    Command.withDescription("Writes the results so far, as JSON lines")
  )

const cancel = (screen: Screen) =>
  Command.make(
    "cancel",
    { databaseFile, jobName },
    ({ databaseFile, jobName }) =>
      reading(
        databaseFile,
        (reader) => Effect.map(reader.cancel(jobName), (progress) => screen.print(statusLine(progress)))
      )
  ).pipe(Command.withDescription("Ends a job, also one that is being run"))

/** The command, by the arguments of its process. */
export const make = (screen: Screen, version: string) =>
  Command.run(
    Command.make("effect-llm-batch").pipe(
      Command.withDescription("Answers many requests with a language model, and survives crashes"),
      Command.withSubcommands([run(screen), plan(screen), status(screen), results(screen), cancel(screen)])
    ),
    { name: "effect-llm-batch", version }
  )
