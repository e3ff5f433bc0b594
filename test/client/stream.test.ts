import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as StreamPart from "effect-llm/StreamPart"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { cacheWith } from "../support/caches.js"
import { finishOf, seen, seenWithin, wordsOf } from "../support/consumers.js"
import { serverFailed, unauthorized } from "../support/errors.js"
import { errorOf, valueOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { type Recorded, recorder } from "../support/recordedSpans.js"
import { request, respond } from "../support/samples.js"
import { scriptedClient } from "../support/scriptedClient.js"
import { everyStream, nothing, type Step, steps, streams } from "../support/scriptedStreams.js"
import { settle, within } from "../support/testClock.js"

const rivers = respond("Elbe, Oder")
const twoWords = steps("Elbe, ", "Oder", rivers)

/** What the span of a stream says whose deadline passes: it is interrupted from outside. */
const pastDeadline = "Interrupted"

const first = (stream: Stream.Stream<StreamPart.StreamPart, LlmError.LlmError>) => Effect.exit(Stream.runHead(stream))

describe("LlmClient.stream", () => {
  describe("gives", () => {
    it.scoped("each part when it comes, and the whole answer last", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient(streams(steps(100, "Elbe, ", 200, "Oder", 300, rivers)))
        const result = yield* seenWithin(600, client.stream(request))
        assert.deepStrictEqual(wordsOf(result), ["Elbe, ", "Oder", "Finish"])
        assert.deepStrictEqual(result.times, [100, 300, 600])
        const response = finishOf(result)
        assert.deepStrictEqual([response.text, response.origin], ["Elbe, Oder", "provider"])
      }))

    it.scoped("nothing that comes after Finish, in the same chunk or later", () =>
      Effect.gen(function*() {
        const end: Step = [
          StreamPart.TextDelta({ text: "Oder" }),
          StreamPart.Finish({ response: rivers }),
          StreamPart.TextDelta({ text: "!" }),
          StreamPart.Finish({ response: respond("another") })
        ]
        const { client, load } = yield* scriptedClient(streams(steps("Elbe, ", end, "!", rivers, serverFailed)))
        const result = yield* seen(client.stream(request))
        assert.deepStrictEqual(wordsOf(result), ["Elbe, ", "Oder", "Finish"])
        assert.strictEqual(finishOf(result).text, "Elbe, Oder")
        assert.strictEqual((yield* load).inFlight, 0)
      }))

    it.scoped("an end as soon as Finish has come, and not when the provider closes", () =>
      Effect.gen(function*() {
        const { client, load } = yield* scriptedClient(streams(steps("Elbe, ", "Oder", rivers, 60_000)))
        finishOf(yield* seen(client.stream(request)))
        assert.strictEqual((yield* load).inFlight, 0)
      }))

    it.scoped("attempts and latency of the whole call, which the provider cannot know", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient(
          streams(
            steps(100, serverFailed),
            steps(200, "Elbe, ", 300, respond("Elbe, ", { latency: Duration.days(1) }))
          ),
          { client: { retry: { jitter: false } } }
        )
        const { attempts, latency } = finishOf(yield* seenWithin(1600, client.stream(request)))
        assert.deepStrictEqual([attempts, Duration.toMillis(latency)], [2, 1600])
      }))

    it.scoped("an answer that has nothing but its end", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient(streams(steps(respond("", { parts: [] }))))
        assert.deepStrictEqual(wordsOf(yield* seen(client.stream(request))), ["Finish"])
      }))

    it.scoped("all kinds of parts as they are, in their order and their chunks", () =>
      Effect.gen(function*() {
        const thought = StreamPart.ReasoningDelta({ text: "hm" })
        const tool = [
          StreamPart.ToolCallStart({ id: "1", name: "map" }),
          StreamPart.ToolCallDelta({ id: "1", delta: "{}" }),
          StreamPart.ToolCallEnd({ id: "1", name: "map", arguments: {} })
        ]
        const { client } = yield* scriptedClient(
          streams(steps(nothing, [thought], nothing, tool, "Elbe", respond("Elbe")))
        )
        const chunks = yield* client.stream(request).pipe(Stream.chunks, Stream.runCollect)
        assert.deepStrictEqual<unknown>(Chunk.toReadonlyArray(chunks).map(Chunk.toReadonlyArray).slice(0, -1), [
          [thought],
          tool,
          [StreamPart.TextDelta({ text: "Elbe" })]
        ])
      }))

    it.scoped("a new run each time, and sends nothing before it runs", () =>
      Effect.gen(function*() {
        const { client, events, requests } = yield* scriptedClient([everyStream(() => twoWords)])
        const stream = client.stream(request, { cache: "bypass" })
        yield* settle
        assert.deepStrictEqual([(yield* requests).length, (yield* events).length], [0, 0])
        const both = yield* Effect.all([seen(stream), seen(stream)], { concurrency: 2 })
        assert.deepStrictEqual(both.map((result) => finishOf(result).attempts), [1, 1])
        assert.strictEqual((yield* requests).length, 2)
      }))

    it.scoped("the answer of a provider that does not stream, once it is whole", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient([serverFailed, Effect.delay(LlmTest.text("Elbe"), 500)], {
          client: { retry: { jitter: false } }
        })
        const result = yield* seenWithin(1500, client.stream(request))
        assert.deepStrictEqual(wordsOf(result), ["Elbe", "Finish"])
        assert.deepStrictEqual(result.times, [1500, 1500])
        assert.strictEqual(finishOf(result).attempts, 2)
      }))

    it.effect("the same parts in the same order, however a provider puts them into chunks", () =>
      Effect.promise(() =>
        FastCheck.assert(
          FastCheck.asyncProperty(
            FastCheck.array(FastCheck.array(FastCheck.string({ minLength: 1 }), { maxLength: 4 }), { maxLength: 8 }),
            FastCheck.boolean(),
            (texts, together) => {
              const chunks = texts.map((chunk) => chunk.map((text) => StreamPart.TextDelta({ text })))
              const response = respond(texts.flat().join(""))
              const end = StreamPart.Finish({ response })
              const all: ReadonlyArray<Step> = together
                ? [...chunks.slice(0, -1), [...chunks.at(-1) ?? [], end]]
                : [...chunks, [end]]
              return Effect.gen(function*() {
                const { client } = yield* scriptedClient(streams(steps(...all)))
                const result = yield* seen(client.stream(request))
                assert.deepStrictEqual(wordsOf(result), [...texts.flat(), "Finish"])
                assert.strictEqual(finishOf(result).text, response.text)
              }).pipe(Effect.scoped, Effect.runPromise)
            }
          ),
          { numRuns: 25 }
        )
      ))
  })

  it.scoped("reports a look-up, an attempt and its end", () =>
    Effect.gen(function*() {
      const { client, eventLines, events } = yield* scriptedClient(streams(steps(100, "Elbe, ", 200, rivers)))
      yield* seenWithin(300, client.stream(request, { tags: { job: "nightly" } }))
      assert.deepStrictEqual(yield* eventLines, ["CacheMiss", "CallStarted 1", "CallOk 1"])
      const last = (yield* events).at(-1)
      assert(last?._tag === "CallOk")
      assert.deepStrictEqual([Duration.toMillis(last.latency), last.response.text], [300, "Elbe, Oder"])
      for (const { model, provider, tags } of (yield* events)) {
        assert.deepStrictEqual({ model, provider, tags }, {
          model: "gpt-4o-mini",
          provider: "scripted",
          tags: { job: "nightly" }
        })
      }
    }))

  // -------------------------------------------------------------------------------------------------------------------
  describe("a bad request", () => {
    const bad: ReadonlyArray<
      readonly [what: string, stream: (client: LlmClient.Service) => Stream.Stream<unknown, LlmError.LlmError>]
    > = [
      ["prompt", (client) => client.stream({ model: "gpt-4o-mini", prompt: "" })],
      ["temperature", (client) => client.stream({ ...request, temperature: NaN })],
      ["firstPartTimeout", (client) => client.stream(request, { firstPartTimeout: -1 })],
      ["idleTimeout", (client) => client.stream(request, { idleTimeout: 0 })],
      ["deadline", (client) => client.stream(request, { deadline: NaN })]
    ]

    it.scoped.each(bad)(
      "fails before anything is sent, and names what is wrong: %s",
      ([field, stream]) =>
        Effect.gen(function*() {
          const { client, events, requests } = yield* scriptedClient([])
          const error = errorOf(yield* Effect.exit(Stream.runDrain(stream(client))))
          assert(error.reason._tag === "InvalidRequest")
          assert.deepStrictEqual([error.reason.field, error.attempts, error.operation], [field, 0, "stream"])
          assert.deepStrictEqual([(yield* requests).length, (yield* events).length], [0, 0])
        })
    )
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("and the cache", () => {
    const numbered = (n: number) => steps(`answer ${n}`, respond(`answer ${n}`))

    const counting = Effect.gen(function*() {
      const memory = yield* LlmCache.makeMemory()
      const used = { gets: 0, sets: 0 }
      const cache: LlmCache.Service = {
        ...memory,
        get: (key) => Effect.zipRight(Effect.sync(() => used.gets++), memory.get(key)),
        set: (...args) => Effect.zipRight(Effect.sync(() => used.sets++), memory.set(...args))
      }
      return {
        used,
        ...(yield* scriptedClient([everyStream(numbered), LlmTest.when({ operation: "call" }, "called")], { cache }))
      }
    })

    it.scoped("replays a kept answer as parts, for nothing", () =>
      Effect.gen(function*() {
        const call = Message.ToolCall.make({ id: "1", name: "map", arguments: { river: "Elbe" } })
        const response = respond("Elbe", {
          parts: [Message.Reasoning.make({ text: "hm" }), Message.Text.make({ text: "Elbe" }), call],
          finishReason: "tool_calls",
          requestId: "req_1",
          cost: 0.5
        })
        const { client, eventLines, requests } = yield* scriptedClient(streams(steps("El", "be", response)))
        const original = finishOf(yield* seen(client.stream(request)))
        const result = yield* seen(client.stream(request))
        assert.deepStrictEqual(
          result.parts,
          StreamPart.fromResponse(response).slice(0, -1).concat(StreamPart.Finish({ response: finishOf(result) }))
        )
        const { attempts, cost, latency: _1, origin, originalUsage, usage, ...same } = finishOf(result)
        assert.deepStrictEqual({ attempts, cost, origin, originalUsage, usage }, {
          attempts: 0,
          cost: 0,
          origin: "cache",
          originalUsage: original.usage,
          usage: { inputTokens: 0, outputTokens: 0 }
        })
        const { attempts: _2, cost: _3, latency: _4, origin: _5, usage: _6, ...expected } = original
        assert.deepStrictEqual({ ...same }, { ...expected })
        assert.strictEqual((yield* requests).length, 1)
        assert.deepStrictEqual(yield* eventLines, ["CacheMiss", "CallStarted 1", "CallOk 1", "CacheHit"])
      }))

    it.scoped("shares its keys with call: either fills it for the other", () =>
      Effect.gen(function*() {
        const { client, exchanges } = yield* scriptedClient([
          everyStream(numbered),
          LlmTest.when({ operation: "call" }, "called")
        ])
        finishOf(yield* seen(client.stream(request)))
        const hit = yield* client.call(request)
        assert.deepStrictEqual([hit.text, hit.origin], ["answer 1", "cache"])
        const other = { ...request, seed: 1 }
        yield* client.call(other)
        const replayed = yield* seen(client.stream(other))
        assert.deepStrictEqual(wordsOf(replayed), ["called", "Finish"])
        assert.strictEqual(finishOf(replayed).origin, "cache")
        assert.deepStrictEqual((yield* exchanges).map(({ operation }) => operation), ["stream", "call"])
      }))

    it.scoped("has kept the answer when Finish is given out", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient([everyStream(numbered)])
        const origin = yield* client.stream(request).pipe(
          Stream.mapEffect((part) =>
            part._tag === "Finish" ? Effect.map(client.call(request), ({ origin }) => origin) : Effect.succeed("")
          ),
          Stream.runLast
        )
        assert.deepStrictEqual(origin, Option.some("cache"))
      }))

    it.scoped("has a mode: on, bypass, refresh, readOnly", () =>
      Effect.gen(function*() {
        const { client, used } = yield* counting
        const text = (cache: LlmClient.CallOptions["cache"]) =>
          Effect.map(seen(client.stream(request, { cache })), (result) => finishOf(result).text)
        assert.strictEqual(yield* text("readOnly"), "answer 1")
        assert.deepStrictEqual(used, { gets: 1, sets: 0 })
        assert.strictEqual(yield* text("on"), "answer 2")
        assert.strictEqual(yield* text(undefined), "answer 2")
        assert.strictEqual(yield* text("readOnly"), "answer 2")
        assert.deepStrictEqual(used, { gets: 4, sets: 1 })
        assert.strictEqual(yield* text("bypass"), "answer 3")
        assert.deepStrictEqual(used, { gets: 4, sets: 1 })
        assert.strictEqual(yield* text("refresh"), "answer 4")
        assert.deepStrictEqual(used, { gets: 4, sets: 2 })
        assert.strictEqual(yield* text("on"), "answer 4")
      }))

    it.scoped("keeps an answer for the time to live that is set", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([everyStream(numbered)])
        yield* seen(client.stream(request, { ttl: "1 minute" }))
        yield* TestClock.adjust(59_999)
        yield* seen(client.stream(request))
        assert.strictEqual((yield* requests).length, 1)
        yield* TestClock.adjust(1)
        yield* seen(client.stream(request))
        assert.strictEqual((yield* requests).length, 2)
      }))

    it.scoped("keeps tenants apart", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([everyStream(numbered)])
        yield* seen(client.stream(request, { namespace: "a" }))
        yield* seen(client.stream(request, { namespace: "b" }))
        assert.strictEqual((yield* requests).length, 2)
      }))

    const partial: ReadonlyArray<LlmResponse.LlmResponse["finishReason"]> = [
      "length",
      "content_filter",
      "refusal",
      "pause",
      "context_window",
      "other"
    ]

    it.scoped.each(partial)("does not keep an answer that is not whole: %s", (finishReason) =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([
          everyStream(() => steps("Elbe", respond("Elbe", { finishReason })))
        ])
        assert.strictEqual(finishOf(yield* seen(client.stream(request))).finishReason, finishReason)
        assert.strictEqual(finishOf(yield* seen(client.stream(request))).origin, "provider")
        assert.strictEqual((yield* requests).length, 2)
      }))

    it.scoped("keeps nothing of a stream that fails, is cut or is left before its end", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([
          everyStream((n) => n === 1 ? steps("Elbe", unauthorized) : n === 2 ? steps("Elbe") : twoWords)
        ])
        assert.isTrue(Exit.isFailure((yield* seen(client.stream(request))).exit))
        assert.isTrue(Exit.isFailure((yield* seen(client.stream(request))).exit))
        valueOf(yield* first(client.stream(request)))
        assert.strictEqual(finishOf(yield* seen(client.stream(request))).origin, "provider")
        assert.strictEqual((yield* requests).length, 4)
      }))

    const broken: Record<string, Partial<LlmCache.Service>> = {
      "fails": {
        get: () => Effect.fail(new LlmCache.CacheError({ operation: "get", problem: "no connection" })),
        set: () => Effect.fail(new LlmCache.CacheError({ operation: "set", problem: "no connection" }))
      },
      "dies": { get: () => Effect.dieMessage("a bug"), set: () => Effect.dieMessage("a bug") },
      "hangs": { get: () => Effect.never, set: () => Effect.never }
    }

    it.scoped.each(Object.entries(broken))(
      "costs nobody the answer when it %s",
      ([, overrides]) =>
        leavingNoFiber(Effect.gen(function*() {
          const { client, eventLines } = yield* scriptedClient([everyStream(() => twoWords)], {
            cache: yield* cacheWith(overrides)
          })
          const result = yield* seenWithin("1 second", client.stream(request))
          assert.deepStrictEqual(wordsOf(result), ["Elbe, ", "Oder", "Finish"])
          finishOf(result)
          assert.deepStrictEqual(yield* eventLines, [
            "CacheFailed get",
            "CacheMiss",
            "CallStarted 1",
            "CallOk 1",
            "CacheFailed set"
          ])
        }))
    )

    it.scoped("does not hold the text back while it hangs at the end", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient(streams(twoWords), {
          cache: yield* cacheWith({ set: () => Effect.never })
        })
        const result = yield* seenWithin(500, client.stream(request))
        assert.deepStrictEqual(result.times, [0, 0, 500])
      }))

    it.scoped("does not hold Finish back beyond the deadline", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient(streams(steps(900, "Elbe", respond("Elbe"))), {
          cache: yield* cacheWith({ set: () => Effect.never })
        })
        const result = yield* seenWithin(1000, client.stream(request, { deadline: 1000 }))
        assert.strictEqual(finishOf(result).text, "Elbe")
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("left before its end", () => {
    const endless = steps("Elbe, ", "Oder, ", "Rhein, ", 60_000, rivers)

    const leaving: Record<
      string,
      (stream: ReturnType<LlmClient.Service["stream"]>) => Effect.Effect<unknown, unknown>
    > = {
      "Stream.take": (stream) => Stream.runDrain(Stream.take(stream, 2)),
      "Stream.runHead": Stream.runHead,
      "Stream.takeUntil": (stream) => Stream.runDrain(Stream.takeUntil(stream, () => true)),
      "a consumer that fails": (stream) => Effect.exit(Stream.runForEach(stream, () => Effect.fail("enough"))),
      "a consumer that dies": (stream) => Effect.exit(Stream.runForEach(stream, () => Effect.dieMessage("a bug")))
    }

    it.scoped.each(Object.entries(leaving))(
      "closes the provider's stream at once and leaves no fiber: %s",
      ([, leave]) =>
        leavingNoFiber(Effect.gen(function*() {
          const { client, eventLines, timeline } = yield* scriptedClient(streams(endless))
          yield* leave(client.stream(request))
          assert.deepStrictEqual(yield* timeline, ["stream 1 at 0", "stream 1 aborted at 0"])
          // It neither failed nor came to its end.
          assert.deepStrictEqual(yield* eventLines, ["CacheMiss", "CallStarted 1", "CallInterrupted"])
        }))
    )

    it.scoped("keeps the provider's stream open until its scope closes, where it is pulled by hand", () =>
      Effect.gen(function*() {
        const { client, load } = yield* scriptedClient(streams(endless))
        yield* Effect.scoped(Effect.gen(function*() {
          const pull = yield* Stream.toPull(client.stream(request))
          yield* pull
          assert.strictEqual((yield* load).inFlight, 1)
        }))
        assert.strictEqual((yield* load).inFlight, 0)
      }))

    const places: Record<string, { readonly stream: ReturnType<typeof steps>; readonly after: number }> = {
      "before the first part": { stream: steps(1000, "Elbe", respond("Elbe")), after: 500 },
      "between two parts": { stream: steps("Elbe, ", 1000, rivers), after: 500 },
      "between two attempts": { stream: steps(serverFailed), after: 300 }
    }

    it.scoped.each(Object.entries(places))(
      "by an interruption %s, likewise",
      ([, { after, stream }]) =>
        leavingNoFiber(Effect.gen(function*() {
          const { client, load, requests, timeline } = yield* scriptedClient([everyStream(() => stream)])
          const fiber = yield* Effect.fork(Stream.runDrain(client.stream(request)))
          yield* TestClock.adjust(after)
          assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
          assert.deepStrictEqual([(yield* load).inFlight, (yield* requests).length], [0, 1])
          assert.match((yield* timeline).at(-1) ?? "", /^stream 1 (aborted|failed)/)
          yield* TestClock.adjust("1 minute")
          assert.strictEqual((yield* requests).length, 1)
        }))
    )

    it.scoped("by an interruption during the look-up in the cache: nothing is sent", () =>
      leavingNoFiber(Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([], { cache: yield* cacheWith({ get: () => Effect.never }) })
        const fiber = yield* Effect.fork(Stream.runDrain(client.stream(request)))
        yield* TestClock.adjust(100)
        yield* Fiber.interrupt(fiber)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* requests).length, 0)
      })))

    it.scoped("after any number of steps leaves neither a fiber nor an open stream", () =>
      leavingNoFiber(Effect.gen(function*() {
        const turns = Stream.drain(Stream.fromEffect(Effect.repeatN(Effect.yieldNow(), 2)))
        const slowly = (end: Step) => Stream.concatAll(Chunk.make(turns, steps("Elbe, "), turns, steps(end)))
        let ended = false
        for (let count = 0; !ended; count++) {
          const { client, load } = yield* scriptedClient(
            [everyStream((n) => n === 1 ? Stream.concat(turns, steps(serverFailed)) : slowly(rivers))],
            { client: { retry: { base: 0, jitter: false } } }
          )
          const fiber = yield* Effect.fork(Stream.runDrain(client.stream(request)))
          for (let i = 0; i < count; i++) yield* Effect.yieldNow()
          ended = Exit.isSuccess(yield* Fiber.interrupt(fiber))
          assert.strictEqual((yield* load).inFlight, 0, `after ${count} steps`)
          assert.isBelow(count, 500)
        }
      })))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("and a slow consumer", () => {
    it.scoped("pulls the provider on demand only, and not ahead", () =>
      Effect.gen(function*() {
        let pulled = 0
        const parts = Stream.repeatEffect(Effect.sync(() => StreamPart.TextDelta({ text: `${++pulled}` })))
        const { client } = yield* scriptedClient(streams(parts))
        const ahead: Array<number> = []
        let taken = 0
        const result = yield* within("10 seconds")(
          client.stream(request).pipe(
            Stream.take(10),
            Stream.runForEach(() =>
              Effect.zipRight(Effect.sleep("1 second"), Effect.sync(() => ahead.push(pulled - ++taken)))
            )
          )
        )
        valueOf(result)
        assert.deepStrictEqual(ahead, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
      }))

    it.scoped("loses nothing that came while it had given a wait up", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient(streams(steps("Elbe, ", 5_000, "Oder", respond("Elbe, Oder"))))
        const pull = yield* Stream.toPull(client.stream(request))
        assert.deepStrictEqual(Chunk.toReadonlyArray(yield* pull), [StreamPart.TextDelta({ text: "Elbe, " })])
        const tooSoon = valueOf(yield* within("1 second")(Effect.timeoutOption(pull, "1 second")))
        assert.isTrue(Option.isNone(tooSoon))
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual(Chunk.toReadonlyArray(yield* pull), [StreamPart.TextDelta({ text: "Oder" })])
        assert.strictEqual(Chunk.unsafeHead(yield* pull)._tag, "Finish")
      }))

    it.scoped("does not count its time as the provider's: only the waiting for a part is idle", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient(streams(twoWords))
        const result = yield* within("30 seconds")(
          client.stream(request, { idleTimeout: "1 second" }).pipe(
            Stream.tap(() => Effect.sleep("10 seconds")),
            Stream.runCollect
          )
        )
        assert.strictEqual(Chunk.size(valueOf(result)), 3)
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("and the options of a region", () => {
    it.scoped("takes them where it is run", () =>
      Effect.gen(function*() {
        const { events, provide } = yield* scriptedClient(streams(steps("Elbe", 2000, rivers)))
        const result = yield* within("1 second")(
          Stream.runDrain(LlmClient.stream(request)).pipe(
            LlmClient.withOptions({ idleTimeout: "1 second", tags: { job: "nightly" } }),
            provide
          )
        )
        assert.deepStrictEqual(
          errorOf(result).reason,
          LlmError.TimedOut.make({ phase: "idle", limit: Duration.seconds(1) })
        )
        assert.deepStrictEqual((yield* events)[0]?.tags, { job: "nightly" })
      }))

    it.scoped("lets its own options win", () =>
      Effect.gen(function*() {
        const { provide } = yield* scriptedClient(streams(steps(2000, "Elbe", rivers)))
        const result = yield* within("3 seconds")(
          Stream.runDrain(LlmClient.stream(request, { firstPartTimeout: "3 seconds" })).pipe(
            LlmClient.withOptions({ firstPartTimeout: "1 second" }),
            provide
          )
        )
        valueOf(result)
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("streamText", () => {
    it.scoped("gives the text, and nothing else", () =>
      Effect.gen(function*() {
        const thought = StreamPart.ReasoningDelta({ text: "hm" })
        const tool = StreamPart.ToolCallStart({ id: "1", name: "map" })
        const { provide } = yield* scriptedClient(streams(steps([thought], "Elbe, ", [tool], "Oder", rivers)))
        const texts = yield* provide(Stream.runCollect(LlmClient.streamText(request)))
        assert.deepStrictEqual(Chunk.toReadonlyArray(texts), ["Elbe, ", "Oder"])
      }))

    it.scoped("fails as stream does, after the text so far", () =>
      Effect.gen(function*() {
        const { provide } = yield* scriptedClient(streams(steps("Elbe, ", unauthorized)))
        const texts: Array<string> = []
        const exit = yield* LlmClient.streamText(request).pipe(
          Stream.runForEach((text) => Effect.sync(() => texts.push(text))),
          provide,
          Effect.exit
        )
        assert.strictEqual(errorOf(exit).reason._tag, "AuthenticationFailed")
        assert.deepStrictEqual(texts, ["Elbe, "])
      }))
  })

  // -------------------------------------------------------------------------------------------------------------------
  describe("in traces", () => {
    const only = (spans: ReadonlyArray<Recorded>): Recorded => {
      const [span, ...others] = spans.filter(({ name }) => name.startsWith("chat"))
      assert(span !== undefined && others.length === 0, "one span")
      assert(span.status._tag === "Ended", "an ended span")
      return span
    }

    const secondsOf = ({ status }: Recorded): number =>
      status._tag === "Ended" ? Number(status.endTime - status.startTime) / 1e9 : NaN

    it.scoped("is one client span, from the first attempt to the end of the answer", () =>
      Effect.gen(function*() {
        const { spans, traced } = recorder()
        const { client } = yield* scriptedClient(
          streams(steps(1000, serverFailed), steps(1000, "Elbe", 1000, respond("Elbe", { id: "chatcmpl-1" }))),
          { client: { retry: { jitter: false } } }
        )
        finishOf(yield* traced(seenWithin("4 seconds", client.stream(request))))
        const span = only(spans)
        assert.deepStrictEqual([span.name, span.kind, secondsOf(span)], ["chat gpt-4o-mini", "client", 4])
        assert.deepStrictEqual(Object.fromEntries(span.attributes), {
          "gen_ai.operation.name": "chat",
          "gen_ai.provider.name": "scripted",
          "gen_ai.request.model": "gpt-4o-mini",
          "gen_ai.request.stream": true,
          "gen_ai.response.id": "chatcmpl-1",
          "gen_ai.response.time_to_first_chunk": 1,
          "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
          "gen_ai.response.finish_reasons": ["stop"],
          "gen_ai.usage.input_tokens": 11,
          "gen_ai.usage.output_tokens": 7
        })
      }))

    it.scoped("is a child of the caller's span, and the parent of the provider's", () =>
      Effect.gen(function*() {
        const { spans, traced } = recorder()
        const { client } = yield* scriptedClient(streams(Stream.unwrapScoped(Effect.as(
          Effect.withSpan(Effect.void, "POST"),
          Stream.concat(
            steps("Elbe"),
            Stream.fromEffect(
              Effect.as(Effect.withSpan(Effect.void, "read"), StreamPart.Finish({ response: rivers }))
            )
          )
        ))))
        yield* seen(client.stream(request)).pipe(Effect.withSpan("summarize"), traced)
        const parentOf = (name: string) => {
          const span = spans.find((span) => span.name === name)
          const parent = Option.getOrUndefined(span?.parent ?? Option.none())
          return parent?._tag === "Span" ? parent.name : undefined
        }
        assert.strictEqual(parentOf("chat gpt-4o-mini"), "summarize")
        assert.strictEqual(parentOf("attempt 1"), "chat gpt-4o-mini")
        assert.strictEqual(parentOf("POST"), "attempt 1")
        assert.strictEqual(parentOf("read"), "chat gpt-4o-mini")
      }))

    it.scoped("is none for an answer from the cache", () =>
      Effect.gen(function*() {
        const { spans, traced } = recorder()
        const { client } = yield* scriptedClient(streams(twoWords))
        yield* traced(seen(client.stream(request)))
        yield* traced(seen(client.stream(request)))
        only(spans)
      }))

    const failing: Record<
      string,
      readonly [type: string, stream: ReturnType<typeof steps>, options?: LlmClient.CallOptions]
    > = {
      "a failure before the first part": ["AuthenticationFailed", steps(unauthorized)],
      "a failure after it": ["AuthenticationFailed", steps("Elbe", unauthorized)],
      "a stream that just ends": ["StreamInterrupted", steps("Elbe")],
      "a limit": ["TimedOut", steps("Elbe", 2000, rivers), { idleTimeout: 1000 }],
      "a deadline": ["TimedOut", steps("Elbe", 2000, rivers), { deadline: 1000 }]
    }

    it.scoped.each(Object.entries(failing))(
      "tells the type of the error: %s",
      ([, [type, stream, options]]) =>
        Effect.gen(function*() {
          const { spans, traced } = recorder()
          const { client } = yield* scriptedClient([everyStream(() => stream)])
          errorOf((yield* traced(seenWithin("1 second", client.stream(request, { retry: false, ...options })))).exit)
          const span = only(spans)
          assert.strictEqual(span.attributes.get("error.type"), type)
          assert.isFalse(span.attributes.has("gen_ai.response.model"))
          assert(span.status._tag === "Ended")
          assert.isTrue(Exit.isFailure(span.status.exit))
        })
    )

    const others: Record<string, readonly [type: string | undefined, stream: ReturnType<typeof steps>]> = {
      "a deadline before the first part": [pastDeadline, steps(5000, "late")],
      "an interruption before the first part": ["Interrupted", steps(5000, "late")],
      "an interruption after it": ["Interrupted", steps("Elbe", 5000, "late")],
      "a bug before the first part": ["_OTHER", Stream.dieMessage("a bug")],
      "a bug after it": ["_OTHER", Stream.concat(steps("Elbe"), Stream.dieMessage("a bug"))],
      "an early stop, which is none": [undefined, steps("Elbe", 5000, "late")]
    }

    it.scoped.each(Object.entries(others))(
      "tells the type of what is no failure of a provider: %s",
      ([what, [type, stream]]) =>
        Effect.gen(function*() {
          const { spans, traced } = recorder()
          const { client } = yield* scriptedClient([everyStream(() => stream)])
          const options = what.startsWith("a deadline") ? { deadline: 1000 } : {}
          const parts = client.stream(request, options)
          const consumed = what.startsWith("an early stop") ? Stream.runHead(parts) : Stream.runDrain(parts)
          const fiber = yield* Effect.fork(traced(consumed))
          yield* TestClock.adjust(1000)
          yield* Fiber.interrupt(fiber)
          assert.strictEqual(only(spans).attributes.get("error.type"), type)
        })
    )
  })
})
