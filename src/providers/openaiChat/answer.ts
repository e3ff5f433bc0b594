import { MalformedResponse, Overloaded, type Reason, ServerFailed } from "../../domain/LlmError.js"
import * as LlmResponse from "../../domain/LlmResponse.js"
import type * as Message from "../../domain/Message.js"
import * as AnswerDraft from "../../wire/answerDraft.js"
import * as Json from "../../wire/json.js"
import { type Decoder, type Facts, Failed } from "../codec.js"
import * as ToolCallIds from "../toolCallIds.js"
import type { Service } from "./request.js"

// ---------------------------------------------------------------------------------------------------------------------
// The end of an answer
// ---------------------------------------------------------------------------------------------------------------------

const finishReasons: ReadonlyMap<string, LlmResponse.FinishReason> = new Map([
  ["stop", "stop"],
  ["eos", "stop"],
  ["length", "length"],
  ["model_length", "length"],
  ["tool_calls", "tool_calls"],
  ["function_call", "tool_calls"],
  ["content_filter", "content_filter"]
])

/** Finish reasons by which services report that they failed. */
const failures: ReadonlyMap<string, Reason> = new Map<string, Reason>([
  ["error", ServerFailed.make({ message: "the service ended the answer with an error" })],
  ["insufficient_system_resource", Overloaded.make({ message: "the service lacks the resources to answer" })]
])

/** Many services say "stop" when the model calls tools or declines. */
const finishReason = (finish: string, parts: ReadonlyArray<Message.ResponsePart>): LlmResponse.FinishReason => {
  const named = finishReasons.get(finish) ?? "other"
  if (named !== "stop") return named
  if (parts.some((part) => part._tag === "ToolCall")) return "tool_calls"
  return parts.some((part) => part._tag === "Refusal") ? "refusal" : "stop"
}

const decodeUsage = (usage: Json.JsonObject): LlmResponse.Usage => {
  const input = Json.object(usage.prompt_tokens_details ?? usage.prompt_token_details)
  const output = Json.object(usage.completion_tokens_details)
  return Json.defined({
    inputTokens: Json.count(usage.prompt_tokens),
    // DeepSeek, Mistral and Together count them at the top.
    cachedInputTokens: Json.count(input.cached_tokens) ?? Json.count(usage.prompt_cache_hit_tokens) ??
      Json.count(usage.num_cached_tokens) ?? Json.count(usage.cached_tokens),
    cacheWriteTokens: Json.count(input.cache_write_tokens),
    outputTokens: Json.count(usage.completion_tokens),
    reasoningTokens: Json.count(output.reasoning_tokens)
  })
}

// ---------------------------------------------------------------------------------------------------------------------
// The answer
// ---------------------------------------------------------------------------------------------------------------------

/** The largest plausible index of a tool call. */
const maxToolIndex = 127

/** A message has one field for each kind of part, so the order of streaming means nothing. */
const order: ReadonlyArray<Message.ResponsePart["_tag"]> = ["Reasoning", "Text", "Refusal", "ToolCall"]

const inOrder = (parts: ReadonlyArray<Message.ResponsePart>): ReadonlyArray<Message.ResponsePart> =>
  order.flatMap((tag) => parts.filter((part) => part._tag === tag))

/** The first choice is the answer, if the request asked for several. */
const firstChoice = (chunk: Json.JsonObject): Json.JsonObject | undefined => {
  for (const choice of Json.array(chunk.choices)) {
    if (Json.isObject(choice) && (typeof choice.index !== "number" || choice.index === 0)) return choice
  }
  return undefined
}

const isPresent = (value: unknown): boolean => value !== undefined && value !== null

const isFailure = (
  chunk: Json.JsonObject,
  choice: Json.JsonObject | undefined,
  event: string | undefined
): boolean =>
  event === "error" || chunk.object === "error" || chunk.type === "error" || isPresent(chunk.error) ||
  (chunk.x_groq !== undefined && isPresent(Json.object(chunk.x_groq).error)) || isPresent(choice?.error)

