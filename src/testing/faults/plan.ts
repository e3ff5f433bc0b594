import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as LlmError from "../../domain/LlmError.js"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import * as Check from "../../internal/check.js"
import type { Latency } from "./latency.js"

// ---------------------------------------------------------------------------------------------------------------------
// Faults
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A fault that a request meets in place of a plain answer. The constructors of this module describe each one.
 *
 * @since 0.1.0
 * @category models
 */
export type Fault = Data.TaggedEnum<{
  Ok: Record<never, never>
  Fail: { readonly reason: LlmError.Reason; readonly status: number | undefined }
  Hang: Record<never, never>
  Slow: { readonly latency: Latency; readonly perPart: Latency }
  Cut: { readonly afterParts: number }
  Stall: { readonly afterParts: number }
}>

const fault = Data.taggedEnum<Fault>()

/**
 * No fault: the request is answered.
 *
 * @since 0.1.0
 * @category faults
 */
export const ok: Fault = fault.Ok()

/**
 * Fails with a reason, before any part of a stream. The provider is not asked. `status` is the HTTP status of the error;
 * default: none.
 *
 * @since 0.1.0
 * @category faults
 * @example
 * ```ts
 * import { LlmError } from "effect-llm"
 * import { Faults, LlmTest } from "effect-llm/testing"
 *
 * const fault = Faults.fail(LlmError.ModelNotFound.make({}), 404)
 * const provider = LlmTest.layerEcho.pipe(Faults.inject({ plan: Faults.always(fault) }))
 * ```
 */
export const fail = (reason: LlmError.Reason, status?: number): Fault => fault.Fail({ reason, status })

/**
 * Too many requests: 429, with a Retry-After if one is given.
 *
 * @since 0.1.0
 * @category faults
 * @example
 * ```ts
 * import { Faults, LlmTest } from "effect-llm/testing"
 *
 * const provider = LlmTest.layerEcho.pipe(Faults.inject({ plan: Faults.perRequest([Faults.rateLimited("2 seconds")]) }))
 * ```
 */
export const rateLimited = (retryAfter?: Duration.DurationInput): Fault =>
  fail(
    LlmError.RateLimited.make(retryAfter === undefined ? {} : { retryAfter: Check.duration("retryAfter", retryAfter) }),
    429
  )

/**
 * The provider is overloaded: 529, with a Retry-After if one is given.
 *
 * @since 0.1.0
 * @category faults
 * @example
 * ```ts
 * import { Faults, LlmTest } from "effect-llm/testing"
 *
 * const provider = LlmTest.layerEcho.pipe(Faults.inject({ plan: Faults.perRequest([Faults.overloaded(), Faults.overloaded("3 seconds")]) }))
 * ```
 */
export const overloaded = (retryAfter?: Duration.DurationInput): Fault =>
  fail(
    LlmError.Overloaded.make(retryAfter === undefined ? {} : { retryAfter: Check.duration("retryAfter", retryAfter) }),
    529
  )

/**
 * The provider failed, with an HTTP status. Default: 500.
 *
 * @since 0.1.0
 * @category faults
 * @example
 * ```ts
 * import { Faults, LlmTest } from "effect-llm/testing"
 *
 * const provider = LlmTest.layerEcho.pipe(Faults.inject({ plan: Faults.perRequest([Faults.serverError(502)]) }))
 * ```
 */
export const serverError = (status = 500): Fault => fail(LlmError.ServerFailed.make({}), status)

/**
 * The connection is reset before any answer.
 *
 * @since 0.1.0
 * @category faults
 */
export const reset: Fault = fail(LlmError.NetworkFailed.make({ code: "ECONNRESET" }))

/**
 * The answer does not follow the protocol.
 *
 * @since 0.1.0
 * @category faults
 */
export const malformed: Fault = fail(LlmError.MalformedResponse.make({}), 200)

/**
 * The account has no credit left: 429, and waiting does not help.
 *
 * @since 0.1.0
 * @category faults
 */
