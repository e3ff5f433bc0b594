import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Schema from "effect/Schema"
import * as LlmError from "../../domain/LlmError.js"
import type * as LlmRequest from "../../domain/LlmRequest.js"
import { callError, type Entry, expect, make, same, streamed, type Subject, Violation } from "./check.js"
import type { Situation } from "./harness.js"

/** The reason that each situation must have, and whether the request may be sent again. */
const expectations = {
  unauthorized: { reason: "AuthenticationFailed", retry: false },
  keyQuoted: { reason: "AuthenticationFailed", retry: false },
  forbidden: { reason: "PermissionDenied", retry: false },
  unknownModel: { reason: "ModelNotFound", retry: false },
  badRequest: { reason: "InvalidRequest", retry: false },
  rateLimited: { reason: "RateLimited", retry: true },
  outOfCredit: { reason: "QuotaExhausted", retry: false },
  overloaded: { reason: "Overloaded", retry: true },
  serverError: { reason: "ServerFailed", retry: true },
  html: { reason: "MalformedResponse", retry: true },
  halfJson: { reason: "MalformedResponse", retry: true },
  emptyBody: { reason: "MalformedResponse", retry: true },
  reset: { reason: "NetworkFailed", retry: true }
} as const satisfies {
  readonly [S in Situation]?: { readonly reason: LlmError.ReasonTag; readonly retry: boolean }
}

export type Failing = keyof typeof expectations

export const failing = Object.keys(expectations) as ReadonlyArray<Failing>

/** The expected outcome of a failing situation. */
export const reasonOf = (situation: Failing) => expectations[situation]

/** Every form in which a program may print or store an error. */
export const printed = (error: LlmError.LlmError): string =>
  [
    String(error),
    JSON.stringify(error),
    Inspectable.format(error),
    JSON.stringify(Inspectable.toJSON(error.reason)),
    Cause.pretty(Cause.fail(error), { renderErrorCause: true }),
    JSON.stringify(Schema.encodeSync(LlmError.LlmError)(error))
  ].join("\n")

const expectError = (
  { harness, provider }: Subject,
  situation: Failing,
  operation: "call" | "stream",
  text: LlmRequest.Input,
  error: LlmError.LlmError
): Effect.Effect<void, Violation> =>
  Effect.gen(function*() {
    const { reason, retry } = expectations[situation]
    yield* expect(error.reason._tag === reason, `the reason ${reason}`, error.message)
    yield* same("isRetryable", error.isRetryable, retry)
    yield* same("provider", error.provider, provider.name)
    yield* same("model", error.model, text.model)
    yield* same("operation", error.operation, operation)
    yield* same("attempts", error.attempts, 1)
    if (situation === "rateLimited") {
      yield* same("retryAfter", error.retryAfter && Duration.toMillis(error.retryAfter), 7000)
    }
    const all = printed(error)
    yield* expect(
      !harness.secrets.some((secret) => all.includes(secret)),
      "an error that does not show the key",
      "the key"
    )
    const { prompt } = text
    if (prompt !== undefined) {
      yield* expect(!all.includes(prompt), "an error that does not show the prompt", "the prompt")
    }
  })

const failsOnce = (situation: Failing, operation: "call" | "stream", text: LlmRequest.Input): Entry =>
  make(
    `${operation}: ${situation} is ${expectations[situation].reason}, after one request`,
    { situation, counts: true },
    (subject) =>
      Effect.gen(function*() {
        const before = yield* subject.harness.received
        if (operation === "call") {
          yield* expectError(subject, situation, operation, text, yield* callError(subject, text))
        } else {
          const { error, parts } = yield* streamed(subject, text)
          if (error === undefined) return yield* new Violation({ expected: "a failure", actual: "a clean end" })
          yield* same("the parts before it", parts, [])
          yield* expectError(subject, situation, operation, text, error)
        }
        yield* same("the requests sent", (yield* subject.harness.received) - before, 1)
      })
  )

export const errors = (text: LlmRequest.Input): ReadonlyArray<Entry> => [
  ...failing.map((situation) => failsOnce(situation, "call", text)),
  // Half of a stream is not half a JSON, but a stream without its end.
  ...failing.flatMap((situation) => situation === "halfJson" ? [] : [failsOnce(situation, "stream", text)])
]
