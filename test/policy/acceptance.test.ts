import { assert, describe, it } from "@effect/vitest"
import * as Balance from "effect-llm/Balance"
import * as CircuitBreaker from "effect-llm/CircuitBreaker"
import * as Fallback from "effect-llm/Fallback"
import * as Hedge from "effect-llm/Hedge"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmLogger from "effect-llm/LlmLogger"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as StreamPart from "effect-llm/StreamPart"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Tracer from "effect/Tracer"
import { inspect } from "node:util"
import { failure, rateLimited, serverFailed, unauthorized } from "../support/errors.js"
import { errorOf, valueOf } from "../support/exits.js"
import * as FakeHttp from "../support/fakeHttp.js"
import { leavingNoFiber } from "../support/fibers.js"
import { request, respond } from "../support/samples.js"
import { countOf, inFlightOf, target, timesOf } from "../support/targets.js"
import { settle, within } from "../support/testClock.js"

// What gateways and SDKs are known to get wrong, as promises about policies in the way a program composes them.

const clientOn = (
  provider: Layer.Layer<LlmProvider.LlmProvider>,
  options?: LlmClient.Options,
  cache: Layer.Layer<LlmCache.LlmCache> = LlmCache.layerNone
) =>
  LlmClient.layer(options).pipe(
    Layer.provide([provider, cache]),
    Layer.provideMerge(LlmTest.layerLogger)
  )

const call = LlmClient.call(request)

describe("1: the deadline", () => {
  it.effect("holds for a primary that never answers, over three attempts, and the fallback is reached in each", () => {
    const [primary, fallback] = [target("primary", Effect.never), target("fallback", serverFailed)]
    return leavingNoFiber(Effect.gen(function*() {
      const error = errorOf(
        yield* within("50 seconds")(LlmClient.call(request, {
          timeout: "20 seconds",
          deadline: "50 seconds",
          retry: { times: 2, jitter: false }
        }))
      )
      assert(error.reason._tag === "AllProvidersFailed" || error.reason._tag === "TimedOut")
      assert.deepStrictEqual(yield* timesOf(primary), [0, 11_000, 23_000])
      // Half of the attempt's 20 seconds each.
      assert.deepStrictEqual(yield* timesOf(fallback), [10_000, 21_000, 33_000])
      assert.strictEqual(yield* Clock.currentTimeMillis, 50_000)
    })).pipe(Effect.provide(clientOn(Fallback.to(primary.layer, fallback.layer))))
  })

  it.effect("leaves the last target its share however many hang before it", () => {
    const targets = [1, 2, 3, 4].map((n) => target(`hanging-${n}`, Effect.never))
    const last = target("last", Effect.delay(LlmTest.text("last"), "5 seconds"))
    const hanging = targets.reduceRight(
      (after, { layer }) => Fallback.to(layer, after),
      last.layer
    )
    return leavingNoFiber(Effect.gen(function*() {
      // Nested: half of what is left each time.
      const nested = yield* within("2 minutes")(
        LlmClient.call(request, { timeout: "100 seconds", deadline: "2 minutes" })
      )
      assert.strictEqual(valueOf(nested).text, "last")
    })).pipe(Effect.provide(clientOn(hanging)))
  })

  it.effect("holds with every policy at once, each of which hangs", () => {
    const [a, b, c] = [target("a", Effect.never), target("b", Effect.never), target("c", Effect.never)]
    const layer = Balance.over([
      { layer: a.layer.pipe(CircuitBreaker.protect()) },
      { layer: b.layer.pipe(CircuitBreaker.protect()) }
    ]).pipe(Hedge.after("1 second", { maxExtraLoad: 1 }), Fallback.to(c.layer))
    return leavingNoFiber(Effect.gen(function*() {
      const started = yield* Clock.currentTimeMillis
      const error = errorOf(yield* within("7 seconds")(LlmClient.call(request, { deadline: "7 seconds" })))
      assert(error.reason._tag === "TimedOut" && error.reason.phase === "total")
      assert.strictEqual((yield* Clock.currentTimeMillis) - started, 7000)
      assert.deepStrictEqual(yield* Effect.forEach([a, b, c], inFlightOf), [0, 0, 0])
    })).pipe(Effect.provide(clientOn(layer)))
  })
})

