/**
 * A count that a provider has stated; none if it is no count. A provider of a program's own may state anything, and a
 * limit that calculates with `NaN` holds no longer.
 */
export const countOf = (stated: number | undefined): number | undefined =>
  stated !== undefined && Number.isFinite(stated) && stated >= 0 ? stated : undefined
