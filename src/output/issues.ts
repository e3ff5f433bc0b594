import type { SchemaIssue } from "../internal/schemaIssue.js"

// A model that got it all wrong needs no list of all, and a schema's own name for itself can be long.
const mostIssues = 20
const longestExpectation = 300

const shorten = (text: string): string =>
  text.length > longestExpectation ? `${text.slice(0, longestExpectation - 1)}…` : text

/** What a model is told of a value that does not fit: a line for each place, and nothing that the schema does not say. */
export const lines = (
  issues: ReadonlyArray<SchemaIssue>,
  options: {
    /** What the value as a whole is called. */
    readonly whole: string
    /** Where in what the model wrote the value stands; `undefined`: it is all of it. */
    readonly property: string | undefined
  }
): ReadonlyArray<string> => {
  const prefix = options.property ?? ""
  const at = (path: string) =>
    path === "" || path.startsWith("[") || prefix === "" ? prefix + path : `${prefix}.${path}`
  const told = issues.slice(0, mostIssues).map(({ expected, path }) => {
    const place = at(path)
    return `- ${place === "" ? options.whole : place}: expected ${shorten(expected)}`
  })
  return issues.length > mostIssues ? [...told, `- and ${issues.length - mostIssues} more`] : told
}
