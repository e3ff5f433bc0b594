import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Schema from "effect/Schema"
import { decodeDurations, type DurationsAsInput } from "../internal/durationFields.js"
import { scrub } from "../internal/scrub.js"
import { visible } from "../internal/visible.js"
import { explain, lengthOf, printable, PrintedAsLength, PrintedClean } from "./printedReason.js"
import * as Reasons from "./reasons.js"
import { verdictOf } from "./verdict.js"

// ---------------------------------------------------------------------------------------------------------------------
// Reasons
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Every provider that was asked failed.
 *
 * @since 0.1.0
 * @category reasons
 */
export interface AllProvidersFailed {
  readonly _tag: "AllProvidersFailed"
  /** The words of this library: at most 500 characters, without keys, prompts or answers. */
  readonly message?: string | undefined
  /** The failure of each provider, in the order in which they were asked. */
  readonly errors: ReadonlyArray<LlmError>
}

interface AllProvidersFailedEncoded {
  readonly _tag: "AllProvidersFailed"
  readonly message?: string | undefined
  readonly errors: ReadonlyArray<typeof LlmError.Encoded>
}

const AllProvidersFailedFields = Schema.TaggedStruct("AllProvidersFailed", {
  ...Reasons.explained,
  errors: Schema.Array(
    Schema.suspend((): Schema.Schema<LlmError, typeof LlmError.Encoded> => LlmError)
  )
})

/**
 * Every provider that was asked failed.
 *
 * @since 0.1.0
 * @category reasons
 */
export const AllProvidersFailed: Schema.Schema<AllProvidersFailed, AllProvidersFailedEncoded> & {
  readonly make: (fields: Omit<AllProvidersFailed, "_tag">) => AllProvidersFailed
} = AllProvidersFailedFields

/**
 * Any cause of a failure.
 *
 * @since 0.1.0
 * @category reasons
 */
export const Reason = Schema.Union(...Reasons.OfOneProvider.members, AllProvidersFailed)

/**
 * Any cause of a failure.
 *
 * @since 0.1.0
 * @category reasons
 */
export type Reason =
  | Reasons.AuthenticationFailed
  | Reasons.PermissionDenied
  | Reasons.QuotaExhausted
  | Reasons.RateLimited
  | Reasons.Overloaded
  | Reasons.InvalidRequest
  | Reasons.ContextLengthExceeded
  | Reasons.ModelNotFound
  | Reasons.ContentFiltered
  | Reasons.Refused
  | Reasons.ServerFailed
  | Reasons.TimedOut
  | Reasons.NetworkFailed
  | Reasons.MalformedResponse
  | Reasons.StreamInterrupted
  | Reasons.OutputInvalid
  | Reasons.OutputTruncated
  | Reasons.ToolArgumentsInvalid
  | Reasons.UnsupportedFeature
  | Reasons.BudgetExceeded
  | Reasons.CircuitOpen
  | Reasons.ReasoningRejected
  | AllProvidersFailed

/**
 * The names of the reasons.
 *
 * @since 0.1.0
 * @category reasons
 */
export type ReasonTag = Reason["_tag"]

/**
 * A reason as a program writes it: its durations in any form.
 *
 * @since 0.1.0
 * @category reasons
 */
export type ReasonInput = Reason extends infer R ? R extends Reason ? DurationsAsInput<R> : never : never

/**
 * The reason with a given name.
 *
 * @since 0.1.0
 * @category reasons
 */
export type ReasonOf<Tag extends ReasonTag> = Extract<Reason, { readonly _tag: Tag }>

/**
 * The operation that failed.
 *
 * @since 0.1.0
 * @category models
 */
export const Operation = Schema.Literal(
  "call",
  "stream",
  "object",
  "streamObject",
  "runTools",
  "streamTools",
  "embed",
  "countTokens",
  "models",
  "batch"
)

/**
 * The operation that failed.
 *
 * @since 0.1.0
 * @category models
 */
export type Operation = typeof Operation.Type

// ---------------------------------------------------------------------------------------------------------------------
// The error
// ---------------------------------------------------------------------------------------------------------------------

