import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as LlmError from "../domain/LlmError.js"
import * as Message from "../domain/Message.js"
import { freezePlain } from "../internal/freeze.js"
import { decodeUnknownEither } from "../internal/schemaIssue.js"
import type { Approval } from "../output/approval.js"
import * as LlmTool from "../output/LlmTool.js"
import * as PlainJson from "../output/plainJson.js"
import * as ToolSpan from "../telemetry/toolSpan.js"
import { isWrong, type Runnable, type Wrong } from "./toolCalls.js"
import type { RunSettings } from "./toolOptions.js"

/** The result of a call, or the reason why there is none: its handler's failure, or a result that JSON cannot express. */
export type Answer = Effect.Effect<Message.ToolResult, unknown, unknown>

/** A call and its answer; `undefined`: it is left open. */
export interface Decided {
  readonly call: Message.ToolCall
  readonly answer: Answer | undefined
}

const unsendable = ({ name }: Message.ToolCall, problem: string): LlmError.Reason =>
  LlmError.InvalidRequest.make({ field: "tools", message: `the result of the tool ${name} cannot be sent${problem}` })

const decodeParts = decodeUnknownEither(Schema.Array(Message.ToolResultPart))

/** The parts of a result, as a program may have written them. */
const partsOf = (call: Message.ToolCall, { parts }: LlmTool.ResultWithParts) =>
  Either.mapLeft(
    decodeParts(parts),
    ({ issues: [first] }) =>
      unsendable(call, first === undefined ? "" : `: parts${first.path}: expected ${first.expected}`)
  )

const resultOf = (
  call: Message.ToolCall,
  given: unknown,
  isError: boolean
): Either.Either<Message.ToolResult, LlmError.Reason> =>
  Either.gen(function*() {
    const { id, name } = call
    const isRich = given instanceof LlmTool.ResultWithParts
    const result = yield* Either.mapLeft(
      PlainJson.copy(isRich ? given.result : given),
      (problem) => unsendable(call, ` as JSON: ${problem}`)
    )
    const parts = isRich ? yield* partsOf(call, given) : []
    // The result is a part of the conversation, and of a stream.
    return freezePlain(
      Message.ToolResult.make({ id, name, result, ...(parts.length > 0 && { parts }), ...(isError && { isError }) })
    )
  })

/** The result for a call that is not run. */
export const refuse = (call: Message.ToolCall, result: string): Answer => resultOf(call, result, true)

/** Makes the answers to the calls of a run. `failed` makes the failure of the run. */
export const make = (
  { approve, toolTimeout }: Pick<RunSettings, "approve" | "toolTimeout">,
  failed: (reason: LlmError.Reason) => LlmError.LlmError
) => {
  const encode = (
    call: Message.ToolCall,
    result: unknown,
    isError: boolean
  ): Effect.Effect<Message.ToolResult, LlmError.LlmError> => Either.mapLeft(resultOf(call, result, isError), failed)

  const limited = (run: Runnable["run"]): Runnable["run"] =>
    // Even where the run itself is not interruptible, the limit ends the call.
    toolTimeout === undefined ? run : Effect.timeoutFail(Effect.interruptible(run), {
      duration: toolTimeout,
      onTimeout: () => LlmTool.failure(`The tool took longer than ${Duration.format(toolTimeout)}, and was stopped.`)
    })

  /** Runs a call. A handler's own failures fail the run. */
  const answer = ({ call, run }: Runnable): Answer =>
    run.pipe(
      ToolSpan.around(call),
      limited,
      Effect.matchEffect({
        onFailure: (error) =>
          error instanceof LlmTool.ToolFailure ? encode(call, error.result, true) : Effect.fail(error),
        onSuccess: (result) => encode(call, result, false)
      })
    )

  const decided = ({ call, value }: Runnable): Effect.Effect<Approval, unknown, unknown> => {
    if (approve === undefined) return Effect.succeed(LlmTool.approved)
    // The schema of the tool with this name has read the arguments.
    return Effect.suspend(() => approve({ id: call.id, name: call.name, arguments: value } as never))
  }

  /** Decides whether a call is run, or which result the model gets instead. */
  return (understood: Runnable | Wrong): Effect.Effect<Decided, unknown, unknown> => {
    const { call } = understood
    if (isWrong(understood)) return Effect.succeed({ call, answer: encode(call, understood.complaint, true) })
    return Effect.map(decided(understood), (approval): Decided => {
      switch (approval._tag) {
        case "Approved":
          return { call, answer: answer(understood) }
        case "Denied":
          return { call, answer: encode(call, approval.reason, true) }
        case "Pending":
          return { call, answer: undefined }
      }
    })
  }
}
