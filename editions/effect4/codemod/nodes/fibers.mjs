import ts from "typescript"

/** What a fiber says of itself. */

/** `fiber.id()`: a number, which is there. */
export const fiberId = (node, api) => {
  if (!ts.isPropertyAccessExpression(node.expression)) return undefined
  const property = api.propertyOf(node.expression.name)
  return property?.key === "effect/Fiber#RuntimeFiber.id" ? `${api.render(node.expression.expression)}.id` : undefined
}

/** A fiber that has not ended polls as `undefined`, and no longer as `null`. */
export const polled = (node, api) => {
  const { left, operatorToken, right } = node
  if (right.kind !== ts.SyntaxKind.NullKeyword) return undefined
  if (ts.isPropertyAccessExpression(left) || !ts.isIdentifier(left) && !ts.isCallExpression(left)) return undefined
  const symbol = api.resolved(left)
  const type = symbol?.valueDeclaration === undefined
    ? api.checker.getTypeAtLocation(left)
    : api.checker.getTypeOfSymbolAtLocation(symbol, symbol.valueDeclaration)
  const members = type.isUnion() ? type.types : [type]
  return members.some((member) => api.moduleOfType(member) === "effect/Exit")
    ? `${api.render(left)} ${operatorToken.getText(api.sourceFile)} undefined`
    : undefined
}

/** `null` where it is compared with the exit of a poll, as in `assert.strictEqual(fiber.unsafePoll(), null)`. */
export const polledNull = (node, api) => {
  const { parent } = node
  if (!ts.isCallExpression(parent)) return undefined
  return parent.arguments.some((argument) => argument !== node && holdsExit(argument, api)) ? "undefined" : undefined
}

/** `assert.isNull(fiber.unsafePoll())`. */
export const pollAssertion = (node, api) => {
  if (!ts.isPropertyAccessExpression(node.expression)) return undefined
  const to = new Map([["isNull", "isUndefined"], ["isNotNull", "isDefined"]]).get(node.expression.name.text)
  const [argument, ...others] = node.arguments
  if (to === undefined || argument === undefined || !holdsExit(argument, api)) return undefined
  return `${api.render(node.expression.expression)}.${to}(${[argument, ...others].map(api.render).join(", ")})`
}

const holdsExit = (expression, api) => {
  const symbol = ts.isIdentifier(expression) ? api.resolved(expression) : undefined
  const type = symbol?.valueDeclaration === undefined
    ? api.checker.getTypeAtLocation(expression)
    : api.checker.getTypeOfSymbolAtLocation(symbol, symbol.valueDeclaration)
  return (type.isUnion() ? type.types : [type]).some((member) => api.moduleOfType(member) === "effect/Exit")
}
