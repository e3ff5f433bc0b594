import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"
import { examplesOf, hostWith, withExamples } from "./codemod/comments.mjs"
import { manifest } from "./codemod/manifest.mjs"
import { members } from "./codemod/members/index.mjs"
import { aliases, modules, solitary } from "./codemod/modules.mjs"
import { expressions, nodes } from "./codemod/nodes/index.mjs"
import { readOverlay } from "./codemod/overlay.mjs"
import { properties, types } from "./codemod/properties.mjs"
import { rewrite } from "./codemod/rewrite.mjs"
import { missingMembers, missingTests } from "./codemod/verify.mjs"
import { excluded, folders, impossible } from "./scope.mjs"

/** Writes the edition for Effect 4 to `generated/`: sources and tests, renamed, and the overlay over them. */

const here = path.dirname(fileURLToPath(import.meta.url))
const root = path.join(here, "../..")
const overlay = path.join(here, "overlay")
const output = path.join(here, "generated")

const rules = {
  modules,
  aliases,
  solitary,
  members,
  properties,
  types,
  nodes,
  expressions,
  nameOf: ({ fileName }) => path.relative(root, fileName)
}

const filesUnder = (folder) =>
  fs.existsSync(folder)
    ? fs.readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(folder, path.join(entry.parentPath ?? entry.path, entry.name)))
    : []

if (!fs.existsSync(path.join(here, "node_modules"))) {
  throw new Error("npm install --prefix editions/effect4 comes first")
}

const configuration = ts.getParsedCommandLineOfConfigFile(path.join(root, "tsconfig.json"), {}, {
  ...ts.sys,
  onUnRecoverableConfigFileDiagnostic: (diagnostic) => {
    throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n"))
  }
})

const wanted = process.argv.slice(2).length > 0 ? process.argv.slice(2) : folders
const { files: whole, parts } = readOverlay(overlay, filesUnder)
const isExcluded = (file) => excluded.some(({ files }) => files.some((pattern) => path.matchesGlob(file, pattern)))

const sources = configuration.fileNames
  .map((file) => path.relative(root, file))
  .filter((file) => wanted.some((folder) => file.startsWith(`${folder}/`)))
  .filter((file) => !whole.has(file) && !isExcluded(file))

for (const file of parts.keys()) {
  if (!fs.existsSync(path.join(root, file))) throw new Error(`overlay/${file} stands in place of nothing`)
}

const examples = new Map(
  sources.filter((file) => file.startsWith("src/")).map((file) => [file, examplesOf(root, file)])
)
const inComments = [...examples.values()].flat()
const program = ts.createProgram(
  [...sources.map((file) => path.join(root, file)), ...inComments.map((example) => example.path)],
  configuration.options,
  hostWith(configuration.options, inComments)
)
const checker = program.getTypeChecker()

const write = (file, text) => {
  const target = path.join(output, file)
  if (fs.existsSync(target) && fs.readFileSync(target, "utf8") === text) return
  fs.mkdirSync(path.dirname(target), { recursive: true })
  fs.writeFileSync(target, text)
}

const problems = []
const uses = []
let changed = 0
/** The new text of a file, or of an example in its comments; what has no rule is noted. */
const rewritten = (file, overlay) => {
  const sourceFile = program.getSourceFile(file)
  const result = rewrite({ sourceFile, checker, rules, overlay })
  for (const problem of result.problems) problems.push(path.relative(root, problem))
  for (const use of result.uses) uses.push({ ...use, file: path.relative(root, file) })
  return result.text
}
for (const file of sources) {
  const source = path.join(root, file)
  const text = withExamples(
    rewritten(source, parts.get(file)),
    root,
    (examples.get(file) ?? []).map((example) => ({ ...example, rewritten: rewritten(example.path) }))
  )
  if (text !== program.getSourceFile(source).text) changed++
  write(file, text)
}
for (const [file, text] of whole) {
  if (wanted.some((folder) => file.startsWith(`${folder}/`))) write(file, text)
}
const json = (file) => JSON.parse(fs.readFileSync(file, "utf8"))
const edition = manifest(json(path.join(root, "package.json")), json(path.join(here, "package.json")), isExcluded)
write("package.json", `${JSON.stringify(edition, null, 2)}\n`)

const kept = new Set([...sources, ...whole.keys()])
for (const folder of wanted) {
  for (const file of filesUnder(path.join(output, folder))) {
    if (!kept.has(`${folder}/${file}`)) fs.rmSync(path.join(output, folder, file))
  }
}

for (const problem of [...missingMembers(uses, here), ...missingTests(impossible, root)]) problems.push(problem)

console.log(
  `${sources.length} files, ${changed} of them changed, ${whole.size + parts.size} with parts of the edition's own`
)
if (problems.length > 0) {
  for (const problem of problems) console.error(problem)
  console.error(`${problems.length} uses of Effect 3 have no rule; add one in codemod/, or the file to overlay/.`)
  process.exitCode = 1
}
