import { sha256Hex } from "#sha256"
import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Turn } from "../prompt.js"
import type { Invalid, Json } from "../protocol.js"
import { invalid, problem, records } from "../protocol.js"
import { serverBlocksProblem } from "./serverTools.js"

/** The signature of a thought, which shows that it is unchanged when it is sent back. */
export const signatureOf = (thinking: string): string => `sig${sha256Hex(`simulator:${thinking}`)}==`

const blockTypes: ReadonlyArray<unknown> = [
  "text",
  "image",
  "document",
  "search_result",
  "thinking",
  "redacted_thinking",
  "tool_use",
  "tool_result",
  "server_tool_use",
  "mcp_tool_use",
  "container_upload"
]

const resultTypes: ReadonlyArray<unknown> = ["text", "image", "document", "search_result", "tool_reference"]

const blocksOf = (content: unknown): ReadonlyArray<Json> =>
  typeof content === "string" ? [{ type: "text", text: content }] : records(content)

const ofType = (blocks: ReadonlyArray<Json>, type: string): ReadonlyArray<Json> =>
  blocks.filter((block) => block.type === type)

const textOf = (content: unknown): string =>
  blocksOf(content).flatMap(({ text }) => typeof text === "string" ? [text] : []).join("\n")

/** A result is text or a list of blocks. That of a tool that failed is text, and not empty. */
const resultProblem = ({ content = "", is_error: isError }: Json, path: string): Invalid | undefined => {
  if (typeof content !== "string" && !Array.isArray(content)) {
    return problem(`${path}.tool_result.content: Input should be a valid string or list`)
  }
  const blocks = blocksOf(content)
  const unknown = blocks.findIndex(({ type }) => !resultTypes.includes(type))
  if (unknown !== -1) {
    return problem(
      `${path}.tool_result.content.${unknown}: Input tag '${
        String(blocks[unknown]?.type)
      }' found using 'type' does not ` +
        `match any of the expected tags: ${resultTypes.map((type) => `'${String(type)}'`).join(", ")}`
    )
  }
  const empty = Array.isArray(content) && blocks.some(({ text, type }) => type === "text" && text === "")
  if (empty) return problem("messages: text content blocks must be non-empty")
  if (isError !== true) return undefined
  return content === "" || blocks.length === 0
    ? problem(`${path}.tool_result: content cannot be empty if \`is_error\` is true`)
    : blocks.every(({ type }) => type === "text")
    ? undefined
    : problem(`${path}.tool_result: all content must be type "text" if \`is_error\` is true`)
}

const attachmentTypes: ReadonlyArray<unknown> = ["image", "document"]

const attachmentsOf = (blocks: ReadonlyArray<Json>): number =>
  blocks.filter(({ type }) => attachmentTypes.includes(type)).length

const blockProblem = (block: Json, path: string): Invalid | undefined => {
  if (!blockTypes.includes(block.type) && !/_tool_result$/.test(String(block.type))) {
    return problem(
      `${path}: Input tag '${String(block.type)}' found using 'type' does not match any of the expected tags`
    )
  }
  switch (block.type) {
    case "text":
      return typeof block.text !== "string"
        ? problem(`${path}.text.text: Field required`)
        : block.text === ""
        ? problem("messages: text content blocks must be non-empty")
        : undefined
    case "thinking":
      return block.signature === signatureOf(String(block.thinking))
        ? undefined
        : problem(`${path}: Invalid \`signature\` in \`thinking\` block`)
    case "tool_result":
      return resultProblem(block, path)
    case "tool_use":
      return isRecord(block.input) ? undefined : problem(`${path}.tool_use.input: Input should be a valid dictionary`)
    default:
      return undefined
  }
}

const missingResults = (index: number, ids: ReadonlySet<string>): Either.Either<never, Invalid> =>
  invalid(
    `messages.${index}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ` +
      `${
        [...ids].join(", ")
      }. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`
  )

const toTurns = (role: "system" | "user" | "assistant", content: unknown): ReadonlyArray<Turn> => {
  const blocks = blocksOf(content)
  const results = ofType(blocks, "tool_result").map((block): Turn => ({
    role: "tool",
    text: textOf(block.content),
    attachments: attachmentsOf(blocksOf(block.content)),
    toolCalls: []
  }))
  const text = textOf(content)
  const attachments = attachmentsOf(blocks)
  const toolCalls = ofType(blocks, "tool_use")
    .map(({ id, input, name }) => ({ id: String(id), name: String(name), arguments: input }))
  return results.length > 0 && text === "" && attachments === 0
    ? results
    : [...results, { role, text, attachments, toolCalls }]
}

/**
 * Reads the turns of a conversation, and checks them: known roles, content that is not empty, each tool call answered in
 * the next message, unchanged thoughts. System messages may follow other messages, but not come first.
 */
export const decodeAnthropicTurns = (
  system: unknown,
  messages: unknown
): Either.Either<ReadonlyArray<Turn>, Invalid> =>
  Either.gen(function*() {
    if (messages === undefined) return yield* invalid("messages: Field required")
    if (!Array.isArray(messages)) return yield* invalid("messages: Input should be a valid list")
    if (messages.length === 0) return yield* invalid("messages: at least one message is required")
    const turns: Array<Turn> = system === undefined ? [] : [...toTurns("system", system)]
    let open = new Set<string>()
    const served = new Map<unknown, string>()
    for (const [index, message] of messages.entries()) {
      const { content, role } = isRecord(message) ? message : {}
      if (role !== "user" && role !== "assistant" && role !== "system") {
        return yield* invalid(`messages.${index}.role: Input should be 'user' or 'assistant'`)
      }
      if (role === "system" && index === 0) {
        return yield* invalid(
          "messages: Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, not \"system\" " +
            "as an input message role."
        )
      }
      if (content === undefined) return yield* invalid(`messages.${index}.content: Field required`)
      const blocks = blocksOf(content)
      const isLastAnswer = role === "assistant" && index === messages.length - 1
      if (blocks.length === 0 || content === "") {
        if (!isLastAnswer) {
          return yield* invalid(
            `messages.${index}: all messages must have non-empty content except for the optional final assistant message`
          )
        }
      } else {
        for (const [i, block] of blocks.entries()) {
          const problem = blockProblem(block, `messages.${index}.content.${i}`)
          if (problem !== undefined) return yield* Either.left(problem)
        }
        const wrong = role === "assistant"
          ? serverBlocksProblem(blocks, `messages.${index}.content`, isLastAnswer, served)
          : undefined
        if (wrong !== undefined) return yield* Either.left(wrong)
      }
      if (isLastAnswer && /\s$/.test(textOf(content))) {
        return yield* invalid("messages: final assistant content cannot end with trailing whitespace")
      }
      const results = ofType(blocks, "tool_result").map((block) => String(block.tool_use_id))
      const stray = results.find((id) => !open.has(id))
      if (stray !== undefined) {
        return yield* invalid(
          `messages.${index}.content.0: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${stray}. Each ` +
            "`tool_result` block must have a corresponding `tool_use` block in the previous message."
        )
      }
      for (const id of results) open.delete(id)
      if (open.size > 0) return yield* missingResults(index - 1, open)
      open = new Set(ofType(blocks, "tool_use").map((block) => String(block.id)))
      for (const turn of toTurns(role, content)) turns.push(turn)
    }
    return open.size > 0 ? yield* missingResults(messages.length - 1, open) : turns
  })
