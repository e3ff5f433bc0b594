import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import type * as LlmRequest from "../../domain/LlmRequest.js"
import { awaitCount, decode, type Entry, expect, make, type Subject, type Violation } from "./check.js"

/** Interrupts a request that the service has received. The service must see that it is aborted. */
export const abortsRequest = (
  { harness }: Subject,
  request: Effect.Effect<unknown, unknown>
): Effect.Effect<void, Violation> =>
  Effect.gen(function*() {
    const received = yield* harness.received
    const aborted = yield* harness.aborted
    const fiber = yield* Effect.fork(request)
    yield* awaitCount("a request", harness.received, received + 1)
    yield* Fiber.interrupt(fiber)
    yield* awaitCount("a request that is aborted", harness.aborted, aborted + 1)
  })

export const interruption = (text: LlmRequest.Input): ReadonlyArray<Entry> => [
  make(
    "call: interrupting it aborts its request",
    { situation: "silence", counts: true },
    (subject) => Effect.flatMap(decode(text), (request) => abortsRequest(subject, subject.provider.call(request)))
  ),

  make(
    "stream: interrupting it aborts its request",
    { situation: "silence", counts: true },
    (subject) =>
      Effect.flatMap(
        decode(text),
        (request) => abortsRequest(subject, Stream.runDrain(subject.provider.stream(request)))
      )
  ),

  make(
    "stream: stopping early aborts its request",
    { situation: "stalledStream", counts: true },
    (subject) =>
      Effect.gen(function*() {
        const aborted = yield* subject.harness.aborted
        const parts = yield* subject.provider.stream(yield* decode(text)).pipe(
          Stream.take(1),
          Stream.runCount,
          Effect.orElseSucceed(() => 0)
        )
        yield* expect(parts === 1, "a first part", "none")
        yield* awaitCount("a request that is aborted", subject.harness.aborted, aborted + 1)
      })
  )
]
