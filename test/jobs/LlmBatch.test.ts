import { assert, describe, it } from "@effect/vitest"
import * as Embedding from "effect-llm/Embedding"
import * as LlmBatch from "effect-llm/LlmBatch"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as RateLimit from "effect-llm/RateLimit"
import * as LlmTest from "effect-llm/testing/LlmTest"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { rateLimited, serverFailed, unauthorized } from "../support/errors.js"
import { valueOf } from "../support/exits.js"
import { makeMachine, prompts, ran, seconds, textsOf } from "../support/jobs.js"

/** Answers with the prompt. */
const echo = LlmTest.repeat((request: LlmRequest.LlmRequest) => `re ${request.prompt}`)

describe("LlmBatch.run", () => {
  it.scoped("answers each request once, and keeps the results in order", () =>
    Effect.gen(function*() {
      const machine = yield* makeMachine
      const provider = LlmTest.unsafeMake([echo])
      const { jobs } = yield* machine.start(provider.layer)
      const summary = yield* ran(jobs.run({ id: "a", requests: prompts(230), chunk: 100 }))

      assert.strictEqual(summary.status, "done")
      assert.deepStrictEqual(
        [summary.total, summary.succeeded, summary.failed, summary.pending, summary.interrupted.requests],
        [230, 230, 0, 0, 0]
      )
      assert.strictEqual((yield* provider.requests).length, 230)
      const texts = yield* textsOf(jobs, "a")
      assert.deepStrictEqual(texts, prompts(230).map(({ prompt }, i) => `${i}: re ${prompt}`))
      assert.deepStrictEqual(yield* textsOf(jobs, "a", { from: 228 }), ["228: re item 228", "229: re item 229"])
    }))

  it.scoped("asks nothing of a job that has ended, in this process or the next", () =>
    Effect.gen(function*() {
      const machine = yield* makeMachine
      const provider = LlmTest.unsafeMake([echo])
      const first = yield* machine.start(provider.layer)
      const job = { id: "a", requests: prompts(5) }
      const summary = yield* ran(first.jobs.run(job))
      assert.deepStrictEqual(yield* ran(first.jobs.run(job)), summary)
      yield* first.stop
      const second = yield* machine.start(provider.layer)
      assert.deepStrictEqual(yield* ran(second.jobs.run(job)), summary)
      assert.strictEqual((yield* provider.requests).length, 5)
    }))

  it.scoped("has an end for a job without requests", () =>
    Effect.gen(function*() {
      const { jobs } = yield* (yield* makeMachine).start(LlmTest.unsafeMake([]).layer)
      const summary = yield* ran(jobs.run({ id: "none", requests: [] }))
      assert.deepStrictEqual([summary.status, summary.total], ["done", 0])
    }))

  it.scoped("refuses other requests under the same id, and names the first difference", () =>
    Effect.gen(function*() {
      const { jobs } = yield* (yield* makeMachine).start(LlmTest.unsafeMake([echo]).layer)
      const requests = prompts(150)
      yield* ran(jobs.run({ id: "a", requests }))
      const refused = (other: LlmBatch.Job) =>
        Effect.map(Effect.flip(jobs.run(other)), (error) => {
          assert.instanceOf(error, LlmBatch.JobChanged)
          return [error.index, error.field]
        })

      const changed = requests.map((request, i) => i === 120 ? { ...request, prompt: "another" } : request)
      assert.deepStrictEqual(yield* refused({ id: "a", requests: changed }), [120, "messages[0].content[0].text"])
      const hotter = requests.map((request, i) => i === 7 ? { ...request, temperature: 1 } : request)
      assert.deepStrictEqual(yield* refused({ id: "a", requests: hotter }), [7, "temperature"])
      assert.deepStrictEqual(yield* refused({ id: "a", requests: requests.slice(0, 149) }), [149, "missing"])
      assert.deepStrictEqual(yield* refused({ id: "a", requests: prompts(151) }), [150, "added"])
      assert.deepStrictEqual(
        yield* refused({ id: "a", embeddings: [{ model: "m", input: "a" }] }),
        [undefined, "the kind of its requests"]
      )
      assert.deepStrictEqual((yield* jobs.progress("a")).total, 150)
    }))

  it.scoped("names a request that is invalid, and goes on with the job once it is corrected", () =>
    Effect.gen(function*() {
      const provider = LlmTest.unsafeMake([echo])
      const { jobs } = yield* (yield* makeMachine).start(provider.layer)
      const wrong = prompts(250).map((request, i) => i === 210 ? { ...request, temperature: 17 } : request)
      const error = yield* Effect.flip(jobs.run({ id: "a", requests: wrong }))
      assert.instanceOf(error, LlmBatch.RequestInvalid)
      assert.deepStrictEqual([error.index, error.error.reason._tag], [210, "InvalidRequest"])
      assert.match(error.message, /^Request 210 of job a: .*temperature/)
      assert.strictEqual((yield* jobs.progress("a")).status, "submitting")
      assert.strictEqual((yield* provider.requests).length, 0)
      assert.strictEqual((yield* ran(jobs.run({ id: "a", requests: prompts(250) }))).succeeded, 250)
    }))

  it.scoped("takes requests from a stream, with its failure", () =>
    Effect.gen(function*() {
      const { jobs } = yield* (yield* makeMachine).start(LlmTest.unsafeMake([echo]).layer)
      const broken = Stream.concat(Stream.fromIterable(prompts(120)), Stream.fail("no more lines" as const))
      assert.strictEqual(yield* Effect.flip(jobs.run({ id: "a", requests: broken })), "no more lines")
      const summary = yield* ran(jobs.run({ id: "a", requests: Stream.fromIterable(prompts(130)) }))
      assert.strictEqual(summary.succeeded, 130)
    }))

  it.scoped("keeps within its concurrency, over all chunks and jobs", () =>
    Effect.gen(function*() {
      const provider = LlmTest.unsafeMake([
        LlmTest.repeat(LlmTest.text("slow").pipe(Effect.delay("1 second")))
      ])
      const { jobs } = yield* (yield* makeMachine).start(provider.layer, { concurrency: 7 })
      yield* ran(Effect.all([
        jobs.run({ id: "a", requests: prompts(40), chunk: 5 }),
        jobs.run({ id: "b", requests: prompts(40, "other"), chunk: 5 })
      ], { concurrency: 2 }))
      assert.strictEqual((yield* provider.load).mostInFlight, 7)
      assert.strictEqual((yield* provider.requests).length, 80)
    }))

  it.scoped("dies for options that make no sense, and names them", () =>
    Effect.gen(function*() {
      const { jobs } = yield* (yield* makeMachine).start(LlmTest.unsafeMake([]).layer)
      const defect = (job: LlmBatch.Job) => Effect.map(Effect.exit(jobs.run(job)), String)
      assert.match(yield* defect({ id: "", requests: [] }), /id/)
      assert.match(yield* defect({ id: "a", requests: [], chunk: 0 }), /chunk/)
      assert.match(yield* defect({ id: "a", requests: [], chunks: 3 } as LlmBatch.Job), /chunks/)
      assert.match(yield* defect({ id: "a", requests: [], haltOn: ["Tired" as "Refused"] }), /haltOn/)
    }))
})

