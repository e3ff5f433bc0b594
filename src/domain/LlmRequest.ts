/**
 * A request to a model: the `model`, the `prompt` or `messages`, and settings. It is the same for all providers; each
 * translates it to its own wire format.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { instance } from "../internal/instance.js"
import { decodeUnknownEither } from "../internal/schemaIssue.js"
import * as LlmError from "./LlmError.js"
import * as Message from "./Message.js"
import * as PlainRequest from "./plainRequest.js"
import { PromptCache } from "./promptCaching.js"
import { ProviderOptions } from "./providerOptions.js"
import { ProviderTool } from "./providerTool.js"
import * as Rules from "./requestRules.js"
import {
  notEmpty,
  numberOf,
  OutputSchema,
  ReasoningEffort,
  ReasoningSummary,
  ServiceTier,
  textOf,
  Tool,
  ToolChoice,
  Verbosity
} from "./requestSettings.js"

export {
  OutputSchema,
  ReasoningEffort,
  ReasoningSummary,
  ServiceTier,
  Tool,
  ToolChoice,
  Verbosity
} from "./requestSettings.js"

export { CacheLifetime, PromptCache } from "./promptCaching.js"

export {
  /**
   * A tool that the provider runs itself. `OpenAiTools`, `AnthropicTools` and `GeminiTools` make the usual ones,
   * `LlmTool.providerTool` any other.
   *
   * @since 0.1.0
   * @category models
   */
  ProviderTool
} from "./providerTool.js"

/**
 * Marks a checked request.
 *
 * @since 0.1.0
 * @category models
 */
export const TypeId: unique symbol = Symbol.for("effect-llm/LlmRequest")

/**
 * Marks a checked request.
 *
 * @since 0.1.0
 * @category models
 */
export type TypeId = typeof TypeId

/**
 * A checked request: the pipeline, the cache key and the providers work on it. A program writes an `Input`.
 *
 * @since 0.1.0
 * @category models
 */
export class LlmRequest extends Schema.Class<LlmRequest>("effect-llm/LlmRequest")(
  Schema.Struct({
    /** The provider's name of the model. */
    model: textOf(Rules.texts.model),
    /** The conversation so far. */
    messages: Schema.NonEmptyArray(Message.Message).annotations({ description: "a list of at least one message" }),
    /** Instructions for the whole conversation. */
    system: Schema.optional(textOf(Rules.texts.system)),
    /** How freely the model chooses, 0 to 2. */
    temperature: Schema.optional(numberOf(Rules.numbers.temperature)),
    /** The maximum number of tokens to generate; 0 where the provider takes it. */
    maxTokens: Schema.optional(numberOf(Rules.numbers.maxTokens)),
    /** Nucleus sampling, 0 to 1. */
    topP: Schema.optional(numberOf(Rules.numbers.topP)),
    /** Sample from the K likeliest tokens. */
    topK: Schema.optional(numberOf(Rules.numbers.topK)),
    /** Texts that end the answer. */
    stop: Schema.optional(Schema.Array(notEmpty)),
    /** Makes sampling repeatable, where the provider can. */
    seed: Schema.optional(numberOf(Rules.numbers.seed)),
    /** How much a reasoning model should think. */
    reasoningEffort: Schema.optional(ReasoningEffort),
    /** Whether the model's thoughts are shown, and at which length. */
    reasoningSummary: Schema.optional(ReasoningSummary),
    /** How many words the answer should have. */
    verbosity: Schema.optional(Verbosity),
    /** The tier of service. */
    serviceTier: Schema.optional(ServiceTier),
    /** How the provider caches the beginning of the prompt. */
    promptCache: Schema.optional(PromptCache),
    /** The tools that the model may call. */
    tools: Schema.optional(Schema.Array(Tool)),
    /** The tools that the provider runs. */
    providerTools: Schema.optional(Schema.Array(ProviderTool)),
    /** Whether a tool may or must be called. */
    toolChoice: Schema.optional(ToolChoice),
    /** Whether the model may call several tools at once. */
    parallelToolCalls: Schema.optional(Schema.Boolean),
    /** The JSON Schema that the answer has to fit. */
    outputSchema: Schema.optional(OutputSchema),
    /** `json`: the answer has to be a JSON object. */
    outputFormat: Schema.optional(Schema.Literal("json")),
    /** An opaque name of the end user, for the provider's abuse detection. */
    user: Schema.optional(textOf(Rules.texts.user)),
    /** Raw fields for the wire body, by the name of the provider or its protocol. */
    providerOptions: Schema.optional(ProviderOptions)
  }).pipe(
    Schema.filter((request) => {
      const { providerTools = [], toolChoice, tools = [] } = request
      const all = [...tools, ...providerTools]
      if (new Set(tools.map((tool) => tool.name)).size < tools.length) {
        return { path: ["tools"], message: "tools of different names" }
      }
      if (typeof toolChoice === "object" && !all.some((tool) => tool.name === toolChoice.tool)) {
        return { path: ["toolChoice"], message: "the name of one of the tools" }
      }
      return toolChoice === "required" && all.length === 0
        ? { path: ["tools"], message: "a tool: toolChoice requires one" }
        : undefined
    })
  )
) {
  /** Marks a checked request. */
  get [TypeId](): TypeId {
    return TypeId
  }

  /** The text of the last user message. */
  get prompt(): string {
    const last = this.messages.findLast((message) => message.role === "user")
    return last === undefined ? "" : Message.text(last)
  }
}

