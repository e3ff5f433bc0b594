import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as LlmProvider from "../../LlmProvider.js"
import type { Billed } from "../pricing/Pricing.js"
import * as Account from "./account.js"
import * as BudgetGuard from "./guard.js"
import type { Checked } from "./limits.js"
import type { Region, Regions } from "./scopedBudget.js"
import * as BudgetStore from "./store.js"

/** The price that the innermost region knows, or else that of an outer one. */
const priceOf = ([region, ...outer]: ReadonlyArray<Region>, billed: Billed): Effect.Effect<number | undefined> =>
  region === undefined
    ? Effect.succeed(undefined)
    : Effect.flatMap(
      region.priceOf(billed),
      (cost) => cost === undefined ? priceOf(outer, billed) : Effect.succeed(cost)
    )

const guardOf = (provider: LlmProvider.Service, regions: ReadonlyArray<Region>): BudgetGuard.Guard => ({
  claims: (request) =>
    Effect.forEach(regions, ({ estimate, limits, scope }) =>
      Effect.map(
        estimate(provider.name, request),
        (estimate) => ({ scope, key: "", limits, estimate })
      )),
  reserve: (claims) =>
    BudgetStore.reserveAll(Arr.zipWith(regions, claims, ({ account }, claim) => ({ account, claim }))),
  priceOf: (billed) => priceOf(regions, billed)
})

let entered = 0

/** Enters a region with nothing spent yet. */
export const enter = (scope: string, checked: Checked, outer: Regions): Regions => {
  const all = [{ ...checked, scope, account: Account.make() }, ...outer.all]
  return {
    id: `region ${++entered}`,
    all,
    enforce: (provider) => BudgetGuard.guard(provider, guardOf(provider, all))
  }
}
