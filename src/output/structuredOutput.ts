import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import {
  ContentFiltered,
  OutputInvalid,
  OutputTruncated,
  type Reason,
  Refused,
  UnsupportedFeature
} from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import * as Message from "../domain/Message.js"
import { decodeUnknown, type SchemaIssue, type SchemaIssues } from "../internal/schemaIssue.js"
import { wellFormed } from "../internal/wellFormed.js"
import type * as LlmProvider from "../LlmProvider.js"
import * as Issues from "./issues.js"
import * as JsonAnswer from "./jsonAnswer.js"
import * as JsonSchemaDialect from "./jsonSchemaDialect.js"

/** An answer without a value, for which the model can be asked again. */
export type Invalid = typeof OutputInvalid.Type

/** The request for a value, and the way to read the value from the answer. */
export interface StructuredOutput<A, R> {
  /** The fields for the request: the schema in the provider's dialect, or in words. */
  readonly request: Pick<LlmRequest.Settings, "outputFormat" | "outputSchema" | "system" | "toolChoice" | "tools">
  /** The tool whose call is the answer; `undefined` if the text is the answer. */
  readonly tool: string | undefined
  /** The compiled schema. */
  readonly wire: JsonSchemaDialect.Wire
  /** Reads the value of an answer, or fails with the reason why it has none. */
  readonly read: (response: LlmResponse) => Effect.Effect<A, Reason, R>
  /** The invalid answer behind a failure, if the failure is about the answer only: arguments of its call that are not JSON. */
  readonly invalidOf: (reason: Reason) => Invalid | undefined
  /**
   * The next turns after an answer that did not fit; none if it calls other tools, whose results have to come first. The
   * response is absent if the answer came as a failure.
   */
  readonly reask: (invalid: Invalid, response: LlmResponse | undefined) => Option.Option<ReadonlyArray<Message.Message>>
}

/** How to ask for a schema. */
export interface Options {
  readonly provider: Pick<LlmProvider.Service, "name" | "outputMode" | "schemaDialect">
  readonly model: string
  /** Default: the provider's own. */
  readonly mode: LlmProvider.OutputMode | undefined
  /** Whether the model may call its other tools before it answers. Default: false. */
  readonly besideTools?: boolean | undefined
  readonly name: string | undefined
  readonly description: string | undefined
  /** The caller's own instructions and tools. */
  readonly system: string | undefined
  readonly tools: ReadonlyArray<LlmRequest.Tool> | undefined
}

const instructions = (schema: unknown): string =>
  `Answer with JSON that fits this JSON Schema, and nothing else: ${JSON.stringify(schema)}`

const invalid = (text: string, issues: ReadonlyArray<SchemaIssue>, message: string): Invalid =>
  OutputInvalid.make({ text, issues, message })

const misfit = (text: string, { issues, omitted }: SchemaIssues): Invalid =>
  OutputInvalid.make({
    text,
    issues,
    ...(omitted > 0 && { omittedIssues: omitted }),
    message: "the answer does not fit the schema"
  })

const notJson = (text: string): Invalid =>
  invalid(text, [{ path: "", expected: "one JSON value" }], "the answer is not JSON")

/** The reason why an answer cannot be read: a refusal takes precedence over a cut. */
const obstacle = ({ finishReason, parts }: LlmResponse, text: string): Reason | undefined => {
  if (finishReason === "refusal" || parts.some((part) => part._tag === "Refusal")) {
    return Refused.make({ message: "the model declined to answer" })
  }
  switch (finishReason) {
    case "content_filter":
      return ContentFiltered.make({ message: "a content filter stopped the answer" })
    case "length":
      return OutputTruncated.make({ text, message: "the token limit cut the answer short" })
    case "context_window":
      return OutputTruncated.make({ text, message: "the model's context was full before the answer was whole" })
    default:
      return undefined
  }
}

/** The complaint about an answer that does not fit, based on the schema alone. */
const complaint = ({ issues, omittedIssues: omitted }: Invalid, property: string | undefined): string =>
  [
    "Your answer does not fit the schema:",
    ...Issues.lines(issues, { whole: "the answer", property, omitted }),
    "Answer again with the whole JSON, corrected, and nothing else."
  ].join("\n")

/** The arguments of a call as text. Some models write JSON in a string, or in a fence. */
const argumentsText = ({ arguments: args }: Message.ToolCall): string =>
  typeof args === "string" ? args : JSON.stringify(args) ?? ""