export const quotaExhausted: Fault = fail(LlmError.QuotaExhausted.make({}), 429)

/**
 * The key is wrong: 401.
 *
 * @since 0.1.0
 * @category faults
 */
export const unauthorized: Fault = fail(LlmError.AuthenticationFailed.make({}), 401)

/**
 * Never answers. It shows whether a program has time limits.
 *
 * @since 0.1.0
 * @category faults
 */
export const hang: Fault = fault.Hang()

/**
 * Answers late: waits for `latency` before the provider is asked, and in a stream for `perPart` before each part. Default
 * of `perPart`: no wait.
 *
 * @since 0.1.0
 * @category faults
 * @example
 * ```ts
 * import { Faults, LlmTest } from "effect-llm/testing"
 *
 * const provider = LlmTest.layerEcho.pipe(Faults.inject({ plan: Faults.always(Faults.slow("2 seconds", { perPart: "100 millis" })) }))
 * ```
 */
export const slow = (latency: Latency, options: { readonly perPart?: Latency | undefined } = {}): Fault =>
  fault.Slow({ latency, perPart: options.perPart ?? 0 })

/**
 * A stream breaks off after a number of parts, or before its `Finish` if it has fewer: `StreamInterrupted`, with the parts
 * so far. A call, which has no parts, loses its connection, as do embeddings, counts and lists.
 *
 * @since 0.1.0
 * @category faults
 * @example
 * ```ts
 * import { Faults, LlmTest } from "effect-llm/testing"
 *
 * const provider = LlmTest.layerEcho.pipe(Faults.inject({ plan: Faults.perRequest([Faults.cut(2)]) }))
 * ```
 */
export const cut = (afterParts: number): Fault =>
  fault.Cut({ afterParts: Check.integer("cut.afterParts", afterParts, 0) })

/**
 * A stream falls silent after a number of parts, or before its `Finish` if it has fewer. A call never ends, nor do embeddings,
 * counts and lists.
 *
 * @since 0.1.0
 * @category faults
 * @example
 * ```ts
 * import { Faults, LlmTest } from "effect-llm/testing"
 *
 * const provider = LlmTest.layerEcho.pipe(Faults.inject({ plan: Faults.perRequest([Faults.stall(2)]) }))
 * ```
 */
export const stall = (afterParts: number): Fault =>
  fault.Stall({ afterParts: Check.integer("stall.afterParts", afterParts, 0) })

// ---------------------------------------------------------------------------------------------------------------------
// Plans
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A request, with the facts that a plan may use. All counts start when the layer is built.
 *
 * @since 0.1.0
 * @category models
 */
export interface Attempt {
  readonly operation: "call" | "stream" | "embed" | "countTokens" | "models"
  /** The request; for a list of models one whose model is `*`. */
  readonly request: LlmRequest
  /** The number of requests before this one. Under concurrency, it depends on the order of arrival. */
  readonly index: number
  /** The number of times that this request was made, including this one: 1 for the first time. */
  readonly attempt: number
  /** The time since the layer was built, on the Clock. */
  readonly elapsed: Duration.Duration
  /**
   * A number in [0, 1) for a decision of the plan. It depends only on the seed, the request, the attempt and the name of
   * the decision.
   */
  readonly draw: (decision: string) => number
}

/**
 * Chooses the fault that a request meets.
 *
 * @since 0.1.0
 * @category models
 */
export type Plan = (attempt: Attempt) => Fault

/**
 * Every request meets the fault.
 *
 * @since 0.1.0
 * @category plans
 * @example
 * ```ts
 * import { Faults, LlmTest } from "effect-llm/testing"
 *
 * const provider = LlmTest.layerEcho.pipe(Faults.inject({ plan: Faults.always(Faults.hang) }))
 * ```
 */
export const always = (fault: Fault): Plan => () => fault

