import type * as Embedding from "../domain/Embedding.js"
import type { Reason } from "../domain/LlmError.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import type * as LlmResponse from "../domain/LlmResponse.js"
import type * as Reasoning from "../domain/reasoning.js"
import type { Dialect, OutputMode, SchemaDialect } from "../LlmProvider.js"
import type { AnswerDraft } from "../wire/answerDraft.js"
import type { ErrorRules } from "../wire/errorRules.js"
import type { Framer } from "../wire/frame.js"
import type * as Json from "../wire/json.js"
import type { BatchCodec } from "./batching.js"
import type { CountingCodec } from "./counting.js"
import type { ListingCodec } from "./listing.js"
import type { Changes } from "./settings.js"

/** An encoded request. */
export interface Encoded {
  readonly body: Json.JsonObject
  /** The settings that could not be sent as they are in the request. */
  readonly warnings: ReadonlyArray<string>
  /** The reason why the request cannot be sent at all. */
  readonly problem?: Reason | undefined
}

/** Whether a part of a request has a reason in place of its encoding. */
export const isReason = <A extends object>(encoded: A | Reason): encoded is Reason => "_tag" in encoded

/** Facts about an answer besides its body. */
export interface Facts {
  readonly request: LlmRequest
  /** The reader of the reasoning in the answer. */
  readonly reader: Reasoning.Reader
  readonly warnings: ReadonlyArray<string>
  readonly requestId: string | undefined
  readonly rateLimit: LlmResponse.RateLimit | undefined
}

/** The result of reading an event or a body that reports an error. It is classified like the body of an HTTP error. */
export const Failed = Symbol("Failed")

/** The request for the rest of an answer. */
export interface Continuation {
  /** The path to get it from. Default: the request is sent again. */
  readonly path?: string | undefined
  /** Fields for the body of the request that is sent again. */
  readonly fields?: Json.JsonObject | undefined
}

/** Reads one streamed answer: a state machine over the events of the protocol. */
export interface Decoder {
  /** The answer so far. */
  readonly draft: AnswerDraft
  /** Reads an event: its JSON, and its name if the framing has names. Unknown events are skipped. */
  readonly push: (event: Json.JsonObject, name: string | undefined) => Reason | typeof Failed | undefined
  /** Reads the text `[DONE]`: many servers end their streams with it, whatever their protocol. */
  readonly sentinel: () => void
  /** Whether the answer is whole before the stream ends. A protocol without such a sign answers false throughout. */
  readonly done: () => boolean
  /**
   * Whether the answer may be whole although the stream has no end yet, so that silence ends it: `certain` if the
   * protocol's word for the end came on its own, `likely` if it came with content. Protocols whose terminal marker is
   * the last event have no need of it.
   */
  readonly ending?: (() => "certain" | "likely" | undefined) | undefined
  /** The whole answer; `undefined` while the protocol's terminal marker is missing. */
  readonly finish: () => LlmResponse.LlmResponse | Reason | undefined
  /** The usage, as far as it is known. */
  readonly usage: () => LlmResponse.Usage | undefined
  /**
   * The request for the events after those so far, if the stream has ended or broken off and the answer goes on;
   * `undefined` if there is no way to get each part once. `silent` is the number of connections in a row without an
   * event. Default: the protocol has no such way.
   */
  readonly continuation?: ((silent: number) => Continuation | undefined) | undefined
  /** The rest comes from here on: it may begin with events that have come already. */
  readonly resumed?: (() => void) | undefined
  /** The service's id of an answer that goes on without a connection. Default: the answer stops with its connection. */
  readonly working?: (() => string | undefined) | undefined
}

/** Answers that a service works on without a connection. */
export interface BackgroundCodec {
  /** The id of an answer that is not ready yet. */
  readonly pending: (body: Json.JsonObject) => string | undefined
  /** The path to get it from. */
  readonly path: (id: string) => string
  /** The path to post to, so that the service stops. */
  readonly cancel: (id: string) => string
}

/** Facts about embeddings besides their body. */
export interface EmbeddingFacts extends Pick<Facts, "requestId" | "rateLimit" | "warnings"> {
  readonly request: Embedding.Request
}

/** The embeddings of a wire protocol, as pure functions. */
export interface EmbeddingCodec {
  readonly limits: (model: string) => Embedding.Limits
  /** The path of a request, after the base URL. */
  readonly path: (request: Embedding.Request) => string
  readonly encode: (request: Embedding.Request) => Encoded
  /** Reads an answer; or gives the reason why the body has none. */
  readonly decode: (body: Json.JsonObject, facts: EmbeddingFacts) => EmbeddingAnswer | Reason | typeof Failed
}

/** The vectors of an answer, not checked yet, in the order of the texts. */
export interface EmbeddingAnswer {
  readonly vectors: ReadonlyArray<unknown>
  readonly usage: LlmResponse.Usage
  readonly model: string
}

/** A wire protocol, as pure functions. */
export interface Codec {
  /** Its name: that of its raw fields in `providerOptions`, and of the tools that its providers run. */
  readonly protocol: string
  /** The dialect of JSON Schema for `outputSchema` and tools: one with a name, or the protocol's own. */
  readonly schemaDialect: SchemaDialect | Dialect
  /** The protocol's own forms of errors, besides the common ones. */
  readonly errors?: ErrorRules | undefined
  /** The best way to ask a model for JSON that fits a schema, and the best way if it may call tools first. */
  readonly outputMode: (model: string, besideTools?: boolean) => OutputMode
  /** Whether a request may ask for no tokens. Default: false. */
  readonly takesNoTokens?: boolean | undefined
  /** Whether an option of the provider has each prompt cached. Default: false. */
  readonly cachesPrompts?: boolean | undefined
  /** The path of a request, after the base URL. */
  readonly path: (request: LlmRequest, streaming: boolean) => string
  readonly encode: (request: LlmRequest, streaming: boolean, changes: Changes) => Encoded
  /**
   * Adds the stand-ins that the service wants for omitted signatures to a conversation. A conversation that needs none
   * is returned as it is. Default: none.
   */
  readonly unsealed?: ((messages: LlmRequest["messages"]) => LlmRequest["messages"]) | undefined
  /** Reads a whole answer; or gives the reason why the body has none. */
  readonly decode: (body: Json.JsonObject, facts: Facts) => LlmResponse.LlmResponse | Reason | typeof Failed
  /** Cuts a stream into events. */
  readonly framer: () => Framer
  readonly decoder: (facts: Facts) => Decoder
  /** Embeddings, if the protocol has them. */
  readonly embeddings?: EmbeddingCodec | undefined
  /** The counting of tokens, if the protocol has it. */
  readonly counting?: CountingCodec | undefined
  /** Answers in the background, if the protocol has them. */
  readonly background?: BackgroundCodec | undefined
  /** Whether a whole answer may go on in the answer to another request: see `Decoder.continuation`. Default: false. */
  readonly goesOn?: boolean | undefined
  /** The batch API, if the service has one. */
  readonly batches?: BatchCodec | undefined
  /** The list of models, if the protocol has one. */
  readonly listing?: ListingCodec | undefined
}
