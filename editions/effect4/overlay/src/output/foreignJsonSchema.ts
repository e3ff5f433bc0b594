// In place of declarations: the annotations of an AST of Effect 4 have names, and may be absent.

const annotationId = "effect-llm/ForeignJsonSchema"

export const find = (ast: Schema.Top["ast"], path: string): Json.JsonObject | undefined => {
  const source = ast.annotations?.[annotationId] as Source | undefined
  try {
    return source?.()
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown)
    throw new Inexpressible(path, `a schema whose library has no JSON Schema for it (${why})`)
  }
}