/**
 * The first request meets the first fault, the second request the second fault, and so on; later requests are answered.
 * With concurrency the order of requests is left to chance: use `perRequest` instead.
 *
 * @since 0.1.0
 * @category plans
 * @example
 * ```ts
 * import { Faults, LlmTest } from "effect-llm/testing"
 *
 * const provider = LlmTest.layerEcho.pipe(Faults.inject({ plan: Faults.sequence([Faults.serverError(), Faults.ok, Faults.reset]) }))
 * ```
 */
export const sequence = (faults: ReadonlyArray<Fault>): Plan => ({ index }) => faults[index] ?? ok

/**
 * The first attempt of every request meets the first fault, its second attempt the second fault, and so on; later attempts
 * are answered.
 *
 * @since 0.1.0
 * @category plans
 * @example
 * ```ts
 * import { Faults, LlmTest } from "effect-llm/testing"
 *
 * const provider = LlmTest.layerEcho.pipe(Faults.inject({ plan: Faults.perRequest([Faults.malformed, Faults.reset]) }))
 * ```
 */
export const perRequest = (faults: ReadonlyArray<Fault>): Plan => ({ attempt }) => faults[attempt - 1] ?? ok

/**
 * One of the faults, drawn by the seed in proportion to the weights.
 *
 * @since 0.1.0
 * @category plans
 * @example
 * ```ts
 * import { Faults } from "effect-llm/testing"
 *
 * const plan = Faults.oneOf([[3, Faults.rateLimited("1 second")], [1, Faults.reset]])
 * ```
 */
export const oneOf = (faults: ReadonlyArray<readonly [weight: number, fault: Fault | Plan]>): Plan => {
  const total = faults.reduce((sum, [weight], i) => sum + Check.finite(`weight of fault ${i + 1}`, weight, 0), 0)
  return (attempt) => {
    let left = attempt.draw("oneOf") * total
    for (const [weight, fault] of faults) {
      left -= weight
      if (left < 0) return typeof fault === "function" ? fault(attempt) : fault
    }
    return ok
  }
}

/**
 * A stream breaks off after a number of parts between `atLeast` and `atMost`, drawn by the seed. Default: 1 to 8.
 *
 * @since 0.1.0
 * @category plans
 * @example
 * ```ts
 * import { Faults, LlmTest } from "effect-llm/testing"
 *
 * const provider = LlmTest.layerEcho.pipe(Faults.inject({ plan: Faults.cutSomewhere({ atMost: 3 }) }))
 * ```
 */
export const cutSomewhere = (
  { atLeast = 1, atMost = 8 }: { readonly atLeast?: number | undefined; readonly atMost?: number | undefined } = {}
): Plan => {
  Check.integer("cutSomewhere.atMost", atMost, Check.integer("cutSomewhere.atLeast", atLeast, 0))
  return ({ draw }) => cut(atLeast + Math.floor(draw("cut") * (atMost - atLeast + 1)))
}

/**
 * Follows a plan for a time, counted on the Clock since the layer was built. Before and after, requests are answered.
 *
 * @since 0.1.0
 * @category plans
 * @example
 * ```ts
 * import { Faults, LlmTest } from "effect-llm/testing"
 *
 * const provider = LlmTest.layerEcho.pipe(Faults.inject({ plan: Faults.during({ to: "30 seconds" }, Faults.always(Faults.serverError(503))) }))
 * ```
 */
export const during = (
  time: {
    /** Default: 0. */
    readonly from?: Duration.DurationInput | undefined
    /** Default: forever. */
    readonly to?: Duration.DurationInput | undefined
  },
  plan: Plan
): Plan => {
  const from = Check.duration("during.from", time.from ?? 0)
  const to = Check.duration("during.to", time.to ?? Duration.infinity)
  return (attempt) =>
    Duration.greaterThanOrEqualTo(attempt.elapsed, from) && Duration.lessThan(attempt.elapsed, to) ? plan(attempt) : ok
}
