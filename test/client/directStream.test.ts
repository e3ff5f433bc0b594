import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import type * as StreamPart from "effect-llm/StreamPart"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import type { ServerResponse } from "node:http"
import { errorOf, valueOf } from "../support/exits.js"
import { leavingNoFiber } from "../support/fibers.js"
import { ended, eventually, serve, sleepingUntil, type Transport, transports } from "../support/overHttp.js"

// The client takes the parts of a provider of this library without running its stream: here it is the network, and not a
// script, that it waits for.

const event = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`

const word = (content: string): string => event({ content })

const end = `${event({}, "stop")}data: [DONE]\n\n`

/** A server whose answers the test writes. */
const held = Effect.gen(function*() {
  const responses: Array<ServerResponse> = []
  const { connections, url } = yield* serve((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders()
    responses.push(response)
  })
  const answered = Effect.as(
    eventually("a request", Effect.sync(() => responses.length > 0)),
    { write: (text: string) => responses[0]!.write(text) }
  )
  return { answered, connections, url }
})

type Decorate = (provider: LlmProvider.Service) => LlmProvider.Service

/** A client's stream over a provider, which a policy may have changed. */
const streaming = (url: string, transport: Transport, decorate: Decorate = (provider) => provider) =>
  Effect.map(
    Layer.build(
      LlmClient.layer({ idleTimeout: "10 seconds", retry: false }).pipe(
        Layer.provide(
          Layer.effect(
            LlmProvider.LlmProvider,
            Effect.map(OpenAiChat.make({ apiKey: Redacted.make("k-0123456789abcdef"), baseUrl: url }), decorate)
          )
        ),
        Layer.provide(transports[transport]),
        Layer.provide([LlmCache.layerNone, LlmLogger.layerSilent])
      )
    ),
    (context) => Context.get(context, LlmClient.LlmClient)
  )

const request = { model: "gpt-4o-mini", prompt: "Name a river." }

const texts = (parts: Iterable<StreamPart.StreamPart>): ReadonlyArray<string> =>
  Array.from(parts, (part) => part._tag === "TextDelta" ? part.text : part._tag)

const louder: Decorate = (provider) => ({
  ...provider,
  stream: (request) =>
    Stream.map(
      provider.stream(request),
      (part) => part._tag === "TextDelta" ? { ...part, text: part.text.toUpperCase() } : part
    )
})

const ways: ReadonlyArray<readonly [name: string, transport: Transport, decorate: Decorate | undefined]> = [
  ["the lean transport", "lean", undefined],
  ["HttpClient", "fetch", undefined],
  ["a policy that changes the stream", "lean", louder]
]

describe.each(ways)("a stream, over %s", (_, transport, decorate) => {
  const said = (text: string) => decorate === undefined ? text : text.toUpperCase()

  it.scoped("ends at idleTimeout after the last part, and closes the connection", () =>
    Effect.gen(function*() {
      const { answered, connections, url } = yield* held
      const client = yield* streaming(url, transport, decorate)
      const seen: Array<StreamPart.StreamPart> = []
      const fiber = yield* Effect.fork(
        Stream.runForEach(client.stream(request), (part) => Effect.sync(() => seen.push(part)))
      )
      const { write } = yield* answered
      write(word("Elbe"))
      yield* eventually("the part", Effect.sync(() => seen.length === 1))
      yield* sleepingUntil(10_000)
      yield* TestClock.adjust("9999 millis")
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust("1 millis")
      const error = errorOf(yield* ended(fiber))
      assert.deepStrictEqual(error.reason, LlmError.TimedOut.make({ phase: "idle", limit: Duration.seconds(10) }))
      assert.deepStrictEqual(texts(seen), [said("Elbe")])
      yield* eventually("the end of the connection", Effect.sync(() => connections.open === 0))
    }))

  it.scoped("ends likewise where it is collected by the client", () =>
    Effect.gen(function*() {
      const { answered, connections, url } = yield* held
      const client = yield* streaming(url, transport, decorate)
      const fiber = yield* Effect.fork(client.call(request, { streaming: true }))
      const { write } = yield* answered
      write(word("Elbe"))
      yield* sleepingUntil(10_000)
      yield* TestClock.adjust("10 seconds")
      assert.deepInclude(errorOf(yield* ended(fiber)).reason, { _tag: "TimedOut", phase: "idle" })
      yield* eventually("the end of the connection", Effect.sync(() => connections.open === 0))
    }))

  it.scoped("loses nothing and gives nothing twice where a wait was given up", () =>
    Effect.gen(function*() {
      const { answered, url } = yield* held
      const client = yield* streaming(url, transport, decorate)
      const pull = yield* Stream.toPull(client.stream(request))
      const opening = yield* Effect.fork(pull)
      const { write } = yield* answered
      write(word("Elbe"))
      let got = texts(valueOf(yield* ended(opening)))
      const impatient = yield* Effect.fork(Effect.timeoutOption(pull, "1 second"))
      yield* sleepingUntil(1_000)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(valueOf(yield* ended(impatient)), Option.none())
      write(word("Oder"))
      write(end)
      while (got.at(-1) !== "Finish") {
        got = got.concat(texts(valueOf(yield* ended(yield* Effect.fork(pull)))))
      }
      assert.deepStrictEqual(got, ["Elbe", "Oder"].map(said).concat("Finish"))
    }))

  it.effect("leaves no fiber, timer or connection behind where it is interrupted while it waits", () =>
    // Under this clock a timer is a fiber that sleeps.
    leavingNoFiber(Effect.scoped(Effect.gen(function*() {
      const { answered, connections, url } = yield* held
      const client = yield* streaming(url, transport, decorate)
      const fiber = yield* Effect.fork(Stream.runDrain(client.stream(request)))
      const { write } = yield* answered
      write(word("Elbe"))
      yield* sleepingUntil(10_000)
      yield* Fiber.interrupt(fiber)
      yield* eventually("the end of the connection", Effect.sync(() => connections.open === 0))
    }))))
})
