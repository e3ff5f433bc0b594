/** The program whose bundle `bench/` weighs: one call over fetch. */
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import { LlmClient, OpenAiChat } from "../generated/dist/index.js"

const program = Effect.gen(function*() {
  const response = yield* LlmClient.call({ model: "gpt-4o-mini", prompt: "Name three rivers." })
  yield* Console.log(response.text)
})

const Live = LlmClient.layerDefault().pipe(
  Layer.provide(OpenAiChat.layerConfig({ apiKey: Config.Redacted("OPENAI_API_KEY") })),
  Layer.provide(FetchHttpClient.layer)
)

void Effect.runPromise(Effect.provide(program, Live))
