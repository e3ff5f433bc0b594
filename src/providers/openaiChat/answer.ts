import { MalformedResponse, type Reason } from "../../domain/LlmError.js"
import * as LlmResponse from "../../domain/LlmResponse.js"
import type * as Message from "../../domain/Message.js"
import * as Reasoning from "../../domain/reasoning.js"
import * as AnswerDraft from "../../wire/answerDraft.js"
import { isErrorValue } from "../../wire/errorBody.js"
import * as Json from "../../wire/json.js"
import { sourceOf } from "../annotations.js"
import { type Decoder, type Facts, Failed } from "../codec.js"
import { servedTier } from "../counts.js"
import * as Logprobs from "../logprobs.js"
import * as Repetition from "../repetition.js"
import * as ToolCallIds from "../toolCallIds.js"
import * as Extras from "./extras.js"
import { endOf, finishReason, isCut } from "./finish.js"
import type { Service } from "./request.js"
import * as ToolCallPieces from "./toolCallPieces.js"
import * as Usage from "./usage.js"

/** The kind of a call that is not of a function, as OpenAI's of custom tools are: its field has the name of the kind. */
const otherKind = (call: Json.JsonObject): string | undefined =>
  isPresent(call.function)
    ? undefined
    : Json.name(Object.keys(call).find((field) => field !== "extra_content" && Json.isObject(call[field])))

/** The largest plausible index of a tool call. */
const maxToolIndex = 127

/** A message has one field for each kind of part, so the order of streaming has no meaning. */
const order: ReadonlyArray<Message.ResponsePart["_tag"]> = [
  "Reasoning",
  "Text",
  "Source",
  "Refusal",
  "ToolCall",
  "Opaque"
]

const inOrder = (parts: ReadonlyArray<Message.ResponsePart>): ReadonlyArray<Message.ResponsePart> =>
  order.flatMap((tag) => parts.filter((part) => part._tag === tag))

/** A place in a list; some services write it as text. */
const placeOf = (index: unknown): unknown =>
  typeof index === "string" && /^\d{1,3}$/.test(index) ? Number(index) : index

const isFirst = ({ index }: Json.JsonObject): boolean => {
  const place = placeOf(index)
  return typeof place !== "number" || place === 0
}

/**
 * The first choice is the answer. A request may have asked for several, and some services divide one answer into choices,
 * which have no index or the same one.
 */
const firstChoice = (chunk: Json.JsonObject): Json.JsonObject | undefined => {
  for (const choice of Json.array(chunk.choices)) {
    if (Json.isObject(choice) && isFirst(choice)) return choice
  }
  return undefined
}

const isPresent = (value: unknown): boolean => value !== undefined && value !== null

const isText = (value: unknown): boolean => typeof value === "string" && value.trim() !== ""

/** Words in place of an answer. */
const hasWords = ({ choices, detail, error_msg, message, msg }: Json.JsonObject): boolean =>
  !Array.isArray(choices) && [message, detail, msg, error_msg].some(isText)

/** Words in place of an answer that certainly report an error; others may say "please wait". */
const isComplaint = (body: Json.JsonObject): boolean =>
  hasWords(body) &&
  (isPresent(body.code) || body.success === false || Number(body.status) >= 400 ||
    /error|fail/i.test(`${body.type} ${body.status}`))

const isFailure = (
  chunk: Json.JsonObject,
  choice: Json.JsonObject | undefined,
  event: string | undefined
): boolean =>
  event === "error" || chunk.object === "error" || chunk.type === "error" || isErrorValue(chunk.error) ||
  (chunk.x_groq !== undefined && isErrorValue(Json.object(chunk.x_groq).error)) || isErrorValue(choice?.error) ||
  isComplaint(chunk)

/**
 * Joins the pieces of OpenRouter's reasoning in the form in which it goes back: the pieces of a block are one, up to
 * its signature.
 */
const joinReasoning = (pieces: ReadonlyArray<Json.JsonObject>): ReadonlyArray<Json.JsonObject> => {
  const details: Array<Json.JsonObject> = []
  for (const piece of pieces) {
    const field = piece.type === "reasoning.text" ? "text" : piece.type === "reasoning.summary" ? "summary" : ""
    const last = details.at(-1)
    const goesOn = last !== undefined && field !== "" && last.signature === undefined &&
      last.type === piece.type && last.index === piece.index
    if (goesOn) {
      details[details.length - 1] = { ...last, ...piece, [field]: `${last[field] ?? ""}${piece[field] ?? ""}` }
    } else details.push(piece)
  }
  return details
}

