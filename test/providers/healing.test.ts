import type * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Gemini from "effect-llm/Gemini"
import type * as LlmClient from "effect-llm/LlmClient"
import type * as LlmError from "effect-llm/LlmError"
import type * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as OpenAi from "effect-llm/OpenAi"
import type * as StreamPart from "effect-llm/StreamPart"
import * as Simulator from "effect-llm/testing/Simulator"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { client, eventually, serve, simulator, transports } from "../support/overHttp.js"

const apiKey = Redacted.make("k-0123456789abcdef")

type ProviderLayer = Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient>

const openAi = (url: string, heal = true): ProviderLayer => OpenAi.layer({ apiKey, baseUrl: `${url}/v1`, heal })

const gemini = (url: string, heal = true): ProviderLayer => Gemini.layer({ apiKey, baseUrl: url, heal })

const weather = {
  name: "weather",
  description: "Tells the weather of a city.",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] }
}

const words = "The Elbe is a river, Grüße. It flows to the sea."

const requests: Readonly<Record<string, LlmRequest.Input>> = {
  "a text": { model: "gpt-4o-mini", prompt: `Echo: ${words}` },
  "reasoning and a text": { model: "gpt-5-mini", prompt: `Echo: ${words}`, reasoningEffort: "low" },
  "a tool call": { model: "gpt-4o-mini", prompt: "How is the weather?", tools: [weather] }
}

interface Streamed {
  readonly parts: ReadonlyArray<StreamPart.StreamPart>
  readonly error: LlmError.LlmError | undefined
}

const streamed = (
  made: LlmClient.Service,
  request: LlmRequest.Input,
  options: LlmClient.CallOptions = { retry: false, cache: "bypass" }
): Effect.Effect<Streamed> =>
  Effect.gen(function*() {
    const parts: Array<StreamPart.StreamPart> = []
    const exit = yield* Effect.exit(
      Stream.runForEach(made.stream(request, options), (part) => Effect.sync(() => parts.push(part)))
    )
    return {
      parts,
      error: Exit.isFailure(exit) ?
        Option.getOrUndefined(
          Exit.causeOption(exit).pipe(
            Option.flatMap((cause) => cause._tag === "Fail" ? Option.some(cause.error) : Option.none())
          )
        ) :
        undefined
    }
  })

/** The parts with consecutive deltas joined: where they are cut depends on the network. */
const joined = (parts: ReadonlyArray<StreamPart.StreamPart>): ReadonlyArray<unknown> => {
  const all: Array<unknown> = []
  let text = ""
  for (const part of parts) {
    if (part._tag === "TextDelta") text += part.text
    else {
      if (text !== "") all.push(text)
      text = ""
      if (part._tag !== "Finish") all.push(part)
    }
  }
  return text === "" ? all : [...all, text]
}

/** What an answer says, without what depends on how it came. */
const said = ({ parts }: Streamed): unknown => {
  const last = parts.at(-1)
  assert(last?._tag === "Finish", "the stream has no end")
  return {
    ...LlmResponse.update(last.response, { attempts: 1, latency: Duration.zero, requestId: "", rateLimit: {} }),
    ended: parts.filter(({ _tag }) => _tag === "Finish").length
  }
}

const cutAfter = (afterEvents: number) => Simulator.cutStream({ afterEvents })

const methods = (all: ReadonlyArray<Simulator.ReceivedRequest>) =>
  all.map(({ method, path }) => `${method} ${path.replace(/resp_\w+/, "{id}")}`)

