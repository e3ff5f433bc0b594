import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

/** A program that runs in a process of its own. */
export interface Program {
  /** The first line that it writes. */
  readonly firstLine: Effect.Effect<string>
  /** All that it has written to its standard error when it has ended. */
  readonly errors: Effect.Effect<string>
  /** Its exit code when it has ended; `null` after a signal. */
  readonly exitCode: Effect.Effect<number | null>
  readonly kill: (signal: NodeJS.Signals) => Effect.Effect<void>
}

/** Starts a program of this package. It is killed with the scope. */
export const start = (
  file: URL,
  options: ReadonlyArray<string>
): Effect.Effect<Program, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn(process.execPath, ["--import", "tsx", fileURLToPath(file), ...options], {
          stdio: ["ignore", "pipe", "pipe"]
        })
        const written = { output: "", errors: "" }
        child.stdout.setEncoding("utf8").on("data", (text: string) => {
          written.output += text
        })
        child.stderr.setEncoding("utf8").on("data", (text: string) => {
          written.errors += text
        })
        const closed = new Promise<number | null>((resume) => child.once("close", resume))
        return { child, closed, written }
      }),
      ({ child, closed }) =>
        Effect.promise(() => {
          child.kill("SIGKILL")
          return closed
        })
    ),
    ({ child, closed, written }): Program => {
      const exitCode = Effect.promise(() => closed)
      return {
        exitCode,
        errors: Effect.map(exitCode, () => written.errors),
        firstLine: Effect.async<string>((resume) => {
          const look = () => {
            const [line, ...more] = written.output.split("\n")
            if (line !== undefined && more.length > 0) resume(Effect.succeed(line))
          }
          child.stdout.on("data", look)
          child.once("close", () => resume(Effect.die(new Error(`it ended: ${written.errors}`))))
          look()
        }),
        kill: (signal) => Effect.sync(() => void child.kill(signal))
      }
    }
  )
