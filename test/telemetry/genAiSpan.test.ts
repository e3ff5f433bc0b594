import { assert, describe, it } from "@effect/vitest"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as Message from "effect-llm/Message"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { noCache } from "../support/caches.js"
import { failure, serverFailed } from "../support/errors.js"
import { type Recorded, recorder, treeOf } from "../support/recordedSpans.js"
import { request, respond } from "../support/samples.js"
import { scriptedClient } from "../support/scriptedClient.js"
import { everyStream, steps } from "../support/scriptedStreams.js"
import { settle, within } from "../support/testClock.js"

const chats = (spans: ReadonlyArray<Recorded>) => spans.filter(({ name }) => name.startsWith("chat"))

/** The one span of the calls, which must have ended. */
const only = (spans: ReadonlyArray<Recorded>): Recorded => {
  const [span, ...others] = chats(spans)
  assert(span !== undefined && others.length === 0, `${chats(spans).length} spans`)
  assert.strictEqual(span.status._tag, "Ended")
  return span
}

const secondsOf = ({ status }: Recorded): number =>
  status._tag === "Ended" ? Number(status.endTime - status.startTime) / 1e9 : NaN

/** The error of a run at its caller's deadline, which ends with that of the run: the caller's comes first. */
const atDeadline = "Interrupted"

