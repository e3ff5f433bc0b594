import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import * as Documents from "../../examples/pipeline/documents.js"
import { doubtOf, type Payment } from "../../examples/pipeline/findings.js"
import * as Merge from "../../examples/pipeline/merge.js"
import * as Table from "../../examples/pipeline/table.js"
import * as Totals from "../../examples/pipeline/totals.js"
import { openPage, suiteInChromium } from "../chromium.js"

const root = fileURLToPath(new URL("../..", import.meta.url))

const makeFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-llm-pipeline-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** What the machine's own environment may have, and a test must not meet. */
const unset = Object.fromEntries(
  ["OPENAI_API_KEY", "GEMINI_API_KEY", "LLM_BASE_URL", "PIPELINE_DOLLARS"].map((name) => [name, undefined])
)

interface Ended {
  readonly code: number | null
  readonly output: string
}

/** Runs the pipeline on its own documents. It is killed when its output matches `until`. */
const run = (
  results: string,
  { dollars, until }: { readonly dollars?: string; readonly until?: RegExp } = {}
): Effect.Effect<Ended, never, Scope.Scope> =>
  Effect.flatMap(
    Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, ["--import", "tsx", "examples/pipeline.ts", "examples/data/storm", results], {
          cwd: root,
          env: { ...process.env, ...unset, NO_COLOR: "1", ...(dollars !== undefined && { PIPELINE_DOLLARS: dollars }) },
          stdio: ["ignore", "pipe", "pipe"]
        })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    ),
    (child) =>
      Effect.async<Ended>((resume) => {
        let output = ""
        for (const stream of [child.stdout, child.stderr]) {
          stream.setEncoding("utf8").on("data", (text: string) => {
            output += text
            if (until?.test(output) === true) child.kill("SIGKILL")
          })
        }
        child.on("close", (code) => resume(Effect.succeed({ code, output })))
      })
  )

/** How many answers a model gave in a run. */
const answersIn = (output: string, model = ""): number =>
  output.split("\n").filter((line) => line.startsWith(`✓  ${model}`)).length

const passages = 44

const assertComplete = ({ code, output }: Ended, results: string): void => {
  assert.strictEqual(code, 0, output)
  assert.include(output, "12 documents, 44 passages")
  assert.include(output, "18 payments, €850,010.00 together")
  assert.include(output, "✓ 12-annual-statement.md, lines 5–9: €850,010.00 in all")
  assert.include(output, "✓ 05-minutes-april.md, lines 5–17: €381,360.00 until 2025-03-31")
  // The newspaper is wrong, and the documents say so.
  assert.match(output, /✗ 10-gazette\.md.*€655,000\.00 until 2025-06-30,\n {2}but the documents have €645,415\.00/)
  const rows = readFileSync(join(results, "payments.csv"), "utf8").trimEnd().split("\r\n")
  assert.strictEqual(rows[0], "date,payee,purpose,amount,exact,sources")
  assert.strictEqual(rows.length, 19)
  // Three documents name it, one of them rounds it.
  assert.include(
    rows,
    "2025-03-04,Brannock Stone,rebuilding the first forty metres of the sea wall,148600.00,yes," +
      "\"03-receipt-brannock.txt, lines 1–15; 05-minutes-april.md, lines 5–17; 10-gazette.md, lines 1–11\""
  )
  const payments: ReadonlyArray<{ readonly amount: number; readonly sources: ReadonlyArray<{ quote: string }> }> = JSON
    .parse(readFileSync(join(results, "payments.json"), "utf8"))
  assert.strictEqual(Totals.sum(payments), 850_010)
}

const limit = 240_000

describe("The pipeline", () => {
  it.scopedLive(
    "finds the payments of its documents once, and asks nothing again in a second run",
    () =>
      Effect.gen(function*() {
        const results = yield* makeFolder
        const first = yield* run(results)
        assertComplete(first, results)
        assert.strictEqual(answersIn(first.output, "small-model"), passages)
        assert.isAbove(answersIn(first.output, "careful-model"), 0)
        const table = readFileSync(join(results, "payments.csv"), "utf8")

        const second = yield* run(results)
        assertComplete(second, results)
        assert.strictEqual(answersIn(second.output), 0)
        assert.strictEqual(readFileSync(join(results, "payments.csv"), "utf8"), table)
      }),
    limit
  )

  it.scopedLive("goes on after a kill, and its report shows both runs", () =>
    Effect.gen(function*() {
      const results = yield* makeFolder
      const killed = yield* run(results, { until: /(?:small-model[^]*){12}/ })
      assert.strictEqual(killed.code, null, killed.output)
      const second = yield* run(results)
      assertComplete(second, results)
      const [before, after] = [answersIn(killed.output, "small-model"), answersIn(second.output, "small-model")]
      assert.isBelow(after, passages)
      // At most what was under way is asked twice: 8 at a time, and half as many more on their way.
      assert.isAtMost(before + after, passages + 12)
      assert.include(
        readFileSync(join(results, "report.html"), "utf8"),
        "At a dashed line the program was started again."
      )
    }), limit)

  it.scopedLive("stops where its budget is spent, and goes on with a higher one", () =>
    Effect.gen(function*() {
      const results = yield* makeFolder
      const poor = yield* run(results, { dollars: "0.01" })
      assert.strictEqual(poor.code, 1, poor.output)
      assert.include(poor.output.replace(/\s+/g, " "), "Set PIPELINE_DOLLARS to a higher amount, and run it again")
      const rich = yield* run(results)
      assertComplete(rich, results)
      assert.isBelow(answersIn(rich.output, "small-model"), passages)
    }), limit)

  suiteInChromium("in Chromium", () => {
    it.scopedLive("shows a report that fits a telephone", () =>
      Effect.gen(function*() {
        const results = yield* makeFolder
        assertComplete(yield* run(results), results)
        const page = yield* openPage
        yield* Effect.promise(async () => {
          await page.setViewportSize({ width: 375, height: 740 })
          await page.goto(pathToFileURL(join(results, "report.html")).href)
          assert.isAtMost(Number(await page.evaluate("document.documentElement.scrollWidth")), 375)
          assert.strictEqual(await page.locator("figure svg").count(), 4)
          assert.strictEqual(await page.locator("circle.off").count(), 1)
          assert.strictEqual(await page.locator("circle.on").count(), 3)
        })
      }), limit)
  })
})

