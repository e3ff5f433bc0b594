import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { LlmError } from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import * as StreamPart from "../domain/StreamPart.js"
import type * as LlmTool from "../output/LlmTool.js"
import * as StandardSchema from "../output/StandardSchema.js"
import type { Environment } from "./callState.js"
import type { CallOptions } from "./options.js"
import * as ToolLoop from "./toolLoop.js"
import type { AnyOptions, RunToolsOptions } from "./toolOptions.js"
import type { ToolPart, ToolRun } from "./toolRun.js"

/** The way to make the turns of a run. */
export interface Turns {
  readonly call: (request: LlmRequest.Input, options: CallOptions) => Effect.Effect<LlmResponse, LlmError>
  readonly stream: (
    request: LlmRequest.Input,
    options: CallOptions
  ) => Stream.Stream<StreamPart.StreamPart, LlmError>
}

/** The options in the form for the loop, for which all schemas are alike. */
const untyped = <Tool extends LlmTool.AnyHandled, A, I, R, E1, R1, E2, R2>(
  { output, ...options }: RunToolsOptions<Tool, A, I, R, E1, R1, E2, R2>
): AnyOptions => ({
  ...options,
  ...(output !== undefined && { output: Schema.make<unknown, unknown, unknown>(StandardSchema.toSchema(output).ast) })
})

/** The end of a run, without its parts. */
const whole = (parts: ToolLoop.Parts): Effect.Effect<ToolRun<unknown>, unknown, unknown> =>
  Effect.flatMap(Stream.runLast(parts), (last) =>
    last._tag === "Some" && "run" in last.value
      ? Effect.succeed(last.value.run)
      : Effect.dieMessage("A run of tools has ended without its Finish"))

/** Makes the runs of tools of a client, whole and streamed. Both are the same loop; their turns are calls or streams. */
export const make = (environment: Environment, { call, stream }: Turns) => {
  const called = ToolLoop.make(environment, {
    operation: "runTools",
    ask: (request, options) =>
      Stream.map(Stream.fromEffect(call(request, options)), (response) => StreamPart.Finish({ response }))
  })
  const streamed = ToolLoop.make(environment, { operation: "streamTools", ask: stream })

  // The loop is the same for all tools and options: the failures and requirements of these are in the types.
  return {
    runTools: <
      Tool extends LlmTool.AnyHandled,
      A = undefined,
      I = unknown,
      R = never,
      E1 = never,
      R1 = never,
      E2 = never,
      R2 = never
    >(
      input: LlmRequest.Input,
      tools: ReadonlyArray<Tool | LlmRequest.ProviderTool>,
      options: RunToolsOptions<Tool, A, I, R, E1, R1, E2, R2> = {}
    ) =>
      whole(called(input, tools, untyped(options))) as Effect.Effect<
        ToolRun<A | undefined>,
        LlmError | LlmTool.Failure<Tool> | E1 | E2,
        LlmTool.Context<Tool> | R | R1 | R2
      >,
    streamTools: <
      Tool extends LlmTool.AnyHandled,
      A = undefined,
      I = unknown,
      R = never,
      E1 = never,
      R1 = never,
      E2 = never,
      R2 = never
    >(
      input: LlmRequest.Input,
      tools: ReadonlyArray<Tool | LlmRequest.ProviderTool>,
      options: RunToolsOptions<Tool, A, I, R, E1, R1, E2, R2> = {}
    ) =>
      streamed(input, tools, untyped(options)) as Stream.Stream<
        ToolPart<A | undefined>,
        LlmError | LlmTool.Failure<Tool> | E1 | E2,
        LlmTool.Context<Tool> | R | R1 | R2
      >
  }
}
