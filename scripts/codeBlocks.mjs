/** The TypeScript blocks of Markdown pages and of the documentation comments of sources. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))

/** The files in a directory of the repository, or of another home, and below it, from there, in order. None if there is no such directory. */
export const filesIn = (directory, extension, home = root) =>
  existsSync(join(home, directory))
    ? readdirSync(join(home, directory), { recursive: true })
      .filter((file) => file.endsWith(extension))
      .map((file) => join(directory, file))
      .sort()
    : []

/** The pages of the repository that show code. */
export const pages = [
  ...["README.md", "AGENTS.md", "llms.md", "CONTRIBUTING.md"].filter((file) => existsSync(join(root, file))),
  ...filesIn("docs/guide", ".md"),
  ...filesIn("docs/cookbook", ".md")
]

/**
 * The blocks of a file, each with the line it begins at and a name for a file of its own. A block keeps its line numbers
 * and columns: the text around it is replaced by white space. One fenced as "ts no-check" is skipped.
 */
export const blocksOf = (source, home = root) => {
  const blocks = []
  let open
  const close = () => {
    const { line, lines } = open
    blocks.push({ source, line, name: `${source.replaceAll(/[^\w]/g, "-")}-${line}.ts`, text: lines.join("\n") + "\n" })
    open = undefined
  }
  for (const [number, line] of readFileSync(join(home, source), "utf8").split(/\r?\n/).entries()) {
    const prefix = source.endsWith(".ts") ? /^\s*\* ?/.exec(line)?.[0] : ""
    const text = prefix === undefined ? undefined : line.slice(prefix.length)
    const fence = text === undefined ? undefined : /^\s*```(.*)$/.exec(text)?.[1]?.trim()
    if (open !== undefined) {
      if (fence === "" || text === undefined) close()
      else open.lines.push(" ".repeat(prefix.length) + text)
    } else if (fence !== undefined && /^(ts|typescript)\b/.test(fence) && !fence.includes("no-check")) {
      open = { line: number + 1, lines: Array.from({ length: number + 1 }, () => "") }
    }
  }
  if (open !== undefined) throw new Error(`${source}:${open.line}: the code block has no end`)
  return blocks
}
