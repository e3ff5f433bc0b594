import { MalformedResponse, type Reason } from "../../domain/LlmError.js"
import * as LlmResponse from "../../domain/LlmResponse.js"
import type * as Message from "../../domain/Message.js"
import * as Reasoning from "../../domain/reasoning.js"
import * as AnswerDraft from "../../wire/answerDraft.js"
import * as Json from "../../wire/json.js"
import { type Decoder, type Facts, Failed } from "../codec.js"
import * as Ending from "../ending.js"
import * as Blocks from "./block.js"
import { counted, decodeUsage, finishReasonOf, metadataOf, truncating } from "./outcome.js"

/** A block of the answer, as far as it has arrived. */
interface Block {
  readonly key: string
  readonly type: unknown
  readonly id: string | undefined
  /** The fields of it that are not read. */
  readonly native: Message.Native | undefined
  /** The content that it began with. In a stream it comes in pieces, which may repeat it. */
  begun: string
  /** A block that is kept as it arrives. */
  kept: Blocks.Kept | undefined
  /** The number of its citations. */
  citations: number
  open: boolean
}

const mixed = (): Reason => MalformedResponse.make({ message: "two answers are mixed in one stream" })

/** Nothing is unread: a block that is not modelled is kept. */
const nothing: ReadonlySet<string> = new Set()

