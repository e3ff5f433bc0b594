import { file, run } from "./runtime.mjs"

/** Runs the renamed tests on the Node of the edition, which Effect 4 needs: `node test.mjs test/client`. */

const args = ["run", "--config", file("vitest.config.ts"), ...process.argv.slice(2)]
const { code } = await run([file("node_modules/vitest/vitest.mjs"), ...args], { stdio: "inherit", cwd: file(".") })
process.exitCode = code
