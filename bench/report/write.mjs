import { writeFileSync } from "node:fs"
import { replaceBetween } from "./marks.mjs"
import { plotOf } from "./plot.mjs"
import { sourceOf, tableOf } from "./table.mjs"

const at = (base, extension) => new URL(`${base.href}.${extension}`)

/** Writes the table and the plot next to the figures, and gives the table. */
export const write = (report, base) => {
  const page = `${sourceOf(report)}\n\n${tableOf(report)}`
  writeFileSync(at(base, "md"), page)
  const plot = plotOf(report)
  if (plot !== undefined) writeFileSync(at(base, "svg"), plot)
  return page
}

/** Puts the table into bench/README.md, and keeps the figures that it was made from. */
export const publish = (report) => {
  const results = new URL("../results/", import.meta.url)
  writeFileSync(new URL("published.json", results), `${JSON.stringify(report, undefined, 1)}\n`)
  const page = write(report, new URL("published", results))
  replaceBetween(
    new URL("../README.md", import.meta.url),
    "bench",
    `${page}\n![CPU and memory, as multiples of the floor](results/published.svg)\n`
  )
}
