import { clients } from "../clients/index.mjs"
import { captionOf } from "./machine.mjs"
import { summarize } from "./summary.mjs"

const digits = (value) => Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2

const show = (value, unit = "", signed = false) => {
  const text = value.toFixed(digits(value))
  return `${signed && value >= 0 ? "+" : ""}${text}${unit === "×" || unit === "" ? "" : ` ${unit}`}`
}

const range = ({ least, median, most, runs }, unit, signed) =>
  runs === 1
    ? show(median, unit, signed)
    : `${show(median, unit, signed)} <sub>${show(least)}–${show(most)}</sub>`

const line = (cells) => `| ${cells.join(" | ")} |`

const targetsOf = (cells) => {
  const targets = cells.filter(({ target }) => target !== undefined)
  const values = [...new Set(targets.map(({ target }) => target))].sort((a, b) => a - b)
  return values.length === 0 ? "–" : values.map((value) => `≤ ${value}`).join(" / ")
}

const cellOf = ({ signed, unit }, ours, { target, value }) => {
  if (value === undefined) return "–"
  const text = range(value, unit, signed)
  return ours !== undefined && target !== undefined && value.median <= target ? `**${text}**` : text
}

const clientsTable = (rows) => {
  const shown = clients.filter(({ name }) =>
    rows.some(({ cells }) => cells.some(({ client, value }) => client === name && value !== undefined))
  )
  return [
    line(["", "floor", ...shown.map(({ ours, title }) => ours === undefined ? title : `**${title}**`), "goal"]),
    line(["---", "---:", ...shown.map(() => "---:"), "---:"]),
    ...rows.map((row) =>
      line([
        row.unit === "×" ? `${row.title} (×)` : row.title,
        row.floor ?? "–",
        ...shown.map(({ name, ours }) => cellOf(row, ours, row.cells.find(({ client }) => client === name))),
        targetsOf(row.cells)
      ])
    ),
    ""
  ]
}

const noiseLine = (rows) => {
  const noise = rows.filter(({ noise, unit }) => noise !== undefined && unit !== "ms")
  return noise.length === 0
    ? []
    : [
      `The floor against itself: ${
        noise.map(({ name, noise, signed, unit }) =>
          `${name} ${show(noise.least, "", signed)} to ${show(noise.most, unit, signed)}`
        ).join(", ")
      }.`,
      ""
    ]
}

const memoryTable = (memory) => {
  const onBoth = memory.some(({ onEffect4 }) => onEffect4 !== undefined)
  const cell = (value, target) =>
    value === undefined ? "–" : value.median <= target ? `**${range(value)}**` : range(value)
  return [
    line([
      "without a network, µs of CPU",
      "**effect-llm**",
      ...onBoth ? ["**effect-llm for Effect 4**"] : [],
      "goal",
      "beside it"
    ]),
    line(["---", "---:", ...onBoth ? ["---:"] : [], "---:", "---"]),
    ...memory.map(({ beside, onEffect4, target, title, value }) =>
      line([
        title,
        cell(value, target),
        ...onBoth ? [cell(onEffect4, target)] : [],
        `≤ ${target}`,
        beside.filter(({ value }) => value !== undefined).map(({ title, value }) => `${title} ${show(value.median)}`)
          .join("; ")
      ])
    ),
    ""
  ]
}

/** One table for clients, one for what needs no network. */
export const tableOf = (report) => {
  const { memory, rows } = summarize(report)
  return [
    ...(rows.length === 0 ? [] : clientsTable(rows)),
    ...noiseLine(rows),
    ...(memory.length === 0 ? [] : memoryTable(memory))
  ].join("\n")
}

/** Where the table comes from. */
export const sourceOf = (report) => {
  const { quick, rounds, versions } = report
  const measured = clients.filter(({ name }) => report.clients.some((client) => client.name === name))
  const shown = ["undici", ...measured.flatMap(({ needs }) => needs.slice(0, 1)), "effect", "@effect/platform"]
  return `${captionOf(report)}, ${
    quick ? "in one short round" : `in ${rounds} round${rounds === 1 ? "" : "s"}`
  }, with ${shown.filter((name) => versions[name]).map((name) => `${name} ${versions[name]}`).join(", ")}.`
}
