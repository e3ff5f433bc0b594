import { call, E, option } from "./forms.mjs"

/** A check of a schema, as a pipeable function: `Schema.between(0, 1)`. */
const check = (name) =>
  call((args, node, api) => {
    const S = (member) => api.use(node, "effect/Schema", member)
    return `${S("check")}(${S(name)}(${args.join(", ")}))`
  })

const list = (name) => call((args, node, api) => `${api.use(node, "effect/Schema", name)}([${args.join(", ")}])`)

/** A transformation, which is a value of its own. */
const transformation = (name) => (node, api) => {
  if (!api.ts.isCallExpression(node)) return undefined
  const [from, to] = api.args(node)
  const decode = option(api, node, 2, "decode")
  const encode = option(api, node, 2, "encode")
  if (decode === undefined || encode === undefined) return undefined
  return `${from}.pipe(${api.use(node, "effect/Schema", "decodeTo")}(${to}, ${
    api.use(node, "effect/SchemaTransformation", name)
  }({ decode: ${decode}, encode: ${encode} })))`
}

/** A value that has no JSON of its own in Effect 4. */
const collection = (name, parts) =>
  call((args, node, api) => {
    const S = (member) => api.use(node, "effect/Schema", member)
    const given = parts === undefined ? args : parts.map((part) => option(api, node, 0, part))
    return `${S("toCodecJson")}(${S(name)}(${given.join(", ")}))`
  })

/** The name of a property on the wire, as in `Schema.propertySignature(Schema.String).pipe(Schema.fromKey("b"))`. */
const wireName = ({ initializer }, api) => {
  const { ts } = api
  if (initializer === undefined || !ts.isCallExpression(initializer)) return undefined
  const last = initializer.arguments.at(-1)
  const member = last !== undefined && ts.isCallExpression(last) ? api.memberOf(last.expression) : undefined
  return member?.module === "effect/Schema" && member.name === "fromKey" ? api.args(last)[0] : undefined
}

/** A struct whose properties have other names on the wire, or beside which there are further ones. */
const struct = (node, api) => {
  const S = (member) => api.use(node, "effect/Schema", member)
  if (!api.ts.isCallExpression(node)) return S("Struct")
  const [fields, further] = node.arguments
  if (further !== undefined) {
    const record = `${S("Record")}(${option(api, node, 1, "key")}, ${option(api, node, 1, "value")})`
    return `${S("StructWithRest")}(${S("Struct")}(${api.render(fields)}), [${record}])`
  }
  const properties = api.ts.isObjectLiteralExpression(fields) ? fields.properties : []
  const names = properties.flatMap((property) => {
    const name = wireName(property, api)
    return name === undefined ? [] : [`${property.name.getText(api.sourceFile)}: ${name}`]
  })
  if (names.length === 0) return `${S("Struct")}(${api.args(node).join(", ")})`
  return `${S("Struct")}(${api.render(fields)}).pipe(${S("encodeKeys")}({ ${names.join(", ")} }))`
}

/** A tuple, or one with elements of which there may be any number. */
const tuple = call((args, node, api) => {
  const S = (member) => api.use(node, "effect/Schema", member)
  const [elements] = node.arguments
  return elements !== undefined && api.ts.isArrayLiteralExpression(elements)
    ? `${S("TupleWithRest")}(${S("Tuple")}(${args[0]}), [${args.slice(1).join(", ")}])`
    : `${S("Tuple")}([${args.join(", ")}])`
})

const schemaOf = (text) => (node, api) =>
  api.ts.isCallExpression(node) ? undefined : text((name) => api.use(node, "effect/Schema", name))

