import type * as LlmError from "effect-llm/LlmError"
import type * as LlmEvent from "effect-llm/LlmEvent"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as RateLimit from "effect-llm/RateLimit"
import type * as StreamPart from "effect-llm/StreamPart"
import * as TokenEstimator from "effect-llm/TokenEstimator"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { respond } from "./samples.js"

export type Answer = Effect.Effect<LlmResponse.LlmResponse, LlmError.LlmError>

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
  /** What the provider does with a request. */
  answer: (request: LlmRequest.LlmRequest, n: number) => Answer
  stream: (request: LlmRequest.LlmRequest) => Stream.Stream<StreamPart.StreamPart, LlmError.LlmError>
  /** The prompts as they came to the provider, and when: in milliseconds. */
  readonly asked: Array<string>
  readonly times: Array<number>
  readonly events: Array<LlmEvent.LlmEvent>
  running: number
  mostRunning: number
}

/** A limiter around a provider that does as told, and what comes to the provider. */
export const limitedBy = Effect.fnUntraced(function*(options: RateLimit.Options) {
  const world: World = {
    answer: () => Effect.succeed(answerUsing(10, 10)),
    stream: () => Stream.die("nothing to stream"),
    asked: [],
    times: [],
    events: [],
    running: 0,
    mostRunning: 0
  }
  const enter = (prompt: string) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      world.times.push(now)
      world.mostRunning = Math.max(world.mostRunning, ++world.running)
      return world.asked.push(prompt)
    })
  const exit = () => Effect.sync(() => void world.running--)
  const provider = yield* RateLimit.make(
    LlmProvider.make({
      name: "openai",
      endpoint: "memory:",
      call: (request) => Effect.acquireUseRelease(enter(request.prompt), (n) => world.answer(request, n), exit),
      stream: (request) =>
        Stream.unwrapScoped(Effect.as(Effect.acquireRelease(enter(request.prompt), exit), world.stream(request)))
    }),
    options
  ).pipe(countsCharacters)

  const requestOf = (prompt: string, more: Partial<LlmRequest.Settings> & { readonly model?: string } = {}) =>
    Effect.orDie(LlmRequest.decode({ model: "m", maxTokens: 10, prompt, ...more }))

  const attempting = (left: Duration.DurationInput) => <A, E>(self: Effect.Effect<A, E>) =>
    Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) =>
      Effect.provideService(self, LlmProvider.CurrentAttempt, {
        ...attempt,
        report: (event) => Effect.sync(() => void world.events.push(event)),
        untilDeadline: Effect.succeed(Duration.decode(left))
      }))

  const call = (
    prompt: string,
    more: Partial<LlmRequest.Settings> & {
      readonly model?: string
      readonly priority?: number
      readonly left?: Duration.DurationInput
    } = {}
  ): Answer => {
    const { left = Duration.infinity, priority = 0, ...fields } = more
    return Effect.flatMap(requestOf(prompt, fields), (request) => provider.call(request)).pipe(
      RateLimit.withPriority(priority),
      attempting(left)
    )
  }

  const stream = (prompt: string) => Stream.unwrap(Effect.map(requestOf(prompt), (request) => provider.stream(request)))

  return { call, provider, requestOf, stream, world }
})

/** Goes on until it is told to. */
export const seconds = (n: number, answer: Answer = Effect.succeed(answerUsing(10, 10))): Answer =>
  Effect.delay(answer, Duration.seconds(n))
