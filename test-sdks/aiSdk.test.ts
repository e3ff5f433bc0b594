import { createAnthropic } from "@ai-sdk/anthropic"
import { createGoogleGenerativeAI } from "@ai-sdk/google"
import { createOpenAI } from "@ai-sdk/openai"
import { assert, describe, it } from "@effect/vitest"
import {
  APICallError,
  generateObject,
  generateText,
  type LanguageModel,
  RetryError,
  stepCountIs,
  streamObject,
  streamText,
  tool
} from "ai"
import { Simulator } from "effect-llm/testing"
import { z } from "zod"
import { always, failureOf, key, once, type Running, sentences, simulated } from "./simulator.js"

const models: Readonly<Record<string, (simulator: Running, apiKey?: string) => LanguageModel>> = {
  "OpenAI, Responses": ({ url }, apiKey = key) => createOpenAI({ apiKey, baseURL: `${url}/v1` })("gpt-4o-mini"),
  "OpenAI, Chat Completions": ({ url }, apiKey = key) =>
    createOpenAI({ apiKey, baseURL: `${url}/v1` }).chat("gpt-4o-mini"),
  Anthropic: ({ url }, apiKey = key) => createAnthropic({ apiKey, baseURL: `${url}/v1` })("claude-haiku-4-5"),
  Google: ({ url }, apiKey = key) => createGoogleGenerativeAI({ apiKey, baseURL: `${url}/v1beta` })("gemini-2.5-flash")
}

const River = z.object({ name: z.string(), kilometers: z.number(), countries: z.array(z.string()) })

const prompt = `Echo: ${sentences}`

/** Longer than the SDK waits by itself before its first retry. */
const wait = 2600

