import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Check from "../../internal/check.js"
import { utf8Length } from "../../internal/utf8Length.js"
import * as LlmCache from "../../LlmCache.js"
import * as Entries from "../entries.js"
import type { Unavailable } from "../unavailable.js"
import * as Database from "./database.js"
import * as Tables from "./tables.js"

/**
 * Options for keeping answers in a database.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheOptions extends Database.DatabaseOptions {
  /** How long an answer is kept, unless `set` is given another time: by the database's clock. Default: forever. */
  readonly timeToLive?: Duration.DurationInput | undefined
  /** The most answers; the next purge removes the oldest ones beyond it. A positive integer. Default: 100,000. */
  readonly capacity?: number | undefined
  /** The most bytes of entries, likewise. A positive integer. Default: 1 GiB. */
  readonly maxBytes?: number | undefined
  /**
   * The time between purges, which remove expired and excess answers; the first one runs when the layer is built.
   * Default: 1 minute.
   */
  readonly purgeEvery?: Duration.DurationInput | undefined
}

/** Makes a cache in a table. */
export const make = (
  options: CacheOptions
): Effect.Effect<LlmCache.Service, SqlError, SqlClient.SqlClient | Scope.Scope> =>
  Effect.gen(function*() {
    const timeToLive = Check.duration("timeToLive", options.timeToLive ?? Duration.infinity)
    const purgeEvery = Check.positiveDuration("purgeEvery", options.purgeEvery ?? "1 minute")
    const capacity = Check.integer("capacity", options.capacity ?? 100_000, 1)
    const maxBytes = Check.integer("maxBytes", options.maxBytes ?? 1024 ** 3, 1)
    const prefix = Database.checkPrefix(options.prefix)
    const { ask, now, sql } = yield* Database.open(options, (dialect) => Tables.answers(dialect, prefix))
    const table = sql(`${prefix}answers`)
    const entries = Entries.make()

    const failing = (operation: LlmCache.CacheError["operation"]) => <A>(self: Effect.Effect<A, Unavailable>) =>
      Effect.mapError(self, ({ problem }) => new LlmCache.CacheError({ operation, problem }))

    // Written once: putting a statement together costs a tenth of its run.
    const [select] = sql`SELECT entry FROM ${table}
      WHERE name = ${""} AND (expires_at IS NULL OR expires_at > ${now})`.compile()
    const [upsert] = sql`INSERT INTO ${table} (name, entry, bytes, set_at, expires_at)
      VALUES (${""}, ${""}, ${0}, ${now}, ${now} + CAST(${null} AS BIGINT))
      ON CONFLICT (name) DO UPDATE SET entry = excluded.entry, bytes = excluded.bytes,
        set_at = excluded.set_at, expires_at = excluded.expires_at`.compile()

    const remove: LlmCache.Service["remove"] = (key) =>
      failing("remove")(ask(Effect.asVoid(sql`DELETE FROM ${table} WHERE name = ${key}`)))

    const purge = ask(Effect.zipRight(
      sql`DELETE FROM ${table} WHERE expires_at <= ${now}`,
      sql`DELETE FROM ${table} WHERE name IN (
        SELECT name FROM (
          SELECT name,
            ROW_NUMBER() OVER newest_first AS place,
            SUM(bytes) OVER newest_first AS total
          FROM ${table} WINDOW newest_first AS (ORDER BY set_at DESC, name)
        ) AS ranked WHERE place > ${capacity} OR total > ${maxBytes}
      )`
    ))
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(Effect.ignore(purge), Effect.sleep(purgeEvery))))

    return {
      get: (key) =>
        Effect.flatMap(
          failing("get")(ask(sql.unsafe<{ readonly entry: string }>(select, [key]))),
          ([row]) => {
            if (row === undefined) return Effect.succeedNone
            // The database knows which answers have expired.
            const response = entries.read(row.entry, -Infinity)
            return Option.isSome(response)
              ? Effect.succeed(response)
              : Effect.as(Effect.ignore(remove(key)), Option.none())
          }
        ),
      set: (key, response, ttl) => {
        const millis = Math.ceil(Duration.toMillis(ttl ?? timeToLive))
        if (millis <= 0) return remove(key)
        const expiresIn = millis > Number.MAX_SAFE_INTEGER / 2 ? null : String(millis)
        return Effect.flatMap(entries.write(response), (entry) =>
          failing("set")(Effect.asVoid(ask(sql.unsafe(upsert, [key, entry, utf8Length(entry), expiresIn])))))
      },
      remove
    }
  })
