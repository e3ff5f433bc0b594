import { readFileSync, writeFileSync } from "node:fs"
import { plotOf } from "./plot.mjs"
import { captionOf, tableOf } from "./table.mjs"

const at = (base, extension) => new URL(`${base.href}.${extension}`)

/** Writes the table and the plot next to the figures, and gives the table. */
export const write = (report, base) => {
  const page = `${captionOf(report)}\n\n${tableOf(report)}`
  writeFileSync(at(base, "md"), page)
  const plot = plotOf(report)
  if (plot !== undefined) writeFileSync(at(base, "svg"), plot)
  return page
}

const start = "<!-- bench:start -->"
const end = "<!-- bench:end -->"

/** Puts the table between the marks in README.md, and keeps the figures that it was made from. */
export const publish = (report) => {
  const results = new URL("../results/", import.meta.url)
  const readme = new URL("../../README.md", import.meta.url)
  const text = readFileSync(readme, "utf8")
  const from = text.indexOf(start)
  const to = text.indexOf(end)
  if (from === -1 || to < from) throw new Error(`README.md has no ${start} ... ${end}`)
  writeFileSync(new URL("published.json", results), `${JSON.stringify(report, undefined, 1)}\n`)
  const page = write(report, new URL("published", results))
  writeFileSync(
    readme,
    `${
      text.slice(0, from + start.length)
    }\n${page}\n![CPU a call and a delta, beside other clients](bench/results/published.svg)\n${text.slice(to)}`
  )
}
