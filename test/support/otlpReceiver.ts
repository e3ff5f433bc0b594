import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { serve } from "./overHttp.js"

// The messages of OTLP/HTTP in JSON, as https://github.com/open-telemetry/opentelemetry-proto publishes them: ids in
// hexadecimal, 64-bit integers as texts, enumerations as numbers, names in lowerCamelCase. Any other field is refused.

const nanos = Schema.String.pipe(Schema.pattern(/^[1-9]\d{15,19}$/))
const count = Schema.Int.pipe(Schema.nonNegative())
const count64 = Schema.Union(count, Schema.NumberFromString.pipe(Schema.int()))
const traceId = Schema.String.pipe(Schema.pattern(/^[0-9a-f]{32}$/))
const spanId = Schema.String.pipe(Schema.pattern(/^[0-9a-f]{16}$/))

type AnyValue =
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  | { readonly intValue: number | string }
  | { readonly doubleValue: number }
  | { readonly arrayValue: { readonly values: ReadonlyArray<AnyValue> } }

const AnyValue: Schema.Schema<AnyValue> = Schema.Union(
  Schema.Struct({ stringValue: Schema.String }),
  Schema.Struct({ boolValue: Schema.Boolean }),
  Schema.Struct({ intValue: Schema.Union(Schema.Int, Schema.String.pipe(Schema.pattern(/^-?\d+$/))) }),
  Schema.Struct({ doubleValue: Schema.Finite }),
  Schema.Struct({ arrayValue: Schema.Struct({ values: Schema.Array(Schema.suspend(() => AnyValue)) }) })
)

const Attributes = Schema.Array(Schema.Struct({ key: Schema.NonEmptyString, value: AnyValue })).pipe(
  Schema.filter((all) => new Set(all.map(({ key }) => key)).size === all.length || "the same attribute twice")
)

const Resource = Schema.Struct({ attributes: Attributes, droppedAttributesCount: Schema.optional(count) })
const Scope = Schema.Struct({ name: Schema.String, version: Schema.optional(Schema.String) })

const Span = Schema.Struct({
  traceId,
  spanId,
  parentSpanId: Schema.optional(spanId),
  name: Schema.NonEmptyString,
  kind: Schema.Literal(1, 2, 3, 4, 5),
  startTimeUnixNano: nanos,
  endTimeUnixNano: nanos,
  attributes: Attributes,
  droppedAttributesCount: Schema.optional(count),
  events: Schema.Array(Schema.Struct({
    name: Schema.NonEmptyString,
    timeUnixNano: nanos,
    attributes: Attributes,
    droppedAttributesCount: Schema.optional(count)
  })),
  droppedEventsCount: Schema.optional(count),
  links: Schema.Array(Schema.Struct({
    traceId,
    spanId,
    attributes: Attributes,
    droppedAttributesCount: Schema.optional(count)
  })),
  droppedLinksCount: Schema.optional(count),
  status: Schema.Struct({ code: Schema.Literal(0, 1, 2), message: Schema.optional(Schema.String) })
}).pipe(
  Schema.filter((span) => BigInt(span.startTimeUnixNano) <= BigInt(span.endTimeUnixNano) || "ends before it starts")
)

export type Span = typeof Span.Type

const Traces = Schema.Struct({
  resourceSpans: Schema.Array(Schema.Struct({
    resource: Resource,
    scopeSpans: Schema.Array(Schema.Struct({ scope: Scope, spans: Schema.Array(Span) }))
  }))
})

const point = { attributes: Attributes, startTimeUnixNano: nanos, timeUnixNano: nanos }

const NumberPoint = Schema.Union(
  Schema.Struct({ ...point, asDouble: Schema.Finite }),
  Schema.Struct({ ...point, asInt: count64 })
)

const HistogramPoint = Schema.Struct({
  ...point,
  count: count64,
  sum: Schema.Finite,
  min: Schema.Finite,
  max: Schema.Finite,
  bucketCounts: Schema.Array(count64),
  explicitBounds: Schema.Array(Schema.Finite)
}).pipe(Schema.filter(({ bucketCounts, count, explicitBounds }) =>
  bucketCounts.length === explicitBounds.length + 1 &&
    explicitBounds.every((bound, at) => at === 0 || bound > explicitBounds[at - 1]!) &&
    bucketCounts.reduce((sum, inBucket) => sum + inBucket, 0) === count ||
  "its buckets do not fit"
))

const common = { name: Schema.NonEmptyString, description: Schema.String, unit: Schema.String }
const temporality = { aggregationTemporality: Schema.Literal(1, 2) }

const Metric = Schema.Union(
  Schema.Struct({
    ...common,
    sum: Schema.Struct({ ...temporality, isMonotonic: Schema.Boolean, dataPoints: Schema.Array(NumberPoint) })
  }),
  Schema.Struct({ ...common, gauge: Schema.Struct({ dataPoints: Schema.Array(NumberPoint) }) }),
  Schema.Struct({ ...common, histogram: Schema.Struct({ ...temporality, dataPoints: Schema.Array(HistogramPoint) }) })
)

export type Metric = typeof Metric.Type

const Metrics = Schema.Struct({
  resourceMetrics: Schema.Array(Schema.Struct({
    resource: Resource,
    scopeMetrics: Schema.Array(Schema.Struct({ scope: Scope, metrics: Schema.Array(Metric) }))
  }))
})

const strictly = { onExcessProperty: "error" } as const

/** A receiver on loopback that refuses whatever is not a message of OTLP, and keeps what is. */
export const otlpReceiver = Effect.gen(function*() {
  const spans: Array<Span> = []
  const problems: Array<string> = []
  let metrics: ReadonlyArray<Metric> = []

  const receive: { readonly [path: string]: (body: unknown) => Either.Either<void, unknown> } = {
    "/v1/traces": (body) =>
      Either.map(Schema.decodeUnknownEither(Traces, strictly)(body), ({ resourceSpans }) => {
        for (const { scopeSpans } of resourceSpans) {
          for (const scope of scopeSpans) for (const span of scope.spans) spans.push(span)
        }
      }),
    "/v1/metrics": (body) =>
      Either.map(Schema.decodeUnknownEither(Metrics, strictly)(body), ({ resourceMetrics }) => {
        metrics = resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
      }),
    // Logs are Effect's own.
    "/v1/logs": () => Either.void
  }

  const { url } = yield* serve((response, { body, headers, url }) => {
    const received = headers["content-type"] === "application/json"
      ? receive[url]?.(JSON.parse(body)) ?? Either.left(`no such path: ${url}`)
      : Either.left(`not JSON: ${headers["content-type"]}`)
    if (Either.isLeft(received)) problems.push(String(received.left))
    response.writeHead(Either.isLeft(received) ? 400 : 200, { "content-type": "application/json" }).end("{}")
  })
  return { url, spans, problems, metrics: () => metrics }
})

/** Attributes by their names. */
export const attributesOf = (attributes: typeof Attributes.Type): Record<string, unknown> => {
  const plain = (value: AnyValue): unknown =>
    "arrayValue" in value ? value.arrayValue.values.map(plain) : Object.values(value)[0]
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)]))
}