describe("2: attempts", () => {
  it.effect("are as many as configured, whatever is around the provider: nothing is retried in two places", () => {
    const sick = target("sick", serverFailed)
    const layer = Balance.over([{ layer: sick.layer.pipe(CircuitBreaker.protect()) }]).pipe(
      Hedge.after("1 minute"),
      (layer) => Fallback.order([{ layer }])
    )
    return Effect.gen(function*() {
      for (const times of [0, 1, 2, 4]) {
        const before = yield* countOf(sick)
        const error = errorOf(yield* within("1 minute")(LlmClient.call(request, { retry: { times } })))
        assert.strictEqual((yield* countOf(sick)) - before, times + 1)
        assert.strictEqual(error.attempts, times + 1)
      }
    }).pipe(Effect.provide(clientOn(layer)))
  })
})

describe("4: what is not retried", () => {
  const body = (code: string) => ({ error: { message: "no", type: code, code } })

  const answers: Record<string, Response> = {
    "200": FakeHttp.json({ choices: [{ message: { role: "assistant", content: "Elbe" }, finish_reason: "stop" }] }),
    "400": FakeHttp.json(body("invalid_request_error"), { status: 400 }),
    "401": FakeHttp.json(body("invalid_api_key"), { status: 401 }),
    "402": FakeHttp.json(body("billing"), { status: 402 }),
    "404": FakeHttp.json(body("model_not_found"), { status: 404 }),
    "413": FakeHttp.json(body("too_large"), { status: 413 }),
    "422": FakeHttp.json(body("unprocessable"), { status: 422 }),
    "429 without credit": FakeHttp.json(body("insufficient_quota"), { status: 429 })
  }

  const hosted = (which: string) => {
    const { layer, sent } = FakeHttp.service(answers[which]!)
    return {
      sent,
      layer: OpenAiChat.layer({ apiKey: Redacted.make("sk-test-0123456789abcdef") }).pipe(Layer.provide(layer))
    }
  }

  for (const which of ["400", "401", "402", "404", "413", "422", "429 without credit"]) {
    it.effect(`${which} is asked once`, () => {
      const { layer, sent } = hosted(which)
      return Effect.gen(function*() {
        errorOf(yield* within("1 minute")(call))
        assert.lengthOf(sent, 1)
      }).pipe(Effect.provide(clientOn(layer)))
    })
  }

  for (const which of ["401", "402", "429 without credit"]) {
    it.effect(`${which} goes to the next key at once, without a wait`, () => {
      const [bad, good] = [hosted(which), hosted("200")]
      return Effect.gen(function*() {
        for (let i = 0; i < 5; i++) assert.strictEqual((yield* call).text, "Elbe")
        assert.lengthOf(good.sent, 5)
        assert.strictEqual(yield* Clock.currentTimeMillis, 0)
        assert.lengthOf(yield* LlmTest.eventsOf("FellBack"), bad.sent.length)
      }).pipe(Effect.provide(clientOn(Balance.over([{ layer: bad.layer }, { layer: good.layer }]))))
    })
  }
})

describe("6: retries against a dead provider", () => {
  it.effect("are at most the budget's share, also through all policies", () => {
    const dead = target("dead", serverFailed)
    const layer = Balance.over([{ layer: dead.layer }]).pipe(Hedge.after("1 minute"))
    return Effect.gen(function*() {
      for (let i = 0; i < 500; i++) yield* Effect.exit(call)
      assert.isAtMost(yield* countOf(dead), 600)
      assert.isAtLeast(yield* countOf(dead), 590)
    }).pipe(Effect.provide(clientOn(layer, { retry: { base: 0, budget: { ratio: 0.2, minimum: 0 } } })))
  }, 60_000)
})

