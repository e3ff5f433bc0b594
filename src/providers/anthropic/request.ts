import type { LlmRequest } from "../../domain/LlmRequest.js"
import type * as Message from "../../domain/Message.js"
import * as Json from "../../wire/json.js"
import * as CacheControl from "../cacheControl.js"
import type { Encoded } from "../codec.js"
import * as CutCalls from "../cutCalls.js"
import type * as Facts from "../modelFacts.js"
import * as OpaqueBlocks from "../opaqueBlocks.js"
import * as ProviderTools from "../providerTools.js"
import * as RawFields from "../rawFields.js"
import type { Changes } from "../settings.js"
import * as Unsent from "../unsent.js"
import * as Models from "./models.js"
import * as Portable from "./portable.js"
import type { Service } from "./service.js"
import * as Settings from "./settings.js"
import * as Thinking from "./thinking.js"
import * as Turns from "./turns.js"

const encodeToolChoice = (
  request: LlmRequest,
  { forcedTools = true }: Facts.ModelFacts,
  warnings: Array<string>
): Json.JsonObject | undefined => {
  const { model, toolChoice: choice } = request
  if (choice === undefined) return undefined
  if (Thinking.isForced(request) && !forcedTools) {
    warnings.push(Unsent.sentAs("toolChoice", "auto", `${model} cannot be forced to call a tool`))
    return { type: "auto" }
  }
  if (typeof choice === "object") return ProviderTools.chosen(request)?.choice ?? { type: "tool", name: choice.tool }
  return { type: choice === "required" ? "any" : choice }
}

const encodeTools = ({ tools = [] }: LlmRequest, into: RawFields.Into): ReadonlyArray<Json.JsonObject> =>
  tools.map((tool) => {
    const { description, name, parameters, strict } = tool
    return into(Json.defined({ name, description, input_schema: { type: "object", ...parameters }, strict }), tool)
  })

/**
 * The tools and instructions before a conversation: the service reads tools first, then instructions. A point ends one
 * or the other.
 */
const encodePrefix = (
  instructions: string,
  tools: ReadonlyArray<Json.JsonObject>,
  point: Message.CachePoint | undefined,
  warnings: Array<string>
) => {
  const system = instructions === "" ? undefined : instructions
  if (point === undefined) return { system, tools }
  if (system !== undefined) {
    return { system: [CacheControl.marked({ type: "text", text: system }, point)], tools }
  }
  const marked = CacheControl.markedLast(tools, point)
  if (marked === undefined) warnings.push(Unsent.notSent("a cache point", "nothing comes before it"))
  return { system, tools: marked ?? tools }
}

/** The body of a request. `providerOptions` win over all other fields. */
export const encode = (
  request: LlmRequest,
  service: Service,
  streaming: boolean,
  changes: Changes
): Encoded => {
  const { name } = service
  const raw = RawFields.of(request, "anthropic", name)
  const into = RawFields.into("anthropic", name)
  const { messages: uncut, warnings: cut } = CutCalls.withoutCutCalls(request.messages)
  const { messages: sendable, warnings: unsendable } = OpaqueBlocks.sendable(uncut, name)
  const { automatic, messages, warnings: caching } = CacheControl.encode(request, sendable, service, changes)
  const { outputSchema: output } = request
  const receiver = { provider: name, isClaude: Models.isKnown(request.model), into }
  const conversation = Turns.encode(messages, receiver, service.factsOf(request.model).systemTurns === true)
  const { point, problem, turns, warnings: placed } = conversation
  const { effort, facts, fields, warnings: refused } = Settings.encode(request, service, raw, changes, turns)
  const warnings = [...refused, ...cut, ...unsendable, ...placed, ...caching]
  const before = request.system === undefined ? [] : [request.system]
  const instructions = [...before, ...conversation.instructions].join("\n\n")
  const { system, tools } = encodePrefix(instructions, encodeTools(request, into), point, warnings)
  if (output === undefined && request.outputFormat !== undefined) {
    warnings.push(Unsent.notSent("outputFormat", "Messages has no JSON mode"))
  }
  const outputConfig = Json.defined({ effort, format: output && { type: "json_schema", schema: output.schema } })
  const body = Json.defined(RawFields.over({
    model: request.model,
    ...fields,
    system,
    messages: turns.map(({ raw, ...turn }) => ({ ...turn, ...raw })),
    stop_sequences: request.stop,
    tools: tools.length === 0 ? undefined : tools,
    tool_choice: tools.length + Json.array(raw.tools).length === 0
      ? undefined
      : Portable.parallelCalls(encodeToolChoice(request, facts, warnings), request),
    output_config: Object.keys(outputConfig).length === 0 ? undefined : outputConfig,
    metadata: request.user === undefined ? undefined : { user_id: request.user },
    cache_control: automatic,
    stream: streaming || undefined
  }, raw))
  return { body, warnings, problem }
}
