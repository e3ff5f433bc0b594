import ts from "typescript"

/** Properties of objects that are given to Effect. */

/** Properties that Effect 4 does not have: the type id of a clock, and an option of spans. */
const isDropped = (property, api) => {
  const { name } = property
  if (name === undefined) return false
  if (ts.isComputedPropertyName(name)) {
    const member = api.memberOf(name.expression)
    return member?.module === "effect/Clock" && member.name === "ClockTypeId"
  }
  if (name.text === "context" && ts.isCallExpression(property.parent.parent)) {
    const member = api.memberOf(property.parent.parent.expression)
    return member?.module === "effect/Tracer" && member.name === "make"
  }
  return name.text === "captureStackTrace"
}

export const withoutDropped = (node, api) =>
  node.properties.some((property) => isDropped(property, api))
    ? `{ ${node.properties.filter((property) => !isDropped(property, api)).map(api.render).join(", ")} }`
    : undefined

/** The members of a clock, which tells monotone time, too, in Effect 4. A map has no `constructor`, as objects do. */
const clockNames = new Map([
  ["unsafeCurrentTimeMillis", "currentTimeMillisUnsafe"],
  ["unsafeCurrentTimeNanos", "currentTimeNanosUnsafe"]
])

export const clockMember = (node, api) => {
  const to = clockNames.get(node.name.text)
  if (to === undefined || !ts.isObjectLiteralExpression(node.parent)) return undefined
  const rest = ts.isShorthandPropertyAssignment(node)
    ? `: ${node.name.text}`
    : ts.isPropertyAssignment(node)
    ? `: ${api.render(node.initializer)}`
    : api.inner(node).slice(node.name.text.length)
  const monotone = node.name.text !== "unsafeCurrentTimeNanos" ? "" : `,\nmonotonicTimeNanosUnsafe${rest}`
  return `${to}${rest}${monotone}`
}

export const clockEffect = (node, api) =>
  node.name.text === "currentTimeNanos" && ts.isPropertyAssignment(node) &&
    node.parent.properties.some(({ name }) => name?.text === "unsafeCurrentTimeNanos")
    ? `${api.inner(node)},\nmonotonicTimeNanos: ${api.render(node.initializer)}`
    : undefined

/** The function of a tracer that makes spans takes one object. */
export const spanMaker = (node, api) => {
  if (node.name.text !== "span" || !ts.isPropertyAssignment(node) || !ts.isArrowFunction(node.initializer)) {
    return undefined
  }
  const call = node.parent.parent
  const member = ts.isCallExpression(call) ? api.memberOf(call.expression) : undefined
  if (member?.module !== "effect/Tracer" || member.name !== "make") return undefined
  const names = ["name", "parent", "annotations", "links", "startTime", "kind"]
  const given = node.initializer.parameters.map(({ name }, at) => `${names[at]}: ${name.getText(api.sourceFile)}`)
  return `span: ({ ${given.join(", ")} }) => ${api.render(node.initializer.body)}`
}

/** What a span was made with is its annotations. */
export const spanContext = (node, api) => {
  if (node.name.text !== "context") return undefined
  const property = api.checker.getContextualType(node.parent)?.getProperty("context")
  if (!property?.declarations?.[0]?.getSourceFile().fileName.endsWith("/effect/dist/dts/Tracer.d.ts")) return undefined
  return `annotations: ${ts.isShorthandPropertyAssignment(node) ? "context" : api.render(node.initializer)}`
}

/** The handler of an error of a schema, by its tag. */
export const schemaErrorHandler = (node, api) =>
  node.name.text === "ParseError" && ts.isPropertyAssignment(node)
    ? `SchemaError: ${api.render(node.initializer)}`
    : undefined

/** `disableValidation` of a constructor is `disableChecks`. */
export const validation = (node, api) =>
  node.name.text === "disableValidation" && ts.isPropertyAssignment(node)
    ? `disableChecks: ${api.render(node.initializer)}`
    : undefined

/** The message of an issue that a filter returns is its `issue`. */
export const filterIssue = (node, api) => {
  if (node.name.text !== "message" || !ts.isPropertyAssignment(node)) return undefined
  const siblings = node.parent.properties.map(({ name }) => name?.text)
  if (siblings.length !== 2 || !siblings.includes("path")) return undefined
  const contextual = api.checker.getContextualType(node.parent)
  const types = contextual === undefined ? [] : contextual.isUnion() ? contextual.types : [contextual]
  return types.some((type) =>
      type.getProperty("message")?.declarations?.[0]?.getSourceFile().fileName.endsWith("/effect/dist/dts/Schema.d.ts")
    )
    ? `issue: ${api.render(node.initializer)}`
    : undefined
}

export const property = (...rules) => (node, api) => {
  if (!ts.isIdentifier(node.name)) return undefined
  for (const rule of rules) {
    const text = rule(node, api)
    if (text !== undefined) return text
  }
  return undefined
}