describe("7: the circuit breaker", () => {
  const broken = (options: CircuitBreaker.Options, answer: LlmTest.Answer = serverFailed) => {
    const sick = target("sick", answer)
    return { ...sick, layer: sick.layer.pipe(CircuitBreaker.protect(options)) }
  }

  const once = LlmClient.call(request, { retry: false })

  it.effect("opens by ratio, and by failures in a row", () => {
    const [byRatio, inARow] = [broken({ failureRatio: 0.5, minimumThroughput: 10 }), broken({ consecutive: 5 })]
    const requestsOf = (broken: LlmTest.Scripted) =>
      Effect.gen(function*() {
        yield* Effect.replicateEffect(Effect.exit(once), 30)
        return yield* countOf(broken)
      }).pipe(Effect.provide(clientOn(broken.layer)))
    return Effect.gen(function*() {
      assert.deepStrictEqual([yield* requestsOf(byRatio), yield* requestsOf(inARow)], [10, 5])
    })
  })

  it.effect("sends one probe of 100 calls at a time when it is half open, and the others fall back", () => {
    const recovering = broken(
      { consecutive: 1, openFor: "10 seconds" },
      (_, n) => n === 1 ? serverFailed : Effect.delay(LlmTest.text("sick"), "1 second")
    )
    return Effect.gen(function*() {
      yield* call
      yield* TestClock.adjust("10 seconds")
      const many = yield* Effect.fork(Effect.forEach(
        Array.from({ length: 100 }, (_, seed) => LlmClient.call({ ...request, seed })),
        (call) => call,
        { concurrency: "unbounded" }
      ))
      yield* TestClock.adjust("1 second")
      const answered = (yield* Fiber.join(many)).map(({ provider }) => provider)
      assert.strictEqual(answered.filter((name) => name === "sick").length, 1)
      assert.strictEqual(yield* countOf(recovering), 2)
    }).pipe(Effect.provide(clientOn(Fallback.to(recovering.layer, target("other").layer))))
  })

  it.effect("loses no slot to a probe that is interrupted", () => {
    const recovering = broken({ consecutive: 1 }, (_, n) => n === 1 ? serverFailed : n === 2 ? Effect.never : "sick")
    return Effect.gen(function*() {
      yield* Effect.exit(once)
      yield* TestClock.adjust("10 seconds")
      const probe = yield* Effect.fork(once)
      yield* settle
      yield* Fiber.interrupt(probe)
      assert.strictEqual((yield* once).text, "sick")
    }).pipe(Effect.provide(clientOn(recovering.layer)))
  })

  it.effect("never refuses for the last target, which has none", () => {
    const first = broken({ consecutive: 1 })
    const last = target("last", (_, n) => n % 2 === 0 ? "last" : serverFailed)
    return Effect.gen(function*() {
      for (let i = 0; i < 20; i++) yield* Effect.exit(once)
      assert.strictEqual(yield* countOf(first), 1)
      assert.strictEqual(yield* countOf(last), 20)
    }).pipe(Effect.provide(clientOn(Fallback.to(first.layer, last.layer))))
  })
})

