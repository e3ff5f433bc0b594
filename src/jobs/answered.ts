import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { LlmError } from "../domain/LlmError.js"
import type { Origin, Usage } from "../domain/LlmResponse.js"
import * as Money from "../internal/money.js"
import type { Answered } from "./answering.js"
import type { ResultCodec } from "./operation.js"

/** The bill of an answer. */
export interface Bill {
  readonly usage: Usage
  readonly cost?: number | undefined
  readonly origin: Origin
}

/** The result of a request, and its failure; and whether it was interrupted, as when the job ends before its turn. */
export interface Asked extends Answered {
  readonly error: LlmError | undefined
  readonly isInterrupted: boolean
}

/** Whether the same request may succeed later. */
export const mayPass = (error: LlmError): boolean => {
  const { reason } = error
  return error.isRetryable || reason._tag === "CircuitOpen" || reason._tag === "TimedOut" ||
    (reason._tag === "AllProvidersFailed" && reason.errors.some(mayPass))
}

/** Whether all requests of a job would fail for the reason of an error. */
export const halts = ({ reason }: LlmError, haltOn: ReadonlyArray<string>): boolean =>
  haltOn.includes(reason._tag) ||
  (reason._tag === "AllProvidersFailed" && reason.errors.length > 0 &&
    reason.errors.every((error) => halts(error, haltOn)))

const picodollarsOf = ({ cost, origin }: Bill): bigint | undefined =>
  Money.isAmount(cost) ? Money.fromDollars(cost) : origin === "provider" ? undefined : 0n

const nothing = { inputTokens: 0, outputTokens: 0, picodollars: 0n }

const billed = (bill: Bill | undefined): Pick<Answered, "inputTokens" | "outputTokens" | "picodollars"> =>
  bill === undefined ? nothing : {
    inputTokens: bill.usage.inputTokens ?? 0,
    outputTokens: bill.usage.outputTokens ?? 0,
    picodollars: picodollarsOf(bill)
  }

/** Makes the result of a request from its outcome and the bill of its answer, if there was one. */
export const make = <A>(
  codec: ResultCodec<A>,
  exit: Exit.Exit<A, LlmError>,
  bill: Bill | undefined
): Effect.Effect<Asked> =>
  Effect.gen(function*() {
    const written = yield* Effect.exit(codec.write(exit))
    if (Exit.isFailure(written)) {
      // An answer that cannot be stored is a mistake of the program, which another attempt would repeat.
      const result = yield* Effect.orDie(codec.write(Exit.die(Cause.squash(written.cause))))
      return { result, error: undefined, isInterrupted: false, isSuccess: false, isRetryable: false, ...nothing }
    }
    const kept = { result: written.value, ...billed(bill) }
    if (Exit.isSuccess(exit)) {
      return { ...kept, error: undefined, isInterrupted: false, isSuccess: true, isRetryable: false }
    }
    const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
    const isInterrupted = error === undefined && Cause.isInterrupted(exit.cause)
    const isRetryable = error === undefined ? isInterrupted : mayPass(error)
    return { ...kept, error, isInterrupted, isSuccess: false, isRetryable }
  })
