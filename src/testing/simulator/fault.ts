import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import type { QuotaKind } from "./protocol.js"

type Nothing = Record<never, never>

/**
 * A fault that a request meets in place of a plain answer. The constructors of this module describe each one.
 *
 * @since 0.1.0
 * @category models
 */
export type Fault = Data.TaggedEnum<{
  Ok: Nothing
  Status: StatusOptions & { readonly status: number }
  Quota: { readonly kind: QuotaKind }
  Html: { readonly status: number }
  HalfJson: Nothing
  EmptyBody: { readonly status: number }
  Reset: Nothing
  Silence: Nothing
  SlowBody: { readonly chunkBytes: number; readonly delay: Duration.DurationInput }
  StalledBody: { readonly afterBytes: number }
  Cut: Nothing
  Redirect: { readonly location: string; readonly status: number }
  CutStream: { readonly after: StreamPlace }
  EndStream: { readonly after: StreamPlace }
  ErrorEvent: { readonly afterEvents: number; readonly status: number }
  StalledStream: { readonly afterEvents: number }
  KeepAlives: { readonly afterEvents: number; readonly every: Duration.DurationInput }
  NoTerminalMarker: Nothing
  DoneWithoutFinish: Nothing
  DuplicateStart: Nothing
  ByteByByte: Nothing
  CrlfLines: Nothing
  ToolError: { readonly code: string }
}>

/** The faults, by their tags. */
export const fault = Data.taggedEnum<Fault>()

/**
 * The answer with a status.
 *
 * @since 0.1.0
 * @category models
 */
export interface StatusOptions {
  /** The time that the client is asked to wait. Default: none. */
  readonly retryAfter?: Duration.DurationInput | undefined
  /** The header for it: `retry-after` in seconds (the default) or as an HTTP date, or `retry-after-ms`. */
  readonly retryAfterAs?: "seconds" | "date" | "millis" | undefined
  /** More headers, which override all others. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** The body: a string as it is, anything else as JSON. Default: the protocol's error for the status. */
  readonly body?: unknown
}

/**
 * A place in a streamed answer: after a number of events (of lines, for Ollama), but no later than before the terminal
 * marker, or after an exact number of bytes. An answer that is not streamed has two events: its halves.
 *
 * @since 0.1.0
 * @category models
 */
export type StreamPlace = { readonly afterEvents: number } | { readonly afterBytes: number }

/**
 * A fault in a few words: `Status 429`, `Silence`.
 *
 * @since 0.1.0
 * @category formatting
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * Simulator.describe(Simulator.status(429)) // => "Status 429"
 * ```
 */
export const describe: (fault: Fault) => string = fault.$match({
  Ok: () => "Ok",
  Status: ({ status }) => `Status ${status}`,
  Quota: ({ kind }) => `Quota ${kind}`,
  Html: ({ status }) => `Html ${status}`,
  HalfJson: () => "HalfJson",
  EmptyBody: ({ status }) => `EmptyBody ${status}`,
  Reset: () => "Reset",
  Silence: () => "Silence",
  SlowBody: () => "SlowBody",
  StalledBody: () => "StalledBody",
  Cut: () => "Cut",
  Redirect: ({ status }) => `Redirect ${status}`,
  CutStream: () => "CutStream",
  EndStream: () => "EndStream",
  ErrorEvent: ({ status }) => `ErrorEvent ${status}`,
  StalledStream: () => "StalledStream",
  KeepAlives: () => "KeepAlives",
  NoTerminalMarker: () => "NoTerminalMarker",
  DoneWithoutFinish: () => "DoneWithoutFinish",
  DuplicateStart: () => "DuplicateStart",
  ByteByByte: () => "ByteByByte",
  CrlfLines: () => "CrlfLines",
  ToolError: ({ code }) => `ToolError ${code}`
})
