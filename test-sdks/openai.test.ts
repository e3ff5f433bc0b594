import { assert, describe, it } from "@effect/vitest"
import { Simulator } from "effect-llm/testing"
import OpenAI from "openai"
import { zodFunction, zodResponseFormat, zodTextFormat } from "openai/helpers/zod"
import { z } from "zod"
import { always, failureOf, key, once, patience, sentences, simulated } from "./simulator.js"

const model = "gpt-4o-mini"

const clientOf = ({ url }: { readonly url: string }, options: ConstructorParameters<typeof OpenAI>[0] = {}) =>
  new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0, logLevel: "off", ...options })

/** Longer than an SDK waits by itself before its first retry. */
const wait = 1200

const River = z.object({ name: z.string(), kilometers: z.number(), countries: z.array(z.string()) })

const weather = {
  name: "weather",
  description: "Tells the weather of a city.",
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false
  }
}

describe("openai, Chat Completions", () => {
  const tool = { type: "function" as const, function: weather }

  it("answers whole", () =>
    simulated({ apiKey: key }, async (simulator) => {
      const { choices, object, usage } = await clientOf(simulator).chat.completions.create({
        model,
        messages: [{ role: "system", content: "Be terse." }, { role: "user", content: `Echo: ${sentences}` }]
      })
      assert.strictEqual(object, "chat.completion")
      assert.strictEqual(choices[0]?.message.content, sentences)
      assert.strictEqual(choices[0]?.finish_reason, "stop")
      assert.strictEqual(usage?.total_tokens, (usage?.prompt_tokens ?? 0) + (usage?.completion_tokens ?? 0))
      assert.strictEqual((await simulator.requests())[0]?.protocol, "openai-chat")
    }))

  it("streams the same in pieces, and its usage at the end", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const request = { model, messages: [{ role: "user" as const, content: `Echo: ${sentences}` }] }
      const whole = await client.chat.completions.create(request)
      const stream = await client.chat.completions.create({
        ...request,
        stream: true,
        stream_options: { include_usage: true }
      })
      const deltas: Array<string> = []
      const finishes: Array<string> = []
      let usage: OpenAI.CompletionUsage | null | undefined
      for await (const chunk of stream) {
        assert.strictEqual(chunk.object, "chat.completion.chunk")
        const [choice] = chunk.choices
        if (choice?.delta.content) deltas.push(choice.delta.content)
        if (choice?.finish_reason) finishes.push(choice.finish_reason)
        if (chunk.usage) usage = chunk.usage
      }
      assert.isAbove(deltas.length, 5)
      assert.strictEqual(deltas.join(""), sentences)
      assert.deepStrictEqual(finishes, ["stop"])
      assert.deepStrictEqual(usage, whole.usage)
    }))

  it("is gathered by the SDK's own helper to what it answers whole", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const request = {
        model,
        messages: [{ role: "user" as const, content: "What is the weather in Dresden?" }],
        tools: [tool]
      }
      const whole = await client.chat.completions.create(request)
      const gathered = await client.chat.completions.stream(request).finalChatCompletion()
      const [one, other] = [whole, gathered].map(({ choices }) => ({
        reason: choices[0]?.finish_reason,
        calls: choices[0]?.message.tool_calls?.map((call) => call.type === "function" && call.function)
      }))
      assert.strictEqual(other?.reason, "tool_calls")
      assert.strictEqual(JSON.stringify(one?.calls?.map(named)), JSON.stringify(other?.calls?.map(named)))
    }))

  it("calls a tool, takes its result, and goes on", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const messages: Array<OpenAI.ChatCompletionMessageParam> = [
        { role: "user", content: "What is the weather in Dresden?" }
      ]
      const first = await client.chat.completions.create({ model, messages, tools: [tool] })
      const message = first.choices[0]?.message
      const [call] = message?.tool_calls ?? []
      assert(message !== undefined && call?.type === "function")
      assert.strictEqual(call.function.name, "weather")
      assert.isString(JSON.parse(call.function.arguments).city)
      messages.push(message, { role: "tool", tool_call_id: call.id, content: "It rains in Dresden." })
      const second = await client.chat.completions.create({ model, messages, tools: [tool] })
      const answer = second.choices[0]?.message
      assert(answer?.content === "It rains in Dresden.")
      messages.push(answer, { role: "user", content: "Echo: Thanks." })
      const third = await client.chat.completions.create({ model, messages, tools: [tool] })
      assert.strictEqual(third.choices[0]?.message.content, "Thanks.")
    }))

  it("serves the SDK's loop of tools, streamed", () =>
    simulated({}, async (simulator) => {
      const asked: Array<string> = []
      const runner = clientOf(simulator).chat.completions.runTools({
        model,
        stream: true,
        messages: [{ role: "user", content: "What is the weather in Dresden?" }],
        tools: [{
          type: "function",
          function: {
            ...weather,
            parse: JSON.parse,
            function: ({ city }: { readonly city: string }) => {
              asked.push(city)
              return "It rains, and it will go on raining."
            }
          }
        }]
      })
      assert.strictEqual(await runner.finalContent(), "It rains, and it will go on raining.")
      assert.strictEqual(asked.length, 1)
      assert.strictEqual((await simulator.requests()).length, 2)
    }))

  it("gives JSON that the SDK parses by a schema, whole and streamed", () =>
    simulated({}, async (simulator) => {
      const request = {
        model,
        messages: [{ role: "user" as const, content: "Tell about the river Elbe." }],
        response_format: zodResponseFormat(River, "river")
      }
      const client = clientOf(simulator)
      const whole = await client.chat.completions.parse(request)
      const parsed = whole.choices[0]?.message.parsed
      assert.isTrue(River.safeParse(parsed).success)
      const streamed = await client.chat.completions.stream(request).finalChatCompletion()
      assert.deepStrictEqual(streamed.choices[0]?.message.parsed, parsed)
    }))

  it("gives arguments of a strict tool that the SDK parses by a schema", () =>
    simulated({}, async (simulator) => {
      const { choices } = await clientOf(simulator).chat.completions.parse({
        model,
        messages: [{ role: "user", content: "Tell about the river Elbe." }],
        tools: [zodFunction({ name: "tell", parameters: River })],
        tool_choice: "required"
      })
      const [call] = choices[0]?.message.tool_calls ?? []
      assert(call?.type === "function")
      assert.isTrue(River.safeParse(call.function.parsed_arguments).success)
    }))

  it("is cut by a token limit and by stop texts", () =>
    simulated({}, async (simulator) => {
      const ask = (more: Partial<OpenAI.ChatCompletionCreateParamsNonStreaming>) =>
        clientOf(simulator).chat.completions.create({
          model,
          messages: [{ role: "user", content: `Echo: ${sentences}` }],
          ...more
        })
      const cut = await ask({ max_completion_tokens: 4 })
      assert.strictEqual(cut.choices[0]?.finish_reason, "length")
      assert.strictEqual(cut.usage?.completion_tokens, 4)
      const stopped = await ask({ stop: [" is"] })
      assert.deepInclude(stopped.choices[0], { finish_reason: "stop" })
      assert.strictEqual(stopped.choices[0]?.message.content, "The Elbe")
    }))

  it("reports a refusal and a filter", () =>
    simulated({
      answer: ({ text }) => text.includes("no") ? { refusal: "I cannot." } : { text: "", finish: "content_filter" }
    }, async (simulator) => {
      const client = clientOf(simulator)
      const ask = (content: string) => client.chat.completions.create({ model, messages: [{ role: "user", content }] })
      assert.strictEqual((await ask("no")).choices[0]?.message.refusal, "I cannot.")
      assert.strictEqual((await ask("yes")).choices[0]?.finish_reason, "content_filter")
    }))
})

