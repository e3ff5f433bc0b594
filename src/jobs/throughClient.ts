import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { LlmError } from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type * as LlmClient from "../LlmClient.js"
import * as Kept from "./answered.js"
import type { Answering, OpenChunk } from "./answering.js"
import * as Operation from "./operation.js"
import { wayOf } from "./options.js"
import type { Schemas } from "./schemas.js"
import type { Item } from "./store.js"

type Ask = (item: Item) => Effect.Effect<Kept.Asked>

const asking = <A>(
  codec: Operation.ResultCodec<A>,
  ask: (request: string) => Effect.Effect<A, LlmError>,
  billOf: (answer: A) => Kept.Bill
): Ask =>
({ request }) =>
  Effect.flatMap(
    Effect.exit(Effect.suspend(() => ask(request))),
    (asked) => Kept.make(codec, asked, Exit.isSuccess(asked) ? billOf(asked.value) : undefined)
  )

/** The pause between two checks of a waiting request whether its job was ended. */
const lookEvery = "1 second"

/** The number of requests that are prepared, and of results that are written, while others are under way. */
const spare = (concurrency: number): number => Math.max(2, Math.ceil(concurrency / 2))

/** Answers the requests of chunks one by one, through the client. */
export const make = (
  client: LlmClient.Service,
  { concurrency, schemas }: { readonly concurrency: number; readonly schemas: Schemas }
): Effect.Effect<Answering> =>
  Effect.gen(function*() {
    const most = concurrency + spare(concurrency)
    // The requests from before they may be sent until their results are stored: those that a kill can waste.
    const open = yield* Effect.makeSemaphore(most)
    const sending = yield* Effect.makeSemaphore(concurrency)

    const askOf = ({ isStopped, job }: OpenChunk): Effect.Effect<Ask> => {
      const ended = Effect.repeat(Effect.sync(isStopped), {
        until: (isStopped) => isStopped,
        schedule: Schedule.spaced(lookEvery)
      })
      // A turn may be far away: the deadline of a request begins with its turn.
      const inTurn = client.inTurn(Effect.asVoid(ended))
      const options = { tags: { job: job.progress.id } }
      const isFlex = wayOf(job.settings) === "flex"
      const requestIn = (text: string): LlmRequest.Input => {
        const request = Operation.readCall(text)
        return isFlex && request.serviceTier === undefined ? { ...request, serviceTier: "flex" } : request
      }
      const objects = (schema: Schema.Schema.AnyNoContext): Ask =>
        asking(
          Operation.values(schema),
          (request) => inTurn.object(schema, requestIn(request), options),
          ({ response }) => response
        )
      switch (job.progress.operation) {
        case "call":
          return Effect.succeed(
            asking(
              Operation.answers,
              (request) => inTurn.call(requestIn(request), options),
              (answer) => answer
            )
          )
        case "embed":
          return Effect.succeed(
            asking(
              Operation.embeddings,
              (request) => inTurn.embed(Operation.readEmbedding(request), options),
              (answer) => answer
            )
          )
        case "object":
          return Effect.map(schemas.find(job.schemaName ?? job.progress.id), objects)
      }
    }

    return (chunk) =>
      Effect.gen(function*() {
        const { haltOn } = chunk.job.settings
        const ask = yield* askOf(chunk)

        const answer = (item: Item): Effect.Effect<void> =>
          Effect.gen(function*() {
            if (chunk.isStopped() || !(yield* chunk.asks(item))) return
            const asked = yield* sending.withPermits(1)(
              Effect.suspend(() => chunk.isStopped() ? Effect.succeedNone : Effect.asSome(ask(item)))
            )
            if (Option.isNone(asked)) return
            const { error, isInterrupted, ...answered } = asked.value
            if (isInterrupted && chunk.isStopped()) return
            yield* error !== undefined && Kept.halts(error, haltOn)
              ? chunk.halt({ message: error.message, error })
              : chunk.record(item, answered)
          })

        // A request gets a fiber when there is room for it: thousands of fibers that wait for room would be woken, all of
        // them, each time that one has gone.
        const fibers = yield* FiberSet.make<void, never>()
        const begin = (item: Item): Effect.Effect<void> =>
          Effect.uninterruptibleMask((restore) =>
            Effect.zipRight(
              restore(open.take(1)),
              FiberSet.run(fibers, Effect.ensuring(Effect.interruptible(answer(item)), open.release(1)))
            )
          )
        yield* Stream.runForEach(chunk.todo, begin).pipe(
          // A chunk that waits for room, which those of other chunks have, can be handed over at once.
          Effect.raceFirst(chunk.stopped),
          Effect.zipRight(FiberSet.awaitEmpty(fibers)),
          Effect.raceFirst(FiberSet.join(fibers))
        )
      }).pipe(Effect.scoped)
  })
