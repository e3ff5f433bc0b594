import { clients, floor } from "../clients/index.mjs"
import { memoryRows, rows, runs as known } from "../scenarios.mjs"

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
      const floorOf = known[runs].floor ?? floor.name
      const valueOf = ({ figures, floor }) => row.value(figures, floor)
      const cells = clients.map(({ name }) => ({
        client: name,
        target: row.targets?.[name],
        // A client that others are compared with in this row has no cell of its own.
        value: name === floorOf ? undefined : spread(of(runs, name).map(valueOf))
      }))
      const floors = of(runs, floorOf)
      return [{
        ...row,
        cells,
        noise: spread(floors.map(valueOf)),
        floor: floors.length === 0 || row.floor === undefined ? undefined : row.floor(medianFigures(floors))
      }]
    }).filter(({ cells }) => cells.some(({ value }) => value !== undefined)),
    memory: memoryRows.flatMap(({ beside, name, target, title }) => {
      const figure = (figure, client = "effect-llm") =>
        spread(of("memory", client).map(({ figures }) => figures[figure]?.cpu))
      const value = figure(name)
      return value === undefined
        ? []
        : [{
          name,
          title,
          target,
          value,
          onEffect4: figure(name, "effect-llm for Effect 4"),
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
