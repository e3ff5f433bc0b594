// In place of declarations: the words of the driver are in the reason of a failure.
import type * as SqlError from "effect/sql/SqlError"

export const messageOf = ({ message, reason: { cause } }: SqlError.SqlError): string =>
  shortened(cause instanceof Error && cause.message !== "" ? cause.message : message, maxProblem)
