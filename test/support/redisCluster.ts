import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Cluster, Redis } from "ioredis"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort } from "./freePort.js"

const size = 3
const slots = 16_384

/** A cluster of its own on the loopback interface, which keeps nothing. */
export interface RedisCluster {
  /** A connection, with the settings that the stores recommend. */
  readonly connection: Effect.Effect<Cluster, never, Scope.Scope>
  /** Connections to the nodes beside it. */
  readonly nodes: ReadonlyArray<Redis>
}

const soon = () => new Promise((resume) => setImmediate(resume))

const startNode = async (directory: string) => {
  const [port, bus] = [await freePort(), await freePort()]
  const child = spawn("redis-server", [
    ...["--port", `${port}`, "--bind", "127.0.0.1", "--dir", directory, "--save", "", "--appendonly", "no"],
    ...["--cluster-enabled", "yes", "--cluster-port", `${bus}`, "--cluster-config-file", `nodes-${port}.conf`]
  ], { stdio: "ignore" })
  const redis = new Redis({ port, host: "127.0.0.1", retryStrategy: () => 10, maxRetriesPerRequest: null })
  redis.on("error", () => {})
  return { bus, child, port, redis }
}

/** Starts a cluster of three nodes, for as long as the scope is open. */
export const startRedisCluster: Effect.Effect<RedisCluster, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.promise(async () => {
      const directory = mkdtempSync(join(tmpdir(), "effect-llm-redis-cluster-"))
      const nodes = await Promise.all(Array.from({ length: size }, () => startNode(directory)))
      for (const [i, { redis }] of nodes.entries()) {
        const [first, last] = [Math.floor(i * slots / size), Math.floor((i + 1) * slots / size) - 1]
        await redis.call("CLUSTER", "ADDSLOTSRANGE", first, last)
        // Otherwise each begins with the same epoch, and they argue about it for a while.
        await redis.call("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
      }
      for (const { bus, port } of nodes.slice(1)) {
        await nodes[0]!.redis.call("CLUSTER", "MEET", "127.0.0.1", port, bus)
      }
      for (const { redis } of nodes) {
        const knowsAll = async () => {
          const info = String(await redis.call("CLUSTER", "INFO"))
          return info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${size}`)
        }
        while (!await knowsAll()) await soon()
      }
      return { directory, nodes }
    }),
    ({ directory, nodes }) =>
      Effect.promise(async () => {
        await Promise.all(nodes.map(async ({ child, redis }) => {
          redis.disconnect()
          const gone = once(child, "exit")
          child.kill("SIGKILL")
          await gone
        }))
        rmSync(directory, { recursive: true, force: true })
      })
  ),
  ({ nodes }) => ({
    nodes: nodes.map(({ redis }) => redis),
    connection: Effect.acquireRelease(
      Effect.promise(async () => {
        const cluster = new Cluster(nodes.map(({ port }) => ({ host: "127.0.0.1", port })), {
          enableOfflineQueue: false,
          redisOptions: { maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false }
        })
        cluster.on("error", () => {})
        await once(cluster, "ready")
        return cluster
      }),
      (cluster) => Effect.sync(() => cluster.disconnect())
    )
  })
)
