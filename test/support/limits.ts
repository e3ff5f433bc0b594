import type * as LlmError from "effect-llm/LlmError"
import type * as LlmEvent from "effect-llm/LlmEvent"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as RateLimit from "effect-llm/RateLimit"
import type * as StreamPart from "effect-llm/StreamPart"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as TokenEstimator from "effect-llm/TokenEstimator"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { respond } from "./samples.js"
import { timesOf } from "./targets.js"

/** One token for each character of the prompt. */
export const countsCharacters = Effect.provideServiceEffect(
  TokenEstimator.TokenEstimator,
  Effect.succeed<TokenEstimator.Service>({
    estimate: ({ model, prompt }) => ({ model, tokens: prompt.length, counted: prompt.length }),
    observe: () => {}
  })
)

export const answerUsing = (inputTokens: number, outputTokens: number, more: Partial<LlmResponse.Usage> = {}) =>
  respond("Elbe", { usage: { inputTokens, outputTokens, ...more } })

export interface World {
  /** The provider's answer to a call. */
  answer: (request: LlmRequest.LlmRequest, n: number) => Reply
  /** Its answer to a stream. */
  stream: () => Stream.Stream<StreamPart.StreamPart, LlmError.LlmError>
  readonly events: Array<LlmEvent.LlmEvent>
  /** Whether an attempt says that anybody receives events. */
  isListening: boolean
}

type Reply = Exclude<LlmTest.Answer, (...args: never) => unknown>

/** A limiter around a scripted provider, the provider's requests, and the limiter's events. */
export const limitedBy = Effect.fnUntraced(function*(options: RateLimit.Options) {
  const world: World = {
    answer: () => answerUsing(10, 10),
    stream: () => Stream.die("nothing to stream"),
    events: [],
    isListening: true
  }
  const { exchanges, load, provider: inner, requests, timeline } = yield* LlmTest.make([
    LlmTest.when({ operation: "call" }, (request, n) => world.answer(request, n)),
    LlmTest.when({ operation: "stream" }, () => LlmTest.streamExactly(world.stream()))
  ], { name: "openai" })
  /** The prompts as they came to the provider. */
  const asked = Effect.map(requests, (all) => all.map(({ prompt }) => prompt))
  const provider = yield* RateLimit.make(inner, options).pipe(countsCharacters)

  const requestOf = (prompt: string, more: Partial<LlmRequest.Settings> & { readonly model?: string } = {}) =>
    Effect.orDie(LlmRequest.decode({ model: "m", maxTokens: 10, prompt, ...more }))

  const attempting = (left: Duration.DurationInput) => <A, E>(self: Effect.Effect<A, E>) =>
    Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) =>
      Effect.provideService(self, LlmProvider.CurrentAttempt, {
        ...attempt,
        report: (event) => Effect.sync(() => void world.events.push(event)),
        isListening: world.isListening,
        untilDeadline: Effect.succeed(Duration.decode(left))
      }))

  const call = (
    prompt: string,
    more: Partial<LlmRequest.Settings> & {
      readonly model?: string
      readonly priority?: number
      readonly left?: Duration.DurationInput
    } = {}
  ): Effect.Effect<LlmResponse.LlmResponse, LlmError.LlmError> => {
    const { left = Duration.infinity, priority = 0, ...fields } = more
    return Effect.flatMap(requestOf(prompt, fields), (request) => provider.call(request)).pipe(
      RateLimit.withPriority(priority),
      attempting(left)
    )
  }

  const stream = (prompt: string) => Stream.unwrap(Effect.map(requestOf(prompt), (request) => provider.stream(request)))

  return { asked, call, exchanges, load, provider, requestOf, stream, timeline, times: timesOf({ exchanges }), world }
})

/** An answer that takes seconds. */
export const seconds = (n: number, answer: Reply = answerUsing(10, 10)) =>
  Effect.delay(Effect.isEffect(answer) ? answer : Effect.succeed(answer), Duration.seconds(n))

/** The most requests in flight at the same time in a part of a timeline that begins with none. */
export const mostInFlight = (timeline: ReadonlyArray<string>): number => {
  let inFlight = 0
  return Math.max(...timeline.map((line) => inFlight += /answered|failed|aborted/.test(line) ? -1 : 1))
}