/** Without what the streaming helper adds to it. */
const named = (call: false | { readonly name: string; readonly arguments: string }) =>
  call && { name: call.name, arguments: call.arguments }

describe("openai, Responses", () => {
  const tool = { type: "function" as const, ...weather, strict: true }

  it("answers whole", () =>
    simulated({ apiKey: key }, async (simulator) => {
      const response = await clientOf(simulator).responses.create({
        model,
        instructions: "Be terse.",
        input: `Echo: ${sentences}`
      })
      assert.strictEqual(response.output_text, sentences)
      assert.deepInclude(response, { status: "completed", object: "response", error: null })
      assert.strictEqual(
        response.usage?.total_tokens,
        (response.usage?.input_tokens ?? 0) + (response.usage?.output_tokens ?? 0)
      )
    }))

  it("streams numbered events with the same content", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const request = { model, input: `Echo: ${sentences}` }
      const whole = await client.responses.create(request)
      const events: Array<OpenAI.Responses.ResponseStreamEvent> = []
      for await (const event of await client.responses.create({ ...request, stream: true })) events.push(event)
      assert.deepStrictEqual(events.map(({ sequence_number }) => sequence_number), events.map((_, i) => i))
      assert.strictEqual(events[0]?.type, "response.created")
      const deltas = events.flatMap((event) => event.type === "response.output_text.delta" ? [event.delta] : [])
      assert.isAbove(deltas.length, 5)
      assert.strictEqual(deltas.join(""), sentences)
      const last = events.at(-1)
      assert(last?.type === "response.completed")
      assert.deepStrictEqual(last.response.output, whole.output)
      assert.deepStrictEqual(last.response.usage, whole.usage)
    }))

  it("is gathered by the SDK's own helper to what it answers whole", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      for (
        const request of [
          { model, input: `Echo: ${sentences}` },
          { model, input: "What is the weather in Dresden?", tools: [tool] },
          { model: "gpt-5-mini", input: "Tell.", reasoning: { effort: "low" as const, summary: "auto" as const } }
        ]
      ) {
        const whole = await client.responses.create(request)
        const gathered = await client.responses.stream(request).finalResponse()
        assert.strictEqual(gathered.output_text, whole.output_text)
        assert.deepStrictEqual(gathered.output.map(({ type }) => type), whole.output.map(({ type }) => type))
        assert.deepStrictEqual(gathered.usage, whole.usage)
      }
    }))

  it("searches the web, and cites what it found, whole and streamed", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const request = {
        model,
        input: "Use web_search: how long is the Elbe?",
        tools: [{ type: "web_search" as const }],
        include: ["web_search_call.action.sources" as const]
      }
      const whole = await client.responses.create(request)
      const [search, message] = whole.output
      assert(search?.type === "web_search_call" && search.action.type === "search")
      assert.strictEqual(search.action.sources?.length, 2)
      assert(message?.type === "message")
      const [part] = message.content
      assert(part?.type === "output_text")
      assert.deepStrictEqual(part.annotations.map(({ type }) => type), ["url_citation", "url_citation"])
      const gathered = await client.responses.stream(request).finalResponse()
      assert.deepStrictEqual(gathered.output.map(({ type }) => type), ["web_search_call", "message"])
      const annotated: Array<string> = []
      for await (const event of await client.responses.create({ ...request, stream: true })) {
        if (event.type.startsWith("response.web_search_call")) annotated.push(event.type)
        if (event.type === "response.output_text.annotation.added") annotated.push(event.type)
      }
      assert.deepStrictEqual(annotated, [
        ...["in_progress", "searching", "completed"].map((state) => `response.web_search_call.${state}`),
        "response.output_text.annotation.added",
        "response.output_text.annotation.added"
      ])
    }))

  it("calls a tool, takes its result, and goes on without a memory", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const input: OpenAI.Responses.ResponseInput = [{ role: "user", content: "What is the weather in Dresden?" }]
      const request = {
        model: "gpt-5-mini",
        tools: [tool],
        store: false,
        include: ["reasoning.encrypted_content" as const],
        reasoning: { effort: "low" as const }
      }
      const first = await client.responses.create({ ...request, input })
      const [reasoning, call] = first.output
      assert.strictEqual(reasoning?.type, "reasoning")
      assert(call?.type === "function_call")
      assert.isString(JSON.parse(call.arguments).city)
      const second = await client.responses.create({
        ...request,
        input: input.concat(first.output as OpenAI.Responses.ResponseInput, {
          type: "function_call_output",
          call_id: call.call_id,
          output: "It rains in Dresden."
        })
      })
      assert.strictEqual(second.output_text, "It rains in Dresden.")
      const pictured = await client.responses.create({
        ...request,
        input: input.concat(first.output as OpenAI.Responses.ResponseInput, {
          type: "function_call_output",
          call_id: call.call_id,
          output: [
            { type: "input_text", text: "It rains in Dresden." },
            { type: "input_image", image_url: "data:image/png;base64,iVBORw==", detail: "auto" }
          ]
        })
      })
      assert.strictEqual(pictured.output_text, "It rains in Dresden.")
      assert.isAbove(pictured.usage?.input_tokens ?? 0, second.usage?.input_tokens ?? 0)
      // An item that came from nowhere is refused, as the service does.
      const error = await failureOf(
        client.responses.create({
          ...request,
          input: [{ type: "function_call_output", call_id: "call_of_nobody", output: "It rains." }]
        })
      )
      assert(error instanceof OpenAI.BadRequestError)
      assert.match(error.message, /No tool call found/)
    }))

  it("gives JSON that the SDK parses by a schema", () =>
    simulated({}, async (simulator) => {
      const response = await clientOf(simulator).responses.parse({
        model,
        input: "Tell about the river Elbe.",
        text: { format: zodTextFormat(River, "river") }
      })
      assert.isTrue(River.safeParse(response.output_parsed).success)
    }))

  it("is incomplete at a token limit", () =>
    simulated({}, async (simulator) => {
      const response = await clientOf(simulator).responses.create({
        model,
        input: `Echo: ${sentences.repeat(4)}`,
        max_output_tokens: 16
      })
      assert.strictEqual(response.status, "incomplete")
      assert.strictEqual(response.incomplete_details?.reason, "max_output_tokens")
    }))

  it("goes on from an answer that it keeps, and knows none that it does not", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const first = await client.responses.create({ model, input: "What is the weather in Dresden?", tools: [tool] })
      const [call] = first.output
      assert(call?.type === "function_call")
      const second = await client.responses.create({
        model,
        tools: [tool],
        previous_response_id: first.id,
        input: [{ type: "function_call_output", call_id: call.call_id, output: "It rains in Dresden." }]
      })
      assert.strictEqual(second.output_text, "It rains in Dresden.")
      const error = await failureOf(
        client.responses.create({ model, input: "And now?", previous_response_id: "resp_of_nobody" })
      )
      assert(error instanceof OpenAI.APIError)
      assert.strictEqual(error.code, "previous_response_not_found")
    }))
})

