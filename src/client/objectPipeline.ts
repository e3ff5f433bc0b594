import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { LlmError, type Reason, update } from "../domain/LlmError.js"
import * as LlmEvent from "../domain/LlmEvent.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type * as LlmResponse from "../domain/LlmResponse.js"
import type { Message } from "../domain/Message.js"
import * as Check from "../domain/options.js"
import type { OutputMode } from "../LlmProvider.js"
import * as StandardSchema from "../output/StandardSchema.js"
import * as StructuredOutput from "../output/structuredOutput.js"
import type { AnswerCache } from "./answerCache.js"
import type { CallOptions } from "./clientOptions.js"
import { begin, type Call, checked, type Environment, failure } from "./context.js"
import { summed, type Turn } from "./turns.js"

/** What can be set for a call that asks for a value. */
export interface ObjectOptions extends CallOptions {
  /**
   * How often the model is asked again after an answer that does not fit the schema, told what was wrong. This has
   * nothing to do with `retry`, which is about answers that did not come. Default: 1.
   */
  readonly reask?: number | undefined
  /** The schema's name: 1 to 64 of the characters A-Z a-z 0-9 _ -. Default: its identifier, else "answer". */
  readonly name?: string | undefined
  /** Tells the model what the value is. */
  readonly description?: string | undefined
  /**
   * How the model is told the schema. `native`: by the provider, which holds the model to it where it can. `tool`: by a
   * tool that the model has to call, with the answer as its arguments; tools of the request's own are not called then.
   * `json`: in words, while the provider sees to it that the answer is JSON. `prompt`: in words only. The latter two take
   * schemas that the provider's dialect cannot express. Default: what is best for the provider and the model.
   */
  readonly mode?: OutputMode | undefined
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
  const { log, provider, settings } = environment

  /** The failure of a whole answer that gives no value. */
  const unfit = (call: Call, requestId: string | undefined, reason: Reason): LlmError => {
    const error = failure(call, reason)
    return requestId === undefined ? error : update(error, { requestId })
  }

  return <A, I = unknown, R = never>(
    schema: StandardSchema.AnySchema<A, I, R>,
    input: LlmRequest.Input,
    options: ObjectOptions = {}
  ): Effect.Effect<ObjectResponse<A>, LlmError, R> =>
    Effect.gen(function*() {
      const { description, mode, name, reask: wanted = 1, ...callOptions } = options
      const budget = yield* checked("object", () => Check.integer("reask", wanted, 0))
      const output = yield* StructuredOutput.make(StandardSchema.toSchema(schema), {
        provider,
        model: input.model,
        mode,
        name,
        description,
        system: input.system ?? settings.defaults.system,
        tools: input.tools ?? settings.defaults.tools
      }).pipe(Either.mapLeft((reason) =>
        new LlmError({ reason, operation: "object", attempts: 0, provider: provider.name, model: input.model })
      ))
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
              yield* answers.keep(asked, response, call.deadline)
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
        Effect.flatMap(kept, (found) =>
          Option.isSome(found) ? Effect.succeed(found.value) : converse([]))
      )
    })
}
