import { FileSystem } from "@effect/platform"
import { Effect } from "effect"
import { placeOf } from "./documents.js"
import type { Merged } from "./merge.js"

const columns = ["date", "payee", "purpose", "amount", "exact", "sources"] as const

const cell = (value: string): string => /[",\n\r]/.test(value) ? `"${value.replaceAll("\"", "\"\"")}"` : value

/** The payments as CSV (RFC 4180). */
export const csv = (payments: ReadonlyArray<Merged>): string =>
  [
    columns,
    ...payments.map(({ amount, date, isExact, payee, purpose, sources }) => [
      date ?? "",
      payee,
      purpose,
      amount.toFixed(2),
      isExact ? "yes" : "no",
      sources.map(({ passage }) => placeOf(passage)).join("; ")
    ])
  ].map((row) => `${row.map(cell).join(",")}\r\n`).join("")

/** The payments with their quotes, as JSON. */
export const json = (payments: ReadonlyArray<Merged>): string =>
  JSON.stringify(
    payments.map(({ sources, ...payment }) => ({
      ...payment,
      sources: sources.map(({ claim: { quote }, model, passage: { document, from, to } }) => ({
        document,
        from,
        to,
        quote,
        model
      }))
    })),
    undefined,
    2
  )

/** Writes both tables. */
export const write = (directory: string, payments: ReadonlyArray<Merged>) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    yield* fs.writeFileString(`${directory}/payments.csv`, csv(payments))
    yield* fs.writeFileString(`${directory}/payments.json`, `${json(payments)}\n`)
  })
