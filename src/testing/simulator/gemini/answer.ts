import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { Completion, Finish, Prompt } from "../prompt.js"
import type { Json, StreamEvent, Streaming } from "../protocol.js"
import { parseJson } from "../protocol.js"
import { seal } from "../seal.js"
import { comment, deltas, sse } from "../streaming.js"
import { serverMetadata, serverParts, toolTokens } from "./serverParts.js"
import { member, versionOf } from "./service.js"
import { thinkingOf } from "./thinking.js"

/** Answers with tool calls end with `STOP`, too. */
const finishReason = (finish: Finish): string => {
  switch (finish) {
    case "stop":
    case "tool_calls":
    case "refusal":
    case "pause":
      return "STOP"
    case "length":
    case "context_window":
      return "MAX_TOKENS"
    case "content_filter":
      return "SAFETY"
  }
}

/** Calls are sent whole; one that the token limit cut is left out. From version 3 on they have ids. */
const callParts = ({ fingerprint, toolCalls }: Completion, model: string): ReadonlyArray<Json> =>
  toolCalls.flatMap((call, i) =>
    Option.toArray(Either.getRight(parseJson(call.arguments))).map((args) => ({
      functionCall: {
        ...(versionOf(model) >= 300 && { id: fingerprint.slice(8 + i, 16 + i) }),
        name: call.name,
        args
      }
    }))
  )

/**
 * The parts of an answer, with its texts cut. The first call has a signature if the model thought; from version 3 on always,
 * and so has the end of a text.
 */
const partsOf = (
  completion: Completion,
  prompt: Prompt,
  cut: (text: string) => ReadonlyArray<string>
): ReadonlyArray<Json> => {
  const { fingerprint, reasoning, refusal, text } = completion
  const thoughts = thinkingOf(prompt.request).isShown ? cut(reasoning) : []
  const texts = cut(text + (refusal ?? ""))
  const calls = callParts(completion, prompt.model)
  const signature = { thoughtSignature: seal(fingerprint.slice(0, 24)) }
  const isNew = versionOf(prompt.model) >= 300
  const signs = isNew || (reasoning !== "" && prompt.tools.length > 0)
  return [
    ...thoughts.map((text) => ({ text, thought: true })),
    ...serverParts(completion, prompt),
    ...texts.map((text, i) => ({ text, ...(isNew && calls.length === 0 && i === texts.length - 1 && signature) })),
    ...calls.map((call, i) => ({ ...call, ...(signs && i === 0 && signature) }))
  ]
}

/** Thoughts are counted apart from the candidates. Counts of 0 are left out. */
const encodeUsage = (completion: Completion, { choices, request }: Prompt): Json => {
  const { usage } = completion
  const tier = member(request, "serviceTier")
  const tools = toolTokens(completion)
  const candidates = (usage.outputTokens - usage.reasoningTokens) * choices
  return {
    promptTokenCount: usage.inputTokens,
    ...(usage.cachedInputTokens > 0 && { cachedContentTokenCount: usage.cachedInputTokens }),
    ...(candidates > 0 && { candidatesTokenCount: candidates }),
    ...(usage.reasoningTokens > 0 && { thoughtsTokenCount: usage.reasoningTokens }),
    ...(tools > 0 && { toolUsePromptTokenCount: tools }),
    totalTokenCount: usage.inputTokens + tools + candidates + usage.reasoningTokens,
    promptTokensDetails: [{ modality: "TEXT", tokenCount: usage.inputTokens }],
    ...(typeof tier === "string" && tier !== "unspecified" && { serviceTier: tier })
  }
}

/** The usage before the end: only the prompt is counted. */
const promptUsage = ({ usage }: Completion): Json => ({
  promptTokenCount: usage.inputTokens,
  totalTokenCount: usage.inputTokens,
  promptTokensDetails: [{ modality: "TEXT", tokenCount: usage.inputTokens }]
})

const envelope = ({ fingerprint }: Completion, { model }: Prompt): Json => ({
  modelVersion: model,
  responseId: fingerprint.slice(0, 22)
})

