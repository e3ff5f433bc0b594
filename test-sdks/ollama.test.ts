import { assert, describe, it } from "@effect/vitest"
import { Simulator } from "effect-llm/testing"
import { type ChatRequest, type ChatResponse, type Message, Ollama } from "ollama"
import { z } from "zod"
import { always, failureOf, key, sentences, simulated } from "./simulator.js"

const model = "llama3.2"

const clientOf = ({ url }: { readonly url: string }) =>
  new Ollama({ host: url, headers: { authorization: `Bearer ${key}` } })

const weather = {
  type: "function",
  function: {
    name: "weather",
    description: "Tells the weather of a city.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] }
  }
}

const River = z.object({ name: z.string(), kilometers: z.number(), countries: z.array(z.string()) })

const user = (content: string): Message => ({ role: "user", content })

const request = { model, messages: [user(`Echo: ${sentences}`)] }

/** All that a stream brings. */
const gathered = async (client: Ollama, params: ChatRequest): Promise<ReadonlyArray<ChatResponse>> => {
  const all: Array<ChatResponse> = []
  for await (const chunk of await client.chat({ ...params, stream: true })) all.push(chunk)
  return all
}

describe("ollama", () => {
  it("answers whole", () =>
    simulated({ apiKey: key }, async (simulator) => {
      const response = await clientOf(simulator).chat({
        model,
        messages: [{ role: "system", content: "Be terse." }, user(`Echo: ${sentences}`)]
      })
      assert.deepInclude(response, { model, done: true, done_reason: "stop" })
      assert.strictEqual(response.message.content, sentences)
      assert.isAbove(response.prompt_eval_count, 0)
      assert.isAbove(response.eval_count, 0)
      assert.strictEqual((await simulator.requests())[0]?.protocol, "ollama")
    }))

  it("streams the same in pieces", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const whole = await client.chat(request)
      const chunks = await gathered(client, request)
      assert.isAbove(chunks.length, 5)
      assert.strictEqual(chunks.map(({ message }) => message.content).join(""), sentences)
      assert.deepStrictEqual(chunks.filter(({ done }) => done).length, 1)
      const last = chunks.at(-1)
      assert.deepInclude(last, { done: true, done_reason: "stop", eval_count: whole.eval_count })
      assert.strictEqual(last?.prompt_eval_count, whole.prompt_eval_count)
    }))

  it("calls a tool, takes its result, and goes on, whole and streamed", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const messages = [user("What is the weather in Dresden?")]
      const whole = (await client.chat({ model, messages, tools: [weather] })).message
      const streamed = (await gathered(client, { model, messages, tools: [weather] })).map(({ message }) => message)
      const calls = streamed.flatMap(({ tool_calls: calls = [] }) => calls)
      assert.deepStrictEqual(calls, whole.tool_calls)
      assert.strictEqual(calls[0]?.function.name, "weather")
      assert.isString(calls[0]?.function.arguments.city)
      const { message } = await client.chat({
        model,
        tools: [weather],
        messages: [...messages, whole, { role: "tool", tool_name: "weather", content: "It rains in Dresden." }]
      })
      assert.strictEqual(message.content, "It rains in Dresden.")
    }))

  it("thinks if the request asks for it", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const { message } = await client.chat({ ...request, model: "qwen3", think: true })
      assert.isString(message.thinking)
      const chunks = await gathered(client, { ...request, model: "qwen3", think: true })
      assert.strictEqual(chunks.map((chunk) => chunk.message.thinking ?? "").join(""), message.thinking)
      const silent = await client.chat({ ...request, model: "qwen3", think: false })
      assert.isUndefined(silent.message.thinking)
    }))

  it("gives JSON that fits a schema", () =>
    simulated({}, async (simulator) => {
      const { message } = await clientOf(simulator).chat({
        model,
        messages: [user("Tell about the river Elbe.")],
        format: z.toJSONSchema(River)
      })
      assert.isTrue(River.safeParse(JSON.parse(message.content)).success)
    }))

  it("is cut by a token limit and by stop texts", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const cut = await client.chat({ ...request, options: { num_predict: 4 } })
      assert.deepInclude(cut, { done_reason: "length", eval_count: 4 })
      const stopped = await client.chat({ ...request, options: { stop: [" is"] } })
      assert.strictEqual(stopped.message.content, "The Elbe")
    }))

  describe("faults", () => {
    it("fails with the SDK's own error, whole and before a stream", () =>
      simulated({
        faults: Simulator.sequence([400, 401, 404, 429, 500, 503].flatMap((status) => {
          const fault = Simulator.status(status)
          return [fault, fault]
        }))
      }, async (simulator) => {
        const client = clientOf(simulator)
        for (const status of [400, 401, 404, 429, 500, 503]) {
          for (const ask of [() => client.chat(request), () => gathered(client, request)]) {
            const error = await failureOf(ask())
            // The SDK does not export its class.
            assert(error instanceof Error && "status_code" in error)
            assert.deepStrictEqual([error.name, error.status_code], ["ResponseError", status])
          }
        }
      }))

    it("reports the mistake in a request", () =>
      simulated({}, async (simulator) => {
        const error = await failureOf(clientOf(simulator).chat({ ...request, think: true }))
        assert(error instanceof Error)
        assert.strictEqual(error.message, `"${model}" does not support thinking`)
      }))

    it("a reset is a failure, and leaving a silence is noticed", () =>
      simulated({ faults: Simulator.sequence([Simulator.reset, Simulator.silence]) }, async (simulator) => {
        assert.instanceOf(await failureOf(clientOf(simulator).chat(request)), Error)
        const leaving = new AbortController()
        const impatient = new Ollama({
          host: simulator.url,
          fetch: (input, init) => fetch(input, { ...init, signal: leaving.signal })
        })
        void simulator.arrival(2).then(() => leaving.abort())
        assert.instanceOf(await failureOf(impatient.chat(request)), Error)
        assert.strictEqual(await simulator.outcome(2), "aborted")
      }))

    for (
      const [name, fault] of [
        ["is cut", Simulator.cutStream({ afterEvents: 5 })],
        ["ends without its end", Simulator.endStream({ afterEvents: 5 })],
        ["has an error in its midst", Simulator.errorEvent({ afterEvents: 5, status: 500 })]
      ] as const
    ) {
      it(`a stream that ${name} throws after what had come`, () =>
        simulated(always(fault), async (simulator) => {
          let text = ""
          const error = await failureOf((async () => {
            const stream = await clientOf(simulator).chat({ ...request, stream: true })
            for await (const { message } of stream) text += message.content
          })())
          assert.instanceOf(error, Error)
          assert.isAbove(text.length, 0)
          assert.isTrue(sentences.startsWith(text) && text !== sentences)
        }))
    }

    it("harmless oddities of a stream harm nobody", () =>
      simulated({ faults: Simulator.sequence([Simulator.crlfLines, Simulator.byteByByte]) }, async (simulator) => {
        for (let i = 0; i < 2; i++) {
          const chunks = await gathered(clientOf(simulator), request)
          assert.strictEqual(chunks.map(({ message }) => message.content).join(""), sentences)
        }
      }))

    it("leaving a stream is noticed", () =>
      simulated(always(Simulator.stalledStream({ afterEvents: 5 })), async (simulator) => {
        const stream = await clientOf(simulator).chat({ ...request, stream: true })
        const error = await failureOf((async () => {
          for await (const { message } of stream) if (message.content !== "") stream.abort()
        })())
        assert.strictEqual(error instanceof Error && error.name, "AbortError")
        assert.strictEqual(await simulator.outcome(1), "aborted")
      }))
  })
})

describe("ollama, embeddings", () => {
  it("gives a vector for each text, and the number of tokens", () =>
    simulated({}, async (simulator) => {
      const { embeddings, prompt_eval_count: tokens } = await clientOf(simulator).embed({
        model: "nomic-embed-text",
        input: ["The Elbe flows north.", "An oven is hot."]
      })
      assert.deepStrictEqual(embeddings.map(({ length }) => length), [768, 768])
      assert.isAbove(tokens, 0)
    }))

  it("refuses a text that does not fit, where it may not cut it", () =>
    simulated({}, async (simulator) => {
      const error = await failureOf(
        clientOf(simulator).embed({ model: "nomic-embed-text", input: "river ".repeat(9000), truncate: false })
      )
      assert.instanceOf(error, Error)
      assert.match(error.message, /context length/)
    }))
})

describe("ollama, models", () => {
  it("lists them", () =>
    simulated({}, async (simulator) => {
      const { models } = await clientOf(simulator).list()
      assert.deepStrictEqual(models.map(({ name }) => name), ["llama3.2:latest", "nomic-embed-text:latest"])
    }))
})
