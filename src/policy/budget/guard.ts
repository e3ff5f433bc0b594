import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { BudgetExceeded, LlmError, type Operation } from "../../domain/LlmError.js"
import * as LlmEvent from "../../domain/LlmEvent.js"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import type { LlmResponse, Usage } from "../../domain/LlmResponse.js"
import * as LlmProvider from "../../LlmProvider.js"
import * as Billing from "../pricing/billing.js"
import type { Billed } from "../pricing/Pricing.js"
import type { Amount, Claim, Refusal, Reservation } from "./store.js"

/** Whose accounts a request is charged to. */
export interface Guard {
  /** What has to be reserved for a request, in which accounts. */
  readonly claims: (request: LlmRequest, attempt: LlmProvider.Attempt) => Effect.Effect<ReadonlyArray<Claim>>
  /** Reserves in all of them or in none. */
  readonly reserve: (claims: ReadonlyArray<Claim>) => Effect.Effect<Reservation, Refusal>
  /** What usage costs, where a price is known. */
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
  const { limit, renewedIn, unit } = refusal
  const needed = unit === "tokens" ? claim.estimate.tokens : claim.estimate.cost
  return [
    `the budget ${nameOf(claim)} has ${quantity(unit, refusal.left)} of ${quantity(unit, limit)} left`,
    needed === undefined ? "" : `, and the request may take ${quantity(unit, needed)}`,
    renewedIn === undefined ? "" : `; it is renewed in ${Duration.format(renewedIn)}`
  ].join("")
}

const isCount = (count: number | undefined): count is number => count !== undefined && Number.isFinite(count)

const tokensOf = ({ inputTokens, outputTokens }: Usage): number | undefined =>
  isCount(inputTokens) && isCount(outputTokens) ? Math.ceil(inputTokens + outputTokens) : undefined

const nothing: Amount = { tokens: 0, cost: 0 }

/** A request that room was made for. */
interface Admitted {
  /** The attempt, for those inside. */
  readonly attempt: LlmProvider.Attempt
  /** The request goes out. */
  readonly sent: () => void
  readonly succeeded: (response: LlmResponse) => Effect.Effect<void>
  /** It failed, or was given up: what may have been billed stays charged. */
  readonly failed: (cause: Cause.Cause<LlmError>) => Effect.Effect<void>
}

/** Lets a provider be asked only for what the accounts have room for. */
export const guard = (
  provider: LlmProvider.Service,
  /** None where nobody counts. */
  guardOf: Effect.Effect<Guard | undefined>
): LlmProvider.Service => {
  const admitted = (
    { priceOf }: Guard,
    claims: ReadonlyArray<Claim>,
    reservation: Reservation,
    outer: LlmProvider.Attempt,
    request: LlmRequest
  ): Admitted => {
    const { model } = request
    const told = new Set<Usage>()
    let isSent = false
    let waiting = 0
    let requests = 1
    // Only the first end of a request counts: the last part of a stream, or its failure, or that it is closed.
    let ended = false

    const report = (billed: Amount) =>
      Effect.forEach(claims, ({ estimate, key, scope }) => {
        const tokens = billed.tokens ?? estimate.tokens
        const cost = billed.cost ?? estimate.cost
        return tokens === 0 && (cost === undefined || cost === 0)
          ? Effect.void
          : outer.report(
            LlmEvent.BudgetSpent({
              provider: provider.name,
              model,
              scope: key === "" ? scope : `${scope} ${key}`,
              tokens,
              ...(cost !== undefined && { cost })
            })
          )
      }, { discard: true })

    const end = (billed: Amount) =>
      Effect.suspend(() => {
        if (ended) return Effect.void
        ended = true
        return Effect.zipRight(reservation.settle(billed), report(billed))
      })

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

    return {
      attempt: {
        ...outer,
        spent: (spend) =>
          Effect.suspend(() => {
            told.add(spend.usage)
            return Effect.zipRight(charge(spend), outer.spent(spend))
          }),
        queued: (wait) =>
          Effect.acquireUseRelease(
            Effect.sync(() => waiting++),
            () => outer.queued(wait),
            // Who is interrupted in a queue never gets out of it.
            (_, exit) => Effect.sync(() => Exit.isInterrupted(exit) ? waiting : waiting--)
          ),
        countRequest: Effect.suspend(() => {
          requests++
          return outer.countRequest
        })
      },
      sent: () => {
        isSent = true
      },
      succeeded: (response) =>
        Effect.flatMap(
          amountOf(response, response.provider === provider.name && requests === 1 ? model : undefined),
          end
        ),
      failed: (cause) =>
        Effect.suspend(() => {
          const error = Option.getOrUndefined(Cause.failureOption(cause))
          if (error === undefined) {
            // Who only waits for a turn has sent nothing yet.
            return end(isSent && (waiting === 0 || requests > 1) ? {} : nothing)
          }
          const known = Billing.spendsOf(error, { provider: provider.name, model }).filter(({ usage }) =>
            !told.has(usage)
          )
          return Effect.zipRight(
            Effect.forEach(known, charge, { discard: true }),
            end(Billing.hasUnknownBill(error) ? {} : nothing)
          )
        })
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

  const admit = (guard: Guard, claims: ReadonlyArray<Claim>, request: LlmRequest, operation: Operation) =>
    Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) =>
      guard.reserve(claims).pipe(
        Effect.map((reservation) => admitted(guard, claims, reservation, attempt, request)),
        Effect.mapError((refusal) => refused(refusal, operation, request))
      ))

  const claimsOf = (guard: Guard, request: LlmRequest) =>
    Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) => guard.claims(request, attempt))

  const call = (guard: Guard, request: LlmRequest) =>
    Effect.flatMap(claimsOf(guard, request), (claims) =>
      Effect.acquireUseRelease(
        admit(guard, claims, request, "call"),
        ({ attempt, sent }) =>
          Effect.suspend(() => {
            sent()
            return provider.call(request)
          }).pipe(Effect.provideService(LlmProvider.CurrentAttempt, attempt)),
        (admitted, exit) => Exit.isSuccess(exit) ? admitted.succeeded(exit.value) : admitted.failed(exit.cause)
      ))

  const stream = (guard: Guard, request: LlmRequest) =>
    Effect.gen(function*() {
      const claims = yield* claimsOf(guard, request)
      const { attempt, failed, sent, succeeded } = yield* Effect.acquireRelease(
        admit(guard, claims, request, "stream"),
        // Where the stream was closed before its end.
        ({ failed }) => failed(Cause.empty)
      )
      return Stream.suspend(() => {
        sent()
        return provider.stream(request)
      }).pipe(
        Stream.provideService(LlmProvider.CurrentAttempt, attempt),
        Stream.mapChunksEffect((parts) => {
          const last = Option.getOrUndefined(Chunk.last(parts))
          return last?._tag === "Finish"
            ? Effect.as(Effect.uninterruptible(succeeded(last.response)), parts)
            : Effect.succeed(parts)
        }),
        Stream.tapErrorCause((cause) => Effect.uninterruptible(failed(cause)))
      )
    })

  return {
    ...provider,
    call: (request) =>
      Effect.flatMap(guardOf, (guard) => guard === undefined ? provider.call(request) : call(guard, request)),
    stream: (request) =>
      Stream.unwrapScoped(Effect.flatMap(
        guardOf,
        (guard) => guard === undefined ? Effect.succeed(provider.stream(request)) : stream(guard, request)
      ))
  }
}
