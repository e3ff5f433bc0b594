/**
 * What a program asks of a model: who should answer (`model`), what is asked (`prompt` or `messages`), and how
 * (everything else). Provider-agnostic: a provider translates it to its own wire format.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { copy } from "../internal/copy.js"
import { fromParseIssue } from "../internal/schemaIssue.js"
import * as LlmError from "./LlmError.js"
import * as Message from "./Message.js"
import * as PlainRequest from "./plainRequest.js"

const bounded = (minimum: number, maximum: number) =>
  Schema.Number.pipe(
    Schema.filter((n) => n >= minimum && n <= maximum, {
      description: `a number between ${minimum} and ${maximum}`
    })
  )

const positiveInteger = Schema.Number.pipe(
  Schema.filter((n) => Number.isSafeInteger(n) && n > 0, { description: "a positive integer" })
)

const notBlank = (description: string) =>
  Schema.String.pipe(Schema.filter((text) => text.trim() !== "", { description }))

const notEmpty = Schema.String.pipe(Schema.filter((text) => text !== "", { description: "text that is not empty" }))

const JsonObject = Schema.Record({ key: Schema.String, value: Schema.Unknown }).annotations({
  description: "a JSON object"
})

/**
 * A tool that the model may ask for.
 *
 * @since 0.1.0
 * @category models
 */
export const Tool = Schema.Struct({
  /** 1 to 128 characters of `A-Z a-z 0-9 _ -`. OpenAI takes up to 64. */
  name: Schema.String.pipe(
    Schema.filter((name) => /^[\w-]{1,128}$/.test(name), { description: "1 to 128 of the characters A-Z a-z 0-9 _ -" })
  ),
  /** Tells the model what the tool does and when to use it. */
  description: Schema.optional(Schema.String),
  /** The JSON Schema of the arguments. */
  parameters: JsonObject,
  /** Asks the provider to hold the model to the schema, where it can. */
  strict: Schema.optional(Schema.Boolean)
})

/**
 * @since 0.1.0
 * @category models
 */
export type Tool = typeof Tool.Type

/**
 * Whether the model may, must not or must call a tool, or which one it must call.
 *
 * @since 0.1.0
 * @category models
 */
export const ToolChoice = Schema.Union(
  Schema.Literal("auto", "none", "required"),
  Schema.Struct({ tool: notEmpty })
)

/**
 * @since 0.1.0
 * @category models
 */
export type ToolChoice = typeof ToolChoice.Type

/**
 * The JSON Schema that the answer has to fit.
 *
 * @since 0.1.0
 * @category models
 */
export const OutputSchema = Schema.Struct({
  /** 1 to 64 characters of `A-Z a-z 0-9 _ -`. */
  name: Schema.String.pipe(
    Schema.filter((name) => /^[\w-]{1,64}$/.test(name), { description: "1 to 64 of the characters A-Z a-z 0-9 _ -" })
  ),
  description: Schema.optional(Schema.String),
  /** The JSON Schema, in the dialect that the provider takes. */
  schema: JsonObject,
  /** Asks the provider to hold the model to the schema, where it can. Default: true. */
  strict: Schema.optional(Schema.Boolean)
})

/**
 * @since 0.1.0
 * @category models
 */
export type OutputSchema = typeof OutputSchema.Type

/**
 * How much a reasoning model should think.
 *
 * @since 0.1.0
 * @category models
 */
export const ReasoningEffort = Schema.Literal("none", "minimal", "low", "medium", "high", "xhigh", "max")

/**
 * @since 0.1.0
 * @category models
 */
export type ReasoningEffort = typeof ReasoningEffort.Type

/**
 * A request, checked: what the pipeline, the cache key and the providers work on. A program writes an `Input`.
 *
 * @since 0.1.0
 * @category models
 */
