import { call, dual, E, L, provided } from "./forms.mjs"

const layer = {
  scoped: "effect",
  scopedContext: "effectContext",
  scopedDiscard: "effectDiscard",
  unwrapEffect: "unwrap",
  unwrapScoped: "unwrap",
  setConfigProvider: "effect/ConfigProvider#layer",
  setTracer: call(([tracer], node, api) =>
    `${L(api, node, "succeed")}(${api.use(node, "effect/Tracer", "Tracer")}, ${tracer})`
  ),
  catchAll: "catch",
  catchAllCause: "catchCause",
  failCause: call(([cause], node, api) => `${L(api, node, "unwrap")}(${E(api, node, "failCause")}(${cause}))`),
  fail: call(([error], node, api) => `${L(api, node, "unwrap")}(${E(api, node, "fail")}(${error}))`),
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

/** A move of the TestClock, which of Effect 3 waits for all fibers first. */
const moved = (name, node, api) => {
  const own = api.own("test/support/clockMoves.ts", name)
  return api.ts.isCallExpression(node) ? `${own}(${api.args(node).join(", ")})` : own
}

/** Layers, and the services that each program has. */
export const services = {
  "effect/Clock": {
    make: call((_, node, api) =>
      `${api.use(node, "effect/Context", "get")}(${api.use(node, "effect/Context", "empty")}(), ${
        api.use(node, "effect/Clock", "Clock")
      })`
    )
  },
  "effect/Config": {
    boolean: "Boolean",
    integer: "Int",
    // `Number` of Effect 4 makes NaN of a text that holds no number.
    number: "Finite",
    literal: call((literals, node, api) =>
      `((name: string) => ${api.use(node, "effect/Config", "Literals")}([${literals}], name))`
    ),
    redacted: "Redacted",
    string: "String"
  },
  "effect/ConfigError": {
    ConfigError: "ConfigError",
    isConfigError: call(([value], node, api) => `${value} instanceof ${api.use(node, "effect/Config", "ConfigError")}`),
    InvalidData: call(([, message], node, api) =>
      `new ${api.use(node, "effect/Config", "ConfigError")}(new ${
        api.use(node, "effect/ConfigProvider", "SourceError")
      }({ message: ${message} }))`
    )
  },
  "effect/ConfigProvider": {
    fromMap: call(([map], node, api) =>
      `${
        api.use(node, "effect/ConfigProvider", "fromUnknown")
      }(Object.fromEntries(${map}), { preserveEmptyStrings: true })`
    )
  },
  "effect/DefaultServices": {
    liveServices: (node, api) => `${api.use(node, "effect/Context", "empty")}()`
  },
  "effect/Layer": layer,
  "effect/LogLevel": {
    greaterThan: "isGreaterThan",
    ...Object.fromEntries(
      [["All", "All"], ["Debug", "Debug"], ["Error", "Error"], ["Info", "Info"], ["None", "None"], ["Warning", "Warn"]]
        .map(([from, to]) => [from, () => `"${to}"`])
    )
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
    minimumLogLevel: call(([level], node, api) =>
      `${L(api, node, "succeed")}(${api.use(node, "effect/References", "MinimumLogLevel")}, ${level})`
    ),
    replace: call(([, logger], node, api) => `${api.use(node, "effect/Logger", "layer")}([${logger}])`),
    withMinimumLogLevel: provided("effect/References", "MinimumLogLevel"),
    jsonLogger: "formatJson",
    logfmtLogger: "formatLogFmt",
    stringLogger: "formatSimple",
    structuredLogger: "formatStructured"
  },
  "effect/Metric": {
    unsafeSnapshot: call((_, node, api) =>
      `${api.use(node, "effect/Metric", "snapshotUnsafe")}(${api.use(node, "effect/Context", "empty")}())`
    )
  },
  "effect/Random": {
    fixed: call(([values], node, api) => `${api.own("test/support/randoms.ts", "fixedRandom")}(${values})`),
    make: call(([seed], node, api) => `${api.own("test/support/randoms.ts", "seededRandom")}(${seed})`)
  },
  "effect/TestClock": {
    adjust: (node, api) => moved("adjust", node, api),
    setTime: (node, api) => moved("setTime", node, api),
    currentTimeMillis: "effect/Clock#currentTimeMillis"
  },
  "effect/TestContext": {
    TestContext: (node, api) => `${api.use(node, "effect/testing/TestClock", "layer")}()`
  }
}
