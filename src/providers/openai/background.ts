import * as Json from "../../wire/json.js"
import type { BackgroundCodec } from "../codec.js"

// Answers that the service works on without a connection, and keeps for some minutes.
// https://platform.openai.com/docs/guides/background

/** The path of an answer. */
export const path = (id: string): string => `/responses/${encodeURIComponent(id)}`

/** The path of the events of an answer after one of them. */
export const rest = (id: string, after: number): string => `${path(id)}?stream=true&starting_after=${after}`

const unfinished: ReadonlySet<unknown> = new Set(["queued", "in_progress"])

/** The id of an answer in the background. */
export const working = ({ background, id, status }: Json.JsonObject): string | undefined =>
  background === true && unfinished.has(status) ? Json.nonEmpty(id) : undefined

export const background: BackgroundCodec = {
  // Some services leave the requested setting out of the answer.
  pending: ({ background = true, ...response }) => working({ ...response, background }),
  path,
  cancel: (id) => `${path(id)}/cancel`
}
