import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as AnthropicTools from "effect-llm/AnthropicTools"
import * as GeminiTools from "effect-llm/GeminiTools"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmLogger from "effect-llm/LlmLogger"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmTool from "effect-llm/LlmTool"
import * as Message from "effect-llm/Message"
import * as OpenAiTools from "effect-llm/OpenAiTools"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { type Protocol, providers } from "../support/simulated.js"

/** What one process asks the other for: a conversation with a service at an address. */
export interface Order {
  readonly protocol: Protocol
  readonly url: string
}

const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 7) % 256)

const picture = Message.ImageBytes.make({ bytes, mediaType: "image/png" })

/** A tool whose result has text, JSON and a picture. */
const riverLength = LlmTool.make("river_length", {
  description: "The length of a river.",
  parameters: Schema.Struct({ river: Schema.String }),
  handler: () =>
    Effect.succeed(
      LlmTool.withParts({ kilometers: 1094, at: ["Dresden", null, 1.5] }, [
        Message.Text.make({ text: "As on the map:" }),
        picture
      ])
    )
})

/** A search and code that the provider runs, where the protocol has them. */
const served: Partial<Record<Protocol, ReadonlyArray<LlmRequest.ProviderTool>>> = {
  "openai-responses": [OpenAiTools.webSearch({ allSources: true }), OpenAiTools.codeInterpreter({ outputs: true })],
  "anthropic-messages": [AnthropicTools.webSearch(), AnthropicTools.codeExecution()],
  gemini: [GeminiTools.googleSearch(), GeminiTools.codeExecution()]
}

const settingsOf = (protocol: Protocol) => {
  const providerTools = served[protocol]
  return {
    model: providers[protocol].thinking,
    reasoningEffort: "low",
    maxTokens: 4_000,
    ...(providerTools !== undefined && { providerTools })
  } as const
}

const clientAt = ({ protocol, url }: Order) =>
  LlmClient.layer().pipe(
    Layer.provide(providers[protocol].layer(url)),
    Layer.provide([FetchHttpClient.layer, LlmCache.layerMemory(), LlmLogger.layerSilent])
  )

/** A conversation with a picture, thoughts, a tool with a picture in its result, a search with its citations, and code. */
export const begin = (order: Order) =>
  Effect.gen(function*() {
    const settings = settingsOf(order.protocol)
    const asked: Message.UserMessage = {
      role: "user",
      content: [Message.Text.make({ text: "Call river_length for the Elbe, which is on this picture." }), picture]
    }
    const { messages } = yield* LlmClient.runTools({ ...settings, messages: [asked] }, [riverLength])
    const further: Message.UserMessage = {
      role: "user",
      content: [
        Message.Text.make({ text: "Now use web_search and code_execution: which towns does the Elbe flow through?" })
      ]
    }
    const { message } = yield* LlmClient.call({ ...settings, messages: [...messages, further] })
    return [...messages, further, message]
  }).pipe(Effect.provide(clientAt(order)))

/** Goes on with a conversation. */
export const goOn = (order: Order, messages: ReadonlyArray<Message.Message>) =>
  LlmClient.call({ ...settingsOf(order.protocol), messages: [...messages, { role: "user", content: "Echo: And on." }] })
    .pipe(Effect.provide(clientAt(order)))

/** A conversation as a program stores it. */
export const Stored = Schema.parseJson(Schema.Array(Message.Message))
