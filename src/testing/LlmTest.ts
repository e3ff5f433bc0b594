/**
 * Specs without a network: a provider that follows a script and remembers its requests, and a logger that remembers the
 * events. Needs no test runner.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type * as LlmError from "../domain/LlmError.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import { LlmResponse } from "../domain/LlmResponse.js"
import * as StreamPart from "../domain/StreamPart.js"
import * as Check from "../internal/check.js"
import * as LlmProvider from "../LlmProvider.js"
import { type Asked, fail, settle } from "./llmTest/answers.js"
import { type Exchange, type Load, recorder } from "./llmTest/exchanges.js"
import * as Others from "./llmTest/others.js"
import { mismatch, repeat, type Script, ScriptNotDone, toStep, UnexpectedRequest } from "./llmTest/script.js"

export {
  type Answer,
  type Exact,
  fail,
  type Failure,
  object,
  type Reply,
  type ReplyFields,
  stream,
  type Streamed,
  streamExactly,
  text,
  toolCalls,
  type Value
} from "./llmTest/answers.js"
export {
  awaitEvent,
  eventCounts,
  eventLine,
  eventLines,
  Events,
  events,
  eventsOf,
  type EventsService,
  layerLogger
} from "./llmTest/events.js"
export type { Exchange, Load } from "./llmTest/exchanges.js"
export type { CountScript, EmbedScript, Others, Vectors } from "./llmTest/others.js"
export { type Match, repeat, type Script, ScriptNotDone, type Step, UnexpectedRequest, when } from "./llmTest/script.js"

/**
 * The memory of a scripted provider.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** The requests, in order. */
  readonly requests: Effect.Effect<ReadonlyArray<LlmRequest>>
  /** The requests with their times and outcomes, in order. */
  readonly exchanges: Effect.Effect<ReadonlyArray<Exchange>>
  /** Requests in flight, the most at the same time, and aborted ones. */
  readonly load: Effect.Effect<Load>
  /** The start and the end of each request in a line, in order: `call 1 at 0`, `call 1 answered at 250`. */
  readonly timeline: Effect.Effect<ReadonlyArray<string>>
  /** Dies with `ScriptNotDone` if a step is left that answers a limited number of requests. */
  readonly assertDone: Effect.Effect<void>
}

/**
 * A scripted provider as a value, for programs with several of them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Scripted extends Service {
  readonly provider: LlmProvider.Service
  /** The provider as a layer. Its memory is the same in each build. */
  readonly layer: Layer.Layer<LlmProvider.LlmProvider>
}

/**
 * The memory of the scripted provider.
 *
 * @since 0.1.0
 * @category services
 */
export class LlmTest extends Context.Tag("effect-llm/testing/LlmTest")<LlmTest, Service>() {}

/**
 * Options of a scripted provider.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Others.Others {
  /** Its name. Default: "test". */
  readonly name?: string | undefined
  /** Its address. Default: "memory:". */
  readonly endpoint?: string | undefined
  /** The JSON Schema that it understands; `undefined`: none. Default: "plain". */
  readonly schemaDialect?: LlmProvider.Service["schemaDialect"]
  /**
   * Whether the steps are used in order: a request must match the first step that is not used up. Default: false; the
   * first matching step that is not used up answers.
   */
  readonly inOrder?: boolean | undefined
}

/** The response at the end of a stream. */
const responseOf = <E>(parts: Stream.Stream<StreamPart.StreamPart, E>): Effect.Effect<LlmResponse, E> =>
  Effect.flatMap(Stream.runLast(parts), (last) =>
    last._tag === "Some" && last.value._tag === "Finish"
      ? Effect.succeed(last.value.response)
      : Effect.dieMessage("A scripted stream has no Finish"))

