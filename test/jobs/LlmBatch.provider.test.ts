import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as WorkflowEngine from "@effect/workflow/WorkflowEngine"
import * as LlmBatch from "effect-llm/LlmBatch"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmLogger from "effect-llm/LlmLogger"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { answered, cents, makeBatchService } from "../support/batchService.js"
import { serverFailed, unauthorized } from "../support/errors.js"
import { valueOf } from "../support/exits.js"
import { makeMachine, prompts, ran, seconds, textsOf } from "../support/jobs.js"
import { hasPostgres, startPostgres } from "../support/postgresServer.js"
import { withSteppingClock } from "../support/steppingClock.js"

const viaProvider = { id: "a", via: "provider", passDelay: "1 second" } as const

const retried = LlmError.Overloaded.make({})

describe("LlmBatch via: provider", () => {
  it.scoped("answers requests in batches of one model, within the limits of the service, each of them once", () =>
    Effect.gen(function*() {
      const service = makeBatchService({ limits: { requests: 7, bytes: 60 } })
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      const requests = prompts(40).map((request, i) => ({ ...request, model: i % 3 === 0 ? "large" : "small" }))
      const summary = yield* ran(jobs.run({ ...viaProvider, requests, chunk: 25 }))

      assert.deepStrictEqual(
        [summary.status, summary.succeeded, summary.failed, summary.interrupted.requests, summary.batches],
        ["done", 40, 0, 0, undefined]
      )
      assert.deepStrictEqual(yield* textsOf(jobs, "a"), requests.map(({ prompt }, i) => `${i}: re ${prompt}`))
      assert.strictEqual(summary.cost, 4.00000000004)
      assert.deepStrictEqual(Array.from(new Set(service.asked.values())), [1])
      for (const { requests } of service.batches) {
        assert.strictEqual(new Set(requests.map(({ request }) => request.model)).size, 1)
        assert.isAtMost(requests.length, 7)
        assert.isAtMost(requests.reduce((sum, { request }) => sum + request.prompt.length, 0), 60)
      }
      assert.strictEqual(new Set(service.batches.map(({ name }) => name)).size, service.batches.length)
      for (const { name } of service.batches) assert.match(name, /^[A-Za-z0-9_-]{1,64}$/)
    }))

  it.scoped("sends the requests as the client would, with its defaults, and in no other tier", () =>
    Effect.gen(function*() {
      const service = makeBatchService()
      const { jobs } = yield* (yield* makeMachine).start(service.layer, {
        client: { defaults: { system: "Be terse.", maxTokens: 7, serviceTier: "flex" } }
      })
      const requests = [{ model: "m", prompt: "a", maxTokens: 9, serviceTier: "priority" as const }]
      yield* ran(jobs.run({ ...viaProvider, requests }))
      const [sent] = service.batches[0]!.requests
      assert.deepStrictEqual(
        [sent!.request.system, sent!.request.maxTokens, sent!.request.serviceTier],
        ["Be terse.", 9, undefined]
      )
    }))

  it.scoped("asks for a batch after seconds at first, and then after longer waits, up to the longest", () =>
    Effect.gen(function*() {
      const service = makeBatchService({ takes: "5 minutes" })
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      const running = yield* Effect.fork(jobs.run({ ...viaProvider, requests: prompts(3), pollEvery: "20 seconds" }))
      yield* seconds(30)
      const { batches } = yield* jobs.progress("a")
      assert.deepStrictEqual([batches?.count, batches?.requests], [1, 3])
      yield* seconds(310)
      assert.strictEqual(valueOf(yield* Fiber.await(running)).succeeded, 3)
      const [first] = service.polls
      const waits = service.polls.map(({ at }, i) => (at - (service.polls[i - 1] ?? first!).at) / 1_000)
      for (const [i, wait] of [0, 5, 7.5, 11.25, 16.9, 20, 20, 20].entries()) {
        // The clock of the test goes on by seconds.
        assert.approximately(waits[i] ?? NaN, wait, 1)
      }
    }))

  it.scoped("goes on with a batch that an earlier process has handed over, by its id", () =>
    Effect.gen(function*() {
      const machine = yield* makeMachine
      const service = makeBatchService({ takes: "3 minutes", keepsNames: false })
      const job = { ...viaProvider, requests: prompts(20) }
      for (let i = 0; i < 3; i++) yield* machine.killed(service.layer, job, 20)
      const { jobs } = yield* machine.start(service.layer)
      const summary = yield* ran(jobs.run(job))
      assert.deepStrictEqual([summary.succeeded, summary.interrupted.requests], [20, 0])
      assert.strictEqual(service.batches.length, 1)
    }))

  it.scoped("finds a batch by its name that a process handed over whose death came before the answer", () =>
    Effect.gen(function*() {
      const machine = yield* makeMachine
      const service = makeBatchService({ afterSubmit: (n) => n === 1 ? Effect.never : Effect.void })
      const job = { ...viaProvider, requests: prompts(20) }
      yield* machine.killed(service.layer, job, 5)
      const { jobs } = yield* machine.start(service.layer)
      const summary = yield* ran(jobs.run(job))
      assert.deepStrictEqual([summary.succeeded, summary.interrupted.requests], [20, 0])
      assert.strictEqual(service.batches.length, 1)
    }))

  it.scoped("counts the requests of such a batch as interrupted where the service keeps no names", () =>
    Effect.gen(function*() {
      const machine = yield* makeMachine
      const service = makeBatchService({
        keepsNames: false,
        afterSubmit: (n) => n === 1 ? Effect.never : Effect.void
      })
      const job = { ...viaProvider, requests: prompts(20) }
      yield* machine.killed(service.layer, job, 5)
      const { jobs } = yield* machine.start(service.layer)
      const summary = yield* ran(jobs.run(job))
      assert.deepStrictEqual([summary.succeeded, summary.interrupted.requests], [20, 20])
      assert.strictEqual(service.batches.length, 2)
      assert.strictEqual(summary.cost, 2.00000000002)
    }))

  it.scoped("hands a batch over once although the answer was lost, and again if it was not taken", () =>
    Effect.gen(function*() {
      const service = makeBatchService({
        beforeSubmit: (n) => n === 1 ? Effect.fail(serverFailed) : Effect.void,
        afterSubmit: (n) => n === 2 ? Effect.fail(serverFailed) : Effect.void
      })
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      const summary = yield* ran(jobs.run({ ...viaProvider, requests: prompts(4) }))
      assert.deepStrictEqual([summary.succeeded, summary.interrupted.requests], [4, 0])
      assert.strictEqual(service.batches.length, 1)
    }))

  it.scoped("waits for a service that fails to report the state of a batch, and reads results again that broke off", () =>
    Effect.gen(function*() {
      const service = makeBatchService({
        beforeState: (n) => n < 4 ? Effect.fail(serverFailed) : Effect.void,
        breaksAfter: (n) => n < 3 ? n * 3 : undefined
      })
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      const summary = yield* ran(jobs.run({ ...viaProvider, requests: prompts(10) }))
      assert.deepStrictEqual([summary.succeeded, summary.failed, summary.cost], [10, 0, 1.00000000001])
      assert.strictEqual(service.batches.length, 1)
    }))
})