/**
 * The rest of a whole text after its known beginning; nothing if the text differs, as the parts given out cannot be
 * taken back.
 */
const restOf = (whole: string, known: string): string => whole.startsWith(known) ? whole.slice(known.length) : ""

const joined = (parts: ReadonlyArray<Message.ResponsePart>, tag: "Text" | "Reasoning" | "Refusal"): string =>
  parts.map((part) => part._tag === tag ? part.text ?? "" : "").join("")

/** The text of a message, its parts joined. */
const textIn = (content: unknown): string =>
  typeof content === "string"
    ? content
    : Json.array(content).map((part) => Json.string(part) ?? Json.string(Json.object(part).text) ?? "").join("")

/** Reads a streamed answer, or a `whole` one as a single chunk, which may lack a finish reason. */
export const makeDecoder = (service: Service, facts: Facts, whole = false): Decoder => {
  const draft = AnswerDraft.make(ToolCallIds.make(facts.request))
  const { name: provider } = service
  const calls = ToolCallPieces.make((key, piece) => draft.tool(key, piece))
  const reasoningPieces: Array<Json.JsonObject> = []
  const fields = Extras.makeFields(provider)
  const logprobs: Array<LlmResponse.Logprob> = []
  const metadata = new Map<string, unknown>()
  let end: LlmResponse.FinishReason | undefined
  /** The reliability of a finish reason: none, if content has come after one. */
  let proof: "certain" | "likely" | "none" | undefined
  let usage: LlmResponse.Usage | undefined
  let model = ""
  let id = ""
  let hasDeltas = false
  /** Whether a whole text contradicted its pieces. */
  let hasOtherText = false
  /** The number of pieces of content so far. */
  let contents = 0

  const text = (value: string): void => {
    if (value === "") return
    contents++
    draft.text("", value)
  }

  const thought = (value: string | undefined): void => {
    if (value === undefined || value === "") return
    contents++
    draft.reasoning("", value, { provider })
  }

  const refusal = (value: string): void => {
    if (value === "") return
    contents++
    draft.refusal("", value)
  }

  const annotations = (values: unknown): void => {
    for (const value of Json.array(values)) {
      if (Json.isObject(value) && !Extras.saysNothing(value)) draft.source("", sourceOf(provider, value))
    }
  }

  const contentPart = (value: unknown): void => {
    if (typeof value === "string") return text(value)
    const part = Json.object(value)
    if (part.type === "thinking") {
      // Mistral sends a list of texts, gateways the text.
      if (typeof part.thinking === "string") return thought(part.thinking)
      for (const inner of Json.array(part.thinking)) thought(Json.string(Json.object(inner).text))
    } else if (typeof part.refusal === "string") refusal(part.refusal)
    else if (typeof part.text === "string") text(part.text)
    else if (!Extras.saysNothing(value)) fields.add(`content.${Json.name(part.type) ?? "part"}`, value)
  }

  const content = (value: unknown): void => {
    // Mistral sends a list of parts.
    if (Array.isArray(value)) value.forEach(contentPart)
    else if (isPresent(value)) contentPart(value)
  }

  const pieceOf = (value: unknown): ToolCallPieces.Piece | Reason => {
    const { extra_content: extra, function: called, id, index } = Json.object(value)
    const { arguments: args, name } = Json.object(called)
    const place = placeOf(index)
    const isIndex = typeof place === "number" && Number.isInteger(place) && place >= 0 && place <= maxToolIndex
    if (isPresent(index) && index !== "" && !isIndex) {
      return MalformedResponse.make({ message: "a tool call has an implausible index" })
    }
    return {
      index: isIndex ? place : undefined,
      id: Json.string(id) ?? "",
      name: Json.string(name) ?? "",
      // Some services send the object itself.
      json: Json.string(args) ?? (Json.isObject(args) ? JSON.stringify(args) : ""),
      signature: Json.nonEmpty(Json.object(Json.object(extra).google).thought_signature)
    }
  }

  const piecesOf = (message: Json.JsonObject): ReadonlyArray<ToolCallPieces.Piece> | Reason => {
    const values = Json.array(message.tool_calls)
    // The protocol's old form of a single call.
    const old = Json.isObject(message.function_call) ? [{ function: message.function_call }] : []
    if (values.length === 0 && old.length === 0) return []
    const pieces: Array<ToolCallPieces.Piece> = []
    for (const [place, value] of (values.length === 0 ? old : values).entries()) {
      const kind = otherKind(Json.object(value))
      if (kind !== undefined) {
        fields.add(`${kind} call ${Json.object(value).index ?? place}`, value)
        continue
      }
      const piece = pieceOf(value)
      if ("_tag" in piece) return piece
      pieces.push(piece)
    }
    return pieces
  }

  /** Reads a delta of a stream, or a whole message. */
  const message = (delta: Json.JsonObject): Reason | undefined => {
    thought(Json.nonEmpty(delta.reasoning_content) ?? Json.nonEmpty(delta.reasoning))
    for (const piece of Json.array(delta.reasoning_details)) reasoningPieces.push(Json.present(Json.object(piece)))
    content(delta.content)
    refusal(Json.string(delta.refusal) ?? "")
    const pieces = piecesOf(delta)
    if ("_tag" in pieces) return pieces
    if (pieces.length > 0) {
      contents++
      calls.push(pieces)
    }
    fields.message(delta)
    annotations(delta.annotations)
    return undefined
  }

  /** Reads a message that repeats the streamed content: only the rest of it counts. */
  const repetition = (whole: Json.JsonObject): Reason | undefined => {
    const known = draft.parts()
    const reasoning = Json.nonEmpty(whole.reasoning_content) ?? Json.nonEmpty(whole.reasoning) ?? ""
    thought(restOf(reasoning, joined(known, "Reasoning")))
    const before = joined(known, "Text")
    hasOtherText ||= Repetition.isOtherText(before, textIn(whole.content))
    if (before === "") content(whole.content)
    else text(restOf(textIn(whole.content), before))
    refusal(restOf(Json.string(whole.refusal) ?? "", joined(known, "Refusal")))
    const pieces = piecesOf(whole)
    if ("_tag" in pieces) return pieces
    const problem = pieces.length === 0 ? undefined : calls.repeat(pieces)
    if (pieces.length > 0) contents++
    fields.repetition(whole)
    annotations(whole.annotations)
    return problem
  }

  /** Whether a message in a chunk repeats the answer: behind deltas, or at the end of messages that came in pieces. */
  const isRepetition = (whole: Json.JsonObject, isLast: boolean): boolean => {
    if (contents === 0) return false
    if (hasDeltas) return true
    const known = joined(draft.parts(), "Text")
    return isLast && known !== "" && textIn(whole.content).startsWith(known)
  }

  const push: Decoder["push"] = (chunk, event) => {
    const choice = firstChoice(chunk)
    if (isFailure(chunk, choice, event)) return Failed
    model ||= Json.name(chunk.model) ?? ""
    id ||= Json.string(chunk.id) ?? ""
    Extras.addMetadata(metadata, chunk)
    for (const source of Extras.sourcesOf(provider, chunk)) draft.source(undefined, source)
    Json.array(chunk.choices).forEach((other, place) => {
      // They are billed, too.
      if (other === choice || !Json.isObject(other)) return
      fields.add(`choice ${isFirst(other) ? place : placeOf(other.index)}`, other)
    })
    // Groq sends it in `x_groq`, Moonshot in the choice.
    const counted = [chunk.usage, Json.object(chunk.x_groq).usage, choice?.usage].find(Json.isObject)
    if (counted !== undefined) usage = Usage.larger(usage, Usage.decodeUsage(counted))
    if (choice === undefined) return undefined

    const before = end
    const said = endOf(choice, end, whole)
    if (typeof said === "object") return said
    end = said
    const known = contents
    const { delta, message: complete } = choice
    if (Json.isObject(choice.logprobs)) {
      for (const read of Logprobs.ofChoice(choice.logprobs)) logprobs.push(read)
    }
    let problem: Reason | undefined
    if (Json.isObject(delta)) {
      problem = message(delta)
      hasDeltas = true
    } else if (!Json.isObject(complete)) {
      // The form of completions that are not a chat, which some services keep.
      text(Json.string(choice.text) ?? "")
    }
    if (Json.isObject(complete)) {
      problem ??= isRepetition(complete, end !== undefined) ? repetition(complete) : message(complete)
    }
    const isContent = contents > known
    if (before !== undefined && isContent) proof = "none"
    else if (before === undefined && end !== undefined) proof = isContent ? "likely" : "certain"
    return problem
  }

  const finish = (): LlmResponse.LlmResponse | Reason | undefined => {
    const known = end ?? (whole ? "other" : undefined)
    if (known === undefined) return undefined
    calls.settle()
    if (reasoningPieces.length > 0) {
      draft.reasoning(
        "",
        undefined,
        Reasoning.tagged(facts.reader, { encrypted: JSON.stringify(joinReasoning(reasoningPieces)) })
      )
    }
    draft.endTools({ truncated: isCut(known) })
    for (const block of fields.blocks()) {
      draft.opaque(block.kind, block)
      draft.endOpaque(block.kind)
    }
    const parts = inOrder(draft.parts())
    const problem = draft.problem()
    if (problem !== undefined) return problem
    const reason = finishReason(known, parts)
    if (typeof reason === "object") return reason
    return LlmResponse.make({
      parts,
      finishReason: reason,
      usage: { ...usage, ...Json.defined({ serviceTier: servedTier(metadata.get("service_tier")) }) },
      model: model === "" ? facts.request.model : model,
      provider,
      warnings: hasOtherText ? [...facts.warnings, Repetition.otherText] : facts.warnings,
      ...Json.defined({
        id: Json.name(id),
        requestId: facts.requestId,
        rateLimit: facts.rateLimit,
        providerMetadata: metadata.size === 0 ? undefined : Object.fromEntries(metadata),
        logprobs: logprobs.length === 0 ? undefined : logprobs
      })
    })
  }

  /**
   * `[DONE]` after whole calls is an end, even without a finish reason: arguments that are a JSON object are not cut.
   */
  const hasWholeCalls = (): boolean => {
    calls.settle()
    const called = draft.parts().filter((part) => part._tag === "ToolCall")
    return called.length > 0 &&
      called.every((call) => call.name !== "" && Json.isObject(Json.parse(String(call.arguments))))
  }

  return {
    draft,
    push,
    sentinel: () => {
      if (end !== undefined) return
      if (hasWholeCalls()) end = "tool_calls"
      else if (service.capabilities.doneIsTerminal && draft.parts().length > 0) end = "stop"
    },
    // The end is `[DONE]` or the end of the stream: some services put a finish reason and usage into each chunk.
    done: () => false,
    ending: () => proof === "none" ? undefined : proof,
    usage: () => usage,
    finish
  }
}

