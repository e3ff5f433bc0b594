import { assert, describe, it } from "@effect/vitest"
import { ApiError, FunctionCallingConfigMode, GoogleGenAI, type HttpOptions, Type } from "@google/genai"
import { Simulator } from "effect-llm/testing"
import { z } from "zod"
import { always, failureOf, key, once, patience, sentences, simulated } from "./simulator.js"

const model = "gemini-2.5-flash"

const clientOf = ({ url }: { readonly url: string }, httpOptions: HttpOptions = {}, apiKey = key) =>
  new GoogleGenAI({ apiKey, vertexai: false, httpOptions: { baseUrl: url, ...httpOptions } })

const weather = {
  name: "weather",
  description: "Tells the weather of a city.",
  parameters: { type: Type.OBJECT, properties: { city: { type: Type.STRING } }, required: ["city"] }
}

const River = z.object({ name: z.string(), kilometers: z.number(), countries: z.array(z.string()) })

const request = { model, contents: `Echo: ${sentences}` }

describe("@google/genai", () => {
  it("answers whole", () =>
    simulated({ apiKey: key }, async (simulator) => {
      const response = await clientOf(simulator).models.generateContent({
        ...request,
        config: { systemInstruction: "Be terse.", temperature: 0.5 }
      })
      assert.strictEqual(response.text, sentences)
      assert.strictEqual(response.candidates?.[0]?.finishReason, "STOP")
      assert.strictEqual(response.modelVersion, model)
      const { candidatesTokenCount = 0, promptTokenCount = 0, totalTokenCount } = response.usageMetadata ?? {}
      assert.isAbove(promptTokenCount, 0)
      assert.isAtLeast(totalTokenCount ?? 0, promptTokenCount + candidatesTokenCount)
      assert.strictEqual((await simulator.requests())[0]?.protocol, "gemini")
    }))

  it("streams the same in pieces", () =>
    simulated({}, async (simulator) => {
      const { models } = clientOf(simulator)
      const whole = await models.generateContent(request)
      const pieces: Array<string> = []
      let last: Awaited<ReturnType<typeof models.generateContent>> | undefined
      for await (const chunk of await models.generateContentStream(request)) {
        if (chunk.text !== undefined) pieces.push(chunk.text)
        last = chunk
      }
      assert.isAbove(pieces.length, 5)
      assert.strictEqual(pieces.join(""), sentences)
      assert.strictEqual(last?.candidates?.[0]?.finishReason, "STOP")
      assert.deepStrictEqual(last?.usageMetadata, whole.usageMetadata)
    }))

  it("calls a tool, takes its result, and goes on", () =>
    simulated({}, async (simulator) => {
      const { models } = clientOf(simulator)
      const config = { tools: [{ functionDeclarations: [weather] }] }
      const question = { role: "user", parts: [{ text: "What is the weather in Dresden?" }] }
      for (const stream of [false, true]) {
        const first = stream
          ? await lastOf(await models.generateContentStream({ model, contents: [question], config }))
          : await models.generateContent({ model, contents: [question], config })
        const content = first.candidates?.[0]?.content
        const [call] = first.functionCalls ?? []
        assert(content !== undefined && call !== undefined)
        assert.strictEqual(call.name, "weather")
        assert.isString(call.args?.city)
        const second = await models.generateContent({
          model,
          config,
          contents: [question, content, {
            role: "user",
            parts: [{ functionResponse: { name: "weather", response: { output: "It rains in Dresden." } } }]
          }]
        })
        assert.include(second.text, "It rains in Dresden.")
      }
    }))

  it("takes a picture in the result of a tool, from version 3 on", () =>
    simulated({}, async (simulator) => {
      const { models } = clientOf(simulator)
      const config = { tools: [{ functionDeclarations: [weather] }] }
      const question = { role: "user", parts: [{ text: "What is the weather in Dresden?" }] }
      const answered = async (model: string) => {
        const { candidates } = await models.generateContent({ model, contents: [question], config })
        const content = candidates?.[0]?.content
        assert(content !== undefined)
        const functionResponse = {
          name: "weather",
          response: { output: "It rains in Dresden." },
          parts: [{ inlineData: { mimeType: "image/png", data: "iVBORw==" } }]
        }
        const contents = [question, content, { role: "user", parts: [{ functionResponse }] }]
        return models.generateContent({ model, config, contents })
      }
      assert.include((await answered("gemini-3-flash-preview")).text, "It rains in Dresden.")
      const error = await failureOf(answered(model))
      assert(error instanceof ApiError && error.status === 400)
    }))

  it("grounds an answer in a search of the web", () =>
    simulated({}, async (simulator) => {
      const { models } = clientOf(simulator)
      const ask = {
        model,
        contents: "Use web_search: how long is the Elbe?",
        config: { tools: [{ googleSearch: {} }] }
      }
      const { candidates, text = "" } = await models.generateContent(ask)
      const grounding = candidates?.[0]?.groundingMetadata
      assert.deepStrictEqual(grounding?.groundingChunks?.map(({ web }) => web?.uri), [
        "https://example.com/long",
        "https://example.com/elbe"
      ])
      assert.strictEqual(grounding?.groundingSupports?.[0]?.segment?.text, text)
      const last = await lastOf(await models.generateContentStream(ask))
      assert.deepStrictEqual(last.candidates?.[0]?.groundingMetadata, grounding)
      // Beside functions, a model of this version has none.
      const mixed = { tools: [{ googleSearch: {} }, { functionDeclarations: [weather] }] }
      const error = await failureOf(models.generateContent({ ...ask, config: mixed }))
      assert(error instanceof ApiError && error.status === 400)
    }))

  it("calls the one tool that it must", () =>
    simulated({}, async (simulator) => {
      const response = await clientOf(simulator).models.generateContent({
        model,
        contents: "Name a river.",
        config: {
          tools: [{ functionDeclarations: [weather, { ...weather, name: "tide" }] }],
          toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ["tide"] } }
        }
      })
      assert.deepStrictEqual(response.functionCalls?.map(({ name }) => name), ["tide"])
    }))

  it("goes on in a chat, whole and streamed, with its thoughts", () =>
    simulated({}, async (simulator) => {
      const chat = clientOf(simulator).chats.create({
        model: "gemini-3-pro-preview",
        config: { thinkingConfig: { includeThoughts: true } }
      })
      assert.strictEqual((await chat.sendMessage({ message: "Echo: one" })).text, "one")
      let text = ""
      for await (const chunk of await chat.sendMessageStream({ message: "Echo: two" })) text += chunk.text ?? ""
      assert.strictEqual(text, "two")
      assert.strictEqual((await chat.sendMessage({ message: "Echo: three" })).text, "three")
      assert.strictEqual(chat.getHistory().filter(({ role }) => role === "user").length, 3)
    }))

  it("gives JSON that fits a schema, of Gemini's own kind or JSON Schema", () =>
    simulated({}, async (simulator) => {
      const { models } = clientOf(simulator)
      const contents = "Tell about the river Elbe."
      const own = await models.generateContent({
        model,
        contents,
        config: {
          responseMimeType: "application/json",
          responseSchema: {
            type: Type.OBJECT,
            properties: {
              name: { type: Type.STRING },
              kilometers: { type: Type.NUMBER },
              countries: { type: Type.ARRAY, items: { type: Type.STRING } }
            },
            required: ["name", "kilometers", "countries"]
          }
        }
      })
      const standard = await models.generateContent({
        model,
        contents,
        config: { responseMimeType: "application/json", responseJsonSchema: z.toJSONSchema(River) }
      })
      for (const { text = "" } of [own, standard]) assert.isTrue(River.safeParse(JSON.parse(text)).success)
    }))

  it("is cut by a token limit and by stop texts, and reports a filter", () =>
    simulated({
      answer: (prompt) => prompt.text === "filter" ? { text: "", finish: "content_filter" } : Simulator.answer(prompt)
    }, async (simulator) => {
      const { models } = clientOf(simulator)
      // A model that does not think: its thoughts would come out of the same limit.
      const cut = await models.generateContent({
        ...request,
        model: "gemini-2.0-flash",
        config: { maxOutputTokens: 4 }
      })
      assert.strictEqual(cut.candidates?.[0]?.finishReason, "MAX_TOKENS")
      const stopped = await models.generateContent({ ...request, config: { stopSequences: [" is"] } })
      assert.strictEqual(stopped.text, "The Elbe")
      const filtered = await models.generateContent({ model, contents: "filter" })
      assert.notStrictEqual(filtered.candidates?.[0]?.finishReason, "STOP")
    }))

  describe("faults", () => {
    it("is retried by the SDK if an option asks for it", () =>
      simulated({ faults: Simulator.sequence([Simulator.status(429), Simulator.status(503)]) }, async (simulator) => {
        const { models } = clientOf(simulator, { retryOptions: { attempts: 3, initialDelay: 0.01, maxDelay: 0.02 } })
        assert.strictEqual((await models.generateContent(request)).text, sentences)
        assert.deepStrictEqual(await simulator.outcomes(), ["Status 429", "Status 503", "answered"])
      }))

    it("fails with the SDK's own error, which has the service's", () =>
      simulated({
        faults: Simulator.sequence([400, 403, 404, 429, 500, 503].map((status) => Simulator.status(status)))
      }, async (simulator) => {
        for (
          const [status, name] of [
            [400, "INVALID_ARGUMENT"],
            [403, "PERMISSION_DENIED"],
            [404, "NOT_FOUND"],
            [429, "RESOURCE_EXHAUSTED"],
            [500, "INTERNAL"],
            [503, "UNAVAILABLE"]
          ] as const
        ) {
          const error = await failureOf(clientOf(simulator).models.generateContent(request))
          assert(error instanceof ApiError)
          assert.strictEqual(error.status, status)
          assert.include(error.message, name)
        }
      }))

    it("states the wait in the error's details, where the SDK's users look for it", () =>
      simulated(once(Simulator.status(429, { retryAfter: "7 seconds" })), async (simulator) => {
        const error = await failureOf(clientOf(simulator).models.generateContent(request))
        assert(error instanceof ApiError)
        assert.match(error.message, /google\.rpc\.RetryInfo/)
        assert.match(error.message, /"retryDelay": ?"7s"/)
      }))

    it("reports a wrong key and a wrong field", () =>
      simulated({ apiKey: key }, async (simulator) => {
        const wrongKey = await failureOf(clientOf(simulator, {}, "AIza-wrong").models.generateContent(request))
        assert(wrongKey instanceof ApiError)
        assert.include(wrongKey.message, "API key not valid")
        const wrongField = await failureOf(
          clientOf(simulator).models.generateContent({ ...request, config: { temperature: 3 } })
        )
        assert(wrongField instanceof ApiError)
        assert.include(wrongField.message, "temperature")
      }))

    it("a reset and a silence are failures", () =>
      simulated({ faults: Simulator.sequence([Simulator.reset, Simulator.silence]) }, async (simulator) => {
        assert.instanceOf(await failureOf(clientOf(simulator).models.generateContent(request)), Error)
        const { models } = clientOf(simulator, { timeout: patience })
        assert.instanceOf(await failureOf(models.generateContent(request)), Error)
        assert.strictEqual(await simulator.outcome(2), "aborted")
      }))

    it("a stream that is cut throws after what had come", () =>
      simulated(always(Simulator.cutStream({ afterEvents: 5 })), async (simulator) => {
        let text = ""
        const error = await failureOf((async () => {
          for await (const chunk of await clientOf(simulator).models.generateContentStream(request)) {
            text += chunk.text ?? ""
          }
        })())
        assert.instanceOf(error, Error)
        assert.isAbove(text.length, 0)
        assert.isTrue(sentences.startsWith(text) && text !== sentences)
      }))

    it("an error before and amid a stream is the SDK's error", () =>
      simulated({
        faults: Simulator.sequence([Simulator.status(503), Simulator.errorEvent({ afterEvents: 3, status: 503 })])
      }, async (simulator) => {
        for (let i = 0; i < 2; i++) {
          const error = await failureOf((async () => {
            for await (const chunk of await clientOf(simulator).models.generateContentStream(request)) void chunk.text
          })())
          assert(error instanceof ApiError, String(error))
          assert.strictEqual(error.status, 503)
        }
      }))

    it("harmless oddities of a stream harm nobody", () =>
      simulated({ faults: Simulator.sequence([Simulator.crlfLines, Simulator.byteByByte]) }, async (simulator) => {
        for (let i = 0; i < 2; i++) {
          let text = ""
          for await (const chunk of await clientOf(simulator).models.generateContentStream(request)) {
            text += chunk.text ?? ""
          }
          assert.strictEqual(text, sentences)
        }
      }))
  })
})

