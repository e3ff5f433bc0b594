/**
 * Specs without a network: a provider that follows a script and remembers what it was asked, and a logger that
 * remembers what was reported. Needs no test runner.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { isTagged } from "effect/Predicate"
import * as LlmError from "../domain/LlmError.js"
import type * as LlmEvent from "../domain/LlmEvent.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import * as Message from "../domain/Message.js"
import * as Check from "../domain/options.js"
import * as LlmLogger from "../LlmLogger.js"
import * as LlmProvider from "../LlmProvider.js"
import { countTokens } from "./simulator/prompt.js"

// ---------------------------------------------------------------------------------------------------------------------
// Answers
// ---------------------------------------------------------------------------------------------------------------------

/**
 * What an answer may say beyond its content. Default: finish reason `stop` (or `tool_calls`), and a usage that counts
 * one token for four bytes of text.
 *
 * @since 0.1.0
 * @category models
 */
export type ReplyFields = Partial<Omit<Parameters<typeof LlmResponse.make>[0], "parts" | "model" | "provider">>

/**
 * An answer that takes its model from the request and its provider from the script.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reply {
  readonly _tag: "Reply"
  readonly parts: ReadonlyArray<Message.ResponsePart>
  readonly fields: ReplyFields
}

/**
 * What a request may be answered with: a text, a reply, a whole response, or something to fail with.
 *
 * @since 0.1.0
 * @category models
 */
export type Value = string | Reply | LlmResponse.LlmResponse | LlmError.Reason | LlmError.LlmError

/**
 * A value, an `Effect` of one, or a function of the request that gives either. A reason or an `LlmError`, as a value or
 * as the failure of the Effect, fails the request.
 *
 * @since 0.1.0
 * @category models
 */
export type Answer =
  | Value
  | Effect.Effect<Value, LlmError.Reason | LlmError.LlmError>
  | ((request: LlmRequest) => Value | Effect.Effect<Value, LlmError.Reason | LlmError.LlmError>)

const reply = (parts: ReadonlyArray<Message.ResponsePart>, fields: ReplyFields): Effect.Effect<Reply> =>
  Effect.succeed({ _tag: "Reply", parts, fields })

/**
 * Answers with a text. As an Effect it can be delayed, on the Clock:
 * `LlmTest.text("Elbe").pipe(Effect.delay("1 second"))`.
 *
 * @since 0.1.0
 * @category answers
 */
export const text = (text: string, fields: ReplyFields = {}): Effect.Effect<Reply> =>
  reply([Message.Text.make({ text })], fields)

/**
 * Answers with a value as JSON: a structured answer.
 *
 * @since 0.1.0
 * @category answers
 */
export const object = (value: unknown, fields: ReplyFields = {}): Effect.Effect<Reply> =>
  text(JSON.stringify(value), fields)

/**
 * Answers with calls of tools. Without an `id`, the calls are `call_1`, `call_2` ...
 *
 * @since 0.1.0
 * @category answers
 */
export const toolCalls = (
  calls: ReadonlyArray<{ readonly name: string; readonly arguments: unknown; readonly id?: string | undefined }>,
  fields: ReplyFields = {}
): Effect.Effect<Reply> =>
  reply(
    calls.map((call, i) => Message.ToolCall.make({ ...call, id: call.id ?? `call_${i + 1}` })),
    { finishReason: "tool_calls", ...fields }
  )

/**
 * Fails, for a reason or with a whole error.
 *
 * @since 0.1.0
 * @category answers
 */
export const fail = <E extends LlmError.Reason | LlmError.LlmError>(reason: E): Effect.Effect<never, E> =>
  Effect.fail(reason)

// ---------------------------------------------------------------------------------------------------------------------
// Scripts
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Which requests a step answers: those whose prompt holds a text or fits a pattern, those of a model, or those of which
 * a predicate holds.
 *
 * @since 0.1.0
 * @category models
 */
export type Match =
  | string
  | RegExp
  | { readonly model?: string | undefined; readonly text?: string | RegExp | undefined }
  | ((request: LlmRequest) => boolean)

/**
 * One step of a script: which requests it answers, with what, and how many of them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Step {
  readonly _tag: "Step"
  /** Absent: any request. */
  readonly match?: Match | undefined
  readonly answer: Answer
  readonly times: number
}

/**
 * What a provider answers. Each request is answered by the first step that matches it and is not used up. A plain
 * answer matches any request and answers one; `when` and `repeat` say otherwise. So a list of plain answers is followed
 * in order, and a list of rules in no order.
 *
 * @since 0.1.0
 * @category models
 */
export type Script = ReadonlyArray<Answer | Step>

const isStep = (value: unknown): value is Step => isTagged(value, "Step")

const toStep = (answer: Answer | Step): Step => isStep(answer) ? answer : { _tag: "Step", answer, times: 1 }

