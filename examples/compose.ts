/**
 * The client in a larger program: support tickets arrive in a queue, workers ask a model to sort them, and a store keeps
 * the result. Config, Queue, Stream, Schedule, spans and services are Effect's; the client is one service among others.
 * Runs against a simulator in this process.
 *
 *     npx tsx examples/compose.ts                        two workers
 *     TRIAGE_WORKERS=1 npx tsx examples/compose.ts       one worker
 *
 * Look at ticket 4: the model refuses it for good, and people get it. The others come through, although requests fail and
 * the store is busy; the spans at the end are those of the program and of the client together.
 */
import { FetchHttpClient } from "@effect/platform"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import {
  Config,
  Console,
  Context,
  Data,
  Effect,
  JSONSchema,
  Layer,
  Queue,
  Ref,
  Schedule,
  Schema,
  Stream,
  Tracer
} from "effect"
import { LlmCache, LlmClient, LlmLogger, OpenAiChat } from "effect-llm"
import { Simulator } from "effect-llm/testing"
import { createServer } from "node:http"

const Triage = Schema.Struct({ team: Schema.Literal("billing", "shipping", "technical"), urgent: Schema.Boolean })

interface Ticket {
  readonly id: number
  readonly text: string
}

class StoreBusy extends Data.TaggedError("StoreBusy") {}

/** A service of this program, which assigns tickets. It is busy every third time. */
class Tickets extends Context.Tag("compose/Tickets")<Tickets, {
  readonly assign: (ticket: Ticket, to: string) => Effect.Effect<void, StoreBusy>
}>() {
  static readonly Live = Layer.effect(
    Tickets,
    Effect.map(Ref.make(0), (writes) => ({
      assign: Effect.fn("Tickets.assign")(function*({ id, text }: Ticket, to: string) {
        if ((yield* Ref.updateAndGet(writes, (n) => n + 1)) % 3 === 0) return yield* new StoreBusy()
        yield* Console.log(`#${id} to ${to.padEnd(20)} ${text.slice(0, 52)}`)
      })
    }))
  )
}

const outputSchema = { name: "triage", schema: { ...JSONSchema.make(Triage) } }
const readTriage = Schema.decode(Schema.parseJson(Triage))

/** Asks the model, and decodes its answer. The client takes care of retries, limits and the cache. */
const classify = Effect.fn("classify")(function*({ text }: Ticket) {
  const system = "Sort the support ticket."
  const response = yield* LlmClient.call({ model: "simulated-model", system, prompt: text, outputSchema })
  return yield* readTriage(response.text)
})

const triage = Effect.fn("triage")(function*(ticket: Ticket) {
  const to = yield* classify(ticket).pipe(
    Effect.map(({ team, urgent }) => `${team}${urgent ? " (urgent)" : ""}`),
    // No ticket is lost: people sort the tickets that the model cannot sort.
    Effect.catchTags({
      LlmError: (error) => Effect.succeed(`people (${error.reason._tag})`),
      ParseError: () => Effect.succeed("people (unclear)")
    })
  )
  const tickets = yield* Tickets
  yield* Effect.retry(tickets.assign(ticket, to), { schedule: Schedule.exponential("5 millis"), times: 3 })
}, (effect, ticket) => Effect.annotateSpans(effect, "ticket", ticket.id))

const arrivals = [
  "My card was charged twice. Refund one payment today!",
  "The parcel has not arrived. Where is it?",
  "The app crashes whenever I open the settings.",
  "Which address do you send the invoice to?",
  "Hello?",
  "The courier left my parcel in the rain, I need a new one today!"
]

const program = Effect.gen(function*() {
  const workers = yield* Config.integer("TRIAGE_WORKERS").pipe(Config.withDefault(2))
  const queue = yield* Queue.bounded<Ticket>(4)
  // Tickets arrive one by one. If the workers fall behind, the queue is full and arrivals wait.
  yield* Stream.fromIterable(arrivals).pipe(
    Stream.zipWithIndex,
    Stream.schedule(Schedule.spaced("30 millis")),
    Stream.runForEach(([text, i]) => Queue.offer(queue, { id: i + 1, text })),
    Effect.fork
  )
  yield* Stream.fromQueue(queue).pipe(
    Stream.take(arrivals.length),
    Stream.mapEffect(triage, { concurrency: workers, unordered: true }),
    Stream.runDrain
  )
})

/** A model that sorts by words. Its faults are transient, except for the fourth ticket, which is refused for good. */
const SimulatorLive = Simulator.layer({
  answer: ({ text }) => {
    const team = [["billing", /card|payment|invoice/], ["shipping", /parcel/], ["technical", /app/]] as const
    const [name] = team.find(([, words]) => words.test(text)) ?? ["nobody"]
    return JSON.stringify({ team: name, urgent: text.endsWith("today!") })
  },
  faults: Simulator.perPrompt([Simulator.status(503), Simulator.ok, Simulator.halfJson, Simulator.status(400)])
})

/** Counts the spans. A real program would export them. */
const spans = new Map<string, number>()
const TracerLive = Layer.unwrapEffect(Effect.map(Effect.tracer, (tracer) =>
  Layer.setTracer(Tracer.make({
    context: (f, fiber) => tracer.context(f, fiber),
    span: (name, ...rest) => {
      spans.set(name, (spans.get(name) ?? 0) + 1)
      return tracer.span(name, ...rest)
    }
  }))))

const Live = LlmClient.layer({ retry: { base: "50 millis" } }).pipe(
  Layer.provide(
    Layer.unwrapEffect(
      Effect.map(Simulator.Simulator, ({ url }) => OpenAiChat.layer({ baseUrl: `${url}/v1`, name: "simulator" }))
    )
  ),
  Layer.provide(SimulatorLive),
  Layer.provide([LlmCache.layerMemory(), LlmLogger.layerSilent, FetchHttpClient.layer]),
  Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
  Layer.merge(Tickets.Live),
  Layer.merge(TracerLive)
)

program.pipe(
  Effect.zipRight(Effect.suspend(() => Console.log("\nSpans:", Object.fromEntries(spans)))),
  Effect.zipRight(Console.log("Look at ticket 4, which goes to people, and at the retries: `attempt 2`.")),
  Effect.provide(Live),
  NodeRuntime.runMain
)