/**
 * Makes a scripted provider at once, outside of an Effect. See `make`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const unsafeMake = (script: Script, options: Options = {}): Scripted => {
  const { endpoint = "memory:", inOrder = false, name = "test" } = options
  const schemaDialect = "schemaDialect" in options ? options.schemaDialect : "plain"
  const records = recorder()
  const { stream: recordStream, whole, ...memory } = records
  const steps = script.map(toStep).map((step, i) => ({
    ...step,
    times: step.times === Infinity ? Infinity : Check.integer(`times of step ${i + 1}`, step.times, 1),
    used: 0
  }))
  const isLeft = ({ times, used }: typeof steps[number]): boolean => used < times

  type Operation = Asked["operation"]

  const why = (step: typeof steps[number], request: LlmRequest, operation: Operation): string =>
    isLeft(step)
      ? mismatch(step.match, request, operation).join("; ") || "matches, but it is not its turn"
      : `used up after ${step.used}`

  const next = (request: LlmRequest, operation: Operation): typeof steps[number] | undefined => {
    const candidates = steps.filter(isLeft)
    return (inOrder ? candidates.slice(0, 1) : candidates)
      .find(({ match }) => mismatch(match, request, operation).length === 0)
  }

  const answer = (operation: Operation, request: LlmRequest) =>
    Effect.suspend(() => {
      const step = next(request, operation)
      if (step === undefined) {
        return Effect.die(
          new UnexpectedRequest({ request, steps: steps.map((step) => why(step, request, operation)) })
        )
      }
      return settle(step.answer, { n: ++step.used, operation, request, provider: name })
    })

  const call = (request: LlmRequest) =>
    whole(
      "call",
      request,
      Effect.flatMap(
        answer("call", request),
        (answered) => answered instanceof LlmResponse ? Effect.succeed(answered) : responseOf(answered)
      )
    )

  const stream = (request: LlmRequest) =>
    recordStream(
      request,
      Stream.unwrap(
        Effect.map(answer("stream", request), (answered) =>
          answered instanceof LlmResponse ? Stream.fromIterable(StreamPart.fromResponse(answered)) : answered)
      )
    )

  const assertDone = Effect.flatMap(memory.requests, (requests) => {
    const left = steps.flatMap(({ times, used }, i) =>
      times !== Infinity && used < times ? [`step ${i + 1}: used ${used} of ${times} times`] : []
    )
    return left.length === 0 ? Effect.void : Effect.die(new ScriptNotDone({ left, requests }))
  })

  const provider = LlmProvider.make({
    name,
    endpoint,
    schemaDialect,
    call,
    stream,
    ...Others.make(options, name, records)
  })
  return { ...memory, assertDone, provider, layer: Layer.succeed(LlmProvider.LlmProvider, provider) }
}

/**
 * Makes a scripted provider as a value, for programs with several of them: each has its own script and memory.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Fallback, LlmClient, LlmError } from "effect-llm"
 * import { LlmTest } from "effect-llm/testing"
 *
 * const spec = Effect.gen(function*() {
 *   const primary = yield* LlmTest.make([LlmTest.repeat(LlmTest.fail(LlmError.Overloaded.make({})))], { name: "primary" })
 *   const reserve = yield* LlmTest.make(["Elbe"], { name: "reserve" })
 *   const { text } = yield* LlmClient.call({ model: "gpt-4o-mini", prompt: "Name a river." }).pipe(
 *     Effect.provide(LlmClient.layerDefault()),
 *     Effect.provide(Fallback.to(primary.layer, reserve.layer))
 *   )
 *   return { text, timeline: yield* reserve.timeline }
 * })
 * ```
 */
export const make = (script: Script, options: Options = {}): Effect.Effect<Scripted> =>
  Effect.sync(() => unsafeMake(script, options))

/**
 * A provider that follows a script and needs no network. `stream` gives the same answers as `call`: in one piece,
 * unless the script splits it (`LlmTest.stream`).
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmClient, LlmError } from "effect-llm"
 * import { LlmTest } from "effect-llm/testing"
 *
 * const program = LlmClient.call({ model: "gpt-4o-mini", prompt: "Name a river." })
 *
 * const spec = Effect.gen(function*() {
 *   const response = yield* program
 *   const requests = yield* LlmTest.requests
 *   yield* LlmTest.assertDone
 *   return { answer: response.text, asked: requests.length } // => { answer: "Elbe", asked: 2 }
 * }).pipe(
 *   Effect.provide(LlmClient.layerDefault({ retry: { base: "1 millis" } })),
 *   Effect.provide(LlmTest.layer([
 *     LlmTest.fail(LlmError.Overloaded.make({})),
 *     LlmTest.text("Elbe").pipe(Effect.delay("10 millis"))
 *   ]))
 * )
 * ```
 */
