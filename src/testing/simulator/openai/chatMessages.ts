import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Turn } from "../prompt.js"
import type { Invalid, Json } from "../protocol.js"
import { invalid, problem, records } from "../protocol.js"
import { textOf } from "./service.js"

type Role = "system" | "developer" | "user" | "assistant" | "tool" | "function"

const isRole = (role: unknown): role is Role =>
  role === "system" || role === "developer" || role === "user" || role === "assistant" || role === "tool" ||
  role === "function"

const partTypes: ReadonlyArray<unknown> = ["text", "image_url", "input_audio", "refusal", "audio", "file"]

const toolCallsOf = (message: Json): Turn["toolCalls"] =>
  records(message.tool_calls).map((call) => {
    const { arguments: args, name } = isRecord(call.function) ? call.function : {}
    return { id: String(call.id), name: String(name), arguments: args }
  })

const contentProblem = (message: Json, index: number): Invalid | undefined => {
  const path = `messages.[${index}].content`
  const { content } = message
  if (typeof content === "string") return undefined
  if (content === undefined || content === null) {
    return message.role === "assistant" &&
        ("tool_calls" in message || "function_call" in message || "refusal" in message)
      ? undefined
      : problem("Invalid value for 'content': expected a string, got null.", path)
  }
  const unknown = records(content).findIndex(({ type }) => !partTypes.includes(type))
  return unknown === -1 ? undefined : problem(
    `Invalid value: '${String(records(content)[unknown]?.type)}'. Supported values are: 'text', 'image_url', ` +
      "'input_audio', 'refusal', 'audio', and 'file'.",
    `messages[${index}].content[${unknown}].type`,
    "invalid_value"
  )
}

const unanswered = (ids: ReadonlySet<string>): Either.Either<never, Invalid> =>
  invalid(
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The " +
      `following tool_call_ids did not have response messages: ${[...ids].join(", ")}`,
    "messages"
  )

/** Reads the turns of a chat, and checks them: known roles, required content, each tool call answered right after it. */
export const decodeChatMessages = (messages: unknown): Either.Either<ReadonlyArray<Turn>, Invalid> =>
  Either.gen(function*() {
    if (messages === undefined || messages === null) {
      return yield* invalid("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    }
    if (!Array.isArray(messages)) {
      return yield* invalid(
        `Invalid type for 'messages': expected an array of objects, but got a ${typeof messages} instead.`,
        "messages",
        "invalid_type"
      )
    }
    if (messages.length === 0) {
      return yield* invalid(
        "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
        "messages",
        "empty_array"
      )
    }
    const turns: Array<Turn> = []
    let calls = new Set<string>()
    let open = new Set<string>()
    for (const [index, message] of messages.entries()) {
      const { role, tool_call_id: id } = isRecord(message) ? message : {}
      if (!isRecord(message) || !isRole(role)) {
        return yield* invalid(
          `Invalid value: '${
            String(role)
          }'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', ` +
            "and 'developer'.",
          `messages[${index}].role`,
          "invalid_value"
        )
      }
      const content = contentProblem(message, index)
      if (content !== undefined) return yield* Either.left(content)
      if (role === "tool") {
        if (calls.size === 0) {
          return yield* invalid(
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
            `messages.[${index}].role`
          )
        }
        if (typeof id !== "string" || !calls.has(id)) {
          return yield* invalid(
            `Invalid parameter: 'tool_call_id' of '${String(id)}' not found in 'tool_calls' of previous message.`,
            `messages.[${index}].tool_call_id`
          )
        }
        open.delete(id)
      } else {
        if (open.size > 0) return yield* unanswered(open)
        calls = new Set(toolCallsOf(message).map((call) => call.id))
        open = new Set(calls)
      }
      turns.push({
        role: role === "developer" ? "system" : role === "function" ? "tool" : role,
        text: textOf(message.content),
        // The model sees nothing but the text of a tool's result.
        attachments: role === "tool"
          ? 0
          : records(message.content).filter(({ type }) => type !== "text" && type !== "refusal").length,
        toolCalls: toolCallsOf(message)
      })
    }
    return open.size > 0 ? yield* unanswered(open) : turns
  })
