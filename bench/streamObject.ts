/**
 * What a chunk of a streamed value costs, by how many chunks there are: CPU time in microseconds for each, for a list of
 * objects and for one long text, from a provider in memory. Beside it, where the package `ai` is installed here, the
 * same stream through the AI SDK's `streamObject`. Linear is a column that stays what it is.
 *
 *     npx tsx bench/streamObject.ts
 */
import { Effect, Schema, Stream } from "effect"
import { LlmCache, LlmClient, LlmLogger, LlmProvider, LlmResponse, Message, StreamPart } from "effect-llm"

/** A scenario: an answer in so many pieces. */
export interface Scenario {
  readonly name: string
  readonly schema: Schema.Schema.AnyNoContext
  readonly jsonSchema: object
  readonly pieces: (chunks: number) => ReadonlyArray<string>
}

export const scenarios: ReadonlyArray<Scenario> = [
  {
    name: "list of objects",
    schema: Schema.Struct({ items: Schema.Array(Schema.Struct({ id: Schema.Number, name: Schema.String })) }),
    jsonSchema: {
      type: "object",
      properties: {
        items: {
          type: "array",
          items: {
            type: "object",
            properties: { id: { type: "number" }, name: { type: "string" } },
            required: ["id", "name"],
            additionalProperties: false
          }
        }
      },
      required: ["items"],
      additionalProperties: false
    },
    pieces: (chunks) =>
      Array.from(
        { length: chunks },
        (_, i) => `${i === 0 ? "{\"items\":[" : ","}{"id":${i},"name":"item ${i}"}${i === chunks - 1 ? "]}" : ""}`
      )
  },
  {
    name: "long text",
    schema: Schema.Struct({ text: Schema.String }),
    jsonSchema: {
      type: "object",
      properties: { text: { type: "string" } },
      required: ["text"],
      additionalProperties: false
    },
    pieces: (chunks) =>
      Array.from(
        { length: chunks },
        (_, i) => `${i === 0 ? "{\"text\":\"" : ""}some words ${i} ${i === chunks - 1 ? "\"}" : ""}`
      )
  }
]

/** CPU time of a run in microseconds. */
const cpuTime = async (run: () => Promise<unknown>): Promise<number> => {
  const before = process.cpuUsage()
  await run()
  const { system, user } = process.cpuUsage(before)
  return system + user
}

const inMemory = (pieces: ReadonlyArray<string>) =>
  LlmProvider.layer({
    name: "memory",
    endpoint: "memory:",
    schemaDialect: "plain",
    call: () => Effect.dieMessage("it only streams"),
    stream: () =>
      Stream.concat(
        // One chunk for each piece, as they come from a socket.
        Stream.rechunk(Stream.fromIterable(pieces.map((text) => StreamPart.TextDelta({ text }))), 1),
        Stream.succeed(StreamPart.Finish({
          response: LlmResponse.make({
            parts: [Message.Text.make({ text: pieces.join("") })],
            finishReason: "stop",
            model: "m",
            provider: "memory"
          })
        }))
      )
  })

/** CPU time of one stream through this library. Each partial value is looked at. */
export const ours = ({ pieces, schema }: Scenario, chunks: number): Promise<number> => {
  const provider = inMemory(pieces(chunks))
  const program = LlmClient.streamObject(schema, { model: "m", prompt: "p" }).pipe(
    Stream.runFold(0, (seen, { value }) => seen + Object.keys(Object(value)).length),
    Effect.provide(LlmClient.layer()),
    Effect.provide([provider, LlmCache.layerNone, LlmLogger.layerSilent])
  )
  return cpuTime(() => Effect.runPromise(program))
}

/** The same through the AI SDK; `undefined` where it is not installed. */
export const aiSdk = async (): Promise<((scenario: Scenario, chunks: number) => Promise<number>) | undefined> => {
  // Not known to the compiler: it is nobody's dependency but the bench's.
  const [name, testName]: ReadonlyArray<string> = ["ai", "ai/test"]
  const ai = await import(String(name)).catch(() => undefined)
  const test = await import(String(testName)).catch(() => undefined)
  if (ai === undefined || test === undefined) return undefined
  const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } }
  return ({ jsonSchema, pieces }, chunks) => {
    const parts = [
      { type: "stream-start", warnings: [] },
      { type: "text-start", id: "1" },
      ...pieces(chunks).map((delta) => ({ type: "text-delta", id: "1", delta })),
      { type: "text-end", id: "1" },
      { type: "finish", finishReason: { unified: "stop", raw: "stop" }, usage }
    ]
    const model = new test.MockLanguageModelV3({
      doStream: async () => ({
        stream: new ReadableStream({
          start(controller) {
            for (const part of parts) controller.enqueue(part)
            controller.close()
          }
        })
      })
    })
    return cpuTime(async () => {
      const { object, partialObjectStream } = ai.streamObject({ model, schema: ai.jsonSchema(jsonSchema), prompt: "p" })
      let seen = 0
      for await (const value of partialObjectStream) seen += Object.keys(Object(value)).length
      await object
      return seen
    })
  }
}

/** The fastest of some runs: what is slower was disturbed. */
const best = async (runs: number, run: () => Promise<number>): Promise<number> => {
  let least = Infinity
  for (let i = 0; i < runs; i++) least = Math.min(least, await run())
  return least
}

/** Prints a table for each scenario. */
export const main = async (sizes: ReadonlyArray<number> = [500, 1_000, 2_000, 4_000, 8_000]): Promise<void> => {
  const theirs = await aiSdk()
  for (const scenario of scenarios) {
    await ours(scenario, 2_000)
    await theirs?.(scenario, 500)
    console.log(
      `\n${scenario.name}: CPU µs per chunk\n${"chunks".padStart(8)} ${"effect-llm".padStart(12)} ${"ai".padStart(12)}`
    )
    for (const chunks of sizes) {
      const own = await best(3, () => ours(scenario, chunks))
      const other = theirs && await theirs(scenario, chunks)
      const cell = (time: number | undefined) => (time === undefined ? "-" : (time / chunks).toFixed(1)).padStart(12)
      console.log(`${String(chunks).padStart(8)} ${cell(own)} ${cell(other)}`)
    }
  }
}

if (process.argv[1]?.endsWith("streamObject.ts") === true) await main()
