import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { BudgetExceeded, LlmError, type Operation } from "../../domain/LlmError.js"
import * as LlmEvent from "../../domain/LlmEvent.js"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import type { LlmResponse, Usage } from "../../domain/LlmResponse.js"
import type * as LlmProvider from "../../LlmProvider.js"
import { countOf } from "../countOf.js"
import * as Policy from "../Policy.js"
import * as Billing from "../pricing/billing.js"
import type { Billed } from "../pricing/Pricing.js"
import type { Amount, Claim, Refusal, Reservation } from "./store.js"

/** The accounts that requests are charged to. */
export interface Guard {
  /** The amounts to reserve for a request. */
  readonly claims: (request: LlmRequest, attempt: LlmProvider.Attempt) => Effect.Effect<ReadonlyArray<Claim>>
  /** Reserves in all of them or in none. */
  readonly reserve: (claims: ReadonlyArray<Claim>) => Effect.Effect<Reservation, Refusal>
  /** The cost of usage, where a price is known. */
  readonly priceOf: (billed: Billed) => Effect.Effect<number | undefined>
}

const quantity = (unit: "tokens" | "dollars", amount: number): string => {
  const number = amount.toLocaleString("en-US", { maximumFractionDigits: 12 })
  return unit === "tokens" ? `${number} tokens` : `$${number}`
}

const nameOf = ({ key, scope }: Claim): string => key === "" ? scope : `${scope} ${key.slice(0, 100)}`

const explain = (refusal: Refusal, model: string): string => {
  const { claim } = refusal
  if (refusal._tag === "NoPrice") {
    return `the budget ${nameOf(claim)} is in dollars, and no price of ${model} is known`
  }
  if (refusal._tag === "Unavailable") return `the budget ${nameOf(claim)} cannot be checked: ${refusal.problem}`
  const { limit, renewedIn, unit } = refusal
  const needed = unit === "tokens" ? claim.estimate.tokens : claim.estimate.cost
  return [
    `the budget ${nameOf(claim)} has ${quantity(unit, refusal.left)} of ${quantity(unit, limit)} left`,
    needed === undefined ? "" : `, and the request may take ${quantity(unit, needed)}`,
    renewedIn === undefined ? "" : `; it is renewed in ${Duration.format(renewedIn)}`
  ].join("")
}

const tokensOf = (usage: Usage): number | undefined => {
  const input = countOf(usage.inputTokens)
  const output = countOf(usage.outputTokens)
  return input === undefined || output === undefined ? undefined : Math.ceil(input + output)
}

const nothing: Amount = { tokens: 0, cost: 0 }

const unknownLeft = Effect.succeed<ReadonlyArray<Amount>>([])

