import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"

export const request = { model: "gpt-4o-mini", prompt: "Name three rivers." } as const

/** A whole response as a provider makes it, for tests of its very fields; elsewhere a text of the script will do. */
export const respond = (
  text: string,
  fields: Partial<Parameters<typeof LlmResponse.make>[0]> = {}
): LlmResponse.LlmResponse =>
  LlmResponse.make({
    parts: [Message.Text.make({ text })],
    finishReason: "stop",
    model: "gpt-4o-mini-2024-07-18",
    provider: "scripted",
    usage: { inputTokens: 11, outputTokens: 7 },
    ...fields
  })
