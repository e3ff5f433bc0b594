import * as ParseResult from "effect/ParseResult"
import { hasProperty } from "effect/Predicate"
import type * as AST from "effect/SchemaAST"
import { scrub } from "../internal/scrub.js"

/** What a Standard Schema complains of. */
export interface Issue {
  readonly message: string
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined
}

const keyOf = (segment: PropertyKey | { readonly key: PropertyKey }): PropertyKey =>
  typeof segment === "object" ? segment.key : segment

const valueAt = (value: unknown, path: ReadonlyArray<PropertyKey>): unknown =>
  path.reduce((at, key) => hasProperty(at, key) ? at[key] : undefined, value)

/** All that is said in a value: its keys, texts and numbers. */
const said = (value: unknown): ReadonlyArray<string> =>
  typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([key, each]) => [key, ...said(each)])
    : [String(value)]

const quoted = /"([^"]*)"|'([^']*)'|`([^`]*)`/g

/**
 * What was expected, without what was there instead: an expectation travels in errors and logs, and libraries quote at
 * will ("received 17", "(was "lake")"). Zod, Valibot and ArkType say `expected` apart from the message, where they can.
 */
const expectation = (issue: Issue, actual: unknown): string => {
  const apart = hasProperty(issue, "expected") && typeof issue.expected === "string" ? issue.expected : ""
  const [, told = issue.message] = /\bexpected:? (.+)$/is.exec(issue.message) ?? []
  const words = said(actual)
  const cut = (apart === "" ? told : apart)
    .replace(/(?:,? but)?,? received:? .*$/is, "")
    .replace(/ \(was .*\)$/s, "")
    .replace(
      quoted,
      (whole, ...pieces: ReadonlyArray<string | undefined>) =>
        pieces.slice(0, 3).some((piece) => piece !== undefined && words.includes(piece)) ? "[…]" : whole
    )
  return scrub(cut, { sources: words })
}

/** The issues of a Standard Schema as those of Effect's. */
export const toParseIssue = (
  issues: ReadonlyArray<Issue>,
  ast: AST.AST,
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
