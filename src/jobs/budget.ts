import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { BudgetExceeded, LlmError } from "../domain/LlmError.js"
import * as Money from "../internal/money.js"
import * as Amounts from "./amounts.js"
import type { Answering } from "./answering.js"
import type { Halt, JobState } from "./job.js"
import { persist } from "./persist.js"
import type { Store } from "./store.js"

const exceeded = (message: string): Halt => {
  const error = new LlmError({
    operation: "call",
    attempts: 0,
    reason: BudgetExceeded.make({ scope: "job", message })
  })
  return { message: error.message, error }
}

/** The end of a job whose answers have cost all that it may spend. */
const spent = ({ progress: { cost }, settings: { budget } }: JobState): Halt | undefined =>
  budget === undefined || cost < budget
    ? undefined
    : exceeded(`its answers have cost ${Amounts.dollars(cost)} of a budget of ${Amounts.dollars(budget)}`)

/** How often it is looked what the answers of a job have cost, while it is asked by calls. */
const lookEvery = "1 second"

/**
 * Holds calls to the budgets of their jobs: before the first call of a chunk, and as long as its calls go on. A chunk that
 * batches have answered asks nothing, and halts nothing. Batches are held to a budget before they are handed over
 * (`canAfford`).
 */
export const heldTo = (store: Store, calls: Answering): Answering => (chunk) =>
  chunk.job.settings.budget === undefined ? calls(chunk) : Effect.scoped(Effect.gen(function*() {
    const scope = yield* Effect.scope
    const look = Effect.flatMap(persist(store.find(chunk.job.progress.id)), (job) => {
      const halt = Option.isSome(job) ? spent(job.value) : undefined
      return halt === undefined ? Effect.void : chunk.halt(halt)
    })
    const watched = yield* Effect.cached(
      Effect.zipRight(look, Effect.forkIn(Effect.schedule(look, Schedule.spaced(lookEvery)), scope))
    )
    yield* calls({
      ...chunk,
      asks: (item) =>
        Effect.zipRight(watched, Effect.suspend(() => chunk.isStopped() ? Effect.succeed(false) : chunk.asks(item)))
    })
  }))

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
