import * as Encoding from "effect/Encoding"
import type { LlmRequest, ServiceTier } from "../../domain/LlmRequest.js"
import * as Message from "../../domain/Message.js"
import * as Json from "../../wire/json.js"
import * as CachePoints from "../cachePoints.js"
import type { Encoded } from "../codec.js"
import * as CutCalls from "../cutCalls.js"
import * as Facts from "../modelFacts.js"
import * as OpaqueBlocks from "../opaqueBlocks.js"
import * as ProviderTools from "../providerTools.js"
import * as RawFields from "../rawFields.js"
import type { Changes } from "../settings.js"
import * as ToolResults from "../toolResults.js"
import * as Unsent from "../unsent.js"
import * as PromptCache from "./promptCache.js"

/** The service that a request goes to. */
export interface Service {
  readonly name: string
  readonly host: string
  /** Whether the service may keep the answers. */
  readonly store: boolean
  /** Whether its streams outlive their connections. */
  readonly heal: boolean
  readonly factsOf: Facts.FactsOf
}

/** A service, and the way in which it gets raw fields. */
interface Receiver extends Service {
  readonly into: RawFields.Into
}

/** Whether a model with an unknown name is OpenAI's: a new one, or (Azure) a deployment. */
const hasOpenAiModels = ({ host }: Service): boolean => /(?:^|\.)(?:openai|azure)\.com$/.test(host)

/** OpenAI renamed the field of the user; others know the old name. */
const userField = ({ host }: Service): string => /(?:^|\.)openai\.com$/.test(host) ? "safety_identifier" : "user"

type Bytes = { readonly bytes: Uint8Array; readonly mediaType: string }

const dataUrl = ({ bytes, mediaType }: Bytes): string => `data:${mediaType};base64,${Encoding.encodeBase64(bytes)}`

/** The service requires a name, and goes by its extension. */
const fileName = (mediaType: string): string =>
  `file.${mediaType === "text/plain" ? "txt" : mediaType.slice(mediaType.lastIndexOf("/") + 1)}`

const encodeUserPart = (part: CachePoints.Content): Json.JsonObject => {
  switch (part._tag) {
    case "Text":
      return { type: "input_text", text: part.text }
    case "Image":
      return {
        type: "input_image",
        image_url: "url" in part ? part.url : dataUrl(part),
        detail: part.detail ?? "auto"
      }
    case "File":
      return "url" in part
        ? { type: "input_file", file_url: part.url }
        : { type: "input_file", filename: part.name ?? fileName(part.mediaType), file_data: dataUrl(part) }
  }
}

/** Fields of items that do not belong to the conversation. */
const plainFields: ReadonlySet<string> = new Set(["type", "id", "role", "status"])

/** The fields of an item that are not read, for sending it back. */
export const nativeOf = (
  provider: string,
  item: Json.JsonObject,
  read: ReadonlyArray<string>
): Message.Native | undefined => {
  const rest = Object.entries(Json.present(item)).filter(([field]) => !plainFields.has(field) && !read.includes(field))
  return rest.length === 0 ? undefined : { provider, fields: Object.fromEntries(rest) }
}

const nativeFields = (
  { native }: { readonly native?: Message.Native | undefined },
  { name }: Service
): Json.JsonObject => native?.provider === name ? native.fields : {}

/** The paragraphs of a summary, which are one text here. */
export const summaryOf = (text: string): ReadonlyArray<Json.JsonObject> =>
  text === "" ? [] : text.split("\n\n").map((paragraph) => ({ type: "summary_text", text: paragraph }))

/** A text with its annotations, and the parts of its message that are not text. */
interface Said {
  readonly text: Message.Text
  readonly annotations: Array<unknown>
  readonly others: Array<unknown>
}

