import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"
import { InvalidRequest, type Reason, UnsupportedFeature } from "../domain/LlmError.js"
import type { Dialect, SchemaDialect } from "../LlmProvider.js"
import * as Json from "../wire/json.js"
import * as Dialects from "./dialects.js"
import { nameOf, shapeOf } from "./fromEffectSchema.js"
import { nothingYet, type Shape } from "./jsonCodec.js"
import { begin, Inexpressible } from "./traversal.js"

/** A schema as a provider takes it, and the way from the provider's answer to what the schema decodes. */
export interface Wire {
  /** The name that the schema's author gave it. */
  readonly name: string | undefined
  /** Its root is an object. */
  readonly schema: Json.JsonObject
  /** Where the value is: the root is an object, and what is none is a property of it. */
  readonly property: string | undefined
  /** From the answer's JSON to what the schema decodes from. */
  readonly read: (json: unknown) => unknown
  /** From what the schema encodes to, to the JSON that the model would answer with. */
  readonly write: (encoded: unknown) => unknown
  /** The answer's root, with what is shown of it before it is whole. */
  readonly root: Pick<Shape, "read" | "accepts" | "view">
}

const build = (ast: AST.AST, dialect: Dialect): Wire => {
  // A reference cannot be the root, but what it refers to can.
  const root = ast._tag === "Suspend" ? ast.f() : ast
  const walk = begin(dialect, root)
  const shape = shapeOf(root, "", walk)
  const definitions = [...walk.definitions.values()].map(({ name, shape }) => [name, shape?.json ?? {}] as const)
  const { property, wrapped } = shape.json.type === "object"
    ? { wrapped: shape, property: undefined }
    : { wrapped: wrap(shape), property: wrapper }
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

/** The root has to be an object. A value that comes without the wrapping is taken as well. */
const wrap = (shape: Shape): Pick<Shape, "json" | "read" | "write" | "accepts" | "view"> => ({
  json: {
    type: "object",
    properties: { [wrapper]: shape.json },
    required: [wrapper],
    additionalProperties: false
  },
  read: (json) =>
    typeof json === "object" && json !== null && wrapper in json ? shape.read(json[wrapper]) : shape.read(json),
  write: (encoded) => ({ [wrapper]: shape.write(encoded) }),
  accepts: (json) => shape.accepts(Json.isObject(json) && wrapper in json ? json[wrapper] : json),
  view: (kind) =>
    kind !== "object" ? undefined : {
      _tag: "Fields",
      wrap: (shown) => Json.isObject(shown) && wrapper in shown ? shown[wrapper] : nothingYet,
      field: (name) => name === wrapper ? { shape, isAbsent: (json) => json === undefined } : undefined
    }
})

const explain = ({ path, what }: Inexpressible, dialect: Dialect): Reason =>
  UnsupportedFeature.make({
    feature: `structured output: ${path === "" ? "the root of the schema" : path}`,
    message: `${path === "" ? "the schema" : path} is ${what}; ` +
      `JSON Schema${
        dialect === Dialects.plain ? "" : `, as the provider takes it (${dialect.name}),`
      } has no way to say so`
  })

const old = InvalidRequest.make({
  field: "schema",
  message:
    "schema: expected a schema of \"effect/Schema\", not of the package @effect/schema, which effect has absorbed"
})

const compile = (ast: AST.AST, dialect: Dialect): Either.Either<Wire, Reason> => {
  try {
    return Either.right(build(ast, dialect))
  } catch (thrown) {
    if (thrown instanceof Inexpressible) return Either.left(explain(thrown, dialect))
    throw thrown
  }
}

const compiled = new WeakMap<AST.AST, WeakMap<Dialect, Either.Either<Wire, Reason>>>()

/** Translates a schema to a dialect of JSON Schema, once; or gives the reason why it cannot. */
export const make = (
  schema: Schema.Schema.All,
  dialectOrName: SchemaDialect | Dialect
): Either.Either<Wire, Reason> => {
  if (!Schema.isSchema(schema)) return Either.left(old)
  const dialect = Dialects.of(dialectOrName)
  const known = compiled.get(schema.ast) ?? new WeakMap<Dialect, Either.Either<Wire, Reason>>()
  compiled.set(schema.ast, known)
  const wire = known.get(dialect) ?? compile(schema.ast, dialect)
  known.set(dialect, wire)
  return wire
}
