import { BudgetExceeded, LlmError } from "../domain/LlmError.js"
import * as Money from "../internal/money.js"
import * as Amounts from "./amounts.js"
import type { Halt, JobState } from "./job.js"
import { wayOf } from "./options.js"

const exceeded = (message: string): Halt => {
  const error = new LlmError({
    operation: "call",
    attempts: 0,
    reason: BudgetExceeded.make({ scope: "job", message })
  })
  return { message: error.message, error }
}

/**
 * The end of a job whose answers have cost all that it may spend: none while money is left, or if no request is.
 * Batches are checked before they are handed over (`canAfford`).
 */
export const spent = ({ progress: { cost, pending }, settings }: JobState): Halt | undefined =>
  settings.budget === undefined || wayOf(settings) === "batch" || pending === 0 || cost < settings.budget
    ? undefined
    : exceeded(`its answers have cost ${Amounts.dollars(cost)} of a budget of ${Amounts.dollars(settings.budget)}`)

/** Whether a job can afford a batch, beside its answers and the batches that are under way. An unknown price is no obstacle. */
export const canAfford = (
  { progress: { cost }, settings: { budget } }: JobState,
  { expected, outstanding }: {
    readonly expected: Money.Picodollars | undefined
    readonly outstanding: Money.Picodollars
  }
): boolean =>
  budget === undefined || Money.fromDollars(cost) + outstanding + (expected ?? 0n) <= Money.fromDollars(budget)

/** The end of a job that cannot afford its next batch. */
export const tooDear = (
  { progress: { cost }, settings: { budget = 0 } }: JobState,
  expected: Money.Picodollars
): Halt =>
  exceeded(
    `its answers have cost ${Amounts.dollars(cost)} of a budget of ${Amounts.dollars(budget)}, and the next batch is ` +
      `expected to cost ${Amounts.dollars(Money.toDollars(expected))}`
  )
