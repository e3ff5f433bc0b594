/** Streaming, for all protocols: texts are cut into deltas, and events are framed. */

/** A text in words, each with the white space before it. Very long words are cut. */
export const deltas = (text: string): ReadonlyArray<string> => text.match(/\s*\S{1,16}|\s+/gu) ?? []

/** A JSON text in short pieces, as services cut it. */
export const fragments = (json: string): ReadonlyArray<string> => json.match(/.{1,8}/gsu) ?? []

/** A server-sent event. Its data is a text as it is, or any other value as JSON. */
export const sse = (data: unknown, name?: string): string =>
  `${name === undefined ? "" : `event: ${name}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`

/** A comment, which keeps a stream of server-sent events alive. */
export const comment = ": keep-alive\n\n"

/** A line of newline-delimited JSON. */
export const ndjson = (data: unknown): string => `${JSON.stringify(data)}\n`
