/**
 * Streaming: text as it arrives, the same answer from the cache, an early stop, and the failure of a stream that breaks
 * off. All over HTTP, from a simulator in this process.
 *
 *     npx tsx examples/streaming.ts
 *
 * Look at the tokens that are billed: none for the stream from the cache. And at the server's word for the stream that was
 * left early: "aborted".
 */
import { NodeHttpClient, NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Stream } from "effect"
import { LlmCache, LlmClient, LlmError, LlmLogger, OpenAiChat } from "effect-llm"
import { Simulator } from "effect-llm/testing"
import { createServer } from "node:http"

const request = { model: "reliable", prompt: "Describe a river." }

const heading = (text: string) => Console.log(`\n── ${text}`)

const write = (text: string) => Effect.sync(() => process.stdout.write(text))

/** All parts: deltas, then one `Finish` with the whole response. */
const parts = LlmClient.stream(request).pipe(
  Stream.runForEach((part) => {
    switch (part._tag) {
      case "TextDelta":
        return write(part.text)
      case "Finish": {
        const { attempts, origin, usage } = part.response
        return Console.log(`\n  Finish: origin ${origin}, ${attempts} attempts, ${usage.outputTokens} tokens billed`)
      }
      default:
        return Effect.void
    }
  })
)

/** Only text, and only its beginning: stopping early aborts the request. */
const firstWords = LlmClient.streamText(request, { cache: "bypass" }).pipe(
  Stream.take(4),
  Stream.runForEach(write)
)

/** A stream that breaks off fails, and its failure has the text so far. */
const interrupted = LlmClient.streamText({ ...request, model: "unreliable" }).pipe(
  Stream.runForEach(write),
  LlmError.catchReason("StreamInterrupted", ({ partial }, error) =>
    Console.log([
      `\n  Failed: ${error.reason._tag}`,
      `  Text so far: ${JSON.stringify(partial.text)}`,
      `  Retryable: ${error.isRetryable}, as a part of the answer has been shown.`
    ].join("\n")))
)

/** Prints the end of the last request, as the server recorded it. */
const printOutcome = Effect.gen(function*() {
  const simulator = yield* Simulator.Simulator
  const requests = yield* simulator.awaitRequests((requests) => requests.every(({ outcome }) => outcome !== "pending"))
  yield* Console.log(`\n  The server recorded: ${requests.at(-1)?.outcome}`)
})

const program = Effect.gen(function*() {
  yield* heading("Text as it arrives. The first attempt fails before any content.")
  yield* parts
  yield* heading("Again: `call` and `stream` share the cache.")
  yield* parts
  yield* heading("Only the first words, without the cache.")
  yield* firstWords
  yield* printOutcome
  yield* heading("A stream that breaks off.")
  yield* interrupted
  yield* Console.log("\nLook at the tokens billed: the stream from the cache has none.")
})

// It answers word by word. The first request fails, and streams of the model `unreliable` break off.
const SimulatorLive = Simulator.layer({
  answer: () => "The river rises in the mountains, and carries a hundred brooks to the sea.",
  faults: ({ prompt, request }) =>
    request === 0
      ? Simulator.status(503)
      : prompt.model === "unreliable"
      ? Simulator.cutStream({ afterEvents: 10 })
      : Simulator.ok,
  pace: "40 millis"
}).pipe(
  Layer.provide(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
)

const ProviderLive = Layer.unwrapEffect(
  Effect.map(Simulator.Simulator, ({ url }) => OpenAiChat.layer({ baseUrl: `${url}/v1` }))
)

const Live = LlmClient.layer({ retry: { base: "100 millis" } }).pipe(
  Layer.provide([
    ProviderLive,
    LlmCache.layerMemory(),
    LlmLogger.layerHandler((event) =>
      event._tag === "CallFailed"
        ? Console.log(`\n  (${event.error.reason._tag}; retry: ${event.willRetry})`)
        : undefined
    )
  ]),
  Layer.provideMerge(SimulatorLive),
  Layer.provide(NodeHttpClient.layerUndici)
)

NodeRuntime.runMain(Effect.provide(program, Live))