const encodeSaid = ({ annotations, others, text }: Said, service: Receiver): ReadonlyArray<Json.JsonObject> => {
  if (text.text === "" && others.length === 0) return []
  const content = annotations.length + others.length === 0 ? text.text : [
    ...text.text === "" ? [] : [{ type: "output_text", text: text.text, annotations }],
    ...others
  ]
  const item = Json.defined({ role: "assistant", content, phase: text.phase, ...nativeFields(text, service) })
  return [service.into(item, text)]
}

const encodeAssistantPart = (
  part: Exclude<Message.ResponsePart, Message.Text>,
  service: Service
): ReadonlyArray<Json.JsonObject> => {
  switch (part._tag) {
    case "Refusal":
      return [{ role: "assistant", content: [{ type: "refusal", refusal: part.text }] }]
    case "ToolCall":
      return [{
        type: "function_call",
        call_id: part.id,
        name: part.name,
        arguments: part.incomplete === true ? String(part.arguments) : JSON.stringify(part.arguments),
        ...nativeFields(part, service)
      }]
    case "Reasoning":
      // Without the content, the service looks for it among the answers that it keeps, and fails if it keeps none.
      return part.provider !== service.name || part.encrypted === undefined ? [] : [Json.defined({
        type: "reasoning",
        id: part.id,
        summary: summaryOf(part.text ?? ""),
        encrypted_content: part.encrypted,
        ...nativeFields(part, service)
      })]
    case "Opaque":
      return [Json.object(part.json)]
    case "Source":
      return []
  }
}

/** Whether a block is of this protocol: Chat Completions has others, under the same name of the provider. */
const isItem = ({ json, kind }: Message.Opaque): boolean => {
  const { type } = Json.object(json)
  return kind === type || kind === `message.${type}`
}

/** Parts of a message, not items. */
const isOfMessage = (part: Message.ResponsePart): boolean => part._tag === "Opaque" && part.kind.startsWith("message.")

const encodeAssistant = (
  parts: ReadonlyArray<Message.ResponsePart>,
  service: Receiver
): ReadonlyArray<Json.JsonObject> => {
  const items: Array<Said | { readonly item: Json.JsonObject }> = []
  /** The text that the next source belongs to. */
  let said: Said | undefined
  const say = (text: string | Message.Text): Said => {
    const next: Said = { text: typeof text === "string" ? { _tag: "Text", text } : text, annotations: [], others: [] }
    items.push(next)
    return next
  }
  for (const part of parts) {
    if (part._tag === "Text") said = say(part)
    else if (part._tag === "Source") {
      if (part.provider === service.name) said?.annotations.push(part.json)
    } else if (part._tag === "Opaque" && isOfMessage(part)) {
      said ??= say("")
      said.others.push(part.json)
    } else {
      said = undefined
      for (const item of encodeAssistantPart(part, service)) {
        items.push({ item: part._tag === "Opaque" ? item : service.into(item, part) })
      }
    }
  }
  return items.flatMap((item) => "item" in item ? [item.item] : encodeSaid(item, service))
}

/**
 * Leaves out reasoning without the item that it led to, which the service answers with 400: an answer that was cut
 * while the model reasoned has only reasoning.
 */
const withoutLoneReasoning = (items: ReadonlyArray<Json.JsonObject>): ReadonlyArray<Json.JsonObject> => {
  const kept: Array<Json.JsonObject> = []
  let isFollowed = false
  for (const item of items.toReversed()) {
    // Items of the service's own tools count, too.
    if (item.type !== "reasoning") {
      isFollowed = item.role === "assistant" || (item.role === undefined && item.type !== "function_call_output")
    }
    if (item.type !== "reasoning" || isFollowed) kept.push(item)
  }
  return kept.toReversed()
}

const encodeUser = (message: Message.UserMessage, { into }: Receiver): Json.JsonObject => {
  const { parts } = CachePoints.pointed(message)
  const isPlain = parts.every(({ part, point }) =>
    part._tag === "Text" && part.providerOptions === undefined && point === undefined
  )
  return {
    role: "user",
    content: isPlain
      ? Message.text(message)
      : parts.map(({ part, point }) => {
        const encoded = encodeUserPart(part)
        return into(point === undefined ? encoded : PromptCache.marked(encoded, point), part)
      })
  }
}

