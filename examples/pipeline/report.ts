import { FileSystem } from "@effect/platform"
import { Effect } from "effect"
import type * as LlmBatch from "effect-llm/LlmBatch"
import { type Passage, placeOf } from "./documents.js"
import type { Claim, Payment } from "./findings.js"
import { stepOf } from "./jobs.js"
import type { Entry } from "./journal.js"
import type { Merged } from "./merge.js"
import * as Plots from "./plots.js"
import * as Style from "./style.js"
import { type Check, sum } from "./totals.js"

/** All that the report shows. */
export interface Contents {
  readonly documents: number
  readonly passages: number
  /** How many passages were asked again. */
  readonly again: number
  readonly payments: ReadonlyArray<Merged>
  readonly checks: ReadonlyArray<Check>
  /** What was left out, and why. */
  readonly leftOut: ReadonlyArray<{ readonly claim: Claim<Payment>; readonly doubt: string }>
  /** The passages for which there is no answer. */
  readonly unread: ReadonlyArray<Passage>
  readonly jobs: ReadonlyArray<LlmBatch.Progress>
  readonly entries: ReadonlyArray<Entry>
  readonly dollars: number
}

const names: { readonly [step: string]: string } = {
  passages: "embed passages",
  facts: "read passages",
  again: "ask again",
  payments: "embed payments"
}

const nameOf = (step: string): string => names[step] ?? step

export const euros = (amount: number): string =>
  `€${amount.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  `<div class="wide"><table><thead><tr>${head.map((cell) => `<th>${cell}</th>`).join("")}</tr></thead><tbody>${
    rows.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join("")}</tr>`).join("")
  }</tbody></table></div>`

const figure = (title: string, plot: string, note: string): string =>
  `<figure><h2>${title}</h2>${plot}<figcaption>${note}</figcaption></figure>`

const sources = (claims: ReadonlyArray<Claim<{ readonly quote: string }>>): string =>
  claims.map(({ claim: { quote }, model, passage }) =>
    `<details><summary>${Plots.escape(placeOf(passage))}</summary><q>${Plots.escape(quote)}</q> <small>${
      Plots.escape(model)
    }</small></details>`
  ).join("")

/** What was found, as it grew, beside what the documents say. */
const found = ({ checks, payments }: Contents): string => {
  const dated = payments.flatMap(({ amount, date }) => date === undefined ? [] : [{ amount, day: date }])
  const last = dated.at(-1)?.day
  const points = checks.flatMap(({ agrees, stated: { claim: { amount, until = last } } }) =>
    until === undefined ? [] : [{ day: until, value: amount, isOn: agrees }]
  )
  if (dated.length === 0) return figure("What was found", "", "No payment has a date.")
  const steps = dated.map(({ day }, i) => ({ day, sum: sum(dated.slice(0, i + 1)) }))
  return figure(
    "What was found",
    Plots.growth("The sum of the payments over time", { steps, points }),
    "The sum of the payments, in euros. Points are the totals that documents state: filled where they agree."
  )
}

/** The cost of each step, in all runs. */
const costs = ({ dollars, jobs }: Contents): string => {
  const steps = [...new Set(jobs.map(({ id }) => stepOf(id)))].sort()
  const rows = steps.map((step) => {
    const own = jobs.filter(({ id }) => stepOf(id) === step)
    const value = own.reduce((sum, { cost }) => sum + cost, 0)
    const requests = own.reduce((sum, { succeeded }) => sum + succeeded, 0)
    return { label: `${nameOf(step)} · ${requests}`, value, shown: `$${value.toFixed(5)}` }
  })
  return figure(
    "What it cost",
    Plots.bars("Cost of each step", rows),
    `US dollars, with the number of answers. The budget is $${dollars}.`
  )
}

