import * as LlmError from "effect-llm/LlmError"
import * as Duration from "effect/Duration"

/** An error of one attempt, as a provider gives it. */
export const failure = (
  reason: LlmError.Reason,
  fields: Partial<ConstructorParameters<typeof LlmError.LlmError>[0]> = {}
): LlmError.LlmError => new LlmError.LlmError({ operation: "call", attempts: 1, reason, ...fields })

export const serverFailed = failure(LlmError.ServerFailed.make({ message: "boom" }), { status: 500 })

export const unauthorized = failure(LlmError.AuthenticationFailed.make({}), { status: 401 })

export const rateLimited = (retryAfter?: Duration.DurationInput): LlmError.LlmError =>
  failure(
    LlmError.RateLimited.make(retryAfter === undefined ? {} : { retryAfter: Duration.decode(retryAfter) }),
    { status: 429 }
  )
