import * as Data from "effect/Data"
import { isTagged } from "effect/Predicate"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import type { Answer } from "./answers.js"

/**
 * Which requests a step answers: those whose prompt holds a text or fits a pattern, those of a model or with certain
 * instructions, those of `call` or of `stream`, or those of which a predicate holds.
 *
 * @since 0.1.0
 * @category models
 */
export type Match =
  | string
  | RegExp
  | {
    readonly model?: string | undefined
    readonly system?: string | RegExp | undefined
    readonly text?: string | RegExp | undefined
    readonly operation?: "call" | "stream" | undefined
  }
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

export const toStep = (answer: Answer | Step): Step => isStep(answer) ? answer : { _tag: "Step", answer, times: 1 }

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

const show = (value: string | RegExp): string => {
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value)
  return shown.length > 200 ? `${shown.slice(0, 199)}…` : shown
}

/** How far a text agrees with the one that was wanted: enough of it to see where they part. */
const agreement = (wanted: string, text: string): string => {
  if (text.toLowerCase().includes(wanted.toLowerCase())) return " (it differs in case)"
  for (let length = wanted.length - 1; length >= 4; length--) {
    const at = text.indexOf(wanted.slice(0, length))
    if (at < 0) continue
    return ` (it has ${show(wanted.slice(0, length))}, then ${show(text.slice(at + length, at + length + 40))})`
  }
  return ""
}

const textMismatch = (what: string, wanted: string | RegExp | undefined, text: string): ReadonlyArray<string> =>
  wanted === undefined || fits(wanted, text)
    ? []
    : [`wants the ${what} ${show(wanted)}${typeof wanted === "string" ? agreement(wanted, text) : ""}`]

/** Why a request does not match: nothing if it does. */
export const mismatch = (
  match: Match | undefined,
  request: LlmRequest,
  asked: "call" | "stream"
): ReadonlyArray<string> => {
  if (match === undefined) return []
  if (typeof match === "function") return match(request) ? [] : ["its predicate does not hold"]
  if (typeof match === "string" || match instanceof RegExp) return mismatch({ text: match }, request, asked)
  const { model, operation, system, text } = match
  return [
    ...operation === undefined || operation === asked ? [] : [`wants a ${operation}`],
    ...model === undefined || model === request.model ? [] : [`wants the model ${show(model)}`],
    ...textMismatch("instructions", system, request.system ?? ""),
    ...textMismatch("text", text, request.prompt)
  ]
}

const describeRequest = ({ model, prompt, system }: LlmRequest): string =>
  `model ${show(model)}, prompt ${show(prompt)}${system === undefined ? "" : `, instructions ${show(system)}`}`

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
