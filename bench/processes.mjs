import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

const pathOf = (file) => fileURLToPath(new URL(file, import.meta.url))

/** The server, and its address. */
export const startServer = async () => {
  const server = spawn(process.execPath, [pathOf("wire/server.mjs")], { stdio: ["pipe", "pipe", "inherit"] })
  const [port] = await once(createInterface({ input: server.stdout }), "line")
  return { baseUrl: `http://127.0.0.1:${port}/v1`, stop: () => server.stdin.end() }
}

/**
 * Runs a program to its end. Its figures are the JSON on its last line; a client that prints anything besides spends time
 * on that, and is told on.
 */
export const run = (file, args, seconds = 120) =>
  new Promise((resolve, reject) => {
    const program = spawn(process.execPath, [pathOf(file), ...args], { stdio: ["ignore", "pipe", "pipe"] })
    const timer = setTimeout(() => program.kill("SIGKILL"), seconds * 1000)
    let out = ""
    let errors = ""
    program.stdout.setEncoding("utf8").on("data", (text) => {
      out += text
    })
    program.stderr.setEncoding("utf8").on("data", (text) => {
      errors += text
    })
    program.on("error", reject)
    program.on("close", (code, signal) => {
      clearTimeout(timer)
      const lines = out.trimEnd().split("\n")
      if (code !== 0) {
        return reject(new Error(`${file} ${args.join(" ")}: ${signal ?? `exit ${code}`}\n${errors || out}`))
      }
      resolve({
        ...JSON.parse(lines.pop()),
        printed: (lines.join("\n") + errors).trim()
      })
    })
  })
