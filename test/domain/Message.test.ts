import { assert, describe, it } from "@effect/vitest"
import * as Message from "effect-llm/Message"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const decode = Schema.decodeUnknown(Message.Message, { onExcessProperty: "error" })
const encode = Schema.encode(Message.Message)
const bytes = new Uint8Array([137, 80, 78, 71])

const conversation: ReadonlyArray<Message.Message> = [
  { role: "system", content: [Message.Text.make({ text: "Be terse." })] },
  {
    role: "user",
    content: [
      Message.Text.make({ text: "What is this?" }),
      { _tag: "Image", bytes, mediaType: "image/png", detail: "low" },
      { _tag: "Image", url: "https://example.com/a.png" },
      { _tag: "File", bytes, mediaType: "application/pdf", name: "a.pdf" },
      { _tag: "File", url: "https://example.com/a.pdf", mediaType: "application/pdf" }
    ]
  },
  {
    role: "assistant",
    content: [
      Message.Reasoning.make({ text: "hm", signature: "c2ln", encrypted: "ZW5j", id: "rs_1", provider: "openai" }),
      Message.Opaque.make({
        provider: "openai",
        kind: "web_search_call",
        json: { type: "web_search_call", n: [1.5, null] }
      }),
      Message.Opaque.make({ provider: "openai", kind: "image", json: "iVBORw==", partial: true }),
      Message.Text.make({
        text: "Let me look.",
        native: { provider: "openai", fields: { caller: { type: "direct" } } }
      }),
      Message.Source.make({
        provider: "openai",
        kind: "url_citation",
        url: "https://example.com/elbe",
        title: "The Elbe",
        span: { start: 0, end: 3 },
        json: { type: "url_citation", url: "https://example.com/elbe", start_index: 0, end_index: 3 }
      }),
      Message.ToolCall.make({ id: "1", name: "f", arguments: { a: [1, null, "ä"] }, signature: "c2ln" }),
      Message.Refusal.make({ text: "No." })
    ]
  },
  {
    role: "tool",
    content: [
      Message.ToolResult.make({ id: "1", name: "f", result: { found: true }, isError: false }),
      Message.ToolResult.make({
        id: "2",
        result: "",
        parts: [
          Message.Text.make({ text: "From the north:" }),
          Message.ImageBytes.make({ bytes, mediaType: "image/png", detail: "high" }),
          Message.ImageUrl.make({ url: "https://example.com/a.png" }),
          Message.FileBytes.make({ bytes, mediaType: "application/pdf", name: "a.pdf" }),
          Message.FileUrl.make({ url: "https://example.com/a.pdf", mediaType: "application/pdf" })
        ]
      })
    ]
  }
]

