import type { Reason } from "../../domain/LlmError.js"
import { MalformedResponse } from "../../domain/LlmError.js"
import { utf8Length } from "../../internal/utf8Length.js"
import * as Json from "../../wire/json.js"
import * as Batching from "../batching.js"
import { modelPath } from "./request.js"

// The batches of the Gemini Developer API: https://ai.google.dev/gemini-api/docs/batch-mode. Vertex AI has others.

/**
 * A few requests travel in the body, and their answers in that of the batch, which has to be read whole. The service takes 20
 * MB there; more of them go into a file, and so do their answers.
 */
const inline = { requests: 100, bytes: 16_000_000 }

/** Far more than the answers of that many requests. */
const maxBytes = 192 * 1024 * 1024

/** gRPC's codes, by which batches report errors, and their names, as HTTP has them. */
const codes: { readonly [code: number]: readonly [httpStatus: number, name: string] } = {
  2: [500, "UNKNOWN"],
  3: [400, "INVALID_ARGUMENT"],
  4: [504, "DEADLINE_EXCEEDED"],
  5: [404, "NOT_FOUND"],
  6: [409, "ALREADY_EXISTS"],
  7: [403, "PERMISSION_DENIED"],
  8: [429, "RESOURCE_EXHAUSTED"],
  9: [400, "FAILED_PRECONDITION"],
  10: [409, "ABORTED"],
  11: [400, "OUT_OF_RANGE"],
  12: [501, "UNIMPLEMENTED"],
  13: [500, "INTERNAL"],
  14: [503, "UNAVAILABLE"],
  15: [500, "DATA_LOSS"],
  16: [401, "UNAUTHENTICATED"]
}

/** The code of a cancelled operation. */
const cancelled = 1

/** The reason why a request, or a batch, has no answer: as an error of a call. */
const failureOf = (error: Json.JsonObject): Reason | Batching.Failure => {
  const code = Json.count(error.code)
  if (code === cancelled || error.status === "CANCELLED") return Batching.cancelled
  const [status, name] = (code === undefined ? undefined : codes[code]) ?? [code, undefined]
  return { status, body: { error: Json.defined({ status: name, ...error, code: status }) } }
}

/**
 * The service's word for a state, without the prefix for the kind of object: `BATCH_STATE_RUNNING`,
 * `JOB_STATE_RUNNING`.
 */
const stateOf = ({ state }: Json.JsonObject): string | undefined =>
  Json.nonEmpty(state)?.replace(/^(?:BATCH|JOB)_STATE_/, "")

const ended: ReadonlySet<string> = new Set(["SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"])

/** The destination of the service's answers. */
const outputOf = ({ metadata, response }: Json.JsonObject): Json.JsonObject => ({
  ...Json.object(Json.object(metadata).output),
  ...Json.object(response)
})

const resultsOf = (operation: Json.JsonObject): Batching.Results => {
  const { inlinedResponses, responsesFile } = outputOf(operation)
  const file = Json.nonEmpty(responsesFile)
  return {
    entries: Json.array(Json.object(inlinedResponses).inlinedResponses),
    files: file === undefined ? [] : [`/download/v1beta/${resource(file)}:download?alt=media`]
  }
}

/** The name of a resource of the service, as a path. */
const resource = (name: string): string => name.split("/").map(encodeURIComponent).join("/")

/** The reason why a batch has ended without any result. */
const refusalOf = (operation: Json.JsonObject, state: string | undefined): Reason | Batching.Failure | undefined => {
  const { entries, files } = resultsOf(operation)
  if (entries.length > 0 || files.length > 0) return undefined
  const { error } = operation
  if (Json.isObject(error)) return failureOf(error)
  switch (state) {
    case "CANCELLED":
      return Batching.cancelled
    case "EXPIRED":
      return Batching.expired
    case "FAILED":
      return { status: 500, body: { error: { message: "the batch failed" } } }
  }
  return undefined
}

/** A count of a batch: a number in a text, which is left out where it is 0. */
const countOf = (stats: unknown, name: string): number | undefined => {
  const count = Json.object(stats)[name]
  return Json.count(count === undefined && Json.isObject(stats) ? 0 : typeof count === "string" ? Number(count) : count)
}

/** Whether a body is that of an operation. */
const isOperation = (body: Json.JsonObject): boolean =>
  Json.nonEmpty(body.name) !== undefined || Json.isObject(body.metadata)

const pageSize = 100

/** A request as a line of a file. */
const entry: Batching.BatchCodec["entry"] = (id, body) => `{"key":${JSON.stringify(id)},"request":${body}}`

/** A request as one of a list. */
const inlined = ({ body, id }: Batching.Entry): string => `{"request":${body},"metadata":{"key":${JSON.stringify(id)}}}`

