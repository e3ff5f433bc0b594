/**
 * The members of modules of Effect 3 that have another name or another form in Effect 4. A text is a new name, with
 * `module#name` where the module is another one; a function writes the new text of a call.
 */

const call = (to, write) => (node, api) => {
  if (!api.ts.isCallExpression(node)) return undefined
  return write(api.args(node), node, api, to)
}

/** `self` first or, where it is left out, a function of it: both forms of a dual. */
const dual = (arity, write) =>
  call("", (args, node, api) =>
    args.length >= arity
      ? write(args[0], args.slice(1), api, node)
      : `((self) => ${write("self", args, api, node)})`)

/** A service of the fiber, that is provided. */
const provided = (module, name) => (node, api) => {
  if (!api.ts.isCallExpression(node)) return undefined
  const args = api.args(node)
  const service = api.use(node, module, name)
  const provide = api.use(node, "effect/Effect", "provideService")
  return args.length === 1 ? `${provide}(${service}, ${args[0]})` : `${provide}(${args[0]}, ${service}, ${args[1]})`
}

const E = (api, node, name) => api.use(node, "effect/Effect", name)
const S = (api, node, name) => api.use(node, "effect/Stream", name)
const L = (api, node, name) => api.use(node, "effect/Layer", name)

/** The text of the property of an object literal that is an argument. */
const option = (api, node, argument, name) => {
  const object = node.arguments[argument]
  if (object === undefined || !api.ts.isObjectLiteralExpression(object)) return undefined
  for (const property of object.properties) {
    if (property.name?.text !== name) continue
    if (api.ts.isPropertyAssignment(property)) return api.render(property.initializer)
    if (api.ts.isShorthandPropertyAssignment(property)) return property.name.text
  }
  return undefined
}

const dies = (home) => call("", ([message], node, api) => `${api.use(node, home, "die")}(new Error(${message}))`)

const array = (name) => `effect/Array#${name}`

/** A client whose requests have a reference of their own. */
const withReference = (reference) =>
  dual(
    2,
    (self, [value], api, node) =>
      `${api.use(node, "effect/http/HttpClient", "transformResponse")}(${self}, ${E(api, node, "provideService")}(${
        api.use(node, "effect/http/HttpClient", reference)
      }, ${value}))`
  )

