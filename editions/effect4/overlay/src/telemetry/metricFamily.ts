// In place of declarations: a metric of Effect 4 is made of its name, and its labels are the attributes of an update.
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"

/** Labels by their names. */
export type Labels = Readonly<Record<string, string>>

export type Update = (amount: number, values: Values, extra: Labels) => void

/** One series of a metric. */
interface Series {
  readonly update: (amount: number, extra: Labels) => void
}

/** A metric of Effect's with labels, and those of a fiber besides. */
const seriesOf = <State>(metric: Metric.Metric<number, State>, labels: Labels): Series => {
  const labelled = Metric.withAttributes(metric, labels)
  return {
    update: (amount, extra) => labelled.updateUnsafe(amount, Context.make(Metric.CurrentMetricAttributes, extra))
  }
}

/**
 * Makes metrics with labels. There is a metric of Effect's for each series, which is kept: to tag one anew for each update
 * takes longer.
 */
export const make = ({ maxSeries, maxValues }: Limits) => {
  /** The values of each label so far. */
  const seen = new Map<string, Set<string>>()

  const bounded = (label: string, value: string | undefined): string | undefined => {
    if (value === undefined) return undefined
    const values = seen.get(label) ?? new Set()
    seen.set(label, values)
    if (values.has(value)) return value
    if (values.size >= maxValues) return other
    values.add(value)
    return value
  }

  const family = ({ labels, unit }: Description, make: (labels: Labels) => Series): Update => {
    const series = new Map<string, Series>()
    /** The series by values as they came. */
    const shortcuts = new Map<string, Series>()

    const labelled = (values: Values): Series => {
      const key = JSON.stringify(values)
      const known = series.get(key)
      if (known !== undefined) return known
      // Exporters of Effect's metrics take the unit from a label.
      const tags: Record<string, string> = { unit }
      for (const [at, label] of labels.entries()) {
        const value = values[at]
        if (value !== undefined) tags[label] = value
      }
      const made = make(tags)
      series.set(key, made)
      return made
    }

    const find = (values: Values): Series => {
      const key = values.join("\u0000")
      const known = shortcuts.get(key)
      if (known !== undefined) return known
      const within = labels.map((label, at) => bounded(label, values[at]))
      const found = series.has(JSON.stringify(within)) || series.size < maxSeries
        ? labelled(within)
        : labelled(within.map((value) => value === undefined ? undefined : other))
      if (shortcuts.size < maxSeries) shortcuts.set(key, found)
      return found
    }

    return (amount, values, extra) => find(values).update(amount, extra)
  }

  return {
    counter: (metric: Description): Update =>
      family(
        metric,
        (labels) =>
          seriesOf(Metric.counter(metric.name, { description: metric.description, incremental: true }), labels)
      ),
    gauge: (metric: Description): Update =>
      family(metric, (labels) => seriesOf(Metric.gauge(metric.name, { description: metric.description }), labels)),
    histogram: ({ bounds, ...metric }: Description & { readonly bounds: ReadonlyArray<number> }): Update =>
      family(
        metric,
        (labels) =>
          seriesOf(Metric.histogram(metric.name, { description: metric.description, boundaries: bounds }), labels)
      )
  }
}
