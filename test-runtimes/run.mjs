/**
 * Packs the library, installs it in an empty project by the commands of README, and tries it there on each runtime, in the
 * bundles of each bundler, with old and new compilers, and, in projects of their own, with each package manager. Prints a
 * table; ends with 1 if one of them fails. What is not installed, or does not start on this machine, is left out, and the
 * table says so.
 *
 *     npm ci --prefix test-runtimes && node test-runtimes/run.mjs
 *     node test-runtimes/run.mjs Deno TypeScript      only those whose names have one of these words
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { bundlers, compilers } from "./bundles.mjs"
import { makeConsumer, run } from "./consumer.mjs"
import { managers } from "./managers.mjs"
import { runtimes } from "./runtimes.mjs"

const words = process.argv.slice(2)
const chosen = [...runtimes, ...bundlers, ...compilers, ...managers]
  .filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)))

const row = (name, version, result, seconds) =>
  console.log(`${name.padEnd(41)} ${version.padEnd(13)} ${result.padEnd(9)} ${seconds}`.trimEnd())

const folder = mkdtempSync(join(tmpdir(), "effect-llm-runtimes-"))
const problems = []
try {
  const { project, tarball } = await makeConsumer(folder)
  const expectedKey = await run(
    process.execPath,
    ["--input-type=module", "--eval", `import { key } from "./suite.js"; console.log(key())`],
    project
  )
  const { startSimulator } = await import(pathToFileURL(join(project, "simulator.js")).href)
  const { stop, url } = await startSimulator()
  row("Runtime", "Version", "Result", "Seconds")
  // One by one, so that each has the machine for itself.
  for (const { name, suite, version } of chosen) {
    if (version === undefined) {
      row(name, "-", "left out", "not installed here")
      continue
    }
    const started = performance.now()
    const result = await suite({
      folder,
      project,
      tarball,
      options: { name, url, log: `${url}/_simulator/log`, expectedKey }
    })
      .catch((error) => ({ passed: [], problems: [error.message ?? String(error)] }))
    // A suite that ran nothing has shown nothing.
    const found = result.passed.length === 0 && result.problems.length === 0 ? ["no check ran"] : result.problems
    row(name, version, found.length === 0 ? "passed" : "FAILED", ((performance.now() - started) / 1000).toFixed(1))
    for (const problem of found) problems.push(`${name}: ${problem}`)
  }
  await stop()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
for (const problem of problems) console.error(`\n${problem}`)
process.exitCode = problems.length === 0 ? 0 : 1
