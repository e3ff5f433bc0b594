import type { Dialect } from "./database.js"

/** The table of a cache. Answers can be asked for again, so Postgres need not log them. */
export const answers = (dialect: Dialect, prefix: string): ReadonlyArray<string> => [
  `CREATE ${dialect === "pg" ? "UNLOGGED " : ""}TABLE IF NOT EXISTS ${prefix}answers (
  name TEXT PRIMARY KEY,
  entry TEXT NOT NULL,
  bytes BIGINT NOT NULL,
  set_at BIGINT NOT NULL,
  expires_at BIGINT
)`,
  `CREATE INDEX IF NOT EXISTS ${prefix}answers_set_at ON ${prefix}answers (set_at)`,
  `CREATE INDEX IF NOT EXISTS ${prefix}answers_expires_at ON ${prefix}answers (expires_at)`
]

/** The table of budgets: a row for each account. The window is 0 if it never begins anew. */
export const budgets = (dialect: Dialect, prefix: string): ReadonlyArray<string> => {
  const money = dialect === "pg" ? "NUMERIC(38, 0)" : "INTEGER"
  return [
    `CREATE TABLE IF NOT EXISTS ${prefix}budgets (
  owner TEXT NOT NULL,
  scope TEXT NOT NULL,
  name TEXT NOT NULL,
  window_ms BIGINT NOT NULL,
  window_index BIGINT NOT NULL,
  tokens BIGINT NOT NULL,
  picodollars ${money} NOT NULL,
  unpriced BIGINT NOT NULL,
  reserved_tokens BIGINT NOT NULL,
  reserved_picodollars ${money} NOT NULL,
  PRIMARY KEY (owner, scope, name, window_ms)
)`
  ]
}
