import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as LlmError from "../../domain/LlmError.js"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import * as LlmResponse from "../../domain/LlmResponse.js"
import * as Message from "../../domain/Message.js"
import * as StreamPart from "../../domain/StreamPart.js"
import * as Check from "../../internal/check.js"
import { partsOf, textOf } from "../partsOf.js"
import { countTokens } from "../simulator/prompt.js"

/**
 * The fields of an answer beyond its content. Default: finish reason `stop` (or `tool_calls`), and a usage that counts
 * one token for four bytes of text.
 *
 * @since 0.1.0
 * @category models
 */
export type ReplyFields = Partial<Omit<Parameters<typeof LlmResponse.make>[0], "parts" | "model" | "provider">>

/**
 * An answer that takes its model from the request and its provider from the script.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reply {
  readonly _tag: "Reply"
  readonly parts: ReadonlyArray<Message.ResponsePart>
  readonly fields: ReplyFields
}

/**
 * A failure in a script.
 *
 * @since 0.1.0
 * @category models
 */
export type Failure = LlmError.Reason | LlmError.LlmError

/**
 * An answer that comes part by part.
 *
 * @since 0.1.0
 * @category models
 */
export interface Streamed {
  readonly _tag: "Streamed"
  /** The content, with or without a `Finish`. */
  readonly parts: Stream.Stream<StreamPart.StreamPart, Failure>
  /** Its end: a `Finish`, a break, silence, or a failure. */
  readonly end: "finish" | "cut" | "silence" | Failure
  readonly fields: ReplyFields
}

/**
 * An answer whose stream is given as it is, chunk by chunk, with nothing added or left out.
 *
 * @since 0.1.0
 * @category models
 */
export interface Exact {
  readonly _tag: "Exact"
  readonly parts: Stream.Stream<StreamPart.StreamPart, Failure>
}

/**
 * The answer to a request: a text, a reply, a stream, a whole response, or a failure.
 *
 * @since 0.1.0
 * @category models
 */
export type Value = string | Reply | Streamed | Exact | LlmResponse.LlmResponse | Failure

/**
 * A value, an `Effect` of one, or a function that gives either. The function takes the request, and counts the requests
 * of its step from 1. A reason or an `LlmError`, as a value or as the failure of the Effect, fails the request.
 *
 * @since 0.1.0
 * @category models
 */
export type Answer =
  | Value
  | Effect.Effect<Value, Failure>
  | ((request: LlmRequest, n: number) => Value | Effect.Effect<Value, Failure>)

const reply = (parts: ReadonlyArray<Message.ResponsePart>, fields: ReplyFields): Effect.Effect<Reply> =>
  Effect.succeed({ _tag: "Reply", parts, fields })

/**
 * Answers with a text. It is an Effect, so it can be delayed on the Clock:
 * `LlmTest.text("Elbe").pipe(Effect.delay("1 second"))`.
 *
 * @since 0.1.0
 * @category answers
 * @example
 * ```ts
 * import { LlmTest } from "effect-llm/testing"
 *
 * const script: LlmTest.Script = ["Elbe", LlmTest.text("The Elbe is a", { finishReason: "length" })]
 * ```
 */
export const text = (text: string, fields: ReplyFields = {}): Effect.Effect<Reply> =>
  reply([Message.Text.make({ text })], fields)

/**
 * Answers with a value as JSON: a structured answer.
 *
 * @since 0.1.0
 * @category answers
 * @example
 * ```ts
 * import { LlmTest } from "effect-llm/testing"
 *
 * const script: LlmTest.Script = [LlmTest.object({ rivers: ["Elbe", "Oder"] })]
 * ```
 */
export const object = (value: unknown, fields: ReplyFields = {}): Effect.Effect<Reply> =>
  text(JSON.stringify(value), fields)

