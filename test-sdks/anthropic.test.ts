import Anthropic from "@anthropic-ai/sdk"
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod"
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod"
import { assert, describe, it } from "@effect/vitest"
import { Simulator } from "effect-llm/testing"
import { z } from "zod"
import { always, failureOf, key, once, patience, sentences, simulated } from "./simulator.js"

// One of which the SDK does not warn that it is about to go.
const model = "claude-haiku-4-5"

const clientOf = (
  { url }: { readonly url: string },
  options: ConstructorParameters<typeof Anthropic>[0] = {}
) => new Anthropic({ apiKey: key, baseURL: url, maxRetries: 0, logLevel: "off", ...options })

const River = z.object({ name: z.string(), kilometers: z.number(), countries: z.array(z.string()) })

const weather: Anthropic.Tool = {
  name: "weather",
  description: "Tells the weather of a city.",
  input_schema: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false
  }
}

const user = (content: string): Anthropic.MessageParam => ({ role: "user", content })

const request = { model, max_tokens: 1000, messages: [user(`Echo: ${sentences}`)] }

const textOf = ({ content }: Anthropic.Message) =>
  content.map((block) => block.type === "text" ? block.text : "").join("")

/** Longer than the SDK waits by itself before its first retry. */
const wait = 1200

describe("@anthropic-ai/sdk", () => {
  it("answers whole", () =>
    simulated({ apiKey: key }, async (simulator) => {
      const message = await clientOf(simulator).messages.create({ ...request, system: "Be terse." })
      assert.deepInclude(message, { type: "message", role: "assistant", stop_reason: "end_turn", stop_sequence: null })
      assert.strictEqual(textOf(message), sentences)
      assert.match(message._request_id ?? "", /^req_/)
      assert.isAbove(message.usage.input_tokens, 0)
      assert.strictEqual((await simulator.requests())[0]?.protocol, "anthropic-messages")
    }))

  it("streams blocks with the same content", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const whole = await client.messages.create(request)
      const events: Array<Anthropic.RawMessageStreamEvent> = []
      for await (const event of await client.messages.create({ ...request, stream: true })) events.push(event)
      assert.strictEqual(events[0]?.type, "message_start")
      assert.strictEqual(events.at(-1)?.type, "message_stop")
      const deltas = events.flatMap((event) =>
        event.type === "content_block_delta" && event.delta.type === "text_delta" ? [event.delta.text] : []
      )
      assert.isAbove(deltas.length, 5)
      assert.strictEqual(deltas.join(""), sentences)
      const ending = events.find((event) => event.type === "message_delta")
      assert(ending?.type === "message_delta")
      assert.strictEqual(ending.delta.stop_reason, "end_turn")
      assert.strictEqual(ending.usage.output_tokens, whole.usage.output_tokens)
    }))

  it("is gathered by the SDK's own helper to what it answers whole", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const tool = { ...request, messages: [user("What is the weather in Dresden?")], tools: [weather] }
      const thinking = { type: "enabled" as const, budget_tokens: 1024 }
      for (const params of [request, tool, { ...request, max_tokens: 3000, thinking }]) {
        const whole = await client.messages.create(params)
        const heard: Array<string> = []
        const stream = client.messages.stream(params).on("text", (text) => heard.push(text))
        const gathered = await stream.finalMessage()
        assert.deepStrictEqual(gathered.content, whole.content)
        assert.strictEqual(gathered.stop_reason, whole.stop_reason)
        assert.deepStrictEqual(gathered.usage, whole.usage)
        assert.strictEqual(heard.join(""), textOf(whole))
      }
    }))

  it("calls a tool, takes its result with its thoughts, and goes on", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const messages = [user("What is the weather in Dresden?")]
      const params = {
        model,
        max_tokens: 3000,
        tools: [weather],
        thinking: { type: "enabled" as const, budget_tokens: 1024 }
      }
      const first = await client.messages.create({ ...params, messages })
      assert.strictEqual(first.stop_reason, "tool_use")
      assert.strictEqual(first.content[0]?.type, "thinking")
      const call = first.content.find((block) => block.type === "tool_use")
      assert(call?.type === "tool_use" && call.name === "weather")
      assert.isString((call.input as { readonly city?: unknown }).city)
      messages.push({ role: "assistant", content: first.content }, {
        role: "user",
        content: [{ type: "tool_result", tool_use_id: call.id, content: "It rains in Dresden." }]
      })
      const second = await client.messages.create({ ...params, messages })
      assert.strictEqual(textOf(second), "It rains in Dresden.")
      // The result may have pictures, unless the tool failed.
      const source = { type: "base64" as const, media_type: "image/png" as const, data: "iVBORw==" }
      const pictured = (isError: boolean): Anthropic.MessageParam => ({
        role: "user",
        content: [{
          type: "tool_result",
          tool_use_id: call.id,
          is_error: isError,
          content: [{ type: "text", text: "It rains in Dresden." }, { type: "image", source }]
        }]
      })
      const seen = await client.messages.create({ ...params, messages: [...messages.slice(0, 2), pictured(false)] })
      assert.strictEqual(textOf(seen), "It rains in Dresden.")
      assert.isAbove(seen.usage.input_tokens, second.usage.input_tokens)
      const refused = await failureOf(
        client.messages.create({ ...params, messages: [...messages.slice(0, 2), pictured(true)] })
      )
      assert(refused instanceof Anthropic.BadRequestError)
      assert.match(refused.message, /all content must be type/)
      // A result without its call is refused, as the service does.
      const error = await failureOf(client.messages.create({ ...params, messages: messages.slice(2) }))
      assert(error instanceof Anthropic.BadRequestError)
      assert.match(error.message, /tool_use/)
    }))

  it("searches the web, cites what it found, and takes it back unchanged only", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const messages = [user("Use web_search: how long is the Elbe?")]
      const tools: Array<Anthropic.ToolUnion> = [{ type: "web_search_20250305", name: "web_search", max_uses: 2 }]
      const params = { model, max_tokens: 1000, messages, tools }
      const whole = await client.messages.create(params)
      assert.deepStrictEqual(whole.content.map(({ type }) => type), [
        "server_tool_use",
        "web_search_tool_result",
        "text"
      ])
      assert.strictEqual(whole.usage.server_tool_use?.web_search_requests, 1)
      const text = whole.content.at(-1)
      assert(text?.type === "text" && text.citations !== null)
      assert.deepStrictEqual(text.citations?.map(({ type }) => type), [
        "web_search_result_location",
        "web_search_result_location"
      ])
      const streamed = await client.messages.stream(params).finalMessage()
      assert.deepStrictEqual(streamed.content, whole.content)
      const next = user("And the Oder?")
      const on = await client.messages.create({
        ...params,
        messages: [...messages, { role: "assistant", content: whole.content }, next]
      })
      assert.strictEqual(on.stop_reason, "end_turn")
      const changed: Array<Anthropic.ContentBlockParam> = whole.content.map((block) =>
        block.type === "web_search_tool_result" && Array.isArray(block.content)
          ? { ...block, content: block.content.map((found) => ({ ...found, encrypted_content: "mine" })) }
          : block
      )
      const error = await failureOf(
        client.messages.create({ ...params, messages: [...messages, { role: "assistant", content: changed }, next] })
      )
      assert(error instanceof Anthropic.BadRequestError)
      assert.match(error.message, /encrypted_content/)
    }))

  it("serves the SDK's loop of tools, whole and streamed", () =>
    simulated({}, async (simulator) => {
      for (const stream of [false, true]) {
        const asked: Array<string> = []
        const tool = betaZodTool({
          name: "weather",
          description: "Tells the weather of a city.",
          inputSchema: z.object({ city: z.string() }),
          run: ({ city }) => {
            asked.push(city)
            return "It rains in Dresden."
          }
        })
        const runner = clientOf(simulator).beta.messages.toolRunner({
          model,
          max_tokens: 1000,
          messages: [{ role: "user", content: "What is the weather in Dresden?" }],
          tools: [tool],
          stream
        })
        const last = await runner.runUntilDone()
        assert.deepInclude(last.content[0], { type: "text", text: "It rains in Dresden." })
        assert.strictEqual(asked.length, 1)
      }
    }))

  it("gives JSON that the SDK parses by a schema, whole and streamed", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const params = {
        ...request,
        messages: [user("Tell about the river Elbe.")],
        output_config: { format: zodOutputFormat(River) }
      }
      const whole = await client.messages.parse(params)
      assert.isTrue(River.safeParse(whole.parsed_output).success)
      const streamed = await client.messages.stream(params).finalMessage()
      assert.deepStrictEqual(streamed.parsed_output, whole.parsed_output)
    }))

  it("is cut by a token limit and by stop texts", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const cut = await client.messages.create({ ...request, max_tokens: 4 })
      assert.strictEqual(cut.stop_reason, "max_tokens")
      assert.strictEqual(cut.usage.output_tokens, 4)
      const stopped = await client.messages.create({ ...request, stop_sequences: [" is"] })
      assert.deepInclude(stopped, { stop_reason: "stop_sequence", stop_sequence: " is" })
      assert.strictEqual(textOf(stopped), "The Elbe")
    }))

  describe("faults", () => {
    it("makes the SDK wait for the stated time, in seconds, in milliseconds and until a date", async () => {
      const waits = (["seconds", "millis", "date"] as const).map((retryAfterAs, i) =>
        simulated(
          once(Simulator.status(i === 1 ? 529 : 429, { retryAfter: wait, retryAfterAs })),
          async (simulator) => {
            const began = performance.now()
            await clientOf(simulator, { maxRetries: 1 }).messages.create(request)
            assert.isAtLeast(performance.now() - began, wait)
            assert.strictEqual((await simulator.requests()).length, 2)
          }
        )
      )
      await Promise.all(waits)
    })

    const errors = [
      [400, Anthropic.BadRequestError, "invalid_request_error"],
      [401, Anthropic.AuthenticationError, "authentication_error"],
      [403, Anthropic.PermissionDeniedError, "permission_error"],
      [404, Anthropic.NotFoundError, "not_found_error"],
      [422, Anthropic.UnprocessableEntityError, "invalid_request_error"],
      [429, Anthropic.RateLimitError, "rate_limit_error"],
      [500, Anthropic.InternalServerError, "api_error"],
      [529, Anthropic.InternalServerError, "overloaded_error"]
    ] as const

    it("fails with the SDK's own errors", () =>
      simulated(
        { faults: Simulator.sequence(errors.map(([status]) => Simulator.status(status))) },
        async (simulator) => {
          for (const [status, Type, type] of errors) {
            const error = await failureOf(clientOf(simulator).messages.create(request))
            assert(error instanceof Type, `${String(error)} is no ${Type.name}`)
            assert.deepInclude(error, { status, type })
            assert.match(error.requestID ?? "", /^req_/)
          }
        }
      ))

    it("reports a wrong key and a wrong field", () =>
      simulated({ apiKey: key }, async (simulator) => {
        const wrongKey = await failureOf(clientOf(simulator, { apiKey: "sk-ant-wrong" }).messages.create(request))
        assert(wrongKey instanceof Anthropic.AuthenticationError)
        const thinking = { type: "enabled" as const, budget_tokens: 10 }
        const wrongField = await failureOf(clientOf(simulator).messages.create({ ...request, thinking }))
        assert(wrongField instanceof Anthropic.BadRequestError)
        assert.match(
          wrongField.message,
          /thinking\.enabled\.budget_tokens: Input should be greater than or equal to 1024/
        )
      }))

    it("a reset and a silence are connection errors", () =>
      simulated({ faults: Simulator.sequence([Simulator.reset, Simulator.silence]) }, async (simulator) => {
        const reset = await failureOf(clientOf(simulator).messages.create(request))
        assert(reset instanceof Anthropic.APIConnectionError)
        const silence = await failureOf(clientOf(simulator, { timeout: patience }).messages.create(request))
        assert(silence instanceof Anthropic.APIConnectionTimeoutError)
        assert.strictEqual(await simulator.outcome(2), "aborted")
      }))

    /** What came of a stream before it failed, and with what it did. */
    const until = async (client: Anthropic) => {
      let text = ""
      const error = await failureOf((async () => {
        for await (const event of await client.messages.create({ ...request, stream: true })) {
          if (event.type === "content_block_delta" && event.delta.type === "text_delta") text += event.delta.text
        }
        return text
      })())
      return { error, text }
    }

    it("a stream that is cut throws after what had come", () =>
      simulated(always(Simulator.cutStream({ afterEvents: 10 })), async (simulator) => {
        const { error, text } = await until(clientOf(simulator))
        assert.instanceOf(error, Error)
        assert.isAbove(text.length, 0)
        assert.isTrue(sentences.startsWith(text) && text !== sentences)
        assert.instanceOf(await failureOf(clientOf(simulator).messages.stream(request).finalMessage()), Error)
      }))

    it("an error amid a stream is thrown as the SDK's error", () =>
      simulated(always(Simulator.errorEvent({ afterEvents: 8, status: 529 })), async (simulator) => {
        const { error, text } = await until(clientOf(simulator))
        assert(error instanceof Anthropic.APIError)
        assert.strictEqual(error.type, "overloaded_error")
        assert.isTrue(sentences.startsWith(text) && text !== sentences)
      }))

    it("harmless oddities of a stream harm nobody", () =>
      simulated({ faults: Simulator.sequence([Simulator.crlfLines, Simulator.byteByByte]) }, async (simulator) => {
        for (let i = 0; i < 2; i++) {
          assert.strictEqual(textOf(await clientOf(simulator).messages.stream(request).finalMessage()), sentences)
        }
      }))

    it("leaving a stream is noticed", () =>
      simulated(always(Simulator.stalledStream({ afterEvents: 10 })), async (simulator) => {
        for await (const event of await clientOf(simulator).messages.create({ ...request, stream: true })) {
          if (event.type === "content_block_delta") break
        }
        assert.strictEqual(await simulator.outcome(1), "aborted")
      }))
  })
})

describe("@anthropic-ai/sdk, models and counts", () => {
  it("lists models page by page", () =>
    simulated({ apiKey: key }, async (simulator) => {
      const ids: Array<string> = []
      for await (const { id } of clientOf(simulator).models.list({ limit: 2 })) ids.push(id)
      assert.strictEqual(ids.length, 3)
      assert.include(ids, model)
      assert.strictEqual((await simulator.requests()).length, 2)
    }))

  it("counts the tokens of a request as an answer does", () =>
    simulated({}, async (simulator) => {
      const { messages } = clientOf(simulator)
      const { input_tokens: tokens } = await messages.countTokens({ model, messages: request.messages })
      assert.strictEqual(tokens, (await messages.create(request)).usage.input_tokens)
    }))
})
