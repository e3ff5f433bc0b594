/**
 * Builds the site into .vitepress/dist: the guide, and the reference, which typedoc writes from the comments of src/.
 * A link that leads nowhere fails the build.
 *
 *   npm ci --prefix docs && npm run --prefix docs build
 */
import { spawnSync } from "node:child_process"
import { cpSync, readFileSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"

const here = fileURLToPath(new URL(".", import.meta.url))
const root = fileURLToPath(new URL("..", import.meta.url))

const run = (command, ...args) => {
  const { status } = spawnSync("npx", ["--no-install", command, ...args], { cwd: here, stdio: "inherit" })
  if (status !== 0) process.exit(status ?? 1)
}

const { exports } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))
const modules = Object.values(exports)
  .filter((file) => file.endsWith(".js") && file !== "./dist/index.js")
  .map((file) => `${root}${file.replace("./dist/", "src/").replace(/\.js$/, ".ts")}`)

rmSync(`${here}api`, { recursive: true, force: true })
run(
  "typedoc",
  "--plugin", "typedoc-plugin-markdown",
  "--tsconfig", `${root}tsconfig.json`,
  "--out", `${here}api`,
  "--readme", "none",
  "--entryFileName", "index.md",
  "--outputFileStrategy", "modules",
  "--flattenOutputFiles", "true",
  "--hideBreadcrumbs", "true",
  "--disableSources", "true",
  "--excludeInternal", "true",
  "--blockTags", "@since,@category,@example,@see,@default,@param,@returns",
  "--skipErrorChecking", "true",
  "--logLevel", "Error",
  ...modules.flatMap((file) => ["--entryPoints", file])
)

// The files that pages lead to, as they are.
rmSync(`${here}public/source`, { recursive: true, force: true })
for (const folder of ["examples", "src"]) {
  cpSync(`${root}${folder}`, `${here}public/source/${folder}`, { recursive: true })
}
cpSync(`${root}bench/README.md`, `${here}public/source/bench/README.md`)
cpSync(`${root}bench/results`, `${here}public/source/bench/results`, { recursive: true })

run("vitepress", "build")
