import type * as Duration from "effect/Duration"
import type * as Json from "./json.js"

/** A reason that a body or a status can give. */
export type ReasonName =
  | "AuthenticationFailed"
  | "PermissionDenied"
  | "QuotaExhausted"
  | "RateLimited"
  | "Overloaded"
  | "ServerFailed"
  | "InvalidRequest"
  | "ContextLengthExceeded"
  | "ReasoningRejected"
  | "ModelNotFound"
  | "ContentFiltered"
  | "MalformedResponse"
  | "ToolArgumentsInvalid"
  | "OutputInvalid"

/** The contents of an error that rules use, besides its codes. */
export interface Seen {
  readonly message: string
  /** Whether the answer states a wait. */
  readonly waits: boolean
}

/** Recognizes a reason by a code or by the message; one match is enough. */
export interface Rule {
  readonly reason: ReasonName
  /** Codes in snake_case, or patterns of them. */
  readonly codes?: ReadonlyArray<string | RegExp>
  /** Patterns of the message, or tests of it. */
  readonly messages?: ReadonlyArray<RegExp | ((message: string) => boolean)>
  /** The answers that the rule applies to; an event in a stream often has no status. Default: any. */
  readonly on?: (status: number | undefined, seen: Seen) => boolean
}

/** The contents of a body beyond the shapes that all protocols share. Values of the wrong type are ignored. */
export interface Findings {
  /** Whether it is an error, although it has none of the common signs of one. */
  readonly isError?: boolean
  /** Further names of the error, after the common ones. */
  readonly names?: ReadonlyArray<unknown>
  /** The message, if none of the common places has one. */
  readonly message?: unknown
  /** The field of the request that is wrong, if none of the common places names one. */
  readonly field?: unknown
  /** The HTTP status that the body names, if none of the common places has one. */
  readonly status?: unknown
  /** The wait that the body asks for. The header Retry-After comes before it. */
  readonly retryAfter?: Duration.Duration | undefined
  /** The model's own words, if the service rejects them. */
  readonly failedGeneration?: unknown
}

/**
 * The forms of errors of one protocol, besides the common ones.
 *
 * Gateways pass the errors of other services on, in their own protocol. A code or a phrase that can come through one
 * belongs to the common rules; these have only those of no other protocol.
 */
export interface ErrorRules {
  /** The place of the error in a body or an event, if it is in none of the common ones. */
  readonly errorOf?: (body: Json.JsonObject) => unknown
  /** Reads a body, and the error in it; if there is none, `error` is the body. */
  readonly read?: (body: Json.JsonObject, error: Json.JsonObject) => Findings
  /** These come before the common rules; the first one that applies wins. */
  readonly rules?: ReadonlyArray<Rule>
}
