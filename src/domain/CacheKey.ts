/**
 * The key under which an answer is cached. The same request has the same key in any process, on any machine, at any
 * time; any difference that can change the answer gives another key.
 *
 * @since 0.1.0
 */
import { sha256Hex } from "#sha256"
import * as Encoding from "effect/Encoding"
import * as Canonical from "../internal/canonicalJson.js"
import type * as Embedding from "./Embedding.js"
import type { LlmRequest } from "./LlmRequest.js"
import type { Message } from "./Message.js"
import type { PromptCache } from "./promptCaching.js"

/** Incremented whenever the same request would get another key, or a cached answer another meaning. */
const version = 1

/**
 * The owner of an answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface Scope {
  /** The name of the provider. */
  readonly provider: string
  /** The address that the provider sends requests to. */
  readonly endpoint: string
  /** Keeps the answers of one tenant from another. Default: none. */
  readonly namespace?: string | undefined
}

/**
 * The request has no key, as one of its values has no canonical JSON. The error names the path, never the value.
 *
 * @since 0.1.0
 * @category errors
 */
export const NotCanonical = Canonical.NotCanonical

/**
 * The request has no key, as one of its values has no canonical JSON. The error names the path, never the value.
 *
 * @since 0.1.0
 * @category errors
 */
export type NotCanonical = Canonical.NotCanonical

/**
 * JSON in the one form of RFC 8785 (JSON Canonicalization Scheme): members sorted by UTF-16 code units, no white
 * space, numbers and strings as ECMAScript writes them; a member that is `undefined` counts as absent.
 *
 * Throws `NotCanonical` for lone surrogates, for numbers that are not finite, and for values that JSON cannot express.
 *
 * @since 0.1.0
 * @category encoding
 * @example
 * ```ts
 * import { CacheKey } from "effect-llm"
 *
 * CacheKey.canonicalJson({ b: 1e21, a: [true, null] }) // => '{"a":[true,null],"b":1e+21}'
 * ```
 */
export const canonicalJson: (value: unknown) => string = Canonical.canonicalJson

// Fields are written in the order of canonical JSON, so that they need no sorting.

type Part = Message["content"][number]

const partFields = (part: Part): unknown =>
  "bytes" in part
    ? { ...part, bytes: Encoding.encodeBase64(part.bytes) }
    : part._tag === "ToolResult" && part.parts !== undefined
    ? { ...part, parts: part.parts.map(partFields) }
    : part

const messageFields = (message: Message): unknown => ({
  // A `CachePoint` is not content.
  content: message.content.filter(({ _tag }) => _tag !== "CachePoint").map(partFields),
  providerOptions: message.providerOptions,
  role: message.role
})

/**
 * Of the settings of prompt caching, only `content` can change the answer: it stands for a part of the conversation.
 */
const cachedContent = ({ content }: PromptCache) => content === undefined ? undefined : { content }

/** A new field of the request does not compile until it is listed here. */
const requestFields = (request: LlmRequest): unknown => {
  const {
    maxTokens,
    messages,
    model,
    outputFormat,
    outputSchema,
    parallelToolCalls,
    prompt: _, // a view of `messages`
    promptCache,
    providerOptions,
    providerTools,
    reasoningEffort,
    reasoningSummary,
    seed,
    serviceTier: __, // affects time and price, not the answer
    stop,
    system,
    temperature,
    toolChoice,
    tools,
    topK,
    topP,
    user,
    verbosity,
    ...undecided
  } = request
  undecided satisfies Record<string, never>
  return {
    maxTokens,
    messages: messages.map(messageFields),
    model,
    outputFormat,
    outputSchema,
    parallelToolCalls,
    promptCache: promptCache && cachedContent(promptCache),
    providerOptions,
    providerTools,
    reasoningEffort,
    reasoningSummary,
    seed,
    stop,
    system,
    temperature,
    toolChoice,
    tools,
    topK,
    topP,
    user,
    verbosity
  }
}

/**
 * Derives the key of a request: lower-case hex SHA-256 over the canonical JSON of the key version, the scope and the
 * whole request, without the settings that cannot change the answer: `serviceTier`, `promptCache` (all but its
 * `content`) and `CachePoint`s. The API key, timeouts, retry options and log tags are not part of a request, so they
 * are not part of its key.
 *
 * Throws `NotCanonical` if a value of the request has no canonical JSON; `LlmClient` turns that into the failure
 * `InvalidRequest`.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { CacheKey, LlmRequest } from "effect-llm"
 *
 * const key = LlmRequest.decode({ model: "gpt-4o-mini", prompt: "Name three rivers." }).pipe(
 *   Effect.map((request) =>
 *     CacheKey.make(request, { provider: "openai", endpoint: "https://api.openai.com/v1/chat/completions" })
 *   )
 * )
 *
 * Effect.runSync(key).length // => 64
 * ```
 */
export const make = (request: LlmRequest, scope: Scope): string =>
  sha256Hex(canonicalJson({
    endpoint: scope.endpoint,
    namespace: scope.namespace,
    provider: scope.provider,
    request: requestFields(request),
    version
  }))

/**
 * Derives the keys of the texts of a request for embeddings, in order: each text has its own entry in the cache,
 * whatever other texts it was sent with.
 *
 * Throws `NotCanonical` if a text or a value has no canonical JSON; `LlmClient` turns that into the failure
 * `InvalidRequest`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const embeddings = (
  { dimensions, input, model, providerOptions }: Embedding.Request,
  { endpoint, namespace, provider }: Scope
): ReadonlyArray<string> => {
  // Canonical JSON up to the text: its members are sorted, and `input` comes before `model`.
  const before = canonicalJson({ dimensions, embedding: true, endpoint })
  const after = canonicalJson({ model, namespace, provider, providerOptions, version })
  return input.map((text) =>
    sha256Hex(`${before.slice(0, -1)},${canonicalJson({ input: text }).slice(1, -1)},${after.slice(1)}`)
  )
}