describe("LlmBatch via: provider: failures", () => {
  it.scoped("of requests are results, and go into a batch of the next pass if they may pass", () =>
    Effect.gen(function*() {
      const service = makeBatchService({
        answer: ({ prompt }, n) =>
          prompt === "item 1" && n === 1
            ? retried
            : prompt === "item 2"
            ? LlmError.Refused.make({})
            : prompt === "item 3" && n === 1
            ? LlmError.TimedOut.make({ phase: "queue" })
            : `re ${prompt}`
      })
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      const summary = yield* ran(jobs.run({ ...viaProvider, requests: prompts(5) }))
      assert.deepStrictEqual([summary.succeeded, summary.failed, summary.pass], [4, 1, 2])
      assert.deepStrictEqual(
        yield* textsOf(jobs, "a"),
        ["0: re item 0", "1: re item 1", "2: Refused", "3: re item 3", "4: re item 4"]
      )
      assert.deepStrictEqual(service.batches.map(({ requests }) => requests.map(({ id }) => id)), [
        ["0", "1", "2", "3", "4"],
        ["1", "3"]
      ])
    }))

  it.scoped("are kept for a request without a result", () =>
    Effect.gen(function*() {
      const service = makeBatchService({ answer: ({ prompt }) => prompt === "item 1" ? undefined : prompt })
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      const summary = yield* ran(jobs.run({ ...viaProvider, requests: prompts(3), passes: 1 }))
      assert.deepStrictEqual([summary.succeeded, summary.failed], [2, 1])
      assert.deepStrictEqual(yield* textsOf(jobs, "a"), ["0: item 0", "1: MalformedResponse", "2: item 2"])
    }))

  it.scoped("for which all would fail halt the job, once all other results of the batch are kept", () =>
    Effect.gen(function*() {
      let isSpent = true
      const service = makeBatchService({
        answer: ({ prompt }) => isSpent && prompt === "item 4" ? LlmError.QuotaExhausted.make({}) : prompt
      })
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      const job = { ...viaProvider, requests: prompts(6) }
      const halted = yield* ran(jobs.run(job))
      assert.deepStrictEqual([halted.status, halted.succeeded, halted.failed, halted.pending], ["halted", 5, 0, 1])
      assert.strictEqual(halted.halted?.error?.reason._tag, "QuotaExhausted")
      isSpent = false
      const summary = yield* ran(jobs.run(job))
      assert.deepStrictEqual([summary.status, summary.succeeded], ["done", 6])
      assert.deepStrictEqual(service.batches.map(({ requests }) => requests.length), [6, 1])
    }))

  it.scoped("of the key halt the job, whose batch is gone on with once it is mended", () =>
    Effect.gen(function*() {
      let isRevoked = true
      const service = makeBatchService({
        beforeState: () => Effect.suspend(() => isRevoked ? Effect.fail(unauthorized) : Effect.void)
      })
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      const job = { ...viaProvider, requests: prompts(6) }
      const halted = yield* ran(jobs.run(job))
      assert.deepStrictEqual([halted.status, halted.batches?.count], ["halted", 1])
      isRevoked = false
      assert.strictEqual((yield* ran(jobs.run(job))).succeeded, 6)
      assert.strictEqual(service.batches.length, 1)
    }))

  it.scoped("of a batch as a whole are those of the request that it was refused for", () =>
    Effect.gen(function*() {
      const wrong = new LlmError.LlmError({
        operation: "call",
        attempts: 1,
        reason: LlmError.InvalidRequest.make({ field: "temperature" })
      })
      const service = makeBatchService({
        refuses: ({ requests }) => requests.some(({ request }) => request.prompt === "item 11") ? wrong : undefined
      })
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      const summary = yield* ran(jobs.run({ ...viaProvider, requests: prompts(20) }))
      assert.deepStrictEqual([summary.status, summary.succeeded, summary.failed], ["done", 19, 1])
      assert.strictEqual((yield* textsOf(jobs, "a"))[11], "11: InvalidRequest")
      assert.isAtMost(service.batches.length, 11)
    }))

  it.scoped("of a batch as a whole that may pass let it be handed over again", () =>
    Effect.gen(function*() {
      const full = new LlmError.LlmError({ operation: "call", attempts: 1, reason: LlmError.RateLimited.make({}) })
      const service = makeBatchService({ refuses: (_, n) => n < 3 ? full : undefined })
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      const summary = yield* ran(jobs.run({ ...viaProvider, requests: prompts(3), pollEvery: "30 seconds" }))
      assert.deepStrictEqual([summary.succeeded, summary.interrupted.requests], [3, 0])
      assert.strictEqual(service.batches.length, 3)
    }))

  it.scoped("UnsupportedFeature halts jobs of embeddings, and those of a provider without batches, before all else", () =>
    Effect.gen(function*() {
      const machine = yield* makeMachine
      const service = makeBatchService()
      const { jobs } = yield* machine.start(service.layer)
      const vectors = yield* ran(jobs.run({ ...viaProvider, embeddings: [{ model: "m", input: "a" }] }))
      assert.deepStrictEqual([vectors.status, vectors.halted?.error?.reason._tag], ["halted", "UnsupportedFeature"])
      assert.strictEqual(service.batches.length, 0)

      const plain = LlmTest.unsafeMake([LlmTest.repeat("answer")])
      const other = yield* machine.start(plain.layer)
      const job = { ...viaProvider, id: "b", requests: prompts(2) }
      const halted = yield* ran(other.jobs.run(job))
      assert.deepStrictEqual([halted.status, halted.halted?.error?.reason._tag], ["halted", "UnsupportedFeature"])
      assert.strictEqual((yield* plain.requests).length, 0)
      // A job that was halted goes on in another way.
      assert.strictEqual((yield* ran(other.jobs.run({ ...job, via: "client" }))).succeeded, 2)
    }))
})

