import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmTool from "effect-llm/LlmTool"
import type * as Message from "effect-llm/Message"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
import { json, provider, reasonOf } from "../support/fakeHttp.js"

const layers = {
  openai: OpenAi.layer({}),
  openaiChat: OpenAiChat.layer({ name: "proxy" }),
  anthropic: Anthropic.layer({}),
  gemini: Gemini.layer({}),
  ollama: Ollama.layer()
}

type Name = keyof typeof layers

/** The body of a request. The service refuses it, so that the answers of all protocols are alike. */
const bodyOf = (name: Name, request: LlmRequest.Input) =>
  Effect.gen(function*() {
    const service = yield* provider(layers[name], json({ error: { message: "no" } }, { status: 403 }))
    yield* Effect.flip(service.call(request))
    const [first] = service.sent
    assert(first !== undefined)
    return first.body
  })

/** The same field for all providers, told apart by its value. */
const options = (of: string) =>
  Object.fromEntries(Object.keys(layers).map((name) => [name, { extra: `${of} for ${name}` }]))

const messages: ReadonlyArray<Message.Input> = [
  {
    role: "user",
    content: [
      { _tag: "Text", text: "one", providerOptions: options("text") },
      {
        _tag: "Image",
        bytes: new Uint8Array([1]),
        mediaType: "image/png",
        providerOptions: options("image")
      }
    ],
    providerOptions: options("message")
  },
  {
    role: "assistant",
    content: [
      { _tag: "Text", text: "two", providerOptions: options("answer") },
      { _tag: "ToolCall", id: "c1", name: "lookup", arguments: {}, providerOptions: options("call") }
    ],
    providerOptions: options("turn")
  },
  {
    role: "tool",
    content: [{ _tag: "ToolResult", id: "c1", result: "found", providerOptions: options("result") }]
  }
]

const tools: ReadonlyArray<LlmRequest.Tool> = [
  { name: "lookup", parameters: { type: "object", properties: {} }, providerOptions: options("tool") }
]

/** All values of a field in a body, from its beginning to its end. */
const valuesOf = (value: unknown): ReadonlyArray<unknown> =>
  typeof value !== "object" || value === null
    ? []
    : Object.entries(value).flatMap(([name, each]) => name === "extra" ? [each] : valuesOf(each))

/** Where each protocol has an object for a part, a message or a tool. Ollama's messages have no parts. */
const expected: { readonly [Of in Name]: ReadonlyArray<string> } = {
  openai: ["text", "image", "message", "turn", "call", "result", "tool"],
  openaiChat: ["text", "image", "message", "answer", "call", "turn", "result", "tool"],
  anthropic: ["text", "image", "message", "answer", "call", "turn", "result", "tool"],
  gemini: ["text", "image", "message", "answer", "call", "turn", "result", "tool"],
  ollama: ["message", "call", "turn", "result", "tool"]
}

describe("raw fields of parts, messages and tools", () => {
  for (const name of Object.keys(layers) as ReadonlyArray<Name>) {
    it.effect(`go into their objects on the wire, and to nobody else: ${name}`, () =>
      Effect.gen(function*() {
        const body = yield* bodyOf(name, { model: "m", messages, tools })
        assert.sameMembers([...valuesOf(body)], expected[name].map((of) => `${of} for ${name}`))
      }))
  }

  it.effect("override ours", () =>
    Effect.gen(function*() {
      const body = yield* bodyOf("anthropic", {
        model: "claude-haiku-4-5",
        messages: [{
          role: "user",
          content: [
            { _tag: "Text", text: "one", providerOptions: { anthropic: { text: "two", cache_control: null } } }
          ]
        }],
        tools: [{ name: "a", parameters: {}, providerOptions: { anthropic: { input_schema: { type: "string" } } } }]
      })
      assert.deepStrictEqual(body.messages, [{
        role: "user",
        content: [{ type: "text", text: "two", cache_control: null }]
      }])
      assert.deepStrictEqual(body.tools, [{ name: "a", input_schema: { type: "string" } }])
    }))

  it.effect("go by the protocol's name, and over it by the provider's own", () =>
    Effect.gen(function*() {
      const body = yield* bodyOf("openaiChat", {
        model: "m",
        messages: [{
          role: "user",
          content: [{
            _tag: "Text",
            text: "one",
            providerOptions: { openaiChat: { a: 1, b: 1 }, proxy: { b: 2 }, openai: { c: 3 } }
          }]
        }]
      })
      assert.deepStrictEqual(body.messages, [{ role: "user", content: [{ type: "text", text: "one", a: 1, b: 2 }] }])
    }))

  it.effect("of messages that are one turn at Anthropic go into that turn", () =>
    Effect.gen(function*() {
      const body = yield* bodyOf("anthropic", {
        model: "claude-haiku-4-5",
        messages: [
          { role: "user", content: "one", providerOptions: { anthropic: { a: 1, b: 1 } } },
          { role: "user", content: "two", providerOptions: { anthropic: { b: 2 } } }
        ]
      })
      assert.deepStrictEqual(body.messages, [{
        role: "user",
        content: [{ type: "text", text: "one" }, { type: "text", text: "two" }],
        a: 1,
        b: 2
      }])
    }))

  it.effect("of a tool with a schema reach the request", () =>
    Effect.gen(function*() {
      const tool = LlmTool.make("lookup", { providerOptions: { anthropic: { defer_loading: true } } })
      const { definitions } = yield* LlmTool.toolkit([tool], { dialect: "anthropic" })
      assert.deepStrictEqual(definitions[0]?.providerOptions, { anthropic: { defer_loading: true } })
    }))

  it.effect("hold secrets that no error quotes", () =>
    Effect.gen(function*() {
      const secret = "mcp-secret-0123456789"
      const holder = { providerOptions: { openai: { headers: { authorization: `Bearer ${secret}` } } } }
      const requests: ReadonlyArray<LlmRequest.Input> = [
        { model: "m", messages: [{ role: "user", content: "one", ...holder }] },
        { model: "m", messages: [{ role: "user", content: [{ _tag: "Text", text: "one", ...holder }] }] },
        { model: "m", prompt: "one", tools: [{ name: "a", parameters: {}, ...holder }] }
      ]
      for (const request of requests) {
        const service = yield* provider(layers.openai, json({ error: { message: `no: ${secret}` } }, { status: 403 }))
        const error = yield* Effect.flip(service.call(request))
        assert.notInclude(JSON.stringify(reasonOf(error, "PermissionDenied")), secret)
        assert.include(JSON.stringify(service.sent), secret)
      }
    }))
})
