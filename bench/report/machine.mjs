import { execFileSync } from "node:child_process"
import { cpus, loadavg } from "node:os"
import { fileURLToPath } from "node:url"

const commit = () => {
  try {
    const options = {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"]
    }
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], options).trim()
  } catch {
    return undefined
  }
}

/** When, where and of what something is measured: to be asked before it begins, as measuring is a load itself. */
export const machine = () => ({
  date: new Date().toISOString(),
  machine: `${cpus().length} × ${cpus()[0].model.trim()}`,
  load: loadavg()[0],
  node: process.version,
  commit: commit()
})

/** All that in words. */
export const captionOf = ({ commit, date, load, machine, node }) =>
  [
    `Measured ${date.slice(0, 10)} on ${machine}, Node ${node.slice(1)}`,
    ...(commit === undefined ? [] : [`at ${commit}`]),
    // More than a process of the system now and then.
    ...(load > 0.7 ? [`on a machine that had other things to do (load average ${load.toFixed(1)})`] : [])
  ].join(", ")
