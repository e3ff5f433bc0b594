import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import * as Json from "../wire/json.js"
import { constrain, describe, inWords } from "./dialect.js"
import * as ForeignJsonSchema from "./foreignJsonSchema.js"
import * as FromJsonSchema from "./fromJsonSchema.js"
import {
  leaf,
  listOf,
  literals,
  type Member,
  nothing,
  objectOf,
  oneOf,
  option,
  pairs,
  places,
  type Property,
  type Shape,
  tuple,
  whole
} from "./jsonCodec.js"
import { cleanName, Inexpressible, past, refer, type Walk, within } from "./traversal.js"

// ---------------------------------------------------------------------------------------------------------------------
// Annotations
// ---------------------------------------------------------------------------------------------------------------------

const texts = (...annotated: ReadonlyArray<AST.Annotated>): ReadonlyArray<string> =>
  annotated.flatMap((each) => Option.toArray(AST.getDescriptionAnnotation(each)))

const keywords: ReadonlyArray<AST.AST> = [
  AST.stringKeyword,
  AST.numberKeyword,
  AST.booleanKeyword,
  AST.unknownKeyword,
  AST.anyKeyword,
  AST.objectKeyword
]

const keywordTitles: ReadonlyArray<string> = keywords.flatMap((ast) => Option.toArray(AST.getTitleAnnotation(ast)))

/** Effect's own schemas have titles such as `string` and `greaterThan(0)` that say nothing new. */
const titleOf = (annotated: AST.Annotated): string | undefined =>
  Option.isSome(AST.getSchemaIdAnnotation(annotated))
    ? undefined
    : AST.getTitleAnnotation(annotated).pipe(
      Option.filter((title) => !keywordTitles.includes(title)),
      Option.getOrUndefined
    )

/** Examples are values of the schema's type: the model is to see what it would have to write. */
const examplesOf = (annotated: AST.Annotated, ast: AST.AST, shape: Shape): ReadonlyArray<unknown> => {
  const examples = AST.getExamplesAnnotation(annotated)
  if (Option.isNone(examples)) return []
  const encode = ParseResult.encodeUnknownEither(Schema.make(ast))
  return examples.value.flatMap((example) =>
    Either.match(encode(example), { onLeft: () => [], onRight: (encoded) => [shape.write(encoded)] })
  )
}

const annotate = (shape: Shape, annotated: AST.Annotated, ast: AST.AST, { dialect }: Walk): Shape => {
  const title = titleOf(annotated)
  const examples = examplesOf(annotated, ast, shape)
  const inWords = dialect.examples || examples.length === 0
    ? []
    : [`Examples: ${examples.map((example) => JSON.stringify(example)).join(", ")}`]
  const described = describe(shape.json, [...texts(annotated), ...inWords])
  const json = {
    ...described,
    ...(title !== undefined && !("$ref" in described) && { title }),
    ...(dialect.examples && examples.length > 0 && { examples })
  }
  return { ...shape, json }
}

// ---------------------------------------------------------------------------------------------------------------------
// Leaves
// ---------------------------------------------------------------------------------------------------------------------

const isLiteral = (ast: AST.AST): ast is AST.Literal | AST.Enums => AST.isLiteral(ast) || AST.isEnums(ast)

const literalsOf = (ast: AST.Literal | AST.Enums, path: string): ReadonlyArray<string | number | boolean | null> => {
  const values = AST.isEnums(ast) ? ast.enums.map(([, value]) => value) : [ast.literal]
  return values.map((value) => {
    if (typeof value === "bigint") throw new Inexpressible(path, "a bigint")
    return value
  })
}

// ---------------------------------------------------------------------------------------------------------------------
// Unions
// ---------------------------------------------------------------------------------------------------------------------

/** A schema's encoded side as a predicate. */
const encodedBy = (ast: AST.AST): Member["is"] => ParseResult.is(Schema.make(AST.encodedAST(ast)))

/** The value of an `Option` in the form in which `Schema.Option` encodes it. */
const optionValue = ({ types: [none, some] }: AST.Union): AST.AST | undefined => {
  const tagOf = (ast: AST.AST | undefined, size: number): unknown => {
    if (ast === undefined || !AST.isTypeLiteral(ast) || ast.propertySignatures.length !== size) return undefined
    const tag = ast.propertySignatures.find((property) => property.name === "_tag")?.type
    return tag !== undefined && AST.isLiteral(tag) ? tag.literal : undefined
  }
  return tagOf(none, 1) === "None" && tagOf(some, 2) === "Some" && some !== undefined && AST.isTypeLiteral(some)
    ? some.propertySignatures.find((property) => property.name === "value")?.type
    : undefined
}

const isNullish = (ast: AST.AST): boolean => AST.isUndefinedKeyword(ast) || (AST.isLiteral(ast) && ast.literal === null)

