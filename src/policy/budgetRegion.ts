import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as LlmProvider from "../LlmProvider.js"
import * as Account from "./budgetAccount.js"
import * as BudgetGuard from "./budgetGuard.js"
import type { Checked } from "./budgetLimits.js"
import * as BudgetStore from "./budgetStore.js"
import type { Billed } from "./Pricing.js"

/** A region of a program with an allowance of its own. */
export interface Region extends Checked {
  readonly scope: string
  readonly account: Account.Account
}

/** The regions that the program is in, from the innermost to the outermost. */
export class CurrentRegions extends Context.Reference<CurrentRegions>()("effect-llm/Budget/CurrentRegions", {
  defaultValue: (): ReadonlyArray<Region> => []
}) {}

/** Makes a region in which nothing was spent yet. */
export const make = (scope: string, checked: Checked): Region => ({ ...checked, scope, account: Account.make() })

/** The price that the innermost region knows which knows one. */
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

/** A provider that keeps to the allowances of the regions that it is asked in: outside of them, it as it is. */
export const enforcedIn = (context: Context.Context<never>, provider: LlmProvider.Service): LlmProvider.Service => {
  const regions = Context.get(context, CurrentRegions)
  return regions.length === 0 ? provider : BudgetGuard.guard(provider, Effect.succeed(guardOf(provider, regions)))
}

/** The same, in the regions that the program is in. */
export const enforced = (provider: LlmProvider.Service): Effect.Effect<LlmProvider.Service> =>
  Effect.map(Effect.context<never>(), (context) => enforcedIn(context, provider))
