import * as Data from "effect/Data"
import * as Duration from "effect/Duration"

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

/** A duration that is not negative. (`Duration.decode` would read NaN and negative numbers as zero.) */
export const duration = (option: string, value: Duration.DurationInput): Duration.Duration => {
  const expected = "a duration that is not negative"
  const negative = Array.isArray(value) ? !value.every((part) => part >= 0) : typeof value === "string"
    ? value.trim().startsWith("-")
    : (typeof value === "number" || typeof value === "bigint") && !(value >= 0)
  const decoded = Duration.decodeUnknown(value)
  return negative || decoded._tag === "None" ? invalidOption(option, expected, value) : decoded.value
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