describe("13: cancelling", () => {
  const delta = StreamPart.TextDelta({ text: "Elbe" })
  const finish = StreamPart.Finish({ response: respond("slow") })

  /** All policies around providers that fail first, then take their time; a later call is answered. */
  const stack = () => {
    const targets = ["a", "b"].map((name) =>
      LlmTest.unsafeMake([
        LlmTest.repeat(LlmTest.when({ operation: "call" }, serverFailed), 1),
        LlmTest.when({ operation: "call" }, Effect.delay(LlmTest.text(name), "3 seconds")),
        LlmTest.when({ operation: "stream" }, LlmTest.stream([delta, finish], { every: "2 seconds" }))
      ], { name, endpoint: `memory:${name}` })
    )
    const last = target("last", Effect.delay(LlmTest.text("last"), "1 second"))
    const [a, b] = targets.map(({ layer }) => ({
      layer: layer.pipe(CircuitBreaker.protect({ consecutive: 1, openFor: "1 second" }))
    }))
    const layer = Balance.over([a!, b!]).pipe(
      Hedge.after("1 second", { maxExtraLoad: 1 }),
      Fallback.to(last.layer)
    )
    const inFlight = Effect.map(Effect.forEach([...targets, last], inFlightOf), (all) => all.reduce((a, b) => a + b))
    return { inFlight, layer }
  }

  const stages = { call: call.pipe(Effect.asVoid), stream: Stream.runDrain(LlmClient.stream(request)) }

  for (const [name, work] of Object.entries(stages)) {
    it.effect(
      `a ${name} at any moment, under all policies, leaves no fiber, request or probe, and later ones work`,
      () =>
        Effect.forEach(
          [0, 1, 2, 5, 10, 20, 50, 100].flatMap((steps) =>
            [0, 500, 1000, 1500, 2500, 3500].map((at) => [at, steps] as const)
          ),
          ([at, steps]) => {
            const { inFlight, layer } = stack()
            return leavingNoFiber(Effect.gen(function*() {
              const fiber = yield* Effect.fork(work)
              yield* TestClock.adjust(at)
              yield* Effect.repeatN(Effect.yieldNow(), steps)
              yield* Fiber.interrupt(fiber)
              assert.strictEqual(yield* inFlight, 0, `requests are left of an interruption at ${at}, ${steps}`)
              valueOf(yield* within("1 minute")(work))
              assert.strictEqual(yield* inFlight, 0)
            })).pipe(Effect.provide(clientOn(layer)))
          },
          { discard: true }
        ),
      60_000
    )
  }
})

describe("14: a hedge", () => {
  const hedged = (answer: LlmTest.Answer, options: Hedge.Options = { maxExtraLoad: 1 }) => {
    const slow = target("slow", answer)
    return { ...slow, layer: slow.layer.pipe(Hedge.after("1 second", options)) }
  }

  it.effect("sends its second request after the delay and not before, and interrupts the loser", () => {
    const slow = hedged((_, n) => n === 1 ? Effect.never : Effect.delay(LlmTest.text("second"), "1 second"))
    return leavingNoFiber(Effect.gen(function*() {
      const fiber = yield* Effect.fork(call)
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(yield* timesOf(slow), [0])
      yield* TestClock.adjust("1001 millis")
      const { text } = yield* Fiber.join(fiber)
      assert.deepStrictEqual([text, yield* timesOf(slow), yield* inFlightOf(slow)], ["second", [0, 1000], 0])
    })).pipe(Effect.provide(clientOn(slow.layer)))
  })

  it.effect("adds no more load than its budget, where everything is slow", () => {
    const slow = hedged(() => Effect.delay(LlmTest.text("slow"), "3 seconds"), { maxExtraLoad: 0.05 })
    return Effect.gen(function*() {
      for (let i = 0; i < 100; i++) yield* within("3 seconds")(call)
      assert.strictEqual(yield* countOf(slow), 105)
    }).pipe(Effect.provide(clientOn(slow.layer)))
  })

  it.effect("does not come after the first part, however slow the rest is", () => {
    const parts = Stream.concat(
      Stream.make(StreamPart.TextDelta({ text: "Elbe" })),
      Stream.fromEffect(Effect.delay(Effect.succeed(StreamPart.Finish({ response: respond("slow") })), "20 seconds"))
    )
    const slow = target("slow", LlmTest.streamExactly(parts))
    return Effect.gen(function*() {
      valueOf(yield* within("20 seconds")(Stream.runDrain(LlmClient.stream(request))))
      assert.strictEqual(yield* countOf(slow), 1)
    }).pipe(Effect.provide(clientOn(slow.layer.pipe(Hedge.after("1 second", { maxExtraLoad: 1 })))))
  })

  it.effect("fails when both requests have failed, and the client counts both", () => {
    const slow = hedged(() => Effect.delay(serverFailed, "5 seconds"))
    return Effect.gen(function*() {
      const error = errorOf(yield* within("6 seconds")(LlmClient.call(request, { retry: false })))
      assert.deepStrictEqual([error.reason._tag, error.attempts], ["ServerFailed", 2])
      assert.strictEqual(yield* inFlightOf(slow), 0)
    }).pipe(Effect.provide(clientOn(slow.layer)))
  })
})