/** Finds the call that a piece belongs to. */
const makeCallKeys = () => {
  // The calls that are being streamed, by index; without an index, the last one.
  const open = new Map<number | undefined, { readonly key: string; id: string }>()
  let calls = 0
  return (index: number | undefined, id: string, name: string): string => {
    const current = open.get(index)
    // Calls differ by index; where that is missing or always the same, by id, or else by name.
    const begins = current === undefined ||
      (name !== "" && (id === "" ? index === undefined : current.id !== "" && current.id !== id))
    if (begins) {
      const key = `${calls++}`
      open.set(index, { key, id })
      return key
    }
    if (current.id === "") current.id = id
    return current.key
  }
}

/** Joins the pieces of OpenRouter's reasoning, as it wants it back: the pieces of a block are one, up to its signature. */
const joinReasoning = (pieces: ReadonlyArray<Json.JsonObject>): ReadonlyArray<Json.JsonObject> => {
  const details: Array<Json.JsonObject> = []
  for (const piece of pieces) {
    const field = piece.type === "reasoning.text" ? "text" : piece.type === "reasoning.summary" ? "summary" : ""
    const last = details.at(-1)
    const goesOn = last !== undefined && field !== "" && last.signature === undefined &&
      last.type === piece.type && last.index === piece.index
    if (goesOn) {
      details[details.length - 1] = { ...last, ...piece, [field]: `${last[field] ?? ""}${piece[field] ?? ""}` }
    } else details.push(piece)
  }
  return details
}

/** The fields that the answer keeps as metadata. */
const metadataFields = ["system_fingerprint", "service_tier", "provider"]

