import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import { type Batches, endpoint, idIn } from "../batches/endpoint.js"
import * as Jobs from "../batches/jobs.js"
import { work, type Worker } from "../batches/work.js"
import type { Envelope, Invalid, Json } from "../protocol.js"
import { invalid, parseJson, problem } from "../protocol.js"
import { makeFiles } from "./files.js"
import { gemini } from "./generateContent.js"
import { decodeName, isGoogles, member } from "./service.js"

/** The time after which a batch expires. */
const window = 48 * 60 * 60 * 1000

/** Requests in the body have to be within this. */
const maxInline = 20_000_000

/** gRPC's codes, by their names. */
const codes: { readonly [name: string]: number } = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16
}

/** A request of a batch: without a key in a list. */
interface Entry {
  readonly key: string | undefined
  readonly request: Json
}

const decodeList = (requests: unknown): Either.Either<ReadonlyArray<Entry>, Invalid> => {
  const entries: Array<Entry> = []
  for (const each of Array.isArray(requests) ? requests : []) {
    const { metadata, request } = isRecord(each) ? each : {}
    if (!isRecord(request)) return invalid("* BatchGenerateContentRequest.batch.input_config: request is required\n")
    const { key } = isRecord(metadata) ? metadata : {}
    entries.push({ key: typeof key === "string" ? key : undefined, request })
  }
  return entries.length === 0
    ? invalid("* BatchGenerateContentRequest.batch.input_config: at least one request is required\n")
    : Either.right(entries)
}

/** Reads a file: a line that is none makes the batch fail. */
const decodeFile = (text: string): Either.Either<ReadonlyArray<Entry>, string> => {
  const entries: Array<Entry> = []
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue
    const { key, request } = Either.match(parseJson(line), {
      onLeft: (): Json => ({}),
      onRight: (json) => isRecord(json) ? json : {}
    })
    if (typeof key !== "string" || !isRecord(request)) {
      return Either.left(`Failed to parse line ${index + 1} of the input file.`)
    }
    entries.push({ key, request })
  }
  return entries.length === 0 ? Either.left("The input file is empty.") : Either.right(entries)
}

const notFound = (id: string): Invalid => ({ ...problem(`Batch batches/${id} not found.`), status: 404 })

