import { assert, describe, it } from "@effect/vitest"
import * as LlmClient from "effect-llm/LlmClient"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmTool from "effect-llm/LlmTool"
import * as Message from "effect-llm/Message"
import type * as RetryPolicy from "effect-llm/RetryPolicy"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { cacheWith, noCache } from "../support/caches.js"
import { serverFailed } from "../support/errors.js"
import { errorOf } from "../support/exits.js"
import { request } from "../support/samples.js"
import { scriptedClient } from "../support/scriptedClient.js"
import { settle, within } from "../support/testClock.js"

const lie = <A>(value: unknown): A => value as A

const user = (content: unknown) => ({ model: "m", messages: [{ role: "user", content }] })

/** Wrong requests, and the field that the error names. */
const badRequests: ReadonlyArray<readonly [request: unknown, field: string | undefined]> = [
  [null, undefined],
  [undefined, undefined],
  ["Name three rivers.", undefined],
  [[], undefined],
  [{}, "model"],
  [{ prompt: "Hi" }, "model"],
  [{ ...request, model: "" }, "model"],
  [{ ...request, model: "  " }, "model"],
  [{ ...request, model: 4 }, "model"],
  [{ model: "m" }, "messages"],
  [{ model: "m", prompt: "" }, "prompt"],
  [{ model: "m", prompt: " \n" }, "prompt"],
  [{ model: "m", prompt: null }, "prompt"],
  [{ model: "m", prompt: 42 }, "prompt"],
  [{ model: "m", prompt: "Hi", messages: [{ role: "user", content: "Hi" }] }, "prompt"],
  [{ model: "m", messages: [] }, "messages"],
  [{ model: "m", messages: "Hi" }, "messages"],
  [user(""), "messages[0].content"],
  [user([]), "messages[0].content"],
  [{ model: "m", messages: [{ role: "robot", content: "Hi" }] }, "messages[0].role"],
  [{ model: "m", messages: [{ role: "tool", content: [] }] }, "messages[0].content"],
  [{ ...request, system: "" }, "system"],
  [{ ...request, temperature: NaN }, "temperature"],
  [{ ...request, temperature: -0.1 }, "temperature"],
  [{ ...request, temperature: 2.1 }, "temperature"],
  [{ ...request, temperature: "0" }, "temperature"],
  [{ ...request, temperature: null }, "temperature"],
  [{ ...request, maxTokens: -1 }, "maxTokens"],
  [{ ...request, maxTokens: 1.5 }, "maxTokens"],
  [{ ...request, maxTokens: Infinity }, "maxTokens"],
  [{ ...request, topP: 1.1 }, "topP"],
  [{ ...request, topK: -1 }, "topK"],
  [{ ...request, seed: 0.5 }, "seed"],
  [{ ...request, stop: [""] }, "stop[0]"],
  [{ ...request, reasoningEffort: "extreme" }, "reasoningEffort"],
  [{ ...request, tools: [{ name: "not a name", parameters: {} }] }, "tools[0].name"],
  [{ ...request, toolChoice: { tool: "map" } }, "toolChoice"],
  [{ ...request, toolChoice: "required" }, "tools"],
  [{ ...request, providerOptions: { openai: 1 } }, "providerOptions.openai"],
  [{ ...request, temprature: 0 }, "temprature"],
  // What the key cannot be made of.
  [{ ...request, prompt: "lone \ud800 surrogate" }, "messages[0].content[0].text"],
  [{ ...request, providerOptions: { openai: { logprobs: NaN } } }, "providerOptions.openai.logprobs"],
  [{ ...request, providerOptions: { openai: { f: () => 1 } } }, "providerOptions.openai.f"]
]

/** What can be set for a client as well as for a call. */
type SharedOptions = Omit<LlmClient.Options, "cache" | "defaults">

