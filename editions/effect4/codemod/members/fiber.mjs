import { call, dual, E } from "./forms.mjs"

/** Fibers, and the values that they wait for and keep. */
export const fibers = {
  "effect/Deferred": {
    await: (node, api) => {
      const wait = api.own("src/runtime/woken.ts", "awaitDeferred")
      return api.ts.isCallExpression(node) ? `${wait}(${api.args(node).join(", ")})` : wait
    },
    unsafeDone: "doneUnsafe",
    unsafeMake: (node, api) => {
      if (!api.ts.isCallExpression(node)) return undefined
      const types = node.typeArguments === undefined ? "" : `<${node.typeArguments.map(api.render).join(", ")}>`
      return `${api.use(node, "effect/Deferred", "makeUnsafe")}${types}()`
    }
  },
  "effect/ExecutionStrategy": {
    parallel: () => "\"parallel\"",
    sequential: () => "\"sequential\""
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
    flatten: call(([exit], node, api) =>
      `${api.use(node, "effect/Exit", "match")}(${exit}, { onFailure: ${
        api.use(node, "effect/Exit", "failCause")
      }, onSuccess: ${api.use(node, "effect/Function", "identity")} })`
    )
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
    interruptFork: call(([fiber], node, api) =>
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
    poll: call(([fiber], node, api) =>
      `${E(api, node, "sync")}(() => ${api.use(node, "effect/Option", "fromNullishOr")}(${fiber}.pollUnsafe()))`
    )
  },
  "effect/FiberId": { none: () => "undefined" },
  // Of the tests alone: a fiber's own value is a reference of its context.
  "effect/FiberRef": {
    FiberRef: "effect/Context#Reference",
    currentMinimumLogLevel: "effect/References#MinimumLogLevel",
    get: call(([ref]) => ref),
    make: call((args, node, api) =>
      `${E(api, node, "sync")}(() => ${api.own("test/support/references.ts", "makeReference")}(${args.join(", ")}))`
    ),
    set: call((args, _node, api) => `${api.own("test/support/references.ts", "setReference")}(${args.join(", ")})`),
    unsafeMake: call((args, _node, api) =>
      `${api.own("test/support/references.ts", "makeReference")}(${args.join(", ")})`
    )
  },
  "effect/Scope": { extend: "provide", CloseableScope: "Closeable" }
}
