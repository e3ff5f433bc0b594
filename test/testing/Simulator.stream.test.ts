import { assert, describe, it } from "@effect/vitest"
import { Simulator } from "effect-llm/testing"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { request as httpRequest } from "node:http"
import * as Streaming from "../../src/testing/simulator/streaming.js"
import { eventually } from "../support/overHttp.js"
import {
  ask,
  eventsOf,
  type Json,
  lastEnds,
  linesOf,
  over,
  parse,
  post,
  protocols,
  type Reply,
  requests,
  send,
  user
} from "../support/simulated.js"

const text = "The Elbe rises in the Giant Mountains and flows through Dresden."

const requestsOf = requests(text)

type Protocol = keyof typeof requestsOf

const stream = (simulator: Simulator.Service, protocol: Protocol, body: Json = {}) =>
  ask(simulator, requestsOf[protocol](true, body))

/** The pieces of a streamed text, wherever the protocol has them. */
const textPieces = (protocol: Protocol, reply: Pick<Reply, "text">): ReadonlyArray<string> => {
  switch (protocol) {
    case "openai-chat":
      return eventsOf(reply).flatMap(({ data }) => data.choices?.[0]?.delta?.content || [])
    case "openai-responses":
      return eventsOf(reply).flatMap(({ data }) => data.type === "response.output_text.delta" ? data.delta : [])
    case "anthropic-messages":
      return eventsOf(reply).flatMap(({ data }) => data.delta?.text ?? [])
    case "gemini":
      return eventsOf(reply).flatMap(({ data }) =>
        data.candidates?.[0].content.parts?.map((part: Json) => part.text) ?? []
      )
    case "ollama":
      return linesOf(reply).flatMap((line) => line.message.content || [])
  }
}

const weather = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" } },
  required: ["city", "days"],
  additionalProperties: false
}