describe("openai, faults", () => {
  const ways = {
    "Chat Completions": (client: OpenAI) =>
      client.chat.completions.create({ model, messages: [{ role: "user", content: "Echo: hi" }] }),
    Responses: (client: OpenAI) => client.responses.create({ model, input: "Echo: hi" })
  }

  for (const [name, ask] of Object.entries(ways)) {
    it(`${name}: has the SDK wait as long as it is told, in seconds, in milliseconds and until a date`, async () => {
      const waits = (["seconds", "millis", "date"] as const).map((retryAfterAs, i) =>
        simulated(
          once(Simulator.status(i === 1 ? 503 : 429, { retryAfter: wait, retryAfterAs })),
          async (simulator) => {
            const began = performance.now()
            await ask(clientOf(simulator, { maxRetries: 1 }))
            assert.isAtLeast(performance.now() - began, wait)
            assert.strictEqual((await simulator.requests()).length, 2)
          }
        )
      )
      await Promise.all(waits)
    })

    it(`${name}: fails with the SDK's own errors`, () =>
      simulated({
        faults: Simulator.sequence([400, 401, 403, 404, 409, 422, 429, 500, 503].map((s) => Simulator.status(s)))
      }, async (simulator) => {
        for (
          const type of [
            OpenAI.BadRequestError,
            OpenAI.AuthenticationError,
            OpenAI.PermissionDeniedError,
            OpenAI.NotFoundError,
            OpenAI.ConflictError,
            OpenAI.UnprocessableEntityError,
            OpenAI.RateLimitError,
            OpenAI.InternalServerError,
            OpenAI.InternalServerError
          ]
        ) {
          const error = await failureOf(ask(clientOf(simulator)))
          assert(error instanceof type, `${String(error)} is no ${type.name}`)
          assert.match(error.requestID ?? "", /^req_/)
          assert.notMatch(error.message, /no body/)
        }
      }))

    it(`${name}: tells a quota and a wrong key apart`, () =>
      simulated({ ...once(Simulator.quota("credit")), apiKey: key }, async (simulator) => {
        const quota = await failureOf(ask(clientOf(simulator)))
        assert(quota instanceof OpenAI.RateLimitError)
        assert.strictEqual(quota.code, "insufficient_quota")
        const wrongKey = await failureOf(ask(clientOf(simulator, { apiKey: "sk-wrong-0123456789" })))
        assert(wrongKey instanceof OpenAI.AuthenticationError)
        assert.strictEqual(wrongKey.code, "invalid_api_key")
      }))

    it(`${name}: a reset and a silence are connection errors`, () =>
      simulated({ faults: Simulator.sequence([Simulator.reset, Simulator.silence]) }, async (simulator) => {
        assert(await failureOf(ask(clientOf(simulator))) instanceof OpenAI.APIConnectionError)
        const error = await failureOf(ask(clientOf(simulator, { timeout: patience })))
        assert(error instanceof OpenAI.APIConnectionTimeoutError)
        assert.strictEqual(await simulator.outcome(2), "aborted")
      }))
  }

  it("a wrong field is named", () =>
    simulated({}, async (simulator) => {
      const error = await failureOf(
        clientOf(simulator).chat.completions.create({
          model,
          messages: [{ role: "user", content: "hi" }],
          temperature: 3
        })
      )
      assert(error instanceof OpenAI.BadRequestError)
      assert.deepInclude(error, { status: 400, type: "invalid_request_error", param: "temperature" })
    }))

  const streams = {
    async *"Chat Completions"(client: OpenAI) {
      const stream = await client.chat.completions.create({
        model,
        stream: true,
        messages: [{ role: "user", content: `Echo: ${sentences}` }]
      })
      for await (const { choices } of stream) yield choices[0]?.delta.content ?? ""
    },
    async *Responses(client: OpenAI) {
      const stream = await client.responses.create({ model, stream: true, input: `Echo: ${sentences}` })
      for await (const event of stream) yield event.type === "response.output_text.delta" ? event.delta : ""
    }
  }

  /** What came of a stream before it failed, and with what it did. */
  const until = async (deltas: AsyncIterable<string>) => {
    let text = ""
    const error = await failureOf((async () => {
      for await (const delta of deltas) text += delta
      return text
    })())
    return { error, text }
  }

  for (const [name, stream] of Object.entries(streams)) {
    it(`${name}: a stream that is cut throws after what had come`, () =>
      simulated(always(Simulator.cutStream({ afterEvents: 10 })), async (simulator) => {
        const { error, text } = await until(stream(clientOf(simulator)))
        assert.instanceOf(error, Error)
        assert.isAbove(text.length, 0)
        assert.isTrue(sentences.startsWith(text) && text !== sentences)
      }))

    it(`${name}: harmless oddities of a stream harm nobody`, () =>
      simulated({ faults: Simulator.sequence([Simulator.crlfLines, Simulator.byteByByte]) }, async (simulator) => {
        for (let i = 0; i < 2; i++) {
          let text = ""
          for await (const delta of stream(clientOf(simulator))) text += delta
          assert.strictEqual(text, sentences)
        }
      }))

    it(`${name}: leaving a stream is noticed`, () =>
      simulated(always(Simulator.stalledStream({ afterEvents: 10 })), async (simulator) => {
        for await (const delta of stream(clientOf(simulator))) if (delta !== "") break
        assert.strictEqual(await simulator.outcome(1), "aborted")
      }))
  }

  const broken = always(Simulator.errorEvent({ afterEvents: 8, status: 500 }))

  it("Chat Completions: an error amid a stream is thrown", () =>
    simulated(broken, async (simulator) => {
      const { error } = await until(streams["Chat Completions"](clientOf(simulator)))
      assert(error instanceof OpenAI.APIError)
      assert.strictEqual(error.type, "server_error")
    }))

  it("Responses: an error amid a stream is thrown after the events before it, and by the SDK's helper", () =>
    simulated(broken, async (simulator) => {
      const client = clientOf(simulator)
      const request = { model, input: `Echo: ${sentences}` }
      const events: Array<OpenAI.Responses.ResponseStreamEvent> = []
      const reading = async () => {
        for await (const event of await client.responses.create({ ...request, stream: true })) events.push(event)
      }
      assert.deepInclude(await failureOf(reading()), { code: "server_error" })
      assert.strictEqual(events.at(-1)?.sequence_number, events.length - 1)
      assert.deepInclude(await failureOf(client.responses.stream(request).finalResponse()), { code: "server_error" })
    }))
})

