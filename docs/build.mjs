/**
 * Builds the site into .vitepress/dist: the guide, and the reference, which typedoc writes from the comments of src/.
 * A link that leads nowhere fails the build.
 *
 *   npm ci --prefix docs && npm run --prefix docs build
 */
import { spawnSync } from "node:child_process"
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const here = fileURLToPath(new URL(".", import.meta.url))
const root = fileURLToPath(new URL("..", import.meta.url))

const run = (command, ...args) => {
  const { status } = spawnSync("npx", ["--no-install", command, ...args], { cwd: here, stdio: "inherit" })
  if (status !== 0) process.exit(status ?? 1)
}

const { exports } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))
/** The public modules: the name that a program imports, and the path below src/, without an extension. */
const modules = Object.entries(exports)
  .filter(([name, file]) => name !== "." && file.endsWith(".js"))
  .map(([name, file]) => ({ name: name.slice("./".length), path: file.slice("./dist/".length, -".js".length) }))

rmSync(`${here}api`, { recursive: true, force: true })
run(
  "typedoc",
  "--tsconfig",
  `${root}tsconfig.json`,
  ...modules.flatMap(({ path }) => ["--entryPoints", `${root}src/${path}.ts`])
)

// A page has the name that a program imports, and not that of its file.
const pages = modules.map(({ name, path }) => ({
  name,
  from: `${path.replace(/\/index$/, "").replaceAll("/", ".")}.md`,
  title: path.replace(/\/index$/, ""),
  to: `${name.replaceAll("/", ".")}.md`
}))
/** The comment of a module: its first paragraphs, without tags. */
const commentOf = (page) => {
  const source = readFileSync(`${root}src/${modules.find(({ name }) => name === page.name).path}.ts`, "utf8")
  const comment = /^\/\*\*\n([\s\S]*?)\*\//.exec(source)?.[1] ?? ""
  return comment.replace(/^ \* ?/gm, "").replace(/^@[\s\S]*$/m, "").trim()
}
/** The first sentence of the comment of a module. */
const purposeOf = (page) => commentOf(page).replace(/\s+/g, " ").match(/^.*?\.(?= |$)/)?.[0] ?? ""
const renamed = new Map(pages.map(({ from, to }) => [from, to]))
const texts = readdirSync(`${here}api`).map((file) => ({ file, text: readFileSync(`${here}api/${file}`, "utf8") }))
for (const { file } of texts) rmSync(`${here}api/${file}`)
for (const { file, text } of texts) {
  const page = pages.find(({ from }) => from === file)
  const linked = text.replace(/\]\(([\w.]+\.md)/g, (link, target) => `](${renamed.get(target) ?? target}`)
  const titled = pages.reduce((text, { name, title }) => text.replaceAll(`[${title}](`, `[${name}](`), linked)
  writeFileSync(
    `${here}api/${renamed.get(file) ?? file}`,
    page === undefined ? titled : titled.replace(/^# .*$/m, () => `# effect-llm/${page.name}\n\n${commentOf(page)}`)
  )
}

const entries = pages
  .toSorted((one, other) => one.name < other.name ? -1 : 1)
  .map((page) => `- [${page.name}](${page.to}): ${purposeOf(page)}`)
writeFileSync(`${here}api/index.md`, `# Reference\n\n${entries.join("\n")}\n`)

// The files that pages lead to, as they are.
rmSync(`${here}public/source`, { recursive: true, force: true })
for (const folder of ["examples", "src"]) {
  cpSync(`${root}${folder}`, `${here}public/source/${folder}`, { recursive: true })
}
cpSync(`${root}bench/README.md`, `${here}public/source/bench/README.md`)
cpSync(`${root}bench/results`, `${here}public/source/bench/results`, { recursive: true })

run("vitepress", "build")
