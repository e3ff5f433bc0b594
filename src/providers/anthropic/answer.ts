import { MalformedResponse, type Reason } from "../../domain/LlmError.js"
import * as LlmResponse from "../../domain/LlmResponse.js"
import * as AnswerDraft from "../../wire/answerDraft.js"
import * as Json from "../../wire/json.js"
import { type Decoder, type Facts, Failed } from "../codec.js"

const finishReasons: ReadonlyMap<string, LlmResponse.FinishReason> = new Map([
  ["end_turn", "stop"],
  ["stop_sequence", "stop"],
  ["max_tokens", "length"],
  ["tool_use", "tool_calls"],
  ["pause_turn", "pause"],
  ["refusal", "refusal"],
  ["model_context_window_exceeded", "context_window"]
])

/** Input tokens that the service read from its cache, or wrote to it, are counted apart from the others. */
const decodeUsage = (value: unknown): LlmResponse.Usage => {
  const usage = Json.object(value)
  const fresh = Json.count(usage.input_tokens)
  const read = Json.count(usage.cache_read_input_tokens)
  const written = Json.count(usage.cache_creation_input_tokens)
  return Json.defined({
    inputTokens: fresh === undefined ? undefined : fresh + (read ?? 0) + (written ?? 0),
    cachedInputTokens: read,
    cacheWriteTokens: written,
    outputTokens: Json.count(usage.output_tokens),
    reasoningTokens: Json.count(Json.object(usage.output_tokens_details).thinking_tokens)
  })
}

/** The stop reasons after which a tool call may be cut. */
const truncating: ReadonlySet<unknown> = new Set([
  "max_tokens",
  "model_context_window_exceeded",
  "refusal",
  "pause_turn"
])

/** Reads an answer as it is streamed. */
export const makeDecoder = (provider: string, facts: Facts): Decoder => {
  const draft = AnswerDraft.make()
  let message: Json.JsonObject | undefined
  // Counts are cumulative: a later one replaces an earlier one, an absent one does not.
  let usage: Json.JsonObject = {}
  let stop: Json.JsonObject = {}
  let stopped = false
  const tools = new Set<string>()

  const blockStart = (key: string, block: Json.JsonObject): void => {
    switch (block.type) {
      case "text":
        return draft.text(key, Json.string(block.text) ?? "")
      case "thinking":
        return draft.reasoning(key, Json.string(block.thinking) ?? "", signed(block.signature))
      case "redacted_thinking":
        return draft.reasoning(key, undefined, { provider, ...Json.defined({ encrypted: Json.string(block.data) }) })
      case "tool_use": {
        tools.add(key)
        // In a stream the input comes in pieces, and is an empty object here.
        const whole = Object.keys(Json.object(block.input)).length > 0 ? JSON.stringify(block.input) : undefined
        return draft.tool(key, { id: Json.string(block.id), name: Json.string(block.name), json: whole })
      }
        // Blocks of the service's own tools are no part of the answer.
    }
  }

  const signed = (signature: unknown) => ({ provider, ...Json.defined({ signature: Json.nonEmpty(signature) }) })

  const blockDelta = (key: string, delta: Json.JsonObject): void => {
    switch (delta.type) {
      case "text_delta":
        return draft.text(key, Json.string(delta.text) ?? "")
      case "thinking_delta":
        return draft.reasoning(key, Json.string(delta.thinking))
      case "signature_delta":
        return draft.reasoning(key, undefined, signed(delta.signature))
      case "input_json_delta":
        // The input of the service's own tools comes by the same event.
        if (tools.has(key)) draft.tool(key, { json: Json.string(delta.partial_json) })
    }
  }

  const push: Decoder["push"] = (event, name) => {
    if (event.type === "error" || name === "error") return Failed
    const key = String(event.index)
    switch (event.type) {
      case "message_start": {
        const started = Json.object(event.message)
        if (message === undefined) {
          message = started
          usage = Json.present(Json.object(started.usage))
          return undefined
        }
        // Some proxies repeat it.
        return started.id === message.id
          ? undefined
          : MalformedResponse.make({ message: "two answers are mixed in one stream" })
      }
      case "content_block_start":
        blockStart(key, Json.object(event.content_block))
        return undefined
      case "content_block_delta":
        blockDelta(key, Json.object(event.delta))
        return undefined
      case "content_block_stop":
        draft.endTool(key)
        return undefined
      case "message_delta":
        stop = { ...stop, ...Json.present(Json.object(event.delta)) }
        usage = { ...usage, ...Json.present(Json.object(event.usage)) }
        return undefined
      case "message_stop":
        stopped = true
    }
    return undefined
  }

  return {
    draft,
    push,
    sentinel: () => {},
    done: () => stopped,
    usage: () => decodeUsage(usage),
    finish: () => {
      if (!stopped) return undefined
      const reason = Json.string(stop.stop_reason) ?? ""
      draft.endTools({ truncated: truncating.has(reason) })
      return draft.problem() ?? LlmResponse.make({
        parts: draft.parts(),
        finishReason: finishReasons.get(reason) ?? "other",
        usage: decodeUsage(usage),
        model: Json.name(message?.model) ?? facts.request.model,
        provider,
        warnings: facts.warnings,
        ...Json.defined({
          id: Json.name(message?.id),
          requestId: facts.requestId,
          rateLimit: facts.rateLimit,
          providerMetadata: metadata(stop, usage)
        })
      })
    }
  }
}

const metadata = (stop: Json.JsonObject, usage: Json.JsonObject): Json.JsonObject | undefined => {
  const fields = Json.defined({
    stop_sequence: Json.nonEmpty(stop.stop_sequence),
    stop_details: Json.isObject(stop.stop_details) ? stop.stop_details : undefined,
    service_tier: Json.nonEmpty(usage.service_tier)
  })
  return Object.keys(fields).length === 0 ? undefined : fields
}

/**
 * The events of a block that came whole. The service closes the JSON of a call that it cut, so that it looks like a whole
 * call: the JSON is opened again.
 */
const eventsOf = (block: Json.JsonObject, index: number, cut: boolean): ReadonlyArray<Json.JsonObject> => {
  const start = { type: "content_block_start", index, content_block: block }
  if (!cut) return [start, { type: "content_block_stop", index }]
  const partial_json = JSON.stringify(Json.object(block.input)).slice(0, -1)
  return [
    { ...start, content_block: { ...block, input: {} } },
    { type: "content_block_delta", index, delta: { type: "input_json_delta", partial_json } }
  ]
}

/** Reads an answer as the events of its stream, so that both give the same. */
export const decode = (body: Json.JsonObject, provider: string, facts: Facts): LlmResponse.LlmResponse | Reason => {
  if (!Array.isArray(body.content)) return MalformedResponse.make({ message: "the answer has no content" })
  const blocks = body.content.map(Json.object)
  const cut = blocks.at(-1)?.type === "tool_use" && truncating.has(body.stop_reason) ? blocks.length - 1 : -1
  const decoder = makeDecoder(provider, facts)
  for (
    const event of [
      { type: "message_start", message: body },
      ...blocks.flatMap((block, index) => eventsOf(block, index, index === cut)),
      { type: "message_delta", delta: body },
      { type: "message_stop" }
    ]
  ) decoder.push(event, undefined)
  return decoder.finish() ?? MalformedResponse.make({ message: "the answer has no end" })
}
