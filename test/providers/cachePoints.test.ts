import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import type * as LlmRequest from "effect-llm/LlmRequest"
import type * as Message from "effect-llm/Message"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as CachePoints from "../../src/providers/cachePoints.js"
import { json, provider } from "../support/fakeHttp.js"

const layers = {
  openai: OpenAi.layer({}),
  openaiChat: OpenAiChat.layer({}),
  openrouter: OpenAiChat.layer(OpenAiChat.openRouter({})),
  anthropic: Anthropic.layer({}),
  gemini: Gemini.layer({}),
  ollama: Ollama.layer()
}

/** The body of a request, and the warnings of the answer. */
const sent = (name: keyof typeof layers, request: LlmRequest.Input) =>
  Effect.gen(function*() {
    const service = yield* provider(layers[name], json(answers[name] ?? answers.openaiChat))
    const { warnings } = yield* service.call(request)
    const [first] = service.sent
    assert(first !== undefined)
    return { body: first.body, warnings }
  })

const answers: { readonly [name: string]: unknown } = {
  openai: {
    id: "resp_1",
    status: "completed",
    model: "m",
    output: [{ type: "message", role: "assistant", content: [{ type: "output_text", text: "Hi" }] }]
  },
  openaiChat: {
    choices: [{ message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }],
    model: "m"
  },
  anthropic: { id: "msg_1", model: "m", content: [{ type: "text", text: "Hi" }], stop_reason: "end_turn", usage: {} },
  gemini: { candidates: [{ content: { parts: [{ text: "Hi" }] }, finishReason: "STOP" }] },
  ollama: { model: "m", message: { role: "assistant", content: "Hi" }, done: true, done_reason: "stop" }
}

const point = (lifetime?: LlmRequest.CacheLifetime): Message.CachePoint =>
  lifetime === undefined ? { _tag: "CachePoint" } : { _tag: "CachePoint", lifetime }

const text = (text: string): Message.Text => ({ _tag: "Text", text })

const user = (...content: Message.UserMessage["content"]): Message.Input => ({ role: "user", content })

const model = "claude-haiku-4-5"

const control = (ttl = "5m") => ({ cache_control: { type: "ephemeral", ttl } })

const breakpoint = (ttl = "30m") => ({ prompt_cache_breakpoint: { mode: "explicit", ttl } })

const tool = { name: "lookup", parameters: { type: "object", properties: {} } }