const effect = {
  async: "callback",
  catchAll: "catch",
  catchAllCause: "catchCause",
  catchAllDefect: "catchDefect",
  catchSomeDefect: dual(
    2,
    (self, [f], api, node) =>
      `${E(api, node, "catchDefect")}(${self}, (defect) => ${
        option_(api, node, "match")
      }((${f})(defect), { onNone: () => ${E(api, node, "die")}(defect), onSome: (effect) => effect }))`
  ),
  dieMessage: dies("effect/Effect"),
  either: "result",
  fork: "forkChild",
  forkDaemon: "forkDetach",
  ignoreLogged: dual(1, (self, _, api, node) => `${E(api, node, "ignore")}(${self}, { log: "Debug" })`),
  tapErrorCause: "tapCause",
  contextWith: dual(1, (use, _, api, node) => `${E(api, node, "map")}(${E(api, node, "context")}(), ${use})`),
  contextWithEffect: "contextWith",
  // It has the fiber only, of which the result is not a type.
  withFiberRuntime: (node, api) => {
    const [body] = api.ts.isCallExpression(node) ? node.arguments : []
    const parameter = body !== undefined && api.ts.isArrowFunction(body) ? body.parameters[0] : undefined
    if (parameter?.type === undefined) {
      return api.ts.isCallExpression(node)
        ? `${E(api, node, "withFiber")}(${api.args(node).join(", ")})`
        : E(api, node, "withFiber")
    }
    return `${E(api, node, "withFiber")}((${parameter.name.getText(api.sourceFile)}) => ${api.render(body.body)})`
  },
  tap: (node, api) => {
    if (!api.ts.isCallExpression(node)) return E(api, node, "tap")
    const f = node.arguments.at(-1)
    const [signature] = f !== undefined && api.ts.isArrowFunction(f)
      ? api.checker.getTypeAtLocation(f).getCallSignatures()
      : []
    const type = signature?.getReturnType()
    if (type === undefined || (type.flags & api.ts.TypeFlags.Void) === 0) {
      return `${E(api, node, "tap")}(${api.args(node).join(", ")})`
    }
    // What a function gives that is no effect was ignored.
    const self = node.arguments.length === 2 ? `${api.render(node.arguments[0])}, ` : ""
    return `${E(api, node, "tap")}(${self}(value) => ${E(api, node, "sync")}(() => (${api.render(f)})(value)))`
  },
  locally: dual(3, (self, [ref, value], api, node) => `${E(api, node, "provideService")}(${self}, ${ref}, ${value})`),
  disconnect: (node, api) => `${api.own("src/runtime/disconnect.ts", "disconnect")}(${api.args(node).join(", ")})`,
  runtime: (node, api) => {
    const types = node.typeArguments === undefined ? "" : `<${node.typeArguments.map(api.render).join(", ")}>`
    return `${E(api, node, "context")}${types}(${api.args(node).join(", ")})`
  },
  metricLabels: "effect/Metric#CurrentMetricAttributes",
  tagMetrics: call(
    "",
    ([self, key, value], node, api) =>
      `${E(api, node, "updateService")}(${self}, ${
        api.use(node, "effect/Metric", "CurrentMetricAttributes")
      }, (attributes) => ({ ...attributes, [${key}]: ${value} }))`
  ),
  zipLeft: "tap",
  zipRight: "andThen",
  clock: "effect/Clock#Clock",
  makeLatch: "effect/Latch#make",
  unsafeMakeLatch: "effect/Latch#makeUnsafe",
  Latch: "effect/Latch#Latch",
  makeSemaphore: "effect/Semaphore#make",
  Semaphore: "effect/Semaphore#Semaphore",
  withClock: provided("effect/Clock", "Clock"),
  withConfigProvider: provided("effect/ConfigProvider", "ConfigProvider"),
  withConsole: provided("effect/Console", "Console"),
  withMaxOpsBeforeYield: provided("effect/Scheduler", "MaxOpsBeforeYield"),
  withRandom: provided("effect/Random", "Random"),
  withScheduler: provided("effect/Scheduler", "Scheduler"),
  yieldNow: (node, api) => api.ts.isCallExpression(node) ? E(api, node, "yieldNow") : undefined,
  repeatN: dual(2, (self, [times], api, node) => `${E(api, node, "repeat")}(${self}, { times: ${times} })`),
  tracerWith: call("", ([use], node, api) => `${E(api, node, "flatMap")}(${E(api, node, "tracer")}, ${use})`),
  timeoutFail: (node, api) => {
    if (!api.ts.isCallExpression(node)) return undefined
    const at = node.arguments.length - 1
    const duration = option(api, node, at, "duration")
    const onTimeout = option(api, node, at, "onTimeout")
    if (duration === undefined || onTimeout === undefined) return undefined
    const self = at === 0 ? "" : `${api.render(node.arguments[0])}, `
    return `${E(api, node, "timeoutOrElse")}(${self}{ duration: ${duration}, orElse: () => ${
      E(api, node, "failSync")
    }(${onTimeout}) })`
  },
  timeoutTo: (node, api) => {
    if (!api.ts.isCallExpression(node)) return undefined
    const at = node.arguments.length - 1
    const duration = option(api, node, at, "duration")
    const onTimeout = option(api, node, at, "onTimeout")
    const onSuccess = option(api, node, at, "onSuccess")
    if (duration === undefined || onTimeout === undefined || onSuccess === undefined) return undefined
    const timed = (self) =>
      `${E(api, node, "timeoutOrElse")}(${
        E(api, node, "map")
      }(${self}, ${onSuccess}), { duration: ${duration}, orElse: () => ${E(api, node, "sync")}(${onTimeout}) })`
    return at === 0 ? `((self) => ${timed("self")})` : timed(api.render(node.arguments[0]))
  },
  if: call("", ([condition], node, api) => {
    const onTrue = option(api, node, 1, "onTrue")
    const onFalse = option(api, node, 1, "onFalse")
    return onTrue === undefined || onFalse === undefined
      ? undefined
      : `${E(api, node, "flatMap")}(${condition}, (holds) => holds ? (${onTrue})() : (${onFalse})())`
  }),
  raceWith: (node, api) =>
    api.ts.isCallExpression(node)
      ? `${api.own("src/runtime/raceWith.ts", "raceWith")}(${api.args(node).join(", ")})`
      : undefined
}

