import * as Duration from "effect/Duration"
import * as Encoding from "effect/Encoding"
import { type Reason, UnsupportedFeature } from "../../domain/LlmError.js"
import type { LlmRequest, Tool } from "../../domain/LlmRequest.js"
import * as Message from "../../domain/Message.js"
import * as Json from "../../wire/json.js"
import * as CachePoints from "../cachePoints.js"
import { type Encoded, isReason } from "../codec.js"
import * as CutCalls from "../cutCalls.js"
import * as Facts from "../modelFacts.js"
import * as OpaqueBlocks from "../opaqueBlocks.js"
import * as RawFields from "../rawFields.js"
import type { Changes } from "../settings.js"
import * as ToolResults from "../toolResults.js"
import * as Unsent from "../unsent.js"

/** The server that a request goes to. */
export interface Service {
  readonly name: string
  /** The time that the model stays loaded after a call. */
  readonly keepAlive: Duration.Duration | undefined
  readonly factsOf: Facts.FactsOf
}

/** In this protocol a message has a text and a list of images as base64, nothing else. */
const encodeUser = (message: Message.UserMessage): Json.JsonObject | Reason => {
  const images: Array<string> = []
  for (const part of message.content) {
    if (part._tag === "File") {
      return UnsupportedFeature.make({ feature: "files", message: "Ollama takes text and images" })
    }
    if (part._tag === "Text" || part._tag === "CachePoint") continue
    if ("url" in part) {
      return UnsupportedFeature.make({ feature: "images by address", message: "Ollama takes images by their bytes" })
    }
    images.push(Encoding.encodeBase64(part.bytes))
  }
  return Json.defined({
    role: "user",
    content: Message.text(message),
    images: images.length === 0 ? undefined : images
  })
}

/** A turn of the model, unless none of it can be sent. */
const encodeAssistant = (
  message: Message.AssistantMessage,
  provider: string,
  into: RawFields.Into
): ReadonlyArray<Json.JsonObject> => {
  let content = ""
  let thoughts = ""
  const calls: Array<Json.JsonObject> = []
  const others: Array<readonly [field: string, value: unknown]> = []
  for (const part of message.content) {
    switch (part._tag) {
      case "Text":
      case "Refusal":
        content += part.text
        break
      case "Reasoning":
        if (part.provider === provider) thoughts += part.text ?? ""
        break
      case "ToolCall":
        calls.push(into({ id: part.id, function: { name: part.name, arguments: Json.object(part.arguments) } }, part))
        break
      case "Opaque":
        others.push([part.kind, part.json])
    }
  }
  if (content === "" && thoughts === "" && calls.length === 0 && others.length === 0) return []
  return [Json.defined({
    ...Object.fromEntries(others),
    role: "assistant",
    content,
    thinking: thoughts === "" ? undefined : thoughts,
    tool_calls: calls.length === 0 ? undefined : calls
  })]
}

const encodeMessages = (
  request: LlmRequest,
  whole: ReadonlyArray<Message.Message>,
  provider: string,
  into: RawFields.Into
): ReadonlyArray<Json.JsonObject | Reason> => {
  const names = new Map<string, string>()
  const encode = (message: Message.Message): ReadonlyArray<Json.JsonObject | Reason> => {
    switch (message.role) {
      case "system":
        return [{ role: "system", content: Message.text(message) }]
      case "user":
        return [encodeUser(message)]
      case "assistant":
        for (const part of message.content) if (part._tag === "ToolCall") names.set(part.id, part.name)
        return encodeAssistant(message, provider, into)
      case "tool":
        return message.content.map((part) =>
          into(
            Json.defined({
              role: "tool",
              content: ToolResults.textOf(part),
              tool_name: part.name ?? names.get(part.id),
              tool_call_id: part.id
            }),
            part
          )
        )
    }
  }
  const messages = whole.flatMap((message) =>
    encode(message).map((encoded) => isReason(encoded) ? encoded : into(encoded, message))
  )
  return request.system === undefined ? messages : [{ role: "system", content: request.system }, ...messages]
}

