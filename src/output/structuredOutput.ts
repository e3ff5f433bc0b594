import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import type * as Schema from "effect/Schema"
import { ContentFiltered, OutputInvalid, OutputTruncated, type Reason, Refused } from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import * as Message from "../domain/Message.js"
import { fromParseIssue, type SchemaIssue } from "../domain/schemaIssue.js"
import type { SchemaDialect } from "../LlmProvider.js"
import * as Issues from "./issues.js"
import * as JsonAnswer from "./jsonAnswer.js"
import * as JsonSchemaDialect from "./jsonSchemaDialect.js"

/** How a model is asked for a value, and how its answer becomes one. */
export interface StructuredOutput<A, R> {
  /** What goes into the request: the schema as the provider takes it, or in words. */
  readonly request: Pick<LlmRequest.Settings, "outputSchema" | "system">
  /** The value of an answer, or why it has none. */
  readonly read: (response: LlmResponse) => Effect.Effect<A, Reason, R>
  /** The next turns after an answer that did not fit. */
  readonly reask: (response: LlmResponse, invalid: typeof OutputInvalid.Type) => ReadonlyArray<Message.Message>
}

/** How a schema is put to the model. */
export interface Options {
  /** What the provider takes in `outputSchema`; `undefined`: the model is told in words. */
  readonly dialect: SchemaDialect | undefined
  readonly name: string | undefined
  readonly description: string | undefined
  /** The caller's own instructions. */
  readonly system: string | undefined
}

const instructions = (schema: unknown): string =>
  `Answer with JSON that fits this JSON Schema, and nothing else: ${JSON.stringify(schema)}`

const invalid = (text: string, issues: ReadonlyArray<SchemaIssue>, message: string) =>
  OutputInvalid.make({ text, issues, message })

/** What stands in the way of reading an answer: that it is none comes before that it is not whole. */
const obstacle = (response: LlmResponse): Reason | undefined => {
  const { finishReason, parts, text } = response
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

/** What the model is told of an answer that does not fit: nothing that was not said by the schema. */
const complaint = (issues: ReadonlyArray<SchemaIssue>, property: string | undefined): string =>
  [
    "Your answer does not fit the schema:",
    ...Issues.lines(issues, { whole: "the answer", property }),
    "Answer again with the whole JSON, corrected, and nothing else."
  ].join("\n")

/** Makes the structured output of a schema; or tells why the schema cannot be put to the provider. */
export const make = <A, I, R>(
  schema: Schema.Schema<A, I, R>,
  { description, dialect, name, system }: Options
): Either.Either<StructuredOutput<A, R>, Reason> =>
  Either.map(JsonSchemaDialect.make(schema, dialect ?? "plain"), (wire) => {
    const decode = ParseResult.decodeUnknown(schema, { errors: "all" })
    const told = [...system === undefined ? [] : [system], instructions(wire.schema)].join("\n\n")
    return {
      request: dialect === undefined ? { system: told, outputSchema: undefined } : {
        outputSchema: {
          name: name ?? wire.name ?? "answer",
          schema: wire.schema,
          ...(description !== undefined && { description })
        }
      },
      read: (response) =>
        Effect.suspend((): Effect.Effect<A, Reason, R> => {
          const { text } = response
          const problem = obstacle(response)
          if (problem !== undefined) return Effect.fail(problem)
          const json = JsonAnswer.find(text)
          return Option.isNone(json)
            ? Effect.fail(invalid(text, [{ path: "", expected: "one JSON value" }], "the answer is not JSON"))
            : Effect.mapError(
              decode(wire.read(json.value)),
              (issue) => invalid(text, fromParseIssue(issue), "the answer does not fit the schema")
            )
        }),
      reask: (response, { issues }) => [
        ...response.text.trim() === "" ? [] : [response.message],
        { role: "user", content: [Message.Text.make({ text: complaint(issues, wire.property) })] }
      ]
    }
  })
