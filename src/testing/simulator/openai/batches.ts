import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import { type Batches, endpoint, idIn } from "../batches/endpoint.js"
import * as Jobs from "../batches/jobs.js"
import { work, type Worker } from "../batches/work.js"
import type { Envelope, Invalid, Json, Protocol } from "../protocol.js"
import { invalid, parseJson, problem } from "../protocol.js"
import { chatCompletions } from "./chatCompletions.js"
import { embeddings } from "./embeddings.js"
import { type File, makeFiles } from "./files.js"
import { responses } from "./responses.js"

const day = 24 * 60 * 60 * 1000

const maxLines = 50_000

const maxErrors = 100

const endpoints: ReadonlyMap<string, Protocol> = new Map([
  ["/v1/responses", responses],
  ["/v1/chat/completions", chatCompletions],
  ["/v1/embeddings", embeddings]
])

/** An error of a file, which makes the batch fail. */
interface LineError {
  readonly code: string
  readonly message: string
  readonly line: number | null
  readonly param: string | null
}

/** A request for a batch. */
interface Creation {
  readonly input_file_id: string
  readonly endpoint: string
  readonly completion_window: string
  readonly metadata: unknown
}

/** A line of a file, as far as it is one. */
interface Line {
  readonly id: string
  readonly body: Json
}

/** Reads the lines of a file for an endpoint. */
const readLines = (
  text: string,
  address: string
): { readonly lines: ReadonlyArray<Line>; readonly errors: ReadonlyArray<LineError>; readonly model: string } => {
  const lines: Array<Line> = []
  const errors: Array<LineError> = []
  const ids = new Set<string>()
  let model: string | undefined
  const texts = text.split("\n").map((line) => line.trim())
  const fail = (code: string, message: string, line: number | null = null, param: string | null = null) => {
    errors.push({ code, message, line, param })
  }
  texts.forEach((each, index) => {
    if (each === "") return
    const number = index + 1
    const line = Either.getOrUndefined(parseJson(each))
    if (!isRecord(line)) return fail("invalid_json_line", "This line is not parseable as valid JSON.", number)
    const { body, custom_id: id, method, url } = line
    const missing = ["custom_id", "method", "url", "body"].find((name) => line[name] === undefined)
    if (missing !== undefined || typeof id !== "string" || !isRecord(body)) {
      const name = missing ?? (isRecord(body) ? "custom_id" : "body")
      return fail("missing_required_parameter", `Missing required parameter: '${name}'.`, number, name)
    }
    if (method !== "POST") return fail("invalid_method", "The method must be POST.", number, "method")
    if (url !== address) {
      return fail(
        "mismatched_url",
        "The URL provided for this request does not match the batch endpoint.",
        number,
        "url"
      )
    }
    if (ids.has(id)) {
      return fail(
        "duplicate_custom_id",
        `The custom_id for this request is a duplicate of another request: ${id}.`,
        number,
        "custom_id"
      )
    }
    ids.add(id)
    if (model !== undefined && body.model !== model) {
      return fail("mismatched_model", "The model of this request differs from that of the first.", number, "body.model")
    }
    model ??= typeof body.model === "string" ? body.model : undefined
    lines.push({ id, body })
  })
  if (texts.length > maxLines && lines.length > maxLines) {
    fail(
      "too_many_tasks",
      `The batch input file contains too many requests: ${lines.length}, the limit is ${maxLines}.`
    )
  }
  if (lines.length === 0 && errors.length === 0) fail("empty_file", "The input file is empty.")
  return { lines, errors: errors.slice(0, maxErrors), model: model ?? "" }
}

const notFound = (id: string): Invalid => ({ ...problem(`No batch found with id '${id}'.`, "id"), status: 404 })

const seconds = (millis: number): number => Math.floor(millis / 1000)

