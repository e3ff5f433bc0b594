import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type * as LlmError from "../../domain/LlmError.js"
import * as LlmRequest from "../../domain/LlmRequest.js"
import type * as LlmResponse from "../../domain/LlmResponse.js"
import type { StreamPart } from "../../domain/StreamPart.js"
import { canonicalJson } from "../../internal/canonicalJson.js"
import * as LlmProvider from "../../LlmProvider.js"
import { Harness, type HarnessService, type Situation } from "./harness.js"

/**
 * A provider breaks one of its promises.
 *
 * @since 0.1.0
 * @category errors
 */
export class Violation extends Data.TaggedError("Violation")<{
  /** The promise. */
  readonly expected: string
  /** The provider's behaviour. */
  readonly actual: string
}> {
  override get message(): string {
    return `Expected ${this.expected}, but got ${this.actual}`
  }
}

/**
 * One promise of every provider. The check runs in real time, also under a `TestClock`, and fails after ten seconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Check {
  /** The promise, in a few words. */
  readonly name: string
  readonly check: Effect.Effect<void, Violation, LlmProvider.LlmProvider | Harness>
}

/** The provider and the service that a check works with. */
export interface Subject {
  readonly provider: LlmProvider.Service
  readonly harness: HarnessService
}

const timeLimit = "10 seconds"

/** The requirements of a check. */
export interface Needs {
  /** The behaviour of the service. Default: healthy. */
  readonly situation?: Situation
  /** The ability that the provider and its model need. */
  readonly capability?: "deterministic" | "maxTokens" | "streaming" | "toolImages" | "tools" | "usage"
  /** Whether the check counts the requests that the service receives. */
  readonly counts?: boolean
}

/** A check and its requirements. */
export interface Entry extends Check {
  readonly needs: Needs
}

/** Makes a check, which first brings the service into its situation. */
export const make = (
  name: string,
  needs: Needs,
  check: (subject: Subject) => Effect.Effect<void, Violation>
): Entry => ({
  name,
  needs,
  check: Effect.gen(function*() {
    const harness = yield* Harness
    yield* harness.provoke(needs.situation ?? "healthy")
    yield* check({ harness, provider: yield* LlmProvider.LlmProvider })
  }).pipe(
    Effect.timeoutFail({
      duration: timeLimit,
      onTimeout: () => new Violation({ expected: "an end", actual: `none within ${timeLimit}` })
    }),
    Effect.withClock(Clock.make())
  )
})

/** A value in one line of bounded length. */
export const show = (value: unknown): string => {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? String(value)
  return text.length > 300 ? `${text.slice(0, 299)}…` : text
}

/** Fails unless the condition holds. */
export const expect = (holds: boolean, expected: string, actual: unknown): Effect.Effect<void, Violation> =>
  holds ? Effect.void : new Violation({ expected, actual: show(actual) })

// The order of fields does not matter, nor does a field that is `undefined`.
const comparable = (value: unknown): string => canonicalJson(JSON.parse(JSON.stringify(value) ?? "null"))

/** Fails unless two values are equal as JSON. */
export const same = (what: string, actual: unknown, expected: unknown): Effect.Effect<void, Violation> =>
  expect(comparable(actual) === comparable(expected), `${what} to be ${show(expected)}`, actual)

/** A request as a provider gets it from the client. */
export const decode = (input: LlmRequest.Input): Effect.Effect<LlmRequest.LlmRequest> =>
  Effect.orDie(LlmRequest.decode(input))

/** The answer of a call that must succeed. */
export const answer = (
  { provider }: Subject,
  input: LlmRequest.Input
): Effect.Effect<LlmResponse.LlmResponse, Violation> =>
  Effect.flatMap(decode(input), provider.call).pipe(
    Effect.mapError((error) => new Violation({ expected: "an answer", actual: error.message }))
  )

/** The parts of a stream, and its failure if it failed. */
export interface Streamed {
  readonly parts: ReadonlyArray<StreamPart>
  readonly error: LlmError.LlmError | undefined
}

/** Runs a stream to its end. A defect or an interruption ends the check. */
export const run = (stream: Stream.Stream<StreamPart, LlmError.LlmError>): Effect.Effect<Streamed> =>
  Effect.gen(function*() {
    const parts: Array<StreamPart> = []
    const exit = yield* Effect.exit(Stream.runForEach(stream, (part) => Effect.sync(() => parts.push(part))))
    if (Exit.isSuccess(exit)) return { parts, error: undefined }
    return exit.cause._tag === "Fail"
      ? { parts, error: exit.cause.error }
      : yield* Effect.orDie(Effect.failCause(exit.cause))
  })

/** Streams the answer to a request. */
export const streamed = ({ provider }: Subject, input: LlmRequest.Input): Effect.Effect<Streamed> =>
  Effect.flatMap(decode(input), (request) => run(provider.stream(request)))

/** The text of the deltas among the parts. */
export const deltas = (parts: ReadonlyArray<StreamPart>): string =>
  parts.map((part) => part._tag === "TextDelta" ? part.text : "").join("")

/** The response of a stream that must succeed: of its only `Finish`, which must be the last part. */
export const finished = ({ error, parts }: Streamed): Effect.Effect<LlmResponse.LlmResponse, Violation> => {
  const last = parts.at(-1)
  const tags = parts.map((part) => part._tag)
  return error !== undefined
    ? new Violation({ expected: "a stream that ends well", actual: error.message })
    : last?._tag === "Finish" && tags.indexOf("Finish") === tags.length - 1
    ? Effect.succeed(last.response)
    : new Violation({ expected: "exactly one Finish, as the last part", actual: show(tags) })
}

/** The failure of a call that must fail. */
export const callError = (
  { provider }: Subject,
  input: LlmRequest.Input
): Effect.Effect<LlmError.LlmError, Violation> =>
  Effect.flatMap(decode(input), provider.call).pipe(
    Effect.flip,
    Effect.mapError((response) => new Violation({ expected: "a failure", actual: show(response) }))
  )

/** Waits until a count reaches a number. */
export const awaitCount = (
  what: string,
  count: Effect.Effect<number>,
  wanted: number
): Effect.Effect<void, Violation> =>
  count.pipe(
    Effect.delay("5 millis"),
    Effect.repeat({ until: (n) => n >= wanted }),
    Effect.timeoutFail({
      duration: "3 seconds",
      onTimeout: () => new Violation({ expected: what, actual: "nothing of the kind within 3 seconds" })
    }),
    Effect.asVoid
  )
