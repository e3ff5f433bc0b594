import { existsSync, openSync, readdirSync } from "node:fs"
import { basename } from "node:path"
import { environment, file, run } from "./runtime.mjs"

/** Runs the renamed examples, each to its end, as CI runs those for Effect 3: `node examples.mjs tools.ts` runs one. */

const wanted = process.argv.slice(2)
const examples = readdirSync(file("generated/examples"))
  .filter((name) => name.endsWith(".ts") && (wanted.length === 0 || wanted.includes(name)))
if (examples.length === 0) throw new Error("There are no such examples.")

const failed = []
for (const example of examples) {
  // What a person would type, where one is asked.
  const typed = file(`../../examples/data/${basename(example, ".ts")}.txt`)
  const began = performance.now()
  const { code, output } = await run(["--import", "tsx", file(`generated/examples/${example}`)], {
    cwd: file("../.."),
    env: environment,
    stdio: [existsSync(typed) ? openSync(typed) : "ignore", "pipe", "inherit"]
  })
  console.log(
    `${example.padEnd(20)} ${code === 0 ? "ended" : "FAILED"} after ${
      ((performance.now() - began) / 1000).toFixed(1)
    } s`
  )
  if (code !== 0) failed.push(`${example}\n${output.split("\n").slice(-20).join("\n")}`)
}
for (const problem of failed) console.error(`\n${problem}`)
if (failed.length > 0) process.exitCode = 1