const union = (ast: AST.Union, path: string, walk: Walk): Shape => {
  const value = optionValue(ast)
  if (value !== undefined && !walk.nullIsTaken) {
    const shape = shapeOf(value, path, { ...past(walk), nullIsTaken: true })
    // `Some(null)` has to stay another value than `None`.
    if (!shape.fits(null)) return option(shape)
  }
  const inner = ast.types.some(isNullish) ? { ...past(walk), nullIsTaken: true } : walk
  const fixed = ast.types.filter(isLiteral).flatMap((member) => literalsOf(member, path))
  const members = ast.types.filter((member) => !isLiteral(member)).map((member): Member => ({
    shape: shapeOf(member, path, inner),
    is: encodedBy(member)
  }))
  return oneOf([...literals(fixed, walk.dialect).map((shape): Member => ({ shape, is: shape.fits })), ...members])
}

// ---------------------------------------------------------------------------------------------------------------------
// Objects
// ---------------------------------------------------------------------------------------------------------------------

const propertyOf = (signature: AST.PropertySignature, path: string, walk: Walk): Property => {
  // Who may leave a field out may also write `undefined` there, but JSON has no word for that.
  const present = AST.isUnion(signature.type) && signature.type.types.some(AST.isUndefinedKeyword)
    ? AST.Union.make(signature.type.types.filter((member) => !AST.isUndefinedKeyword(member)))
    : signature.type
  const optional = signature.isOptional || present !== signature.type
  const shape = shapeOf(present, path, { ...optional ? past(walk) : walk, nullIsTaken: optional })
  const own = present === signature.type ? shape : annotate(shape, signature.type, present, walk)
  return { shape: annotate(own, signature, present, walk), optional }
}

const struct = (ast: AST.TypeLiteral, path: string, walk: Walk): Shape => {
  const properties = new Map(ast.propertySignatures.map((signature) => {
    if (typeof signature.name === "symbol") throw new Inexpressible(path, "a property that is named by a symbol")
    const name = String(signature.name)
    return [name, propertyOf(signature, within(path, name), walk)] as const
  }))
  const [dictionary, ...more] = ast.indexSignatures
  if (dictionary === undefined) return objectOf(properties, undefined, walk.dialect)
  if (AST.isSymbolKeyword(AST.encodedAST(dictionary.parameter))) {
    throw new Inexpressible(path, "properties that are named by symbols")
  }
  if (more.length > 0) throw new Inexpressible(path, "more than one kind of further properties")
  const others = shapeOf(dictionary.type, within(path, "*"), { ...past(walk), nullIsTaken: false })
  if (!walk.dialect.closed) return objectOf(properties, others, walk.dialect)
  if (properties.size > 0) throw new Inexpressible(path, "named properties beside further ones")
  return pairs(shapeOf(dictionary.parameter, path, walk), others, walk.dialect)
}

// ---------------------------------------------------------------------------------------------------------------------
// Arrays
// ---------------------------------------------------------------------------------------------------------------------

const array = (ast: AST.TupleType, path: string, around: Walk): Shape => {
  const walk = { ...around, nullIsTaken: ast.elements.some(({ isOptional }) => isOptional) }
  const [item, ...after] = ast.rest
  if (after.length > 0) throw new Inexpressible(path, "elements after those of any number")
  const inRest = ast.elements.length === 0 ? past(walk) : walk
  const rest = item === undefined ? undefined : shapeOf(item.type, `${path}[]`, inRest)
  if (rest !== undefined && ast.elements.every(({ isOptional, type }) => !isOptional && type === item?.type)) {
    const least = ast.elements.length
    return least === 0 ? listOf(rest) : constrained(listOf(rest), { minItems: least }, walk)
  }
  const elements = ast.elements.map(({ isOptional, type }, i): Property => ({
    shape: shapeOf(type, `${path}[${i}]`, walk),
    optional: isOptional
  }))
  const direct = [...elements.map(({ shape }) => shape), ...rest === undefined ? [] : [rest]].every((s) => s.direct)
  return walk.dialect.closed ? places(elements, rest, walk.dialect) : tuple(elements, rest, direct)
}

// ---------------------------------------------------------------------------------------------------------------------
// What is around others
// ---------------------------------------------------------------------------------------------------------------------

const constrained = (shape: Shape, constraints: Json.JsonObject, { dialect }: Walk): Shape => ({
  ...shape,
  json: constrain(shape.json, constraints, dialect)
})

const refined = (ast: AST.Refinement, path: string, walk: Walk): Shape => {
  const shape = shapeOf(ast.from, path, walk)
  const constraints = Json.object(Option.getOrUndefined(AST.getJSONSchemaAnnotation(ast)))
  // What is decoded differently is bounded differently: at least 1 may mean a string of digits.
  if (shape.direct) return constrained(shape, constraints, walk)
  return { ...shape, json: describe(shape.json, inWords(constraints)) }
}

