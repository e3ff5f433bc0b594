import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { InvalidRequest, type Reason, UnsupportedFeature } from "../domain/LlmError.js"
import type { Dialect, SchemaDialect } from "../LlmProvider.js"
import * as Json from "../wire/json.js"
import * as Dialects from "./dialects.js"
import { codecOf, nameOf, rootOf } from "./fromEffectSchema.js"
import { type JsonCodec, nothingYet } from "./jsonCodec.js"
import { begin, Inexpressible } from "./traversal.js"

/** A schema in the provider's dialect, and the conversions between the model's JSON and the schema's encoded form. */
export interface Wire {
  /** The author's name for the schema. */
  readonly name: string | undefined
  /** The JSON Schema; its root is an object. */
  readonly schema: Json.JsonObject
  /** The property that holds the value, if the schema itself is not an object; `undefined` if the root is the value. */
  readonly property: string | undefined
  /** Converts the answer's JSON to the schema's encoded form. */
  readonly read: (json: unknown) => unknown
  /** Converts the schema's encoded form to the JSON of the model's answer. */
  readonly write: (encoded: unknown) => unknown
  /** The codec of the answer's root, with its view of an unfinished answer. */
  readonly root: Pick<JsonCodec, "read" | "accepts" | "view">
}

type Ast = Schema.Schema.All["ast"]

const build = (ast: Ast, dialect: Dialect): Wire => {
  const root = rootOf(ast)
  const traversal = begin(dialect, root)
  const codec = codecOf(root, "", traversal)
  const definitions = [...traversal.definitions.values()].map(({ name, codec }) => [name, codec?.json ?? {}] as const)
  const { property, wrapped } = codec.json.type === "object"
    ? { wrapped: codec, property: undefined }
    : { wrapped: wrap(codec), property: wrapper }
  return {
    name: nameOf(root),
    property,
    schema: { ...wrapped.json, ...(definitions.length > 0 && { $defs: Object.fromEntries(definitions) }) },
    read: wrapped.read,
    write: wrapped.write,
    root: wrapped
  }
}

const wrapper = "value"

/** The value in its wrapper. A value without a wrapper is left as it is, even if it has a property of that name itself. */
const unwrapped = ({ accepts }: Pick<JsonCodec, "accepts">, json: unknown): unknown =>
  Json.isObject(json) && Object.hasOwn(json, wrapper) && (Object.keys(json).length === 1 || !accepts(json))
    ? json[wrapper]
    : json

/** The root has to be an object. A value without the wrapper is accepted, too. */
const wrap = (codec: JsonCodec): Pick<JsonCodec, "json" | "read" | "write" | "accepts" | "view"> => ({
  json: {
    type: "object",
    properties: { [wrapper]: codec.json },
    required: [wrapper],
    additionalProperties: false
  },
  read: (json) => codec.read(unwrapped(codec, json)),
  write: (encoded) => ({ [wrapper]: codec.write(encoded) }),
  accepts: (json) => codec.accepts(unwrapped(codec, json)),
  view: (kind) =>
    kind !== "object" ? undefined : {
      _tag: "Fields",
      wrap: (shown) => Json.isObject(shown) && wrapper in shown ? shown[wrapper] : nothingYet,
      field: (name) => name === wrapper ? { codec, isAbsent: (json) => json === undefined } : undefined
    }
})

const explain = ({ construct, path }: Inexpressible, dialect: Dialect): Reason =>
  UnsupportedFeature.make({
    feature: `structured output: ${path === "" ? "the root of the schema" : path}`,
    message: `${path === "" ? "the schema" : path} is ${construct}; ` +
      `JSON Schema${
        dialect === Dialects.plain ? "" : `, as the provider takes it (${dialect.name}),`
      } cannot express that`
  })

const oldPackage = InvalidRequest.make({
  field: "schema",
  message:
    "schema: expected a schema of \"effect/Schema\", not of the package @effect/schema, which effect has absorbed"
})

const compile = (ast: Ast, dialect: Dialect): Either.Either<Wire, Reason> => {
  try {
    return Either.right(build(ast, dialect))
  } catch (thrown) {
    if (thrown instanceof Inexpressible) return Either.left(explain(thrown, dialect))
    throw thrown
  }
}

const compiled = new WeakMap<Ast, WeakMap<Dialect, Either.Either<Wire, Reason>>>()

/** Translates a schema to a dialect of JSON Schema, once for each pair, or gives the reason why it cannot. */
export const make = (
  schema: Schema.Schema.All,
  dialectOrName: SchemaDialect | Dialect
): Either.Either<Wire, Reason> => {
  if (!Schema.isSchema(schema)) return Either.left(oldPackage)
  const dialect = Dialects.of(dialectOrName)
  const known = compiled.get(schema.ast) ?? new WeakMap<Dialect, Either.Either<Wire, Reason>>()
  compiled.set(schema.ast, known)
  const wire = known.get(dialect) ?? compile(schema.ast, dialect)
  known.set(dialect, wire)
  return wire
}
