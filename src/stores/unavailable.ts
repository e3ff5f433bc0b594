import * as Data from "effect/Data"

/** The server did not answer, or was not asked because it had not answered a moment before. */
export class Unavailable extends Data.TaggedError("Unavailable")<{
  /** One line, without secrets. */
  readonly problem: string
  /** Whether the server may have carried out the operation. */
  readonly wasSent: boolean
}> {}

/** The failure that has not been reported yet: each is reported once. */
export interface Problems {
  readonly add: (problem: string) => void
  readonly take: () => string | undefined
}

/** Begins without one. */
export const makeProblems = (): Problems => {
  let untold: string | undefined
  return {
    add: (problem) => {
      untold = problem
    },
    take: () => {
      const problem = untold
      untold = undefined
      return problem
    }
  }
}
