import { beforeEach } from "vitest"
import { impossible } from "./scope.mjs"

/** Skips the tests of what Effect 4 does not have. All others have to pass. */
beforeEach(({ skip, task }) => {
  const file = task.file.name.replaceAll("\\", "/")
  const name = fullName(task)
  for (const { reason, tests } of impossible) {
    const never: { readonly [file: string]: ReadonlyArray<string> } = tests
    if (never[file]?.includes(name) === true) skip(reason)
  }
})

const fullName = (task: { readonly name: string; readonly suite?: { readonly name: string } | undefined }): string => {
  const names = [task.name]
  for (let at: typeof task | undefined = task.suite; at !== undefined && at.name !== ""; at = at.suite) {
    names.unshift(at.name)
  }
  return names.join(" > ")
}
