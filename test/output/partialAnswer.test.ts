import { assert, describe, it } from "@effect/vitest"
import type { SchemaDialect } from "effect-llm/LlmProvider"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import { isRecord } from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as JsonAnswer from "../../src/output/jsonAnswer.js"
import * as JsonSchemaDialect from "../../src/output/jsonSchemaDialect.js"
import * as PartialAnswer from "../../src/output/partialAnswer.js"
import * as Pieces from "../support/pieces.js"

const dialects: ReadonlyArray<SchemaDialect> = ["openai", "anthropic", "gemini", "plain"]

const wireOf = (schema: Schema.Schema.All, dialect: SchemaDialect): JsonSchemaDialect.Wire =>
  Either.getOrThrowWith(JsonSchemaDialect.make(schema, dialect), (reason) => new Error(JSON.stringify(reason)))

/** What is shown after each piece after which something is. */
const shown = (
  schema: Schema.Schema.All,
  pieces: Iterable<string>,
  dialect: SchemaDialect = "plain"
): ReadonlyArray<unknown> => {
  const answer = PartialAnswer.make(wireOf(schema, dialect))
  return Array.from(pieces, (piece) => {
    answer.push(piece)
    return answer.take()
  }).flatMap(Option.toArray)
}

const each = (json: unknown): Iterable<string> => JSON.stringify(json)

/** Whether a value is what may have come of another one: less of its fields, of its lists, of a text outside of them. */
const isPartOf = (part: unknown, whole: unknown): boolean => {
  if (typeof part === "string" && typeof whole === "string") return whole.startsWith(part)
  if (Array.isArray(part)) {
    return Array.isArray(whole) && part.length <= whole.length &&
      part.every((element, i) => JSON.stringify(element) === JSON.stringify(whole[i]))
  }
  return isRecord(part)
    ? isRecord(whole) &&
      Object.entries(part).every(([name, value]) => Object.hasOwn(whole, name) && isPartOf(value, whole[name]))
    : Object.is(part, whole)
}

const Circle = Schema.TaggedStruct("Circle", { label: Schema.String, radius: Schema.Int })
const Square = Schema.TaggedStruct("Square", { side: Schema.Int, note: Schema.optional(Schema.String) })

interface Comment {
  readonly text: string
  readonly reply?: Comment | undefined
  readonly others: ReadonlyArray<Comment>
}
const Comment = Schema.Struct({
  text: Schema.String,
  reply: Schema.optional(Schema.suspend((): Schema.Schema<Comment> => Comment)),
  others: Schema.Array(Schema.suspend((): Schema.Schema<Comment> => Comment))
}).annotations({ identifier: "Comment" })

class Address extends Schema.Class<Address>("app/Address")({
  street: Schema.String,
  zip: Schema.optional(Schema.String)
}) {}

const All = Schema.Struct({
  title: Schema.String,
  size: Schema.Literal("small", "large"),
  maybe: Schema.optional(Schema.String),
  nothing: Schema.NullOr(Schema.String),
  option: Schema.Option(Schema.Struct({ text: Schema.String })),
  home: Address,
  shape: Schema.Union(Circle, Square),
  lengths: Schema.Record({ key: Schema.String, value: Schema.Int }),
  place: Schema.Tuple(Schema.String, Schema.Int),
  list: Schema.Array(Schema.Struct({ id: Schema.Int, text: Schema.optional(Schema.String) })),
  when: Schema.Date
})

const text = FastCheck.string({ maxLength: 6, unit: "binary" })
const whole = FastCheck.integer()
const some = <A>(arbitrary: FastCheck.Arbitrary<A>) => FastCheck.array(arbitrary, { maxLength: 3 })
const circle = FastCheck.record({ _tag: FastCheck.constant("Circle"), label: text, radius: whole })
const square = FastCheck.record({ _tag: FastCheck.constant("Square"), side: whole, note: text }, {
  requiredKeys: ["_tag", "side"]
})
const option = (value: FastCheck.Arbitrary<unknown>) =>
  FastCheck.oneof(
    FastCheck.constant({ _tag: "None" }),
    FastCheck.record({ _tag: FastCheck.constant("Some"), value })
  )