/** Makes a place for batches of the given duration, in milliseconds. */
export const make = (worker: Worker, takes: number): Batches => {
  const times = { takes, window }
  const jobs = Jobs.make(times)

  const resultOf = (fate: Jobs.Fate): Json => {
    if (typeof fate !== "object") {
      return fate === "cancelled"
        ? { error: { code: codes.CANCELLED, message: "The operation was cancelled." } }
        : { error: { code: codes.DEADLINE_EXCEEDED, message: "Deadline expired before operation could complete." } }
    }
    if (fate.status === 200) return { response: fate.body }
    const { error } = isRecord(fate.body) ? fate.body : {}
    const { details, message, status } = isRecord(error) ? error : {}
    return { error: { code: codes[String(status)] ?? 2, message, ...(details !== undefined && { details }) } }
  }

  /** The results of a batch that has ended, if it has any: one whose time is over has none. */
  const resultsOf = (job: Jobs.Job, now: number) => {
    const { end, items } = Jobs.progressOf(job, times, now)
    return end === undefined || items.length === 0 || takes > window ? undefined : items
  }

  const files = makeFiles((id, now) => {
    const job = jobs.find(id.replace(/^batch-/, ""))
    return job && resultsOf(job, now)
      ?.map(({ fate, id }) => `${JSON.stringify({ key: id, ...resultOf(fate) })}\n`)
      .join("")
  })

  const outputOf = (job: Jobs.Job, now: number): Json | undefined => {
    const items = resultsOf(job, now)
    if (items === undefined) return undefined
    return job.facts.isFile === true ? { responsesFile: `files/batch-${job.id}` } : {
      inlinedResponses: {
        inlinedResponses: items.map(({ fate, id }) => ({
          ...resultOf(fate),
          ...(!id.startsWith("#") && { metadata: { key: id } })
        }))
      }
    }
  }

  const encode = (job: Jobs.Job, now: number): Json => {
    const { created, facts: { displayName, failure, model }, id, items } = job
    const progress = Jobs.progressOf(job, times, now)
    const { end, endsAt } = progress
    const output = outputOf(job, now)
    const state = failure !== undefined
      ? "FAILED"
      : end === undefined
      ? now - created < takes / 10 ? "PENDING" : "RUNNING"
      : end === "cancelled"
      ? "CANCELLED"
      : output === undefined
      ? "EXPIRED"
      : "SUCCEEDED"
    const pending = Jobs.count(progress, (fate) => fate === "pending")
    const answered = Jobs.count(progress, Jobs.isAnswer)
    const stats = {
      requestCount: items.length,
      successfulRequestCount: answered,
      failedRequestCount: items.length - answered - pending,
      pendingRequestCount: pending
    }
    const isOver = failure !== undefined || end !== undefined
    return {
      name: `batches/${id}`,
      metadata: {
        "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
        model,
        displayName,
        createTime: new Date(created).toISOString(),
        updateTime: new Date(Math.min(now, endsAt)).toISOString(),
        ...(isOver && { endTime: new Date(endsAt).toISOString() }),
        ...(output !== undefined && { output }),
        batchStats: Object.fromEntries(
          Object.entries(stats).filter(([, count]) => count > 0).map(([name, count]) => [name, String(count)])
        ),
        state: `BATCH_STATE_${state}`,
        name: `batches/${id}`
      },
      ...(isOver && { done: true }),
      ...(failure !== undefined && { error: { code: codes.INVALID_ARGUMENT, message: failure } }),
      ...(output !== undefined && { response: output })
    }
  }

  const find = (pattern: RegExp) => (_: Json, envelope: Envelope): Either.Either<{ readonly id: string }, Invalid> => {
    const id = idIn(pattern, envelope)
    return jobs.find(id) === undefined ? Either.left(notFound(id)) : Either.right({ id })
  }

  const withJob = (use: (job: Jobs.Job, now: number) => unknown) => ({ id }: { readonly id: string }, now: number) => {
    const job = jobs.find(id)
    return job && use(job, now)
  }

  const name = "gemini-batches" as const
  const creation = /\/(?:models|tunedModels)\/([^/]+):batchGenerateContent$/
  const all = /\/v1(?:beta)?\/batches$/
  const one = /\/v1(?:beta)?\/batches\/([^/:]+)$/
  const cancel = /\/v1(?:beta)?\/batches\/([^/:]+):cancel$/

  const decode = ({ batch }: Json, envelope: Envelope): Either.Either<Creation, Invalid> => {
    const given: Json = isRecord(batch) ? batch : {}
    const input = member(given, "inputConfig")
    const config: Json = isRecord(input) ? input : {}
    const file = member(config, "fileName")
    const common = { displayName: String(member(given, "displayName") ?? ""), envelope }
    if (typeof file === "string") {
      const text = files.textOf(file)
      return text === undefined
        ? Either.left({ ...problem(`File ${file} not found.`), status: 404 })
        : Either.right({ ...common, isFile: true, entries: decodeFile(text) })
    }
    const { requests } = isRecord(config.requests) ? config.requests : {}
    return Number(envelope.headers["content-length"] ?? 0) > maxInline
      ? invalid("Request payload size exceeds the limit: 20971520 bytes.")
      : Either.map(decodeList(requests), (entries) => ({ ...common, isFile: false, entries: Either.right(entries) }))
  }

  const create = ({ displayName, entries, envelope, isFile }: Creation, now: number): Json => {
    const model = decodeName(creation.exec(envelope.path)?.[1] ?? "")
    const single = { ...envelope, path: envelope.path.replace(/:batchGenerateContent$/, ":generateContent") }
    const job = jobs.add("", {
      created: now,
      facts: { displayName, isFile, model: `models/${model}`, failure: Either.getOrUndefined(Either.flip(entries)) },
      items: Either.getOrElse(entries, (): ReadonlyArray<Entry> => []).map(({ key, request }, index) => ({
        id: key ?? `#${index}`,
        reply: work(worker, gemini, request, single, now, "")
      }))
    })
    // None of its requests has had its turn.
    return encode({ ...job, facts: { ...job.facts, failure: undefined } }, now - 1)
  }

  return {
    protocols: [
      ...files.protocols,
      endpoint(gemini, { name, path: creation, decode, encode: create }),
      endpoint(gemini, {
        name,
        path: all,
        method: "GET",
        serves: isGoogles,
        decode: (_, { query }) =>
          Either.right({ token: query.get("pageToken") ?? undefined, size: Number(query.get("pageSize") ?? 50) }),
        encode: ({ size, token }, now) => {
          const { hasMore, page } = Jobs.pageOf(jobs.all(), token, size)
          return {
            operations: page.map((job) => encode(job, now)),
            ...(hasMore && { nextPageToken: page.at(-1)?.id })
          }
        }
      }),
      endpoint(gemini, {
        name,
        path: one,
        method: "GET",
        serves: isGoogles,
        decode: find(one),
        encode: withJob(encode)
      }),
      endpoint(gemini, {
        name,
        path: one,
        method: "DELETE",
        serves: isGoogles,
        decode: find(one),
        encode: withJob((job) => {
          jobs.remove(job)
          return {}
        })
      }),
      endpoint(gemini, {
        name,
        path: cancel,
        serves: isGoogles,
        decode: find(cancel),
        encode: withJob((job, now) => {
          jobs.cancel(job, now)
          return {}
        })
      })
    ],
    clear: () => {
      jobs.clear()
      files.clear()
    }
  }
}

/** A request for a batch. */
interface Creation {
  readonly displayName: string
  readonly envelope: Envelope
  readonly isFile: boolean
  readonly entries: Either.Either<ReadonlyArray<Entry>, string>
}
