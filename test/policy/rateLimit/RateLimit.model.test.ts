import { assert, describe, it } from "@effect/vitest"
import * as LlmError from "effect-llm/LlmError"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import { failure, rateLimited, serverFailed } from "../../support/errors.js"
import { valueOf } from "../../support/exits.js"
import { answerUsing, limitedBy } from "../../support/limits.js"
import { respond } from "../../support/samples.js"
import { inFlightOf } from "../../support/targets.js"
import { runVirtually } from "../../support/virtualTime.js"

/** One request in 100 milliseconds, one token in each. */
const limits = { requestsPerMinute: 600, tokensPerMinute: 60_000, burst: "1 second", concurrency: 4 } as const

const capacity = { requests: 10, tokens: 1000 }

type End = "used" | "unknown" | "failed" | "unsent"

type Command =
  | { readonly type: "begin"; readonly tokens: number; readonly priority: number }
  | { readonly type: "flicker"; readonly tokens: number; readonly yields: number }
  | { readonly type: "end"; readonly call: number; readonly how: End; readonly percent: number }
  | { readonly type: "leave"; readonly call: number }
  | { readonly type: "throttle"; readonly call: number; readonly retryAfter: number }
  | { readonly type: "wait"; readonly millis: number }

const tokens = FastCheck.integer({ min: 20, max: 1500 })
const call = FastCheck.nat(9)

const begin = FastCheck.record({
  type: FastCheck.constant("begin" as const),
  tokens,
  priority: FastCheck.constantFrom(0, 0, 0, 1, 2)
})
const flicker = FastCheck.record({ type: FastCheck.constant("flicker" as const), tokens, yields: FastCheck.nat(4) })
const end = FastCheck.record({
  type: FastCheck.constant("end" as const),
  call,
  how: FastCheck.constantFrom<End>("used", "used", "unknown", "failed", "unsent"),
  percent: FastCheck.nat(130)
})
const leave = FastCheck.record({ type: FastCheck.constant("leave" as const), call })
const wait = FastCheck.record({ type: FastCheck.constant("wait" as const), millis: FastCheck.nat(900) })
const throttle = FastCheck.record({
  type: FastCheck.constant("throttle" as const),
  call,
  retryAfter: FastCheck.nat(2000)
})

const course = (...commands: ReadonlyArray<readonly [number, FastCheck.Arbitrary<Command>]>) =>
  FastCheck.array(
    FastCheck.oneof(...commands.map(([weight, arbitrary]) => ({ weight, arbitrary }))),
    { minLength: 10, maxLength: 60 }
  )

interface Asked {
  readonly id: string
  readonly tokens: number
  readonly priority: number
}

/** Looks at every single millisecond. Counts in hundredths of requests, and in tokens. */
class Model {
  now = 0
  requests = capacity.requests * 100
  tokens = capacity.tokens
  waiting: Array<Asked> = []
  running: Array<Asked> = []
  /** Who was let through, and when. */
  readonly log: Array<Array<string | number | undefined>> = []

  begin(asked: Asked) {
    const index = this.waiting.findIndex(({ priority }) => priority < asked.priority)
    this.waiting.splice(index < 0 ? this.waiting.length : index, 0, asked)
    this.admit()
  }

  wait(millis: number) {
    for (let i = 0; i < millis; i++) {
      this.now++
      this.requests = Math.min(capacity.requests * 100, this.requests + 1)
      this.tokens = Math.min(capacity.tokens, this.tokens + 1)
      this.admit()
    }
  }

  /** Whoever waits or runs, in the order in which they began. */
  end(id: string, back: { readonly requests: number; readonly tokens: number }) {
    this.running = this.running.filter((other) => other.id !== id)
    this.requests = Math.min(capacity.requests * 100, this.requests + back.requests * 100)
    this.tokens = Math.min(capacity.tokens, this.tokens + back.tokens)
    this.admit()
  }

