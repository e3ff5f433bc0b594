/**
 * Tools that a model may call. A tool has a name, a description and a schema of its parameters, and may have a handler. The
 * model gets the JSON Schema in the dialect of its provider; the arguments of its calls are decoded to the schema's type.
 *
 * `LlmClient.runTools` and `LlmClient.streamTools` run the loop of calls and results. `LlmClient.toolkit` is for a program
 * that runs its own.
 *
 * (`LlmRequest.Tool` is the part of a tool that goes into a request: its name, its description and a JSON Schema.)
 *
 * @since 0.1.0
 */
export { type Approval, approved, denied, pending } from "./approval.js"
export { failure, ResultWithParts, ToolFailure, withParts } from "./handlerResult.js"
export { handle, make, providerTool } from "./tool.js"
export type {
  Any,
  AnyHandled,
  AnyParameters,
  Context,
  Failure,
  Handled,
  Handler,
  LlmTool,
  Options,
  ParametersOf,
  ToolCall
} from "./tool.js"
export { type Toolkit, toolkit } from "./toolkit.js"