export class LlmRequest extends Schema.Class<LlmRequest>("effect-llm/LlmRequest")(
  Schema.Struct({
    model: notBlank("the name of a model"),
    messages: Schema.NonEmptyArray(Message.Message).annotations({ description: "a list of at least one message" }),
    system: Schema.optional(notBlank("instructions that are not empty")),
    temperature: Schema.optional(bounded(0, 2)),
    maxTokens: Schema.optional(positiveInteger),
    topP: Schema.optional(bounded(0, 1)),
    topK: Schema.optional(positiveInteger),
    stop: Schema.optional(Schema.Array(notEmpty)),
    seed: Schema.optional(
      Schema.Number.pipe(Schema.filter((n) => Number.isSafeInteger(n), { description: "an integer" }))
    ),
    reasoningEffort: Schema.optional(ReasoningEffort),
    tools: Schema.optional(Schema.Array(Tool)),
    toolChoice: Schema.optional(ToolChoice),
    outputSchema: Schema.optional(OutputSchema),
    outputFormat: Schema.optional(Schema.Literal("json")),
    user: Schema.optional(notEmpty),
    providerOptions: Schema.optional(Schema.Record({ key: Schema.String, value: JsonObject }))
  }).pipe(
    Schema.filter((request) => {
      const { toolChoice, tools = [] } = request
      if (new Set(tools.map((tool) => tool.name)).size < tools.length) {
        return { path: ["tools"], message: "tools of different names" }
      }
      if (typeof toolChoice === "object" && !tools.some((tool) => tool.name === toolChoice.tool)) {
        return { path: ["toolChoice"], message: "the name of one of the tools" }
      }
      return toolChoice === "required" && tools.length === 0
        ? { path: ["tools"], message: "a tool: toolChoice requires one" }
        : undefined
    })
  )
) {
  /** The text of the last user message. */
  get prompt(): string {
    const last = this.messages.findLast((message) => message.role === "user")
    return last === undefined ? "" : Message.text(last)
  }
}

/**
 * The settings of a request: all of it but who should answer and what is asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Settings {
  /** Instructions for the whole conversation. */
  readonly system?: string | undefined
  /**
   * How freely the model chooses, 0 to 2 (Anthropic: to 1). Default: 0 where the model is known to take it, the
   * provider's own default elsewhere.
   */
  readonly temperature?: number | undefined
  /** The most tokens to generate. Default: the provider's; for Anthropic, which has none, 4,096 plus room for thinking. */
  readonly maxTokens?: number | undefined
  /** Nucleus sampling, 0 to 1. Default: the provider's. */
  readonly topP?: number | undefined
  /** Sample from the K likeliest tokens. Default: the provider's. */
  readonly topK?: number | undefined
  /** Texts that end the answer. */
  readonly stop?: string | ReadonlyArray<string> | undefined
  /** Makes sampling repeatable, where the provider can. */
  readonly seed?: number | undefined
  /** How much a reasoning model should think. Default: the provider's. */
  readonly reasoningEffort?: ReasoningEffort | undefined
  /** The tools that the model may ask for. */
  readonly tools?: ReadonlyArray<Tool> | undefined
  /** Whether a tool may or must be called. Default: "auto". */
  readonly toolChoice?: ToolChoice | undefined
  /** The JSON Schema that the answer has to fit. `LlmClient.object` writes it from an `effect/Schema`. */
  readonly outputSchema?: OutputSchema | undefined
  /**
   * `json`: the answer has to be a JSON object, whatever is in it. What should be, the prompt has to say, and some
   * providers insist that it names JSON. `outputSchema` says more, and wins. Default: any text.
   */
  readonly outputFormat?: "json" | undefined
  /** An opaque name of the end user, for the provider's abuse detection. */
  readonly user?: string | undefined
  /**
   * Raw fields for the wire body: `{ openai: { logprobs: true } }`. They win over everything else. A provider reads those
   * under the name of its protocol (`openai` for Responses, `openaiChat` for Chat Completions at any host, `anthropic`,
   * `gemini`, `ollama`) and those under its own name, of which the latter win. So what stands under `openai` goes to
   * OpenAI and not to another host of Chat Completions that is fallen back to.
   */
  readonly providerOptions?: { readonly [provider: string]: { readonly [field: string]: unknown } } | undefined
}

/**
 * A request as a program writes it: a `prompt` (one user message) or `messages`, never both.
 *
 * @since 0.1.0
 * @category models
 * @example
 * ```ts
 * import type { LlmRequest } from "effect-llm"
 *
 * const simple: LlmRequest.Input = { model: "gpt-4o-mini", prompt: "Name three rivers.", maxTokens: 100 }
 *
 * const conversation: LlmRequest.Input = {
 *   model: "claude-haiku-4-5",
 *   system: "You are terse.",
 *   messages: [
 *     { role: "user", content: "Name a river." },
 *     { role: "assistant", content: "The Elbe." },
 *     { role: "user", content: "Another." }
 *   ]
 * }
 * ```
 */
export type Input =
  & Settings
  & {
    /** The provider's name of the model. */
    readonly model: string
  }
  & ({
    /** The text of the one user message. */
    readonly prompt: string
    readonly messages?: undefined
  } | {
    /** The conversation so far, at least one message. */
    readonly messages: ReadonlyArray<Message.Input>
    readonly prompt?: undefined
  } | LlmRequest)

