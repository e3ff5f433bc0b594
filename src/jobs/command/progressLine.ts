import { count, dollars, duration } from "../amounts.js"
import type { Progress } from "../job.js"

/** The progress of a job at a moment, in milliseconds of any clock. */
export interface Seen {
  readonly at: number
  readonly progress: Progress
}

const barOf = (share: number, width: number): string => {
  const full = Math.round(share * width)
  return "█".repeat(full) + "░".repeat(width - full)
}

/** The cost of a job, and the possible waste. */
export const spent = ({ cost, interrupted, unpriced }: Progress): string =>
  [
    dollars(cost),
    ...(unpriced > 0 ? [`${count(unpriced)} answers without a known price`] : []),
    ...(interrupted.requests > 0
      ? [`up to ${count(interrupted.requests)} requests lost when it was interrupted`]
      : [])
  ].join(", ")

/** The batches that the service works on. */
const atService = ({ batches }: Progress): ReadonlyArray<string> =>
  batches === undefined ? [] : [
    `${count(batches.count)} ${batches.count === 1 ? "batch" : "batches"} at the service: ` +
    `${count(batches.answered)}/${count(batches.requests)}`
  ]

/**
 * The progress of a job in a line: the requests done, the rate since an earlier moment, the cost, and the time left.
 */
export const progressLine = (earlier: Seen, now: Seen, width = 20): string => {
  const { failed, pass, pending, succeeded, total } = now.progress
  const done = succeeded + failed
  const seconds = (now.at - earlier.at) / 1_000
  const rate = seconds > 0 ? Math.max(0, done - earlier.progress.succeeded - earlier.progress.failed) / seconds : 0
  return [
    `${barOf(total === 0 ? 1 : done / total, width)} ${count(done)}/${count(total)}`,
    ...(failed > 0 ? [`${count(failed)} failed`] : []),
    ...(pass > 1 ? [`pass ${pass}`] : []),
    ...atService(now.progress),
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
    `${count(succeeded)} of ${count(total)} answered`,
    ...(failed > 0 ? [`${count(failed)} failed`] : []),
    spent(progress),
    ...atService(progress),
    ...(halted === undefined ? [] : [halted.message])
  ].join(" · ")
}
