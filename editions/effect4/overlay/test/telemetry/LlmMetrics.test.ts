// In place of declarations: a snapshot of a metric of Effect 4 has its name, its labels and its state itself.

const valueOf = ({ state, type }: Metric.Metric.Snapshot): unknown => {
  switch (type) {
    case "Counter":
      return state.count
    case "Gauge":
      return state.value
    case "Histogram":
      return { count: state.count, sum: state.sum }
    default:
      return state
  }
}

/** The series in the registry that have a label with this value. */
const pointsWith = (value: string): ReadonlyArray<Point> =>
  Metric.snapshotUnsafe(Context.empty()).flatMap((snapshot) => {
    const labels = snapshot.attributes ?? {}
    return Object.values(labels).includes(value) ? [{ name: snapshot.id, labels, value: valueOf(snapshot) }] : []
  })

/** The bounds of the buckets of a histogram that has a label with this value. */
const boundsOf = (value: string, name: string): ReadonlyArray<ReadonlyArray<number>> =>
  Metric.snapshotUnsafe(Context.empty()).flatMap(({ attributes = {}, id, state, type }) =>
    id === name && type === "Histogram" && Object.values(attributes).includes(value)
      // That of all others has no bound here.
      ? [[...state.buckets.map(([bound]) => bound), Infinity]]
      : []
  )
