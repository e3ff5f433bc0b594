import {
  ContentFiltered,
  MalformedResponse,
  type Reason,
  ToolArgumentsInvalid,
  UnsupportedFeature
} from "../../domain/LlmError.js"
import * as LlmResponse from "../../domain/LlmResponse.js"
import type * as Message from "../../domain/Message.js"
import * as AnswerDraft from "../../wire/answerDraft.js"
import * as Json from "../../wire/json.js"
import { type Codec, type Decoder, type Facts, Failed } from "../codec.js"
import * as ToolCallIds from "../toolCallIds.js"

const finishReasons: ReadonlyMap<string, LlmResponse.FinishReason> = new Map([
  ["STOP", "stop"],
  ["MAX_TOKENS", "length"],
  ["CONTINUATION", "length"],
  ["SAFETY", "content_filter"],
  ["RECITATION", "content_filter"],
  ["BLOCKLIST", "content_filter"],
  ["PROHIBITED_CONTENT", "content_filter"],
  ["SPII", "content_filter"],
  ["MODEL_ARMOR", "content_filter"],
  ["IMAGE_SAFETY", "content_filter"],
  ["IMAGE_PROHIBITED_CONTENT", "content_filter"],
  ["IMAGE_RECITATION", "content_filter"]
])

/** The service says "STOP" when the model calls tools, too. */
const finishReason = (finish: string, parts: ReadonlyArray<Message.ResponsePart>): LlmResponse.FinishReason => {
  const named = finishReasons.get(finish) ?? "other"
  return named === "stop" && parts.some((part) => part._tag === "ToolCall") ? "tool_calls" : named
}

/** A value of an enumeration; `..._UNSPECIFIED` is protobuf's word for none. */
const enumerated = (value: unknown): string | undefined => {
  const name = Json.nonEmpty(value)
  return name?.endsWith("_UNSPECIFIED") ? undefined : name
}

const sum = (...counts: ReadonlyArray<number | undefined>): number | undefined =>
  counts.reduce((total, count) => total === undefined || count === undefined ? total ?? count : total + count)

/** Tokens that the service's tools read are input, too; thoughts are counted apart from the output. */
const decodeUsage = (usage: Json.JsonObject): LlmResponse.Usage => {
  const thoughts = Json.count(usage.thoughtsTokenCount)
  return Json.defined({
    inputTokens: sum(Json.count(usage.promptTokenCount), Json.count(usage.toolUsePromptTokenCount)),
    cachedInputTokens: Json.count(usage.cachedContentTokenCount),
    outputTokens: sum(Json.count(usage.candidatesTokenCount), thoughts),
    reasoningTokens: thoughts
  })
}

/** The fields of a candidate that the answer keeps as metadata. */
const metadataFields = [
  "finishMessage",
  "safetyRatings",
  "citationMetadata",
  "groundingMetadata",
  "urlContextMetadata"
]

