import { assert } from "@effect/vitest"
import * as LlmError from "effect-llm/LlmError"
import type * as LlmRequest from "effect-llm/LlmRequest"
import { LlmResponse, withoutRaw } from "effect-llm/LlmResponse"
import * as Cause from "effect/Cause"
import type * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Inspectable from "effect/Inspectable"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import { inspect } from "node:util"

// ---------------------------------------------------------------------------------------------------------------------
// What must not be seen
// ---------------------------------------------------------------------------------------------------------------------

export const request: LlmRequest.Input = {
  model: "model-1",
  system: "You work for project Nachtfalke-Zwölf.\nNever tell \"outsiders\".\nThe code is amber-falcon-93.",
  messages: [
    {
      role: "user",
      content:
        "Patient: Zofia Żółć-Kowalska\nBorn: 1961-04-12\nNumber: 078-05-1120\nNote: \"quux-lemma\" & <b>ibex-77</b>\n" +
        "密码是珊瑚礁\tC:\\secret\\oriole.txt"
    },
    {
      role: "assistant",
      content: [{ _tag: "ToolCall", id: "call_1", name: "look_up", arguments: { account: "DE89370400440532013000" } }]
    },
    {
      role: "tool",
      content: [{
        _tag: "ToolResult",
        id: "call_1",
        name: "look_up",
        result: { balance: "55501.23 Taler", notes: ["row \"x1y2z3w4\"", "row\nwren-8842"] }
      }]
    },
    { role: "user", content: "Finch-2209?" }
  ],
  tools: [{
    name: "look_up",
    description: "Looks into the ledger of the house Steinadler & Partner.",
    parameters: { type: "object", properties: { account: { type: "string" } } }
  }]
}

/** Pieces of the above. None of them occurs in what a server says by itself. */
const pieces = [
  "Nachtfalke",
  "outsiders",
  "amber-falcon",
  "Zofia",
  "Kowalska",
  "1961-04-12",
  "078-05-1120",
  "quux-lemma",
  "ibex-77",
  "珊瑚",
  "oriole",
  "DE8937040",
  "55501.23",
  "x1y2z3w4",
  "wren-8842",
  "Finch-2209",
  "Steinadler"
]

export const key = "zk9Lq2Vw8XrT5mNc7Bd4Hj6Fp3Gs1Ky0"

export const gatewaySecret = "gw.Pz4+Rt6/Uv8=Wx1~Yb3"

export interface Secret {
  readonly name: string
  /** Any of these gives it away. */
  readonly traces: ReadonlyArray<string>
}

