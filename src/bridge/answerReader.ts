import type * as Response from "@effect/ai/Response"
import * as Encoding from "effect/Encoding"
import * as Option from "effect/Option"
import * as LlmError from "../domain/LlmError.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import type * as Message from "../domain/Message.js"
import * as Reasoning from "../domain/reasoning.js"
import type { StreamPart } from "../domain/StreamPart.js"
import * as Ending from "../providers/ending.js"
import * as OpaqueBlocks from "../providers/opaqueBlocks.js"
import * as ToolCallIds from "../providers/toolCallIds.js"
import * as AnswerDraft from "../wire/answerDraft.js"
import * as Json from "../wire/json.js"
import * as KeptParts from "./keptParts.js"
import { fileKind, runKinds } from "./requestPrompt.js"

type ToolCall = Response.ToolCallPart<string, unknown>

/** The result of a tool that the provider has run: there are no others, as the client runs those of the program. */
interface ToolResult {
  readonly type: "tool-result"
  readonly id: string
  readonly name: string
  readonly isFailure: boolean
  readonly encodedResult: unknown
  readonly metadata: Response.ProviderMetadata
  /** Whether it is not the result yet. */
  readonly preliminary?: boolean | undefined
}

/** A part of an answer of `@effect/ai`, streamed or not. */
export type Part =
  | Response.AllParts<Record<never, never>>
  | ToolCall
  | ToolResult

/** An error that a stream reports as one of its parts. */
export class ReportedError {
  constructor(readonly error: unknown) {}
}

/** Reads an answer of `@effect/ai`, streamed or not. */
export interface AnswerReader {
  /** Reads a part; or gives the problem that ends the answer. */
  readonly push: (part: Part) => LlmError.Reason | ReportedError | undefined
  /** The parts of our stream since the last time. */
  readonly take: () => ReadonlyArray<StreamPart>
  /** The whole answer; or the reason why there is none. */
  readonly finish: () => LlmResponse.LlmResponse | LlmError.Reason
  /** The reason of an answer that broke off. It keeps the parts given out so far. */
  readonly interrupted: (message: string) => LlmError.Reason
  /** Whether any part was given out. */
  readonly begun: () => boolean
}

const finishReasons: { readonly [Reason in Response.FinishReason]: LlmResponse.FinishReason } = {
  stop: "stop",
  length: "length",
  "content-filter": "content_filter",
  "tool-calls": "tool_calls",
  pause: "pause",
  error: "other",
  other: "other",
  unknown: "other"
}

const usageOf = (
  { cachedInputTokens, inputTokens, outputTokens, reasoningTokens }: Response.Usage
): LlmResponse.Usage =>
  Json.defined({
    inputTokens: Json.count(inputTokens),
    outputTokens: Json.count(outputTokens),
    reasoningTokens: Json.count(reasoningTokens),
    cachedInputTokens: Json.count(cachedInputTokens)
  })

/** The names that an answer gives of itself and its model. */
const namesOf = ({ id, modelId }: Response.ResponseMetadataPart) => ({
  id: Json.name(Option.getOrUndefined(id)),
  model: Json.name(Option.getOrUndefined(modelId))
})

/** Of an answer that is ours anyway, the whole is not needed. */
const metadataOf = (
  { metadata: { [KeptParts.key]: _, ...metadata } }: Response.FinishPart
): Response.ProviderMetadata => metadata

const hasFields = (metadata: Response.ProviderMetadata): boolean =>
  Object.values(metadata).some((fields) => fields !== undefined)

