import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { LlmError } from "../domain/LlmError.js"
import * as LlmEvent from "../domain/LlmEvent.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type * as LlmResponse from "../domain/LlmResponse.js"
import type { Message } from "../domain/Message.js"
import * as Check from "../internal/check.js"
import type * as StandardSchema from "../output/StandardSchema.js"
import type * as StructuredOutput from "../output/structuredOutput.js"
import { begin, type Call, checked, type Environment } from "./callState.js"
import { outputOf, type OutputOptions, unfit } from "./objectOutput.js"
import type { AnswerCache } from "./responseCache.js"
import { summed, type Turn } from "./usageTotals.js"

/** What can be set for a call that asks for a value. */
export interface ObjectOptions extends OutputOptions {
  /**
   * How often the model is asked again after an answer that does not fit the schema, told what was wrong. This has
   * nothing to do with `retry`, which is about answers that did not come. Default: 1.
   */
  readonly reask?: number | undefined
}

/** A value, and the answer that it was read from. */
export interface ObjectResponse<A> {
  readonly value: A
  /** The last answer, with the usage and the cost of all. */
  readonly response: LlmResponse.LlmResponse
}

/** How the rest of the client does what is not about structure. */
export interface Pipeline {
  /** Gets an answer, from a run of an equal call or its own. It neither reads nor fills the cache. */
  readonly ask: (call: Call) => Effect.Effect<LlmResponse.LlmResponse, LlmError>
  /** Limits the whole call, and reports its failure. */
  readonly withinDeadline: <A, R>(call: Call, effect: Effect.Effect<A, LlmError, R>) => Effect.Effect<A, LlmError, R>
}

/** Makes the structured side of a client: the pipeline of `call`, but that only an answer that fits is an answer. */
export const make = (environment: Environment, answers: AnswerCache, { ask, withinDeadline }: Pipeline) => {
  const { log } = environment

  return <A, I = unknown, R = never>(
    schema: StandardSchema.AnySchema<A, I, R>,
    input: LlmRequest.Input,
    options: ObjectOptions = {}
  ): Effect.Effect<ObjectResponse<A>, LlmError, R> =>
    Effect.gen(function*() {
      const { description: _, mode: __, name: ___, reask: wanted = 1, ...callOptions } = options
      const budget = yield* checked("object", () => Check.integer("reask", wanted, 0))
      const output = yield* outputOf(environment, "object", schema, input, options)
      const call = yield* begin(environment, "object", { ...input, ...output.request }, callOptions)
      // What fits is kept as the answer to the first question.
      const asked = { ...call }

      /** Adds to the conversation. The caller's own messages stay as they are. */
      const goOn = (messages: ReadonlyArray<Message>) =>
        Effect.gen(function*() {
          const request = { ...call.request, messages: [...call.request.messages, ...messages] }
          const next = yield* begin(environment, "object", request, callOptions)
          call.request = next.request
          call.key = next.key
        })

      /** Asks until an answer fits or the budget is spent. */
      const converse = (before: ReadonlyArray<Turn>): Effect.Effect<ObjectResponse<A>, LlmError, R> =>
        Effect.gen(function*() {
          const asking = yield* Effect.either(ask(call))
          if (Either.isLeft(asking)) {
            const error = asking.left
            const invalid = output.invalidOf(error.reason)
            // What was billed for an answer that came as a failure is not known.
            return invalid === undefined
              ? yield* error
              : yield* again([...before, { usage: {}, warnings: [] }], invalid, undefined, error.requestId)
          }
          const answer = asking.right
          const turns = [...before, answer]
          const read = yield* Effect.either(output.read(answer))
          if (Either.isRight(read)) {
            const response = summed(turns, answer, call.attempts + call.extraRequests)
            // What was shared is kept by whoever made it.
            if (answer.origin === "provider") {
              const now = yield* Clock.currentTimeMillis
              yield* answers.keep(asked, response, now, call.deadline) ?? Effect.void
            }
            return { value: read.right, response }
          }
          const reason = read.left
          return reason._tag === "OutputInvalid"
            ? yield* again(turns, reason, answer, answer.requestId)
            : yield* unfit(call, answer.requestId, reason)
        })

      const again = (
        turns: ReadonlyArray<Turn>,
        invalid: StructuredOutput.Invalid,
        answer: LlmResponse.LlmResponse | undefined,
        requestId: string | undefined
      ): Effect.Effect<ObjectResponse<A>, LlmError, R> =>
        Effect.gen(function*() {
          const next = turns.length <= budget ? output.reask(invalid, answer) : Option.none()
          yield* log(LlmEvent.OutputRejected({
            ...call.common,
            attempt: call.attempts,
            issues: invalid.issues.length,
            willRetry: Option.isSome(next)
          }))
          if (Option.isNone(next)) {
            return yield* unfit(call, requestId, invalid)
          }
          yield* goOn(next.value)
          return yield* converse(turns)
        })

      /** An answer that does not fit is none, whoever put it there. */
      const kept = Effect.gen(function*() {
        const response = yield* answers.find(call)
        return response === undefined
          ? Option.none()
          : Option.map(yield* Effect.option(output.read(response)), (value) => ({ value, response }))
      })

      return yield* withinDeadline(
        call,
        Effect.flatMap(kept, (found) => Option.isSome(found) ? Effect.succeed(found.value) : converse([]))
      )
    })
}
