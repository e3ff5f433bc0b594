import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as LlmError from "../domain/LlmError.js"
import * as LlmRequest from "../domain/LlmRequest.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import * as Message from "../domain/Message.js"
import * as Check from "../internal/check.js"
import * as BoundTool from "../output/boundTool.js"
import * as Issues from "../output/issues.js"
import * as LlmTool from "../output/LlmTool.js"
import * as PlainJson from "../output/plainJson.js"
import * as Elapsed from "../runtime/elapsed.js"
import * as ToolSpan from "../telemetry/toolSpan.js"
import { checked, type Environment } from "./callState.js"
import type { CallOptions } from "./options.js"
import * as ClientOptions from "./options.js"
import { summed } from "./usageTotals.js"

/** What can be set for a run of tools. What a call can be set to goes for the call of each turn. */
export interface RunToolsOptions extends CallOptions {
  /** The most turns of the model. Default: 8. */
  readonly maxSteps?: number | undefined
  /** How many calls of one turn run at the same time. Default: 1, one after another. */
  readonly concurrency?: number | "unbounded" | undefined
  /**
   * How many turns in a row may call a tool that there is not, or with arguments that do not fit. The model is told what
   * is wrong; with one turn more the run fails with `ToolArgumentsInvalid`. Default: 1.
   */
  readonly reask?: number | undefined
  /** The limit of the whole run: all turns and their tools. Default: none; `deadline` limits the call of each turn. */
  readonly runDeadline?: Duration.DurationInput | undefined
}

/** A turn of the model, and what the tools gave back for its calls. */
export interface ToolStep {
  /** Its answer, as `call` gives it. */
  readonly response: LlmResponse.LlmResponse
  /** In the order of the calls. Empty for the last turn. */
  readonly results: ReadonlyArray<Message.ToolResult>
}

/** What came of a run of tools. */
export interface ToolRun {
  /** The last answer, with the usage and the cost of all. */
  readonly response: LlmResponse.LlmResponse
  /** The whole conversation: what was asked, and all turns since. It can go on from here. */
  readonly messages: ReadonlyArray<Message.Message>
  readonly steps: ReadonlyArray<ToolStep>
}

type AskModel = (
  request: LlmRequest.Input,
  options: CallOptions
) => Effect.Effect<LlmResponse.LlmResponse, LlmError.LlmError>

/** A call of the model, understood: what runs it, or what the model got wrong. */
type Understood =
  | { readonly call: Message.ToolCall; readonly run: Effect.Effect<unknown, unknown, unknown> }
  | { readonly call: Message.ToolCall; readonly wrong: LlmError.Reason; readonly complaint: string }

const resultOf = (
  call: Message.ToolCall,
  result: unknown,
  isError: boolean
): Either.Either<Message.ToolResult, LlmError.Reason> =>
  Either.mapBoth(PlainJson.copy(result), {
    onLeft: (problem) =>
      LlmError.InvalidRequest.make({
        field: "tools",
        message: `the result of the tool ${call.name} cannot be sent as JSON: ${problem}`
      }),
    onRight: (json) =>
      Message.ToolResult.make({ id: call.id, name: call.name, result: json, ...(isError && { isError }) })
  })

type Conversation = LlmRequest.LlmRequest["messages"]

const withResults = (messages: Conversation, results: ReadonlyArray<Message.ToolResult>): Conversation => {
  const [first, ...others] = results
  return first === undefined ? messages : [...messages, { role: "tool", content: [first, ...others] }]
}

/** A call that is forced is one call: forced in each turn, the model would never come to an answer. */
const choiceAfter = ({ toolChoice }: LlmRequest.LlmRequest): LlmRequest.ToolChoice | undefined =>
  toolChoice === "required" || typeof toolChoice === "object" ? "auto" : toolChoice

const twice = LlmError.InvalidRequest.make({
  field: "tools",
  message: "tools: expected none in the request, as the tools to run are given beside it"
})

/** The calls that end a conversation and have no results yet. */
const unanswered = (messages: ReadonlyArray<Message.Message>): ReadonlyArray<Message.ToolCall> => {
  const last = messages.at(-1)
  return last?.role === "assistant" ? last.content.filter((part) => part._tag === "ToolCall") : []
}

const complain = (
  { available, issues = [], omittedIssues }: LlmError.ReasonOf<"ToolArgumentsInvalid">,
  property: string | undefined
): string =>
  available !== undefined
    ? `There is no such tool. There ${available.length === 1 ? "is" : "are"}: ${available.join(", ")}.`
    : [
      "The arguments do not fit the tool's schema:",
      ...Issues.lines(issues, { whole: "the arguments", property, omitted: omittedIssues }),
      "Call the tool again with all arguments, corrected."
    ].join("\n")

const understand = (
  tools: ReadonlyArray<LlmTool.Bound<LlmTool.AnyHandled>>,
  call: Message.ToolCall
): Effect.Effect<Understood, LlmError.Reason, unknown> => {
  const known = tools.find(({ tool }) => tool.name === call.name)
  const wrong = (reason: LlmError.ReasonOf<"ToolArgumentsInvalid">): Understood => ({
    call,
    wrong: reason,
    complaint: complain(reason, known?.bound.property)
  })
  if (known === undefined) {
    return Effect.succeed(wrong(BoundTool.unknownTool(call, tools.map(({ tool }) => tool.name))))
  }
  return known.bound.read(call).pipe(
    Effect.map(({ call: own, value }): Understood => ({
      call,
      run: Effect.suspend(() => known.tool.handler(value, own))
    })),
    // What was cut short is not the model's mistake.
    Effect.catchAll((reason) =>
      reason._tag === "ToolArgumentsInvalid" ? Effect.succeed(wrong(reason)) : Effect.fail(reason)
    )
  )
}

