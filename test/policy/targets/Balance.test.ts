import type * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Balance from "effect-llm/Balance"
import * as CircuitBreaker from "effect-llm/CircuitBreaker"
import * as Hedge from "effect-llm/Hedge"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as OpenAi from "effect-llm/OpenAi"
import * as StreamPart from "effect-llm/StreamPart"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Arr from "effect/Array"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { failure, rateLimited, serverFailed } from "../../support/errors.js"
import { errorOf, valueOf } from "../../support/exits.js"
import { leavingNoFiber } from "../../support/fibers.js"
import { request, respond } from "../../support/samples.js"
import { counted, countOf, inFlightOf, target, timesOf } from "../../support/targets.js"
import { settle, within } from "../../support/testClock.js"

const streaming = (name: string, parts: Stream.Stream<StreamPart.StreamPart, LlmError.LlmError>) =>
  target(name, LlmTest.streamExactly(parts))

const seeded = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => Effect.withRandom(self, Random.make("seed")))

const decode = (fields: Partial<LlmRequest.Settings> & { readonly prompt?: string } = {}) =>
  Effect.orDie(LlmRequest.decode({ ...request, ...fields }))

const counts = (targets: ReadonlyArray<LlmTest.Scripted>) => Effect.forEach(targets, countOf)

const clientOn = (provider: Layer.Layer<LlmProvider.LlmProvider>, options?: LlmClient.Options) =>
  LlmClient.layer(options).pipe(
    Layer.provide([provider, LlmCache.layerNone]),
    Layer.provideMerge(LlmTest.layerLogger)
  )

