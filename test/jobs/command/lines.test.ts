import { assert, describe, it } from "@effect/vitest"
import * as LlmError from "effect-llm/LlmError"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import { readRequest, writeResult } from "../../../src/jobs/command/lines.js"

describe("readRequest", () => {
  it("takes a request or a text, and fills in what it leaves out", () => {
    const defaults = { model: "m", maxTokens: 9, system: undefined }
    assert.deepStrictEqual(
      readRequest("\"Name a river.\"", defaults),
      Either.right({
        model: "m",
        maxTokens: 9,
        prompt: "Name a river."
      } as never)
    )
    assert.deepStrictEqual(
      readRequest("{\"prompt\": \"a\", \"model\": \"other\", \"maxTokens\": 1}", defaults),
      Either.right({ model: "other", maxTokens: 1, prompt: "a" } as never)
    )
  })

  it("names what is wrong with a line", () => {
    const problem = (line: string, model: string | undefined = "m") =>
      Either.getOrElse(Either.flip(readRequest(line, { model })), () => "nothing")
    assert.strictEqual(problem("{prompt"), "not JSON")
    assert.match(problem("[1]"), /expected a JSON object/)
    assert.match(problem("17"), /expected a JSON object/)
    assert.match(
      Either.getOrElse(Either.flip(readRequest("{\"prompt\": \"a\"}", {})), () => ""),
      /no model/
    )
  })

  it("throws for no line", () => {
    FastCheck.assert(FastCheck.property(
      FastCheck.oneof(FastCheck.string(), FastCheck.json()),
      (line) => Either.isEither(readRequest(line, { model: "m" }))
    ))
  })
})

describe("writeResult", () => {
  it("writes an answer in a line, with parts only where there is more than text", () => {
    const fields = { finishReason: "stop", model: "m", provider: "p", usage: { inputTokens: 1 }, cost: 0.5 } as const
    const text = LlmResponse.make({ ...fields, parts: [Message.Text.make({ text: "Elbe\nOder" })] })
    assert.strictEqual(
      writeResult({ index: 3, result: Exit.succeed(text) }),
      "{\"index\":3,\"text\":\"Elbe\\nOder\",\"finishReason\":\"stop\",\"model\":\"m\",\"usage\":{\"inputTokens\":1},\"cost\":0.5}"
    )
    const call = Message.ToolCall.make({ id: "1", name: "look", arguments: {} })
    const calls = LlmResponse.make({ ...fields, parts: [call] })
    assert.deepStrictEqual(JSON.parse(writeResult({ index: 0, result: Exit.succeed(calls) })).parts, [{ ...call }])
  })

  it("writes the reason of a failure, and the mistake of a program", () => {
    const failed = LlmError.make({ _tag: "Refused", message: "no" })
    assert.deepStrictEqual(JSON.parse(writeResult({ index: 1, result: Exit.fail(failed) })), {
      index: 1,
      error: { reason: "Refused", message: failed.message }
    })
    const { error } = JSON.parse(writeResult({ index: 1, result: Exit.die(new Error("a bug")) }))
    assert.strictEqual(error.reason, "Defect")
    assert.match(error.message, /a bug/)
  })
})
