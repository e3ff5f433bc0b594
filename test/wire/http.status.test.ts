import { assert, describe, it } from "@effect/vitest"
import type * as LlmError from "effect-llm/LlmError"
import type * as LlmEvent from "effect-llm/LlmEvent"
import * as Simulator from "effect-llm/testing/Simulator"
import * as Effect from "effect/Effect"
import { client, failureOf, providerNames, providers, quickly, serve, simulated } from "../support/overHttp.js"

/** The reasons with which attempts failed, in order. */
const failures = (events: ReadonlyArray<LlmEvent.LlmEvent>) =>
  events.flatMap((event) => event._tag === "CallFailed" ? [event.error.reason._tag] : [])

const count = (events: ReadonlyArray<LlmEvent.LlmEvent>, tag: LlmEvent.LlmEvent["_tag"]) =>
  events.filter((event) => event._tag === tag).length

describe.each(providerNames)("statuses over HTTP, %s", (provider) => {
  describe("that pass", () => {
    const transient: ReadonlyArray<readonly [status: number, reason: LlmError.ReasonTag]> = [
      [408, "ServerFailed"],
      [409, "ServerFailed"],
      [425, "ServerFailed"],
      [429, "RateLimited"],
      [500, "ServerFailed"],
      [501, "ServerFailed"],
      [502, "ServerFailed"],
      [503, "Overloaded"],
      [504, "ServerFailed"],
      [520, "ServerFailed"],
      [529, "Overloaded"],
      [599, "ServerFailed"]
    ]

    it.live.each(transient)(
      "%i twice, then 200: three requests and the answer",
      ([status, reason]) =>
        Effect.gen(function*() {
          const fault = Simulator.status(status)
          const { call, events, requestCount } = yield* simulated({
            provider,
            faults: Simulator.sequence([fault, fault]),
            client: quickly
          })
          const response = yield* call("Echo: here I am")
          assert.strictEqual(response.text, "here I am")
          assert.strictEqual(response.attempts, 3)
          assert.strictEqual(yield* requestCount, 3)
          assert.deepStrictEqual(failures(yield* events), [reason, reason])
          assert.strictEqual(count(yield* events, "CallGaveUp"), 0)
        }).pipe(Effect.scoped)
    )

    it.live("need no body to be known", () =>
      Effect.gen(function*() {
        const { call, events, requestCount } = yield* simulated({
          provider,
          faults: Simulator.perPrompt(transient.map(([status]) => Simulator.emptyBody(status))),
          client: quickly
        })
        for (const [status] of transient) assert.strictEqual((yield* call(`Echo: ${status}`)).attempts, 2)
        assert.strictEqual(yield* requestCount, 2 * transient.length)
        assert.deepStrictEqual(failures(yield* events), transient.map(([, reason]) => reason))
      }).pipe(Effect.scoped))

    it.live("but do not are given up after the last retry, and are not kept", () =>
      Effect.gen(function*() {
        const { call, events, requestCount, simulator } = yield* simulated({
          provider,
          faults: Simulator.always(Simulator.status(503)),
          client: quickly
        })
        const error = yield* failureOf(call("Echo: hello"))
        assert.strictEqual(error.reason._tag, "Overloaded")
        assert.strictEqual(error.attempts, 3)
        assert.strictEqual(error.status, 503)
        assert.strictEqual(yield* requestCount, 3)
        assert.strictEqual(count(yield* events, "CallGaveUp"), 1)

        yield* simulator.setFaults(Simulator.none)
        const response = yield* call("Echo: hello")
        assert.deepStrictEqual([response.text, response.origin, response.attempts], ["hello", "provider", 1])
      }).pipe(Effect.scoped))

    it.live("in turn, of every kind, are survived by a call that may retry so often", () =>
      Effect.gen(function*() {
        const faults = [
          Simulator.status(500),
          Simulator.html(502),
          Simulator.reset,
          Simulator.emptyBody(503),
          Simulator.halfJson,
          Simulator.cut,
          Simulator.status(429)
        ]
        const { call, events, requestCount } = yield* simulated({
          provider,
          faults: Simulator.sequence(faults),
          client: { retry: { times: faults.length, base: "1 millis" } }
        })
        const response = yield* call("Echo: at last")
        assert.deepStrictEqual([response.text, response.attempts], ["at last", 8])
        assert.strictEqual(yield* requestCount, 8)
        assert.deepStrictEqual(failures(yield* events), [
          "ServerFailed",
          "ServerFailed",
          "NetworkFailed",
          "Overloaded",
          "MalformedResponse",
          "NetworkFailed",
          "RateLimited"
        ])
      }).pipe(Effect.scoped))
  })

  describe("that do not pass", () => {
    const permanent: ReadonlyArray<readonly [what: string, fault: Simulator.Fault, reason: LlmError.ReasonTag]> = [
      ["400", Simulator.status(400), "InvalidRequest"],
      ["401", Simulator.status(401), "AuthenticationFailed"],
      ["402", Simulator.status(402), "QuotaExhausted"],
      ["403", Simulator.status(403), "PermissionDenied"],
      ["404", Simulator.status(404), "ModelNotFound"],
      ["413", Simulator.status(413), "InvalidRequest"],
      ["422", Simulator.status(422), "InvalidRequest"],
      ["418 without a body", Simulator.emptyBody(418), "InvalidRequest"],
      ["used up credit", Simulator.quota("credit"), "QuotaExhausted"],
      ["the provider's spend limit", Simulator.quota("spendLimit"), "QuotaExhausted"],
      ["the owner's usage limit", Simulator.quota("usageLimit"), "QuotaExhausted"]
    ]

    it.live.each(permanent)("%s: one request, and the reason", ([, fault, reason]) =>
      Effect.gen(function*() {
        const { call, events, requestCount, simulator } = yield* simulated({
          provider,
          faults: Simulator.always(fault),
          client: quickly
        })
        const error = yield* failureOf(call("Echo: hello"))
        assert.strictEqual(error.reason._tag, reason, error.message)
        assert.isFalse(error.isRetryable)
        assert.deepStrictEqual(
          [error.attempts, error.operation, error.provider, error.model],
          [1, "call", provider, providers[provider].model]
        )
        assert.match(error.requestId ?? "", /^req_/)
        assert.strictEqual(yield* requestCount, 1)
        assert.strictEqual(error.status, (yield* simulator.requests)[0]?.status)
        assert.deepStrictEqual(failures(yield* events), [reason])
        assert.strictEqual(count(yield* events, "CallGaveUp"), 1)

        yield* simulator.setFaults(Simulator.none)
        assert.strictEqual((yield* call("Echo: hello")).origin, "provider")
      }).pipe(Effect.scoped))

    it.live("since the key is wrong: one request, and no part of the key in the error", () =>
      Effect.gen(function*() {
        const { call, requestCount, simulator } = yield* simulated({ provider, client: quickly, apiKey: "another" })
        const error = yield* failureOf(call("Echo: hello"))
        assert.strictEqual(error.reason._tag, "AuthenticationFailed")
        assert.strictEqual(yield* requestCount, 1)
        assert.notMatch(error.message, /k-0123|cdef/)
        assert.deepStrictEqual((yield* simulator.requests).map((request) => request.outcome), ["rejected"])
      }).pipe(Effect.scoped))

    it.live("since nothing is at that address: one request", () =>
      Effect.gen(function*() {
        const nowhere = yield* serve((response) => response.writeHead(404).end())
        const { client: nobody } = yield* client({ provider: providers[provider].at(nowhere.url), client: quickly })
        const error = yield* failureOf(nobody.call({ model: providers[provider].model, prompt: "hello" }))
        assert.strictEqual(error.reason._tag, "InvalidRequest")
        assert.include(error.message, "base URL")
        assert.strictEqual(nowhere.requests.length, 1)
      }).pipe(Effect.scoped))
  })

  describe("and x-should-retry", () => {
    const said = (status: number, value: string, body?: unknown) =>
      Simulator.status(status, { headers: { "x-should-retry": value }, ...(body !== undefined && { body }) })

    const cases: ReadonlyArray<readonly [what: string, fault: Simulator.Fault, requests: number]> = [
      ["true makes a 400 one to retry", said(400, "true"), 3],
      ["false makes a 500 one not to retry", said(500, "false"), 1],
      ["false makes a 429 one not to retry", said(429, "false"), 1],
      ["TRUE says nothing", said(400, "TRUE"), 1],
      ["False says nothing", said(500, "False"), 3],
      ["true does not make a wrong key a good one", said(401, "true"), 1],
      ["true does not permit anything", said(403, "true"), 1],
      [
        "true does not fill an account",
        said(429, "true", { error: { message: "no credit", type: "insufficient_quota", code: "insufficient_quota" } }),
        1
      ]
    ]

    it.live.each(cases)("%s", ([, fault, requests]) =>
      Effect.gen(function*() {
        const { call, requestCount } = yield* simulated({
          provider,
          faults: Simulator.always(fault),
          client: quickly
        })
        const error = yield* failureOf(call("Echo: hello"))
        assert.strictEqual(yield* requestCount, requests)
        assert.strictEqual(error.attempts, requests)
      }).pipe(Effect.scoped))
  })

  describe("and the text of the body", () => {
    const shapes: ReadonlyArray<readonly [what: string, body: unknown]> = [
      ["OpenAI's", { error: { message: "the message", type: "x", param: null, code: null } }],
      ["Anthropic's", { type: "error", error: { type: "x", message: "the message" }, request_id: "req_1" }],
      ["Google's array", [{ error: { code: 400, message: "the message", status: "INVALID_ARGUMENT" } }]],
      ["an error that is a string", { error: "the message" }],
      ["FastAPI's list", { detail: [{ loc: ["body", "model"], msg: "the message", type: "missing" }] }],
      ["a detail that is a string", { detail: "the message" }],
      ["vLLM's flat object", { object: "error", message: "the message", type: "x", param: null, code: 400 }],
      ["only a message", { message: "the message" }],
      ["plain text", "the message"],
      ["JSON that was cut", "{\"error\":{\"type\":\"x\",\"message\":\"the message\",\"par"],
      ["a page's title", "<!doctype html><html><head><title>the message</title></head><body>lots of it</body></html>"]
    ]

    it.live.each(shapes)("in the shape of %s is quoted", ([, body]) =>
      Effect.gen(function*() {
        const { call } = yield* simulated({ provider, faults: Simulator.always(Simulator.status(400, { body })) })
        const error = yield* failureOf(call("Echo: hello"))
        assert.strictEqual(error.reason._tag, "InvalidRequest")
        assert.match(error.message, /the message/)
        assert.notMatch(error.message, /lots of it|[{}<>]/)
      }).pipe(Effect.scoped))

    it.live("is quoted within bounds: 20 kB of a page, or of words", () =>
      Effect.gen(function*() {
        const long = "<html><body>" + "word ".repeat(4000)
        for (const body of [long, long.slice(12), { error: { message: long.slice(12) } }]) {
          const { call } = yield* simulated({
            provider,
            faults: Simulator.always(Simulator.status(502, { body })),
            client: { retry: false }
          })
          const error = yield* failureOf(call("Echo: hello"))
          assert.strictEqual(error.reason._tag, "ServerFailed")
          assert.isAtMost((error.reason.message ?? "").length, 500)
          assert.isAtMost(error.message.length, 700)
        }
      }).pipe(Effect.scoped))
  })
})
