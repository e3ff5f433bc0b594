import { beforeEach } from "vitest"
import { skipped } from "./scope.mjs"

// Skips the tests that scope.mjs lists, each for the reason that is given there.
beforeEach(({ skip, task }) => {
  const file = task.file.name.replaceAll("\\", "/")
  const found = skipped.find((one) => file.endsWith(one.file) && one.tests.some((name) => name === task.name))
  if (found !== undefined) skip(found.reason)
})
