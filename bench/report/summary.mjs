import { clients } from "../clients/index.mjs"
import { memoryRows, rows } from "../scenarios.mjs"

export const spread = (values) => {
  const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b)
  if (sorted.length === 0) return undefined
  const middle = Math.floor(sorted.length / 2)
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  return { median, least: sorted[0], most: sorted.at(-1), runs: sorted.length }
}

/** What the runs say: for each row and client the median and the range of its rounds. */
export const summarize = ({ results }) => {
  const of = (run, client) => results.filter((result) => result.run === run && result.client === client)
  return {
    rows: rows.flatMap((row) => {
      const runs = [row.run, row.name].find((run) => results.some((result) => result.run === run))
      if (runs === undefined) return []
      const valueOf = ({ figures, floor }) => row.value(figures, floor)
      const cells = clients.map(({ name }) => ({
        client: name,
        target: row.targets?.[name],
        value: spread(of(runs, name).map(valueOf))
      }))
      const floors = of(runs, "undici")
      return [{
        ...row,
        cells,
        noise: spread(floors.map(valueOf)),
        floor: floors.length === 0 || row.floor === undefined ? undefined : row.floor(medianFigures(floors))
      }]
    }).filter(({ cells }) => cells.some(({ value }) => value !== undefined)),
    memory: memoryRows.flatMap(({ beside, name, target, title }) => {
      const figure = (figure) => spread(of("memory", "effect-llm").map(({ figures }) => figures[figure]?.cpu))
      const value = figure(name)
      return value === undefined
        ? []
        : [{
          name,
          title,
          target,
          value,
          beside: beside.map(([name, title]) => ({ name, title, value: figure(name) }))
        }]
    })
  }
}

const medianFigures = (results) =>
  Object.fromEntries(
    Object.entries(results[0].figures).map(([figure, values]) => [
      figure,
      Object.fromEntries(
        Object.keys(values).map((unit) => [
          unit,
          spread(results.map(({ figures }) => figures[figure]?.[unit]))?.median
        ])
      )
    ])
  )
