import type * as StoreConformance from "effect-llm/testing/StoreConformance"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { Redis } from "ioredis"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe } from "vitest"
import { freePort } from "./freePort.js"

const isInstalled = (program: string): boolean => {
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}

/** Without Redis, its tests are skipped: `.ci/run` installs it. */
export const hasRedis = isInstalled("redis-server")

/** A server of its own on the loopback interface, which keeps nothing. */
export interface RedisServer {
  readonly url: string
  readonly port: number
  /** A connection beside those under test. */
  readonly redis: Redis
  readonly stop: () => Promise<void>
  readonly start: () => Promise<void>
  readonly hang: () => void
  readonly resume: () => Promise<void>
}

const answers = async (redis: Redis): Promise<void> => {
  while (await redis.ping().catch(() => "") !== "PONG") await new Promise((resume) => setImmediate(resume))
}

/** Starts a server, for as long as the scope is open. */
export const startRedis: Effect.Effect<RedisServer, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.promise(async () => {
      const directory = mkdtempSync(join(tmpdir(), "effect-llm-redis-"))
      const port = await freePort()
      let child: ChildProcess | undefined
      const redis = new Redis({ port, host: "127.0.0.1", retryStrategy: () => 10, maxRetriesPerRequest: null })
      redis.on("error", () => {})
      const start = async () => {
        child = spawn("redis-server", [
          ...["--port", `${port}`, "--bind", "127.0.0.1", "--dir", directory],
          ...["--save", "", "--appendonly", "no", "--daemonize", "no"]
        ], { stdio: "ignore" })
        await answers(redis)
      }
      const stop = async () => {
        if (child === undefined) return
        const gone = once(child, "exit")
        child.kill("SIGKILL")
        child = undefined
        await gone
      }
      await start()
      return {
        close: async () => {
          redis.disconnect()
          child?.kill("SIGCONT")
          await stop()
          rmSync(directory, { recursive: true, force: true })
        },
        server: {
          url: `redis://127.0.0.1:${port}`,
          port,
          redis,
          start,
          stop,
          hang: () => void child?.kill("SIGSTOP"),
          resume: async () => {
            child?.kill("SIGCONT")
            await answers(redis)
          }
        }
      }
    }),
    ({ close }) => Effect.promise(close)
  ),
  ({ server }) => server
)

/** A server for the tests of a file, and the power over it. */
export interface Suite {
  readonly server: () => RedisServer
  readonly power: StoreConformance.Server
  /** How many scripts the server has run. */
  readonly scriptCalls: () => Promise<number>
}

/** Tests with a server of their own. Without Redis they are skipped, and say so. */
export const suiteWithRedis = (name: string, register: (suite: Suite) => void): void => {
  describe.skipIf(!hasRedis)(hasRedis ? name : `${name} (skipped: redis-server is not installed)`, () => {
    const scope = Effect.runSync(Scope.make())
    let running: RedisServer | undefined
    const server = () => {
      if (running === undefined) throw new Error("The server is not running yet")
      return running
    }
    beforeAll(async () => {
      running = await Effect.runPromise(Scope.extend(startRedis, scope))
    })
    afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
    register({
      server,
      scriptCalls: async () => {
        const stats = await server().redis.info("commandstats")
        return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce(
          (sum, [, calls]) => sum + Number(calls),
          0
        )
      },
      power: {
        stop: Effect.promise(() => server().stop()),
        start: Effect.promise(() => server().start()),
        hang: Effect.sync(() => server().hang()),
        resume: Effect.promise(() => server().resume()),
        forgetScripts: Effect.promise(() => server().redis.script("FLUSH"))
      }
    })
  })
}