describe.each(Object.entries(models))("The AI SDK with %s", (_, modelOf) => {
  it("answers whole", () =>
    simulated({ apiKey: key }, async (simulator) => {
      const { finishReason, text, usage, warnings } = await generateText({
        model: modelOf(simulator),
        system: "Be terse.",
        prompt
      })
      assert.strictEqual(text, sentences)
      assert.strictEqual(finishReason, "stop")
      assert.isAbove(usage.inputTokens ?? 0, 0)
      assert.isAbove(usage.outputTokens ?? 0, 0)
      assert.isEmpty(warnings ?? [])
    }))

  it("streams the same in pieces", () =>
    simulated({}, async (simulator) => {
      const model = modelOf(simulator)
      const whole = await generateText({ model, prompt })
      const result = streamText({ model, prompt })
      const pieces: Array<string> = []
      for await (const piece of result.textStream) pieces.push(piece)
      assert.isAbove(pieces.length, 5)
      assert.strictEqual(pieces.join(""), sentences)
      assert.strictEqual(await result.finishReason, "stop")
      const usage = await result.usage
      assert.strictEqual(usage.inputTokens, whole.usage.inputTokens)
      assert.strictEqual(usage.outputTokens, whole.usage.outputTokens)
    }))

  it("runs a loop of tools, whole and streamed", () =>
    simulated({}, async (simulator) => {
      const asked: Array<string> = []
      const options = {
        model: modelOf(simulator),
        prompt: "What is the weather in Dresden?",
        stopWhen: stepCountIs(3),
        tools: {
          weather: tool({
            description: "Tells the weather of a city.",
            inputSchema: z.object({ city: z.string() }),
            execute: ({ city }) => {
              asked.push(city)
              return "It rains in Dresden."
            }
          })
        }
      }
      const whole = await generateText(options)
      assert.include(whole.text, "It rains in Dresden.")
      assert.deepStrictEqual(whole.steps.map(({ finishReason }) => finishReason), ["tool-calls", "stop"])
      const streamed = streamText(options)
      assert.include(await streamed.text, "It rains in Dresden.")
      assert.deepStrictEqual((await streamed.steps).map(({ finishReason }) => finishReason), ["tool-calls", "stop"])
      assert.strictEqual(asked.length, 2)
      assert.strictEqual(asked[0], asked[1])
    }))

  it("goes on with what was said", () =>
    simulated({}, async (simulator) => {
      const model = modelOf(simulator)
      const first = await generateText({ model, prompt: "Echo: one" })
      const second = await generateText({
        model,
        messages: [
          { role: "user", content: "Echo: one" },
          ...first.response.messages,
          { role: "user", content: "Echo: two" }
        ]
      })
      assert.deepStrictEqual([first.text, second.text], ["one", "two"])
    }))

  it("gives an object that fits a schema, whole and streamed", () =>
    simulated({}, async (simulator) => {
      const options = { model: modelOf(simulator), schema: River, prompt: "Tell about the river Elbe." }
      const { object } = await generateObject(options)
      assert.isTrue(River.safeParse(object).success)
      const streamed = streamObject(options)
      let partials = 0
      for await (const _ of streamed.partialObjectStream) partials++
      assert.deepStrictEqual(await streamed.object, object)
      assert.isAbove(partials, 1)
    }))

  it("is cut by a token limit", () =>
    simulated({}, async (simulator) => {
      const { finishReason } = await generateText({
        model: modelOf(simulator),
        prompt: `Echo: ${sentences.repeat(4)}`,
        maxOutputTokens: 16
      })
      assert.strictEqual(finishReason, "length")
    }))

  it("fails with the SDK's own error, and whether it can be retried", () =>
    simulated({
      faults: Simulator.sequence([400, 403, 404, 429, 500, 503].map((status) => Simulator.status(status))),
      apiKey: key
    }, async (simulator) => {
      for (
        const [statusCode, isRetryable] of [
          [400, false],
          [403, false],
          [404, false],
          [429, true],
          [500, true],
          [503, true]
        ] as const
      ) {
        const error = await failureOf(generateText({ model: modelOf(simulator), prompt, maxRetries: 0 }))
        assert(APICallError.isInstance(error), String(error))
        assert.deepInclude({ ...error }, { isRetryable, statusCode })
        // The SDK read the error's body: its message is that of the service, not that of the status.
        assert.isObject(error.data)
      }
      const wrongKey = await failureOf(
        generateText({ model: modelOf(simulator, "wrong-key-0123456789"), prompt, maxRetries: 0 })
      )
      assert(APICallError.isInstance(wrongKey))
      assert.isFalse(wrongKey.isRetryable)
    }))

  it("a reset is the SDK's error, and leaving a silence is noticed", () =>
    simulated({ faults: Simulator.sequence([Simulator.reset, Simulator.silence]) }, async (simulator) => {
      const model = modelOf(simulator)
      assert(APICallError.isInstance(await failureOf(generateText({ model, prompt, maxRetries: 0 }))))
      const leaving = new AbortController()
      void simulator.arrival(2).then(() => leaving.abort())
      const error = await failureOf(generateText({ model, prompt, maxRetries: 0, abortSignal: leaving.signal }))
      assert.instanceOf(error, Error)
      assert.strictEqual(await simulator.outcome(2), "aborted")
    }))

  /** What came of a stream, and its failure if it had one. */
  const gathered = async (model: LanguageModel) => {
    const errors: Array<unknown> = []
    let text = ""
    let finishReason: string | undefined
    const { fullStream } = streamText({ model, prompt, maxRetries: 0, onError: ({ error }) => void errors.push(error) })
    for await (const part of fullStream) {
      if (part.type === "text-delta") text += part.text
      if (part.type === "finish") finishReason = part.finishReason
    }
    return { errors, finishReason, text }
  }

  it("a stream that is cut is an error after what had come", () =>
    simulated(always(Simulator.cutStream({ afterEvents: 10 })), async (simulator) => {
      const { errors, text } = await gathered(modelOf(simulator)).catch((error: unknown) => ({
        errors: [error],
        text: ""
      }))
      assert.strictEqual(errors.length, 1)
      assert.isTrue(sentences.startsWith(text) && text !== sentences)
    }))

  it("an error amid a stream is an error", () =>
    simulated(always(Simulator.errorEvent({ afterEvents: 8, status: 529 })), async (simulator) => {
      const { errors, finishReason, text } = await gathered(modelOf(simulator))
      // The SDK's provider for Google knows no such event, and tells that it saw no end.
      assert(errors.length > 0 || finishReason !== "stop", `${text}, ${finishReason}`)
      assert.isTrue(sentences.startsWith(text) && text !== sentences)
    }))

  it("harmless oddities of a stream harm nobody", () =>
    simulated({ faults: Simulator.sequence([Simulator.crlfLines, Simulator.byteByByte]) }, async (simulator) => {
      for (let i = 0; i < 2; i++) {
        const { errors, text } = await gathered(modelOf(simulator))
        assert.deepStrictEqual([errors, text], [[], sentences])
      }
    }))
})

describe("The AI SDK", () => {
  it("waits as long as the service asks for before it asks again", async () => {
    const headers = [["OpenAI, Responses", "seconds"], ["OpenAI, Chat Completions", "millis"], [
      "Anthropic",
      "date"
    ]] as const
    await Promise.all(
      headers.map(([name, retryAfterAs]) =>
        simulated(once(Simulator.status(429, { retryAfter: wait, retryAfterAs })), async (simulator) => {
          const model = models[name]?.(simulator)
          assert(model !== undefined)
          const began = performance.now()
          const { text } = await generateText({ model, prompt })
          assert.strictEqual(text, sentences)
          assert.isAtLeast(performance.now() - began, wait)
          assert.strictEqual((await simulator.requests()).length, 2)
        })
      )
    )
  })

  it("gives up with all that it met", () =>
    simulated(always(Simulator.status(503, { retryAfter: 10 })), async (simulator) => {
      const model = models.Anthropic?.(simulator)
      assert(model !== undefined)
      const error = await failureOf(generateText({ model, prompt, maxRetries: 2 }))
      assert(RetryError.isInstance(error))
      assert.strictEqual(error.errors.length, 3)
      assert.strictEqual((await simulator.requests()).length, 3)
    }))
})