describe("LlmBatch.cancel of a job via: provider", () => {
  it.scoped("stops its batches, and keeps what was answered; resume asks the rest", () =>
    Effect.gen(function*() {
      const service = makeBatchService({ takes: "100 seconds" })
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      yield* jobs.submit({ ...viaProvider, requests: prompts(100) })
      yield* seconds(30)
      assert.strictEqual((yield* jobs.cancel("a")).status, "cancelled")
      yield* seconds(30)
      const cancelled = yield* jobs.progress("a")
      assert.isDefined(service.batches[0]!.cancelledAt)
      assert.strictEqual(cancelled.batches, undefined)
      assert.deepStrictEqual([cancelled.failed, cancelled.interrupted.requests], [0, 0])
      assert.isAtLeast(cancelled.succeeded, 20)
      assert.isBelow(cancelled.succeeded, 40)
      assert.strictEqual(cancelled.succeeded, service.asked.size)

      yield* jobs.resume("a")
      yield* seconds(150)
      const summary = yield* jobs.progress("a")
      assert.deepStrictEqual([summary.status, summary.succeeded, summary.failed], ["done", 100, 0])
      assert.deepStrictEqual(Array.from(new Set(service.asked.values())), [1])
      assert.strictEqual(service.batches[1]!.requests.length, 100 - cancelled.succeeded)
    }))
})

