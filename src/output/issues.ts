import { shortened } from "../internal/boundedText.js"
import type { SchemaIssue } from "../internal/schemaIssue.js"

// A few places are enough for a model that got everything wrong. The name of a schema can be long.
const maxIssues = 20
const maxExpected = 300

/** A complaint about a value that does not fit, for the model: a line for each place, based on the schema alone. */
export const lines = (
  issues: ReadonlyArray<SchemaIssue>,
  options: {
    /** The name of the value as a whole. */
    readonly whole: string
    /** The property of the model's JSON that holds the value; `undefined` if the value is the whole JSON. */
    readonly property: string | undefined
    /** The number of further places that `issues` leaves out. Default: 0. */
    readonly omitted?: number | undefined
  }
): ReadonlyArray<string> => {
  const prefix = options.property ?? ""
  const at = (path: string) =>
    path === "" || path.startsWith("[") || prefix === "" ? prefix + path : `${prefix}.${path}`
  const shown = issues.slice(0, maxIssues).map(({ expected, path }) => {
    const place = at(path)
    return `- ${place === "" ? options.whole : place}: expected ${shortened(expected, maxExpected)}`
  })
  const others = issues.length - shown.length + (options.omitted ?? 0)
  return others > 0 ? [...shown, `- and ${others} more`] : shown
}