/** The batches of the service at an address. */
export const batches = (baseUrl: string): Batching.BatchCodec => {
  const path = (id: string, action = "") => `/v1beta/${resource(id)}${action}`

  const create = (model: string, name: string, input: string): Batching.Exchange<string> => ({
    path: `${modelPath(model)}:batchGenerateContent`,
    content: {
      type: "application/json",
      text: `{"batch":{"displayName":${JSON.stringify(name)},"inputConfig":${input}}}`
    },
    read: ({ body }) => {
      const id = Json.nonEmpty(body.name)
      return id === undefined ? undefined : Batching.done(id)
    }
  })

  /** Uploads a file in two steps: the service gives the address for the second one. */
  const upload = (
    { name, text }: { readonly name: string; readonly text: string },
    then: (file: string) => Batching.Exchange<string>
  ): Batching.Exchange<string> => ({
    path: "/upload/v1beta/files",
    headers: {
      "x-goog-upload-protocol": "resumable",
      "x-goog-upload-command": "start",
      "x-goog-upload-header-content-length": String(utf8Length(text)),
      "x-goog-upload-header-content-type": "application/jsonl"
    },
    body: { file: { display_name: name } },
    read: ({ headers }) => {
      const address = headers["x-goog-upload-url"]
      if (address === undefined) return undefined
      // The key goes nowhere else.
      if (!address.startsWith(`${baseUrl}/`)) {
        return MalformedResponse.make({ message: "the upload address does not belong to the service" })
      }
      return Batching.next({
        path: address.slice(baseUrl.length),
        headers: { "x-goog-upload-offset": "0", "x-goog-upload-command": "upload, finalize" },
        content: { type: "application/jsonl", text },
        read: ({ body }) => {
          const file = Json.nonEmpty(Json.object(body.file).name)
          return file === undefined ? undefined : Batching.next(then(file))
        }
      })
    }
  })

  const find = (name: string, token?: string): Batching.Exchange<string | undefined> => ({
    path: `/v1beta/batches?pageSize=${pageSize}${token === undefined ? "" : `&pageToken=${encodeURIComponent(token)}`}`,
    read: ({ body: { nextPageToken, operations = [] } }) => {
      if (!Array.isArray(operations)) return undefined
      const found = operations.filter(Json.isObject)
        .find(({ metadata }) => Json.object(metadata).displayName === name)
      if (found !== undefined) return Batching.done(Json.nonEmpty(found.name))
      const next = Json.nonEmpty(nextPageToken)
      return next === undefined || next === token ? Batching.done(undefined) : Batching.next(find(name, next))
    }
  })

  return {
    // The service takes files of 2 GB, which are too long for a text; it names no limit of requests.
    limits: { requests: 50_000, bytes: 200_000_000 },
    entry,
    submit: ({ bytes, model, name, requests }) => {
      const into = (input: string) => create(model, name, input)
      if (requests.length <= inline.requests && bytes <= inline.bytes) {
        return into(`{"requests":{"requests":[${requests.map(inlined).join(",")}]}}`)
      }
      const text = requests.map(({ body, id }) => entry(id, body)).join("\n")
      return upload({ name, text }, (file) => into(JSON.stringify({ fileName: file })))
    },
    find: (name) => find(name),
    state: (id) => ({
      path: path(id),
      maxBytes,
      read: ({ body }) => {
        if (!isOperation(body)) return undefined
        const metadata = Json.object(body.metadata)
        const state = stateOf(metadata)
        const isOver = body.done === true || (state !== undefined && ended.has(state))
        return Batching.done({
          status: isOver ? "ended" : "running",
          refused: isOver ? refusalOf(body, state) : undefined,
          succeeded: countOf(metadata.batchStats, "successfulRequestCount"),
          failed: countOf(metadata.batchStats, "failedRequestCount")
        })
      }
    }),
    results: (id) => ({
      path: path(id),
      maxBytes,
      read: ({ body }) => {
        if (!isOperation(body)) return undefined
        const state = stateOf(Json.object(body.metadata))
        return body.done === true || (state !== undefined && ended.has(state))
          ? Batching.done(resultsOf(body))
          : Batching.unfinished
      }
    }),
    result: ({ error, key, metadata, response }) => {
      const id = Json.nonEmpty(key) ?? Json.nonEmpty(Json.object(metadata).key)
      if (id === undefined) return undefined
      if (Json.isObject(response)) return { id, outcome: { status: 200, body: response } }
      return { id, outcome: failureOf(Json.object(error)) }
    },
    cancel: (id) => ({ path: path(id, ":cancel"), body: {}, read: () => Batching.done(undefined) })
  }
}
