import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as LlmError from "../domain/LlmError.js"
import * as LlmRequest from "../domain/LlmRequest.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import type * as Message from "../domain/Message.js"
import type * as LlmTool from "../output/LlmTool.js"
import type * as StructuredOutput from "../output/structuredOutput.js"
import { bindAll } from "../output/toolkit.js"
import * as Elapsed from "../runtime/elapsed.js"
import { checked, type Environment } from "./callState.js"
import { outputOf } from "./objectOutput.js"
import * as ClientOptions from "./options.js"
import type { Tools } from "./toolCalls.js"
import * as ToolConversation from "./toolConversation.js"
import * as ToolOptions from "./toolOptions.js"
import type { ToolRun, ToolStep } from "./toolRun.js"
import { summed, type Turn } from "./usageTotals.js"

/** A run of tools: its checked request and options, and its progress. */
export interface Run {
  readonly operation: LlmError.Operation
  readonly provider: string
  /** A moment of `Elapsed`. */
  readonly started: number
  readonly settings: ToolOptions.RunSettings
  readonly tags: { readonly [name: string]: string } | undefined
  readonly request: LlmRequest.LlmRequest
  readonly tools: Tools
  readonly output: Output
  readonly progress: Progress
}

/** The progress of a run. Its loop updates it, and decides by it alone. */
export interface Progress {
  messages: ToolConversation.Conversation
  readonly steps: Array<ToolStep>
  /** The turns of the model, including those that could not be read, and their cost. */
  readonly bills: Array<Turn>
  attempts: number
  /** The answer of the last turn that could be read. */
  last: LlmResponse.LlmResponse | undefined
  /** The number of wrong turns in a row. */
  wrong: number
  /** The call that the next turn has to make. */
  forced: LlmRequest.ToolChoice | undefined
  pending: ReadonlyArray<Message.ToolCall>
  value: unknown
  ended: boolean
}

/** The way to ask the model for the run's answer as a value; `undefined` if the answer is a text. */
export type Output = StructuredOutput.StructuredOutput<unknown, unknown> | undefined

const twice = LlmError.InvalidRequest.make({
  field: "tools",
  message: "tools: expected none in the request, as the tools to run are given beside it"
})

const isProviderTool = (tool: LlmTool.AnyHandled | LlmRequest.ProviderTool): tool is LlmRequest.ProviderTool =>
  "_tag" in tool && tool._tag === "ProviderTool"

/** Begins a run: checks its options, its tools, its request and the schema of its answer, before anything is sent. */
export const begin = (
  environment: Environment,
  operation: LlmError.Operation,
  input: LlmRequest.Input,
  tools: ReadonlyArray<LlmTool.AnyHandled | LlmRequest.ProviderTool>,
  options: ToolOptions.AnyOptions
): Effect.Effect<Run, LlmError.LlmError> =>
  Effect.gen(function*() {
    const { provider, settings: client } = environment
    const started = yield* Elapsed.now
    const refused = (reason: LlmError.Reason) =>
      new LlmError.LlmError({ reason, operation, attempts: 0, provider: provider.name, model: input.model })
    const region = yield* ClientOptions.RegionOptions
    const [settings, { tags }] = yield* checked(operation, () => {
      const settings = ToolOptions.check(options)
      return [settings, ClientOptions.resolve(client.call, ClientOptions.merge(region, settings.call))] as const
    })
    if (input.tools !== undefined && input.tools.length > 0) return yield* refused(twice)
    const [handled, provided] = Arr.partition(tools, isProviderTool)
    const bound = yield* Either.mapLeft(bindAll(handled, provider.schemaDialect ?? "plain"), refused)
    const providerTools = [...input.providerTools ?? [], ...provided]
    const request = yield* LlmRequest.decode(
      {
        ...input,
        tools: bound.map(({ bound }) => bound.definition),
        ...(providerTools.length > 0 && { providerTools })
      },
      client.defaults,
      operation
    )
    return {
      operation,
      provider: provider.name,
      started,
      settings,
      tags,
      request,
      tools: bound,
      output: yield* askFor(environment, { operation, settings }, request),
      progress: {
        messages: request.messages,
        steps: [],
        bills: [],
        attempts: 0,
        last: undefined,
        wrong: 0,
        forced: undefined,
        pending: [],
        value: undefined,
        ended: false
      }
    }
  })

/** Adds the schema of the answer, if there is one, to the request of a turn. */
export const askFor = (
  environment: Environment,
  { operation, settings: { output, outputMode } }: Pick<Run, "operation" | "settings">,
  request: LlmRequest.Input
): Effect.Effect<Output, LlmError.LlmError> =>
  output === undefined ? Effect.succeed(undefined) : outputOf(environment, operation, output, request, {
    mode: outputMode,
    besideTools: request.tools !== undefined && request.tools.length > 0
  })

/** A failure of a run itself, not of the provider. */
export const failed = ({ operation, progress, provider, request: { model } }: Run, reason: LlmError.Reason) =>
  new LlmError.LlmError({ reason, operation, attempts: progress.attempts, provider, model })

/** The failure of a turn as a failure of its run. */
export const turnFailed = ({ operation, progress }: Run, error: LlmError.LlmError): LlmError.LlmError =>
  LlmError.update(error, { operation, attempts: progress.attempts + error.attempts })

/** Counts a turn of the model. */
export const count = ({ progress }: Run, attempts: number, bill: Turn): void => {
  progress.attempts += attempts
  progress.bills.push(bill)
  progress.forced = undefined
}

/** Takes the answer of a turn into the conversation, with the results of its calls. */
export const take = (
  { progress }: Run,
  response: LlmResponse.LlmResponse,
  results: ReadonlyArray<Message.ToolResult> = []
): void => {
  progress.steps.push({ response, results })
  if (response.parts.length > 0) progress.messages = [...progress.messages, response.message]
  progress.messages = ToolConversation.withResults(progress.messages, results)
}

/**
 * The last turn of the given conversation, for a run that made no turn itself: its answer is the one that it began
 * with.
 */
const standing = ({ progress, provider, request: { model } }: Run): LlmResponse.LlmResponse => {
  const turn = progress.messages.findLast((message) => message.role === "assistant")
  return LlmResponse.make({ parts: turn?.content ?? [], finishReason: "tool_calls", model, provider })
}

/** The result of a run that has ended. */
export const outcome = (run: Run): Effect.Effect<ToolRun<unknown>> =>
  Effect.map(Elapsed.since(run.started), (latency) => {
    const { attempts, bills, last, messages, pending, steps, value } = run.progress
    const response = last === undefined
      ? LlmResponse.reuse(standing(run), { origin: "cache", latency })
      : LlmResponse.update(summed(bills, last, attempts), { latency })
    return { response, messages, steps, value, pending }
  })