/** The first of a stream that asks for a function, or the last. */
const lastOf = async <A extends { readonly functionCalls: ReadonlyArray<unknown> | undefined }>(
  stream: AsyncIterable<A>
): Promise<A> => {
  let last: A | undefined
  for await (const chunk of stream) if (last?.functionCalls === undefined) last = chunk
  assert(last !== undefined)
  return last
}

describe("@google/genai, embeddings", () => {
  it("gives a vector for each text, as short as it is asked for", () =>
    simulated({ apiKey: key }, async (simulator) => {
      const { models } = clientOf(simulator)
      const { embeddings = [] } = await models.embedContent({
        model: "gemini-embedding-001",
        contents: ["The Elbe flows north.", "An oven is hot."],
        config: { outputDimensionality: 16, taskType: "RETRIEVAL_DOCUMENT" }
      })
      assert.deepStrictEqual(embeddings.map(({ values }) => values?.length), [16, 16])
      assert.strictEqual((await simulator.requests())[0]?.protocol, "gemini-embeddings")
    }))
})

describe("@google/genai, models and counts", () => {
  it("lists models page by page", () =>
    simulated({ apiKey: key }, async (simulator) => {
      const names: Array<string | undefined> = []
      for await (const each of await clientOf(simulator).models.list({ config: { pageSize: 2 } })) names.push(each.name)
      assert.strictEqual(names[0], `models/${model}`)
      assert.strictEqual(names.length, 3)
      assert.isAtLeast((await simulator.requests()).length, 2)
    }))

  it("counts the tokens of contents as an answer does", () =>
    simulated({}, async (simulator) => {
      const { models } = clientOf(simulator)
      const { totalTokens } = await models.countTokens(request)
      assert.strictEqual(totalTokens, (await models.generateContent(request)).usageMetadata?.promptTokenCount)
    }))
})
