import type { LlmResponse } from "../domain/LlmResponse.js"
import type * as Message from "../domain/Message.js"
import type { StreamPart } from "../domain/StreamPart.js"

/** A turn of the model, and the results of its calls. */
export interface ToolStep {
  /** Its answer, as `call` gives it. */
  readonly response: LlmResponse
  /** In the order of the calls. Empty for the last turn. */
  readonly results: ReadonlyArray<Message.ToolResult>
}

/** The result of a run of tools. */
export interface ToolRun<out A = undefined> {
  /** The last answer, with the usage and the cost of all turns. */
  readonly response: LlmResponse
  /** The whole conversation: the request's messages, and all turns since. A further run can continue it. */
  readonly messages: ReadonlyArray<Message.Message>
  readonly steps: ReadonlyArray<ToolStep>
  /**
   * The value of the schema `output`. `undefined` without one, or if the run ended before the model came to its answer:
   * with `pending` calls, after `maxSteps`, or by `stopWhen`.
   */
  readonly value: A
  /**
   * The calls that `approve` left open, which have no results in `messages`. A run on these messages asks `approve`
   * about them again, and continues.
   */
  readonly pending: ReadonlyArray<Message.ToolCall>
}

/** The end of a streamed run. */
export interface RunFinish<out A = undefined> {
  readonly _tag: "Finish"
  /** The result of the run, as `runTools` gives it. */
  readonly run: ToolRun<A>
}

/** One part of a streamed run: a part of a turn's answer, the result of a tool, or the end. */
export type ToolPart<A = undefined> = StreamPart | Message.ToolResult | RunFinish<A>
