import { call } from "./forms.mjs"

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

const cause = {
  failureOption: "findErrorOption",
  dieOption: call(([cause], node, api) =>
    `${api.use(node, "effect/Result", "getSuccess")}(${api.use(node, "effect/Cause", "findDefect")}(${cause}))`
  ),
  // Its options are those of a logger.
  pretty: (node, api) => {
    const pretty = api.use(node, "effect/Cause", "pretty")
    return api.ts.isCallExpression(node) ? `${pretty}(${api.args(node)[0]})` : pretty
  },
  failures: call(([cause], node, api) =>
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
  decodeUnknown: call(([value], node, api) =>
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

/** Values that hold nothing running. */
export const data = {
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
  "effect/Cause": cause,
  "effect/Duration": duration,
  "effect/Either": either,
  "effect/Encoding": {
    decodeBase64: "decode",
    encodeBase64: "encode",
    encodeHex: "effect/encoding/Hex#encode"
  },
  "effect/Inspectable": { toJSON: "toJson", format: "effect/Formatter#format" },
  "effect/Option": {
    filterMap: "flatMap",
    flatMapNullable: "flatMapNullishOr",
    fromNullable: "fromNullishOr"
  },
  "effect/Predicate": { isRecord: "isObject", isRecordOrArray: "isObjectOrArray" }
}
