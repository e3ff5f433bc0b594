import * as ClusterWorkflowEngine from "@effect/cluster/ClusterWorkflowEngine"
import * as RunnerAddress from "@effect/cluster/RunnerAddress"
import type { ShardingConfig } from "@effect/cluster/ShardingConfig"
import * as SingleRunner from "@effect/cluster/SingleRunner"
import type * as NodeClusterSocket from "@effect/platform-node/NodeClusterSocket"
import type { SocketServerError } from "@effect/platform/SocketServer"
import type * as SqlClient from "@effect/sql/SqlClient"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import type { ConfigError } from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Check from "../internal/check.js"
import type { DatabaseFailed, DatabaseInUse } from "./errors.js"
import * as Sqlite from "./sqlite.js"

// An optional peer, which is loaded by the engine that needs it.
const loadSockets: Effect.Effect<typeof NodeClusterSocket> = Effect.promise(
  () => import("@effect/platform-node/NodeClusterSocket")
)

// ---------------------------------------------------------------------------------------------------------------------
// One process
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The time for which a process that stops, or hands a shard over, lets a workflow run before it interrupts it: none, as
 * a chunk would go on sending requests. An interrupted chunk waits for its requests under way itself.
 */
const entityTerminationTimeout = Duration.zero

/** The engine of one process, over a file. */
export const single = (
  filename: string
): Layer.Layer<WorkflowEngine | SqlClient.SqlClient, DatabaseFailed | DatabaseInUse> => {
  if (typeof filename !== "string" || filename === "") Check.invalidOption("filename", "the path of a file", filename)
  return Layer.unwrapScoped(Effect.gen(function*() {
    if (filename !== ":memory:") yield* Sqlite.lock(filename)
    return ClusterWorkflowEngine.layer.pipe(
      Layer.provide(SingleRunner.layer({
        runnerStorage: "memory",
        shardingConfig: { entityTerminationTimeout }
      })),
      Layer.provideMerge(Sqlite.layer(filename)),
      Layer.orDie
    )
  }))
}

// ---------------------------------------------------------------------------------------------------------------------
// Many processes
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The address of a process in a cluster.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClusterOptions {
  /** The address at which the other processes reach this one: a name or an IP address of a private network. */
  readonly host: string
  /** The port for it, one for each process of a machine. Default: 34431. */
  readonly port?: number | undefined
  /** The address to listen on, if it differs. Default: `host`. */
  readonly listenHost?: string | undefined
  /** Changes to the settings of `@effect/cluster`, which have to be the same in all processes. Default: none. */
  readonly sharding?: Partial<ShardingConfig["Type"]> | undefined
}

/**
 * With these settings the work of a killed process is taken over within 9 seconds, on a machine that is not overloaded:
 * its last sign of life counts for 6, and the others check the members, the free shards and the messages once a second
 * each. (17 kills took 0.4 to 7.0 seconds.) With the cluster's own defaults it took half a minute.
 */
const takeOverSoon: Partial<ShardingConfig["Type"]> = {
  entityMessagePollInterval: Duration.seconds(1),
  refreshAssignmentsInterval: Duration.seconds(1),
  runnerHealthCheckInterval: Duration.seconds(2),
  shardLockRefreshInterval: Duration.seconds(2),
  shardLockExpiration: Duration.seconds(6)
}

/** The engine of a process among others. */
export const runner = (
  { host, listenHost, port = 34_431, sharding }: ClusterOptions
): Layer.Layer<WorkflowEngine, SocketServerError | ConfigError, SqlClient.SqlClient> => {
  if (typeof host !== "string" || host === "") Check.invalidOption("host", "a name or an address", host)
  Check.integer("port", port, 1)
  return Layer.unwrapEffect(Effect.map(loadSockets, ({ layer }) =>
    Layer.provide(
      ClusterWorkflowEngine.layer,
      layer({
        storage: "sql",
        runnerHealth: "ping",
        shardingConfig: {
          ...takeOverSoon,
          entityTerminationTimeout,
          runnerAddress: Option.some(RunnerAddress.make(host, port)),
          runnerListenAddress: Option.fromNullable(listenHost).pipe(
            Option.map((listenHost) => RunnerAddress.make(listenHost, port))
          ),
          ...sharding
        }
      })
    )))
}

/** The engine of a process that gives work to the others. */
export const client = (
  sharding: ClusterOptions["sharding"]
): Layer.Layer<WorkflowEngine, ConfigError, SqlClient.SqlClient> =>
  Layer.unwrapEffect(Effect.map(loadSockets, ({ layer }) =>
    Layer.provide(
      ClusterWorkflowEngine.layer,
      layer({ clientOnly: true, storage: "sql", shardingConfig: { ...takeOverSoon, ...sharding } })
    )))