const badOptions: ReadonlyArray<readonly [options: SharedOptions, option: string]> = [
  [{ timeout: 0 }, "timeout"],
  [{ timeout: -1 }, "timeout"],
  [{ timeout: NaN }, "timeout"],
  [{ timeout: "-5 seconds" }, "timeout"],
  [{ timeout: lie("soon") }, "timeout"],
  [{ deadline: 0 }, "deadline"],
  [{ deadline: NaN }, "deadline"],
  [{ firstPartTimeout: 0 }, "firstPartTimeout"],
  [{ idleTimeout: -1 }, "idleTimeout"],
  [{ retry: { times: 1.5 } }, "retry.times"],
  [{ retry: { times: -1 } }, "retry.times"],
  [{ retry: { factor: 0.5 } }, "retry.factor"],
  [{ retry: { base: NaN } }, "retry.base"],
  [{ retry: { cap: -1 } }, "retry.cap"],
  [{ retry: { maxRetryAfter: -1 } }, "retry.maxRetryAfter"],
  [{ retry: { budget: { ratio: NaN } } }, "retry.budget.ratio"],
  [lie({ timout: "1 second" }), "timout"],
  [lie({ retries: 3 }), "retries"],
  [lie({ retry: { attempts: 3 } }), "retry.attempts"],
  [lie({ retry: { budget: { rate: 0.1 } } }), "retry.budget.rate"]
]

const badCallOptions: ReadonlyArray<readonly [options: LlmClient.CallOptions, option: string]> = [
  ...badOptions,
  [{ cache: lie("off") }, "cache"],
  [{ ttl: -1 }, "ttl"],
  [{ ttl: NaN }, "ttl"],
  [lie({ temperature: 0 }), "temperature"],
  [lie({ maxSteps: 3 }), "maxSteps"],
  [lie({ concurrency: 3 }), "concurrency"],
  [lie({ reask: 3 }), "reask"],
  [lie({ defaults: {} }), "defaults"]
]

const badClientOptions: ReadonlyArray<readonly [options: LlmClient.Options, option: string]> = [
  [{ cache: { timeToLive: -1 } }, "cache.timeToLive"],
  [{ cache: { getTimeout: 0 } }, "cache.getTimeout"],
  [{ cache: { getTimeout: NaN } }, "cache.getTimeout"],
  [{ defaults: { temperature: NaN } }, "temperature"],
  [{ defaults: { maxTokens: -1 } }, "maxTokens"],
  [{ defaults: lie({ temprature: 0 }) }, "temprature"],
  [{ cache: lie({ ttl: 5 }) }, "cache.ttl"],
  [lie({ tags: { job: "nightly" } }), "tags"],
  [lie({ ttl: 5 }), "ttl"]
]