/** Where the time of all runs went: one after the other, without what lay between them. */
const times = ({ entries }: Contents): string => {
  const runs = [...new Set(entries.map(({ run }) => run))].sort()
  let offset = 0
  const begins = new Map(runs.map((run) => {
    const own = entries.filter((entry) => entry.run === run)
    const [from, to] = [Math.min(...own.map(({ ended, took }) => ended - took)), Math.max(...own.map((it) => it.ended))]
    const begin = { from, offset }
    offset += to - from
    return [run, begin] as const
  }))
  const steps = [...new Set(entries.map(({ step }) => step))]
  const rows = steps.map((step) => ({
    label: nameOf(step),
    spans: entries.filter((entry) => entry.step === step).map(({ ended, failure, run, took }) => {
      const { from = 0, offset = 0 } = begins.get(run) ?? {}
      return { from: ended - took - from + offset, to: ended - from + offset, failed: failure !== undefined }
    })
  }))
  const breaks = runs.slice(1).map((run) => begins.get(run)?.offset ?? 0)
  const note = "Each mark is an attempt: above, those that were answered; below, those that failed."
  return figure(
    "Where time went",
    Plots.strips("Attempts over time", { rows, breaks }),
    breaks.length === 0 ? note : `${note} At a dashed line the program was started again.`
  )
}

const retries = ({ entries }: Contents): string => {
  const reasons = new Map<string, number>()
  for (const { failure } of entries) if (failure !== undefined) reasons.set(failure, (reasons.get(failure) ?? 0) + 1)
  const rows = [...reasons].map(([label, value]) => ({ label, value, shown: String(value) }))
  const again = entries.filter((entry) => entry.again === true).length
  return figure(
    "What was retried",
    rows.length === 0 ? "" : Plots.bars("Failed attempts by reason", rows),
    rows.length === 0
      ? "No attempt failed."
      : `Failed attempts, by reason; ${again} of them were retried by the client.`
  )
}

const mark = (agrees: boolean): string => agrees ? "<b class=\"good\">✓ agrees</b>" : "<b class=\"bad\">✗ differs</b>"

/** The report: one page, which needs nothing else. */
export const html = (contents: Contents): string => {
  const { again, checks, documents, jobs, leftOut, passages, payments, unread } = contents
  const cost = jobs.reduce((sum, { cost }) => sum + cost, 0)
  const numbers = [
    [String(documents), "documents"],
    [String(passages), "passages"],
    [String(payments.length), "payments"],
    [euros(sum(payments)).replace(/\.00$/, ""), "together"],
    [`${checks.filter(({ agrees }) => agrees).length} of ${checks.length}`, "totals agree"],
    [String(again), "passages asked again"],
    [`$${cost.toFixed(4)}`, "spent"]
  ]
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Payments in ${documents} documents</title>
<style>${Style.css}</style></head><body><main>
<h1>Payments in ${documents} documents</h1>
<dl class="numbers">${numbers.map(([value, name]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join("")}</dl>
<section class="plots">${[found, costs, times, retries].map((plot) => plot(contents)).join("")}</section>
<h2>Totals</h2>
${
    table(
      ["Stated", "Until", "Found", "", "Source"],
      checks.map(({ agrees, found, payments, stated }) => [
        euros(stated.claim.amount),
        stated.claim.until ?? "the end",
        `${euros(found)} in ${payments}`,
        mark(agrees),
        sources([stated])
      ])
    )
  }
<h2>Payments</h2>
${
    table(
      ["Date", "Payee", "Purpose", "Amount", "Sources"],
      payments.map(({ amount, date, isExact, payee, purpose, sources: claims }) => [
        date ?? "?",
        Plots.escape(payee),
        Plots.escape(purpose),
        `${isExact ? "" : "about "}${euros(amount)}`,
        sources(claims)
      ])
    )
  }
<h2>Left out</h2>
${
    leftOut.length === 0 ? "<p>Nothing.</p>" : table(
      ["Claim", "Why", "Source"],
      leftOut.map(({ claim, doubt }) => [
        `${euros(claim.claim.amount)} to ${Plots.escape(claim.claim.payee)}`,
        Plots.escape(doubt),
        sources([claim])
      ])
    )
  }
${
    unread.length === 0 ?
      "" :
      `<h2>Not answered</h2><ul>${unread.map((passage) => `<li>${Plots.escape(placeOf(passage))}</li>`).join("")}</ul>`
  }
</main></body></html>
`
}

/** Writes the report. */
export const write = (directory: string, contents: Contents) =>
  Effect.flatMap(
    FileSystem.FileSystem,
    (fs) => fs.writeFileString(`${directory}/report.html`, html(contents))
  )
