/**
 * A structured answer while it is streamed: a summary that grows, and below it a table whose rows appear as soon as they
 * are complete. The model is simulated, over real HTTP.
 *
 *     npx tsx examples/streamObject.ts
 *
 * Look at the table while it grows: a row is there once it is whole, and the sum is that of the checked value.
 */
import { NodeHttpClient, NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Schema, Stream } from "effect"
import { LlmCache, LlmClient, LlmLogger, OpenAiChat } from "effect-llm"
import { Simulator } from "effect-llm/testing"
import { createServer } from "node:http"

const Rivers = Schema.Struct({
  summary: Schema.String,
  rivers: Schema.Array(Schema.Struct({
    name: Schema.String,
    kilometers: Schema.Number.pipe(Schema.positive()),
    mouth: Schema.optional(Schema.String)
  }))
}).annotations({ identifier: "Rivers" })

const program = Effect.gen(function*() {
  let summary = ""
  let rows = 0
  const parts = LlmClient.streamObject(Rivers, { model: "simulated-model", prompt: "Describe the rivers of Germany." })
  yield* Stream.runForEach(parts, (part) => {
    if (part._tag === "Finish") {
      // Decoded and checked: a value of the schema's type.
      const total = part.value.rivers.reduce((sum, { kilometers }) => sum + kilometers, 0)
      return Console.log(
        `\n${part.value.rivers.length} rivers, ${total} kilometers: ${part.response.usage.outputTokens} tokens\n` +
          "Look at the table while it grows: each row appears once it is whole."
      )
    }
    // So far: a text that grows, and the complete elements.
    const { rivers = [], summary: text = "" } = part.value
    const more = text.slice(summary.length)
    const lines = rivers.slice(rows).map(({ kilometers, mouth = "", name }) =>
      `\n${name.padEnd(8)} ${String(kilometers).padStart(5)}  ${mouth}`
    )
    summary = text
    rows = rivers.length
    return Effect.sync(() => process.stdout.write([more, ...lines].join("")))
  })
})

const answer = (): string =>
  JSON.stringify({
    summary: "Most of them flow to the north; one of them does not.\n",
    rivers: [
      { name: "Rhine", kilometers: 1233, mouth: "North Sea" },
      { name: "Elbe", kilometers: 1094, mouth: "North Sea" },
      { name: "Danube", kilometers: 2850, mouth: "Black Sea" },
      { name: "Spree", kilometers: 400 }
    ]
  })

const ProviderLive = Layer.unwrapEffect(
  Effect.map(Simulator.Simulator, ({ url }) => OpenAiChat.layer({ baseUrl: `${url}/v1` }))
).pipe(
  Layer.provide(Simulator.layer({ answer, pace: "60 millis" })),
  Layer.provide(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
  Layer.provide(NodeHttpClient.layerUndici)
)

const MainLive = LlmClient.layer().pipe(
  Layer.provide([ProviderLive, LlmCache.layerMemory(), LlmLogger.layerSilent])
)

NodeRuntime.runMain(Effect.provide(program, MainLive))
