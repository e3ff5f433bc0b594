import * as Duration from "effect/Duration"
import * as Inspectable from "effect/Inspectable"
import { scrub } from "../internal/scrub.js"
import { visible } from "../internal/visible.js"
import type * as Reasons from "./reasons.js"

/** A reason that holds errors, as far as they are printed. */
interface OfSeveralProviders {
  readonly _tag: "AllProvidersFailed"
  readonly message?: string | undefined
  readonly errors: ReadonlyArray<{ readonly message: string; readonly toJSON: () => unknown }>
}

type Reason = Reasons.OfOneProvider | OfSeveralProviders

type Printable = { readonly [field: string]: unknown }

/** A reason without answers, or parts of them, that some reasons carry. */
const withoutAnswer = (reason: Reason): Printable => {
  switch (reason._tag) {
    case "StreamInterrupted":
      return { ...reason, partial: lengthOf(reason.partial) }
    case "OutputInvalid":
    case "OutputTruncated":
      return { ...reason, text: `<${reason.text.length} characters>` }
    case "ToolArgumentsInvalid":
      return { ...reason, raw: `<${reason.raw.length} characters>` }
    case "AllProvidersFailed":
      return { ...reason, errors: reason.errors.map((error) => error.toJSON()) }
    default:
      return "retryAfter" in reason && reason.retryAfter !== undefined
        ? { ...reason, retryAfter: Duration.format(reason.retryAfter) }
        : { ...reason }
  }
}

/** The printable form of a reason: no answers, a scrubbed message, and no control characters in codes and names. */
export const printable = (reason: Reason): Printable => {
  const shown = { ...withoutAnswer(reason), ...(reason.message !== undefined && { message: scrub(reason.message) }) }
  return {
    ...visibleTexts(shown),
    ...("issues" in reason && reason.issues !== undefined && { issues: reason.issues.map(visibleTexts) })
  }
}

const visibleTexts = (fields: object): Printable =>
  Object.fromEntries(
    Object.entries(fields).map(([field, value]) => [field, typeof value === "string" ? visible(value) : value])
  )

/** A reason that prints its printable form, for programs and tools that print it without its error. */
export class PrintedClean {
  static of<R extends Reason>(reason: R): R {
    return Object.assign(Object.create(PrintedClean.prototype), reason)
  }
  toJSON(this: Reason): unknown {
    return printable(this)
  }
  [Inspectable.NodeInspectSymbol](this: Reason): unknown {
    return printable(this)
  }
}

export const lengthOf = ({ text }: Reasons.Partial): string => `<${text.length} characters>`

/** A part of an answer that prints its length. */
export class PrintedAsLength {
  static of(partial: Reasons.Partial): Reasons.Partial {
    return Object.assign(Object.create(PrintedAsLength.prototype), partial)
  }
  toJSON(this: Reasons.Partial): unknown {
    return lengthOf(this)
  }
  [Inspectable.NodeInspectSymbol](this: Reasons.Partial): unknown {
    return lengthOf(this)
  }
}

const maxExplained = 5

const explainIssues = (
  { issues = [], omittedIssues = 0 }: Reasons.OutputInvalid | Reasons.ToolArgumentsInvalid,
  whole: string
): string => {
  const shown = issues.slice(0, maxExplained).map(({ expected, path }) =>
    `${path === "" ? whole : path}: ${expected.replace(/\s+/g, " ")}`
  )
  const others = issues.length - shown.length + omittedIssues
  return [...shown, ...others > 0 ? [`and ${others} more`] : []].join("; ")
}

export const explain = (reason: Reason): string => {
  switch (reason._tag) {
    case "TimedOut":
      return `TimedOut (${reason.phase}${reason.limit === undefined ? "" : ` ${Duration.format(reason.limit)}`})`
    case "NetworkFailed":
      return reason.code === undefined ? "NetworkFailed" : `NetworkFailed (${reason.code})`
    case "OutputInvalid":
      return `OutputInvalid (${explainIssues(reason, "the answer")})`
    case "ToolArgumentsInvalid":
      return reason.issues === undefined
        ? reason._tag
        : `ToolArgumentsInvalid (${explainIssues(reason, "the arguments")})`
    case "AllProvidersFailed":
      return `AllProvidersFailed (${reason.errors.map((error) => error.message).join(" | ")})`
    default:
      return reason._tag
  }
}
