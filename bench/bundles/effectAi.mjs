import * as OpenAiClient from "@effect/ai-openai/OpenAiClient"
import * as OpenAiLanguageModel from "@effect/ai-openai/OpenAiLanguageModel"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const Live = OpenAiLanguageModel.layer({ model: "gpt-4o-mini" }).pipe(
  Layer.provide(OpenAiClient.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") })),
  Layer.provide(FetchHttpClient.layer)
)

const program = Effect.flatMap(
  LanguageModel.generateText({ prompt: "Name three rivers." }),
  (answer) => Console.log(answer.text)
)

void Effect.runPromise(Effect.provide(program, Live))