describe("15: a fallback", () => {
  it.effect("asks in order, goes past routes for other failures, and takes those for its own", () => {
    const tooLong = failure(LlmError.ContextLengthExceeded.make({}), { status: 400 })
    const filtered = failure(LlmError.ContentFiltered.make({}), { status: 400 })
    const ask = (first: LlmError.LlmError) =>
      Effect.map(call, ({ text }) => text).pipe(Effect.provide(clientOn(Fallback.order([
        { layer: target("first", first).layer },
        { layer: target("long").layer, canFailOver: Fallback.on("ContextLengthExceeded") },
        { layer: target("liberal").layer, canFailOver: Fallback.on("ContentFiltered") },
        { layer: target("next").layer }
      ]))))
    return Effect.gen(function*() {
      assert.deepStrictEqual([yield* ask(tooLong), yield* ask(filtered), yield* ask(unauthorized)], [
        "long",
        "liberal",
        "next"
      ])
    })
  })

  it.effect("reports all failures, each with its provider and reason, when no target answered", () => {
    const failing = (name: string, reason: LlmError.Reason) =>
      target(name, failure(reason, { provider: name, model: `${name}-model` })).layer
    const layer = Fallback.order([
      { layer: failing("a", LlmError.Overloaded.make({})) },
      { layer: failing("b", LlmError.AuthenticationFailed.make({})), model: "b-model" },
      { layer: failing("c", LlmError.NetworkFailed.make({ code: "ECONNREFUSED" })), model: "c-model" }
    ])
    return Effect.gen(function*() {
      const error = errorOf(yield* Effect.exit(LlmClient.call(request, { retry: false })))
      assert(error.reason._tag === "AllProvidersFailed")
      assert.deepStrictEqual(error.reason.errors.map(({ model, provider, reason }) => [provider, model, reason._tag]), [
        ["a", "a-model", "Overloaded"],
        ["b", "b-model", "AuthenticationFailed"],
        ["c", "c-model", "NetworkFailed"]
      ])
      assert.strictEqual(error.attempts, 3)
    }).pipe(Effect.provide(clientOn(layer)))
  })

  const key = FastCheck.stringMatching(/^sk-[A-Za-z0-9]{24,40}$/)

  it.effect.prop(
    "shows no key in its error, nor on the log: from an address, a header, a body, of any of its targets",
    [FastCheck.tuple(key, key, key)],
    ([[inUrl, inHeader, inBody]]) => {
      const lines: Array<unknown> = []
      const said = (message: string) => failure(LlmError.ServerFailed.make({ message }), { provider: "p", status: 500 })
      const layer = Fallback.order([
        { layer: target("a", said(`GET https://example.com/v1?key=${inUrl} failed`)).layer },
        { layer: target("b", said(`Authorization: Bearer ${inHeader} was refused`)).layer },
        { layer: target("c", said(JSON.stringify({ error: { apiKey: inBody, message: `no ${inBody}` } }))).layer }
      ])
      const live = LlmClient.layer({ retry: { base: 0 } }).pipe(Layer.provide([
        layer,
        LlmCache.layerNone,
        LlmLogger.layerHandler((event) => void lines.push(LlmLogger.format(event)))
      ]))
      return Effect.gen(function*() {
        const exit = yield* Effect.exit(call)
        const error = errorOf(exit)
        assert(error.reason._tag === "AllProvidersFailed" && error.reason.errors.length === 3)
        assert(Exit.isFailure(exit))
        const shown = [
          String(error),
          JSON.stringify(error),
          inspect(error, { depth: 10 }),
          Cause.pretty(exit.cause, { renderErrorCause: true }),
          JSON.stringify(lines)
        ].join("\n")
        assert.isAbove(lines.length, 6)
        for (const secret of [inUrl, inHeader, inBody]) assert.notInclude(shown, secret)
      }).pipe(Effect.provide(live))
    },
    { fastCheck: { numRuns: 10 }, timeout: 60_000 }
  )
})