/** Makes a reader for the answer to a request. */
export const make = (options: {
  readonly request: LlmRequest
  readonly reader: Reasoning.Reader
  readonly warnings: ReadonlyArray<string>
}): AnswerReader => {
  const { reader, request, warnings } = options
  const { provider } = reader
  const draft = AnswerDraft.make(ToolCallIds.make(request))
  /** The metadata of a block, which comes with its start, its deltas or its end. */
  const metadata = new Map<string, Response.ProviderMetadata>()
  const streamedCalls = new Set<string>()
  const providerCalls = new Set<string>()
  let facts: Response.ResponseMetadataPart | undefined
  let finish: Response.FinishPart | undefined
  let blocks = 0

  const gathered = (key: string, more: Response.ProviderMetadata): Response.ProviderMetadata => {
    const all = { ...metadata.get(key), ...more }
    metadata.set(key, all)
    return all
  }

  const nativeOf = (fields: Response.ProviderMetadata): { readonly native?: Message.Native } =>
    hasFields(fields) ? { native: { provider, fields } } : {}

  const text = (key: string, delta: string, more: Response.ProviderMetadata): void => {
    const native = nativeOf(gathered(key, more))
    draft.text(key, delta, native.native === undefined ? undefined : native)
  }

  /** The metadata may hold a signature, or encrypted thoughts: they are for its maker only. */
  const reasoning = (key: string, delta: string, more: Response.ProviderMetadata): void => {
    const all = gathered(key, more)
    const signature = hasFields(all) ? JSON.stringify(all) : undefined
    draft.reasoning(key, delta, Reasoning.tagged(reader, { signature }))
  }

  const call = (part: ToolCall): void => {
    const fields = nativeOf(gathered(part.id, part.metadata))
    draft.tool(part.id, {
      id: part.id,
      name: part.name,
      // Its pieces may have come already.
      ...(!streamedCalls.has(part.id) && { json: JSON.stringify(part.params) ?? "" }),
      ...fields
    })
    draft.endTool(part.id)
  }

  const source = (part: Response.UrlSourcePart | Response.DocumentSourcePart): void => {
    const common = { provider, kind: part.sourceType, id: part.id, title: part.title }
    const own = part.sourceType === "url" ? { url: part.url.href } : { mediaType: part.mediaType }
    draft.source(undefined, {
      ...common,
      ...("url" in own && own),
      json: { ...common, ...own, ...(hasFields(part.metadata) && { metadata: part.metadata }) }
    })
  }

  const file = ({ data, mediaType }: Response.FilePart): void => {
    const key = `file_${++blocks}`
    draft.opaque(key, { provider, kind: fileKind, json: { mediaType, data: Encoding.encodeBase64(data) } })
    draft.endOpaque(key)
  }

  /** A call or a result of a tool that the provider has run, as it came. */
  const run = (kind: string, { id, metadata, name }: ToolResult | ToolCall, fields: Json.JsonObject): void => {
    const key = `${kind}_${id}`
    const json = { type: kind, id, name, ...fields, ...(hasFields(metadata) && { metadata }) }
    draft.opaque(key, { provider, kind, json })
    draft.endOpaque(key)
  }

  const push = (part: Part): LlmError.Reason | ReportedError | undefined => {
    switch (part.type) {
      case "text":
        text(`text_${++blocks}`, part.text, part.metadata)
        break
      case "text-start":
      case "text-end":
        text(part.id, "", part.metadata)
        break
      case "text-delta":
        text(part.id, part.delta, part.metadata)
        break
      case "reasoning":
        reasoning(`reasoning_${++blocks}`, part.text, part.metadata)
        break
      case "reasoning-start":
      case "reasoning-end":
        reasoning(part.id, "", part.metadata)
        break
      case "reasoning-delta":
        reasoning(part.id, part.delta, part.metadata)
        break
      case "tool-params-start":
        if (part.providerExecuted === true) {
          providerCalls.add(part.id)
          break
        }
        gathered(part.id, part.metadata)
        draft.tool(part.id, { id: part.id, name: part.name })
        break
      case "tool-params-delta":
        // The call that follows has them all.
        if (providerCalls.has(part.id)) break
        streamedCalls.add(part.id)
        draft.tool(part.id, { json: part.delta })
        break
      case "tool-params-end":
        break
      case "tool-call":
        if (part.providerExecuted === true) run(runKinds.call, part, { params: part.params })
        else call(part)
        break
      case "source":
        source(part)
        break
      case "file":
        file(part)
        break
      case "response-metadata":
        facts = part
        break
      case "finish":
        finish = part
        break
      case "error":
        return new ReportedError(part.error)
      case "tool-result":
        if (part.preliminary !== true) {
          run(runKinds.result, part, { isFailure: part.isFailure, result: part.encodedResult })
        }
        break
    }
    return draft.problem()
  }

  const broken = (message: string): LlmError.Reason => {
    const parts = draft.parts()
    const text = parts.map((part) => part._tag === "Text" ? part.text : "").join("")
    return LlmError.StreamInterrupted.make({ message, partial: { text, parts } })
  }

  return {
    push,
    take: draft.take,
    begun: draft.begun,
    interrupted: broken,
    finish: () => {
      if (finish === undefined) {
        const message = "the answer has no end"
        return draft.begun() ? broken(message) : LlmError.MalformedResponse.make({ message })
      }
      if (finish.reason === "error") {
        return LlmError.ServerFailed.make({ message: "the answer ended with an error" })
      }
      draft.endTools({ truncated: finish.reason === "length" })
      const parts = draft.parts()
      const finishReason = Ending.finishReason(finishReasons[finish.reason], parts)
      const { id, model } = facts === undefined ? {} : namesOf(facts)
      const reason = draft.problem() ?? Ending.unreadable({ finishReason, parts, unread: new Set() })
      return reason ?? OpaqueBlocks.warned(LlmResponse.make({
        parts,
        finishReason,
        usage: usageOf(finish.usage),
        model: model ?? request.model,
        provider,
        warnings,
        ...(id !== undefined && { id }),
        ...(hasFields(metadataOf(finish)) && { providerMetadata: metadataOf(finish) })
      }))
    }
  }
}
