import type * as Response from "@effect/ai/Response"
import * as Either from "effect/Either"
import type { Reason } from "../domain/LlmError.js"
import type { FinishReason, LlmResponse, Usage } from "../domain/LlmResponse.js"
import type * as Message from "../domain/Message.js"
import type { StreamPart } from "../domain/StreamPart.js"
import * as KeptParts from "./keptParts.js"

/** Gives the arguments of a call in the form that the schema of its tool decodes from. */
export type EncodedArguments = (call: Message.ToolCall) => Either.Either<unknown, Reason>

const finishReasons: { readonly [Reason in FinishReason]: Response.FinishReason } = {
  stop: "stop",
  length: "length",
  context_window: "length",
  tool_calls: "tool-calls",
  content_filter: "content-filter",
  refusal: "content-filter",
  pause: "pause",
  other: "other"
}

const usageOf = ({ cachedInputTokens, inputTokens, outputTokens, reasoningTokens }: Usage) => ({
  inputTokens,
  outputTokens,
  totalTokens: inputTokens === undefined || outputTokens === undefined ? undefined : inputTokens + outputTokens,
  ...(reasoningTokens !== undefined && { reasoningTokens }),
  ...(cachedInputTokens !== undefined && { cachedInputTokens })
})

/** The facts at the end of an answer. The last part brings the answer itself. */
export const ending = (
  response: LlmResponse,
  timestamp: string
): readonly [Response.ResponseMetadataPartEncoded, Response.FinishPartEncoded] => [
  {
    type: "response-metadata",
    ...(response.id !== undefined && { id: response.id }),
    modelId: response.model,
    timestamp
  },
  {
    type: "finish",
    reason: finishReasons[response.finishReason],
    usage: usageOf(response.usage),
    metadata: KeptParts.metadataOf(response)
  }
]

const sourceOf = (
  { id, kind, title, url }: Message.Source,
  n: number
): Response.UrlSourcePartEncoded | Response.DocumentSourcePartEncoded => {
  const common = { type: "source" as const, id: id ?? `source_${n}`, title: title ?? url ?? kind }
  return url !== undefined && URL.canParse(url)
    ? { ...common, sourceType: "url", url }
    : { ...common, sourceType: "document", mediaType: "text/plain", ...(title !== undefined && { fileName: title }) }
}

const callOf = ({ id, name }: Message.ToolCall, params: unknown): Response.ToolCallPartEncoded => ({
  type: "tool-call",
  id,
  name,
  params
})

/** The parts of a whole answer that `@effect/ai` has a place for; or the reason why a call cannot be read. */
export const whole = (
  { parts }: LlmResponse,
  encodedArguments: EncodedArguments
): Either.Either<Array<Response.PartEncoded>, Reason> => {
  const content: Array<Response.PartEncoded> = []
  let sources = 0
  for (const part of parts) {
    switch (part._tag) {
      case "Text":
        if (part.text !== "") content.push({ type: "text", text: part.text })
        break
      case "Reasoning":
        if (part.text !== undefined && part.text !== "") content.push({ type: "reasoning", text: part.text })
        break
      case "ToolCall": {
        // Half of a call must not be run.
        if (part.incomplete === true) break
        const params = encodedArguments(part)
        if (Either.isLeft(params)) return Either.left(params.left)
        content.push(callOf(part, params.right))
        break
      }
      case "Source":
        content.push(sourceOf(part, ++sources))
        break
      case "Refusal":
      case "Opaque":
    }
  }
  return Either.right(content)
}

/** A streamed answer, part by part. */
export interface Streamed {
  /** Their parts for one of ours; or the reason why a call cannot be read. */
  readonly push: (part: StreamPart) => Either.Either<ReadonlyArray<Response.StreamPartEncoded>, Reason>
}

/** The states of one streamed answer: deltas have a start and an end around them. */
export const makeStreamed = (encodedArguments: EncodedArguments, timestamp: string): Streamed => {
  let open: "text" | "reasoning" | undefined
  let blocks = 0
  let sources = 0
  let out: Array<Response.StreamPartEncoded> = []

  const id = (): string => `block_${blocks}`

  const close = (): void => {
    if (open !== undefined) out.push({ type: `${open}-end`, id: id() })
    open = undefined
  }

  const delta = (kind: "text" | "reasoning", delta: string): void => {
    if (open !== kind) {
      close()
      open = kind
      blocks++
      out.push({ type: `${kind}-start`, id: id() })
    }
    out.push({ type: `${kind}-delta`, id: id(), delta })
  }

  const add = (part: StreamPart): Reason | undefined => {
    switch (part._tag) {
      case "TextDelta":
        delta("text", part.text)
        return undefined
      case "ReasoningDelta":
        delta("reasoning", part.text)
        return undefined
      case "ToolCallStart":
        close()
        out.push({ type: "tool-params-start", id: part.id, name: part.name })
        return undefined
      case "ToolCallDelta":
        out.push({ type: "tool-params-delta", id: part.id, delta: part.delta })
        return undefined
      case "ToolCallEnd": {
        const call: Message.ToolCall = { _tag: "ToolCall", id: part.id, name: part.name, arguments: part.arguments }
        const params = encodedArguments(call)
        if (Either.isLeft(params)) return params.left
        out.push({ type: "tool-params-end", id: part.id }, callOf(call, params.right))
        return undefined
      }
      case "Source":
        out.push(sourceOf(part, ++sources))
        return undefined
      case "Opaque":
        return undefined
      case "Finish": {
        close()
        const [metadata, finish] = ending(part.response, timestamp)
        out.push(metadata, finish)
        return undefined
      }
    }
  }

  return {
    push: (part) => {
      out = []
      const reason = add(part)
      return reason === undefined ? Either.right(out) : Either.left(reason)
    }
  }
}