const stream = {
  StreamTypeId: "TypeId",
  acquireRelease: call(
    "",
    ([acquire, release], node, api) =>
      `${S(api, node, "scoped")}(${S(api, node, "fromEffect")}(${
        E(api, node, "acquireRelease")
      }(${acquire}, ${release})))`
  ),
  catchAll: "catch",
  catchAllCause: "catchCause",
  concatAll: call(
    "",
    ([streams], node, api) => `${S(api, node, "flatten")}(${S(api, node, "fromIterable")}(${streams}))`
  ),
  dieMessage: dies("effect/Stream"),
  ensuringWith: "onExit",
  execute: "fromEffectDrain",
  flattenIterables: "flattenIterable",
  fromChunk: "fromArray",
  fromChunks: "fromArrays",
  mapChunks: "mapArray",
  mapChunksEffect: "mapArrayEffect",
  mapConcat: dual(
    2,
    (self, [f], api, node) => `${S(api, node, "flattenIterable")}(${S(api, node, "map")}(${self}, ${f}))`
  ),
  paginateEffect: call(
    "",
    ([from, f], node, api) =>
      `${S(api, node, "paginate")}(${from}, ${flow(api, node)}(${f}, ${
        E(api, node, "map")
      }(([value, next]) => [[value], next] as const)))`
  ),
  paginateChunkEffect: "paginate",
  filterMap: (node, api) => {
    if (!api.ts.isCallExpression(node)) return undefined
    const args = api.args(node)
    const self = args.length === 2 ? `${args[0]}, ` : ""
    return `${S(api, node, "filterMap")}(${self}${filter(args.at(-1), api, node)})`
  },
  runFoldEffect: dual(
    3,
    (self, [initial, f], api, node) => `${S(api, node, "runFoldEffect")}(${self}, () => (${initial}), ${f})`
  ),
  repeatEffect: "fromEffectRepeat",
  repeatEffectChunkOption: call(
    "",
    ([pull], node, api) => `${S(api, node, "fromIterableEffectRepeat")}(${ended(pull, api, node)})`
  ),
  repeatEffectOption: call("", ([pull], node, api) => `${S(api, node, "fromEffectRepeat")}(${ended(pull, api, node)})`),
  unfold: call(
    "",
    ([from, f], node, api) =>
      `${S(api, node, "unfold")}(${from}, ${flow(api, node)}(${f}, ${option_(api, node, "getOrUndefined")}, ${
        E(api, node, "succeed")
      }))`
  ),
  unfoldEffect: call(
    "",
    ([from, f], node, api) =>
      `${S(api, node, "unfold")}(${from}, ${flow(api, node)}(${f}, ${E(api, node, "map")}(${
        option_(api, node, "getOrUndefined")
      })))`
  ),
  timeoutFail: (node, api) => {
    if (!api.ts.isCallExpression(node)) return undefined
    const args = api.args(node)
    const [error, duration] = args.slice(-2)
    const self = args.length === 3 ? `${args[0]}, ` : ""
    return `${S(api, node, "timeoutOrElse")}(${self}{ duration: ${duration}, orElse: () => ${
      S(api, node, "fail")
    }((${error})()) })`
  },
  repeatValue: call("", ([value], node, api) => `${S(api, node, "forever")}(${S(api, node, "succeed")}(${value}))`),
  tapErrorCause: "tapCause",
  toReadableStreamRuntime: "toReadableStreamWith",
  unwrapScoped: "unwrap"
}

const either = {
  Either: "Result",
  fromNullable: "fromNullishOr",
  getLeft: "getFailure",
  getRight: "getSuccess",
  isEither: "isResult",
  isLeft: "isFailure",
  isRight: "isSuccess",
  left: "fail",
  mapLeft: "mapError",
  right: "succeed",
  void: (node, api) => `${api.use(node, "effect/Result", "succeed")}(undefined)`
}

const chunk = {
  Chunk: array("Chunk"),
  NonEmptyChunk: array("NonEmptyReadonlyArray"),
  fromIterable: "fromIterable",
  isEmpty: "isReadonlyArrayEmpty",
  isNonEmpty: "isReadonlyArrayNonEmpty",
  size: "length",
  unsafeFromArray: call("", ([values]) => values),
  unsafeHead: call("", ([values], node, api) => `${api.use(node, "effect/Array", "getUnsafe")}(${values}, 0)`),
  unsafeGet: "getUnsafe",
  toReadonlyArray: (node, api) =>
    api.ts.isCallExpression(node) ? api.args(node)[0] : api.use(node, "effect/Function", "identity"),
  toArray: (node, api) =>
    api.ts.isCallExpression(node) ? `[...${api.args(node)[0]}]` : api.use(node, "effect/Array", "fromIterable")
}

const cause = {
  failureOption: "findErrorOption",
  dieOption: call(
    "",
    ([cause], node, api) =>
      `${api.use(node, "effect/Result", "getSuccess")}(${api.use(node, "effect/Cause", "findDefect")}(${cause}))`
  ),
  // Its options are those of a logger.
  pretty: (node, api) => {
    const pretty = api.use(node, "effect/Cause", "pretty")
    return api.ts.isCallExpression(node) ? `${pretty}(${api.args(node)[0]})` : pretty
  },
  failures: call(
    "",
    ([cause], node, api) =>
      `(${cause}).reasons.filter(${api.use(node, "effect/Cause", "isFailReason")}).map(({ error }) => error)`
  ),
  isFailType: "hasFails",
  RuntimeException: (node, api) => `new Error(${api.args(node).join(", ")})`,
  isDie: "hasDies",
  isFailure: "hasFails",
  isInterrupted: "hasInterrupts",
  isInterruptedOnly: "hasInterruptsOnly",
  parallel: "combine",
  sequential: "combine"
}

