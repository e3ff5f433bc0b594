// In place of declarations: a union of Effect 4 has no `pluck`.
import * as SchemaAST from "effect/SchemaAST"

const reasons: ReadonlySet<unknown> = new Set(
  LlmError.Reason.ast.types.flatMap((reason) =>
    SchemaAST.isObjects(reason)
      ? reason.propertySignatures.flatMap(({ name, type }) =>
        name === "_tag" && SchemaAST.isLiteral(type) ? [type.literal] : []
      )
      : []
  )
)

const isReason = (name: string): boolean => reasons.has(name)
