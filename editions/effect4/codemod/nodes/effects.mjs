import ts from "typescript"

/** Values that are no longer effects. */

/** Whether a type is one of a module of Effect: `isOf(type, "effect/Either")`. A union, if all of its members are. */
const isOf = (type, module, api) =>
  type.isUnion()
    ? type.types.every((member) => isOf(member, module, api))
    : api.moduleOfType(type) === module && type.flags !== ts.TypeFlags.Any

const mayBeEffect = (type, api) =>
  type.isUnion()
    ? type.types.some((member) => mayBeEffect(member, api))
    : type.symbol?.name === "Effect" && api.moduleOfType(type) === "effect/Effect"

const fromModule = (module, name) => (node, { use }) => use(node, module, name)

/** What was an effect itself, and has a function that makes one of it. */
const effects = {
  "effect/Either": fromModule("effect/Effect", "fromResult"),
  "effect/Option": fromModule("effect/Effect", "fromOption"),
  "effect/Fiber": fromModule("effect/Fiber", "join"),
  "effect/Deferred": (_, { own }) => own("src/runtime/woken.ts", "awaitDeferred"),
  "effect/Ref": fromModule("effect/Ref", "get")
}

/** Wraps a value that stands where an effect is wanted. */
export const asEffect = (node, api) => {
  if (api.wrapping.has(node) || ts.isIdentifier(node) && !api.isReference(node)) return undefined
  const yielded = ts.isYieldExpression(node.parent) && node.parent.asteriskToken !== undefined
  if (yielded && isOwnGenerator(node, api)) return undefined
  const contextual = yielded ? undefined : api.checker.getContextualType(node)
  if (!yielded && (contextual === undefined || !mayBeEffect(contextual, api))) return undefined
  if (ts.isConditionalExpression(node) || ts.isParenthesizedExpression(node)) return undefined
  const type = api.checker.getTypeAtLocation(node)
  if (!yielded && isEitherIn(contextual, api)) return undefined
  for (const [module, wrap] of Object.entries(effects)) {
    if (!isOf(type, module, api)) continue
    api.wrapping.add(node)
    return `${wrap(node, api)}(${api.render(node)})`
  }
  return undefined
}

/** Whether a generator is that of `Either.gen` or `Option.gen`, which yields what it is named after. */
const isOwnGenerator = (node, api) => {
  const body = ts.findAncestor(node, (at) => ts.isFunctionExpression(at) && at.asteriskToken !== undefined)
  const member = body !== undefined && ts.isCallExpression(body.parent)
    ? api.memberOf(body.parent.expression)
    : undefined
  return member?.name === "gen" && (member.module === "effect/Either" || member.module === "effect/Option")
}

const isEitherIn = (type, api) =>
  type.isUnion() ? type.types.some((member) => isEitherIn(member, api)) : api.moduleOfType(type) === "effect/Either"
