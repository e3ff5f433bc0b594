import type * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import type * as LlmError from "effect-llm/LlmError"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import type * as Message from "effect-llm/Message"
import type * as StreamPart from "effect-llm/StreamPart"
import { Simulator } from "effect-llm/testing"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { ask, lastEnds, over, type Protocol, protocols, provider, providers, requests } from "../support/simulated.js"

/** What a provider streams, and the failure that ended it, if one did. */
const streamed = (provider: LlmProvider.Service, input: LlmRequest.Input) =>
  Effect.gen(function*() {
    const request = yield* LlmRequest.decode(input)
    const parts: Array<StreamPart.StreamPart> = []
    const end = yield* Effect.either(
      Stream.runForEach(provider.stream(request), (part) => Effect.sync(() => parts.push(part)))
    )
    const last = parts.at(-1)
    return {
      error: Option.getOrUndefined(Either.getLeft(end)),
      response: last?._tag === "Finish" ? last.response : undefined,
      text: parts.map((part) => part._tag === "TextDelta" ? part.text : "").join("")
    }
  })

const called = (provider: LlmProvider.Service, input: LlmRequest.Input) =>
  Effect.flatMap(LlmRequest.decode(input), provider.call)

/** A provider of this library on a simulator of its own. */
const on = <A, E>(
  protocol: Protocol,
  options: Simulator.Options,
  test: (provider: LlmProvider.Service, simulator: Simulator.Service) => Effect.Effect<
    A,
    E,
    HttpClient.HttpClient | Scope.Scope
  >
) => over(options, (simulator) => Effect.flatMap(provider(protocol, simulator), (it) => test(it, simulator)))

const text = "The Elbe rises in the Giant Mountains and flows through Dresden."

const echo = (protocol: Protocol): LlmRequest.Input => ({ model: providers[protocol].model, prompt: `Echo: ${text}` })

/** Each request gets an id of its own, a rate limit goes on, and only a whole answer has a body. */
const answerOf = (response: LlmResponse.LlmResponse | undefined): Partial<LlmResponse.LlmResponse> => {
  assert(response !== undefined, "there is no answer")
  const { latency: _latency, rateLimit: _rateLimit, raw: _raw, requestId: _requestId, ...answer } = response
  return answer
}

const weather = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" } },
  required: ["city", "days"],
  additionalProperties: false
}

const tools = ["get_weather", "get_rain"].map((name) => ({ name, parameters: weather }))

