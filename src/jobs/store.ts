import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Database from "../stores/sql/database.js"
import * as Job from "./job.js"
import type { Operation } from "./operation.js"
import { Settings } from "./options.js"
import { tables } from "./tables.js"

/** A stored request of a job. */
export interface Item {
  readonly index: number
  readonly request: string
  /** The result of an earlier pass, to be replaced. */
  readonly earlier?: string | undefined
}

/** A result, as it is kept. */
export interface Kept {
  readonly index: number
  readonly result: string
}

/** A new result. */
export interface Recorded extends Kept {
  readonly job: string
  readonly isSuccess: boolean
  /** Whether it is a failure for a reason that may pass. */
  readonly isRetryable: boolean
  readonly inputTokens: number
  readonly outputTokens: number
  /** `undefined` for a bill without a price. */
  readonly picodollars: bigint | undefined
}

/** That a request of a chunk may be sent from now on, as those before it. */
export interface Mark {
  readonly job: string
  readonly first: number
  readonly index: number
}

/** A job as it is created. */
export interface NewJob {
  readonly id: string
  readonly operation: Operation
  readonly schemaName: string | undefined
  readonly settings: Settings
}

const encodeSettings = Schema.encodeSync(Schema.parseJson(Settings))
const encodeHalt = Schema.encodeSync(Job.HaltText)

/** The columns of a job that are counted up. */
const counters = ["succeeded", "failed", "input_tokens", "output_tokens", "picodollars", "unpriced"] as const

const toNumber = (value: unknown): number => Number(value)

/** Rows of numbers and texts, whatever the driver makes of large numbers. */
type Rows = ReadonlyArray<{ readonly [column: string]: unknown }>

/** The tables of jobs. */
export type Store = Effect.Effect.Success<ReturnType<typeof make>>

const groupedByJob = <A extends { readonly job: string }>(
  entries: ReadonlyArray<A>
): ReadonlyMap<string, ReadonlyArray<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const one of entries) {
    const group = groups.get(one.job)
    if (group === undefined) groups.set(one.job, [one])
    else group.push(one)
  }
  return groups
}

