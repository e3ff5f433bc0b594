import * as Duration from "effect/Duration"
import * as Encoding from "effect/Encoding"
import { MalformedResponse, type Reason, UnsupportedFeature } from "../../domain/LlmError.js"
import type { LlmRequest, ReasoningEffort } from "../../domain/LlmRequest.js"
import * as LlmResponse from "../../domain/LlmResponse.js"
import * as Message from "../../domain/Message.js"
import * as AnswerDraft from "../../wire/answerDraft.js"
import * as Json from "../../wire/json.js"
import * as Ndjson from "../../wire/ndjson.js"
import { type Codec, type Decoder, type Encoded, type Facts, Failed } from "../codec.js"
import * as ToolCallIds from "../toolCallIds.js"

/** The server that a request goes to. */
export interface Service {
  readonly name: string
  /** How long the model stays loaded after a call. */
  readonly keepAlive: Duration.Duration | undefined
}

// ---------------------------------------------------------------------------------------------------------------------
// The request
// ---------------------------------------------------------------------------------------------------------------------

const thinking: { readonly [Effort in ReasoningEffort]: boolean | string } = {
  none: false,
  minimal: "low",
  low: "low",
  medium: "medium",
  high: "high",
  xhigh: "max",
  max: "max"
}

/** Models without levels take any of them for "yes". */
const encodeEffort = ({ model, reasoningEffort: effort }: LlmRequest): unknown => {
  const think = effort && thinking[effort]
  return think === "max" && model.includes("gpt-oss") ? "high" : think
}

const isReason = (value: Json.JsonObject | Reason): value is Reason => "_tag" in value

/** The protocol has the images of a message beside its text, as base64, and nothing else. */
const encodeUser = (message: Message.UserMessage): Json.JsonObject | Reason => {
  const images: Array<string> = []
  for (const part of message.content) {
    if (part._tag === "File") {
      return UnsupportedFeature.make({ feature: "files", message: "Ollama takes text and images" })
    }
    if (part._tag === "Text") continue
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

const encodeAssistant = (message: Message.AssistantMessage, provider: string): Json.JsonObject => {
  let content = ""
  let thoughts = ""
  const calls: Array<Json.JsonObject> = []
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
        calls.push({ id: part.id, function: { name: part.name, arguments: Json.object(part.arguments) } })
    }
  }
  return Json.defined({
    role: "assistant",
    content,
    thinking: thoughts === "" ? undefined : thoughts,
    tool_calls: calls.length === 0 ? undefined : calls
  })
}

const encodeMessages = (request: LlmRequest, provider: string): ReadonlyArray<Json.JsonObject | Reason> => {
  const names = new Map<string, string>()
  const messages = request.messages.flatMap((message): ReadonlyArray<Json.JsonObject | Reason> => {
    switch (message.role) {
      case "system":
        return [{ role: "system", content: Message.text(message) }]
      case "user":
        return [encodeUser(message)]
      case "assistant":
        for (const part of message.content) if (part._tag === "ToolCall") names.set(part.id, part.name)
        return [encodeAssistant(message, provider)]
      case "tool":
        return message.content.map(({ id, name, result }) =>
          Json.defined({
            role: "tool",
            content: typeof result === "string" ? result : JSON.stringify(result) ?? "",
            tool_name: name ?? names.get(id),
            tool_call_id: id
          })
        )
    }
  })
  return request.system === undefined ? messages : [{ role: "system", content: request.system }, ...messages]
}

/** A span of time as Go reads it; a negative one is for ever. */
const encodeDuration = (duration: Duration.Duration): string | number =>
  Duration.isFinite(duration) ? `${Duration.toMillis(duration)}ms` : -1

/** The body of a request. Raw fields that the caller gives for the provider win over all others. */
const encode = (request: LlmRequest, { keepAlive, name }: Service, streaming: boolean): Encoded => {
  const { toolChoice } = request
  // The protocol has no field for the choice, but tools that are not sent are not called.
  const tools = toolChoice === "none" ? [] : request.tools ?? []
  const warnings = toolChoice === "required" || typeof toolChoice === "object"
    ? ["toolChoice was not sent: the protocol has no such field"]
    : []
  const messages = encodeMessages(request, name)
  const raw = { ...request.providerOptions?.ollama, ...request.providerOptions?.[name] }
  const options = Json.defined({
    temperature: request.temperature ?? 0,
    num_predict: request.maxTokens,
    top_p: request.topP,
    top_k: request.topK,
    seed: request.seed,
    stop: request.stop,
    ...Json.object(raw.options)
  })
  const body = Json.defined({
    model: request.model,
    messages,
    think: encodeEffort(request),
    format: request.outputSchema?.schema ?? request.outputFormat,
    tools: tools.length === 0 ? undefined : tools.map(({ description, name, parameters }) => ({
      type: "function",
      function: Json.defined({ name, description, parameters })
    })),
    // Otherwise the server silently drops what does not fit the context.
    truncate: false,
    keep_alive: keepAlive && encodeDuration(keepAlive),
    // Streaming is the server's default.
    stream: streaming,
    ...raw,
    options
  })
  return { body, warnings, problem: messages.find(isReason) }
}

