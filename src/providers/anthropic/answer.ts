import { MalformedResponse, type Reason } from "../../domain/LlmError.js"
import * as LlmResponse from "../../domain/LlmResponse.js"
import * as Reasoning from "../../domain/reasoning.js"
import * as AnswerDraft from "../../wire/answerDraft.js"
import * as Json from "../../wire/json.js"
import { type Decoder, type Facts, Failed } from "../codec.js"
import * as Counts from "../counts.js"
import * as Ending from "../ending.js"

/** The protocol's words for the end of an answer, and those of other services that speak it. */
const finishReasons: ReadonlyMap<string, LlmResponse.FinishReason> = new Map([
  ["end_turn", "stop"],
  ["stop_sequence", "stop"],
  ["stop", "stop"],
  ["eos", "stop"],
  ["eos_token", "stop"],
  ["max_tokens", "length"],
  ["max_output_tokens", "length"],
  ["length", "length"],
  ["model_length", "length"],
  ["tool_use", "tool_calls"],
  ["tool_calls", "tool_calls"],
  ["function_call", "tool_calls"],
  ["pause_turn", "pause"],
  // The service has summed up the conversation, and waits for the next request to go on.
  ["compaction", "pause"],
  ["refusal", "refusal"],
  ["content_filter", "content_filter"],
  ["content_filtered", "content_filter"],
  ["guardrail_intervened", "content_filter"],
  ["sensitive", "content_filter"],
  ["safety", "content_filter"],
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

const inputCounts = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]

const sum = (usage: Json.JsonObject): number =>
  inputCounts.reduce((total, field) => total + (Json.count(usage[field]) ?? 0), 0)

/** The usage after an event states it once more. */
const counted = (before: Json.JsonObject, value: unknown): Json.JsonObject => {
  const after = Json.present(Json.object(value))
  const all = Counts.cumulative(before, after)
  // Some services count all input as fresh at first, and divide it at the end: together it is no more than before.
  const isDivided = inputCounts.some((field) => {
    const [old, now] = [Json.count(before[field]), Json.count(after[field])]
    return old !== undefined && now !== undefined && now > 0 && now < old
  }) && sum(after) >= sum(before)
  return isDivided ? { ...all, ...Object.fromEntries(inputCounts.map((field) => [field, after[field]])) } : all
}

/** The finish reasons after which a tool call may be cut. */
const truncating: ReadonlySet<LlmResponse.FinishReason> = new Set([
  "length",
  "context_window",
  "content_filter",
  "refusal",
  "pause"
])

const finishReasonOf = (stopReason: unknown): LlmResponse.FinishReason =>
  finishReasons.get((Json.string(stopReason) ?? "").toLowerCase()) ?? "other"

/** A block of the answer, as far as it has come. */
interface Block {
  readonly key: string
  readonly type: unknown
  readonly id: string | undefined
  /** The content that it began with. In a stream it comes in pieces, which may repeat it. */
  begun: string
  open: boolean
}

/** Reads an answer as it is streamed. */
export const makeDecoder = (provider: string, facts: Facts): Decoder => {
  const draft = AnswerDraft.make()
  let message: Json.JsonObject | undefined
  let usage: Json.JsonObject = {}
  let stop: Json.JsonObject = {}
  let stopped = false
  // The last block of each index: some services give all blocks the same one.
  const blocks = new Map<unknown, Block>()
  let begun = 0
  const unread = new Set<string>()

  const open = (index: unknown, type: unknown, id?: string): Block => {
    const block: Block = { key: String(begun++), type, id, begun: "", open: true }
    blocks.set(index, block)
    return block
  }

  /** Whether a block begins that has begun already: some services say so twice. */
  const isRepeated = (before: Block | undefined, block: Json.JsonObject): boolean =>
    before !== undefined && before.type === block.type &&
    (block.type === "tool_use" ? before.id !== undefined && before.id === block.id : before.open)

  /** Adds the content that a block began with, where no piece repeated it. */
  const settle = (block: Block): void => {
    const { begun: text, key, type } = block
    block.begun = ""
    if (text === "") return
    if (type === "text") draft.text(key, text)
    else if (type === "thinking") draft.reasoning(key, text)
    else draft.tool(key, { json: text })
  }

  const close = (block: Block): void => {
    settle(block)
    block.open = false
    draft.endTool(block.key)
  }

  const blockStart = (index: unknown, block: Json.JsonObject): void => {
    const before = blocks.get(index)
    if (isRepeated(before, block)) return
    if (before?.open === true) close(before)
    const opened = open(index, block.type, Json.nonEmpty(block.id))
    switch (block.type) {
      case "text":
        opened.begun = Json.string(block.text) ?? ""
        return
      case "thinking":
        opened.begun = Json.string(block.thinking) ?? ""
        return draft.reasoning(opened.key, "", signed(block.signature))
      case "redacted_thinking":
        return draft.reasoning(
          opened.key,
          undefined,
          Reasoning.tagged(facts.reader, { encrypted: Json.string(block.data) })
        )
      case "tool_use":
        // In a stream the input is an empty object here.
        if (Object.keys(Json.object(block.input)).length > 0) opened.begun = JSON.stringify(block.input)
        return draft.tool(opened.key, { id: opened.id, name: Json.string(block.name) })
      default:
        // Blocks of the service's own tools.
        unread.add(String(block.type))
    }
  }

  const signed = (signature: unknown) => Reasoning.tagged(facts.reader, { signature: Json.nonEmpty(signature) })

  /** A piece of text, in front of it the text that its block began with, unless the piece repeats that. */
  const more = (block: Block, piece: string): string => {
    const before = piece.startsWith(block.begun) ? "" : block.begun
    if (piece !== "") block.begun = ""
    return piece === "" ? "" : before + piece
  }

  const blockDelta = (index: unknown, delta: Json.JsonObject): Reason | undefined => {
    const block = blocks.get(index)
    switch (delta.type) {
      case "text_delta": {
        const text = block ?? open(index, "text")
        draft.text(text.key, more(text, Json.string(delta.text) ?? ""))
        return undefined
      }
      case "thinking_delta": {
        const thinking = block ?? open(index, "thinking")
        draft.reasoning(thinking.key, more(thinking, Json.string(delta.thinking) ?? ""))
        return undefined
      }
      case "signature_delta":
        draft.reasoning((block ?? open(index, "thinking")).key, undefined, signed(delta.signature))
        return undefined
      case "input_json_delta": {
        const json = Json.nonEmpty(delta.partial_json)
        // The input of the service's own tools comes by the same event.
        if (json === undefined || (block !== undefined && block.type !== "tool_use")) return undefined
        if (block?.open !== true) {
          return MalformedResponse.make({ message: "the input of a call came without its call" })
        }
        block.begun = ""
        draft.tool(block.key, { json })
        return undefined
      }
      default:
        unread.add(String(delta.type))
        return undefined
    }
  }

  const push: Decoder["push"] = (event, name) => {
    if (event.type === "error" || name === "error") return Failed
    // Some services leave the type to the name of the event.
    switch (event.type ?? name) {
      case "message_start": {
        const started = Json.object(event.message)
        if (message === undefined) {
          message = started
          usage = counted(usage, started.usage)
          return undefined
        }
        // Some proxies repeat it.
        return started.id === message.id
          ? undefined
          : MalformedResponse.make({ message: "two answers are mixed in one stream" })
      }
      case "content_block_start":
        blockStart(event.index, Json.object(event.content_block))
        return undefined
      case "content_block_delta":
        return blockDelta(event.index, Json.object(event.delta))
      case "content_block_stop": {
        const block = blocks.get(event.index)
        if (block !== undefined) close(block)
        return undefined
      }
      case "message_delta":
        stop = { ...stop, ...Json.present(Json.object(event.delta)) }
        usage = counted(usage, event.usage)
        return undefined
      case "message_stop":
        stopped = true
    }
    return undefined
  }

  const finish = (): LlmResponse.LlmResponse | Reason => {
    for (const block of blocks.values()) settle(block)
    const named = finishReasonOf(stop.stop_reason)
    draft.endTools({ truncated: truncating.has(named) })
    const parts = draft.parts()
    const finishReason = Ending.finishReason(named, parts)
    return draft.problem() ?? Ending.unreadable({ finishReason, parts, unread }) ?? LlmResponse.make({
      parts,
      finishReason,
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

  return {
    draft,
    push,
    sentinel: () => {},
    done: () => stopped,
    usage: () => decodeUsage(usage),
    finish: () => stopped ? finish() : undefined
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
  const cut = blocks.at(-1)?.type === "tool_use" && truncating.has(finishReasonOf(body.stop_reason))
    ? blocks.length - 1
    : -1
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
