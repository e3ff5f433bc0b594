import { existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { environment, file, run } from "./runtime.mjs"

/** Runs the renamed examples, each to its end, as CI runs those for Effect 3: `node examples.mjs tools.ts` runs one. */

/** How long an example may take, in milliseconds. It is killed then, with the processes that it has started. */
const timeLimit = 180_000

const wanted = process.argv.slice(2)
const examples = readdirSync(file("generated/examples"))
  .filter((name) => name.endsWith(".ts") && (wanted.length === 0 || wanted.includes(name)))
if (examples.length === 0) throw new Error("There are no such examples.")

// A folder of their own, with what they read and the loader that they start processes with: they must not go on with what
// those for Effect 3 have written.
const folder = mkdtempSync(join(tmpdir(), "effect-llm-edition4-examples-"))
mkdirSync(join(folder, "examples"))
symlinkSync(file("../../examples/data"), join(folder, "examples/data"))
symlinkSync(file("node_modules"), join(folder, "node_modules"))

const failed = []
for (const example of examples) {
  // What a person would type, where one is asked.
  const typed = file(`../../examples/data/${basename(example, ".ts")}.txt`)
  const began = performance.now()
  const { code, output, signal } = await run(["--import", "tsx", file(`generated/examples/${example}`)], {
    cwd: folder,
    // A server goes on without it.
    env: { ...environment, CI: "true" },
    stdio: [existsSync(typed) ? openSync(typed) : "ignore", "pipe", "inherit"],
    timeLimit
  })
  const end = signal === null ? code === 0 ? "ended" : "FAILED" : "KILLED"
  console.log(`${example.padEnd(20)} ${end} after ${((performance.now() - began) / 1000).toFixed(1)} s`)
  if (code !== 0) failed.push(`${example}\n${output.split("\n").slice(-20).join("\n")}`)
}
rmSync(folder, { recursive: true, force: true })
for (const problem of failed) console.error(`\n${problem}`)
if (failed.length > 0) process.exitCode = 1
