/**
 * The decision about a call, for the option `approve` of `LlmClient.runTools`: to run it (`approved`), to refuse it
 * (`denied`), or to leave it open (`pending`).
 *
 * @since 0.1.0
 * @category approval
 */
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

/**
 * The call is run.
 *
 * @since 0.1.0
 * @category approval
 */
export const approved: Approval = { _tag: "Approved" }

/**
 * The call is not run, and the model gets the reason as an error. Default: that it was not allowed.
 *
 * @since 0.1.0
 * @category approval
 */
export const denied = (reason = "This call was not allowed."): Approval => ({ _tag: "Denied", reason })

/**
 * The call is left open: the run ends with it in `pending`. A run on its `messages` asks for the decision again.
 *
 * @since 0.1.0
 * @category approval
 */
export const pending: Approval = { _tag: "Pending" }
