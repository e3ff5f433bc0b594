import { Context, Effect, Layer, Schema } from "effect"
import { LlmClient, LlmError } from "effect-llm"

/** The model reached its token limit before the end of the headline. */
export class HeadlineTooLong extends Schema.TaggedError<HeadlineTooLong>()("HeadlineTooLong", {
  headline: Schema.String
}) {}

/** Writes headlines: a service on top of the client. */
export class Headlines extends Context.Tag("examples/Headlines")<Headlines, {
  readonly write: (article: string) => Effect.Effect<string, HeadlineTooLong | LlmError.LlmError>
}>() {}

const firstSentence = (article: string): string => /^.*?(?=[.!?](?:\s|$)|$)/s.exec(article.trim())?.[0] ?? ""

/** Needs only the client: a spec chooses the provider behind it. */
export const HeadlinesLive = Layer.effect(
  Headlines,
  Effect.map(LlmClient.LlmClient, (client) => ({
    write: Effect.fn("Headlines.write")(
      function*(article: string) {
        const { finishReason, text } = yield* client.call({
          model: "gpt-4o-mini",
          system: "Write a headline of at most eight words for the article. Answer with the headline only.",
          prompt: article,
          maxTokens: 40
        })
        return finishReason === "length" ? yield* new HeadlineTooLong({ headline: text }) : text.trim()
      },
      // The newspaper needs a headline in any case.
      (effect, article) => LlmError.catchReason(effect, "ContentFiltered", () => Effect.succeed(firstSentence(article)))
    )
  }))
)
