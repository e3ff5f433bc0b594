// Warnings about parts of a request that are not sent as they are, with the reason.

/** Something was left out. */
export const notSent = (what: string, why: string): string => `${what} was not sent: ${why}`

/** A part was left out that a model or a service does not take. */
export const notTaken = (what: string, by: string): string => notSent(what, `${by} does not take it`)

/** A part was sent with another value. */
export const sentAs = (what: string, value: string, why: string): string => `${what} was sent as ${value}: ${why}`

/** Takes the values of settings. One that is not taken is left out, with a warning at the end of a list. */
export const taker =
  (warnings: Array<string>) =>
  <A>(setting: string, value: A | undefined, isTaken: boolean, by: string): A | undefined => {
    if (value === undefined || isTaken) return value
    warnings.push(notTaken(setting, by))
    return undefined
  }
