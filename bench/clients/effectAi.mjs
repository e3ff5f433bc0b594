import * as OpenAiClient from "@effect/ai-openai/OpenAiClient"
import * as OpenAiLanguageModel from "@effect/ai-openai/OpenAiLanguageModel"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"

export const open = async ({ baseUrl }) => {
  const runtime = ManagedRuntime.make(
    OpenAiLanguageModel.layer({ model: "gpt-4o-mini" }).pipe(
      Layer.provide(OpenAiClient.layer({ apiKey: Redacted.make("sk-bench"), apiUrl: baseUrl })),
      Layer.provide(NodeHttpClient.layerUndici)
    )
  )
  await runtime.runPromise(Effect.void)
  return {
    call: (prompt) => runtime.runPromise(Effect.map(LanguageModel.generateText({ prompt }), (answer) => answer.text)),
    stream: (prompt, onText) =>
      runtime.runPromise(
        Stream.runForEach(
          LanguageModel.streamText({ prompt }),
          (part) => Effect.sync(() => part.type === "text-delta" && onText(part.delta))
        )
      ),
    close: () => runtime.dispose()
  }
}
