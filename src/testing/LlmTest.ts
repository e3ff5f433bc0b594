/**
 * Specs without a network: a provider that follows a script and records its requests, and a logger that records events.
 * Needs no test runner.
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
import { mismatch, repeat, type Script, ScriptNotDone, toStep, UnexpectedRequest } from "./llmTest/script.js"

export {
  type Answer,
  fail,
  object,
  type Reply,
  type ReplyFields,
  stream,
  type Streamed,
  text,
  toolCalls,
  type Value
} from "./llmTest/answers.js"
export {
  awaitEvent,
  eventCounts,
  eventLines,
  Events,
  events,
  eventsOf,
  type EventsService,
  layerLogger
} from "./llmTest/events.js"
export { type Match, repeat, type Script, ScriptNotDone, type Step, UnexpectedRequest, when } from "./llmTest/script.js"

/**
 * The record of a scripted provider.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** The requests that it received, in order. */
  readonly requests: Effect.Effect<ReadonlyArray<LlmRequest>>
  /** Dies with `ScriptNotDone` if a step that answers a limited number of requests is not used up. */
  readonly assertDone: Effect.Effect<void>
}

/**
 * The record of a scripted provider.
 *
 * @since 0.1.0
 * @category services
 */
export class LlmTest extends Context.Tag("effect-llm/testing/LlmTest")<LlmTest, Service>() {}

/**
 * The options of a scripted provider.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Its name. Default: "test". */
  readonly name?: string | undefined
  /** Its address. Default: "memory:". */
  readonly endpoint?: string | undefined
  /**
   * Whether the steps are used in order: a request must match the first step that is not used up. Default: false, the
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
 * A provider that follows a script and needs no network. `stream` gives the same answers as `call`, in one piece or, with
 * `LlmTest.stream`, part by part. A request that no step answers is a defect, `UnexpectedRequest`.
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
  Layer.effectContext(Effect.sync(() => {
    const { endpoint = "memory:", inOrder = false, name = "test" } = options
    const requests: Array<LlmRequest> = []
    const steps = script.map(toStep).map((step, i) => ({
      ...step,
      times: step.times === Infinity ? Infinity : Check.integer(`times of step ${i + 1}`, step.times, 1),
      used: 0
    }))
    const isLeft = ({ times, used }: typeof steps[number]): boolean => used < times

    const whyNot = (step: typeof steps[number], request: LlmRequest): string =>
      isLeft(step)
        ? mismatch(step.match, request).join("; ") || "matches, but it is not its turn"
        : `used up after ${step.used}`

    const next = (request: LlmRequest): typeof steps[number] | undefined => {
      const candidates = steps.filter(isLeft)
      return (inOrder ? candidates.slice(0, 1) : candidates).find(({ match }) => mismatch(match, request).length === 0)
    }

    const answer = (operation: Asked["operation"], request: LlmRequest) =>
      Effect.suspend(() => {
        requests.push(request)
        const step = next(request)
        if (step === undefined) {
          return Effect.die(new UnexpectedRequest({ request, steps: steps.map((step) => whyNot(step, request)) }))
        }
        step.used++
        return settle(step.answer, { operation, request, provider: name })
      })

    const call = (request: LlmRequest) =>
      Effect.flatMap(
        answer("call", request),
        (answered) => answered instanceof LlmResponse ? Effect.succeed(answered) : responseOf(answered)
      )

    const stream = (request: LlmRequest) =>
      Stream.unwrap(
        Effect.map(answer("stream", request), (answered) =>
          answered instanceof LlmResponse ? Stream.fromIterable(StreamPart.fromResponse(answered)) : answered)
      )

    const assertDone = Effect.suspend(() => {
      const left = steps.flatMap(({ times, used }, i) =>
        times !== Infinity && used < times ? [`step ${i + 1}: used ${used} of ${times} times`] : []
      )
      return left.length === 0 ? Effect.void : Effect.die(new ScriptNotDone({ left, requests: [...requests] }))
    })

    return Context.make(LlmTest, { requests: Effect.sync(() => [...requests]), assertDone }).pipe(
      Context.add(LlmProvider.LlmProvider, LlmProvider.make({ name, endpoint, schemaDialect: "plain", call, stream }))
    )
  }))

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
 * The requests that the provider received, in order.
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
 * Checks that the script is used up; if not, dies with `ScriptNotDone`.
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
