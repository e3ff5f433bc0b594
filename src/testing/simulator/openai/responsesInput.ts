import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Turn } from "../prompt.js"
import type { Invalid, Json } from "../protocol.js"
import { invalid, jsonType, problem, records } from "../protocol.js"
import { isSealed, seal } from "../seal.js"
import { decisionProblem } from "./serverTools.js"
import { textOf } from "./service.js"

/** A thought in encrypted form, which only the service can read and verify. */
export const encryptedContent = (fingerprint: string): string => `gAAAA${seal(fingerprint.slice(0, 24))}`

const isEncryptedContent = (text: unknown): boolean =>
  typeof text === "string" && text.startsWith("gAAAA") && isSealed(text.slice(5))

const roles: ReadonlyArray<unknown> = ["user", "assistant", "system", "developer"]

const userParts: ReadonlyArray<unknown> = ["input_text", "input_image", "input_file", "input_audio"]

const outputParts: ReadonlyArray<unknown> = ["input_text", "input_image", "input_file"]

const assistantParts: ReadonlyArray<unknown> = ["output_text", "refusal"]

const attachmentsOf = (content: unknown): number =>
  records(content).filter(({ type }) => type !== "input_text" && userParts.includes(type)).length

/** A part of another kind than the place takes. */
const partProblem = (content: unknown, known: ReadonlyArray<unknown>, path: string): Invalid | undefined => {
  const unknown = records(content).findIndex(({ type }) => !known.includes(type))
  return unknown === -1 ? undefined : problem(
    `Invalid value: '${String(records(content)[unknown]?.type)}'. Supported values are: ` +
      `${known.map((type) => `'${String(type)}'`).join(", ")}.`,
    `${path}[${unknown}]`,
    "invalid_value"
  )
}

const messageProblem = ({ content, role }: Json, path: string): Invalid | undefined => {
  if (!roles.includes(role)) {
    return problem(
      `Invalid value: '${String(role)}'. Supported values are: 'assistant', 'system', 'developer', and 'user'.`,
      `${path}.role`,
      "invalid_value"
    )
  }
  if (typeof content === "string") return undefined
  if (!Array.isArray(content)) {
    return problem(`Missing required parameter: '${path}.content'.`, `${path}.content`, "missing_required_parameter")
  }
  // Earlier answers are sent back as output; everything else is input.
  return partProblem(content, role === "assistant" ? assistantParts : userParts, `${path}.content`)
}

const reasoningProblem = (item: Json, isStored: boolean): Invalid | undefined => {
  const { encrypted_content: encrypted, id } = item
  if (encrypted === undefined || encrypted === null) {
    return isStored ? undefined : {
      ...problem(
        `Item with id '${
          String(id)
        }' not found. Items are not persisted when \`store\` is set to false. Try again with ` +
          "`store` set to true, or remove this item from your input.",
        "input"
      ),
      status: 404
    }
  }
  return isEncryptedContent(encrypted) ? undefined : problem(
    `The encrypted content for item ${String(id)} could not be verified.`,
    undefined,
    "invalid_encrypted_content"
  )
}

const missing = (path: string, name: string): Invalid =>
  problem(`Missing required parameter: '${path}.${name}'.`, `${path}.${name}`, "missing_required_parameter")

/** Adds a call to the turns. Consecutive calls belong to one turn. */
const addCall = (turns: Array<Turn>, item: Json): void => {
  const call = { id: String(item.call_id), name: String(item.name), arguments: item.arguments }
  const last = turns.at(-1)
  if (last?.role === "assistant") turns[turns.length - 1] = { ...last, toolCalls: [...last.toolCalls, call] }
  else turns.push({ role: "assistant", text: "", attachments: 0, toolCalls: [call] })
}

/** The output of a function is a text or a list of parts. */
const outputProblem = (output: unknown, path: string): Invalid | undefined =>
  typeof output === "string"
    ? undefined
    : Array.isArray(output)
    ? partProblem(output, outputParts, path)
    : problem(
      `Invalid type for '${path}': expected one of an array of objects or string, but got ${jsonType(output)} instead.`,
      path,
      "invalid_type"
    )

/** The calls before an item, by their ids, and the requests for approval. */
interface Before {
  readonly calls: ReadonlySet<string>
  readonly asked: ReadonlySet<unknown>
}

const itemProblem = (item: Json, path: string, { asked, calls }: Before, isStored: boolean): Invalid | undefined => {
  switch (item.type) {
    case undefined:
    case "message":
      return messageProblem(item, path)
    case "function_call": {
      const name = ["call_id", "name", "arguments"].find((name) => typeof item[name] !== "string")
      return name === undefined ? undefined : missing(path, name)
    }
    case "function_call_output":
      return typeof item.call_id !== "string"
        ? missing(path, "call_id")
        : item.output === undefined
        ? missing(path, "output")
        : calls.has(item.call_id)
        ? outputProblem(item.output, `${path}.output`)
        : problem(`No tool call found for function call output with call_id ${item.call_id}.`, "input")
    case "reasoning":
      return reasoningProblem(item, isStored)
    case "mcp_approval_response":
      return decisionProblem(item, path, asked)
    default:
      return typeof item.type === "string" && /_call(_output)?$|^compaction$|^mcp_/.test(item.type) ?
        undefined :
        problem(
          `Invalid value: '${String(item.type)}'. Supported values are: 'message', 'function_call', ` +
            "'function_call_output', and 'reasoning'.",
          `${path}.type`,
          "invalid_value"
        )
  }
}

/** Reads the turns of a conversation, and checks them: known items and roles, answered tool calls, unchanged thoughts. */
export const decodeResponsesInput = (request: Json): Either.Either<ReadonlyArray<Turn>, Invalid> =>
  Either.gen(function*() {
    const { input, instructions, store } = request
    const turns: Array<Turn> = typeof instructions === "string"
      ? [{ role: "system", text: instructions, attachments: 0, toolCalls: [] }]
      : []
    if (input === undefined || input === null) {
      return yield* invalid("Missing required parameter: 'input'.", "input", "missing_required_parameter")
    }
    if (typeof input === "string") return [...turns, { role: "user", text: input, attachments: 0, toolCalls: [] }]
    if (!Array.isArray(input)) {
      return yield* invalid(
        `Invalid type for 'input': expected one of a string or array of input items, but got a ${
          jsonType(input)
        } instead.`,
        "input",
        "invalid_type"
      )
    }
    const calls = new Set<string>()
    const asked = new Set<unknown>()
    const open = new Set<string>()
    for (const [index, value] of input.entries()) {
      const item: Json = isRecord(value) ? value : {}
      const wrong = itemProblem(item, `input[${index}]`, { asked, calls }, store !== false)
      if (wrong !== undefined) return yield* Either.left(wrong)
      switch (item.type) {
        case undefined:
        case "message":
          turns.push({
            role: item.role === "assistant" || item.role === "user" ? item.role : "system",
            text: textOf(item.content),
            attachments: attachmentsOf(item.content),
            toolCalls: []
          })
          break
        case "function_call":
          calls.add(String(item.call_id))
          open.add(String(item.call_id))
          addCall(turns, item)
          break
        case "mcp_approval_request":
          asked.add(item.id)
          break
        case "function_call_output":
          open.delete(String(item.call_id))
          turns.push({
            role: "tool",
            text: textOf(item.output),
            attachments: attachmentsOf(item.output),
            toolCalls: []
          })
      }
    }
    const [unanswered] = open
    return unanswered === undefined
      ? turns
      : yield* invalid(`No tool output found for function call ${unanswered}.`, "input")
  })
