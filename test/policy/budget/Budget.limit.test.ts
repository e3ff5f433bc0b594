import { assert, describe, it } from "@effect/vitest"
import * as Budget from "effect-llm/Budget"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as Pricing from "effect-llm/Pricing"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as TestContext from "effect/TestContext"
import {
  charged,
  clientOn,
  estimateInput,
  limited,
  messageOf,
  nothing,
  partialUsage,
  reasonOf,
  request,
  reserved,
  tokens,
  used
} from "../../support/budgets.js"
import { failure, serverFailed } from "../../support/errors.js"
import { leavingNoFiber } from "../../support/fibers.js"
import { respond } from "../../support/samples.js"
import { everyStream, steps, type Streamed } from "../../support/scriptedStreams.js"
import { target } from "../../support/targets.js"
import { settle } from "../../support/testClock.js"

describe("Budget", () => {
  // -------------------------------------------------------------------------------------------------------------------
  // Reserving and settling
  // -------------------------------------------------------------------------------------------------------------------

  describe("limit", () => {
    it.scoped("refuses before anything is sent, and says whose budget has how much left", () =>
      Effect.gen(function*() {
        const { call, count, spent } = yield* limited({ tokens: 120 }, used(10, 40))
        yield* Effect.all([call, call])
        const error = yield* Effect.flip(call)
        assert.deepStrictEqual(error.reason, {
          ...LlmError.BudgetExceeded.make({
            scope: "all",
            message: "the budget all has 20 tokens of 120 tokens left, and the request may take 50 tokens"
          })
        })
        assert.deepStrictEqual([error.attempts, error.provider, error.model], [0, "test", "gpt-4o-mini"])
        assert.deepStrictEqual(
          [error.isRetryable, error.canFailOver, error.countsAgainstBreaker],
          [false, false, false]
        )
        assert.strictEqual(yield* count, 2)
        assert.deepStrictEqual(tokens(yield* spent()), charged(100))
      }))

    it.scoped("gives back what was reserved and not used", () =>
      Effect.gen(function*() {
        const { call, spent } = yield* limited({ tokens: 50 }, used(10, 10))
        yield* call
        assert.deepStrictEqual(tokens(yield* spent()), charged(20))
        assert.strictEqual((yield* reasonOf(call))._tag, "BudgetExceeded")
      }))

    it.scoped("charges what was used beyond what had been reserved", () =>
      Effect.gen(function*() {
        const { call, spent } = yield* limited({ tokens: 60 }, used(90, 10))
        yield* call
        assert.deepStrictEqual(tokens(yield* spent()), charged(100))
        assert.include(yield* messageOf(call), "has 0 tokens of 60 tokens left")
      }))

    it.scoped("shows what is reserved while a request is under way", () =>
      Effect.gen(function*() {
        const { call, spent } = yield* limited({ tokens: 100 }, Effect.delay(Effect.succeed(used(1, 1)), 1000))
        const fiber = yield* Effect.fork(call)
        yield* settle
        assert.deepStrictEqual(tokens(yield* spent()), { spent: 0, reserved })
        yield* TestClock.adjust(1000)
        yield* fiber
        assert.deepStrictEqual(tokens(yield* spent()), charged(2))
      }))

    it.scoped("keeps what was reserved where the usage is unknown", () =>
      Effect.gen(function*() {
        for (const usage of [{}, { inputTokens: 1 }, { outputTokens: 1 }]) {
          const { call, spent } = yield* limited(
            { tokens: 100 },
            () => Effect.succeed(respond("Elbe", { usage }))
          )
          yield* call
          assert.deepStrictEqual(tokens(yield* spent()), charged(reserved))
        }
      }))

    it.scoped("estimates input by its bytes, and output without maxTokens at 4,096 tokens or what is expected", () =>
      Effect.gen(function*() {
        const reservedFor = (options: Omit<Budget.Options, "scope">, input: Partial<LlmRequest.Input>) =>
          Effect.gen(function*() {
            const { provider, spent } = yield* limited({ estimateInput: undefined, ...options }, Effect.never)
            const decoded = yield* LlmRequest.decode(
              { model: "m", prompt: "x".repeat(300), ...input } as LlmRequest.Input
            )
            yield* Effect.fork(provider.call(decoded))
            yield* settle
            return tokens(yield* spent()).reserved
          })
        assert.strictEqual(yield* reservedFor({}, {}), 104 + 4_096)
        assert.strictEqual(yield* reservedFor({ expectedOutput: 100 }, {}), 104 + 100)
        assert.strictEqual(yield* reservedFor({ expectedOutput: 100 }, { maxTokens: 7 }), 104 + 7)
        assert.strictEqual(yield* reservedFor({ estimateInput: () => 1.5 }, { maxTokens: 7 }), 2 + 7)
        assert.strictEqual(yield* reservedFor({}, { maxTokens: 7, prompt: "ü".repeat(150) }), 104 + 7)
        assert.isAbove(yield* reservedFor({}, { maxTokens: 7, system: "y".repeat(30) }), 115 + 5)
      }))

    const givenBack = {
      "a bad request": failure(LlmError.InvalidRequest.make({}), { status: 400 }),
      "a bad key": failure(LlmError.AuthenticationFailed.make({}), { status: 401 }),
      "a rate limit": failure(LlmError.RateLimited.make({}), { status: 429 }),
      "an error of the server": serverFailed,
      "an overloaded server": failure(LlmError.Overloaded.make({}), { status: 529 }),
      "a connection refused": failure(LlmError.NetworkFailed.make({ code: "ECONNREFUSED" })),
      "a name that does not exist": failure(LlmError.NetworkFailed.make({ code: "ENOTFOUND" })),
      "an open circuit": failure(LlmError.CircuitOpen.make({ retryAfter: Duration.seconds(1) }), { attempts: 0 }),
      "a queue that was too long": failure(LlmError.TimedOut.make({ phase: "queue" }), { attempts: 0 }),
      "several of these": failure(LlmError.AllProvidersFailed.make({ errors: [serverFailed, serverFailed] }))
    }
    for (const [what, error] of Object.entries(givenBack)) {
      it.scoped(`gives back what was reserved after ${what}`, () =>
        Effect.gen(function*() {
          const { call, spent } = yield* limited({ tokens: 100 }, error)
          assert.strictEqual(yield* Effect.flip(call), error)
          assert.deepStrictEqual(tokens(yield* spent()), nothing)
        }))
    }

    const kept = {
      "a connection that broke": failure(LlmError.NetworkFailed.make({ code: "ECONNRESET" })),
      "a gateway that waited in vain": failure(LlmError.ServerFailed.make({}), { status: 504 }),
      "an answer that is none": failure(LlmError.MalformedResponse.make({}), { status: 200 }),
      "an attempt that took too long": failure(LlmError.TimedOut.make({ phase: "attempt" })),
      "a failure in the midst of an answer": failure(LlmError.ServerFailed.make({}), {
        partial: { text: "a", parts: [Message.Text.make({ text: "a" })] }
      }),
      "a stream that broke off": failure(LlmError.StreamInterrupted.make({ partial: { text: "", parts: [] } })),
      "several failures of which one may have been billed": failure(LlmError.AllProvidersFailed.make({
        errors: [serverFailed, failure(LlmError.NetworkFailed.make({ code: "UND_ERR_SOCKET" }))]
      }))
    }
    for (const [what, error] of Object.entries(kept)) {
      it.scoped(`keeps what was reserved after ${what}: it may have been billed`, () =>
        Effect.gen(function*() {
          const { call, spent } = yield* limited({ tokens: 100 }, error)
          yield* Effect.flip(call)
          assert.deepStrictEqual(tokens(yield* spent()), charged(reserved))
        }))
    }

    it.scoped("charges the cost that a failure reports, once, whether the failure or the provider reports it", () =>
      Effect.gen(function*() {
        const usage = { inputTokens: 10, outputTokens: 3 }
        const broken = failure(LlmError.StreamInterrupted.make({ partial: { text: "", parts: [], usage } }))
        const telling = () =>
          Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) =>
            Effect.zipRight(
              attempt.spent({ provider: "test", model: "m", usage: partialUsage(broken) }),
              Effect.fail(broken)
            ))
        for (const call of [() => Effect.fail(broken), telling]) {
          const world = yield* limited({ tokens: 100 }, call)
          yield* Effect.flip(world.call)
          assert.deepStrictEqual(tokens(yield* world.spent()), charged(13))
        }
      }))

    it.scoped("charges an answer that another one beat beside the one that won", () =>
      Effect.gen(function*() {
        const { call, spent } = yield* limited({ tokens: 100 }, () =>
          Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) =>
            Effect.as(attempt.spent(used(5, 5)), used(10, 10))))
        yield* call
        assert.deepStrictEqual(tokens(yield* spent()), charged(30))
      }))

    it.scoped("keeps what was reserved for a request that was interrupted", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, spent } = yield* limited({ tokens: 100 }, Effect.never)
        const fiber = yield* Effect.fork(call)
        yield* settle
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(tokens(yield* spent()), charged(reserved))
      })))

    it.scoped("gives it back where the request was waiting for its turn, and had not been sent", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { call, spent } = yield* limited(
          { tokens: 100 },
          () => Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) => attempt.queued(Effect.never))
        )
        const fiber = yield* Effect.fork(call)
        yield* settle
        assert.deepStrictEqual(tokens(yield* spent()), { spent: 0, reserved })
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(tokens(yield* spent()), nothing)
      })))

    it.scoped("keeps it once its turn has come", () =>
      Effect.gen(function*() {
        const { call, spent } = yield* limited({ tokens: 100 }, () =>
          Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) =>
            Effect.zipRight(attempt.queued(Effect.sleep("1 second")), Effect.never)))
        const fiber = yield* Effect.fork(call)
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(tokens(yield* spent()), charged(reserved))
      }))

    it.scoped("gives it back where the provider dies before it is asked", () =>
      Effect.gen(function*() {
        const { call, provider, decoded, spent } = yield* limited({ tokens: 100 }, Effect.die("bug"))
        yield* Effect.exit(call)
        assert.deepStrictEqual(tokens(yield* spent()), charged(reserved))
        const interrupted = yield* Effect.fork(Effect.zipRight(Effect.interrupt, provider.call(decoded)))
        yield* Fiber.await(interrupted)
        assert.deepStrictEqual(tokens(yield* spent()), charged(reserved))
      }))

    // -----------------------------------------------------------------------------------------------------------------
    // Streams
    // -----------------------------------------------------------------------------------------------------------------

    describe("of a stream", () => {
      const streaming = (stream: () => Streamed) => limited({ tokens: 100 }, everyStream(stream))

      it.scoped("reserves when it is begun, and settles at its Finish", () =>
        Effect.gen(function*() {
          const { count, decoded, spent, stream } = yield* streaming(() => steps("a", 1000, "b", used(10, 10)))
          const parts = stream(decoded)
          assert.deepStrictEqual(tokens(yield* spent()), nothing)
          const fiber = yield* Effect.fork(Stream.runCollect(parts))
          yield* settle
          assert.deepStrictEqual(tokens(yield* spent()), { spent: 0, reserved })
          yield* TestClock.adjust(1000)
          assert.deepStrictEqual([...yield* fiber].map(({ _tag }) => _tag), ["TextDelta", "TextDelta", "Finish"])
          assert.deepStrictEqual(tokens(yield* spent()), charged(20))
          assert.strictEqual(yield* count, 1)
        }))

      it.scoped("has settled when its Finish is seen", () =>
        Effect.gen(function*() {
          const { decoded, spent, stream } = yield* streaming(() => steps("a", used(10, 10)))
          yield* Stream.runForEach(stream(decoded), (part) =>
            part._tag === "Finish"
              ? Effect.map(spent(), (spent) => assert.deepStrictEqual(tokens(spent), charged(20)))
              : Effect.void)
        }))

      it.scoped("is refused before anything is sent", () =>
        Effect.gen(function*() {
          const { count, decoded, stream } = yield* streaming(() => steps("a", used(10, 80)))
          yield* Stream.runDrain(stream(decoded))
          const error = yield* Effect.flip(Stream.runDrain(stream(decoded)))
          assert.deepStrictEqual([error.reason._tag, error.operation, yield* count], ["BudgetExceeded", "stream", 1])
        }))

      it.scoped("keeps what was reserved where the consumer stops early", () =>
        Effect.gen(function*() {
          const { decoded, spent, stream } = yield* streaming(() => steps("a", "b", used(1, 1)))
          yield* Stream.runDrain(Stream.take(stream(decoded), 1))
          assert.deepStrictEqual(tokens(yield* spent()), charged(reserved))
        }))

      it.scoped("keeps it where the consumer is interrupted", () =>
        leavingNoFiber(Effect.gen(function*() {
          const { decoded, spent, stream } = yield* streaming(() => steps("a", 5000, used(1, 1)))
          const fiber = yield* Effect.fork(Stream.runDrain(stream(decoded)))
          yield* settle
          yield* Fiber.interrupt(fiber)
          assert.deepStrictEqual(tokens(yield* spent()), charged(reserved))
        })))

      it.scoped("charges what came where it breaks off, and nothing where it was refused", () =>
        Effect.gen(function*() {
          const usage = { inputTokens: 10, outputTokens: 1 }
          const partial = { text: "a", parts: [], usage }
          const broken = failure(LlmError.StreamInterrupted.make({ partial }))
          for (const error of [broken, failure(LlmError.ServerFailed.make({}), { partial })]) {
            const one = yield* streaming(() => steps("a", error))
            yield* Effect.flip(Stream.runDrain(one.stream(one.decoded)))
            assert.deepStrictEqual(tokens(yield* one.spent()), charged(11))
          }
          const other = yield* streaming(() => steps(serverFailed))
          yield* Effect.flip(Stream.runDrain(other.stream(other.decoded)))
          assert.deepStrictEqual(tokens(yield* other.spent()), nothing)
        }))

      it.scoped("keeps it where the stream ends without an end of the answer", () =>
        Effect.gen(function*() {
          const { decoded, spent, stream } = yield* streaming(() => steps("a"))
          yield* Stream.runDrain(stream(decoded))
          assert.deepStrictEqual(tokens(yield* spent()), charged(reserved))
        }))
    })

    // -----------------------------------------------------------------------------------------------------------------
    // Money
    // -----------------------------------------------------------------------------------------------------------------

    describe("in dollars", () => {
      it.scoped("reserves and settles by prices", () =>
        Effect.gen(function*() {
          const { call, spent } = yield* limited({ dollars: 100 }, Effect.delay(Effect.succeed(used(10, 10)), 1))
          const fiber = yield* Effect.fork(call)
          yield* settle
          assert.deepStrictEqual(yield* spent(), { tokens: 0, cost: 0, reserved: { tokens: 50, cost: 90 } })
          assert.strictEqual(
            yield* messageOf(call),
            "the budget all has $10 of $100 left, and the request may take $90"
          )
          yield* TestClock.adjust(1)
          yield* fiber
          assert.deepStrictEqual(yield* spent(), { tokens: 20, cost: 30, reserved: { tokens: 0, cost: 0 } })
        }))

      it.scoped("charges the cost that the response states", () =>
        Effect.gen(function*() {
          const { call, spent } = yield* limited({ dollars: 100 }, () =>
            Effect.succeed(respond("Elbe", { cost: 0.25, usage: {} })))
          yield* call
          assert.deepStrictEqual(yield* spent(), { tokens: 50, cost: 0.25, reserved: { tokens: 0, cost: 0 } })
        }))

      it.scoped("refuses a model without a known price, unless it is set to let it pass", () =>
        Effect.gen(function*() {
          const { count, provider, spent } = yield* limited({ dollars: 100 }, used(1, 1))
          const unheardOf = yield* LlmRequest.decode({ ...request, model: "unheard-of" })
          assert.strictEqual(
            yield* messageOf(provider.call(unheardOf)),
            "the budget all is in dollars, and no price of unheard-of is known"
          )
          assert.strictEqual(yield* count, 0)
          assert.deepStrictEqual(tokens(yield* spent()), nothing)
        }))

      it.scoped("says nothing of a cost that it let pass without a price, but counts the others", () =>
        Effect.gen(function*() {
          const { call, provider, spent } = yield* limited(
            { dollars: 100, onUnknownPrice: "allow" },
            ({ model }) =>
              Effect.succeed(respond("Elbe", { model, provider: "test", usage: { inputTokens: 50, outputTokens: 25 } }))
          )
          const unheardOf = yield* LlmRequest.decode({ ...request, model: "unheard-of" })
          yield* provider.call(unheardOf)
          assert.isUndefined((yield* spent()).cost)
          yield* call
          assert.isUndefined((yield* spent()).cost)
          // $100 are spent: nothing is left, for whatever price.
          assert.include(yield* messageOf(provider.call(unheardOf)), "has $0 of $100 left")
          assert.include(yield* messageOf(call), "has $0 of $100 left")
        }))

      it.scoped("sums 10,000 calls exactly", () =>
        Effect.gen(function*() {
          const answer = respond("Elbe", { cost: 0.001, usage: { inputTokens: 1, outputTokens: 1 } })
          const { call, spent } = yield* limited({ dollars: 1_000 }, () => Effect.succeed(answer))
          yield* Effect.repeatN(call, 9_999)
          assert.deepStrictEqual(yield* spent(), { tokens: 20_000, cost: 10, reserved: { tokens: 0, cost: 0 } })
        }))

      it.scoped("keeps to tokens and dollars at once", () =>
        Effect.gen(function*() {
          const { call } = yield* limited({ dollars: 1_000, tokens: 60 }, used(10, 10))
          yield* call
          assert.include(yield* messageOf(call), "has 40 tokens of 60 tokens left")
        }))
    })

    // -----------------------------------------------------------------------------------------------------------------
    // Scopes
    // -----------------------------------------------------------------------------------------------------------------

    describe("of scopes", () => {
      it.scoped("begins anew with each window of the Clock, and says when", () =>
        Effect.gen(function*() {
          yield* TestClock.setTime(Date.UTC(2026, 0, 1, 21))
          const { call, spent } = yield* limited({ tokens: 60, window: "1 day" }, used(10, 10))
          yield* call
          assert.strictEqual(
            yield* messageOf(call),
            "the budget all has 40 tokens of 60 tokens left, and the request may take 50 tokens; it is renewed in 3h"
          )
          yield* TestClock.adjust("179 minutes")
          assert.strictEqual((yield* reasonOf(call))._tag, "BudgetExceeded")
          yield* TestClock.adjust("1 minute")
          assert.deepStrictEqual(tokens(yield* spent()), nothing)
          yield* call
          assert.deepStrictEqual(tokens(yield* spent()), charged(20))
        }))

      it.scoped("charges a request to the window that it was sent in", () =>
        Effect.gen(function*() {
          const { call, spent } = yield* limited(
            { tokens: 60, window: "1 hour" },
            Effect.delay(Effect.succeed(used(10, 10)), "2 hours")
          )
          const first = yield* Effect.fork(call)
          yield* TestClock.adjust("1 hour")
          assert.deepStrictEqual(tokens(yield* spent()), nothing)
          const second = yield* Effect.fork(call)
          yield* TestClock.adjust("1 hour")
          yield* first
          assert.deepStrictEqual(tokens(yield* spent()), nothing)
          yield* TestClock.adjust("1 hour")
          yield* second
          assert.deepStrictEqual(tokens(yield* spent()), nothing)
        }))

      it.scoped("keeps an account for each key, and one for those without", () =>
        Effect.gen(function*() {
          const { provider, spent } = yield* limited(
            { tokens: 60, key: ({ user }) => user },
            used(10, 10)
          )
          const by = (user?: string) => Effect.flatMap(LlmRequest.decode({ ...request, user }), provider.call)
          yield* Effect.all([by("ann"), by("bob"), by()])
          assert.include(yield* messageOf(by("ann")), "the budget all ann has 40 tokens of 60 tokens left")
          assert.strictEqual((yield* reasonOf(by()))._tag, "BudgetExceeded")
          assert.deepStrictEqual(tokens(yield* spent("ann")), charged(20))
          assert.deepStrictEqual(tokens(yield* spent("bob")), charged(20))
          assert.deepStrictEqual(tokens(yield* spent()), charged(20))
          assert.deepStrictEqual(tokens(yield* spent("carol")), nothing)
        }))

      it.scoped("forgets no account that has spent, however many there are, and those of past windows", () =>
        Effect.gen(function*() {
          const { provider, spent } = yield* limited(
            { tokens: 60, window: "1 hour", key: ({ user }) => user },
            used(10, 10)
          )
          const decoded = yield* LlmRequest.decode(request)
          const by = (user: string) =>
            provider.call(new LlmRequest.LlmRequest({ ...decoded, user }, { disableValidation: true }))
          for (let i = 0; i < 3_000; i++) yield* by(`user ${i}`)
          assert.strictEqual((yield* reasonOf(by("user 0")))._tag, "BudgetExceeded")
          assert.deepStrictEqual(tokens(yield* spent("user 1500")), charged(20))
          yield* TestClock.adjust("1 hour")
          for (let i = 0; i < 10; i++) yield* by(`user ${i}`)
          assert.deepStrictEqual(tokens(yield* spent("user 0")), charged(20))
          assert.deepStrictEqual(tokens(yield* spent("user 1500")), nothing)
        }))

      it.effect("takes keys from the namespace and the tags of a call", () =>
        Effect.gen(function*() {
          const ask = (options: LlmClient.CallOptions) => LlmClient.call(request, options)
          yield* Effect.all([
            ask({ namespace: "a", tags: { job: "x" } }),
            ask({ namespace: "b", tags: { job: "x" } }),
            Stream.runDrain(LlmClient.stream(request, { namespace: "a", tags: { job: "y" } }))
          ])
          assert.deepStrictEqual(
            yield* Effect.map(
              Effect.all([
                Budget.spent("tenant", "a"),
                Budget.spent("tenant", "b"),
                Budget.spent("job", "x"),
                Budget.spent("job", "y")
              ]),
              (all) => all.map(({ tokens }) => tokens)
            ),
            [40, 20, 40, 20]
          )
        }).pipe(Effect.provide(clientOn(
          LlmTest.layer([LlmTest.repeat(used(10, 10))]).pipe(
            Budget.limit({ scope: "tenant", key: (_, { namespace }) => namespace }),
            Budget.limit({ scope: "job", key: (_, { tags }) => tags?.job }),
            Layer.provideMerge(Budget.layerMemory)
          )
        ))))

      it.scoped("is one for several providers of the same scope", () =>
        Effect.gen(function*() {
          const world = yield* limited({ tokens: 100 }, used(30, 30))
          const other = yield* Effect.provide(
            Budget.make(target("other", used(1, 1)).provider, { scope: "all", tokens: 100, estimateInput }),
            world.context
          )
          yield* world.call
          assert.include(yield* messageOf(other.call(world.decoded)), "has 40 tokens of 100 tokens left")
        }))

      it.scoped("charges none of several budgets where one of them refuses", () =>
        Effect.gen(function*() {
          for (const [outer, inner] of [[60, 40], [40, 60]] as const) {
            const world = yield* limited({ tokens: inner }, used(10, 10))
            const both = yield* Effect.provide(
              Budget.make(world.provider, { scope: "outer", tokens: outer, estimateInput }),
              world.context
            )
            const error = yield* Effect.flip(both.call(world.decoded))
            assert.deepStrictEqual(
              error.reason._tag === "BudgetExceeded" && error.reason.scope,
              inner === 40 ? "all" : "outer"
            )
            assert.strictEqual(yield* world.count, 0)
            assert.deepStrictEqual(tokens(yield* world.spent()), nothing)
            assert.deepStrictEqual(tokens(yield* Effect.provide(Budget.spent("outer"), world.context)), nothing)
          }
        }))

      it.scoped("charges each of several budgets once", () =>
        Effect.gen(function*() {
          const world = yield* limited({}, () =>
            Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) =>
              Effect.as(attempt.spent(used(1, 1)), used(10, 10))))
          const both = yield* Effect.provide(
            Budget.make(world.provider, { scope: "outer", estimateInput }),
            world.context
          )
          yield* both.call(world.decoded)
          assert.deepStrictEqual(tokens(yield* world.spent()), charged(22))
          assert.deepStrictEqual(tokens(yield* Effect.provide(Budget.spent("outer"), world.context)), charged(22))
        }))
    })

    it.scoped("dies of options that make no sense, and names them", () =>
      Effect.gen(function*() {
        const context = yield* Layer.build(Budget.layerMemory)
        const reject = (options: Partial<Budget.Options>) =>
          Effect.map(
            Effect.exit(Effect.provide(
              Budget.make(target("silent", Effect.never).provider, { scope: "all", ...options }),
              Context.merge(context, Context.make(Pricing.Pricing, { cost: () => Effect.succeedNone }))
            )),
            (exit) => Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "no failure"
          )
        assert.include(yield* reject({ tokens: -1 }), "tokens must be an integer of at least 0")
        assert.include(yield* reject({ tokens: 1.5 }), "tokens must be an integer")
        assert.include(yield* reject({ dollars: NaN }), "dollars must be a finite number")
        assert.include(yield* reject({ window: "0 seconds" }), "window must be a positive duration")
        assert.include(yield* reject({ expectedOutput: -1 }), "expectedOutput must be an integer")
        assert.include(yield* reject({ onUnknownPrice: "guess" as never }), "onUnknownPrice must be refuse or allow")
        assert.strictEqual(yield* reject({ window: "1 day" }), "no failure")
        assert.strictEqual(yield* reject({ window: "24 hours" }), "no failure")
        assert.include(yield* reject({ window: "1 hour" }), "window must be the same for all limits of the scope all")
      }))

    // -----------------------------------------------------------------------------------------------------------------
    // Concurrency
    // -----------------------------------------------------------------------------------------------------------------

    it.scoped("lets no more through than there is room for, of 1,000 at once", () =>
      Effect.gen(function*() {
        const { call, count, load, spent } = yield* limited(
          { tokens: 2_000 },
          Effect.as(Effect.yieldNow(), used(10, 40))
        )
        const exits = yield* Effect.forEach(
          Array.from({ length: 1_000 }),
          () => Effect.exit(call),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(exits.filter(Exit.isSuccess).length, 40)
        assert.deepStrictEqual(tokens(yield* spent()), charged(2_000))
        assert.strictEqual(yield* count, 40)
        assert.isAtMost((yield* load).mostInFlight, 40)
      }))

    it.effect("never spends more than the limit, never has less than nothing, and loses nothing, whatever happens", () => {
      const outcome = FastCheck.oneof(
        FastCheck.record({ _tag: FastCheck.constant("answers" as const), output: FastCheck.nat(40) }),
        FastCheck.record({
          _tag: FastCheck.constantFrom(
            "fails" as const,
            "breaks" as const,
            "is unknown" as const,
            "is interrupted" as const,
            "is interrupted in a queue" as const
          )
        })
      )
      const plan = FastCheck.record({ wait: FastCheck.nat(4), outcome })
      return Effect.promise(() =>
        FastCheck.assert(
          FastCheck.asyncProperty(FastCheck.array(plan, { maxLength: 25 }), (plans) => {
            const run = Effect.gen(function*() {
              let next = 0
              let owed = 0
              const { call, spent } = yield* limited({ tokens: 500 }, () => {
                const plan = plans[next++]
                if (plan === undefined) return Effect.die("too many requests")
                const { outcome, wait } = plan
                const then = (effect: Effect.Effect<LlmResponse.LlmResponse, LlmError.LlmError>, bill: number) =>
                  Effect.delay(
                    Effect.suspend(() => {
                      owed += bill
                      return effect
                    }),
                    wait
                  )
                switch (outcome._tag) {
                  case "answers":
                    return then(Effect.succeed(used(10, outcome.output)), 10 + outcome.output)
                  case "fails":
                    return then(Effect.fail(serverFailed), 0)
                  case "breaks":
                    return then(Effect.fail(failure(LlmError.MalformedResponse.make({}))), reserved)
                  case "is unknown":
                    return then(Effect.succeed(respond("Elbe", { usage: {} })), reserved)
                  case "is interrupted":
                    return then(Effect.interrupt, reserved)
                  case "is interrupted in a queue":
                    return Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) =>
                      attempt.queued(then(Effect.interrupt, 0)))
                }
              })
              const fibers = yield* Effect.forEach(plans, () =>
                Effect.fork(call))
              for (let time = 0; time <= 5; time++) {
                yield* settle
                const { reserved, spent: all } = tokens(yield* spent())
                assert.isTrue(reserved >= 0 && all >= 0 && reserved + all <= 500, `${reserved} and ${all}`)
                yield* TestClock.adjust(1)
              }
              const exits = yield* Effect.forEach(fibers, Fiber.await)
              assert.deepStrictEqual(tokens(yield* spent()), charged(owed))
              const refused = exits.filter((exit) =>
                Exit.isFailure(exit) && Option.exists(Cause.failureOption(exit.cause), ({ reason }) =>
                  reason._tag === "BudgetExceeded")
              )
              assert.strictEqual(refused.length, plans.length - next)
            })
            return Effect.runPromise(Effect.provide(Effect.scoped(run), TestContext.TestContext))
          }),
          { numRuns: 25 }
        )
      )
    })
  })
})
