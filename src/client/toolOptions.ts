import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { Settings } from "../domain/LlmRequest.js"
import type * as Message from "../domain/Message.js"
import * as Check from "../internal/check.js"
import type { OutputMode } from "../LlmProvider.js"
import type { Approval } from "../output/approval.js"
import type * as LlmTool from "../output/LlmTool.js"
import type * as StandardSchema from "../output/StandardSchema.js"
import { callOptionNames, type CallOptions } from "./options.js"
import type { ToolStep } from "./toolRun.js"

/** The state of a run of tools, before a turn of the model. */
export interface StepState {
  /** The number of the turn: 1 for the first. */
  readonly step: number
  /** The conversation so far. */
  readonly messages: ReadonlyArray<Message.Message>
  /** The turns so far. */
  readonly steps: ReadonlyArray<ToolStep>
}

/** Settings of one turn of a run, instead of those of the request. */
export interface StepSettings extends Omit<Settings, "tools" | "outputSchema" | "outputFormat"> {
  /** The model of the turn. Default: that of the request. */
  readonly model?: string | undefined
  /** The conversation that the model gets, such as a shorter one. The run still keeps all of it. Default: all of it. */
  readonly messages?: ReadonlyArray<Message.Input> | undefined
  /** The names of the tools that the model may call. Default: all of them. */
  readonly tools?: ReadonlyArray<string> | undefined
}

/** Decides from the turns so far whether to end a run, although the model would go on. */
export type StopCondition = (steps: ReadonlyArray<ToolStep>) => boolean

/** The options of a run of tools. Those of a call apply to the call of each turn. */
export interface RunToolsOptions<
  in Tool extends LlmTool.Any = LlmTool.Any,
  A = undefined,
  I = unknown,
  R = never,
  E1 = never,
  R1 = never,
  E2 = never,
  R2 = never
> extends CallOptions {
  /** The most turns of the model. Default: 8. */
  readonly maxSteps?: number | undefined
  /** The number of calls of one turn that run at the same time. Default: 1, one after another. */
  readonly concurrency?: number | "unbounded" | undefined
  /**
   * The number of turns in a row that may be wrong: they call an unknown tool, or with arguments that are not JSON or
   * do not fit, or their answer does not fit `output`. The model gets the expectation; after one more wrong turn the
   * run fails with `ToolArgumentsInvalid` or `OutputInvalid`. Default: 1.
   */
  readonly reask?: number | undefined
  /** The limit of the whole run: all turns and their tools. Default: none; `deadline` limits the call of each turn. */
  readonly runDeadline?: Duration.DurationInput | undefined
  /** The limit of one call of a tool; after it the call is interrupted, and the model gets an error. Default: none. */
  readonly toolTimeout?: Duration.DurationInput | undefined
  /** The schema of the final answer, which is then the `value` of the run. Default: the answer is a text. */
  readonly output?: StandardSchema.AnySchema<A, I, R> | undefined
  /**
   * The way in which the model gets the schema `output`: see `mode` of `object`. In the mode `tool` the model answers
   * by calling one more tool. Default: the best mode for the provider and the model in which the model keeps its tools.
   */
  readonly outputMode?: OutputMode | undefined
  /**
   * Decides on each call before it is run: `LlmTool.approved`, `LlmTool.denied(reason)`, or `LlmTool.pending`, which
   * ends the run once the other calls of the turn are run. It decides on one call after the other, in their order,
   * before any of them is run. Its failure fails the run. Default: all calls are run.
   */
  readonly approve?: ((call: LlmTool.ToolCall<Tool>) => Effect.Effect<Approval, E1, R1>) | undefined
  /** Gives the settings of the next turn. Its failure fails the run. Default: those of the request. */
  readonly prepareStep?: ((state: StepState) => StepSettings | Effect.Effect<StepSettings, E2, R2>) | undefined
  /**
   * Ends the run after a turn whose calls have been run, if one of these holds for the turns so far. A run on its
   * `messages` continues. Default: the run ends when the model calls nothing more, or after `maxSteps`.
   */
  readonly stopWhen?: StopCondition | ReadonlyArray<StopCondition> | undefined
}

/** The options of a run, whatever its tools and its answer are. */
export type AnyOptions = RunToolsOptions<never, unknown, unknown, unknown, unknown, unknown, unknown, unknown>

const names: Check.Names<AnyOptions> = {
  ...callOptionNames,
  maxSteps: true,
  concurrency: true,
  reask: true,
  runDeadline: true,
  toolTimeout: true,
  output: true,
  outputMode: true,
  approve: true,
  prepareStep: true,
  stopWhen: true
}

const isList = (stopWhen: AnyOptions["stopWhen"]): stopWhen is ReadonlyArray<StopCondition> => Array.isArray(stopWhen)

const optional = (name: "runDeadline" | "toolTimeout", value: Duration.DurationInput | undefined) =>
  value === undefined ? undefined : Check.positiveDuration(name, value)

/** Checks the options of a run, and separates them from those of its calls. Throws `InvalidOption`. */
export const check = (options: AnyOptions) => {
  const {
    approve,
    concurrency = 1,
    maxSteps = 8,
    output,
    outputMode,
    prepareStep,
    reask = 1,
    runDeadline,
    stopWhen = [],
    toolTimeout,
    ...call
  } = Check.known(options, names)
  return {
    call,
    approve,
    prepareStep,
    output,
    outputMode,
    stopWhen: isList(stopWhen) ? stopWhen : [stopWhen],
    concurrency: concurrency === "unbounded" ? concurrency : Check.integer("concurrency", concurrency, 1),
    maxSteps: Check.integer("maxSteps", maxSteps, 1),
    reask: Check.integer("reask", reask, 0),
    runDeadline: optional("runDeadline", runDeadline),
    toolTimeout: optional("toolTimeout", toolTimeout)
  }
}

/** The options of a run, checked and complete. */
export type RunSettings = ReturnType<typeof check>