it.scoped("LlmBatch.resume of a job whose batches are still being stopped asks what they leave", () =>
  Effect.gen(function*() {
    const machine = yield* makeMachine
    const service = makeBatchService({ takes: "100 seconds", stopsAfter: "20 seconds" })
    const first = yield* machine.start(service.layer, { stopWithin: 0 })
    yield* first.jobs.submit({ ...viaProvider, requests: prompts(100), pollEvery: "5 seconds" })
    yield* seconds(20)
    yield* first.jobs.cancel("a")
    yield* seconds(5)
    assert.isDefined(service.batches[0]!.cancelledAt)
    assert.strictEqual((yield* first.jobs.progress("a")).batches?.count, 1)
    yield* first.stop

    const { jobs } = yield* machine.start(service.layer)
    yield* jobs.resume("a")
    yield* seconds(150)
    const summary = yield* jobs.progress("a")
    assert.deepStrictEqual([summary.status, summary.succeeded, summary.failed, summary.halted], [
      "done",
      100,
      0,
      undefined
    ])
    assert.deepStrictEqual(Array.from(new Set(service.asked.values())), [1])
    assert.strictEqual(service.batches.length, 2)
  }))

class River extends Schema.Class<River>("River")({ name: Schema.String, length: Schema.Int }) {}