/** Asks a provider only if the accounts have room for the request. */
export const guard = (
  provider: LlmProvider.Service,
  { claims: claimsOf, priceOf, reserve }: Guard
): LlmProvider.Service => {
  const admission = (
    claims: ReadonlyArray<Claim>,
    reservation: Reservation,
    outer: LlmProvider.Attempt,
    { model }: LlmRequest
  ): Policy.Admission => {
    const reported = new Set<Usage>()
    let isSent = false
    let waiting = 0
    let requests = 1

    const report = (billed: Amount): Effect.Effect<void> =>
      outer.isListening === false ? Effect.void : Effect.flatMap(
        reservation.left ?? unknownLeft,
        (left) =>
          Effect.forEach(claims, ({ estimate, key, scope }, index) => {
            const tokens = billed.tokens ?? estimate.tokens
            const cost = billed.cost ?? estimate.cost
            const { cost: costLeft, tokens: tokensLeft } = left[index] ?? {}
            return tokens === 0 && (cost === undefined || cost === 0)
              ? Effect.void
              : outer.report(
                LlmEvent.BudgetSpent({
                  provider: provider.name,
                  model,
                  scope: key === "" ? scope : `${scope} ${key}`,
                  tokens,
                  ...(cost !== undefined && { cost }),
                  ...(tokensLeft !== undefined && { tokensLeft }),
                  ...(costLeft !== undefined && { costLeft })
                })
              )
          }, { discard: true })
      )

    const end = (billed: Amount) => Effect.zipRight(reservation.settle(billed), report(billed))

    const amountOf = (
      { cost, model, provider, usage }: LlmProvider.Spend,
      requestedModel?: string
    ): Effect.Effect<Amount> => {
      const tokens = tokensOf(usage)
      return cost === undefined
        ? Effect.map(priceOf({ provider, model, usage, requestedModel }), (cost) => ({ tokens, cost }))
        : Effect.succeed({ tokens, cost })
    }

    const charge = (spend: LlmProvider.Spend) =>
      Effect.flatMap(amountOf(spend), (billed) => Effect.zipRight(reservation.charge(billed), report(billed)))

    const succeeded = (response: LlmResponse): Effect.Effect<void> =>
      Effect.flatMap(
        amountOf(response, response.provider === provider.name && requests === 1 ? model : undefined),
        end
      )

    /** A bill that is unknown stays charged as it was estimated. */
    const failed = (cause: Cause.Cause<LlmError>): Effect.Effect<void> => {
      const error = Option.getOrUndefined(Cause.failureOption(cause))
      if (error === undefined) {
        // A request that still waits in a queue was not sent.
        return end(isSent && (waiting === 0 || requests > 1) ? {} : nothing)
      }
      const known = Billing.spendsOf(error, { provider: provider.name, model }).filter(({ usage }) =>
        !reported.has(usage)
      )
      return Effect.zipRight(
        Effect.forEach(known, charge, { discard: true }),
        end(Billing.hasUnknownBill(error) ? {} : nothing)
      )
    }

    return {
      attempt: {
        ...outer,
        spent: (spend) =>
          Effect.suspend(() => {
            reported.add(spend.usage)
            return Effect.zipRight(charge(spend), outer.spent(spend))
          }),
        queued: (wait) =>
          Effect.acquireUseRelease(
            Effect.sync(() => waiting++),
            () => outer.queued(wait),
            // A request that is interrupted in a queue never leaves it.
            (_, exit) => Effect.sync(() => Exit.isInterrupted(exit) ? waiting : waiting--)
          ),
        countRequest: Effect.suspend(() => {
          requests++
          return outer.countRequest
        })
      },
      begin: Effect.sync(() => {
        isSent = true
      }),
      settle: (exit) => Exit.isSuccess(exit) ? succeeded(exit.value) : failed(exit.cause)
    }
  }

  const refused = (refusal: Refusal, operation: Operation, { model }: LlmRequest): LlmError =>
    new LlmError({
      operation,
      model,
      attempts: 0,
      provider: provider.name,
      reason: BudgetExceeded.make({ scope: refusal.claim.scope, message: explain(refusal, model) })
    })

  return Policy.around(
    provider,
    (request, attempt, { operation, restore }) => {
      const reporting = <E, A>(problem: string | undefined, result: Effect.Effect<A, E>): Effect.Effect<A, E> =>
        problem === undefined
          ? result
          : Effect.zipRight(
            attempt.report(
              LlmEvent.StoreUnavailable({ provider: provider.name, model: request.model, store: "budgets", problem })
            ),
            result
          )
      return Effect.flatMap(restore(claimsOf(request, attempt)), (claims) =>
        Effect.matchEffect(reserve(claims), {
          onFailure: (refusal) =>
            reporting(
              refusal._tag === "Unavailable" && refusal.isReported !== true ? refusal.problem : undefined,
              Effect.fail(refused(refusal, operation, request))
            ),
          onSuccess: (reservation) =>
            reporting(reservation.problem, Effect.succeed(admission(claims, reservation, attempt, request)))
        }))
    }
  )
}