/** How long until one of several providers may be asked again; nothing if one of them may be asked at once. */
const leastWait = (errors: ReadonlyArray<LlmError>): Duration.Duration | undefined => {
  const waits = errors.flatMap(({ isRetryable, retryAfter }) =>
    isRetryable || retryAfter !== undefined ? [retryAfter ?? Duration.zero] : []
  )
  const least = waits.length === 0 ? Duration.zero : waits.reduce(Duration.min)
  return Duration.greaterThan(least, Duration.zero) ? least : undefined
}

/** The answer so far, if a part had come. The reason of a stream that broke off has it, too. */
const partialOf = (
  { partial, reason }: { readonly partial?: Reasons.Partial | undefined; readonly reason: Reason }
): Reasons.Partial | undefined =>
  partial ??
    (reason._tag === "StreamInterrupted" && hasCome(reason.partial) ? reason.partial : undefined)

const hasCome = ({ parts, usage }: Reasons.Partial): boolean => parts.length > 0 || usage !== undefined

const fields = {
  /** The cause of the failure. */
  reason: Schema.Union(...Reason.members),
  /** The operation that failed. */
  operation: Operation,
  /** How many requests were sent. */
  attempts: Schema.NonNegativeInt,
  /** The name of the provider. */
  provider: Schema.optional(Schema.String),
  /** The model of the request. */
  model: Schema.optional(Schema.String),
  /** The provider's id of the last HTTP request, for its support. */
  requestId: Schema.optional(Schema.String),
  /**
   * The provider's id of an answer that it had begun to work on in the background. It may still come, and cost: the id is
   * for asking for it, or for stopping it.
   */
  responseId: Schema.optional(Schema.String),
  /**
   * The part of the answer that had come before the failure: for every reason, of each provider. What a `call` with
   * `streaming` has of it nobody else has seen; a stream has given it out. Absent if nothing had come.
   */
  partial: Schema.optional(Reasons.Partial),
  /** The HTTP status of the last answer. */
  status: Schema.optional(Schema.Int),
  /** The server's own advice on another attempt (`x-should-retry`), which overrides the default of the reason. */
  shouldRetry: Schema.optional(Schema.Boolean),
  /** Why no further attempt was made, if the reason alone would have allowed one. */
  gaveUp: Schema.optional(Schema.String)
}

const trusted = { disableValidation: true }

/**
 * Any failure of a call.
 *
 * It is a `Schema`, so that a durable workflow can store it. It never holds headers, the prompt, the key or an
 * unbounded body. Printed in any way (`String`, `JSON.stringify`, `util.inspect`, `Cause.pretty`, a logger) it shows no
 * part of an answer either; the schema's encoding keeps the partial answer.
 *
 * @since 0.1.0
 * @category errors
 */
export class LlmError extends Schema.TaggedError<LlmError>("effect-llm/LlmError")("LlmError", fields) {
  // With the base's parameters, as decoding calls it.
  // @effect-diagnostics-next-line overriddenSchemaConstructor:off
  constructor(props: Schema.Struct.Constructor<typeof fields>, options?: Schema.MakeOptions) {
    // The types guarantee the fields, and a check would cost more than a call in memory.
    super(props, options ?? trusted)
    Object.defineProperty(this, "reason", { value: PrintedClean.of(this.reason) })
    const partial = partialOf(this)
    if (partial !== undefined) {
      Object.defineProperty(this, "partial", { value: PrintedAsLength.of(partial), enumerable: true })
    }
  }

  override get message(): string {
    const where = [this.provider, this.model].filter((name) => name !== undefined).join("/")
    const facts = [
      ...(this.status === undefined ? [] : [`status ${this.status}`]),
      ...(this.retryAfter === undefined ? [] : [`retry after ${Duration.format(this.retryAfter)}`]),
      ...(this.requestId === undefined ? [] : [`request ${this.requestId}`]),
      ...(this.responseId === undefined ? [] : [`answer ${this.responseId}`]),
      ...(this.attempts > 1 ? [`${this.attempts} attempts`] : [])
    ]
    return visible([
      `${explain(this.reason)}${where === "" ? "" : ` from ${where}`}`,
      facts.length === 0 ? "" : ` (${facts.join(", ")})`,
      // A user's own provider may not have scrubbed it.
      this.reason.message === undefined ? "" : `: ${scrub(this.reason.message)}`,
      this.gaveUp === undefined ? "" : `. Not retried: ${this.gaveUp}`
    ].join(""))
  }