/** Reads an answer as it is streamed. */
export const makeDecoder = (service: Service, facts: Facts): Decoder => {
  const draft = AnswerDraft.make(ToolCallIds.make(facts.request))
  const { name: provider } = service
  const callKey = makeCallKeys()
  const reasoningPieces: Array<Json.JsonObject> = []
  const metadata: { [field: string]: unknown } = {}
  let finish: string | undefined
  let usage: LlmResponse.Usage | undefined
  let done = false
  let model = ""
  let id = ""

  const reasoning = (delta: Json.JsonObject): void => {
    const text = Json.nonEmpty(delta.reasoning_content) ?? Json.nonEmpty(delta.reasoning)
    if (text !== undefined) draft.reasoning("", text, { provider })
    for (const piece of Json.array(delta.reasoning_details)) reasoningPieces.push(Json.present(Json.object(piece)))
  }

  const content = (value: unknown): void => {
    if (typeof value === "string") return draft.text("", value)
    // Mistral sends a list of parts.
    for (const part of Json.array(value).map(Json.object)) {
      if (part.type === "thinking") {
        for (const inner of Json.array(part.thinking)) {
          draft.reasoning("", Json.string(Json.object(inner).text), { provider })
        }
      } else draft.text("", Json.string(part.text) ?? "")
    }
  }

  const toolCall = (value: unknown): Reason | undefined => {
    const { extra_content: extra, function: called, id, index } = Json.object(value)
    const { arguments: args, name } = Json.object(called)
    const isIndex = typeof index === "number" && Number.isInteger(index) && index >= 0 && index <= maxToolIndex
    if (isPresent(index) && !isIndex) {
      return MalformedResponse.make({ message: "a tool call has an implausible index" })
    }
    draft.tool(callKey(isIndex ? index : undefined, Json.string(id) ?? "", Json.string(name) ?? ""), {
      id: Json.string(id),
      name: Json.string(name),
      // Some services send the object itself.
      json: Json.string(args) ?? (Json.isObject(args) ? JSON.stringify(args) : undefined),
      signature: Json.nonEmpty(Json.object(Json.object(extra).google).thought_signature)
    })
    return undefined
  }

  /** Reads a delta of a stream, or a whole message. */
  const message = (delta: Json.JsonObject): Reason | undefined => {
    reasoning(delta)
    content(delta.content)
    draft.refusal("", Json.string(delta.refusal) ?? "")
    for (const value of Json.array(delta.tool_calls)) {
      const problem = toolCall(value)
      if (problem !== undefined) return problem
    }
    return undefined
  }

  const push: Decoder["push"] = (chunk, event) => {
    const choice = firstChoice(chunk)
    if (isFailure(chunk, choice, event)) return Failed
    model ||= Json.name(chunk.model) ?? ""
    id ||= Json.string(chunk.id) ?? ""
    for (const field of metadataFields) {
      const value = Json.nonEmpty(chunk[field])
      if (value !== undefined) metadata[field] = value
    }
    const reason = Json.nonEmpty(choice?.finish_reason)
    finish ??= reason
    // Groq sends it in `x_groq`.
    const counted = Json.isObject(chunk.usage) ? chunk.usage : Json.object(chunk.x_groq).usage
    if (Json.isObject(counted)) {
      usage = decodeUsage(counted)
      // Some services send it with each chunk: it is final only once the answer has ended.
      done = finish !== undefined
    }
    const failure = reason === undefined ? undefined : failures.get(reason)
    return failure ?? message(Json.object(choice?.delta ?? choice?.message))
  }

  return {
    draft,
    push,
    sentinel: () => {
      if (service.capabilities.doneIsTerminal && draft.parts().length > 0) finish ??= "stop"
    },
    done: () => done,
    usage: () => usage,
    finish: () => {
      if (finish === undefined) return undefined
      if (reasoningPieces.length > 0) {
        draft.reasoning("", undefined, { provider, encrypted: JSON.stringify(joinReasoning(reasoningPieces)) })
      }
      const named = finishReasons.get(finish)
      draft.endTools({ truncated: named === "length" || named === "content_filter" })
      const parts = inOrder(draft.parts())
      return draft.problem() ?? LlmResponse.make({
        parts,
        finishReason: finishReason(finish, parts),
        usage: usage ?? {},
        model: model === "" ? facts.request.model : model,
        provider,
        warnings: facts.warnings,
        ...Json.defined({
          id: Json.name(id),
          requestId: facts.requestId,
          rateLimit: facts.rateLimit,
          providerMetadata: Object.keys(metadata).length === 0 ? undefined : metadata
        })
      })
    }
  }
}

/** Reads an answer as a stream of one chunk. Services may add and leave out fields, but there has to be a message. */
export const decode = (
  body: Json.JsonObject,
  service: Service,
  facts: Facts
): LlmResponse.LlmResponse | Reason | typeof Failed => {
  const choice = firstChoice(body)
  const decoder = makeDecoder(service, facts)
  const problem = decoder.push(isLikeChunk(choice) ? body : asChunk(body, choice), undefined)
  if (problem !== undefined) return problem
  if (!Json.isObject(choice?.message)) return MalformedResponse.make({ message: "the answer has no choices" })
  return decoder.finish() ?? MalformedResponse.make({ message: "the answer has no end" })
}

/** Whether a whole message can be read as a chunk, as most can. */
const isLikeChunk = (choice: Json.JsonObject | undefined): boolean =>
  Json.nonEmpty(choice?.finish_reason) !== undefined && !isPresent(choice?.delta) &&
  Json.array(Json.object(choice?.message).tool_calls).length === 0

const asChunk = (body: Json.JsonObject, choice: Json.JsonObject | undefined): Json.JsonObject => {
  const { tool_calls: calls, ...message } = Json.object(choice?.message)
  const delta = { ...message, tool_calls: Json.array(calls).map((call, index) => ({ ...Json.object(call), index })) }
  return { ...body, choices: [{ finish_reason: "unknown", ...Json.present(choice ?? {}), delta }] }
}
