import { Console, Effect, Stream } from "effect"
import { LlmError, LlmProvider, LlmResponse, Message, StreamPart } from "effect-llm"

const story = "The river rises in the mountains, gathers a hundred brooks, and carries all of them down to the sea."

const words = story.split(/(?<= )/)

const answer = (model: string) =>
  LlmResponse.make({
    parts: [Message.Text.make({ text: story })],
    finishReason: "stop",
    usage: { inputTokens: 6, outputTokens: words.length },
    model,
    provider: "storyteller"
  })

const overloaded = new LlmError.LlmError({ reason: LlmError.Overloaded.make({}), operation: "stream", attempts: 1 })

const asItComes = Stream.fromIterable(words).pipe(
  Stream.rechunk(1),
  Stream.mapEffect((text) => Effect.delay(Effect.succeed(StreamPart.TextDelta({ text })), "40 millis")),
  Stream.ensuring(Console.log("\n  (the provider has closed its stream)"))
)

let requests = 0

/**
 * A provider of one's own, without any policy: those are the client's. It writes a story word by word. Its first request
 * fails, and a request for the model `unreliable` breaks off in the middle.
 */
export const Storyteller = LlmProvider.layer({
  name: "storyteller",
  endpoint: "memory:",
  call: ({ model }) => Effect.succeed(answer(model)),
  stream: ({ model }) =>
    Stream.suspend(() => {
      if (++requests === 1) return Stream.fail(overloaded)
      // No `Finish` ends it: whoever reads it knows that it is not whole.
      if (model === "unreliable") return Stream.take(asItComes, 9)
      return Stream.concat(asItComes, Stream.make(StreamPart.Finish({ response: answer(model) })))
    })
})
