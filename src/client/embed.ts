import { sha256Hex } from "#sha256"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as CacheKey from "../domain/CacheKey.js"
import * as Embedding from "../domain/Embedding.js"
import * as EmbeddingView from "../domain/embeddingView.js"
import { type LlmError, UnsupportedFeature, update } from "../domain/LlmError.js"
import * as LlmEvent from "../domain/LlmEvent.js"
import * as Check from "../internal/check.js"
import * as Money from "../internal/money.js"
import * as ScopedBudget from "../policy/budget/scopedBudget.js"
import * as AttemptClock from "../runtime/attemptClock.js"
import * as Elapsed from "../runtime/elapsed.js"
import * as EmbeddingsSpan from "../telemetry/embeddingsSpan.js"
import type { Attempts } from "./attempts.js"
import { retrying, withinDeadline } from "./call.js"
import {
  attemptFailed,
  beginWith,
  type Call,
  checked,
  type Environment,
  failure,
  partOf,
  reported,
  requestsOf,
  type Run
} from "./callState.js"
import * as Batches from "./embeddingBatches.js"
import * as Entry from "./embeddingEntry.js"
import type { CallOptions } from "./options.js"
import type { ResponseCache } from "./responseCache.js"
import * as Sharing from "./sharing.js"
import type * as Turns from "./turns.js"
import { total } from "./usageTotals.js"

/** The options of a call for embeddings. */
export interface EmbedOptions extends CallOptions {
  /** The most texts of one request, if the provider takes more. Default: as many as it takes. */
  readonly batchSize?: number | undefined
  /** The number of requests under way at a time, if the texts do not fit into one. Default: 4. */
  readonly concurrency?: number | undefined
}

type Answer = Effect.Effect<Embedding.Response, LlmError>

/** Some texts of a call, and their keys. */
interface Batch {
  readonly call: Call
  readonly request: Embedding.Request
  readonly keys: ReadonlyArray<string>
}

/** The checked options. */
interface Limits {
  readonly concurrency: number
  readonly batchSize: number
}

/** The texts of a call, each once, and the vectors that are known. */
interface State {
  readonly request: Embedding.Request
  readonly keyOf: ReadonlyMap<string, string>
  readonly vectors: Map<string, Embedding.Vector>
  /** The model that answered, as entries of the cache name it. */
  model: string
  provider: string
}

const reuse = (
  response: Embedding.Response,
  how: Pick<Embedding.Response, "origin" | "latency">
): Embedding.Response => {
  const { queuedFor: _, ...answer } = response
  return Embedding.freeze({
    ...answer,
    ...how,
    attempts: 0,
    usage: { inputTokens: 0 },
    ...(response.cost !== undefined && { cost: 0 })
  })
}

/**
 * Makes the embeddings of a client. They take the steps of a call, with two differences: each text has its own entry in
 * the cache, and the missing texts go into as few requests as the provider's limits allow, each with its own run,
 * retries and attempts, all within one deadline.
 */
export const make = (
  environment: Environment,
  { attempts, cache }: { readonly attempts: Attempts; readonly cache: ResponseCache }
): Effect.Effect<
  (input: Embedding.Input, options?: EmbedOptions, turn?: Turns.Turn) => Answer,
  never,
  Scope.Scope
