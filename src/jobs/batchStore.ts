import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Money from "../internal/money.js"
import * as Database from "../stores/sql/database.js"
import type { Group } from "./batchGroups.js"
import * as Places from "./places.js"

/** An open batch: its results are not stored yet. */
export interface OpenBatch extends Group {
  readonly job: string
  /** The place of the first request of its chunk. */
  readonly first: number
  /** Its name, unique everywhere. */
  readonly name: string
  /** The id under which the service works on it; `undefined` while it is not known whether it was handed over. */
  readonly id: string | undefined
  /** Whether it was asked to stop: then a failed request counts as not asked. */
  readonly isCancelled: boolean
  /** In epoch milliseconds. */
  readonly openedAt: number
}

/** A batch before it is handed over. */
export interface NewBatch extends Pick<OpenBatch, "job" | "first" | "name" | "model" | "places"> {
  readonly generation: number
  /** Its expected cost, if the price is known. */
  readonly expected: Money.Picodollars | undefined
}

/** The batches of jobs. */
export type BatchStore = Effect.Effect.Success<ReturnType<typeof make>>

interface Row {
  readonly [column: string]: unknown
}

const read = (row: Row): OpenBatch => ({
  job: String(row["job"]),
  first: Number(row["first"]),
  name: String(row["name"]),
  id: row["batch_id"] === null ? undefined : String(row["batch_id"]),
  model: String(row["model"]),
  places: Places.read(String(row["places"])),
  isCancelled: Number(row["cancelled"]) === 1,
  openedAt: Number(row["opened_at"])
})

/** Opens the table of batches, which already exists. */
export const make = (givenPrefix: string | undefined) =>
  Effect.gen(function*() {
    const sql = (yield* SqlClient.SqlClient).withoutTransforms()
    const prefix = Database.checkPrefix(givenPrefix)
    const [jobs, batches] = [sql(`${prefix}jobs`), sql(`${prefix}batches`)]

    const untraced = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.withTracerEnabled(effect, false)
    const changing = (effect: Effect.Effect<unknown, SqlError>): Effect.Effect<void, SqlError> =>
      untraced(Effect.asVoid(effect))
    const isIt = ({ job, name }: Pick<OpenBatch, "job" | "name">) => sql`job = ${job} AND name = ${name}`

    const where = (condition: ReturnType<typeof isIt>): Effect.Effect<ReadonlyArray<OpenBatch>, SqlError> =>
      Effect.map(
        untraced(sql<Row>`SELECT * FROM ${batches} WHERE ${condition} ORDER BY opened_at, name`),
        (rows) => rows.map(read)
      )

    return {
      /** Stores a batch before it is handed over, if its job is under way; otherwise gives none. */
      open: (batch: NewBatch): Effect.Effect<OpenBatch | undefined, SqlError> =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          const { expected, first, generation, job, model, name, places } = batch
          const amount = expected === undefined ? sql`CAST(NULL AS NUMERIC)` : sql`CAST(${String(expected)} AS NUMERIC)`
          return Effect.map(
            untraced(sql`INSERT INTO ${batches}
              (job, name, first, batch_id, model, places, requests, answered, cancelled, expected, opened_at)
              SELECT id, CAST(${name} AS TEXT), CAST(${first} AS BIGINT), NULL, CAST(${model} AS TEXT),
                CAST(${Places.write(places)} AS TEXT), CAST(${places.length} AS BIGINT), 0, 0, ${amount},
                CAST(${now} AS BIGINT)
              FROM ${jobs} WHERE id = ${job} AND generation = ${generation} AND status = 'running'
              RETURNING job`),
            ([row]) =>
              row === undefined
                ? undefined
                : { job, first, name, model, places, id: undefined, isCancelled: false, openedAt: now }
          )
        }),
      /** Stores the id of a batch that was handed over. */
      submitted: <Id extends string>(
        batch: OpenBatch,
        id: Id
      ): Effect.Effect<OpenBatch & { readonly id: Id }, SqlError> =>
        Effect.as(
          changing(sql`UPDATE ${batches} SET batch_id = ${id} WHERE ${isIt(batch)}`),
          { ...batch, id }
        ),
      /** Stores the number of requests of a batch that the service has answered. */
      answered: (batch: OpenBatch, answered: number): Effect.Effect<void, SqlError> =>
        changing(sql`UPDATE ${batches} SET answered = ${answered} WHERE ${isIt(batch)}`),
      /** Records that a batch is about to be stopped. */
      cancelled: (batch: OpenBatch): Effect.Effect<void, SqlError> =>
        changing(sql`UPDATE ${batches} SET cancelled = 1 WHERE ${isIt(batch)}`),
      /** Deletes a batch that is over. */
      close: (batch: OpenBatch): Effect.Effect<void, SqlError> =>
        changing(sql`DELETE FROM ${batches} WHERE ${isIt(batch)}`),
      /** Counts requests that a service may have received, and whose answers will not come. */
      lose: (job: string, count: number): Effect.Effect<void, SqlError> =>
        changing(sql`UPDATE ${jobs} SET interrupted = interrupted + ${count} WHERE id = ${job}`),
      /** The batches of a chunk that are not over. */
      ofChunk: (job: string, first: number) => where(sql`job = ${job} AND first = ${first}`),
      /** The batches of a job that are not over. */
      ofJob: (job: string) => where(sql`job = ${job}`),
      /** The number of a job's open batches, and their expected cost together. */
      outstanding: (
        job: string
      ): Effect.Effect<{ readonly count: number; readonly expected: Money.Picodollars }, SqlError> =>
        Effect.map(
          untraced(sql<Row>`SELECT CAST(COUNT(*) AS TEXT) AS count, CAST(SUM(expected) AS TEXT) AS expected
            FROM ${batches} WHERE job = ${job}`),
          ([row]) => ({ count: Number(row?.["count"] ?? 0), expected: BigInt(String(row?.["expected"] ?? 0)) })
        )
    }
  })
