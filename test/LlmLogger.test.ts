import { assert, describe, it } from "@effect/vitest"
import * as LlmEvent from "effect-llm/LlmEvent"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as TestClock from "effect/TestClock"
import { vi } from "vitest"
import { common, error, latency, request, response, secret, table } from "./support/loggedEvents.js"
import { settle } from "./support/testClock.js"

interface Line {
  readonly level: LogLevel.LogLevel["_tag"]
  readonly message: unknown
  readonly annotations: Record<string, unknown>
}

/** What Effect's logger gets to see. */
const logged = (...events: ReadonlyArray<LlmEvent.LlmEvent>) =>
  Effect.suspend(() => {
    const lines: Array<Line> = []
    const collecting = Logger.make(({ annotations, logLevel, message }) => {
      lines.push({ level: logLevel._tag, message, annotations: Object.fromEntries(HashMap.toEntries(annotations)) })
    })
    return Effect.flatMap(LlmLogger.LlmLogger, ({ log }) => Effect.forEach(events, log)).pipe(
      Effect.provide(Layer.mergeAll(
        LlmLogger.layer,
        Logger.replace(Logger.defaultLogger, collecting),
        Logger.minimumLogLevel(LogLevel.All)
      )),
      Effect.as(lines)
    )
  })

const emit = (event: LlmEvent.LlmEvent) => Effect.flatMap(LlmLogger.LlmLogger, ({ log }) => log(event))

