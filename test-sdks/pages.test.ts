import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as ts from "typescript"

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** The code of another library on a page, which only the packages of this folder can compile. */
const blocksOf = (page: string, language: string) =>
  [...readFileSync(file(`../docs/guide/${page}`), "utf8").matchAll(/^```ts no-check ([\w-]+)\n([^]*?)^```/gm)]
    .flatMap(([, of, text]) => of === language && text !== undefined ? [text] : [])

describe("docs/guide/from-ai-sdk.md", () => {
  it("shows code of the AI SDK that compiles", () => {
    const blocks = blocksOf("from-ai-sdk.md", "ai-sdk")
    assert.isAbove(blocks.length, 3)
    const texts = new Map(blocks.map((text, n) => [file(`page-${n}.ts`), text]))
    const { options } = ts.parseJsonConfigFileContent(
      ts.readConfigFile(file("tsconfig.json"), ts.sys.readFile).config,
      ts.sys,
      file(".")
    )
    const host = ts.createCompilerHost(options)
    const program = ts.createProgram([...texts.keys()], options, {
      ...host,
      fileExists: (path) => texts.has(path) || host.fileExists(path),
      readFile: (path) => texts.get(path) ?? host.readFile(path),
      getSourceFile: (path, ...rest) => {
        const text = texts.get(path)
        return text === undefined
          ? host.getSourceFile(path, ...rest)
          : ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true)
      }
    })
    const problems = [...texts.keys()].flatMap((path) => ts.getPreEmitDiagnostics(program, program.getSourceFile(path)))
    assert.deepStrictEqual(problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")), [])
  }, 120_000)
})