describe("LlmBatch: failures", () => {
  it.scoped("are results, and do not stop the others", () =>
    Effect.gen(function*() {
      const provider = LlmTest.unsafeMake([
        LlmTest.when(/^item 1$/, LlmError.Refused.make({})),
        echo
      ])
      const { jobs } = yield* (yield* makeMachine).start(provider.layer)
      const summary = yield* ran(jobs.run({ id: "a", requests: prompts(3) }))
      assert.deepStrictEqual([summary.status, summary.succeeded, summary.failed], ["done", 2, 1])
      assert.deepStrictEqual(yield* textsOf(jobs, "a"), ["0: re item 0", "1: Refused", "2: re item 2"])
    }))

  it.scoped("for reasons that may pass are asked again in another pass, after all others and a wait", () =>
    Effect.gen(function*() {
      const provider = LlmTest.unsafeMake([
        LlmTest.when(/^item 0$/, (_, n) => n === 1 ? rateLimited() : "at last"),
        LlmTest.when(/^item 1$/, serverFailed),
        LlmTest.when(/^item 2$/, LlmError.Refused.make({})),
        echo
      ])
      const { jobs } = yield* (yield* makeMachine).start(provider.layer)
      const summary = yield* ran(jobs.run({ id: "a", requests: prompts(5), passes: 3, passDelay: "30 seconds" }))
      assert.deepStrictEqual([summary.status, summary.succeeded, summary.failed, summary.pass], ["done", 3, 2, 3])
      assert.deepStrictEqual(yield* textsOf(jobs, "a"), [
        "0: at last",
        "1: ServerFailed",
        "2: Refused",
        "3: re item 3",
        "4: re item 4"
      ])
      const asked = (yield* provider.exchanges).map(({ request, startedAt }) => `${request.prompt} ${startedAt}`)
      assert.strictEqual(asked.filter((line) => line.startsWith("item 1 ")).length, 3)
      assert.strictEqual(asked.filter((line) => line.startsWith("item 2 ")).length, 1)
    }))

  it.scoped("for which all would fail halt the job, which goes on when it is run again", () =>
    Effect.gen(function*() {
      const machine = yield* makeMachine
      const broken = LlmTest.unsafeMake([
        LlmTest.when(/^item 12$/, unauthorized),
        LlmTest.repeat((request: LlmRequest.LlmRequest) => Effect.delay(Effect.succeed(request.prompt), "1 second"))
      ])
      const first = yield* machine.start(broken.layer, { concurrency: 4 })
      const job = { id: "a", requests: prompts(100), chunk: 10 }
      const halted = yield* ran(first.jobs.run(job))
      assert.strictEqual(halted.status, "halted")
      assert.strictEqual(halted.halted?.error?.reason._tag, "AuthenticationFailed")
      assert.match(halted.halted?.message ?? "", /AuthenticationFailed/)
      assert.strictEqual(halted.failed, 0)
      assert.isAtMost((yield* broken.requests).length, 40)
      // What was under way was paid, and is kept.
      assert.strictEqual(halted.succeeded, (yield* broken.requests).length - 1)
      assert.strictEqual(halted.interrupted.requests, 0)

      yield* first.stop
      const mended = LlmTest.unsafeMake([echo])
      const second = yield* machine.start(mended.layer)
      const summary = yield* ran(second.jobs.run(job))
      assert.deepStrictEqual([summary.status, summary.succeeded, summary.halted], ["done", 100, undefined])
      assert.strictEqual((yield* mended.requests).length, 100 - halted.succeeded)
    }))

  it.scoped("of the program are results as defects", () =>
    Effect.gen(function*() {
      const provider = LlmTest.unsafeMake([
        LlmTest.when(/^item 0$/, Effect.dieMessage("a bug")),
        echo
      ])
      const { jobs } = yield* (yield* makeMachine).start(provider.layer)
      const summary = yield* ran(jobs.run({ id: "a", requests: prompts(2) }))
      assert.deepStrictEqual([summary.succeeded, summary.failed], [1, 1])
      assert.deepStrictEqual(yield* textsOf(jobs, "a"), ["0: Die", "1: re item 1"])
    }))

  it.scoped("are asked again by retryFailed, and nothing else is", () =>
    Effect.gen(function*() {
      const machine = yield* makeMachine
      const first = yield* machine.start(
        LlmTest.unsafeMake([LlmTest.when(/item [13]/, LlmError.Refused.make({})), echo]).layer
      )
      yield* ran(first.jobs.run({ id: "a", requests: prompts(6) }))
      yield* first.stop
      const provider = LlmTest.unsafeMake([echo])
      const { jobs } = yield* machine.start(provider.layer)
      const begun = yield* jobs.retryFailed("a")
      assert.deepStrictEqual([begun.status, begun.failed, begun.pending], ["running", 0, 2])
      assert.instanceOf(yield* Effect.flip(jobs.retryFailed("a")), LlmBatch.JobRunning)
      yield* seconds(10)
      assert.deepStrictEqual((yield* provider.requests).map(({ prompt }) => prompt).sort(), ["item 1", "item 3"])
      const summary = yield* jobs.progress("a")
      assert.deepStrictEqual([summary.status, summary.succeeded, summary.failed], ["done", 6, 0])
      assert.strictEqual((yield* jobs.retryFailed("a")).status, "done")
    }))
})

