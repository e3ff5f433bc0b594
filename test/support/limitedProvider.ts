import * as LlmError from "effect-llm/LlmError"
import type * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { failure } from "./errors.js"
import { respond } from "./samples.js"

/** How a provider counts: it says when it would take so much in, and takes it in. */
export interface Counter {
  limit: number
  /** How long until so much is there, in milliseconds. */
  readonly wait: (amount: number, now: number) => number
  readonly take: (amount: number, now: number) => void
  /** Gives back what was not needed. */
  readonly refund: (amount: number, now: number) => void
  readonly remaining: (now: number) => number
}

const minute = 60_000

/** A bucket that refills evenly: OpenAI, Anthropic. */
export const bucket = (limit: number): Counter => {
  let level = limit
  let at = 0
  const counter: Counter = {
    limit,
    wait: (amount, now) => Math.max(0, amount - look(now)) / counter.limit * minute,
    take: (amount, now) => {
      level = look(now) - amount
    },
    refund: (amount, now) => {
      level = Math.min(counter.limit, look(now) + amount)
    },
    remaining: (now) => Math.max(0, Math.floor(look(now)))
  }
  const look = (now: number): number => {
    level = Math.min(counter.limit, level + (now - at) / minute * counter.limit)
    at = now
    // Sums of fractions.
    return level + 1e-6
  }
  return counter
}

/** What was taken in since the clock's last full minute: Gemini, and many gateways. */
export const fixedWindow = (limit: number): Counter => {
  let used = 0
  let window = 0
  const look = (now: number) => {
    if (Math.floor(now / minute) > window) {
      window = Math.floor(now / minute)
      used = 0
    }
    return used
  }
  const counter: Counter = {
    limit,
    wait: (amount, now) => look(now) + amount > counter.limit ? minute - now % minute : 0,
    take: (amount, now) => {
      used = look(now) + amount
    },
    refund: (amount, now) => {
      used = Math.max(0, look(now) - amount)
    },
    remaining: (now) => Math.max(0, Math.floor(counter.limit - look(now)))
  }
  return counter
}

/** What was taken in within the last 60 seconds. */
export const slidingWindow = (limit: number): Counter => {
  let taken: Array<{ readonly at: number; readonly amount: number }> = []
  const look = (now: number) => {
    taken = taken.filter(({ at }) => at > now - minute)
    return taken.reduce((sum, { amount }) => sum + amount, 0)
  }
  const counter: Counter = {
    limit,
    wait: (amount, now) => {
      let over = look(now) + amount - counter.limit
      if (over <= 0) return 0
      for (const { amount, at } of taken) {
        over -= amount
        if (over <= 0) return at + minute - now
      }
      return minute
    },
    take: (amount, now) => void taken.push({ at: now, amount }),
    refund: (amount, now) => void taken.push({ at: now, amount: -amount }),
    remaining: (now) => Math.max(0, Math.floor(counter.limit - look(now)))
  }
  return counter
}

export interface Options {
  readonly requests: Counter
  readonly tokens: Counter
  /** Whether answers state the limits. */
  readonly headers?: boolean
  /** Whether what an answer did not need of its `maxTokens` is given back. Default: true. */
  readonly refunds?: boolean
  /** How many tokens it takes to answer a request, of its `maxTokens`. Default: half of them. */
  readonly output?: (request: LlmRequest.LlmRequest) => number
  readonly input?: number
  /** How long a request is on its way, and how long an answer takes: milliseconds, by the count of requests. */
  readonly network?: (n: number) => number
  readonly thinks?: (n: number) => number
}

export interface Limited {
  readonly layer: Layer.Layer<LlmProvider.LlmProvider>
  /** What came in, in order: when, what was asked, and whether it was taken in. */
  readonly log: Array<{ readonly at: number; readonly prompt: string; readonly ok: boolean; readonly tokens: number }>
}

/** A provider that counts, and answers 429 to what is too much. */
export const limitedProvider = (options: Options): Limited => {
  const { headers = true, input = 100, refunds = true, requests, tokens } = options
  const log: Limited["log"] = []
  const answer = (request: LlmRequest.LlmRequest, count: number) =>
    Effect.gen(function*() {
      const n = count - 1
      const way = options.network?.(n) ?? 20
      yield* Effect.sleep(way)
      const now = yield* Clock.currentTimeMillis
      const { maxTokens = 100 } = request
      const cost = input + maxTokens
      const wait = Math.max(requests.wait(1, now), tokens.wait(cost, now))
      log.push({ at: now, prompt: request.prompt, ok: wait === 0, tokens: cost })
      if (wait > 0) {
        yield* Effect.sleep(way)
        return yield* failure(
          // Whole seconds, as most say it.
          LlmError.RateLimited.make({ retryAfter: Duration.seconds(Math.ceil(wait / 1000)) }),
          { status: 429 }
        )
      }
      requests.take(1, now)
      tokens.take(cost, now)
      const told: LlmResponse.RateLimit = {
        requests: { limit: requests.limit, remaining: requests.remaining(now) },
        tokens: { limit: tokens.limit, remaining: tokens.remaining(now) }
      }
      yield* Effect.sleep(options.thinks?.(n) ?? 1000)
      const outputTokens = options.output?.(request) ?? Math.floor(maxTokens / 2)
      if (refunds) tokens.refund(maxTokens - outputTokens, yield* Clock.currentTimeMillis)
      yield* Effect.sleep(way)
      return respond("Elbe", {
        provider: "limited",
        usage: { inputTokens: input, outputTokens },
        ...(headers && { rateLimit: told })
      })
    })
  const { layer } = LlmTest.unsafeMake([LlmTest.repeat(answer)], { name: "limited" })
  return { layer, log }
}
