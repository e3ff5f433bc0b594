import * as fs from "node:fs"
import * as path from "node:path"
import ts from "typescript"

/**
 * The files of the edition's own. The first line of each says what it stands in place of, and why: `// In place of
 * declarations: …` for some of a file, `// In place of the file: …` for all of it.
 */
export const readOverlay = (folder, filesUnder) => {
  const files = new Map()
  const parts = new Map()
  for (const file of filesUnder(folder)) {
    const text = fs.readFileSync(path.join(folder, file), "utf8")
    if (text.startsWith("// In place of declarations: ")) {
      parts.set(file, ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true))
    } else if (text.startsWith("// In place of the file: ")) files.set(file, text)
    else throw new Error(`overlay/${file} does not say in its first line what it stands in place of`)
  }
  return { files, parts }
}
