import * as Reactivity from "@effect/experimental/Reactivity"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort } from "./freePort.js"

const root = "/usr/lib/postgresql"

const programs = (): string | undefined => {
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : []
  return versions.map((version) => join(root, version, "bin")).find((bin) => existsSync(join(bin, "initdb")))
}

const numberOf = (option: "-u" | "-g"): number => Number(execFileSync("id", [option, "postgres"], { encoding: "utf8" }))

/** Without PostgreSQL, its tests are skipped: `.ci/run` installs it. */
export const hasPostgres = programs() !== undefined

/** A server of its own on the loopback interface. */
export interface PostgresServer {
  readonly port: number
  /** A client with connections of its own. */
  readonly client: Effect.Effect<PgClient.PgClient, never, Scope.Scope>
  readonly hang: () => void
  readonly resume: () => void
  /** Kills it. */
  readonly stop: () => Promise<void>
  /** Starts it again, with the data that it had. */
  readonly start: () => Promise<void>
}

const childrenOf = (pid: number): ReadonlyArray<number> =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number)

/** Sends a signal to a process, if it is still there: the server's workers come and go. */
const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error
  }
}

/** Starts a server, for as long as the scope is open. */
export const startPostgres: Effect.Effect<PostgresServer, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.promise(async () => {
      const bin = programs()
      if (bin === undefined) throw new Error("PostgreSQL is not installed")
      const directory = mkdtempSync(join(tmpdir(), "effect-llm-postgres-"))
      // It refuses to run as root.
      const isRoot = process.getuid?.() === 0
      const user = isRoot ? { uid: numberOf("-u"), gid: numberOf("-g") } : {}
      if (isRoot) chownSync(directory, user.uid!, user.gid!)
      const data = join(directory, "data")
      execFileSync(join(bin, "initdb"), ["-D", data, "-U", "test", "-A", "trust", "--no-sync", "-E", "UTF8"], {
        ...user,
        cwd: directory,
        stdio: "ignore"
      })
      const port = await freePort()
      // The memory of a server that was killed is in use for as long as any of its processes: then it is tried again.
      const start = async (): Promise<ChildProcess> => {
        const child = spawn(join(bin, "postgres"), [
          ...["-D", data, "-p", `${port}`, "-k", directory, "-h", "127.0.0.1", "-F"],
          ...["-c", "shared_buffers=16MB"]
        ], { ...user, cwd: directory, stdio: ["ignore", "ignore", "pipe"] })
        const isReady = await new Promise<boolean>((resume) => {
          child.once("exit", () => resume(false))
          child.stderr!.setEncoding("utf8").on("data", (text: string) => {
            if (text.includes("ready to accept connections")) resume(true)
          })
        })
        return isReady ? child : start()
      }
      return { directory, port, start, running: { child: await start() } }
    }),
    ({ directory, running: { child } }) =>
      Effect.promise(async () => {
        if (child.exitCode === null && child.signalCode === null) {
          const gone = once(child, "exit")
          child.kill("SIGINT")
          await gone
        }
        rmSync(directory, { recursive: true, force: true })
      })
  ),
  ({ port, running, start }): PostgresServer => {
    const pids = () => [running.child.pid!, ...childrenOf(running.child.pid!)]
    let stopped: ReadonlyArray<number> = []
    return {
      port,
      client: Effect.orDie(
        PgClient.make({ url: Redacted.make(`postgres://test@127.0.0.1:${port}/postgres`), maxConnections: 4 }).pipe(
          Effect.provide(Reactivity.layer)
        )
      ),
      hang: () => {
        stopped = pids()
        for (const pid of stopped) signal(pid, "SIGSTOP")
      },
      resume: () => {
        for (const pid of stopped) signal(pid, "SIGCONT")
      },
      stop: async () => {
        const gone = once(running.child, "exit")
        // Its children first: they would keep their memory, and it would start new ones.
        running.child.kill("SIGSTOP")
        for (const pid of pids().reverse()) signal(pid, "SIGKILL")
        await gone
      },
      start: async () => {
        running.child = await start()
      }
    }
  }
)
