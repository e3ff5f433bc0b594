import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import type * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import { shortened } from "./boundedText.js"
import { visible } from "./visible.js"

// Decodes values from outside, with issues that may go into errors: the only place that knows Effect's form of them.

/** A place at which a value does not fit its schema, and the expectation there. Never holds the value itself. */
export interface SchemaIssue {
  /** The path in the notation of a program: `messages[0].content`; empty for the root. At most 300 characters. */
  readonly path: string
  /** The schema's expectation there, in at most 1,000 characters. */
  readonly expected: string
}

/** The places at which a value does not fit: the first 100 of them. */
export interface SchemaIssues {
  readonly issues: ReadonlyArray<SchemaIssue>
  /** The number of further places. */
  readonly omitted: number
}

const maxIssues = 100
const maxPath = 300
const maxExpected = 1_000

// Keys may come from the value: they are shortened first, as there may be megabytes of them.
const showPath = (path: ReadonlyArray<PropertyKey>): string =>
  shortened(
    path.reduce<string>(
      (shown, key) => {
        if (shown.length > maxPath) return shown
        const name = typeof key === "number" ? `[${key}]` : visible(shortened(String(key), maxPath))
        return typeof key === "number" || shown === "" ? shown + name : `${shown}.${name}`
      },
      ""
    ),
    maxPath
  )

/** Effect's own filters have as their title the code that makes them. */
const isCode = (title: string): boolean => /^[a-z]\w*(?:\(.*\))?$/s.test(title)

/** The author's name for a schema: the description of Effect's own filters, and the type's name of a class. */
const nameOf = (ast: AST.AST): Option.Option<string> => {
  const title = AST.getTitleAnnotation(ast)
  const name = AST.getIdentifierAnnotation(ast).pipe(
    Option.orElse(() => title),
    Option.orElse(() => AST.getDescriptionAnnotation(ast)),
    Option.orElse(() => AST.isTransformation(ast) && AST.isDeclaration(ast.to) ? nameOf(ast.to) : Option.none())
  )
  return AST.isRefinement(ast) && Option.isSome(AST.getSchemaIdAnnotation(ast))
    ? Option.filter(title, (title) => !isCode(title)).pipe(
      Option.orElse(() => AST.getDescriptionAnnotation(ast)),
      Option.orElse(() => name)
    )
    : name
}

/** An AST for a reader: a union has each member once, without `undefined`. */
const show = (ast: AST.AST): string =>
  Option.getOrElse(nameOf(ast), () =>
    AST.isUnion(ast)
      ? [...new Set(ast.types.filter((member) => !AST.isUndefinedKeyword(member)).map(show))].join(" | ")
      : String(ast))

const noSuchField = "no such field"

type Path = ReadonlyArray<PropertyKey>

interface Located {
  readonly path: Path
  readonly expected: string
}

const asArray = <A>(value: A | ReadonlyArray<A>): ReadonlyArray<A> => Array.isArray(value) ? value : [value as A]

const collect = (issue: ParseResult.ParseIssue, path: Path): ReadonlyArray<Located> => {
  const at = (expected: string): ReadonlyArray<Located> => [{ path, expected }]
  switch (issue._tag) {
    case "Pointer":
      return collect(issue.issue, [...path, ...asArray(issue.path)])
    case "Composite": {
      const issues = asArray(issue.issues)
      if (
        AST.isTupleType(issue.ast) &&
        issues.every((inner) => inner._tag === "Pointer" && inner.issue._tag === "Missing")
      ) {
        return at(show(issue.ast))
      }
      const inner = issues.flatMap((inner) => collect(inner, path))
      if (!AST.isUnion(issue.ast)) return inner
      // In a union, the members that fit in part explain best, above all those that know every field.
      const deeper = inner.filter((located) => located.path.length > path.length)
      const known = deeper.filter((located) => located.expected !== noSuchField)
      return known.length > 0 ? known : deeper.length > 0 ? deeper : at(show(issue.ast))
    }
    case "Refinement":
    case "Transformation": {
      const inner = collect(issue.issue, path)
      // The filter itself: its message, or else its name.
      if (issue.kind === "Predicate") {
        return issue.issue._tag === "Type" && issue.issue.message === undefined ? at(show(issue.ast)) : inner
      }
      // If the whole value is of another type, the name of the whole says more than that of the encoded side.
      return issue.issue._tag === "Refinement" || inner.some((located) => located.path.length > path.length)
        ? inner
        : Option.match(nameOf(issue.ast), { onNone: () => inner, onSome: at })
    }
    case "Missing":
      return at("a value: it is missing")
    case "Unexpected":
      return at(noSuchField)
    case "Forbidden":
      return at("a synchronous schema")
    case "Type":
      return at(issue.message ?? show(issue.ast))
  }
}

/**
 * Flattens a `ParseIssue` into paths and expectations. `ParseError`'s own message quotes the value, and an error must
 * not hold a prompt or an answer. (A message by a filter's author is taken as it is.)
 */
const fromParseIssue = (issue: ParseResult.ParseIssue): SchemaIssues => {
  const all = collect(issue, [])
  return {
    issues: all.slice(0, maxIssues).map(({ expected, path }) => ({
      path: showPath(path),
      expected: shortened(expected, maxExpected)
    })),
    omitted: Math.max(0, all.length - maxIssues)
  }
}

/** How to decode. */
export interface Options {
  /** Whether to report all issues, or the first. Default: "first". */
  readonly errors?: "first" | "all" | undefined
  /** Whether a field that the schema does not name is dropped or is an issue. Default: "ignore". */
  readonly onExcessProperty?: "ignore" | "error" | undefined
}

/** Decodes an unknown value, asynchronously if the schema wants to. */
export const decodeUnknown = <A, I, R>(
  schema: Schema.Schema<A, I, R>,
  options?: Options
): (value: unknown) => Effect.Effect<A, SchemaIssues, R> => {
  const decode = ParseResult.decodeUnknown(schema, options)
  return (value) => Effect.mapError(decode(value), fromParseIssue)
}

/** Decodes an unknown value at once. A schema that decodes asynchronously is an issue. */
export const decodeUnknownEither = <A, I>(
  schema: Schema.Schema<A, I>,
  options?: Options
): (value: unknown) => Either.Either<A, SchemaIssues> => {
  const decode = ParseResult.decodeUnknownEither(schema, options)
  return (value) => Either.mapLeft(decode(value), fromParseIssue)
}