const dates: ReadonlyArray<string> = ["DateFromSelf", "DateTimeUtcFromSelf"]

const transformed = (ast: AST.Transformation, path: string, walk: Walk): Shape => {
  const from = shapeOf(ast.from, path, walk)
  // A class is annotated on the side of its type.
  const shape = AST.isDeclaration(ast.to) && from.json.type === "object" ? annotate(from, ast.to, ast, walk) : from
  const to = Option.getOrUndefined(AST.getIdentifierAnnotation(ast.to))
  const dated = to !== undefined && dates.includes(to) && shape.json.type === "string"
    ? constrained(shape, { format: "date-time" }, walk)
    : shape
  return { ...dated, direct: false }
}

const suspended = (ast: AST.Suspend, path: string, walk: Walk): Shape => {
  const target = ast.f()
  // It is one and the same wherever it is referred to.
  const build = () => shapeOf(target, path, { ...walk, nullIsTaken: true })
  return refer(target, { name: nameOf(target), path, build }, walk)
}

/** The name that the schema's author gave it, in the letters that all providers take. */
export const nameOf = (ast: AST.AST): string | undefined =>
  AST.getIdentifierAnnotation(ast).pipe(
    Option.orElse(() => AST.isTransformation(ast) ? AST.getIdentifierAnnotation(ast.to) : Option.none()),
    Option.flatMapNullable(cleanName),
    Option.getOrUndefined
  )

// ---------------------------------------------------------------------------------------------------------------------
// The walk
// ---------------------------------------------------------------------------------------------------------------------

const unannotated = (ast: AST.AST, path: string, walk: Walk): Shape => {
  switch (ast._tag) {
    case "StringKeyword":
      return leaf({ type: "string" }, (json) => typeof json === "string")
    case "TemplateLiteral":
      return constrained(
        whole(leaf({ type: "string" }, (json) => typeof json === "string")),
        { pattern: AST.getTemplateLiteralRegExp(ast).source },
        walk
      )
    case "NumberKeyword":
      return leaf({ type: "number" }, (json) => typeof json === "number")
    case "BooleanKeyword":
      return leaf({ type: "boolean" }, (json) => typeof json === "boolean")
    case "UndefinedKeyword":
    case "VoidKeyword":
      return { ...nothing, read: (json) => json === null ? undefined : json, write: () => null }
    case "Literal":
    case "Enums": {
      const values = literalsOf(ast, path)
      if (values.length === 0) throw new Inexpressible(path, "an enum without values")
      return oneOf(literals(values, walk.dialect).map((shape) => ({ shape, is: shape.fits })))
    }
    case "UnknownKeyword":
    case "AnyKeyword":
    case "ObjectKeyword":
      if (!walk.dialect.open) throw new Inexpressible(path, "a value of any type")
      return ast._tag === "ObjectKeyword"
        ? leaf({ type: ["object", "array"] }, (json) => typeof json === "object" && json !== null)
        : leaf({}, () => true)
    case "TypeLiteral":
      return struct(ast, path, walk)
    case "TupleType":
      return array(ast, path, walk)
    case "Union":
      return union(ast, path, walk)
    case "Refinement":
      return refined(ast, path, walk)
    case "Transformation":
      return transformed(ast, path, walk)
    case "Suspend":
      return suspended(ast, path, walk)
    case "Declaration":
    case "BigIntKeyword":
    case "SymbolKeyword":
    case "UniqueSymbol":
    case "NeverKeyword":
      throw new Inexpressible(path, `${String(ast)}, which has no JSON`)
  }
}

const isOld = (ast: AST.AST): boolean =>
  Object.getOwnPropertySymbols(ast.annotations).some((symbol) => symbol.description?.startsWith("@effect/schema/"))

/** The shape of a schema's values. Throws `Inexpressible`. */
export const shapeOf = (ast: AST.AST, path: string, walk: Walk): Shape => {
  if (isOld(ast)) throw new Inexpressible(path, "a schema of @effect/schema")
  if (keywords.some((keyword) => keyword === ast)) return unannotated(ast, path, walk)
  const foreign = ForeignJsonSchema.find(ast, path)
  const given = AST.isRefinement(ast) ? Option.none() : AST.getJSONSchemaAnnotation(ast)
  const shape = foreign !== undefined
    ? { ...FromJsonSchema.make(foreign, path, walk), direct: false }
    // What its author says about it goes, in the words of the dialect.
    : Option.isSome(given)
    ? { ...FromJsonSchema.make(given.value, path, walk), direct: !AST.isTransformation(ast) }
    : unannotated(ast, path, walk)
  // How an `Option` is encoded is not the author's word.
  return AST.isUnion(ast) && optionValue(ast) !== undefined ? shape : annotate(shape, ast, ast, walk)
}