/**
 * Answers with tool calls. Those without an `id` are `call_1`, `call_2`, and so on.
 *
 * @since 0.1.0
 * @category answers
 * @example
 * ```ts
 * import { LlmTest } from "effect-llm/testing"
 *
 * const script: LlmTest.Script = [LlmTest.toolCalls([{ name: "weather", arguments: { city: "Dresden" } }]), "It rains."]
 * ```
 */
export const toolCalls = (
  calls: ReadonlyArray<{ readonly name: string; readonly arguments: unknown; readonly id?: string | undefined }>,
  fields: ReplyFields = {}
): Effect.Effect<Reply> =>
  reply(
    calls.map((call, i) => Message.ToolCall.make({ ...call, id: call.id ?? `call_${i + 1}` })),
    { finishReason: "tool_calls", ...fields }
  )

/**
 * Fails, with a reason or a whole error.
 *
 * @since 0.1.0
 * @category answers
 * @example
 * ```ts
 * import { LlmError } from "effect-llm"
 * import { LlmTest } from "effect-llm/testing"
 *
 * const script: LlmTest.Script = [LlmTest.fail(LlmError.Overloaded.make({})), "Elbe"]
 * ```
 */
export const fail = <E extends LlmError.Reason | LlmError.LlmError>(reason: E): Effect.Effect<never, E> =>
  Effect.fail(reason)

/**
 * Answers part by part, with texts and stream parts from a list or a stream. A tool call is three parts: `ToolCallStart`,
 * `ToolCallDelta` and `ToolCallEnd`. A `Finish` is added. A call waits for the end, and gets the same answer in one piece.
 *
 * @since 0.1.0
 * @category answers
 * @example
 * ```ts
 * import { LlmError, StreamPart } from "effect-llm"
 * import { LlmTest } from "effect-llm/testing"
 *
 * const script: LlmTest.Script = [
 *   // A part every 100 milliseconds on the Clock.
 *   LlmTest.stream(["Elbe, ", "Oder, ", "Rhine"], { every: "100 millis" }),
 *   // Breaks off: `StreamInterrupted`, with the parts so far.
 *   LlmTest.stream([StreamPart.ReasoningDelta({ text: "Hm." }), "Elbe, "], { end: "cut" }),
 *   // Falls silent.
 *   LlmTest.stream(["Elbe, "], { end: "silence" }),
 *   // Fails in the middle.
 *   LlmTest.stream(["Elbe, "], { end: LlmError.Overloaded.make({}) })
 * ]
 * ```
 */
export const stream = (
  parts: Iterable<string | StreamPart.StreamPart> | Stream.Stream<string | StreamPart.StreamPart, Failure>,
  options: ReplyFields & {
    /** The wait before each part. Default: none. */
    readonly every?: Duration.DurationInput | undefined
    /** The end of the stream. Default: "finish". */
    readonly end?: "finish" | "cut" | "silence" | Failure | undefined
  } = {}
): Effect.Effect<Streamed> => {
  const { end = "finish", every, ...fields } = options
  const wait = Check.duration("every", every ?? 0)
  const given: Stream.Stream<string | StreamPart.StreamPart, Failure> = Symbol.iterator in parts
    ? Stream.fromIterable(parts)
    : parts
  const whole = Stream.map(given, (part) => typeof part === "string" ? StreamPart.TextDelta({ text: part }) : part)
  return Effect.succeed({
    _tag: "Streamed",
    parts: every === undefined ? whole : Stream.mapEffect(whole, (part) => Effect.delay(Effect.succeed(part), wait)),
    end,
    fields
  })
}

/**
 * Answers with exactly this stream, to test a program against a malformed one: without a `Finish`, with parts after it,
 * or with chosen chunks. A call gets the response of the last part, which has to be a `Finish`.
 *
 * @since 0.1.0
 * @category answers
 */
export const streamExactly = (parts: Stream.Stream<StreamPart.StreamPart, Failure>): Effect.Effect<Exact> =>
  Effect.succeed({ _tag: "Exact", parts })

