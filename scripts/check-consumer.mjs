/**
 * Type-checks the code that users copy where they put it: the TypeScript blocks of the Markdown pages, and the files of
 * examples/, in an empty strict project outside the repository, which has the packed library, its peers and the packages
 * that the code imports, at the versions of the repository.
 *
 *     node scripts/check-consumer.mjs            builds and packs the library first
 *     node scripts/check-consumer.mjs --built    packs dist as it is
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { isBuiltin } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import ts from "typescript"
import { blocksOf, filesIn, pages } from "./codeBlocks.mjs"
import { install, root } from "./consumer.mjs"

const blocks = pages.flatMap((file) => blocksOf(file)).map(({ name, source, text }) => ({
  source,
  text,
  file: join("pages", name)
}))
// Example files import one another: they keep their places.
const examples = filesIn("examples", ".ts")
  .map((source) => ({ source, text: readFileSync(join(root, source), "utf8"), file: source }))
const sources = [...blocks, ...examples]
const sourceOf = new Map(sources.map(({ file, source }) => [file, source]))

/** The packages of the repository that a text imports. Whatever else it imports, the compiler will not find. */
const packagesOf = ({ text }) =>
  ts.preProcessFile(text).importedFiles
    .map(({ fileName }) => fileName)
    .filter((specifier) => !specifier.startsWith(".") && !isBuiltin(specifier))
    .map((specifier) => /^(@[^/]+\/)?[^/]+/.exec(specifier)[0])
    .filter((name) => existsSync(join(root, "node_modules", name, "package.json")))

const compilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: true,
  noEmit: true,
  target: "es2022",
  module: "nodenext",
  moduleResolution: "nodenext",
  types: ["node"]
}

const folder = mkdtempSync(join(tmpdir(), "effect-llm-consumer-"))
try {
  // The test runner is a peer of @effect/vitest: without it, npm would choose a version of its own.
  const packages = [...sources.flatMap(packagesOf), "vitest"]
  install(folder, { built: process.argv.includes("--built"), packages, typesOnly: true })
  for (const { file, text } of sources) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), text)
  }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["pages", "examples"] }))
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
  const { status, stderr, stdout } = spawnSync(process.execPath, [tsc, "--project", folder, "--pretty", "false"], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 2 ** 26
  })
  // A block has the lines of its page.
  const located = stdout.replaceAll(
    /^(\S.*?)\((\d+),(\d+)\): /gm,
    (_, file, line, column) => `${sourceOf.get(file) ?? file}:${line}:${column}: `
  )
  process.stderr.write(located + stderr)
  process.exitCode = status ?? 1
  if (status === 0) {
    console.log(`${blocks.length} blocks and ${examples.length} example files compile in an empty strict project.`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
