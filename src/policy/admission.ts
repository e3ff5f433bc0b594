import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { LlmError, Operation } from "../domain/LlmError.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import type * as LlmProvider from "../LlmProvider.js"

/**
 * A request that a policy has let in.
 *
 * @since 0.1.0
 * @category models
 */
export interface Admission {
  /** The attempt as the provider sees it. Default: the attempt as the policy sees it. */
  readonly attempt?: LlmProvider.Attempt | undefined
  /**
   * Runs right before the provider is asked: a report, for example. It may be interrupted; the admission is settled all
   * the same. Default: nothing.
   */
  readonly begin?: Effect.Effect<void> | undefined
  /** Changes the answer, or the `Finish` of a stream, before it is settled. Default: leaves it as it is. */
  readonly mapResponse?: ((response: LlmResponse) => Effect.Effect<LlmResponse>) | undefined
  /**
   * Runs exactly once, uninterruptibly: after an answer (for a stream: when its `Finish` has come), a failure, a defect or
   * an interruption. A stream that its reader closes early counts as interrupted, and one that ends without `Finish` as
   * failed with `StreamInterrupted`.
   */
  readonly settle: (exit: Exit.Exit<LlmResponse, LlmError>) => Effect.Effect<void>
}

/**
 * How a policy is asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Admitting {
  /**
   * Whether the provider will be asked by `call`, `stream` or `embed`. The texts of `embed` are the parts of one user
   * message, and its answer has their usage and no parts.
   */
  readonly operation: Operation
  /** Makes a wait interruptible, if the caller is. The rest of an admission is not interrupted. */
  readonly restore: <A, E, R>(wait: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}
