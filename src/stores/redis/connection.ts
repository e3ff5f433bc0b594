import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { Redis } from "ioredis"
import * as Check from "../../internal/check.js"

/**
 * The part of a connection of ioredis 5, a `Redis` or a `Cluster`, that is used here.
 *
 * @since 0.1.0
 * @category models
 */
export interface Connection {
  /** `"ready"` while commands can be sent. */
  readonly status: string
  readonly call: (command: string, args: Array<string | number>) => Promise<unknown>
  readonly once: (event: "ready", listener: () => void) => unknown
  readonly off: (event: "ready", listener: () => void) => unknown
}

/**
 * The server, and the limits of the waits for it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionOptions {
  /**
   * Your own connection, which is not closed; or the address of a server, such as `"redis://127.0.0.1:6379/0"`,
   * `Redacted` if it holds a password. Nothing is sent while a connection is not ready. For your own, set
   * `autoResendUnfulfilledCommands: false` and `enableOfflineQueue: false`, so that no command runs late or twice.
   */
  readonly connection: Connection | Redacted.Redacted<string> | string
  /** The longest wait for an answer of the server. Default: 250 milliseconds. */
  readonly commandTimeout?: Duration.DurationInput | undefined
  /**
   * The time for which a server that did not answer is not asked; then one command finds out whether it is back.
   * Default: 1 second.
   */
  readonly retryAfter?: Duration.DurationInput | undefined
}

/** A connection that is closed with its scope, unless it was given. */
export interface Opened {
  readonly connection: Connection
  /** Milliseconds. */
  readonly commandTimeout: number
  readonly retryAfter: number
}

/** A layer waits this long for a connection that has never been ready. */
const firstWait = Duration.seconds(1)

const isConnection = (given: ConnectionOptions["connection"]): given is Connection =>
  typeof given === "object" && !Redacted.isRedacted(given)

const connect = (address: string): Effect.Effect<Connection, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const redis = new Redis(address, {
        // A command fails at once if it cannot be sent, and none is ever sent twice.
        enableOfflineQueue: false,
        maxRetriesPerRequest: 0,
        autoResendUnfulfilledCommands: false,
        connectTimeout: 1_000,
        retryStrategy: (times: number) => Math.min(1_000, 50 * times)
      })
      // Without a listener, ioredis prints each failed attempt to connect.
      redis.on("error", () => {})
      return redis
    }),
    (redis) => Effect.sync(() => redis.disconnect())
  )

const ready = (connection: Connection): Effect.Effect<void> =>
  connection.status === "ready" ? Effect.void : Effect.raceFirst(
    Effect.async<void>((resume) => {
      const listener = () => resume(Effect.void)
      connection.once("ready", listener)
      return Effect.sync(() => void connection.off("ready", listener))
    }),
    Effect.sleep(firstWait)
  )

/** Opens a connection, and waits a moment until it is ready. It is not a failure if it is not. */
export const open = (options: ConnectionOptions): Effect.Effect<Opened, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { connection: given } = options
    const commandTimeout = Check.positiveDuration("commandTimeout", options.commandTimeout ?? 250)
    const retryAfter = Check.duration("retryAfter", options.retryAfter ?? "1 second")
    const connection = isConnection(given)
      ? given
      : yield* connect(Redacted.isRedacted(given) ? Redacted.value(given) : given)
    yield* ready(connection)
    return {
      connection,
      commandTimeout: Duration.toMillis(commandTimeout),
      retryAfter: Duration.toMillis(retryAfter)
    }
  })
