import { assert } from "@effect/vitest"
import type * as LlmError from "effect-llm/LlmError"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"

export type Outcome = Either.Either<LlmResponse.LlmResponse, LlmError.LlmError>

/** The batch API of a provider that must have one. */
export const batchesOf = ({ batches, name }: LlmProvider.Service): LlmProvider.Batches => {
  assert(batches !== undefined, `${name} has no batches`)
  return batches
}

interface Settings {
  readonly tools?: ReadonlyArray<LlmRequest.Tool>
  readonly stop?: ReadonlyArray<string>
  readonly seed?: number
  readonly maxTokens?: number
  readonly providerTools?: LlmRequest.LlmRequest["providerTools"]
  readonly providerOptions?: LlmRequest.LlmRequest["providerOptions"]
}

/** Requests of a model under names of their own: `r0`, `r1` ... */
export const requestsOf = (
  model: string,
  prompts: ReadonlyArray<string>,
  settings: Settings = {}
): Effect.Effect<ReadonlyArray<LlmProvider.BatchRequest>, LlmError.LlmError> =>
  Effect.forEach(
    prompts,
    (prompt, index) =>
      Effect.map(LlmRequest.decode({ model, prompt, ...settings }), (request) => ({ id: `r${index}`, request }))
  )

/** The results of a batch that has ended, as answers to its requests, by their names. */
export const outcomesOf = (
  batches: LlmProvider.Batches,
  id: string,
  requests: ReadonlyArray<LlmProvider.BatchRequest>
): Effect.Effect<ReadonlyMap<string, Outcome>, LlmError.LlmError> =>
  Effect.gen(function*() {
    const outcomes = new Map<string, Outcome>()
    yield* Stream.runForEach(batches.results(id), (result) =>
      Effect.gen(function*() {
        const request = requests.find((each) => each.id === result.id)?.request
        assert(request !== undefined, `nobody asked for ${result.id}`)
        outcomes.set(result.id, yield* Effect.either(result.read(request)))
      }))
    return outcomes
  })

/** Hands requests over, and reads the results of a batch that takes no time. */
export const batched = (
  batches: LlmProvider.Batches,
  requests: ReadonlyArray<LlmProvider.BatchRequest>,
  name = "a batch"
) =>
  Effect.gen(function*() {
    const id = yield* batches.submit({ name, requests })
    const state = yield* batches.state(id)
    return { id, state, outcomes: yield* outcomesOf(batches, id, requests) }
  })

/** The reason of a request that must have failed. */
export const failureIn = (outcomes: ReadonlyMap<string, Outcome>, id: string): LlmError.LlmError => {
  const outcome = outcomes.get(id)
  assert(outcome !== undefined && Either.isLeft(outcome), `${id} did not fail`)
  return outcome.left
}

/** The answer of a request that must have one. */
export const answerIn = (outcomes: ReadonlyMap<string, Outcome>, id: string): LlmResponse.LlmResponse => {
  const outcome = outcomes.get(id)
  assert(outcome !== undefined && Either.isRight(outcome), `${id} has no answer: ${outcome?._tag}`)
  return outcome.right
}