/**
 * A rule: answers every request that matches.
 *
 * @since 0.1.0
 * @category scripts
 * @example
 * ```ts
 * import { LlmTest } from "effect-llm/testing"
 *
 * const script: LlmTest.Script = [
 *   LlmTest.when({ model: "gpt-4o-mini", text: "rivers" }, "Elbe, Oder, Rhine"),
 *   LlmTest.when(/lakes?/i, LlmTest.object({ lakes: ["Müritz"] })),
 *   LlmTest.when((request) => request.tools !== undefined, LlmTest.toolCalls([{ name: "look", arguments: {} }]))
 * ]
 * ```
 */
export const when = (match: Match, answer: Answer): Step => ({ _tag: "Step", match, answer, times: Infinity })

/**
 * Answers so many requests, in place of one for a plain answer and of any number for a rule. Default: any number.
 *
 * @since 0.1.0
 * @category scripts
 */
export const repeat = (answer: Answer | Step, times = Infinity): Step => ({ ...toStep(answer), times })

const fits = (pattern: string | RegExp, text: string): boolean =>
  typeof pattern === "string" ? text.includes(pattern) : text.search(pattern) >= 0

/** Why a request does not match: nothing if it does. */
const mismatch = (match: Match | undefined, request: LlmRequest): string | undefined => {
  if (match === undefined) return undefined
  if (typeof match === "function") return match(request) ? undefined : "its predicate does not hold"
  if (typeof match === "string" || match instanceof RegExp) return mismatch({ text: match }, request)
  if (match.model !== undefined && match.model !== request.model) return `wants the model ${show(match.model)}`
  return match.text === undefined || fits(match.text, request.prompt) ? undefined : `wants the text ${show(match.text)}`
}

const show = (value: string | RegExp): string => {
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value)
  return shown.length > 200 ? `${shown.slice(0, 199)}…` : shown
}

const describeRequest = (request: LlmRequest): string => `model ${show(request.model)}, prompt ${show(request.prompt)}`

/**
 * A request that no step of the script answers. It is a mistake of the spec, so it comes as a defect: it is never
 * retried, no other provider is asked, and the spec fails with this message.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnexpectedRequest extends Data.TaggedError("UnexpectedRequest")<{
  readonly request: LlmRequest
  /** For each step of the script, why it did not answer. */
  readonly steps: ReadonlyArray<string>
}> {
  override get message(): string {
    return [
      `No step of the script answers this request: ${describeRequest(this.request)}`,
      ...this.steps.length === 0 ? ["The script is empty."] : this.steps.map((why, i) => `  step ${i + 1}: ${why}`)
    ].join("\n")
  }
}

/**
 * A script of which something is left.
 *
 * @since 0.1.0
 * @category errors
 */
export class ScriptNotDone extends Data.TaggedError("ScriptNotDone")<{
  /** The steps that are left. */
  readonly left: ReadonlyArray<string>
  readonly requests: ReadonlyArray<LlmRequest>
}> {
  override get message(): string {
    return [
      `${this.left.length} of the script's steps are left:`,
      ...this.left.map((step) => `  ${step}`),
      `after ${this.requests.length} requests:`,
      ...this.requests.map((request) => `  ${describeRequest(request)}`)
    ].join("\n")
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// The provider
// ---------------------------------------------------------------------------------------------------------------------

/**
 * What a scripted provider remembers.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** What it was asked, in order. */
  readonly requests: Effect.Effect<ReadonlyArray<LlmRequest>>
  /** Dies with `ScriptNotDone` if a step is left that answers a limited number of requests. */
  readonly assertDone: Effect.Effect<void>
}

/**
 * The memory of a scripted provider.
 *
 * @since 0.1.0
 * @category services
 */
export class LlmTest extends Context.Tag("effect-llm/testing/LlmTest")<LlmTest, Service>() {}

/**
 * How a scripted provider presents itself.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Its name. Default: "test". */
  readonly name?: string | undefined
  /** Its address. Default: "memory:". */
  readonly endpoint?: string | undefined
}

const inputText = ({ messages, system = "" }: LlmRequest): string => system + messages.map(Message.text).join("")

const outputText = (parts: Reply["parts"]): string =>
  parts.map((part) => part._tag === "ToolCall" ? JSON.stringify(part.arguments) : part.text ?? "").join("")

const toResponse = ({ fields, parts }: Reply, request: LlmRequest, provider: string): LlmResponse.LlmResponse =>
  LlmResponse.make({
    finishReason: "stop",
    usage: { inputTokens: countTokens(inputText(request)), outputTokens: countTokens(outputText(parts)) },
    ...fields,
    parts,
    model: request.model,
    provider
  })

const settle = (
  answer: Answer,
  request: LlmRequest,
  provider: string
): Effect.Effect<LlmResponse.LlmResponse, LlmError.LlmError> => {
  if (typeof answer === "function") return settle(answer(request), request, provider)
  const toError = (failure: LlmError.Reason | LlmError.LlmError): LlmError.LlmError =>
    LlmError.isLlmError(failure)
      ? failure
      : new LlmError.LlmError({ reason: failure, operation: "call", attempts: 1, provider, model: request.model })
  // An `LlmError` is an Effect that fails with itself.
  return Effect.isEffect(answer)
    ? Effect.flatMap(Effect.mapError(answer, toError), (value) => settle(value, request, provider))
    : typeof answer === "string"
    ? Effect.flatMap(text(answer), (reply) => settle(reply, request, provider))
    : answer instanceof LlmResponse.LlmResponse
    ? Effect.succeed(answer)
    : answer._tag === "Reply"
    ? Effect.sync(() => toResponse(answer, request, provider))
    : toError(answer)
}