const schema = {
  BigIntFromSelf: "BigInt",
  BigDecimal: "BigDecimalFromString",
  BigInt: "BigIntFromString",
  Date: "DateFromString",
  DateFromSelf: "Date",
  DurationFromSelf: "Duration",
  Option: collection("Option"),
  OptionFromSelf: "Option",
  ReadonlyMap: collection("ReadonlyMap", ["key", "value"]),
  ReadonlySet: collection("ReadonlySet"),
  Exit: collection("Exit", ["success", "failure", "defect"]),
  Defect: schemaOf((S) => `${S("Defect")}()`),
  URL: "URLFromString",
  URLFromSelf: "URL",
  Enums: "Enum",
  NonNegative: schemaOf((S) => `${S("Number")}.check(${S("isGreaterThanOrEqualTo")}(0))`),
  NonNegativeInt: schemaOf((S) => `${S("Int")}.check(${S("isGreaterThanOrEqualTo")}(0))`),
  NonEmptyTrimmedString: schemaOf((S) => `${S("String")}.check(${S("isTrimmed")}(), ${S("isNonEmpty")}())`),
  Object: "ObjectKeyword",
  Positive: schemaOf((S) => `${S("Number")}.check(${S("isGreaterThan")}(0))`),
  SymbolFromSelf: "Symbol",
  Uint8ArrayFromSelf: "Uint8Array",
  between: call(([minimum, maximum, ...more], node, api) => {
    const S = (member) => api.use(node, "effect/Schema", member)
    return `${S("check")}(${S("isBetween")}(${[`{ minimum: ${minimum}, maximum: ${maximum} }`, ...more].join(", ")}))`
  }),
  betweenDate: call(([minimum, maximum], node, api) => {
    const S = (member) => api.use(node, "effect/Schema", member)
    return `${S("check")}(${S("isBetweenDate")}({ minimum: ${minimum}, maximum: ${maximum} }))`
  }),
  decode: "decodeEffect",
  decodeEither: "decodeResult",
  decodeUnknown: "decodeUnknownEffect",
  decodeUnknownEither: "decodeUnknownResult",
  encode: "encodeEffect",
  encodeEither: "encodeResult",
  encodeUnknown: "encodeUnknownEffect",
  encodeUnknownEither: "encodeUnknownResult",
  encodedSchema: "toEncoded",
  filter: check("makeFilter"),
  // Its struct has the names of the wire.
  fromKey: (node, api) => api.use(node, "effect/Function", "identity"),
  greaterThan: check("isGreaterThan"),
  int: check("isInt"),
  lessThan: check("isLessThan"),
  lessThanOrEqualTo: check("isLessThanOrEqualTo"),
  maxItems: check("isMaxLength"),
  maxLength: check("isMaxLength"),
  minItems: check("isMinLength"),
  minLength: check("isMinLength"),
  multipleOf: check("isMultipleOf"),
  nonNegative: call((args, node, api) => {
    const S = (member) => api.use(node, "effect/Schema", member)
    return `${S("check")}(${S("isGreaterThanOrEqualTo")}(${["0", ...args].join(", ")}))`
  }),
  pattern: check("isPattern"),
  positive: call((args, node, api) => {
    const S = (member) => api.use(node, "effect/Schema", member)
    return `${S("check")}(${S("isGreaterThan")}(${["0", ...args].join(", ")}))`
  }),
  optionalElement: "optionalKey",
  optionalWith: (node, api) => {
    if (!api.ts.isCallExpression(node)) return undefined
    const S = (name) => api.use(node, "effect/Schema", name)
    const [schema] = api.args(node)
    const given = option(api, node, 1, "default")
    if (given !== undefined) {
      const effect = `${E(api, node, "sync")}(${given})`
      // The default is a value of the schema, which may be encoded as another.
      const [type, encoded] = ["Type", "Encoded"].map((name) => {
        const property = api.checker.getTypeAtLocation(node.arguments[0]).getProperty(name)
        return api.checker.typeToString(api.checker.getTypeOfSymbolAtLocation(property, node))
      })
      const withDefault = type === encoded ? "withDecodingDefault" : "withDecodingDefaultType"
      return `${schema}.pipe(${S(withDefault)}(${effect}), ${S("withConstructorDefault")}(${effect}))`
    }
    return option(api, node, 1, "as") === undefined
      ? `${S("optionalKey")}(${schema})`
      : `${S("OptionFromOptionalKey")}(${schema})`
  },
  propertySignature: call(([schema]) => schema),
  standardSchemaV1: "toStandardSchemaV1",
  transform: transformation("transform"),
  transformOrFail: transformation("transformEffect"),
  UUID: schemaOf((S) => `${S("String")}.check(${S("isUUID")}())`),
  TemplateLiteral: list("TemplateLiteral"),
  parseJson: (node, api) => {
    const json = (name) => api.use(node, "effect/Schema", name)
    if (!api.ts.isCallExpression(node)) return json("fromJsonString")
    return node.arguments.length === 0
      ? json("UnknownFromJsonString")
      : `${json("fromJsonString")}(${api.args(node).join(", ")})`
  },
  typeSchema: "toType",
  Literal: call((args, node, api) => {
    const S = (member) => api.use(node, "effect/Schema", member)
    if (args.length === 1 && args[0] === "null") return S("Null")
    if (args.includes("null")) {
      const rest = args.filter((arg) => arg !== "null")
      return `${S("Union")}([${S("Literals")}([${rest.join(", ")}]), ${S("Null")}])`
    }
    return args.length === 1 && !args[0].startsWith("...")
      ? `${S("Literal")}(${args[0]})`
      : `${S("Literals")}([${args.join(", ")}])`
  }),
  Record: (node, api) => {
    if (!api.ts.isCallExpression(node)) return undefined
    const key = option(api, node, 0, "key")
    const value = option(api, node, 0, "value")
    return key === undefined || value === undefined
      ? undefined
      : `${api.use(node, "effect/Schema", "Record")}(${key}, ${value})`
  },
  Struct: struct,
  Tuple: tuple,
  Union: list("Union"),
  Schema: "Codec",
  make: (node, api) => {
    if (!api.ts.isCallExpression(node)) return undefined
    const S = (name) => api.use(node, "effect/Schema", name)
    const types = node.typeArguments?.map(api.render)
    return `${S("make")}<${types === undefined ? S("Top") : `${S("Codec")}<${types.join(", ")}>`}>(${
      api.args(node).join(", ")
    })`
  },
  annotations: "annotate"
}

/** Schemas and their issues. */
export const schemas = {
  // Of the tests alone: properties are those of fast-check.
  "effect/Arbitrary": {
    make: call((args, _node, api) => `${api.own("test/support/schemaValues.ts", "valuesOf")}(${args.join(", ")})`)
  },
  "effect/ParseResult": { ParseIssue: "Issue", Type: "InvalidType", ParseError: "effect/Schema#SchemaError" },
  "effect/Schema": schema
}