/**
 * The settings of a request: everything but the model and the messages.
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
  /**
   * The maximum number of tokens to generate. 0 fills the prompt cache of Anthropic, and fails with `UnsupportedFeature`
   * at other providers. Default: the provider's; for Anthropic, which has none, 4,096 plus room for thinking.
   */
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
  /**
   * Whether the model's thoughts are shown, and at which length, as `Reasoning` parts: many new models think in silence
   * unless they are asked. Default: the provider's.
   */
  readonly reasoningSummary?: ReasoningSummary | undefined
  /** How many words the answer should have, for OpenAI's models from GPT-5 on. Default: the provider's. */
  readonly verbosity?: Verbosity | undefined
  /**
   * The tier of service; `usage.serviceTier` of the answer says which one it was. It is no part of the cache key, as any
   * tier gives the same answer. Default: the provider's.
   */
  readonly serviceTier?: ServiceTier | undefined
  /**
   * How the provider caches the beginning of the prompt, so that requests with the same beginning cost less. A `CachePoint`
   * among the parts of a message marks the end of a prefix. Of the cache key only `content` is a part. Default: the
   * provider's.
   */
  readonly promptCache?: PromptCache | undefined
  /** The tools that the model may ask for. */
  readonly tools?: ReadonlyArray<Tool> | undefined
  /**
   * The tools that the provider runs, beside those of the program. A provider that speaks another protocol than such a tool
   * fails with `UnsupportedFeature` before it sends anything. Default: none.
   */
  readonly providerTools?: ReadonlyArray<ProviderTool> | undefined
  /**
   * Whether a tool may or must be called, or which one, of the program's or the provider's. A tool of a provider that cannot
   * be forced is `UnsupportedFeature`, before anything is sent. Default: "auto".
   */
  readonly toolChoice?: ToolChoice | undefined
  /** Whether the model may call several tools at once. Default: the provider's, which for all of them is true. */
  readonly parallelToolCalls?: boolean | undefined
  /** The JSON Schema that the answer has to fit. `LlmClient.object` writes it from an `effect/Schema`. */
  readonly outputSchema?: OutputSchema | undefined
  /**
   * `json`: the answer has to be a JSON object, of any content. The prompt has to describe the content, and for some
   * providers to contain the word JSON. `outputSchema` is stricter and takes precedence. Default: any text.
   */
  readonly outputFormat?: "json" | undefined
  /** An opaque name of the end user, for the provider's abuse detection. */
  readonly user?: string | undefined
  /**
   * Raw fields for the wire body: `{ openai: { logprobs: true } }`. They override everything else, but for the lists
   * `tools` and `include`, which go behind the library's own (an empty one takes those away). A provider reads the
   * fields under the name of its protocol (`openai` for Responses, `openaiChat` for Chat Completions at any host,
   * `anthropic`, `gemini`, `ollama`) and those under its own name, which override the former. So fields under `openai` go
   * to OpenAI, and not to another host of Chat Completions that serves as fallback.
   */
  readonly providerOptions?:
    | { readonly [provider: string]: { readonly [field: string]: unknown } | undefined }
    | undefined
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
export type Input = PromptInput | MessagesInput | CheckedInput

