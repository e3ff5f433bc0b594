/**
 * A chat in the terminal: streamed answers, a tool that looks things up, and one that asks for your approval before it
 * writes. It ends with the input (Ctrl-D).
 *
 *     npx tsx examples/chat.ts                             a simulator in this process, no key needed
 *     OPENAI_API_KEY=... npx tsx examples/chat.ts          OpenAI, with the model LLM_MODEL (default: gpt-4o-mini)
 *     npx tsx examples/chat.ts < examples/data/chat.txt    lines from a file
 *
 * Say "How long is the Elbe?" and "note: buy bread". Look at the tool that runs by itself, and at the one that asks
 * you: with "n" the model learns so, and nothing is written.
 */
import { FetchHttpClient } from "@effect/platform"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, Console, Context, Effect, Layer, Option, Ref, Schema, Stream } from "effect"
import { LlmCache, LlmClient, LlmError, LlmLogger, LlmTool, type Message, OpenAi } from "effect-llm"
import { Simulator } from "effect-llm/testing"
import { createServer } from "node:http"
import { createInterface } from "node:readline"

// ---------------------------------------------------------------------------------------------------------------------
// The terminal
// ---------------------------------------------------------------------------------------------------------------------

const write = (text: string) => Effect.sync(() => process.stdout.write(text))

/** The person at the keyboard. */
class Person extends Context.Tag("chat/Person")<Person, {
  /** Shows a prompt, and waits for a line; none at the end of the input. */
  readonly ask: (prompt: string) => Effect.Effect<Option.Option<string>>
}>() {}

const PersonLive = Layer.scoped(
  Person,
  Effect.gen(function*() {
    const terminal = yield* Effect.acquireRelease(
      Effect.sync(() => createInterface({ input: process.stdin })),
      (terminal) => Effect.sync(() => terminal.close())
    )
    const lines = terminal[Symbol.asyncIterator]()
    const next = Effect.map(
      Effect.promise(() => lines.next()),
      ({ done, value }) => done === true ? Option.none() : Option.some(value)
    )
    return {
      ask: (prompt) =>
        write(prompt).pipe(
          Effect.zipRight(next),
          // Lines from a file are not on the screen yet.
          Effect.tap((line) => process.stdin.isTTY ? Effect.void : Console.log(Option.getOrElse(line, () => "")))
        )
    }
  })
)

// ---------------------------------------------------------------------------------------------------------------------
// The tools
// ---------------------------------------------------------------------------------------------------------------------

class Notes extends Context.Tag("chat/Notes")<Notes, Ref.Ref<ReadonlyArray<string>>>() {}

const lengths = new Map([["Elbe", 1094], ["Oder", 840], ["Rhine", 1230]])

const RiverLength = LlmTool.make("river_length", {
  description: "The length of a river in kilometers.",
  parameters: Schema.Struct({ river: Schema.String }),
  handler: ({ river }) => {
    const length = lengths.get(river)
    return length === undefined ? LlmTool.failure(`no river is called ${river}`) : Effect.succeed(length)
  }
})

const WriteNote = LlmTool.make("write_note", {
  description: "Writes a note that the user wants to keep.",
  parameters: Schema.Struct({ text: Schema.NonEmptyString }),
  handler: ({ text }) => Effect.flatMap(Notes, Ref.update((notes) => [...notes, text])).pipe(Effect.as("written"))
})

/** To look something up needs no approval, to write does. The calls have the types of their tools. */
const approve = (call: LlmTool.ToolCall<typeof RiverLength | typeof WriteNote>) =>
  call.name === RiverLength.name
    ? Effect.succeed(LlmTool.approved)
    : Effect.gen(function*() {
      const { ask } = yield* Person
      const answer = yield* ask(`\n  May I write ${JSON.stringify(call.arguments.text)}? [y/N] `)
      if (Option.isNone(answer)) return LlmTool.pending
      return /^y/i.test(answer.value) ? LlmTool.approved : LlmTool.denied("The user does not want this note.")
    })

// ---------------------------------------------------------------------------------------------------------------------
// The chat
// ---------------------------------------------------------------------------------------------------------------------

