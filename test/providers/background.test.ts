import { assert, describe, it } from "@effect/vitest"
import type * as LlmClient from "effect-llm/LlmClient"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as OpenAi from "effect-llm/OpenAi"
import * as Simulator from "effect-llm/testing/Simulator"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { client, eventually, failureOf, simulator, transports } from "../support/overHttp.js"

const request: LlmRequest.Input = {
  model: "gpt-4o-mini",
  prompt: "Echo: The Elbe.",
  providerOptions: { openai: { background: true } }
}

const started = Effect.fnUntraced(function*(
  options: Simulator.Options,
  clientOptions: LlmClient.Options = {},
  provider: Partial<OpenAi.Options> = {}
) {
  const { simulator: running } = yield* simulator(options)
  const { client: made } = yield* client({
    provider: OpenAi.layer({ apiKey: Redacted.make("k-0123456789"), baseUrl: `${running.url}/v1`, ...provider }),
    client: clientOptions,
    transport: transports.lean
  })
  const sent = Effect.map(
    running.requests,
    (all) => all.map(({ method, path }) => `${method} ${path.replace(/resp_\w+/, "{id}")}`)
  )
  return { made, running, sent }
})

const post = "POST /v1/responses"
const get = "GET /v1/responses/{id}"
const cancel = "POST /v1/responses/{id}/cancel"

describe("an answer of OpenAI in the background", () => {
  it.scopedLive("is asked for until it is ready, and equals one that is not in the background", () =>
    Effect.gen(function*() {
      const { made, sent } = yield* started({ background: "2 seconds" })
      const answer = yield* made.call(request)
      assert.strictEqual(answer.text, "The Elbe.")
      assert.strictEqual(answer.attempts, 1)
      assert.isAtLeast(Duration.toMillis(answer.queuedFor ?? 0), 1_000)
      // After a second it is not ready.
      const [first, ...others] = yield* sent
      assert.strictEqual(first, post)
      assert.isAtLeast(others.length, 2)
      assert.deepStrictEqual([...new Set(others)], [get])
      const plain = yield* made.call({ ...request, providerOptions: {} })
      assert.deepStrictEqual([plain.parts, plain.usage, plain.id], [answer.parts, answer.usage, answer.id])
      assert.deepStrictEqual(answer.warnings, ["store was sent as true: an answer in the background has to be kept"])
    }))

  it.scopedLive("may take longer than the time of an attempt", () =>
    Effect.gen(function*() {
      const { made, sent } = yield* started({ background: "2 seconds" }, { timeout: "1500 millis", retry: false })
      assert.strictEqual((yield* made.call(request)).text, "The Elbe.")
      assert.deepStrictEqual((yield* sent).slice(0, 2), [post, get])
    }))

  it.scopedLive("is asked for again where a poll fails or hangs", () =>
    Effect.gen(function*() {
      const { made, sent } = yield* started(
        { faults: Simulator.sequence([Simulator.ok, Simulator.status(503), Simulator.silence]) },
        { timeout: "2 seconds", retry: false }
      )
      assert.strictEqual((yield* made.call(request)).text, "The Elbe.")
      assert.deepStrictEqual(yield* sent, [post, get, get, get])
    }))

  it.scopedLive("is not begun again once it has an id, which the failure has", () =>
    Effect.gen(function*() {
      const { made, sent } = yield* started({
        faults: ({ request }) => request === 0 ? Simulator.ok : Simulator.status(500)
      })
      const error = yield* failureOf(made.call(request))
      assert.strictEqual(error.reason._tag, "ServerFailed")
      assert.match(error.responseId ?? "", /^resp_/)
      assert.isFalse(error.isRetryable)
      assert.include(error.message, `answer ${error.responseId}`)
      assert.deepStrictEqual(yield* sent, [post, get, get, get])
    }), 60_000)

  it.scopedLive("goes on where the deadline passes, and the failure has its id", () =>
    Effect.gen(function*() {
      const { made, sent } = yield* started({ background: "1 hour" }, { deadline: "2 seconds" })
      const error = yield* failureOf(made.call(request))
      assert.include(error.reason, { _tag: "TimedOut", phase: "total" })
      assert.match(error.responseId ?? "", /^resp_/)
      assert.notInclude(yield* sent, cancel)
    }))

  it.scopedLive("is stopped where its caller leaves", () =>
    Effect.gen(function*() {
      const { made, running, sent } = yield* started({ background: "1 hour" })
      const fiber = yield* Effect.fork(made.call(request))
      yield* eventually("a poll", Effect.map(sent, (all) => all.includes(get)))
      yield* Fiber.interrupt(fiber)
      assert.strictEqual((yield* sent).at(-1), cancel)
      assert.strictEqual((yield* running.requests).at(-1)?.status, 200)
    }))

  it.scopedLive("that was cancelled elsewhere is a failure", () =>
    Effect.gen(function*() {
      const { made, running } = yield* started({ background: "1 hour" })
      const fiber = yield* Effect.fork(made.call(request))
      yield* eventually("a poll", Effect.map(running.requests, (all) => all.length > 1))
      const path = (yield* running.requests)[1]?.path ?? ""
      yield* Effect.promise(() => fetch(`${running.url}${path}/cancel`, { method: "POST", body: "{}" }))
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit))
    }))

  it.scopedLive("has a store that the program chose: true without a warning", () =>
    Effect.gen(function*() {
      const { made, running } = yield* started({}, {}, { store: true })
      assert.deepStrictEqual((yield* made.call(request)).warnings, [])
      assert.include((yield* running.requests)[0]?.body, { store: true, background: true })
    }))
})
