import { MalformedResponse, type Reason } from "../../domain/LlmError.js"
import * as LlmResponse from "../../domain/LlmResponse.js"
import type * as Message from "../../domain/Message.js"
import * as AnswerDraft from "../../wire/answerDraft.js"
import { isErrorValue } from "../../wire/errorBody.js"
import * as Json from "../../wire/json.js"
import { type Codec, type Decoder, type Facts, Failed } from "../codec.js"
import * as Counts from "../counts.js"
import * as Ending from "../ending.js"
import * as Logprobs from "../logprobs.js"
import * as ToolCallIds from "../toolCallIds.js"

/** Old servers give no reason. */
const finishReasons: ReadonlyMap<string, LlmResponse.FinishReason> = new Map([
  ["", "stop"],
  ["stop", "stop"],
  ["length", "length"]
])

/** The fields of a message that are read. */
const known: ReadonlySet<string> = new Set(["role", "content", "thinking", "tool_calls", "tool_name"])

const isEmpty = (value: unknown): boolean =>
  value === null || value === undefined || value === "" || (Array.isArray(value) && value.length === 0)

/** The server leaves out a count that is 0, and that of a prompt from its cache: an absent count stays absent. */
const decodeUsage = (line: Json.JsonObject): LlmResponse.Usage =>
  Json.defined({
    inputTokens: Json.count(line.prompt_eval_count),
    outputTokens: Json.count(line.eval_count)
  })

/** The fields of the last line that are read, or that do not concern the answer. */
const readFields: ReadonlySet<string> = new Set([
  "created_at",
  "done",
  "done_reason",
  "eval_count",
  "logprobs",
  "message",
  "model",
  "prompt_eval_count"
])

/** The other fields: the server's times, in nanoseconds, and any that it adds. */
const decodeMetadata = (line: Json.JsonObject): Json.JsonObject | undefined => {
  const fields = Object.entries(line).filter(([field, value]) => !readFields.has(field) && !isEmpty(value))
  return fields.length === 0 ? undefined : Object.fromEntries(fields)
}

/** The order of the parts of an answer, in whatever order they are streamed. */
const order: ReadonlyArray<Message.ResponsePart["_tag"]> = ["Reasoning", "Text", "ToolCall", "Opaque"]

/** Nothing is unread: a field that is not modelled is kept. */
const nothing: ReadonlySet<string> = new Set()

/** The values of a field, one a line, as one. Only texts are known to go together. */
const joined = (values: ReadonlyArray<unknown>): Pick<Message.Opaque, "json" | "partial"> => {
  if (values.length === 1) return { json: values[0] }
  return values.every((value) => typeof value === "string")
    ? { json: values.join("") }
    : { json: values, partial: true }
}

/** Reads a streamed answer. */
export const makeDecoder = (provider: string, facts: Facts): Decoder => {
  const draft = AnswerDraft.make()
  const nextCallId = ToolCallIds.make(facts.request)
  let last: Json.JsonObject | undefined
  let model = ""
  const isRepeated = ToolCallIds.makeRepeated()
  let calls = 0
  /** The reliability of a last line: none, if content has come after one. */
  let proof: "certain" | "likely" | "none" | undefined
  /** The fields of the message that are not read, and their values. */
  const fields = new Map<string, ReadonlyArray<unknown>>()
  const logprobs: Array<LlmResponse.Logprob> = []

  const toolCall = (value: unknown): Reason | undefined => {
    const { function: called, id } = Json.object(value)
    const { arguments: args, name } = Json.object(called)
    if (Json.nonEmpty(name) === undefined) return MalformedResponse.make({ message: "a tool call has no name" })
    if (isRepeated(Json.nonEmpty(id), called)) return undefined
    const key = String(calls++)
    draft.tool(key, {
      id: Json.nonEmpty(id) ?? nextCallId(),
      name: Json.string(name),
      // Ollama sends an object, other servers may send text.
      json: Json.string(args) ?? JSON.stringify(args ?? {})
    })
    draft.endTool(key)
    return undefined
  }

  const push: Decoder["push"] = (line) => {
    if (isErrorValue(line.error)) return Failed
    model ||= Json.name(line.model) ?? ""
    const message = Json.object(line.message)
    const thoughts = Json.nonEmpty(message.thinking)
    const content = Json.string(message.content) ?? ""
    const isContent = thoughts !== undefined || content !== "" || Json.array(message.tool_calls).length > 0
    if (thoughts !== undefined) draft.reasoning("", thoughts, { provider })
    draft.text("", content)
    for (const [field, value] of Object.entries(message)) {
      if (!known.has(field) && !isEmpty(value)) fields.set(field, [...fields.get(field) ?? [], value])
    }
    for (const logprob of Logprobs.read(line.logprobs)) logprobs.push(logprob)
    for (const value of Json.array(message.tool_calls)) {
      const problem = toolCall(value)
      if (problem !== undefined) return problem
    }
    if (last !== undefined && isContent) proof = "none"
    else if (last === undefined && line.done === true) proof = isContent ? "likely" : "certain"
    if (line.done === true) last = Counts.cumulative(last ?? {}, line)
    return undefined
  }

  return {
    draft,
    push,
    sentinel: () => {},
    // Some proxies mark each line as the last: if it has content, the end is that of the stream.
    done: () => proof === "certain",
    ending: () => proof === "none" ? undefined : proof,
    usage: () => last && decodeUsage(last),
    finish: () => {
      if (last === undefined) return undefined
      const reason = Json.string(last.done_reason) ?? ""
      draft.endTools({ truncated: reason === "length" })
      for (const [kind, values] of fields) {
        draft.opaque(kind, { provider, kind, ...joined(values) })
        draft.endOpaque(kind)
      }
      const parts = draft.parts().toSorted((a, b) => order.indexOf(a._tag) - order.indexOf(b._tag))
      const finishReason = Ending.finishReason(finishReasons.get(reason) ?? "other", parts)
      return draft.problem() ?? Ending.unreadable({ finishReason, parts, unread: nothing }) ?? LlmResponse.make({
        parts,
        finishReason,
        usage: decodeUsage(last),
        model: model === "" ? facts.request.model : model,
        provider,
        warnings: facts.warnings,
        ...Json.defined({
          requestId: facts.requestId,
          rateLimit: facts.rateLimit,
          providerMetadata: decodeMetadata(last),
          logprobs: logprobs.length === 0 ? undefined : logprobs
        })
      })
    }
  }
}

/** Reads an answer as a stream of one line. */
export const decode = (body: Json.JsonObject, provider: string, facts: Facts): ReturnType<Codec["decode"]> => {
  const decoder = makeDecoder(provider, facts)
  return decoder.push(body, undefined) ?? decoder.finish() ??
    MalformedResponse.make({ message: "the answer has no end" })
}