describe("CachePoint", () => {
  describe("at Anthropic", () => {
    it.effect("marks the block before it", () =>
      Effect.gen(function*() {
        const { body, warnings } = yield* sent("anthropic", {
          model,
          messages: [user(text("manual"), point("1h"), text("question"))]
        })
        assert.deepStrictEqual(body.messages, [{
          role: "user",
          content: [{ type: "text", text: "manual", ...control("1h") }, { type: "text", text: "question" }]
        }])
        assert.notProperty(body, "cache_control")
        assert.deepStrictEqual(warnings, [])
      }))

    it.effect("marks the instructions where it comes first, and tools where there are none", () =>
      Effect.gen(function*() {
        const messages = [user(point(), text("question"))]
        const { body } = yield* sent("anthropic", { model, messages, system: "Be terse.", tools: [tool] })
        assert.deepStrictEqual(body.system, [{ type: "text", text: "Be terse.", ...control() }])
        const { body: plain } = yield* sent("anthropic", { model, messages, tools: [{ ...tool, name: "a" }, tool] })
        const tools = plain.tools as ReadonlyArray<{ readonly cache_control?: unknown }>
        assert.deepStrictEqual(tools.map(({ cache_control: control }) => control), [undefined, control().cache_control])
        const { body: bare, warnings } = yield* sent("anthropic", { model, messages })
        assert.deepStrictEqual(bare.messages, [{ role: "user", content: [{ type: "text", text: "question" }] }])
        assert.deepStrictEqual(warnings, ["a cache point was not sent: nothing comes before it"])
      }))

    it.effect("marks the turn before it: results of tools, and answers but for their thoughts", () =>
      Effect.gen(function*() {
        const { body } = yield* sent("anthropic", {
          model,
          messages: [
            user(text("one")),
            {
              role: "assistant",
              content: [{ _tag: "ToolCall", id: "c1", name: "lookup", arguments: {} }]
            },
            { role: "tool", content: [{ _tag: "ToolResult", id: "c1", result: "found" }] },
            user(point(), text("two")),
            { role: "assistant", content: "Yes." },
            user(point("1h"), text("three"))
          ]
        })
        assert.deepStrictEqual(body.messages, [
          { role: "user", content: [{ type: "text", text: "one" }] },
          { role: "assistant", content: [{ type: "tool_use", id: "c1", name: "lookup", input: {} }] },
          {
            role: "user",
            content: [
              // The longer lifetime has to come first.
              { type: "tool_result", tool_use_id: "c1", content: "found", ...control("1h") },
              { type: "text", text: "two" }
            ]
          },
          { role: "assistant", content: [{ type: "text", text: "Yes.", ...control("1h") }] },
          { role: "user", content: [{ type: "text", text: "three" }] }
        ])
      }))

    it.effect("takes the lifetime of the request, and rounds its own", () =>
      Effect.gen(function*() {
        const messages = [user(text("a"), point("30m"), text("b"), point(), text("c"))]
        const { body, warnings } = yield* sent("anthropic", { model, messages, promptCache: { lifetime: "1h" } })
        assert.deepStrictEqual(body.messages, [{
          role: "user",
          content: [
            { type: "text", text: "a", ...control("1h") },
            { type: "text", text: "b", ...control("1h") },
            { type: "text", text: "c" }
          ]
        }])
        assert.deepStrictEqual(body.cache_control, control("1h").cache_control)
        assert.deepStrictEqual(warnings, [
          "a cache point's lifetime was sent as 1h: anthropic takes the longer ones first"
        ])
      }))

    it.effect("is sent four times at most, the last ones, and three times beside the service's own", () =>
      Effect.gen(function*() {
        const messages = [user(...["a", "b", "c", "d", "e"].flatMap((each) => [text(each), point()]))]
        const marked = (body: { readonly [field: string]: unknown }) => {
          const [message] = body.messages as ReadonlyArray<{ readonly content: ReadonlyArray<Record<string, unknown>> }>
          return message?.content.filter((block) => "cache_control" in block).map(({ text }) => text)
        }
        const { body, warnings } = yield* sent("anthropic", { model, messages })
        assert.deepStrictEqual(marked(body), ["b", "c", "d", "e"])
        assert.deepStrictEqual(warnings, ["a cache point was not sent: anthropic takes 4"])
        const { body: automatic } = yield* sent("anthropic", { model, messages, promptCache: { automatic: true } })
        assert.deepStrictEqual(marked(automatic), ["c", "d", "e"])
      }))
  })

  describe("at OpenAI", () => {
    it.effect("marks the block before it, in both protocols", () =>
      Effect.gen(function*() {
        const messages = [user(text("manual"), point("12h"), text("question"))]
        const { body } = yield* sent("openai", { model: "gpt-5.6", messages })
        assert.deepStrictEqual(body.input, [{
          role: "user",
          content: [
            { type: "input_text", text: "manual", ...breakpoint("12h") },
            { type: "input_text", text: "question" }
          ]
        }])
        const { body: chat } = yield* sent("openaiChat", { model: "gpt-5.6", messages })
        assert.deepStrictEqual(chat.messages, [{
          role: "user",
          content: [{ type: "text", text: "manual", ...breakpoint("12h") }, { type: "text", text: "question" }]
        }])
      }))

    it.effect("marks the instructions, which are a message then", () =>
      Effect.gen(function*() {
        const request = { model: "gpt-5.6", system: "Be terse.", messages: [user(point(), text("question"))] }
        const { body } = yield* sent("openai", request)
        assert.notProperty(body, "instructions")
        assert.deepStrictEqual(body.input, [
          { role: "system", content: [{ type: "input_text", text: "Be terse.", ...breakpoint() }] },
          { role: "user", content: "question" }
        ])
        const { body: chat } = yield* sent("openaiChat", request)
        assert.deepStrictEqual(chat.messages, [
          { role: "system", content: [{ type: "text", text: "Be terse.", ...breakpoint() }] },
          { role: "user", content: "question" }
        ])
      }))

    it.effect("marks the last block before it that can be marked", () =>
      Effect.gen(function*() {
        const messages: ReadonlyArray<Message.Input> = [
          user(text("one")),
          { role: "assistant", content: [{ _tag: "ToolCall", id: "c1", name: "lookup", arguments: {} }] },
          { role: "tool", content: [{ _tag: "ToolResult", id: "c1", result: "found" }] },
          user(point(), text("two")),
          { role: "assistant", content: "Yes." },
          user(point(), text("three"))
        ]
        const { body } = yield* sent("openai", { model: "gpt-5.6", messages })
        assert.deepStrictEqual((body.input as ReadonlyArray<unknown>).slice(2), [
          {
            type: "function_call_output",
            call_id: "c1",
            output: [{ type: "input_text", text: "found", ...breakpoint() }]
          },
          { role: "user", content: [{ type: "input_text", text: "two", ...breakpoint() }] },
          { role: "assistant", content: "Yes." },
          { role: "user", content: "three" }
        ])
        const { body: chat } = yield* sent("openaiChat", { model: "gpt-5.6", messages })
        assert.deepStrictEqual((chat.messages as ReadonlyArray<unknown>).slice(2), [
          { role: "tool", tool_call_id: "c1", content: [{ type: "text", text: "found", ...breakpoint() }] },
          { role: "user", content: "two" },
          { role: "assistant", content: [{ type: "text", text: "Yes.", ...breakpoint() }] },
          { role: "user", content: "three" }
        ])
      }))

    it.effect("is not sent to models before 5.6", () =>
      Effect.gen(function*() {
        for (const name of ["openai", "openaiChat"] as const) {
          const { body, warnings } = yield* sent(name, {
            model: "gpt-5.1",
            messages: [user(text("manual"), point("12h"))]
          })
          assert.deepStrictEqual(body.input ?? body.messages, [{ role: "user", content: "manual" }])
          assert.deepStrictEqual(warnings, ["cache points were not sent: gpt-5.1 takes none"])
        }
      }))
  })

  it.effect("is Anthropic's mark at OpenRouter", () =>
    Effect.gen(function*() {
      const { body } = yield* sent("openrouter", {
        model: "anthropic/claude-haiku-4.5",
        system: "Be terse.",
        messages: [user(point("1h"), text("manual"), point(), text("question"))]
      })
      assert.deepStrictEqual(body.messages, [
        { role: "system", content: [{ type: "text", text: "Be terse.", ...control("1h") }] },
        {
          role: "user",
          content: [{ type: "text", text: "manual", ...control() }, { type: "text", text: "question" }]
        }
      ])
    }))

  it.effect("is left out where a service caches in its own way", () =>
    Effect.gen(function*() {
      const messages = [user(text("manual"), point(), text("question"))]
      for (const name of ["gemini", "ollama"] as const) {
        const { body, warnings } = yield* sent(name, { model: "m", messages })
        assert.notInclude(JSON.stringify(body), "CachePoint")
        assert.deepStrictEqual(warnings, [`cache points were not sent: ${name} takes none`])
      }
    }))

  it("leaves a conversation whose points fit a service, whatever they are", () => {
    const lifetimes = ["5m", "30m", "1h", "12h", "24h"] as const
    const part = FastCheck.oneof(
      FastCheck.constant(text("a")),
      FastCheck.option(FastCheck.constantFrom(...lifetimes), { nil: undefined }).map(point)
    )
    const conversation = FastCheck.array(FastCheck.array(part, { minLength: 1, maxLength: 6 }), { maxLength: 5 })
    FastCheck.assert(FastCheck.property(conversation, FastCheck.nat(4), (turns, most) => {
      const messages = turns.map((content): Message.Message => ({ role: "user", content }))
      const fitted = CachePoints.fit(messages, "service", {
        lifetimes: ["5m", "1h"],
        lifetime: "5m",
        most,
        descendingTo: "5m"
      })
      const parts = (messages: ReadonlyArray<Message.Message>) =>
        messages.flatMap(({ content }): ReadonlyArray<Message.Message["content"][number]> => content)
      const points = (messages: ReadonlyArray<Message.Message>) =>
        parts(messages).filter((part) => part._tag === "CachePoint")
      const kept = points(fitted.messages).map(({ lifetime }) => lifetime)
      assert.strictEqual(kept.length, Math.min(most, points(messages).length))
      // Each is one that the service takes, and none is followed by a longer one.
      assert.match(kept.join(), /^(?:1h,?)*(?:5m,?)*$/)
      const contents = (messages: ReadonlyArray<Message.Message>) =>
        parts(messages).filter((part) => part._tag !== "CachePoint")
      assert.deepStrictEqual(contents(fitted.messages), contents(messages))
      assert.strictEqual(fitted.warnings.length > 0 || points(messages).length <= most, true)
    }))
  })
})
