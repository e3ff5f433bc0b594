import { call, dies, dual, E, O, option, provided } from "./forms.mjs"

/** A schedule of two, which takes a list of them. */
const ofBoth = (name) =>
  dual(2, (self, [that], api, node) => `${api.use(node, "effect/Schedule", name)}([${self}, ${that}])`)

const effect = {
  async: "callback",
  catchAll: "catch",
  catchAllCause: "catchCause",
  catchAllDefect: "catchDefect",
  catchSomeDefect: dual(
    2,
    (self, [f], api, node) =>
      `${E(api, node, "catchDefect")}(${self}, (defect) => ${O(api, node, "match")}((${f})(defect), { onNone: () => ${
        E(api, node, "die")
      }(defect), onSome: (effect) => effect }))`
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
    const [signature] = f === undefined ? [] : api.checker.getTypeAtLocation(f).getCallSignatures()
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
  tagMetrics: call(([self, key, value], node, api) =>
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
  tracerWith: call(([use], node, api) => `${E(api, node, "flatMap")}(${E(api, node, "tracer")}, ${use})`),
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
  if: call(([condition], node, api) => {
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

/** Effects, and what they are made with. */
export const effects = {
  "effect/Effect": effect,
  "effect/Schedule": {
    intersect: ofBoth("max"),
    union: ofBoth("min"),
    untilInput: dual(2, (self, [until], api, node) => {
      const S = (name) => api.use(node, "effect/Schedule", name)
      const type = node.arguments.at(-1).parameters[0].type
      return `${S("while")}(${S("setInputType")}<${api.render(type)}>()(${self}), ({ input }) => !(${until})(input))`
    })
  }
}