describe("LlmBatch via: provider: values of a schema", () => {
  it.scoped(
    "are asked for as LlmClient.object does; after an answer that does not fit, the next request has the reasons",
    () =>
      Effect.gen(function*() {
        const service = makeBatchService({
          schemaDialect: "openai",
          answer: (request) =>
            answered(request, JSON.stringify({ name: "Elbe", length: request.messages.length === 1 ? 1_094.5 : 1_094 }))
        })
        const { jobs } = yield* (yield* makeMachine).start(service.layer)
        const summary = yield* ran(jobs.run({ ...viaProvider, requests: prompts(2), schema: River }))
        assert.deepStrictEqual([summary.status, summary.succeeded, summary.pass], ["done", 2, 2])
        const values = yield* Stream.runCollect(jobs.values("a", River))
        for (const { result } of values) {
          assert.deepStrictEqual(valueOf(result).value, new River({ name: "Elbe", length: 1_094 }))
        }
        // All four answers were paid.
        assert.strictEqual(summary.cost, 0.400000000004)

        const [first, second] = service.batches.map(({ requests }) => requests[0]!.request)
        assert.strictEqual(first!.outputSchema?.name, "River")
        assert.strictEqual(first!.messages.length, 1)
        assert.deepStrictEqual(second!.messages.map(({ role }) => role), ["user", "assistant", "user"])
        assert.match(JSON.stringify(second!.messages), /1094\.5.*does not fit.*length/)
      }),
    20_000
  )

  it.scoped("that never fit are failures after the last pass", () =>
    Effect.gen(function*() {
      const service = makeBatchService({ answer: () => "no JSON" })
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      const summary = yield* ran(jobs.run({ ...viaProvider, requests: prompts(2), schema: River }))
      assert.deepStrictEqual([summary.succeeded, summary.failed, summary.cost], [0, 2, 0.400000000004])
    }))
})

describe("LlmBatch: a budget", () => {
  const slow = (request: { readonly prompt: string }) =>
    Effect.delay(LlmTest.text(request.prompt, { cost: 0.1 }), "1 second")

  it.scoped("halts a job of calls once it is spent; a larger one lets it go on", () =>
    Effect.gen(function*() {
      const provider = LlmTest.unsafeMake([LlmTest.repeat(slow)])
      const { jobs } = yield* (yield* makeMachine).start(provider.layer, { concurrency: 2 })
      const job = { id: "a", requests: prompts(30) }
      const halted = yield* ran(jobs.run({ ...job, budget: 1 }))
      assert.deepStrictEqual([halted.status, halted.halted?.error?.reason._tag], ["halted", "BudgetExceeded"])
      assert.isAtLeast(halted.cost, 1)
      // What was under way when it was spent, and in the second until that is seen.
      assert.isAtMost(halted.cost, 1.7)
      const again = yield* ran(jobs.run({ ...job, budget: 1 }))
      assert.deepStrictEqual([again.status, again.cost], ["halted", halted.cost])
      const summary = yield* ran(jobs.run({ ...job, budget: 3 }))
      assert.deepStrictEqual([summary.status, summary.cost, summary.halted], ["done", 3, undefined])
    }))

  it.scoped("keeps a batch from being handed over that would cost more, once no other is under way", () =>
    Effect.gen(function*() {
      const service = makeBatchService({ price: cents, limits: { requests: 10 } })
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      // Each request is expected to cost 0.22 dollars, and costs 0.1.
      const job = { ...viaProvider, requests: prompts(50), outputTokens: 37, pollEvery: "20 seconds" } as const
      const halted = yield* ran(jobs.run({ ...job, budget: 4.5 }))
      assert.deepStrictEqual([halted.status, halted.halted?.error?.reason._tag], ["halted", "BudgetExceeded"])
      assert.match(halted.halted?.message ?? "", /next batch is expected to cost/)
      assert.isAtMost(halted.cost, 4.5)
      assert.isAtLeast(halted.succeeded, 20)
      const summary = yield* ran(jobs.run({ ...job, budget: 20 }))
      assert.deepStrictEqual([summary.status, summary.succeeded], ["done", 50])
    }))
})