const { comment } = FastCheck.letrec<{ comment: unknown }>((tie) => ({
  comment: FastCheck.record({
    text,
    reply: FastCheck.oneof({ maxDepth: 2 }, FastCheck.constant(undefined), tie("comment")),
    others: FastCheck.oneof({ maxDepth: 2 }, FastCheck.constant([]), some(tie("comment")))
  }, { requiredKeys: ["text", "others"] })
}))

/** Schemas, and values in the form that they decode from. */
const roots: { readonly [name: string]: readonly [Schema.Schema.AnyNoContext, FastCheck.Arbitrary<unknown>] } = {
  struct: [
    All,
    FastCheck.record({
      title: text,
      size: FastCheck.constantFrom("small", "large"),
      maybe: text,
      nothing: FastCheck.option(text),
      option: option(FastCheck.record({ text })),
      home: FastCheck.record({ street: text, zip: text }, { requiredKeys: ["street"] }),
      shape: FastCheck.oneof(circle, square),
      lengths: FastCheck.dictionary(text, whole, { maxKeys: 3 }),
      place: FastCheck.tuple(text, whole),
      list: some(FastCheck.record({ id: whole, text }, { requiredKeys: ["id"] })),
      when: FastCheck.constant("2026-11-26T06:00:00.000Z")
    })
  ],
  list: [Schema.Array(Circle), some(circle)],
  text: [Schema.String, text],
  union: [Schema.Union(Circle, Square), FastCheck.oneof(circle, square)],
  option: [Schema.Option(Schema.String), option(text)],
  dictionary: [
    Schema.Record({ key: Schema.String, value: Schema.Array(Schema.String) }),
    FastCheck.dictionary(text, some(text), { maxKeys: 3 })
  ],
  recursive: [Comment, comment]
}

/** Anthropic takes no schema that refers to itself. */
const takers = (root: string): ReadonlyArray<SchemaDialect> =>
  root === "recursive" ? dialects.filter((dialect) => dialect !== "anthropic") : dialects

