import type { Reason } from "../domain/LlmError.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import type * as LlmResponse from "../domain/LlmResponse.js"
import type { OutputMode, SchemaDialect } from "../LlmProvider.js"
import type { AnswerDraft } from "../wire/answerDraft.js"
import type { Framer } from "../wire/frame.js"
import type * as Json from "../wire/json.js"

/** A request as it travels, what of it could not be sent, and why it cannot be sent at all. */
export interface Encoded {
  readonly body: Json.JsonObject
  readonly warnings: ReadonlyArray<string>
  readonly problem?: Reason | undefined
}

/** What is known about an answer besides its body. */
export interface Facts {
  readonly request: LlmRequest
  readonly warnings: ReadonlyArray<string>
  readonly requestId: string | undefined
  readonly rateLimit: LlmResponse.RateLimit | undefined
}

/** An event, or a body, that says that the answer failed. It is classified like the body of an HTTP error. */
export const Failed = Symbol("Failed")

/** Reads one streamed answer: a state machine, fed with the events of the protocol. */
export interface Decoder {
  /** The answer so far. */
  readonly draft: AnswerDraft
  /** Takes in an event: its JSON, and its name where the framing has names. Unknown ones are skipped. */
  readonly push: (event: Json.JsonObject, name: string | undefined) => Reason | typeof Failed | undefined
  /** The text `[DONE]` has come, which is no event of any protocol, but which many servers end their streams with. */
  readonly sentinel: () => void
  /** Whether all has come, so that the connection need not be kept. Where it never is, the end of the stream decides. */
  readonly done: () => boolean
  /** The whole answer; `undefined` while the protocol's terminal marker is missing. */
  readonly finish: () => LlmResponse.LlmResponse | Reason | undefined
  /** The usage, as far as it is known. */
  readonly usage: () => LlmResponse.Usage | undefined
}

/** A wire protocol, as pure functions. */
export interface Codec {
  /** What of JSON Schema can be said in a request's `outputSchema`. */
  readonly schemaDialect: SchemaDialect
  /** How a model is best asked for JSON that fits a schema. */
  readonly outputMode: (model: string) => OutputMode
  /** The path of a request, behind the base URL. */
  readonly path: (request: LlmRequest, streaming: boolean) => string
  readonly encode: (request: LlmRequest, streaming: boolean) => Encoded
  /** Gives the answer, or the reason why the body is none. */
  readonly decode: (body: Json.JsonObject, facts: Facts) => LlmResponse.LlmResponse | Reason | typeof Failed
  /** How a stream is cut into events. */
  readonly framer: () => Framer
  readonly decoder: (facts: Facts) => Decoder
}