/** Gives its class to what was read without the schema. To check it would compile the schema for whoever imports this. */
const blank = new LlmRequest(
  { model: "any", messages: [{ role: "user", content: [{ _tag: "Text", text: "any" }] }] },
  { disableValidation: true }
)

const decodeFields = Schema.decodeUnknownEither(LlmRequest, { onExcessProperty: "error" })

const invalid = (field: string, expected: string): LlmError.InvalidRequest =>
  LlmError.InvalidRequest.make({
    ...(field === "" ? undefined : { field }),
    message: `${field === "" ? "the request" : field}: expected ${expected}`
  })

const isBlank = (text: unknown): boolean => typeof text !== "string" || text.trim() === ""

const decodeEither = (
  input: unknown,
  defaults: Settings
): Either.Either<LlmRequest, LlmError.InvalidRequest> => {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return Either.left(invalid("", "an object"))
  // Without a prototype, an input's `__proto__` is a field like any other: an unknown one.
  const fields: Record<string, unknown> = Object.hasOwn(input, "__proto__") ? Object.create(null) : {}
  Object.assign(fields, defaults)
  for (const field of Object.keys(input)) {
    const value = (input as Record<string, unknown>)[field]
    if (value !== undefined) fields[field] = value
  }
  if (typeof fields.stop === "string") fields.stop = [fields.stop]
  if ("prompt" in fields) {
    const { prompt } = fields
    delete fields.prompt
    if ("messages" in fields) return Either.left(invalid("prompt", "either prompt or messages, not both"))
    if (isBlank(prompt)) return Either.left(invalid("prompt", "text that is not empty"))
    fields.messages = [{ role: "user", content: prompt }]
  }
  const plain = PlainRequest.read(fields)
  if (plain !== undefined) return Either.right(copy(blank, plain))
  return Either.mapLeft(decodeFields(fields), (error) => {
    const [first] = fromParseIssue(error.issue)
    return invalid(first?.path ?? "", first?.expected ?? "another shape")
  })
}

/**
 * Checks a request and fills in what it leaves out from `defaults`. Fails with reason `InvalidRequest`, whose `field`
 * and `message` name what is wrong and never quote it.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmRequest } from "effect-llm"
 *
 * const request = LlmRequest.decode({ model: "gpt-4o-mini", prompt: "Name three rivers." }, { maxTokens: 100 })
 *
 * Effect.runSync(request).maxTokens // => 100
 * ```
 */
export const decode = (
  input: Input,
  defaults: Settings = {},
  operation: LlmError.Operation = "call"
): Effect.Effect<LlmRequest, LlmError.LlmError> =>
  Effect.suspend(() => {
    const read = decodeSync(input, defaults, operation)
    return read instanceof LlmError.LlmError ? read : Effect.succeed(read)
  })

/**
 * The same on the spot.
 *
 * @internal
 */
export const decodeSync = (
  input: Input,
  defaults: Settings,
  operation: LlmError.Operation
): LlmRequest | LlmError.LlmError => {
  const read = decodeEither(input, defaults)
  return Either.isRight(read) ? read.right : new LlmError.LlmError({
    operation,
    attempts: 0,
    ...(typeof input?.model === "string" && { model: input.model }),
    reason: read.left
  })
}

/** The texts in a JSON value. */
const textsIn = (value: unknown): ReadonlyArray<string> =>
  typeof value === "string"
    ? [value]
    : typeof value === "object" && value !== null
    ? Object.values(value).flatMap(textsIn)
    : []

/** A JSON value as a whole, and each text in it. */
const textsOf = (value: unknown): ReadonlyArray<string> =>
  typeof value === "string" ? [value] : [JSON.stringify(value) ?? "", ...textsIn(value)]

const textsOfPart = (part: LlmRequest["messages"][number]["content"][number]): ReadonlyArray<string> => {
  switch (part._tag) {
    case "ToolCall":
      return textsOf(part.arguments)
    case "ToolResult":
      return textsOf(part.result)
    case "Text":
    case "Refusal":
      return [part.text]
    case "Reasoning":
      return part.text === undefined ? [] : [part.text]
    default:
      return []
  }
}

/**
 * Everything that somebody wrote in a request: what an error must not quote.
 *
 * @since 0.1.0
 * @category accessors
 */
export const texts = (request: LlmRequest): ReadonlyArray<string> => [
  ...(request.system === undefined ? [] : [request.system]),
  ...(request.tools ?? []).flatMap(({ description }) => description === undefined ? [] : [description]),
  ...request.messages.flatMap(({ content }) => content.flatMap(textsOfPart))
]
