// In place of declarations: an AST of Effect 4 has its checks and its encoding at its nodes, and other kinds of them.

/** The annotations of a node or of a check itself, if it has some. */
const ownAnnotations = ({ annotations }: { readonly annotations?: Annotations | undefined }) =>
  annotations === undefined ? [] : [annotations]

/** The annotations of a node: its own, and then those of its checks. */
const annotationsOf = (ast: AST.AST): ReadonlyArray<Annotations> =>
  [ast.annotations, ...ast.checks?.map((check): Annotations | undefined => check.annotations) ?? []]
    .filter((annotations) => annotations !== undefined)

type Annotations = Schema.Annotations.Annotations

const texts = (...annotated: ReadonlyArray<Annotations>): ReadonlyArray<string> =>
  annotated.flatMap(({ description }) => typeof description === "string" ? [description] : [])

const keywords: ReadonlyArray<AST.AST> = [AST.string, AST.number, AST.boolean, AST.unknown, AST.any, AST.objectKeyword]

/** No schema of Effect 4 has a title of its own. */
const keywordTitles: ReadonlyArray<string> = []

/** The author's title. */
const titleOf = (annotated: ReadonlyArray<Annotations>): string | undefined =>
  annotated.flatMap(({ title }) => typeof title === "string" ? [title] : []).at(-1)

/** Examples are values of the schema's type; the model has to see the JSON for them. */
const examplesOf = (annotated: ReadonlyArray<Annotations>, ast: AST.AST, codec: JsonCodec): ReadonlyArray<unknown> => {
  const examples = annotated.flatMap(({ examples }) => Array.isArray(examples) ? [examples] : []).at(-1)
  if (examples === undefined) return []
  const encode = Schema.encodeUnknownResult(Schema.make<Schema.Codec<unknown, unknown>>(ast))
  return examples.flatMap((example) =>
    Result.match(encode(example), { onFailure: () => [], onSuccess: (encoded) => [codec.write(encoded)] })
  )
}

const annotate = (
  codec: JsonCodec,
  annotated: ReadonlyArray<Annotations>,
  ast: AST.AST,
  { dialect }: Traversal
): JsonCodec => {
  const title = titleOf(annotated)
  const examples = examplesOf(annotated, ast, codec)
  const inWords = dialect.examples || examples.length === 0
    ? []
    : [`Examples: ${examples.map((example) => JSON.stringify(example)).join(", ")}`]
  const described = describe(codec.json, [...texts(...annotated), ...inWords])
  const json = {
    ...described,
    ...(title !== undefined && !("$ref" in described) && { title }),
    ...(dialect.examples && examples.length > 0 && { examples })
  }
  return { ...codec, json }
}

/** What a schema is encoded to. */
const encodingOf = (ast: AST.AST): AST.AST | undefined => ast.encoding?.[ast.encoding.length - 1]?.to

/** The side of a schema that is on the wire, whose fields and elements may be encoded in turn. */
const wireOf = (ast: AST.AST): AST.AST => {
  const encoded = encodingOf(ast)
  return encoded === undefined ? ast : wireOf(encoded)
}

const isOptional = (ast: AST.AST): boolean => AST.isOptional(wireOf(ast))

const isLiteral = (ast: AST.AST): ast is AST.Literal | AST.Enum | AST.Null =>
  ast.encoding === undefined && (AST.isLiteral(ast) || AST.isEnum(ast) || AST.isNull(ast))

const literalsOf = (
  ast: AST.Literal | AST.Enum | AST.Null,
  path: string
): ReadonlyArray<string | number | boolean | null> => {
  const values = AST.isNull(ast) ? [null] : AST.isEnum(ast) ? ast.enums.map(([, value]) => value) : [ast.literal]
  return values.map((value) => {
    if (typeof value === "bigint") throw new Inexpressible(path, "a bigint")
    return value
  })
}

const encodedBy = (ast: AST.AST): Member["is"] => Schema.is(Schema.make(AST.toEncoded(ast)))

