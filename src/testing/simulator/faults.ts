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

const fault = Data.taggedEnum<Fault>()

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
 * No fault: the request is answered.
 *
 * @since 0.1.0
 * @category faults
 */
export const ok: Fault = fault.Ok()

/**
 * Answers with a status and, by default, the protocol's error body for it.
 *
 * @since 0.1.0
 * @category faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const limited = Simulator.status(429, { retryAfter: "2 seconds" })
 * const broken = Simulator.status(500, { headers: { "x-should-retry": "false" }, body: "oops" })
 * ```
 */
export const status = (status: number, options: StatusOptions = {}): Fault => fault.Status({ status, ...options })

/**
 * Refuses for good because of money, as each service does: `credit` is used up (OpenAI: 429
 * `insufficient_quota`; Anthropic: 400 "Your credit balance is too low"), the provider's `spendLimit` is reached
 * (OpenAI: 429 `organization_spend_limit_exceeded`; Anthropic: 429 `enforced_spend_limit_reached`), or the owner's own
 * `usageLimit` (OpenAI: 429 `organization_usage_limit_exceeded`; Anthropic: 400 "You have reached your specified API
 * usage limits").
 *
 * @since 0.1.0
 * @category faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.always(Simulator.quota("credit")) })
 * ```
 */
export const quota = (kind: QuotaKind): Fault => fault.Quota({ kind })

/**
 * Answers with an HTML page, as a proxy that lost its backend (502, 503) or a captive portal (200) does.
 *
 * @since 0.1.0
 * @category faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.sequence([Simulator.html(502)]) })
 * ```
 */
export const html = (status: number): Fault => fault.Html({ status })

/**
 * Answers with status 200 and the first half of the answer, streamed or not, as if it were the whole.
 *
 * @since 0.1.0
 * @category faults
 */
export const halfJson: Fault = fault.HalfJson()

/**
 * Answers with an empty body. Default: status 200.
 *
 * @since 0.1.0
 * @category faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.sequence([Simulator.emptyBody(503)]) })
 * ```
 */
export const emptyBody = (status = 200): Fault => fault.EmptyBody({ status })

/**
 * Resets the connection before any answer. Servers that give no access to the socket (all but Node's) begin an answer and
 * break it off at once.
 *
 * @since 0.1.0
 * @category faults
 */
export const reset: Fault = fault.Reset()

/**
 * Never answers: the request ends when the client gives up.
 *
 * @since 0.1.0
 * @category faults
 */
export const silence: Fault = fault.Silence()

/**
 * Answers in pieces of `chunkBytes` bytes, and waits for `delay` before each.
 *
 * @since 0.1.0
 * @category faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.always(Simulator.slowBody({ chunkBytes: 16, delay: "50 millis" })) })
 * ```
 */
export const slowBody = (options: { readonly chunkBytes: number; readonly delay: Duration.DurationInput }): Fault =>
  fault.SlowBody(options)

/**
 * Sends the headers and `afterBytes` bytes of the answer, then nothing more until the client gives up.
 *
 * @since 0.1.0
 * @category faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.sequence([Simulator.stalledBody({ afterBytes: 32 })]) })
 * ```
 */
export const stalledBody = (options: { readonly afterBytes: number }): Fault => fault.StalledBody(options)

/**
 * Closes the connection after half of the answer, streamed or not.
 *
 * @since 0.1.0
 * @category faults
 */
export const cut: Fault = fault.Cut()

/**
 * Redirects the client. Default: status 307.
 *
 * @since 0.1.0
 * @category faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.always(Simulator.redirect("http://127.0.0.1:9999/elsewhere")) })
 * ```
 */
export const redirect = (location: string, status = 307): Fault => fault.Redirect({ location, status })

// ---------------------------------------------------------------------------------------------------------------------
// Faults of streams
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Closes the connection in the middle of a streamed answer.
 *
 * @since 0.1.0
 * @category stream faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const afterTheThirdEvent = Simulator.cutStream({ afterEvents: 3 })
 * const anywhere = (offset: number) => Simulator.cutStream({ afterBytes: offset })
 * ```
 */
export const cutStream = (after: StreamPlace): Fault => fault.CutStream({ after })

/**
 * Ends a streamed answer early and cleanly, as if it were whole.
 *
 * @since 0.1.0
 * @category stream faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.sequence([Simulator.endStream({ afterEvents: 3 })]) })
 * ```
 */
export const endStream = (after: StreamPlace): Fault => fault.EndStream({ after })

/**
 * Ends a streamed answer, whose status was 200, with the protocol's event for an error of this status. An answer that is
 * not streamed has the status itself.
 *
 * @since 0.1.0
 * @category stream faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.sequence([Simulator.errorEvent({ afterEvents: 3, status: 529 })]) })
 * ```
 */
export const errorEvent = (options: { readonly afterEvents: number; readonly status: number }): Fault =>
  fault.ErrorEvent(options)