  leave(id: string) {
    if (this.running.some((other) => other.id === id)) this.end(id, { requests: 0, tokens: 0 })
    this.waiting = this.waiting.filter((other) => other.id !== id)
    this.admit()
  }

  private admit() {
    for (let first = this.waiting[0]; first !== undefined; first = this.waiting[0]) {
      const needed = Math.min(first.tokens, capacity.tokens)
      if (this.running.length >= limits.concurrency || this.requests < 100 || this.tokens < needed) return
      this.requests -= 100
      this.tokens -= first.tokens
      this.waiting.shift()
      this.running.push(first)
      this.log.push([first.id, this.now])
    }
  }
}

interface Call extends Asked {
  readonly fiber: Fiber.RuntimeFiber<unknown, LlmError.LlmError>
  readonly signal: Deferred.Deferred<LlmResponse.LlmResponse, LlmError.LlmError>
}

const calm = Effect.repeatN(Effect.yieldNow(), 30)

/** The limiter, and calls whose end the test decides. */
const arrange = Effect.gen(function*() {
  const { asked, call, load, times, world } = yield* limitedBy({ ...limits, aging: Duration.infinity })
  const calls: Array<Call> = []
  const signals = new Map<string, Call["signal"]>()
  world.answer = ({ prompt }) => {
    const signal = signals.get(prompt.trimEnd())
    assert(signal !== undefined)
    return Deferred.await(signal)
  }
  const start = (asked: Asked) =>
    Effect.gen(function*() {
      const signal = yield* Deferred.make<LlmResponse.LlmResponse, LlmError.LlmError>()
      signals.set(asked.id, signal)
      // The prompt's length is its count of tokens.
      const fiber = yield* Effect.fork(
        call(asked.id.padEnd(asked.tokens - 10), { priority: asked.priority, maxTokens: 10 })
      )
      return { ...asked, fiber, signal }
    })
  const log = Effect.zipWith(asked, times, (asked, times) => asked.map((prompt, i) => [prompt.trimEnd(), times[i]]))
  const hasBegun = (id: string) => Effect.map(asked, (asked) => asked.some((prompt) => prompt.trimEnd() === id))
  const count = Effect.map(asked, ({ length }) => length)
  return { calls, count, hasBegun, inFlight: inFlightOf({ load }), log, start }
})

const answerOf = (how: End, used: number) => {
  switch (how) {
    case "used":
      return Effect.succeed(answerUsing(used, 0))
    case "unknown":
      return Effect.succeed(respond("Elbe", { usage: {} }))
    case "failed":
      return serverFailed
    case "unsent":
      return failure(LlmError.BudgetExceeded.make({}), { attempts: 0 })
  }
}