/** The result of a call; a handler's own failures are those of the run. */
const answer = (
  understood: Understood,
  failed: (reason: LlmError.Reason) => LlmError.LlmError
): Effect.Effect<Message.ToolResult, unknown, unknown> => {
  const { call } = understood
  const encode = (result: unknown, isError: boolean) => Either.mapLeft(resultOf(call, result, isError), failed)
  if ("wrong" in understood) return encode(understood.complaint, true)
  return understood.run.pipe(
    ToolSpan.around(call),
    Effect.matchEffect({
      onFailure: (error) => error instanceof LlmTool.ToolFailure ? encode(error.result, true) : Effect.fail(error),
      onSuccess: (result) => encode(result, false)
    })
  )
}

const limitsOf = ({ concurrency = 1, maxSteps = 8, reask = 1, runDeadline }: RunToolsOptions) => ({
  concurrency: concurrency === "unbounded" ? concurrency : Check.integer("concurrency", concurrency, 1),
  maxSteps: Check.integer("maxSteps", maxSteps, 1),
  reask: Check.integer("reask", reask, 0),
  runDeadline: runDeadline === undefined ? undefined : Check.positiveDuration("runDeadline", runDeadline)
})

/** Makes the loop of calls and results: each turn of the model goes through the whole pipeline of `call`. */
export const make = ({ provider, settings }: Environment, ask: AskModel) => {
  const run = (
    input: LlmRequest.Input,
    tools: ReadonlyArray<LlmTool.AnyHandled>,
    { concurrency, maxSteps, reask, runDeadline, ...callOptions }: RunToolsOptions
  ): Effect.Effect<ToolRun, unknown, unknown> =>
    Effect.gen(function*() {
      const started = yield* Elapsed.now
      const turns: Array<LlmResponse.LlmResponse> = []
      const attempts = () => turns.reduce((sum, turn) => sum + turn.attempts, 0)

      const failed = (reason: LlmError.Reason): LlmError.LlmError =>
        new LlmError.LlmError({
          reason,
          operation: "runTools",
          attempts: attempts(),
          provider: provider.name,
          model: input.model
        })

      const limits = yield* checked("runTools", () => {
        // Before any handler is run: a conversation may begin with calls.
        ClientOptions.resolve(settings.call, callOptions)
        return limitsOf({ concurrency, maxSteps, reask, runDeadline })
      })
      if (input.tools !== undefined && input.tools.length > 0) return yield* failed(twice)
      const bound = yield* Either.mapLeft(LlmTool.bindAll(tools, provider.schemaDialect ?? "plain"), failed)
      const request = yield* LlmRequest.decode(
        { ...input, tools: bound.map(({ bound }) => bound.definition) },
        settings.defaults,
        "runTools"
      )

      let wrongInARow = 0

      /** The results of a turn's calls, in their order. What the model got wrong is found before anything is run. */
      const answerAll = (calls: ReadonlyArray<Message.ToolCall>) =>
        Effect.gen(function*() {
          const understood = yield* Effect.forEach(calls, (call) => Effect.mapError(understand(bound, call), failed))
          const [wrong] = understood.flatMap((each) => "wrong" in each ? [each.wrong] : [])
          if (wrong !== undefined && wrongInARow >= limits.reask) return yield* failed(wrong)
          wrongInARow = wrong === undefined ? 0 : wrongInARow + 1
          return yield* Effect.forEach(understood, (each) => answer(each, failed), {
            concurrency: limits.concurrency
          })
        })

      /** One turn of the model. */
      const turn = (messages: Conversation) =>
        ask({
          ...request,
          messages,
          toolChoice: turns.length === 0 ? request.toolChoice : choiceAfter(request)
        }, callOptions).pipe(
          Effect.mapError((error) =>
            LlmError.update(error, { operation: "runTools", attempts: attempts() + error.attempts })
          ),
          Effect.tap((response) => {
            turns.push(response)
          })
        )

      const converse = Effect.gen(function*() {
        const steps: Array<ToolStep> = []
        const left = unanswered(request.messages)
        let messages = withResults(request.messages, left.length === 0 ? [] : yield* answerAll(left))
        while (true) {
          const response: LlmResponse.LlmResponse = yield* turn(messages)
          if (response.parts.length > 0) messages = [...messages, response.message]
          const calls = response.finishReason === "tool_calls" ? response.toolCalls : []
          const isLast = (calls.length === 0 && response.finishReason !== "pause") || turns.length >= limits.maxSteps
          const results: ReadonlyArray<Message.ToolResult> = isLast ? [] : yield* answerAll(calls)
          steps.push({ response, results })
          messages = withResults(messages, results)
          if (isLast) {
            const whole = summed(turns, response, attempts())
            return { response: LlmResponse.update(whole, { latency: yield* Elapsed.since(started) }), messages, steps }
          }
        }
      })

      const limit = limits.runDeadline
      return yield* limit === undefined ? converse : Effect.timeoutFail(converse, {
        duration: limit,
        onTimeout: () => failed(LlmError.TimedOut.make({ phase: "total", limit }))
      })
    })

  return <Tool extends LlmTool.AnyHandled>(
    input: LlmRequest.Input,
    tools: ReadonlyArray<Tool>,
    options: RunToolsOptions = {}
  ): Effect.Effect<ToolRun, LlmError.LlmError | LlmTool.Failure<Tool>, LlmTool.Context<Tool>> =>
    // The loop is the same for all tools: what theirs fail with and need is in their types.
    run(input, tools, options) as Effect.Effect<
      ToolRun,
      LlmError.LlmError | LlmTool.Failure<Tool>,
      LlmTool.Context<Tool>
    >
}
