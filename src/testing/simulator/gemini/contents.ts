import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Turn } from "../prompt.js"
import type { Invalid, Json } from "../protocol.js"
import { checks, invalid, problem, records } from "../protocol.js"
import { isSealed } from "../seal.js"
import { serverPartsProblem } from "./serverTools.js"
import { member, versionOf } from "./service.js"

const partsOf = (content: Json): ReadonlyArray<Json> => records(content.parts)

const membersOf = (content: Json, name: string): ReadonlyArray<Json> =>
  partsOf(content).flatMap((part) => {
    const value = member(part, name)
    return isRecord(value) ? [value] : []
  })

const textOf = (content: Json): string =>
  partsOf(content).flatMap(({ text, thought }) => typeof text === "string" && thought !== true ? [text] : []).join("\n")

const isResult = (part: Json): boolean => isRecord(member(part, "functionResponse"))

/** Placeholders that Google accepts for a signature that does not exist. */
const noSignatures: ReadonlyArray<unknown> = [
  "skip_thought_signature_validator",
  "context_engineering_is_the_way_to_go"
]

const kinds = [
  "text",
  "inlineData",
  "fileData",
  "functionCall",
  "functionResponse",
  "executableCode",
  "codeExecutionResult",
  "toolCall",
  "toolResponse"
]

/** From version 3 on, the response of a function may have images and files. */
const responsePartProblem = (part: Json, path: string, model: string): Invalid | undefined => {
  const response = member(part, "functionResponse")
  const parts = isRecord(response) ? records(response.parts) : []
  if (parts.length === 0) return undefined
  if (versionOf(model) > 0 && versionOf(model) < 300) {
    return problem("Multimodal function responses are not supported by this model.")
  }
  const unknown = parts.findIndex((each) =>
    !isRecord(member(each, "inlineData")) && !isRecord(member(each, "fileData"))
  )
  return unknown === -1 ? undefined : problem(
    `* GenerateContentRequest.${path}.function_response.parts[${unknown}].data: required oneof field 'data' must have ` +
      "one initialized field\n"
  )
}

const partProblem = (part: Json, path: string, model: string): Invalid | undefined => {
  if (kinds.every((kind) => member(part, kind) === undefined)) {
    return problem(
      `* GenerateContentRequest.${path}.data: required oneof field 'data' must have one initialized field\n`
    )
  }
  for (
    const [kind, field, name] of [
      ["functionCall", "args", "function_call"],
      ["functionResponse", "response", "function_response"]
    ] as const
  ) {
    const value = member(part, kind)
    if (!isRecord(value)) continue
    if (typeof value.name !== "string" || value.name === "") {
      return problem(`* GenerateContentRequest.${path}.${name}.name: Name cannot be empty.\n`)
    }
    if (value[field] !== undefined && !isRecord(value[field])) {
      return problem(
        `Invalid value at '${path}.${name}.${field}' (type.googleapis.com/google.protobuf.Struct), ` +
          JSON.stringify(value[field]),
        `${path}.${name}.${field}`
      )
    }
  }
  const ofResponse = responsePartProblem(part, path, model)
  if (ofResponse !== undefined) return ofResponse
  const signature = member(part, "thoughtSignature")
  return typeof signature !== "string" || noSignatures.includes(signature) || isSealed(signature)
    ? undefined
    : problem("Corrupted thought signature.")
}

const contentProblem = (content: Json, index: number, model: string): Invalid | undefined => {
  const path = `contents[${index}]`
  if (
    content.role !== undefined && content.role !== "user" && content.role !== "model" && content.role !== "function"
  ) {
    return problem("Please use a valid role: user, model.")
  }
  if (partsOf(content).length === 0) {
    return problem(`* GenerateContentRequest.${path}.parts: contents.parts must not be empty.\n`)
  }
  return partsOf(content).map((part, i) => partProblem(part, `${path}.parts[${i}]`, model))
    .find((each) => each !== undefined) ?? serverPartsProblem(partsOf(content), path)
}

/** All calls of a turn must be answered in the next turn. */
const orderProblem = (content: Json, previous: Json | undefined): Invalid | undefined => {
  const results = membersOf(content, "functionResponse").length
  const calls = previous === undefined ? 0 : membersOf(previous, "functionCall").length
  if (results > 0 && calls === 0) {
    return problem("Please ensure that function response turn comes immediately after a function call turn.")
  }
  return results === calls ? undefined : problem(
    "Please ensure that the number of function response parts is equal to the number of function call parts of the " +
      "function call turn."
  )
}

/** From version 3 on, the first call of each turn after the last user message needs its signature. */
const signatureProblem = (contents: ReadonlyArray<Json>, model: string): Invalid | undefined => {
  if (versionOf(model) < 300) return undefined
  const asked = contents.findLastIndex((content) => content.role !== "model" && !partsOf(content).every(isResult))
  for (const [index, content] of contents.entries()) {
    if (index < asked) continue
    const first = partsOf(content).find((part) => isRecord(member(part, "functionCall")))
    const [call] = membersOf(content, "functionCall")
    if (first === undefined || call === undefined || member(first, "thoughtSignature") !== undefined) continue
    return problem(
      "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, " +
        "and missing thought_signature may lead to degraded model performance. Additional data, function call " +
        `\`default_api:${String(call.name)}\`, position ${index + 1}.`
    )
  }
  return undefined
}

const toTurns = (content: Json): ReadonlyArray<Turn> => {
  const results = membersOf(content, "functionResponse").map(({ parts, response }): Turn => {
    const { error, output, result } = isRecord(response) ? response : {}
    const content = output ?? result ?? error ?? response
    return {
      role: "tool",
      text: typeof content === "string" ? content : JSON.stringify(content) ?? "",
      attachments: records(parts).length,
      toolCalls: []
    }
  })
  const text = textOf(content)
  const attachments = membersOf(content, "inlineData").length + membersOf(content, "fileData").length
  const toolCalls = membersOf(content, "functionCall")
    .map(({ args, id, name }) => ({ id: String(id ?? name), name: String(name), arguments: args ?? {} }))
  return results.length > 0 && text === "" && attachments === 0
    ? results
    : [...results, { role: content.role === "model" ? "assistant" : "user", text, attachments, toolCalls }]
}

/** Reads the turns of a conversation, and checks them: known roles and parts, answered calls, signatures. */
export const decodeGeminiContents = (request: Json, model: string): Either.Either<ReadonlyArray<Turn>, Invalid> =>
  Either.gen(function*() {
    const contents = records(request.contents)
    if (contents.length === 0) {
      return yield* invalid("* GenerateContentRequest.contents: contents is not specified\n")
    }
    yield* checks(
      ...contents.flatMap((content, index) => [
        contentProblem(content, index, model),
        orderProblem(content, contents[index - 1])
      ]),
      signatureProblem(contents, model)
    )
    const system = member(request, "systemInstruction")
    const instructions: ReadonlyArray<Turn> = isRecord(system)
      ? [{ role: "system", text: textOf(system), attachments: 0, toolCalls: [] }]
      : []
    return [...instructions, ...contents.flatMap(toTurns)]
  })