// ---------------------------------------------------------------------------------------------------------------------
// From an answer to a response
// ---------------------------------------------------------------------------------------------------------------------

/** The request that an answer belongs to. */
export interface Asked {
  readonly operation: "call" | "stream"
  readonly request: LlmRequest
  /** The count of requests that its step has answered, with this one. */
  readonly n: number
  /** The name of the provider. */
  readonly provider: string
}

const inputText = ({ messages, system = "" }: LlmRequest): string => system + messages.map(Message.text).join("")

const outputText = (parts: Reply["parts"]): string =>
  parts.map((part) => {
    switch (part._tag) {
      case "ToolCall":
        return JSON.stringify(part.arguments)
      case "Opaque":
        return JSON.stringify(part.json)
      case "Source":
        return ""
      default:
        return part.text ?? ""
    }
  }).join("")

const toResponse = ({ fields, parts }: Pick<Reply, "fields" | "parts">, asked: Asked): LlmResponse.LlmResponse =>
  LlmResponse.make({
    finishReason: parts.some((part) => part._tag === "ToolCall") ? "tool_calls" : "stop",
    usage: { inputTokens: countTokens(inputText(asked.request)), outputTokens: countTokens(outputText(parts)) },
    ...fields,
    parts,
    model: asked.request.model,
    provider: asked.provider
  })

const toError = ({ operation, provider, request }: Asked) => (failure: Failure): LlmError.LlmError =>
  LlmError.isLlmError(failure)
    ? failure
    : new LlmError.LlmError({ reason: failure, operation, attempts: 1, provider, model: request.model })

/** The parts of a streamed answer, and its end. */
const toStream = (
  { end, fields, parts }: Streamed,
  asked: Asked
): Stream.Stream<StreamPart.StreamPart, LlmError.LlmError> =>
  Stream.suspend(() => {
    const sent: Array<StreamPart.StreamPart> = []
    const ending = Stream.suspend((): Stream.Stream<StreamPart.StreamPart, Failure> => {
      if (sent.some(StreamPart.is("Finish"))) return Stream.empty
      const content = partsOf(sent)
      switch (end) {
        case "finish":
          return Stream.succeed(StreamPart.Finish({ response: toResponse({ fields, parts: content }, asked) }))
        case "silence":
          return Stream.never
        case "cut":
          return Stream.fail(
            asked.operation === "stream"
              ? LlmError.StreamInterrupted.make({ partial: { text: textOf(content), parts: content } })
              : LlmError.NetworkFailed.make({ code: "ECONNRESET" })
          )
        default:
          return Stream.fail(end)
      }
    })
    return parts.pipe(
      Stream.takeUntil(StreamPart.is("Finish")),
      Stream.tap((part) => Effect.sync(() => sent.push(part))),
      Stream.concat(ending),
      Stream.mapError(toError(asked))
    )
  })

/** Answers a request, with a response or a stream of parts. */
export const settle = (
  answer: Answer,
  asked: Asked
): Effect.Effect<
  LlmResponse.LlmResponse | Stream.Stream<StreamPart.StreamPart, LlmError.LlmError>,
  LlmError.LlmError
> => {
  if (typeof answer === "function") return Effect.suspend(() => settle(answer(asked.request, asked.n), asked))
  // An `LlmError` is an Effect that fails with itself.
  if (Effect.isEffect(answer)) {
    return Effect.flatMap(Effect.mapError(answer, toError(asked)), (value) => settle(value, asked))
  }
  if (typeof answer === "string") return Effect.flatMap(text(answer), (reply) => settle(reply, asked))
  if (answer instanceof LlmResponse.LlmResponse) return Effect.succeed(answer)
  switch (answer._tag) {
    case "Reply":
      return Effect.sync(() => toResponse(answer, asked))
    case "Streamed":
      return Effect.succeed(toStream(answer, asked))
    case "Exact":
      return Effect.succeed(Stream.mapError(answer.parts, toError(asked)))
    default:
      return toError(asked)(answer)
  }
}
