import { MalformedResponse, type Reason, UnsupportedFeature } from "../../domain/LlmError.js"
import * as LlmResponse from "../../domain/LlmResponse.js"
import type * as Message from "../../domain/Message.js"
import * as Reasoning from "../../domain/reasoning.js"
import * as AnswerDraft from "../../wire/answerDraft.js"
import * as Json from "../../wire/json.js"
import { type Decoder, type Facts, Failed } from "../codec.js"
import * as Ending from "../ending.js"
import * as Items from "./items.js"

const decodeUsage = (value: unknown): LlmResponse.Usage => {
  const usage = Json.object(value)
  const input = Json.object(usage.input_tokens_details)
  const output = Json.object(usage.output_tokens_details)
  return Json.defined({
    inputTokens: Json.count(usage.input_tokens),
    cachedInputTokens: Json.count(input.cached_tokens),
    cacheWriteTokens: Json.count(input.cache_write_tokens),
    outputTokens: Json.count(usage.output_tokens),
    reasoningTokens: Json.count(output.reasoning_tokens)
  })
}

const incompleteReasons: ReadonlyMap<unknown, LlmResponse.FinishReason> = new Map<unknown, LlmResponse.FinishReason>([
  ["max_output_tokens", "length"],
  ["max_tokens", "length"],
  ["content_filter", "content_filter"]
])

/** A complete answer has no finish reason in this protocol: its parts decide. */
const finishReason = (
  response: Json.JsonObject,
  complete: boolean,
  parts: ReadonlyArray<Message.ResponsePart>
): LlmResponse.FinishReason => {
  if (!complete) return incompleteReasons.get(Json.object(response.incomplete_details).reason) ?? "other"
  if (parts.some((part) => part._tag === "ToolCall")) return "tool_calls"
  return parts.some((part) => part._tag === "Refusal") ? "refusal" : "stop"
}

/** The texts of some parts, which stand in this field of each. */
const texts = (parts: unknown, field: string): ReadonlyArray<string> =>
  Json.array(parts).flatMap((part) => Json.nonEmpty(Json.object(part)[field]) ?? [])

