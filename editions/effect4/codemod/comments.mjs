import * as fs from "node:fs"
import * as path from "node:path"
import ts from "typescript"
import { blocksOf } from "../../../scripts/codeBlocks.mjs"

/**
 * The examples in comments. The compiler takes each for a file beside that of the comment, so that their names are
 * resolved as all others are.
 */

/** The examples in the comments of a file: the path that the compiler knows each by, and its code without indentation. */
export const examplesOf = (root, file) =>
  blocksOf(file).map(({ line, source, text }) => {
    const indent = Math.min(...text.split("\n").filter((each) => each.trim() !== "").map((each) => each.search(/\S/)))
    const code = text.split("\n").map((each) => each.slice(indent)).join("\n")
    return { line, source, text: code, path: path.join(root, `${file}.${line}.ts`) }
  })

/** A host that has the examples beside the files. */
export const hostWith = (options, examples) => {
  const texts = new Map(examples.map((example) => [example.path, example.text]))
  const host = ts.createCompilerHost(options)
  const { fileExists, getSourceFile, readFile } = host
  return {
    ...host,
    fileExists: (name) => texts.has(name) || fileExists(name),
    readFile: (name) => texts.get(name) ?? readFile(name),
    getSourceFile: (name, language, ...rest) =>
      texts.has(name)
        ? ts.createSourceFile(name, texts.get(name), language, true)
        : getSourceFile(name, language, ...rest)
  }
}

/** Puts the new texts of examples in place of the old ones. Those of declarations of the overlay are its own. */
export const withExamples = (text, root, examples) => {
  let written = text
  for (const { line, rewritten, source, text: code } of examples) {
    const lines = fs.readFileSync(path.join(root, source), "utf8").split("\n")
    const old = lines.slice(line, line + code.trimEnd().split("\n").length - line)
    const prefix = /^\s*\* /.exec(old[0])[0]
    const added = rewritten.trimEnd().split("\n").slice(line).map((each) => `${prefix}${each}`.trimEnd())
    written = written.replace(old.join("\n"), () => added.join("\n"))
  }
  return written
}