/** Settings of other protocols that this one has no field for, if they would make a difference. */
const unsent = (request: LlmRequest, tools: ReadonlyArray<Tool>): ReadonlyArray<string> => {
  const { parallelToolCalls, reasoningSummary, serviceTier, verbosity } = request
  return [
    ...serviceTier === "flex" || serviceTier === "priority" ? ["serviceTier"] : [],
    ...verbosity === undefined ? [] : ["verbosity"],
    ...parallelToolCalls === false && tools.length > 0 ? ["parallelToolCalls"] : [],
    // Thoughts come with the answer.
    ...reasoningSummary === undefined || reasoningSummary === "auto" ? [] : ["reasoningSummary"]
  ].map((field) => Unsent.notSent(field, "the protocol has no such field"))
}

/** The server has a web search, but at a separate address: it runs no tool in a chat. */
const served = ({ providerTools: [tool] = [] }: LlmRequest): Reason | undefined =>
  tool && UnsupportedFeature.make({
    feature: `the tool ${tool.name}`,
    message: "Ollama runs no tools: give it those of the program"
  })

/** A duration in Go's form; a negative one means forever. */
export const encodeDuration = (duration: Duration.Duration): string | number =>
  Duration.isFinite(duration) ? `${Duration.toMillis(duration)}ms` : -1

/** The body of a request. `providerOptions` win over all other fields. */
export const encode = (
  request: LlmRequest,
  { factsOf, keepAlive, name }: Service,
  streaming: boolean,
  changes: Changes
): Encoded => {
  const { omitted } = changes
  const { model, toolChoice } = request
  const facts = factsOf(model)
  const { effort, warning } = Facts.roundEffort(model, facts, request.reasoningEffort)
  const samples = Facts.samples(facts, Facts.reasons(facts, effort))
  // The protocol has no field for the choice, but the model cannot call tools that are not sent.
  const tools = toolChoice === "none" ? [] : request.tools ?? []
  const cut = CutCalls.withoutCutCalls(request.messages)
  const aside = ToolResults.aside(cut.messages)
  const sendable = OpaqueBlocks.sendable(aside.messages, name)
  const pointless = CachePoints.unsupported(request, sendable.messages, name, changes)
  const warnings = [
    ...cut.warnings,
    ...aside.warnings,
    ...sendable.warnings,
    ...pointless.warnings,
    ...unsent(request, tools),
    ...toolChoice === "required" || typeof toolChoice === "object"
      ? [Unsent.notSent("toolChoice", "the protocol has no such field")]
      : [],
    ...warning === undefined ? [] : [warning]
  ]
  const taker = Unsent.taker(warnings)
  const taken = (setting: string, value: number | undefined) => taker(setting, value, samples !== false, model)
  const temperature = taken("temperature", request.temperature)
  const takesZero = samples !== false && facts.defaultTemperature !== "service" && !omitted.has("temperature")
  const into = RawFields.into("ollama", name)
  const messages = encodeMessages(request, pointless.messages, name, into)
  const raw = RawFields.of({ providerOptions: request.providerOptions }, "ollama", name)
  const options = Json.defined({
    temperature: temperature ?? (takesZero ? 0 : undefined),
    num_predict: request.maxTokens,
    top_p: taken("topP", request.topP),
    top_k: taken("topK", request.topK),
    seed: request.seed,
    stop: request.stop,
    ...Json.object(raw.options)
  })
  const body = Json.defined({
    ...RawFields.over({
      model,
      messages,
      think: effort === "none" ? false : effort,
      format: request.outputSchema?.schema ?? request.outputFormat,
      tools: tools.length === 0 ? undefined : tools.map((tool) => {
        const { description, name, parameters } = tool
        return into({ type: "function", function: Json.defined({ name, description, parameters }) }, tool)
      }),
      // Otherwise the server silently drops messages that do not fit the context.
      truncate: false,
      keep_alive: keepAlive && encodeDuration(keepAlive),
      // Streaming is the server's default.
      stream: streaming
    }, raw),
    options
  })
  return { body, warnings, problem: messages.find(isReason) ?? served(request) }
}
