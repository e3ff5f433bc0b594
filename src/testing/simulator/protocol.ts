import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Completion, Prompt, ProtocolName, Usage } from "./prompt.js"

/** Something that is answered with an error: each protocol has its own words and its own shape for it. */
export type Problem =
  | Invalid
  /** The key is missing or wrong. */
  | { readonly _tag: "Unauthorized"; readonly key: string | undefined }
  /** The body is no JSON. */
  | { readonly _tag: "NoJson" }
  /** The account has nothing left to pay with. */
  | { readonly _tag: "Quota"; readonly kind: QuotaKind }
  /** Whatever the service says with a status. */
  | { readonly _tag: "Status"; readonly status: number }

/** The request is wrong. */
export interface Invalid {
  readonly _tag: "Invalid"
  readonly message: string
  readonly param?: string | undefined
  readonly code?: string | undefined
  /** Default: 400. */
  readonly status?: number | undefined
  /** What a program is told beyond the message, where the protocol has a place for it. */
  readonly details?: unknown
}

/**
 * Why an account may not go on: its credit is used up, it reached the spend limit that the provider set, or the limit
 * that its owner set.
 */
export type QuotaKind = "credit" | "spendLimit" | "usageLimit"

export interface ProblemBody {
  readonly status: number
  readonly body: unknown
}

/** What an error tells besides what is wrong. */
export interface ProblemFacts {
  readonly model: string
  readonly requestId: string
  /** How long the client is asked to wait, in milliseconds. */
  readonly wait?: number | undefined
}

/** What a response's headers tell. */
export interface HeaderFacts {
  readonly requestId: string
  /** Milliseconds since 1970. */
  readonly now: number
  /** How long the answer took, in milliseconds. */
  readonly elapsed: number
  readonly usage?: Usage | undefined
  /** Whether the rate limit is used up. */
  readonly limited: boolean
}

/** A request's headers: lower-case names. */
export type Headers = Readonly<Record<string, string | undefined>>

/** A request before it is read. */
export interface Envelope {
  readonly headers: Headers
  /** Without the query. */
  readonly path: string
  readonly query: URLSearchParams
}

/** What a service keeps of its answers. */
export interface Memory {
  /** Puts what a request refers to into it. */
  readonly recall: (body: unknown) => Either.Either<unknown, Invalid>
  /** Keeps an answer, as it stands in its body. */
  readonly keep: (request: Json, answer: Json) => void
  readonly clear: () => void
}

/** One wire protocol: how its requests are read, and how answers and errors are written in it. */
export interface Protocol {
  readonly name: ProtocolName
  /** Where it is spoken, behind any prefix. */
  readonly path: RegExp
  /** The API key that a request brought. */
  readonly key: (envelope: Envelope) => string | undefined
  /** Checks a request as the service does, and reads it. */
  readonly decode: (body: unknown, envelope: Envelope) => Either.Either<Prompt, Invalid>
  /** The body of a whole answer. `now` is in milliseconds since 1970. */
  readonly encode: (completion: Completion, prompt: Prompt, now: number) => unknown
  readonly streaming: Streaming
  /** The error's status and body. */
  readonly encodeProblem: (problem: Problem, facts: ProblemFacts) => ProblemBody
  /** Makes the memory of a service that has one. */
  readonly makeMemory?: () => Memory
  /** Whether its errors have a place for how long to wait, so that no header says it. */
  readonly waitInBody?: boolean
  /** The headers of answers and errors. */
  readonly headers: (facts: HeaderFacts) => Readonly<Record<string, string>>
}

/** How a protocol streams its answers. */
export interface Streaming {
  readonly contentType: string
  /** An answer as it is streamed, in the service's order. `now` is in milliseconds since 1970. */
  readonly events: (completion: Completion, prompt: Prompt, now: number) => ReadonlyArray<StreamEvent>
  /** The event that says, after so many others, that the answer failed. */
  readonly error: (problem: ProblemBody, index: number) => string
  /** What keeps a connection alive and says nothing. */
  readonly keepAlive: string
  /** The text `[DONE]` as an event; empty where the framing has no place for it. */
  readonly done: string
}

/** A part of a streamed answer, as it goes over the wire. */
export interface StreamEvent {
  /** `start` opens the answer, `finish` is the marker without which it is not whole, `end` is what comes after that. */
  readonly kind: "start" | "content" | "finish" | "end"
  readonly text: string
}

/** A JSON object as it came over the wire. */
export type Json = Readonly<Record<string, unknown>>

export const parseJson = (text: string): Either.Either<unknown, unknown> => Either.try((): unknown => JSON.parse(text))

export const invalid = (
  message: string,
  param?: string,
  code?: string
): Either.Either<never, Invalid> => Either.left({ _tag: "Invalid", message, param, code })

/** Runs checks in their order: the first problem, if any. */
export const checks = (...problems: ReadonlyArray<Invalid | undefined>): Either.Either<void, Invalid> => {
  const first = problems.find((problem) => problem !== undefined)
  return first === undefined ? Either.void : Either.left(first)
}

/** The type of a value, as JSON calls it. */
export const jsonType = (value: unknown): string =>
  value === null
    ? "null"
    : Array.isArray(value)
    ? "array"
    : typeof value === "number"
    ? Number.isInteger(value) ? "integer" : "decimal"
    : typeof value

/** The members of a list that are objects. */
export const records = (value: unknown): ReadonlyArray<Json> => Array.isArray(value) ? value.filter(isRecord) : []

/** The strings among a value or the members of a list. */
export const strings = (value: unknown): ReadonlyArray<string> =>
  (Array.isArray(value) ? value : [value]).filter((item): item is string => typeof item === "string")

/** What a turn asks to be answered: the text of the last one that is not the assistant's. */
export const lastText = (turns: Prompt["turns"]): string =>
  turns.findLast((turn) => turn.role !== "assistant")?.text ?? ""