describe("Balance", () => {
  describe("by weight", () => {
    it.effect("gives each target its share", () =>
      Effect.gen(function*() {
        const targets = [target("a"), target("b"), target("c")] as const
        const [a, b, c] = targets
        const balanced = yield* Balance.make(
          [{ provider: a.provider, weight: 6 }, { provider: b.provider, weight: 3 }, { provider: c.provider }],
          { by: "weight" }
        )
        for (let i = 0; i < 1000; i++) yield* balanced.call(yield* decode())
        const [ofA = 0, ofB = 0, ofC = 0] = yield* counts(targets)
        assert.strictEqual(ofA + ofB + ofC, 1000)
        assert.closeTo(ofA, 600, 50)
        assert.closeTo(ofB, 300, 50)
        assert.closeTo(ofC, 100, 50)
      }).pipe(seeded))

    it.effect("chooses the same with the same seed", () =>
      Effect.gen(function*() {
        const choices = Effect.gen(function*() {
          const targets = Arr.make(target("a"), target("b"))
          const balanced = yield* Balance.make(Arr.map(targets, ({ provider }) => ({ provider })), { by: "weight" })
          return yield* Effect.replicateEffect(
            Effect.flatMap(decode(), (request) => Effect.map(balanced.call(request), ({ text }) => text)),
            50
          )
        })
        const [first, second] = [yield* seeded(choices), yield* seeded(choices)]
        assert.deepStrictEqual(first, second)
        assert.lengthOf(new Set(first), 2)
      }))
  })

  describe("by load", () => {
    it.effect("asks the target with the least load for its weight", () =>
      Effect.gen(function*() {
        const targets = [target("big", Effect.never), target("small", Effect.never)] as const
        const [big, small] = targets
        const balanced = yield* Balance.make([{ provider: big.provider, weight: 3 }, { provider: small.provider }])
        const fiber = yield* Effect.fork(
          Effect.forEach(Arr.range(1, 40), () => Effect.flatMap(decode(), balanced.call), {
            concurrency: "unbounded"
          })
        )
        yield* settle
        assert.deepStrictEqual([yield* inFlightOf(big), yield* inFlightOf(small)], [30, 10])
        assert.deepStrictEqual(yield* balanced.loads, [
          { id: "memory:big", inFlight: 30 },
          { id: "memory:small", inFlight: 10 }
        ])
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual((yield* balanced.loads).map(({ inFlight }) => inFlight), [0, 0])
      }).pipe(seeded))

    it.effect("sends the less to a target the slower it is", () =>
      Effect.gen(function*() {
        const targets = [
          target("slow", Effect.delay(LlmTest.text("s"), "10 seconds")),
          target("fast", Effect.delay(LlmTest.text("f"), 1000))
        ] as const
        const [slow, fast] = targets
        const balanced = yield* Balance.make(Arr.map(targets, ({ provider }) => ({ provider })))
        // Ten that ask one after the other.
        const fiber = yield* Effect.fork(Effect.replicateEffect(
          Effect.forever(Effect.flatMap(decode(), balanced.call)),
          10,
          { concurrency: "unbounded" }
        ))
        yield* TestClock.adjust("59 seconds")
        yield* Fiber.interrupt(fiber)
        assert.isAbove(yield* countOf(fast), 4 * (yield* countOf(slow)))
        assert.isAtMost((yield* slow.load).mostInFlight, 6)
      }).pipe(seeded))

    it.effect("spreads what comes one by one, too", () =>
      Effect.gen(function*() {
        const targets = Arr.make(target("a"), target("b"))
        const balanced = yield* Balance.make(Arr.map(targets, ({ provider }) => ({ provider })))
        for (let i = 0; i < 200; i++) yield* balanced.call(yield* decode())
        assert.isTrue((yield* counts(targets)).every((count) => count > 70))
      }).pipe(seeded))

    it.effect("counts a stream until it ends, fails, or is closed", () =>
      leavingNoFiber(Effect.gen(function*() {
        const delta = StreamPart.TextDelta({ text: "a" })
        const finish = StreamPart.Finish({ response: respond("a") })
        const busyWhile = (rest: Stream.Stream<StreamPart.StreamPart, LlmError.LlmError>, take: number) =>
          Effect.gen(function*() {
            const { provider } = streaming("a", Stream.concat(Stream.make(delta), rest))
            const balanced = yield* Balance.make([{ provider }])
            const inFlight = Effect.map(balanced.loads, ([{ inFlight }]) => inFlight)
            const during: Array<number> = []
            const decoded = yield* decode()
            yield* Effect.exit(Stream.runForEach(
              Stream.take(balanced.stream(decoded), take),
              () => Effect.map(inFlight, (n) => during.push(n))
            ))
            assert.isTrue(during.every((n) => n === 1) && during.length > 0)
            assert.strictEqual(yield* inFlight, 0)
          })
        yield* busyWhile(Stream.make(finish), 10)
        yield* busyWhile(Stream.fail(serverFailed), 10)
        yield* busyWhile(Stream.never, 1)
      })))

    it.effect.prop(
      "loses count of no request, in any order of answers, failures and interruptions",
      [
        FastCheck.array(FastCheck.tuple(FastCheck.constantFrom("call", "end", "fail", "leave"), FastCheck.nat(9)), {
          minLength: 20,
          maxLength: 100
        })
      ],
      ([steps]) =>
        Effect.gen(function*() {
          type Signal = Deferred.Deferred<LlmResponse.LlmResponse, LlmError.LlmError>
          const signals = new Map<string | undefined, Signal>()
          const targets = Arr.map(Arr.make("a", "b", "c"), (name) =>
            target(name, ({ user }) => Deferred.await(signals.get(user)!)))
          const balanced = yield* Balance.make(Arr.map(targets, ({ provider }) => ({ provider })))
          const calls: Array<readonly [Fiber.RuntimeFiber<unknown, unknown>, Signal]> = []
          for (const [step, n] of steps) {
            if (step === "call") {
              const signal = yield* Deferred.make<LlmResponse.LlmResponse, LlmError.LlmError>()
              const decoded = yield* decode({ user: String(signals.size) })
              signals.set(decoded.user, signal)
              calls.push([yield* Effect.fork(balanced.call(decoded)), signal])
              yield* settle
            } else {
              const [call] = calls.splice(n, 1)
              if (call === undefined) {
                continue
              }
              const [fiber, signal] = call
              // What fails goes on to the others, which have the same answer.
              if (step === "leave") {
                yield* Fiber.interrupt(fiber)
              } else yield* Deferred.complete(signal, step === "end" ? Effect.succeed(respond("a")) : serverFailed)
              yield* Fiber.await(fiber)
            }
            const running = yield* Effect.forEach(targets, inFlightOf)
            assert.deepStrictEqual(
              (yield* balanced.loads).map(({ inFlight }) =>
                inFlight
              ),
              running
            )
            assert.strictEqual(running.reduce((a, b) => a + b), calls.length)
          }
          yield* Effect.forEach(calls, ([fiber]) => Fiber.interrupt(fiber))
          assert.isTrue((yield* balanced.loads).every(({ inFlight }) => inFlight === 0))
        }).pipe(seeded),
      { fastCheck: { numRuns: 30 }, timeout: 60_000 }
    )
  })

  describe("sticky", () => {
    const names = Arr.make("a", "b", "c", "d")

    /** Which target each key goes to. */
    const homes = (
      targets: Arr.NonEmptyReadonlyArray<Balance.BuiltTarget>,
      keys: ReadonlyArray<string>
    ) =>
      Effect.gen(function*() {
        const balanced = yield* Balance.make(targets, { stickyBy: ({ user }) => user })
        return yield* Effect.forEach(keys, (user) =>
          Effect.map(Effect.flatMap(decode({ user }), balanced.call), ({ provider }) => provider))
      })

    const all = Arr.map(names, (name) => ({ provider: target(name).provider }))
    const keys = Arr.makeBy(400, (i) => `session-${i}`)

    it.effect("sends equal keys to the same target, in any process, whatever the order of the targets", () =>
      Effect.gen(function*() {
        const first = yield* homes(all, keys)
        assert.deepStrictEqual(yield* homes(Arr.reverse(all), keys), first)
        for (const name of names) assert.closeTo(first.filter((home) => home === name).length, 100, 30)
        // As any other process has it.
        assert.deepStrictEqual(first.slice(0, 8), ["c", "c", "d", "c", "a", "c", "d", "b"])
      }))

    it.effect("moves only the keys of a target that leaves, and spreads them", () =>
      Effect.gen(function*() {
        const before = yield* homes(all, keys)
        const after = yield* homes(
          Arr.map(Arr.make("a", "b", "d"), (name) => ({ provider: target(name).provider })),
          keys
        )
        const moved = after.filter((home, i) => home !== before[i])
        assert.strictEqual(moved.length, before.filter((home) => home === "c").length)
        assert.lengthOf(new Set(moved), 3)
      }))

    it.effect("gives each target a share of the keys by its weight", () =>
      Effect.gen(function*() {
        const [a, b] = [target("a"), target("b")]
        const found = yield* homes([{ provider: a.provider, weight: 3 }, { provider: b.provider }], keys)
        assert.closeTo(found.filter((home) => home === "a").length, 300, 40)
      }))

    it.effect("goes by an id, where an address may change or several targets have the same", () =>
      Effect.gen(function*() {
        const twins = Arr.map(Arr.make("a", "b", "c"), (id) => ({
          id,
          provider: { ...target(id).provider, endpoint: "memory:same" }
        }))
        const moved = Arr.map(twins, (twin) => ({ ...twin, provider: { ...twin.provider, endpoint: "memory:new" } }))
        const found = yield* homes(twins, keys)
        assert.lengthOf(new Set(found), 3)
        assert.deepStrictEqual(yield* homes(moved, keys), found)
      }))

    it.effect("goes on with another target while its own fails, always the same, and comes back", () =>
      Effect.gen(function*() {
        let down: string | undefined
        const balanced = yield* Balance.make(
          Arr.map(names, (name) => ({
            provider: target(name, () => name === down ? serverFailed : name).provider
          })),
          { stickyBy: ({ user }) => user }
        )
        const home = Effect.map(Effect.flatMap(decode({ user: "u" }), balanced.call), ({ provider }) => provider)
        const own = yield* home
        down = own
        const away = yield* Effect.replicateEffect(home, 10)
        assert.lengthOf(new Set(away), 1)
        assert.notInclude(away, own)
        down = undefined
        assert.strictEqual(yield* home, own)
      }))

    it.effect("leaves requests without a key to the load", () =>
      Effect.gen(function*() {
        const targets = Arr.make(target("a"), target("b"))
        const balanced = yield* Balance.make(Arr.map(targets, ({ provider }) => ({ provider })), {
          stickyBy: () => undefined
        })
        for (let i = 0; i < 50; i++) yield* balanced.call(yield* decode())
        assert.isTrue((yield* counts(targets)).every((count) => count > 0))
      }).pipe(seeded))

    it.effect("by what a prompt begins with keeps a conversation together, and no others", () =>
      Effect.gen(function*() {
        const conversation = (...turns: ReadonlyArray<string>) =>
          Effect.map(
            LlmRequest.decode({
              model: "gpt-4o-mini",
              system: "You are terse.",
              messages: turns.map((content, i) => ({ role: i % 2 === 0 ? "user" : "assistant", content }))
            }),
            Balance.promptPrefix
          )
        const first = yield* conversation("Name a river.")
        assert.strictEqual(yield* conversation("Name a river.", "The Elbe.", "Another."), first)
        assert.notStrictEqual(yield* conversation("Name a lake."), first)
        assert.notStrictEqual(Balance.promptPrefix(yield* decode({ prompt: "Name a river." })), first)
      }))
  })

  describe("where a target fails", () => {
    it.effect("asks the next one, reports it, and counts the requests", () => {
      const bad = target("bad", serverFailed)
      const good = target("good")
      return Effect.gen(function*() {
        const { attempts, provider } = yield* LlmClient.call(request)
        assert.deepStrictEqual({ attempts, provider }, { attempts: 2, provider: "good" })
        const [event] = yield* LlmTest.eventsOf("FellBack")
        assert.deepInclude(event, { provider: "bad", model: "deployment", to: "reserve/gpt-4o-mini" })
      }).pipe(Effect.provide(clientOn(Balance.over(
        [{ layer: bad.layer, model: "deployment", weight: 1e9 }, { layer: good.layer, id: "reserve" }],
        { by: "weight" }
      ))))
    })

    it.effect("fails with each failure when all have failed", () =>
      Effect.gen(function*() {
        const balanced = yield* Balance.make([
          { provider: target("a", serverFailed).provider },
          { provider: target("b", failure(LlmError.AuthenticationFailed.make({}))).provider }
        ])
        const error = yield* Effect.flip(balanced.call(yield* decode()))
        assert(error.reason._tag === "AllProvidersFailed")
        assert.sameMembers(error.reason.errors.map(({ reason }) => reason._tag), [
          "ServerFailed",
          "AuthenticationFailed"
        ])
        assert.deepStrictEqual([error.attempts, error.provider, error.isRetryable], [2, "a", true])
      }))

    it.effect("asks no other target about an error of the request itself, unless canFailOver says so", () =>
      Effect.gen(function*() {
        const invalid = failure(LlmError.InvalidRequest.make({}), { status: 400 })
        const targets = Arr.make(target("a", invalid), target("b", invalid))
        const built = Arr.map(targets, ({ provider }) => ({ provider }))
        const error = yield* Effect.flip((yield* Balance.make(built)).call(yield* decode()))
        assert.strictEqual(error, invalid)
        assert.strictEqual((yield* counts(targets)).reduce((a, b) => a + b), 1)
        const stubborn = yield* Balance.make(built, { canFailOver: () => true })
        yield* Effect.flip(stubborn.call(yield* decode()))
        assert.strictEqual((yield* counts(targets)).reduce((a, b) => a + b), 3)
      }))

    it.effect("lets a defect be one", () =>
      Effect.gen(function*() {
        const balanced = yield* Balance.make([{ provider: target("a", Effect.dieMessage("a bug")).provider }])
        const exit = yield* Effect.exit(balanced.call(yield* decode()))
        assert(Exit.isFailure(exit) && exit.cause._tag === "Die")
      }))

    it.effect("leaves a target alone that asks to wait, without a word", () => {
      const limited = target(
        "limited",
        (_, n) => n === 1 ? rateLimited("20 seconds") : "l"
      )
      const other = target("other")
      return Effect.gen(function*() {
        yield* Effect.replicateEffect(LlmClient.call(request), 20)
        assert.deepStrictEqual(yield* counts([limited, other]), [1, 20])
        assert.lengthOf(yield* LlmTest.eventsOf("FellBack"), 1)
        yield* TestClock.adjust("20 seconds")
        yield* Effect.replicateEffect(LlmClient.call(request), 20)
        assert.isAbove(yield* countOf(limited), 5)
      }).pipe(Effect.provide(clientOn(Balance.over([{ layer: limited.layer }, { layer: other.layer }]))), seeded)
    })

    it.effect("waits for the first that is ready again where all ask to wait", () => {
      const limited = (name: string, wait: Duration.DurationInput) =>
        target(name, (_, n) => n === 1 ? rateLimited(wait) : name)
      const [a, b] = [limited("a", "30 seconds"), limited("b", "10 seconds")]
      return Effect.gen(function*() {
        const exit = yield* within("10 seconds")(LlmClient.call(request))
        assert.deepStrictEqual([valueOf(exit).text, valueOf(exit).attempts], ["b", 3])
        assert.deepStrictEqual([yield* timesOf(a), yield* timesOf(b)], [[0], [0, 10_000]])
      }).pipe(Effect.provide(clientOn(Balance.over([{ layer: a.layer }, { layer: b.layer }]))))
    })

    it.effect("passes over an open circuit, sends nothing there, and comes back when it is closed", () => {
      let down = true
      const sick = target("sick", () => down ? serverFailed : "sick")
      const healthy = target("healthy")
      return Effect.gen(function*() {
        const responses = yield* Effect.replicateEffect(LlmClient.call(request), 30)
        assert.isTrue(responses.every(({ text }) => text === "healthy"))
        assert.strictEqual(yield* countOf(sick), 1)
        // A refusal is reported at most once a second.
        assert.isAtMost((yield* LlmTest.eventsOf("FellBack")).length, 2)
        down = false
        yield* TestClock.adjust("10 seconds")
        const later = yield* Effect.replicateEffect(LlmClient.call(request), 30)
        assert.isAbove(later.filter(({ text }) => text === "sick").length, 5)
      }).pipe(
        Effect.provide(clientOn(Balance.over([
          { layer: sick.layer.pipe(CircuitBreaker.protect({ consecutive: 1, openFor: "10 seconds" })) },
          { layer: healthy.layer }
        ]))),
        seeded
      )
    })
  })

  describe("where a target hangs", () => {
    it.effect("has the whole time of the attempt, and the next attempt goes elsewhere, sticky or not", () => {
      const run = (options: Balance.Options) => {
        const [a, b] = [target("a", Effect.never), target("b", Effect.never)]
        const c = target("c", Effect.delay(LlmTest.text("c"), "29 seconds"))
        return leavingNoFiber(Effect.gen(function*() {
          const exit = yield* within("2 minutes")(
            LlmClient.call(request, { deadline: "1 hour", retry: { times: 2, base: 0 } })
          )
          assert.strictEqual(valueOf(exit).text, "c")
          assert.isTrue((yield* counts([a, b, c])).every((count) => count <= 1))
        })).pipe(
          Effect.provide(clientOn(Balance.over([{ layer: a.layer }, { layer: b.layer }, { layer: c.layer }], options)))
        )
      }
      return Effect.zipRight(run({}), run({ stickyBy: () => "always the same" })).pipe(seeded)
    })

    it.effect("sends the second request of a hedge elsewhere, also one with other settings", () => {
      const run = (options: Balance.Options, settings: Hedge.Options["settings"] = {}) => {
        let running = 0
        const slow = () =>
          target(
            "a",
            () =>
              Effect.acquireUseRelease(Effect.sync(() => ++running), (n) =>
                n === 1 ? Effect.never : LlmTest.text("second"), () =>
                Effect.sync(() => running--))
          )
        const targets = [slow(), slow()] as const
        const [a, b] = targets
        return leavingNoFiber(Effect.gen(function*() {
          const exit = yield* within("1 second")(LlmClient.call(request))
          assert.strictEqual(valueOf(exit).text, "second")
          assert.deepStrictEqual(yield* counts(targets), [1, 1])
          assert.strictEqual(running, 0)
        })).pipe(Effect.provide(clientOn(
          Balance.over([{ layer: a.layer }, { layer: b.layer }], options).pipe(
            Hedge.after("1 second", { maxExtraLoad: 1, settings })
          )
        )))
      }
      const sticky = { stickyBy: () => "always the same" }
      return Effect.all([run({}), run(sticky), run(sticky, { maxTokens: 7 })])
    })
  })

  describe("with settings of its targets", () => {
    it.effect("asks each with its own, on top of the request's", () =>
      Effect.gen(function*() {
        const targets = [target("flex"), target("plain")] as const
        const [flex, plain] = targets
        const balanced = yield* Balance.make([
          { provider: flex.provider, settings: { serviceTier: "flex", maxTokens: 7 } },
          { provider: plain.provider }
        ])
        const asked = yield* decode({ topP: 0.5, maxTokens: 10 })
        while ((yield* counts(targets)).includes(0)) yield* balanced.call(asked)
        const [[first] = [], [second] = []] = yield* Effect.forEach(targets, ({ requests }) => requests)
        assert.deepStrictEqual({ ...first }, { ...asked, serviceTier: "flex", maxTokens: 7 })
        assert.strictEqual(second, asked)
      }).pipe(seeded))

    it.effect("dies of settings that make no sense", () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(
          Balance.make([{ provider: target("a").provider, settings: { temperature: 7 } }])
        )
        assert.include(String(exit), "settings")
      }))
  })

  describe("for streams", () => {
    const delta = (text: string) => StreamPart.TextDelta({ text })

    it.effect("changes the target before the first part, and never after it", () =>
      Effect.gen(function*() {
        const run = (parts: Stream.Stream<StreamPart.StreamPart, LlmError.LlmError>) =>
          Effect.gen(function*() {
            const [bad, good] = [streaming("bad", parts), streaming("good", Stream.make(delta("good")))]
            const balanced = yield* Balance.make(
              [{ provider: bad.provider, weight: 1e9 }, { provider: good.provider }],
              { by: "weight" }
            )
            const seen: Array<string> = []
            const decoded = yield* decode()
            const exit = yield* Effect.exit(Stream.runForEach(balanced.stream(decoded), (part) =>
              Effect.sync(() => seen.push(part._tag === "TextDelta" ? part.text : part._tag))))
            assert.strictEqual((yield* inFlightOf(bad)) + (yield* inFlightOf(good)), 0)
            return [seen, Exit.isSuccess(exit)]
          })
        assert.deepStrictEqual(yield* run(Stream.fail(serverFailed)), [["good"], true])
        assert.deepStrictEqual(yield* run(Stream.concat(Stream.make(delta("bad")), Stream.fail(serverFailed))), [
          ["bad"],
          false
        ])
      }))
  })

  describe("as a layer", () => {
    it.scoped("builds each target once, and keeps the name and the endpoint of the first", () =>
      Effect.gen(function*() {
        const [a, b] = [counted(target("a")), counted(target("b"))]
        const context = yield* Layer.build(Balance.over([{ layer: a.layer }, { layer: b.layer }]))
        const provider = yield* Effect.provide(LlmProvider.LlmProvider, context)
        for (let i = 0; i < 20; i++) yield* provider.call(yield* decode())
        assert.deepStrictEqual([a.built.times, b.built.times], [1, 1])
        assert.deepStrictEqual([provider.name, provider.endpoint], ["a", "memory:a"])
      }))

    it.scoped("dies of options that make no sense, and names them", () =>
      Effect.gen(function*() {
        const { layer } = LlmTest.layerEcho.pipe((layer) => ({ layer }))
        const bad: ReadonlyArray<readonly [string, Layer.Layer<LlmProvider.LlmProvider>]> = [
          ["targets[1].weight", Balance.over([{ layer }, { layer, weight: 0 }])],
          ["targets[0].weight", Balance.over([{ layer, weight: NaN }])],
          ["targets[0].weight", Balance.over([{ layer, weight: -1 }])],
          ["targets[1].id", Balance.over([{ layer, id: "a" }, { layer, id: "a" }])],
          // @ts-expect-error There is no such way.
          ["by", Balance.over([{ layer }], { by: "luck" })]
        ]
        for (const [option, layer] of bad) {
          const exit = yield* Effect.exit(Layer.build(layer))
          assert(Exit.isFailure(exit) && exit.cause._tag === "Die")
          assert.propertyVal(exit.cause.defect, "option", option)
        }
      }))

    it("composes: errors and needs of all targets add up, of any number of them", () => {
      const account = (key: string) => ({ layer: OpenAi.layerConfig({ apiKey: Config.redacted(key) }) })
      const Some: Layer.Layer<LlmProvider.LlmProvider, ConfigError.ConfigError, HttpClient.HttpClient> = Balance.over(
        [account("KEY"), { layer: LlmTest.layerEcho, weight: 2 }]
      )
      const Any: Layer.Layer<LlmProvider.LlmProvider, ConfigError.ConfigError, HttpClient.HttpClient> = Balance.over(
        Arr.map(Arr.make("KEY_A", "KEY_B", "KEY_C"), account)
      )
      assert.isTrue(Layer.isLayer(Some) && Layer.isLayer(Any))
      // @effect-diagnostics missingLayerContext:off
      // @ts-expect-error The needs of a target are not lost.
      const _lost: Layer.Layer<LlmProvider.LlmProvider, ConfigError.ConfigError> = Some
    })

    it.effect("ends the request to the current target when the caller leaves", () => {
      const targets = [target("a", Effect.never), target("b", Effect.never)] as const
      const [a, b] = targets
      return leavingNoFiber(Effect.gen(function*() {
        const fiber = yield* Effect.fork(LlmClient.call(request))
        yield* settle
        assert.strictEqual((yield* inFlightOf(a)) + (yield* inFlightOf(b)), 1)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual((yield* inFlightOf(a)) + (yield* inFlightOf(b)), 0)
        const error = errorOf(yield* within("2 seconds")(LlmClient.call(request, { deadline: "2 seconds" })))
        assert(error.reason._tag === "TimedOut" && error.reason.phase === "total")
        assert.strictEqual((yield* inFlightOf(a)) + (yield* inFlightOf(b)), 0)
      })).pipe(Effect.provide(clientOn(Balance.over([{ layer: a.layer }, { layer: b.layer }]))))
    })
  })
})