describe("Simulator, with the providers of this library", () => {
  for (const protocol of protocols) {
    const { model, thinking } = providers[protocol]
    const thoughtful = { model: thinking, reasoningEffort: "low", maxTokens: 4000 } as const

    describe(protocol, () => {
      const cases: Record<string, LlmRequest.Input> = {
        "text": { model, prompt: "Echo: Grüß Gott 😀, and good-bye.", maxTokens: 100 },
        "nothing": { model, prompt: "Echo:" },
        "thoughts": { ...thoughtful, prompt: "Echo: a thoughtful river" },
        "calls of several tools": { model, prompt: "get_weather, then get_rain", tools },
        "thoughts and a call": { ...thoughtful, prompt: "get_weather", tools },
        "a structured answer": { model, prompt: "rivers", outputSchema: { name: "weather", schema: weather } },
        "an answer that the token limit cut": { model, prompt: `Echo: ${text} ${text}`, maxTokens: 16 },
        "an answer that a stop text cut": { model, prompt: `Echo: ${text}`, stop: ["Giant"] }
      }
      for (const [what, input] of Object.entries(cases)) {
        it.scopedLive(`the same whole and streamed: ${what}`, () =>
          on(protocol, {}, (provider) =>
            Effect.gen(function*() {
              const whole = yield* called(provider, input)
              const { error, response, text } = yield* streamed(provider, input)
              assert.isUndefined(error)
              assert.deepStrictEqual(answerOf(response), answerOf(whole))
              assert.strictEqual(text, whole.text)
            })))
      }

      it.scopedLive("the same whole and streamed: filters and cached input", () =>
        on(
          protocol,
          { answer: () => ({ text: "Hm, no.", finish: "content_filter", cachedInputTokens: 2 }) },
          (provider) =>
            Effect.gen(function*() {
              const whole = yield* called(provider, echo(protocol))
              assert.deepStrictEqual(answerOf((yield* streamed(provider, echo(protocol))).response), answerOf(whole))
            })
        ))

      it.scopedLive("takes back what it said: thoughts, signatures, calls and their results", () =>
        on(protocol, {}, (provider) =>
          Effect.gen(function*() {
            const ask = "get_weather, then get_rain"
            const { response } = yield* streamed(provider, { ...thoughtful, prompt: ask, tools })
            assert(response !== undefined)
            const results = response.parts.flatMap((part): ReadonlyArray<Message.ToolResult> =>
              part._tag === "ToolCall"
                ? [{ _tag: "ToolResult", id: part.id, name: part.name, result: `Echo: ${part.name} is done` }]
                : []
            )
            const [first, ...others] = results
            assert(first !== undefined)
            assert.strictEqual(others.length, 1)
            const next = yield* called(provider, {
              ...thoughtful,
              tools,
              messages: [
                { role: "user", content: ask },
                { role: "assistant", content: response.parts },
                { role: "tool", content: [first, ...others] }
              ]
            })
            assert.match(next.text, /get_rain is done$/)
          })))

      it.scopedLive("a stream that breaks off is never an answer, and keeps what came", () =>
        Effect.gen(function*() {
          for (
            const fault of [
              Simulator.cut,
              Simulator.halfJson,
              Simulator.cutStream({ afterEvents: 8 }),
              Simulator.endStream({ afterEvents: 8 }),
              Simulator.noTerminalMarker,
              Simulator.doneWithoutFinish
            ]
          ) {
            const { error, text: came } = yield* on(protocol, { faults: Simulator.always(fault) }, (provider) =>
              streamed(provider, echo(protocol)))
            assert(error?.reason._tag === "StreamInterrupted", `${Simulator.describe(fault)}: ${error?.message}`)
            assert.strictEqual(error.reason.partial.text, came)
            assert.isTrue(came.length > 5 && text.startsWith(came))
          }
        }))

      it.scopedLive("a stream cut at any byte gives a beginning of the text, and an answer only if it is whole", () =>
        Effect.gen(function*() {
          const { length } = (yield* over({}, (it) => ask(it, requests(text)[protocol](true)))).text
          const offsets = Array.from({ length: 40 }, (_, i) => Math.floor((i * length) / 39))
          yield* on(protocol, {}, (provider, simulator) =>
            Effect.gen(function*() {
              for (const afterBytes of offsets) {
                yield* simulator.setFaults(Simulator.always(Simulator.cutStream({ afterBytes })))
                const { error, response, text: came } = yield* streamed(provider, echo(protocol))
                assert.isTrue(text.startsWith(came), came)
                assert.strictEqual(error === undefined, response !== undefined)
                if (error === undefined) assert.strictEqual(came, text)
                else {
                  const tag = came === "" ? "NetworkFailed" : "StreamInterrupted"
                  assert.strictEqual(error.reason._tag, tag, `${afterBytes}: ${error.message}`)
                }
              }
            }))
        }))

      it.scopedLive("an error amid a stream, or before it, has its reason", () =>
        Effect.gen(function*() {
          const reasons: ReadonlyArray<readonly [Simulator.Fault, LlmError.ReasonTag]> = [
            [Simulator.errorEvent({ afterEvents: 5, status: 529 }), "Overloaded"],
            [Simulator.errorEvent({ afterEvents: 5, status: 500 }), "ServerFailed"],
            [Simulator.errorEvent({ afterEvents: 0, status: 529 }), "Overloaded"],
            [Simulator.status(400), "InvalidRequest"],
            [Simulator.status(401), "AuthenticationFailed"],
            [Simulator.status(403), "PermissionDenied"],
            [Simulator.status(404), "ModelNotFound"],
            [Simulator.status(429), "RateLimited"],
            [Simulator.status(500), "ServerFailed"],
            [Simulator.status(503), "Overloaded"],
            [Simulator.status(529), "Overloaded"],
            [Simulator.quota("credit"), "QuotaExhausted"],
            [Simulator.quota("spendLimit"), "QuotaExhausted"],
            [Simulator.quota("usageLimit"), "QuotaExhausted"],
            [Simulator.html(502), "ServerFailed"],
            [Simulator.html(200), "MalformedResponse"],
            [Simulator.emptyBody(), "MalformedResponse"],
            [Simulator.reset, "NetworkFailed"]
          ]
          for (const [fault, tag] of reasons) {
            yield* on(protocol, { faults: Simulator.always(fault) }, (provider) =>
              Effect.gen(function*() {
                const { error } = yield* streamed(provider, echo(protocol))
                assert.strictEqual(error?.reason._tag, tag, `${Simulator.describe(fault)}: ${error?.message}`)
                const whole = yield* Effect.flip(called(provider, echo(protocol)))
                assert.strictEqual(whole.reason._tag, tag, `${Simulator.describe(fault)}: ${whole.message}`)
              }))
          }
        }))

      it.scopedLive("a wait that is asked for is heard", () =>
        on(
          protocol,
          { faults: Simulator.always(Simulator.status(429, { retryAfter: "1500 millis" })) },
          (provider) =>
            Effect.gen(function*() {
              const { reason } = yield* Effect.flip(called(provider, echo(protocol)))
              assert(reason._tag === "RateLimited" && reason.retryAfter !== undefined)
              assert.strictEqual(Duration.toMillis(reason.retryAfter), 1500)
            })
        ))

      it.scopedLive("harmless faults harm nobody", () =>
        Effect.gen(function*() {
          for (
            const fault of [
              ...Object.values(Simulator.faults.harmless),
              Simulator.slowBody({ chunkBytes: 99, delay: 1 })
            ]
          ) {
            const { error, response } = yield* on(
              protocol,
              { faults: Simulator.always(fault) },
              (provider) => streamed(provider, echo(protocol))
            )
            assert.isUndefined(error, Simulator.describe(fault))
            assert.strictEqual(response?.text, text)
          }
        }))

      it.scopedLive("silence and keep-alives hold a stream until its reader leaves", () =>
        Effect.gen(function*() {
          for (
            const fault of [Simulator.stalledStream({ afterEvents: 5 }), Simulator.keepAlives({ every: "2 millis" })]
          ) {
            yield* on(protocol, { faults: Simulator.always(fault) }, (provider, simulator) =>
              Effect.gen(function*() {
                const reader = yield* Effect.fork(streamed(provider, echo(protocol)))
                yield* simulator.awaitRequests(([request]) => request?.status === 200)
                yield* Effect.sleep("20 millis")
                assert.strictEqual(reader.unsafePoll(), null, Simulator.describe(fault))
                yield* Fiber.interrupt(reader)
                assert.strictEqual((yield* lastEnds(simulator))?.outcome, "aborted")
              }))
          }
        }))

      it.scopedLive("the simulator sees at once that a reader of two parts has left", () =>
        on(protocol, { pace: "5 millis" }, (provider, simulator) =>
          Effect.gen(function*() {
            const request = yield* LlmRequest.decode(echo(protocol))
            yield* Stream.runDrain(Stream.take(provider.stream(request), 2))
            const [elapsed, received] = yield* Effect.timed(lastEnds(simulator))
            assert.strictEqual(received?.outcome, "aborted")
            assert.isBelow(Duration.toMillis(elapsed), 5_000)
          })))

      it.scopedLive("a stream that was read to its end counts as answered", () =>
        on(protocol, { pace: "1 millis" }, (provider, simulator) =>
          Effect.gen(function*() {
            assert.isUndefined((yield* streamed(provider, echo(protocol))).error)
            assert.strictEqual((yield* lastEnds(simulator))?.outcome, "answered")
          })))
    })
  }
})