/** Reads an answer as it is streamed. */
export const makeDecoder = (provider: string, facts: Facts): Decoder => {
  const draft = AnswerDraft.make()
  const nextCallId = ToolCallIds.make(facts.request)
  let finish: string | undefined
  // Counts are cumulative: a later one replaces an earlier one, an absent one does not.
  let usage: Json.JsonObject = {}
  let model = ""
  let id = ""
  const metadata: { [field: string]: unknown } = {}
  // Consecutive pieces of text are one part, as are those of thoughts; a signature ends the part.
  let open: "text" | "thought" | "call" | undefined
  let parts = 0

  const key = (kind: "text" | "thought" | "call", signature: string | undefined): string => {
    if (open !== kind || kind === "call") parts++
    open = signature === undefined ? kind : undefined
    return String(parts)
  }

  const functionCall = (call: Json.JsonObject, signature: string | undefined): Reason | undefined => {
    if (call.partialArgs !== undefined || call.willContinue === true) {
      return UnsupportedFeature.make({
        feature: "streamed function call arguments",
        message: "arguments in pieces are not supported: leave out streamFunctionCallArguments"
      })
    }
    const name = Json.nonEmpty(call.name)
    if (name === undefined) return MalformedResponse.make({ message: "a function call has no name" })
    const at = key("call", signature)
    draft.tool(at, {
      id: Json.nonEmpty(call.id) ?? nextCallId(),
      name,
      json: JSON.stringify(call.args ?? {}),
      signature
    })
    draft.endTool(at)
    return undefined
  }

  const part = (value: Json.JsonObject): Reason | undefined => {
    const signature = Json.nonEmpty(value.thoughtSignature)
    if (Json.isObject(value.functionCall)) return functionCall(value.functionCall, signature)
    const text = Json.string(value.text) ?? ""
    // Files and parts of the service's own tools are no part of the answer.
    if (text === "" && (signature === undefined || value.text === undefined)) return undefined
    if (value.thought !== true) draft.text(key("text", signature), text, signature)
    else draft.reasoning(key("thought", signature), text, Json.defined({ provider, signature }))
    return undefined
  }

  const push: Decoder["push"] = (chunk) => {
    if (chunk.error !== undefined && chunk.error !== null) return Failed
    model ||= Json.name(chunk.modelVersion) ?? ""
    id ||= Json.string(chunk.responseId) ?? ""
    usage = { ...usage, ...Json.present(Json.object(chunk.usageMetadata)) }
    const blocked = enumerated(Json.object(chunk.promptFeedback).blockReason)
    if (blocked !== undefined) {
      return ContentFiltered.make({ message: `the prompt was blocked: ${Json.name(blocked)?.slice(0, 100)}` })
    }
    // There is one, unless the request asked for more.
    const candidate = Json.array(chunk.candidates).map(Json.object).find(({ index }) => (index ?? 0) === 0) ?? {}
    for (const value of Json.array(Json.object(candidate.content).parts)) {
      const problem = part(Json.object(value))
      if (problem !== undefined) return problem
    }
    for (const field of metadataFields) {
      if (candidate[field] !== undefined && candidate[field] !== null) metadata[field] = candidate[field]
    }
    // Some models repeat it in each chunk: the last one counts.
    finish = enumerated(candidate.finishReason) ?? finish
    switch (finish) {
      case "MALFORMED_FUNCTION_CALL":
        return ToolArgumentsInvalid.make({
          message: "the model wrote a malformed function call",
          raw: Json.string(candidate.finishMessage) ?? ""
        })
      case "MALFORMED_RESPONSE":
        return MalformedResponse.make({ message: "the model wrote a malformed answer" })
    }
    return undefined
  }

  return {
    draft,
    push,
    sentinel: () => {},
    // The usage may come after the finish reason: the answer ends with the stream.
    done: () => false,
    usage: () => decodeUsage(usage),
    finish: () => {
      if (finish === undefined) return undefined
      draft.endTools({ truncated: false })
      const parts = draft.parts()
      const named = finishReason(finish, parts)
      const kept = named === "content_filter" || named === "other" ? { finishReason: finish, ...metadata } : metadata
      return draft.problem() ?? LlmResponse.make({
        parts,
        finishReason: named,
        usage: decodeUsage(usage),
        model: model === "" ? facts.request.model : model,
        provider,
        warnings: facts.warnings,
        ...Json.defined({
          id: Json.name(id),
          requestId: facts.requestId,
          rateLimit: facts.rateLimit,
          providerMetadata: Object.keys(kept).length === 0 ? undefined : kept
        })
      })
    }
  }
}

/** Reads an answer as a stream of one chunk. */
export const decode = (body: Json.JsonObject, provider: string, facts: Facts): ReturnType<Codec["decode"]> => {
  const decoder = makeDecoder(provider, facts)
  return decoder.push(body, undefined) ?? decoder.finish() ??
    MalformedResponse.make({ message: "the answer has no finish reason" })
}
