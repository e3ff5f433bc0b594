import * as fs from "node:fs"
import * as path from "node:path"
import ts from "typescript"

/** The uses of members that their modules of Effect 4 do not have. */
export const missingMembers = (uses, home) => {
  const specifiers = [...new Set(uses.map(({ module }) => module))]
  const file = path.join(home, "members-of-effect4.ts")
  const text = specifiers.map((specifier, index) => `import * as m${index} from "${specifier}"`).join("\n")
  const options = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    skipLibCheck: true,
    types: []
  }
  const host = ts.createCompilerHost(options)
  const { fileExists, getSourceFile } = host
  host.fileExists = (name) => name === file || fileExists(name)
  host.getSourceFile = (name, ...rest) =>
    name === file ? ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true) : getSourceFile(name, ...rest)
  const program = ts.createProgram([file], options, host)
  const checker = program.getTypeChecker()

  const members = new Map()
  program.getSourceFile(file).statements.forEach((statement, index) => {
    // Beyond the packages of the edition the compiler finds those of Effect 3.
    const found = checker.getSymbolAtLocation(statement.moduleSpecifier)
    const symbol = found?.declarations?.[0]?.getSourceFile().fileName.startsWith(path.join(home, "node_modules"))
      ? found
      : undefined
    members.set(
      specifiers[index],
      symbol === undefined ? undefined : new Set(checker.getExportsOfModule(symbol).map(({ name }) => name))
    )
  })

  return uses.flatMap(({ file, line, module, name }) => {
    const known = members.get(module)
    if (known === undefined) return [`${file}:${line}: Effect 4 has no module ${module}`]
    return known.has(name) ? [] : [`${file}:${line}: ${module} of Effect 4 has no ${name}`]
  })
}

/** The tests that are skipped by name, and are in no file: one that was renamed would run again, or a wrong one be skipped. */
export const missingTests = (skipped, root) =>
  skipped.flatMap(({ tests }) =>
    Object.entries(tests).flatMap(([file, names]) => {
      const text = fs.existsSync(path.join(root, file)) ? fs.readFileSync(path.join(root, file), "utf8") : ""
      return names
        .filter((name) => !name.split(" > ").every((title) => text.includes(title)))
        .map((name) => `${file} has no test "${name}"`)
    })
  )
