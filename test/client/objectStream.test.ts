import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import type * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as StreamPart from "effect-llm/StreamPart"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { errorOf, valueOf } from "../support/exits.js"
import { callLines, scriptedClient } from "../support/scriptedClient.js"
import * as Scripted from "../support/scriptedStreams.js"
import { within } from "../support/testClock.js"

const River = Schema.Struct({
  name: Schema.String,
  length: Schema.NumberFromString,
  towns: Schema.Array(Schema.String),
  source: Schema.optional(Schema.String)
}).annotations({ identifier: "River" })

const elbe = { name: "Elbe", length: 1094, towns: ["Dresden", "Hamburg"] }
const pieces = ["{\"name\":\"El", "be\",\"length\":\"1094\"", ",\"towns\":[\"Dres", "den\",", "\"Hamburg\"]", "}"]
const text = pieces.join("")
const request = { model: "m", prompt: "Describe the Elbe." } as const

const answer = (text: string, fields: Partial<Parameters<typeof LlmResponse.make>[0]> = {}) =>
  LlmResponse.make({
    parts: [Message.Text.make({ text })],
    finishReason: "stop",
    model: "m",
    provider: "scripted",
    ...fields
  })

/** What a consumer sees: each part in one line, and how it ended. */
const seen = <A, I>(parts: Stream.Stream<LlmClient.ObjectPart<A, I>, LlmError.LlmError>) =>
  Effect.gen(function*() {
    const lines: Array<string> = []
    const exit = yield* Effect.exit(
      Stream.runForEach(parts, ({ _tag, value }) => Effect.sync(() => lines.push(`${_tag} ${JSON.stringify(value)}`)))
    )
    return { lines, exit }
  })

const all = [
  "Partial {\"name\":\"El\"}",
  "Partial {\"name\":\"Elbe\",\"length\":\"1094\"}",
  "Partial {\"name\":\"Elbe\",\"length\":\"1094\",\"towns\":[]}",
  "Partial {\"name\":\"Elbe\",\"length\":\"1094\",\"towns\":[\"Dresden\"]}",
  "Partial {\"name\":\"Elbe\",\"length\":\"1094\",\"towns\":[\"Dresden\",\"Hamburg\"]}",
  "Finish {\"name\":\"Elbe\",\"length\":1094,\"towns\":[\"Dresden\",\"Hamburg\"]}"
]

