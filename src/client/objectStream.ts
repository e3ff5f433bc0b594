import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import type * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type { LlmError } from "../domain/LlmError.js"
import * as LlmEvent from "../domain/LlmEvent.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import type { StreamPart } from "../domain/StreamPart.js"
import type { DeepPartial } from "../output/deepPartial.js"
import * as PartialAnswer from "../output/partialAnswer.js"
import type * as StandardSchema from "../output/StandardSchema.js"
import type * as StructuredOutput from "../output/structuredOutput.js"
import * as TimeLimit from "../runtime/timeLimit.js"
import type { Attempts } from "./attempts.js"
import { begin, type Call, type Environment, timedOut } from "./callState.js"
import { outputOf, type OutputOptions, unfit } from "./objectOutput.js"
import * as Pulls from "./pull.js"
import type { AnswerCache } from "./responseCache.js"
import * as StreamPipeline from "./stream.js"

/** One part of a streamed value. */
export type ObjectPart<A, I = A> = Data.TaggedEnum<{
  /** What has come so far, in the form that the schema decodes from. It never changes afterwards. */
  Partial: { readonly value: DeepPartial<I> }
  /** The end: the value, decoded and checked, and the answer that it was read from. */
  Finish: { readonly value: A; readonly response: LlmResponse }
}>

type Pull<A> = Pulls.Pull<A, LlmError>

/** How long the report of a failure may take, which the deadline may have caused. */
const lastWord = Duration.millis(500)

/** Takes the pieces of the value out of the parts of an answer: its text, or the arguments of the call of its tool. */
const makeReader = <A, R>({ tool, wire }: StructuredOutput.StructuredOutput<A, R>) => {
  const answer = PartialAnswer.make(wire)
  let callId: string | undefined
  return {
    push: (part: StreamPart): void => {
      switch (part._tag) {
        case "TextDelta":
          if (tool === undefined) answer.push(part.text)
          break
        case "ToolCallStart":
          if (part.name === tool) callId ??= part.id
          break
        case "ToolCallDelta":
          if (part.id === callId) answer.push(part.delta)
      }
    },
    take: answer.take
  }
}

/**
 * Makes the side of a client that streams values: the pipeline of `stream`, but that its parts are values, that only an
 * answer that fits is kept, and that one that does not fit is a failure.
 */
export const make = (environment: Environment, answers: AnswerCache, attempts: Attempts) => {
  /** What comes of a whole answer. It is read once, be it for the cache or for the program. */
  const makeJudge = <A, R>(call: Call, output: StructuredOutput.StructuredOutput<A, R>) => {
    let last: { readonly response: LlmResponse; readonly verdict: Either.Either<A, LlmError> } | undefined
    return (response: LlmResponse): Effect.Effect<Either.Either<A, LlmError>, never, R> =>
      Effect.suspend(() => {
        if (last?.response === response) return Effect.succeed(last.verdict)
        return Effect.flatMap(Clock.currentTimeMillis, (now) =>
          output.read(response).pipe(
            Effect.mapError((reason) => unfit(call, response.requestId, reason)),
            // A schema may decode with effects that take their time.
            TimeLimit.timeoutFail({
              duration: Duration.millis(call.deadline - now),
              onTimeout: () => timedOut(call, "total", call.settings.deadline)
            }),
            Effect.either,
            Effect.tap((verdict) => {
              last = { response, verdict }
            })
          ))
      })
  }

  /** What has been shown cannot be taken back, so nobody asks again. */
  const rejected = (call: Call, { reason }: LlmError): Effect.Effect<void> =>
    reason._tag === "OutputInvalid"
      ? environment.log(LlmEvent.OutputRejected({
        ...call.common,
        attempt: call.attempts,
        issues: reason.issues.length,
        willRetry: false
      })).pipe(Effect.timeoutOption(lastWord), Effect.asVoid)
      : Effect.void

  return <A, I = unknown, R = never>(
    schema: StandardSchema.AnySchema<A, I, R>,
    input: LlmRequest.Input,
    options: OutputOptions = {}
  ): Stream.Stream<ObjectPart<A, I>, LlmError, R> =>
    Pulls.toStream(Effect.gen(function*() {
      const { description: _, mode: __, name: ___, ...callOptions } = options
      const output = yield* outputOf(environment, "streamObject", schema, input, options)
      const call = yield* begin(environment, "streamObject", { ...input, ...output.request }, callOptions)
      const context = yield* Effect.context<R>()
      const judge = (response: LlmResponse) => Effect.provide(judging(response), context)
      const judging = makeJudge(call, output)
      const reader = makeReader(output)
      let failure: LlmError | undefined

      /** An answer that does not fit is none, whoever put it there. */
      const fitting: Pick<AnswerCache, "find" | "keep"> = {
        find: (call) =>
          Effect.flatMap(answers.find(call), (found) =>
            found === undefined
              ? Effect.succeed(undefined)
              : Effect.map(judge(found), (verdict) => Either.isRight(verdict) ? found : undefined)),
        keep: (call, response, now, deadline) =>
          Effect.flatMap(
            judge(response),
            (verdict) =>
              Either.isRight(verdict) ? answers.keep(call, response, now, deadline) ?? Effect.void : Effect.void
          )
      }

      /** A tool call whose arguments are no JSON fails the stream of the provider; here it is an answer that does not fit. */
      const told = (error: LlmError): Effect.Effect<never, LlmError> => {
        const invalid = output.invalidOf(error.reason)
        const failure = invalid === undefined ? error : unfit(call, error.requestId, invalid)
        return Effect.zipRight(invalid === undefined ? Effect.void : rejected(call, failure), Effect.fail(failure))
      }

      const finish = (
        partial: Chunk.Chunk<ObjectPart<A, I>>,
        response: LlmResponse
      ): Pull<ObjectPart<A, I>> =>
        Effect.flatMap(judge(response), (verdict) => {
          if (Either.isRight(verdict)) {
            return Effect.succeed(Chunk.append(partial, { _tag: "Finish", value: verdict.right, response }))
          }
          failure = verdict.left
          const told = Effect.zipRight(rejected(call, failure), attempts.giveUp(call, failure))
          return Effect.zipRight(
            told,
            Chunk.isEmpty(partial) ? Effect.fail(failure) : Effect.succeed(partial)
          )
        })

      const read = (pull: Pull<StreamPart>): Pull<ObjectPart<A, I>> => {
        const next: Pull<ObjectPart<A, I>> = Effect.suspend(() =>
          failure === undefined ? Effect.flatMap(pull, take) : Effect.fail(failure)
        )

        const take = (parts: Chunk.Chunk<StreamPart> | undefined): Pull<ObjectPart<A, I>> => {
          if (parts === undefined) return Effect.succeed(undefined)
          let response: LlmResponse | undefined
          for (const part of parts) {
            if (part._tag === "Finish") response = part.response
            else reader.push(part)
          }
          const partial = Option.match(reader.take(), {
            onNone: () => Chunk.empty<ObjectPart<A, I>>(),
            // All of it is of the type that the schema decodes from: what is not has been left out.
            onSome: (value) => Chunk.of<ObjectPart<A, I>>({ _tag: "Partial", value: value as DeepPartial<I> })
          })
          if (response !== undefined) return finish(partial, response)
          return Chunk.isEmpty(partial) ? next : Effect.succeed(partial)
        }

        return next
      }

      const pull = yield* Effect.catchAll(
        StreamPipeline.make(environment, fitting, attempts).answer(call),
        told
      )
      return read(Effect.catchAll(pull, told))
    }))
}
