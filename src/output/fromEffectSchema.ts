import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import * as Json from "../wire/json.js"
import { constrain, describe, inWords } from "./dialect.js"
import * as ForeignJsonSchema from "./foreignJsonSchema.js"
import * as FromJsonSchema from "./fromJsonSchema.js"
import {
  type JsonCodec,
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
  tuple,
  whole
} from "./jsonCodec.js"
import { cleanName, Inexpressible, past, refer, type Traversal, within } from "./traversal.js"

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

/** The author's title. Effect's own schemas have titles such as `string` and `greaterThan(0)` that add nothing. */
const titleOf = (annotated: AST.Annotated): string | undefined =>
  Option.isSome(AST.getSchemaIdAnnotation(annotated))
    ? undefined
    : AST.getTitleAnnotation(annotated).pipe(
      Option.filter((title) => !keywordTitles.includes(title)),
      Option.getOrUndefined
    )

/** Examples are values of the schema's type; the model has to see the JSON for them. */
const examplesOf = (annotated: AST.Annotated, ast: AST.AST, codec: JsonCodec): ReadonlyArray<unknown> => {
  const examples = AST.getExamplesAnnotation(annotated)
  if (Option.isNone(examples)) return []
  const encode = Schema.encodeUnknownEither(Schema.make(ast))
  return examples.value.flatMap((example) =>
    Either.match(encode(example), { onLeft: () => [], onRight: (encoded) => [codec.write(encoded)] })
  )
}

