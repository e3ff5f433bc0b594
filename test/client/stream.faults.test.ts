import { assert, describe, it } from "@effect/vitest"
import type * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import type * as LlmEvent from "effect-llm/LlmEvent"
import * as Message from "effect-llm/Message"
import * as StreamPart from "effect-llm/StreamPart"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { cacheWith, noCache } from "../support/caches.js"
import { finishOf, type Seen, seen, seenWithin, wordsOf } from "../support/consumers.js"
import { failure, rateLimited, serverFailed, unauthorized } from "../support/errors.js"
import { errorOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { request, respond } from "../support/samples.js"
import { callLines, scriptedClient } from "../support/scriptedClient.js"
import { everyStream, nothing, steps, streams } from "../support/scriptedStreams.js"
import { settle, within } from "../support/testClock.js"

const rivers = respond("Elbe, Oder")
const twoWords = steps("Elbe, ", "Oder", rivers)

const unjittered = { retry: { jitter: false } } as const

const nothingCame = LlmError.StreamInterrupted.make({ message: "cut", partial: { text: "", parts: [] } })

const retryable: ReadonlyArray<LlmError.Reason> = [
  LlmError.RateLimited.make({}),
  LlmError.Overloaded.make({}),
  LlmError.ServerFailed.make({}),
  LlmError.TimedOut.make({ phase: "attempt" }),
  LlmError.NetworkFailed.make({ code: "ECONNRESET" }),
  LlmError.MalformedResponse.make({}),
  nothingCame
]

const final: ReadonlyArray<LlmError.Reason> = [
  LlmError.AuthenticationFailed.make({}),
  LlmError.PermissionDenied.make({}),
  LlmError.QuotaExhausted.make({}),
  LlmError.InvalidRequest.make({}),
  LlmError.ContextLengthExceeded.make({}),
  LlmError.ModelNotFound.make({}),
  LlmError.ContentFiltered.make({}),
  LlmError.Refused.make({}),
  LlmError.NetworkFailed.make({ code: "ENOTFOUND" }),
  LlmError.UnsupportedFeature.make({ feature: "images" }),
  LlmError.BudgetExceeded.make({}),
  LlmError.CircuitOpen.make({ retryAfter: Duration.seconds(1) }),
  LlmError.AllProvidersFailed.make({ errors: [] })
]

const named = (reasons: ReadonlyArray<LlmError.Reason>) =>
  reasons.map((reason) =>
    [reason._tag === "NetworkFailed" ? `${reason._tag} ${reason.code}` : reason._tag, reason] as const
  )

const failureOf = ({ exit }: Seen): LlmError.LlmError => errorOf(exit)

const interruption = (error: LlmError.LlmError): LlmError.ReasonOf<"StreamInterrupted"> => {
  assert(error.reason._tag === "StreamInterrupted", error.message)
  return error.reason
}

const timedOut = (phase: "firstPart" | "idle" | "total", limit: Duration.DurationInput) =>
  LlmError.TimedOut.make({ phase, limit: Duration.decode(limit) })

describe("LlmClient.stream", () => {
  describe("before the first part", () => {
    it.scoped.each(named(retryable))("asks again after %s", ([, reason]) =>
      leavingNoFiber(Effect.gen(function*() {
        const { client, events, requests } = yield* scriptedClient(streams(steps(failure(reason)), twoWords), {
          client: unjittered
        })
        const result = yield* seenWithin("1 second", client.stream(request))
        assert.deepStrictEqual(wordsOf(result), ["Elbe, ", "Oder", "Finish"])
        assert.strictEqual(finishOf(result).attempts, 2)
        assert.deepStrictEqual((yield* requests)[1], (yield* requests)[0])
        const tag = reason._tag === "TimedOut" ? "TimedOut(attempt)" : reason._tag
        assert.deepStrictEqual(callLines(yield* events), [
          "CallStarted 1",
          `CallFailed 1 ${tag}, retry after 1s`,
          "CallStarted 2",
          "CallOk 2"
        ])
      })))

    it.scoped.each(named(final))("does not ask again after %s", ([, reason]) =>
      leavingNoFiber(Effect.gen(function*() {
        const { client, events, requests } = yield* scriptedClient(streams(steps(failure(reason))))
        const result = yield* seen(client.stream(request))
        const error = failureOf(result)
        assert.deepStrictEqual(error.reason, reason)
        assert.deepStrictEqual(
          [error.operation, error.attempts, error.provider, error.model, error.gaveUp],
          ["stream", 1, "scripted", "gpt-4o-mini", undefined]
        )
        assert.deepStrictEqual([result.parts.length, (yield* requests).length], [0, 1])
        assert.deepStrictEqual(callLines(yield* events), [
          "CallStarted 1",
          `CallFailed 1 ${reason._tag}`,
          `CallGaveUp 1 ${reason._tag}`
        ])
      })))

    it.scoped("asks again where the stream ends without anything, or with nothing but empty chunks", () =>
      Effect.gen(function*() {
        const { client, events } = yield* scriptedClient(streams(Stream.empty, steps(nothing, nothing), twoWords), {
          client: unjittered
        })
        assert.strictEqual(finishOf(yield* seenWithin("3 seconds", client.stream(request))).attempts, 3)
        assert.deepStrictEqual(callLines(yield* events).slice(0, 4), [
          "CallStarted 1",
          "CallFailed 1 StreamInterrupted, retry after 1s",
          "CallStarted 2",
          "CallFailed 2 StreamInterrupted, retry after 2s"
        ])
      }))

    it.scoped("has closed a failed attempt before it waits for the next", () =>
      Effect.gen(function*() {
        const { client, timeline } = yield* scriptedClient(
          streams(steps(100, serverFailed), steps(nothing, 100), steps(60_000), steps("Elbe, ", 100, rivers)),
          { client: { retry: { jitter: false, times: 3 }, firstPartTimeout: "10 seconds" } }
        )
        finishOf(yield* seenWithin("1 minute", client.stream(request)))
        assert.deepStrictEqual(yield* timeline, [
          "stream 1 at 0",
          "stream 1 failed at 100",
          "stream 2 at 1100",
          "stream 2 failed at 1200",
          "stream 3 at 3200",
          "stream 3 aborted at 13200",
          "stream 4 at 17200",
          "stream 4 answered at 17300"
        ])
      }))

    it.scoped("waits until a failed attempt has been closed, however long that takes", () =>
      Effect.gen(function*() {
        const order: Array<string> = []
        const note = (what: string) => Effect.sync(() => void order.push(what))
        const slow = Stream.acquireRelease(note("opened"), () => Effect.zipRight(Effect.sleep(5000), note("closed")))
        const { client } = yield* scriptedClient(
          [everyStream((n) =>
            n === 1
              ? Stream.flatMap(slow, () => steps(serverFailed))
              : Stream.concat(Stream.drain(Stream.fromEffect(note("again"))), twoWords)
          )],
          { client: { retry: { base: 0 } } }
        )
        finishOf(yield* seenWithin("5 seconds", client.stream(request)))
        assert.deepStrictEqual(order, ["opened", "closed", "again"])
      }))

    it.scoped("gives up after the last attempt, with the last error", () =>
      leavingNoFiber(Effect.gen(function*() {
        const overloaded = failure(LlmError.Overloaded.make({}))
        const { client, eventLines, load } = yield* scriptedClient(
          streams(steps(serverFailed), steps(serverFailed), steps(overloaded)),
          {
            client: unjittered
          }
        )
        const error = failureOf(yield* seenWithin("3 seconds", client.stream(request)))
        assert.deepStrictEqual([error.reason._tag, error.attempts], ["Overloaded", 3])
        assert.deepStrictEqual(yield* eventLines, [
          "CacheMiss",
          "CallStarted 1",
          "CallFailed 1 ServerFailed, retry after 1s",
          "CallStarted 2",
          "CallFailed 2 ServerFailed, retry after 2s",
          "CallStarted 3",
          "CallFailed 3 Overloaded",
          "CallGaveUp 3 Overloaded"
        ])
        assert.strictEqual((yield* load).inFlight, 0)
      })))

    it.scoped("does not ask again where retries are off, or the server says not to", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([
          everyStream((n) => steps(n === 1 ? serverFailed : LlmError.update(serverFailed, { shouldRetry: false })))
        ])
        failureOf(yield* seen(client.stream(request, { retry: false })))
        failureOf(yield* seen(client.stream(request)))
        assert.strictEqual((yield* requests).length, 2)
      }))

    it.scoped("waits as long as the server asks to, and not at all where that is too long", () =>
      Effect.gen(function*() {
        const { client, timeline } = yield* scriptedClient(
          [everyStream((n) =>
            n === 1 ? steps(rateLimited("7 seconds")) : n === 2 ? twoWords : steps(rateLimited("1 minute"))
          )]
        )
        finishOf(yield* seenWithin("7 seconds", client.stream(request)))
        assert.strictEqual((yield* timeline)[2], "stream 2 at 7000")
        const error = failureOf(yield* seen(client.stream({ ...request, seed: 1 }, { deadline: "30 seconds" })))
        assert.deepStrictEqual([error.reason._tag, error.attempts], ["RateLimited", 1])
        assert.include(error.gaveUp ?? "", "until the deadline")
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("after the first part", () => {
    it.scoped.each(named(retryable))(
      "does not ask again, and says why: %s",
      ([, reason]) =>
        leavingNoFiber(Effect.gen(function*() {
          const { client, events, load, requests } = yield* scriptedClient(
            streams(steps("Elbe, ", 100, failure(reason)))
          )
          const result = yield* seenWithin(100, client.stream(request))
          const error = failureOf(result)
          assert.deepStrictEqual(error.reason, reason)
          assert.deepStrictEqual([error.operation, error.attempts, error.provider, error.model], [
            "stream",
            1,
            "scripted",
            "gpt-4o-mini"
          ])
          assert.strictEqual(error.gaveUp, "a part of the answer had been delivered")
          assert.deepStrictEqual(wordsOf(result), ["Elbe, "])
          assert.deepStrictEqual([(yield* requests).length, (yield* load).inFlight], [1, 0])
          const tag = reason._tag === "TimedOut" ? "TimedOut(attempt)" : reason._tag
          assert.deepStrictEqual(callLines(yield* events), [
            "CallStarted 1",
            `CallFailed 1 ${tag}`,
            `CallGaveUp 1 ${tag}`
          ])
        }))
    )

    it.scoped.each(named(final))("fails as the provider does: %s", ([, reason]) =>
      Effect.gen(function*() {
        const { client, events, requests } = yield* scriptedClient(streams(steps("Elbe, ", failure(reason))))
        const error = failureOf(yield* seen(client.stream(request)))
        assert.deepStrictEqual([error.reason, error.gaveUp], [reason, undefined])
        assert.strictEqual((yield* requests).length, 1)
        assert.strictEqual(callLines(yield* events).filter((line) => line.startsWith("CallGaveUp")).length, 1)
      }))

    const beginnings: Record<string, StreamPart.StreamPart> = {
      "text": StreamPart.TextDelta({ text: "Elbe" }),
      "a thought": StreamPart.ReasoningDelta({ text: "hm" }),
      "a tool call": StreamPart.ToolCallStart({ id: "1", name: "map" })
    }

    it.scoped.each(Object.entries(beginnings))("counts %s as one", ([, part]) =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient(streams(steps([part], serverFailed)))
        const result = yield* seen(client.stream(request))
        assert.deepStrictEqual([result.parts.length, failureOf(result).reason._tag], [1, "ServerFailed"])
        assert.strictEqual((yield* requests).length, 1)
      }))

    it.scoped("counts the attempts before it", () =>
      Effect.gen(function*() {
        const { client, events } = yield* scriptedClient(streams(steps(serverFailed), steps("Elbe", serverFailed)), {
          client: unjittered
        })
        const result = yield* seenWithin("1 second", client.stream(request))
        assert.deepStrictEqual([failureOf(result).attempts, wordsOf(result).length], [2, 1])
        assert.deepStrictEqual(callLines(yield* events), [
          "CallStarted 1",
          "CallFailed 1 ServerFailed, retry after 1s",
          "CallStarted 2",
          "CallFailed 2 ServerFailed",
          "CallGaveUp 2 ServerFailed"
        ])
      }))

    it.scoped("keeps what the provider says of the interruption, and of itself", () =>
      Effect.gen(function*() {
        const partial = { text: "Elbe", parts: [Message.Text.make({ text: "Elbe" })], usage: { inputTokens: 3 } }
        const interrupted = failure(LlmError.StreamInterrupted.make({ message: "cut", partial }), {
          requestId: "req_1",
          status: 200,
          provider: "inner",
          model: "inner-model"
        })
        const { client } = yield* scriptedClient(streams(steps("Elbe", interrupted)))
        const error = failureOf(yield* seen(client.stream(request)))
        assert.deepStrictEqual(interruption(error).partial, partial)
        assert.deepStrictEqual(
          [error.requestId, error.status, error.provider, error.model, error.gaveUp],
          ["req_1", 200, "inner", "inner-model", undefined]
        )
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("whose provider ends without Finish", () => {
    it.scoped("fails, with the text so far: it never just ends", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { client, events, load } = yield* scriptedClient(streams(steps("Elbe, ", "Oder")))
        const result = yield* seen(client.stream(request))
        assert.deepStrictEqual(wordsOf(result), ["Elbe, ", "Oder"])
        const error = failureOf(result)
        assert.deepStrictEqual(interruption(error).partial, {
          text: "Elbe, Oder",
          parts: [{ _tag: "Text", text: "Elbe, Oder" }]
        })
        assert.isFalse(error.isRetryable)
        assert.deepStrictEqual(callLines(yield* events), [
          "CallStarted 1",
          "CallFailed 1 StreamInterrupted",
          "CallGaveUp 1 StreamInterrupted"
        ])
        assert.strictEqual((yield* load).inFlight, 0)
      })))

    it.scoped("fails after thoughts and tool calls, too, and does not ask to be run again", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([everyStream((n) =>
          steps(
            n === 1 ? [StreamPart.ReasoningDelta({ text: "hm" })] : [StreamPart.ToolCallStart({ id: "1", name: "map" })]
          )
        )])
        for (let i = 1; i <= 2; i++) {
          const result = yield* seen(client.stream(request))
          const error = failureOf(result)
          interruption(error)
          assert.deepStrictEqual([result.parts.length, error.attempts, (yield* requests).length], [1, 1, i])
        }
      }))

    it.scoped("fails after three attempts in which nothing came", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([everyStream(() => Stream.empty)], { client: unjittered })
        const error = failureOf(yield* seenWithin("3 seconds", client.stream(request)))
        assert.deepStrictEqual(interruption(error).partial, { text: "", parts: [] })
        assert.deepStrictEqual([error.attempts, (yield* requests).length], [3, 3])
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("and its limits", () => {
    it.scoped("firstPartTimeout: from the request to the first content, asked again", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { client, events, timeline } = yield* scriptedClient(
          streams(steps(5001, "late"), steps(4999, "Elbe, ", 10_000, rivers)),
          {
            client: { ...unjittered, firstPartTimeout: "5 seconds" }
          }
        )
        const result = yield* seenWithin("21 seconds", client.stream(request))
        assert.deepStrictEqual(wordsOf(result), ["Elbe, ", "Finish"])
        assert.deepStrictEqual(yield* timeline, [
          "stream 1 at 0",
          "stream 1 aborted at 5000",
          "stream 2 at 6000",
          "stream 2 answered at 20999"
        ])
        assert.deepStrictEqual(callLines(yield* events).slice(0, 2), [
          "CallStarted 1",
          "CallFailed 1 TimedOut(firstPart), retry after 1s"
        ])
      })))

    it.scoped("firstPartTimeout: states the phase and the limit; empty chunks are no content", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { client, events, load } = yield* scriptedClient(streams(steps(400, nothing, 400, nothing, 400, "late")))
        const result = yield* seenWithin(
          "1 second",
          client.stream(request, { firstPartTimeout: "1 second", retry: false })
        )
        assert.deepStrictEqual(failureOf(result).reason, timedOut("firstPart", "1 second"))
        assert.strictEqual((yield* load).inFlight, 0)
        assert.deepStrictEqual(callLines(yield* events), [
          "CallStarted 1",
          "CallFailed 1 TimedOut(firstPart)",
          "CallGaveUp 1 TimedOut(firstPart)"
        ])
      })))

    it.scoped("firstPartTimeout: is there for a provider that opens slowly, and not only for a silent one", () =>
      leavingNoFiber(Effect.gen(function*() {
        const opening = Stream.unwrapScoped(Effect.as(Effect.never, twoWords))
        const { client } = yield* scriptedClient(streams(opening))
        const result = yield* seenWithin("1 second", client.stream(request, { firstPartTimeout: 1000, retry: false }))
        assert.deepStrictEqual(failureOf(result).reason, timedOut("firstPart", "1 second"))
      })))

    it.scoped("idleTimeout: between two parts, not asked again; empty chunks do not reset it", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { client, events, load, requests } = yield* scriptedClient(
          streams(steps("Elbe, ", 999, "Oder", 400, nothing, 400, nothing, 400, "late"))
        )
        const result = yield* seenWithin(1999, client.stream(request, { idleTimeout: "1 second" }))
        assert.deepStrictEqual(wordsOf(result), ["Elbe, ", "Oder"])
        const error = failureOf(result)
        assert.deepStrictEqual(error.reason, timedOut("idle", "1 second"))
        assert.deepStrictEqual([error.attempts, error.operation], [1, "stream"])
        assert.deepStrictEqual([(yield* requests).length, (yield* load).inFlight], [1, 0])
        assert.deepStrictEqual(callLines(yield* events), [
          "CallStarted 1",
          "CallFailed 1 TimedOut(idle)",
          "CallGaveUp 1 TimedOut(idle)"
        ])
      })))

    it.scoped("idleTimeout: is not the limit of the first part, nor the other way round", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient(
          streams(steps(3000, "Elbe, ", 500, rivers), steps(500, "Elbe, ", 3000, rivers))
        )
        const bypass = { cache: "bypass" } as const
        const late = { ...bypass, idleTimeout: "1 second", firstPartTimeout: "4 seconds" } as const
        finishOf(yield* seenWithin("5 seconds", client.stream(request, late)))
        const slow = { ...bypass, idleTimeout: "4 seconds", firstPartTimeout: "1 second" } as const
        finishOf(yield* seenWithin("5 seconds", client.stream(request, slow)))
      }))

    it.scoped("both are 30 seconds by default, and else those of the client", () =>
      Effect.gen(function*() {
        const phases = (options: LlmClient.Options, limit: string) =>
          Effect.gen(function*() {
            const { client } = yield* scriptedClient([
              everyStream((n) => n === 1 ? steps(31_000, "late") : steps("Elbe", 31_000, rivers))
            ], {
              client: { ...options, retry: false }
            })
            const first = failureOf(yield* seenWithin("30 seconds", client.stream(request)))
            const idle = failureOf(yield* seenWithin("30 seconds", client.stream(request)))
            assert.include(first.message, `TimedOut (firstPart ${limit})`)
            assert.include(idle.message, `TimedOut (idle ${limit})`)
          })
        yield* phases({}, "30s")
        yield* phases({ firstPartTimeout: "3 seconds", idleTimeout: "3 seconds" }, "3s")
      }))

    it.scoped("are no limit of a call, nor is the limit of a call one of a stream", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient([
          ...streams(steps(2000, "Elbe", 2000, rivers)),
          LlmTest.when({ operation: "call" }, Effect.delay(Effect.succeed(rivers), 500))
        ], {
          client: { timeout: "1 second" }
        })
        finishOf(yield* seenWithin("5 seconds", client.stream(request)))
        const limits = { cache: "bypass", firstPartTimeout: 100, idleTimeout: 100 } as const
        assert.isTrue(Exit.isSuccess(yield* within(500)(client.call(request, limits))))
      }))

    const deadlines: Record<
      string,
      { readonly stream: ReturnType<typeof steps>; readonly words: number; readonly attempts: number }
    > = {
      "before the first part": { stream: steps(10_000, "late"), words: 0, attempts: 1 },
      "between two attempts": { stream: steps(4500, serverFailed), words: 0, attempts: 1 },
      "in a second attempt": { stream: steps(3900, serverFailed), words: 0, attempts: 2 },
      "between two parts": { stream: steps(1000, "Elbe, ", 1000, "Oder", 10_000, rivers), words: 2, attempts: 1 }
    }

    it.scoped.each(Object.entries(deadlines))(
      "the deadline is over all of them: it passes %s",
      ([, { attempts, stream, words }]) =>
        leavingNoFiber(Effect.gen(function*() {
          const { client, events, load } = yield* scriptedClient([everyStream(() => stream)], { client: unjittered })
          const result = yield* seenWithin("5 seconds", client.stream(request, { deadline: "5 seconds" }))
          const error = failureOf(result)
          assert(error.reason._tag === "TimedOut")
          assert.deepStrictEqual([error.reason.phase, error.reason.limit], ["total", Duration.seconds(5)])
          assert.deepStrictEqual([result.parts.length, error.attempts, (yield* load).inFlight], [words, attempts, 0])
          assert.deepStrictEqual(callLines(yield* events).filter((line) => line.startsWith("CallGaveUp")), [
            `CallGaveUp ${attempts} TimedOut(total)`
          ])
          if (stream !== deadlines["before the first part"]?.stream && words === 0) {
            assert.include(error.message, "the last attempt had failed: ServerFailed")
          }
        }))
    )

    it.scoped("the deadline covers the look-up in the cache", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([], { cache: yield* cacheWith({ get: () => Effect.never }) })
        const result = yield* seenWithin(300, client.stream(request, { deadline: 300 }))
        assert.deepStrictEqual(failureOf(result).reason, timedOut("total", 300))
        assert.strictEqual((yield* requests).length, 0)
      })))

    it.scoped("the deadline covers an answer that comes steadily", () =>
      leavingNoFiber(Effect.gen(function*() {
        const steadily = Stream.repeatEffect(Effect.as(Effect.sleep(100), StreamPart.TextDelta({ text: "." })))
        const { client } = yield* scriptedClient(streams(steadily))
        const result = yield* seenWithin("5 seconds", client.stream(request, { deadline: "5 seconds" }))
        assert.deepStrictEqual(failureOf(result).reason, timedOut("total", "5 seconds"))
        assert.closeTo(result.parts.length, 50, 1)
      })))

    it.scoped("the deadline covers the time that the consumer takes", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { client } = yield* scriptedClient(streams(steps("Elbe, ", 100, "Oder", 100, rivers)))
        const exit = yield* within("20 seconds")(
          Stream.runForEach(client.stream(request, { deadline: "5 seconds" }), () => Effect.sleep("10 seconds"))
        )
        assert.deepStrictEqual(errorOf(exit).reason, timedOut("total", "5 seconds"))
      })))

    it.scoped("can all be for ever", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient(
          streams(steps(Duration.toMillis("100 days"), "Elbe", Duration.toMillis("100 days"), rivers))
        )
        const options = { deadline: Infinity, firstPartTimeout: Infinity, idleTimeout: Infinity } as const
        finishOf(yield* seenWithin("201 days", client.stream(request, options)))
      }))

    it.scoped("wait until the provider has closed its stream", () =>
      Effect.gen(function*() {
        let closed = false
        const closing = Stream.acquireRelease(
          Effect.void,
          () => Effect.zipRight(Effect.sleep(100), Effect.sync(() => closed = true))
        )
        const { client } = yield* scriptedClient(streams(Stream.flatMap(closing, () => steps("Elbe", 60_000))))
        const fiber = yield* Effect.fork(seen(client.stream(request, { idleTimeout: 1000 })))
        yield* TestClock.adjust(1099)
        assert.isNull(fiber.unsafePoll())
        yield* TestClock.adjust(1)
        failureOf(yield* Fiber.join(fiber))
        assert.isTrue(closed)
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("whose provider has a bug", () => {
    const bugs: Record<string, readonly [stream: ReturnType<typeof steps>, words: number]> = {
      "before the first part": [Stream.dieMessage("a bug"), 0],
      "while it makes the stream": [
        Stream.suspend(() => {
          throw new Cause.RuntimeException("a bug")
        }),
        0
      ],
      "after the first part": [Stream.concat(steps("Elbe"), Stream.dieMessage("a bug")), 1]
    }

    it.scoped.each(Object.entries(bugs))(
      "dies of it, does not ask again, and reports no interruption: %s",
      ([, [stream, words]]) =>
        leavingNoFiber(Effect.gen(function*() {
          const { client, eventLines, load, requests } = yield* scriptedClient([everyStream(() => stream)])
          const { exit, parts } = yield* seen(client.stream(request))
          assert.deepStrictEqual(yield* eventLines, ["CacheMiss", "CallStarted 1"])
          assert(Exit.isFailure(exit))
          assert.isTrue(Cause.isDie(exit.cause))
          assert.isFalse(Cause.isFailure(exit.cause))
          assert.include(Cause.pretty(exit.cause), "a bug")
          assert.deepStrictEqual([parts.length, (yield* requests).length, (yield* load).inFlight], [words, 1, 0])
        }))
    )
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("whose logger", () => {
    it.scoped("dies gives the same", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient(
          [everyStream((n) => n === 1 ? steps(serverFailed) : n === 2 ? twoWords : steps("Elbe", unauthorized))],
          { log: () => Effect.dieMessage("a bug"), client: unjittered }
        )
        assert.strictEqual(finishOf(yield* seenWithin("1 second", client.stream(request))).attempts, 2)
        const error = failureOf(yield* seen(client.stream({ ...request, seed: 1 })))
        assert.strictEqual(error.reason._tag, "AuthenticationFailed")
      }))

    const events: ReadonlyArray<LlmEvent.LlmEvent["_tag"]> = ["CacheMiss", "CallStarted", "CallFailed", "CallOk"]

    it.scoped.each(events)("hangs does not outlast the deadline: %s", (tag) =>
      leavingNoFiber(Effect.gen(function*() {
        const { client, load } = yield* scriptedClient(
          [everyStream(() => tag === "CallFailed" ? steps("Elbe", serverFailed) : twoWords)],
          { log: (event) => event._tag === tag ? Effect.never : Effect.void }
        )
        yield* seenWithin("6 seconds", client.stream(request, { deadline: "5 seconds" }))
        assert.strictEqual((yield* load).inFlight, 0)
      })))

    it.scoped.each([...events, "CallGaveUp" as const])(
      "hangs can be interrupted: %s",
      (tag) =>
        leavingNoFiber(Effect.gen(function*() {
          const reached = yield* Deferred.make<void>()
          const { client, load } = yield* scriptedClient(
            [everyStream(() => tag === "CallFailed" || tag === "CallGaveUp" ? steps("Elbe", serverFailed) : twoWords)],
            {
              cache: noCache,
              log: (event) =>
                event._tag === tag ? Effect.zipRight(Deferred.succeed(reached, undefined), Effect.never) : Effect.void
            }
          )
          const fiber = yield* Effect.fork(seen(client.stream(request)))
          yield* Deferred.await(reached)
          const leaving = yield* Effect.fork(Fiber.interrupt(fiber))
          yield* settle
          assert.isNotNull(leaving.unsafePoll(), "the interruption is over")
          assert.strictEqual((yield* load).inFlight, 0)
        }))
    )
  })
})
