import { assert, describe, it } from "@effect/vitest"
import * as Budget from "effect-llm/Budget"
import * as CircuitBreaker from "effect-llm/CircuitBreaker"
import * as Fallback from "effect-llm/Fallback"
import * as Hedge from "effect-llm/Hedge"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmEvent from "effect-llm/LlmEvent"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as Pricing from "effect-llm/Pricing"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import {
  charged,
  clientOn,
  ended,
  estimateInput,
  messageOf,
  nothing,
  pricing,
  reasonOf,
  request,
  reserved,
  tokens,
  used
} from "../../support/budgets.js"
import { serverFailed } from "../../support/errors.js"
import { leavingNoFiber } from "../../support/fibers.js"
import { settle, within } from "../../support/testClock.js"

/** 20 tokens, and $30 by the prices. */
const small = (text = "Elbe") => LlmTest.text(text, { usage: { inputTokens: 10, outputTokens: 10 } })

const limitAll = (options: Partial<Budget.Options> = {}) => Budget.limit({ scope: "all", estimateInput, ...options })

const accounts = Layer.mergeAll(Budget.layerMemory, pricing)

const budgetOf = (scope: string) => Effect.map(Budget.spent(scope), tokens)

/** What the innermost region has spent. */
const here = Effect.map(Budget.spentHere, (spent) => tokens(Option.getOrThrow(spent)))

