import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as LlmError from "../domain/LlmError.js"
import * as LlmEvent from "../domain/LlmEvent.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type * as LlmResponse from "../domain/LlmResponse.js"
import * as Message from "../domain/Message.js"
import type { StreamPart } from "../domain/StreamPart.js"
import { invalidOption } from "../internal/check.js"
import { wellFormed } from "../internal/wellFormed.js"
import type * as LlmTool from "../output/LlmTool.js"
import type * as StructuredOutput from "../output/structuredOutput.js"
import * as PartFeed from "../runtime/partFeed.js"
import { checked, type Environment } from "./callState.js"
import type { CallOptions } from "./options.js"
import * as ToolAnswers from "./toolAnswers.js"
import * as ToolCalls from "./toolCalls.js"
import * as ToolConversation from "./toolConversation.js"
import type * as ToolOptions from "./toolOptions.js"
import * as ToolProgress from "./toolProgress.js"
import type { ToolPart } from "./toolRun.js"

/** The way to make a turn of the model: as a call, whose answer is its only part, or as a stream. */
export interface Mode {
  readonly operation: LlmError.Operation
  readonly ask: (request: LlmRequest.Input, options: CallOptions) => Stream.Stream<StreamPart, LlmError.LlmError>
}

/** The parts of a run, whatever its tools and its answer are. */
export type Parts = Stream.Stream<ToolPart<unknown>, unknown, unknown>

/** A turn of the model, before it is made. */
interface NextTurn {
  readonly request: LlmRequest.Input
  readonly tools: ToolCalls.Tools
  readonly output: ToolProgress.Output
}

const answerTaken = "The answer was taken."

const answerTooEarly = "The answer comes last: call this tool again, alone, once you have the other results."

type Defined<A> = { readonly [Field in keyof A]: Exclude<A[Field], undefined> }

/** Fields that a program leaves undefined change nothing. */
const defined = <A extends object>(fields: A): Defined<A> =>
  // The rest keeps its types.
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<A>

/**
 * The loop of calls and results: the calls at the end of a conversation, then turn after turn, then the end. It runs at
 * its consumer's pace: it makes no turn and runs no tool before the previous turn is taken, and it stops when the
 * consumer stops.
 */
export const make = (environment: Environment, { ask, operation }: Mode) =>
(
  input: LlmRequest.Input,
  tools: ReadonlyArray<LlmTool.AnyHandled | LlmRequest.ProviderTool>,
  options: ToolOptions.AnyOptions
): Parts =>
  Stream.unwrap(
    Effect.map(
      ToolProgress.begin(environment, operation, input, tools, options),
      (run) => loop(environment, ask, run)
    )
  )