const show = (part: LlmClient.ToolPart) => {
  switch (part._tag) {
    case "TextDelta":
      return write(part.text)
    case "ToolResult":
      return write(`\n  [${part.name}${part.isError === true ? " failed" : ""}: ${JSON.stringify(part.result)}]\n`)
    default:
      return Effect.void
  }
}

/** One question and its answer. A failure costs the answer, not the chat. */
const reply = (model: string, messages: ReadonlyArray<Message.Input>) =>
  LlmClient.streamTools({ model, messages, maxTokens: 1_000 }, [RiverLength, WriteNote], {
    approve,
    toolTimeout: "10 seconds"
  }).pipe(
    Stream.tap(show),
    Stream.runLast,
    Effect.map(
      Option.flatMap((last) => last._tag === "Finish" && "run" in last ? Option.some(last.run) : Option.none())
    ),
    Effect.catchIf(LlmError.isLlmError, (error) => Effect.as(Console.error(`\n  ${error.message}`), Option.none()))
  )

const chat = (model: string) =>
  Effect.gen(function*() {
    const { ask } = yield* Person
    let messages: ReadonlyArray<Message.Input> = []
    while (true) {
      const question = yield* ask("\n> ")
      if (Option.isNone(question)) return
      if (question.value.trim() === "") continue
      const run = yield* reply(model, [...messages, { role: "user", content: question.value }])
      if (Option.isNone(run)) continue
      messages = run.value.messages
      yield* Console.log(`\n  (${run.value.response.usage.outputTokens ?? 0} tokens, ${run.value.steps.length} turns)`)
      for (const { name } of run.value.pending) yield* Console.log(`  (${name} was left open)`)
    }
  })

const program = Effect.gen(function*() {
  const { model } = yield* Setup
  yield* Console.log(`Talk to ${model}: about the length of rivers, or for a note. Ctrl-D ends.`)
  yield* chat(model)
  const notes = yield* Effect.flatMap(Notes, Ref.get)
  yield* Console.log(`Look at the notes, which have only what you approved: ${notes.join("; ") || "none"}`)
})

// ---------------------------------------------------------------------------------------------------------------------
// The model: OpenAI's with a key, else a simulated one
// ---------------------------------------------------------------------------------------------------------------------

class Setup extends Context.Tag("chat/Setup")<Setup, { readonly model: string }>() {}

const answer = ({ turns }: Simulator.Prompt): Simulator.Answer => {
  const last = turns.at(-1)
  const text = last?.text ?? ""
  const river = [...lengths.keys()].find((river) => text.includes(river))
  const note = /^note:?\s*(.+)/i.exec(text)?.[1]
  if (last?.role === "tool") return { text: text.startsWith("The user") ? "Then I will not." : `Here it is: ${text}.` }
  if (note !== undefined) return { toolCalls: [{ name: WriteNote.name, arguments: { text: note } }] }
  if (river !== undefined) {
    return { text: "Let me look.", toolCalls: [{ name: RiverLength.name, arguments: { river } }] }
  }
  return { text: "Ask me about the Elbe, the Oder or the Rhine, or say: note buy bread." }
}

const Simulated = Layer.unwrapEffect(
  Effect.map(Simulator.Simulator, ({ url }) => OpenAi.layer({ baseUrl: `${url}/v1`, name: "simulator" }))
).pipe(
  Layer.provide(Simulator.layer({ answer, pace: "20 millis" })),
  Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
  Layer.orDie,
  Layer.merge(Layer.succeed(Setup, { model: "gpt-4o-mini" }))
)

const Real = OpenAi.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") }).pipe(
  Layer.merge(
    Layer.effect(
      Setup,
      Effect.map(Config.string("LLM_MODEL").pipe(Config.withDefault("gpt-4o-mini")), (model) => ({ model }))
    )
  )
)

const ModelLive = Layer.unwrapEffect(
  Effect.map(Config.option(Config.string("OPENAI_API_KEY")), (key) => Option.isSome(key) ? Real : Simulated)
)

const MainLive = LlmClient.layer().pipe(
  Layer.provide([LlmCache.layerNone, LlmLogger.layerSilent]),
  Layer.provideMerge(ModelLive),
  Layer.provide(FetchHttpClient.layer),
  Layer.merge(PersonLive),
  Layer.merge(Layer.effect(Notes, Ref.make<ReadonlyArray<string>>([])))
)

NodeRuntime.runMain(Effect.provide(program, MainLive))