  /** Whether the same request may be sent to the same provider again. */
  get isRetryable(): boolean {
    return this.shouldRetry ?? verdictOf(this.reason).retry
  }

  /** Whether another provider may succeed where this one failed. */
  get canFailOver(): boolean {
    return verdictOf(this.reason).failOver
  }

  /** Whether the failure is a sign of the provider's health: 4xx, 429 and the limits of this library are not. */
  get countsAgainstBreaker(): boolean {
    return verdictOf(this.reason).breaker
  }

  /** How long the provider asks to wait before the next request; of several providers, the shortest wait. */
  get retryAfter(): Duration.Duration | undefined {
    if (this.reason._tag === "AllProvidersFailed") return leastWait(this.reason.errors)
    return "retryAfter" in this.reason ? this.reason.retryAfter : undefined
  }

  /** The printable form: all fields, without any part of an answer. */
  override toJSON(): unknown {
    const { attempts, gaveUp, model, operation, partial, provider, requestId, responseId, status } = this
    // The error's own message already contains that of the reason.
    const { message: _, ...reason } = printable(this.reason)
    return {
      _tag: this._tag,
      message: this.message,
      reason,
      operation,
      attempts,
      provider,
      model,
      requestId,
      responseId,
      partial: partial && lengthOf(partial),
      status,
      gaveUp
    }
  }

  override toString(): string {
    return `LlmError: ${this.message}`
  }

  override [Inspectable.NodeInspectSymbol](): unknown {
    return this.stack ?? this.toString()
  }
}

type Fields = ConstructorParameters<typeof LlmError>[0]

/**
 * The same error with some fields changed. They are not checked again: their types guarantee them.
 *
 * @since 0.1.0
 * @category combinators
 */
export const update = (error: LlmError, fields: Partial<Fields>): LlmError => new LlmError({ ...error, ...fields })

/**
 * The fields of an error beside its reason. The client knows most of them better: it sets the operation, the provider, the
 * model and the number of attempts.
 *
 * @since 0.1.0
 * @category models
 */
export interface Facts extends Partial<Omit<Fields, "reason">> {}

/**
 * Makes the error of a provider of your own. Defaults: `operation` "call", `attempts` 1 (0 is for a request that was not
 * sent). Durations may have any form; an invalid one is a defect.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { LlmError } from "effect-llm"
 *
 * const error = LlmError.make({ _tag: "RateLimited", retryAfter: "7 seconds" }, { status: 429 })
 *
 * error.isRetryable // => true
 * ```
 */
export const make = (reason: ReasonInput, facts: Facts = {}): LlmError =>
  new LlmError({
    operation: "call",
    attempts: 1,
    ...facts,
    // Its type says which durations it has.
    reason: decodeDurations(reason) as unknown as Reason
  })

/**
 * Fails as a provider of your own: with `make`.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmError, LlmProvider, LlmResponse, Message } from "effect-llm"
 *
 * declare const ask: (prompt: string) => Effect.Effect<string, "busy" | "down">
 *
 * const Own = LlmProvider.layer({
 *   name: "own",
 *   endpoint: "memory:",
 *   call: ({ model, prompt }) =>
 *     Effect.matchEffect(ask(prompt), {
 *       onFailure: (problem) =>
 *         problem === "busy"
 *           ? LlmError.fail({ _tag: "Overloaded", retryAfter: "2 seconds" })
 *           : LlmError.fail({ _tag: "ServerFailed", message: "the model is down" }),
 *       onSuccess: (text) =>
 *         Effect.succeed(
 *           LlmResponse.make({ parts: [Message.Text.make({ text })], finishReason: "stop", model, provider: "own" })
 *         )
 *     })
 * })
 * ```
 */
export const fail = (reason: ReasonInput, facts?: Facts): Effect.Effect<never, LlmError> =>
  Effect.failSync(() => make(reason, facts))

/**
 * Whether a value is an `LlmError`.
 *
 * @since 0.1.0
 * @category guards
 */
export const isLlmError: (value: unknown) => value is LlmError = Schema.is(LlmError)
