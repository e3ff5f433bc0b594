import { sha256Hex } from "#sha256"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import type { Prompt } from "./prompt.js"
import type { QuotaKind } from "./protocol.js"

// ---------------------------------------------------------------------------------------------------------------------
// Faults
// ---------------------------------------------------------------------------------------------------------------------

type Nothing = Record<never, never>

/**
 * What happens to a request in place of a plain answer. The constructors of this module say what each one does.
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
}>

const fault = Data.taggedEnum<Fault>()

/**
 * How a status is answered.
 *
 * @since 0.1.0
 * @category models
 */
export interface StatusOptions {
  /** How long the client is asked to wait. Default: the answer does not say. */
  readonly retryAfter?: Duration.DurationInput | undefined
  /** How it is said: `retry-after` in seconds (the default) or as an HTTP date, or `retry-after-ms`. */
  readonly retryAfterAs?: "seconds" | "date" | "millis" | undefined
  /** More headers. They win over all others. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** The body: a string as it is, anything else as JSON. Default: the error that the protocol has for the status. */
  readonly body?: unknown
}

/**
 * No fault: the request is answered.
 *
 * @since 0.1.0
 * @category faults
 */
export const ok: Fault = fault.Ok()

/**
 * Answers with a status and, unless told otherwise, the error body that the protocol has for it.
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
 * Refuses for good because of money, in the way of each protocol: `credit` is used up (OpenAI: 429
 * `insufficient_quota`; Anthropic: 400 "Your credit balance is too low"), the provider's `spendLimit` is reached
 * (OpenAI: 429 `organization_spend_limit_exceeded`; Anthropic: 429 `enforced_spend_limit_reached`), or the owner's own
 * `usageLimit` (OpenAI: 429 `organization_usage_limit_exceeded`; Anthropic: 400 "You have reached your specified API
 * usage limits").
 *
 * @since 0.1.0
 * @category faults
 */
export const quota = (kind: QuotaKind): Fault => fault.Quota({ kind })

/**
 * Answers with an HTML page, as a proxy does that has lost its backend (502, 503) or a captive portal (200).
 *
 * @since 0.1.0
 * @category faults
 */
export const html = (status: number): Fault => fault.Html({ status })

/**
 * Answers with status 200 and the first half of the answer's JSON, as if that were all of it.
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
 */
export const emptyBody = (status = 200): Fault => fault.EmptyBody({ status })

/**
 * Destroys the connection before any answer. On servers that give no access to the socket (all but Node's) an answer
 * begins and breaks off at once.
 *
 * @since 0.1.0
 * @category faults
 */
export const reset: Fault = fault.Reset()

/**
 * Never answers, until the client gives up.
 *
 * @since 0.1.0
 * @category faults
 */
export const silence: Fault = fault.Silence()

/**
 * Answers in small pieces with a pause before each.
 *
 * @since 0.1.0
 * @category faults
 */
export const slowBody = (options: { readonly chunkBytes: number; readonly delay: Duration.DurationInput }): Fault =>
  fault.SlowBody(options)

/**
 * Sends the headers and so many bytes of the answer, and nothing more, until the client gives up.
 *
 * @since 0.1.0
 * @category faults
 */
export const stalledBody = (options: { readonly afterBytes: number }): Fault => fault.StalledBody(options)

/**
 * Closes the connection after half of the body that the headers promised.
 *
 * @since 0.1.0
 * @category faults
 */
export const cut: Fault = fault.Cut()

/**
 * Sends the client elsewhere. Default: status 307.
 *
 * @since 0.1.0
 * @category faults
 */
export const redirect = (location: string, status = 307): Fault => fault.Redirect({ location, status })

/**
 * Faults by name. `transient` ones are over with the next attempt, if the client notices them at all: `silence` and
 * `stalledBody` take a time limit.
 *
 * @since 0.1.0
 * @category faults
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
  }
} as const satisfies Record<string, Readonly<Record<string, Fault>>>

/**
 * A fault in a few words: `Status 429`, `Silence`.
 *
 * @since 0.1.0
 * @category formatting
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
  Redirect: ({ status }) => `Redirect ${status}`
})

// ---------------------------------------------------------------------------------------------------------------------
// Plans
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A valid request, as a plan sees it. All counts begin when the plan is set.
 *
 * @since 0.1.0
 * @category models
 */
export interface Attempt {
  readonly prompt: Prompt
  /** Which request this is: 0 for the first. */
  readonly request: number
  /** Which prompt this is among the different ones: 0 for the first. */
  readonly promptIndex: number
  /** How often this prompt has come, this time included: 1 for the first time. */
  readonly attempt: number
  /** A hash of the conversation, the same for the same conversation. */
  readonly promptKey: string
}

/**
 * Decides what happens to each request. Only requests that would have been answered meet the plan: invalid ones, and
 * those with a wrong key, get their error without it.
 *
 * @since 0.1.0
 * @category models
 */
export type FaultPlan = (attempt: Attempt) => Fault

const at = (faults: ReadonlyArray<Fault>, index: number): Fault => faults[index] ?? ok

/**
 * Answers every request.
 *
 * @since 0.1.0
 * @category fault plans
 */
export const none: FaultPlan = () => ok

/**
 * The first request meets the first fault, the second the second, and so on; all further ones are answered.
 *
 * @since 0.1.0
 * @category fault plans
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const plan = Simulator.sequence([Simulator.status(500), Simulator.ok, Simulator.reset])
 * ```
 */
export const sequence = (faults: ReadonlyArray<Fault>): FaultPlan => ({ request }) => at(faults, request)

/**
 * Every request meets the fault.
 *
 * @since 0.1.0
 * @category fault plans
 */
export const always = (fault: Fault): FaultPlan => () => fault

/**
 * The first attempt of the first prompt meets the first fault, that of the second prompt the second, and so on, and
 * again from the first. Every later attempt is answered: a job that repeats what failed ends well.
 *
 * @since 0.1.0
 * @category fault plans
 */
export const perPrompt = (faults: ReadonlyArray<Fault>): FaultPlan => ({ attempt, promptIndex }) =>
  attempt === 1 ? at(faults, promptIndex % faults.length) : ok

/** A number of [0, 1) that depends on nothing but the text. */
const chance = (text: string): number => parseInt(sha256Hex(text).slice(0, 12), 16) / 16 ** 12

/**
 * Each request meets one of the faults with a probability of `rate`. Which one, and whether, depends only on the seed,
 * the prompt and the attempt: the same job meets the same faults again, in whichever order its requests arrive.
 *
 * @since 0.1.0
 * @category fault plans
 */
export const random = (options: {
  readonly seed: string | number
  /** 0 for never, 1 for always. */
  readonly rate: number
  readonly faults: ReadonlyArray<Fault>
}): FaultPlan =>
({ attempt, promptKey }) => {
  const drawn = `${options.seed}/${promptKey}/${attempt}`
  return chance(drawn) < options.rate
    ? at(options.faults, Math.floor(chance(`${drawn}/which`) * options.faults.length))
    : ok
}