describe("LlmBatch.cancel", () => {
  it.scoped("ends a job: nothing more is asked, and what is under way is kept; resume goes on", () =>
    Effect.gen(function*() {
      const provider = LlmTest.unsafeMake([
        LlmTest.repeat((request: LlmRequest.LlmRequest) => Effect.delay(Effect.succeed(request.prompt), "2 seconds"))
      ])
      const { jobs } = yield* (yield* makeMachine).start(provider.layer, { concurrency: 5 })
      const running = yield* Effect.fork(jobs.run({ id: "a", requests: prompts(100) }))
      yield* seconds(5)
      const cancelled = yield* jobs.cancel("a")
      assert.strictEqual(cancelled.status, "cancelled")
      assert.isNumber(cancelled.endedAt)
      yield* seconds(10)
      const summary = valueOf(yield* Fiber.await(running))
      assert.strictEqual(summary.status, "cancelled")
      const asked = (yield* provider.requests).length
      assert.isAtMost(asked, 20)
      assert.isAtLeast(asked, 10)
      assert.strictEqual((yield* jobs.progress("a")).succeeded, asked)
      assert.strictEqual((yield* ran(jobs.run({ id: "a", requests: prompts(100) }))).status, "cancelled")

      assert.strictEqual((yield* jobs.resume("a")).status, "running")
      yield* seconds(60)
      assert.strictEqual((yield* jobs.progress("a")).status, "done")
      assert.strictEqual((yield* provider.requests).length, 100)
      assert.strictEqual((yield* jobs.cancel("a")).status, "done")
      assert.strictEqual((yield* jobs.resume("a")).status, "done")
    }))

  it.scoped("knows no job that there is not", () =>
    Effect.gen(function*() {
      const { jobs } = yield* (yield* makeMachine).start(LlmTest.unsafeMake([]).layer)
      const missing = new LlmBatch.JobNotFound({ id: "b" })
      assert.deepStrictEqual(yield* Effect.flip(jobs.cancel("b")), missing)
      assert.deepStrictEqual(yield* Effect.flip(jobs.progress("b")), missing)
      assert.deepStrictEqual(yield* Effect.flip(jobs.resume("b")), missing)
      assert.deepStrictEqual(yield* Effect.flip(jobs.retryFailed("b")), missing)
      assert.deepStrictEqual(yield* Effect.flip(Stream.runDrain(jobs.results("b"))), missing)
      assert.deepStrictEqual(yield* jobs.list, [])
    }))
})