describe("Budget and a client", () => {
  it.effect("neither retries nor takes to another provider what a budget refuses", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(LlmClient.call(request))
      assert.deepStrictEqual([error.reason._tag, error.attempts, error.operation], ["BudgetExceeded", 1, "call"])
      assert.deepStrictEqual(yield* LlmTest.eventLines, [
        "CacheMiss",
        "CallStarted 1",
        "CallFailed 1 BudgetExceeded",
        "CallGaveUp 1 BudgetExceeded"
      ])
      assert.deepStrictEqual(yield* LlmTest.requests, [])
    }).pipe(Effect.provide(clientOn(
      LlmTest.layer([LlmTest.repeat(small())]).pipe(
        (provider) => Layer.merge(provider, Fallback.to(limitAll({ tokens: 40 })(provider), provider)),
        Layer.provideMerge(accounts)
      )
    ))))

  it.effect("does not blame the provider for what a budget refuses", () =>
    Effect.gen(function*() {
      for (let i = 0; i < 5; i++) yield* Effect.flip(LlmClient.call(request))
      assert.deepStrictEqual(yield* LlmTest.eventsOf("CircuitOpened"), [])
      assert.strictEqual((yield* reasonOf(LlmClient.call(request)))._tag, "BudgetExceeded")
    }).pipe(Effect.provide(clientOn(
      LlmTest.layer([]).pipe(
        limitAll({ tokens: 40 }),
        CircuitBreaker.protect({ consecutive: 2 }),
        Layer.provideMerge(accounts)
      )
    ))))

  it.effect("reserves for each attempt, and charges those that may have been billed", () =>
    Effect.gen(function*() {
      const response = yield* ended(LlmClient.call(request, { retry: { times: 3 } }))
      assert.strictEqual(response.attempts, 3)
      assert.deepStrictEqual(yield* budgetOf("all"), charged(reserved + 20))
    }).pipe(Effect.provide(clientOn(
      LlmTest.layer([
        LlmTest.fail(serverFailed),
        LlmTest.fail(LlmError.NetworkFailed.make({ code: "ECONNRESET" })),
        small()
      ]).pipe(limitAll({ tokens: 100 }), Layer.provideMerge(accounts))
    ))))

  it.effect("ends the retries once nothing is left", () =>
    Effect.gen(function*() {
      const error = yield* ended(Effect.flip(LlmClient.call(request, { retry: { times: 5 } })))
      assert.deepStrictEqual([error.reason._tag, error.attempts], ["BudgetExceeded", 3])
      assert.strictEqual((yield* LlmTest.requests).length, 2)
    }).pipe(Effect.provide(clientOn(
      LlmTest.layer([LlmTest.repeat(LlmTest.fail(LlmError.NetworkFailed.make({ code: "ECONNRESET" })))]).pipe(
        (provider) => Layer.merge(provider, limitAll({ tokens: 120 })(provider)),
        Layer.provideMerge(accounts)
      )
    ))))

  it.effect("keeps what was reserved for an attempt that took too long", () =>
    Effect.gen(function*() {
      const exit = yield* within("31 seconds")(LlmClient.call(request, { retry: false }))
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(yield* budgetOf("all"), charged(reserved))
    }).pipe(Effect.provide(clientOn(
      LlmTest.layer([Effect.never]).pipe(limitAll(), Layer.provideMerge(accounts))
    ))))

  it.effect("shares one budget among the targets of a fallback, each charged for its own", () =>
    Effect.gen(function*() {
      const { provider } = yield* LlmClient.call(request)
      assert.strictEqual(provider, "second")
      // The first was asked, and is not billed for its failure.
      assert.deepStrictEqual(yield* budgetOf("all"), charged(20))
    }).pipe(Effect.provide(clientOn(
      Fallback.to(
        LlmTest.layer([LlmTest.fail(serverFailed)], { name: "first" }).pipe(limitAll({ tokens: 60 })),
        LlmTest.layer([small()], { name: "second" }).pipe(limitAll({ tokens: 60 }))
      ).pipe(Layer.provideMerge(accounts))
    ))))

  it.effect("counts both requests of a hedge next to the provider: the loser's reservation stays charged", () =>
    Effect.gen(function*() {
      const { attempts } = yield* ended(LlmClient.call(request))
      assert.strictEqual(attempts, 2)
      assert.deepStrictEqual(yield* budgetOf("all"), charged(reserved + 20))
    }).pipe(Effect.provide(clientOn(
      LlmTest.layer([Effect.never, small()]).pipe(
        limitAll({ tokens: 100 }),
        Hedge.after("1 second", { maxExtraLoad: 1 }),
        Layer.provideMerge(accounts)
      )
    ))))

  it.effect("reports each charge with the labels of the call, and nothing where nothing was charged", () =>
    Effect.gen(function*() {
      yield* ended(LlmClient.call(request, { tags: { job: "nightly" } }))
      const spent = yield* LlmTest.eventsOf("BudgetSpent")
      const [started] = yield* LlmTest.eventsOf("CallStarted")
      assert.isString(started?.callId)
      assert.deepStrictEqual(spent.map((event) => ({ ...event })), [{
        ...LlmEvent.BudgetSpent({
          callId: started?.callId,
          provider: "test",
          model: "gpt-4o-mini",
          tags: { job: "nightly" },
          scope: "all gpt-4o-mini",
          tokens: 20,
          cost: 30,
          costLeft: 170
        })
      }])
    }).pipe(Effect.provide(clientOn(
      LlmTest.layer([LlmTest.fail(serverFailed), small()]).pipe(
        Pricing.priced,
        limitAll({ dollars: 200, key: ({ model }) => model }),
        Layer.provideMerge(accounts)
      )
    ))))

  it.effect("keeps to a limit of dollars over calls and streams, with the prices of the answers", () =>
    Effect.gen(function*() {
      yield* LlmClient.call(request)
      yield* Stream.runDrain(LlmClient.stream(request))
      assert.strictEqual((yield* Budget.spent("all")).cost, 60)
      assert.strictEqual(
        yield* messageOf(LlmClient.call(request)),
        "the budget all has $60 of $120 left, and the request may take $90"
      )
    }).pipe(Effect.provide(clientOn(
      LlmTest.layer([LlmTest.repeat(small())]).pipe(
        Pricing.priced,
        limitAll({ dollars: 120 }),
        Layer.provideMerge(accounts)
      )
    ))))

  it.effect("charges nothing for what the cache answers, or the run of another call", () =>
    Effect.gen(function*() {
      const all = Effect.all([LlmClient.call(request), LlmClient.call(request)], { concurrency: "unbounded" })
      yield* ended(all)
      yield* all
      assert.deepStrictEqual(yield* budgetOf("all"), charged(20))
    }).pipe(Effect.provide(clientOn(
      LlmTest.layer([Effect.delay(small(), "1 second")]).pipe(limitAll({ tokens: 60 }), Layer.provideMerge(accounts)),
      LlmCache.layerMemory()
    ))))

  it.effect("has a call ask for itself whose equal one was refused by another budget", () =>
    Effect.gen(function*() {
      const ask = (job: string) => LlmClient.call(request, { tags: { job } })
      const jobs = ["poor", "rich", "poor", "rich"]
      // That takes most of what the poor have. The first of them leads then, is refused, and the others go on without it.
      yield* ended(LlmClient.call({ ...request, prompt: "Name a lake." }, { tags: { job: "poor" } }))
      const exits = yield* Effect.forEach(jobs, (job) => Effect.exit(ask(job)), { concurrency: "unbounded" }).pipe(
        ended
      )
      assert.deepStrictEqual(exits.map(Exit.isSuccess), [false, true, true, true])
      assert.strictEqual((yield* LlmTest.requests).length, 2)
    }).pipe(Effect.provide(clientOn(
      LlmTest.layer([LlmTest.repeat(Effect.delay(small(), "1 second"))]).pipe(
        (provider) =>
          Layer.merge(
            provider,
            provider.pipe(Budget.limit({
              scope: "job",
              estimateInput,
              tokens: 60,
              key: (_, { tags }) => tags?.job
            }))
          ),
        Layer.provideMerge(accounts)
      )
    ))))

  // -------------------------------------------------------------------------------------------------------------------
  // Regions
  // -------------------------------------------------------------------------------------------------------------------

  describe("within a region", () => {
    const allowance = { estimateInput, scope: "job" }

    const onTest = (script: LlmTest.Script, cache?: Layer.Layer<LlmCache.LlmCache>) =>
      clientOn(Layer.merge(LlmTest.layer(script), pricing), cache)

    const ask = LlmClient.call(request)

    it.effect("all calls spend together what it allows, and calls outside do not", () =>
      Effect.gen(function*() {
        yield* Effect.gen(function*() {
          yield* ask
          yield* Stream.runDrain(LlmClient.stream(request))
          assert.deepStrictEqual(yield* here, charged(40))
          assert.strictEqual(
            yield* messageOf(ask),
            "the budget job has 40 tokens of 80 tokens left, and the request may take 50 tokens"
          )
          const error = yield* Effect.flip(Stream.runDrain(LlmClient.stream(request)))
          assert.strictEqual(error.reason._tag, "BudgetExceeded")
        }).pipe(Budget.within({ ...allowance, tokens: 80 }))
        yield* ask
        assert.strictEqual((yield* LlmTest.requests).length, 3)
        assert.deepStrictEqual(yield* Budget.spentHere, Option.none())
      }).pipe(Effect.provide(onTest([LlmTest.repeat(small())]))))

    it.effect("each run of it begins with nothing spent", () =>
      Effect.gen(function*() {
        const job = ask.pipe(Budget.within({ ...allowance, tokens: 60 }))
        yield* Effect.repeatN(job, 4)
        assert.strictEqual((yield* LlmTest.requests).length, 5)
      }).pipe(Effect.provide(onTest([LlmTest.repeat(small())]))))

    it.effect("a request must have room in each region that it is in, and is charged to none where it has not", () =>
      Effect.gen(function*() {
        yield* Effect.gen(function*() {
          const inner = (tokens: number) =>
            Effect.gen(function*() {
              const reason = yield* reasonOf(Effect.forever(ask))
              return [reason._tag === "BudgetExceeded" && reason.scope, yield* here] as const
            }).pipe(Budget.within({ ...allowance, scope: "inner", tokens }))
          assert.deepStrictEqual(yield* inner(70), ["inner", charged(40)])
          assert.deepStrictEqual(yield* here, charged(40))
          assert.deepStrictEqual(yield* inner(1_000), ["job", charged(20)])
          assert.deepStrictEqual(yield* here, charged(60))
        }).pipe(Budget.within({ ...allowance, tokens: 100 }))
      }).pipe(Effect.provide(onTest([LlmTest.repeat(small())]))))

    it.effect("no more of many fibers get through than there is room for", () =>
      Effect.gen(function*() {
        const exits = yield* Effect.forEach(
          Array.from({ length: 50 }, (_, i) => ({ ...request, prompt: `Name river ${i}.` })),
          (request) => Effect.exit(LlmClient.call(request)),
          { concurrency: "unbounded" }
        ).pipe(Effect.zip(here), Budget.within({ ...allowance, tokens: 500 }), ended)
        assert.strictEqual(exits[0].filter(Exit.isSuccess).length, 10)
        assert.deepStrictEqual(exits[1], charged(200))
      }).pipe(Effect.provide(onTest([LlmTest.repeat(Effect.delay(small(), "1 second"))]))))

    it.effect("money is limited by prices, and a model without one is refused", () =>
      Effect.gen(function*() {
        yield* Effect.gen(function*() {
          yield* ask
          assert.strictEqual((yield* Budget.spentHere).pipe(Option.getOrThrow).cost, 30)
          assert.strictEqual(
            yield* messageOf(LlmClient.call({ ...request, model: "unheard-of" })),
            "the budget job is in dollars, and no price of unheard-of is known"
          )
          assert.include(yield* messageOf(ask), "has $70 of $100 left, and the request may take $90")
        }).pipe(Budget.within({ ...allowance, dollars: 100 }))
      }).pipe(Effect.provide(onTest([LlmTest.repeat(small())]))))

    it.effect("retries and questions that are asked again are charged, too", () =>
      Effect.gen(function*() {
        const spent = yield* LlmClient.object(Schema.Struct({ river: Schema.String }), request).pipe(
          Effect.zipRight(here),
          Budget.within(allowance),
          ended
        )
        assert.deepStrictEqual(spent, charged(reserved + 20 + 20))
      }).pipe(Effect.provide(onTest([
        LlmTest.fail(LlmError.NetworkFailed.make({ code: "ECONNRESET" })),
        small("no river"),
        small(`{"river":"Elbe"}`)
      ]))))

    it.effect("an answer that another one beat is charged, too", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* Effect.zipRight(ask, here).pipe(Budget.within(allowance)), charged(22))
      }).pipe(Effect.provide(clientOn(LlmTest.layer([LlmTest.repeat(() =>
        Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) =>
          Effect.as(attempt.spent(used(1, 1)), used(10, 10)))
      )])))))

    it.effect("an answer from the cache costs nothing, even where nothing is left", () =>
      Effect.gen(function*() {
        yield* ask
        const { origin } = yield* ask.pipe(Budget.within({ ...allowance, tokens: 0 }))
        assert.strictEqual(origin, "cache")
      }).pipe(Effect.provide(onTest([small()], LlmCache.layerMemory()))))

    it.effect("it gives no region outside of it less to spend, and its refusal is not that of an equal call", () =>
      Effect.gen(function*() {
        const exits = yield* Effect.all([
          Effect.exit(ask.pipe(Budget.within({ ...allowance, tokens: 0 }))),
          Effect.exit(ask),
          Effect.exit(ask.pipe(Budget.within({ ...allowance, tokens: 1_000 })))
        ], { concurrency: "unbounded" }).pipe(ended)
        assert.deepStrictEqual(exits.map(Exit.isSuccess), [false, true, true])
        assert.strictEqual((yield* LlmTest.requests).length, 1)
      }).pipe(Effect.provide(onTest([LlmTest.repeat(Effect.delay(small(), "1 second"))]))))

    it.effect("an interrupted call stays charged, and leaves nothing reserved", () =>
      leavingNoFiber(
        Effect.gen(function*() {
          const started = yield* Deferred.make<void>()
          const spent = yield* Effect.gen(function*() {
            const fiber = yield* Effect.fork(ask)
            yield* settle
            assert.deepStrictEqual(yield* here, { spent: 0, reserved })
            yield* Fiber.interrupt(fiber)
            yield* Deferred.succeed(started, undefined)
            return yield* here
          }).pipe(Budget.within(allowance))
          assert.deepStrictEqual(spent, charged(reserved))
          yield* TestClock.adjust("1 minute")
        }).pipe(Effect.provide(onTest([Effect.never])))
      ))

    it.effect("a budget without limits only counts", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* here.pipe(Budget.within({})), nothing)
        const [, spent] = yield* Effect.zip(ask, Budget.spentHere).pipe(Budget.within({}))
        assert.deepStrictEqual(Option.getOrThrow(spent), { tokens: 20, cost: 30, reserved: { tokens: 0, cost: 0 } })
      }).pipe(Effect.provide(onTest([LlmTest.repeat(small())]))))

    it.effect("options that make no sense are a defect, and name the option", () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(Budget.within(Effect.void, { tokens: -1 }))
        assert(Exit.isFailure(exit))
        assert.include(Cause.pretty(exit.cause), "tokens must be an integer of at least 0")
      }))
  })
})
