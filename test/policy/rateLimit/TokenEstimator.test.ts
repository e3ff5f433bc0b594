import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as Message from "effect-llm/Message"
import * as TokenEstimator from "effect-llm/TokenEstimator"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"

const estimateOf = (input: LlmRequest.Input, options?: TokenEstimator.Options) =>
  Effect.gen(function*() {
    const estimator = yield* TokenEstimator.make(options)
    return estimator.estimate(yield* LlmRequest.decode(input)).tokens
  })

const model = "m"

/** For a message: its marks. */
const marks = 4

describe("TokenEstimator", () => {
  it.effect("counts a third of the bytes of what is text", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* estimateOf({ model, prompt: "x".repeat(300) }), 100 + marks)
      assert.strictEqual(yield* estimateOf({ model, prompt: "水".repeat(100) }), 100 + marks)
      const tools = [{ name: "look_up", description: "x".repeat(300), parameters: { type: "object" } }]
      const all = yield* estimateOf({
        model,
        system: "x".repeat(30),
        tools,
        messages: [
          { role: "user", content: "x".repeat(60) },
          { role: "assistant", content: [Message.ToolCall.make({ id: "1", name: "abc", arguments: { a: "x" } })] },
          { role: "tool", content: [{ _tag: "ToolResult", id: "1", result: "x".repeat(90) }] }
        ]
      })
      const json = (value: unknown) => JSON.stringify(value).length / 3
      assert.strictEqual(all, Math.ceil(10 + 20 + 1 + json({ a: "x" }) + 30 + json(tools) + 4 * marks))
    }))

  it("counts bytes as UTF-8 has them, for any text", () => {
    const encoder = new TextEncoder()
    const codePoint = FastCheck.nat(0x10FFFF).filter((point) => point < 0xD800 || point > 0xDFFF)
    const estimator = Effect.runSync(TokenEstimator.make())
    const request = Effect.runSync(LlmRequest.decode({ model, prompt: "x" }))
    FastCheck.assert(FastCheck.property(FastCheck.array(codePoint), (points) => {
      const text = String.fromCodePoint(...points)
      const messages = [{ role: "user" as const, content: [Message.Text.make({ text })] }] as const
      const { counted } = estimator.estimate(
        new LlmRequest.LlmRequest({ ...request, messages }, { disableValidation: true })
      )
      assert.closeTo(counted, encoder.encode(text).length / 3 + marks, 1e-9)
    }))
  })

  it.effect("counts images and files by what they may be", () =>
    Effect.gen(function*() {
      const content = (part: unknown) => [{ _tag: "Text" as const, text: "xxx" }, part] as never
      const of = (part: unknown) => estimateOf({ model, messages: [{ role: "user", content: content(part) }] })
      assert.strictEqual(yield* of({ _tag: "Image", url: "https://example.org/a.png" }), 1000 + 1 + marks)
      assert.strictEqual(
        yield* of({ _tag: "File", url: "https://example.org/a.pdf", mediaType: "application/pdf" }),
        2000 + 1 + marks
      )
      const bytes = new Uint8Array(3300)
      assert.strictEqual(yield* of({ _tag: "File", bytes, mediaType: "text/plain" }), 1100 + 1 + marks)
      assert.strictEqual(yield* of({ _tag: "File", bytes, mediaType: "application/pdf" }), 100 + 1 + marks)
    }))

  it.effect("counts with a tokenizer of one's own, which is given the model", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const tokens = yield* estimateOf({ model, prompt: "one two three" }, {
        countText: (text, model) => {
          seen.push(model)
          return text.split(" ").length
        }
      })
      assert.deepStrictEqual([tokens, seen], [3 + marks, [model]])
    }))

  it.effect("learns from what the provider counted, for each model, however many are on their way", () =>
    Effect.gen(function*() {
      const estimator = yield* TokenEstimator.make()
      const request = yield* LlmRequest.decode({ model, prompt: "x".repeat(588) })
      const first = Array.from({ length: 50 }, () => estimator.estimate(request))
      assert.strictEqual(first[0]?.tokens, 200)
      for (const estimate of first) estimator.observe(estimate, 100)
      assert.strictEqual(estimator.estimate(request).tokens, 100)
      // What changes is followed, and a single odd answer is not.
      estimator.observe(estimator.estimate(request), 300)
      assert.isBelow(estimator.estimate(request).tokens, 125)
      for (let i = 0; i < 60; i++) estimator.observe(estimator.estimate(request), 300)
      assert.approximately(estimator.estimate(request).tokens, 300, 2)
      const other = yield* LlmRequest.decode({ model: "other", prompt: "x".repeat(588) })
      assert.strictEqual(estimator.estimate(other).tokens, 200)
    }))

  it.effect("takes a count that is far off for an exception: a file, a search, a wrong number", () =>
    Effect.gen(function*() {
      const estimator = yield* TokenEstimator.make()
      const request = yield* LlmRequest.decode({ model, prompt: "x".repeat(588) })
      for (const tokens of [20_000, 1_601, 24, 0, -1, NaN, Infinity]) {
        for (let i = 0; i < 20; i++) estimator.observe(estimator.estimate(request), tokens)
        assert.strictEqual(estimator.estimate(request).tokens, 200)
      }
      // Up to 8 times as many may be how a model counts.
      for (let i = 0; i < 60; i++) estimator.observe(estimator.estimate(request), 1_600)
      assert.approximately(estimator.estimate(request).tokens, 1_600, 20)
    }))

  it.effect("does not, where that is switched off", () =>
    Effect.gen(function*() {
      const estimator = yield* TokenEstimator.make({ calibrate: false })
      const request = yield* LlmRequest.decode({ model, prompt: "x".repeat(588) })
      estimator.observe(estimator.estimate(request), 1)
      assert.strictEqual(estimator.estimate(request).tokens, 200)
    }))
})