describe("LlmBatch: a process that stops", () => {
  const slow = (delay: Duration.DurationInput) =>
    LlmTest.unsafeMake([
      LlmTest.repeat((request: LlmRequest.LlmRequest) => Effect.delay(Effect.succeed(request.prompt), delay))
    ])

  it.scoped("waits for the answers that are under way, so that nothing is paid for nothing", () =>
    Effect.gen(function*() {
      const machine = yield* makeMachine
      const provider = slow("3 seconds")
      const first = yield* machine.start(provider.layer, { concurrency: 4 })
      const job = { id: "a", requests: prompts(20) }
      yield* Effect.fork(first.jobs.run(job))
      yield* seconds(4)
      yield* ran(first.stop)
      const second = yield* machine.start(provider.layer)
      const summary = yield* ran(second.jobs.run(job))
      assert.deepStrictEqual([summary.succeeded, summary.interrupted.requests], [20, 0])
      assert.strictEqual((yield* provider.requests).length, 20)
    }))

  it.scoped("waits no longer than stopWithin, and counts what it has interrupted", () =>
    Effect.gen(function*() {
      const machine = yield* makeMachine
      const provider = slow("20 seconds")
      const first = yield* machine.start(provider.layer, { concurrency: 4, stopWithin: "2 seconds" })
      const job = { id: "a", requests: prompts(20) }
      yield* Effect.fork(first.jobs.run(job))
      yield* seconds(30)
      const before = yield* first.jobs.progress("a")
      yield* ran(first.stop)
      const second = yield* machine.start(provider.layer)
      const summary = yield* ran(second.jobs.run(job))
      assert.deepStrictEqual([before.succeeded, summary.succeeded], [4, 20])
      assert.strictEqual((yield* provider.load).aborted, 4)
      assert.strictEqual((yield* provider.requests).length, 24)
      // The upper bound: with those that were being prepared.
      assert.isAtLeast(summary.interrupted.requests, 4)
      assert.isAtMost(summary.interrupted.requests, 6)
    }))
})