const annotate = (codec: JsonCodec, annotated: AST.Annotated, ast: AST.AST, { dialect }: Traversal): JsonCodec => {
  const title = titleOf(annotated)
  const examples = examplesOf(annotated, ast, codec)
  const inWords = dialect.examples || examples.length === 0
    ? []
    : [`Examples: ${examples.map((example) => JSON.stringify(example)).join(", ")}`]
  const described = describe(codec.json, [...texts(annotated), ...inWords])
  const json = {
    ...described,
    ...(title !== undefined && !("$ref" in described) && { title }),
    ...(dialect.examples && examples.length > 0 && { examples })
  }
  return { ...codec, json }
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
const encodedBy = (ast: AST.AST): Member["is"] => Schema.is(Schema.make(AST.encodedAST(ast)))

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

const union = (ast: AST.Union, path: string, traversal: Traversal): JsonCodec => {
  const value = optionValue(ast)
  if (value !== undefined && !traversal.nullIsTaken) {
    const codec = codecOf(value, path, { ...past(traversal), nullIsTaken: true })
    // `Some(null)` and `None` have to stay different values.
    if (!codec.fits(null)) return option(codec)
  }
  const inner = ast.types.some(isNullish) ? { ...past(traversal), nullIsTaken: true } : traversal
  const fixed = ast.types.filter(isLiteral).flatMap((member) => literalsOf(member, path))
  const members = ast.types.filter((member) => !isLiteral(member)).map((member): Member => ({
    codec: codecOf(member, path, inner),
    is: encodedBy(member)
  }))
  return oneOf([...literals(fixed, traversal.dialect).map((codec): Member => ({ codec, is: codec.fits })), ...members])
}

// ---------------------------------------------------------------------------------------------------------------------
// Objects
// ---------------------------------------------------------------------------------------------------------------------

const propertyOf = (signature: AST.PropertySignature, path: string, traversal: Traversal): Property => {
  // An optional field may also hold `undefined`, which JSON cannot express.
  const present = AST.isUnion(signature.type) && signature.type.types.some(AST.isUndefinedKeyword)
    ? AST.Union.make(signature.type.types.filter((member) => !AST.isUndefinedKeyword(member)))
    : signature.type
  const optional = signature.isOptional || present !== signature.type
  const codec = codecOf(present, path, { ...optional ? past(traversal) : traversal, nullIsTaken: optional })
  const own = present === signature.type ? codec : annotate(codec, signature.type, present, traversal)
  return { codec: annotate(own, signature, present, traversal), optional }
}

const struct = (ast: AST.TypeLiteral, path: string, traversal: Traversal): JsonCodec => {
  const properties = new Map(ast.propertySignatures.map((signature) => {
    if (typeof signature.name === "symbol") throw new Inexpressible(path, "a property that is named by a symbol")
    const name = String(signature.name)
    return [name, propertyOf(signature, within(path, name), traversal)] as const
  }))
  const [dictionary, ...more] = ast.indexSignatures
  if (dictionary === undefined) return objectOf(properties, undefined, traversal.dialect)
  if (AST.isSymbolKeyword(AST.encodedAST(dictionary.parameter))) {
    throw new Inexpressible(path, "properties that are named by symbols")
  }
  if (more.length > 0) throw new Inexpressible(path, "more than one kind of further properties")
  const others = codecOf(dictionary.type, within(path, "*"), { ...past(traversal), nullIsTaken: false })
  if (!traversal.dialect.closed) return objectOf(properties, others, traversal.dialect)
  if (properties.size > 0) throw new Inexpressible(path, "named properties beside further ones")
  return pairs(codecOf(dictionary.parameter, path, traversal), others, traversal.dialect)
}

// ---------------------------------------------------------------------------------------------------------------------
// Arrays
// ---------------------------------------------------------------------------------------------------------------------

const array = (ast: AST.TupleType, path: string, around: Traversal): JsonCodec => {
  const traversal = { ...around, nullIsTaken: ast.elements.some(({ isOptional }) => isOptional) }
  const [item, ...after] = ast.rest
  if (after.length > 0) throw new Inexpressible(path, "elements after those of any number")
  const inRest = ast.elements.length === 0 ? past(traversal) : traversal
  const rest = item === undefined ? undefined : codecOf(item.type, `${path}[]`, inRest)
  if (rest !== undefined && ast.elements.every(({ isOptional, type }) => !isOptional && type === item?.type)) {
    const least = ast.elements.length
    return least === 0 ? listOf(rest) : constrained(listOf(rest), { minItems: least }, traversal)
  }
  const elements = ast.elements.map(({ isOptional, type }, i): Property => ({
    codec: codecOf(type, `${path}[${i}]`, traversal),
    optional: isOptional
  }))
  const direct = [...elements.map(({ codec }) => codec), ...rest === undefined ? [] : [rest]].every((s) => s.direct)
  return traversal.dialect.closed ? places(elements, rest, traversal.dialect) : tuple(elements, rest, direct)
}

// ---------------------------------------------------------------------------------------------------------------------
// Refinements, transformations, references
// ---------------------------------------------------------------------------------------------------------------------

const constrained = (codec: JsonCodec, constraints: Json.JsonObject, { dialect }: Traversal): JsonCodec => ({
  ...codec,
  json: constrain(codec.json, constraints, dialect)
})

const refined = (ast: AST.Refinement, path: string, traversal: Traversal): JsonCodec => {
  const codec = codecOf(ast.from, path, traversal)
  const constraints = Json.object(Option.getOrUndefined(AST.getJSONSchemaAnnotation(ast)))
  // A constraint on the decoded value does not apply to other JSON: "at least 1" may mean a string of digits.
  if (codec.direct) return constrained(codec, constraints, traversal)
  return { ...codec, json: describe(codec.json, inWords(constraints)) }
}

const dates: ReadonlyArray<string> = ["DateFromSelf", "DateTimeUtcFromSelf"]

const transformed = (ast: AST.Transformation, path: string, traversal: Traversal): JsonCodec => {
  const from = codecOf(ast.from, path, traversal)
  // A class has its annotations on the type side.
  const codec = AST.isDeclaration(ast.to) && from.json.type === "object" ? annotate(from, ast.to, ast, traversal) : from
  const to = Option.getOrUndefined(AST.getIdentifierAnnotation(ast.to))
  const dated = to !== undefined && dates.includes(to) && codec.json.type === "string"
    ? constrained(codec, { format: "date-time" }, traversal)
    : codec
  return { ...dated, direct: false }
}

const suspended = (ast: AST.Suspend, path: string, traversal: Traversal): JsonCodec => {
  const target = ast.f()
  // The definition has to be the same for every reference.
  const build = () => codecOf(target, path, { ...traversal, nullIsTaken: true })
  return refer(target, { name: nameOf(target), path, build }, traversal)
}

/** The author's name for a schema, in the characters that every provider accepts. */
export const nameOf = (ast: AST.AST): string | undefined =>
  AST.getIdentifierAnnotation(ast).pipe(
    Option.orElse(() => AST.isTransformation(ast) ? AST.getIdentifierAnnotation(ast.to) : Option.none()),
    Option.flatMapNullable(cleanName),
    Option.getOrUndefined
  )

// ---------------------------------------------------------------------------------------------------------------------
// The traversal
// ---------------------------------------------------------------------------------------------------------------------

const unannotated = (ast: AST.AST, path: string, traversal: Traversal): JsonCodec => {
  switch (ast._tag) {
    case "StringKeyword":
      return leaf({ type: "string" }, (json) => typeof json === "string")
    case "TemplateLiteral":
      return constrained(
        whole(leaf({ type: "string" }, (json) => typeof json === "string")),
        { pattern: AST.getTemplateLiteralRegExp(ast).source },
        traversal
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
      return oneOf(literals(values, traversal.dialect).map((codec) => ({ codec, is: codec.fits })))
    }
    case "UnknownKeyword":
    case "AnyKeyword":
    case "ObjectKeyword":
      if (!traversal.dialect.open) throw new Inexpressible(path, "a value of any type")
      return ast._tag === "ObjectKeyword"
        ? leaf({ type: ["object", "array"] }, (json) => typeof json === "object" && json !== null)
        : leaf({}, () => true)
    case "TypeLiteral":
      return struct(ast, path, traversal)
    case "TupleType":
      return array(ast, path, traversal)
    case "Union":
      return union(ast, path, traversal)
    case "Refinement":
      return refined(ast, path, traversal)
    case "Transformation":
      return transformed(ast, path, traversal)
    case "Suspend":
      return suspended(ast, path, traversal)
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

/** The schema that can be a root: a reference cannot, but its target can. */
export const rootOf = (ast: AST.AST): AST.AST => AST.isSuspend(ast) ? ast.f() : ast

/** Makes the codec of a schema. Throws `Inexpressible`. */
export const codecOf = (ast: AST.AST, path: string, traversal: Traversal): JsonCodec => {
  if (isOld(ast)) throw new Inexpressible(path, "a schema of @effect/schema")
  if (keywords.some((keyword) => keyword === ast)) return unannotated(ast, path, traversal)
  const foreign = ForeignJsonSchema.find(ast, path)
  const given = AST.isRefinement(ast) ? Option.none() : AST.getJSONSchemaAnnotation(ast)
  const codec = foreign !== undefined
    ? { ...FromJsonSchema.make(foreign, path, traversal), direct: false }
    // The author's own JSON Schema wins, translated to the dialect.
    : Option.isSome(given)
    ? { ...FromJsonSchema.make(given.value, path, traversal), direct: !AST.isTransformation(ast) }
    : unannotated(ast, path, traversal)
  // The annotations of an `Option`'s encoded form are Effect's, not the author's.
  return AST.isUnion(ast) && optionValue(ast) !== undefined ? codec : annotate(codec, ast, ast, traversal)
}