const encodeSystem = (message: Message.SystemMessage, { into }: Receiver): Json.JsonObject => ({
  role: "system",
  content: message.content.some(({ providerOptions }) => providerOptions !== undefined)
    ? message.content.map((part) => into({ type: "input_text", text: part.text }, part))
    : Message.text(message)
})

const encodeItems = (message: Message.Message, service: Receiver): ReadonlyArray<Json.JsonObject> => {
  switch (message.role) {
    case "system":
      return [encodeSystem(message, service)]
    case "user":
      return [encodeUser(message, service)]
    case "assistant":
      return encodeAssistant(message.content, service)
    case "tool":
      return message.content.map((part) =>
        service.into({
          type: "function_call_output",
          call_id: part.id,
          output: ToolResults.hasMedia(part)
            ? ToolResults.piecesOf(part).map((piece) => service.into(encodeUserPart(piece), piece))
            : ToolResults.textOf(part)
        }, part)
      )
  }
}

/** The items of a message. Its raw fields go to those that are messages, or else results. */
const encodeMessage = (message: Message.Message, service: Receiver): ReadonlyArray<Json.JsonObject> => {
  const items = encodeItems(message, service)
  return message.providerOptions === undefined
    ? items
    : items.map((item) => message.role === "assistant" && item.role === undefined ? item : service.into(item, message))
}

const encodeToolChoice = (request: LlmRequest): unknown => {
  const { toolChoice: choice } = request
  return typeof choice === "object"
    ? ProviderTools.chosen(request)?.choice ?? { type: "function", name: choice.tool }
    : choice
}

/** The tiers by the service's names. */
const serviceTiers: { readonly [Tier in ServiceTier]: string } = {
  auto: "auto",
  standard: "default",
  flex: "flex",
  priority: "priority"
}

/** The settings that the model takes, and warnings about the others. */
const encodeSettings = (request: LlmRequest, service: Service, { omitted }: Changes) => {
  const { model } = request
  const facts = service.factsOf(model)
  const { effort, warning } = Facts.roundEffort(model, facts, request.reasoningEffort)
  const warnings: Array<string> = []
  const samples = Facts.samples(facts, Facts.reasons(facts, effort))
  const take = Unsent.taker(warnings)
  const temperature = take("temperature", request.temperature, samples !== false, model)
  const topP = take("topP", request.topP, samples !== false, model)
  if (warning !== undefined) warnings.push(warning)
  for (const field of ["topK", "stop", "seed"] as const) {
    if (request[field] !== undefined) warnings.push(Unsent.notSent(field, "Responses does not have it"))
  }
  const { reasoningSummary: summary, verbosity } = request
  const isShown = summary !== undefined && summary !== "none"
  if (isShown && facts.reasoning === "never") {
    warnings.push(Unsent.notSent("reasoningSummary", `${model} does not reason`))
  }
  const takesVerbosity = facts.verbosity !== false
  if (!takesVerbosity && verbosity !== undefined && verbosity !== "medium") {
    warnings.push(Unsent.notTaken("verbosity", model))
  }
  // A model without known facts takes a temperature if it is not OpenAI's.
  const takesZero = facts.defaultTemperature !== "service" && !omitted.has("temperature") &&
    (samples ?? (facts.reasoning === undefined && !hasOpenAiModels(service)))
  return {
    warnings,
    effort,
    summary: isShown && facts.reasoning !== "never" ? summary : undefined,
    verbosity: takesVerbosity ? verbosity : undefined,
    reasons: facts.reasoning !== undefined && facts.reasoning !== "never",
    fields: {
      temperature: temperature ?? (takesZero ? 0 : undefined),
      top_p: topP,
      max_output_tokens: request.maxTokens,
      service_tier: request.serviceTier && serviceTiers[request.serviceTier]
    }
  }
}