/** The value of an `Option` in the form in which JSON has it. */
const optionValue = ({ types: [some, none] }: AST.Union): AST.AST | undefined => {
  const tagOf = (ast: AST.AST | undefined, size: number): unknown => {
    if (ast === undefined || !AST.isObjects(ast) || ast.propertySignatures.length !== size) return undefined
    const tag = ast.propertySignatures.find((property) => property.name === "_tag")?.type
    return tag !== undefined && AST.isLiteral(tag) ? tag.literal : undefined
  }
  return tagOf(none, 1) === "None" && tagOf(some, 2) === "Some" && some !== undefined && AST.isObjects(some)
    ? some.propertySignatures.find((property) => property.name === "value")?.type
    : undefined
}

const isNullish = (ast: AST.AST): boolean => AST.isUndefined(ast) || AST.isNull(ast)

const union = (ast: AST.Union, path: string, traversal: Traversal): JsonCodec => {
  const value = optionValue(ast)
  if (value !== undefined && !traversal.nullIsTaken) {
    const codec = codecOf(value, path, { ...past(traversal), nullIsTaken: true })
    // `Some(null)` has to stay another value than `None`.
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

/** A union without `undefined`, which JSON cannot express. */
const defined = (ast: AST.AST): AST.AST => {
  if (!AST.isUnion(ast) || ast.encoding !== undefined || !ast.types.some(AST.isUndefined)) return ast
  const members = ast.types.filter((member) => !AST.isUndefined(member))
  const [only] = members
  return members.length === 1 && only !== undefined
    ? only
    : Schema.Union(members.map((member) => Schema.make<Schema.Top>(member))).ast
}

const propertyOf = (signature: AST.PropertySignature, path: string, traversal: Traversal): Property => {
  // An optional field may also hold `undefined`, which JSON cannot express.
  const present = defined(signature.type)
  const optional = isOptional(signature.type) || present !== signature.type
  const codec = codecOf(present, path, { ...optional ? past(traversal) : traversal, nullIsTaken: optional })
  const own = present === signature.type
    ? codec
    : annotate(codec, annotationsOf(signature.type), present, traversal)
  const key = signature.type.context?.annotations
  return { codec: annotate(own, key === undefined ? [] : [key], present, traversal), optional }
}

const struct = (ast: AST.Objects, path: string, traversal: Traversal): JsonCodec => {
  const properties = new Map(ast.propertySignatures.map((signature) => {
    if (typeof signature.name === "symbol") throw new Inexpressible(path, "a property that is named by a symbol")
    const name = String(signature.name)
    return [name, propertyOf(signature, within(path, name), traversal)] as const
  }))
  const [dictionary, ...more] = ast.indexSignatures
  if (dictionary === undefined) return objectOf(properties, undefined, traversal.dialect)
  if (AST.isSymbol(AST.toEncoded(dictionary.parameter))) {
    throw new Inexpressible(path, "properties that are named by symbols")
  }
  if (more.length > 0) throw new Inexpressible(path, "more than one kind of further properties")
  const others = codecOf(dictionary.type, within(path, "*"), { ...past(traversal), nullIsTaken: false })
  if (!traversal.dialect.closed) return objectOf(properties, others, traversal.dialect)
  if (properties.size > 0) throw new Inexpressible(path, "named properties beside further ones")
  return pairs(codecOf(dictionary.parameter, path, traversal), others, traversal.dialect)
}

const array = (ast: AST.Arrays, path: string, around: Traversal): JsonCodec => {
  const traversal = { ...around, nullIsTaken: ast.elements.some(isOptional) }
  const [item, ...after] = ast.rest
  if (after.length > 0) throw new Inexpressible(path, "elements after those of any number")
  const inRest = ast.elements.length === 0 ? past(traversal) : traversal
  const rest = item === undefined ? undefined : codecOf(item, `${path}[]`, inRest)
  if (rest !== undefined && ast.elements.every((type) => !isOptional(type) && type === item)) {
    const least = ast.elements.length
    return least === 0 ? listOf(rest) : constrained(listOf(rest), { minItems: least }, traversal)
  }
  const elements = ast.elements.map((type, i): Property => ({
    codec: codecOf(defined(type), `${path}[${i}]`, traversal),
    optional: isOptional(type)
  }))
  const direct = [...elements.map(({ codec }) => codec), ...rest === undefined ? [] : [rest]].every((s) => s.direct)
  return traversal.dialect.closed ? places(elements, rest, traversal.dialect) : tuple(elements, rest, direct)
}

const lengths: { readonly [id: string]: { readonly [type: string]: string } } = {
  "effect/schema/isMinLength": { string: "minLength", array: "minItems" },
  "effect/schema/isMaxLength": { string: "maxLength", array: "maxItems" }
}

const jsonTypes = ["string", "number", "integer", "boolean", "array", "object", "null"] as const

/** What a check says of the JSON for a value. A length is that of the author, not the one that code points may have. */
const constraintsOf = (check: AST.Check<unknown>, type: Json.JsonObject["type"]): Json.JsonObject => {
  if (check._tag === "FilterGroup") {
    return Object.assign({}, ...check.checks.map((inner) => constraintsOf(inner, type)))
  }
  const { representation, toJsonSchema } = check.annotations ?? {}
  const { id, payload } = Json.object(representation)
  if (id === "effect/schema/isInt") return { type: "integer" }
  // Effect 4 writes only patterns with the flag `u`.
  if (id === "effect/schema/isPattern") return { pattern: Json.object(payload).source }
  const length = typeof id === "string" && typeof type === "string" ? lengths[id]?.[type] : undefined
  if (length !== undefined) return { [length]: Object.values(Json.object(payload))[0] }
  if (typeof toJsonSchema !== "function") return {}
  const written: unknown = toJsonSchema({ type: jsonTypes.find((known) => known === type), schemas: [] })
  return Json.object(Array.isArray(written) ? written[0] : written)
}

const refined = (codec: JsonCodec, checks: AST.Checks, ast: AST.AST, traversal: Traversal): JsonCodec =>
  checks.reduce((codec, check) => {
    const constraints = constraintsOf(check, codec.json.type)
    // A constraint on the decoded value does not apply to other JSON: "at least 1" may mean a string of digits.
    const checked = codec.direct
      ? constrained(codec, constraints, traversal)
      : { ...codec, json: describe(codec.json, inWords(constraints)) }
    return annotate(checked, ownAnnotations(check), ast, traversal)
  }, codec)

const isDate = (ast: AST.AST): boolean => {
  const { id } = Json.object(ast.annotations?.representation)
  return typeof id === "string" && /^effect\/schema\/(?:Date|DateTimeUtc)$/.test(id)
}

/**
 * The encoding of a collection with the schemas of its values whole. The encoding itself has of an encoded value only
 * what is on the wire, without the author's words for it.
 */
const withValues = (encoded: AST.AST, values: ReadonlyArray<AST.AST>): AST.AST => {
  const whole = (ast: AST.AST): Schema.Top =>
    Schema.make<Schema.Top>(values.find((value) => AST.toEncoded(value) === ast) ?? ast)
  const value = AST.isUnion(encoded) ? optionValue(encoded) : undefined
  if (value !== undefined) {
    const none = Schema.Struct({ _tag: Schema.Literal("None") })
    return Schema.Union([Schema.Struct({ _tag: Schema.Literal("Some"), value: whole(value) }), none]).ast
  }
  const [item, ...more] = AST.isArrays(encoded) && encoded.elements.length === 0 ? encoded.rest : []
  if (item === undefined || more.length > 0 || encoded.checks !== undefined) return encoded
  return AST.isArrays(item) && item.rest.length === 0
    ? Schema.Array(Schema.Tuple(item.elements.map(whole))).ast
    : Schema.Array(whole(item)).ast
}

const transformed = (ast: AST.AST, encoded: AST.AST, path: string, traversal: Traversal): JsonCodec => {
  const values = AST.isDeclaration(ast) ? ast.typeParameters.filter((value) => AST.toEncoded(value) !== value) : []
  const codec = codecOf(values.length === 0 ? encoded : withValues(encoded, values), path, traversal)
  const dated = isDate(ast) && codec.json.type === "string"
    ? constrained(codec, { format: "date-time" }, traversal)
    : codec
  return { ...dated, direct: false }
}

const suspended = (ast: AST.Suspend, path: string, traversal: Traversal): JsonCodec => {
  const target = ast.thunk()
  // The definition has to be the same for every reference.
  const build = () => codecOf(target, path, { ...traversal, nullIsTaken: true })
  return refer(target, { name: nameOf(target), path, build }, traversal)
}

/** The author's name for a schema, in the characters that every provider accepts. */
export const nameOf = (ast: AST.AST): string | undefined => {
  const name = AST.resolveIdentifier(ast)
  return name === undefined ? undefined : cleanName(name)
}

const templatePattern = (ast: AST.AST): string => {
  switch (ast._tag) {
    case "Literal":
      return String(ast.literal).replace(/[/\-\\^$*+?.()|[\]{}]/g, "\\$&")
    case "Number":
      return "[+-]?\\d*\\.?\\d+(?:[Ee][+-]?\\d+)?"
    case "BigInt":
      return "-?\\d+"
    case "Union":
      return ast.types.map(templatePattern).join("|")
    case "TemplateLiteral":
      return ast.parts.map((part) => `(${templatePattern(part)})`).join("")
    default:
      return "[\\s\\S]*"
  }
}

const unannotated = (ast: AST.AST, path: string, traversal: Traversal): JsonCodec => {
  switch (ast._tag) {
    case "String":
      return leaf({ type: "string" }, (json) => typeof json === "string")
    case "TemplateLiteral":
      return constrained(
        whole(leaf({ type: "string" }, (json) => typeof json === "string")),
        { pattern: `^${templatePattern(ast)}$` },
        traversal
      )
    case "Number":
      return leaf({ type: "number" }, (json) => typeof json === "number")
    case "Boolean":
      return leaf({ type: "boolean" }, (json) => typeof json === "boolean")
    case "Undefined":
    case "Void":
      return { ...nothing, read: (json) => json === null ? undefined : json, write: () => null }
    case "Null":
    case "Literal":
    case "Enum": {
      const values = literalsOf(ast, path)
      if (values.length === 0) throw new Inexpressible(path, "an enum without values")
      return oneOf(literals(values, traversal.dialect).map((codec) => ({ codec, is: codec.fits })))
    }
    case "Unknown":
    case "Any":
    case "ObjectKeyword":
      if (!traversal.dialect.open) throw new Inexpressible(path, "a value of any type")
      return ast._tag === "ObjectKeyword"
        ? leaf({ type: ["object", "array"] }, (json) => typeof json === "object" && json !== null)
        : leaf({}, () => true)
    case "Objects":
      return struct(ast, path, traversal)
    case "Arrays":
      return array(ast, path, traversal)
    case "Union":
      return union(ast, path, traversal)
    case "Suspend":
      return suspended(ast, path, traversal)
    case "Declaration":
    case "BigInt":
    case "Symbol":
    case "UniqueSymbol":
    case "Never":
      throw new Inexpressible(path, `${declared(ast)}, which has no JSON`)
  }
}

const declared = (ast: AST.AST): string =>
  AST.resolveIdentifier(ast) ?? String(ast.annotations?.expected ?? ast._tag.toLowerCase())

/** Whether a schema is one of Effect 3 or older: the names of its annotations are symbols. */
const isOld = (ast: AST.AST): boolean =>
  Object.getOwnPropertySymbols(ast.annotations ?? {})
    .some(({ description }) => /^(?:@effect\/schema|effect\/annotation)\//.test(description ?? ""))

/** The schema that can be a root: a reference cannot, but its target can. */
export const rootOf = (ast: AST.AST): AST.AST => AST.isSuspend(ast) ? ast.thunk() : ast

/** Makes the codec of a schema. Throws `Inexpressible`. */
export const codecOf = (ast: AST.AST, path: string, traversal: Traversal): JsonCodec => {
  if (isOld(ast)) throw new Inexpressible(path, "a schema of @effect/schema or of Effect 3")
  const foreign = ForeignJsonSchema.find(ast, path)
  const given = ast.annotations?.["jsonSchema"]
  const encoded = encodingOf(ast)
  const codec = foreign !== undefined
    ? { ...FromJsonSchema.make(foreign, path, traversal), direct: false }
    // The author's own JSON Schema wins, translated to the dialect.
    : given !== undefined
    ? { ...FromJsonSchema.make(Json.object(given), path, traversal), direct: encoded === undefined }
    : encoded === undefined
    ? unannotated(ast, path, traversal)
    : transformed(ast, encoded, path, traversal)
  // The annotations of an `Option`'s encoded form are Effect's, not the author's.
  const annotated = AST.isUnion(ast) && optionValue(ast) !== undefined
    ? codec
    : annotate(codec, ownAnnotations(ast), ast, traversal)
  return ast.checks === undefined ? annotated : refined(annotated, ast.checks, ast, traversal)
}
