import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

/** The file of a path from this folder. */
export const file = (path) => fileURLToPath(new URL(path, import.meta.url))

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
const isNewEnough = major > 22 || major === 22 && minor >= 19

/** The Node that Effect 4 needs: this one, or that of the edition. */
export const node = isNewEnough ? process.execPath : file("node_modules/node/bin/node")

/** With the paths of the edition, for programs that import the library as its users do. */
export const environment = { ...process.env, TSX_TSCONFIG_PATH: file("tsconfig.json") }

/**
 * Runs a program on that Node, and gives how it ended and what it printed. One that takes longer than `timeLimit`
 * milliseconds is killed, with the processes that it has started.
 */
export const run = (args, { timeLimit, ...options } = {}) =>
  new Promise((resolve, reject) => {
    const detached = timeLimit !== undefined
    const program = spawn(node, args, { stdio: ["ignore", "pipe", "inherit"], detached, ...options })
    // The processes of a group of its own do not end with this one.
    const kill = () => process.kill(-program.pid, "SIGKILL")
    const interrupted = () => {
      kill()
      process.exit(130)
    }
    const timer = detached ? setTimeout(kill, timeLimit) : undefined
    if (detached) process.once("SIGINT", interrupted)
    const chunks = []
    program.stdout?.on("data", (chunk) => chunks.push(chunk))
    program.on("error", reject)
    program.on("close", (code, signal) => {
      clearTimeout(timer)
      process.off("SIGINT", interrupted)
      resolve({
        code: code ?? 1,
        signal,
        output: Buffer.concat(chunks).toString("utf8")
      })
    })
  })
