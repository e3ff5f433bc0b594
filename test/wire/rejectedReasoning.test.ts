import { assert, describe, it } from "@effect/vitest"
import type * as LlmError from "../../src/domain/LlmError.js"
import * as Gemini from "../../src/providers/gemini/errors.js"
import * as OpenAi from "../../src/providers/openai/errors.js"
import * as OpenAiChat from "../../src/providers/openaiChat/errors.js"
import { classify } from "../../src/wire/classify.js"

/** The reason over each protocol, for an answer and for an event of a stream. */
const reasons = (body: unknown, status = 400): ReadonlyArray<LlmError.ReasonTag> =>
  [undefined, OpenAi.errors, OpenAiChat.errors, Gemini.errors].flatMap((errors) =>
    [{ status, headers: {}, body }, { status, headers: {}, body: JSON.stringify(body) }, body].map((input) =>
      classify(input, { errors })._tag
    )
  )

const openai = (message: string, code: string | null = null) => ({
  error: { message, type: "invalid_request_error", param: null, code }
})
const anthropic = (message: string) => ({
  type: "error",
  error: { type: "invalid_request_error", message },
  request_id: "req_1"
})
const google = (message: string) => ({ error: { code: 400, message, status: "INVALID_ARGUMENT" } })

describe("classify: reasoning that its receiver cannot read", () => {
  const refused: { readonly [name: string]: unknown } = {
    "OpenAI, by its code": openai("m", "invalid_encrypted_content"),
    "OpenAI, by its words": openai(
      "The encrypted content for item rs_0a18 could not be verified. Reason: Encrypted content could not be decrypted or parsed."
    ),
    "OpenAI, for another item": openai("Encrypted content item_id did not match the target item id."),
    "OpenAI, for an item that nobody keeps": openai(
      "Item with id 'rs_68a1f2' not found. Items are not persisted when `store` is set to false."
    ),
    "xAI": {
      code: "Client specified an invalid argument",
      error: "Could not decrypt the provided encrypted_content. Ensure the value is unmodified."
    },
    "Anthropic, a signature": anthropic("messages.1.content.0: Invalid `signature` in `thinking` block"),
    "Anthropic, hidden thoughts": anthropic("messages.1.content.0: Invalid `data` in `redacted_thinking` block"),
    "Anthropic, a changed turn": anthropic(
      "messages.3.content.8: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. " +
        "These blocks must remain as they were in the original response."
    ),
    "Anthropic, another conversation": anthropic(
      "messages.1.content.0: The block is bound to a different conversation"
    ),
    "Anthropic behind Google": google(JSON.stringify(
      anthropic("messages.1.content.0: Invalid `signature` in `thinking` block")
    )),
    "a gateway without quotes": { message: "messages.1.content.0: Invalid signature in thinking block" },
    "Gemini, a broken signature": google("Corrupted thought signature."),
    "Gemini, a wrong signature": google("Thought signature is not valid"),
    "Gemini, no base64": google("Invalid value at thought_signature: Base64 decoding failed"),
    "Gemini, none": google(
      "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly."
    ),
    "Gemini over OpenAI's protocol": [google("Thought signature is not valid")]
  }
  for (const [name, body] of Object.entries(refused)) {
    it(name, () => {
      assert.deepStrictEqual([...new Set(reasons(body))], ["ReasoningRejected"])
    })
  }

  it("is nothing else about reasoning, encryption, signatures or conversations", () => {
    for (
      const body of [
        anthropic("messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`."),
        anthropic("`max_tokens` must be greater than `thinking.budget_tokens`."),
        anthropic("thinking.type.disabled is not supported for this model"),
        anthropic("tools.0.input_schema: Invalid data in block"),
        openai("Invalid value for 'input[1].content': the conversation is not valid"),
        openai("Unsupported parameter: 'reasoning.encrypted_content' is not supported with this model."),
        openai("Invalid 'messages[0].content': the image could not be decoded"),
        google("Thinking level is not supported for this model."),
        google("Function declaration signature is not valid"),
        google("Unknown name \"thought\" at 'contents[1].parts[0]': Cannot find field.")
      ]
    ) {
      assert.deepStrictEqual(
        [...new Set(reasons(body).filter((tag) => tag === "ReasoningRejected"))],
        [],
        JSON.stringify(body)
      )
    }
  })

  it("is no failure of the service: a limit, a wrong key and a fault stay what they are", () => {
    const words = "the encrypted content could not be verified"
    const tags = [401, 403, 429, 500, 503].map((status) => classify({ status, headers: {}, body: openai(words) })._tag)
    assert.deepStrictEqual(tags, [
      "AuthenticationFailed",
      "PermissionDenied",
      "RateLimited",
      "ServerFailed",
      "Overloaded"
    ])
  })
})
