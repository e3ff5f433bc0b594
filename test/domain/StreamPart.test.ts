import { assert, describe, it } from "@effect/vitest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as StreamPart from "effect-llm/StreamPart"
import * as FastCheck from "effect/FastCheck"

const respond = (parts: ReadonlyArray<Message.ResponsePart>) =>
  LlmResponse.make({ parts, finishReason: "stop", model: "m", provider: "p" })

describe("StreamPart.fromResponse", () => {
  it("gives each piece of content whole, then Finish", () => {
    const response = respond([
      Message.Reasoning.make({ text: "hm" }),
      Message.Reasoning.make({ encrypted: "opaque" }),
      Message.Text.make({ text: "Elbe" }),
      Message.ToolCall.make({ id: "1", name: "f", arguments: { a: [1] } })
    ])
    assert.deepStrictEqual(StreamPart.fromResponse(response), [
      StreamPart.ReasoningDelta({ text: "hm" }),
      StreamPart.TextDelta({ text: "Elbe" }),
      StreamPart.ToolCallStart({ id: "1", name: "f" }),
      StreamPart.ToolCallDelta({ id: "1", delta: "{\"a\":[1]}" }),
      StreamPart.ToolCallEnd({ id: "1", name: "f", arguments: { a: [1] } }),
      StreamPart.Finish({ response })
    ])
  })

  it("never ends a tool call that is not whole", () => {
    const response = respond([
      Message.ToolCall.make({ id: "1", name: "f", arguments: "{\"a\":", incomplete: true })
    ])
    assert.deepStrictEqual(StreamPart.fromResponse(response), [
      StreamPart.ToolCallStart({ id: "1", name: "f" }),
      StreamPart.ToolCallDelta({ id: "1", delta: "{\"a\":" }),
      StreamPart.Finish({ response })
    ])
  })

  it("gives sources and opaque blocks in their places", () => {
    const search = Message.Opaque.make({ provider: "p", kind: "web_search_call", json: { id: "ws_1" } })
    const source = Message.Source.make({ provider: "p", kind: "url_citation", url: "https://example.com", json: {} })
    const response = respond([search, Message.Text.make({ text: "Elbe" }), source])
    assert.deepStrictEqual(StreamPart.fromResponse(response), [
      search,
      StreamPart.TextDelta({ text: "Elbe" }),
      source,
      StreamPart.Finish({ response })
    ])
  })

  it("shows a refusal in the response only", () => {
    const response = respond([Message.Refusal.make({ text: "I can't." })])
    assert.deepStrictEqual(StreamPart.fromResponse(response), [StreamPart.Finish({ response })])
  })

  it("adds up to the response: its text, its calls, and one Finish, last", () => {
    const part: FastCheck.Arbitrary<Message.ResponsePart> = FastCheck.oneof(
      FastCheck.string().map((text) => Message.Text.make({ text })),
      FastCheck.string().map((text) => Message.Reasoning.make({ text })),
      FastCheck.record({ id: FastCheck.string(), name: FastCheck.string(), arguments: FastCheck.jsonValue() })
        .map((fields) => Message.ToolCall.make(fields))
    )
    FastCheck.assert(FastCheck.property(FastCheck.array(part), (parts) => {
      const response = respond(parts)
      const streamed = StreamPart.fromResponse(response)
      assert.strictEqual(
        streamed.filter(StreamPart.is("TextDelta")).map((delta) => delta.text).join(""),
        response.text
      )
      assert.deepStrictEqual(
        streamed.filter(StreamPart.is("ToolCallEnd")).map((end) => end.arguments),
        response.toolCalls.map((call) => call.arguments)
      )
      assert.deepStrictEqual(
        streamed.filter(StreamPart.is("ToolCallDelta")).map(({ delta }) => JSON.parse(delta)),
        response.toolCalls.map((call) => JSON.parse(JSON.stringify(call.arguments)))
      )
      assert.deepStrictEqual(
        streamed.flatMap((part, index) => part._tag === "Finish" ? [index] : []),
        [streamed.length - 1]
      )
    }))
  })
})
