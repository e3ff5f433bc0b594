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
import type { Attempts } from "./attempts.js"
import { type Pipeline, withinDeadline } from "./call.js"
import { begin, type Call, checked, type Environment, requestsOf } from "./callState.js"
import { outputOf, type OutputOptions, unfit } from "./objectOutput.js"
import type { ResponseCache } from "./responseCache.js"
import type * as Turns from "./turns.js"
import { summed, type Turn } from "./usageTotals.js"

/** The options of a call that asks for a value. */
export interface ObjectOptions extends OutputOptions {
  /**
   * The number of times that the model is asked again after an answer that does not fit the schema, with the issues of
   * that answer. (`retry` is for answers that did not come.) Default: 1.
   */
  readonly reask?: number | undefined
}

/** A value, and the answer that it was read from. */
export interface ObjectResponse<A> {
  readonly value: A
  /** The last answer, with the usage and the cost of all turns. */
  readonly response: LlmResponse.LlmResponse
}

/**
 * Makes the calls of a client that ask for a value. Each turn goes through the pipeline of a call, within one deadline
 * for all turns, and only an answer that fits is kept. One of many calls waits for its turn before its deadline starts.
 */
export const make = (
  environment: Environment,
  { answer, attempts, cache }: {
    readonly answer: Pipeline["answer"]
    readonly attempts: Attempts
    readonly cache: ResponseCache
  }
) =>
<A, I = unknown, R = never>(
  schema: StandardSchema.AnySchema<A, I, R>,
  input: LlmRequest.Input,
  options: ObjectOptions = {},
  turn?: Turns.Turn
): Effect.Effect<ObjectResponse<A>, LlmError, R> =>
  Effect.gen(function*() {
    const { description: _, mode: __, name: ___, reask = 1, ...callOptions } = options
    const maxReasks = yield* checked("object", () => Check.integer("reask", reask, 0))
    const output = yield* outputOf(environment, "object", schema, input, options)
    const begun = yield* begin(environment, "object", { ...input, ...output.request }, callOptions)
    const first: Call = { ...begun, prefersTool: output.tool !== undefined }

    /** The next turn of the conversation. */
    const turnAfter = (call: Call, messages: ReadonlyArray<Message>) => {
      const request = { ...call.request, messages: [...call.request.messages, ...messages] }
      return begin(environment, "object", request, callOptions, call)
    }

    /** An answer in the cache that does not fit counts as a miss. */
    const found = (call: Call) =>
      Effect.gen(function*() {
        const response = yield* cache.find(call)
        return Option.isNone(response)
          ? Option.none()
          : Option.map(
            yield* Effect.option(output.read(response.value)),
            (value) => ({ value, response: response.value })
          )
      })

    /** Asks until an answer fits, or `reask` is used up. */
    const converse = (call: Call, before: ReadonlyArray<Turn>): Effect.Effect<ObjectResponse<A>, LlmError, R> =>
      Effect.gen(function*() {
        const asked = yield* Effect.either(answer(call))
        if (Either.isLeft(asked)) {
          const { reason, requestId } = asked.left
          const invalid = output.invalidOf(reason)
          if (invalid === undefined) return yield* asked.left
          // The bill of an answer that came as a failure is not known.
          return yield* again(call, [...before, { usage: {}, warnings: [] }], { invalid, requestId })
        }
        const response = asked.right
        const turns = [...before, response]
        const read = yield* Effect.either(output.read(response))
        if (Either.isRight(read)) return yield* fits(call, read.right, summed(turns, response, requestsOf(call)))
        const { requestId } = response
        return read.left._tag === "OutputInvalid"
          ? yield* again(call, turns, { invalid: read.left, response, requestId })
          : yield* unfit(call, requestId, read.left)
      })

    /** The answer to the last turn is kept as the answer to the first, by the first caller of its run whose value fits. */
    const fits = ({ progress: { run } }: Call, value: A, response: LlmResponse.LlmResponse) =>
      Effect.suspend(() => {
        const result = { value, response }
        if (run === undefined || run.isKept) return Effect.succeed(result)
        run.isKept = true
        const own = { ...run, deadline: first.deadline, call: { ...first, order: run.call.order } }
        return Effect.as(cache.keep(own, response), result)
      })

    const again = (
      call: Call,
      turns: ReadonlyArray<Turn>,
      { invalid, requestId, response }: {
        readonly invalid: StructuredOutput.Invalid
        readonly response?: LlmResponse.LlmResponse
        readonly requestId: string | undefined
      }
    ): Effect.Effect<ObjectResponse<A>, LlmError, R> =>
      Effect.gen(function*() {
        const messages = turns.length <= maxReasks ? output.reask(invalid, response) : Option.none()
        yield* environment.log(LlmEvent.OutputRejected({
          ...call.common,
          attempt: call.progress.attempts,
          issues: invalid.issues.length + (invalid.omittedIssues ?? 0),
          willRetry: Option.isSome(messages)
        }))
        return Option.isNone(messages)
          ? yield* unfit(call, requestId, invalid)
          : yield* converse(yield* turnAfter(call, messages.value), turns)
      })

    const inTime = (call: Call) =>
      Effect.flatMap(
        found(call),
        Option.match({
          onNone: () => Effect.zipRight(cache.missed(call), converse(call, [])),
          onSome: Effect.succeed
        })
      ).pipe(withinDeadline(call), attempts.watched(call))

    const atTurn = (call: Call, turn?: Turns.Turn): Effect.Effect<ObjectResponse<A>, LlmError, R> =>
      turn === undefined
        ? inTime(call)
        : Effect.flatMap(found(call), Option.match({ onNone: () => turn(call, atTurn), onSome: Effect.succeed }))

    return yield* atTurn(first, turn)
  })
