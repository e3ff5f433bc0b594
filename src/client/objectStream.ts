import * as Chunk from "effect/Chunk"
import type * as Data from "effect/Data"
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
import * as PartFeed from "../runtime/partFeed.js"
import type { Attempts } from "./attempts.js"
import { withinDeadline } from "./call.js"
import { begin, type Call, type Environment } from "./callState.js"
import { outputOf, type OutputOptions, unfit } from "./objectOutput.js"
import * as Reports from "./reports.js"
import type { ResponseCache } from "./responseCache.js"
import * as StreamPipeline from "./stream.js"

/** One part of a streamed value. */
export type ObjectPart<A, I = A> = Data.TaggedEnum<{
  /** The value so far, in the form that the schema decodes from. It never changes afterwards. */
  Partial: { readonly value: DeepPartial<I> }
  /** The end: the value, decoded and checked, and the answer that it was read from. */
  Finish: { readonly value: A; readonly response: LlmResponse }
}>

type Feed<A> = PartFeed.PartFeed<A, LlmError>

/** Extracts the pieces of the value from the parts of an answer: its text, or the arguments of its tool call. */
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
 * Makes the streams of values of a client. They take the steps of a stream, but their parts are values, an answer is
 * kept only if it fits, and one that does not fit is a failure.
 */
export const make = (
  environment: Environment,
  { attempts, cache }: { readonly attempts: Attempts; readonly cache: ResponseCache }
) => {
  /** Judges a whole answer, for the cache and for the program: an answer is read once. */
  const makeJudge = <A, R>(call: Call, output: StructuredOutput.StructuredOutput<A, R>) => {
    let last: { readonly response: LlmResponse; readonly verdict: Either.Either<A, LlmError> } | undefined
    return (response: LlmResponse): Effect.Effect<Either.Either<A, LlmError>, never, R> =>
      Effect.suspend(() => {
        if (last?.response === response) return Effect.succeed(last.verdict)
        return output.read(response).pipe(
          Effect.mapError((reason) => unfit(call, response.requestId, reason)),
          // A schema may decode with slow effects.
          withinDeadline(call),
          Effect.either,
          Effect.tap((verdict) => {
            last = { response, verdict }
          })
        )
      })
  }

  /** Reports an answer that does not fit. The program has seen parts of it, so the model is not asked again. */
  const rejected = (call: Call, { reason }: LlmError): Effect.Effect<void> =>
    reason._tag === "OutputInvalid"
      ? Reports.briefly(environment.log(LlmEvent.OutputRejected({
        ...call.common,
        attempt: call.progress.attempts,
        issues: reason.issues.length + (reason.omittedIssues ?? 0),
        willRetry: false
      })))
      : Effect.void

  return <A, I = unknown, R = never>(
    schema: StandardSchema.AnySchema<A, I, R>,
    input: LlmRequest.Input,
    options: OutputOptions = {}
  ): Stream.Stream<ObjectPart<A, I>, LlmError, R> =>
    PartFeed.toStream(Effect.gen(function*() {
      const { description: _, mode: __, name: ___, ...callOptions } = options
      const output = yield* outputOf(environment, "streamObject", schema, input, options)
      const begun = yield* begin(environment, "streamObject", { ...input, ...output.request }, callOptions)
      const call: Call = { ...begun, prefersTool: output.tool !== undefined }
      const context = yield* Effect.context<R>()
      const judging = makeJudge(call, output)
      const judge = (response: LlmResponse) => Effect.provide(judging(response), context)
      const reader = makeReader(output)
      let failure: LlmError | undefined

      /** An answer that does not fit counts as a miss, and is not kept. */
      const fitting: ResponseCache = {
        ...cache,
        find: (call) =>
          Effect.flatMap(cache.find(call), (found) =>
            Option.isNone(found)
              ? Effect.succeedNone
              : Effect.map(judge(found.value), (verdict) => Either.isRight(verdict) ? found : Option.none())),
        keep: (run, response) =>
          Effect.flatMap(
            judge(response),
            (verdict) => Either.isRight(verdict) ? cache.keep(run, response) : Effect.void
          )
      }

      /** Tool arguments that are not JSON fail the provider's stream. Here they are an answer that does not fit. */
      const asUnfit = (error: LlmError): Effect.Effect<never, LlmError> => {
        const invalid = output.invalidOf(error.reason)
        if (invalid === undefined) return Effect.fail(error)
        const failure = unfit(call, error.requestId, invalid)
        return Effect.zipRight(rejected(call, failure), Effect.fail(failure))
      }

      const finish = (partial: Chunk.Chunk<ObjectPart<A, I>>, response: LlmResponse): Feed<ObjectPart<A, I>> =>
        Effect.flatMap(judge(response), (verdict) => {
          if (Either.isRight(verdict)) {
            return Effect.succeed(Chunk.append(partial, { _tag: "Finish", value: verdict.right, response }))
          }
          failure = verdict.left
          const reported = Effect.zipRight(rejected(call, failure), attempts.giveUp(call, failure))
          return Effect.zipRight(reported, Chunk.isEmpty(partial) ? Effect.fail(failure) : Effect.succeed(partial))
        })

      const read = (feed: Feed<StreamPart>): Feed<ObjectPart<A, I>> => {
        const next: Feed<ObjectPart<A, I>> = Effect.suspend(() =>
          failure === undefined ? Effect.flatMap(feed, take) : Effect.fail(failure)
        )

        const take = (parts: Chunk.Chunk<StreamPart> | undefined): Feed<ObjectPart<A, I>> => {
          if (parts === undefined) return Effect.succeed(undefined)
          let response: LlmResponse | undefined
          for (const part of parts) {
            if (part._tag === "Finish") response = part.response
            else reader.push(part)
          }
          const partial = Option.match(reader.take(), {
            onNone: () => Chunk.empty<ObjectPart<A, I>>(),
            // The value has the type that the schema decodes from: anything else has been left out.
            onSome: (value) => Chunk.of<ObjectPart<A, I>>({ _tag: "Partial", value: value as DeepPartial<I> })
          })
          if (response !== undefined) return finish(partial, response)
          return Chunk.isEmpty(partial) ? next : Effect.succeed(partial)
        }

        return next
      }

      const feed = yield* Effect.catchAll(
        StreamPipeline.make(environment, { attempts, cache: fitting }).open(call),
        asUnfit
      )
      return read(Effect.catchAll(feed, asUnfit))
    }))
}
