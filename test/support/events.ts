type Json = { readonly [field: string]: unknown }

/** Server-sent events without names: each a JSON value, or a text as it is. */
export const sse = (events: ReadonlyArray<unknown>): string =>
  events.map((event) => `data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`).join("")

/** Server-sent events that are named by the `type` of their data. */
export const namedSse = (events: ReadonlyArray<Json & { readonly type: string }>): string =>
  events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("")