/** What takes durations, and no other form of them any more. */
const compared = (name) => (node, api) => {
  const D = (member) => api.use(node, "effect/Duration", member)
  if (!api.ts.isCallExpression(node)) return D(name)
  const args = node.arguments.map((argument) => {
    const type = api.checker.getTypeAtLocation(argument)
    const isDuration = type.symbol?.name === "Duration" && api.moduleOfType(type) === "effect/Duration"
    return isDuration ? api.render(argument) : `${D("fromInputUnsafe")}(${api.render(argument)})`
  })
  return `${D(name)}(${args.join(", ")})`
}

const duration = {
  DurationInput: "Input",
  decode: "fromInputUnsafe",
  decodeUnknown: call(
    "",
    ([value], node, api) =>
      `${api.use(node, "effect/Duration", "fromInput")}(${value} as ${api.use(node, "effect/Duration", "Input")})`
  ),
  format: compared("format"),
  max: compared("max"),
  min: compared("min"),
  subtract: compared("subtract"),
  sum: compared("sum"),
  greaterThan: compared("isGreaterThan"),
  greaterThanOrEqualTo: compared("isGreaterThanOrEqualTo"),
  lessThan: compared("isLessThan"),
  lessThanOrEqualTo: compared("isLessThanOrEqualTo")
}

const layer = {
  scoped: "effect",
  scopedContext: "effectContext",
  scopedDiscard: "effectDiscard",
  unwrapEffect: "unwrap",
  unwrapScoped: "unwrap",
  setConfigProvider: "effect/ConfigProvider#layer",
  setTracer: call(
    "",
    ([tracer], node, api) => `${L(api, node, "succeed")}(${api.use(node, "effect/Tracer", "Tracer")}, ${tracer})`
  ),
  catchAll: "catch",
  catchAllCause: "catchCause",
  failCause: call("", ([cause], node, api) => `${L(api, node, "unwrap")}(${E(api, node, "failCause")}(${cause}))`),
  fail: call("", ([error], node, api) => `${L(api, node, "unwrap")}(${E(api, node, "fail")}(${error}))`),
  mapError: dual(
    2,
    (self, [f], api, node) =>
      `${L(api, node, "catch")}(${self}, (error) => ${L(api, node, "effectContext")}(${E(api, node, "mapError")}(${
        E(api, node, "fail")
      }(error), ${f})))`
  ),
  map: dual(
    2,
    (self, [f], api, node) =>
      `${L(api, node, "flatMap")}(${self}, (context) => ${L(api, node, "succeedContext")}((${f})(context)))`
  ),
  zipWith: dual(
    3,
    (self, [that, f], api, node) =>
      `${L(api, node, "flatMap")}(${self}, (first) => ${L(api, node, "flatMap")}(${that}, (second) => ${
        L(api, node, "succeedContext")
      }((${f})(first, second))))`
  )
}

/** An effect that ends a stream by failing with `None`, as one that ends it with `Cause.done`. */
const ended = (pull, api, node) =>
  `${E(api, node, "catch")}(${pull}, ${api.use(node, "effect/Option", "match")}({ onNone: () => ${
    api.use(node, "effect/Cause", "done")
  }(), onSome: ${E(api, node, "fail")} }))`

const flow = (api, node) => api.use(node, "effect/Function", "flow")

const option_ = (api, node, name) => api.use(node, "effect/Option", name)

/** A function that returns an `Option`, as the filter of Effect 4 that returns a `Result`. */
const filter = (f, api, node) =>
  `(value) => ${api.use(node, "effect/Result", "fromOption")}((${f})(value), () => undefined)`

/** A check of a schema, as a pipeable function: `Schema.between(0, 1)`. */
const check = (name) =>
  call("", (args, node, api) => {
    const S = (member) => api.use(node, "effect/Schema", member)
    return `${S("check")}(${S(name)}(${args.join(", ")}))`
  })

const list = (name) => call("", (args, node, api) => `${api.use(node, "effect/Schema", name)}([${args.join(", ")}])`)

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

/** A move of the TestClock, which of Effect 3 waits for all fibers first. */
const moved = (name, node, api) => {
  const own = api.own("test/support/clockMoves.ts", name)
  return api.ts.isCallExpression(node) ? `${own}(${api.args(node).join(", ")})` : own
}

/** A schedule of two, which takes a list of them. */
const ofBoth = (name) =>
  dual(2, (self, [that], api, node) => `${api.use(node, "effect/Schedule", name)}([${self}, ${that}])`)

const schemaOf = (text) => (node, api) =>
  api.ts.isCallExpression(node) ? undefined : text((name) => api.use(node, "effect/Schema", name))

