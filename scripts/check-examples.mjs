/**
 * Type-checks every TypeScript example in the documentation comments of src/ and in the Markdown pages, with the
 * project's compiler options, and runs those that state a result:
 *
 *   Duration.toMillis("1 second") // => 1000
 *
 * A block fenced as "ts no-check" is skipped. With the folder of an edition as its argument, the script checks the
 * examples in the comments of the edition's sources, with its packages.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import ts from "typescript"
import { blocksOf, filesIn, pages } from "./codeBlocks.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
const [edition] = process.argv.slice(2)
const home = edition === undefined ? root : join(root, edition, "generated")
const tsconfig = join(root, edition ?? "", "tsconfig.json")
// Inside the repository, so that an example finds the packages and the paths of tsconfig.json.
mkdirSync(join(home, ".cache"), { recursive: true })
const folder = mkdtempSync(join(home, ".cache", "examples-"))
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))

const sources = [...filesIn("src", ".ts", home), ...edition === undefined ? pages : []]
const examples = sources.flatMap((source) => blocksOf(source, home)).map((block) => ({
  ...block,
  file: join(folder, block.name)
}))
const exampleAt = new Map(examples.map((example) => [ts.sys.resolvePath(example.file), example]))

// ---------------------------------------------------------------------------------------------------------------------
// Types
// ---------------------------------------------------------------------------------------------------------------------

for (const example of examples) writeFileSync(example.file, example.text)

const config = ts.getParsedCommandLineOfConfigFile(tsconfig, {}, {
  ...ts.sys,
  onUnRecoverableConfigFileDiagnostic: (diagnostic) => {
    throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n"))
  }
})
const program = ts.createProgram(examples.map((example) => example.file), {
  ...config.options,
  noEmit: true,
  // An example may show a value without using it.
  noUnusedLocals: false,
  noUnusedParameters: false
})

const problems = []
for (const diagnostic of ts.getPreEmitDiagnostics(program)) {
  const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n")
  const { file } = diagnostic
  const example = file && exampleAt.get(ts.sys.resolvePath(file.fileName))
  // Errors of the sources themselves are `tsc`'s to report.
  if (file !== undefined && example === undefined) continue
  const { character, line } = file?.getLineAndCharacterOfPosition(diagnostic.start) ?? { character: 0, line: 0 }
  problems.push(`${example?.source ?? "tsconfig.json"}:${line + 1}:${character + 1}: ${message}`)
}

// ---------------------------------------------------------------------------------------------------------------------
// Results
// ---------------------------------------------------------------------------------------------------------------------

/** Turns each statement `expression // => value` into a comparison. */
const withChecks = (example) => {
  const file = program.getSourceFile(example.file)
  let text = example.text
  let checks = 0
  for (const statement of [...file.statements].reverse()) {
    if (!ts.isExpressionStatement(statement)) continue
    const expected = (ts.getTrailingCommentRanges(example.text, statement.end) ?? [])
      .map((range) => /^\/\/ => (.*)$/.exec(example.text.slice(range.pos, range.end))?.[1])
      .find((comment) => comment !== undefined)
    if (expected === undefined) continue
    const start = statement.getStart(file)
    const where = `${example.source}:${file.getLineAndCharacterOfPosition(start).line + 1}`
    const check = `\n;__check(${JSON.stringify(where)}, () => (${
      statement.expression.getText(file)
    }), () => (${expected}))`
    text = text.slice(0, start) + check + text.slice(statement.end)
    checks++
  }
  return { text, checks }
}

const runner = `
import { deepStrictEqual } from "node:assert"
let failed = 0
globalThis.__check = (where, actual, expected) => {
  try {
    deepStrictEqual(actual(), expected())
  } catch (error) {
    failed++
    console.error(where + ": " + error.message)
  }
}
for (const file of FILES) await import(file)
process.exit(failed === 0 ? 0 : 1)
`

let checks = 0
if (problems.length === 0) {
  const checked = examples.map((example) => ({ example, ...withChecks(example) })).filter((it) => it.checks > 0)
  for (const { example, text } of checked) writeFileSync(example.file, text)
  checks = checked.reduce((sum, it) => sum + it.checks, 0)
  const files = checked.map(({ example }) => pathToFileURL(example.file).href)
  const main = join(folder, "run.mjs")
  writeFileSync(main, runner.replace("FILES", JSON.stringify(files)))
  const { status } = spawnSync(process.execPath, ["--import", "tsx", main], {
    cwd: home,
    env: { ...process.env, TSX_TSCONFIG_PATH: tsconfig },
    stdio: "inherit"
  })
  if (status !== 0) problems.push("An example does not give the result that it states.")
}

for (const problem of problems) console.error(problem)
if (examples.length === 0) console.error("No examples found.")
if (problems.length > 0 || examples.length === 0) process.exit(1)
console.log(`${examples.length} examples compile, ${checks} results hold.`)