/** Reads a whole answer as a stream of one chunk. Services may add and leave out fields, but there has to be a message. */
export const decode = (
  body: Json.JsonObject,
  service: Service,
  facts: Facts
): LlmResponse.LlmResponse | Reason | typeof Failed => {
  const choice = firstChoice(body)
  const decoder = makeDecoder(service, facts, true)
  const problem = decoder.push(asChunk(body, choice), undefined)
  if (problem !== undefined) return problem
  if (!Json.isObject(choice?.message) && !isText(choice?.text)) {
    return hasWords(body) ? Failed : MalformedResponse.make({ message: "the answer has no choices" })
  }
  return decoder.finish() ?? MalformedResponse.make({ message: "the answer has no end" })
}

/** Each call of a whole message is a separate call. */
const asChunk = (body: Json.JsonObject, choice: Json.JsonObject | undefined): Json.JsonObject => {
  const message = Json.object(choice?.message)
  const calls = Json.array(message.tool_calls)
  if (calls.length === 0 && !isPresent(choice?.delta)) return body
  const tool_calls = calls.map((value, index) => {
    const call = Json.object(value)
    return otherKind(call) === undefined ? { ...call, index } : call
  })
  const separate = { ...choice, delta: undefined, message: { ...message, tool_calls } }
  return { ...body, choices: Json.array(body.choices).map((each) => each === choice ? separate : each) }
}
