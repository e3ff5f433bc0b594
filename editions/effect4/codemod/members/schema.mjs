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

const schemaOf = (text) => (node, api) =>
  api.ts.isCallExpression(node) ? undefined : text((name) => api.use(node, "effect/Schema", name))

const schema = {
  BigIntFromSelf: "BigInt",
  BigInt: "BigIntFromString",
  Date: "DateFromString",
  DateFromSelf: "Date",
  DurationFromSelf: "Duration",
  // An Option of Effect 4 has no encoding of its own.
  Option: call(([value], node, api) => {
    const S = (name) => api.use(node, "effect/Schema", name)
    return `${S("toCodecJson")}(${S("Option")}(${value}))`
  }),
  OptionFromSelf: "Option",
  // An Exit has none either.
  Exit: (node, api) => {
    if (!api.ts.isCallExpression(node)) return undefined
    const S = (name) => api.use(node, "effect/Schema", name)
    const parts = ["success", "failure", "defect"].map((name) => option(api, node, 0, name))
    return `${S("toCodecJson")}(${S("Exit")}(${parts.join(", ")}))`
  },
  Defect: schemaOf((S) => `${S("Defect")}()`),
  URL: "URLFromString",
  URLFromSelf: "URL",
  Enums: "Enum",
  NonNegative: schemaOf((S) => `${S("Number")}.check(${S("isGreaterThanOrEqualTo")}(0))`),
  NonNegativeInt: schemaOf((S) => `${S("Int")}.check(${S("isGreaterThanOrEqualTo")}(0))`),
  Object: "ObjectKeyword",
  SymbolFromSelf: "Symbol",
  Uint8ArrayFromSelf: "Uint8Array",
  between: call(([minimum, maximum, ...more], node, api) => {
    const S = (member) => api.use(node, "effect/Schema", member)
    return `${S("check")}(${S("isBetween")}(${[`{ minimum: ${minimum}, maximum: ${maximum} }`, ...more].join(", ")}))`
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
  Tuple: list("Tuple"),
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
  "effect/ParseResult": { ParseIssue: "Issue", Type: "InvalidType", ParseError: "effect/Schema#SchemaError" },
  "effect/Schema": schema
}
