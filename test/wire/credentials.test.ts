import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import type * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import type { ServerResponse } from "node:http"
import * as Credentials from "../../src/wire/credentials.js"
import { leavingNoFiber } from "../support/fibers.js"
import { client, failureOf, serve, type Transport, transports } from "../support/overHttp.js"
import { settle } from "../support/testClock.js"

const request = { model: "gpt-4o-mini", prompt: "Name a river." }

// ---------------------------------------------------------------------------------------------------------------------
// A service whose keys expire
// ---------------------------------------------------------------------------------------------------------------------

const json = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
}

const answer = {
  id: "chat_1",
  model: request.model,
  choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "The Elbe." } }],
  usage: { prompt_tokens: 8, completion_tokens: 4 }
}

const streamed = (response: ServerResponse): void => {
  const chunk = { ...answer, choices: [{ index: 0, delta: { content: "The Elbe." }, finish_reason: "stop" }] }
  response.writeHead(200, { "content-type": "text/event-stream" }).end(
    `data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`
  )
}

/** Takes one key at a time, and quotes a key that it refuses. */
const expiring = (valid: () => string) =>
  serve((response, { body, headers }) => {
    const key = headers.authorization?.replace("Bearer ", "") ?? ""
    if (key !== valid()) return json(response, 401, { error: { message: `Incorrect API key provided: ${key}` } })
    return JSON.parse(body).stream === true ? streamed(response) : json(response, 200, answer)
  })

/** Gives the keys of a list, one a time, the last one for ever. */
const keysOf = (...keys: ReadonlyArray<string>) => {
  const fetched = { times: 0 }
  const key = Effect.gen(function*() {
    // As over a network: others ask meanwhile.
    yield* Effect.yieldNow()
    const next = keys[fetched.times++] ?? keys[keys.length - 1] ?? ""
    return Redacted.make(next)
  })
  return { fetched, key }
}

const clientOf = (
  url: string,
  apiKey: Effect.Effect<Redacted.Redacted, LlmError.LlmError>,
  options: { readonly client?: LlmClient.Options; readonly transport?: Transport } = {}
) =>
  client({
    provider: OpenAiChat.layer({ apiKey, baseUrl: `${url}/v1` }),
    client: options.client ?? { retry: false },
    transport: transports[options.transport ?? "fetch"]
  })

const unhurried: LlmClient.Options = { retry: false, timeout: "10 minutes", deadline: "10 minutes" }

const first = "key-first-0123456789"
const second = "key-second-0123456789"

describe("a key that is fetched", () => {
  for (const transport of ["fetch", "lean"] as const) {
    it.scopedLive(
      `is fetched once more when it expires in the middle of 1,000 concurrent calls, and none fails (${transport})`,
      () =>
        Effect.gen(function*() {
          let served = 0
          const { url } = yield* expiring(() => ++served > 300 ? second : first)
          const { fetched, key } = keysOf(first, second)
          // A busy machine may need its time for a thousand connections.
          const { client, events } = yield* clientOf(url, key, { transport, client: unhurried })
          const answers = yield* Effect.forEach(
            Array.from({ length: 1_000 }, (_, n) => ({ ...request, prompt: `River ${n}?` })),
            (request) => client.call(request),
            { concurrency: "unbounded" }
          )
          assert.isTrue(answers.every(({ text }) => text === "The Elbe."))
          assert.strictEqual(fetched.times, 2)
          const corrected = answers.filter(({ attempts }) => attempts === 2)
          assert.isAtLeast(corrected.length, 1)
          assert.isTrue(corrected.every(({ warnings }) => warnings.some((warning) => /the key/.test(warning))))
          const corrections = (yield* events).filter(({ _tag }) => _tag === "RequestCorrected")
          assert.lengthOf(corrections, corrected.length)
        }),
      240_000
    )
  }

  it.scopedLive("is fetched anew for a stream before its first part", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* expiring(() => second)
      const { fetched, key } = keysOf(first, second)
      const { client } = yield* clientOf(url, key)
      const parts = yield* Stream.runCollect(client.stream(request))
      assert.deepStrictEqual([...parts].map(({ _tag }) => _tag), ["TextDelta", "Finish"])
      assert.deepStrictEqual([fetched.times, requests.length], [2, 2])
    }))

  it.scopedLive("is no retry: a call without retries has it, and the second refusal is the failure", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* expiring(() => "key-of-nobody-0123")
      const { fetched, key } = keysOf(first, second, "key-third-0123456789")
      const { client } = yield* clientOf(url, key)
      const error = yield* failureOf(client.call(request))
      assert.deepStrictEqual([error.reason._tag, error.attempts, error.status], ["AuthenticationFailed", 2, 401])
      assert.deepStrictEqual([fetched.times, requests.length], [2, 2])
    }))

  it.scopedLive("is not sent again if there is no other", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* expiring(() => second)
      const { fetched, key } = keysOf(first)
      const { client } = yield* clientOf(url, key)
      const error = yield* failureOf(client.call(request))
      assert.deepStrictEqual([error.reason._tag, error.attempts], ["AuthenticationFailed", 1])
      assert.deepStrictEqual([fetched.times, requests.length], [2, 1])
    }))

  it.scopedLive("is in no error, neither the key that was refused nor the one before", () =>
    Effect.gen(function*() {
      const { url } = yield* expiring(() => "key-of-nobody-0123")
      const { key } = keysOf(first, second)
      const { client, events } = yield* clientOf(url, key)
      yield* failureOf(client.call(request))
      const error = yield* failureOf(client.call(request))
      const shown = JSON.stringify([error, error.message, yield* events])
      assert.notInclude(shown, first)
      assert.notInclude(shown, second)
      assert.include(error.message, "Incorrect API key provided")
    }))

  it.scopedLive("is the call's failure if it cannot be fetched, and no request is sent", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* expiring(() => first)
      const reason = LlmError.PermissionDenied.make({ message: "no role for the vault" })
      const failing = new LlmError.LlmError({ operation: "call", attempts: 0, reason })
      const { client } = yield* clientOf(url, failing)
      assert.deepStrictEqual((yield* failureOf(client.call(request))).reason, reason)
      assert.lengthOf(requests, 0)
    }))

  it.scopedLive("must be a text that a header can hold", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* expiring(() => first)
      const { client } = yield* clientOf(url, Effect.succeed(Redacted.make("key\nwith a line break")))
      const error = yield* failureOf(client.call(request))
      assert.strictEqual(error.reason._tag, "AuthenticationFailed")
      assert.notInclude(error.message, "with a line break")
      assert.lengthOf(requests, 0)
    }))

  it.effect("that is wrong is a mistake in the options, which names the flaw and not the key", () =>
    Effect.gen(function*() {
      for (
        const [key, flaw] of [
          ["", "empty"],
          ["sk-secret\n", "text with white space around it"],
          [" sk-secret", "text with white space around it"],
          ["sk-secret\nsk-other", "text with other characters"],
          ["sk-secret\u2026", "text with other characters"]
        ] as const
      ) {
        const exit = yield* Effect.exit(Effect.scoped(Layer.build(
          Layer.provide(OpenAiChat.layer({ apiKey: Redacted.make(key) }), FetchHttpClient.layer)
        )))
        assert(Exit.isFailure(exit))
        const message = Cause.pretty(exit.cause)
        assert.include(
          message,
          `apiKey must be text that a header can hold, not empty, without spaces around it, but is ${flaw}`
        )
        assert.notInclude(message, "sk-")
      }
    }))

  it.effect("goes over plain http to loopback only, like any key", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.scoped(client({
        provider: Anthropic.layer({ apiKey: keysOf(first).key, baseUrl: "http://example.com" })
      })))
      assert(Exit.isFailure(exit))
      assert.include(String(Cause.squash(exit.cause)), "baseUrl must be https where a key is sent")
    }))
})

