import { execFileSync } from "node:child_process"
import { cpus } from "node:os"
import { fileURLToPath } from "node:url"

const commit = () => {
  try {
    const options = { cwd: fileURLToPath(new URL("../..", import.meta.url)), encoding: "utf8" }
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], options).trim()
  } catch {
    return undefined
  }
}

/** When, where and of what something is measured. */
export const machine = () => ({
  date: new Date().toISOString(),
  machine: `${cpus().length} × ${cpus()[0].model.trim()}`,
  node: process.version,
  commit: commit()
})
