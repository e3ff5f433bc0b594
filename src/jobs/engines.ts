import * as ClusterWorkflowEngine from "@effect/cluster/ClusterWorkflowEngine"
import * as RunnerAddress from "@effect/cluster/RunnerAddress"
import type { ShardingConfig } from "@effect/cluster/ShardingConfig"
import * as SingleRunner from "@effect/cluster/SingleRunner"
import * as Reactivity from "@effect/experimental/Reactivity"
import type * as NodeClusterSocket from "@effect/platform-node/NodeClusterSocket"
import type { SocketServerError } from "@effect/platform/SocketServer"
import type * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import type * as SqlClient from "@effect/sql/SqlClient"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import type { ConfigError } from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { hasProperty } from "effect/Predicate"
import type * as Scope from "effect/Scope"
import * as Check from "../internal/check.js"
import { messageOf } from "../stores/sql/database.js"
import { DatabaseFailed, DatabaseInUse } from "./errors.js"

// An engine loads the optional peers that only it needs.

const loadSqlite: Effect.Effect<typeof SqliteClient> = Effect.promise(
  () => import("@effect/sql-sqlite-node/SqliteClient")
)

const loadSockets: Effect.Effect<typeof NodeClusterSocket> = Effect.promise(
  () => import("@effect/platform-node/NodeClusterSocket")
)

// ---------------------------------------------------------------------------------------------------------------------
// In memory
// ---------------------------------------------------------------------------------------------------------------------

/** A database in a file, without a lock against other processes. */
export const fileDatabase = (filename: string): Layer.Layer<SqlClient.SqlClient> =>
  Layer.unwrapEffect(Effect.map(loadSqlite, ({ layer }) => Layer.orDie(layer({ filename }))))

/** A database in memory, which starts empty and keeps nothing. */
export const memoryDatabase: Layer.Layer<SqlClient.SqlClient> = fileDatabase(":memory:")

// ---------------------------------------------------------------------------------------------------------------------
// One process
// ---------------------------------------------------------------------------------------------------------------------

const problemOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

/** The cause of a failure of SQLite, with its code. */
const isBusy = (cause: unknown): boolean => hasProperty(cause, "code") && cause.code === "SQLITE_BUSY"

/**
 * Keeps other processes from a database for as long as the scope is open, by a lock on a file beside it. The system
 * also releases it when the process is killed. (The database's own locks last for a transaction only.)
 */
const lock = (
  { make }: typeof SqliteClient,
  filename: string
): Effect.Effect<void, DatabaseFailed | DatabaseInUse, Scope.Scope> =>
  Effect.gen(function*() {
    const sql = yield* Effect.provide(make({ filename: `${filename}.lock`, disableWAL: true }), Reactivity.layer)
    yield* sql.unsafe("PRAGMA busy_timeout = 0")
    yield* sql.unsafe("BEGIN EXCLUSIVE")
  }).pipe(
    Effect.withTracerEnabled(false),
    Effect.mapError((error) =>
      isBusy(error.cause) ? new DatabaseInUse({ filename }) : new DatabaseFailed({ problem: messageOf(error) })
    ),
    // The driver throws if it cannot open a file.
    Effect.catchAllDefect((defect) => Effect.fail(new DatabaseFailed({ problem: `${filename}: ${problemOf(defect)}` })))
  )

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
    const sqlite = yield* loadSqlite
    if (filename !== ":memory:") yield* lock(sqlite, filename)
    return ClusterWorkflowEngine.layer.pipe(
      Layer.provide(SingleRunner.layer({
        runnerStorage: "memory",
        shardingConfig: { entityTerminationTimeout }
      })),
      Layer.provideMerge(sqlite.layer({ filename })),
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
