import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { table } from "../support/loggedEvents.js"

const page = readFileSync(new URL("../../docs/guide/telemetry.md", import.meta.url), "utf8")

describe("docs/guide/telemetry.md", () => {
  it("has the name and the level of each event", () => {
    assert.sameMembers(
      [...page.matchAll(/^\| `(llm_\w+)` \| (\w+) \|/gm)].map(([, name, level]) => `${name} ${level}`),
      Object.values(table).map(([, name, level]) => `${name} ${level.toLowerCase()}`)
    )
  })
})
