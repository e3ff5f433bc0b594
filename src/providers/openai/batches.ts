import * as Json from "../../wire/json.js"
import * as Batching from "../batching.js"

// OpenAI's batches, and those of services that have them under the same paths.

/** The addresses of a service's batches. */
export interface Service {
  /** Makes a path of its API, after the base URL. */
  readonly path: (resource: string) => string
  /** The address that each line of a file names, by which the service knows the protocol. */
  readonly endpoint: "/v1/responses" | "/v1/chat/completions"
}

/** Lines of JSON have no break within, and begin with a brace: no line can be taken for the boundary. */
const boundary = "effect-llm-batch"

/** A form with a file of lines. */
const form = (entries: ReadonlyArray<string>): string =>
  [
    `--${boundary}`,
    "Content-Disposition: form-data; name=\"purpose\"",
    "",
    "batch",
    `--${boundary}`,
    "Content-Disposition: form-data; name=\"file\"; filename=\"batch.jsonl\"",
    "Content-Type: application/jsonl",
    "",
    entries.join("\n"),
    `--${boundary}--`,
    ""
  ].join("\r\n")

const ended: ReadonlySet<unknown> = new Set(["completed", "failed", "expired", "cancelled"])

/** The first error of a batch that was refused: there may be one for each line. */
const refusal = (batch: Json.JsonObject): Batching.Failure => {
  const errors = Json.array(Json.object(batch.errors).data).filter(Json.isObject)
  const { code, line, message, param } = errors[0] ?? {}
  const words = Json.string(message) ?? "the batch failed"
  const place = Json.count(line) === undefined ? "" : ` (line ${line})`
  const others = errors.length > 1 ? `, and ${errors.length - 1} more` : ""
  return { status: 400, body: { error: { code, message: `${words}${place}${others}`, param } } }
}

const pageSize = 100

/** The batches of a service. */
export const batches = ({ endpoint, path }: Service): Batching.BatchCodec => {
  const batchPath = (id: string, action = "") => path(`/batches/${encodeURIComponent(id)}${action}`)
  const file = (id: unknown): ReadonlyArray<string> => {
    const name = Json.nonEmpty(id)
    return name === undefined ? [] : [path(`/files/${encodeURIComponent(name)}/content`)]
  }

  const entry: Batching.BatchCodec["entry"] = (id, body) =>
    `{"custom_id":${JSON.stringify(id)},"method":"POST","url":${JSON.stringify(endpoint)},"body":${body}}`

  const find = (name: string, after?: string): Batching.Exchange<string | undefined> => {
    const first = Batching.withQuery(path("/batches"), "limit", pageSize)
    return {
      path: after === undefined ? first : Batching.withQuery(first, "after", after),
      read: ({ body: { data, has_more: hasMore } }) => {
        if (!Array.isArray(data)) return undefined
        const page = data.filter(Json.isObject)
        const found = page.find(({ metadata }) => Json.object(metadata).name === name)
        if (found !== undefined) return Batching.done(Json.nonEmpty(found.id))
        const last = Json.nonEmpty(page.at(-1)?.id)
        return hasMore === true && last !== undefined && last !== after
          ? Batching.next(find(name, last))
          : Batching.done(undefined)
      }
    }
  }

  return {
    // As OpenAI documents them.
    limits: { requests: 50_000, bytes: 200_000_000 },
    entry,
    submit: ({ name, requests }) => ({
      path: path("/files"),
      content: {
        type: `multipart/form-data; boundary=${boundary}`,
        text: form(requests.map(({ body, id }) => entry(id, body)))
      },
      read: ({ body }) => {
        const file = Json.nonEmpty(body.id)
        return file === undefined ? undefined : Batching.next({
          path: path("/batches"),
          body: { input_file_id: file, endpoint, completion_window: "24h", metadata: { name } },
          read: ({ body }) => {
            const id = Json.nonEmpty(body.id)
            return id === undefined ? undefined : Batching.done(id)
          }
        })
      }
    }),
    find: (name) => find(name),
    state: (id) => ({
      path: batchPath(id),
      read: ({ body }) => {
        if (typeof body.status !== "string") return undefined
        const { completed, failed } = Json.object(body.request_counts)
        return Batching.done({
          status: ended.has(body.status) ? "ended" : "running",
          refused: body.status === "failed" ? refusal(body) : undefined,
          succeeded: Json.count(completed),
          failed: Json.count(failed)
        })
      }
    }),
    results: (id) => ({
      path: batchPath(id),
      read: ({ body }) =>
        typeof body.status !== "string"
          ? undefined
          : ended.has(body.status)
          ? Batching.done({ entries: [], files: [...file(body.output_file_id), ...file(body.error_file_id)] })
          : Batching.unfinished
    }),
    result: ({ custom_id: name, error, response }) => {
      const id = Json.nonEmpty(name)
      if (id === undefined) return undefined
      switch (Json.object(error).code) {
        case "batch_expired":
          return { id, outcome: Batching.expired }
        case "batch_cancelled":
          return { id, outcome: Batching.cancelled }
      }
      if (!Json.isObject(response)) return { id, outcome: { body: { error } } }
      return {
        id,
        outcome: {
          status: Json.count(response.status_code),
          body: Json.object(response.body),
          requestId: Json.name(response.request_id)
        }
      }
    },
    cancel: (id) => ({ path: batchPath(id, "/cancel"), body: {}, read: () => Batching.done(undefined) })
  }
}