describe("LlmClient: options", () => {
  describe("that a call gets wrong", () => {
    const untouched = Effect.gen(function*() {
      let asked = 0
      const cache = yield* cacheWith({
        get: () => Effect.zipRight(Effect.sync(() => asked++), Effect.succeedNone)
      })
      return { asked: () => asked, ...(yield* scriptedClient([LlmTest.repeat("Elbe")], { cache })) }
    })

    it.scoped("in its request fail it before anything is sent, naming the field and quoting nothing", () =>
      Effect.gen(function*() {
        const { asked, client, events, requests } = yield* untouched
        for (const [input, field] of badRequests) {
          const error = yield* Effect.flip(client.call(lie(input)))
          const what = JSON.stringify(input)
          assert(error.reason._tag === "InvalidRequest", what)
          assert.strictEqual(error.reason.field, field, what)
          assert.include(error.message, field ?? "the request", what)
          assert.notInclude(error.message, "three rivers", what)
          assert.deepStrictEqual([error.attempts, error.operation, error.isRetryable], [0, "call", false])
        }
        assert.deepStrictEqual([(yield* requests).length, asked(), (yield* events).length], [0, 0, 0])
      }))

    it.scoped("in its options fail it before anything is sent, naming the option", () =>
      Effect.gen(function*() {
        const { asked, client, requests } = yield* untouched
        for (const [options, option] of badCallOptions) {
          const error = yield* Effect.flip(client.call(request, options))
          assert(error.reason._tag === "InvalidRequest", option)
          assert.strictEqual(error.reason.field, option)
          assert.include(error.message, `${option} must be`)
        }
        assert.deepStrictEqual([(yield* requests).length, asked()], [0, 0])
      }))

    it.scoped("leave calls of others that are under way alone", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient([LlmTest.repeat(Effect.delay(LlmTest.text("Elbe"), 100))])
        const exit = yield* within(100)(Effect.all([
          Effect.exit(client.call(request, { timeout: -1 })),
          client.call(request)
        ], { concurrency: 2 }))
        assert(exit._tag === "Success")
        assert.strictEqual(errorOf(exit.value[0]).reason._tag, "InvalidRequest")
        assert.strictEqual(exit.value[1].text, "Elbe")
      }))
  })

  it.scoped("that a client gets wrong are a defect where its layer is built, naming the option", () =>
    Effect.gen(function*() {
      for (const [options, option] of [...badOptions, ...badClientOptions]) {
        const exit = yield* Effect.exit(scriptedClient([], { client: options }))
        assert(exit._tag === "Failure" && Cause.isDie(exit.cause), option)
        const message = Cause.pretty(exit.cause)
        assert.include(message, option)
        assert.include(message, "must be")
      }
    }))

  describe("that there are not", () => {
    const nearest: ReadonlyArray<readonly [options: unknown, message: string]> = [
      [{ timout: 5 }, "timout must be a known option, such as timeout, but is unknown"],
      [{ timeOut: 5 }, "such as timeout"],
      [{ dead_line: 5 }, "such as deadline"],
      [{ idletimeout: 5 }, "such as idleTimeout"],
      [{ stream: true }, "such as streaming"],
      [{ retrys: false }, "such as retry"],
      [{ retry: { time: 5 } }, "retry.time must be a known option, such as retry.times, but"],
      [{ retry: { max_retry_after: 5 } }, "such as retry.maxRetryAfter"],
      [{ retry: { budget: { minimun: 5 } } }, "such as retry.budget.minimum"]
    ]

    it.scoped("are named with the nearest that there is, quoting no value", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([])
        for (const [options, message] of nearest) {
          assert.include((yield* Effect.flip(client.call(request, lie(options)))).message, message)
        }
        const { message } = yield* Effect.flip(client.call(request, lie({ ["k".repeat(10_000)]: "s3cret" })))
        assert.isBelow(message.length, 300)
        assert.notInclude(message, "s3cret")
        assert.lengthOf(yield* requests, 0)
      }))

    it.scoped("fail whatever asks: streams, objects, tools, many calls, and regions", () =>
      Effect.gen(function*() {
        const { client, provide, requests } = yield* scriptedClient([])
        let ran = 0
        const tool = LlmTool.make("length", { handler: () => Effect.sync(() => ++ran) })
        const conversation = {
          model: "m",
          messages: [
            { role: "user", content: "How long?" },
            { role: "assistant", content: [Message.ToolCall.make({ id: "1", name: "length", arguments: {} })] }
          ]
        } as const
        const options = lie<LlmClient.StreamObjectOptions>({ timout: 5 })
        const errors = yield* Effect.all([
          Effect.flip(Stream.runDrain(client.stream(request, options))),
          Effect.flip(client.object(Schema.String, request, options)),
          Effect.flip(Stream.runDrain(client.streamObject(Schema.String, request, options))),
          Effect.flip(client.runTools(conversation, [tool], options)),
          Stream.runHead(client.callAll([request], { concurrency: 1, ...options })).pipe(
            Effect.map((result) => errorOf(Option.getOrThrow(result).result))
          ),
          Effect.flip(LlmClient.withOptions(client.call(request), options)),
          Effect.flip(provide(LlmClient.withOptions(LlmClient.runTools(request, [tool]), options)))
        ])
        assert.deepStrictEqual(
          errors.map(({ operation, reason }) => [operation, reason._tag === "InvalidRequest" && reason.field]),
          ["stream", "object", "streamObject", "runTools", "call", "call", "runTools"].map((
            operation
          ) => [operation, "timout"])
        )
        assert.deepStrictEqual([(yield* requests).length, ran], [0, 0])
      }))

    it.scoped("are none of those that there are: each is taken by whatever it is for", () =>
      Effect.gen(function*() {
        const every: Required<LlmClient.CallOptions> = {
          timeout: 1000,
          deadline: 2000,
          retry: {
            times: 1,
            base: 1,
            factor: 2,
            cap: 1,
            jitter: false,
            maxRetryAfter: 1,
            budget: { ratio: 1, minimum: 1 }
          } satisfies Required<RetryPolicy.Options>,
          cache: "refresh",
          ttl: 1000,
          namespace: "n",
          tags: { a: "b" },
          firstPartTimeout: 1000,
          idleTimeout: 1000,
          streaming: false
        }
        const { client } = yield* scriptedClient([LlmTest.repeat("\"Elbe\"")], {
          client: {
            timeout: 1000,
            deadline: 2000,
            retry: every.retry,
            defaults: { temperature: 1 },
            namespace: "n",
            cache: { timeToLive: 1000, getTimeout: 10 },
            firstPartTimeout: 1000,
            idleTimeout: 1000,
            streaming: false,
            traceContent: { maxLength: 100, redact: (text: string) => text } satisfies Required<
              NonNullable<LlmClient.Options["traceContent"]>
            >
          } satisfies Required<LlmClient.Options>
        })
        const output = { name: "river", description: "A river.", mode: "json" } as const
        const tool = LlmTool.make("length", { handler: () => Effect.void })
        const { length } = yield* Effect.all([
          client.call(request, every),
          Stream.runDrain(client.stream(request, every)),
          client.object(Schema.String, request, { ...every, ...output, reask: 2 }),
          Stream.runDrain(client.streamObject(Schema.String, request, { ...every, ...output })),
          client.runTools(request, [tool], { ...every, maxSteps: 2, concurrency: 2, reask: 2, runDeadline: 1000 }),
          Stream.runForEach(
            client.callAll([request], { ...every, concurrency: 2, onProgress: () => Effect.void }),
            ({ result }) => result
          ),
          // What is undefined changes nothing, whatever its name.
          client.call(request, lie({ timout: undefined }))
        ].map((effect) => LlmClient.withOptions(effect, every)))
        assert.strictEqual(length, 7)
      }))
  })

  it.scoped("of a client may be left out, or undefined, or the largest there are", () =>
    Effect.gen(function*() {
      const all: ReadonlyArray<LlmClient.Options> = [
        {},
        { timeout: undefined, deadline: undefined, retry: undefined, defaults: undefined, cache: undefined },
        { retry: { times: undefined, base: undefined, budget: undefined }, cache: { timeToLive: undefined } },
        { timeout: Infinity, deadline: Infinity, cache: { timeToLive: Infinity, getTimeout: Infinity } },
        { retry: { times: 0, base: 0, cap: 0, maxRetryAfter: Infinity, budget: { ratio: 0, minimum: 0 } } },
        { cache: { timeToLive: 0 } }
      ]
      for (const options of all) {
        const { client } = yield* scriptedClient(["Elbe"], { client: options })
        assert.strictEqual((yield* client.call(request)).text, "Elbe")
      }
    }))

  describe("withOptions", () => {
    /** How often a call asks, which shows its retry options. */
    const attemptsOf = (
      through: (
        call: Effect.Effect<unknown, unknown, LlmClient.LlmClient>
      ) => Effect.Effect<unknown, unknown, LlmClient.LlmClient>,
      options?: LlmClient.CallOptions
    ) =>
      Effect.gen(function*() {
        const { provide, requests } = yield* scriptedClient([LlmTest.repeat(serverFailed)], {
          cache: noCache,
          client: { retry: { base: 0, times: 2 } }
        })
        yield* Effect.exit(provide(through(LlmClient.call(request, options))))
        return (yield* requests).length
      })
    const times = (times: number) => LlmClient.withOptions({ retry: { times } })

    it.scoped("sets options for a region: as a step of a pipe, or with the effect as first argument", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* attemptsOf((call) => call), 3)
        assert.strictEqual(yield* attemptsOf(times(5)), 6)
        assert.strictEqual(yield* attemptsOf((call) => LlmClient.withOptions(call, { retry: { times: 5 } })), 6)
        assert.strictEqual(yield* attemptsOf(LlmClient.withOptions({})), 3)
      }))

    it.scoped("gives way to an inner region, and to the call itself", () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* attemptsOf((call) => call.pipe(times(4), times(6))), 5)
        assert.strictEqual(yield* attemptsOf(times(5), { retry: false }), 1)
        assert.strictEqual(yield* attemptsOf(times(5), { retry: undefined }), 6)
        assert.strictEqual(
          yield* attemptsOf((call) => call.pipe(times(4), LlmClient.withOptions({ timeout: 1, retry: undefined }))),
          5
        )
      }))

    it.scoped("ends with the region", () =>
      Effect.gen(function*() {
        assert.strictEqual(
          yield* attemptsOf((call) => Effect.zipRight(Effect.void.pipe(times(5)), call)),
          3
        )
      }))

    it.scoped("adds up tags, the innermost of a name counting", () =>
      Effect.gen(function*() {
        const { events, provide } = yield* scriptedClient([LlmTest.repeat("Elbe")])
        yield* provide(
          LlmClient.call(request, { tags: { c: "call", d: "call" } }).pipe(
            LlmClient.withOptions({ tags: { b: "inner", c: "inner" } }),
            LlmClient.withOptions({ tags: { a: "outer", b: "outer", c: "outer" } })
          )
        )
        assert.strictEqual((yield* events).length, 3)
        for (const { tags } of (yield* events)) {
          assert.deepStrictEqual(tags, { a: "outer", b: "inner", c: "call", d: "call" })
        }
      }))

    it.scoped("reaches calls in other fibers, in streams and through the service itself", () =>
      Effect.gen(function*() {
        const { client, events, provide } = yield* scriptedClient([LlmTest.repeat("Elbe")])
        yield* provide(
          Effect.gen(function*() {
            yield* Fiber.join(yield* Effect.fork(LlmClient.call({ ...request, seed: 1 })))
            yield* Fiber.join(yield* Effect.forkDaemon(LlmClient.call({ ...request, seed: 2 })))
            yield* Stream.runDrain(LlmClient.callAll([{ ...request, seed: 3 }], { concurrency: 1 }))
            yield* Stream.runDrain(LlmClient.callAll([{ ...request, seed: 4 }], { concurrency: 2 }))
            yield* client.call({ ...request, seed: 5 })
          }).pipe(LlmClient.withOptions({ tags: { job: "nightly" } }))
        )
        yield* settle
        assert.strictEqual((yield* events).length, 15)
        assert.isTrue((yield* events).every(({ tags }) => tags?.job === "nightly"))
      }))

    it.scoped("that make no sense fail the calls in the region, naming the option", () =>
      Effect.gen(function*() {
        const { provide, requests } = yield* scriptedClient([LlmTest.repeat("Elbe")])
        const error = yield* Effect.flip(provide(LlmClient.call(request).pipe(LlmClient.withOptions({ timeout: NaN }))))
        assert(error.reason._tag === "InvalidRequest")
        assert.strictEqual(error.reason.field, "timeout")
        assert.strictEqual((yield* requests).length, 0)
      }))

    it.scoped("counts for every option: cache, namespace, time to live, limits", () =>
      Effect.gen(function*() {
        const ttls: Array<unknown> = []
        const cache = yield* cacheWith({ set: (_key, _response, ttl) => Effect.sync(() => void ttls.push(ttl)) })
        const { provide, requests } = yield* scriptedClient([
          LlmTest.repeat((_, n) => n > 3 ? Effect.never : LlmTest.text("Elbe"))
        ], { cache })
        yield* provide(LlmClient.call(request).pipe(LlmClient.withOptions({ cache: "bypass" })))
        assert.strictEqual(ttls.length, 0)
        yield* provide(LlmClient.call(request).pipe(LlmClient.withOptions({ ttl: "1 hour" })))
        assert.strictEqual(ttls.length, 1)
        assert.isDefined(ttls[0])
        yield* provide(LlmClient.call(request).pipe(LlmClient.withOptions({ namespace: "tenant" })))
        assert.strictEqual((yield* requests).length, 3)
        const slow: LlmRequest.Input = { ...request, seed: 1 }
        const limited = provide(LlmClient.call(slow).pipe(LlmClient.withOptions({ timeout: 100, retry: false })))
        assert.include(errorOf(yield* within(100)(limited)).message, "TimedOut (attempt 100ms)")
        const late = provide(LlmClient.call(slow).pipe(LlmClient.withOptions({ deadline: 200 })))
        assert.include(errorOf(yield* within(200)(late)).message, "TimedOut (total 200ms)")
      }))
  })
})