> =>
  Effect.map(Sharing.make(environment, reuse), (share) => {
    const { log, provider } = environment

    // 1. Decode the request, fill in the defaults, derive the keys.
    const embed = (input: Embedding.Input, options: EmbedOptions = {}, turn?: Turns.Turn): Answer =>
      Effect.gen(function*() {
        const { batchSize, concurrency = 4, ...callOptions } = options
        const request = yield* Embedding.decode(input)
        const limits = yield* checked("embed", (): Limits => ({
          concurrency: Check.integer("concurrency", concurrency, 1),
          batchSize: batchSize === undefined ? Infinity : Check.integer("batchSize", batchSize, 1)
        }))
        const keyOf = new Map<string, string>()
        const call = yield* beginWith(environment, "embed", EmbeddingView.requestOf(request), (scope) => {
          CacheKey.embeddings(request, scope).forEach((key, index) => keyOf.set(request.input[index] ?? "", key))
          return "embeddings"
        }, callOptions)
        const state: State = { request, keyOf, vectors: new Map(), model: request.model, provider: provider.name }
        return yield* attempts.watched(call)(cached(call, state, limits, turn))
      })

    // 2. The cache may have vectors: they cost no request. One of many calls waits for its turn here, as in call.ts.
    const cached = (call: Call, state: State, limits: Limits, turn?: Turns.Turn): Answer =>
      Effect.gen(function*() {
        if (provider.embed === undefined) {
          return yield* failure(call, UnsupportedFeature.make({ feature: "embeddings" }))
        }
        const found = yield* cache.findAll(call, Array.from(state.keyOf.values()))
        for (const [text, key] of state.keyOf) {
          const entry = found.get(key)
          const vector = Entry.read(entry)
          if (entry === undefined || vector === undefined) continue
          state.vectors.set(text, vector)
          state.model = entry.model
          state.provider = entry.provider
        }
        const missing = Array.from(state.keyOf.keys()).filter((text) => !state.vectors.has(text))
        if (missing.length === 0) return yield* hit(call, state)
        if (turn === undefined) return yield* inTime(call, state, batchesOf(call, state, missing, limits), limits)
        // Requests for the same texts are equal.
        const key = sha256Hex(missing.map((text) => state.keyOf.get(text)).join(" "))
        return yield* turn({ ...call, key }, (call, turn) => cached(call, state, limits, turn))
      })

    const hit = (call: Call, state: State): Answer =>
      Effect.gen(function*() {
        const latency = yield* Elapsed.since(call.started)
        const response = summary(state, [], { latency, attempts: 0 })
        if (state.request.input.length > 0) {
          yield* log(LlmEvent.CacheHit({
            ...call.common,
            latency,
            response: EmbeddingView.responseOf(response),
            ...reported(environment, call)
          }))
        }
        return response
      })

    const batchesOf = (
      call: Call,
      { keyOf, request }: State,
      missing: ReadonlyArray<string>,
      { batchSize }: Limits
    ): ReadonlyArray<Batch> => {
      const own = provider.embedLimits?.(request.model)
      return Batches.split(missing, { ...own, inputs: Math.min(own?.inputs ?? Infinity, batchSize) }).map((input) => {
        const keys = input.map((text) => keyOf.get(text) ?? "")
        const part = { ...request, input }
        return { request: part, keys, call: partOf(call, EmbeddingView.requestOf(part), keys.join(" ")) }
      })
    }

    // 3. All that follows keeps to the deadline.
    const inTime = (call: Call, state: State, batches: ReadonlyArray<Batch>, { concurrency }: Limits): Answer =>
      Effect.gen(function*() {
        yield* cache.missed(call)
        const answers = yield* Effect.forEach(batches, answer, { concurrency })
        answers.forEach(({ embeddings }, index) =>
          batches[index]?.request.input.forEach((text, place) => state.vectors.set(text, embeddings[place] ?? []))
        )
        const latency = yield* Elapsed.since(call.started)
        return summary(state, answers, { latency, attempts: answers.reduce((sum, { attempts }) => sum + attempts, 0) })
      }).pipe(
        withinDeadline(call),
        Effect.mapError((error) =>
          batches.length === 1
            ? error
            : update(error, { attempts: batches.reduce((sum, batch) => sum + requestsOf(batch.call), 0) })
        )
      )

    // 4. Equal requests share one run.
    const answer = (batch: Batch): Answer => share(batch.call, (run) => keep(run, batch))

    // 5. The attempt is retried.
    const retry = (run: Run, { request }: Batch): Answer =>
      attempt(run, request).pipe(
        retrying(attempts, run),
        EmbeddingsSpan.traced(provider, run.call.request.model)
      )

    // 6. An attempt has a time limit.
    const attempt = (run: Run, request: Embedding.Request): Answer =>
      attempts.start(run).pipe(
        Effect.zipRight(ask(run, request)),
        Effect.mapError((error) => attemptFailed(run, error)),
        Effect.flatMap((answer) =>
          Effect.map(attempts.succeed(run, EmbeddingView.responseOf(answer)), (response) => complete(answer, response))
        )
      )

    const ask = (run: Run, request: Embedding.Request): Answer =>
      Effect.flatMap(ScopedBudget.enforced(provider), ({ embed }) =>
        embed === undefined
          ? failure(run.call, UnsupportedFeature.make({ feature: "embeddings" }))
          : embed(request)).pipe(AttemptClock.limited(attempts.limits(run, "attempt")))

    // 7. Each vector is kept.
    const keep = (run: Run, batch: Batch): Answer =>
      Effect.tap(retry(run, batch), (response) =>
        run.keeps
          ? cache.keepAll(
            run,
            new Map(batch.keys.map((key, index) => [key, Entry.make(response.embeddings[index] ?? [], response)]))
          )
          : Effect.void)

    return embed
  })

/** An answer with the facts that the client knows. */
const complete = (
  answer: Embedding.Response,
  { attempts, cost, latency, queuedFor }: Pick<Embedding.Response, "attempts" | "cost" | "latency" | "queuedFor">
): Embedding.Response =>
  Embedding.freeze({
    ...answer,
    attempts,
    latency,
    ...(cost !== undefined && { cost }),
    ...(queuedFor !== undefined && { queuedFor })
  })

/** The answer to all texts. */
const summary = (
  { model, provider, request, vectors }: State,
  answers: ReadonlyArray<Embedding.Response>,
  known: Pick<Embedding.Response, "attempts" | "latency">
): Embedding.Response => {
  const last = answers.at(-1)
  const waits = answers.flatMap(({ queuedFor }) => queuedFor ?? [])
  const cost = answers.reduce((sum: number | undefined, { cost }) => Money.add(sum, cost), 0)
  return Embedding.freeze({
    ...known,
    embeddings: request.input.map((text) => vectors.get(text) ?? []),
    usage: answers.length === 0 ? { inputTokens: 0 } : total(answers.map(({ usage }) => usage)),
    model: last?.model ?? model,
    provider: last?.provider ?? provider,
    origin: answers.some(({ origin }) => origin === "provider")
      ? "provider"
      : answers.length > 0
      ? "shared"
      : "cache",
    warnings: [...new Set(answers.flatMap(({ warnings }) => warnings))],
    ...(waits.length > 0 && { queuedFor: waits.reduce(Duration.max) }),
    ...(cost !== undefined && { cost }),
    ...(last?.requestId !== undefined && { requestId: last.requestId }),
    ...(last?.rateLimit !== undefined && { rateLimit: last.rateLimit })
  })
}