describe("openai, embeddings", () => {
  const embeddingModel = "text-embedding-3-small"
  const texts = ["The Elbe flows north.", "The Oder flows north.", "An oven is hot."]

  it("gives the same vectors as base64, which the SDK asks for by itself, and as numbers", () =>
    simulated({ apiKey: key }, async (simulator) => {
      const client = clientOf(simulator)
      const encoded = await client.embeddings.create({ model: embeddingModel, input: texts })
      const plain = await client.embeddings.create({ model: embeddingModel, input: texts, encoding_format: "float" })
      const [first, second] = await simulator.requests()
      assert.deepStrictEqual(
        [first, second].map((request) => (request?.body as { encoding_format: string }).encoding_format),
        ["base64", "float"]
      )
      assert.deepStrictEqual(encoded.data.map(({ index }) => index), [0, 1, 2])
      for (const [index, { embedding }] of plain.data.entries()) {
        assert.strictEqual(embedding.length, 1536)
        assert.deepStrictEqual(Array.from(encoded.data[index]?.embedding ?? []), embedding)
      }
      assert.strictEqual(encoded.usage.prompt_tokens, encoded.usage.total_tokens)
      assert.isAbove(encoded.usage.prompt_tokens, 0)
    }))

  it("shortens vectors, and refuses what the service refuses", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const { data } = await client.embeddings.create({ model: embeddingModel, input: "Elbe", dimensions: 8 })
      assert.strictEqual(data[0]?.embedding.length, 8)
      for (const input of [[], [""], Array.from({ length: 2049 }, () => "a")]) {
        const error = await failureOf(client.embeddings.create({ model: embeddingModel, input }))
        assert.instanceOf(error, OpenAI.BadRequestError)
        assert.strictEqual(error.param, "input")
      }
    }))
})

describe("openai, models and counts", () => {
  it("lists models", () =>
    simulated({ apiKey: key }, async (simulator) => {
      const { data } = await clientOf(simulator).models.list()
      assert.include(data.map(({ id }) => id), model)
    }))

  it("counts the tokens of a request for Responses as an answer does", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const request = { model, input: `Echo: ${sentences}` }
      const { input_tokens: tokens } = await client.responses.inputTokens.count(request)
      assert.strictEqual(tokens, (await client.responses.create(request)).usage?.input_tokens)
    }))
})
