import type * as RateLimit from "effect-llm/RateLimit"

/** The work of a member of a fleet. It is sent as JSON. */
export interface Job {
  readonly member: number
  readonly prompts: number
  /** Milliseconds. */
  readonly deadline: number
  /** The address of the service. */
  readonly service: string
  readonly limits: RateLimit.Limits & { readonly burst?: number }
  readonly store: {
    readonly connection: string
    readonly account: string
    readonly localShare?: number
    readonly leaseTime?: number
    readonly commandTimeout?: number
    readonly onUnavailable?: "local" | "closed" | "open"
    readonly borrow?: number
  }
}

/** A message of a member. */
export type Report =
  | { readonly _tag: "Ready" }
  | {
    readonly _tag: "Done"
    readonly answered: number
    /** How many calls failed, by reason. */
    readonly errors: Readonly<Record<string, number>>
    /** From the beginning to the end of the last call, in milliseconds. */
    readonly longest: number
    readonly tokens: number
    /** How often an outage of the store was reported. */
    readonly unavailable: number
  }
