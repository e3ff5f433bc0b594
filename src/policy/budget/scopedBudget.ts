import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as LlmProvider from "../../LlmProvider.js"
import type * as Account from "./account.js"
import type { Checked } from "./limits.js"

/** A region of a program with its own allowance. */
export interface Region extends Checked {
  readonly scope: string
  readonly account: Account.Account
}

/** The regions that a program is in. */
export interface Regions {
  /** Identifies the innermost region. */
  readonly id: string
  /** From the innermost to the outermost. */
  readonly all: ReadonlyArray<Region>
  /**
   * A provider that keeps to their allowances. Entering a region installs it, so that programs without regions do not
   * load it.
   */
  readonly enforce: (provider: LlmProvider.Service) => LlmProvider.Service
}

export class CurrentRegions extends Context.Reference<CurrentRegions>()("effect-llm/Budget/CurrentRegions", {
  defaultValue: (): Regions => ({ id: "", all: [], enforce: (provider) => provider })
}) {}

/** A provider that keeps to the allowances of the regions that it is asked in. Outside of regions it is unchanged. */
export const enforced = (provider: LlmProvider.Service): Effect.Effect<LlmProvider.Service> =>
  Effect.map(CurrentRegions, ({ enforce }) => enforce(provider))