describe("Credentials.fetched", () => {
  const credentials = (key: Effect.Effect<Redacted.Redacted, LlmError.LlmError>) =>
    Credentials.fetched({
      key,
      timeToLive: Duration.minutes(5),
      headersOf: (key) => Effect.succeed({ authorization: key }),
      secrets: ["another"]
    })

  const headerOf = ({ current }: Credentials.Credentials) =>
    Effect.map(current, ({ headers }) => headers["authorization"])

  it.effect("keeps a key for its time to live", () =>
    Effect.gen(function*() {
      const { fetched, key } = keysOf("one", "two")
      const kept = credentials(key)
      assert.strictEqual(yield* headerOf(kept), "one")
      yield* TestClock.adjust("299999 millis")
      assert.strictEqual(yield* headerOf(kept), "one")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* headerOf(kept), "two")
      assert.strictEqual(fetched.times, 2)
      assert.deepStrictEqual(kept.secrets(), ["one", "two", "another"])
    }))

  it.effect("fetches once for all who ask at the same time, and goes on when the first of them leaves", () =>
    leavingNoFiber(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let times = 0
      const kept = credentials(Effect.zipRight(
        Effect.sync(() => times++),
        Effect.as(Deferred.await(gate), Redacted.make("one"))
      ))
      const [leaving, ...staying] = yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.fork(headerOf(kept)))
      yield* settle
      yield* Fiber.interrupt(leaving!)
      yield* Deferred.succeed(gate, undefined)
      const exits = yield* Effect.forEach(staying, Fiber.await)
      assert.deepStrictEqual(exits, staying.map(() => Exit.succeed("one")))
      assert.strictEqual(times, 1)
    })))

  it.effect("stops fetching when everybody has left", () =>
    leavingNoFiber(Effect.gen(function*() {
      let stopped = false
      const kept = credentials(Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (stopped = true))))
      const fiber = yield* Effect.fork(headerOf(kept))
      yield* settle
      yield* Fiber.interrupt(fiber)
      assert.isTrue(stopped)
    })))

  it.effect("keeps no failure", () =>
    Effect.gen(function*() {
      const failing = new LlmError.LlmError({
        operation: "call",
        attempts: 0,
        reason: LlmError.NetworkFailed.make({ message: "no way to the vault" })
      })
      let times = 0
      const kept = credentials(Effect.suspend(() => ++times === 1 ? failing : Effect.succeed(Redacted.make("one"))))
      assert.isTrue(Either.isLeft(yield* Effect.either(headerOf(kept))))
      assert.strictEqual(yield* headerOf(kept), "one")
    }))

  it.effect("fetches another key once for all requests that were refused with the same one", () =>
    Effect.gen(function*() {
      const { fetched, key } = keysOf("one", "two")
      const kept = credentials(key)
      const used = yield* Effect.forEach(Array.from({ length: 100 }), () => kept.current, { concurrency: "unbounded" })
      const renewed = yield* Effect.forEach(used, ({ renew }) => renew!, { concurrency: "unbounded" })
      assert.isTrue(renewed.every(Boolean))
      // One that comes late finds the new key.
      assert.isTrue(yield* used[0]!.renew!)
      assert.deepStrictEqual([fetched.times, yield* headerOf(kept)], [2, "two"])
    }))
})
