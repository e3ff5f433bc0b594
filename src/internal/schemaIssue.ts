import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import * as AST from "effect/SchemaAST"

/** Where a value did not fit its schema, and what was expected there. Never holds the value itself. */
export interface SchemaIssue {
  /** The path as a program would write it: `messages[0].content`; empty for the root. */
  readonly path: string
  /** What the schema wanted there. */
  readonly expected: string
}

const showPath = (path: ReadonlyArray<PropertyKey>): string =>
  path.reduce<string>(
    (shown, key) =>
      typeof key === "number" ? `${shown}[${key}]` : shown === "" ? String(key) : `${shown}.${String(key)}`,
    ""
  )

/** How Effect's own filters are titled: as the code that makes them. */
const isCode = (title: string): boolean => /^[a-z]\w*(?:\(.*\))?$/s.test(title)

/** What the schema's author calls it. Of Effect's own filters the description says it in words; a class has it on its type. */
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

/** An AST as a reader wants it: of a union, each member once and no `undefined`. */
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
      // Of a union, the members that fitted at least in part say what is wrong; those that knew all fields say it best.
      const deeper = inner.filter((located) => located.path.length > path.length)
      const known = deeper.filter((located) => located.expected !== noSuchField)
      return known.length > 0 ? known : deeper.length > 0 ? deeper : at(show(issue.ast))
    }
    case "Refinement":
    case "Transformation": {
      const inner = collect(issue.issue, path)
      // The filter itself: what it says, or else its name.
      if (issue.kind === "Predicate") {
        return issue.issue._tag === "Type" && issue.issue.message === undefined ? at(show(issue.ast)) : inner
      }
      // Where the whole value is of another type, the name of the whole says more than that of what it is made from.
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
 * Flattens a `ParseIssue` into paths and expectations. `ParseError`'s own message quotes the value that did not fit,
 * which for a prompt or an answer must not travel in an error. (What a filter's author has it say is taken as it is.)
 */
export const fromParseIssue = (issue: ParseResult.ParseIssue): ReadonlyArray<SchemaIssue> =>
  collect(issue, []).map(({ expected, path }) => ({ path: showPath(path), expected }))
