/**
 * A conversation that outlives its process: streamed turns with a tool, stored as JSON after each of them, and read
 * back before the next. It comes back as it was stored, byte for byte. The model is a simulator in this process.
 *
 *     npx tsx examples/conversation.ts
 *
 * Look at the last line: the conversation, with its tool calls, was read back, and stored again as the same bytes.
 */
import { FetchHttpClient, FileSystem } from "@effect/platform"
import { NodeContext, NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Schema, Stream } from "effect"
import { Anthropic, LlmCache, LlmClient, LlmLogger, LlmTool, Message } from "effect-llm"
import { Simulator } from "effect-llm/testing"
import { createServer } from "node:http"

// ---------------------------------------------------------------------------------------------------------------------
// The store: one file
// ---------------------------------------------------------------------------------------------------------------------

/** A conversation as JSON: with tool calls, reasoning and signatures as they came, and bytes as base64. */
const Conversation = Schema.parseJson(Schema.Array(Message.Message))

const load = (file: string) =>
  Effect.flatMap(
    FileSystem.FileSystem,
    (files) => Effect.flatMap(files.readFileString(file), Schema.decode(Conversation))
  )

const save = (file: string, messages: ReadonlyArray<Message.Message>) =>
  Effect.flatMap(
    FileSystem.FileSystem,
    (files) => Effect.flatMap(Schema.encode(Conversation)(messages), (json) => files.writeFileString(file, json))
  )

// ---------------------------------------------------------------------------------------------------------------------
// The turns
// ---------------------------------------------------------------------------------------------------------------------

const lengths = new Map([["Elbe", 1094], ["Oder", 840]])

const RiverLength = LlmTool.make("river_length", {
  description: "The length of a river in kilometers.",
  parameters: Schema.Struct({ river: Schema.String }),
  handler: ({ river }) => {
    const length = lengths.get(river)
    return length === undefined ? LlmTool.failure(`no river is called ${river}`) : Effect.succeed(length)
  }
})

/** Asks the next question of a stored conversation, shows the answer as it comes, and stores the conversation. */
const ask = (file: string, question: string) =>
  Effect.gen(function*() {
    const messages: Array<Message.Input> = [...yield* load(file), { role: "user", content: question }]
    yield* Console.log(`\n> ${question}`)
    yield* LlmClient.streamTools({ model: "claude-haiku-4-5", messages }, [RiverLength]).pipe(
      Stream.runForEach((part) => {
        switch (part._tag) {
          case "TextDelta":
            return Effect.sync(() => process.stdout.write(part.text))
          case "ToolResult":
            return Console.log(`  (${part.name} gave ${JSON.stringify(part.result)})`)
          case "Finish":
            return "run" in part ? Effect.zipRight(Console.log(), save(file, part.run.messages)) : Effect.void
          default:
            return Effect.void
        }
      })
    )
  })

const program = Effect.gen(function*() {
  const files = yield* FileSystem.FileSystem
  const file = yield* files.makeTempFileScoped({ prefix: "conversation-" })
  yield* save(file, [])
  yield* ask(file, "How long is the Elbe?")
  yield* ask(file, "And the Oder?")
  yield* ask(file, "What did I ask about?")

  const stored = yield* files.readFileString(file)
  yield* save(file, yield* load(file))
  const again = yield* files.readFileString(file)
  const { length } = yield* load(file)
  yield* Console.log(
    `\n${length} messages in ${stored.length} bytes, read and stored again: ${stored === again ? "equal" : "different"}`
  )
  yield* Console.log("Look at the last answer: the model gets the stored messages with each question.")
  if (stored !== again) return yield* Effect.dieMessage("The conversation has changed")
}).pipe(Effect.scoped)

// ---------------------------------------------------------------------------------------------------------------------
// The simulated model
// ---------------------------------------------------------------------------------------------------------------------

const riverIn = (text: string) => [...lengths.keys()].find((river) => text.includes(river))

const answer = ({ turns }: Simulator.Prompt): Simulator.Answer => {
  const last = turns.at(-1)
  if (last?.role === "tool") return { text: `It is ${last.text} kilometers long.` }
  const river = riverIn(last?.text ?? "")
  if (river !== undefined) {
    return { text: "Let me look.\n", toolCalls: [{ name: RiverLength.name, arguments: { river } }] }
  }
  const asked = turns.flatMap(({ role, text }) => role === "user" ? riverIn(text) ?? [] : [])
  return { text: `You asked about ${asked.join(" and ")}.` }
}

const SimulatorLive = Simulator.layer({ answer, pace: "20 millis" }).pipe(
  Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
)

const ProviderLive = Layer.unwrapEffect(
  Effect.map(Simulator.Simulator, ({ url }) => Anthropic.layer({ baseUrl: url }))
)

const MainLive = LlmClient.layer().pipe(
  Layer.provide([ProviderLive, LlmCache.layerMemory(), LlmLogger.layerSilent]),
  Layer.provide([SimulatorLive, FetchHttpClient.layer]),
  Layer.merge(NodeContext.layer)
)

NodeRuntime.runMain(Effect.provide(program, MainLive))
