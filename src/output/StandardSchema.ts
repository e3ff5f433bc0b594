/**
 * Schemas of other libraries than Effect's: Zod, Valibot, ArkType and whichever else follows
 * [Standard Schema](https://standardschema.dev). `LlmClient.object` and the parameters of a tool take them as they are,
 * if they can tell their JSON Schema (Standard JSON Schema: Zod from 4.2, ArkType from 2.1.28, Valibot by
 * `toStandardJsonSchema` of `@valibot/to-json-schema`). What tells it apart goes through `from`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import { hasProperty, isFunction } from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import type * as Json from "../wire/json.js"
import * as ForeignJsonSchema from "./foreignJsonSchema.js"
import { type Issue, toParseIssue } from "./standardIssue.js"

// The interfaces are those of the specification, as far as they are used: it is made to be copied.

/**
 * What comes of validating a value.
 *
 * @since 0.1.0
 * @category models
 */
export type Result<A> =
  | { readonly value: A; readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<Issue> }

/**
 * A schema of any library that follows Standard Schema, version 1.
 *
 * @since 0.1.0
 * @category models
 */
export interface StandardSchema<out A> {
  readonly "~standard": {
    readonly version: 1
    /** The name of the library. */
    readonly vendor: string
    readonly validate: (value: unknown) => Result<A> | Promise<Result<A>>
    readonly types?: { readonly input: unknown; readonly output: A } | undefined
  }
}

/**
 * A schema that follows Standard JSON Schema as well: one that can tell the JSON Schema of what it takes.
 *
 * @since 0.1.0
 * @category models
 */
export interface WithJsonSchema<out A> extends StandardSchema<A> {
  readonly "~standard": StandardSchema<A>["~standard"] & {
    readonly jsonSchema: {
      /** May throw where the library cannot write it. */
      readonly input: (options: { readonly target: "draft-2020-12" }) => { readonly [keyword: string]: unknown }
    }
  }
}

/**
 * A schema of Effect's, or one of another library that can tell its JSON Schema.
 *
 * @since 0.1.0
 * @category models
 */
export type AnySchema<A, I, R> = Schema.Schema<A, I, R> | WithJsonSchema<A>

/**
 * What can be said about a schema of another library.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The JSON Schema of what it takes, in draft 2020-12 or 7. Default: what the schema tells itself.
   */
  readonly jsonSchema?: { readonly [keyword: string]: unknown } | undefined
}

const isForeign = (schema: unknown): schema is StandardSchema<unknown> =>
  hasProperty(schema, "~standard") && hasProperty(schema["~standard"], "validate")

const tell = (schema: StandardSchema<unknown>): Json.JsonObject => {
  const { vendor } = schema["~standard"]
  if (!hasProperty(schema["~standard"], "jsonSchema")) {
    throw new Error(`${vendor} tells none: give it to StandardSchema.from as the option jsonSchema`)
  }
  const { jsonSchema } = schema["~standard"]
  const input = hasProperty(jsonSchema, "input") ? jsonSchema.input : undefined
  const json: unknown = isFunction(input) ? input({ target: "draft-2020-12" }) : undefined
  if (typeof json !== "object" || json === null) throw new Error(`${vendor} tells none`)
  return { ...json }
}

const convert = <A>(schema: StandardSchema<A>, jsonSchema: Json.JsonObject | undefined): Schema.Schema<A, unknown> => {
  // Once: references into it are known by what they refer to.
  let document = jsonSchema
  const source = () => (document ??= tell(schema))
  return Schema.transformOrFail(Schema.Unknown, Schema.make<A>(AST.unknownKeyword), {
    strict: true,
    decode: (value, _, ast) => {
      const finish = (result: Result<A>) =>
        result.issues === undefined
          ? ParseResult.succeed(result.value)
          : ParseResult.fail(toParseIssue(result.issues, ast, value))
      const result = schema["~standard"].validate(value)
      return result instanceof Promise ? Effect.flatMap(Effect.promise(() => result), finish) : finish(result)
    },
    encode: (value, _, ast) => ParseResult.fail(new ParseResult.Forbidden(ast, value, "Standard Schema only decodes"))
  }).annotations(ForeignJsonSchema.annotations(source))
}

const converted = new WeakMap<StandardSchema<unknown>, Schema.Schema.All>()

/**
 * Makes a schema of Effect's from one of another library. It validates (at once or asynchronously) as that library does,
 * and tells the JSON Schema that the schema tells, or the one that is given. It does not encode.
 *
 * What JSON Schema has no word for (a `Date` of Zod) fails with `UnsupportedFeature` when it is used.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { StandardSchema } from "effect-llm"
 * import * as z from "zod"
 *
 * const River = z.object({ name: z.string(), kilometers: z.number().optional() })
 *
 * // Among Effect's own
 * const Answer = Schema.Struct({ rivers: Schema.Array(StandardSchema.from(River)), source: Schema.String })
 *
 * Schema.decodeUnknownSync(Answer)({ rivers: [{ name: "Elbe" }], source: "an atlas" }).rivers[0]?.name // => "Elbe"
 * ```
 */
export const from: {
  <A>(schema: WithJsonSchema<A>): Schema.Schema<A, unknown>
  <A>(
    schema: StandardSchema<A>,
    options: Options & { readonly jsonSchema: { readonly [keyword: string]: unknown } }
  ): Schema.Schema<A, unknown>
} = <A>(schema: StandardSchema<A>, options: Options = {}): Schema.Schema<A, unknown> =>
  convert(schema, options.jsonSchema)

/**
 * Whether a value is a schema of another library that follows Standard Schema.
 *
 * @since 0.1.0
 * @category refinements
 */
export const isStandardSchema = (schema: unknown): schema is StandardSchema<unknown> =>
  isForeign(schema) && !Schema.isSchema(schema)

/**
 * The schema of Effect's that a schema of another library stands for, made once.
 *
 * @internal
 */
export const adopt = (schema: StandardSchema<unknown>): Schema.Schema.All => {
  const known = converted.get(schema) ?? convert(schema, undefined)
  converted.set(schema, known)
  return known
}

/**
 * The schema of Effect's that any schema is or stands for.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toSchema = <A, I = unknown, R = never>(schema: AnySchema<A, I, R>): Schema.Schema<A, I, R> =>
  // What another library encodes to is not known, and it needs no services: that is what is inferred of it.
  (isStandardSchema(schema) ? adopt(schema) : schema) as Schema.Schema<A, I, R>
