/**
 * Checks that the exports of the package are documented: each module has a header with `@since`; each export has a
 * docstring, `@since` and `@category`; and each property of an interface of options has a docstring.
 *
 *   node scripts/check-docs.mjs [folder of the package]
 */
import { readFileSync } from "node:fs"
import { join, relative, resolve, sep } from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

const version = /^\d+\.\d+\.\d+$/

const isOptions = (name) => /(Options|Settings|Limits)$/.test(name)

/** The docstring right above a declaration, and its tags. */
const docOf = (node) => {
  const owner = ts.isBindingElement(node) ? ts.findAncestor(node, ts.isVariableDeclaration) : node
  const docs = ts.getJSDocCommentsAndTags(owner).filter(ts.isJSDoc)
  const tags = new Map(
    docs.flatMap(({ tags }) => tags ?? []).map((tag) => [
      tag.tagName.text,
      (ts.getTextOfJSDocComment(tag.comment) ?? "").trim()
    ])
  )
  return { text: docs.map(({ comment }) => ts.getTextOfJSDocComment(comment) ?? "").join("").trim(), tags }
}

/** The missing parts, given the docstrings of one declaration and whether a namesake of it has a text. */
const missingIn = (docs, isDescribed) => {
  const tag = (name) => docs.map(({ tags }) => tags.get(name)).find((value) => value !== undefined)
  return [
    ...(isDescribed || docs.some(({ text }) => text !== "") ? [] : ["no docstring"]),
    ...(version.test(tag("since") ?? "") ? [] : ["no @since with a version"]),
    ...(tag("category") ? [] : ["no @category"])
  ]
}

const readConfig = (folder) =>
  ts.getParsedCommandLineOfConfigFile(join(folder, "tsconfig.json"), { noEmit: true }, {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: (diagnostic) => {
      throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n"))
    }
  })

