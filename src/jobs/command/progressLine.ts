import type { Progress } from "../job.js"

/** Where a job stood at a moment, in milliseconds of any clock. */
export interface Seen {
  readonly at: number
  readonly progress: Progress
}

const number = new Intl.NumberFormat("en-US")

/** A number of dollars, with as many digits as it takes to see something. */
export const dollars = (amount: number): string =>
  amount === 0
    ? "$0"
    : amount >= 1
    ? `$${amount.toFixed(2)}`
    : `$${amount.toFixed(Math.min(12, 2 - Math.floor(Math.log10(amount)))).replace(/0+$/, "")}`

/** A time as a person reads it: `12 s`, `3 min 5 s`, `2 h 10 min`. */
export const duration = (seconds: number): string => {
  const whole = Math.ceil(seconds)
  const minutes = Math.floor(whole / 60)
  return whole < 60
    ? `${whole} s`
    : minutes < 60
    ? `${minutes} min ${whole % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

const barOf = (share: number, width: number): string => {
  const full = Math.round(share * width)
  return "█".repeat(full) + "░".repeat(width - full)
}

/** What a job has spent, and what may have been spent for nothing. */
export const spent = ({ cost, interrupted, unpriced }: Progress): string =>
  [
    dollars(cost),
    ...(unpriced > 0 ? [`${number.format(unpriced)} answers without a known price`] : []),
    ...(interrupted.requests > 0
      ? [`up to ${number.format(interrupted.requests)} requests lost when it was interrupted`]
      : [])
  ].join(", ")

/** The progress of a job in a line: how much is done, the rate since an earlier moment, the cost, and the time left. */
export const progressLine = (earlier: Seen, now: Seen, width = 20): string => {
  const { failed, pass, pending, succeeded, total } = now.progress
  const done = succeeded + failed
  const seconds = (now.at - earlier.at) / 1_000
  const rate = seconds > 0 ? Math.max(0, done - earlier.progress.succeeded - earlier.progress.failed) / seconds : 0
  return [
    `${barOf(total === 0 ? 1 : done / total, width)} ${number.format(done)}/${number.format(total)}`,
    ...(failed > 0 ? [`${number.format(failed)} failed`] : []),
    ...(pass > 1 ? [`pass ${pass}`] : []),
    ...(rate > 0 ? [`${rate >= 10 ? Math.round(rate) : rate.toFixed(1)}/s`] : []),
    dollars(now.progress.cost),
    ...(rate > 0 && pending > 0 ? [`${duration(pending / rate)} left`] : [])
  ].join(" · ")
}

/** A job in a line, for a list of them. */
export const statusLine = (progress: Progress): string => {
  const { failed, halted, id, status, succeeded, total } = progress
  return [
    `${id}: ${status}`,
    `${number.format(succeeded)} of ${number.format(total)} answered`,
    ...(failed > 0 ? [`${number.format(failed)} failed`] : []),
    spent(progress),
    ...(halted === undefined ? [] : [halted.message])
  ].join(" · ")
}
