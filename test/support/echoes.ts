import type { ServerResponse } from "node:http"
import { escaped } from "./observers.js"
import type { Received } from "./overHttp.js"

// ---------------------------------------------------------------------------------------------------------------------
// Servers that talk too much
// ---------------------------------------------------------------------------------------------------------------------

export type Echo = (response: ServerResponse, received: Received, status: number) => void

const headersOf = ({ headers }: Received) =>
  Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`).join(", ")

export const html = (text: string) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)

/** What Python makes of a text. */
export const repr = (text: string) =>
  `'${escaped(text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/\t/g, "\\t"))}'`

/** Every string in a JSON value. */
const stringsIn = (value: unknown): ReadonlyArray<string> =>
  typeof value === "string"
    ? [value]
    : typeof value === "object" && value !== null
    ? Object.values(value).flatMap(stringsIn)
    : []

const longStrings = ({ body }: Received) => stringsIn(JSON.parse(body)).filter(({ length }) => length > 8)

const replyJson =
  (make: (received: Received) => unknown, headers: Record<string, string> = {}): Echo => (response, received, status) =>
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(make(received)))

const replyText = (contentType: string, make: (received: Received) => string): Echo => (response, received, status) =>
  response.writeHead(status, { "content-type": contentType }).end(make(received))

const openAiError = (message: string, fields: Record<string, unknown> = {}) => ({
  error: { message, type: "invalid_request_error", param: null, code: null, ...fields }
})

export const echoes: Readonly<Record<string, Echo>> = {
  "the request in a message": replyJson((r) => openAiError(`Could not process ${r.body}`)),
  "the headers in a message": replyJson((r) => openAiError(`Could not process ${headersOf(r)}`)),
  "all in a message, behind 400 words": replyJson((r) =>
    openAiError(`${"so sorry ".repeat(400)} ${headersOf(r)} ${r.body} ${headersOf(r)}`)
  ),
  "each text in a message": replyJson((r) => openAiError(longStrings(r).map((text) => `got «${text}»`).join("; "))),
  "each text, abridged": replyJson((r) =>
    openAiError(longStrings(r).map((text) => `got ${text.slice(0, 40)}... (${text.length})`).join("; "))
  ),
  "each text as Python writes it": replyJson((r) => ({
    detail: longStrings(r).map((text) => ({
      type: "string_type",
      loc: ["body", "messages", 0, "content"],
      msg: `Input should be valid, input_value=${repr(text)}`,
      input: text
    }))
  })),
  "the request as Python's JSON": replyJson((r) => openAiError(escaped(JSON.stringify(JSON.parse(r.body))))),
  "the request as JSON in JSON": replyJson((r) => openAiError(JSON.stringify(openAiError(JSON.stringify(r.body))))),
  "the key in every field": replyJson((r) => {
    const told = `${headersOf(r)} ${r.body}`
    return openAiError(told, { type: told, param: told, code: told, status: told, details: [{ reason: told }] })
  }),
  "the key as a code": replyJson((r) => openAiError("no", { code: keyOf(r), type: keyOf(r), param: keyOf(r) })),
  "a page": replyText(
    "text/html",
    (r) => `<html><head><title>${html(headersOf(r))} ${html(r.body)}</title></head><body>${r.body}</body></html>`
  ),
  "a page that escapes nothing": replyText("text/html", (r) => `<html><title>${r.body} ${headersOf(r)}</title></html>`),
  "plain text": replyText("text/plain", (r) => `${headersOf(r)}\n\n${r.body}`),
  "the request itself": replyText("application/json", (r) => r.body),
  "half a JSON": replyText(
    "application/json",
    (r) => JSON.stringify(openAiError(`no ${r.body} ${headersOf(r)}`)).slice(0, -40)
  ),
  "an event": replyText(
    "text/event-stream",
    (r) =>
      `event: error\ndata: ${
        JSON.stringify({ type: "error", error: { type: "api_error", message: `${r.body} ${headersOf(r)}` } })
      }\n\n`
  ),
  "garbage as an event": replyText("text/event-stream", (r) => `data: ${r.body} ${headersOf(r)}\n\n`),
  "lines of JSON": replyText(
    "application/x-ndjson",
    (r) => `${JSON.stringify({ error: `${r.body} ${headersOf(r)}` })}\n`
  ),
  "the request, and the end is cut off": (response, received, status) => {
    response.writeHead(status, { "content-type": "application/json", "content-length": 1_000_000 })
    response.write(received.body, () => response.destroy())
  },
  "the key in headers": (response, received, status) =>
    response.writeHead(status, {
      "content-type": `application/${keyOf(received)}`,
      "x-request-id": `${"r".repeat(190)}${keyOf(received)}`,
      "request-id": keyOf(received),
      "retry-after": keyOf(received),
      "x-ratelimit-limit-requests": keyOf(received)
    }).end(),
  "the key at the end of what is read": replyJson((r) => {
    const { error } = openAiError("")
    const before = JSON.stringify({ pad: "", error }).indexOf("\"message\":\"") + "\"message\":\"".length
    return {
      pad: "x".repeat(64 * 1024 - before - 20 - 12),
      error: { ...error, message: `${"y".repeat(12)} ${keyOf(r)} no` }
    }
  })
}

export const keyOf = ({ headers }: Received): string =>
  [headers.authorization?.replace("Bearer ", ""), headers["x-api-key"], headers["x-goog-api-key"]].find((it) =>
    typeof it === "string"
  )?.toString() ?? "none"
