import { MalformedResponse, type Reason, UnsupportedFeature } from "../../domain/LlmError.js"
import * as LlmResponse from "../../domain/LlmResponse.js"
import type * as Message from "../../domain/Message.js"
import * as Reasoning from "../../domain/reasoning.js"
import * as AnswerDraft from "../../wire/answerDraft.js"
import { isErrorValue } from "../../wire/errorBody.js"
import * as Json from "../../wire/json.js"
import { sourceOf } from "../annotations.js"
import { type Decoder, type Facts, Failed } from "../codec.js"
import * as Ending from "../ending.js"
import * as Logprobs from "../logprobs.js"
import * as Repetition from "../repetition.js"
import * as Background from "./background.js"
import * as Items from "./items.js"
import { decodeUsage, finishReason, metadataOf } from "./outcome.js"
import { nativeOf, summaryOf } from "./request.js"

/** The texts of some parts, from this field of each. */
const texts = (parts: unknown, field: string): ReadonlyArray<string> =>
  Json.array(parts).flatMap((part) => Json.nonEmpty(Json.object(part)[field]) ?? [])

/** Reads a streamed answer. */
export const makeDecoder = (provider: string, facts: Facts): Decoder => {
  const draft = AnswerDraft.make()
  let response: Json.JsonObject = {}
  let complete: boolean | undefined
  /** The number of the last event, and that of the last one before a break. */
  let sequence: number | undefined
  let taken = -1
  const items = Items.make()
  const unread = new Set<string>()
  /** Whether a whole text contradicted its pieces, and the problem with arguments that did. */
  let hasOtherText = false
  let otherArguments: Reason | undefined
  /** Calls as they began. */
  const begun = new Map<string, Json.JsonObject>()
  const paragraphs = new Map<string, string>()
  const pieces = new Map<string, string>()
  /** By item: a map keeps the order of its first insertions, which is that of the items. */
  const logprobs = new Map<string, Array<LlmResponse.Logprob>>()

  const keyOf = (kind: Items.Kind, event: Json.JsonObject): string => items.ofPiece(kind, event).key

  /** More of a piece of the answer. */
  const more = (piece: string, delta: unknown): string => {
    const text = Json.string(delta) ?? ""
    pieces.set(piece, (pieces.get(piece) ?? "") + text)
    return text
  }

  /**
   * The missing rest of a piece that arrives whole. It does so up to three times, after its deltas or in their place.
   * Deltas stay even if the whole differs: they cannot be taken back.
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

  /** A part of a message that is neither text nor a refusal. */
  const contentPart = (key: string, place: number, part: Json.JsonObject): void => {
    const type = Json.name(part.type)
    if (type === undefined) return
    const kind = `message.${type}`
    draft.opaque(`${key} ${place}`, { provider, kind, json: part })
    draft.endOpaque(`${key} ${place}`)
  }

  const annotation = (key: string, place: string, value: unknown): void => {
    if (Json.isObject(value) && Object.keys(value).length > 0) draft.source(key, sourceOf(provider, value), place)
  }

  /** The text of a part that is whole: some services send no deltas of it. */
  const wholePart = (key: string, part: Json.JsonObject): void => {
    const [text, refusal] = [Json.nonEmpty(part.text), Json.nonEmpty(part.refusal)]
    if (text !== undefined) draft.text(key, rest(`text ${key}`, text))
    if (refusal !== undefined) draft.refusal(key, rest(`refusal ${key}`, refusal))
  }

  const message = (key: string, item: Json.JsonObject): void => {
    // Some services give the text itself.
    const parts = typeof item.content === "string" ? [{ type: "output_text", text: item.content }] : item.content
    const content = Json.array(parts).map(Json.object)
    const whole = texts(parts, "text").join("")
    hasOtherText ||= Repetition.isOtherText(pieces.get(`text ${key}`) ?? "", whole)
    const text = rest(`text ${key}`, whole)
    const native = nativeOf(provider, item, ["content", "phase"])
    draft.text(key, text, Json.defined({ phase: Json.nonEmpty(item.phase), native }))
    draft.refusal(key, rest(`refusal ${key}`, texts(parts, "refusal").join("")))
    content.forEach((part, place) => {
      Json.array(part.annotations).forEach((value, index) => annotation(key, `${place} ${index}`, value))
      if (typeof part.text !== "string" && typeof part.refusal !== "string") contentPart(key, place, part)
    })
    const read = content.flatMap((part) => Logprobs.read(part.logprobs))
    if (read.length > 0) logprobs.set(key, read)
  }

  const reasoning = (key: string, item: Json.JsonObject): void => {
    const whole = [...texts(item.content, "text"), ...texts(item.summary, "text")].join("\n\n")
    const text = rest(`reasoning ${key}`, whole)
    const tag = Reasoning.tagged(facts.reader, { encrypted: Json.nonEmpty(item.encrypted_content) })
    const fields = Json.defined({ id: Json.nonEmpty(item.id), native: nativeReasoning(item, whole) })
    draft.reasoning(key, text === "" ? undefined : text, { ...tag, ...fields })
  }

  /** Reasoning goes back with its summary and its content apart, which are one text here. */
  const nativeReasoning = (item: Json.JsonObject, text: string): Message.Native | undefined => {
    const { content, encrypted_content: encrypted, summary } = Json.present(item)
    if (typeof encrypted !== "string" || encrypted === "") return undefined
    // As it is rebuilt from the text.
    const isPlain = Json.array(content).length === 0 && JSON.stringify(summary) === JSON.stringify(summaryOf(text))
    const known = isPlain ? ["encrypted_content", "summary", "content"] : ["encrypted_content"]
    return nativeOf(provider, item, known)
  }

  const functionCall = (key: string, item: Json.JsonObject, native?: Message.Native): void => {
    const { arguments: args, call_id, name } = item
    const whole = Json.isObject(args) ? JSON.stringify(args) : Json.string(args) ?? ""
    otherArguments ??= Repetition.otherArguments(Json.string(name) ?? "", pieces.get(`arguments ${key}`) ?? "", whole)
    const json = rest(`arguments ${key}`, whole)
    draft.tool(key, { id: Json.string(call_id), name: Json.string(name), json, native })
  }

  /**
   * Reads an item as far as it has arrived. One that is not modelled is kept as it is, and partial as long as it may
   * grow.
   */
  const read = ({ key, kind }: Items.Item, item: Json.JsonObject, isWhole: boolean): void => {
    switch (kind) {
      case "message":
        return message(key, item)
      case "reasoning":
        return reasoning(key, item)
      case "function_call":
        return functionCall(key, item, nativeOf(provider, item, ["arguments", "call_id", "name"]))
      default:
        draft.opaque(key, { provider, kind, json: item, ...(!isWhole && { partial: true }) })
        if (isWhole) draft.endOpaque(key)
    }
  }

  /** An item without a type cannot be read, nor sent back. */
  const kindOf = ({ type }: Json.JsonObject): Items.Kind | undefined => {
    const kind = Json.name(type)
    if (kind === undefined) unread.add(`an item of type ${typeof type}`)
    return kind
  }

  const added = (event: Json.JsonObject): void => {
    const item = Json.object(event.item)
    const kind = kindOf(item)
    if (kind === undefined) return
    const found = items.added(kind, event)
    // Neither the encrypted content nor the arguments are whole when an item begins.
    const begins = kind === "reasoning" || kind === "function_call"
    read(found, begins ? { ...item, encrypted_content: undefined, arguments: undefined } : item, false)
    if (kind === "function_call") begun.set(found.key, item)
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
    end(items.done(kind, event), item)
  }

  /** Reads an item at its end, which may be where the limit cut it. */
  const end = (found: Items.Item, item: Json.JsonObject): void => {
    read(found, item, true)
    settle(found.key)
    if (item.status !== "incomplete") draft.endTool(found.key)
  }

  /** Reads the list of all items. If a service leaves it empty, the streamed items are the answer. */
  const output = (values: ReadonlyArray<unknown>): void => {
    const list = values.map(Json.object).flatMap((item) => {
      const kind = kindOf(item)
      return kind === undefined ? [] : [{ kind, item }]
    })
    items.listed(list).forEach((found, index) => end(found, list[index]?.item ?? {}))
  }

  /** The response in an event. Some services send it alone, without the event around it. */
  const responseIn = (event: Json.JsonObject): Json.JsonObject | undefined => {
    if (Json.isObject(event.response)) return event.response
    return event.object === "response" ? event : undefined
  }

  const take: Decoder["push"] = (event, name) => {
    const place = Json.count(event.sequence_number)
    if (place !== undefined && place <= taken) return undefined
    sequence = place ?? sequence
    const carried = responseIn(event)
    // A response that comes alone has a status in the place of a type.
    const alone = carried === event && typeof event.status === "string" ? `response.${event.status}` : undefined
    const named = Json.string(event.type) ?? name
    const type = named?.startsWith("response.") === true ? named : alone ?? named
    const failed = type === "error" || name === "error" || event.object === "error" || isErrorValue(event.error)
    if (failed) return Failed
    if (carried !== undefined) response = { ...response, ...Json.present(carried) }
    switch (type) {
      case "response.output_text.delta": {
        const key = keyOf("message", event)
        draft.text(key, more(`text ${key}`, event.delta))
        for (const read of Logprobs.read(event.logprobs)) {
          const known = logprobs.get(key)
          if (known === undefined) logprobs.set(key, [read])
          else known.push(read)
        }
        return undefined
      }
      case "response.output_text.annotation.added":
        annotation(
          keyOf("message", event),
          `${event.content_index ?? 0} ${event.annotation_index ?? 0}`,
          event.annotation
        )
        return undefined
      case "response.refusal.delta": {
        const key = keyOf("message", event)
        draft.refusal(key, more(`refusal ${key}`, event.delta))
        return undefined
      }
      case "response.output_text.done":
      case "response.refusal.done":
        wholePart(keyOf("message", event), event)
        return undefined
      case "response.content_part.done":
        wholePart(keyOf("message", event), Json.object(event.part))
        return undefined
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
        return undefined
    }
    // The whole items say it all, if they come: an answer without any has lost what came in pieces.
    if (type?.endsWith(".delta") === true) unread.add(type)
    return undefined
  }

  const push: Decoder["push"] = (event, name) => take(event, name) ?? otherArguments

  /** A model that says nothing says so in a message: an answer without any item has lost them. */
  const unreadable = (parts: ReadonlyArray<Message.ResponsePart>): Reason | undefined =>
    Ending.unreadable({ finishReason: items.any() ? "stop" : "other", parts, unread })

  return {
    draft,
    push,
    sentinel: () => {},
    done: () => complete !== undefined,
    continuation: (silent) => {
      const id = complete === undefined ? Background.working(response) : undefined
      if (id === undefined || sequence === undefined) return undefined
      // A stream that brings nothing may have ended without a last event, as after a cancelled answer.
      return { path: silent % 2 === 1 ? Background.path(id) : Background.rest(id, sequence) }
    },
    resumed: () => {
      taken = sequence ?? taken
    },
    working: () => complete === undefined ? Background.working(response) : undefined,
    usage: () => Json.isObject(response.usage) ? decodeUsage(response) : undefined,
    finish: () => {
      if (complete === undefined) return undefined
      draft.endTools({ truncated: !complete })
      const parts = draft.parts()
      return draft.problem() ?? (complete ? unreadable(parts) : undefined) ?? LlmResponse.make({
        parts,
        finishReason: finishReason(response, complete, parts),
        usage: decodeUsage(response),
        model: Json.name(response.model) ?? facts.request.model,
        provider,
        warnings: hasOtherText ? [...facts.warnings, Repetition.otherText] : facts.warnings,
        ...Json.defined({
          id: Json.name(response.id),
          requestId: facts.requestId,
          rateLimit: facts.rateLimit,
          providerMetadata: metadataOf(response),
          logprobs: logprobs.size === 0 ? undefined : [...logprobs.values()].flat()
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
