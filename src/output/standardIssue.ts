import * as ParseResult from "effect/ParseResult"
import { hasProperty } from "effect/Predicate"
import type * as Schema from "effect/Schema"
import { scrub } from "../internal/scrub.js"

/** An issue of a Standard Schema. */
export interface Issue {
  readonly message: string
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined
}

type Ast = Schema.Schema.All["ast"]

const keyOf = (segment: PropertyKey | { readonly key: PropertyKey }): PropertyKey =>
  typeof segment === "object" ? segment.key : segment

const valueAt = (value: unknown, path: ReadonlyArray<PropertyKey>): unknown =>
  path.reduce((at, key) => hasProperty(at, key) ? at[key] : undefined, value)

/** All keys, texts and numbers in a value. */
const wordsIn = (value: unknown): ReadonlyArray<string> =>
  typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([key, each]) => [key, ...wordsIn(each)])
    : [String(value)]

const quoted = /"([^"]*)"|'([^']*)'|`([^`]*)`/g

/**
 * The expectation of an issue, without the actual value: expectations travel in errors and logs, and libraries quote
 * values in them ("received 17", "(was "lake")"). Zod, Valibot and ArkType often have `expected` beside the message.
 */
const expectation = (issue: Issue, actual: unknown): string => {
  const apart = hasProperty(issue, "expected") && typeof issue.expected === "string" ? issue.expected : ""
  const [, described = issue.message] = /\bexpected:? (.+)$/is.exec(issue.message) ?? []
  const words = wordsIn(actual)
  const cut = (apart === "" ? described : apart)
    .replace(/(?:,? but)?,? received:? .*$/is, "")
    .replace(/ \(was .*\)$/s, "")
    .replace(
      quoted,
      (whole, ...pieces: ReadonlyArray<string | undefined>) =>
        pieces.slice(0, 3).some((piece) => piece !== undefined && words.includes(piece)) ? "[…]" : whole
    )
  return scrub(cut, { sources: words })
}

/** The issues of a Standard Schema as an issue of Effect. */
export const toParseIssue = (
  issues: ReadonlyArray<Issue>,
  ast: Ast,
  actual: unknown
): ParseResult.ParseIssue => {
  const located = issues.map((issue) => {
    const path = (issue.path ?? []).map(keyOf)
    const value = valueAt(actual, path)
    const expected = new ParseResult.Type(ast, value, expectation(issue, value))
    return path.reduceRight<ParseResult.ParseIssue>(
      (inner, key) => new ParseResult.Pointer(key, actual, inner),
      expected
    )
  })
  const [first, ...others] = located
  return first === undefined
    ? new ParseResult.Type(ast, actual, "another value")
    : new ParseResult.Composite(ast, actual, [first, ...others])
}

/** The issue of encoding with a Standard Schema, which only decodes. */
export const decodesOnly = (ast: Ast, actual: unknown): ParseResult.ParseIssue =>
  new ParseResult.Forbidden(ast, actual, "Standard Schema only decodes")