describe("RateLimit against a simple model", () => {
  it("lets through the same requests at the same times, whichever leave and when: nothing is lost or made", () => {
    const commands = course([6, begin], [2, flicker], [5, end], [2, leave], [5, wait])
    FastCheck.assert(
      FastCheck.property(commands, (commands) => {
        valueOf(runVirtually(Effect.gen(function*() {
          const model = new Model()
          const { calls, hasBegun, log, start } = yield* arrange
          for (const [i, command] of commands.entries()) {
            const id = `${i}`
            if (command.type === "begin") {
              calls.push(yield* start({ id, tokens: command.tokens, priority: command.priority }))
              yield* calm
              model.begin({ id, tokens: command.tokens, priority: command.priority })
            } else if (command.type === "flicker") {
              const asked = { id, tokens: command.tokens, priority: 0 }
              const { fiber } = yield* start(asked)
              yield* Effect.repeatN(Effect.yieldNow(), command.yields)
              yield* Fiber.interrupt(fiber)
              yield* calm
              // Only if it was sent has it used anything.
              if (yield* hasBegun(id)) model.begin(asked)
              model.leave(id)
            } else if (command.type === "wait") {
              yield* Effect.sleep(command.millis)
              yield* calm
              model.wait(command.millis)
            } else if (command.type === "end") {
              const running = yield* Effect.filter(calls, ({ id }) => hasBegun(id))
              const ending = running[command.call % Math.max(1, running.length)]
              if (ending === undefined) continue
              calls.splice(calls.indexOf(ending), 1)
              const used = Math.round(ending.tokens * command.percent / 100)
              yield* Deferred.complete(ending.signal, answerOf(command.how, used))
              yield* Fiber.await(ending.fiber)
              yield* calm
              model.end(ending.id, {
                requests: command.how === "unsent" ? 1 : 0,
                tokens: command.how === "used" ? ending.tokens - used : command.how === "unsent" ? ending.tokens : 0
              })
            } else if (command.type === "leave") {
              const [leaving] = calls.splice(command.call % Math.max(1, calls.length), 1)
              if (leaving === undefined) continue
              yield* Fiber.interrupt(leaving.fiber)
              yield* calm
              model.leave(leaving.id)
            }
            assert.deepStrictEqual(yield* log, model.log)
          }
          yield* Fiber.interruptAll(calls.map(({ fiber }) => fiber))
        })))
      }),
      { numRuns: 60 }
    )
  }, 120_000)

  it("has all that it had after any course of events, 429s included, once all have left and time has passed", () => {
    const commands = course([6, begin], [2, flicker], [4, end], [2, leave], [4, throttle], [5, wait])
    FastCheck.assert(
      FastCheck.property(commands, FastCheck.double({ min: 0, max: 0.99, noNaN: true }), (commands, random) => {
        valueOf(runVirtually(
          Effect.gen(function*() {
            const { calls, count, hasBegun, inFlight, start } = yield* arrange
            for (const [i, command] of commands.entries()) {
              const id = `${i}`
              if (command.type === "begin") {
                calls.push(yield* start({ id, tokens: command.tokens, priority: command.priority }))
                yield* calm
              } else if (command.type === "flicker") {
                const { fiber } = yield* start({ id, tokens: command.tokens, priority: 0 })
                yield* Effect.repeatN(Effect.yieldNow(), command.yields)
                yield* Fiber.interrupt(fiber)
              } else if (command.type === "wait") {
                yield* Effect.sleep(command.millis)
              } else {
                const [ending] = calls.splice(command.call % Math.max(1, calls.length), 1)
                if (ending === undefined) continue
                if (command.type === "leave" || !(yield* hasBegun(ending.id))) {
                  yield* Fiber.interrupt(ending.fiber)
                } else {
                  yield* Deferred.complete(
                    ending.signal,
                    command.type === "throttle"
                      ? rateLimited(command.retryAfter)
                      : answerOf(command.how, Math.round(ending.tokens * command.percent / 100))
                  )
                  yield* Fiber.await(ending.fiber)
                }
              }
              assert.isAtMost(yield* inFlight, limits.concurrency)
            }
            yield* Fiber.interruptAll(calls.map(({ fiber }) => fiber))
            assert.strictEqual(yield* inFlight, 0)
            yield* Effect.sleep("1 minute")
            // As many permits as ever, and as much in the bucket.
            const before = yield* count
            const last = yield* Effect.forEach(
              Array.from({ length: 8 }),
              (_, i) => start({ id: `last ${i}`, tokens: 250, priority: 0 })
            )
            yield* calm
            assert.strictEqual((yield* count) - before, limits.concurrency)
            yield* Effect.forEach(last.slice(0, 4), ({ signal }) => Deferred.complete(signal, answerOf("unknown", 0)))
            yield* calm
            // All tokens are used up by the first four.
            assert.strictEqual((yield* count) - before, 4)
            yield* Effect.sleep(249)
            assert.strictEqual((yield* count) - before, 4)
            yield* Effect.sleep(1)
            yield* calm
            assert.strictEqual((yield* count) - before, 5)
            yield* Fiber.interruptAll(last.map(({ fiber }) => fiber))
          }).pipe(Effect.withRandom(Random.fixed([random])))
        ))
      }),
      { numRuns: 60 }
    )
  }, 120_000)
})
