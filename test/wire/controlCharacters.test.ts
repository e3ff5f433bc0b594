import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import type * as LlmError from "effect-llm/LlmError"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { printed, printedError, watched } from "../support/observers.js"
import { client, type ClientOptions, failureOf, serve } from "../support/overHttp.js"

/** Clears the screen, sets a title, begins a sequence of C1, turns the line around, ends it. */
const evil = "\u001b[2J\u001b]0;title\u0007\u009b31m\u202e\u0000\r\nevent: x"

/** What a header can carry of it. */
const evilHeader = "r-\u009b31m\u0085x"

const model = `m-${evil}`
const text = `Elbe ${evil}.`

interface Protocol {
  readonly at: (baseUrl: string) => ClientOptions["provider"]
  readonly whole: unknown
  readonly events: ReadonlyArray<unknown>
  readonly framed?: (event: unknown) => string
}

const sse = (event: unknown): string => `data: ${JSON.stringify(event)}\n\n`

const openAiResponse = {
  id: `resp-${evil}`,
  status: "completed",
  model,
  output: [{
    type: "message",
    id: "msg_1",
    role: "assistant",
    status: "completed",
    content: [{ type: "output_text", text, annotations: [] }]
  }]
}

const gemini = {
  candidates: [{ content: { role: "model", parts: [{ text }] }, finishReason: "STOP", index: 0 }],
  modelVersion: model,
  responseId: `id-${evil}`
}

const ollama = { model, message: { role: "assistant", content: text }, done: true, done_reason: `stop${evil}` }

const protocols: { readonly [name: string]: Protocol } = {
  openAiChat: {
    at: (baseUrl) => OpenAiChat.layer({ baseUrl }),
    whole: { id: `c-${evil}`, model, choices: [{ message: { content: text }, finish_reason: `stop${evil}` }] },
    events: [
      { id: `c-${evil}`, model, choices: [{ delta: { content: text } }] },
      { choices: [{ delta: {}, finish_reason: `stop${evil}` }] }
    ]
  },
  openAi: {
    at: (baseUrl) => OpenAi.layer({ baseUrl }),
    whole: openAiResponse,
    events: [{ type: "response.completed", response: openAiResponse }]
  },
  anthropic: {
    at: (baseUrl) => Anthropic.layer({ baseUrl }),
    whole: { type: "message", id: `m-${evil}`, model, content: [{ type: "text", text }], stop_reason: `end${evil}` },
    events: [
      { type: "message_start", message: { id: `m-${evil}`, model, content: [] } },
      { type: "content_block_start", index: 0, content_block: { type: "text", text } },
      { type: "content_block_stop", index: 0 },
      { type: "message_delta", delta: { stop_reason: `end${evil}` }, usage: {} },
      { type: "message_stop" }
    ]
  },
  gemini: { at: (baseUrl) => Gemini.layer({ baseUrl }), whole: gemini, events: [gemini] },
  ollama: {
    at: (baseUrl) => Ollama.layer({ baseUrl }),
    whole: ollama,
    events: [ollama],
    framed: (line) => `${JSON.stringify(line)}\n`
  }
}

const request = { model: "m", prompt: "Name a river." }

// Line feeds divide the lines of a log, and are the logger's own.

const controls = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/

const assertVisible = (what: string, shown: string): void => assert.notMatch(shown, controls, what)

/** Logs the events of a program as a program would. */
const logged = (events: Effect.Effect<ReadonlyArray<Parameters<LlmLogger.Service["log"]>[0]>>) =>
  Effect.gen(function*() {
    const logger = yield* LlmLogger.LlmLogger
    for (const event of yield* events) yield* logger.log(event)
  }).pipe(Effect.provide(LlmLogger.layer))

describe("control characters of a provider", () => {
  it.scopedLive.each(Object.entries(protocols))(
    "reach no log, event, span or name, and stay in the text: %s",
    ([, protocol]) =>
      Effect.gen(function*() {
        const { url } = yield* serve((response, _, n) => {
          const streaming = n === 2
          response.writeHead(200, {
            "content-type": streaming
              ? protocol.framed === undefined ? "text/event-stream" : "application/x-ndjson"
              : "application/json",
            "x-request-id": evilHeader
          })
          response.end(
            streaming ? protocol.events.map(protocol.framed ?? sse).join("") : JSON.stringify(protocol.whole)
          )
        })
        const { client: made, events } = yield* client({ provider: protocol.at(url), client: { retry: false } })
        const { value: answers, written } = yield* watched(Effect.gen(function*() {
          const called = yield* made.call(request)
          const parts = yield* Stream.runCollect(made.stream({ ...request, prompt: "Name another." }))
          yield* logged(events)
          const finish = [...parts].find((part) => part._tag === "Finish")
          return [called, ...(finish?._tag === "Finish" ? [finish.response] : [])]
        }))
        assert.strictEqual(answers.length, 2)
        for (const { id = "", model, requestId = "", text: read, warnings } of answers) {
          assert.strictEqual(read, text)
          for (const shown of [id, model, requestId, ...warnings]) assert.notMatch(`${shown}`, /[\n]/)
          assertVisible("names", [id, model, requestId, ...warnings].join())
          assert.match(model, /^m-\\u001b\[2J/)
        }
        // The span of the program ends with the answers themselves.
        const others = written.filter((line) => !line.includes("Elbe"))
        assert.isTrue(others.some((line) => line.includes("llm_call_ok")))
        for (const line of others) assertVisible(`a line: ${JSON.stringify(line)}`, line)
      })
  )

  it.scopedLive("reach no message of an error: in its body, its headers and the reasons for an end", () =>
    Effect.gen(function*() {
      const answers: ReadonlyArray<readonly [status: number, type: string, body: string]> = [
        [400, "application/json", JSON.stringify({ error: { message: evil, code: evil, param: evil, type: evil } })],
        [500, "text/plain", evil],
        [500, `text/html; x="\u009b31m"`, `<title>${evil}</title>`],
        [200, `text/plain; x="\u009b31m"`, "no JSON"],
        [200, "application/json", JSON.stringify({ promptFeedback: { blockReason: evil } })],
        [200, "application/json", JSON.stringify({ error: { message: evil, status: evil } })]
      ]
      const { url } = yield* serve((response, _, n) => {
        const [status, type, body] = answers[(n - 1) % answers.length]!
        response.writeHead(status, { "content-type": type, "x-request-id": evilHeader }).end(body)
      })
      for (const at of [protocols.gemini!.at, protocols.openAiChat!.at]) {
        const { client: made, events } = yield* client({ provider: at(url), client: { retry: false } })
        const { value: errors, written } = yield* watched(Effect.gen(function*() {
          const failed: Array<LlmError.LlmError> = []
          for (const n of answers.keys()) {
            const asked = { ...request, prompt: `Name river ${n}.` }
            const call = made.call(asked)
            failed.push(yield* failureOf(call))
          }
          yield* logged(events)
          return failed
        }))
        for (const error of errors) {
          for (const [how, shown] of printedError(error)) assertVisible(how, shown)
          assertVisible("the reason's message", error.reason.message ?? "")
        }
        for (const event of yield* events) for (const [how, shown] of printed(event)) assertVisible(how, shown)
        assertVisible("logs and spans", written.join("\n"))
      }
    }))
})
