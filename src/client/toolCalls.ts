import * as Effect from "effect/Effect"
import type * as LlmError from "../domain/LlmError.js"
import type * as Message from "../domain/Message.js"
import * as BoundTool from "../output/boundTool.js"
import * as Issues from "../output/issues.js"
import type * as LlmTool from "../output/LlmTool.js"
import type { Bound } from "../output/toolkit.js"

/** The tools of a turn, compiled for the provider. */
export type Tools = ReadonlyArray<Bound<LlmTool.AnyHandled>>

/** A call of the model that can be run. */
export interface Runnable {
  readonly call: Message.ToolCall
  /** The decoded arguments. */
  readonly value: unknown
  readonly run: Effect.Effect<unknown, unknown, unknown>
}

/** A call that the model got wrong. */
export interface Wrong {
  readonly call: Message.ToolCall
  readonly reason: LlmError.ReasonOf<"ToolArgumentsInvalid">
  /** The result for the model. */
  readonly complaint: string
}

export const isWrong = (understood: Runnable | Wrong): understood is Wrong => "complaint" in understood

const namesOf = (tools: Tools): ReadonlyArray<string> => tools.map(({ tool }) => tool.name)

const existing = (names: ReadonlyArray<string>): string =>
  names.length === 0 ? "There is none." : `There ${names.length === 1 ? "is" : "are"}: ${names.join(", ")}.`

const again = "Call the tool again with all arguments, corrected."

const complain = (
  { available, issues = [], omittedIssues }: LlmError.ReasonOf<"ToolArgumentsInvalid">,
  property: string | undefined
): string =>
  available !== undefined
    ? `There is no such tool. ${existing(available)}`
    : [
      "The arguments do not fit the tool's schema:",
      ...Issues.lines(issues, { whole: "the arguments", property, omitted: omittedIssues }),
      again
    ].join("\n")

/**
 * Reads a call. A mistake of the model is not a failure. A truncated call is one, as that is not the model's mistake.
 */
export const understand = (
  tools: Tools,
  call: Message.ToolCall
): Effect.Effect<Runnable | Wrong, LlmError.Reason, unknown> => {
  const known = tools.find(({ tool }) => tool.name === call.name)
  const wrong = (reason: LlmError.ReasonOf<"ToolArgumentsInvalid">): Wrong => ({
    call,
    reason,
    complaint: complain(reason, known?.bound.property)
  })
  if (known === undefined) return Effect.succeed(wrong(BoundTool.unknownTool(call, namesOf(tools))))
  return known.bound.read(call).pipe(
    Effect.map(({ call: own, value }): Runnable => ({
      call,
      value,
      run: Effect.suspend(() => known.tool.handler(value, own))
    })),
    Effect.catchAll((reason) =>
      reason._tag === "ToolArgumentsInvalid" ? Effect.succeed(wrong(reason)) : Effect.fail(reason)
    )
  )
}

const words = (text: string): ReadonlySet<string> => new Set(text.match(/[\w-]+/g) ?? [])

/**
 * A provider's failure to read a call, with the name of the tool. Some send the model's text without the name, which is
 * then in the text: `<function=length>{`, `print(default_api.length(`.
 */
export const named = (
  reason: LlmError.ReasonOf<"ToolArgumentsInvalid">,
  names: ReadonlyArray<string>
): LlmError.ReasonOf<"ToolArgumentsInvalid"> => {
  if (reason.name !== undefined) return reason
  const written = words(reason.raw)
  const [name, ...others] = names.filter((name) => written.has(name))
  return name === undefined || others.length > 0 ? reason : { ...reason, name }
}

/** The complaint about a call that not even the provider could read, as the user's turn. */
export const unreadable = ({ name }: LlmError.ReasonOf<"ToolArgumentsInvalid">, tools: Tools): string => {
  const names = namesOf(tools)
  const isKnown = name === undefined || names.includes(name)
  return [
    `Your call of ${name === undefined ? "a tool" : `the tool ${name}`} could not be read.`,
    ...isKnown && name !== undefined ? [] : [existing(names)],
    "The arguments have to be JSON that fits the tool's schema.",
    again
  ].join("\n")
}
