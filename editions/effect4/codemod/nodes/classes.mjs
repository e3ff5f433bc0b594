import ts from "typescript"

/** Services, references and errors, which are classes, and their types. */

/** `class X extends Context.Tag("id")<X, Service>() {}` → `Context.Service<X, Service>()("id")`. */
export const tagClass = (node, api) => {
  const { expression } = node
  if (!ts.isCallExpression(expression) || !ts.isCallExpression(expression.expression)) return undefined
  const member = api.memberOf(expression.expression.expression)
  if (member?.module !== "effect/Context" || member.name !== "Tag") return undefined
  const types = expression.typeArguments.map(api.render).join(", ")
  return `${api.use(node, "effect/Context", "Service")}<${types}>()(${api.args(expression.expression).join(", ")})`
}

/** `class X extends Context.Reference<X>()("id", { defaultValue })` → a constant, which is all that it is. */
export const referenceClass = (node, api) => {
  const heritage = node.heritageClauses?.[0]?.types[0]?.expression
  if (heritage === undefined || !ts.isCallExpression(heritage) || !ts.isCallExpression(heritage.expression)) {
    return undefined
  }
  const member = api.memberOf(heritage.expression.expression)
  if (member?.module !== "effect/Context" || member.name !== "Reference") return undefined
  const exported = node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ? "export " : ""
  const types = heritage.typeArguments === undefined ? "" : `<${heritage.typeArguments.map(api.render).join(", ")}>`
  return `${exported}const ${node.name.text} = ${api.use(node, "effect/Context", "Reference")}${types}(${
    api.args(heritage).join(", ")
  })`
}

/** The name of an error, in front of its message, is its tag; that of a schema in Effect 4 would be its identifier. */
export const taggedErrorClass = (node, api) => {
  const heritage = node.heritageClauses?.[0]?.types[0]?.expression
  if (heritage === undefined || !ts.isCallExpression(heritage) || !ts.isCallExpression(heritage.expression)) {
    return undefined
  }
  const member = api.memberOf(heritage.expression.expression)
  if (member?.module !== "effect/Schema" || member.name !== "TaggedError") return undefined
  const [tag] = api.args(heritage)
  return `${api.inner(node).slice(0, -1)}
  static {
    this.prototype.name = ${tag}
  }
}`
}

/** `Context.Tag<Id, Service>` as a type. */
export const tagType = (node, api) => {
  const member = ts.isQualifiedName(node.typeName) ? api.memberOf(node.typeName) : undefined
  if (member?.module !== "effect/Context" || member.name !== "Tag") return undefined
  return `${api.use(node, "effect/Context", "Key", { type: true })}<${node.typeArguments.map(api.render).join(", ")}>`
}

/** The type of a reference, which is no requirement: it has a value of its own. */
export const referenceType = (node, api) => {
  const declaration = api.resolved(node.typeName)?.declarations?.find(ts.isClassDeclaration)
  const heritage = declaration?.heritageClauses?.[0]?.types[0]?.expression
  const text = heritage === undefined ? "" : heritage.getText(declaration.getSourceFile())
  return text.startsWith("Context.Reference<") ? "never" : undefined
}

/** `Tag["Type"]` and `Tag.Type`, the service of a tag, have the name `Service`. */
export const serviceOfTag = (node, api) => {
  if (!ts.isLiteralTypeNode(node.indexType) || node.indexType.literal.text !== "Type") return undefined
  const type = api.checker.getTypeAtLocation(node.objectType)
  const declaration = type.getProperty("Type")?.declarations?.[0]
  if (declaration === undefined || !declaration.getSourceFile().fileName.includes("/effect/dist/dts/Context.d.ts")) {
    return undefined
  }
  return `${api.render(node.objectType)}["Service"]`
}
