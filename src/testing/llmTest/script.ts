import * as Data from "effect/Data"
import { isTagged } from "effect/Predicate"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import type { Answer } from "./answers.js"

/**
 * The requests that a step answers: those whose prompt holds a text or fits a pattern, those of a model or with certain
 * instructions, those of `call` or of `stream`, or those that fit a predicate.
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
 * One step of a script: its requests, its answer, and the number of requests that it answers.
 *
 * @since 0.1.0
 * @category models
 */
export interface Step {
  readonly _tag: "Step"
  /** Default: any request. */
  readonly match?: Match | undefined
  readonly answer: Answer
  /** The number of requests that it answers; `Infinity` for any number. */
  readonly times: number
}

/**
 * The answers of a provider. The first matching step that is not used up answers a request. A plain answer matches any
 * request and answers one, so a list of plain answers is followed in order; `when` makes a rule for some requests, and
 * `repeat` answers more than one.
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
 * Sets the number of requests that an answer or a rule answers. Default: any number.
 *
 * @since 0.1.0
 * @category scripts
 * @example
 * ```ts
 * import { LlmTest } from "effect-llm/testing"
 *
 * const script: LlmTest.Script = [LlmTest.repeat("Elbe", 3), LlmTest.repeat(LlmTest.when(/lake/, "Müritz"), 1), LlmTest.repeat("anything else")]
 * ```
 */
export const repeat = (answer: Answer | Step, times = Infinity): Step => ({ ...toStep(answer), times })

const fits = (pattern: string | RegExp, text: string): boolean =>
  typeof pattern === "string" ? text.includes(pattern) : text.search(pattern) >= 0

const show = (value: string | RegExp): string => {
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value)
  return shown.length > 200 ? `${shown.slice(0, 199)}…` : shown
}

/** The place where a text differs from the wanted one, for the message: enough of both to see the first difference. */
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

/** The reason why a request does not match; `undefined` if it does. */
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
 * No step of the script answers a request. The spec is wrong, so this is a defect: it is never retried, no other provider
 * is asked, and the spec fails with this message.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnexpectedRequest extends Data.TaggedError("UnexpectedRequest")<{
  readonly request: LlmRequest
  /** For each step of the script, the reason why it did not answer. */
  readonly steps: ReadonlyArray<string>
}> {
  override get message(): string {
    return [
      `No step of the script answers this request: ${describeRequest(this.request)}`,
      ...this.steps.length === 0
        ? ["The script is empty."]
        : this.steps.map((reason, i) => `  step ${i + 1}: ${reason}`)
    ].join("\n")
  }
}

/**
 * A script is not used up.
 *
 * @since 0.1.0
 * @category errors
 */
export class ScriptNotDone extends Data.TaggedError("ScriptNotDone")<{
  /** The steps that are left, in words. */
  readonly left: ReadonlyArray<string>
  /** The requests that the provider received. */
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
