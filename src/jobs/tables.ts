import type { Dialect } from "../stores/sql/database.js"

/**
 * The tables of jobs.
 *
 * - `jobs`: a row for a job, with its counters, so that its progress is one read.
 * - `items`: the requests, as canonical JSON.
 * - `results`: their outcomes. Status 0: failed, and asked again later; 1: succeeded; 2: failed.
 * - `chunks`: a row for each chunk that is being answered. All its requests below `asked` may have been sent. A killed
 *   process leaves its rows behind: they show how many requests may have been sent for nothing.
 * - `batches`: a row for each batch that the service works on, from before it is handed over until its results are
 *   stored: its own name, the id that the service gave it, and the places of its requests.
 */
export const tables = (dialect: Dialect, prefix: string): ReadonlyArray<string> => {
  const money = dialect === "pg" ? "NUMERIC(38, 0)" : "INTEGER"
  return [
    `CREATE TABLE IF NOT EXISTS ${prefix}jobs (
  id TEXT PRIMARY KEY,
  operation TEXT NOT NULL,
  schema_name TEXT,
  options TEXT NOT NULL,
  status TEXT NOT NULL,
  generation BIGINT NOT NULL,
  pass BIGINT NOT NULL,
  total BIGINT NOT NULL,
  succeeded BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  input_tokens BIGINT NOT NULL,
  output_tokens BIGINT NOT NULL,
  picodollars ${money} NOT NULL,
  dearest ${money} NOT NULL,
  unpriced BIGINT NOT NULL,
  interrupted BIGINT NOT NULL,
  halted TEXT,
  submitted_at BIGINT NOT NULL,
  ended_at BIGINT
)`,
    `CREATE TABLE IF NOT EXISTS ${prefix}items (
  job TEXT NOT NULL,
  idx BIGINT NOT NULL,
  request TEXT NOT NULL,
  PRIMARY KEY (job, idx)
)`,
    `CREATE TABLE IF NOT EXISTS ${prefix}results (
  job TEXT NOT NULL,
  idx BIGINT NOT NULL,
  status BIGINT NOT NULL,
  retryable BIGINT NOT NULL,
  result TEXT NOT NULL,
  PRIMARY KEY (job, idx)
)`,
    `CREATE TABLE IF NOT EXISTS ${prefix}chunks (
  job TEXT NOT NULL,
  first BIGINT NOT NULL,
  asked BIGINT NOT NULL,
  PRIMARY KEY (job, first)
)`,
    `CREATE TABLE IF NOT EXISTS ${prefix}batches (
  job TEXT NOT NULL,
  name TEXT NOT NULL,
  first BIGINT NOT NULL,
  batch_id TEXT,
  model TEXT NOT NULL,
  places TEXT NOT NULL,
  requests BIGINT NOT NULL,
  answered BIGINT NOT NULL,
  cancelled BIGINT NOT NULL,
  expected ${money},
  opened_at BIGINT NOT NULL,
  PRIMARY KEY (job, name)
)`
  ]
}