describe("LlmBatch via: auto", () => {
  const call = (request: LlmRequest.LlmRequest) =>
    Effect.succeed(answered(request, request.prompt, { usage: {}, cost: 0.2 }))

  it.scoped("takes the batch API for a job that can wait, and says why", () =>
    Effect.gen(function*() {
      const service = makeBatchService({ price: cents })
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      const summary = yield* ran(
        jobs.run({ id: "a", requests: prompts(10), deadline: "2 days", budget: 50 })
      )
      assert.deepStrictEqual([summary.status, summary.plan?.way], ["done", "batch"])
      assert.strictEqual(service.batches.length, 1)
      assert.match(
        summary.plan?.reasons.join(" ") ?? "",
        /10 requests.*A batch is the cheapest way.*budget of \$50.00 is enough/
      )
    }))

  it.scoped("takes calls for one that cannot", () =>
    Effect.gen(function*() {
      const service = makeBatchService({ price: cents, call: (request) => call(request) })
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      const summary = yield* ran(jobs.run({ id: "a", requests: prompts(10), deadline: "1 hour" }))
      assert.deepStrictEqual([summary.status, summary.succeeded, summary.plan?.way], ["done", 10, "calls"])
      assert.strictEqual(service.batches.length, 0)
    }))

  it.scoped("asks by calls of the tier flex where that is cheaper and in time", () =>
    Effect.gen(function*() {
      const tiers: Array<string | undefined> = []
      const service = makeBatchService({
        price: ({ usage: { serviceTier } }) =>
          cents!({ model: "m", usage: { inputTokens: serviceTier === "flex" ? 50 : 100 } }),
        call: (request) => {
          tiers.push(request.serviceTier)
          return call(request)
        }
      })
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      const requests = [...prompts(3), { model: "m", prompt: "at once", serviceTier: "priority" as const }]
      const summary = yield* ran(jobs.run({ id: "a", requests, deadline: "1 hour" }))
      assert.strictEqual(summary.plan?.way, "flex")
      assert.deepStrictEqual(tiers.sort(), ["flex", "flex", "flex", "priority"])
    }))

  it.scoped(
    "takes back what a batch has not answered when the time gets short, and asks it by calls",
    () =>
      Effect.gen(function*() {
        let called = 0
        const service = makeBatchService({
          takes: "4 days",
          price: cents,
          call: (request) => {
            called++
            return call(request)
          }
        })
        const machine = yield* makeMachine
        const job = { id: "a", requests: prompts(100), deadline: "48 hours" } as const
        yield* machine.killed(service.layer, job, 3)
        // Nobody looks at the batch until the calls, which are expected to take 77 seconds, are nearly due.
        yield* TestClock.adjust("2877 minutes")
        const { jobs } = yield* machine.start(service.layer, { stopWithin: 0 })
        assert.strictEqual((yield* jobs.progress("a")).plan?.way, "batch")
        yield* Effect.fork(jobs.run(job))
        yield* seconds(60)
        assert.isUndefined(service.batches[0]!.cancelledAt)
        yield* seconds(90)
        const summary = yield* jobs.progress("a")
        assert.deepStrictEqual([summary.status, summary.succeeded], ["done", 100])
        assert.isBelow((summary.endedAt ?? Infinity) - summary.submittedAt, 48 * 3_600_000)
        assert.isDefined(service.batches[0]!.cancelledAt)
        assert.strictEqual(service.asked.size + called, 100)
        assert.isAtLeast(called, 50)
        assert.isBelow(called, 60)
      }),
    30_000
  )

  it.scoped(
    "holds the calls for what a batch has left to the budget, too",
    () =>
      Effect.gen(function*() {
        let called = 0
        const service = makeBatchService({
          takes: "4 days",
          price: cents,
          call: (request) => {
            called++
            return Effect.delay(Effect.succeed(answered(request, request.prompt, { usage: {}, cost: 1 })), "1 second")
          }
        })
        const machine = yield* makeMachine
        const job = { id: "a", requests: prompts(100), deadline: "48 hours", outputTokens: 37, budget: 30 } as const
        yield* machine.killed(service.layer, job, 3)
        yield* TestClock.adjust("2879 minutes")
        const { jobs } = yield* machine.start(service.layer, { stopWithin: 0, concurrency: 2 })
        assert.strictEqual((yield* jobs.progress("a")).plan?.way, "batch")
        yield* Effect.fork(jobs.run(job))
        yield* seconds(150)
        const summary = yield* jobs.progress("a")
        assert.isDefined(service.batches[0]!.cancelledAt)
        assert.deepStrictEqual([summary.status, summary.halted?.error?.reason._tag], ["halted", "BudgetExceeded"])
        // What was under way when it was spent, and in the second until that is seen.
        assert.isAtLeast(summary.cost, 30)
        assert.isAtMost(summary.cost, 30 + 6)
        assert.isAtLeast(called, 20)
        assert.isAbove(summary.pending, 0)
      }),
    30_000
  )

  it.scoped("dies for options that make no sense, and names them", () =>
    Effect.gen(function*() {
      const { jobs } = yield* (yield* makeMachine).start(LlmTest.unsafeMake([]).layer)
      const defect = (job: Partial<LlmBatch.CallJob>) =>
        Effect.map(Effect.exit(jobs.run({ id: "a", requests: [], ...job })), String)
      assert.match(yield* defect({ via: "post" as "auto" }), /via/)
      assert.match(yield* defect({ via: "client", deadline: "1 hour" }), /deadline/)
      assert.match(yield* defect({ deadline: 0 }), /deadline/)
      assert.match(yield* defect({ budget: -1 }), /budget/)
      assert.match(yield* defect({ pollEvery: 0 }), /pollEvery/)
    }))
})

