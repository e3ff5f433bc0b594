import ts from "typescript"

/** Names in a file: the modules that they come from, and the statements that declare or use them. */

/** The name of a module by the file that declares it: `effect/Stream`, `@effect/platform/HttpClient`. */
export const moduleOfFile = (file) => {
  const found = /node_modules\/(effect|@effect\/[\w-]+)\/dist\/dts\/(.+)\.d\.ts$/.exec(file)
  if (found === null) return undefined
  return found[2] === "index" ? found[1] : `${found[1]}/${found[2]}`
}

export const lastSegment = (specifier) => specifier.slice(specifier.lastIndexOf("/") + 1)

export const isBarrel = (specifier) => specifier === "effect" || /^@effect\/[\w-]+$/.test(specifier)

export const isEffectModule = (specifier) => /^(effect|@effect\/[\w-]+)(\/|$)/.test(specifier)

export const parsed = (text) => ts.createSourceFile("text.ts", text, ts.ScriptTarget.ES2022, true)

/** All names that a file gives to something, and so an import must not take. */
export const namesDeclaredIn = (sourceFile) => {
  const names = new Set()
  const visit = (node) => {
    const { name } = node
    if (name !== undefined && ts.isIdentifier(name) && !ts.isPropertyAccessExpression(node) && !isMember(node)) {
      names.add(name.text)
    }
    ts.forEachChild(node, visit)
  }
  visit(sourceFile)
  return names
}

/** A declaration of a member of a type, an object or a module, whose name is in nobody's way. */
export const isMember = (node) =>
  ts.isPropertySignature(node) || ts.isPropertyAssignment(node) || ts.isPropertyDeclaration(node) ||
  ts.isMethodSignature(node) || ts.isMethodDeclaration(node) || ts.isEnumMember(node)

/** The identifiers of a text that stand for something, each with whether it is used as a value or as a type only. */
export const usageOf = (text) => {
  const usage = new Map()
  const visit = (node, inType) => {
    if (ts.isIdentifier(node) && isReference(node)) {
      if (!inType || !usage.has(node.text)) usage.set(node.text, inType ? "type" : "value")
      return
    }
    if (ts.isShorthandPropertyAssignment(node)) usage.set(node.name.text, "value")
    const within = inType || ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node) ||
      ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)
    ts.forEachChild(
      node,
      (child) => visit(child, within || ts.isHeritageClause(node) && node.token === ts.SyntaxKind.ImplementsKeyword)
    )
  }
  visit(parsed(text), false)
  return usage
}

/** Whether an identifier stands for what it names, and is no name of a member or a declaration. */
export const isReference = (node) => {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isQualifiedName(parent)) return parent.left === node
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node
  if (ts.isImportSpecifier(parent) || ts.isNamespaceImport(parent) || ts.isExportSpecifier(parent)) return false
  if (ts.isShorthandPropertyAssignment(parent)) return false
  return !("name" in parent && parent.name === node)
}

/** The names that a statement at the top of a file declares. What it adds to a module of Effect has the name of that. */
export const namesOf = (statement) =>
  ts.isVariableStatement(statement)
    ? statement.declarationList.declarations.flatMap(({ name }) => ts.isIdentifier(name) ? [name.text] : [])
    : ts.isModuleDeclaration(statement) && ts.isStringLiteral(statement.name)
    ? [`module ${lastSegment(statement.name.text)}`]
    : statement.name !== undefined && ts.isIdentifier(statement.name)
    ? [statement.name.text]
    : []