/** Reads an answer as it is streamed. */
export const makeDecoder = (provider: string, facts: Facts): Decoder => {
  const draft = AnswerDraft.make()
  let response: Json.JsonObject = {}
  let complete: boolean | undefined
  const items = Items.make()
  const unread = new Set<string>()
  /** Calls as they began. */
  const begun = new Map<string, Json.JsonObject>()
  const paragraphs = new Map<string, string>()
  const pieces = new Map<string, string>()

  const keyOf = (kind: Items.Kind, event: Json.JsonObject): string => items.ofPiece(kind, event).key

  /** More of a piece of the answer. */
  const more = (piece: string, delta: unknown): string => {
    const text = Json.string(delta) ?? ""
    pieces.set(piece, (pieces.get(piece) ?? "") + text)
    return text
  }

  /**
   * The part that is missing of a piece that arrives whole, which it does up to three times, after its deltas or in their
   * place. Deltas stand even if the whole differs: they cannot be taken back.
   */
  const rest = (piece: string, whole: string): string => {
    const before = pieces.get(piece) ?? ""
    return more(piece, whole.startsWith(before) ? whole.slice(before.length) : "")
  }

  const reasoningDelta = (event: Json.JsonObject, paragraph: string): void => {
    const key = keyOf("reasoning", event)
    const delta = Json.string(event.delta) ?? ""
    if (delta === "") return
    const gap = (paragraphs.get(key) ?? paragraph) === paragraph ? "" : "\n\n"
    paragraphs.set(key, paragraph)
    draft.reasoning(key, more(`reasoning ${key}`, gap + delta), { provider })
  }

  const message = (key: string, item: Json.JsonObject): void => {
    for (const { refusal, text, type } of Json.array(item.content).map(Json.object)) {
      if (text === undefined && refusal === undefined && type !== undefined) unread.add(String(type))
    }
    const text = rest(`text ${key}`, texts(item.content, "text").join(""))
    draft.text(key, text, Json.defined({ phase: Json.nonEmpty(item.phase) }))
    draft.refusal(key, rest(`refusal ${key}`, texts(item.content, "refusal").join("")))
  }

  const reasoning = (key: string, item: Json.JsonObject): void => {
    const whole = [...texts(item.content, "text"), ...texts(item.summary, "text")].join("\n\n")
    const text = rest(`reasoning ${key}`, whole)
    const id = Json.nonEmpty(item.id)
    const tag = Reasoning.tagged(facts.reader, { encrypted: Json.nonEmpty(item.encrypted_content) })
    draft.reasoning(key, text === "" ? undefined : text, { ...tag, ...Json.defined({ id }) })
  }

  const functionCall = (key: string, { arguments: args, call_id, name }: Json.JsonObject): void => {
    const json = rest(`arguments ${key}`, Json.isObject(args) ? JSON.stringify(args) : Json.string(args) ?? "")
    draft.tool(key, { id: Json.string(call_id), name: Json.string(name), json })
  }

  const readers = { message, reasoning, function_call: functionCall }

  /** Items of the service's own tools are no part of the answer. */
  const kindOf = ({ type }: Json.JsonObject): Items.Kind | undefined => {
    if (type === "message" || type === "reasoning" || type === "function_call") return type
    if (type !== undefined) unread.add(String(type))
    return undefined
  }

  const added = (event: Json.JsonObject): void => {
    const item = Json.object(event.item)
    const kind = kindOf(item)
    if (kind === undefined) return
    // Neither the encrypted content nor the arguments are whole when an item begins.
    const { key } = items.added(kind, event)
    readers[kind](key, { ...item, encrypted_content: undefined, arguments: undefined })
    if (kind === "function_call") begun.set(key, item)
  }

  /** Some services send the arguments of a call only when it begins. */
  const settle = (key: string): void => {
    const item = begun.get(key)
    if (item !== undefined && (pieces.get(`arguments ${key}`) ?? "") === "") functionCall(key, item)
    begun.delete(key)
  }

  const done = (event: Json.JsonObject): void => {
    const item = Json.object(event.item)
    const kind = kindOf(item)
    if (kind === undefined) return
    const { key } = items.done(kind, event)
    readers[kind](key, item)
    settle(key)
    if (item.status !== "incomplete") draft.endTool(key)
  }

  /** Reads the list of all items. If a service leaves it empty, the streamed items are the answer. */
  const output = (values: ReadonlyArray<unknown>): void => {
    const list = values.map(Json.object).flatMap((item) => {
      const kind = kindOf(item)
      return kind === undefined ? [] : [{ kind, item }]
    })
    items.listed(list).forEach(({ key, kind }, index) => readers[kind](key, list[index]?.item ?? {}))
  }

  /** The response in an event. Some services send it alone, without the event around it. */
  const responseIn = (event: Json.JsonObject): Json.JsonObject | undefined => {
    if (Json.isObject(event.response)) return event.response
    return event.object === "response" ? event : undefined
  }

  const push: Decoder["push"] = (event, name) => {
    const carried = responseIn(event)
    // A response that comes alone has a status in the place of a type.
    const alone = carried === event && typeof event.status === "string" ? `response.${event.status}` : undefined
    const named = Json.string(event.type) ?? name
    const type = named?.startsWith("response.") === true ? named : alone ?? named
    const failed = type === "error" || name === "error" || event.object === "error" || (event.error ?? null) !== null
    if (failed) return Failed
    if (carried !== undefined) response = { ...response, ...Json.present(carried) }
    switch (type) {
      case "response.output_text.delta": {
        const key = keyOf("message", event)
        draft.text(key, more(`text ${key}`, event.delta))
        return undefined
      }
      case "response.refusal.delta": {
        const key = keyOf("message", event)
        draft.refusal(key, more(`refusal ${key}`, event.delta))
        return undefined
      }
      case "response.reasoning_text.delta":
        reasoningDelta(event, `text ${event.content_index}`)
        return undefined
      case "response.reasoning_summary_text.delta":
        reasoningDelta(event, `summary ${event.summary_index}`)
        return undefined
      case "response.function_call_arguments.delta": {
        const key = keyOf("function_call", event)
        draft.tool(key, { json: more(`arguments ${key}`, event.delta) })
        return undefined
      }
      case "response.function_call_arguments.done":
        functionCall(keyOf("function_call", event), event)
        return undefined
      case "response.output_item.added":
        added(event)
        return undefined
      case "response.output_item.done":
        done(event)
        return undefined
      case "response.failed":
      case "response.cancelled":
        return Failed
      case "response.completed":
      case "response.done":
      case "response.incomplete":
        // Some services end every answer with the same event.
        if (response.status === "failed" || response.status === "cancelled") return Failed
        complete = type !== "response.incomplete" && response.status !== "incomplete"
        output(Json.array(response.output))
        for (const key of [...begun.keys()]) settle(key)
    }
    return undefined
  }

  /** A model that says nothing says so in a message: an answer without any item has lost them. */
  const unreadable = (parts: ReadonlyArray<Message.ResponsePart>): Reason | undefined =>
    Ending.unreadable({ finishReason: items.any() ? "stop" : "other", parts, unread })

  return {
    draft,
    push,
    sentinel: () => {},
    done: () => complete !== undefined,
    usage: () => Json.isObject(response.usage) ? decodeUsage(response.usage) : undefined,
    finish: () => {
      if (complete === undefined) return undefined
      draft.endTools({ truncated: !complete })
      const parts = draft.parts()
      const tier = Json.nonEmpty(response.service_tier)
      return draft.problem() ?? (complete ? unreadable(parts) : undefined) ?? LlmResponse.make({
        parts,
        finishReason: finishReason(response, complete, parts),
        usage: decodeUsage(response.usage),
        model: Json.name(response.model) ?? facts.request.model,
        provider,
        warnings: facts.warnings,
        ...Json.defined({
          id: Json.name(response.id),
          requestId: facts.requestId,
          rateLimit: facts.rateLimit,
          providerMetadata: tier === undefined ? undefined : { service_tier: tier }
        })
      })
    }
  }
}

/** Reads an answer as the last event of a stream, so that both give the same. */
export const decode = (
  body: Json.JsonObject,
  provider: string,
  facts: Facts
): LlmResponse.LlmResponse | Reason | typeof Failed => {
  const { output, status = "completed" } = Json.present(body)
  if (!Array.isArray(output) && body.status === undefined) {
    return MalformedResponse.make({ message: "the answer has no output" })
  }
  const decoder = makeDecoder(provider, facts)
  const problem = decoder.push({ type: `response.${status}`, response: body }, undefined)
  return problem ?? decoder.finish() ??
    UnsupportedFeature.make({ feature: "background", message: `the answer is not ready: ${Json.name(status)}` })
}
