import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"

export interface Recorded extends Tracer.Span {
  readonly attributes: Map<string, unknown>
}

/** A tracer that keeps its spans. */
export const recorder = () => {
  const spans: Array<Recorded> = []
  const tracer = Tracer.make({
    context: (f) => f(),
    span: (name, parent, context, links, startTime, kind) => {
      let status: Tracer.SpanStatus = { _tag: "Started", startTime }
      const attributes = new Map<string, unknown>()
      const span: Recorded = {
        _tag: "Span",
        name,
        spanId: `span-${spans.length}`,
        traceId: "trace",
        parent,
        context,
        get status() {
          return status
        },
        attributes,
        links,
        sampled: true,
        kind,
        end: (endTime, exit) => {
          status = { _tag: "Ended", startTime, endTime, exit }
        },
        attribute: (key, value) => void attributes.set(key, value),
        event: () => {},
        addLinks: () => {}
      }
      spans.push(span)
      return span
    }
  })
  return { spans, traced: Effect.withTracer(tracer) }
}

/** The spans as a tree of their names, in the order in which they started. */
export const treeOf = (spans: ReadonlyArray<Recorded>): ReadonlyArray<string> => {
  const idOf = ({ parent }: Recorded): string | undefined => Option.getOrUndefined(parent)?.spanId
  const from = (parent: string | undefined, depth: number): ReadonlyArray<string> =>
    spans.filter((span) => idOf(span) === parent).flatMap((span) => [
      `${"  ".repeat(depth)}${span.name}`,
      ...from(span.spanId, depth + 1)
    ])
  return from(undefined, 0)
}
