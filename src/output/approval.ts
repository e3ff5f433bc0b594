/** The decision about a call of a tool: to run it, to refuse it, or to leave it open. */
export type Approval = Approved | Denied | Pending

/** The call is run. */
export interface Approved {
  readonly _tag: "Approved"
}

/** The call is not run, and the model gets the reason. */
export interface Denied {
  readonly _tag: "Denied"
  /** The result for the model, marked as an error. */
  readonly reason: string
}

/** The call is not decided yet: the run ends with it. */
export interface Pending {
  readonly _tag: "Pending"
}

export const approved: Approval = { _tag: "Approved" }

export const denied = (reason = "This call was not allowed."): Approval => ({ _tag: "Denied", reason })

export const pending: Approval = { _tag: "Pending" }