describe("16: telemetry", () => {
  interface Recorded extends Tracer.Span {
    readonly attributes: Map<string, unknown>
  }

  const recorder = () => {
    const spans: Array<Recorded> = []
    const tracer = Tracer.make({
      context: (f) => f(),
      span: (name, parent, context, links, startTime, kind) => {
        const attributes = new Map<string, unknown>()
        const span: Recorded = {
          _tag: "Span",
          name,
          spanId: `${spans.length}`,
          traceId: "trace",
          parent,
          context,
          status: { _tag: "Started", startTime },
          attributes,
          links,
          sampled: true,
          kind,
          end: () => {},
          attribute: (key, value) => void attributes.set(key, value),
          event: () => {},
          addLinks: () => {}
        }
        spans.push(span)
        return span
      }
    })
    return { clients: () => spans.filter(({ kind }) => kind === "client"), traced: Effect.withTracer(tracer) }
  }

  it.effect("makes one client span of a call, its retries inside, and none of a cache hit", () => {
    const flaky = target("flaky", (_, n) => n < 3 ? serverFailed : "flaky")
    const { clients, traced } = recorder()
    return Effect.gen(function*() {
      valueOf(yield* within("1 minute")(traced(call)))
      assert.strictEqual(yield* countOf(flaky), 3)
      assert.deepStrictEqual(clients().map(({ name }) => name), ["chat gpt-4o-mini"])
      yield* traced(call)
      assert.lengthOf(clients(), 1)
    }).pipe(Effect.provide(clientOn(flaky.layer, {}, LlmCache.layerMemory())))
  })

  it.effect("names its attributes by the conventions, and holds nothing of prompts and answers", () => {
    const { clients, traced } = recorder()
    const layer = Fallback.to(
      target("openai", serverFailed).layer,
      target("other", LlmTest.text("xylophone")).layer
    )
    return Effect.gen(function*() {
      yield* traced(LlmClient.call({ ...request, prompt: "a xylophone?" }, { retry: false }))
      const [span] = clients()
      assert.includeMembers([...span!.attributes.keys()], [
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "gen_ai.response.model",
        "gen_ai.response.finish_reasons",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens"
      ])
      assert.notInclude(JSON.stringify(clients().map(({ attributes, name }) => [name, ...attributes])), "xylophone")
    }).pipe(Effect.provide(clientOn(layer)))
  })
})

describe("a Retry-After", () => {
  it.effect("is obeyed for each key by itself, and all calls are answered", () => {
    const limited = (name: string, seconds: number) =>
      target(name, (_, n) => n === 1 ? rateLimited(seconds * 1000) : name)
    const [a, b, c] = [limited("a", 10), limited("b", 20), limited("c", 30)]
    return Effect.gen(function*() {
      const calls = yield* Effect.fork(Effect.forEach(
        Array.from({ length: 50 }, (_, seed) => LlmClient.call({ ...request, seed })),
        Effect.exit,
        { concurrency: "unbounded" }
      ))
      yield* TestClock.adjust("1 minute")
      assert.isTrue((yield* Fiber.join(calls)).every(Exit.isSuccess))
      for (const [limited, wait] of [[a, 10_000], [b, 20_000], [c, 30_000]] as const) {
        const times = yield* timesOf(limited)
        assert.isTrue(times.every((time) => time === 0 || time >= wait), `${times}`)
      }
    }).pipe(Effect.provide(clientOn(Balance.over([{ layer: a.layer }, { layer: b.layer }, { layer: c.layer }]))))
  })
})
