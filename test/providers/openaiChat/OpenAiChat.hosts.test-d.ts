/** What the compiler must take and refuse of the hosts' options. Checked by `tsc`; there is nothing to run. */
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Config from "effect/Config"
import * as Redacted from "effect/Redacted"
import { expectTypeOf } from "vitest"

const atHand = { apiKey: Redacted.make("k") }
const configured = { apiKey: Config.redacted("KEY") }

expectTypeOf(OpenAiChat.groq(atHand)).toEqualTypeOf<OpenAiChat.Options>()
expectTypeOf(OpenAiChat.groq(configured)).toEqualTypeOf<OpenAiChat.ConfigOptions>()

OpenAiChat.layer(OpenAiChat.vllm({}))
OpenAiChat.layer(OpenAiChat.vllm({ baseUrl: "http://127.0.0.1:8000/v1" }))
OpenAiChat.layerConfig(OpenAiChat.vllm({ baseUrl: Config.string("URL") }))
OpenAiChat.layer(OpenAiChat.azure({ ...atHand, baseUrl: "https://x.openai.azure.com", deployment: "d" }))
OpenAiChat.layerConfig(OpenAiChat.azure({ ...configured, baseUrl: "https://x.openai.azure.com" }))
OpenAiChat.layerConfig(OpenAiChat.azure({ ...configured, baseUrl: Config.string("URL"), apiVersion: "preview" }))
// @ts-expect-error a key from the configuration
OpenAiChat.layer(OpenAiChat.groq(configured))
// @ts-expect-error a key at hand
OpenAiChat.layerConfig(OpenAiChat.groq(atHand))
// @ts-expect-error no endpoint
OpenAiChat.azure(atHand)
// @ts-expect-error no such option
OpenAiChat.groq({ apiKye: Redacted.make("k") })
// @ts-expect-error no such capability
OpenAiChat.groq({ capabilities: { topP: true } })