/**
 * A provider that follows a script and needs no network. `stream` gives the same answers as `call`.
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
    const { endpoint = "memory:", name = "test" } = options
    const requests: Array<LlmRequest> = []
    const steps = script.map(toStep).map((step, i) => ({
      ...step,
      times: step.times === Infinity ? Infinity : Check.integer(`times of step ${i + 1}`, step.times, 1),
      used: 0
    }))
    const status = ({ match, times, used }: typeof steps[number], request: LlmRequest): string =>
      used >= times ? `used up after ${used}` : mismatch(match, request) ?? "matches"

    const call = (request: LlmRequest) =>
      Effect.suspend(() => {
        requests.push(request)
        const step = steps.find(({ match, times, used }) => used < times && mismatch(match, request) === undefined)
        if (step === undefined) {
          return Effect.die(new UnexpectedRequest({ request, steps: steps.map((step) => status(step, request)) }))
        }
        step.used++
        return settle(step.answer, request, name)
      })

    const assertDone = Effect.suspend(() => {
      const left = steps.flatMap(({ times, used }, i) =>
        times !== Infinity && used < times ? [`step ${i + 1}: used ${used} of ${times} times`] : []
      )
      return left.length === 0 ? Effect.void : Effect.die(new ScriptNotDone({ left, requests: [...requests] }))
    })

    return Context.make(LlmTest, { requests: Effect.sync(() => [...requests]), assertDone }).pipe(
      Context.add(LlmProvider.LlmProvider, LlmProvider.make({ name, endpoint, call }))
    )
  }))

/**
 * A provider that answers each request with its own prompt.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerEcho: Layer.Layer<LlmProvider.LlmProvider | LlmTest> = layer([repeat((request) => request.prompt)])

/**
 * A provider that fails each request.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerFailing = (
  reason: LlmError.Reason | LlmError.LlmError
): Layer.Layer<LlmProvider.LlmProvider | LlmTest> => layer([repeat(fail(reason))])

/**
 * What the provider was asked, in order.
 *
 * @since 0.1.0
 * @category accessors
 */
export const requests: Effect.Effect<ReadonlyArray<LlmRequest>, never, LlmTest> = Effect.flatMap(
  LlmTest,
  (test) => test.requests
)

/**
 * Checks that nothing is left of the script: dies with `ScriptNotDone` otherwise.
 *
 * @since 0.1.0
 * @category accessors
 */
export const assertDone: Effect.Effect<void, never, LlmTest> = Effect.flatMap(LlmTest, (test) => test.assertDone)

// ---------------------------------------------------------------------------------------------------------------------
// The logger
// ---------------------------------------------------------------------------------------------------------------------

/**
 * What `layerLogger` remembers.
 *
 * @since 0.1.0
 * @category models
 */
export interface EventsService {
  /** What was reported, in order. */
  readonly events: Effect.Effect<ReadonlyArray<LlmEvent.LlmEvent>>
}

/**
 * The memory of `layerLogger`.
 *
 * @since 0.1.0
 * @category services
 */
export class Events extends Context.Tag("effect-llm/testing/LlmTest/Events")<Events, EventsService>() {}

/**
 * A logger that remembers each event and prints none.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerLogger: Layer.Layer<LlmLogger.LlmLogger | Events> = Layer.effectContext(Effect.sync(() => {
  const events: Array<LlmEvent.LlmEvent> = []
  return Context.make(Events, { events: Effect.sync(() => [...events]) }).pipe(
    Context.add(LlmLogger.LlmLogger, {
      log: (event) =>
        Effect.sync(() => {
          events.push(event)
        })
    })
  )
}))

/**
 * What was reported, in order.
 *
 * @since 0.1.0
 * @category accessors
 */
export const events: Effect.Effect<ReadonlyArray<LlmEvent.LlmEvent>, never, Events> = Effect.flatMap(
  Events,
  (memory) => memory.events
)

/**
 * The events of a name, in order.
 *
 * @since 0.1.0
 * @category accessors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmTest } from "effect-llm/testing"
 *
 * const retries = LlmTest.eventsOf("CallFailed").pipe(
 *   Effect.map((failures) => failures.filter((failure) => failure.willRetry).length)
 * )
 * ```
 */
export const eventsOf = <const Tag extends LlmEvent.LlmEvent["_tag"]>(
  tag: Tag
): Effect.Effect<ReadonlyArray<LlmEvent.EventOf<Tag>>, never, Events> =>
  Effect.map(events, (all) => all.filter((event): event is LlmEvent.EventOf<Tag> => event._tag === tag))
