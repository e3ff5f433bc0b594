import * as Option from "effect/Option"
import * as AST from "effect/SchemaAST"
import type * as Json from "../wire/json.js"
import { Inexpressible } from "./traversal.js"

// A schema of another library tells its JSON Schema itself: Effect's own would have nothing to say about it.

const annotationId = Symbol.for("effect-llm/ForeignJsonSchema")

/** Gives a schema's JSON Schema. May throw where the library cannot write it. */
export type Source = () => Json.JsonObject

/** The annotation of a schema that has its JSON Schema from elsewhere. */
export const annotations = (source: Source): AST.Annotations => ({ [annotationId]: source })

/** The JSON Schema that a schema has from elsewhere. Throws `Inexpressible` where its library cannot write it. */
export const find = (ast: AST.AST, path: string): Json.JsonObject | undefined => {
  const source = Option.getOrUndefined(AST.getAnnotation<Source>(annotationId)(ast))
  try {
    return source?.()
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown)
    throw new Inexpressible(path, `a schema whose library has no JSON Schema for it (${why})`)
  }
}
