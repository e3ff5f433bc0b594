import * as Schema from "effect/Schema"
import type { NamedStruct } from "../internal/namedStruct.js"
import { JsonObject, ProviderOptions } from "./providerOptions.js"
import * as Rules from "./requestRules.js"

/** The schema of a text that meets a rule. */
export const textOf = ({ description, is }: Rules.Rule<string>) =>
  Schema.String.pipe(Schema.filter((text) => is(text), { description }))

/** The schema of a number that meets a rule. */
export const numberOf = ({ description, is }: Rules.Rule<number>) =>
  Schema.Number.pipe(Schema.filter((n) => is(n), { description }))

/** A text that is not empty. */
export const notEmpty = textOf(Rules.notEmpty)

const toolFields = Schema.Struct({
  /** 1 to 128 characters of `A-Z a-z 0-9 _ -`. OpenAI takes up to 64. */
  name: textOf(Rules.name(128)),
  /** Tells the model what the tool does and when to use it. */
  description: Schema.optional(Schema.String),
  /** The JSON Schema of the arguments. */
  parameters: JsonObject,
  /** Asks the provider to hold the model to the schema, where it can. Default: the provider's own. */
  strict: Schema.optional(Schema.Boolean),
  /**
   * Raw fields for the tool's object in the wire format, by the name of the provider or its protocol: they override ours.
   * Default: none.
   */
  providerOptions: Schema.optional(ProviderOptions)
})

/**
 * A tool that the model may call, as a request states it. `LlmTool` makes one from a schema.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tool extends Schema.Schema.Type<typeof toolFields> {}

/**
 * A tool that the model may call, as a request states it. `LlmTool` makes one from a schema.
 *
 * @since 0.1.0
 * @category models
 */
export const Tool: NamedStruct<Tool, typeof toolFields.fields> = toolFields

/**
 * Whether the model may, must not or must call a tool, or which one it must call: a tool of the program, or one that the
 * provider runs, by its name.
 *
 * @since 0.1.0
 * @category models
 */
export const ToolChoice = Schema.Union(
  Schema.Literal("auto", "none", "required"),
  Schema.Struct({ tool: notEmpty })
)

/**
 * Whether the model may, must not or must call a tool, or which one it must call: a tool of the program, or one that the
 * provider runs, by its name.
 *
 * @since 0.1.0
 * @category models
 */
export type ToolChoice = typeof ToolChoice.Type

const outputSchemaFields = Schema.Struct({
  /** 1 to 64 characters of `A-Z a-z 0-9 _ -`. */
  name: textOf(Rules.name(64)),
  /** Tells the model what the value is for. */
  description: Schema.optional(Schema.String),
  /** The JSON Schema, in the dialect that the provider takes. */
  schema: JsonObject,
  /** Asks the provider to hold the model to the schema, where it can. Default: true. */
  strict: Schema.optional(Schema.Boolean)
})

/**
 * The JSON Schema that the answer has to fit.
 *
 * @since 0.1.0
 * @category models
 */
export interface OutputSchema extends Schema.Schema.Type<typeof outputSchemaFields> {}

/**
 * The JSON Schema that the answer has to fit.
 *
 * @since 0.1.0
 * @category models
 */
export const OutputSchema: NamedStruct<OutputSchema, typeof outputSchemaFields.fields> = outputSchemaFields

/**
 * How much a reasoning model should think.
 *
 * @since 0.1.0
 * @category models
 */
export const ReasoningEffort = Schema.Literal("none", "minimal", "low", "medium", "high", "xhigh", "max")

/**
 * How much a reasoning model should think.
 *
 * @since 0.1.0
 * @category models
 */
export type ReasoningEffort = typeof ReasoningEffort.Type

/**
 * Whether a model's thoughts are shown, and at which length: not (`none`), or summed up as the provider sees fit (`auto`),
 * in short (`concise`) or in full (`detailed`).
 *
 * @since 0.1.0
 * @category models
 */
export const ReasoningSummary = Schema.Literal("none", "auto", "concise", "detailed")

/**
 * Whether a model's thoughts are shown, and at which length.
 *
 * @since 0.1.0
 * @category models
 */
export type ReasoningSummary = typeof ReasoningSummary.Type

/**
 * How many words an answer should have.
 *
 * @since 0.1.0
 * @category models
 */
export const Verbosity = Schema.Literal("low", "medium", "high")

/**
 * How many words an answer should have.
 *
 * @since 0.1.0
 * @category models
 */
export type Verbosity = typeof Verbosity.Type

/**
 * The tier of service for a request: the account's own choice (`auto`), the ordinary one (`standard`), a cheaper one that
 * may take longer (`flex`), or a dearer one that is faster (`priority`). Other tiers of a provider go into
 * `providerOptions`.
 *
 * @since 0.1.0
 * @category models
 */
export const ServiceTier = Schema.Literal("auto", "standard", "flex", "priority")

/**
 * The tier of service for a request.
 *
 * @since 0.1.0
 * @category models
 */
export type ServiceTier = typeof ServiceTier.Type
