import ts from "typescript"
import { referenceClass, referenceType, serviceOfTag, tagClass, taggedErrorClass, tagType } from "./classes.mjs"
import { asEffect } from "./effects.mjs"
import { eitherHandler, eitherTag } from "./either.mjs"
import { fiberId, pollAssertion, polled, polledNull } from "./fibers.mjs"
import {
  clockEffect,
  clockMember,
  filterIssue,
  property,
  schemaErrorHandler,
  spanContext,
  spanMaker,
  validation,
  withoutDropped
} from "./objects.mjs"
import { caseConstructor, codecHeritage, codecType, levelTag, nestedType } from "./types.mjs"

/** `"Warning"` where it is a level: that of Effect 4 has another name. */
const warningLevel = (node, api) => {
  if (node.text !== "Warning") return undefined
  const type = api.checker.getContextualType(node)
  const levels = type?.isUnion() === true ? type.types.map(({ value }) => value) : []
  return levels.includes("Fatal") && levels.includes("Trace") ? "\"Warn\"" : undefined
}

/** The tag of an error of a schema. */
const schemaErrorTag = (node) => node.text === "ParseError" ? "\"SchemaError\"" : undefined

/** `_tag`, `error` and `defect` of a cause, which is a list of reasons. */
const causeProperty = (node, api) => {
  const { name } = node
  if (!["_tag", "error", "defect"].includes(name.text)) return undefined
  if (api.propertyOf(name)?.module !== "effect/Cause") return undefined
  const optional = name.text === "_tag" ? "?." : "."
  return `${api.render(node.expression)}.reasons[0]${optional}${name.text}`
}

/** `it.effect.prop(…)`: the arbitraries of fast-check are checked by a function of the edition's own. */
const propertyTest = (node, api) => {
  if (!ts.isPropertyAccessExpression(node.expression)) return undefined
  const property = api.propertyOf(node.expression.name)
  if (property?.module !== "@effect/vitest" || property.name !== "prop") return undefined
  const name = property.owner === "Tester" ? "effectProp" : "prop"
  return `${api.own("test/support/properties.ts", name)}(${api.args(node).join(", ")})`
}

/** Rules for each expression, before those of its kind. */
export const expressions = [asEffect]

/** Rules by the kind of a node, in their order. */
export const nodes = {
  [ts.SyntaxKind.StringLiteral]: [eitherTag, warningLevel, schemaErrorTag],
  [ts.SyntaxKind.NullKeyword]: [polledNull],
  [ts.SyntaxKind.ObjectLiteralExpression]: [withoutDropped],
  [ts.SyntaxKind.PropertyAssignment]: [
    property(
      eitherHandler,
      schemaErrorHandler,
      spanMaker,
      spanContext,
      validation,
      filterIssue,
      clockMember,
      clockEffect
    )
  ],
  [ts.SyntaxKind.ShorthandPropertyAssignment]: [property(eitherHandler, spanContext, clockMember)],
  [ts.SyntaxKind.MethodDeclaration]: [property(eitherHandler, clockMember)],
  [ts.SyntaxKind.ExpressionWithTypeArguments]: [tagClass, codecHeritage],
  [ts.SyntaxKind.ClassDeclaration]: [referenceClass, taggedErrorClass],
  [ts.SyntaxKind.TypeReference]: [caseConstructor, tagType, referenceType, codecType],
  [ts.SyntaxKind.QualifiedName]: [nestedType],
  [ts.SyntaxKind.IndexedAccessType]: [serviceOfTag, levelTag],
  [ts.SyntaxKind.BinaryExpression]: [polled],
  [ts.SyntaxKind.CallExpression]: [fiberId, pollAssertion, propertyTest],
  [ts.SyntaxKind.PropertyAccessExpression]: [nestedType, causeProperty]
}
