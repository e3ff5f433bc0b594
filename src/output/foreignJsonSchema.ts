import type * as Schema from "effect/Schema"
import type * as Json from "../wire/json.js"
import { Inexpressible } from "./traversal.js"

// A schema of another library writes its JSON Schema itself, as Effect knows nothing about its type.

const annotationId = Symbol.for("effect-llm/ForeignJsonSchema")

/** Writes the JSON Schema of a schema. May throw if the library cannot. */
export type Source = () => Json.JsonObject

/** The annotation of a schema whose JSON Schema another library writes. */
export const annotations = (source: Source) => ({ [annotationId]: source })

/** The JSON Schema that another library writes, if there is one. Throws `Inexpressible` if the library cannot write it. */
export const find = (ast: Schema.Schema.All["ast"], path: string): Json.JsonObject | undefined => {
  const source = ast.annotations[annotationId] as Source | undefined
  try {
    return source?.()
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown)
    throw new Inexpressible(path, `a schema whose library has no JSON Schema for it (${why})`)
  }
}
