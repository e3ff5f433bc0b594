/**
 * Streaming: text as it comes, the same answer from the cache, an early stop, and what a stream that breaks off looks
 * like to a program.
 *
 *     npx tsx examples/streaming.ts
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Stream } from "effect"
import { LlmCache, LlmClient, LlmError, LlmLogger } from "effect-llm"
import { Storyteller } from "./streaming/storyteller.js"

const request = { model: "reliable", prompt: "Tell me of a river." }

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

/** Text only, and no more of it than is wanted: who stops early closes the request. */
const firstWords = LlmClient.streamText(request, { cache: "bypass" }).pipe(
  Stream.take(4),
  Stream.runForEach(write)
)

/** A stream never ends as if it were whole when it is not. What had come is in the failure. */
const interrupted = LlmClient.streamText({ ...request, model: "unreliable" }).pipe(
  Stream.runForEach(write),
  LlmError.catchReason("StreamInterrupted", ({ partial }, error) =>
    Console.log([
      `  Failed: ${error.message}`,
      `  What had come: ${JSON.stringify(partial.text)}`,
      `  Retryable: ${error.isRetryable}, since the program has shown a part of it. It may ask to have it continued.`
    ].join("\n")))
)

const program = Effect.gen(function*() {
  yield* heading("As it comes. The first attempt fails before any content, so the client makes another.")
  yield* parts
  yield* heading("Again: `call` and `stream` share the cache.")
  yield* parts
  yield* heading("Only the first words, past the cache.")
  yield* firstWords
  yield* heading("Cut off in the middle.")
  yield* interrupted
})

const Live = LlmClient.layer({ retry: { base: "100 millis" } }).pipe(
  Layer.provide([
    Storyteller,
    LlmCache.layerMemory(),
    LlmLogger.layerHandler((event) =>
      event._tag === "CallFailed" && event.willRetry ? Console.log(`  (${event.error.message}: retried)`) : undefined
    )
  ])
)

NodeRuntime.runMain(Effect.provide(program, Live))
