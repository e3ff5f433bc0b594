import * as path from "node:path"
import ts from "typescript"
import {
  isBarrel,
  isEffectModule,
  isReference,
  lastSegment,
  moduleOfFile,
  namesDeclaredIn,
  namesOf,
  usageOf
} from "./names.mjs"

/**
 * Rewrites one file from the API of Effect 3 to that of Effect 4. Names are resolved by the type checker of the program
 * for Effect 3, so that a local `left` is never taken for that of an `Either`. The text between the nodes that change
 * is kept as it is.
 */

/**
 * @param {object} options
 * @param {ts.SourceFile} options.sourceFile
 * @param {ts.TypeChecker} options.checker
 * @param {object} options.rules `modules`, `members`, `properties` and `nodes`; see their files
 * @param {ts.SourceFile} [options.overlay] declarations of Effect 4, each in place of the one of the same name
 * @returns {{ text: string, uses: Array<{ module: string, name: string, line: number }>, problems: string[] }}
 */
export const rewrite = ({ checker, overlay, rules, sourceFile }) => {
  const uses = []
  const problems = []
  const declared = namesDeclaredIn(sourceFile)
  /** The imports of the new file: target module → its alias, and whether values are used of it. */
  const imports = new Map()

  const lineOf = (node) => sourceFile.getLineAndCharacterOfPosition(node.getStart(sourceFile)).line + 1

  const problem = (node, message) => {
    problems.push(`${sourceFile.fileName}:${lineOf(node)}: ${message}`)
  }

  // -------------------------------------------------------------------------------------------------------------------
  // What names stand for
  // -------------------------------------------------------------------------------------------------------------------

  const resolved = (node) => {
    const symbol = checker.getSymbolAtLocation(node)
    return symbol !== undefined && (symbol.flags & ts.SymbolFlags.Alias) !== 0
      ? checker.getAliasedSymbol(symbol)
      : symbol
  }

  /** The module of Effect that an identifier stands for. */
  const moduleOf = (node) => {
    if (!ts.isIdentifier(node)) return undefined
    const symbol = resolved(node)
    if (symbol === undefined || (symbol.flags & ts.SymbolFlags.ValueModule) === 0) return undefined
    const declaration = symbol.declarations?.[0]
    return declaration !== undefined && ts.isSourceFile(declaration) ? moduleOfFile(declaration.fileName) : undefined
  }

  /** `effect/Fiber#RuntimeFiber.unsafePoll`: the declarations in Effect of a property. */
  const propertyOf = (name) => {
    for (const declaration of resolved(name)?.declarations ?? []) {
      const module = moduleOfFile(declaration.getSourceFile().fileName)
      if (module === undefined) continue
      const owner = declaration.parent?.name?.text ?? ts.SyntaxKind[declaration.parent?.kind]
      return { module, owner, name: name.text, key: `${module}#${owner}.${name.text}` }
    }
    return undefined
  }

  /** The namespace and name that an expression or a type takes from Effect, as in `Effect.map`. */
  const memberOf = (node) => {
    if (ts.isPropertyAccessExpression(node)) {
      const module = moduleOf(node.expression)
      return module === undefined ? undefined : { module, name: node.name.text }
    }
    if (ts.isQualifiedName(node)) {
      const module = moduleOf(node.left)
      return module === undefined ? undefined : { module, name: node.right.text }
    }
    if (ts.isIdentifier(node)) {
      const symbol = checker.getSymbolAtLocation(node)
      const specifier = symbol?.declarations?.[0]
      if (specifier === undefined || !ts.isImportSpecifier(specifier)) return undefined
      const from = specifier.parent.parent.parent.moduleSpecifier.text
      if (!isEffectModule(from) || isBarrel(from)) return undefined
      return { module: from, name: (specifier.propertyName ?? specifier.name).text, local: node.text }
    }
    return undefined
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Imports
  // -------------------------------------------------------------------------------------------------------------------

  const targetOf = (module) => rules.modules[module] ?? module

  /** The alias of a module of Effect 4 in the new file. */
  const ns = (module, options = {}) => {
    const known = imports.get(module)
    if (known !== undefined) {
      known.value ||= options.type !== true
      return known.alias
    }
    const wished = options.alias ?? rules.aliases[module] ?? lastSegment(module)
    const taken = declared.has(wished) && !freed.has(wished) ||
      [...imports.values()].some(({ alias }) => alias === wished)
    const alias = taken ? `Effect${wished}` : wished
    imports.set(module, { alias, value: options.type !== true, barrel: options.barrel })
    return alias
  }

  /** Aliases that the imports of Effect leave, as `Either` where it becomes `Result`. */
  const freed = new Set()

  const importsOf = () =>
    sourceFile.statements.filter((statement) =>
      ts.isImportDeclaration(statement) && isEffectModule(statement.moduleSpecifier.text)
    )

  for (const { importClause } of importsOf()) {
    const bindings = importClause?.namedBindings
    if (bindings === undefined) continue
    const specifiers = ts.isNamespaceImport(bindings) ? [bindings] : bindings.elements
    for (const specifier of specifiers) freed.add(specifier.name.text)
  }
  /** The statements of the overlay by the names that they declare, and its imports from the library itself. */
  const own = new Map()
  const ownImports = []
  /** Statements of the overlay that stand in place of none: before the next one that does. */
  let before = []
  const beforeOwn = new Map()
  for (const statement of overlay?.statements ?? []) {
    if (ts.isImportDeclaration(statement)) continue
    const names = namesOf(statement)
    if (!sourceFile.statements.some((each) => namesOf(each).some((name) => names.includes(name)))) {
      before.push(statement)
      continue
    }
    for (const name of names) own.set(name, statement)
    beforeOwn.set(statement, before)
    before = []
  }
  if (before.length > 0) problem(sourceFile, `the overlay ends with ${namesOf(before[0])}, in place of nothing`)
  const textOf = (statement) => overlay.text.slice(statement.getStart(overlay), statement.end)
  const withComment = (statement) => overlay.text.slice(statement.getFullStart(), statement.end).trim()

  // An alias of the file's own is kept, as `Arr` for Array; that of a module which changes its name follows it.
  for (const declaration of importsOf()) {
    const bindings = declaration.importClause?.namedBindings
    if (bindings === undefined) continue
    const from = declaration.moduleSpecifier.text
    const keep = (module, alias, barrel) => {
      const target = targetOf(module)
      const own = alias !== lastSegment(module)
      if (rules.members[module]?.["*"] !== undefined || imports.has(target)) return
      ns(target, { type: true, barrel, ...own ? { alias } : {} })
    }
    if (ts.isNamespaceImport(bindings)) keep(from, bindings.name.text, false)
    else if (isBarrel(from)) {
      for (const { name } of bindings.elements) {
        const module = moduleOf(name)
        if (module !== undefined) keep(module, name.text, true)
      }
    }
  }

  for (const statement of overlay?.statements ?? []) {
    if (!ts.isImportDeclaration(statement)) continue
    const bindings = statement.importClause?.namedBindings
    const from = statement.moduleSpecifier.text
    const type = statement.importClause?.isTypeOnly === true
    if (bindings !== undefined && ts.isNamespaceImport(bindings) && isEffectModule(from)) {
      const alias = ns(from, { type, alias: bindings.name.text })
      if (alias !== bindings.name.text) {
        problem(sourceFile, `the overlay calls ${from} ${bindings.name.text}, the file ${alias}`)
      }
    } else ownImports.push(textOf(statement))
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Text
  // -------------------------------------------------------------------------------------------------------------------

  /** The new text of a node, without what stands before it. */
  const render = (node) => replacement(node) ?? inner(node)

  /** The new text of a node to which no rule applies. */
  const inner = (node) => {
    let text = ""
    let from = node.getStart(sourceFile)
    ts.forEachChild(node, (child) => {
      const start = child.getStart(sourceFile)
      if (child.pos === child.end && child.kind !== ts.SyntaxKind.SyntaxList) return
      text += sourceFile.text.slice(from, start)
      text += render(child)
      from = child.end
    })
    return text + sourceFile.text.slice(from, node.end)
  }

  const isTypePosition = (node) => {
    let at = node
    while (at.parent !== undefined && (ts.isQualifiedName(at.parent) || ts.isPropertyAccessExpression(at.parent))) {
      at = at.parent
    }
    return ts.isTypeReferenceNode(at.parent) ||
      ts.isExpressionWithTypeArguments(at.parent) && at.parent.parent.token === ts.SyntaxKind.ExtendsKeyword &&
        ts.isInterfaceDeclaration(at.parent.parent.parent)
  }

  const noteUse = (node, module, name) => {
    uses.push({ module, name, line: lineOf(node) })
  }

  /** `Result.succeed`, for a rule: the text that takes `name` from `module` of Effect 4. */
  const use = (node, module, name, options) => {
    noteUse(node, module, name)
    return `${ns(module, options)}.${name}`
  }

  const rename = (node, { local, module, name }) => {
    const rule = rules.members[module]?.[name]
    if (typeof rule === "function") return undefined
    const type = isTypePosition(node)
    if (local !== undefined) {
      if (rule === undefined && targetOf(module) === module) {
        noteUse(node, module, name)
        return undefined
      }
      const [target, to] = rule?.includes("#") ? rule.split("#") : [targetOf(module), rule ?? name]
      return use(node, target, to, { type })
    }
    const [target, to] = rule?.includes("#") ? rule.split("#") : [targetOf(module), rule ?? name]
    return use(node, target, to, { type })
  }

  const api = {
    ts,
    checker,
    sourceFile,
    render,
    inner,
    ns,
    use,
    problem,
    memberOf,
    propertyOf,
    moduleOf,
    resolved,
    isTypePosition,
    isReference,
    /** The name of an export of a file of the edition's own, which is imported. */
    own: (file, name) => {
      const from = path.posix.relative(path.posix.dirname(rules.nameOf(sourceFile)), file).replace(/\.ts$/, ".js")
      // The file may have one of that name itself.
      const local = declared.has(name) ? `${name}OfEdition` : name
      ownImports.push(
        `import { ${local === name ? name : `${name} as ${local}`} } from "${
          from.startsWith(".") ? from : `./${from}`
        }"`
      )
      return local
    },
    /** The nodes that are being wrapped. */
    wrapping: new Set(),
    /** The text of the arguments of a call. */
    args: (call) => call.arguments.map(render),
    moduleOfType: (type) => {
      const declaration = (type.symbol ?? type.aliasSymbol)?.declarations?.[0]
      return declaration === undefined ? undefined : moduleOfFile(declaration.getSourceFile().fileName)
    }
  }

  const replacement = (node) => {
    if (ts.isImportDeclaration(node)) return undefined
    for (const rule of [...ts.isExpression(node) ? rules.expressions : [], ...rules.nodes[node.kind] ?? []]) {
      const text = rule(node, api)
      if (text !== undefined) return text
    }
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
      const member = memberOf(node.expression)
      const rule = member === undefined ? undefined : rules.members[member.module]?.[member.name]
      if (typeof rule === "function") {
        const text = rule(node, api)
        if (text !== undefined) return text
      }
    }
    if (ts.isTypeReferenceNode(node)) {
      const member = memberOf(node.typeName)
      const rule = member === undefined ? undefined : rules.types[`${member.module}#${member.name}`]
      if (rule !== undefined) return rule(node, api)
    }
    if (ts.isPropertyAccessExpression(node) || ts.isQualifiedName(node) || ts.isIdentifier(node)) {
      if (ts.isIdentifier(node) && !isReference(node)) return undefined
      const member = memberOf(node)
      if (member !== undefined) {
        const rule = rules.members[member.module]?.[member.name]
        if (typeof rule === "function") {
          const text = rule(node, api)
          if (text !== undefined) return text
          problem(node, `${member.module}#${member.name} is used in a way that no rule knows`)
          return undefined
        }
        return rename(node, member)
      }
    }
    if (ts.isPropertyAccessExpression(node)) {
      const property = propertyOf(node.name)
      const rule = property === undefined ? undefined : rules.properties[property.key]
      if (typeof rule === "function") return rule(node, api)
      if (rule !== undefined) {
        const before = sourceFile.text.slice(node.expression.end, node.name.getStart(sourceFile))
        return `${render(node.expression)}${before}${rule}`
      }
    }
    return undefined
  }

  // -------------------------------------------------------------------------------------------------------------------
  // The whole
  // -------------------------------------------------------------------------------------------------------------------

  let body = ""
  let at = 0
  /** Where the imports of Effect stood; the new ones take the place of the first. */
  let importsAt
  const named = []
  const written = new Set()
  for (const statement of sourceFile.statements) {
    const start = statement.getStart(sourceFile)
    if (ts.isImportDeclaration(statement) && isEffectModule(statement.moduleSpecifier.text)) {
      body += sourceFile.text.slice(at, start)
      importsAt ??= body.length
      const from = statement.moduleSpecifier.text
      const bindings = statement.importClause?.namedBindings
      if (bindings === undefined) problem(statement, `an import of ${from} that no rule knows`)
      else if (ts.isNamedImports(bindings)) named.push({ statement, bindings, from })
      at = statement.end + (sourceFile.text[statement.end] === "\n" ? 1 : 0)
    } else {
      const replacing = namesOf(statement).map((name) => own.get(name)).find((found) => found !== undefined)
      body += sourceFile.text.slice(at, start)
      if (replacing === undefined) body += render(statement)
      else {
        // The comment of the original stands before the last of its overloads, or what takes their place.
        for (const extra of beforeOwn.get(replacing) ?? []) body += `${withComment(extra)}\n\n`
        beforeOwn.delete(replacing)
        if (!written.has(replacing)) body += textOf(replacing)
        written.add(replacing)
      }
      at = statement.end
    }
  }
  body += sourceFile.text.slice(at)

  /** How the names at the top of the new file are used: as values, or as types only. */
  const usage = usageOf(body)
  const isUsed = (alias) => usage.has(alias)

  const lines = []
  const barrels = new Map()
  for (const [module, { alias, barrel }] of imports) {
    if (!isUsed(alias)) continue
    const value = usage.get(alias) === "value"
    const home = module.includes("/") ? module.slice(0, module.lastIndexOf("/")) : undefined
    if (barrel === true && home !== undefined && !rules.solitary.has(module)) {
      const last = lastSegment(module)
      const entry = `${value ? "" : "type "}${last === alias ? alias : `${last} as ${alias}`}`
      barrels.set(home, [...barrels.get(home) ?? [], entry])
    } else {
      lines.push(`import ${value ? "" : "type "}* as ${alias} from "${module}"`)
    }
  }
  for (const [home, entries] of barrels) lines.push(`import { ${entries.join(", ")} } from "${home}"`)
  for (const { bindings, from, statement } of named) {
    const kept = []
    for (const specifier of bindings.elements) {
      const name = (specifier.propertyName ?? specifier.name).text
      const local = specifier.name.text
      if (isBarrel(from)) {
        if (moduleOf(specifier.name) !== undefined) continue
        kept.push(specifier.getText(sourceFile))
      } else if (targetOf(from) === from && rules.members[from]?.[name] === undefined && isUsed(local)) {
        kept.push(specifier.getText(sourceFile))
      }
    }
    if (kept.length === 0) continue
    const type = statement.importClause.isTypeOnly ? "type " : ""
    lines.push(`import ${type}{ ${kept.join(", ")} } from "${targetOf(from)}"`)
  }

  for (const line of new Set(ownImports)) lines.push(line)
  const head = lines.length === 0 ? "" : `${lines.join("\n")}\n`
  const text = importsAt === undefined
    ? head === "" ? body : `${head}${body}`
    : `${body.slice(0, importsAt)}${head}${body.slice(importsAt)}`
  return { text, uses, problems }
}