// The forms of a request have their fields from the same interfaces, so that editors show the documentation of a field
// before they know which form a literal is going to be.

interface WithModel {
  /** The provider's name of the model. */
  readonly model: string
}

interface WithPrompt {
  /** The text of the one user message. A conversation goes into `messages` instead. */
  readonly prompt: string
}

interface WithMessages {
  /** The conversation so far: at least one message. A single user message may go into `prompt` instead. */
  readonly messages: ReadonlyArray<Message.Input>
}

/**
 * A request of one user message.
 *
 * @since 0.1.0
 * @category models
 */
export interface PromptInput extends WithModel, WithPrompt, Settings {
  readonly messages?: undefined
}

/**
 * A request with a conversation.
 *
 * @since 0.1.0
 * @category models
 */
export interface MessagesInput extends WithModel, WithMessages, Settings {
  readonly prompt?: undefined
}

/**
 * A request that has been checked already: an `LlmRequest`.
 *
 * @since 0.1.0
 * @category models
 */
export interface CheckedInput extends WithModel, WithPrompt, WithMessages, Settings {
  readonly [TypeId]: TypeId
}

const decodeFields = decodeUnknownEither(LlmRequest, { onExcessProperty: "error" })

const invalid = (field: string, expected: string): LlmError.InvalidRequest =>
  LlmError.InvalidRequest.make({
    ...(field === "" ? undefined : { field }),
    message: `${field === "" ? "the request" : field}: expected ${expected}`
  })

const isRecord = (value: unknown): value is { readonly [field: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Options that a program leaves undefined for a provider are absent, as undefined fields are. */
const withoutUndefined = (options: { readonly [provider: string]: unknown }) =>
  Object.values(options).includes(undefined)
    ? Object.fromEntries(Object.entries(options).filter(([, fields]) => fields !== undefined))
    : options

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
  if (isRecord(fields.providerOptions)) fields.providerOptions = withoutUndefined(fields.providerOptions)
  if ("prompt" in fields) {
    const { prompt } = fields
    delete fields.prompt
    if ("messages" in fields) return Either.left(invalid("prompt", "either prompt or messages, not both"))
    if (typeof prompt !== "string" || Rules.isBlank(prompt)) {
      return Either.left(invalid("prompt", "text that is not empty"))
    }
    fields.messages = [{ role: "user", content: prompt }]
  }
  const plain = PlainRequest.read(fields)
  if (plain !== undefined) return Either.right(instance(LlmRequest, plain))
  return Either.mapLeft(decodeFields(fields), ({ issues: [first] }) => {
    return invalid(first?.path ?? "", first?.expected ?? "another shape")
  })
}

/**
 * Checks a request and fills in missing settings from `defaults`. Fails with reason `InvalidRequest`, whose `field` and
 * `message` name the mistake and never quote the request.
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
  Effect.suspend(() =>
    Either.mapLeft(decodeEither(input, defaults), (reason) =>
      new LlmError.LlmError({
        operation,
        attempts: 0,
        ...(typeof input?.model === "string" && { model: input.model }),
        reason
      }))
  )

/** The texts in a JSON value. */
const textsIn = (value: unknown): ReadonlyArray<string> =>
  typeof value === "string"
    ? [value]
    : typeof value === "object" && value !== null
    ? Object.values(value).flatMap(textsIn)
    : []

/** A JSON value as text, and each text in it. */
const textsOf = (value: unknown): ReadonlyArray<string> =>
  typeof value === "string" ? [value] : [JSON.stringify(value) ?? "", ...textsIn(value)]

const textsOfPart = (part: LlmRequest["messages"][number]["content"][number]): ReadonlyArray<string> => {
  switch (part._tag) {
    case "ToolCall":
      return textsOf(part.arguments)
    case "ToolResult":
      return [...textsOf(part.result), ...(part.parts ?? []).flatMap(textsOfPart)]
    case "Source":
    case "Opaque":
      return textsOf(part.json)
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
 * All authored texts of a request. An error must not quote them.
 *
 * @since 0.1.0
 * @category accessors
 */
export const texts = (request: LlmRequest): ReadonlyArray<string> => [
  ...(request.system === undefined ? [] : [request.system]),
  ...(request.tools ?? []).flatMap(({ description }) => description === undefined ? [] : [description]),
  ...request.messages.flatMap(({ content }) => content.flatMap(textsOfPart))
]