describe("genAiSpan", () => {
  describe("has the attributes of the conventions' span gen_ai.client.inference, v0.1.0:", () => {
    const outputSchema = { name: "rivers", schema: { type: "object" } }
    const ask = {
      ...request,
      temperature: 0,
      maxTokens: 100,
      topP: 0.9,
      topK: 40,
      seed: 7,
      stop: ["\n\n", "END"],
      reasoningEffort: "low",
      outputSchema
    } as const
    const answer = respond("Elbe", {
      id: "chatcmpl-1",
      model: "gpt-4o-mini-2024-07-18",
      finishReason: "tool_calls",
      cost: 0.25,
      usage: { inputTokens: 11, cachedInputTokens: 3, cacheWriteTokens: 2, outputTokens: 7, reasoningTokens: 5 }
    })

    /** The convention's attributes, with those that the library has no notion of: there is nothing to report. */
    const table: ReadonlyArray<readonly [name: string, value: unknown]> = [
      ["gen_ai.operation.name", "chat"],
      ["gen_ai.provider.name", "gcp.gemini"],
      ["error.type", undefined],
      ["gen_ai.conversation.id", undefined],
      ["gen_ai.output.type", "json"],
      ["gen_ai.prompt.name", undefined],
      ["gen_ai.prompt.version", undefined],
      ["gen_ai.request.choice.count", undefined],
      ["gen_ai.request.model", "gpt-4o-mini"],
      ["gen_ai.request.seed", 7],
      ["gen_ai.request.stream", true],
      ["gen_ai.request.top_k", 40],
      ["server.port", 8443],
      ["gen_ai.conversation.compacted", undefined],
      ["gen_ai.request.frequency_penalty", undefined],
      ["gen_ai.request.max_tokens", 100],
      ["gen_ai.request.presence_penalty", undefined],
      ["gen_ai.request.previous_response.id", undefined],
      ["gen_ai.request.reasoning.level", "low"],
      ["gen_ai.request.stop_sequences", ["\n\n", "END"]],
      ["gen_ai.request.temperature", 0],
      ["gen_ai.request.top_p", 0.9],
      ["gen_ai.response.finish_reasons", ["tool_calls"]],
      ["gen_ai.response.id", "chatcmpl-1"],
      ["gen_ai.response.model", "gpt-4o-mini-2024-07-18"],
      ["gen_ai.response.time_to_first_chunk", 2],
      ["gen_ai.usage.cache_read.input_tokens", 3],
      ["gen_ai.usage.cache_write.input_tokens", 2],
      ["gen_ai.usage.input_tokens", 11],
      ["gen_ai.usage.output_tokens", 7],
      ["gen_ai.usage.reasoning.output_tokens", 5],
      ["server.address", "llm.example"],
      ["gen_ai.input.messages", undefined],
      ["gen_ai.output.messages", undefined],
      ["gen_ai.system_instructions", undefined],
      ["gen_ai.tool.definitions", undefined],
      // Ours.
      ["effect_llm.cost", 0.25],
      ["effect_llm.queued_for", undefined]
    ]

    const streamed = Effect.gen(function*() {
      const { spans, traced } = recorder()
      const { client } = yield* scriptedClient(
        [everyStream(() => steps(2_000, "Elbe", 1_000, answer))],
        { name: "gemini", endpoint: "https://llm.example:8443/v1" }
      )
      yield* within("3 seconds")(traced(Stream.runDrain(client.stream(ask))))
      return only(spans)
    })

    for (const [name, value] of table) {
      it.scoped(`${name} is ${value === undefined ? "absent" : JSON.stringify(value)}`, () =>
        Effect.gen(function*() {
          const { attributes } = yield* streamed
          assert.deepStrictEqual(attributes.get(name), value)
          assert.strictEqual(attributes.has(name), value !== undefined)
        }))
    }

    it.scoped("and no others", () =>
      Effect.gen(function*() {
        const span = yield* streamed
        const names = new Set(table.map(([name]) => name))
        assert.deepStrictEqual([span.name, span.kind], ["chat gpt-4o-mini", "client"])
        assert.deepStrictEqual([...span.attributes.keys()].filter((name) => !names.has(name)), [])
        assert(span.status._tag === "Ended")
        assert.strictEqual(span.status.exit._tag, "Success")
      }))

    it.scoped("the same of a call, but for those of a stream", () =>
      Effect.gen(function*() {
        const { spans, traced } = recorder()
        const { client } = yield* scriptedClient([Effect.succeed(answer)], {
          name: "gemini",
          endpoint: "https://llm.example:8443/v1"
        })
        yield* traced(client.call(ask))
        const expected = table.filter(([name, value]) =>
          value !== undefined && name !== "gen_ai.request.stream" && name !== "gen_ai.response.time_to_first_chunk"
        )
        assert.deepStrictEqual(
          Object.fromEntries(only(spans).attributes),
          Object.fromEntries(expected)
        )
      }))
  })

  it.scoped("leaves out what is not known", () =>
    Effect.gen(function*() {
      const { spans, traced } = recorder()
      const { client } = yield* scriptedClient([LlmTest.text("Elbe", { usage: {} })])
      yield* traced(client.call(request))
      assert.deepStrictEqual([...only(spans).attributes.keys()].sort(), [
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "gen_ai.response.finish_reasons",
        "gen_ai.response.model"
      ])
    }))

  it.scoped("counts all attempts and waits of a call as its one span", () =>
    Effect.gen(function*() {
      const { spans, traced } = recorder()
      const { client } = yield* scriptedClient([
        Effect.delay(serverFailed, "1 second"),
        Effect.delay(LlmTest.text("Elbe"), "2 seconds")
      ], {
        client: { retry: { jitter: false } }
      })
      yield* within("1 minute")(traced(client.call(request)))
      const span = only(spans)
      assert.strictEqual(secondsOf(span), 4)
      assert.isFalse(span.attributes.has("error.type"))
    }))

  it.scoped("is a child of the caller's span, and the parent of the provider's", () =>
    Effect.gen(function*() {
      const { spans, traced } = recorder()
      const { client } = yield* scriptedClient([Effect.withSpan(LlmTest.text("Elbe"), "POST")])
      yield* client.call(request).pipe(Effect.withSpan("summarize"), traced)
      assert.deepStrictEqual(treeOf(spans), ["summarize", "  chat gpt-4o-mini", "    attempt 1", "      POST"])
    }))

  it.scoped("makes none for an answer from the cache, and one for each run that calls share", () =>
    Effect.gen(function*() {
      const { spans, traced } = recorder()
      const { client } = yield* scriptedClient([LlmTest.repeat(Effect.delay(LlmTest.text("Elbe"), "1 second"))])
      yield* within("1 second")(traced(Effect.all([client.call(request), client.call(request)], { concurrency: 2 })))
      assert.strictEqual(chats(spans).length, 1)
      yield* traced(client.call(request))
      assert.strictEqual(chats(spans).length, 1)
      yield* within("1 second")(traced(client.call(request, { cache: "bypass" })))
      assert.strictEqual(chats(spans).length, 2)
      yield* traced(Effect.exit(client.call({ ...request, temperature: NaN })))
      assert.strictEqual(chats(spans).length, 2)
    }))

  it.scoped("reports a failure by its reason, with the status of a failed span", () =>
    Effect.gen(function*() {
      const { client } = yield* scriptedClient(
        [LlmTest.repeat((request) =>
          failure(request.seed === 1 ? LlmError.ContentFiltered.make({}) : LlmError.RateLimited.make({}))
        )],
        { cache: noCache }
      )
      for (const [seed, reason] of [[1, "ContentFiltered"], [2, "RateLimited"]] as const) {
        const { spans, traced } = recorder()
        yield* Effect.exit(traced(client.call({ ...request, seed }, { retry: false })))
        const span = only(spans)
        assert.strictEqual(span.attributes.get("error.type"), reason)
        assert.isFalse(span.attributes.has("gen_ai.response.model"))
        assert(span.status._tag === "Ended")
        assert.strictEqual(span.status.exit._tag, "Failure")
      }
    }))

  it.scoped("reports the limit of an attempt, a deadline that passed, an interruption and a bug", () =>
    Effect.gen(function*() {
      const { client } = yield* scriptedClient(
        [LlmTest.repeat((request) => request.seed === 4 ? Effect.dieMessage("a bug") : Effect.never)],
        { cache: noCache }
      )
      const typeOf = (call: Effect.Effect<unknown, unknown>) =>
        Effect.gen(function*() {
          const { spans, traced } = recorder()
          const fiber = yield* Effect.fork(traced(call))
          yield* TestClock.adjust("1 second")
          yield* Fiber.interrupt(fiber)
          return only(spans).attributes.get("error.type")
        })
      const attempt = { timeout: "1 second", retry: false } as const
      assert.strictEqual(yield* typeOf(client.call({ ...request, seed: 1 }, attempt)), "TimedOut")
      assert.strictEqual(yield* typeOf(client.call({ ...request, seed: 2 }, { deadline: "1 second" })), atDeadline)
      assert.strictEqual(yield* typeOf(client.call({ ...request, seed: 3 })), "Interrupted")
      assert.strictEqual(yield* typeOf(client.call({ ...request, seed: 4 })), "_OTHER")
    }))

  it.scoped("ends the span of a run that outlives its first caller with the run", () =>
    Effect.gen(function*() {
      const { spans, traced } = recorder()
      const { client } = yield* scriptedClient([Effect.delay(LlmTest.text("Elbe"), "2 seconds")])
      const first = yield* Effect.fork(traced(client.call(request)))
      yield* settle
      const second = yield* Effect.fork(traced(client.call(request)))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(first)
      assert.strictEqual(chats(spans)[0]?.status._tag, "Started")
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(second)
      assert.strictEqual(secondsOf(only(spans)), 2)
    }))

  it.scoped("holds no part of the prompt or the answer: not in names, attributes or errors", () =>
    Effect.gen(function*() {
      const needle = "xylophone"
      const { spans, traced } = recorder()
      const said = (text: string) => `${text} ${needle}`
      const { provide } = yield* scriptedClient([
        Effect.succeed(respond(said("answer"), {
          parts: [
            Message.Reasoning.make({ text: said("thought") }),
            Message.Text.make({ text: said("answer") }),
            Message.ToolCall.make({ id: "call_1", name: "map", arguments: { river: said("argument") } })
          ]
        })),
        failure(LlmError.OutputInvalid.make({ text: said("answer"), issues: [{ path: "a", expected: "a number" }] })),
        failure(LlmError.ToolArgumentsInvalid.make({ raw: said("raw") }))
      ])
      const call = (seed: number) =>
        LlmClient.call({
          model: "gpt-4o-mini",
          seed,
          system: said("system"),
          user: said("user"),
          messages: [
            { role: "user", content: said("question") },
            { role: "assistant", content: said("earlier") },
            { role: "user", content: said("prompt") }
          ],
          tools: [{ name: "map", description: said("description"), parameters: { title: said("parameters") } }],
          providerOptions: { openai: { note: said("option") } }
        })
      yield* traced(provide(Effect.forEach([1, 2, 3], (seed) => Effect.exit(call(seed)))))
      assert.strictEqual(chats(spans).length, 3)
      for (const { attributes, name, status } of spans) {
        const cause = status._tag === "Ended" && status.exit._tag === "Failure" ? status.exit.cause : Cause.empty
        const seen = [name, JSON.stringify([...attributes]), Cause.pretty(cause), JSON.stringify(cause)].join("\n")
        assert.notInclude(seen, needle)
      }
    }))

  it.scoped("holds all attempts of a call in its one span, though the first one took too long", () =>
    Effect.gen(function*() {
      const { spans, traced } = recorder()
      const slow = Effect.withSpan(Effect.never, "first")
      const quick = Effect.withSpan(LlmTest.text("Elbe"), "second")
      const { client } = yield* scriptedClient([slow, quick], {
        client: { timeout: "10 seconds", retry: { jitter: false } }
      })
      yield* within("11 seconds")(traced(client.call(request)))
      const span = only(spans)
      assert.strictEqual(secondsOf(span), 11)
      assert.strictEqual(span.attributes.get("gen_ai.response.finish_reasons")?.toString(), "stop")
      assert.deepStrictEqual(treeOf(spans), [
        "chat gpt-4o-mini",
        "  attempt 1",
        "    first",
        "  attempt 2",
        "    second"
      ])
      const attempts = spans.filter(({ name }) => name.startsWith("attempt"))
      assert.deepStrictEqual(attempts.map(({ attributes }) => Object.fromEntries(attributes)), [
        { "error.type": "TimedOut" },
        {}
      ])
      assert.deepStrictEqual(attempts.map(secondsOf), [10, 0])
    }))
})