describe("LlmBatch: money", () => {
  it.scoped("is the sum of the recorded answers to the picodollar", () =>
    Effect.gen(function*() {
      const provider = LlmTest.unsafeMake([
        LlmTest.when(/^item 3$/, "free of a price"),
        LlmTest.repeat((request: LlmRequest.LlmRequest) =>
          LlmTest.text(request.prompt, { cost: 0.1 + 1e-12, usage: { inputTokens: 3, outputTokens: 2 } })
        )
      ])
      const { jobs } = yield* (yield* makeMachine).start(provider.layer)
      const summary = yield* ran(jobs.run({ id: "a", requests: prompts(31) }))
      assert.strictEqual(summary.cost, 3.00000000003)
      assert.strictEqual(summary.unpriced, 1)
      assert.strictEqual(summary.usage.inputTokens >= 90 && summary.usage.outputTokens >= 60, true)
    }))
})

class River extends Schema.Class<River>("River")({ name: Schema.String, source: Schema.DateFromString }) {}

describe("LlmBatch: kinds of jobs", () => {
  it.scoped("keeps values of a schema, and reads them as such", () =>
    Effect.gen(function*() {
      const machine = yield* makeMachine
      const provider = LlmTest.unsafeMake([
        LlmTest.repeat((request: LlmRequest.LlmRequest) =>
          LlmTest.object({ name: request.prompt, source: "2026-01-01T00:00:00.000Z" })
        )
      ])
      const { jobs } = yield* machine.start(provider.layer)
      yield* ran(jobs.run({ id: "a", requests: prompts(3), schema: River }))
      const values = yield* Stream.runCollect(jobs.values("a", River))
      const [first] = Array.from(values).map(({ result }) => valueOf(result))
      assert.instanceOf(first?.value, River)
      assert.deepStrictEqual(first?.value.source, new Date("2026-01-01T00:00:00.000Z"))
      assert.strictEqual(first?.response.finishReason, "stop")

      const wrong = yield* Effect.flip(Stream.runDrain(jobs.results("a")))
      assert.instanceOf(wrong, LlmBatch.ResultUnreadable)
      assert.match(wrong.message, /LlmBatch.values/)
      const other = yield* Effect.flip(Stream.runDrain(jobs.values("a", Schema.Struct({ length: Schema.Number }))))
      assert.instanceOf(other, LlmBatch.ResultUnreadable)
      assert.match(other.message, /value/)
    }))

  it.scoped("waits with a job after a restart until its schema is named again", () =>
    Effect.gen(function*() {
      const machine = yield* makeMachine
      const slow = LlmTest.unsafeMake([LlmTest.repeat(Effect.never)])
      const first = yield* machine.start(slow.layer, { stopWithin: 0 })
      const job = { id: "a", requests: prompts(3), schema: River }
      yield* Effect.fork(first.jobs.run(job))
      yield* seconds(1)
      yield* first.stop

      const provider = LlmTest.unsafeMake([
        LlmTest.repeat(LlmTest.object({ name: "Elbe", source: "2026-01-01T00:00:00.000Z" }))
      ])
      const { jobs } = yield* machine.start(provider.layer)
      yield* jobs.resume("a")
      yield* seconds(10)
      assert.strictEqual((yield* provider.requests).length, 0)
      assert.strictEqual((yield* ran(jobs.run(job))).succeeded, 3)
    }))

  it.scoped("keeps vectors exactly", () =>
    Effect.gen(function*() {
      const provider = LlmProvider.layer({
        name: "acme",
        endpoint: "memory:",
        call: () => Effect.dieMessage("no text is asked for"),
        embed: ({ input, model }) =>
          Effect.succeed(Embedding.make({
            embeddings: input.map((text) => [text.length, 0.1, Math.fround(0.3)]),
            usage: { inputTokens: input.length },
            model,
            provider: "acme",
            cost: 0.25
          }))
      })
      const { jobs } = yield* (yield* makeMachine).start(provider)
      const summary = yield* ran(jobs.run({
        id: "a",
        embeddings: [{ model: "compass", input: ["a", "bb"] }, { model: "compass", input: "ccc" }]
      }))
      assert.deepStrictEqual([summary.cost, summary.usage.inputTokens], [0.5, 3])
      const results = yield* Stream.runCollect(jobs.embeddings("a"))
      assert.deepStrictEqual(
        Array.from(results).map(({ result }) => valueOf(result).embeddings),
        [[[1, 0.1, Math.fround(0.3)], [2, 0.1, Math.fround(0.3)]], [[3, 0.1, Math.fround(0.3)]]]
      )
    }))

  it.scoped("forgets a job that has ended", () =>
    Effect.gen(function*() {
      const { jobs } = yield* (yield* makeMachine).start(LlmTest.unsafeMake([echo]).layer)
      yield* ran(jobs.run({ id: "a", requests: prompts(2) }))
      assert.deepStrictEqual((yield* jobs.list).map(({ id }) => id), ["a"])
      yield* jobs.remove("a")
      assert.deepStrictEqual(yield* jobs.list, [])
      assert.strictEqual((yield* ran(jobs.run({ id: "a", requests: prompts(3) }))).succeeded, 3)
    }))
})

