import {
  ContentFiltered,
  InvalidRequest,
  MalformedResponse,
  type Reason,
  ToolArgumentsInvalid
} from "../../domain/LlmError.js"
import * as LlmResponse from "../../domain/LlmResponse.js"
import type * as Message from "../../domain/Message.js"
import * as Reasoning from "../../domain/reasoning.js"
import * as AnswerDraft from "../../wire/answerDraft.js"
import { isErrorValue } from "../../wire/errorBody.js"
import * as Json from "../../wire/json.js"
import { type Codec, type Decoder, type Facts, Failed } from "../codec.js"
import * as Counts from "../counts.js"
import * as Ending from "../ending.js"
import * as ToolCallIds from "../toolCallIds.js"
import * as PartialArguments from "./partialArguments.js"
import { logprobsOf, sourcesOf } from "./sources.js"

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
  ["IMAGE_RECITATION", "content_filter"],
  // A language that the service does not speak; content that its usage policy forbids.
  ["LANGUAGE", "content_filter"],
  ["ESCALATION", "content_filter"],
  ["PUP_LIMITED_DISABLED", "content_filter"]
])

/** Finish reasons after which the content before is useless. */
const failureOf = (finish: string | undefined, message: string | undefined): Reason | undefined => {
  switch (finish) {
    case "MALFORMED_FUNCTION_CALL":
      return ToolArgumentsInvalid.make({ message: "the model wrote a malformed function call", raw: message ?? "" })
    case "MALFORMED_RESPONSE":
      return MalformedResponse.make({ message: "the model wrote a malformed answer" })
    case "MISSING_THOUGHT_SIGNATURE":
      return InvalidRequest.make({
        message: "the conversation lacks a thought signature: give the parts of answers back as they came",
        code: finish
      })
    default:
      return undefined
  }
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
  const tier = Json.name(usage.serviceTier) ?? Json.name(usage.trafficType)
  return Json.defined({
    inputTokens: sum(Json.count(usage.promptTokenCount), Json.count(usage.toolUsePromptTokenCount)),
    cachedInputTokens: Json.count(usage.cachedContentTokenCount),
    outputTokens: sum(Json.count(usage.candidatesTokenCount), thoughts),
    reasoningTokens: thoughts,
    serviceTier: Counts.servedTier(tier?.toLowerCase()) && tier
  })
}

/** The fields of a candidate, and of the body around it, that are read. */
const readFields: ReadonlySet<string> = new Set(["content", "finishReason", "index", "logprobsResult", "tokenCount"])
const readOfBody: ReadonlySet<string> = new Set([
  "candidates",
  "usageMetadata",
  "modelVersion",
  "responseId",
  "createTime",
  "error"
])

const others = (fields: Json.JsonObject, read: ReadonlySet<string>): Json.JsonObject =>
  Object.fromEntries(Object.entries(Json.present(fields)).filter(([name]) => !read.has(name)))

/** The fields of parts that are read. A part with any other field that defines its kind is kept as it came. */
const partFields: ReadonlySet<string> = new Set(["text", "thought", "thoughtSignature", "functionCall"])

/** Fields that say more about a part. */
const besides: ReadonlySet<string> = new Set([
  "mediaProcessing",
  "mediaResolution",
  "partMetadata",
  "speechMetadata",
  "videoMetadata"
])

const partial = (pieces: ReadonlyArray<unknown>) => pieces.length > 1 && { partial: true }

interface Pending {
  readonly key: string
  readonly args: PartialArguments.PartialArguments
}