const schema = {
  BigIntFromSelf: "BigInt",
  BigInt: "BigIntFromString",
  Date: "DateFromString",
  DateFromSelf: "Date",
  DurationFromSelf: "Duration",
  // An Option of Effect 4 has no encoding of its own.
  Option: call("", ([value], node, api) => {
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
  Positive: schemaOf((S) => `${S("Number")}.check(${S("isGreaterThan")}(0))`),
  SymbolFromSelf: "Symbol",
  Uint8ArrayFromSelf: "Uint8Array",
  between: call("", ([minimum, maximum, ...more], node, api) => {
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
  nonNegative: call("", (args, node, api) => {
    const S = (member) => api.use(node, "effect/Schema", member)
    return `${S("check")}(${S("isGreaterThanOrEqualTo")}(${["0", ...args].join(", ")}))`
  }),
  pattern: check("isPattern"),
  positive: call("", (args, node, api) => {
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
  propertySignature: call("", ([schema]) => schema),
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
  Literal: call("", (args, node, api) => {
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

/** The fields of a tool's schemas, which are structs in Effect 4, under their new names. */
const toolOf = (name) => (node, api) => {
  const make = api.use(node, "effect/ai/Tool", name)
  const options = api.ts.isCallExpression(node) ? node.arguments.at(-1) : undefined
  if (options === undefined || !api.ts.isObjectLiteralExpression(options)) return undefined
  const fields = options.properties.map((property) => {
    const { initializer } = property
    const key = property.name?.text === "toolkitName" ? "customName" : property.name?.text
    if (initializer === undefined) return api.render(property)
    return ["args", "parameters"].includes(key) && api.ts.isObjectLiteralExpression(initializer)
      ? `${key}: ${api.use(node, "effect/Schema", "Struct")}(${api.render(initializer)})`
      : `${key}: ${api.render(initializer)}`
  })
  return `${make}(${[...node.arguments.slice(0, -1).map(api.render), `{ ${fields.join(", ")} }`].join(", ")})`
}

export const members = {
  "effect/Cause": cause,
  "effect/Channel": { void: "empty", write: "succeed" },
  "effect/Chunk": chunk,
  "@effect/vitest": {},
  "effect/Clock": {
    make: call(
      "",
      (_, node, api) =>
        `${api.use(node, "effect/Context", "get")}(${api.use(node, "effect/Context", "empty")}(), ${
          api.use(node, "effect/Clock", "Clock")
        })`
    )
  },
  "effect/ConfigProvider": {
    fromMap: call(
      "",
      ([map], node, api) =>
        `${
          api.use(node, "effect/ConfigProvider", "fromUnknown")
        }(Object.fromEntries(${map}), { preserveEmptyStrings: true })`
    )
  },
  "effect/Config": {
    boolean: "Boolean",
    integer: "Int",
    // `Number` of Effect 4 makes NaN of a text that holds no number.
    number: "Finite",
    literal: call(
      "",
      (literals, node, api) => `((name: string) => ${api.use(node, "effect/Config", "Literals")}([${literals}], name))`
    ),
    redacted: "Redacted",
    string: "String"
  },
  "effect/ConfigError": {
    ConfigError: "ConfigError",
    isConfigError: call(
      "",
      ([value], node, api) => `${value} instanceof ${api.use(node, "effect/Config", "ConfigError")}`
    ),
    InvalidData: call(
      "",
      ([, message], node, api) =>
        `new ${api.use(node, "effect/Config", "ConfigError")}(new ${
          api.use(node, "effect/ConfigProvider", "SourceError")
        }({ message: ${message} }))`
    )
  },
  "effect/Deferred": {
    unsafeDone: "doneUnsafe",
    unsafeMake: (node, api) => {
      if (!api.ts.isCallExpression(node)) return undefined
      const types = node.typeArguments === undefined ? "" : `<${node.typeArguments.map(api.render).join(", ")}>`
      return `${api.use(node, "effect/Deferred", "makeUnsafe")}${types}()`
    }
  },
  "effect/Duration": duration,
  "effect/Effect": effect,
  "effect/Either": either,
  "effect/Encoding": {
    decodeBase64: "decode",
    encodeBase64: "encode",
    encodeHex: "effect/encoding/Hex#encode"
  },
  "effect/Exit": {
    causeOption: "getCause",
    isInterrupted: "hasInterrupts",
    getOrElse: dual(
      2,
      (self, [otherwise], api, node) =>
        `${api.use(node, "effect/Exit", "match")}(${self}, { onFailure: ${otherwise}, onSuccess: ${
          api.use(node, "effect/Function", "identity")
        } })`
    ),
    flatten: call(
      "",
      ([exit], node, api) =>
        `${api.use(node, "effect/Exit", "match")}(${exit}, { onFailure: ${
          api.use(node, "effect/Exit", "failCause")
        }, onSuccess: ${api.use(node, "effect/Function", "identity")} })`
    )
  },
  "effect/ExecutionStrategy": {
    parallel: () => "\"parallel\"",
    sequential: () => "\"sequential\""
  },
  "effect/DefaultServices": {
    liveServices: (node, api) => `${api.use(node, "effect/Context", "empty")}()`
  },
  "effect/Fiber": {
    // It gives no exit any more: where that is wanted, it is waited for.
    interrupt: (node, api) => {
      const interrupt = api.use(node, "effect/Fiber", "interrupt")
      if (!api.ts.isCallExpression(node)) return interrupt
      const [fiber] = api.args(node)
      const { parent } = node
      const taker = api.ts.isCallExpression(parent) && parent.arguments[0] === node
        ? api.memberOf(parent.expression)
        : undefined
      const isBound = (at) => api.ts.isYieldExpression(at) && !api.ts.isExpressionStatement(at.parent)
      const isTaken = taker?.module === "effect/Effect" && (["flatMap", "flatten", "map"].includes(taker.name)) ||
        taker?.module === "effect/Effect" && taker.name === "fork" && isBound(parent.parent) || isBound(parent)
      return isTaken
        ? `${E(api, node, "andThen")}(${interrupt}(${fiber}), ${api.use(node, "effect/Fiber", "await")}(${fiber}))`
        : `${interrupt}(${fiber})`
    },
    interruptFork: call(
      "",
      ([fiber], node, api) =>
        `${E(api, node, "asVoid")}(${E(api, node, "forkDetach")}(${
          api.use(node, "effect/Fiber", "interrupt")
        }(${fiber})))`
    ),
    RuntimeFiber: "Fiber",
    join: (node, api) => {
      const [joined] = api.ts.isCallExpression(node) ? node.arguments : []
      const member = joined !== undefined && api.ts.isCallExpression(joined)
        ? api.memberOf(joined.expression)
        : undefined
      if (member?.module === "effect/Fiber" && member.name === "all") {
        return `${api.use(node, "effect/Fiber", "joinAll")}(${api.args(joined).join(", ")})`
      }
      const join = api.use(node, "effect/Fiber", "join")
      return api.ts.isCallExpression(node) ? `${join}(${api.args(node).join(", ")})` : join
    },
    poll: call(
      "",
      ([fiber], node, api) =>
        `${E(api, node, "sync")}(() => ${api.use(node, "effect/Option", "fromNullishOr")}(${fiber}.pollUnsafe()))`
    )
  },
  // Of the tests alone: a fiber's own value is a reference of its context.
  "effect/FiberRef": {
    FiberRef: "effect/Context#Reference",
    currentMinimumLogLevel: "effect/References#MinimumLogLevel",
    get: call("", ([ref]) => ref),
    make: call(
      "",
      (args, node, api) =>
        `${E(api, node, "sync")}(() => ${api.own("test/support/references.ts", "makeReference")}(${args.join(", ")}))`
    ),
    set: call("", (args, _node, api) => `${api.own("test/support/references.ts", "setReference")}(${args.join(", ")})`),
    unsafeMake: call(
      "",
      (args, _node, api) => `${api.own("test/support/references.ts", "makeReference")}(${args.join(", ")})`
    )
  },
  "effect/FiberId": { none: () => "undefined" },
  "effect/Array": {
    isNonEmptyReadonlyArray: "isReadonlyArrayNonEmpty",
    partition: (node, api) => {
      if (!api.ts.isCallExpression(node)) return undefined
      const args = api.args(node)
      const R = (name) => api.use(node, "effect/Result", name)
      const self = args.length === 2 ? `${args[0]}, ` : ""
      return `${api.use(node, "effect/Array", "partition")}(${self}(value) => ${args.at(-1)}(value) ? ${
        R("fail")
      }(value) : ${R("succeed")}(value))`
    }
  },
  "effect/Inspectable": { toJSON: "toJson", format: "effect/Formatter#format" },
  "effect/Layer": layer,
  "effect/LogLevel": {
    greaterThan: "isGreaterThan",
    ...Object.fromEntries(
      [["All", "All"], ["Debug", "Debug"], ["Error", "Error"], ["Info", "Info"], ["None", "None"], ["Warning", "Warn"]]
        .map(([from, to]) => [from, () => `"${to}"`])
    )
  },
  "effect/Random": {
    fixed: call("", ([values], node, api) => `${api.own("test/support/randoms.ts", "fixedRandom")}(${values})`),
    make: call("", ([seed], node, api) => `${api.own("test/support/randoms.ts", "seededRandom")}(${seed})`)
  },
  "effect/TestClock": {
    adjust: (node, api) => moved("adjust", node, api),
    setTime: (node, api) => moved("setTime", node, api),
    currentTimeMillis: "effect/Clock#currentTimeMillis"
  },
  "effect/TestContext": {
    TestContext: (node, api) => `${api.use(node, "effect/testing/TestClock", "layer")}()`
  },
  "effect/Logger": {
    // The annotations of a log are those of its fiber, as an object.
    make: (node, api) => {
      const make = api.use(node, "effect/Logger", "make")
      if (!api.ts.isCallExpression(node)) return make
      const [log] = node.arguments
      const bindings = api.ts.isArrowFunction(log) ? log.parameters[0]?.name : undefined
      const names = bindings !== undefined && api.ts.isObjectBindingPattern(bindings)
        ? bindings.elements.map((element) => element.getText(api.sourceFile))
        : []
      if (!names.includes("annotations")) return `${make}(${api.args(node).join(", ")})`
      const others = names.filter((name) => name !== "annotations")
      const annotations = `${api.use(node, "effect/HashMap", "fromIterable")}(Object.entries(fiber.getRef(${
        api.use(node, "effect/References", "CurrentLogAnnotations")
      })))`
      return `${make}(({ ${[...others, "fiber"].join(", ")} }) => {\nconst annotations = ${annotations}\n${
        api.ts.isBlock(log.body) ? "" : "return "
      }${api.render(log.body)}\n})`
    },
    prettyLogger: "consolePretty",
    minimumLogLevel: call(
      "",
      ([level], node, api) =>
        `${L(api, node, "succeed")}(${api.use(node, "effect/References", "MinimumLogLevel")}, ${level})`
    ),
    replace: call("", ([, logger], node, api) => `${api.use(node, "effect/Logger", "layer")}([${logger}])`),
    withMinimumLogLevel: provided("effect/References", "MinimumLogLevel"),
    jsonLogger: "formatJson",
    logfmtLogger: "formatLogFmt",
    stringLogger: "formatSimple",
    structuredLogger: "formatStructured"
  },
  "effect/Metric": { unsafeSnapshot: "snapshotUnsafe" },
  "effect/Option": {
    filterMap: "flatMap",
    flatMapNullable: "flatMapNullishOr",
    fromNullable: "fromNullishOr"
  },
  "effect/ParseResult": { ParseIssue: "Issue", Type: "InvalidType", ParseError: "effect/Schema#SchemaError" },
  "effect/Predicate": { isRecord: "isObject", isRecordOrArray: "isObjectOrArray" },
  "effect/Schedule": {
    intersect: ofBoth("max"),
    union: ofBoth("min"),
    untilInput: dual(2, (self, [until], api, node) => {
      const S = (name) => api.use(node, "effect/Schedule", name)
      const type = node.arguments.at(-1).parameters[0].type
      return `${S("while")}(${S("setInputType")}<${api.render(type)}>()(${self}), ({ input }) => !(${until})(input))`
    })
  },
  "effect/Schema": schema,
  "effect/SchemaAST": {},
  "effect/Scope": { extend: "provide", CloseableScope: "Closeable" },
  "effect/Stream": stream,
  "@effect/ai/Chat": { Service: "Chat" },
  "@effect/ai/EmbeddingModel": { Service: "EmbeddingModel" },
  "@effect/ai/LanguageModel": { Service: "LanguageModel" },
  "@effect/ai/Prompt": {
    FromJson: (node, api) =>
      `${api.use(node, "effect/Schema", "fromJsonString")}(${api.use(node, "effect/ai/Prompt", "Prompt")})`,
    merge: "concat"
  },
  "@effect/ai/Tool": {
    getJsonSchemaFromSchemaAst: call(
      "",
      ([ast], node, api) =>
        `${api.use(node, "effect/ai/Tool", "getJsonSchemaFromSchema")}(${ast.replace(/\.ast$/, "")})`
    ),
    make: toolOf("make"),
    providerDefined: toolOf("providerDefined")
  },
  "@effect/experimental/Persistence": { layerMemory: "layerBackingMemory" },
  "@effect/platform-node/NodeContext": { NodeContext: "NodeServices" },
  "@effect/platform/HttpClientError": Object.fromEntries(
    ["RequestError", "ResponseError"].map((name) => [name, (node, api) => {
      const H = (member) => api.use(node, "effect/http/HttpClientError", member)
      if (!api.ts.isNewExpression(node)) return H("HttpClientError")
      const [fields] = node.arguments
      const given = fields.properties.find((property) => property.name?.text === "reason")
      const text =
        given !== undefined && api.ts.isPropertyAssignment(given) && api.ts.isStringLiteral(given.initializer)
          ? given.initializer.text
          : undefined
      const kind = text === undefined
        ? `${api.ns("effect/http/HttpClientError")}[\`\${${
          given?.initializer?.getText(api.sourceFile) ?? "reason"
        }}Error\`]`
        : H(`${text}Error`)
      const rest = fields.properties.filter((property) => property.name?.text !== "reason").map(api.render)
      return `new ${H("HttpClientError")}({ reason: new ${kind}({ ${rest.join(", ")} }) })`
    }])
  ),
  "@effect/platform/HttpClient": {
    withTracerDisabledWhen: withReference("TracerDisabledWhen"),
    withTracerPropagation: withReference("TracerPropagationEnabled"),
    currentTracerDisabledWhen: "TracerDisabledWhen",
    currentTracerPropagation: "TracerPropagationEnabled"
  },
  "@effect/platform/HttpServerRequest": {
    withMaxBodySize: dual(
      2,
      (self, [size], api, node) =>
        `${E(api, node, "provideService")}(${self}, ${
          api.use(node, "effect/http/HttpIncomingMessage", "MaxBodySize")
        }, ${api.use(node, "effect/Option", "getOrUndefined")}(${api.use(node, "effect/Option", "map")}(${size}, ${
          api.use(node, "effect/ByteSize", "fromInputUnsafe")
        })))`
    )
  },
  "@effect/platform/HttpMiddleware": {
    withTracerDisabledWhen: dual(
      2,
      (self, [when], api, node) =>
        `${L(api, node, "provide")}(${self}, ${L(api, node, "succeed")}(${
          api.use(node, "effect/http/HttpMiddleware", "TracerDisabledWhen")
        }, ${when}))`
    )
  },
  "@effect/platform/HttpClientRequest": { bodyUnsafeJson: "bodyJsonUnsafe" },
  "@effect/platform/HttpBody": { unsafeJson: "jsonUnsafe" },
  "@effect/platform/HttpServerResponse": { unsafeJson: "jsonUnsafe" },
  "@effect/sql/SqlError": {
    SqlError: (node, api) => {
      const error = api.use(node, "effect/sql/SqlError", "SqlError")
      return api.ts.isNewExpression(node)
        ? `new ${error}({ reason: new ${api.use(node, "effect/sql/SqlError", "UnknownError")}(${api.args(node)[0]}) })`
        : error
    }
  },
  // It has not been released for Effect 4.1.
  "@effect/sql-sqlite-node/SqliteClient": {
    layer: call("", (_, node, api) => `${api.own("src/jobs/sqlite.ts", "layer")}(${option(api, node, 0, "filename")})`)
  },
  "@effect/workflow/Workflow": {
    make: call("", (_, node, api) => {
      const [object] = node.arguments
      const rest = object.properties.filter(({ name }) => name?.text !== "name").map(api.render)
      return `${api.use(node, "effect/workflow/Workflow", "make")}(${option(api, node, 0, "name")}, { ${
        rest.join(", ")
      } })`
    })
  },
  "@effect/cluster/SingleRunner": {
    // Its messages have digests.
    layer: call(
      "",
      (args, node, api) =>
        `${L(api, node, "provide")}(${api.use(node, "effect/cluster/SingleRunner", "layer")}(${args.join(", ")}), ${
          api.use(node, "effect/crypto/Digest", "layerWebCrypto")
        })`
    )
  },
  "@effect/cli/Args": {
    text: call(
      "",
      (_, node, api) => `${api.use(node, "effect/cli/Argument", "String")}(${option(api, node, 0, "name")})`
    )
  },
  "@effect/cli/Command": {
    run: call(
      "",
      ([command], node, api) =>
        `((argv: ReadonlyArray<string>) => ${api.use(node, "effect/cli/Command", "runWith")}(${command}, { version: ${
          option(api, node, 1, "version")
        } })(argv.slice(2)))`
    )
  },
  "@effect/cli/Options": {
    choice: "Literals",
    float: "Finite",
    integer: "Int",
    text: "String",
    // The name of the flag and the word "expected" stand before its message already.
    filterMap: call("", ([f], node, api) => {
      const expected = JSON.stringify(node.arguments[1].text.replace(/^--[\w-]+: expected /, ""))
      return `${api.use(node, "effect/cli/Flag", "filterMap")}(${f}, () => ${expected})`
    })
  },
  "@effect/platform-node/NodeHttpClient": {
    layer: "layerNodeHttp",
    layerWithoutAgent: "layerNodeHttpNoAgent",
    makeAgentLayer: "layerAgentOptions"
  },
  // What a store does not have is `undefined`.
  "@effect/platform/KeyValueStore": {
    makeStringOnly: call("", ([made], node, api) => {
      const get = option(api, node, 0, "get")
      return get === undefined
        ? undefined
        : `${api.use(node, "effect/persistence/KeyValueStore", "makeStringOnly")}({ ...${made}, get: ${
          flow(api, node)
        }(${get}, ${E(api, node, "map")}(${option_(api, node, "getOrUndefined")})) })`
    })
  }
}