describe("partialAnswer", () => {
  describe("of a value that comes character by character, shows", () => {
    const cases: ReadonlyArray<
      readonly [what: string, schema: Schema.Schema.All, json: unknown, seen: ReadonlyArray<unknown>]
    > = [
      ["a text as it grows", Schema.Struct({ a: Schema.String }), { a: "xyz" }, [
        {},
        { a: "" },
        { a: "x" },
        { a: "xy" },
        { a: "xyz" }
      ]],
      ["a number when it is whole", Schema.Struct({ a: Schema.Number, b: Schema.Boolean }), { a: 123, b: true }, [
        {},
        { a: 123 },
        { a: 123, b: true }
      ]],
      ["a literal when it is whole", Schema.Struct({ a: Schema.Literal("sea", "river") }), { a: "sea" }, [
        {},
        { a: "sea" }
      ]],
      [
        "an element when it is whole",
        Schema.Struct({ a: Schema.Array(Schema.Struct({ b: Schema.String })) }),
        { a: [{ b: "xy" }, { b: "z" }] },
        [{}, { a: [] }, { a: [{ b: "xy" }] }, { a: [{ b: "xy" }, { b: "z" }] }]
      ],
      ["fields of objects in objects", Schema.Struct({ a: Schema.Struct({ b: Schema.String }) }), { a: { b: "x" } }, [
        {},
        { a: {} },
        { a: { b: "" } },
        { a: { b: "x" } }
      ]],
      ["what is wrapped, without the wrapping", Schema.String, { value: "xy" }, ["", "x", "xy"]],
      ["a list that is wrapped", Schema.Array(Schema.Number), { value: [1, 2] }, [[], [1], [1, 2]]],
      [
        "a member of a union when its tag has come",
        Schema.Struct({ a: Schema.Union(Circle, Square) }),
        { a: { _tag: "Circle", label: "x", radius: 1 } },
        [
          {},
          { a: { _tag: "Circle" } },
          { a: { _tag: "Circle", label: "" } },
          { a: { _tag: "Circle", label: "x" } },
          { a: { _tag: "Circle", label: "x", radius: 1 } }
        ]
      ],
      [
        "what came before the tag together with it",
        Schema.Struct({ a: Schema.Union(Circle, Square) }),
        { a: { label: "x", _tag: "Circle", radius: 1 } },
        [{}, { a: { label: "x", _tag: "Circle" } }, { a: { label: "x", _tag: "Circle", radius: 1 } }]
      ],
      [
        "a member of a union without tags when it is whole",
        Schema.Struct({ a: Schema.Union(Schema.Struct({ x: Schema.String }), Schema.Struct({ y: Schema.String })) }),
        { a: { y: "z" } },
        [{}, { a: { y: "z" } }]
      ],
      [
        "an option in the form that the schema decodes",
        Schema.Struct({ a: Schema.Option(Schema.String) }),
        { a: "xy" },
        [
          {},
          { a: { _tag: "Some", value: "" } },
          { a: { _tag: "Some", value: "x" } },
          { a: { _tag: "Some", value: "xy" } }
        ]
      ],
      [
        "nothing for what is null and may be absent",
        Schema.Struct({ a: Schema.optional(Schema.String) }),
        { a: null },
        [
          {}
        ]
      ],
      ["null where that is a value", Schema.Struct({ a: Schema.NullOr(Schema.String) }), { a: null }, [
        {},
        { a: null }
      ]],
      ["any JSON where any is wanted", Schema.Struct({ a: Schema.Unknown }), { a: { b: [{ c: "x" }], d: "y" } }, [
        {},
        { a: {} },
        { a: { b: [] } },
        { a: { b: [{ c: "x" }] } },
        { a: { b: [{ c: "x" }], d: "" } },
        { a: { b: [{ c: "x" }], d: "y" } }
      ]],
      ["nothing that the schema does not name", Schema.Struct({ a: Schema.Number }), { b: "x", a: 1, c: [1] }, [
        {},
        { a: 1 }
      ]],
      [
        "no field of another type, however deep it is wrong",
        Schema.Struct({ a: Schema.String, b: Schema.Struct({ c: Schema.Array(Schema.Number) }), d: Schema.Number }),
        { a: 1, b: { c: "x" }, d: 2 },
        [{}, { b: {} }, { b: {}, d: 2 }]
      ],
      [
        "no element after one of another type",
        Schema.Struct({ a: Schema.Array(Schema.Struct({ b: Schema.Number })) }),
        { a: [{ b: 1 }, { b: "x" }, { b: 2 }] },
        [{}, { a: [] }, { a: [{ b: 1 }] }]
      ]
    ]
    it.each(cases)("%s", (_, schema, json, seen) => {
      assert.deepStrictEqual(shown(schema, each(json)), seen)
    })

    it("the same in the end, if it comes in one piece, whatever is wrong or missing", () => {
      for (const [what, schema, json, seen] of cases) {
        assert.deepStrictEqual(shown(schema, [JSON.stringify(json)]), seen.slice(-1), what)
      }
      const Deep = Schema.Struct({ a: Schema.Struct({ b: Schema.String, c: Schema.Number }), d: Schema.Number })
      for (const pieces of [each({ a: { b: "x" } }), [JSON.stringify({ a: { b: "x" } })]]) {
        assert.deepStrictEqual(shown(Deep, pieces).at(-1), { a: { b: "x" } })
      }
    })

    it("a dictionary, where the provider has lists of pairs", () => {
      const Lengths = Schema.Struct({ a: Schema.Record({ key: Schema.String, value: Schema.Number }) })
      assert.deepStrictEqual(shown(Lengths, each({ a: [{ key: "x", value: 1 }, { key: "y", value: 2 }] }), "openai"), [
        {},
        { a: {} },
        { a: { x: 1 } },
        { a: { x: 1, y: 2 } }
      ])
    })

    it("a tuple when it is whole, where the provider has objects for it", () => {
      const Place = Schema.Struct({ a: Schema.Tuple(Schema.String, Schema.Number) })
      assert.deepStrictEqual(shown(Place, each({ a: { 1: 2, 0: "x" } }), "openai"), [{}, { a: ["x", 2] }])
    })
  })

  describe.each(Object.entries(roots))("of any value (%s)", (name, [schema, values]) => {
    it.each(takers(name))("in any pieces, shows parts of it, and in the end all of it (%s)", (dialect) => {
      const wire = wireOf(schema, dialect)
      const answers = values.chain((value) => Pieces.written(wire.write(value)))
      FastCheck.assert(
        FastCheck.property(answers, Pieces.places, (text, places) => {
          const seen = shown(schema, Pieces.cut(text, places), dialect)
          const whole: unknown = wire.read(JSON.parse(text))
          assert.deepStrictEqual(seen.at(-1), whole)
          const texts = seen.map((part) => JSON.stringify(part))
          seen.forEach((part, i) => {
            assert.isTrue(isPartOf(part, seen[i + 1] ?? whole), `${texts[i]} only grows to ${texts[i + 1]}`)
            assert.notStrictEqual(texts[i], texts[i + 1], "and it does grow")
          })
        }),
        { numRuns: 40 }
      )
    })
  })

  it("shows parts of any JSON in any pieces, with anything around it that an answer may have around it", () => {
    const json = FastCheck.dictionary(FastCheck.string(), FastCheck.jsonValue({ maxDepth: 4 }))
    const before = FastCheck.constantFrom(
      "",
      "\uFEFF",
      "```json\n",
      "Here it is:\n",
      "From {my} notes [sic], [1]: ",
      "12\" "
    )
    const after = FastCheck.constantFrom("", "\n```\n", " That is all [1]. {Really}.", "\u0000")
    FastCheck.assert(
      FastCheck.property(
        json.chain((value) => Pieces.written({ value })),
        before,
        after,
        Pieces.places,
        (json, a, z, at) => {
          const text = a + json + z
          const seen = shown(Schema.Unknown, Pieces.cut(text, at))
          const whole = Object(JSON.parse(json)).value
          assert.deepStrictEqual(seen.at(-1), whole)
          assert.deepStrictEqual(JsonAnswer.find(text), Option.some({ value: whole }))
          for (const part of seen) assert.isTrue(isPartOf(part, whole), `${JSON.stringify(part)} of ${text}`)
        }
      ),
      { numRuns: 500 }
    )
  })

  it("shows no more of an answer that is cut off than has come", () => {
    // As JSON has it: with one zero only.
    const json = FastCheck.dictionary(FastCheck.string(), FastCheck.jsonValue({ maxDepth: 3 }))
      .map((value): unknown => JSON.parse(JSON.stringify(value)))
    FastCheck.assert(
      FastCheck.property(json, FastCheck.nat(), Pieces.places, (value, at, places) => {
        const text = JSON.stringify({ value })
        const seen = shown(Schema.Unknown, Pieces.cut(text.slice(0, at % text.length), places))
        for (const part of seen) assert.isTrue(isPartOf(part, value))
      }),
      { numRuns: 300 }
    )
  })

  describe("takes no object for the answer", () => {
    const A = Schema.Struct({ a: Schema.Number })
    const cases: ReadonlyArray<readonly [what: string, text: string, seen: ReadonlyArray<unknown>]> = [
      ["in brackets that are no JSON", "[see {\"a\":1}] {\"a\":2}", [{}, { a: 2 }]],
      ["in a list", "[{\"a\":1}] {\"a\":2}", [{}, { a: 2 }]],
      ["in braces that are no JSON", "{see {\"a\":1}} {\"a\":2}", [{}, { a: 2 }]],
      ["in a bracket that is never closed", "[see {\"a\":1}", []],
      ["in a text", "{\"a\":\"{\\\"a\\\":1}\"}", [{}]],
      ["after one of which a part was shown", "{\"a\":1,} {\"a\":2}", [{}, { a: 1 }]],
      ["after the first", "{\"a\":1} {\"a\":2}", [{}, { a: 1 }]]
    ]
    it.each(cases)("%s", (_, text, seen) => {
      assert.deepStrictEqual(shown(A, text), seen)
    })
  })

  it("gives partial values that stay as they are, and share what is whole", () => {
    const Rivers = Schema.Struct({
      basin: Schema.Struct({ name: Schema.String }),
      rivers: Schema.Array(Schema.Struct({ name: Schema.String })),
      note: Schema.String
    })
    const json = { basin: { name: "North" }, rivers: [{ name: "Elbe" }, { name: "Oder" }], note: "That is all." }
    const answer = PartialAnswer.make(wireOf(Rivers, "plain"))
    const seen = Array.from(JSON.stringify(json), (character) => {
      answer.push(character)
      return Option.map(answer.take(), (value) => ({ value: Object(value), then: JSON.stringify(value) }))
    }).flatMap(Option.toArray)
    for (const { then, value } of seen) assert.strictEqual(JSON.stringify(value), then)
    const last = seen.at(-1)?.value
    for (const { value } of seen.filter(({ value }) => value.rivers !== undefined)) {
      assert.strictEqual(value.basin, last.basin)
      value.rivers.forEach((river: unknown, i: number) => assert.strictEqual(river, last.rivers[i]))
    }
    const afterwards = seen.filter(({ value }) => value.note !== undefined)
    assert.isAbove(afterwards.length, 10)
    for (const { value } of afterwards) assert.strictEqual(value.rivers, last.rivers)
  })

  describe("works in a time that is linear in the answer:", () => {
    const Rivers = Schema.Struct({
      title: Schema.String,
      rivers: Schema.Array(Schema.Struct({ id: Schema.Number, name: Schema.String })),
      lengths: Schema.Record({ key: Schema.String, value: Schema.Number })
    })

    const kinds: { readonly [kind: string]: (count: number) => ReadonlyArray<string> } = {
      "elements of a list": (count) => [
        "{\"rivers\":[",
        ...Array.from({ length: count }, (_, i) => `${i === 0 ? "" : ","}{"id":${i},"name":"x"}`),
        "]}"
      ],
      "entries of a dictionary": (count) => [
        "{\"lengths\":{",
        ...Array.from({ length: count }, (_, i) => `${i === 0 ? "" : ","}"k${i}":${i}`),
        "}}"
      ],
      "pieces of a text": (count) => ["{\"title\":\"", ...Array.from({ length: count }, () => "word "), "\"}"],
      "pieces of prose": (count) => [...Array.from({ length: count }, () => "[no] {it} is "), "{\"title\":\"x\"}"]
    }

    const workOf = (pieces: ReadonlyArray<string>) => {
      const answer = PartialAnswer.make(wireOf(Rivers, "plain"))
      let looks = 0
      for (const piece of pieces) {
        answer.push(piece)
        if (Option.isSome(answer.take())) looks++
      }
      return { ...answer.work(), looks }
    }

    it.each(Object.entries(kinds))("%s", (_, pieces) => {
      const [some, most] = [workOf(pieces(4_000)), workOf(pieces(32_000))]
      for (const kind of ["characters", "values", "copied"] as const) {
        assert.isAtMost(most[kind], 8 * some[kind] * 1.25, kind)
      }
      // What is copied for each piece has a bound, whatever has come before.
      assert.isAtMost(some.copied, 1_024 * 4_003)
    })

    it("a list is shown at each of its elements, unless it is very long, and then soon after", () => {
      const answer = PartialAnswer.make(wireOf(Rivers, "plain"))
      let shown = 0
      let late = 0
      for (const [i, piece] of (kinds["elements of a list"]?.(8_000) ?? []).entries()) {
        answer.push(piece)
        shown = Option.match(answer.take(), { onNone: () => shown, onSome: (value) => Object(value).rivers.length })
        const whole = Math.min(i, 8_000)
        if (i <= 2_000) assert.strictEqual(shown, whole)
        late = Math.max(late, whole - shown)
      }
      assert.strictEqual(shown, 8_000)
      assert.isAtMost(late, 8)
    })
  })

  it("gives up on what is nested deeper than any answer, and says nothing wrong", () => {
    const text = `{"value":{"a":"x","b":${"[".repeat(200)}`
    assert.deepStrictEqual(shown(Schema.Unknown, [text]), [])
    assert.deepStrictEqual(shown(Schema.Unknown, text).at(-1), { a: "x", b: [] })
  })
})
