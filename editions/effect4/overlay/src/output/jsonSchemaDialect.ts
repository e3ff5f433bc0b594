// In place of declarations: a schema of Effect 3 is as foreign as one of the package before it.

const oldPackage = InvalidRequest.make({
  field: "schema",
  message: "schema: expected a schema of \"effect/Schema\" 4, not of Effect 3 or of the package @effect/schema"
})
