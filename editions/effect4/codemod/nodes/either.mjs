import ts from "typescript"

/** The two sides of an `Either`. */

const tagsOfEither = new Map([["Left", "Failure"], ["Right", "Success"]])

/** `"Left"` where it is compared with the tag of an `Either`, by itself or as one of two. */
export const eitherTag = (node, api) => {
  const to = tagsOfEither.get(node.text)
  if (to === undefined) return undefined
  let side = node
  while (ts.isConditionalExpression(side.parent)) side = side.parent
  const { parent } = side
  const compared = ts.isBinaryExpression(parent)
    ? parent.left === side ? parent.right : parent.left
    : ts.isCaseClause(parent)
    ? parent.parent.parent.expression
    : ts.isCallExpression(parent)
    ? parent.arguments.find((argument) => argument !== side)
    : undefined
  if (compared === undefined || !ts.isPropertyAccessExpression(compared)) return undefined
  return api.propertyOf(compared.name)?.module === "effect/Either" ? `"${to}"` : undefined
}

const handlersOfEither = new Map([["onLeft", "onFailure"], ["onRight", "onSuccess"]])

/** `onLeft` in what is given to `Either.match`. */
export const eitherHandler = (node, api) => {
  const to = handlersOfEither.get(node.name.text)
  if (to === undefined) return undefined
  const symbol = api.checker.getContextualType(node.parent)?.getProperty(node.name.text)
  const owner = symbol?.declarations?.[0]?.getSourceFile().fileName
  if (owner === undefined || !owner.includes("/effect/dist/dts/")) return undefined
  if (ts.isShorthandPropertyAssignment(node)) return `${to}: ${node.name.text}`
  if (ts.isMethodDeclaration(node)) {
    return `${to}${api.sourceFile.text.slice(node.name.end, node.end)}`
  }
  return `${to}: ${api.render(node.initializer)}`
}
