/**
 * A pipeline: a folder of documents in, a table of facts with their sources out. A small model reads each passage for
 * payments; doubtful answers are asked again of a careful one; payments that several documents name are merged; and the
 * totals that documents state are checked.
 *
 *     npx tsx examples/pipeline.ts                     reads examples/data/storm
 *     npx tsx examples/pipeline.ts folder results      another folder, and another place for the results
 *
 * Asks OpenAI if OPENAI_API_KEY is set, Gemini if GEMINI_API_KEY is set, an OpenAI-compatible server if LLM_BASE_URL is set
 * (with LLM_MODEL, LLM_CAREFUL_MODEL, LLM_EMBEDDING_MODEL, and LLM_API_KEY if it needs a key), and otherwise a simulator in
 * this process. All runs together cost PIPELINE_DOLLARS at most, 1 by default.
 *
 * Stop it at any moment, even with kill -9, and start it again: answered requests are not asked again.
 */
import { FileSystem } from "@effect/platform"
import { NodeContext, NodeHttpClient, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { LlmCache, LlmClient, LlmLogger } from "effect-llm"
import * as LlmBatch from "effect-llm/LlmBatch"
import * as Documents from "./pipeline/documents.js"
import { type Claim, doubtOf, type Findings } from "./pipeline/findings.js"
import * as Jobs from "./pipeline/jobs.js"
import * as Journal from "./pipeline/journal.js"
import * as Merge from "./pipeline/merge.js"
import * as Provider from "./pipeline/provider.js"
import * as Questions from "./pipeline/questions.js"
import * as Report from "./pipeline/report.js"
import * as Table from "./pipeline/table.js"
import * as Totals from "./pipeline/totals.js"
import { reported } from "./quickstart/problem.js"

const [, , folder = "examples/data/storm", directory = "results/pipeline"] = process.argv

/** The answer of a model about a passage. */
interface Answer {
  readonly passage: Documents.Passage
  readonly model: string
  /** Absent if the request failed. */
  readonly findings: Findings | undefined
}

const payments = ({ findings, model, passage }: Answer) =>
  (findings?.payments ?? []).map((claim) => ({ passage, model, claim, doubt: doubtOf(passage, claim) }))

const totals = ({ findings, model, passage }: Answer) =>
  (findings?.totals ?? []).map((claim) => ({ passage, model, claim, doubt: doubtOf(passage, claim) }))

/** What is doubtful about an answer, in words. */
const doubts = (answer: Answer): ReadonlyArray<string> =>
  answer.findings === undefined
    ? ["there was no answer"]
    : [...payments(answer), ...totals(answer)].flatMap(({ claim: { amount, quote }, doubt }) =>
      doubt === undefined ? [] : [`${amount} euros, "${quote}": ${doubt}`]
    )

const supported = <A>(claims: ReadonlyArray<Claim<A> & { readonly doubt: string | undefined }>) =>
  claims.filter(({ doubt }) => doubt === undefined)

const program = Effect.gen(function*() {
  const { careful, description, embedding, small } = yield* Provider.Models
  yield* Console.log(description)

  const documents = yield* Documents.read(folder)
  const passages = documents.map(Documents.cut)

  // Each document is a job: one that has changed is asked about again, the others are not.
  const embedded = yield* Effect.forEach(passages, (own) =>
    Effect.map(
      Jobs.vectors("passages", embedding, own.map(({ text }) => text)),
      (vectors) => own.map((passage, i) => ({ passage, vector: vectors[i] ?? [] }))
    ), { concurrency: "unbounded" })

  const answers = yield* Effect.forEach(passages, (own) =>
    Effect.map(
      Jobs.findings("facts", own.map((passage) => Questions.extraction(small, passage))),
      (findings) => own.map((passage, i): Answer => ({ passage, model: small, findings: findings[i] }))
    ), { concurrency: "unbounded" })

  const doubtful = answers.flat().filter((answer) => doubts(answer).length > 0)
  const secondLooks = doubtful.map((answer) =>
    Questions.secondLook(careful, answer.passage, {
      doubts: doubts(answer),
      like: Merge.mostLike(answer.passage, embedded.flat(), 2)
    })
  )
  const seconds = yield* Jobs.findings("again", secondLooks)
  const secondAnswers = doubtful.map(({ passage }, i): Answer => ({ passage, model: careful, findings: seconds[i] }))

  // The careful model has the last word, and its quotes have to be in the source, too.
  const final = [...answers.flat().filter((answer) => !doubtful.includes(answer)), ...secondAnswers]
  const claims = supported(final.flatMap(payments))
  const vectors = yield* Jobs.vectors("payments", embedding, claims.map(({ claim }) => Merge.textOf(claim)))
  const merged = Merge.merge(claims, vectors)
  const checks = Totals.check(supported(final.flatMap(totals)), merged)

  // A claim of the small model that the careful one did not make is left out, as is one without support.
  const isKept = ({ claim: { amount }, passage }: Claim<{ readonly amount: number }>) =>
    claims.some((kept) => kept.passage === passage && kept.claim.amount === amount)
  const leftOut = [...doubtful, ...secondAnswers].flatMap(payments)
    .flatMap(({ doubt, ...claim }) => doubt === undefined || isKept(claim) ? [] : [{ claim, doubt }])
  const unread = secondAnswers.filter(({ findings }) => findings === undefined)

  const jobs = yield* LlmBatch.list
  yield* Table.write(directory, merged)
  yield* Report.write(directory, {
    documents: documents.length,
    passages: passages.flat().length,
    again: doubtful.length,
    payments: merged,
    checks,
    leftOut,
    unread: unread.map(({ passage }) => passage),
    jobs,
    entries: yield* Journal.entries(`${directory}/events.jsonl`),
    dollars: yield* Provider.dollars
  })

  yield* Console.log(`\n${documents.length} documents, ${passages.flat().length} passages, ${claims.length} claims`)
  yield* Console.log(`${merged.length} payments, ${Report.euros(Totals.sum(merged))} together`)
  for (const { agrees, found, stated: { claim: { amount, until }, passage } } of checks) {
    yield* Console.log(
      `${agrees ? "✓" : "✗"} ${Documents.placeOf(passage)}: ${Report.euros(amount)} ${
        until ? `until ${until}` : "in all"
      }` +
        (agrees ? "" : `,\n  but the documents have ${Report.euros(found)}`)
    )
  }
  yield* Console.log(`${doubtful.length} passages were asked again, ${leftOut.length} claims were left out`)
  if (unread.length > 0) yield* Console.log(`${unread.length} passages were not answered: see the report`)
  yield* Console.log(`$${jobs.reduce((sum, { cost }) => sum + cost, 0).toFixed(5)} spent in all runs`)
  yield* Console.log(`\nLook at ${directory}/report.html, payments.csv and payments.json`)
})

const MainLive = Layer.unwrapEffect(Effect.map(
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeDirectory(directory, { recursive: true })),
  () =>
    LlmBatch.layerSqlite({ filename: `${directory}/jobs.db`, concurrency: 8 }).pipe(
      Layer.provide(LlmClient.layer({ retry: { base: "200 millis" } })),
      Layer.provideMerge(Provider.layer(`${directory}/budget.db`)),
      Layer.provide([
        LlmCache.layerNone,
        LlmLogger.layerPretty.pipe(LlmLogger.layerMerge(Journal.layer(`${directory}/events.jsonl`)))
      ]),
      Layer.provide(NodeHttpClient.layerUndici)
    )
)).pipe(Layer.provideMerge(NodeContext.layer))

NodeRuntime.runMain(reported(Effect.provide(program, MainLive)), { disableErrorReporting: true })
