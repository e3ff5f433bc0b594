import type * as Duration from "effect/Duration"
import { type Fault, fault, type StatusOptions } from "./fault.js"
import type { QuotaKind } from "./protocol.js"

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
