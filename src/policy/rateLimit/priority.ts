import * as Context from "effect/Context"

/**
 * The urgency of the requests of a region of a program: a higher priority goes first, and equal ones go in the order of
 * arrival. `withPriority` sets it. Default: 0.
 *
 * @since 0.1.0
 * @category references
 */
export class Priority extends Context.Reference<Priority>()("effect-llm/RateLimit/Priority", {
  defaultValue: () => 0
}) {}
