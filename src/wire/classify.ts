import type * as Duration from "effect/Duration"
import * as LlmError from "../domain/LlmError.js"
import { scrub } from "../internal/scrub.js"
import { codeReasons, rules as commonRules, statusReasons } from "./commonErrors.js"
import { type ErrorBody, readErrorBody } from "./errorBody.js"
import type { ErrorRules, ReasonName, Rule, Seen } from "./errorRules.js"
import { type HeaderFields, retryAfter } from "./retryAfter.js"

/** An HTTP answer that is an error, or not an answer of the protocol. */
export interface Answer {
  readonly status: number
  readonly headers: HeaderFields
  /** Its text, whole or as far as it was read, or the parsed value. */
  readonly body: unknown
}

export interface Options {
  /** The time, in epoch milliseconds, from which a Retry-After date counts. Default: such dates are ignored. */
  readonly nowMillis?: number | undefined
  /** Texts that must not appear in the reason at all: keys. */
  readonly secrets?: ReadonlyArray<string> | undefined
  /** Texts of which no long run may appear in the reason: the prompt. */
  readonly sources?: ReadonlyArray<string> | undefined
  /** The protocol's own forms of errors. Default: only the common ones. */
  readonly errors?: ErrorRules | undefined
}

// ---------------------------------------------------------------------------------------------------------------------
// From evidence to the name of a reason
// ---------------------------------------------------------------------------------------------------------------------

interface Evidence extends Seen {
  readonly codes: ReadonlySet<string>
  readonly status: number | undefined
}

const hasCode = (codes: ReadonlySet<string>, code: string | RegExp): boolean =>
  typeof code === "string" ? codes.has(code) : [...codes].some((each) => code.test(each))

const matches = (pattern: RegExp | ((message: string) => boolean), message: string): boolean =>
  typeof pattern === "function" ? pattern(message) : pattern.test(message)

const applies = ({ codes = [], messages = [], on = () => true }: Rule, seen: Evidence): boolean =>
  on(seen.status, seen) &&
  (codes.some((code) => hasCode(seen.codes, code)) || messages.some((pattern) => matches(pattern, seen.message)))

const ofStatus = (status: number): ReasonName =>
  statusReasons.get(status) ?? (status >= 500 ? "ServerFailed" : "InvalidRequest")

const ofCodes = (codes: ReadonlySet<string>): ReasonName =>
  codeReasons.find(([pattern]) => hasCode(codes, pattern))?.[1] ?? "ServerFailed"

const reasonOf = (evidence: Evidence, own: ReadonlyArray<Rule>): ReasonName =>
  (own.find((rule) => applies(rule, evidence)) ?? commonRules.find((rule) => applies(rule, evidence)))?.reason ??
    (evidence.status === undefined ? ofCodes(evidence.codes) : ofStatus(evidence.status))

// ---------------------------------------------------------------------------------------------------------------------
// From the name to the reason
// ---------------------------------------------------------------------------------------------------------------------

/** The fields of reasons, as far as the answer has them. */
interface Fields {
  readonly message: { readonly message?: string }
  readonly wait: { readonly retryAfter?: Duration.Duration }
  readonly wrong: { readonly field?: string; readonly code?: string }
  readonly failedGeneration: string
}

