import { spawnSync } from "node:child_process"
import { file } from "./runtime.mjs"
import { untyped } from "./scope.mjs"

/** Checks the types of the renamed tests and examples on Effect 4: they run, but would not show a type that was lost. */

const tsc = file("../../node_modules/typescript/bin/tsc")
const { stdout } = spawnSync(process.execPath, [
  tsc,
  "--noEmit",
  "--pretty",
  "false",
  "-p",
  file("tsconfig.check.json")
], {
  cwd: file("."),
  encoding: "utf8",
  maxBuffer: 1 << 28
})

// A mistake and the lines that explain it, which are indented.
const mistakes = stdout.split(/\n(?=\S)/).filter((text) => text.includes("error TS"))
const placeOf = (mistake) => mistake.split("(")[0].replace(/^generated\//, "")
const exempt = new Set(untyped.flatMap(({ files }) => files))

const found = mistakes.filter((mistake) => !exempt.has(placeOf(mistake)))
const idle = [...exempt].filter((path) => !mistakes.some((mistake) => placeOf(mistake) === path))
for (const mistake of found) console.error(mistake)
for (const path of idle) console.error(`${path} has the types of Effect 4: leave it out of untyped in scope.mjs`)
console.log(
  `The types of tests and examples fit Effect 4, but for ${exempt.size} files: ${found.length + idle.length} problems`
)
if (found.length + idle.length > 0) process.exitCode = 1
