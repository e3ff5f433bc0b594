import { call, dies, dual, E, flow, O, S } from "./forms.mjs"

/** An effect that ends a stream by failing with `None`, as one that ends it with `Cause.done`. */
const ended = (pull, api, node) =>
  `${E(api, node, "catch")}(${pull}, ${api.use(node, "effect/Option", "match")}({ onNone: () => ${
    api.use(node, "effect/Cause", "done")
  }(), onSome: ${E(api, node, "fail")} }))`

/** A function that returns an `Option`, as the filter of Effect 4 that returns a `Result`. */
const filter = (f, api, node) =>
  `(value) => ${api.use(node, "effect/Result", "fromOption")}((${f})(value), () => undefined)`

const stream = {
  StreamTypeId: "TypeId",
  acquireRelease: call(([acquire, release], node, api) =>
    `${S(api, node, "scoped")}(${S(api, node, "fromEffect")}(${
      E(api, node, "acquireRelease")
    }(${acquire}, ${release})))`
  ),
  catchAll: "catch",
  catchAllCause: "catchCause",
  concatAll: call(([streams], node, api) => `${S(api, node, "flatten")}(${S(api, node, "fromIterable")}(${streams}))`),
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
  paginateEffect: call(([from, f], node, api) =>
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
  runFold: dual(
    3,
    (self, [initial, f], api, node) => `${S(api, node, "runFold")}(${self}, () => (${initial}), ${f})`
  ),
  runFoldEffect: dual(
    3,
    (self, [initial, f], api, node) => `${S(api, node, "runFoldEffect")}(${self}, () => (${initial}), ${f})`
  ),
  repeatEffect: "fromEffectRepeat",
  repeatEffectChunkOption: call(([pull], node, api) =>
    `${S(api, node, "fromIterableEffectRepeat")}(${ended(pull, api, node)})`
  ),
  repeatEffectOption: call(([pull], node, api) => `${S(api, node, "fromEffectRepeat")}(${ended(pull, api, node)})`),
  unfold: call(([from, f], node, api) =>
    `${S(api, node, "unfold")}(${from}, ${flow(api, node)}(${f}, ${O(api, node, "getOrUndefined")}, ${
      E(api, node, "succeed")
    }))`
  ),
  unfoldEffect: call(([from, f], node, api) =>
    `${S(api, node, "unfold")}(${from}, ${flow(api, node)}(${f}, ${E(api, node, "map")}(${
      O(api, node, "getOrUndefined")
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
  repeatValue: call(([value], node, api) => `${S(api, node, "forever")}(${S(api, node, "succeed")}(${value}))`),
  tapErrorCause: "tapCause",
  toReadableStreamRuntime: "toReadableStreamWith",
  unwrapScoped: "unwrap"
}

const array = (name) => `effect/Array#${name}`

const chunk = {
  Chunk: array("Chunk"),
  NonEmptyChunk: array("NonEmptyReadonlyArray"),
  fromIterable: "fromIterable",
  isEmpty: "isReadonlyArrayEmpty",
  isNonEmpty: "isReadonlyArrayNonEmpty",
  size: "length",
  unsafeFromArray: call(([values]) => values),
  unsafeHead: call(([values], node, api) => `${api.use(node, "effect/Array", "getUnsafe")}(${values}, 0)`),
  unsafeGet: "getUnsafe",
  toReadonlyArray: (node, api) =>
    api.ts.isCallExpression(node) ? api.args(node)[0] : api.use(node, "effect/Function", "identity"),
  toArray: (node, api) =>
    api.ts.isCallExpression(node) ? `[...${api.args(node)[0]}]` : api.use(node, "effect/Array", "fromIterable")
}

/** Streams and their chunks. */
export const streams = {
  "effect/Channel": { void: "empty", write: "succeed" },
  "effect/Chunk": chunk,
  "effect/Stream": stream
}