describe("LlmLogger", () => {
  describe("layer logs, at its level, under its name and with its fields,", () => {
    for (const [tag, [event, name, level, fields]] of Object.entries(table)) {
      it.effect(tag, () =>
        Effect.gen(function*() {
          assert.deepStrictEqual(LlmLogger.format(event), { name, level, fields })
          assert.deepStrictEqual(yield* logged(event), [{ level, message: [name], annotations: fields }])
        }))
    }
  })

  it("shows no prompt, no answer and nothing undefined", () => {
    for (const [event] of Object.values(table)) {
      const { fields } = LlmLogger.format(event)
      assert.notInclude(JSON.stringify(fields), secret)
      assert.notInclude(Object.values(fields), undefined)
    }
  })

  it("shows model, latency_s and attempt first, as the Python client did", () => {
    const { fields } = LlmLogger.format(table.CallOk[0])
    assert.deepStrictEqual(Object.keys(fields).slice(0, 4), ["model", "latency_s", "attempt", "provider"])
  })

  it("shows the id of the call, and what a budget has left", () => {
    assert.deepStrictEqual(
      LlmLogger.format(
        LlmEvent.BudgetSpent({ ...common, callId: "a-1", scope: "day", tokens: 32, tokensLeft: 68, costLeft: 0.5 })
      ).fields,
      { ...common, call_id: "a-1", scope: "day", tokens: 32, tokens_left: 68, cost_left: 0.5 }
    )
  })

  it("shows the caller's tags, which replace nothing", () => {
    const { fields } = LlmLogger.format(
      LlmEvent.CallShared({ ...common, latency, tags: { tenant: "t1", model: "forged", latency_s: "0" } })
    )
    assert.deepStrictEqual(fields, { ...common, latency_s: 1.235, attempt: 0, tenant: "t1" })
  })

  it.effect("layerSilent logs nothing", () =>
    Effect.gen(function*() {
      let lines = 0
      const counting = Logger.make(() => {
        lines++
      })
      yield* emit(table.CallGaveUp[0]).pipe(
        Effect.provide([LlmLogger.layerSilent, Logger.replace(Logger.defaultLogger, counting)])
      )
      assert.strictEqual(lines, 0)
    }))

  it.effect("layerHandler hands each event to a plain or an effectful function", () =>
    Effect.gen(function*() {
      const seen: Array<LlmEvent.LlmEvent> = []
      const events = [table.CallStarted[0], table.CallOk[0]]
      yield* Effect.forEach(events, emit).pipe(Effect.provide(LlmLogger.layerHandler((event) => void seen.push(event))))
      yield* Effect.forEach(events, emit).pipe(
        Effect.provide(LlmLogger.layerHandler((event) => Effect.sync(() => void seen.push(event))))
      )
      assert.deepStrictEqual(seen, [...events, ...events])
    }))

  it.effect("merge gives requests only to the logger that asks for them", () =>
    Effect.gen(function*() {
      const collect = (receivesRequests: boolean) => {
        const seen: Array<unknown> = []
        const log: LlmLogger.Service["log"] = (event) =>
          Effect.sync(() => void seen.push("request" in event && event.request?.prompt))
        return { seen, logger: { isImmediate: true, receivesRequests, log } }
      }
      const started = LlmEvent.CallStarted({ ...common, attempt: 1, request: yield* LlmRequest.decode(request) })
      for (const order of [[0, 1], [1, 0]] as const) {
        const [plain, asking] = [collect(false), collect(true)]
        const loggers = [plain.logger, asking.logger] as const
        const merged = LlmLogger.merge(loggers[order[0]], loggers[order[1]])
        assert.isTrue(merged.receivesRequests)
        yield* LlmLogger.merge(merged, collect(false).logger).log(started)
        assert.deepStrictEqual([plain.seen, asking.seen], [[undefined], ["Name three rivers."]])
      }
      assert.isFalse(LlmLogger.merge(collect(false).logger, collect(false).logger).receivesRequests)
    }))

  describe("layerMerge", () => {
    const collector = () => {
      const seen: Array<LlmEvent.LlmEvent["_tag"]> = []
      return { seen, layer: LlmLogger.layerHandler(({ _tag }) => void seen.push(_tag)) }
    }
    const loggerOf = (log: LlmLogger.Service["log"]) => Layer.succeed(LlmLogger.LlmLogger, { log })

    it.effect("gives both loggers all events, in their order", () =>
      Effect.gen(function*() {
        const [one, other, third] = [collector(), collector(), collector()]
        yield* Effect.forEach([table.CallStarted[0], table.CallOk[0]], emit).pipe(Effect.provide(
          one.layer.pipe(LlmLogger.layerMerge(LlmLogger.layerMerge(other.layer, third.layer)))
        ))
        for (const { seen } of [one, other, third]) assert.deepStrictEqual(seen, ["CallStarted", "CallOk"])
      }))

    it.effect("keeps the events of one from no bug, failure or interruption of the other", () =>
      Effect.gen(function*() {
        const broken = [
          loggerOf(() => {
            throw new Error("a bug")
          }),
          loggerOf(() => Effect.die("another")),
          loggerOf(() => Effect.interrupt),
          LlmLogger.layerHandler(() => Effect.die("a third"))
        ]
        for (const layer of broken) {
          const before = collector()
          const after = collector()
          yield* emit(table.CallOk[0]).pipe(Effect.provide(LlmLogger.layerMerge(before.layer, layer)))
          yield* emit(table.CallOk[0]).pipe(Effect.provide(LlmLogger.layerMerge(layer, after.layer)))
          assert.deepStrictEqual([before.seen, after.seen], [["CallOk"], ["CallOk"]])
        }
      }))

    it.effect("waits half a second for one that hangs, even uninterruptibly, while the other has its event at once", () =>
      Effect.gen(function*() {
        for (const hanging of [Effect.never, Effect.uninterruptible(Effect.never)]) {
          const { layer, seen } = collector()
          const fiber = yield* Effect.forEach([table.CallStarted[0], table.CallOk[0]], emit).pipe(
            Effect.provide(LlmLogger.layerMerge(loggerOf(() => hanging), layer)),
            Effect.fork
          )
          yield* settle
          assert.deepStrictEqual(seen, ["CallStarted"])
          yield* TestClock.adjust("500 millis")
          assert.deepStrictEqual(seen, ["CallStarted", "CallOk"])
          yield* TestClock.adjust("500 millis")
          assert.strictEqual((yield* Fiber.await(fiber))._tag, "Success")
        }
      }))

    it.effect("needs no fiber for loggers that never wait", () =>
      Effect.gen(function*() {
        const merged = LlmLogger.merge(
          { isImmediate: true, log: () => Effect.void },
          yield* LlmLogger.LlmLogger.pipe(Effect.provide(LlmLogger.layer))
        )
        assert.isTrue(merged.isImmediate)
        assert.isUndefined(LlmLogger.merge(merged, { log: () => Effect.void }).isImmediate)
      }))
  })

  describe("layerPretty", () => {
    const ended = LlmResponse.update(response, { attempts: 2, latency: Duration.millis(12_345) })
    const events = [
      LlmEvent.CallOk({ ...common, attempt: 2, latency, response: ended }),
      LlmEvent.CacheHit({ ...common, latency: Duration.millis(2), response }),
      LlmEvent.CallShared({
        ...common,
        model: "a-model-with-a-very-long-name-indeed",
        latency: Duration.millis(1500)
      }),
      LlmEvent.CallGaveUp({ ...common, attempts: 2, latency: Duration.millis(1500), error })
    ]

    it("gives a line to each call that has ended, in columns", () => {
      const lines = events.map(LlmLogger.formatPretty)
      assert.deepStrictEqual(lines, [
        "✓  gpt-4o-mini                 12.3 s  2 requests         20 > 12 tokens    $0.0100",
        "✓  gpt-4o-mini                   2 ms  cache              20 > 12 tokens",
        "✓  a-model-with-a-very-lon…    1.50 s  shared",
        `✗  gpt-4o-mini                 1.50 s  2 requests                                    ${error.message}`
      ])
      assert.isTrue(lines.every((line) => !line?.includes(secret)))
    })

    it("has none for what happens on the way", () => {
      assert.deepStrictEqual(
        Object.values(table).flatMap(([event]) => LlmLogger.formatPretty(event) === undefined ? [] : [event._tag]),
        ["CacheHit", "CallOk", "CallGaveUp", "CallShared"]
      )
    })

    it("shows control characters of a model's name as escapes", () => {
      assert.notInclude(
        LlmLogger.formatPretty(LlmEvent.CallShared({ ...common, model: "a\u001b[31mb", latency })),
        "\u001b"
      )
    })

    it.live("prints the lines on the console, without colours where there is no terminal", () =>
      Effect.gen(function*() {
        const lines: Array<unknown> = []
        const spied = vi.spyOn(globalThis.console, "log").mockImplementation((line) => void lines.push(line))
        yield* Effect.forEach(events, emit).pipe(Effect.provide(LlmLogger.layerPretty))
        spied.mockRestore()
        assert.deepStrictEqual(lines, events.map(LlmLogger.formatPretty))
      }))
  })

  it.effect("layerHandler ignores a handler that throws or dies", () =>
    Effect.gen(function*() {
      yield* emit(table.CallOk[0]).pipe(Effect.provide(LlmLogger.layerHandler(() => {
        throw new Error("a bug in the handler")
      })))
      yield* emit(table.CallOk[0]).pipe(Effect.provide(LlmLogger.layerHandler(() => Effect.die("another"))))
    }))
})

describe("LlmEvent", () => {
  it("distinguishes events", () => {
    for (const [tag, [event]] of Object.entries(table)) {
      assert.strictEqual(event._tag, tag)
      const others = Object.values(table).filter(([other]) => LlmEvent.is(event._tag)(other))
      assert.deepStrictEqual(others.map(([other]) => other), [event])
    }
  })
})
