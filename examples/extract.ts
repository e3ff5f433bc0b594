/**
 * Structured output: reads documents, asks a model to fill in a record about each, and prints the records as a table. The
 * simulated model does not keep to the schema; when an answer does not fit, the client reports the problems to the model
 * and asks again.
 *
 *     npx tsx examples/extract.ts
 *
 * Look at the last column: records with more than one turn were wrong at first, and the client has sent the model the
 * issues. Every record in the table fits the schema.
 */
import { FetchHttpClient, FileSystem } from "@effect/platform"
import { NodeContext, NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Schema } from "effect"
import { LlmCache, LlmClient, LlmLogger, OpenAiChat } from "effect-llm"
import { Simulator } from "effect-llm/testing"
import { createServer } from "node:http"

/** The record of a document. The model is given the descriptions, and its answer must pass the filters. */
const Facts = Schema.Struct({
  topic: Schema.NonEmptyString.annotations({ description: "what the text is about, in a few words" }),
  length: Schema.Literal("short", "long").annotations({ description: "long: 70 words or more" }),
  firstYear: Schema.optional(
    Schema.Int.annotations({ title: "a year, as a whole number", description: "the first year that the text names" })
  ),
  keywords: Schema.Array(Schema.String).pipe(Schema.minItems(2), Schema.maxItems(3))
}).annotations({ identifier: "Facts" })

const Document = Schema.parseJson(Schema.Struct({ title: Schema.String, text: Schema.String }))

const readDocuments = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const lines = (yield* fs.readFileString("examples/data/documents.jsonl")).split("\n").filter((line) => line !== "")
  return yield* Effect.forEach(lines, (line) => Schema.decode(Document)(line))
})

const extract = ({ text, title }: typeof Document.Type) =>
  LlmClient.object(Facts, {
    model: "simulated-model",
    system: "Fill in the record about the text.",
    prompt: `${title}\n\n${text}`
  }, { tags: { title }, reask: 2 }).pipe(
    Effect.map(({ response, value }) => ({ ...value, turns: response.attempts }))
  )

const row = (cells: readonly [string, string, string, string, string]) => {
  const [topic, length, year, keywords, turns] = cells
  const shown = keywords.length > 25 ? `${keywords.slice(0, 24)}…` : keywords
  return `${topic.padEnd(34)} ${length.padEnd(6)} ${year.padStart(4)}  ${shown.padEnd(25)} ${turns.padStart(5)}`
}

const program = Effect.gen(function*() {
  const documents = yield* readDocuments
  const facts = yield* Effect.forEach(documents, extract, { concurrency: 4 })
  yield* Console.log(`\n${row(["topic", "length", "year", "keywords", "turns"])}\n${"-".repeat(79)}`)
  yield* Effect.forEach(
    facts,
    ({ firstYear, keywords, length, topic, turns }) =>
      Console.log(row([topic, length, String(firstYear ?? ""), keywords.join(", "), String(turns)]))
  )
  const asked = facts.filter(({ turns }) => turns > 1).length
  yield* Console.log(`\n${facts.length} records. Look at the last column: ${asked} took more than one turn.`)
})

// ---------------------------------------------------------------------------------------------------------------------
// The simulated model, with typical mistakes
// ---------------------------------------------------------------------------------------------------------------------

const answer = ({ turns }: Simulator.Prompt): string => {
  const asked = turns.filter(({ role }) => role === "user")
  const complaints = asked.slice(1).map(({ text }) => text).join("\n")
  const [topic = "", ...body] = (asked[0]?.text ?? "").split("\n")
  const text = body.join(" ")
  const [year] = /\b1[0-9]{3}\b/.exec(text) ?? []
  const words = text.match(/\b[a-z]{7,}\b/g) ?? []
  const json = JSON.stringify({
    topic,
    length: text.split(/\s+/).length < 70 ? "short" : "long",
    // Models like to add words.
    firstYear: year === undefined ? null : complaints.includes("firstYear") ? Number(year) : `in ${year}`,
    // And to give more than asked for.
    keywords: [...new Set(words)].slice(0, complaints.includes("keywords") || topic.length % 3 > 0 ? 3 : 5)
  })
  return complaints === "" ? `Here is the record:\n\n\`\`\`json\n${json}\n\`\`\`` : json
}

const LoggerLive = LlmLogger.layerHandler((event) =>
  event._tag === "OutputRejected"
    ? Console.log(`${event.tags?.title}: ${event.issues} wrong in answer ${event.attempt}, asking again`)
    : Effect.void
)

const ProviderLive = Layer.unwrapEffect(
  Effect.map(Simulator.Simulator, ({ url }) => OpenAiChat.layer({ baseUrl: `${url}/v1` }))
).pipe(
  Layer.provide(Simulator.layer({ answer, latency: "20 millis" })),
  Layer.provide(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
  Layer.provide(FetchHttpClient.layer)
)

const MainLive = LlmClient.layer().pipe(Layer.provide([ProviderLive, LlmCache.layerMemory(), LoggerLive]))

NodeRuntime.runMain(Effect.provide(program, Layer.merge(MainLive, NodeContext.layer)))