const candidate = (parts: ReadonlyArray<Json>, index: number, completion?: Completion): Json => ({
  content: { ...(parts.length > 0 && { parts }), role: "model" },
  ...(completion !== undefined && { finishReason: finishReason(completion.finish), ...serverMetadata(completion) }),
  index
})

/** The answer to a blocked prompt: a filter left nothing of it. */
const blocked = (completion: Completion, prompt: Prompt): Json | undefined =>
  completion.finish === "content_filter" && completion.text === "" && completion.toolCalls.length === 0
    ? {
      promptFeedback: { blockReason: "SAFETY" },
      usageMetadata: promptUsage(completion),
      ...envelope(completion, prompt)
    }
    : undefined

const indices = ({ choices }: Prompt): ReadonlyArray<number> => Array.from({ length: choices }, (_, index) => index)

/** A whole answer. One that is interrupted has the same parts as a stream. */
export const encode = (completion: Completion, prompt: Prompt): Json => {
  const isWhole = completion.continueAfter === undefined
  const parts = partsOf(completion, prompt, (text) => isWhole ? text === "" ? [] : [text] : deltas(text))
  const { from, isOver, to } = sliceOf(completion, prompt, parts.length)
  const given = parts.slice(from, to)
  return blocked(completion, prompt) ?? {
    candidates: indices(prompt).map((index) =>
      isOver ? candidate(given, index, completion) : interrupted(candidate(given, index), completion, to)
    ),
    usageMetadata: encodeUsage(completion, prompt),
    ...envelope(completion, prompt)
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Answers that are interrupted
// ---------------------------------------------------------------------------------------------------------------------

/** The token that continues an answer after a number of parts. */
const tokenAt = ({ fingerprint }: Completion, parts: number): string => `${seal(fingerprint.slice(0, 12))}.${parts}`

/** The parts of the answer to a request: those after its token, up to the next interruption. */
const sliceOf = ({ continueAfter = Infinity }: Completion, { request }: Prompt, parts: number) => {
  const token = /\.(\d+)$/.exec(String(request.continuationToken ?? ""))?.[1]
  const from = Number(token ?? 0)
  const to = Math.min(parts, from + continueAfter)
  return { from, to, isOver: to === parts }
}

const interrupted = (candidate: Json, completion: Completion, parts: number): Json => ({
  ...candidate,
  finishReason: "CONTINUATION",
  continuationToken: tokenAt(completion, parts)
})

/** Gemini ends lines with CRLF. */
const event = (data: unknown): string => sse(data).replaceAll("\n", "\r\n")

const events: Streaming["events"] = (completion, prompt) => {
  const refused = blocked(completion, prompt)
  if (refused !== undefined) return [{ kind: "finish", text: event(refused) }]
  const all = partsOf(completion, prompt, deltas)
  const { from, isOver, to } = sliceOf(completion, prompt, all.length)
  const parts = all.slice(from, to)
  // The last of several parts is sent with the end. A single part is sent before it, and the end has an empty one.
  const [before, last] = parts.length > 1
    ? [parts.slice(0, -1), parts.slice(-1)]
    : [parts, parts.map(() => ({ text: "" }))]
  const chunk = (kind: StreamEvent["kind"], candidate: Json, usage: Json): StreamEvent => ({
    kind,
    text: event({ candidates: [candidate], usageMetadata: usage, ...envelope(completion, prompt) })
  })
  /** Each piece of an answer that may be interrupted has a token. */
  const at = (place: number): Json =>
    completion.continueAfter === undefined ? {} : { continuationToken: tokenAt(completion, from + place + 1) }
  return [
    ...before.flatMap((part, place) =>
      indices(prompt).map((index) =>
        chunk("content", { ...candidate([part], index), ...at(place) }, promptUsage(completion))
      )
    ),
    ...indices(prompt).map((index) =>
      chunk(
        "finish",
        isOver ? candidate(last, index, completion) : interrupted(candidate(last, index), completion, to),
        encodeUsage(completion, prompt)
      )
    )
  ]
}

export const streaming: Streaming = {
  contentType: "text/event-stream",
  events,
  error: ({ body }) => event(body),
  keepAlive: comment.replaceAll("\n", "\r\n"),
  done: event("[DONE]")
}
