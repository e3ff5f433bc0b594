/** A request in a batch: its place in the job, and the settings that were left out of it. */
export interface Entry {
  readonly index: number
  readonly omitted: ReadonlyArray<string>
}

/** As many settings as a call leaves out of a request, and as a name has room for. */
const mostOmitted = 3

/** The settings that the name of a request has room for. */
export const omittable = (settings: ReadonlyArray<string>): ReadonlyArray<string> => settings.slice(0, mostOmitted)

/**
 * The name of a request in a batch. It has the settings that were left out: the answer is read by a process that may
 * know nothing of them, and gets its warnings from there.
 */
export const write = ({ index, omitted }: Entry): string => [index, ...omitted].join("-")

/** Reads the name of a request. */
export const read = (id: string): Entry => {
  const [index, ...omitted] = id.split("-")
  return { index: Number(index), omitted }
}
