import { assert, describe, it } from "@effect/vitest"
import type * as LlmClient from "effect-llm/LlmClient"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as Message from "effect-llm/Message"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Stream from "effect/Stream"
import { recorder } from "../support/recordedSpans.js"
import { request, respond } from "../support/samples.js"
import { scriptedClient } from "../support/scriptedClient.js"
import { everyStream, steps } from "../support/scriptedStreams.js"

type TraceContent = NonNullable<LlmClient.Options["traceContent"]>

const answer = respond("Elbe", {
  parts: [
    Message.Reasoning.make({ text: "Hm." }),
    Message.Text.make({ text: "Elbe" }),
    Message.ToolCall.make({ id: "call_1", name: "length", arguments: { river: "Elbe" } })
  ]
})

/** The content that the span of a call holds, decoded. */
const recorded = (traceContent: TraceContent, input: LlmRequest.Input = request) =>
  Effect.gen(function*() {
    const { spans, traced } = recorder()
    const { client } = yield* scriptedClient([Effect.succeed(answer)], { client: { traceContent } })
    yield* traced(client.call(input))
    const attributes = spans[0]!.attributes
    const json = (name: string): unknown => {
      const text = attributes.get(name)
      return typeof text === "string" ? JSON.parse(text) : text
    }
    return {
      attributes,
      system: json("gen_ai.system_instructions"),
      input: json("gen_ai.input.messages"),
      output: json("gen_ai.output.messages"),
      isCut: attributes.get("effect_llm.content.cut")
    }
  }).pipe(Effect.scoped)

describe("traceContent", () => {
  it.effect("records instructions, messages and the answer in the conventions' form", () =>
    Effect.gen(function*() {
      const { input, isCut, output, system } = yield* recorded({}, {
        model: "gpt-4o-mini",
        system: "You are terse.",
        messages: [
          {
            role: "user",
            content: [{ _tag: "Text", text: "Look:" }, { _tag: "Image", url: "https://a.example/b.png" }]
          },
          { role: "assistant", content: [{ _tag: "ToolCall", id: "call_0", name: "look", arguments: { at: 1 } }] },
          { role: "tool", content: [{ _tag: "ToolResult", id: "call_0", result: { seen: true } }] },
          { role: "user", content: [{ _tag: "Image", bytes: new Uint8Array(5), mediaType: "image/png" }] }
        ]
      })
      assert.deepStrictEqual(system, [{ type: "text", content: "You are terse." }])
      assert.deepStrictEqual(input, [
        {
          role: "user",
          parts: [
            { type: "text", content: "Look:" },
            { type: "uri", modality: "image", uri: "https://a.example/b.png" }
          ]
        },
        { role: "assistant", parts: [{ type: "tool_call", id: "call_0", name: "look", arguments: "{\"at\":1}" }] },
        { role: "tool", parts: [{ type: "tool_call_response", id: "call_0", response: "{\"seen\":true}" }] },
        { role: "user", parts: [{ type: "bytes", modality: "image", mime_type: "image/png", size: 5 }] }
      ])
      assert.deepStrictEqual(output, [{
        role: "assistant",
        parts: [
          { type: "reasoning", content: "Hm." },
          { type: "text", content: "Elbe" },
          { type: "tool_call", id: "call_1", name: "length", arguments: "{\"river\":\"Elbe\"}" }
        ],
        finish_reason: "stop"
      }])
      assert.isUndefined(isCut)
    }))

  it.scoped("records the content of a stream", () =>
    Effect.gen(function*() {
      const { spans, traced } = recorder()
      const { client } = yield* scriptedClient([everyStream(() => steps("Elbe", answer))], {
        client: { traceContent: {} }
      })
      yield* traced(Stream.runDrain(client.stream(request)))
      assert.include(String(spans[0]?.attributes.get("gen_ai.input.messages")), request.prompt)
      assert.include(String(spans[0]?.attributes.get("gen_ai.output.messages")), "Elbe")
    }))

  it.effect("keeps the last messages within the bound, and says that it has cut", () =>
    Effect.gen(function*() {
      const messages = ["first", "second", "third"].map((text) => ({ role: "user" as const, content: text.repeat(10) }))
      const { input, isCut } = yield* recorded({ maxLength: 100 }, { model: "gpt-4o-mini", messages })
      assert.deepStrictEqual(input, [
        { role: "user", parts: [{ type: "text", content: "second".repeat(10).slice(0, 30) }] },
        { role: "user", parts: [{ type: "text", content: "third".repeat(10) }] }
      ])
      assert.isTrue(isCut)
    }))

  it.effect("holds no more than the bound, whatever the prompt", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(
          FastCheck.array(FastCheck.string({ minLength: 1 }).filter((text) => text.trim() !== ""), { minLength: 1 }),
          FastCheck.integer({ min: 1, max: 200 }),
          (texts, maxLength) =>
            Effect.runPromise(Effect.map(
              recorded({ maxLength, redact: (text) => text.repeat(3) }, {
                model: "gpt-4o-mini",
                messages: texts.map((content) => ({ role: "user" as const, content }))
              }),
              ({ input }) => {
                const parts = (input as ReadonlyArray<{ readonly parts: ReadonlyArray<{ readonly content: string }> }>)
                  .flatMap(({ parts }) => parts)
                assert.isAtMost(parts.reduce((sum, { content }) => sum + content.length, 0), maxLength)
                assert.isAtMost(parts.length, Math.ceil(maxLength / 20))
              }
            ))
        ),
        { numRuns: 50 }
      )
    ))

  it.effect("redacts each text before it is cut, and records none that could not be redacted", () =>
    Effect.gen(function*() {
      const redacted = yield* recorded({ maxLength: 60, redact: (text) => text.replaceAll(/r\w+s/g, "***") }, {
        ...request,
        system: "rivers"
      })
      assert.deepStrictEqual(redacted.system, [{ type: "text", content: "***" }])
      assert.deepStrictEqual(redacted.input, [
        { role: "user", parts: [{ type: "text", content: "Name three ***." }] }
      ])
      const failed = yield* recorded({
        redact: () => {
          throw new Error("a bug")
        }
      })
      assert.notInclude(JSON.stringify([...failed.attributes]), "three")
      assert.notInclude(JSON.stringify([...failed.attributes]), "Elbe")
    }))

  it.scoped("asks no redaction where nobody traces", () =>
    Effect.gen(function*() {
      let asked = 0
      const { client } = yield* scriptedClient([Effect.succeed(answer)], {
        client: {
          traceContent: {
            redact: (text) => {
              asked++
              return text
            }
          }
        }
      })
      yield* client.call(request)
      assert.strictEqual(asked, 0)
    }))
})