describe("a stream of OpenAI that heals", () => {
  for (const [name, request] of Object.entries(requests)) {
    it.scopedLive(
      `gives each part once, and the answer of one that is not cut, wherever it is cut (${name})`,
      () =>
        Effect.gen(function*() {
          const { simulator: running } = yield* simulator()
          const { client: made } = yield* client({ provider: openAi(running.url), transport: transports.lean })
          const whole = yield* streamed(made, request)
          let cuts = 0
          for (let after = 1; after < 60; after++) {
            yield* running.reset
            yield* running.setFaults(Simulator.sequence([cutAfter(after)]))
            const answer = yield* streamed(made, request)
            assert.deepStrictEqual(joined(answer.parts), joined(whole.parts), `cut after ${after} events`)
            assert.deepStrictEqual(said(answer), said(whole), `cut after ${after} events`)
            const sent = methods(yield* running.requests)
            if (sent.length === 1) break
            assert.deepStrictEqual(sent, ["POST /v1/responses", "GET /v1/responses/{id}"])
            cuts++
          }
          assert.isAbove(cuts, 10)
        }),
      60_000
    )
  }

  it.scopedLive("heals as often as it is cut, at any byte", () =>
    Effect.gen(function*() {
      const { simulator: running } = yield* simulator()
      const { client: made } = yield* client({ provider: openAi(running.url) })
      const request = { model: "gpt-4o-mini", prompt: `Echo: ${words}` }
      const whole = yield* streamed(made, request)
      for (const afterBytes of [1_500, 2_000, 3_001]) {
        yield* running.setFaults(Simulator.always(Simulator.cutStream({ afterBytes })))
        const answer = yield* streamed(made, request)
        assert.deepStrictEqual(joined(answer.parts), joined(whole.parts), `cut after ${afterBytes} bytes`)
        assert.deepStrictEqual(said(answer), said(whole))
      }
    }), 60_000)

  it.scopedLive(
    "heals where the connection ends cleanly, and where requests for the rest fail",
    () =>
      Effect.gen(function*() {
        const { simulator: running } = yield* simulator()
        const { client: made } = yield* client({ provider: openAi(running.url) })
        const request = { model: "gpt-4o-mini", prompt: `Echo: ${words}` }
        const whole = yield* streamed(made, request)
        yield* running.setFaults(
          Simulator.sequence([Simulator.endStream({ afterEvents: 9 }), Simulator.status(503), Simulator.reset])
        )
        const answer = yield* streamed(made, request)
        assert.deepStrictEqual(said(answer), said(whole))
        const last = answer.parts.at(-1)
        assert(last?._tag === "Finish")
        assert.isAbove(last.response.attempts, 1)
      }),
    30_000
  )

  it.scopedLive("asks the service to keep the answer, and says so", () =>
    Effect.gen(function*() {
      const { simulator: running } = yield* simulator()
      const { client: made } = yield* client({ provider: openAi(running.url) })
      const { parts } = yield* streamed(made, { model: "gpt-5-mini", prompt: "Echo: Elbe" })
      const [received] = yield* running.requests
      assert.include(received?.body, { background: true, store: true, stream: true })
      assert.deepStrictEqual(received?.body, {
        ...(received?.body as object),
        include: ["reasoning.encrypted_content"]
      })
      const last = parts.at(-1)
      assert(last?._tag === "Finish")
      assert.deepStrictEqual(last.response.warnings, [
        "store was sent as true: an answer in the background has to be kept"
      ])
    }))

  it.scopedLive("makes the service stop when its reader leaves", () =>
    Effect.gen(function*() {
      const { simulator: running } = yield* simulator()
      yield* running.setFaults(Simulator.always(Simulator.stalledStream({ afterEvents: 9 })))
      const { client: made } = yield* client({ provider: openAi(running.url) })
      const first = yield* Stream.runHead(made.stream({ model: "gpt-4o-mini", prompt: `Echo: ${words}` }))
      assert.isTrue(Option.isSome(first))
      yield* eventually(
        "a request to stop",
        Effect.map(running.requests, (all) => methods(all).at(-1) === "POST /v1/responses/{id}/cancel")
      )
    }))

  it.scopedLive("stops nothing after an answer that is whole", () =>
    Effect.gen(function*() {
      const { simulator: running } = yield* simulator()
      const { client: made } = yield* client({ provider: openAi(running.url) })
      yield* streamed(made, { model: "gpt-4o-mini", prompt: `Echo: ${words}` })
      assert.deepStrictEqual(methods(yield* running.requests), ["POST /v1/responses"])
    }))

  it.scopedLive("keeps to the deadline while it heals", () =>
    Effect.gen(function*() {
      const { simulator: running } = yield* simulator()
      yield* running.setFaults(({ request }) => request === 0 ? cutAfter(9) : Simulator.silence)
      const { client: made } = yield* client({ provider: openAi(running.url) })
      const { error } = yield* streamed(made, { model: "gpt-4o-mini", prompt: `Echo: ${words}` }, {
        retry: false,
        deadline: "300 millis"
      })
      assert.include(error?.reason, { _tag: "TimedOut", phase: "total" })
    }))

  it.scopedLive("is StreamInterrupted where the service no longer has the answer", () =>
    Effect.gen(function*() {
      const { simulator: running } = yield* simulator()
      yield* running.setFaults(({ request }) => request === 0 ? cutAfter(9) : Simulator.status(404))
      const { client: made } = yield* client({ provider: openAi(running.url) })
      const { error, parts } = yield* streamed(made, { model: "gpt-4o-mini", prompt: `Echo: ${words}` })
      assert(error?.reason._tag === "StreamInterrupted")
      assert.strictEqual(error.reason.partial.text, joined(parts).join(""))
    }))

  it.scopedLive("is StreamInterrupted without `heal`", () =>
    Effect.gen(function*() {
      const { simulator: running } = yield* simulator()
      yield* running.setFaults(Simulator.always(cutAfter(9)))
      const { client: made } = yield* client({ provider: openAi(running.url, false) })
      const { error } = yield* streamed(made, { model: "gpt-4o-mini", prompt: `Echo: ${words}` })
      assert.strictEqual(error?.reason._tag, "StreamInterrupted")
      assert.lengthOf(yield* running.requests, 1)
    }))

  it.scopedLive("asks for the whole answer where a stream ends without any event: it was cancelled", () =>
    Effect.gen(function*() {
      const created = { id: "resp_1", object: "response", background: true, status: "in_progress", output: [] }
      const { requests, url } = yield* serve((response, { url }, n) => {
        if (n > 2) {
          return response.writeHead(200, { "content-type": "application/json" })
            .end(JSON.stringify({ ...created, status: "cancelled", error: null }))
        }
        response.writeHead(200, { "content-type": "text/event-stream" })
        return url.includes("starting_after") ? response.end() : response.end(
          `data: ${JSON.stringify({ type: "response.created", sequence_number: 0, response: created })}\n\n`
        )
      })
      const { client: made } = yield* client({ provider: openAi(url) })
      const { error } = yield* streamed(made, { model: "gpt-4o-mini", prompt: "Name a river." })
      assert.isDefined(error)
      assert.deepStrictEqual(requests.map(({ url }) => url), [
        "/v1/responses",
        "/v1/responses/resp_1?stream=true&starting_after=0",
        "/v1/responses/resp_1"
      ])
    }))
})

