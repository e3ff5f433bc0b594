import { assert, describe, it } from "@effect/vitest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import { bytes, finished, json, provider, reasonOf, streaming, textOf } from "../support/fakeHttp.js"
import { city, everything, type Protocol, protocols, type Recording } from "../support/recordings.js"

const request = { model: "some-model", prompt: "Go." } as const

// ---------------------------------------------------------------------------------------------------------------------

/** Streams these bytes in these chunks. */
const streamOf = (
  { contentType, layer }: Protocol,
  chunks: ReadonlyArray<string | Uint8Array>
) =>
  Effect.flatMap(
    provider(layer, Effect.sync(() => streaming(chunks, { contentType }))),
    ({ stream }) => stream(request)
  )

const recordingOf = ({ recordings }: Protocol, name: string): Recording => {
  const found = recordings.find((recording) => recording.name === name)
  assert(found !== undefined, `no recording of ${name}`)
  return found
}

/** How many bytes it takes for the answer to have an end. */
const bytesToTheEnd = ({ terminal }: Protocol, stream: string): number => {
  const found = terminal.exec(stream)
  assert(found !== null, "the stream has no end")
  return bytes(stream.slice(0, found.index + found[0].trimEnd().length)).length
}

describe.each(protocols)("$name", (protocol) => {
  describe("call and stream give equal answers", () => {
    for (const { answer, body, name, stream } of protocol.recordings) {
      it.effect(name, () =>
        Effect.gen(function*() {
          const whole = yield* Effect.flatMap(provider(protocol.layer, json(body)), ({ call }) => call(request))
          const streamed = yield* streamOf(protocol, [stream])
          assert.deepStrictEqual(finished(streamed), LlmResponse.withoutRaw(whole))
          assert.deepInclude(whole, answer)
          assert.strictEqual(textOf(streamed), whole.text)
          const ended = streamed.parts.filter((part) => part._tag === "ToolCallEnd")
          assert.deepStrictEqual(
            ended.map((part) => [part.id, part.name, part.arguments]),
            whole.toolCalls.filter((call) => call.incomplete !== true).map((
              call
            ) => [call.id, call.name, call.arguments])
          )
        }))
    }

    it.effect("with everything that a model can say", () =>
      Effect.gen(function*() {
        const answer = finished(yield* streamOf(protocol, [recordingOf(protocol, everything).stream]))
        assert.deepStrictEqual(answer.toolCalls.map((call) => call.arguments), [city, {}])
        assert.match(
          answer.parts.map((part) => part._tag === "Reasoning" ? part.text ?? "" : "").join(""),
          /^Hm,\s+so\.$/
        )
        assert.isDefined(answer.usage.inputTokens)
        assert.isDefined(answer.usage.outputTokens)
      }))
  })

  it.effect("a stream gives the same parts, however it is divided", () =>
    Effect.gen(function*() {
      const { stream } = recordingOf(protocol, everything)
      const all = bytes(stream)
      const expected = finished(yield* streamOf(protocol, [stream]))
      const cuts = FastCheck.sample(
        FastCheck.array(FastCheck.integer({ min: 0, max: all.length }), { maxLength: 12 }),
        40
      )
      for (const places of cuts) {
        const sorted = [0, ...places.toSorted((a, b) => a - b), all.length]
        const chunks = sorted.slice(1).map((end, index) => all.slice(sorted[index], end))
        const streamed = yield* streamOf(protocol, chunks)
        assert.deepStrictEqual(finished(streamed), expected, `divided at ${places}`)
        assert.strictEqual(textOf(streamed), expected.text)
      }
    }))

  describe("a stream that is cut is never taken for an answer, and nothing is lost that came", () => {
    /** Cuts the stream of an answer after each `step` bytes, and counts what comes of it. */
    const cutAll = Effect.fnUntraced(function*(recording: Recording, end: "close" | "cut", step: number) {
      const { stream } = recording
      const all = bytes(stream)
      const whole = bytesToTheEnd(protocol, stream)
      const truth = finished(yield* streamOf(protocol, [stream]))
      let length = 0
      const { stream: streamed } = yield* provider(
        protocol.layer,
        Effect.sync(() => streaming([all.slice(0, length)], { contentType: protocol.contentType, end }))
      )
      const outcomes = { retried: 0, interrupted: 0, finished: 0 }
      for (length = 0; length <= all.length; length += step) {
        const { error, parts } = yield* streamed(request)
        const at = `cut after ${length} of ${all.length} bytes`
        if (error === undefined) {
          assert.isAtLeast(length, whole, at)
          assert.deepStrictEqual(finished({ error, parts }).parts, truth.parts, at)
          outcomes.finished++
          continue
        }
        if (end === "close") assert.isBelow(length, whole, at)
        const text = textOf({ error, parts })
        assert.isTrue(truth.text.startsWith(text), at)
        assert.isFalse(parts.some((part) => part._tag === "Finish"), at)
        if (parts.length === 0) {
          assert.isTrue(error.isRetryable, `${at}: ${error.message}`)
          outcomes.retried++
        } else {
          assert.strictEqual(reasonOf(error, "StreamInterrupted").partial.text, text, at)
          assert.isFalse(error.isRetryable, at)
          outcomes.interrupted++
        }
      }
      return outcomes
    })

    it.effect("at every byte of a text, where the connection is closed", () =>
      Effect.gen(function*() {
        const { finished, interrupted, retried } = yield* cutAll(recordingOf(protocol, "text"), "close", 1)
        assert.isAbove(retried, 0)
        assert.isAbove(interrupted, 0)
        assert.isAbove(finished, 0)
      }))

    it.effect("at many bytes of a text, where the connection breaks", () =>
      Effect.gen(function*() {
        const { interrupted, retried } = yield* cutAll(recordingOf(protocol, "text"), "cut", 5)
        assert.isAbove(retried, 0)
        assert.isAbove(interrupted, 0)
      }))

    it.effect("at many bytes of everything that a model can say", () =>
      Effect.gen(function*() {
        const { interrupted } = yield* cutAll(recordingOf(protocol, everything), "close", 17)
        assert.isAbove(interrupted, 0)
      }))
  })
})