/** Reads a streamed answer. */
export const makeDecoder = (provider: string, facts: Facts): Decoder => {
  const draft = AnswerDraft.make()
  let message: Json.JsonObject | undefined
  let usage: Json.JsonObject = {}
  let stop: Json.JsonObject = {}
  let stopped = false
  // The last block of each index: some services give all blocks the same one.
  const blocks = new Map<unknown, Block>()
  let begun = 0
  /** Whether a start of the message came after content. */
  let restarted = false
  /** Pieces of modelled blocks that are not known. */
  const pieces = new Map<string, ReadonlyArray<Json.JsonObject>>()
  /** Fields of the message that come with its end. */
  let late: Json.JsonObject = {}

  const open = (index: unknown, started: Json.JsonObject): Block => {
    const { id, type } = started
    const block: Block = {
      key: String(begun++),
      type,
      id: Json.nonEmpty(id),
      native: Blocks.isModelled(type) ? Blocks.nativeOf(provider, started) : undefined,
      begun: "",
      kept: undefined,
      citations: 0,
      open: true
    }
    blocks.set(index, block)
    return block
  }

  /** Whether a block begins that has begun already: some services announce it twice. */
  const isRepeated = (before: Block | undefined, block: Json.JsonObject): boolean =>
    before !== undefined && before.type === block.type &&
    (block.type === "tool_use" ? before.id !== undefined && before.id === block.id : before.open)

  const fieldsOf = ({ native }: Block) => native && { native }

  /** Shows a kept block, as far as it has come: it is partial until it ends. */
  const show = ({ key, kept, open, type }: Block): void => {
    if (kept === undefined) return
    const partial = open || !kept.isWhole
    draft.opaque(key, { provider, kind: String(type), json: kept.json, ...(partial && { partial }) })
    if (!open) draft.endOpaque(key)
  }

  /** Adds the content that a block began with, if no piece repeated it. */
  const settle = (block: Block): void => {
    const { begun: text, key, type } = block
    block.begun = ""
    if (text === "") return
    if (type === "text") draft.text(key, text, fieldsOf(block))
    else if (type === "thinking") draft.reasoning(key, text)
    else draft.tool(key, { json: text })
  }

  const close = (block: Block): void => {
    settle(block)
    block.open = false
    if (block.kept === undefined) return draft.endTool(block.key)
    block.kept = Blocks.ended(block.kept)
    show(block)
  }

  const cite = (key: string, place: number, citation: unknown): void => {
    if (Json.isObject(citation) && Object.keys(citation).length > 0) {
      draft.source(key, Blocks.sourceOf(provider, citation), String(place))
    }
  }

  const blockStart = (index: unknown, block: Json.JsonObject): void => {
    const before = blocks.get(index)
    if (isRepeated(before, block)) return
    if (before?.open === true) close(before)
    const opened = open(index, block)
    switch (block.type) {
      case "text":
        opened.begun = Json.string(block.text) ?? ""
        opened.citations = Json.array(block.citations).length
        Json.array(block.citations).forEach((citation, place) => cite(opened.key, place, citation))
        return
      case "thinking":
        opened.begun = Json.string(block.thinking) ?? ""
        return draft.reasoning(opened.key, "", { ...signed(block.signature), ...fieldsOf(opened) })
      case "redacted_thinking":
        return draft.reasoning(opened.key, undefined, {
          ...Reasoning.tagged(facts.reader, { encrypted: Json.string(block.data) }),
          ...fieldsOf(opened)
        })
      case "tool_use":
        opened.begun = Blocks.inputOf(block)
        return draft.tool(opened.key, { id: opened.id, name: Json.string(block.name), ...fieldsOf(opened) })
      default:
        opened.kept = Blocks.keep(block)
        show(opened)
    }
  }

  const signed = (signature: unknown) => Reasoning.tagged(facts.reader, { signature: Json.nonEmpty(signature) })

  /** A piece of text, in front of it the text that its block began with, unless the piece repeats that. */
  const more = (block: Block, piece: string): string => {
    const before = piece.startsWith(block.begun) ? "" : block.begun
    if (piece !== "") block.begun = ""
    return piece === "" ? "" : before + piece
  }

  /**
   * Keeps a piece of a modelled block that is not known: the block goes back without the piece, and the piece never
   * does.
   */
  const keepPiece = (key: string, delta: Json.JsonObject): void => {
    const kind = Json.name(delta.type) ?? "delta"
    const at = `${key} ${kind}`
    const all = [...pieces.get(at) ?? [], delta]
    pieces.set(at, all)
    draft.opaque(at, { provider, kind, json: all, partial: true })
  }

  const blockDelta = (index: unknown, delta: Json.JsonObject): Reason | undefined => {
    const block = blocks.get(index)
    if (block?.kept !== undefined) {
      block.kept = Blocks.grown(block.kept, delta)
      show(block)
      return undefined
    }
    switch (delta.type) {
      case "text_delta": {
        const text = block ?? open(index, { type: "text" })
        draft.text(text.key, more(text, Json.string(delta.text) ?? ""), fieldsOf(text))
        return undefined
      }
      case "thinking_delta": {
        const thinking = block ?? open(index, { type: "thinking" })
        draft.reasoning(thinking.key, more(thinking, Json.string(delta.thinking) ?? ""))
        return undefined
      }
      case "signature_delta":
        draft.reasoning((block ?? open(index, { type: "thinking" })).key, undefined, signed(delta.signature))
        return undefined
      case "citations_delta": {
        const text = block ?? open(index, { type: "text" })
        cite(text.key, text.citations++, delta.citation)
        return undefined
      }
      case "input_json_delta": {
        const json = Blocks.inputOf({ input: delta.partial_json })
        if (json === "") return undefined
        if (block?.open !== true || block.type !== "tool_use") {
          return MalformedResponse.make({ message: "the input of a call came without its call" })
        }
        block.begun = ""
        draft.tool(block.key, { json })
        return undefined
      }
      default:
        if (message !== undefined) keepPiece(block?.key ?? `of ${index}`, delta)
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
        if (started.id !== message.id) return mixed()
        // Some proxies repeat it, and nothing else.
        restarted ||= begun > 0
        return undefined
      }
      case "content_block_start":
        if (restarted && blocks.has(event.index)) return mixed()
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
        late = { ...late, ...lateFields(event) }
        usage = counted(usage, event.usage)
        return undefined
      case "message_stop":
        stopped = true
    }
    return undefined
  }

  const finish = (): LlmResponse.LlmResponse | Reason => {
    for (const block of blocks.values()) {
      if (block.open && block.kept !== undefined) close(block)
      else settle(block)
    }
    for (const key of pieces.keys()) draft.endOpaque(key)
    const named = finishReasonOf(stop.stop_reason)
    draft.endTools({ truncated: truncating.has(named) })
    const parts = draft.parts()
    const finishReason = Ending.finishReason(named, parts)
    return draft.problem() ?? Ending.unreadable({ finishReason, parts, unread: nothing }) ?? LlmResponse.make({
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
        providerMetadata: metadataOf({ ...message, ...late, ...stop }, usage)
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

/** The fields of the last event that belong to the message. */
const lateFields = ({ delta: _, index: __, type: ___, usage: ____, ...fields }: Json.JsonObject): Json.JsonObject =>
  fields

/**
 * The events of a block that came whole. The service closes the JSON of a call that it cut, so that it looks like a whole
 * call: the JSON is opened again.
 */
const eventsOf = (block: Json.JsonObject, index: number, cut: boolean): ReadonlyArray<Json.JsonObject> => {
  const start = { type: "content_block_start", index, content_block: block }
  if (!cut) return [start, { type: "content_block_stop", index }]
  const partial_json = Blocks.inputOf(block).slice(0, -1)
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
      { type: "message_delta", delta: { stop_reason: body.stop_reason } },
      { type: "message_stop" }
    ]
  ) decoder.push(event, undefined)
  return decoder.finish() ?? MalformedResponse.make({ message: "the answer has no end" })
}