const encodeFormat = ({ outputFormat, outputSchema: output }: LlmRequest): Json.JsonObject | undefined => {
  if (output === undefined) return outputFormat && { type: "json_object" }
  const { description, name, schema, strict = true } = output
  return Json.defined({ type: "json_schema", name, description, schema, strict })
}

/** A field in which the request and `providerOptions` can both have members. */
const merge = (ours: Json.JsonObject, raw: unknown): unknown => {
  if (raw !== undefined && !Json.isObject(raw)) return raw
  const both = { ...Json.defined(ours), ...raw }
  return Object.keys(both).length === 0 ? undefined : both
}

/**
 * The instructions: a field of their own, or, if a point ends them, the first message, which the service reads in the
 * same way.
 */
const encodeInstructions = (
  { system }: LlmRequest,
  point: Message.CachePoint | undefined
): { readonly instructions: string | undefined; readonly first: ReadonlyArray<Json.JsonObject> } =>
  system === undefined || point === undefined
    ? { instructions: system, first: [] }
    : {
      instructions: undefined,
      first: [{ role: "system", content: [PromptCache.marked({ type: "input_text", text: system }, point)] }]
    }

/** The body of a request. `providerOptions` win over all other fields. */
export const encode = (request: LlmRequest, service: Service, streaming: boolean, changes: Changes): Encoded => {
  const { messages: whole, warnings: cut } = CutCalls.withoutCutCalls(request.messages)
  const { messages: sendable, warnings: opaque } = OpaqueBlocks.sendable(whole, service.name, isItem)
  const { fields: cache, messages, warnings: caching } = PromptCache.encode(
    request,
    sendable,
    service.factsOf(request.model),
    changes
  )
  const { effort, fields, reasons, summary, verbosity, warnings: refused } = encodeSettings(request, service, changes)
  const warnings = [...cut, ...opaque, ...refused, ...caching]
  const { tools = [] } = request
  const raw = RawFields.of(request, "openai", service.name)
  const into = RawFields.into("openai", service.name)
  const background = raw.background ?? ((streaming && service.heal) || undefined)
  const wanted = raw.store ?? service.store
  // An answer in the background is one that the service keeps.
  const store = background === true && raw.store === undefined ? true : wanted
  if (store !== wanted) warnings.push(Unsent.sentAs("store", "true", "an answer in the background has to be kept"))
  const receiver = { ...service, into }
  const { objects: items, point } = CachePoints.encodeEach(
    messages,
    (message) => encodeMessage(message, receiver),
    PromptCache.markedItem
  )
  const { first, instructions } = encodeInstructions(request, point)
  if (point !== undefined && first.length === 0) {
    warnings.push(Unsent.notSent("a cache point", "nothing comes before it that it can end"))
  }
  const input = withoutLoneReasoning(items)
  if (input.length < items.length) warnings.push("reasoning that led to no answer was not sent")
  const hasTools = tools.length + Json.array(raw.tools).length > 0
  const body = Json.defined({
    ...RawFields.over({
      model: request.model,
      input: [...first, ...input],
      instructions,
      ...fields,
      ...cache,
      // The service's own default is strict, which changes the meaning of a schema.
      tools: tools.length === 0 ?
        undefined :
        tools.map((tool) => {
          const { description, name, parameters, strict = false } = tool
          return into(Json.defined({ type: "function", name, description, parameters, strict }), tool)
        }),
      tool_choice: hasTools ? encodeToolChoice(request) : undefined,
      parallel_tool_calls: hasTools ? request.parallelToolCalls : undefined,
      store,
      background,
      // Reasoning that the service may not keep has to go back with later turns.
      include: reasons && wanted === false ? ["reasoning.encrypted_content"] : undefined,
      [userField(service)]: request.user,
      stream: streaming || undefined
    }, raw),
    reasoning: merge({ effort, summary }, raw.reasoning),
    text: merge({ format: encodeFormat(request), verbosity }, raw.text)
  })
  return { body, warnings }
}
