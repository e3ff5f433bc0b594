import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { attributes, metrics } from "../../src/telemetry/conventions.js"

interface Panel {
  readonly id: number
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets: ReadonlyArray<{ readonly expr: string }>
}

const { panels }: { readonly panels: ReadonlyArray<Panel> } = JSON.parse(
  readFileSync(new URL("../../docs/grafana-dashboard.json", import.meta.url), "utf8")
)

const underscored = (name: string): string => name.replaceAll(".", "_")

const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))

/** Prometheus' names: without the unit and what it adds to counters and histograms. */
const named = new Set(
  expressions.flatMap((expr) =>
    [...expr.matchAll(/\b((?:gen_ai_client|effect_llm)_\w+?)(?:_seconds)?(?:_bucket|_count|_total)?(?=[{)])/g)]
      .map(([, name]) => name!)
  )
)

describe("docs/grafana-dashboard.json", () => {
  it("shows each metric, and none that there is not", () => {
    const known = Object.values(metrics).map(underscored)
    const labels: ReadonlyArray<string> = Object.values(attributes).map(underscored)
    assert.sameMembers([...named].filter((name) => !labels.includes(name) || known.includes(name)), known)
  })

  it("asks for no label that there is not", () => {
    const labels = expressions.flatMap((expr) =>
      [...expr.matchAll(/([a-z_]+)\s*(?:=~|!=|=)\s*"/g)].map(([, name]) => name)
    )
    const grouped = expressions.flatMap((expr) =>
      [...expr.matchAll(/ by \(([^)]*)\)/g)].flatMap(([, names]) => names!.split(", "))
    )
    const known = new Set(["le", ...Object.values(attributes).map(underscored)])
    assert.isAbove(labels.length, 10)
    assert.deepStrictEqual([...labels, ...grouped].filter((name) => !known.has(name!)), [])
  })

  it("has panels that lie side by side", () => {
    assert.strictEqual(new Set(panels.map(({ id }) => id)).size, panels.length)
    const cells = panels.flatMap(({ gridPos: { h, w, x, y } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`)
    )
    assert.strictEqual(new Set(cells).size, cells.length)
    assert.isTrue(panels.every(({ gridPos: { w, x } }) => x + w <= 24))
  })
})