const loop = (environment: Environment, ask: Mode["ask"], run: ToolProgress.Run): Parts => {
  const { progress, request, settings } = run
  const failed = (reason: LlmError.Reason) => ToolProgress.failed(run, reason)
  const decide = ToolAnswers.make(settings, failed)
  const isLastTurn = () => progress.bills.length >= settings.maxSteps
  const mayBeWrong = () => progress.wrong < settings.reask && !isLastTurn()

  const end = (): void => {
    progress.ended = true
  }

  // -------------------------------------------------------------------------------------------------------------------
  // A turn of the model
  // -------------------------------------------------------------------------------------------------------------------

  const prepared: Effect.Effect<Defined<ToolOptions.StepSettings>, unknown, unknown> = Effect.suspend(() => {
    const { bills, messages, steps } = progress
    const given = settings.prepareStep?.({ step: bills.length + 1, messages, steps: [...steps] }) ?? {}
    return Effect.map(Effect.isEffect(given) ? given : Effect.succeed(given), defined)
  })

  const toolsOf = (names: ReadonlyArray<string> | undefined) =>
    checked(run.operation, () => {
      const unknown = names?.find((name) => !run.tools.some(({ tool }) => tool.name === name))
      if (unknown !== undefined) invalidOption("prepareStep.tools", "names of the run's tools", unknown)
      return names === undefined ? run.tools : run.tools.filter(({ tool }) => names.includes(tool.name))
    })

  const next: Effect.Effect<NextTurn, unknown, unknown> = Effect.gen(function*() {
    const { messages = progress.messages, tools: names, ...changes } = yield* prepared
    const tools = yield* toolsOf(names)
    const choice = changes.toolChoice ??
      (progress.bills.length === 0 ? request.toolChoice : ToolConversation.choiceAfter(request))
    const asked = { ...request, ...changes, messages, tools: tools.map(({ bound }) => bound.definition) }
    const output = yield* ToolProgress.askFor(environment, run, asked)
    const { providerTools = [] } = asked
    const isWithoutTools = tools.length + providerTools.length === 0 && output?.tool === undefined
    const toolChoice = isWithoutTools ? undefined : progress.forced ?? choice
    return { request: { ...asked, ...output?.request, toolChoice }, tools, output }
  })

  const turn: Parts = Stream.unwrap(Effect.map(next, (next) => {
    let answer: LlmResponse.LlmResponse | undefined
    return ask(next.request, settings.call).pipe(
      Stream.map((part) => {
        if (part._tag === "Finish") answer = part.response
        return part
      }),
      Stream.catchAll((error) => Stream.execute(unread(next, error))),
      Stream.concat(Stream.suspend(() => answer === undefined ? Stream.empty : answered(next, answer)))
    )
  }))

  /** The parts after the answer of a turn: the results of its calls, or none. */
  const answered = (next: NextTurn, response: LlmResponse.LlmResponse): Parts => {
    ToolProgress.count(run, response.attempts, response)
    progress.last = response
    const calls = response.finishReason === "tool_calls" ? response.toolCalls : []
    const others = calls.filter(({ name }) => name !== next.output?.tool)
    if (others.length === 0 && response.finishReason !== "pause") return Stream.execute(final(next, response))
    if (isLastTurn()) {
      return Stream.execute(Effect.sync(() => {
        ToolProgress.take(run, response)
        end()
      }))
    }
    return results(next, calls, (results) => {
      ToolProgress.take(run, response, results)
      if (settings.stopWhen.some((holds) => holds([...progress.steps]))) end()
    })
  }

  /** A call that not even the provider could read comes as the failure of its turn. */
  const unread = ({ output, tools }: NextTurn, error: LlmError.LlmError): Effect.Effect<void, LlmError.LlmError> =>
    Effect.suspend(() => {
      const own = ToolProgress.turnFailed(run, error)
      if (error.reason._tag !== "ToolArgumentsInvalid") return own
      const names = [...tools.map(({ tool }) => tool.name), ...output?.tool === undefined ? [] : [output.tool]]
      const reason = ToolCalls.named(error.reason, names)
      // The bill of an answer that came as a failure is not known.
      ToolProgress.count(run, error.attempts, { usage: {}, warnings: [] })
      if (output?.tool !== undefined && reason.name === output.tool) {
        const invalid = output.invalidOf(reason)
        if (invalid !== undefined) return unfit(output, invalid, undefined, error.requestId)
      }
      if (!mayBeWrong()) return LlmError.update(own, { reason })
      progress.wrong++
      const words: ReadonlyArray<Message.Message> = reason.raw.trim() === ""
        ? []
        : [{ role: "assistant", content: [Message.Text.make({ text: wellFormed(reason.raw) })] }]
      const complaint = Message.Text.make({ text: ToolCalls.unreadable(reason, tools) })
      progress.messages = [...progress.messages, ...words, { role: "user", content: [complaint] }]
      return Effect.void
    })

  // -------------------------------------------------------------------------------------------------------------------
  // The calls of a turn
  // -------------------------------------------------------------------------------------------------------------------

  /**
   * Runs calls, and emits their results as they end; then records all of them, in the order of the calls. Calls that
   * are wrong or not allowed are found before any other is run.
   */
  const results = (
    { output, tools }: Pick<NextTurn, "output" | "tools">,
    calls: ReadonlyArray<Message.ToolCall>,
    taken: (results: ReadonlyArray<Message.ToolResult>) => void
  ): Parts =>
    Stream.unwrap(Effect.gen(function*() {
      const understood = yield* Effect.forEach(
        calls.filter(({ name }) => name !== output?.tool),
        (call) => Effect.mapError(ToolCalls.understand(tools, call), failed)
      )
      const wrong = understood.find(ToolCalls.isWrong)
      if (wrong !== undefined && !mayBeWrong()) return yield* failed(wrong.reason)
      progress.wrong = wrong === undefined ? 0 : progress.wrong + 1
      const early = calls.filter(({ name }) => name === output?.tool)
        .map((call): ToolAnswers.Decided => ({ call, answer: ToolAnswers.refuse(call, answerTooEarly) }))
      const decided = [...early, ...yield* Effect.forEach(understood, decide)]
      const open = new Set(decided.flatMap(({ answer, call }) => answer === undefined ? [call.id] : []))
      const answers = decided.flatMap(({ answer }) => answer ?? [])

      return PartFeed.emitted<Message.ToolResult, unknown, unknown>((emit) =>
        Effect.forEach(answers, Effect.tap(emit), { concurrency: settings.concurrency }).pipe(
          Effect.map((results) => {
            taken(ToolConversation.inOrder(calls, results))
            progress.pending = calls.filter(({ id }) => open.has(id))
            if (open.size > 0) end()
          })
        )
      )
    }))

  /** The open calls at the end of the given conversation: an earlier run ended before they were run or approved. */
  const left: Parts = Stream.suspend(() => {
    const calls = ToolConversation.unanswered(request.messages)
    return calls.length === 0 ? Stream.empty : results(run, calls, (results) => {
      progress.messages = ToolConversation.withResults(progress.messages, results)
    })
  })

  // -------------------------------------------------------------------------------------------------------------------
  // The answer
  // -------------------------------------------------------------------------------------------------------------------

  /**
   * Takes an answer that calls no tool of the program: the run ends with it, unless it has to be a value and is not.
   */
  const final = ({ output }: NextTurn, response: LlmResponse.LlmResponse): Effect.Effect<void, unknown, unknown> =>
    Effect.gen(function*() {
      if (output !== undefined) {
        const read = yield* Effect.either(output.read(response))
        if (Either.isLeft(read)) {
          return yield* read.left._tag === "OutputInvalid"
            ? unfit(output, read.left, response, response.requestId)
            : refused(read.left, response.requestId)
        }
        progress.value = read.right
      }
      ToolProgress.take(run, response)
      // A conversation that goes on needs a result for each call.
      const answers = response.toolCalls.filter(({ name }) => name === output?.tool)
        .map(({ id, name }) => Message.ToolResult.make({ id, name, result: answerTaken }))
      progress.messages = ToolConversation.withResults(progress.messages, answers)
      end()
    })

  /** The failure of an answer that gives no value. */
  const refused = (reason: LlmError.Reason, requestId: string | undefined): LlmError.LlmError => {
    const error = failed(reason)
    return requestId === undefined ? error : LlmError.update(error, { requestId })
  }

  /** Asks again for an answer that does not fit, as often as that is allowed. */
  const unfit = (
    output: NonNullable<ToolProgress.Output>,
    invalid: StructuredOutput.Invalid,
    response: LlmResponse.LlmResponse | undefined,
    requestId: string | undefined
  ): Effect.Effect<void, LlmError.LlmError> =>
    Effect.gen(function*() {
      const messages = mayBeWrong() ? output.reask(invalid, response) : Option.none()
      yield* environment.log(LlmEvent.OutputRejected({
        provider: run.provider,
        model: request.model,
        tags: run.tags,
        attempt: progress.bills.length,
        issues: invalid.issues.length + (invalid.omittedIssues ?? 0),
        willRetry: Option.isSome(messages)
      }))
      if (Option.isNone(messages)) return yield* refused(invalid, requestId)
      progress.wrong++
      progress.forced = output.tool === undefined ? undefined : { tool: output.tool }
      progress.messages = [...progress.messages, ...messages.value]
      if (response !== undefined) progress.steps.push({ response, results: [] })
    })

  // -------------------------------------------------------------------------------------------------------------------
  // The run
  // -------------------------------------------------------------------------------------------------------------------

  const turns: Parts = Stream.flatten(
    Stream.repeatEffectOption(
      Effect.suspend(() => progress.ended ? Effect.fail(Option.none()) : Effect.succeed(turn))
    )
  )

  const finish: Parts = Stream.fromEffect(
    Effect.map(ToolProgress.outcome(run), (run): ToolPart<unknown> => ({ _tag: "Finish", run }))
  )

  const whole = left.pipe(Stream.concat(turns), Stream.concat(finish))

  const limit = settings.runDeadline
  return limit === undefined ? whole : PartFeed.within(whole, {
    deadline: run.started + Duration.toMillis(limit),
    onTimeout: Effect.suspend(() => failed(LlmError.TimedOut.make({ phase: "total", limit })))
  })
}