describe("LlmClient.streamObject", () => {
  it.scoped("gives the partial value after each piece that adds to it, and the decoded value at the end", () =>
    Effect.gen(function*() {
      const { client, events, requests } = yield* scriptedClient(
        Scripted.streams(Scripted.steps(...pieces, answer(text)))
      )
      const stream = client.streamObject(River, request)
      expectTypeOf(stream).toEqualTypeOf<
        Stream.Stream<LlmClient.ObjectPart<typeof River.Type, typeof River.Encoded>, LlmError.LlmError>
      >()
      const { exit, lines } = yield* seen(stream)
      assert.deepStrictEqual(exit, Exit.void)
      assert.deepStrictEqual(lines, all)
      assert.strictEqual((yield* requests).length, 1)
      assert.deepStrictEqual(callLines(yield* events), ["CallStarted 1", "CallOk 1"])
    }))

  it.scoped("gives at most one partial value for each chunk, and none for one that adds nothing", () =>
    Effect.gen(function*() {
      const tokens = [...text].map((text) => StreamPart.TextDelta({ text }))
      const { client } = yield* scriptedClient(Scripted.streams(Scripted.steps(
        [StreamPart.ReasoningDelta({ text: "Hm." })],
        "Here it is:\n```json\n",
        tokens,
        Scripted.nothing,
        "\n```",
        answer(`Here it is:\n\`\`\`json\n${text}\n\`\`\``)
      )))
      const chunks = yield* Stream.runCollect(Stream.chunks(client.streamObject(River, request)))
      assert.deepStrictEqual(
        Array.from(chunks, (chunk) => Array.from(chunk, ({ _tag }) => _tag)),
        [["Partial"], ["Finish"]]
      )
    }))

  it.scoped("gives the response at the end, with all that is known of it", () =>
    Effect.gen(function*() {
      const whole = answer(text, { usage: { inputTokens: 10, outputTokens: 5 }, requestId: "req_1" })
      const { client } = yield* scriptedClient(Scripted.streams(Scripted.steps(...pieces, 1000, whole)))
      const last = valueOf(yield* within("1 minute")(Stream.runLast(client.streamObject(River, request))))
      assert(Option.isSome(last) && last.value._tag === "Finish")
      const { response } = last.value
      assert.strictEqual(response.text, text)
      assert.deepInclude(response, { origin: "provider", attempts: 1, requestId: "req_1" })
      assert.deepStrictEqual(response.usage, { inputTokens: 10, outputTokens: 5 })
      assert.deepStrictEqual(response.latency, Duration.seconds(1))
    }))

  it.scoped("decodes with the services that the schema needs", () =>
    Effect.gen(function*() {
      class Unit extends Context.Tag("Unit")<Unit, number>() {}
      const Metres = Schema.transformOrFail(Schema.Number, Schema.Number, {
        strict: true,
        decode: (kilometres) => Effect.map(Unit, (unit) => kilometres * unit),
        encode: (metres) => Effect.map(Unit, (unit) => metres / unit)
      })
      const { client } = yield* scriptedClient(
        Scripted.streams(Scripted.steps("{\"length\":1094}", answer("{\"length\":1094}")))
      )
      const stream = client.streamObject(Schema.Struct({ length: Metres }), request)
      const { lines } = yield* seen(Stream.provideService(stream, Unit, 1000))
      assert.deepStrictEqual(lines, ["Partial {\"length\":1094}", "Finish {\"length\":1094000}"])
    }))

  it.scoped("reads the arguments of the call of its tool, and of no other", () =>
    Effect.gen(function*() {
      const call = (id: string, name: string, json: string, value: unknown) => [
        [StreamPart.ToolCallStart({ id, name })],
        ...json.split(/(?<=,)/).map((delta) => [StreamPart.ToolCallDelta({ id, delta })]),
        [StreamPart.ToolCallEnd({ id, name, arguments: value })]
      ]
      const value = { name: "Elbe", length: "1", towns: [] }
      const json = JSON.stringify(value)
      const { client } = yield* scriptedClient(Scripted.streams(Scripted.steps(
        "Text: {\"name\":\"Oder\"}",
        ...call("a", "look_up", "{\"name\":\"Rhine\"}", { name: "Rhine" }),
        ...call("b", "River", json, value),
        answer("", {
          parts: [
            Message.ToolCall.make({ id: "a", name: "look_up", arguments: { name: "Rhine" } }),
            Message.ToolCall.make({ id: "b", name: "River", arguments: value })
          ],
          finishReason: "tool_calls"
        })
      )))
      const { lines } = yield* seen(client.streamObject(River, request, { mode: "tool" }))
      assert.deepStrictEqual(lines, [
        "Partial {\"name\":\"Elbe\"}",
        "Partial {\"name\":\"Elbe\",\"length\":\"1\"}",
        "Partial {\"name\":\"Elbe\",\"length\":\"1\",\"towns\":[]}",
        "Finish {\"name\":\"Elbe\",\"length\":1,\"towns\":[]}"
      ])
    }))

  describe("fails", () => {
    const cases: ReadonlyArray<readonly [what: string, response: LlmResponse.LlmResponse, reason: string]> = [
      ["a refusal, however well it fits", answer(text, { finishReason: "refusal" }), "Refused"],
      [
        "a refusal in parts before all else",
        answer(text, {
          parts: [Message.Refusal.make({ text: "No." }), Message.Text.make({ text })],
          finishReason: "length"
        }),
        "Refused"
      ],
      ["a filter", answer(text, { finishReason: "content_filter" }), "ContentFiltered"],
      ["the token limit, even behind the last bracket", answer(text, { finishReason: "length" }), "OutputTruncated"],
      ["a full context", answer(text, { finishReason: "context_window" }), "OutputTruncated"],
      ["half a JSON that claims to be whole", answer(text.slice(0, -3)), "OutputInvalid"],
      ["what does not fit", answer("{\"name\":\"Elbe\"}"), "OutputInvalid"]
    ]
    it.scoped.each(cases)("for %s, behind what had come", ([_, response, reason]) =>
      Effect.gen(function*() {
        const { client, events, requests } = yield* scriptedClient(
          Scripted.streams(Scripted.steps("{\"name\":\"Elbe\",", response))
        )
        const { exit, lines } = yield* seen(client.streamObject(River, request))
        assert.deepStrictEqual(lines, ["Partial {\"name\":\"Elbe\"}"])
        const error = errorOf(exit)
        assert.strictEqual(error.reason._tag, reason)
        assert.deepInclude(error, { operation: "streamObject", attempts: 1, provider: "scripted", model: "m" })
        // What was shown cannot be taken back.
        assert.strictEqual((yield* requests).length, 1)
        assert.deepStrictEqual(
          (yield* events).map(({ _tag }) => _tag).filter((tag) => tag === "OutputRejected" || tag === "CallGaveUp"),
          reason === "OutputInvalid" ? ["OutputRejected", "CallGaveUp"] : ["CallGaveUp"]
        )
      }))

    it.scoped("with the last of the value, where it comes in the same chunk as the end", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient(Scripted.streams(Scripted.steps([
          StreamPart.TextDelta({ text: "{\"name\":\"Elbe\"}" }),
          StreamPart.Finish({ response: answer("{\"name\":\"Elbe\"}") })
        ])))
        const { exit, lines } = yield* seen(client.streamObject(River, request))
        assert.deepStrictEqual(lines, ["Partial {\"name\":\"Elbe\"}"])
        assert.strictEqual(errorOf(exit).reason._tag, "OutputInvalid")
      }))

    it.scoped("as a stream does that breaks off, with what had come, and never with a smaller value", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient(Scripted.streams(Scripted.steps(text)))
        const { exit, lines } = yield* seen(client.streamObject(River, request))
        assert.deepStrictEqual(lines, all.slice(4, 5))
        const { operation, reason } = errorOf(exit)
        assert(reason._tag === "StreamInterrupted")
        assert.strictEqual(reason.partial.text, text)
        assert.strictEqual(operation, "streamObject")
      }))

    it.scoped("before anything is sent, for a schema that the provider cannot take, and a bad request", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([])
        const unsaid = yield* seen(client.streamObject(Schema.Struct({ size: Schema.BigIntFromSelf }), request))
        assert.strictEqual(errorOf(unsaid.exit).reason._tag, "UnsupportedFeature")
        const blank = yield* seen(client.streamObject(River, { model: "m", prompt: " " }))
        assert.strictEqual(errorOf(blank.exit).reason._tag, "InvalidRequest")
        assert.strictEqual(errorOf(blank.exit).operation, "streamObject")
        assert.strictEqual((yield* requests).length, 0)
      }))

    it.effect("where its deadline passes while the schema decodes", () =>
      Effect.gen(function*() {
        const Slow = Schema.transformOrFail(Schema.String, Schema.String, {
          strict: true,
          decode: (text) => Effect.delay(Effect.succeed(text), "1 hour"),
          encode: Effect.succeed
        })
        const { client } = yield* scriptedClient(
          Scripted.streams(Scripted.steps("{\"value\":\"x\"}", answer("{\"value\":\"x\"}")))
        )
        const stream = client.streamObject(Slow, request, { deadline: "5 seconds" })
        const { exit, lines } = valueOf(yield* within("5 seconds")(seen(stream)))
        assert.deepStrictEqual(lines, ["Partial \"x\""])
        assert.deepInclude(errorOf(exit).reason, { _tag: "TimedOut", phase: "total" })
      }).pipe(Effect.scoped))
  })

  describe("as a stream does,", () => {
    const overloaded = new LlmError.LlmError({ reason: LlmError.Overloaded.make({}), operation: "stream", attempts: 1 })

    it.scoped("retries before the first content, and shows nothing twice", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient(
          Scripted.streams(Scripted.steps(overloaded), Scripted.steps(...pieces, answer(text)))
        )
        const { lines } = valueOf(yield* within("1 minute")(seen(client.streamObject(River, request))))
        assert.deepStrictEqual(lines, all)
      }))

    it.scoped("does not retry after it", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient(
          Scripted.streams(Scripted.steps(pieces[0] ?? "", overloaded))
        )
        const { exit, lines } = valueOf(yield* within("1 minute")(seen(client.streamObject(River, request))))
        assert.deepStrictEqual(lines, all.slice(0, 1))
        assert.strictEqual(errorOf(exit).reason._tag, "Overloaded")
        assert.strictEqual((yield* requests).length, 1)
      }))

    it.scoped("limits the time to the first content, and between pieces of it", () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient(
          Scripted.streams(
            Scripted.steps(2_000, ...pieces),
            Scripted.steps(...pieces.slice(0, 2), 2_000, ...pieces.slice(2))
          ),
          { client: { retry: false } }
        )
        const options = { firstPartTimeout: "1 second", idleTimeout: "1 second" } as const
        const first = valueOf(yield* within("1 minute")(seen(client.streamObject(River, request, options))))
        assert.deepInclude(errorOf(first.exit).reason, { _tag: "TimedOut", phase: "firstPart" })
        const idle = valueOf(yield* within("1 minute")(seen(client.streamObject(River, request, options))))
        assert.deepInclude(errorOf(idle.exit).reason, { _tag: "TimedOut", phase: "idle" })
        assert.deepStrictEqual(idle.lines, all.slice(0, 2))
      }))

    it.scoped("asks for no more than is wanted, and closes the request at once where the rest is not", () =>
      Effect.gen(function*() {
        const { client, load, timeline } = yield* scriptedClient(
          Scripted.streams(Scripted.steps(...pieces.flatMap((piece) => [1_000, piece]), answer(text)))
        )
        const stream = Stream.take(client.streamObject(River, request), 2)
        const parts = valueOf(yield* within("1 minute")(Stream.runCollect(stream)))
        assert.strictEqual(parts.length, 2)
        assert.deepStrictEqual(yield* timeline, ["stream 1 at 0", "stream 1 aborted at 2000"])
        assert.strictEqual((yield* load).inFlight, 0)
      }))

    it.scoped("leaves nothing open when it is interrupted", () =>
      Effect.gen(function*() {
        const { client, load } = yield* scriptedClient(Scripted.streams(Scripted.steps(pieces[0] ?? "", 1_000_000)))
        const fiber = yield* Effect.fork(Stream.runDrain(client.streamObject(River, request)))
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* load).inFlight, 1)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual((yield* load).inFlight, 0)
      }))
  })

  describe("keeps in the cache", () => {
    it.scoped("an answer that fits, for itself and for object, and replays it as one part and its end", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient(Scripted.streams(Scripted.steps(...pieces, answer(text))))
        yield* Stream.runDrain(client.streamObject(River, request))
        const { lines } = yield* seen(client.streamObject(River, request))
        assert.deepStrictEqual(lines, all.slice(4))
        const { response, value } = yield* client.object(River, request)
        assert.deepStrictEqual(value, elbe)
        assert.strictEqual(response.origin, "cache")
        assert.strictEqual((yield* requests).length, 1)
      }))

    it.scoped("none that does not fit, is cut off or is only the beginning", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient(
          Scripted.streams(
            Scripted.steps("{\"name\":1}", answer("{\"name\":1}")),
            Scripted.steps(text),
            Scripted.steps(...pieces, answer(text)),
            Scripted.steps(...pieces, answer(text))
          )
        )
        const stream = client.streamObject(River, request)
        yield* Effect.flip(Stream.runDrain(stream))
        yield* Effect.flip(Stream.runDrain(stream))
        yield* Stream.runDrain(Stream.take(stream, 2))
        yield* Stream.runDrain(stream)
        yield* Stream.runDrain(stream)
        assert.strictEqual((yield* requests).length, 4)
      }))

    it.scoped("only what fits, once, and as the provider gave it", () =>
      Effect.gen(function*() {
        const kept: Array<string> = []
        const { client } = yield* scriptedClient(
          Scripted.streams(
            Scripted.steps("{\"name\":1}", answer("{\"name\":1}")),
            Scripted.steps(text, answer(text, { finishReason: "length" })),
            Scripted.steps(...pieces, answer(text))
          ),
          {
            cache: {
              get: () => Effect.succeed(Option.none()),
              set: (_, response) => Effect.sync(() => void kept.push(response.text)),
              remove: () => Effect.void
            }
          }
        )
        const stream = client.streamObject(River, request)
        yield* Effect.flip(Stream.runDrain(stream))
        yield* Effect.flip(Stream.runDrain(stream))
        assert.deepStrictEqual(kept, [])
        yield* Stream.runDrain(stream)
        assert.deepStrictEqual(kept, [text])
      }))

    it.scoped("nothing of which a schema of the same JSON Schema decodes nothing, until it is asked for itself", () =>
      Effect.gen(function*() {
        const Long = River.pipe(Schema.filter(({ length }) => length > 2_000 || "a long river"))
        const long = text.replace("1094", "2850")
        const { client, requests } = yield* scriptedClient(
          Scripted.streams(Scripted.steps(text, answer(text)), Scripted.steps(long, answer(long)))
        )
        yield* Stream.runDrain(client.streamObject(River, request, { name: "River" }))
        const last = yield* Stream.runLast(client.streamObject(Long, request, { name: "River" }))
        assert(Option.isSome(last) && last.value._tag === "Finish")
        assert.strictEqual(last.value.value.length, 2850)
        assert.strictEqual((yield* requests).length, 2)
      }))

    it.scoped("nothing where the caller says so", () =>
      Effect.gen(function*() {
        const { client, requests } = yield* scriptedClient([
          Scripted.everyStream(() => Scripted.steps(text, answer(text)))
        ])
        yield* Stream.runDrain(client.streamObject(River, request, { cache: "bypass" }))
        yield* Stream.runDrain(client.streamObject(River, request, { cache: "readOnly" }))
        yield* Stream.runDrain(client.streamObject(River, request))
        assert.strictEqual((yield* requests).length, 3)
      }))
  })

  it.scoped("goes through thousands of chunks with what is done at each of them bounded", () =>
    Effect.gen(function*() {
      const elements = Array.from({ length: 4_000 }, (_, i) => `${i === 0 ? "" : ","}{"id":${i}}`)
      const text = `{"value":[${elements.join("")}]}`
      const Items = Schema.Array(Schema.Struct({ id: Schema.Number }))
      const { client } = yield* scriptedClient(
        Scripted.streams(Scripted.steps("{\"value\":[", ...elements, "]}", answer(text))),
        {
          cache: Context.get(yield* Effect.context<LlmCache.LlmCache>(), LlmCache.LlmCache)
        }
      )
      let last = 0
      let shown = 0
      const value = yield* client.streamObject(Items, request).pipe(
        Stream.tap((part) =>
          Effect.sync(() => {
            if (part._tag === "Finish") return
            assert.isAtLeast(part.value.length, last)
            shown++
            last = part.value.length
          })
        ),
        Stream.filterMap((part) => part._tag === "Finish" ? Option.some(part.value) : Option.none()),
        Stream.runCollect
      )
      assert.strictEqual(Chunk.unsafeHead(value).length, 4_000)
      assert.strictEqual(last, 4_000)
      assert.isAbove(shown, 2_000)
    }).pipe(Effect.provide(LlmCache.layerNone)))
})
