// In place of declarations: issues of Effect 4 are of other kinds, and hold no refinements but filters.
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { isObject as isRecord } from "effect/Predicate"
import type * as Schema from "effect/Schema"
import type * as EffectSchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"

/** The author's name for a schema: its identifier, its title or its description. */
const nameOf = (ast: AST.AST): Option.Option<string> => {
  const name = AST.resolveIdentifier(ast) ?? AST.resolveTitle(ast) ?? AST.resolveDescription(ast)
  return Option.fromNullishOr(name)
}

/** What an annotation expects: the author's words, and those of Effect's own filters and schemas. */
const expectedBy = (annotations: Schema.Annotations.Annotations | undefined): string | undefined => {
  for (const key of ["message", "identifier", "title", "description", "expected"] as const) {
    const value = annotations?.[key]
    if (typeof value === "string") return value
  }
  return undefined
}

/** An AST for a reader: of a union, each member once, without `undefined`. */
const show = (ast: AST.AST): string =>
  Option.getOrElse(nameOf(ast), () => {
    const expected = ast.annotations?.expected
    if (typeof expected === "string") return expected
    switch (ast._tag) {
      case "Union":
        return [...new Set(ast.types.filter((member) => !AST.isUndefined(member)).map(show))].join(" | ")
      case "Literal":
        return typeof ast.literal === "string" ? JSON.stringify(ast.literal) : String(ast.literal)
      case "Objects":
        return shownObjects(ast)
      case "Arrays":
        return shownArrays(ast)
      case "Suspend":
        return "<suspended schema>"
      case "Enum":
        return ast.enums.map(([, value]) => JSON.stringify(value)).join(" | ")
      default:
        return ast._tag.toLowerCase()
    }
  })

const shownObjects = ({ indexSignatures, propertySignatures }: AST.Objects): string => {
  const fields = [
    ...propertySignatures.map(({ name, type }) =>
      `readonly ${String(name)}${AST.isOptional(type) ? "?" : ""}: ${show(type)}`
    ),
    ...indexSignatures.map(({ parameter, type }) => `readonly [x: ${show(parameter)}]: ${show(type)}`)
  ]
  return fields.length === 0 ? "{}" : `{ ${fields.join("; ")} }`
}

const shownArrays = ({ elements, rest: [item, ...after] }: AST.Arrays): string => {
  if (elements.length === 0 && item !== undefined && after.length === 0) return `ReadonlyArray<${show(item)}>`
  const members = [
    ...elements.map((each) => `${show(each)}${AST.isOptional(each) ? "?" : ""}`),
    ...item === undefined ? [] : [`...${show(item)}[]`],
    ...after.map(show)
  ]
  return `readonly [${members.join(", ")}]`
}

/** The field by which a union tells its members apart, and its values. */
const discriminator = ({ types }: AST.Union): { readonly name: PropertyKey; readonly expected: string } | undefined => {
  const [first] = types.map((member) => AST.toEncoded(member))
  const signatures = first !== undefined && AST.isObjects(first) ? first.propertySignatures : []
  for (const { name } of signatures) {
    const values = types.map((member) => {
      const encoded = AST.toEncoded(member)
      const type = AST.isObjects(encoded)
        ? encoded.propertySignatures.find((signature) => signature.name === name)?.type
        : undefined
      return type !== undefined && AST.isLiteral(type) ? show(type) : undefined
    })
    if (values.every((value) => value !== undefined)) return { name, expected: [...new Set(values)].join(" | ") }
  }
  return undefined
}

const missing = "a value: it is missing"

const collect = (issue: EffectSchemaIssue.Issue, path: Path): ReadonlyArray<Located> => {
  const at = (expected: string): ReadonlyArray<Located> => [{ path, expected }]
  switch (issue._tag) {
    case "Pointer":
      return collect(issue.issue, [...path, ...issue.path])
    case "Composite":
      return AST.isArrays(issue.ast) &&
          issue.issues.every((inner) => inner._tag === "Pointer" && inner.issue._tag === "MissingKey")
        ? at(show(issue.ast))
        : issue.issues.flatMap((inner) => collect(inner, path))
    case "AnyOf": {
      const tag = issue.issues.length === 0 && isRecord(issue.input) ? discriminator(issue.ast) : undefined
      if (tag !== undefined) {
        const isThere = isRecord(issue.input) && tag.name in issue.input
        return [{ path: [...path, tag.name], expected: isThere ? tag.expected : missing }]
      }
      // Of a union, the members that fit in part explain best; best of all those that know every field.
      const inner = issue.issues.flatMap((inner) => collect(inner, path))
      const deeper = inner.filter((located) => located.path.length > path.length)
      const known = deeper.filter((located) => located.expected !== noSuchField)
      return known.length > 0 ? known : deeper.length > 0 ? deeper : at(show(issue.ast))
    }
    case "Filter": {
      const inner = issue.issue
      // The filter itself: its message, or else its name.
      return inner._tag === "InvalidValue" && inner.annotations?.message === undefined
        ? at(expectedBy(issue.filter.annotations) ?? inner.annotations?.expected ?? "another value")
        : collect(inner, path)
    }
    case "Encoding": {
      const inner = collect(issue.issue, path)
      // If the whole value is of another type, the name of the whole says more than that of the encoded side.
      return inner.some((located) => located.path.length > path.length)
        ? inner
        : Option.match(nameOf(issue.ast), { onNone: () => inner, onSome: at })
    }
    case "MissingKey":
      return at(missing)
    case "UnexpectedKey":
      return at(noSuchField)
    case "Forbidden":
      return at(expectedBy(issue.annotations) ?? "a synchronous schema")
    case "InvalidType":
      return at(show(issue.ast))
    case "OneOf":
      return at(show(issue.ast))
    case "InvalidValue":
      return at(expectedBy(issue.annotations) ?? "another value")
  }
}

const fromParseIssue = (issue: EffectSchemaIssue.Issue): SchemaIssues => {
  const all = collect(issue, [])
  return {
    issues: all.slice(0, maxIssues).map(({ expected, path }) => ({
      path: showPath(path),
      expected: shortened(expected, maxExpected)
    })),
    omitted: Math.max(0, all.length - maxIssues)
  }
}

export const decodeUnknown = <A, I, R>(
  schema: Schema.Codec<A, I, R, unknown>,
  options?: Options
): (value: unknown) => Effect.Effect<A, SchemaIssues, R> => {
  const decode = SchemaParser.decodeUnknownEffect(schema, { ...options, reportInput: true })
  return (value) => Effect.mapError(decode(value), fromParseIssue)
}

export const decodeUnknownEither = <A, I>(
  schema: Schema.Codec<A, I>,
  options?: Options
): (value: unknown) => Result.Result<A, SchemaIssues> => {
  const given = { ...options, reportInput: true }
  const decode = SchemaParser.decodeUnknownResult(schema, given)
  return (value) => {
    try {
      return Result.mapError(decode(value), fromParseIssue)
    } catch (thrown) {
      // It throws where the schema decodes asynchronously, and where it dies.
      const exit = Effect.runSyncExit(SchemaParser.decodeUnknownEffect(schema, given)(value))
      if (Exit.isFailure(exit) && Cause.isAsyncFiberError(Cause.squash(exit.cause))) {
        return Result.fail({ issues: [{ path: "", expected: "a synchronous schema" }], omitted: 0 })
      }
      throw thrown
    }
  }
}
