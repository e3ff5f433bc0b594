import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import { isRecord } from "effect/Predicate"

type Schema = Readonly<Record<string, unknown>>

interface Generator {
  /** The schema that `$ref`s point into. */
  readonly root: unknown
  /** The words that strings are made of. */
  readonly words: readonly [string, ...Array<string>]
  /** The depth of the value. */
  readonly depth: number
  /** The references and alternatives on the way here. */
  readonly hops: number
  /** The choices made so far, which make neighbours differ, and the values made so far. */
  readonly made: { choices: number; values: number }
}

/** Down to this depth values have optional parts; below it they are as small as they can be. */
const richDepth = 4

// Guards against schemas that no finite value fits.
const maxDepth = 32
const maxHops = 64
const maxValues = 100_000

const isRich = ({ depth }: Generator): boolean => depth < richDepth

const deeper = (generator: Generator): Generator => ({ ...generator, depth: generator.depth + 1 })

const further = (generator: Generator): Generator => ({ ...generator, hops: generator.hops + 1 })

const asSchema = (schema: unknown): Schema => isRecord(schema) ? schema : {}

const asArray = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

const asNumber = (value: unknown): number | undefined => typeof value === "number" ? value : undefined

const asNames = (value: unknown): ReadonlyArray<string> =>
  asArray(value).filter((name): name is string => typeof name === "string")

/** Follows a JSON pointer within the schema: `#/$defs/Person`, `#`. */
const resolve = (ref: unknown, root: unknown): unknown =>
  String(ref).replace(/^#\/?/, "").split("/").filter((token) => token !== "").reduce(
    (at, token) => asSchema(at)[decodeURIComponent(token).replace(/~1/g, "/").replace(/~0/g, "~")],
    root
  )

const alternatives = (schema: Schema): ReadonlyArray<unknown> => [...asArray(schema.anyOf), ...asArray(schema.oneOf)]

/** `allOf` folded into the schema around it. */
const flatten = (schema: Schema): Schema =>
  asArray(schema.allOf).map(asSchema).map(flatten).reduce((merged, part) => ({
    ...part,
    ...merged,
    properties: { ...asSchema(merged.properties), ...asSchema(part.properties) },
    required: [...asNames(merged.required), ...asNames(part.required)]
  }), schema)

/** The schema that a `$ref` points to, with the keywords beside the `$ref`. */
const follow = ({ $ref, ...beside }: Schema, root: unknown): Schema => ({ ...asSchema(resolve($ref, root)), ...beside })

const types = (schema: Schema): ReadonlyArray<string> => {
  if (typeof schema.type === "string") return [schema.type]
  if (Array.isArray(schema.type)) return asNames(schema.type)
  if ("properties" in schema || "required" in schema) return ["object"]
  return "items" in schema || "prefixItems" in schema ? ["array"] : ["string"]
}

/** The depth of the smallest value that fits; infinite if every way leads back to the schema itself. */
const height = (schema: unknown, root: unknown, seen: ReadonlySet<unknown> = new Set()): number => {
  const own = flatten(asSchema(schema))
  if ("$ref" in own) {
    // The smallest value does not take this many steps.
    return seen.has(own.$ref) || seen.size > 8
      ? Infinity
      : height(follow(own, root), root, new Set([...seen, own.$ref]))
  }
  const ways = alternatives(own)
  if (ways.length > 0) return Math.min(...ways.map((way) => height(way, root, seen)))
  if ("const" in own || "enum" in own || types(own).includes("null")) return 0
  switch (types(own)[0]) {
    case "object":
      return 1 + Math.max(
        0,
        ...asNames(own.required).map((name) => height(asSchema(own.properties)[name], root, seen))
      )
    case "array":
      return (asNumber(own.minItems) ?? 0) === 0 ? 0 : 1 + height(own.items, root, seen)
    default:
      return 0
  }
}

const lowest = (ways: ReadonlyArray<unknown>, root: unknown): unknown => {
  const heights = ways.map((way) => height(way, root))
  return ways[heights.indexOf(Math.min(...heights))]
}

const choose = <A>(items: readonly [A, ...Array<A>] | ReadonlyArray<A>, generator: Generator): A | undefined =>
  items[generator.made.choices++ % Math.max(items.length, 1)]

const integer = (lowest: number, highest: number, generator: Generator): number =>
  lowest + generator.made.choices++ % Math.max(1, Math.min(100, highest - lowest + 1))

const number = (schema: Schema, whole: boolean, generator: Generator): number => {
  const step = asNumber(schema.multipleOf) ?? 1
  const above = asNumber(schema.exclusiveMinimum)
  const below = asNumber(schema.exclusiveMaximum)
  const minimum = Math.max(asNumber(schema.minimum) ?? -Infinity, above ?? -Infinity)
  const maximum = Math.min(asNumber(schema.maximum) ?? Infinity, below ?? Infinity)
  const start = minimum > -Infinity ? minimum : maximum < 0 ? maximum - 99 * step : 0
  const lowest = Math.ceil(start / step) + (above === minimum && Math.ceil(start / step) * step === above ? 1 : 0)
  const highest = Math.floor(maximum / step) -
    (below === maximum && Math.floor(maximum / step) * step === below ? 1 : 0)
  return whole || highest >= lowest ? integer(lowest, highest, generator) * step : (minimum + maximum) / 2
}

