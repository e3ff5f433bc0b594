import { UnsupportedFeature } from "../../domain/LlmError.js"
import * as Json from "../../wire/json.js"
import * as Batching from "../batching.js"

/** A request that only fills the cache cannot be in a batch. */
const noTokens = UnsupportedFeature.make({
  feature: "maxTokens: 0",
  message: "a request of a batch needs a limit of at least 1 token"
})

const path = "/v1/messages/batches"

const batchPath = (id: string, action = "") => `${path}/${encodeURIComponent(id)}${action}`

const entry: Batching.BatchCodec["entry"] = (id, body) => `{"custom_id":${JSON.stringify(id)},"params":${body}}`

/**
 * Anthropic's Message Batches. Results are read at their documented path, not at `results_url`: the key goes to no
 * other address.
 *
 * @see https://docs.anthropic.com/en/api/creating-message-batches
 */
export const batches: Batching.BatchCodec = {
  // As Anthropic documents them.
  limits: { requests: 100_000, bytes: 256_000_000 },
  problem: ({ maxTokens }) => maxTokens === 0 ? noTokens : undefined,
  entry,
  submit: ({ requests }) => ({
    path,
    content: {
      type: "application/json",
      text: `{"requests":[${requests.map(({ body, id }) => entry(id, body)).join(",")}]}`
    },
    read: ({ body }) => {
      const id = Json.nonEmpty(body.id)
      return id === undefined ? undefined : Batching.done(id)
    }
  }),
  state: (id) => ({
    path: batchPath(id),
    read: ({ body }) => {
      if (typeof body.processing_status !== "string") return undefined
      const isOver = body.processing_status === "ended"
      const { canceled, errored, expired, succeeded } = Json.object(body.request_counts)
      return Batching.done({
        status: isOver ? "ended" : "running",
        // The counts are 0 until then.
        ...(isOver && { succeeded: Json.count(succeeded), failed: Batching.sum(canceled, errored, expired) })
      })
    }
  }),
  results: (id) => ({
    path: batchPath(id),
    read: ({ body }) =>
      typeof body.processing_status !== "string"
        ? undefined
        : body.processing_status === "ended"
        ? Batching.done({ entries: [], files: [batchPath(id, "/results")] })
        : Batching.unfinished
  }),
  result: ({ custom_id: name, result }) => {
    const id = Json.nonEmpty(name)
    if (id === undefined || !Json.isObject(result)) return undefined
    switch (result.type) {
      case "succeeded":
        return { id, outcome: { status: 200, body: Json.object(result.message) } }
      case "expired":
        return { id, outcome: Batching.expired }
      case "canceled":
        return { id, outcome: Batching.cancelled }
      default: {
        const error = Json.object(result.error)
        return { id, outcome: { body: error, requestId: Json.name(error.request_id) } }
      }
    }
  },
  cancel: (id) => ({ path: batchPath(id, "/cancel"), body: {}, read: () => Batching.done(undefined) })
}
