import * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

/** A batch that a service works on. */
export interface Batch {
  readonly id: string
  readonly name: string
  readonly requests: ReadonlyArray<LlmProvider.BatchRequest>
  readonly submittedAt: number
  cancelledAt?: number
  error?: LlmError.LlmError
}

/** What comes of a request: a text, a whole answer, a failure, or no result at all. */
export type Outcome = string | LlmResponse.LlmResponse | LlmError.Reason | undefined

/** What a batch service in memory does. */
export interface Script {
  readonly name?: string
  readonly limits?: Partial<LlmProvider.Batches["limits"]>
  /** Whether it finds batches by their names. Default: true. */
  readonly keepsNames?: boolean
  /** How long it works on a batch. Default: 10 seconds. */
  readonly takes?: Duration.DurationInput
  /** What comes of a request that is asked for the n-th time. Default: it is repeated. */
  readonly answer?: (request: LlmRequest.LlmRequest, n: number) => Outcome
  /** Runs before a batch is taken: it may fail. */
  readonly beforeSubmit?: (n: number) => Effect.Effect<void, LlmError.LlmError>
  /** Runs once a batch was taken, before its id is told: it may fail, or never end. */
  readonly afterSubmit?: (n: number) => Effect.Effect<void, LlmError.LlmError>
  /** Why a batch is refused as a whole. */
  readonly refuses?: (batch: Batch, n: number) => LlmError.LlmError | undefined
  /** Runs before the state is told: it may fail. */
  readonly beforeState?: (n: number) => Effect.Effect<void, LlmError.LlmError>
  /** After how many results the n-th reading breaks off. */
  readonly breaksAfter?: (n: number) => number | undefined
  /** How long a batch goes on that is stopped. Default: not at all. */
  readonly stopsAfter?: Duration.DurationInput
  readonly price?: LlmProvider.Service["price"]
  readonly schemaDialect?: LlmProvider.Service["schemaDialect"]
  /** Answers calls. Default: there must be none. */
  readonly call?: LlmProvider.Service["call"]
}

/** An answer in a batch. */
export const answered = (
  { model }: LlmRequest.LlmRequest,
  text: string,
  fields: Partial<Parameters<typeof LlmResponse.make>[0]> = {}
): LlmResponse.LlmResponse =>
  LlmResponse.make({
    parts: [Message.Text.make({ text })],
    finishReason: "stop",
    model,
    provider: "acme",
    usage: { inputTokens: 10, outputTokens: 5, serviceTier: "batch" },
    cost: 0.1 + 1e-12,
    ...fields
  })

const failure = (reason: LlmError.Reason) => new LlmError.LlmError({ operation: "call", attempts: 1, reason })

