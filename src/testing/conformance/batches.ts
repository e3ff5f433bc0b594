import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as LlmError from "../../domain/LlmError.js"
import type * as LlmResponse from "../../domain/LlmResponse.js"
import type * as LlmProvider from "../../LlmProvider.js"
import { answer, decode, type Entry, expect, make, same, show, type Subject, Violation } from "./check.js"
import { type Failing, failing, printed, reasonOf } from "./errors.js"
import { abortsRequest } from "./interruption.js"

const batchesOf = ({ provider: { batches } }: Subject): Effect.Effect<LlmProvider.Batches, Violation> =>
  batches === undefined
    ? new Violation({ expected: "a provider with batches", actual: "one without" })
    : Effect.succeed(batches)

/** The failure of an operation that must succeed. */
const violated = <A>(effect: Effect.Effect<A, LlmError.LlmError>): Effect.Effect<A, Violation> =>
  Effect.mapError(effect, (error) => new Violation({ expected: "a batch that is answered", actual: error.message }))

/** The model, and its prompt. */
interface Asked {
  readonly model: string
  readonly prompt: string
}

const words = ["north", "east", "south"]

/** Requests that differ from each other. */
const requestsOf = ({ model, prompt }: Asked): Effect.Effect<ReadonlyArray<LlmProvider.BatchRequest>> =>
  Effect.forEach(
    words,
    (id) => Effect.map(decode({ model, prompt: `${prompt} Answer from the ${id}.` }), (request) => ({ id, request }))
  )

/** Hands requests over, waits for the end of their batch, and gives its id. */
const ended = (batches: LlmProvider.Batches, requests: ReadonlyArray<LlmProvider.BatchRequest>) =>
  Effect.gen(function*() {
    const id = yield* batches.submit({ name: "conformance", requests })
    yield* Effect.repeat(Effect.delay(batches.state(id), "100 millis"), { while: ({ status }) => status === "running" })
    return id
  })

const content = ({ finishReason, parts }: LlmResponse.LlmResponse) => ({ finishReason, parts })

const fails = (text: Asked) => (situation: Failing): Entry => {
  const { reason, retry } = reasonOf(situation)
  return make(
    `batches: ${situation} is ${reason}, after one request`,
    { situation, counts: true },
    (subject) =>
      Effect.gen(function*() {
        const batches = yield* batchesOf(subject)
        const requests = yield* requestsOf(text)
        const before = yield* subject.harness.received
        const submitted = batches.submit({ name: "conformance", requests })
        const error = yield* Effect.matchEffect(submitted, {
          onFailure: Effect.succeed,
          onSuccess: (id) => new Violation({ expected: "a failure", actual: show(id) })
        })
        yield* expect(error.reason._tag === reason, `the reason ${reason}`, error.message)
        yield* same("isRetryable", error.isRetryable, retry)
        yield* same("operation", error.operation, "batch")
        yield* same("model", error.model, text.model)
        yield* same("the requests sent", (yield* subject.harness.received) - before, 1)
        const all = printed(error)
        const shown = [...subject.harness.secrets, text.prompt].find((each) => all.includes(each))
        yield* expect(shown === undefined, "an error that shows neither the key nor a prompt", shown)
      })
  )
}

export const batches = (text: Asked): ReadonlyArray<Entry> => [
  make(
    "batches: gives each request a result under its name, at the tier of batches",
    {},
    (subject) =>
      Effect.gen(function*() {
        const batches = yield* batchesOf(subject)
        const requests = yield* requestsOf(text)
        const id = yield* violated(ended(batches, requests))
        const results = [...yield* violated(Stream.runCollect(batches.results(id)))]
        yield* same("the names of the results", results.map((result) => result.id).sort(), [...words].sort())
        for (const { id, request } of requests) {
          const result = results.find((each) => each.id === id)
          if (result === undefined) continue
          const { provider, usage } = yield* violated(result.read(request))
          yield* same("provider", provider, subject.provider.name)
          yield* same("serviceTier", usage.serviceTier, "batch")
        }
      })
  ),

  make(
    "batches: gives the answers that call gives",
    { capability: "deterministic" },
    (subject) =>
      Effect.gen(function*() {
        const batches = yield* batchesOf(subject)
        const requests = yield* requestsOf(text)
        const id = yield* violated(ended(batches, requests))
        for (const result of yield* violated(Stream.runCollect(batches.results(id)))) {
          const request = requests.find((each) => each.id === result.id)?.request
          if (request === undefined) continue
          const called = yield* answer(subject, request)
          yield* same(`the answer to ${result.id}`, content(yield* violated(result.read(request))), content(called))
        }
      })
  ),

  make("batches: knows the bytes of a request, which its limits are about", {}, (subject) =>
    Effect.gen(function*() {
      const { limits, size } = yield* batchesOf(subject)
      const bytes = yield* violated(Effect.forEach(yield* requestsOf(text), size))
      yield* expect(bytes.every((each) => each > 0 && each <= limits.bytes), "sizes within the limits", bytes)
      yield* expect(limits.requests > 0, "a limit of requests", limits)
    })),

  ...failing.map(fails(text)),

  make(
    "batches: interrupting it aborts its request",
    { situation: "silence", counts: true },
    (subject) =>
      Effect.gen(function*() {
        const batches = yield* batchesOf(subject)
        const requests = yield* requestsOf(text)
        yield* abortsRequest(subject, batches.submit({ name: "conformance", requests }))
      })
  )
]