export const layer = (script: Script, options: Options = {}): Layer.Layer<LlmProvider.LlmProvider | LlmTest> =>
  Layer.effectContext(
    Effect.map(
      make(script, options),
      ({ provider, ...memory }) => Context.make(LlmTest, memory).pipe(Context.add(LlmProvider.LlmProvider, provider))
    )
  )

/**
 * A provider that answers each request with its own prompt.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmClient } from "effect-llm"
 * import { LlmTest } from "effect-llm/testing"
 *
 * const spec = LlmClient.call({ model: "gpt-4o-mini", prompt: "Elbe" }).pipe(
 *   Effect.map((response) => response.text), // => "Elbe"
 *   Effect.provide(LlmClient.layerDefault()),
 *   Effect.provide(LlmTest.layerEcho)
 * )
 * ```
 */
export const layerEcho: Layer.Layer<LlmProvider.LlmProvider | LlmTest> = layer([repeat((request) => request.prompt)])

/**
 * A provider that fails each request.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { LlmError } from "effect-llm"
 * import { LlmTest } from "effect-llm/testing"
 *
 * const provider = LlmTest.layerFailing(LlmError.QuotaExhausted.make({}))
 * ```
 */
export const layerFailing = (
  reason: LlmError.Reason | LlmError.LlmError
): Layer.Layer<LlmProvider.LlmProvider | LlmTest> => layer([repeat(fail(reason))])

/**
 * The requests that the provider got, in order.
 *
 * @since 0.1.0
 * @category accessors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmTest } from "effect-llm/testing"
 *
 * const prompts = Effect.map(LlmTest.requests, (requests) => requests.map((request) => request.prompt))
 * ```
 */
export const requests: Effect.Effect<ReadonlyArray<LlmRequest>, never, LlmTest> = Effect.flatMap(
  LlmTest,
  (test) => test.requests
)

/**
 * The requests with their times and outcomes, in order.
 *
 * @since 0.1.0
 * @category accessors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmTest } from "effect-llm/testing"
 *
 * // The wait of a program between its first request and its second.
 * const wait = Effect.map(LlmTest.exchanges, ([first, second]) => (second?.startedAt ?? NaN) - (first?.endedAt ?? NaN))
 * ```
 */
export const exchanges: Effect.Effect<ReadonlyArray<Exchange>, never, LlmTest> = Effect.flatMap(
  LlmTest,
  (test) => test.exchanges
)

/**
 * Requests in flight, the most at the same time, and aborted ones.
 *
 * @since 0.1.0
 * @category accessors
 */
export const load: Effect.Effect<Load, never, LlmTest> = Effect.flatMap(LlmTest, (test) => test.load)

/**
 * The start and the end of each request in a line, in order, in milliseconds of the Clock: `call 1 at 0`,
 * `call 1 aborted at 30000`.
 *
 * @since 0.1.0
 * @category accessors
 */
export const timeline: Effect.Effect<ReadonlyArray<string>, never, LlmTest> = Effect.flatMap(
  LlmTest,
  (test) => test.timeline
)

/**
 * Checks that nothing is left of the script: dies with `ScriptNotDone` otherwise.
 *
 * @since 0.1.0
 * @category accessors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmTest } from "effect-llm/testing"
 *
 * const checked = <A, E, R>(spec: Effect.Effect<A, E, R>) => Effect.zipLeft(spec, LlmTest.assertDone)
 * ```
 */
export const assertDone: Effect.Effect<void, never, LlmTest> = Effect.flatMap(LlmTest, (test) => test.assertDone)