/** Reads a streamed answer, or a `whole` one as a single chunk, whose calls need no end marker. */
export const makeDecoder = (
  provider: string,
  facts: Facts,
  { heals = false, whole = false }: { readonly heals?: boolean; readonly whole?: boolean } = {}
): Decoder => {
  const draft = AnswerDraft.make()
  const nextCallId = ToolCallIds.makeLocal(facts.request)
  let finish: string | undefined
  let finishMessage: string | undefined
  let usage: Json.JsonObject = {}
  /** The usage of the requests before this one. */
  let usageBefore: Json.JsonObject = {}
  /** The newest continuation token, and the one that this request was sent with. */
  let token: string | undefined
  let sentToken: string | undefined
  /** Whether content came after the newest token. A request with the token would repeat it. */
  let isBehind = false
  const isRepeated = ToolCallIds.makeRepeated()
  /** Fields in the place of parts. */
  const unread = new Set<string>()
  /** A call whose arguments come in pieces. */
  let pending: Pending | undefined
  let model = ""
  let id = ""
  let metadata: Json.JsonObject = {}
  const textKeys: Array<string> = []
  const logprobs: Array<LlmResponse.Logprob> = []
  /** Further answers, if the request asked for several: they come in pieces, too. */
  const further = new Map<unknown, ReadonlyArray<Json.JsonObject>>()
  // Consecutive pieces of text are one part, as are those of thoughts; a signature ends the part.
  let open: "text" | "thought" | "call" | undefined
  let parts = 0

  const key = (kind: "text" | "thought" | "call", signature: string | undefined): string => {
    if (open !== kind || kind === "call") {
      parts++
      if (kind === "text") textKeys.push(String(parts))
    }
    open = signature === undefined ? kind : undefined
    return String(parts)
  }

  const end = (call: Pending, json: string): void => {
    draft.tool(call.key, { json })
    draft.endTool(call.key)
    pending = undefined
  }

  const nativeOf = (value: Json.JsonObject): Message.Native | undefined => {
    const fields = Object.entries(value).filter(([field]) => !partFields.has(field))
    return fields.length === 0 ? undefined : { provider, fields: Object.fromEntries(fields) }
  }

  /** A part that is kept as it came: a file, the service's own tools ... */
  const keep = (kind: string, value: Json.JsonObject): void => {
    const at = key("call", undefined)
    draft.opaque(at, { provider, kind, json: value })
    draft.endOpaque(at)
  }

  const functionCall = (value: Json.JsonObject, signature: string | undefined): Reason | undefined => {
    const call = Json.object(value.functionCall)
    const begin = (name: string): string => {
      const at = key("call", signature)
      draft.tool(at, { id: Json.nonEmpty(call.id) ?? nextCallId(), name, signature, native: nativeOf(value) })
      return at
    }
    const name = Json.nonEmpty(call.name)
    if (name !== undefined && pending !== undefined) {
      if (pending.args.continues()) return MalformedResponse.make({ message: "a function call has no end" })
      end(pending, pending.args.json())
    }
    const inPieces = call.partialArgs !== undefined || call.willContinue === true
    if (name !== undefined && !inPieces) {
      if (isRepeated(Json.nonEmpty(call.id), call)) return undefined
      end({ key: begin(name), args: PartialArguments.make() }, JSON.stringify(call.args ?? {}))
      return undefined
    }
    if (name !== undefined) pending = { key: begin(name), args: PartialArguments.make() }
    if (pending === undefined) return MalformedResponse.make({ message: "a function call has no name" })
    if (!pending.args.add(call.partialArgs)) {
      return MalformedResponse.make({ message: "a piece of a function call's arguments has no place" })
    }
    if (call.willContinue !== true) end(pending, pending.args.json())
    return undefined
  }

  const part = (value: Json.JsonObject): Reason | undefined => {
    const signature = Json.nonEmpty(value.thoughtSignature)
    if (Json.isObject(value.functionCall)) return functionCall(value, signature)
    if (typeof value.text !== "string") {
      const kind = Object.keys(value).find((field) => !partFields.has(field) && !besides.has(field))
      if (kind !== undefined) keep(kind, value)
      if (kind !== undefined || signature === undefined) return undefined
    }
    const text = Json.string(value.text) ?? ""
    if (text === "" && signature === undefined) return undefined
    const native = nativeOf(value)
    if (value.thought === true) {
      const tag = Reasoning.tagged(facts.reader, { signature })
      draft.reasoning(key("thought", signature), text, { ...tag, ...(native && { native }) })
    } else draft.text(key("text", signature), text, Json.defined({ signature, native }))
    return undefined
  }

  const push: Decoder["push"] = (chunk) => {
    if (isErrorValue(chunk.error)) return Failed
    model ||= Json.name(chunk.modelVersion) ?? ""
    id ||= Json.string(chunk.responseId) ?? ""
    usage = Counts.cumulative(usage, Json.object(chunk.usageMetadata))
    const blocked = enumerated(Json.object(chunk.promptFeedback).blockReason)
    if (blocked !== undefined) {
      return ContentFiltered.make({ message: `the prompt was blocked: ${Json.name(blocked)?.slice(0, 100)}` })
    }
    // There is one, unless the request asked for more.
    const candidates = Json.array(chunk.candidates).map(Json.object)
    const candidate = candidates.find(({ index }) => (index ?? 0) === 0) ?? {}
    for (const other of candidates) {
      const { index = 0 } = other
      if (index !== 0) further.set(index, [...further.get(index) ?? [], other])
    }
    const { parts, role: _, ...rest } = Json.present(Json.object(candidate.content))
    for (const field of Object.keys(rest)) unread.add(`content.${field}`)
    for (const value of Json.isObject(parts) ? [parts] : Json.array(parts)) {
      const problem = part(Json.object(value))
      if (problem !== undefined) return problem
      isBehind = true
    }
    const { continuationToken, ...fields } = candidate
    const next = heals ? Json.nonEmpty(continuationToken) : undefined
    if (next !== undefined) {
      token = next
      isBehind = false
    }
    metadata = { ...metadata, ...others(chunk, readOfBody), ...others(heals ? fields : candidate, readFields) }
    for (const logprob of logprobsOf(candidate.logprobsResult)) logprobs.push(logprob)
    // Some models repeat it in each chunk: the last one counts.
    finish = enumerated(candidate.finishReason) ?? finish
    finishMessage = Json.nonEmpty(candidate.finishMessage) ?? finishMessage
    if (finish !== undefined && pending !== undefined && finishReasons.get(finish) !== "length") {
      return MalformedResponse.make({ message: "a function call has no end" })
    }
    return failureOf(finish, finishMessage)
  }

  /** The whole answer, which ended with this reason. */
  const answer = (finish: string): LlmResponse.LlmResponse | Reason => {
    const named = finishReasons.get(finish) ?? "other"
    // The token limit cut the call: its JSON has no end either.
    if (pending !== undefined) draft.tool(pending.key, { json: pending.args.json().slice(0, -1) })
    draft.endTools({ truncated: named === "length" })
    const texts = draft.parts().filter((part) => part._tag === "Text")
    sourcesOf(provider, metadata, texts.length === 1 ? texts[0]?.text : undefined).forEach((source, place) =>
      draft.source(texts.length === 1 ? textKeys[0] : undefined, source, String(place))
    )
    for (const [index, pieces] of further) {
      const at = `candidate ${index}`
      draft.opaque(at, { provider, kind: at, json: pieces.length === 1 ? pieces[0] : pieces, ...partial(pieces) })
      draft.endOpaque(at)
    }
    const parts = draft.parts()
    const finishReason = Ending.finishReason(named, parts)
    const kept = named === "content_filter" || named === "other" ? { finishReason: finish, ...metadata } : metadata
    // Calls that came can be answered.
    if (finish === "UNEXPECTED_TOOL_CALL" && finishReason === "other") {
      return ToolArgumentsInvalid.make({ message: "the model wrote an invalid tool call", raw: finishMessage ?? "" })
    }
    return draft.problem() ?? Ending.unreadable({ finishReason, parts, unread }) ?? LlmResponse.make({
      parts,
      // The service stopped a model that kept calling its tools: the answer is cut.
      finishReason: finish === "TOO_MANY_TOOL_CALLS" && finishReason === "other" ? "length" : finishReason,
      usage: decodeUsage(Counts.sum(usageBefore, usage)),
      model: model === "" ? facts.request.model : model,
      provider,
      warnings: facts.warnings,
      ...Json.defined({
        id: Json.name(id),
        requestId: facts.requestId,
        rateLimit: facts.rateLimit,
        providerMetadata: Object.keys(kept).length === 0 ? undefined : kept,
        logprobs: logprobs.length === 0 ? undefined : logprobs
      })
    })
  }

  return {
    draft,
    push,
    sentinel: () => {},
    // The usage may come after the finish reason: the answer ends with the stream.
    done: () => false,
    usage: () => decodeUsage(Counts.sum(usageBefore, usage)),
    continuation: () => {
      const canGoOn = finish === "CONTINUATION" ? token !== sentToken : finish === undefined && !isBehind
      return token === undefined || !canGoOn ? undefined : { fields: { continuationToken: token } }
    },
    resumed: () => {
      sentToken = token
      usageBefore = Counts.sum(usageBefore, usage)
      usage = {}
      finish = undefined
    },
    finish: () => {
      const known = finish ?? (whole && draft.parts().some(({ _tag }) => _tag === "ToolCall") ? "OTHER" : undefined)
      return known === undefined ? undefined : answer(known)
    }
  }
}

/** Reads an answer as a stream of one chunk. */
export const decode = (body: Json.JsonObject, provider: string, facts: Facts): ReturnType<Codec["decode"]> => {
  const decoder = makeDecoder(provider, facts, { whole: true })
  return decoder.push(body, undefined) ?? decoder.finish() ??
    MalformedResponse.make({ message: "the answer has no finish reason" })
}