it.scopedLive("LlmBatch.layerMemory runs jobs with nothing else than a client", () =>
  Effect.gen(function*() {
    const { succeeded } = yield* LlmBatch.run({ id: "a", requests: prompts(3) })
    assert.strictEqual(succeeded, 3)
    assert.deepStrictEqual(yield* Stream.runCount(LlmBatch.results("a")), 3)
    assert.strictEqual((yield* LlmBatch.list).length, 1)
  }).pipe(Effect.provide(
    LlmBatch.layerMemory({ flushEvery: 0 }).pipe(
      Layer.provide(LlmClient.layer()),
      Layer.provide([LlmTest.layer([echo]), LlmLogger.layerSilent, LlmCache.layerNone])
    )
  )))

describe("LlmBatch: a rate limit around the provider", () => {
  const limited = (provider: LlmTest.Scripted, requestsPerMinute: number) =>
    RateLimit.limit(provider.layer, { requestsPerMinute, burst: "1 second" })

  it.scoped("is waited for where no deadline runs, by calls, values and vectors", () =>
    Effect.gen(function*() {
      const machine = yield* makeMachine
      const provider = LlmTest.unsafeMake([LlmTest.repeat("{\"length\": 1}")], {
        embed: "words"
      })
      const { jobs } = yield* machine.start(limited(provider, 12), { client: { deadline: "2 seconds", retry: false } })
      const requests = prompts(3)
      const summaries = [
        yield* ran(jobs.run({ id: "calls", requests })),
        yield* ran(jobs.run({ id: "values", requests, schema: Schema.Struct({ length: Schema.Number }) })),
        yield* ran(jobs.run({
          id: "vectors",
          embeddings: requests.map(({ model, prompt }) => ({ model, input: [prompt] }))
        }))
      ]
      assert.deepStrictEqual(summaries.map(({ failed, succeeded }) => [succeeded, failed]), [[3, 0], [3, 0], [3, 0]])
    }))

  it.scoped("does not keep a job that is cancelled, nor a process that stops; those who waited are asked when it goes on", () =>
    Effect.gen(function*() {
      const machine = yield* makeMachine
      const provider = LlmTest.unsafeMake([echo])
      const options = { client: { deadline: "2 seconds", retry: false } } as const
      const first = yield* machine.start(limited(provider, 1), options)
      const run = yield* Effect.fork(first.jobs.run({ id: "a", requests: prompts(4) }))
      yield* seconds(30)
      yield* first.jobs.cancel("a")
      yield* seconds(3)
      assert.strictEqual((yield* ran(Fiber.join(run))).status, "cancelled")
      yield* seconds(120)
      assert.strictEqual((yield* provider.requests).length, 1)

      yield* first.jobs.resume("a")
      yield* seconds(5)
      const stopping = yield* Effect.fork(first.stop)
      yield* seconds(3)
      assert.isNotNull(stopping.unsafePoll())

      const second = yield* machine.start(provider.layer, options)
      const summary = yield* ran(second.jobs.run({ id: "a", requests: prompts(4) }))
      assert.deepStrictEqual([summary.succeeded, summary.failed], [4, 0])
    }))
})
