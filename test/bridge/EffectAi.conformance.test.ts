import { describe, layer } from "@effect/vitest"
import * as EffectAi from "effect-llm/EffectAi"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmLogger from "effect-llm/LlmLogger"
import type { LlmRequest } from "effect-llm/LlmRequest"
import { Conformance } from "effect-llm/testing"
import * as Layer from "effect/Layer"
import * as AiChatModel from "../support/aiChatModel.js"
import { clientLayer, providers, serverLayer } from "../support/simulated.js"

const model = "gpt-4o-mini"

const named = { name: "bridged", endpoint: "http://simulator", model }

describe("EffectAi.layerProvider", () => {
  const configure = ({ maxTokens }: LlmRequest) =>
    AiChatModel.withConfigOverride({ ...(maxTokens !== undefined && { max_tokens: maxTokens }) })

  const overHttp = Conformance.simulated(({ apiKey, url }) =>
    EffectAi.layerProvider({ ...named, configure, takes: ["maxTokens"] }).pipe(
      Layer.provide(AiChatModel.layer({ url, apiKey, model }))
    )
  ).pipe(Layer.provide([clientLayer, serverLayer]))

  layer(overHttp)("over a model with errors of HTTP", (it) => {
    for (const { check, name } of Conformance.checks({ model })) it.effect(name, () => check)
  })

  // There and back: what one direction loses, the other cannot give.
  const andBack = (protocol: keyof typeof providers) =>
    Conformance.simulated(({ url }) =>
      EffectAi.layerProvider({
        ...named,
        model: providers[protocol].model,
        configure: ({ maxTokens }) => EffectAi.withSettings({ maxTokens }),
        takes: ["maxTokens"]
      }).pipe(
        Layer.provide(EffectAi.layerLanguageModel({ model: providers[protocol].model })),
        Layer.provide(LlmClient.layer({ retry: false })),
        Layer.provide([providers[protocol].layer(url), LlmCache.layerNone, LlmLogger.layerSilent])
      )
    ).pipe(Layer.provide([clientLayer, serverLayer]))

  for (const protocol of ["openai-chat", "anthropic-messages", "gemini"] as const) {
    layer(andBack(protocol))(`over layerLanguageModel on ${protocol}`, (it) => {
      for (const { check, name } of Conformance.checks({ model: providers[protocol].model })) {
        it.effect(name, () => check)
      }
    })
  }
})