const sameText = (texts: ReadonlyArray<string>): string | undefined =>
  texts.every((text) => text === texts[0]) ? texts[0] : undefined

const modeOf = ({ besideTools, mode, model, provider }: Options): Either.Either<LlmProvider.OutputMode, Reason> => {
  if (mode === "native" && provider.schemaDialect === undefined) {
    const message = `${provider.name} takes no JSON Schema: leave out the mode, or choose another`
    return Either.left(UnsupportedFeature.make({ feature: "structured output: mode native", message }))
  }
  return Either.right(
    mode ?? provider.outputMode?.(model, besideTools) ?? (provider.schemaDialect === undefined ? "prompt" : "native")
  )
}

/** Prepares a schema for a provider, or gives the reason why the provider cannot take it. */
export const make = <A, I, R>(
  schema: Schema.Schema<A, I, R>,
  options: Options
): Either.Either<StructuredOutput<A, R>, Reason> =>
  Either.gen(function*() {
    const { description, provider, system, tools = [] } = options
    const mode = yield* modeOf(options)
    const inWords = mode === "json" || mode === "prompt"
    const wire = yield* JsonSchemaDialect.make(schema, inWords ? "plain" : provider.schemaDialect ?? "plain")
    const decode = decodeUnknown(schema, { errors: "all" })
    const name = options.name ?? wire.name ?? "answer"
    const tool = mode === "tool" ? name : undefined
    const instructed = [...system === undefined ? [] : [system], instructions(wire.schema)].join("\n\n")

    const request = (): StructuredOutput<A, R>["request"] => {
      switch (mode) {
        case "native":
          return { outputSchema: { name, schema: wire.schema, ...(description !== undefined && { description }) } }
        case "tool":
          return {
            outputSchema: undefined,
            toolChoice: { tool: name },
            tools: [...tools, {
              name,
              description: description ?? "Takes the answer. Call it once, with all of the answer.",
              parameters: wire.schema
            }]
          }
        case "json":
          return { system: instructed, outputSchema: undefined, outputFormat: "json" }
        case "prompt":
          return { system: instructed, outputSchema: undefined }
      }
    }

    const callsOf = (response: LlmResponse): ReadonlyArray<Message.ToolCall> =>
      response.toolCalls.filter((call) => call.name === tool)

    const read = (response: LlmResponse): Effect.Effect<A, Reason, R> =>
      Effect.suspend(() => {
        const calls = callsOf(response).map(argumentsText)
        // A model that cannot be forced to call the tool may have answered in words.
        const text = calls.length === 0 ? response.text : sameText(calls)
        const problem = obstacle(response, text ?? calls.join("\n"))
        if (problem !== undefined) return Effect.fail(problem)
        if (text === undefined) {
          return Effect.fail(
            invalid(calls.join("\n"), [{ path: "", expected: `one call of ${name}` }], "there is more than one answer")
          )
        }
        const json = JsonAnswer.find(text)
        return Option.isNone(json)
          ? Effect.fail(notJson(text))
          : Effect.mapError(decode(wire.read(json.value)), (issues) => misfit(text, issues))
      })

    const reask: StructuredOutput<A, R>["reask"] = (invalid, response) => {
      const calls = response === undefined ? [] : callsOf(response)
      const all = response?.toolCalls ?? []
      if (all.length > calls.length) return Option.none()
      const complained = complaint(invalid, wire.property)
      const [first, ...others] = calls.map(({ id, name }) =>
        Message.ToolResult.make({ id, name, result: complained, isError: true })
      )
      const answered: Message.Message = first === undefined
        ? { role: "user", content: [Message.Text.make({ text: complained })] }
        : { role: "tool", content: [first, ...others] }
      const answer = response?.message ??
        { role: "assistant", content: [Message.Text.make({ text: wellFormed(invalid.text) })] }
      // An empty turn is left out.
      return Option.some([...calls.length === 0 && invalid.text.trim() === "" ? [] : [answer], answered])
    }

    return {
      request: request(),
      tool,
      wire,
      read,
      invalidOf: (reason) =>
        reason._tag === "ToolArgumentsInvalid" && tool !== undefined && (reason.name ?? tool) === tool
          ? notJson(reason.raw)
          : undefined,
      reask
    }
  })
