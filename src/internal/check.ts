import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import { shortened } from "./boundedText.js"

const maxName = 64

/** An invalid option. Thrown, so that it becomes a defect when a layer is built with it. */
export class InvalidOption extends Data.TaggedError("InvalidOption")<{
  /** The name of the option. */
  readonly option: string
  /** The valid values. */
  readonly expected: string
  /** The given value. */
  readonly actual: string
}> {
  override get message(): string {
    return `${this.option} must be ${this.expected}, but is ${this.actual}`
  }
}

/** Throws `InvalidOption`. */
export const invalidOption = (option: string, expected: string, actual: unknown): never => {
  throw new InvalidOption({ option, expected, actual: String(actual) })
}

/** Whether it is less than nothing, or no number: `Duration.decode` would read that as zero. */
const isNegative = (value: Duration.DurationInput): boolean =>
  Array.isArray(value) ? !value.every((part) => part >= 0) : typeof value === "string"
    ? value.trim().startsWith("-")
    : (typeof value === "number" || typeof value === "bigint") && !(value >= 0)

/** A duration that is not negative. */
export const duration = (option: string, value: Duration.DurationInput): Duration.Duration => {
  const decoded = Duration.decodeUnknown(value)
  return isNegative(value) || decoded._tag === "None"
    ? invalidOption(option, "a duration that is not negative", value)
    : decoded.value
}

/** A duration of more than zero. */
export const positiveDuration = (option: string, value: Duration.DurationInput): Duration.Duration => {
  const decoded = duration(option, value)
  return Duration.greaterThan(decoded, Duration.zero) ? decoded : invalidOption(option, "a positive duration", value)
}

/** A whole number that is at least `minimum`. */
export const integer = (option: string, value: number, minimum: number): number =>
  Number.isSafeInteger(value) && value >= minimum
    ? value
    : invalidOption(option, `an integer of at least ${minimum}`, value)

/** A finite number that is at least `minimum`. */
export const finite = (option: string, value: number, minimum: number): number =>
  Number.isFinite(value) && value >= minimum
    ? value
    : invalidOption(option, `a finite number of at least ${minimum}`, value)

/** The number of letters to change, add or leave out to turn one name into another. Case is ignored. */
const distance = (from: string, to: string): number => {
  const [a, b] = [from.toLowerCase(), to.toLowerCase()]
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      next.push(Math.min(row[j]! + (a[i] === b[j] ? 0 : 1), row[j + 1]! + 1, next[j]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

/** The names of all options of a kind. A missing or unknown name does not compile. */
export type Names<Options> = { readonly [Name in keyof Required<Options>]: true }

/** Checks that options have only known names: a misspelled one is a mistake. An `undefined` option counts as absent. */
export const known = <Options extends object>(options: Options, names: Names<Options>, prefix = ""): Options => {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || Object.hasOwn(names, name)) continue
    const [nearest = ""] = Object.keys(names).sort((a, b) => distance(name, a) - distance(name, b))
    return invalidOption(
      `${prefix}${shortened(name, maxName)}`,
      `a known option, such as ${prefix}${nearest}`,
      "unknown"
    )
  }
  return options
}
