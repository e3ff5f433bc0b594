import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

/** Runs the renamed tests on the Node of the edition, which Effect 4 needs: `node test.mjs test/client`. */

const file = (path) => fileURLToPath(new URL(path, import.meta.url))

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
const isNewEnough = major > 22 || major === 22 && minor >= 19
const node = isNewEnough ? process.execPath : file("node_modules/node/bin/node")

const tests = spawn(
  node,
  [file("node_modules/vitest/vitest.mjs"), "run", "--config", file("vitest.config.ts"), ...process.argv.slice(2)],
  { stdio: "inherit", cwd: file(".") }
)
tests.on("exit", (code, signal) => {
  process.exitCode = code ?? (signal === null ? 0 : 1)
})