describe("Simulator, streaming", () => {
  describe("texts in pieces", () => {
    it("are cut at words, and add up to the text", () => {
      assert.deepStrictEqual(Streaming.deltas("Two words,\n  and more "), ["Two", " words,", "\n  and", " more", " "])
      const long = "😀".repeat(40)
      assert.deepStrictEqual(Streaming.deltas(long).map((piece) => [...piece].length), [16, 16, 8])
      assert.deepStrictEqual(Streaming.deltas(""), [])
      const json = "{\"city\":\"Görlitz\"}"
      assert.isAbove(Streaming.fragments(json).length, 1)
      assert.strictEqual(Streaming.fragments(json).join(""), json)
    })
  })

  describe("every protocol", () => {
    for (const protocol of protocols) {
      it.live(`${protocol}: streams the text that it would have answered with, in several pieces`, () =>
        over({}, (simulator) =>
          Effect.gen(function*() {
            const reply = yield* stream(simulator, protocol)
            assert.strictEqual(reply.status, 200)
            const pieces = textPieces(protocol, reply)
            assert.isAbove(pieces.length, 5)
            assert.strictEqual(pieces.join(""), text)
            const [request] = yield* simulator.requests
            assert.deepStrictEqual([request?.protocol, request?.outcome], [protocol, "answered"])
          })))

      it.live(`${protocol}: refuses a wrong request with the status, streamed or not`, () =>
        over({}, (simulator) =>
          Effect.gen(function*() {
            const wrong = protocol === "gemini" ? { contents: [] } : { model: "" }
            const streamed = yield* stream(simulator, protocol, wrong)
            const plain = yield* ask(simulator, requestsOf[protocol](false, wrong))
            assert.deepStrictEqual([streamed.status, streamed.headers["content-type"]], [400, "application/json"])
            assert.deepStrictEqual(
              parse(streamed).error.message ?? parse(streamed).error,
              parse(plain).error.message ?? parse(plain).error
            )
          })))
    }

    it.live("takes its time between events, as configured", () =>
      over({ pace: "5 millis" }, (simulator) =>
        Effect.gen(function*() {
          const [elapsed, reply] = yield* Effect.timed(stream(simulator, "openai-chat"))
          // A timer may be early by a part of a millisecond.
          assert.isAtLeast(Duration.toMillis(elapsed), 5 * textPieces("openai-chat", reply).length - 1)
        })))

    it.live("sends the headers before the first event", () =>
      over({ pace: "1 hour" }, (simulator) =>
        Effect.gen(function*() {
          const { body, path } = requestsOf["openai-chat"](true)
          const response = yield* send(simulator.url + path, body)
          assert.strictEqual(response.status, 200)
          assert.match(response.headers["content-type"] ?? "", /^text\/event-stream/)
        })))
  })

  describe("Chat Completions", () => {
    it.live("chunks: the role, the text, the finish reason, [DONE]; with its headers", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const reply = yield* stream(simulator, "openai-chat", { messages: [user("Echo: hi you")] })
          const events = eventsOf(reply)
          assert.strictEqual(events.at(-1)?.data, "[DONE]")
          const chunks = events.slice(0, -1).map(({ data }) => data)
          assert.deepStrictEqual(
            chunks.map((chunk) => [chunk.choices[0].delta, chunk.choices[0].finish_reason]),
            [
              [{ role: "assistant", content: "", refusal: null }, null],
              [{ content: "hi" }, null],
              [{ content: " you" }, null],
              [{}, "stop"]
            ]
          )
          assert.isTrue(chunks.every((chunk) => chunk.object === "chat.completion.chunk" && !("usage" in chunk)))
          assert.strictEqual(new Set(chunks.map((chunk) => chunk.id)).size, 1)
          assert.strictEqual(reply.headers["x-ratelimit-limit-requests"], "10000")
          assert.match(reply.headers["x-request-id"] ?? "", /^req_/)
        })))

    it.live("counts the usage in a chunk of its own, if asked to", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const options = { stream_options: { include_usage: true } }
          const chunks = eventsOf(yield* stream(simulator, "openai-chat", options)).slice(0, -1).map(({ data }) => data)
          const plain = parse(yield* ask(simulator, requestsOf["openai-chat"](false)))
          assert.isTrue(chunks.slice(0, -1).every((chunk) => chunk.usage === null))
          assert.deepStrictEqual([chunks.at(-1).choices, chunks.at(-1).usage], [[], plain.usage])
          const refused = yield* ask(simulator, requestsOf["openai-chat"](false, options))
          assert.deepStrictEqual([refused.status, parse(refused).error.param], [400, "stream_options"])
        })))

    it.live("sends tool calls in fragments", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const tool = (name: string) => ({ type: "function", function: { name, parameters: weather } })
          const reply = yield* stream(simulator, "openai-chat", {
            messages: [user("get_weather and get_rain")],
            tools: [tool("get_weather"), tool("get_rain")]
          })
          const deltas = eventsOf(reply).flatMap(({ data }) => data.choices?.[0]?.delta ?? [])
          assert.deepStrictEqual(deltas[0], { role: "assistant", content: null, refusal: null })
          const pieces = deltas.flatMap((delta) => delta.tool_calls ?? [])
          for (const [index, name] of ["get_weather", "get_rain"].entries()) {
            const [first, ...rest] = pieces.filter((piece) => piece.index === index)
            assert.deepStrictEqual([first.type, first.function], ["function", { name, arguments: "" }])
            assert.match(first.id, /^call_/)
            assert.isAbove(rest.length, 1)
            assert.isTrue(rest.every((piece) => !("id" in piece) && !("name" in piece.function)))
            const args = JSON.parse(rest.map((piece) => piece.function.arguments).join(""))
            assert.deepStrictEqual(Object.keys(args), ["city", "days"])
          }
          assert.strictEqual(eventsOf(reply).at(-2)?.data.choices[0].finish_reason, "tool_calls")
        })))

    it.live("writes several choices at the same time", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const choices = eventsOf(yield* stream(simulator, "openai-chat", { messages: [user("Echo: hi you")], n: 2 }))
            .flatMap(({ data }) => data.choices ?? [])
          assert.deepStrictEqual(choices.map(({ index }) => index), [0, 1, 0, 1, 0, 1, 0, 1])
        })))

    it.live("streams refusals, and the thoughts of compatible hosts", () =>
      over({ answer: () => ({ refusal: "I can't.", reasoning: "Hm, no." }) }, (simulator) =>
        Effect.gen(function*() {
          const reply = yield* stream(simulator, "openai-chat", { model: "deepseek-v3", reasoning_effort: "low" })
          const deltas = eventsOf(reply).flatMap(({ data }) => data.choices?.[0]?.delta ?? [])
          const join = (field: string) => deltas.map((delta) => delta[field] ?? "").join("")
          assert.deepStrictEqual([join("refusal"), join("reasoning_content"), join("content")], [
            "I can't.",
            "Hm, no.",
            ""
          ])
        })))
  })

  describe("Messages", () => {
    const types = (reply: Reply) => eventsOf(reply).map(({ data }) => data.delta?.type ?? data.type)

    it.live("events in order, named as their data, usage at both ends", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const reply = yield* stream(simulator, "anthropic-messages", { messages: [user("Echo: hi you")] })
          assert.deepStrictEqual(types(reply), [
            "message_start",
            "content_block_start",
            "ping",
            "text_delta",
            "text_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
          ])
          const events = eventsOf(reply)
          assert.isTrue(events.every(({ data, event }) => event === data.type))
          const [start] = events
          assert.deepStrictEqual([start?.data.message.content, start?.data.message.stop_reason], [[], null])
          assert.deepStrictEqual(
            [start?.data.message.usage.input_tokens, start?.data.message.usage.output_tokens],
            [3, 1]
          )
          assert.deepStrictEqual(events.at(-2)?.data.delta, { stop_reason: "end_turn", stop_sequence: null })
          assert.strictEqual(events.at(-2)?.data.usage.output_tokens, 2)
          assert.match(reply.headers["request-id"] ?? "", /^req_/)
        })))

    it.live("thinks, signs its thoughts, and sends tool input in fragments", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const reply = yield* stream(simulator, "anthropic-messages", {
            messages: [user("Use get_weather.")],
            thinking: { type: "enabled", budget_tokens: 1024 },
            tools: [{ name: "get_weather", input_schema: weather }]
          })
          const events = eventsOf(reply).map(({ data }) => data)
          assert.deepStrictEqual(
            events.filter(({ type }) => type === "content_block_start").map((event) => [
              event.index,
              event.content_block.type
            ]),
            [[0, "thinking"], [1, "tool_use"]]
          )
          assert.strictEqual(types(reply).filter((type) => type === "signature_delta").length, 1)
          const json = events.map((event) => event.delta?.partial_json).filter((piece) => piece !== undefined)
          assert.strictEqual(json[0], "")
          assert.isAbove(json.length, 3)
          assert.deepStrictEqual(Object.keys(JSON.parse(json.join(""))), ["city", "days"])
        })))

    it.live("does not end the block of a tool call that the token limit cut", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const reply = yield* stream(simulator, "anthropic-messages", {
            messages: [user("Use get_weather.")],
            max_tokens: 3,
            tools: [{ name: "get_weather", input_schema: weather }]
          })
          assert.notInclude(types(reply), "content_block_stop")
          assert.strictEqual(eventsOf(reply).at(-2)?.data.delta.stop_reason, "max_tokens")
        })))
  })

  describe("Responses", () => {
    it.live("events in order, numbered, the whole answer in the last one", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const body = { input: "Echo: hi you" }
          const reply = yield* stream(simulator, "openai-responses", body)
          const events = eventsOf(reply)
          assert.deepStrictEqual(events.map(({ event }) => event?.replace("response.", "")), [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed"
          ])
          assert.isTrue(events.every(({ data, event }) => event === data.type))
          assert.deepStrictEqual(events.map(({ data }) => data.sequence_number), events.map((_, index) => index))
          assert.deepStrictEqual(
            [events[0]?.data.response.status, events[0]?.data.response.output, events[0]?.data.response.usage],
            ["in_progress", [], null]
          )
          const { created_at: _, ...last } = events.at(-1)?.data.response
          const { created_at: __, ...plain } = parse(yield* ask(simulator, requestsOf["openai-responses"](false, body)))
          assert.deepStrictEqual(last, plain)
        })))

    it.live("streams summaries of thoughts, refusals, and calls", () =>
      over(
        {
          answer: () => ({
            reasoning: "Let me see.",
            refusal: "I would rather not.",
            toolCalls: [{ name: "get_weather", arguments: { city: "Dresden" } }]
          })
        },
        (simulator) =>
          Effect.gen(function*() {
            const events = eventsOf(
              yield* stream(simulator, "openai-responses", { model: "gpt-5", reasoning: { summary: "auto" } })
            ).map(({ data }) => data)
            const join = (type: string) =>
              events.filter((event) => event.type === type).map(({ delta }) => delta).join("")
            assert.strictEqual(join("response.reasoning_summary_text.delta"), "Let me see.")
            assert.strictEqual(join("response.refusal.delta"), "I would rather not.")
            assert.strictEqual(join("response.function_call_arguments.delta"), "{\"city\":\"Dresden\"}")
            const items = events.filter(({ type }) => type === "response.output_item.done")
            assert.deepStrictEqual(
              items.map(({ item, output_index: index }) => [index, item.type]),
              [[0, "reasoning"], [1, "message"], [2, "function_call"]]
            )
            assert.isTrue(
              events.every((event) =>
                event.item_id === undefined || event.item_id === items[event.output_index].item.id
              )
            )
          })
      ))
  })

  describe("Gemini", () => {
    it.live("chunks in CRLF, without names, the last one with the end and the whole usage", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const contents = [{ role: "user", parts: [{ text: "Echo: hi you" }] }]
          const reply = yield* stream(simulator, "gemini", { contents })
          assert.match(reply.headers["content-type"] ?? "", /^text\/event-stream/)
          assert.strictEqual(reply.text.replaceAll("\r\n", "").includes("\n"), false)
          const chunks = eventsOf(reply).map(({ data }) => data)
          assert.deepStrictEqual(
            chunks.map(({ candidates: [candidate] }) => [candidate.content.parts, candidate.finishReason]),
            [[[{ text: "hi" }], undefined], [[{ text: " you" }], "STOP"]]
          )
          const plain = parse(yield* ask(simulator, requestsOf.gemini(false, { contents })))
          assert.deepStrictEqual(chunks.at(-1).usageMetadata, plain.usageMetadata)
          assert.deepStrictEqual([chunks[0].usageMetadata.promptTokenCount, chunks[0].responseId], [
            3,
            plain.responseId
          ])
        })))

    it.live("ends an answer of one piece, or of none, with an empty one", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const parts = (body: Json) =>
            Effect.map(stream(simulator, "gemini", body), (reply) =>
              eventsOf(reply).map(({ data }) => [
                data.candidates[0].content.parts,
                data.candidates[0].finishReason
              ]))
          const contents = [{ parts: [{ text: "Echo: hi" }] }]
          assert.deepStrictEqual(yield* parts({ contents }), [[[{ text: "hi" }], undefined], [[{ text: "" }], "STOP"]])
          const nothing = { contents: [{ parts: [{ text: "Echo:" }] }] }
          assert.deepStrictEqual(yield* parts(nothing), [[undefined, "STOP"]])
        })))

    it.live("streams server-sent events only", () =>
      over({}, ({ url }) =>
        Effect.gen(function*() {
          const { body } = requestsOf.gemini(true)
          const reply = yield* post(`${url}/v1beta/models/gemini-2.0-flash:streamGenerateContent`, body)
          assert.deepStrictEqual([reply.status, parse(reply).error.status], [400, "INVALID_ARGUMENT"])
        })))
  })

  describe("Ollama", () => {
    it.live("streams lines by default, the counts in the last one", () =>
      over({}, (simulator) =>
        Effect.gen(function*() {
          const body = { model: "qwen3", messages: [user("Echo: hi you")], stream: undefined }
          const reply = yield* stream(simulator, "ollama", body)
          assert.strictEqual(reply.headers["content-type"], "application/x-ndjson")
          const lines = linesOf(reply)
          assert.deepStrictEqual(
            lines.map(({ done, message }) => [message.content, message.thinking?.trim().split(" ")[0], done]).slice(-3),
            [["hi", undefined, false], [" you", undefined, false], ["", undefined, true]]
          )
          assert.strictEqual(lines.map(({ message }) => message.thinking ?? "").join(""), "The prompt is about echo.")
          const { created_at: _, message: __, ...last } = lines.at(-1)
          const { created_at: ___, message: ____, ...plain } = parse(
            yield* ask(simulator, requestsOf.ollama(false, { ...body, stream: false }))
          )
          assert.deepStrictEqual(last, plain)
          assert.deepStrictEqual([last.done_reason, last.prompt_eval_count], ["stop", 3])
        })))
  })

  // -------------------------------------------------------------------------------------------------------------------
  // Faults
  // -------------------------------------------------------------------------------------------------------------------

  describe("faults", () => {
    /** What came over the wire, whether it broke off, and what the simulator noted. */
    const meet = (fault: Simulator.Fault, protocol: Protocol = "openai-chat", streaming = true) =>
      over({ faults: Simulator.always(fault) }, (simulator) =>
        Effect.gen(function*() {
          const { body, headers, path } = requestsOf[protocol](streaming)
          const response = yield* send(simulator.url + path, body, headers)
          const chunks: Array<Uint8Array> = []
          const exit = yield* Effect.exit(
            Stream.runForEach(response.stream, (chunk) => Effect.sync(() => chunks.push(chunk)))
          )
          const [request] = yield* simulator.requests
          return {
            chunks,
            isBroken: Exit.isFailure(exit),
            request,
            response,
            text: Buffer.concat(chunks).toString()
          }
        }))

    /** The sizes of the HTTP chunks. Most clients put together what arrives together; that of Node does not. */
    const chunkSizes = (fault: Simulator.Fault, protocol: Protocol, streaming: boolean) =>
      over({ faults: Simulator.always(fault) }, (simulator) =>
        Effect.async<ReadonlyArray<number>>((resume) => {
          const { body, headers, path } = requestsOf[protocol](streaming)
          const options = { method: "POST", headers: { ...headers, "content-type": "application/json" } }
          httpRequest(simulator.url + path, options, (response) => {
            const sizes: Array<number> = []
            response.on("data", (chunk: Uint8Array) => sizes.push(chunk.length))
            response.on("end", () => resume(Effect.succeed(sizes)))
          }).end(JSON.stringify(body))
        }))

    const whole = (protocol: Protocol) => Effect.map(over({}, (it) => stream(it, protocol)), (reply) => reply.text)

    /** A stream cut into its events, framing and all. */
    const framed = (protocol: Protocol, text: string): ReadonlyArray<string> =>
      text.match(protocol === "ollama" ? /.+\n/g : /[^]+?(?:\r?\n){2}/g) ?? []

    const said = (protocol: Protocol, text: string): string => textPieces(protocol, { text }).join("")

    for (const protocol of protocols) {
      it.live(`${protocol}: cutStream and endStream stop after so many events, before the end at the latest`, () =>
        Effect.gen(function*() {
          const events = framed(protocol, yield* whole(protocol))
          for (const afterEvents of [0, 3, 1000]) {
            const cut = yield* meet(Simulator.cutStream({ afterEvents }), protocol)
            const ended = yield* meet(Simulator.endStream({ afterEvents }), protocol)
            assert.deepStrictEqual([cut.isBroken, ended.isBroken], [true, false])
            assert.deepStrictEqual([cut.request?.outcome, ended.request?.outcome], ["faulted", "faulted"])
            for (const { text } of [cut, ended]) {
              const count = framed(protocol, text).length
              if (afterEvents < 1000) assert.strictEqual(count, afterEvents)
              else assert.isTrue(count > 3 && count < events.length)
            }
          }
        }))

      it.live(`${protocol}: cutStream and endStream stop after exactly so many bytes`, () =>
        Effect.gen(function*() {
          const { length } = yield* whole(protocol)
          for (const afterBytes of [0, 1, 100, length]) {
            assert.strictEqual((yield* meet(Simulator.cutStream({ afterBytes }), protocol)).text.length, afterBytes)
            assert.strictEqual((yield* meet(Simulator.endStream({ afterBytes }), protocol)).text.length, afterBytes)
          }
        }))

      const errors: Record<Protocol, RegExp> = {
        "openai-chat": /^data: \{"error":\{"message":"The engine is .*"type":"service_unavailable_error".*\}\}\n\n$/,
        "openai-responses": /^event: error\ndata: \{"type":"error","code":"server_is_overloaded",.*_number":4\}\n\n$/,
        "anthropic-messages": /^event: error\ndata: \{"type":"error","error":\{"type":"api_error",.*\}\}\n\n$/,
        gemini: /^data: \{"error":\{"code":503,"message":.*"status":"UNAVAILABLE"\}\}\r\n\r\n$/,
        ollama: /^\{"error":"server busy.*"\}\n$/
      }
      it.live(`${protocol}: errorEvent says it in the protocol's own shape, after what came`, () =>
        Effect.gen(function*() {
          const fault = Simulator.errorEvent({ afterEvents: 4, status: 503 })
          const { isBroken, request, response, text } = yield* meet(fault, protocol)
          assert.deepStrictEqual([response.status, isBroken, request?.fault], [200, false, "ErrorEvent 503"])
          const events = framed(protocol, text)
          assert.strictEqual(events.length, 5)
          assert.match(events[4] ?? "", errors[protocol])
        }))

      const markers: Record<Protocol, string> = {
        "openai-chat": "\"finish_reason\":\"stop\"",
        "openai-responses": "response.completed",
        "anthropic-messages": "message_stop",
        gemini: "finishReason",
        ollama: "\"done\":true"
      }
      it.live(`${protocol}: noTerminalMarker and doneWithoutFinish leave out the end`, () =>
        Effect.gen(function*() {
          assert.include(yield* whole(protocol), markers[protocol])
          const bare = yield* meet(Simulator.noTerminalMarker, protocol)
          const done = yield* meet(Simulator.doneWithoutFinish, protocol)
          for (const { isBroken, text: sent } of [bare, done]) {
            assert.strictEqual(isBroken, false)
            assert.isTrue(text.startsWith(said(protocol, sent)) && said(protocol, sent).length > 50)
            assert.notInclude(sent, markers[protocol])
          }
          assert.strictEqual(/\[DONE\]/.test(bare.text), false)
          assert.strictEqual(/data: \[DONE\]\s+$/.test(done.text), protocol !== "ollama")
        }))

      it.live(`${protocol}: duplicateStart, crlfLines and byteByByte change the form only`, () =>
        Effect.gen(function*() {
          const all = yield* whole(protocol)
          const twice = framed(protocol, (yield* meet(Simulator.duplicateStart, protocol)).text)
          const starts = { "openai-chat": 1, "openai-responses": 2, "anthropic-messages": 1, gemini: 0, ollama: 0 }
          const count = starts[protocol]
          assert.strictEqual(twice.length, framed(protocol, all).length + count)
          assert.deepStrictEqual(twice.slice(0, count), twice.slice(count, 2 * count))
          assert.strictEqual(said(protocol, twice.join("")), text)

          const crlf = yield* meet(Simulator.crlfLines, protocol)
          assert.strictEqual(/(?<!\r)\n/.test(crlf.text), false)
          assert.strictEqual(said(protocol, crlf.text), text)

          for (const streaming of [true, false]) {
            const sizes = yield* chunkSizes(Simulator.byteByByte, protocol, streaming)
            assert.isAbove(sizes.length, 300)
            assert.strictEqual(Math.max(...sizes), 1)
          }
          assert.strictEqual(said(protocol, (yield* meet(Simulator.byteByByte, protocol)).text), text)
        }))

      it.live(`${protocol}: stalledStream and keepAlives send so many events, and nothing more that says anything`, () =>
        Effect.gen(function*() {
          const keepAlive = protocol === "anthropic-messages" ? /^event: ping/ : protocol === "ollama" ? /^\n/ : /^:/
          for (
            const fault of [
              Simulator.stalledStream({ afterEvents: 3 }),
              Simulator.keepAlives({ afterEvents: 3, every: "1 millis" })
            ]
          ) {
            yield* over({ faults: Simulator.always(fault) }, (simulator) =>
              Effect.gen(function*() {
                const { body, headers, path } = requestsOf[protocol](true)
                const response = yield* send(simulator.url + path, body, headers)
                let text = ""
                const reader = yield* Effect.fork(Stream.runForEach(Stream.decodeText(response.stream), (more) =>
                  Effect.sync(() => {
                    text += more
                  })))
                const entire = yield* whole(protocol)
                const startOf = (came: string) =>
                  entire.slice(0, framed(protocol, came).slice(0, 3).join("").length)
                yield* eventually(
                  "three events, and what keeps the stream alive",
                  Effect.sync(() => {
                    const rest = text.slice(startOf(text).length)
                    return framed(protocol, text).length >= 3 &&
                      (fault._tag === "StalledStream" || keepAlive.test(rest))
                  })
                )
                yield* Effect.sleep("20 millis")
                assert.strictEqual(reader.unsafePoll(), null)
                yield* Fiber.interrupt(reader)
                const start = startOf(text)
                const rest = text.slice(start.length)
                if (fault._tag === "StalledStream") assert.strictEqual(rest, "")
                else assert.match(rest, keepAlive)
                assert.notMatch(rest, /flows/)
                assert.strictEqual((yield* lastEnds(simulator))?.outcome, "aborted")
              }))
          }
        }))

      it.live(`${protocol}: those of whole answers happen to streams, too`, () =>
        Effect.gen(function*() {
          const { length } = yield* whole(protocol)
          const half = yield* meet(Simulator.halfJson, protocol)
          assert.deepStrictEqual([half.isBroken, half.text.length], [false, Math.floor(length / 2)])
          const cut = yield* meet(Simulator.cut, protocol)
          assert.deepStrictEqual([cut.isBroken, cut.text.length], [true, Math.floor(length / 2)])
          const slow = yield* meet(Simulator.slowBody({ chunkBytes: 200, delay: "1 millis" }), protocol)
          assert.deepStrictEqual([said(protocol, slow.text), slow.request?.outcome], [text, "faulted"])
          const empty = yield* meet(Simulator.emptyBody(), protocol)
          assert.deepStrictEqual([empty.text, empty.response.status], ["", 200])
          const limited = yield* meet(Simulator.status(429), protocol)
          assert.deepStrictEqual([limited.response.status, limited.isBroken], [429, false])
          assert.match(limited.response.headers["content-type"] ?? "", /^application\/json/)
          const page = yield* meet(Simulator.html(200), protocol)
          assert.match(page.text, /^<!DOCTYPE html>/)
        }))

      it.live(`${protocol}: on an answer that is not streamed, they do what comes nearest`, () =>
        Effect.gen(function*() {
          const met = (fault: Simulator.Fault) => meet(fault, protocol, false)
          const answer = yield* met(Simulator.ok)
          const { length } = answer.text
          const half = Math.floor(length / 2)
          const cut = yield* met(Simulator.cutStream({ afterEvents: 9 }))
          assert.deepStrictEqual([cut.isBroken, cut.text.length], [true, half])
          const ended = yield* met(Simulator.endStream({ afterEvents: 9 }))
          assert.deepStrictEqual([ended.isBroken, ended.text.length], [false, half])
          assert.strictEqual((yield* met(Simulator.cutStream({ afterBytes: 7 }))).text.length, 7)
          assert.strictEqual((yield* met(Simulator.errorEvent({ afterEvents: 4, status: 503 }))).response.status, 503)
          for (
            const fault of [
              Simulator.noTerminalMarker,
              Simulator.doneWithoutFinish,
              Simulator.duplicateStart,
              Simulator.crlfLines
            ]
          ) {
            const { request, text } = yield* met(fault)
            assert.deepStrictEqual([text.length, request?.outcome, request?.fault], [length, "answered", fault._tag])
          }
          assert.strictEqual((yield* met(Simulator.byteByByte)).text.length, length)
        }))
    }

    it.live("keepAlives: an answer that is not streamed is held back behind empty lines", () =>
      over(
        { faults: Simulator.always(Simulator.keepAlives({ every: "1 millis" })) },
        (simulator) =>
          Effect.gen(function*() {
            const { body, path } = requestsOf["openai-chat"](false)
            const response = yield* send(simulator.url + path, body)
            const chunks = yield* Stream.runCollect(Stream.take(Stream.decodeText(response.stream), 3))
            assert.match(Chunk.join(chunks, ""), /^\n+$/)
          })
      ))

    it.live("are offered by name: the harmless ones, and those that break off a stream", () =>
      Effect.gen(function*() {
        for (const fault of Object.values(Simulator.faults.harmless)) {
          assert.strictEqual(said("openai-chat", (yield* meet(fault)).text), text)
        }
        const { keepAlives, stalledStream, ...others } = Simulator.faults.stream
        assert.deepStrictEqual([keepAlives, stalledStream].map(Simulator.describe), ["KeepAlives", "StalledStream"])
        for (const fault of Object.values(others)) {
          assert.notInclude((yield* meet(fault)).text, "\"finish_reason\":\"stop\"", Simulator.describe(fault))
        }
      }))
  })

  describe("a client that leaves", () => {
    for (const protocol of protocols) {
      it.live(`${protocol}: is noted at once`, () =>
        over({ pace: "5 millis" }, (simulator) =>
          Effect.gen(function*() {
            const { body, headers, path } = requestsOf[protocol](true)
            const response = yield* send(simulator.url + path, body, headers)
            yield* Stream.runDrain(Stream.take(response.stream, 2))
            const [elapsed, request] = yield* Effect.timed(lastEnds(simulator))
            assert.deepStrictEqual([request?.outcome, request?.status], ["aborted", 200])
            assert.isBelow(Duration.toMillis(elapsed), 5_000)
          })))
    }
  })
})