const makers: { readonly [Name in ReasonName]: (fields: Fields) => LlmError.Reason } = {
  AuthenticationFailed: ({ message }) => LlmError.AuthenticationFailed.make(message),
  PermissionDenied: ({ message }) => LlmError.PermissionDenied.make(message),
  QuotaExhausted: ({ message }) => LlmError.QuotaExhausted.make(message),
  RateLimited: ({ message, wait }) => LlmError.RateLimited.make({ ...message, ...wait }),
  Overloaded: ({ message, wait }) => LlmError.Overloaded.make({ ...message, ...wait }),
  ServerFailed: ({ message, wait }) => LlmError.ServerFailed.make({ ...message, ...wait }),
  InvalidRequest: ({ message, wrong }) => LlmError.InvalidRequest.make({ ...message, ...wrong }),
  ContextLengthExceeded: ({ message }) => LlmError.ContextLengthExceeded.make(message),
  ReasoningRejected: ({ message }) => LlmError.ReasoningRejected.make(message),
  ModelNotFound: ({ message }) => LlmError.ModelNotFound.make(message),
  ContentFiltered: ({ message }) => LlmError.ContentFiltered.make(message),
  MalformedResponse: ({ message }) => LlmError.MalformedResponse.make(message),
  ToolArgumentsInvalid: ({ failedGeneration, message }) =>
    LlmError.ToolArgumentsInvalid.make({ ...message, raw: failedGeneration }),
  OutputInvalid: ({ failedGeneration, message }) =>
    LlmError.OutputInvalid.make({
      ...message,
      text: failedGeneration,
      issues: [{ path: "", expected: "JSON that fits the schema" }]
    })
}

/** The longest plain text, or title of a page, that is passed on. */
const maxPlainText = 200

const fieldsOf = (body: ErrorBody, headers: HeaderFields, options: Options): Fields => {
  const now = options.nowMillis ?? Number.NaN
  const clean = (text: string | undefined, limit?: number): string =>
    scrub(text ?? "", { secrets: options.secrets ?? [], sources: options.sources ?? [] }).slice(0, limit)
  const message = clean(body.message, body.isPlain ? maxPlainText : undefined)
  const field = clean(body.field)
  const code = clean(body.code)
  const wait = retryAfter(headers, now) ?? body.retryDelay ?? retryAfter(body.headers, now)
  return {
    message: message === "" ? {} : { message },
    wait: wait === undefined ? {} : { retryAfter: wait },
    wrong: { ...(field !== "" && { field }), ...(code !== "" && { code }) },
    failedGeneration: body.failedGeneration ?? ""
  }
}

/** A path that the service does not have. */
const nowhere = ({ message, wrong, ...fields }: Fields): Fields => ({
  ...fields,
  message: "message" in message ? message : { message: "HTTP 404: nothing is at this address. Is the base URL right?" },
  wrong: { code: "not_found", ...wrong }
})

const isAnswer = (value: unknown): value is Answer =>
  typeof value === "object" && value !== null && "body" in value && "headers" in value &&
  typeof value.headers === "object" && value.headers !== null && "status" in value && typeof value.status === "number"

/** The length up to which a message is searched: the important words come first. */
const maxEvidence = 4000

/**
 * The reason of a failure: of an HTTP answer, or of an event that reports one inside a stream (parsed, or its text).
 *
 * The protocol's own rules come first, then the common ones, then the status, then the status that the body names. An
 * answer with a status below 300 that reports no error is `MalformedResponse`: its caller could not use it. A redirect is
 * `InvalidRequest` with code `redirect`.
 *
 * Never throws. The message is the provider's own, scrubbed and bounded.
 */
export const classify: {
  (answer: Answer, options?: Options): LlmError.Reason
  (event: unknown, options?: Options): LlmError.Reason
} = (input: unknown, options: Options = {}): LlmError.Reason => {
  const { body, headers, status } = isAnswer(input) ? input : { body: input, headers: {}, status: undefined }
  if (status !== undefined && status >= 300 && status < 400) {
    return LlmError.InvalidRequest.make({ message: `HTTP ${status}: redirects are not followed`, code: "redirect" })
  }
  const read = readErrorBody(body, options.errors)
  const fields = fieldsOf(read, headers, options)
  if (status !== undefined && status < 300 && !read.isError) return makers.MalformedResponse(fields)
  const evidence: Evidence = {
    codes: read.codes,
    // The title of a page is not about a model.
    message: status === 404 && read.isPage ? "" : read.message?.slice(0, maxEvidence) ?? "",
    status: status !== undefined && status >= 400 ? status : read.status,
    waits: "retryAfter" in fields.wait
  }
  const name = reasonOf(evidence, options.errors?.rules ?? [])
  return makers[name](name === "InvalidRequest" && status === 404 ? nowhere(fields) : fields)
}