describe("Message", () => {
  for (const message of conversation) {
    it.effect(`of the ${message.role} is stored as JSON and comes back equal`, () =>
      Effect.gen(function*() {
        const stored = JSON.stringify(yield* encode(message))
        assert.deepStrictEqual(yield* decode(JSON.parse(stored)), message)
      }))
  }

  it.effect("by message, a conversation is stored as JSON and comes back, byte for byte", () =>
    Effect.gen(function*() {
      const Stored = Schema.parseJson(Schema.Array(Message.Message))
      const stored = yield* Schema.encode(Stored)(conversation)
      const read = yield* Schema.decode(Stored)(stored)
      assert.deepStrictEqual(read, conversation)
      assert.strictEqual(yield* Schema.encode(Stored)(read), stored)
      assert.notInclude(stored, "\"137\"", "bytes are base64")
    }))

  it.effect("as a program writes it, a conversation is stored once it is decoded", () =>
    Effect.gen(function*() {
      const kept: Array<Message.Input> = [{ role: "user", content: "Name a river." }]
      kept.push({ role: "assistant", content: "The Elbe." }, {
        role: "user",
        content: [{ _tag: "Image", bytes, mediaType: "image/png" }]
      })
      const stored = yield* Schema.encode(Schema.parseJson(Schema.Array(Message.Message)))(
        yield* Schema.decode(Schema.Array(Message.Message))(kept)
      )
      assert.deepStrictEqual(JSON.parse(stored).map((message: Message.Input) => message.content), [
        [{ _tag: "Text", text: "Name a river." }],
        [{ _tag: "Text", text: "The Elbe." }],
        [{ _tag: "Image", bytes: "iVBORw==", mediaType: "image/png" }]
      ])
    }))

  describe("of results", () => {
    it("is made of those of several calls, as parts or as their fields", () => {
      assert.deepStrictEqual(
        Message.toolResults([
          { id: "a", result: { kilometers: 1094 } },
          Message.ToolResult.make({ id: "b", name: "f", result: "no such river", isError: true })
        ]),
        {
          role: "tool",
          content: [
            { _tag: "ToolResult", id: "a", result: { kilometers: 1094 } },
            { _tag: "ToolResult", id: "b", name: "f", result: "no such river", isError: true }
          ]
        }
      )
    })

    it("throws without any", () => {
      assert.throws(() => Message.toolResults([]), "results must be at least one")
    })
  })

  for (const role of ["system", "user", "assistant"] as const) {
    it.effect(`of the ${role} is made from a text, and from parts, as it is decoded`, () =>
      Effect.gen(function*() {
        const made = Message[role](" Elbe\n")
        assert.deepStrictEqual(made, yield* decode({ role, content: " Elbe\n" }))
        assert.deepStrictEqual(Message[role]([Message.Text.make({ text: "Elbe" })]), {
          role,
          content: [{ _tag: "Text", text: "Elbe" }]
        })
        const input: Message.Input = made
        assert.deepStrictEqual(yield* decode(input), made)
      }))

    it.effect(`of the ${role} takes content as text: one part`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* decode({ role, content: " Elbe\n" }), {
          role,
          content: [{ _tag: "Text", text: " Elbe\n" }]
        })
      }))
  }

  it("of the user is made from images and files, too", () => {
    const content = [
      Message.Text.make({ text: "What is this?" }),
      Message.ImageBytes.make({ bytes, mediaType: "image/png" }),
      Message.FileUrl.make({ url: "https://example.com/a.pdf", mediaType: "application/pdf" })
    ]
    assert.deepStrictEqual(Message.user(content), { role: "user", content })
  })

  it("of the user and of the system is not made from a blank text, nor from no parts; that of the assistant is", () => {
    for (const role of ["user", "system"] as const) {
      assert.throws(() => Message[role](" \n"), "text that is not empty")
      assert.throws(() => Message[role]([]), "text that is not empty")
    }
    assert.strictEqual(Message.text(Message.assistant("")), "")
    assert.deepStrictEqual(Message.assistant([]).content, [])
  })

  it.effect("takes bytes as they are and as base64, and writes base64", () =>
    Effect.gen(function*() {
      for (const given of [bytes, "iVBORw=="]) {
        const message = yield* decode({
          role: "user",
          content: [{ _tag: "Image", bytes: given, mediaType: "image/png" }]
        })
        assert.deepStrictEqual(message.content, [{ _tag: "Image", bytes, mediaType: "image/png" }])
        const encoded = yield* encode(message)
        assert.deepStrictEqual(encoded.content, [{ _tag: "Image", bytes: "iVBORw==", mediaType: "image/png" }])
      }
    }))

  it.effect("of the assistant may be empty: a turn of nothing but a stop", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* decode({ role: "assistant", content: "" }), {
        role: "assistant",
        content: [{ _tag: "Text", text: "" }]
      })
      assert.deepStrictEqual(yield* decode({ role: "assistant", content: [] }), { role: "assistant", content: [] })
    }))

  describe("rejects", () => {
    for (
      const [what, message] of [
        ["empty text of the user", { role: "user", content: "" }],
        ["blank text of the user", { role: "user", content: " \n" }],
        ["a blank part among others", {
          role: "user",
          content: [conversation[1]!.content[1], { _tag: "Text", text: "" }]
        }],
        ["a message without parts", { role: "user", content: [] }],
        ["instructions with an image", { role: "system", content: [conversation[1]!.content[1]] }],
        ["an image of the assistant", { role: "assistant", content: [conversation[1]!.content[1]] }],
        ["an opaque block of the user", {
          role: "user",
          content: [{ _tag: "Opaque", provider: "openai", kind: "a", json: {} }]
        }],
        ["an opaque block without a provider", {
          role: "assistant",
          content: [{ _tag: "Opaque", kind: "a", json: {} }]
        }],
        ["a refusal of the user", { role: "user", content: [{ _tag: "Refusal", text: "No." }] }],
        ["text from a tool", { role: "tool", content: "42" }],
        ["a file without a media type", { role: "user", content: [{ _tag: "File", bytes }] }],
        ["an image both by address and by bytes", {
          role: "user",
          content: [{ _tag: "Image", url: "https://example.com/a.png", bytes, mediaType: "image/png" }]
        }]
      ] as const
    ) {
      it.effect(
        what,
        () => Effect.map(Effect.flip(decode(message)), (error) => assert.strictEqual(error._tag, "ParseError"))
      )
    }
  })

  it("text joins the text parts and nothing else", () => {
    assert.deepStrictEqual(conversation.map(Message.text), ["Be terse.", "What is this?", "Let me look.", ""])
    const two = [Message.Text.make({ text: "a" }), Message.Text.make({ text: "b" })]
    assert.strictEqual(Message.text({ role: "assistant", content: two }), "ab")
  })
})
