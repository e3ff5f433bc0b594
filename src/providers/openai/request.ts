import * as Encoding from "effect/Encoding"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import * as Message from "../../domain/Message.js"
import * as Json from "../../wire/json.js"
import type { Encoded } from "../codec.js"
import { isReasoningModel, isSamplingModel, samplesWithout } from "./models.js"

/** The service that a request goes to. */
export interface Service {
  readonly name: string
  readonly host: string
  /** Whether the service may keep the answers. */
  readonly store: boolean
}

/** Where OpenAI's models are, so that a model of unknown name is a new one of theirs, or (Azure) has a name of its own. */
const hasOpenAiModels = ({ host }: Service): boolean => /(?:^|\.)(?:openai|azure)\.com$/.test(host)

/** What OpenAI calls the user now; others know the old name. */
const userField = ({ host }: Service): string => /(?:^|\.)openai\.com$/.test(host) ? "safety_identifier" : "user"

type Bytes = { readonly bytes: Uint8Array; readonly mediaType: string }

const dataUrl = ({ bytes, mediaType }: Bytes): string => `data:${mediaType};base64,${Encoding.encodeBase64(bytes)}`

/** The service goes by the extension of the name, and wants one. */
const fileName = (mediaType: string): string =>
  `file.${mediaType === "text/plain" ? "txt" : mediaType.slice(mediaType.lastIndexOf("/") + 1)}`

const encodeUserPart = (part: Message.UserMessage["content"][number]): Json.JsonObject => {
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

const encodeAssistantPart = (part: Message.ResponsePart, { name }: Service): ReadonlyArray<Json.JsonObject> => {
  switch (part._tag) {
    case "Text":
      return part.text === "" ? [] : [Json.defined({ role: "assistant", content: part.text, phase: part.phase })]
    case "Refusal":
      return [{ role: "assistant", content: [{ type: "refusal", refusal: part.text }] }]
    case "ToolCall":
      return [{
        type: "function_call",
        call_id: part.id,
        name: part.name,
        arguments: part.incomplete === true ? String(part.arguments) : JSON.stringify(part.arguments)
      }]
    case "Reasoning":
      // Without its content the service looks for it among what it has kept, and fails where it has kept nothing.
      return part.provider !== name || part.encrypted === undefined ? [] : [Json.defined({
        type: "reasoning",
        id: part.id,
        summary: part.text === undefined || part.text === "" ? [] : [{ type: "summary_text", text: part.text }],
        encrypted_content: part.encrypted
      })]
  }
}

const encodeMessage = (message: Message.Message, service: Service): ReadonlyArray<Json.JsonObject> => {
  switch (message.role) {
    case "system":
      return [{ role: "system", content: Message.text(message) }]
    case "user":
      return [{
        role: "user",
        content: message.content.every((part) => part._tag === "Text")
          ? Message.text(message)
          : message.content.map(encodeUserPart)
      }]
    case "assistant":
      return message.content.flatMap((part) => encodeAssistantPart(part, service))
    case "tool":
      return message.content.map(({ id, result }) => ({
        type: "function_call_output",
        call_id: id,
        output: typeof result === "string" ? result : JSON.stringify(result)
      }))
  }
}

const encodeToolChoice = (choice: LlmRequest["toolChoice"]): unknown =>
  typeof choice === "object" ? { type: "function", name: choice.tool } : choice

/** The settings that the model takes, and warnings about those that it does not. */
const encodeSettings = (request: LlmRequest, service: Service) => {
  const { model, reasoningEffort } = request
  const warnings: Array<string> = []
  const unless = <A>(refused: boolean, field: string, value: A | undefined): A | undefined => {
    if (value === undefined || !refused) return value
    warnings.push(`${field} was not sent: ${model} does not take it`)
    return undefined
  }
  const samples = isSamplingModel(model) || samplesWithout(model, reasoningEffort)
  const refusesSampling = isReasoningModel(model) && !samples
  const byDefault = samples || !(refusesSampling || hasOpenAiModels(service)) ? 0 : undefined
  for (const field of ["topK", "stop", "seed"] as const) {
    if (request[field] !== undefined) warnings.push(`${field} was not sent: Responses does not have it`)
  }
  return {
    warnings,
    effort: unless(isSamplingModel(model), "reasoningEffort", reasoningEffort),
    fields: {
      temperature: unless(refusesSampling, "temperature", request.temperature) ?? byDefault,
      top_p: unless(refusesSampling, "topP", request.topP),
      max_output_tokens: request.maxTokens
    }
  }
}

const encodeFormat = ({ outputFormat, outputSchema: output }: LlmRequest): Json.JsonObject | undefined => {
  if (output === undefined) return outputFormat && { type: "json_object" }
  const { description, name, schema, strict = true } = output
  return Json.defined({ type: "json_schema", name, description, schema, strict })
}

/** A field that the request and the caller's raw fields can both have a part in. */
const merge = (ours: Json.JsonObject, raw: unknown): unknown => {
  if (raw !== undefined && !Json.isObject(raw)) return raw
  const both = { ...Json.defined(ours), ...raw }
  return Object.keys(both).length === 0 ? undefined : both
}

/** The body of a request. Raw fields that the caller gives for the provider win over all others. */
export const encode = (request: LlmRequest, service: Service, streaming: boolean): Encoded => {
  const { effort, fields, warnings } = encodeSettings(request, service)
  const { tools = [] } = request
  const raw: Json.JsonObject = { ...request.providerOptions?.openai, ...request.providerOptions?.[service.name] }
  const store = raw.store ?? service.store
  const body = Json.defined({
    model: request.model,
    input: request.messages.flatMap((message) => encodeMessage(message, service)),
    instructions: request.system,
    ...fields,
    // Strict is the service's own default, and changes what a schema means.
    tools: tools.length === 0 ?
      undefined :
      tools.map(({ description, name, parameters, strict = false }) =>
        Json.defined({ type: "function", name, description, parameters, strict })
      ),
    tool_choice: tools.length === 0 ? undefined : encodeToolChoice(request.toolChoice),
    store,
    // What the service does not keep has to travel, for the model to remember what it thought.
    include: isReasoningModel(request.model) && store === false ? ["reasoning.encrypted_content"] : undefined,
    [userField(service)]: request.user,
    stream: streaming || undefined,
    ...raw,
    reasoning: merge({ effort }, raw.reasoning),
    text: merge({ format: encodeFormat(request) }, raw.text)
  })
  return { body, warnings }
}
