import { assert, describe, it } from "@effect/vitest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as OpaqueBlocks from "../../src/providers/opaqueBlocks.js"

const search = (fields: Partial<Message.Opaque> = {}): Message.Opaque =>
  Message.Opaque.make({ provider: "openai", kind: "web_search_call", json: { type: "web_search_call" }, ...fields })

const conversation = (...parts: ReadonlyArray<Message.ResponsePart>): ReadonlyArray<Message.Message> => [
  { role: "user", content: [Message.Text.make({ text: "Which river?" })] },
  { role: "assistant", content: [...parts, Message.Text.make({ text: "The Elbe." })] }
]

describe("opaque blocks", () => {
  it("go back to the provider that sent them, in their place", () => {
    const messages = conversation(search())
    assert.deepStrictEqual(OpaqueBlocks.sendable(messages, "openai"), { messages, warnings: [] })
  })

  for (
    const [what, block, takes, why] of [
      ["another provider's", search({ provider: "anthropic" }), undefined, "it came from anthropic"],
      ["one that did not come whole", search({ partial: true }), undefined, "it did not come whole"],
      ["one that the protocol does not take", search(), () => false, "openai does not take it back"]
    ] as const
  ) {
    it(`leave out ${what}, with one warning for the kind`, () => {
      assert.deepStrictEqual(OpaqueBlocks.sendable(conversation(block, block), "openai", takes), {
        messages: conversation(),
        warnings: [`a block of the kind web_search_call was not sent: ${why}`]
      })
    })
  }

  it("leave one warning for each kind in an answer", () => {
    const parts = [search(), search(), search({ kind: "x", partial: true }), Message.Text.make({ text: "The Elbe." })]
    const response = LlmResponse.make({ parts, finishReason: "stop", model: "m", provider: "p", warnings: ["seed"] })
    assert.deepStrictEqual(OpaqueBlocks.warned(response).warnings, [
      "seed",
      "a block of the kind web_search_call was kept as it came",
      "a block of the kind x could not be read whole: it was kept as it came, and is not sent back"
    ])
  })
})
