// In place of declarations: an issue of Effect 4 holds neither an AST nor the value.

/** The issues of a Standard Schema as an issue of Effect. */
export const toParseIssue = (
  issues: ReadonlyArray<Issue>,
  ast: Ast,
  actual: unknown
): SchemaIssue.Issue => {
  const located = issues.map((issue): SchemaIssue.Issue => {
    const path = (issue.path ?? []).map(keyOf)
    const expected = new SchemaIssue.InvalidValue({ message: expectation(issue, valueAt(actual, path)) })
    return path.length === 0 ? expected : new SchemaIssue.Pointer(path, expected)
  })
  const [first, ...others] = located
  return first === undefined
    ? new SchemaIssue.InvalidValue({ message: "another value" })
    : new SchemaIssue.Composite(ast, [first, ...others])
}

/** The issue of encoding with a Standard Schema, which only decodes. */
export const decodesOnly = (): SchemaIssue.Issue =>
  new SchemaIssue.Forbidden({ message: "Standard Schema only decodes" })