describe.skipIf(!hasPostgres)("LlmBatch via: provider, over Postgres", () => {
  it.scopedLive("keeps batches as SQLite does", () =>
    withSteppingClock((clock) =>
      Effect.gen(function*() {
        const server = yield* startPostgres
        const service = makeBatchService({ takes: "1 hour", price: cents, limits: { requests: 4 } })
        const Jobs = LlmBatch.layer().pipe(
          Layer.provide([WorkflowEngine.layerMemory, Layer.succeed(SqlClient.SqlClient, yield* server.client)]),
          Layer.provide(LlmClient.layer()),
          Layer.provide([service.layer, LlmLogger.layerSilent, LlmCache.layerNone])
        )
        yield* Effect.gen(function*() {
          const job = { ...viaProvider, pollEvery: "100 millis", budget: 100, requests: prompts(10) } as const
          yield* LlmBatch.submit(job)
          const { batches } = yield* LlmBatch.progress("a").pipe(
            Effect.delay("20 millis"),
            Effect.repeat({ until: ({ batches }) => batches?.count === 3 })
          )
          assert.deepStrictEqual([batches?.count, batches?.requests], [3, 10])
          yield* clock.stepForward("1 hour")
          const summary = yield* LlmBatch.run(job)
          assert.deepStrictEqual([summary.status, summary.succeeded, summary.cost], ["done", 10, 1.00000000001])
          yield* LlmBatch.remove("a")
        }).pipe(Effect.provide(Jobs))
        assert.strictEqual(service.batches.length, 3)
      })
    ), 60_000)
})