const payment: Payment = {
  payee: "Brannock Stone",
  purpose: "the sea wall",
  amount: 148_600,
  isExact: true,
  date: "2025-03-04",
  quote: "The town paid 148,600 euros.",
  confidence: 0.9
}

const passage = { document: "a.md", from: 1, to: 2, text: "The town\npaid 148,600 euros. Nobody was hurt." }

describe("The parts of the pipeline", () => {
  it("cut documents into passages that have every line once, at its place", () => {
    const line = FastCheck.oneof(
      FastCheck.constantFrom("", " ", "# Heading", "Some words."),
      FastCheck.string({ maxLength: 400 }).map((text) => text.replace(/\s/g, " "))
    )
    FastCheck.assert(FastCheck.property(FastCheck.array(line, { maxLength: 40 }), (lines) => {
      const passages = Documents.cut({ name: "a.md", text: lines.join("\n") })
      const found = passages.flatMap(({ from, text, to }) => {
        assert.strictEqual(
          lines.slice(from - 1, to).filter((line) => line.trim() !== "").map((it) => it.trimEnd()).join("|"),
          text.split("\n").filter((line) => line.trim() !== "").map((it) => it.trimEnd()).join("|")
        )
        return Array.from({ length: to - from + 1 }, (_, i) => from + i)
      })
      assert.deepStrictEqual(found, [...new Set(found)])
      lines.forEach((line, i) => {
        if (line.trim() !== "") assert.include(found, i + 1)
      })
    }))
  })

  it("doubt a claim whose quote or amount is not in the source, or that the model is not sure of", () => {
    assert.isUndefined(doubtOf(passage, payment))
    assert.match(
      doubtOf(passage, { ...payment, quote: "The town paid for the wall." }) ?? "",
      /quote is not in the text/
    )
    assert.match(doubtOf(passage, { ...payment, amount: 148_601 }) ?? "", /amount is not in its quote/)
    assert.match(doubtOf(passage, { ...payment, amount: 148 }) ?? "", /amount is not in its quote/)
    assert.match(doubtOf(passage, { ...payment, confidence: 0.4 }) ?? "", /not sure/)
  })

  it("merge claims of one payment, and keep those of two with like words apart", () => {
    const claims = [
      { ...payment, amount: 150_000, isExact: false, date: undefined },
      payment,
      { ...payment, amount: 131_200, date: "2025-04-08" },
      { ...payment, payee: "Lindley Roofing" }
    ].map((claim) => ({ claim, passage, model: "m" }))
    const merged = Merge.merge(claims, [[1, 0.1], [1, 0], [1, 0], [0, 1]])
    assert.deepStrictEqual(merged.map(({ amount, payee, sources }) => [payee, amount, sources.length]), [
      ["Brannock Stone", 148_600, 2],
      ["Lindley Roofing", 148_600, 1],
      ["Brannock Stone", 131_200, 1]
    ])
  })

  it("check totals in the order of their days, and one of all payments last", () => {
    const merged = [{ ...payment, sources: [] }, { ...payment, amount: 0.1, date: "2025-06-01", sources: [] }]
    const total = { amount: 148_600.1, isExact: true, quote: "", confidence: 1 }
    const checks = Totals.check(
      [total, { ...total, until: "2025-05-31" }].map((claim) => ({ claim, passage, model: "m" })),
      merged
    )
    assert.deepStrictEqual(checks.map(({ agrees, found }) => [found, agrees]), [[148_600, false], [148_600.1, true]])
  })

  it("write names with commas and quotes as RFC 4180 has it", () => {
    const merged = { ...payment, payee: "Stone, \"Brannock\"", sources: [{ claim: payment, passage, model: "m" }] }
    assert.include(Table.csv([merged]), "2025-03-04,\"Stone, \"\"Brannock\"\"\",the sea wall,148600.00,yes,")
  })
})