/** A service with a batch API in memory, which outlives the processes that ask it. */
export const makeBatchService = (script: Script = {}) => {
  const { answer = ({ prompt }) => `re ${prompt}`, keepsNames = true, takes = "10 seconds" } = script
  const time = Duration.toMillis(takes)
  const batches: Array<Batch> = []
  const polls: Array<{ readonly id: string; readonly at: number }> = []
  /** How often a request was asked, by its prompt. */
  const asked = new Map<string, number>()
  const outcomes = new Map<string, Outcome>()
  let [submits, readings] = [0, 0]

  const find = (id: string): Effect.Effect<Batch, LlmError.LlmError> =>
    Effect.suspend(() => {
      const found = batches.find((batch) => batch.id === id)
      return found === undefined
        ? failure(LlmError.InvalidRequest.make({ code: "not_found" }))
        : Effect.succeed(found)
    })

  const isOver = (batch: Batch, now: number) =>
    batch.error !== undefined || (batch.cancelledAt !== undefined && now >= batch.cancelledAt) ||
    now >= batch.submittedAt + time

  /** A batch answers its requests evenly over its time: one that was cancelled has answered some. */
  const resultsOf = (batch: Batch) => {
    const share = batch.cancelledAt === undefined ? 1 : Math.min(1, (batch.cancelledAt - batch.submittedAt) / time)
    const done = Math.floor(batch.requests.length * share)
    return batch.requests.flatMap(({ id, request }, i): ReadonlyArray<LlmProvider.BatchResult> => {
      if (i >= done) {
        return [{ id, read: () => Exit.fail(failure(LlmError.InvalidRequest.make({ code: "cancelled" }))) }]
      }
      const key = `${batch.id} ${id}`
      if (!outcomes.has(key)) {
        const n = (asked.get(request.prompt) ?? 0) + 1
        asked.set(request.prompt, n)
        outcomes.set(key, answer(request, n))
      }
      const outcome = outcomes.get(key)
      if (outcome === undefined) return []
      const exit = typeof outcome === "string"
        ? Exit.succeed(answered(request, outcome))
        : "_tag" in outcome
        ? Exit.fail(failure(outcome))
        : Exit.succeed(outcome)
      return [{ id, read: () => exit }]
    })
  }

  const service: LlmProvider.Batches = {
    limits: { requests: 1_000, bytes: 1_000_000, ...script.limits },
    size: ({ request }) => Effect.succeed(request.prompt.length),
    submit: ({ name, requests }) =>
      Effect.gen(function*() {
        const n = ++submits
        yield* script.beforeSubmit?.(n) ?? Effect.void
        const batch: Batch = {
          id: `batch_${batches.length + 1}`,
          name,
          requests,
          submittedAt: yield* Clock.currentTimeMillis
        }
        const error = script.refuses?.(batch, n)
        if (error !== undefined) batch.error = error
        batches.push(batch)
        yield* script.afterSubmit?.(n) ?? Effect.void
        return batch.id
      }),
    find: !keepsNames ? undefined : (name) => Effect.sync(() => batches.find((batch) => batch.name === name)?.id),
    state: (id) =>
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        polls.push({ id, at: now })
        yield* script.beforeState?.(polls.length) ?? Effect.void
        const batch = yield* find(id)
        const done = Math.min(1, (now - batch.submittedAt) / time)
        return {
          status: isOver(batch, now) ? "ended" : "running",
          succeeded: Math.floor(batch.requests.length * done),
          ...(batch.error !== undefined && { error: batch.error })
        } as const
      }),
    results: (id) =>
      Stream.unwrap(Effect.map(find(id), (batch) => {
        const last = script.breaksAfter?.(++readings)
        // In any order.
        const results = Stream.fromIterable(resultsOf(batch).toReversed())
        return last === undefined ? results : Stream.concat(
          Stream.take(results, last),
          Stream.fail(failure(LlmError.NetworkFailed.make({ code: "ECONNRESET" })))
        )
      })),
    cancel: (id) =>
      Effect.zipWith(find(id), Clock.currentTimeMillis, (batch, now) => {
        batch.cancelledAt ??= now + Duration.toMillis(script.stopsAfter ?? 0)
      })
  }

  return {
    batches,
    polls,
    asked,
    layer: LlmProvider.layer({
      name: script.name ?? "acme",
      endpoint: "memory:",
      batches: service,
      call: script.call ?? (() => Effect.dieMessage("Nothing is asked by a call")),
      ...(script.price !== undefined && { price: script.price }),
      ...(script.schemaDialect !== undefined && { schemaDialect: script.schemaDialect })
    }) as Layer.Layer<LlmProvider.LlmProvider>
  }
}

/** Prices of a cent a token, half as much in batches, and none in other tiers. */
export const cents: LlmProvider.Service["price"] = ({ usage: { inputTokens = 0, outputTokens = 0, serviceTier } }) =>
  Effect.succeed(
    serviceTier === undefined || serviceTier === "batch"
      ? Option.some((inputTokens + outputTokens) / (serviceTier === "batch" ? 200 : 100))
      : Option.none()
  )
