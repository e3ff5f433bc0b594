import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decodeUnknown, decodeUnknownEither } from "../../src/internal/schemaIssue.js"

const secret = "the answer's words"

const issuesOf = <A, I>(schema: Schema.Schema<A, I>, value: unknown) =>
  Either.match(decodeUnknownEither(schema, { errors: "all", onExcessProperty: "error" })(value), {
    onLeft: ({ issues }) => issues.map(({ expected, path }) => [path, expected]),
    onRight: () => assert.fail("it fits")
  })

/** The words of Effect's own schemas and filters. */
const words = {
  notEmpty: "a non empty string",
  upTo150: "a number between 0 and 150",
  atMostThree: "a string at most 3 character(s) long",
  date: "a valid Date"
}

class Person extends Schema.Class<Person>("Person")({
  name: Schema.NonEmptyString,
  age: Schema.Int.pipe(Schema.between(0, 150))
}) {}

interface Tree {
  readonly value: number
  readonly children: ReadonlyArray<Tree>
}
const Tree: Schema.Schema<Tree> = Schema.Struct({
  value: Schema.Number,
  children: Schema.Array(Schema.suspend(() => Tree))
})

describe("schemaIssue", () => {
  it("names each place that does not fit, and the type expected there", () => {
    assert.deepStrictEqual(
      issuesOf(Person, { name: "", age: 1.5, extra: secret }),
      [["extra", "no such field"], ["name", words.notEmpty], ["age", "an integer"]]
    )
    assert.deepStrictEqual(issuesOf(Person, { name: "a", age: 151 }), [["age", words.upTo150]])
    assert.deepStrictEqual(issuesOf(Person, {}), [
      ["name", "a value: it is missing"],
      ["age", "a value: it is missing"]
    ])
  })

  it("writes paths as a program would", () => {
    const nested = Schema.Struct({
      a: Schema.Array(Schema.Struct({ "b c": Schema.Tuple(Schema.Number, Schema.Number) }))
    })
    assert.deepStrictEqual(issuesOf(nested, { a: [{ "b c": [1, 2] }, { "b c": [1, secret] }] }), [
      ["a[1].b c[1]", "number"]
    ])
    assert.deepStrictEqual(
      issuesOf(Tree, { value: 1, children: [{ value: 1, children: [{ value: secret, children: [] }] }] }),
      [
        ["children[0].children[0].value", "number"]
      ]
    )
  })

  it("names the whole where the whole is wrong", () => {
    assert.deepStrictEqual(issuesOf(Person, secret), [["", "Person"]])
    assert.deepStrictEqual(issuesOf(Schema.Struct({ at: Schema.Date }), { at: 5 }), [["at", words.date]])
    assert.deepStrictEqual(issuesOf(Schema.NonEmptyArray(Schema.Number), []), [
      ["", "readonly [number, ...number[]]"]
    ])
  })

  it("names a text that holds no number", () => {
    assert.deepStrictEqual(issuesOf(Schema.Struct({ n: Schema.NumberFromString }), { n: secret }), [
      ["n", "NumberFromString"]
    ])
  })

  it("says of a union what its nearest members wanted", () => {
    const Shape = Schema.Union(
      Schema.Struct({ kind: Schema.Literal("circle"), radius: Schema.Number }),
      Schema.Struct({ kind: Schema.Literal("square"), side: Schema.Number })
    )
    assert.deepStrictEqual(issuesOf(Shape, { kind: "circle", radius: secret }), [["radius", "number"]])
    assert.deepStrictEqual(issuesOf(Shape, { kind: secret }), [["kind", "\"circle\" | \"square\""]])
    const optional = Schema.Struct({ a: Schema.optional(Schema.Literal("x", "y")) })
    assert.deepStrictEqual(issuesOf(optional, { a: secret }), [["a", "\"x\" | \"y\""]])
    assert.deepStrictEqual(issuesOf(Schema.NullOr(Schema.Number), secret), [["", "number | null"]])
  })

  it("says what a filter says", () => {
    const range = Schema.Struct({ from: Schema.Number, to: Schema.Number }).pipe(
      Schema.filter(({ from, to }) => from <= to || "from must not be after to")
    )
    assert.deepStrictEqual(issuesOf(range, { from: 2, to: 1 }), [["", "from must not be after to"]])
    const passwords = Schema.Struct({ one: Schema.String, two: Schema.String }).pipe(
      Schema.filter(({ one, two }) => one === two ? undefined : { path: ["two"], message: "the same text as one" })
    )
    assert.deepStrictEqual(issuesOf(passwords, { one: secret, two: "b" }), [["two", "the same text as one"]])
  })

  it("says in words what Effect's own filters want, unless the author has words of their own", () => {
    const expected = <A, I>(schema: Schema.Schema<A, I>, value: unknown) => issuesOf(schema, value)[0]?.[1]
    assert.strictEqual(expected(Schema.String.pipe(Schema.maxLength(3)), secret), words.atMostThree)
    assert.strictEqual(expected(Schema.Int.annotations({ title: "a whole number" }), 1.5), "a whole number")
    assert.strictEqual(expected(Schema.Int.annotations({ description: "years" }), 1.5), "years")
    const Even = Schema.Number.pipe(
      Schema.filter((n) => n % 2 === 0, { title: "even", description: "a multiple of 2" })
    )
    assert.strictEqual(expected(Even, 1), "even")
  })

  it("never quotes what stood there", () => {
    for (
      const [schema, value] of [
        [Person, { name: 1, age: secret }],
        [Schema.Struct({ a: Schema.Literal("x") }), { a: secret }],
        [Schema.Struct({ a: Schema.Uint8ArrayFromBase64 }), { a: secret }],
        [Schema.Struct({ a: Schema.Date }), { a: secret }],
        [Schema.Struct({ a: Schema.String.pipe(Schema.pattern(/^\d+$/)) }), { a: secret }],
        [Schema.Struct({ a: Schema.parseJson(Schema.Number) }), { a: secret }],
        [Schema.Array(Schema.Number), [secret, { secret }]]
      ] as ReadonlyArray<readonly [Schema.Schema<unknown>, unknown]>
    ) {
      assert.notInclude(JSON.stringify(issuesOf(schema, value)), secret)
    }
  })

  it("gives the value where it fits, and the first issue unless all are asked for", () => {
    assert.deepStrictEqual(decodeUnknownEither(Schema.NumberFromString)("1"), Either.right(1))
    assert.deepStrictEqual(
      decodeUnknownEither(Person)({ name: "", age: 1.5 }),
      Either.left({
        issues: [{ path: "name", expected: words.notEmpty }],
        omitted: 0
      })
    )
    assert.isTrue(Either.isRight(decodeUnknownEither(Person)({ name: "a", age: 1, extra: 1 })))
  })

  it.effect("waits for a schema that decodes asynchronously, which at once is an issue", () =>
    Effect.gen(function*() {
      const Later = Schema.transformOrFail(Schema.String, Schema.Number, {
        strict: true,
        decode: (text) => Effect.promise(() => Promise.resolve(text.length)),
        encode: (length) => Effect.succeed("x".repeat(length))
      })
      assert.strictEqual(yield* decodeUnknown(Later)("abc"), 3)
      assert.deepStrictEqual(yield* Effect.flip(decodeUnknown(Later)(3)), {
        issues: [{ path: "", expected: "string" }],
        omitted: 0
      })
      assert.deepStrictEqual(issuesOf(Later, "abc"), [["", "a synchronous schema"]])
    }))

  it("keeps a hundred issues and counts the others", () => {
    const given = Array.from({ length: 120_000 }, () => secret)
    const wrong = decodeUnknownEither(Schema.Array(Schema.Number), { errors: "all" })(given)
    assert(Either.isLeft(wrong))
    assert.strictEqual(wrong.left.issues.length, 100)
    assert.deepStrictEqual(wrong.left.issues[99], { path: "[99]", expected: "number" })
    assert.strictEqual(wrong.left.omitted, 119_900)
  })

  it("keeps the beginning of a long path and of a long expectation", () => {
    const key = "k".repeat(1_000_000)
    const [long] = issuesOf(Schema.Record({ key: Schema.String, value: Schema.Number }), { [key]: secret })
    assert.strictEqual(long?.[0], `${"k".repeat(299)}…`)
    const [wordy] = issuesOf(Schema.Number.annotations({ title: "t".repeat(2_000) }), secret)
    assert.strictEqual(wordy?.[1], `${"t".repeat(999)}…`)
    interface Nested {
      readonly inner: Nested
    }
    const Nested: Schema.Schema<Nested> = Schema.Struct({ inner: Schema.suspend(() => Nested) })
    const nested = Array.from({ length: 500 }).reduce((inner) => ({ inner }), secret)
    assert.isAtMost(issuesOf(Nested, nested)[0]?.[0]?.length ?? Infinity, 300)
  })

  it("writes control characters in a path as escapes", () => {
    const keyed = Schema.Record({ key: Schema.String, value: Schema.Number })
    assert.deepStrictEqual(issuesOf(keyed, { "\u001b[2J": secret }), [["\\u001b[2J", "number"]])
  })
})
