import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Redacted from "effect/Redacted"

const apiKey = Redacted.make("sk-test-1234567890abcdef")

/** The provider of each protocol at an address, with one of its models. */
export const protocols = {
  chat: { at: (baseUrl: string) => OpenAiChat.layer({ apiKey, baseUrl }), model: "gpt-4o-mini" },
  responses: { at: (baseUrl: string) => OpenAi.layer({ apiKey, baseUrl }), model: "gpt-5-mini" },
  anthropic: { at: (baseUrl: string) => Anthropic.layer({ apiKey, baseUrl }), model: "claude-haiku-4-5" },
  gemini: { at: (baseUrl: string) => Gemini.layer({ apiKey, baseUrl }), model: "gemini-2.5-flash" },
  ollama: { at: (baseUrl: string) => Ollama.layer({ baseUrl }), model: "llama3" }
} as const