// ---------------------------------------------------------------------------------------------------------------------
// Gemini
// ---------------------------------------------------------------------------------------------------------------------

const flash = { model: "gemini-2.5-flash", prompt: `Echo: ${words}` }

const interrupting = (continueAfter: number): Simulator.Options => ({
  answer: (prompt) => ({ ...Simulator.answer(prompt), continueAfter })
})

describe("an answer of Gemini that heals", () => {
  for (const continueAfter of [1, 3, 5]) {
    it.scopedLive(`goes on by its continuation token, streamed and whole, after ${continueAfter} parts`, () =>
      Effect.gen(function*() {
        const { simulator: running } = yield* simulator(interrupting(continueAfter))
        const { client: made } = yield* client({ provider: gemini(running.url) })
        const { parts } = yield* streamed(made, flash)
        assert.deepStrictEqual(joined(parts), [words])
        const hops = (yield* running.requests).length
        assert.isAbove(hops, 1)
        const last = parts.at(-1)
        assert(last?._tag === "Finish")
        const answer = yield* made.call(flash, { cache: "bypass" })
        for (const response of [last.response, answer]) {
          assert.strictEqual(response.text, words)
          assert.strictEqual(response.finishReason, "stop")
          assert.strictEqual(response.attempts, hops)
          assert.lengthOf(response.parts, 1)
          assert.isUndefined(response.providerMetadata?.continuationToken)
        }
        // Each request is billed: their usages add up.
        const prompt = (yield* running.requests)[0]
        assert.isDefined(prompt)
        assert.strictEqual((answer.usage.inputTokens ?? 0) % hops, 0)
        assert.deepStrictEqual(last.response.usage, answer.usage)
      }))
  }

  it.scopedLive("takes the rest from the newest token, wherever it is cut", () =>
    Effect.gen(function*() {
      const { simulator: running } = yield* simulator(interrupting(100))
      const { client: made } = yield* client({ provider: gemini(running.url) })
      let cuts = 0
      for (let after = 1; after < 40; after++) {
        yield* running.reset
        yield* running.setFaults(Simulator.sequence([cutAfter(after)]))
        const { parts } = yield* streamed(made, flash)
        assert.deepStrictEqual(joined(parts), [words], `cut after ${after} events`)
        if ((yield* running.requests).length === 1) break
        cuts++
      }
      assert.isAbove(cuts, 5)
    }), 30_000)

  it.scopedLive("is StreamInterrupted where something came behind the newest token", () =>
    Effect.gen(function*() {
      const chunk = (text: string, more: object = {}) =>
        `data: ${JSON.stringify({ candidates: [{ content: { parts: [{ text }] }, ...more }] })}\n\n`
      const { requests, url } = yield* serve((response) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write(chunk("The ", { continuationToken: "t1" }) + chunk("Elbe"), () => response.destroy())
      })
      const { client: made } = yield* client({ provider: gemini(url) })
      const { error } = yield* streamed(made, flash)
      assert(error?.reason._tag === "StreamInterrupted")
      assert.strictEqual(error.reason.partial.text, "The Elbe")
      assert.lengthOf(requests, 1)
    }))

  it.scopedLive("sends no token twice that has led to nothing new", () =>
    Effect.gen(function*() {
      const chunk = (text: string) =>
        `data: ${
          JSON.stringify({
            candidates: [{ content: { parts: [{ text }] }, finishReason: "CONTINUATION", continuationToken: "t1" }]
          })
        }\n\n`
      const { requests, url } = yield* serve((response, _, n) => {
        response.writeHead(200, { "content-type": "text/event-stream" }).end(chunk(`${n} `))
      })
      const { client: made } = yield* client({ provider: gemini(url) })
      const { parts } = yield* streamed(made, flash)
      const last = parts.at(-1)
      assert(last?._tag === "Finish")
      assert.deepStrictEqual([last.response.text, last.response.finishReason], ["1 2 ", "length"])
      assert.deepStrictEqual(requests.map(({ body }) => JSON.parse(body).continuationToken), [undefined, "t1"])
    }))

  it.scopedLive("ends with `length` without `heal`, and has the token in its metadata", () =>
    Effect.gen(function*() {
      const { simulator: running } = yield* simulator(interrupting(2))
      const { client: made } = yield* client({ provider: gemini(running.url, false) })
      const answer = yield* made.call(flash)
      assert.strictEqual(answer.finishReason, "length")
      assert.isString(answer.providerMetadata?.continuationToken)
      assert.lengthOf(yield* running.requests, 1)
    }))
})
