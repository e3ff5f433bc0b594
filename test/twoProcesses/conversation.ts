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

/** The search of a provider, where the protocol has one. */
const searches: Partial<Record<Protocol, LlmRequest.ProviderTool>> = {
  "openai-responses": OpenAiTools.webSearch({ allSources: true }),
  "anthropic-messages": AnthropicTools.webSearch(),
  gemini: GeminiTools.googleSearch()
}

const settingsOf = (protocol: Protocol) => {
  const search = searches[protocol]
  return {
    model: providers[protocol].thinking,
    reasoningEffort: "low",
    maxTokens: 4_000,
    ...(search !== undefined && { providerTools: [search] })
  } as const
}

const clientAt = ({ protocol, url }: Order) =>
  LlmClient.layer().pipe(
    Layer.provide(providers[protocol].layer(url)),
    Layer.provide([FetchHttpClient.layer, LlmCache.layerMemory(), LlmLogger.layerSilent])
  )

/** A conversation with a picture, thoughts, a tool with a picture in its result, a search and its citations. */
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
      content: [Message.Text.make({ text: "Now use web_search: which towns does the Elbe flow through?" })]
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