/** Makes a place for batches of the given duration, in milliseconds. */
export const make = (worker: Worker, takes: number): Batches => {
  const times = { takes, window: day }
  const jobs = Jobs.make(times)

  /** The id of a file that a batch makes: of its answers, or of everything else. */
  const fileId = ({ id }: Jobs.Job, kind: "output" | "error"): string => `file-${kind}-${id}`

  const lineOf = ({ id }: Jobs.Job, { fate, id: name }: Jobs.Progress["items"][number], index: number): string => {
    const common = { id: `batch_req_${id.slice(6)}_${index}`, custom_id: name }
    return typeof fate === "object"
      ? JSON.stringify({
        ...common,
        response: { status_code: fate.status, request_id: `req_${id.slice(6)}_${index}`, body: fate.body },
        error: null
      })
      : JSON.stringify({
        ...common,
        response: null,
        error: fate === "cancelled"
          ? { code: "batch_cancelled", message: "This request was not executed because the batch was cancelled." }
          : {
            code: "batch_expired",
            message: "This request could not be executed before the completion window expired."
          }
      })
  }

  /** The file that a batch has made, once it has ended. */
  const made = (id: string, now: number): File | undefined => {
    const [, kind, name = ""] = /^file-(output|error)-(.*)$/.exec(id) ?? []
    const job = jobs.find(name)
    if (job === undefined) return undefined
    const { end, endsAt, items } = Jobs.progressOf(job, times, now)
    const lines = items.flatMap((item, index) =>
      Jobs.isAnswer(item.fate) === (kind === "output") ? [lineOf(job, item, index)] : []
    )
    return end === undefined || lines.length === 0 ? undefined : {
      id,
      filename: `${name}_${kind}.jsonl`,
      purpose: "batch_output",
      text: lines.map((line) => `${line}\n`).join(""),
      created: seconds(endsAt)
    }
  }

  const files = makeFiles(made)

  const encode = (job: Jobs.Job, now: number): Json => {
    const { cancelledAt, created, facts, id, items } = job
    const { errors, ...own } = facts
    const progress = Jobs.progressOf(job, times, now)
    const isRefused = Array.isArray(errors) && errors.length > 0
    const { end, endsAt } = progress
    const status = isRefused ? "failed" : end ?? (now - created < takes / 10 ? "validating" : "in_progress")
    const at = (state: string) => status === state ? seconds(endsAt) : null
    const answered = Jobs.count(progress, Jobs.isAnswer)
    const done = Jobs.count(progress, (fate) => fate !== "pending")
    return {
      id,
      object: "batch",
      ...own,
      errors: isRefused ? { object: "list", data: errors } : null,
      status,
      output_file_id: end !== undefined && answered > 0 ? fileId(job, "output") : null,
      error_file_id: end !== undefined && done > answered ? fileId(job, "error") : null,
      created_at: seconds(created),
      in_progress_at: status === "validating" || isRefused ? null : seconds(created + takes / 10),
      expires_at: seconds(created + day),
      finalizing_at: at("completed"),
      completed_at: at("completed"),
      failed_at: isRefused ? seconds(created) : null,
      expired_at: at("expired"),
      cancelling_at: cancelledAt === undefined ? null : seconds(cancelledAt),
      cancelled_at: at("cancelled"),
      request_counts: { total: items.length, completed: answered, failed: done - answered }
    }
  }

  const find = (pattern: RegExp) => (_: Json, envelope: Envelope): Either.Either<{ readonly id: string }, Invalid> => {
    const id = idIn(pattern, envelope)
    return jobs.find(id) === undefined ? Either.left(notFound(id)) : Either.right({ id })
  }

  const withJob =
    (use: (job: Jobs.Job, now: number) => Json) => ({ id }: { readonly id: string }, now: number): unknown => {
      const job = jobs.find(id)
      return job && use(job, now)
    }

  const decode = (
    { completion_window: window, endpoint: address, input_file_id: id, metadata = null }: Json
  ): Either.Either<Creation, Invalid> => {
    const missing = (name: string) =>
      invalid(`Missing required parameter: '${name}'.`, name, "missing_required_parameter")
    if (typeof id !== "string") return missing("input_file_id")
    if (typeof address !== "string") return missing("endpoint")
    if (window === undefined) return missing("completion_window")
    if (!endpoints.has(address)) {
      const known = [...endpoints.keys()].map((each) => `'${each}'`).join(", ")
      return invalid(
        `Invalid value: '${address}'. Supported values are: ${known}.`,
        "endpoint",
        "invalid_value"
      )
    }
    if (window !== "24h") {
      return invalid(
        `Invalid value: '${String(window)}'. Value must be '24h'.`,
        "completion_window",
        "invalid_value"
      )
    }
    const file = files.find(id)
    if (file === undefined) return invalid(`File ${id} does not exist.`, "input_file_id", "invalid_request")
    if (file.purpose !== "batch") {
      return invalid(`File ${id} has the wrong purpose.`, "input_file_id", "invalid_request")
    }
    return Either.right({ input_file_id: id, endpoint: address, completion_window: window, metadata })
  }

  const create = (request: Creation, now: number): Json => {
    const { endpoint: address, input_file_id: file } = request
    const { errors, lines, model } = readLines(files.find(file)?.text ?? "", address)
    const protocol = endpoints.get(address) ?? responses
    const envelope = { headers: {}, path: address, query: new URLSearchParams() }
    const job = jobs.add("batch_", {
      created: now,
      facts: { ...request, model, errors },
      items: errors.length > 0 ? [] : lines.map(({ body, id }, index) => ({
        id,
        reply: work(worker, protocol, body, envelope, now, `req_${index}`)
      }))
    })
    // The file is read later.
    return { ...encode({ ...job, facts: { ...request, model } }, now - 1), status: "validating" }
  }

  const name = "openai-batches" as const
  const one = /\/batches\/([^/]+)$/
  const cancel = /\/batches\/([^/]+)\/cancel$/

  return {
    protocols: [
      ...files.protocols,
      endpoint(responses, { name, path: /\/batches$/, decode, encode: create }),
      endpoint(responses, {
        name,
        path: /\/batches$/,
        method: "GET",
        decode: (_, { query }) => Either.right(Object.fromEntries(query)),
        encode: ({ after, limit }, now) => {
          const { hasMore, page } = Jobs.pageOf(jobs.all(), after, Number(limit ?? 20))
          const data = page.map((job) => encode(job, now))
          return { object: "list", data, first_id: data[0]?.id, last_id: data.at(-1)?.id, has_more: hasMore }
        }
      }),
      endpoint(responses, { name, path: one, method: "GET", decode: find(one), encode: withJob(encode) }),
      endpoint(responses, {
        name,
        path: cancel,
        decode: find(cancel),
        encode: withJob((job, now) => {
          const after = jobs.cancel(job, now)
          const answer = encode(after, now)
          return after.cancelledAt === now ? { ...answer, status: "cancelling" } : answer
        })
      })
    ],
    clear: () => {
      jobs.clear()
      files.clear()
    }
  }
}
