/** What protocols share that stream: how texts are cut into deltas, and how events are framed. */

/** A text in pieces: words, each with the white space before it; very long words in several. */
export const deltas = (text: string): ReadonlyArray<string> => text.match(/\s*\S{1,16}|\s+/gu) ?? []

/** A JSON text in pieces that are no JSON by themselves. */
export const fragments = (json: string): ReadonlyArray<string> => json.match(/.{1,8}/gsu) ?? []

/** A server-sent event: a text as it is, anything else as JSON. */
export const sse = (data: unknown, name?: string): string =>
  `${name === undefined ? "" : `event: ${name}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`

/** The comment that keeps a stream of server-sent events alive. */
export const comment = ": keep-alive\n\n"

/** A line of newline-delimited JSON. */
export const ndjson = (data: unknown): string => `${JSON.stringify(data)}\n`