export const escaped = (text: string) =>
  text.replace(/[^\x20-\x7E]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** Pieces of a key, of which every part that could be of use holds one whole. */
const partsOf = (text: string, length: number): ReadonlyArray<string> =>
  text.length <= length
    ? [text]
    : Array.from({ length: Math.floor(text.length / length) }, (_, n) => text.slice(n * length, (n + 1) * length))

/** Six digits of a hexadecimal text stand by chance in the nanoseconds of a moment; twelve do not. */
const lengthOfParts = (text: string): number => /^[\da-f]+$/i.test(text) ? 12 : 6

export const keySecret = (name: string, text: string): Secret => ({
  name,
  traces: [
    ...partsOf(text, lengthOfParts(text)),
    ...partsOf(encodeURIComponent(text), 12),
    ...partsOf(Buffer.from(text).toString("base64"), 12)
  ]
})

export const secrets: ReadonlyArray<Secret> = [
  keySecret("the key", key),
  keySecret("the header", gatewaySecret),
  ...pieces.map((piece) => ({ name: `the prompt's ${piece}`, traces: [piece, escaped(piece)] }))
]

/** Where a text gives something away: with what stands around it. */
export const leaksIn = (text: string, hidden: ReadonlyArray<Secret>): ReadonlyArray<string> =>
  hidden.flatMap(({ name, traces }) => {
    const at = traces.map((trace) => text.indexOf(trace)).find((at) => at >= 0)
    return at === undefined ? [] : [`${name}: …${text.slice(Math.max(0, at - 80), at + 80)}…`]
  })

export const assertClean = (where: string, text: string, hidden: ReadonlyArray<Secret> = secrets) =>
  assert.deepStrictEqual(leaksIn(text, hidden), [], where)

// ---------------------------------------------------------------------------------------------------------------------
// All that can be seen
// ---------------------------------------------------------------------------------------------------------------------

export const bare = { customInspect: false, depth: null, showHidden: true, maxStringLength: null } as const

export const full = { depth: null, showHidden: true, maxStringLength: null } as const

/** A value in every way in which programs print one. */
export const printed = (value: unknown): ReadonlyArray<readonly [how: string, text: string]> => [
  ["String", String(value)],
  ["JSON.stringify", JSON.stringify(value) ?? ""],
  ["inspect", inspect(value, full)],
  ["inspect without manners", inspect(value, bare)],
  ["Inspectable", Inspectable.toStringUnknown(value)],
  ["format", Inspectable.format(value)]
]

const encode = Schema.encodeSync(LlmError.LlmError)

/** An error in every way in which programs print or store one. */
export const printedError = (error: LlmError.LlmError): ReadonlyArray<readonly [how: string, text: string]> => [
  ...printed(error),
  ...printed(error.reason),
  ...printed(Exit.fail(error)),
  ...printed(Cause.parallel(Cause.fail(error), Cause.die(error))),
  ["message", error.message],
  ["stack", error.stack ?? ""],
  ["Cause.pretty", Cause.pretty(Cause.fail(error), { renderErrorCause: true })],
  ["an error around it", inspect(new Error("outer", { cause: error }), full)],
  ["Schema", JSON.stringify(encode(error))]
]

/** A console that keeps what is written. */
const makeConsole = (lines: Array<string>): Console.Console => {
  const write = (...values: ReadonlyArray<unknown>) =>
    void lines.push(values.map((value) => inspect(value, full)).join(" "))
  const unsafe = new Proxy(globalThis.console, { get: () => write })
  return new Proxy<Console.Console>({} as Console.Console, {
    get: (_, name) =>
      name === "unsafe" ? unsafe : (...values: ReadonlyArray<unknown>) => Effect.sync(() => write(...values))
  })
}

/** A tracer that keeps everything that spans receive. */
const makeTracer = (lines: Array<string>): Tracer.Tracer =>
  Tracer.make({
    context: (f) => f(),
    span: (name, parent, context, links, startTime, kind) => {
      const told = (...values: ReadonlyArray<unknown>) =>
        void lines.push(values.map((value) => inspect(value, full)).join(" "))
      told(name, links)
      return {
        _tag: "Span",
        name,
        spanId: "s",
        traceId: "t",
        parent,
        context,
        status: { _tag: "Started", startTime },
        attributes: new Map(),
        links,
        sampled: true,
        kind,
        end: (_, exit) => {
          // The body of an answer may repeat the request. It is the caller's, and no exporter sends what a span ended with.
          told("end", Exit.map(exit, (value) => value instanceof LlmResponse ? withoutRaw(value) : value))
          if (Exit.isFailure(exit)) told(Cause.pretty(exit.cause, { renderErrorCause: true }))
        },
        attribute: told,
        event: told,
        addLinks: told
      }
    }
  })

const loggers = [
  Logger.defaultLogger,
  Logger.stringLogger.pipe(Logger.withConsoleLog),
  Logger.logfmtLogger.pipe(Logger.withConsoleLog),
  Logger.jsonLogger.pipe(Logger.withConsoleLog),
  Logger.structuredLogger.pipe(Logger.withConsoleLog),
  Logger.prettyLogger({ colors: false, mode: "tty" }),
  Logger.prettyLogger({ mode: "browser" }),
  Logger.tracerLogger
]

/** Runs a program with all that watches it, and gives what was written. */
export const watched = <A, E, R>(program: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const written: Array<string> = []
    return program.pipe(
      Effect.withSpan("program"),
      Effect.withTracer(makeTracer(written)),
      Effect.provide(Layer.mergeAll(Logger.remove(Logger.defaultLogger), ...loggers.map(Logger.add))),
      Logger.withMinimumLogLevel(LogLevel.All),
      Effect.withConsole(makeConsole(written)),
      Effect.map((value) => ({ value, written }))
    )
  })
