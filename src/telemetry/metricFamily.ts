import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricKey from "effect/MetricKey"
import * as MetricLabel from "effect/MetricLabel"
import { other } from "./conventions.js"

/** Bounds for the number of series. The registry of Effect's metrics never removes one. */
export interface Limits {
  /** The number of different values of each label. */
  readonly maxValues: number
  /** The number of different sets of labels of each metric. */
  readonly maxSeries: number
}

type Values = ReadonlyArray<string | undefined>

/**
 * Updates a metric in the series with these values of its labels, in their order; a label without a value is left out.
 * `extra` are further labels, of the fiber.
 */
export type Update = (amount: number, values: Values, extra: ReadonlyArray<MetricLabel.MetricLabel>) => void

/** A metric, with the names of its labels. */
export interface Description {
  readonly name: string
  readonly description: string
  readonly labels: ReadonlyArray<string>
  readonly unit: string
}

/** One series of a metric. */
type Series = Pick<Metric.Metric<unknown, number, unknown>, "unsafeUpdate">

/** Series by the values of their labels, one label after the other: the search joins no texts. */
interface Branch {
  readonly next: Map<string | undefined, Branch>
  series: Series | undefined
}

const branch = (): Branch => ({ next: new Map(), series: undefined })

/**
 * Makes metrics with labels. Each series has its own Effect metric, which is kept: tagging one anew for each update
 * takes a hundred times longer.
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

  const family = (
    { labels, unit }: Description,
    make: (labels: ReadonlyArray<MetricLabel.MetricLabel>) => Series
  ): Update => {
    const series = new Map<string, Series>()
    /** The series by the values as given, and the number of them. */
    const shortcuts = branch()
    let size = 0

    const seriesOf = (values: Values): Series => {
      const key = JSON.stringify(values)
      const known = series.get(key)
      if (known !== undefined) return known
      // Exporters of Effect's metrics take the unit from a label.
      const tags = [MetricLabel.make("unit", unit)]
      for (const [at, label] of labels.entries()) {
        const value = values[at]
        if (value !== undefined) tags.push(MetricLabel.make(label, value))
      }
      const made = make(tags)
      series.set(key, made)
      return made
    }

    const known = (values: Values): Series | undefined => {
      let place: Branch | undefined = shortcuts
      for (const value of values) place = place?.next.get(value)
      return place?.series
    }

    const remember = (values: Values, found: Series): void => {
      if (size >= maxSeries) return
      size++
      let place = shortcuts
      for (const value of values) {
        const next = place.next.get(value) ?? branch()
        place.next.set(value, next)
        place = next
      }
      place.series = found
    }

    const find = (values: Values): Series => {
      const within = labels.map((label, at) => bounded(label, values[at]))
      const found = series.has(JSON.stringify(within)) || series.size < maxSeries
        ? seriesOf(within)
        : seriesOf(within.map((value) => value === undefined ? undefined : other))
      remember(values, found)
      return found
    }

    return (amount, values, extra) => (known(values) ?? find(values)).unsafeUpdate(amount, extra)
  }

  return {
    counter: (metric: Description): Update => {
      const key = MetricKey.counter(metric.name, { description: metric.description, incremental: true })
      return family(metric, (labels) => Metric.fromMetricKey(MetricKey.taggedWithLabels(key, labels)))
    },
    gauge: (metric: Description): Update => {
      const key = MetricKey.gauge(metric.name, { description: metric.description })
      return family(metric, (labels) => Metric.fromMetricKey(MetricKey.taggedWithLabels(key, labels)))
    },
    histogram: ({ bounds, ...metric }: Description & { readonly bounds: ReadonlyArray<number> }): Update => {
      const key = MetricKey.histogram(metric.name, MetricBoundaries.fromIterable(bounds), metric.description)
      return family(metric, (labels) => Metric.fromMetricKey(MetricKey.taggedWithLabels(key, labels)))
    }
  }
}
