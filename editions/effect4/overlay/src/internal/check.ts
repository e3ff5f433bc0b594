// In place of declarations: a duration of Effect 4 may be negative, or an object, which is none where it names no unit.

const units = ["weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"]

const isNegative = (value: Duration.Input): boolean => {
  if (typeof value === "string") return value.trim().startsWith("-")
  if (typeof value !== "object" || value === null) return !(value >= 0)
  if (Duration.isDuration(value)) return Duration.isNegative(value)
  if (Array.isArray(value)) return !value.every((part) => part >= 0)
  const parts = Object.entries(value)
  return parts.length === 0 ||
    !parts.every(([unit, count]) => units.includes(unit) && (count === undefined || count >= 0))
}
