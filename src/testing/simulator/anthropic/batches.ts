import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import { type Batches, endpoint, idIn } from "../batches/endpoint.js"
import * as Jobs from "../batches/jobs.js"
import { work, type Worker } from "../batches/work.js"
import type { Envelope, Invalid, Json } from "../protocol.js"
import { invalid, problem } from "../protocol.js"
import { messages } from "./messages.js"

const day = 24 * 60 * 60 * 1000

const maxRequests = 100_000

/** Anthropic's limit, 256 MB. */
const maxBytes = 256_000_000

const all = /\/v1\/messages\/batches$/

const idPattern = /^[a-zA-Z0-9_-]{1,64}$/

/** A request of a batch. */
interface Entry {
  readonly id: string
  readonly params: Json
}

const decodeEntries = (requests: unknown): Either.Either<ReadonlyArray<Entry>, Invalid> => {
  if (!Array.isArray(requests)) return invalid("requests: Field required")
  if (requests.length === 0) return invalid("requests: List should have at least 1 item after validation, not 0")
  if (requests.length > maxRequests) {
    return invalid(`requests: List should have at most ${maxRequests} items after validation, not ${requests.length}`)
  }
  const ids = new Set<string>()
  const entries: Array<Entry> = []
  for (const [index, each] of requests.entries()) {
    const { custom_id: id, params } = isRecord(each) ? each : {}
    if (id === undefined) return invalid(`requests.${index}.custom_id: Field required`)
    if (typeof id !== "string" || !idPattern.test(id)) {
      return invalid(`requests.${index}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'`)
    }
    if (!isRecord(params)) return invalid(`requests.${index}.params: Field required`)
    for (const name of ["model", "messages", "max_tokens"]) {
      if (params[name] === undefined) return invalid(`requests.${index}.params.${name}: Field required`)
    }
    if (ids.has(id)) return invalid(`requests.${index}.custom_id: custom_id must be unique: '${id}'`)
    ids.add(id)
    entries.push({ id, params })
  }
  return Either.right(entries)
}

const date = (millis: number): string => new Date(millis).toISOString()

/** An answer with the tier of batches. */
const inBatch = (message: Json): Json => ({
  ...message,
  usage: { ...isRecord(message.usage) ? message.usage : {}, service_tier: "batch" }
})

const notFound = (id: string): Invalid => ({ ...problem(`No message batch with id '${id}' was found.`), status: 404 })

/** Makes a place for batches of the given duration, in milliseconds. */
export const make = (worker: Worker, takes: number): Batches => {
  const times = { takes, window: day }
  const jobs = Jobs.make(times)

  const encode = (job: Jobs.Job, now: number): Json => {
    const { cancelledAt, created, facts, id, items } = job
    const progress = Jobs.progressOf(job, times, now)
    const { end, endsAt } = progress
    const answered = Jobs.count(progress, Jobs.isAnswer)
    const canceled = Jobs.count(progress, (fate) => fate === "cancelled")
    const expired = Jobs.count(progress, (fate) => fate === "expired")
    return {
      id,
      type: "message_batch",
      processing_status: end === undefined ? "in_progress" : "ended",
      request_counts: end === undefined
        ? { processing: items.length, succeeded: 0, errored: 0, canceled: 0, expired: 0 }
        : {
          processing: 0,
          succeeded: answered,
          errored: items.length - answered - canceled - expired,
          canceled,
          expired
        },
      created_at: date(created),
      expires_at: date(created + day),
      ended_at: end === undefined ? null : date(endsAt),
      cancel_initiated_at: cancelledAt === undefined ? null : date(cancelledAt),
      archived_at: null,
      results_url: end === undefined ? null : `${String(facts.origin)}/v1/messages/batches/${id}/results`
    }
  }

  const create = (entries: ReadonlyArray<Entry>, envelope: Envelope, now: number): Json => {
    const { headers, path } = envelope
    const single = { headers, path: path.replace(/\/batches$/, ""), query: new URLSearchParams() }
    const job = jobs.add("msgbatch_", {
      created: now,
      facts: { origin: `http://${headers.host}${path.replace(all, "")}` },
      items: entries.map(({ id, params }, index) => ({
        id,
        reply: work(worker, messages, params, single, now, `req_batch_${index}`)
      }))
    })
    // None of its requests has had its turn.
    return encode(job, now - 1)
  }

  const resultOf = (fate: Jobs.Fate): Json => {
    if (typeof fate !== "object") return { type: fate === "cancelled" ? "canceled" : "expired" }
    return fate.status === 200
      ? { type: "succeeded", message: isRecord(fate.body) ? inBatch(fate.body) : fate.body }
      : { type: "errored", error: fate.body }
  }

  const find = (pattern: RegExp) => (_: Json, envelope: Envelope): Either.Either<{ readonly id: string }, Invalid> => {
    const id = idIn(pattern, envelope)
    return jobs.find(id) === undefined ? Either.left(notFound(id)) : Either.right({ id })
  }

  const withJob =
    (use: (job: Jobs.Job, now: number) => unknown) => ({ id }: { readonly id: string }, now: number): unknown => {
      const job = jobs.find(id)
      return job && use(job, now)
    }

  const name = "anthropic-batches" as const
  const one = /\/v1\/messages\/batches\/([^/]+)$/
  const cancel = /\/v1\/messages\/batches\/([^/]+)\/cancel$/
  const results = /\/v1\/messages\/batches\/([^/]+)\/results$/

  return {
    protocols: [
      endpoint(messages, {
        name,
        path: all,
        maxBodyBytes: maxBytes,
        decode: ({ requests }, envelope) =>
          envelope.headers["anthropic-version"] === undefined
            ? invalid("anthropic-version: header is required")
            : Either.map(decodeEntries(requests), (entries) => ({ entries, envelope })),
        encode: ({ entries, envelope }, now) => create(entries, envelope, now)
      }),
      endpoint(messages, {
        name,
        path: all,
        method: "GET",
        decode: (_, { query }) => Either.right(Object.fromEntries(query)),
        encode: ({ after_id: after, before_id: before, limit }, now) => {
          const known = jobs.all()
          const newer = before === undefined ? known : known.slice(0, known.findIndex(({ id }) => id === before))
          const { hasMore, page } = Jobs.pageOf(newer, after, Number(limit ?? 20))
          const data = page.map((job) => encode(job, now))
          return {
            data,
            has_more: hasMore,
            first_id: data.at(0)?.id ?? null,
            last_id: data.at(-1)?.id ?? null
          }
        }
      }),
      endpoint(messages, { name, path: one, method: "GET", decode: find(one), encode: withJob(encode) }),
      endpoint(messages, {
        name,
        path: one,
        method: "DELETE",
        decode: find(one),
        encode: withJob((job) => {
          jobs.remove(job)
          return { id: job.id, type: "message_batch_deleted" }
        })
      }),
      endpoint(messages, {
        name,
        path: cancel,
        decode: find(cancel),
        encode: withJob((job, now) => {
          const after = jobs.cancel(job, now)
          const answer = encode(after, now)
          return after.cancelledAt === now ? { ...answer, processing_status: "canceling", ended_at: null } : answer
        })
      }),
      endpoint(messages, {
        name,
        path: results,
        method: "GET",
        contentType: "application/x-jsonl",
        decode: find(results),
        encode: withJob((job, now) =>
          Jobs.progressOf(job, times, now).items
            .filter(({ fate }) => fate !== "pending")
            .map(({ fate, id }) => `${JSON.stringify({ custom_id: id, result: resultOf(fate) })}\n`)
            .join("")
        )
      })
    ],
    clear: jobs.clear
  }
}
