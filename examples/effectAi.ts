/**
 * A program that is written for `@effect/ai`, on this library's client: a chat with a tool, a value, and a stream. The
 * service is overloaded at first; the client asks again. Then the other direction: a language model of `@effect/ai` as a
 * provider, whose tools `runTools` runs.
 *
 *     npx tsx examples/effectAi.ts
 *
 * Look at "after 2 requests": the program has no retry of its own, and @effect/ai neither.
 */
import { Chat, LanguageModel, Tool, Toolkit } from "@effect/ai"
import { FetchHttpClient } from "@effect/platform"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Option, Redacted, Schema, Stream } from "effect"
import { LlmCache, LlmClient, LlmLogger, OpenAiChat } from "effect-llm"
import * as EffectAi from "effect-llm/EffectAi"
import { Simulator } from "effect-llm/testing"
import { createServer } from "node:http"

// ---------------------------------------------------------------------------------------------------------------------
// The program: it knows @effect/ai only
// ---------------------------------------------------------------------------------------------------------------------

const Rivers = Toolkit.make(
  Tool.make("river_length", {
    description: "The length of a river.",
    parameters: { river: Schema.String },
    success: Schema.Struct({ kilometers: Schema.Number })
  })
)

const RiversLive = Rivers.toLayer({
  river_length: ({ river }) => Effect.as(Console.log(`  river_length of ${river}`), { kilometers: 1094 })
})

const Journey = Schema.Struct({ from: Schema.String, to: Schema.String, days: Schema.Int })

const program = Effect.gen(function*() {
  const chat = yield* Effect.flatMap(Chat.empty, EffectAi.losslessChat)
  yield* chat.generateText({ prompt: "The Elbe: how long is it? Use river_length.", toolkit: Rivers })
  const { content, text } = yield* chat.generateText({ prompt: [], toolkit: Rivers })
  yield* Console.log(`chat: ${text}`)
  yield* Option.match(EffectAi.response(content), {
    onNone: () => Effect.void,
    onSome: ({ attempts, origin }) => Console.log(`  (from the ${origin}, after ${attempts} requests)`)
  })

  const { value } = yield* LanguageModel.generateObject({
    prompt: "A journey from Dresden to Hamburg",
    schema: Journey
  })
  yield* Console.log(`value: ${Object.keys(value).join(", ")}`)

  const words = LanguageModel.streamText({ prompt: "Echo: Down the river to the sea" }).pipe(
    Stream.filterMap((part) => part.type === "text-delta" ? Option.some(part.delta) : Option.none())
  )
  yield* Console.log(`stream: ${yield* Stream.mkString(words)}`)
})

// ---------------------------------------------------------------------------------------------------------------------
// The layers
// ---------------------------------------------------------------------------------------------------------------------

/** Answers results of tools, and is overloaded when it is asked for the second time. */
const Service = Simulator.layer({
  answer: (prompt) => {
    const last = prompt.turns.at(-1)
    return last?.role === "tool" ? { text: `The tool says ${last.text}` } : Simulator.answer(prompt)
  },
  faults: Simulator.sequence([Simulator.ok, Simulator.status(503)])
}).pipe(Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 })))

const Client = Layer.unwrapEffect(
  Effect.map(Simulator.Simulator, ({ url }) =>
    LlmClient.layer({ retry: { base: "50 millis" } }).pipe(
      Layer.provide(OpenAiChat.layer({ apiKey: Redacted.make("sk-none"), baseUrl: `${url}/v1` })),
      Layer.provide([FetchHttpClient.layer, LlmCache.layerMemory(), LlmLogger.layerSilent])
    ))
)

const Model = EffectAi.layerLanguageModel({ model: "gpt-4o-mini", settings: { maxTokens: 300 } }).pipe(
  Layer.provide(Client)
)

/** Any language model of `@effect/ai` as a provider; here, for want of a service, the one above. */
const OverModel = LlmClient.layer().pipe(
  Layer.provide(EffectAi.layerProvider({ name: "bridged", endpoint: "local", model: "any" })),
  Layer.provide([Model, LlmCache.layerNone, LlmLogger.layerSilent])
)

const otherWay = Effect.gen(function*() {
  const tools = yield* EffectAi.tools(Rivers)
  const { response, steps } = yield* LlmClient.runTools(
    { model: "any", prompt: "The Oder: how long is it? Use river_length." },
    tools
  )
  yield* Console.log(`runTools: ${response.text} (${steps.length} turns)`)
  yield* Console.log("Look at \"after 2 requests\": the client retries for the program, which does not.")
}).pipe(Effect.provide(OverModel))

program.pipe(
  Effect.provide(Model),
  Effect.zipRight(otherWay),
  Effect.provide([RiversLive]),
  Effect.provide(Service),
  NodeRuntime.runMain
)