// ---------------------------------------------------------------------------------------------------------------------
// The answer
// ---------------------------------------------------------------------------------------------------------------------

/** Servers of old give no reason. They say "stop" where the model asks for tools, too. */
const finishReason = (reason: string, parts: ReadonlyArray<Message.ResponsePart>): LlmResponse.FinishReason => {
  if (reason === "length") return "length"
  if (reason !== "stop" && reason !== "") return "other"
  return parts.some((part) => part._tag === "ToolCall") ? "tool_calls" : "stop"
}

/** A count is left out when it is 0, as well as when the prompt was in the cache: then it is not known. */
const decodeUsage = (line: Json.JsonObject): LlmResponse.Usage =>
  Json.defined({
    inputTokens: Json.count(line.prompt_eval_count),
    outputTokens: Json.count(line.eval_count)
  })

/** In nanoseconds. */
const durations = ["total_duration", "load_duration", "prompt_eval_duration", "eval_duration"]

const decodeMetadata = (line: Json.JsonObject): Json.JsonObject | undefined => {
  const told = Json.defined(Object.fromEntries(durations.map((field) => [field, Json.count(line[field])])))
  return Object.keys(told).length === 0 ? undefined : told
}

/** The order in which the protocol has the parts of an answer, whenever they come. */
const order: ReadonlyArray<Message.ResponsePart["_tag"]> = ["Reasoning", "Text", "ToolCall"]

const makeDecoder = ({ name: provider }: Service, facts: Facts): Decoder => {
  const draft = AnswerDraft.make()
  const nextCallId = ToolCallIds.make(facts.request)
  let last: Json.JsonObject | undefined
  let model = ""
  let calls = 0

  const toolCall = (value: unknown): Reason | undefined => {
    const { function: called, id } = Json.object(value)
    const { arguments: args, name } = Json.object(called)
    if (Json.nonEmpty(name) === undefined) return MalformedResponse.make({ message: "a tool call has no name" })
    const key = String(calls++)
    draft.tool(key, {
      id: Json.nonEmpty(id) ?? nextCallId(),
      name: Json.string(name),
      // An object; but what speaks the protocol is not always Ollama.
      json: Json.string(args) ?? JSON.stringify(args ?? {})
    })
    draft.endTool(key)
    return undefined
  }

  const push: Decoder["push"] = (line) => {
    if (line.error !== undefined && line.error !== null) return Failed
    model ||= Json.string(line.model) ?? ""
    const message = Json.object(line.message)
    const thoughts = Json.nonEmpty(message.thinking)
    if (thoughts !== undefined) draft.reasoning("", thoughts, { provider })
    draft.text("", Json.string(message.content) ?? "")
    for (const value of Json.array(message.tool_calls)) {
      const problem = toolCall(value)
      if (problem !== undefined) return problem
    }
    if (line.done === true) last = line
    return undefined
  }

  return {
    draft,
    push,
    sentinel: () => {},
    done: () => last !== undefined,
    usage: () => last && decodeUsage(last),
    finish: () => {
      if (last === undefined) return undefined
      const reason = Json.string(last.done_reason) ?? ""
      draft.endTools({ truncated: reason === "length" })
      const parts = draft.parts().toSorted((a, b) => order.indexOf(a._tag) - order.indexOf(b._tag))
      return draft.problem() ?? LlmResponse.make({
        parts,
        finishReason: finishReason(reason, parts),
        usage: decodeUsage(last),
        model: model === "" ? facts.request.model : model,
        provider,
        warnings: facts.warnings,
        ...Json.defined({
          requestId: facts.requestId,
          rateLimit: facts.rateLimit,
          providerMetadata: decodeMetadata(last)
        })
      })
    }
  }
}

/** Reads an answer: like a stream of one line. One that a server gave up on has no end either. */
const decode = (body: Json.JsonObject, service: Service, facts: Facts): ReturnType<Codec["decode"]> => {
  const decoder = makeDecoder(service, facts)
  return decoder.push(body, undefined) ?? decoder.finish() ??
    MalformedResponse.make({ message: "the answer has no end" })
}

/** Ollama's chat, as this server speaks it. */
export const make = (service: Service): Codec => ({
  schemaDialect: "plain",
  outputMode: () => "native",
  path: () => "/api/chat",
  encode: (request, streaming) => encode(request, service, streaming),
  decode: (body, facts) => decode(body, service, facts),
  framer: Ndjson.make,
  decoder: (facts) => makeDecoder(service, facts)
})