/** Strings in a format: by `format`, and by the description of an `effect/Schema` that decodes from a string. */
const knownStrings: ReadonlyMap<unknown, string> = new Map([
  ["date-time", "2025-01-15T12:00:00Z"],
  ["date", "2025-01-15"],
  ["time", "12:00:00Z"],
  ["duration", "PT1H"],
  ["email", "reader@example.com"],
  ["hostname", "example.com"],
  ["uri", "https://example.com/"],
  ["ipv4", "192.0.2.1"],
  ["ipv6", "2001:db8::1"],
  ["uuid", "123e4567-e89b-42d3-a456-426614174000"],
  ["Date", "2025-01-15T12:00:00Z"],
  ["DateTime.Utc", "2025-01-15T12:00:00Z"],
  ["URL", "https://example.com/"],
  ["number", "1"],
  ["bigint", "1"],
  ["BigDecimal", "1"]
])

// JSON Schema counts code points.
const hasSize = (schema: Schema, text: string): boolean => {
  const { length } = [...text]
  return length >= (asNumber(schema.minLength) ?? 0) && length <= (asNumber(schema.maxLength) ?? Infinity)
}

/** A word, repeated or cut to the length that the schema asks for. */
const sized = (schema: Schema, word: string): string => {
  const own = Math.max(1, [...word].length)
  const length = Math.max(own, asNumber(schema.minLength) ?? 0)
  const characters = [...word.repeat(Math.ceil(length / own))]
  return characters.slice(0, Math.min(length, asNumber(schema.maxLength) ?? Infinity)).join("")
}

// A pattern may not be a regular expression, or be one that cannot be sampled (look-ahead).
const regExp = Option.liftThrowable((pattern: unknown) => new RegExp(String(pattern), "u"))

const samples = (pattern: RegExp, generator: Generator): ReadonlyArray<string> =>
  Option.getOrElse(
    Option.liftThrowable(() =>
      FastCheck.sample(FastCheck.stringMatching(pattern), { numRuns: 64, seed: generator.made.choices })
    )(),
    () => []
  )

const string = (schema: Schema, generator: Generator): string => {
  const known = knownStrings.get(schema.format) ??
    knownStrings.get(/ decoded into an? ([\w.]+)$/.exec(String(schema.description))?.[1])
  if (known !== undefined) return known
  const plain = sized(schema, choose(generator.words, generator) ?? "")
  const patterns = [schema, ...asArray(schema.allOf).map(asSchema)].flatMap(({ pattern }) =>
    typeof pattern === "string" ? Option.toArray(regExp(pattern)) : []
  )
  const fits = (text: string) => patterns.every((pattern) => pattern.test(text)) && hasSize(schema, text)
  const [pattern] = patterns
  return pattern === undefined || fits(plain) ? plain : samples(pattern, generator).find(fits) ?? plain
}

const array = (schema: Schema, generator: Generator): ReadonlyArray<unknown> => {
  const prefix = asArray(schema.prefixItems ?? (Array.isArray(schema.items) ? schema.items : []))
  const usual = schema.items === false || Array.isArray(schema.items) ? prefix.length : Math.max(prefix.length, 2)
  const wanted = Math.max(asNumber(schema.minItems) ?? 0, isRich(generator) ? usual : 0)
  return Array.from(
    { length: Math.min(wanted, asNumber(schema.maxItems) ?? Infinity) },
    (_, i) => generate(i < prefix.length ? prefix[i] : schema.items, deeper(generator))
  )
}

const object = (schema: Schema, generator: Generator): Schema => {
  const properties = asSchema(schema.properties)
  const required = asNames(schema.required)
  const optional = Object.keys(properties).filter((name) => !required.includes(name))
  const names = isRich(generator) ? [...required, ...optional] : required
  const extra = names.length === 0 && isRecord(schema.additionalProperties) && isRich(generator)
    ? [[generator.words[0], generate(schema.additionalProperties, deeper(generator))]]
    : []
  // `fromEntries` makes own properties of all names, also of `__proto__`.
  return Object.fromEntries([
    ...names.map((name) => [name, generate(properties[name], deeper(generator))]),
    ...extra
  ])
}

const generate = (schema: unknown, generator: Generator): unknown => {
  const { depth, hops, made, root } = generator
  if (depth > maxDepth || hops > maxHops || made.values++ > maxValues) return null
  const own = flatten(asSchema(schema))
  if ("$ref" in own) return generate(follow(own, root), further(generator))
  if ("const" in own) return own.const
  if (Array.isArray(own.enum)) return choose(own.enum, generator) ?? null
  const ways = alternatives(own)
  if (ways.length > 0) {
    return generate(isRich(generator) ? choose(ways, generator) : lowest(ways, root), further(generator))
  }
  const [type] = isRich(generator) ? types(own).filter((each) => each !== "null") : types(own).toSorted(nullFirst)
  switch (type) {
    case "object":
      return object(own, generator)
    case "array":
      return array(own, generator)
    case "number":
    case "integer":
      return number(own, type === "integer", generator)
    case "boolean":
      return choose([true, false], generator)
    case "string":
      return string(own, generator)
    default:
      return null
  }
}

const nullFirst = (a: string, b: string): number => Number(b === "null") - Number(a === "null")

/**
 * A value that fits a JSON Schema, always the same for the same schema and words. Strings are made of the words.
 *
 * Supports `type`, `enum`, `const`, `anyOf`, `oneOf`, `allOf`, `$ref` within the schema (recursive ones too), `properties`,
 * `required`, `additionalProperties`, `items`, `prefixItems`, and the bounds of numbers, strings and arrays.
 * Ignores `not`, `if`, `patternProperties`, `uniqueItems` and the like.
 */
export const valueOf = (schema: unknown, words: readonly [string, ...Array<string>]): unknown =>
  generate(schema, { depth: 0, hops: 0, made: { choices: 0, values: 0 }, root: schema, words })
