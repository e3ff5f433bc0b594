import * as Duration from "effect/Duration"
import { isNotUndefined } from "effect/Predicate"

/** The header fields of an answer. Lower-case names are found directly, others by a search through all of them. */
export type HeaderFields = Readonly<Record<string, string | undefined>>

/** The longest time for a timer, 2^31 - 1 ms: a longer one fires at once, or never. */
const maxTimerMillis = 2_147_483_647

const digits = /^\d+(?:\.\d+)?$/

/** A number in a header: digits, perhaps with decimals. No sign, no exponent, no `Infinity`. */
export const parseNumber = (text: string): number | undefined => {
  const trimmed = text.trim()
  return digits.test(trimmed) ? Number(trimmed) : undefined
}

/** Whole milliseconds, rounded up so that nothing happens too early, at most the longest time for a timer. */
export const fromMillis = (millis: number): Duration.Duration | undefined =>
  Number.isNaN(millis)
    ? undefined
    // Errors of binary fractions (1.1 * 1000) must not round up to another millisecond.
    : Duration.millis(
      Math.min(Number.isInteger(millis) ? millis : Math.ceil(Number(millis.toFixed(3))), maxTimerMillis)
    )

const unitMillis: ReadonlyMap<string, number> = new Map([
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
  // The micro sign and the Greek letter look the same, but are two characters.
  ["us", 1e-3],
  ["\u00b5s", 1e-3],
  ["\u03bcs", 1e-3],
  ["ns", 1e-6]
])

const unit = [...unitMillis.keys()].sort((a, b) => b.length - a.length).join("|")
const durationShape = new RegExp(`^(?:\\d+(?:\\.\\d+)?(?:${unit}))+$`)
const durationPart = new RegExp(`(\\d+(?:\\.\\d+)?)(${unit})`, "g")

/**
 * A duration in the form of Go and of protobuf's JSON: `57.238747106s`, `6m0s`, `12ms`, `1h16m0.667s`. Undefined for any
 * other text, and for negative durations.
 */
export const parseDuration = (text: string): Duration.Duration | undefined => {
  const trimmed = text.trim()
  if (!durationShape.test(trimmed)) return undefined
  let millis = 0
  for (const [, amount = "", name = ""] of trimmed.matchAll(durationPart)) {
    millis += Number(amount) * (unitMillis.get(name) ?? 0)
  }
  return fromMillis(millis)
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

const month = `(?<month>${months.join("|")})`
const time = "(?<hour>[01]\\d|2[0-3]):(?<minute>[0-5]\\d):(?<second>[0-5]\\d|60)"

/** RFC 9110, 5.6.7: IMF-fixdate, then the obsolete forms of RFC 850 and asctime, which a recipient must accept. */
const httpDates = [
  new RegExp(`^[A-Z][a-z]{2}, (?<day>0[1-9]|[12]\\d|3[01]) ${month} (?<year>\\d{4}) ${time} GMT$`),
  new RegExp(`^[A-Z][a-z]{5,8}, (?<day>0[1-9]|[12]\\d|3[01])-${month}-(?<year>\\d{2}) ${time} GMT$`),
  new RegExp(`^[A-Z][a-z]{2} ${month} (?<day>[ 0][1-9]|[12]\\d|3[01]) ${time} (?<year>\\d{4})$`)
]

/** A two-digit year that would be more than 50 years ahead is the latest such year in the past. */
const fullYear = (year: string, nowMillis: number): number => {
  if (year.length === 4) return Number(year)
  const thisYear = new Date(nowMillis).getUTCFullYear()
  const inThisCentury = thisYear - thisYear % 100 + Number(year)
  return inThisCentury > thisYear + 50 ? inThisCentury - 100 : inThisCentury
}

const timestamp = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/

/** The time of a date in epoch milliseconds: an HTTP-date of RFC 9110, or a timestamp of RFC 3339. */
export const parseDate = (text: string, nowMillis: number): number | undefined => {
  const trimmed = text.trim()
  const rfc3339 = timestamp.exec(trimmed)
  if (rfc3339 !== null) {
    const [, date, clock, fraction = "0", zone = ""] = rfc3339
    const at = Date.parse(`${date}T${clock}${zone.toUpperCase()}`) + Number(fraction) * 1000
    return Number.isNaN(at) ? undefined : at
  }
  for (const form of httpDates) {
    const { day, hour, minute, month = "", second, year = "" } = form.exec(trimmed)?.groups ?? {}
    if (day === undefined) continue
    const at = Date.UTC(
      fullYear(year, nowMillis),
      months.indexOf(month),
      Number(day),
      Number(hour),
      Number(minute),
      Number(second)
    )
    return Number.isNaN(at) ? undefined : at
  }
  return undefined
}

/** The time from now until a moment; zero if it has passed, undefined if either is unknown. */
export const until = (atMillis: number | undefined, nowMillis: number): Duration.Duration | undefined =>
  atMillis === undefined ? undefined : fromMillis(Math.max(0, atMillis - nowMillis))

const find = (headers: HeaderFields, name: string): string | undefined =>
  headers[name] ?? Object.entries(headers).find(([other]) => other.toLowerCase() === name)?.[1]

const parseMillis = (text: string): Duration.Duration | undefined => {
  const millis = parseNumber(text)
  return millis === undefined ? undefined : fromMillis(millis)
}

/** The comma between two fields. That in a date has a day and a month behind it: `Sun, 22 Nov`. */
const nextField = /,(?=\s*(?:[\d.]+\s*(?:,|$)|[A-Z][a-z]+,))/

/** The longest wait of several fields, which HTTP clients join with commas: one of a service, say, and one of its proxy. */
const longest =
  (read: (text: string, nowMillis: number) => Duration.Duration | undefined): typeof read => (text, nowMillis) =>
    text.split(nextField, 20).map((each) => read(each, nowMillis)).filter(isNotUndefined)
      .reduce<Duration.Duration | undefined>(
        (one, other) => one === undefined ? other : Duration.max(one, other),
        undefined
      )

const parseSeconds = (text: string, nowMillis: number): Duration.Duration | undefined => {
  const seconds = parseNumber(text)
  return seconds === undefined ? until(parseDate(text, nowMillis), nowMillis) : fromMillis(seconds * 1000)
}

const readers = [
  ["retry-after-ms", longest(parseMillis)],
  ["x-ms-retry-after-ms", longest(parseMillis)],
  ["retry-after", longest(parseSeconds)]
] as const

/**
 * The wait that the server asks for: the first readable value of `retry-after-ms` and `x-ms-retry-after-ms`
 * (milliseconds) and `retry-after` (seconds, whole or decimal, or a date; a past one means zero). Malformed, negative
 * and infinite values are ignored; of several fields of one name the longest wait counts; a wait beyond the longest time
 * for a timer (24 days) is cut to that.
 */
export const retryAfter = (headers: HeaderFields, nowMillis: number): Duration.Duration | undefined => {
  for (const [name, read] of readers) {
    const value = find(headers, name)
    const wait = value === undefined ? undefined : read(value, nowMillis)
    if (wait !== undefined) return wait
  }
  return undefined
}