/** Gives the problems of the package in a folder, each as `file:line:column: export: what is missing`, and how much was checked. */
export const checkDocs = (folder) => {
  const { exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
  const entries = Object.values(exports)
    .filter((target) => target.startsWith("./dist/"))
    .map((target) => join(folder, target.replace("./dist/", "src/").replace(/\.js$/, ".ts")))
  const program = ts.createProgram(entries, readConfig(folder).options)
  const checker = program.getTypeChecker()
  const source = resolve(folder, "src") + sep
  const isOurs = (node) => resolve(node.getSourceFile().fileName).startsWith(source)

  /** By place, so that what two modules export is named once. */
  const problems = new Map()
  const checked = new Set()
  const report = (node, name, problem) => {
    const file = node.getSourceFile()
    const { character, line } = file.getLineAndCharacterOfPosition(node.getStart(file))
    const path = relative(folder, file.fileName).split(sep).join("/")
    problems.set(`${path}:${line + 1}:${character + 1}: ${problem}`, `${name}: ${problem}`)
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Modules
  // -------------------------------------------------------------------------------------------------------------------

  const modules = new Map()
  const addModule = (file, name) => {
    if (modules.has(file)) return
    modules.set(file, name)
    checkHeader(file, name)
    for (const symbol of checker.getExportsOfModule(checker.getSymbolAtLocation(file))) checkExport(symbol, name)
  }

  const checkHeader = (file, name) => {
    const comments = (ts.getLeadingCommentRanges(file.text, 0) ?? [])
      .map(({ end, pos }) => file.text.slice(pos, end))
      .filter((text) => text.startsWith("/**"))
    const [first] = file.statements
    // The last comment before a declaration is the declaration's own.
    const isDeclaration = first !== undefined && !ts.isImportDeclaration(first) && !ts.isExportDeclaration(first)
    const header = comments.length > (isDeclaration ? 1 : 0) ? comments[0] : ""
    const since = /@since\s+(\S+)/.exec(header)?.[1]
    if (!version.test(since ?? "")) report(first ?? file, name, "the module's header has no @since with a version")
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Exports
  // -------------------------------------------------------------------------------------------------------------------

  const checkExport = (symbol, module) => {
    const name = `${module}.${symbol.name}`
    const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0
    const target = isAlias ? checker.getAliasedSymbol(symbol) : symbol
    const declarations = target.declarations ?? []
    const [first] = declarations
    if (first !== undefined && ts.isSourceFile(first)) {
      if (isOurs(first)) addModule(first, symbol.name)
      return
    }
    if (declarations.some((node) => docOf(node).tags.has("internal"))) return

    // `export { A } from "./a.js"` may add to what `A` says of itself.
    const exported = (isAlias ? symbol.declarations ?? [] : []).filter(isOurs)
    const docsAtExport = exported.flatMap((node) => [node, ts.findAncestor(node, ts.isExportDeclaration)])
      .filter((node) => node !== undefined)
      .map(docOf)
    const groups = groupsOf(declarations.filter(isOurs))
    // Editors show the text of a value also for the type of the same name, and the other way round.
    const isDescribed = groups.some(([node]) => docOf(node).text !== "")
    for (const group of groups.length > 0 ? groups : [[]]) {
      const place = exported[0] ?? group[0]
      if (place === undefined) throw new Error(`${name} is declared nowhere`)
      checked.add(group[0] ?? place)
      // The first signature of a function speaks for the others.
      for (const problem of missingIn([...docsAtExport, ...group.slice(0, 1).map(docOf)], isDescribed)) {
        const declared = exported.length > 0 && group[0] !== undefined ? `, declared in ${pathOf(group[0])}` : ""
        report(place, name, `${problem}${declared}`)
      }
    }
    for (const node of declarations) {
      if (ts.isModuleDeclaration(node)) checkNamespace(node, name)
      if (isOptions(symbol.name) && (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node))) {
        checkProperties(node, name)
      }
    }
  }

  const pathOf = (node) => relative(folder, node.getSourceFile().fileName).split(sep).join("/")

  /** The signatures of a function are one thing; a type and a value of the same name are two. */
  const groupsOf = (declarations) => {
    const functions = declarations.filter(ts.isFunctionDeclaration)
    const others = declarations.filter((node) => !ts.isFunctionDeclaration(node))
    return [...(functions.length > 0 ? [functions] : []), ...others.map((node) => [node])]
  }

  const checkNamespace = (node, name) => {
    const symbol = checker.getSymbolAtLocation(node.name)
    for (const member of checker.getExportsOfModule(symbol)) {
      const ofNamespace = (member.declarations ?? []).some((it) => ts.findAncestor(it, (above) => above === node))
      if (ofNamespace) checkExport(member, name)
    }
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Options
  // -------------------------------------------------------------------------------------------------------------------

  /** Also those that an interface inherits, and those of an object that is written out within it. */
  const checkProperties = (node, name) => {
    for (const property of checker.getPropertiesOfType(checker.getTypeAtLocation(node.name))) {
      for (const declaration of (property.declarations ?? []).filter(isOurs)) {
        checkProperty(declaration, `${name}.${property.name}`)
      }
    }
  }

  const checkProperty = (declaration, name) => {
    checked.add(declaration)
    if (docOf(declaration).text === "") report(declaration, name, "no docstring")
    const visit = (node) => {
      if (ts.isFunctionTypeNode(node) || ts.isMethodSignature(node)) return
      if (ts.isPropertySignature(node)) return checkProperty(node, `${name}.${node.name.getText()}`)
      ts.forEachChild(node, visit)
    }
    if (declaration.type !== undefined) visit(declaration.type)
  }

  for (const entry of entries) {
    const file = program.getSourceFile(entry)
    if (file === undefined) throw new Error(`package.json exports ${relative(folder, entry)}, which does not exist`)
    addModule(file, relative(join(folder, "src"), entry).split(sep).join("/").replace(/(.*\/)?([^/]+)\.ts$/, "$2"))
  }
  return {
    modules: modules.size,
    declarations: checked.size,
    problems: [...problems].map(([place, problem]) => `${place.slice(0, place.indexOf(": "))}: ${problem}`)
      .sort(new Intl.Collator("en", { numeric: true }).compare)
  }
}

const [, script, folder] = process.argv
if (script === fileURLToPath(import.meta.url)) {
  const { declarations, modules, problems } = checkDocs(
    resolve(folder ?? fileURLToPath(new URL("..", import.meta.url)))
  )
  for (const problem of problems) console.error(problem)
  if (declarations === 0) console.error("No exports found.")
  if (problems.length > 0 || declarations === 0) process.exit(1)
  console.log(`${declarations} exports and options of ${modules} modules are documented.`)
}