/** Opens the tables of jobs, and creates the missing ones. */
export const make = (givenPrefix: string | undefined) =>
  Effect.gen(function*() {
    const sql = (yield* SqlClient.SqlClient).withoutTransforms()
    const prefix = Database.checkPrefix(givenPrefix)
    const dialect = Database.dialectOf(sql)
    yield* Effect.withTracerEnabled(Database.migrate(sql, tables(dialect, prefix)), false)

    const [jobs, items, results, chunks, batches] = [
      sql(`${prefix}jobs`),
      sql(`${prefix}items`),
      sql(`${prefix}results`),
      sql(`${prefix}chunks`),
      sql(`${prefix}batches`)
    ]
    const money = (amount: bigint) => sql`CAST(${String(amount)} AS NUMERIC)`

    const untraced = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.withTracerEnabled(effect, false)
    const atomically = <A, E, R>(effect: Effect.Effect<A, E, R>) => untraced(Database.atomically(sql, effect))

    const isOpen = (id: string, generation: number) =>
      sql`id = ${id} AND generation = ${generation} AND status = 'running'`

    /** The requests of a job without a result, or with one to replace. */
    const isTodo = sql.literal("(r.status IS NULL OR r.status = 0)")
    const itemsWithResults = sql`${items} AS i LEFT JOIN ${results} AS r ON r.job = i.job AND r.idx = i.idx`

    const columns = sql.literal(`
      id, operation, schema_name, options, status, halted,
      CAST(generation AS TEXT) AS generation, CAST(pass AS TEXT) AS pass, CAST(total AS TEXT) AS total,
      CAST(succeeded AS TEXT) AS succeeded, CAST(failed AS TEXT) AS failed,
      CAST(input_tokens AS TEXT) AS input_tokens, CAST(output_tokens AS TEXT) AS output_tokens,
      CAST(picodollars AS TEXT) AS picodollars, CAST(dearest AS TEXT) AS dearest, CAST(unpriced AS TEXT) AS unpriced,
      CAST(interrupted AS TEXT) AS interrupted, CAST(submitted_at AS TEXT) AS submitted_at,
      CAST(ended_at AS TEXT) AS ended_at,
      (SELECT CAST(COUNT(*) AS TEXT) FROM ${prefix}batches WHERE job = id) AS batches,
      (SELECT CAST(SUM(requests) AS TEXT) FROM ${prefix}batches WHERE job = id) AS batch_requests,
      (SELECT CAST(SUM(answered) AS TEXT) FROM ${prefix}batches WHERE job = id) AS batch_answered`)

    const find = (id: string): Effect.Effect<Option.Option<Job.JobState>, SqlError> =>
      Effect.map(
        untraced(sql<Job.Row>`SELECT ${columns} FROM ${jobs} WHERE id = ${id}`),
        ([row]) => Option.map(Option.fromNullable(row), Job.read)
      )

    /** All jobs, the latest first. */
    const list: Effect.Effect<ReadonlyArray<Job.JobState>, SqlError> = Effect.map(
      untraced(sql<Job.Row>`SELECT ${columns} FROM ${jobs} ORDER BY submitted_at DESC, id`),
      (rows) => rows.map(Job.read)
    )

    // -----------------------------------------------------------------------------------------------------------------
    // Submitting
    // -----------------------------------------------------------------------------------------------------------------

    /** Creates a job, unless there is one with its id. */
    const create = ({ id, operation, schemaName, settings }: NewJob): Effect.Effect<void, SqlError> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        untraced(Effect.asVoid(sql`INSERT INTO ${jobs} ${
          sql.insert({
            id,
            operation,
            schema_name: schemaName ?? null,
            options: encodeSettings(settings),
            status: "submitting",
            generation: 1,
            pass: 1,
            total: 0,
            succeeded: 0,
            failed: 0,
            input_tokens: 0,
            output_tokens: 0,
            picodollars: 0,
            dearest: 0,
            unpriced: 0,
            interrupted: 0,
            halted: null,
            submitted_at: now,
            ended_at: null
          })
        } ON CONFLICT (id) DO NOTHING`)))

    /** Appends requests. None replaces another. Gives the number of added ones. */
    const addItems = (id: string, added: Arr.NonEmptyReadonlyArray<Item>): Effect.Effect<number, SqlError> =>
      atomically(Effect.gen(function*() {
        const rows = Arr.map(added, ({ index, request }) => ({ job: id, idx: index, request }))
        const inserted: Rows = yield* sql`INSERT INTO ${items} ${sql.insert(rows)}
          ON CONFLICT (job, idx) DO NOTHING RETURNING idx`
        const total = Arr.lastNonEmpty(rows).idx + 1
        yield* sql`UPDATE ${jobs} SET total = ${total}
          WHERE id = ${id} AND status = 'submitting' AND total < ${total}`
        return inserted.length
      }))

    /** The requests from one place up to another. */
    const itemsBetween = (id: string, from: number, to: number): Effect.Effect<ReadonlyArray<Item>, SqlError> =>
      Effect.map(
        untraced(sql`SELECT idx, request FROM ${items}
          WHERE job = ${id} AND idx >= ${from} AND idx < ${to} ORDER BY idx`) as Effect.Effect<Rows, SqlError>,
        (rows) => rows.map(({ idx, request }) => ({ index: toNumber(idx), request: String(request) }))
      )

    /** The requests at some places, at most 1,000. */
    const itemsAt = (id: string, places: ReadonlyArray<number>): Effect.Effect<ReadonlyArray<Item>, SqlError> =>
      places.length === 0 ? Effect.succeed([]) : Effect.map(
        untraced(sql`SELECT idx, request FROM ${items}
          WHERE job = ${id} AND ${sql.in("idx", places)} ORDER BY idx`) as Effect.Effect<Rows, SqlError>,
        (rows) => rows.map(({ idx, request }) => ({ index: toNumber(idx), request: String(request) }))
      )

    /** Starts a job whose requests are all stored. */
    const begin = (id: string): Effect.Effect<void, SqlError> =>
      untraced(Effect.asVoid(
        sql`UPDATE ${jobs} SET status = 'running' WHERE id = ${id} AND status = 'submitting'`
      ))

    // -----------------------------------------------------------------------------------------------------------------
    // Chunks
    // -----------------------------------------------------------------------------------------------------------------

    /** The first requests of the chunks that need work. */
    const openChunks = (id: string, size: number, total: number): Effect.Effect<ReadonlyArray<number>, SqlError> =>
      Effect.map(
        untraced(sql`SELECT idx / ${sql.literal(String(size))} AS number, COUNT(*) AS recorded FROM ${results}
          WHERE job = ${id} AND status <> 0 GROUP BY 1`) as Effect.Effect<Rows, SqlError>,
        (rows) => {
          const recorded = new Map(rows.map((row) => [toNumber(row["number"]), toNumber(row["recorded"])]))
          return Array.from({ length: Math.ceil(total / size) }, (_, number) => number).flatMap((number) =>
            (recorded.get(number) ?? 0) < Math.min(size, total - number * size) ? [number * size] : []
          )
        }
      )

    /** Opens a chunk. The requests that an earlier run of it may have sent for nothing are counted. */
    const openChunk = (id: string, first: number): Effect.Effect<void, SqlError> =>
      atomically(Effect.gen(function*() {
        const [left]: Rows = yield* sql`SELECT asked FROM ${chunks} WHERE job = ${id} AND first = ${first}`
        if (left === undefined) {
          yield* sql`INSERT INTO ${chunks} ${sql.insert({ job: id, first, asked: first })}
            ON CONFLICT (job, first) DO NOTHING`
          return
        }
        yield* sql`UPDATE ${jobs} SET interrupted = interrupted + (
            SELECT COUNT(*) FROM ${itemsWithResults}
            WHERE i.job = ${id} AND i.idx >= ${first} AND i.idx < ${toNumber(left["asked"])} AND ${isTodo}
          ) WHERE id = ${id}`
        yield* sql`UPDATE ${chunks} SET asked = ${first} WHERE job = ${id} AND first = ${first}`
      }))

    /** Closes a chunk without requests under way. */
    const closeChunk = (id: string, first: number): Effect.Effect<void, SqlError> =>
      untraced(Effect.asVoid(sql`DELETE FROM ${chunks} WHERE job = ${id} AND first = ${first}`))

    /** Some requests between two places without a result, or with one to replace. */
    const todo = (id: string, from: number, to: number, limit: number): Effect.Effect<ReadonlyArray<Item>, SqlError> =>
      Effect.map(
        untraced(sql`SELECT i.idx AS idx, i.request AS request, r.result AS earlier FROM ${itemsWithResults}
          WHERE i.job = ${id} AND i.idx >= ${from} AND i.idx < ${to} AND ${isTodo}
          ORDER BY i.idx LIMIT ${limit}`) as Effect.Effect<Rows, SqlError>,
        (rows) =>
          rows.map(({ earlier, idx, request }) => ({
            index: toNumber(idx),
            request: String(request),
            ...(earlier !== null && { earlier: String(earlier) })
          }))
      )

    /**
     * Records results and marks in one transaction. A result that is there already stays: it was paid first. Gives
     * the marked requests that have one, and so need not be sent.
     */
    const record = (
      recorded: ReadonlyArray<Recorded>,
      marks: ReadonlyArray<Mark>
    ): Effect.Effect<ReadonlySet<Mark>, SqlError> =>
      atomically(Effect.gen(function*() {
        if (Arr.isNonEmptyReadonlyArray(recorded)) {
          const written: Rows = yield* sql`INSERT INTO ${results} ${
            sql.insert(Arr.map(recorded, ({ index, isRetryable, isSuccess, job, result }) => ({
              job,
              idx: index,
              status: isSuccess ? 1 : 2,
              retryable: isRetryable ? 1 : 0,
              result
            })))
          } ON CONFLICT (job, idx) DO UPDATE SET
            status = excluded.status, retryable = excluded.retryable, result = excluded.result
            WHERE ${results}.status = 0
            RETURNING job, idx`
          const places = new Set(written.map(({ idx, job }) => `${toNumber(idx)} ${String(job)}`))
          const isNew = recorded.filter(({ index, job }) => places.delete(`${index} ${job}`))
          for (const [id, ofJob] of groupedByJob(isNew)) {
            const sum = (value: (recorded: Recorded) => bigint | number) =>
              money(ofJob.reduce((total, one) => total + BigInt(value(one)), 0n))
            const added: { readonly [Counter in typeof counters[number]]: ReturnType<typeof money> } = {
              succeeded: sum(({ isSuccess }) => isSuccess ? 1 : 0),
              failed: sum(({ isSuccess }) => isSuccess ? 0 : 1),
              input_tokens: sum(({ inputTokens }) => inputTokens),
              output_tokens: sum(({ outputTokens }) => outputTokens),
              picodollars: sum(({ picodollars }) => picodollars ?? 0n),
              unpriced: sum(({ picodollars }) => picodollars === undefined ? 1 : 0)
            }
            const dearest = money(
              ofJob.reduce((most, { picodollars = 0n }) => picodollars > most ? picodollars : most, 0n)
            )
            yield* sql`UPDATE ${jobs} SET
              ${sql.csv(counters.map((counter) => sql`${sql(counter)} = ${sql(counter)} + ${added[counter]}`))},
              dearest = CASE WHEN dearest < ${dearest} THEN ${dearest} ELSE dearest END
              WHERE id = ${id}`
          }
        }
        const answered = new Set<Mark>()
        for (const [id, ofJob] of groupedByJob(marks)) {
          const last = new Map<number, number>()
          for (const { first, index } of ofJob) last.set(first, Math.max(index, last.get(first) ?? 0))
          for (const [first, index] of last) {
            yield* sql`UPDATE ${chunks} SET asked = ${index + 1}
              WHERE job = ${id} AND first = ${first} AND asked <= ${index}`
          }
          const found: Rows = yield* sql`SELECT idx FROM ${results}
            WHERE job = ${id} AND status <> 0 AND ${sql.in("idx", ofJob.map(({ index }) => index))}`
          const places = new Set(found.map(({ idx }) => toNumber(idx)))
          for (const mark of ofJob) if (places.has(mark.index)) answered.add(mark)
        }
        return answered
      }))

    // -----------------------------------------------------------------------------------------------------------------
    // Ends, and beginning anew
    // -----------------------------------------------------------------------------------------------------------------

    /** Lets failed requests of a pass that may succeed in another be asked again, and gives their number. */
    const nextPass = (id: string, generation: number, pass: number): Effect.Effect<number, SqlError> =>
      atomically(Effect.gen(function*() {
        const [row]: Rows = yield* sql`UPDATE ${jobs} SET pass = pass + 1
          WHERE ${isOpen(id, generation)} AND pass = ${pass} AND EXISTS (
            SELECT 1 FROM ${results} WHERE job = ${id} AND status = 2 AND retryable = 1
          ) RETURNING id`
        return row === undefined ? 0 : yield* failedAgain(id, sql`retryable = 1`)
      }))

    /** Takes failures back, so that their requests are asked again. */
    const failedAgain = (id: string, which: ReturnType<typeof money>): Effect.Effect<number, SqlError> =>
      Effect.gen(function*() {
        const taken: Rows = yield* sql`UPDATE ${results} SET status = 0
          WHERE job = ${id} AND status = 2 AND ${which} RETURNING idx`
        yield* sql`UPDATE ${jobs} SET failed = failed - ${taken.length} WHERE id = ${id}`
        return taken.length
      })

    /** Ends a job that is under way. */
    const end = (
      id: string,
      status: "done" | "halted" | "cancelled",
      { generation, halt }: { readonly generation?: number; readonly halt?: Job.Halt } = {}
    ): Effect.Effect<void, SqlError> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        untraced(Effect.asVoid(sql`UPDATE ${jobs} SET status = ${status}, ended_at = ${now},
          halted = ${halt === undefined ? null : encodeHalt(halt)}
          WHERE id = ${id} AND status IN ('submitting', 'running')
            AND ${generation === undefined ? sql`1 = 1` : sql`generation = ${generation}`}
            AND ${status === "done" ? sql`succeeded + failed = total` : sql`1 = 1`}`)))

    /** Begins a new generation of a job that was of the given one, with other settings if there are some. */
    const revive = (id: string, generation: number, settings?: Settings): Effect.Effect<void, SqlError> =>
      untraced(Effect.asVoid(sql`UPDATE ${jobs} SET
        status = 'running', generation = generation + 1, pass = 1, halted = NULL, ended_at = NULL,
        options = ${settings === undefined ? sql`options` : encodeSettings(settings)}
        WHERE id = ${id} AND generation = ${generation} AND status <> 'submitting'`))

    /** Changes the settings of a job that is under way. */
    const change = (id: string, generation: number, settings: Settings): Effect.Effect<void, SqlError> =>
      untraced(Effect.asVoid(
        sql`UPDATE ${jobs} SET options = ${encodeSettings(settings)} WHERE ${isOpen(id, generation)}`
      ))

    /** Takes all failures of a job back, and begins a new generation, which asks their requests again. */
    const retryFailed = (id: string, generation: number): Effect.Effect<number, SqlError> =>
      atomically(Effect.gen(function*() {
        const count = yield* failedAgain(id, sql`1 = 1`)
        if (count > 0) {
          yield* revive(id, generation)
        }
        return count
      }))

    /** Deletes a job, with its requests and results. */
    const remove = (id: string): Effect.Effect<void, SqlError> =>
      atomically(Effect.all([
        sql`DELETE FROM ${results} WHERE job = ${id}`,
        sql`DELETE FROM ${items} WHERE job = ${id}`,
        sql`DELETE FROM ${chunks} WHERE job = ${id}`,
        sql`DELETE FROM ${batches} WHERE job = ${id}`,
        sql`DELETE FROM ${jobs} WHERE id = ${id}`
      ], { discard: true }))

    // -----------------------------------------------------------------------------------------------------------------
    // Results
    // -----------------------------------------------------------------------------------------------------------------

    /** Some results from one place on, in order. */
    const recordedFrom = (id: string, from: number, limit: number): Effect.Effect<ReadonlyArray<Kept>, SqlError> =>
      Effect.map(
        untraced(sql`SELECT idx, result FROM ${results}
          WHERE job = ${id} AND idx >= ${from} AND status <> 0 ORDER BY idx LIMIT ${limit}`) as Effect.Effect<
          Rows,
          SqlError
        >,
        (rows) =>
          rows.map(({ idx, result }) => ({ index: toNumber(idx), result: String(result) }))
      )

    return {
      find,
      list,
      create,
      addItems,
      itemsBetween,
      itemsAt,
      begin,
      openChunks,
      openChunk,
      closeChunk,
      todo,
      record,
      nextPass,
      end,
      revive,
      change,
      retryFailed,
      remove,
      recordedFrom
    }
  })