/**
 * Sends `afterEvents` events of a streamed answer, then nothing more until the client gives up.
 *
 * @since 0.1.0
 * @category stream faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.sequence([Simulator.stalledStream({ afterEvents: 3 })]) })
 * ```
 */
export const stalledStream = (options: { readonly afterEvents: number }): Fault => fault.StalledStream(options)

/**
 * Sends `afterEvents` events of a streamed answer (default: none), and then only keep-alives until the client gives up:
 * comments, Anthropic's `ping`, or empty lines where the protocol has no events. Default: one every second.
 *
 * @since 0.1.0
 * @category stream faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.sequence([Simulator.keepAlives({ afterEvents: 3, every: "200 millis" })]) })
 * ```
 */
export const keepAlives = (
  options: { readonly afterEvents?: number | undefined; readonly every?: Duration.DurationInput | undefined } = {}
): Fault => fault.KeepAlives({ afterEvents: options.afterEvents ?? 0, every: options.every ?? "1 second" })

/**
 * Sends a streamed answer up to, but not including, its terminal marker. An answer that is not streamed is whole.
 *
 * @since 0.1.0
 * @category stream faults
 */
export const noTerminalMarker: Fault = fault.NoTerminalMarker()

/**
 * Sends a streamed answer with the text `[DONE]` in place of its terminal marker, as some proxies do. A stream that has no
 * server-sent events (Ollama) just ends. An answer that is not streamed is whole.
 *
 * @since 0.1.0
 * @category stream faults
 */
export const doneWithoutFinish: Fault = fault.DoneWithoutFinish()

/**
 * Sends the opening events of a streamed answer twice; Gemini and Ollama have none. A correct client is not affected, nor
 * by `crlfLines` and `byteByByte`. An answer that is not streamed is unchanged.
 *
 * @since 0.1.0
 * @category stream faults
 */
export const duplicateStart: Fault = fault.DuplicateStart()

/**
 * Ends the lines of a streamed answer with CR and LF. An answer that is not streamed is unchanged.
 *
 * @since 0.1.0
 * @category stream faults
 */
export const crlfLines: Fault = fault.CrlfLines()

/**
 * Sends an answer, streamed or not, with every byte in a separate HTTP chunk. A client may still read several of them at
 * once; with `slowBody({ chunkBytes: 1, delay })` it cannot.
 *
 * @since 0.1.0
 * @category stream faults
 */
export const byteByByte: Fault = fault.ByteByByte()

// ---------------------------------------------------------------------------------------------------------------------
// Faults of the service's tools
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The tools that the service runs fail, in an answer with status 200, streamed or not: with an `error_code` (Anthropic), the
 * status `failed` (OpenAI), a failed outcome or retrieval (Gemini). The text then cites nothing of them. An answer without
 * such tools is as it is without the fault.
 *
 * @since 0.1.0
 * @category faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.sequence([Simulator.toolError("max_uses_exceeded")]) })
 * ```
 */
export const toolError = (code = "unavailable"): Fault => fault.ToolError({ code })

// ---------------------------------------------------------------------------------------------------------------------
// All of them
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Faults by name. The next attempt after a `transient` one may succeed; a client needs a time limit to notice `silence` and
 * `stalledBody`. Those in `stream` break a streamed answer after its beginning. Those in `harmless` do not affect a correct
 * client.
 *
 * @since 0.1.0
 * @category faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.perPrompt(Object.values(Simulator.faults.transient)) })
 * ```
 */
export const faults = {
  transient: {
    rateLimited: status(429, { retryAfter: "1 second" }),
    overloaded: status(529),
    unavailable: status(503),
    serverError: status(500),
    badGateway: html(502),
    gatewayTimeout: status(504),
    requestTimeout: status(408),
    conflict: status(409),
    halfJson,
    emptyBody: emptyBody(),
    captivePortal: html(200),
    reset,
    cut,
    silence,
    stalledBody: stalledBody({ afterBytes: 32 })
  },
  permanent: {
    badRequest: status(400),
    unauthorized: status(401),
    forbidden: status(403),
    notFound: status(404),
    tooLarge: status(413),
    unprocessable: status(422),
    outOfCredit: quota("credit"),
    spendLimit: quota("spendLimit"),
    usageLimit: quota("usageLimit")
  },
  stream: {
    cutStream: cutStream({ afterEvents: 3 }),
    endStream: endStream({ afterEvents: 3 }),
    errorEvent: errorEvent({ afterEvents: 3, status: 529 }),
    stalledStream: stalledStream({ afterEvents: 3 }),
    keepAlives: keepAlives({ afterEvents: 3 }),
    noTerminalMarker,
    doneWithoutFinish
  },
  harmless: { duplicateStart, crlfLines, byteByByte }
} as const satisfies Record<string, Readonly<Record<string, Fault>>>

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
