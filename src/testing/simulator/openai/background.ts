import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Answer, Prompt } from "../prompt.js"
import type { Envelope, Invalid, Json, Protocol } from "../protocol.js"
import { bearerToken, problem } from "../protocol.js"
import { encode, streaming } from "./responsesAnswer.js"
import { encodeProblem, headers } from "./service.js"

/** The most answers that are kept. The oldest are dropped. */
const capacity = 1_000

/** An answer that is written in the background. Moments are milliseconds since 1970. */
interface Job {
  readonly prompt: Prompt
  readonly given: Answer
  readonly begun: number
  isCancelled: boolean
}

/** The answers in the background, and the protocols in which they are asked for and stopped. */
export interface Background {
  /** Begins an answer, if its request wants it so. */
  readonly begin: (prompt: Prompt, given: Answer, answer: Json, now: number) => void
  readonly protocols: ReadonlyArray<Protocol>
  readonly clear: () => void
}

/** Whether a request wants its answer to be written in the background. */
export const isBackground = ({ request: { background } }: Pick<Prompt, "request">): boolean => background === true

const notFound = (id: string): Invalid => ({
  ...problem(`Response with id '${id}' not found.`, "id"),
  status: 404
})

/** Makes a place for answers of the given duration. */
export const make = (takes: Duration.Duration): Background => {
  const jobs = new Map<string, Job>()

  const find = ({ path }: Envelope): Either.Either<Job, Invalid> => {
    const id = decodeURIComponent(/\/responses\/([^/]+)/.exec(path)?.[1] ?? "")
    const job = jobs.get(id)
    return job === undefined ? Either.left(notFound(id)) : Either.right(job)
  }

  /** The state of an answer at a moment. */
  const stateOf = ({ begun, isCancelled }: Job, answer: Json, now: number): Json => {
    const unfinished = { ...answer, output: [], usage: null, incomplete_details: null }
    if (isCancelled) return { ...unfinished, status: "cancelled" }
    const left = begun + Duration.toMillis(takes) - now
    if (left <= 0) return answer
    return { ...unfinished, status: left > Duration.toMillis(takes) / 2 ? "queued" : "in_progress" }
  }

  /** The prompt of a job, as that of the request that asks for its answer. */
  const asked = (job: Job, streaming: boolean, request: Json): Prompt => ({
    ...job.prompt,
    streaming,
    request: { ...job.prompt.request, ...request }
  })

  const jobOf = ({ request: { job } }: Prompt): Job => job as Job

  const protocol: Omit<Protocol, "path" | "decode" | "encode"> = {
    name: "openai-background",
    key: bearerToken,
    answer: (prompt) => jobOf(prompt).given,
    streaming: {
      ...streaming,
      events: (completion, prompt, now) => {
        const after = Number(prompt.request.starting_after ?? -1)
        const events = streaming.events(completion, prompt, now).slice(after + 1)
        // The stream of an answer that was cancelled ends without a last event.
        return jobOf(prompt).isCancelled ? [] : events
      }
    },
    encodeProblem,
    headers
  }

  return {
    begin: (prompt, given, { id }, begun) => {
      if (!isBackground(prompt) || typeof id !== "string") return
      jobs.set(id, { prompt, given, begun, isCancelled: false })
      for (const oldest of jobs.keys()) {
        if (jobs.size <= capacity) return
        jobs.delete(oldest)
      }
    },
    protocols: [
      {
        ...protocol,
        path: /\/responses\/[^/]+$/,
        method: "GET",
        serves: ({ path }) => !path.endsWith("/input_tokens"),
        decode: (_, envelope) =>
          Either.flatMap(find(envelope), (job) => {
            const { query } = envelope
            const isStream = query.get("stream") === "true"
            return isStream && !job.prompt.streaming
              ? Either.left(problem("This response was not created with stream=true.", "stream"))
              : Either.right(asked(job, isStream, { job, starting_after: query.get("starting_after") ?? undefined }))
          }),
        encode: (completion, prompt, now) =>
          stateOf(jobOf(prompt), encode(completion, prompt, jobOf(prompt).begun), now)
      },
      {
        ...protocol,
        path: /\/responses\/[^/]+\/cancel$/,
        decode: (_, envelope) => Either.map(find(envelope), (job) => asked(job, false, { job })),
        encode: (completion, prompt, now) => {
          const job = jobOf(prompt)
          const answer = encode(completion, prompt, job.begun)
          if (isRecord(answer) && stateOf(job, answer, now).status !== answer.status) job.isCancelled = true
          return stateOf(job, answer, now)
        }
      }
    ],
    clear: () => jobs.clear()
  }
}

/** The first answer to a request whose answer is written in the background. */
export const queued = (answer: Json): Json => ({
  ...answer,
  status: "queued",
  output: [],
  usage: null,
  incomplete_details: null
})
