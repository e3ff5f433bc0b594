import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Answer, Completion, Prompt, PromptTool, ProtocolName, Usage } from "./prompt.js"

/** A reason to answer with an error. Each protocol has its own words and shape for it. */
export type Problem =
  | Invalid
  /** The key is missing or wrong. */
  | { readonly _tag: "Unauthorized"; readonly key: string | undefined }
  /** The body is not JSON. */
  | { readonly _tag: "NoJson" }
  /** The account has no money left. */
  | { readonly _tag: "Quota"; readonly kind: QuotaKind }
  /** The service's error for a status. */
  | { readonly _tag: "Status"; readonly status: number }

/** The request is wrong. */
export interface Invalid {
  readonly _tag: "Invalid"
  readonly message: string
  readonly param?: string | undefined
  readonly code?: string | undefined
  /** The HTTP status. Default: 400. */
  readonly status?: number | undefined
  /** Data for programs, in protocols that have a field for it. */
  readonly details?: unknown
}

/**
 * The reason why an account is refused: its credit is used up, or it reached the spend limit of the provider or the
 * usage limit of its owner.
 */
export type QuotaKind = "credit" | "spendLimit" | "usageLimit"

export interface ProblemBody {
  readonly status: number
  readonly body: unknown
}

/** The data of an error besides its reason. */
export interface ProblemFacts {
  readonly model: string
  readonly requestId: string
  /** The time for which the client has to wait, in milliseconds. */
  readonly wait?: number | undefined
}

/** The data of a response's headers. */
export interface HeaderFacts {
  readonly requestId: string
  /** Milliseconds since 1970. */
  readonly now: number
  /** The time that the answer took, in milliseconds. */
  readonly elapsed: number
  readonly usage?: Usage | undefined
  /** Whether the rate limit is used up. */
  readonly limited: boolean
}

/** A request's headers: lower-case names. */
export type Headers = Readonly<Record<string, string | undefined>>

/** A request before its body is read. */
export interface Envelope {
  readonly headers: Headers
  /** The path, without the query. */
  readonly path: string
  readonly query: URLSearchParams
}

/** The answers that a service stores. */
export interface Memory {
  /** Resolves the references of a request to stored answers. */
  readonly recall: (body: unknown) => Either.Either<unknown, Invalid>
  /** Stores an answer, given as its body. */
  readonly keep: (request: Json, answer: Json) => void
  readonly clear: () => void
}

/** A wire protocol: it reads requests, and writes answers and errors. */
export interface Protocol {
  readonly name: ProtocolName
  /** The paths of its requests, with any prefix. */
  readonly path: RegExp
  /** The method of its requests. One without a body is a GET. Default: POST. */
  readonly method?: "GET" | "POST" | "DELETE"
  /** Reads the text of a request's body. Default: it is JSON. */
  readonly parse?: (text: string, envelope: Envelope) => Either.Either<unknown, unknown>
  /** The most bytes that a request may have. Default: 32 MiB. */
  readonly maxBodyBytes?: number
  /** Whether a request at such a path is its own, if another protocol has the same paths. Default: all are. */
  readonly serves?: (envelope: Envelope) => boolean
  /** The API key of a request. */
  readonly key: (envelope: Envelope) => string | undefined
  /** Reads a request, and checks it as the service does. */
  readonly decode: (body: unknown, envelope: Envelope) => Either.Either<Prompt, Invalid>
  /** Answers in place of the simulator's model. */
  readonly answer?: (prompt: Prompt) => Answer
  /** The media type of a whole answer, which `encode` gives as a text. Default: it is JSON. */
  readonly contentType?: string
  /** Further headers of a whole answer. Default: none. */
  readonly answerHeaders?: (prompt: Prompt) => Readonly<Record<string, string>>
  /** The body of a whole answer. `now` is in milliseconds since 1970. */
  readonly encode: (completion: Completion, prompt: Prompt, now: number) => unknown
  /** The answer that the memory keeps, if it differs from the first one that is given. */
  readonly kept?: (completion: Completion, prompt: Prompt, now: number) => unknown
  readonly streaming: Streaming
  /** The status and the body of an error. */
  readonly encodeProblem: (problem: Problem, facts: ProblemFacts) => ProblemBody
  /** Makes the memory of a service that stores answers. */
  readonly makeMemory?: () => Memory
  /** Whether the body of an error has the time to wait, instead of a header. */
  readonly waitInBody?: boolean
  /** The headers of answers and errors. */
  readonly headers: (facts: HeaderFacts) => Readonly<Record<string, string>>
}

/** The streams of a protocol. */
export interface Streaming {
  readonly contentType: string
  /** The events of an answer, in the service's order. `now` is in milliseconds since 1970. */
  readonly events: (completion: Completion, prompt: Prompt, now: number) => ReadonlyArray<StreamEvent>
  /** The event that reports a failure after `index` other events. */
  readonly error: (problem: ProblemBody, index: number) => string
  /** Keeps a connection alive, and has no content. */
  readonly keepAlive: string
  /** The text `[DONE]` as an event; empty if the framing has no such event. */
  readonly done: string
}

/** A part of a streamed answer, as it is sent. */
export interface StreamEvent {
  /** `start` opens the answer, `finish` is the terminal marker, `end` comes after the marker. */
  readonly kind: "start" | "content" | "finish" | "end"
  readonly text: string
}

/** A JSON object of a request. */
export type Json = Readonly<Record<string, unknown>>

export const parseJson = (text: string): Either.Either<unknown, unknown> => Either.try((): unknown => JSON.parse(text))

/** An error of the request, with the field and the code that some protocols have for it. */
export const problem = (message: string, param?: string, code?: string): Invalid => ({
  _tag: "Invalid",
  message,
  param,
  code
})

/** Fails with an error of the request. */
export const invalid = (message: string, param?: string, code?: string): Either.Either<never, Invalid> =>
  Either.left(problem(message, param, code))

/** Fails with the first problem, if there is one. */
export const checks = (...problems: ReadonlyArray<Invalid | undefined>): Either.Either<void, Invalid> => {
  const first = problems.find((problem) => problem !== undefined)
  return first === undefined ? Either.void : Either.left(first)
}

/** The type of a value, in the words of JSON. */
export const jsonType = (value: unknown): string =>
  value === null
    ? "null"
    : Array.isArray(value)
    ? "array"
    : typeof value === "number"
    ? Number.isInteger(value) ? "integer" : "decimal"
    : typeof value

/** The objects in a list. */
export const records = (value: unknown): ReadonlyArray<Json> => Array.isArray(value) ? value.filter(isRecord) : []

/** The strings in a list, or a single string as a list. */
export const strings = (value: unknown): ReadonlyArray<string> =>
  (Array.isArray(value) ? value : [value]).filter((item): item is string => typeof item === "string")

/** The text to answer: that of the last turn that is not the assistant's. */
export const lastText = (turns: Prompt["turns"]): string =>
  turns.findLast((turn) => turn.role !== "assistant")?.text ?? ""

/** The key in a request's `authorization` header. */
export const bearerToken = ({ headers: { authorization } }: Pick<Envelope, "headers">): string | undefined =>
  /^Bearer\s+(\S+)$/i.exec(authorization ?? "")?.[1]

/** A tool from its fields. Without parameters it takes none. */
export const toTool = ({ description, name, parameters }: Json): PromptTool => ({
  name: String(name),
  parameters: parameters ?? { type: "object", properties: {} },
  ...(typeof description === "string" && { description })
})
