import { assert, describe, it } from "@effect/vitest"
import type * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as Message from "effect-llm/Message"
import * as StreamPart from "effect-llm/StreamPart"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { seen, seenWithin } from "../support/consumers.js"
import { failure, serverFailed } from "../support/errors.js"
import { errorOf } from "../support/exits.js"
import { request, respond } from "../support/samples.js"
import { scriptedClient } from "../support/scriptedClient.js"
import { type Step, steps, streams } from "../support/scriptedStreams.js"
import { within } from "../support/testClock.js"

const rivers = respond("Elbe, Oder")

const elbe = { text: "Elbe, ", parts: [Message.Text.make({ text: "Elbe, " })] }

/** The part of an answer that a failure has, as plain data. */
const partialOf = ({ partial }: LlmError.LlmError) => partial && { ...partial }

const reasons: ReadonlyArray<LlmError.Reason> = [
  LlmError.ServerFailed.make({ message: "boom" }),
  LlmError.Overloaded.make({}),
  LlmError.RateLimited.make({}),
  LlmError.QuotaExhausted.make({}),
  LlmError.ContentFiltered.make({}),
  LlmError.NetworkFailed.make({ code: "ECONNRESET" }),
  LlmError.MalformedResponse.make({}),
  LlmError.ToolArgumentsInvalid.make({ raw: "{" }),
  LlmError.StreamInterrupted.make({ partial: { text: "", parts: [] } })
]

/** The failure of a stream that a provider gives in these steps. */
const failed = (given: ReadonlyArray<Step>, options?: LlmClient.CallOptions) =>
  Effect.gen(function*() {
    const { client } = yield* scriptedClient(streams(steps(...given)))
    return errorOf((yield* seenWithin("2 minutes", client.stream(request, options))).exit)
  })

describe("LlmError.partial: of a stream", () => {
  for (const reason of reasons) {
    it.scoped(`is what had come before ${reason._tag}`, () =>
      Effect.gen(function*() {
        const error = yield* failed(["El", "be, ", failure(reason)])
        assert.strictEqual(error.reason._tag, reason._tag)
        assert.deepStrictEqual(partialOf(error), elbe)
      }))
  }

  it.scoped("is what had come before a limit passed, or before it ended without its end", () =>
    Effect.gen(function*() {
      const idle = yield* failed(["Elbe, ", 60_000, rivers], { idleTimeout: "10 seconds" })
      assert.deepInclude(idle.reason, { _tag: "TimedOut", phase: "idle" })
      assert.deepStrictEqual(partialOf(idle), elbe)

      const late = yield* failed(["Elbe, ", 60_000, rivers], { deadline: "10 seconds" })
      assert.deepInclude(late.reason, { _tag: "TimedOut", phase: "total" })
      assert.deepStrictEqual(partialOf(late), elbe)

      const ended = yield* failed(["Elbe, "])
      assert(ended.reason._tag === "StreamInterrupted")
      assert.deepStrictEqual(ended.reason.partial, elbe)
      assert.deepStrictEqual(partialOf(ended), elbe)
    }))

  it.scoped("has all kinds of parts in their order, and calls that were not whole as incomplete", () =>
    Effect.gen(function*() {
      const source = Message.Source.make({ provider: "p", kind: "url_citation", json: {} })
      const opaque = Message.Opaque.make({ provider: "p", kind: "search", json: { n: 1 } })
      const error = yield* failed([
        [StreamPart.ReasoningDelta({ text: "h" }), StreamPart.ReasoningDelta({ text: "m" })],
        "Elbe",
        [source, StreamPart.ToolCallStart({ id: "1", name: "f" }), StreamPart.ToolCallStart({ id: "2", name: "g" })],
        [StreamPart.ToolCallDelta({ id: "1", delta: "{\"a\":" }), StreamPart.ToolCallDelta({ id: "2", delta: "{\"b" })],
        [StreamPart.ToolCallDelta({ id: "1", delta: "1}" }), opaque],
        [StreamPart.ToolCallEnd({ id: "1", name: "f", arguments: { a: 1 } })],
        ", Oder",
        serverFailed
      ])
      assert.deepStrictEqual(partialOf(error), {
        text: "Elbe, Oder",
        parts: [
          Message.Reasoning.make({ text: "hm" }),
          Message.Text.make({ text: "Elbe" }),
          source,
          Message.ToolCall.make({ id: "1", name: "f", arguments: { a: 1 } }),
          Message.ToolCall.make({ id: "2", name: "g", arguments: "{\"b", incomplete: true }),
          opaque,
          Message.Text.make({ text: ", Oder" })
        ]
      })
    }))

  it.scoped("is the provider's own where it has one, which knows more than the parts say", () =>
    Effect.gen(function*() {
      const partial = { text: "Elbe", parts: [Message.Text.make({ text: "Elbe", signature: "c2ln" })] }
      const error = yield* failed(["Elbe, ", failure(LlmError.ServerFailed.make({}), { partial })])
      assert.deepStrictEqual(partialOf(error), partial)
    }))

  it.scoped("is absent before the first part", () =>
    Effect.gen(function*() {
      const { client } = yield* scriptedClient(streams(steps(serverFailed)), { client: { retry: false } })
      assert.isUndefined(errorOf((yield* seen(client.stream(request))).exit).partial)
    }))
})

describe("LlmError.partial: of a call with streaming", () => {
  const streaming = { streaming: true, deadline: "1 minute", idleTimeout: "5 minutes" } as const

  for (const reason of reasons) {
    it.scoped(`is what had come before ${reason._tag}`, () =>
      Effect.gen(function*() {
        const { client } = yield* scriptedClient(streams(steps("El", "be, ", failure(reason))), {
          client: { retry: false }
        })
        const error = yield* Effect.flip(client.call(request, streaming))
        assert.strictEqual(error.reason._tag, reason._tag)
        assert.deepStrictEqual(partialOf(error), elbe)
      }))
  }

  it.scoped("is that of the last attempt", () =>
    Effect.gen(function*() {
      const { client } = yield* scriptedClient(
        streams(
          steps("Oder", serverFailed),
          steps("Elbe, ", serverFailed),
          steps("Oder", serverFailed),
          steps(serverFailed)
        ),
        { client: { retry: { times: 1 } } }
      )
      const call = within("1 minute")(client.call(request, streaming))
      assert.deepStrictEqual(partialOf(errorOf(yield* call)), elbe)
      assert.isUndefined(errorOf(yield* call).partial)
    }))

  it.scoped("is what had come when the deadline passed, also for those who share the run", () =>
    Effect.gen(function*() {
      const { client, requests } = yield* scriptedClient(streams(steps("Elbe, ", 300_000, rivers)))
      const first = yield* Effect.fork(Effect.flip(client.call(request, streaming)))
      yield* TestClock.adjust("1 second")
      const second = yield* Effect.fork(Effect.flip(client.call(request, { ...streaming, deadline: "10 seconds" })))
      yield* TestClock.adjust("2 minutes")
      for (const fiber of [first, second]) {
        const error = yield* Fiber.join(fiber)
        assert.deepInclude(error.reason, { _tag: "TimedOut", phase: "total" })
        assert.deepStrictEqual(partialOf(error), elbe)
      }
      assert.strictEqual((yield* requests).length, 1)
    }))

  it.scoped("is absent of a call that asks for no stream", () =>
    Effect.gen(function*() {
      const { client } = yield* scriptedClient([serverFailed], { client: { retry: false } })
      assert.isUndefined((yield* Effect.flip(client.call(request))).partial)
    }))
})
