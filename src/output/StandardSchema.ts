/**
 * Schemas of libraries other than Effect: Zod, Valibot, ArkType and all others that follow
 * [Standard Schema](https://standardschema.dev). `LlmClient.object` and the parameters of a tool accept them directly if
 * they can write their JSON Schema (Standard JSON Schema: Zod from 4.2, ArkType from 2.1.28, Valibot with
 * `toStandardJsonSchema` of `@valibot/to-json-schema`). For others, `from` takes the JSON Schema as an option.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { hasProperty, isFunction } from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Json from "../wire/json.js"
import * as ForeignJsonSchema from "./foreignJsonSchema.js"
import { decodesOnly, type Issue, toParseIssue } from "./standardIssue.js"

// The parts of the specification's interfaces that are used here. The specification is made to be copied.

/**
 * The result of validating a value.
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
 * A schema that also follows Standard JSON Schema: it can write the JSON Schema of its input.
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
 * A schema of Effect, or one of another library that can write its JSON Schema.
 *
 * @since 0.1.0
 * @category models
 */
export type AnySchema<A, I, R> = Schema.Schema<A, I, R> | WithJsonSchema<A>

/**
 * Options for a schema of another library.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The JSON Schema of its input, in draft 2020-12 or 7. Default: the one that the schema writes. */
  readonly jsonSchema?: { readonly [keyword: string]: unknown } | undefined
}

const isForeign = (schema: unknown): schema is StandardSchema<unknown> =>
  hasProperty(schema, "~standard") && hasProperty(schema["~standard"], "validate")

const jsonSchemaOf = (schema: StandardSchema<unknown>): Json.JsonObject => {
  const { vendor } = schema["~standard"]
  if (!hasProperty(schema["~standard"], "jsonSchema")) {
    throw new Error(`${vendor} writes none: pass it to StandardSchema.from as the option jsonSchema`)
  }
  const { jsonSchema } = schema["~standard"]
  const input = hasProperty(jsonSchema, "input") ? jsonSchema.input : undefined
  const json: unknown = isFunction(input) ? input({ target: "draft-2020-12" }) : undefined
  if (typeof json !== "object" || json === null) throw new Error(`${vendor} writes none`)
  return { ...json }
}

const convert = <A>(schema: StandardSchema<A>, jsonSchema: Json.JsonObject | undefined): Schema.Schema<A, unknown> => {
  // Written once, as references into it are identified by their targets.
  let document = jsonSchema
  const source = () => (document ??= jsonSchemaOf(schema))
  return Schema.transformOrFail(Schema.Unknown, Schema.make<A>(Schema.Unknown.ast), {
    strict: true,
    decode: (value, _, ast) => {
      const finish = (result: Result<A>) =>
        result.issues === undefined
          ? Effect.succeed(result.value)
          : Effect.fail(toParseIssue(result.issues, ast, value))
      const result = schema["~standard"].validate(value)
      return result instanceof Promise ? Effect.flatMap(Effect.promise(() => result), finish) : finish(result)
    },
    encode: (value, _, ast) => Effect.fail(decodesOnly(ast, value))
  }).annotations(ForeignJsonSchema.annotations(source))
}

const converted = new WeakMap<StandardSchema<unknown>, Schema.Schema.All>()

/**
 * Makes a schema of Effect from one of another library. It validates (synchronously or asynchronously) with that library,
 * and has the JSON Schema that the library writes, or the given one. It does not encode.
 *
 * A type that JSON Schema cannot express (a `Date` of Zod) fails with `UnsupportedFeature` when it is used.
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
 * // Inside schemas of Effect
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
 * The schema of Effect for a schema of another library, made once.
 *
 * @internal
 */
export const adopt = (schema: StandardSchema<unknown>): Schema.Schema.All => {
  const known = converted.get(schema) ?? convert(schema, undefined)
  converted.set(schema, known)
  return known
}

/**
 * Any schema as a schema of Effect.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toSchema = <A, I = unknown, R = never>(schema: AnySchema<A, I, R>): Schema.Schema<A, I, R> =>
  // The encoded type of another library is unknown, and it needs no services: these are the inferred I and R.
  (isStandardSchema(schema) ? adopt(schema) : schema) as Schema.Schema<A, I, R>
