// In place of declarations: an error of a database of Effect 4 has the driver's error in its reason.

/** The driver's words, which quote no values. */
export const messageOf = (error: SqlError.SqlError): string => {
  const { cause } = error.reason
  return shortened(cause instanceof Error && cause.message !== "" ? cause.message : error.message, maxProblem)
}
