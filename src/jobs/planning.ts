import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { LlmRequest } from "../domain/LlmRequest.js"
import * as Money from "../internal/money.js"
import type * as LlmClient from "../LlmClient.js"
import * as Estimate from "./estimate.js"
import type { JobState } from "./job.js"
import * as Operation from "./operation.js"
import { persist } from "./persist.js"
import * as Plan from "./plan.js"
import type { Store } from "./store.js"

/** The number of requests from which a plan estimates all of them. */
const sampleSize = 1_000

/** A call takes about a second, and then writes this many tokens a second. */
const callsBegin = Duration.seconds(1)
const tokensPerSecond = 50

/** Some of the requests of a job. */
interface Sample {
  readonly requests: ReadonlyArray<LlmRequest>
  /** How many there are. */
  readonly total: number
  readonly outputTokens: number | undefined
}

/** The facts about requests that a plan needs before they are asked. */
const expectations = (client: LlmClient.Service, { outputTokens, requests, total }: Sample) =>
  Effect.gen(function*() {
    const scaled = (sum: number) => requests.length === 0 ? 0 : sum * total / requests.length
    const costIn = (serviceTier: string | undefined) =>
      Effect.map(
        Effect.forEach(
          requests,
          (request) =>
            Estimate.costOf(client.price, request, { outputTokens, ...(serviceTier !== undefined && { serviceTier }) })
        ),
        (costs) => {
          const known = costs.filter((cost) => cost !== undefined)
          return known.length < costs.length || costs.length === 0
            ? undefined
            : scaled(Money.toDollars(known.reduce((sum, cost) => sum + cost, 0n)))
        }
      )
    const tokens = requests.map((request) => Estimate.tokensOf(request, outputTokens))
    const output = tokens.reduce((sum, { outputTokens }) => sum + outputTokens, 0) / Math.max(1, requests.length)
    const [cost, flex, batch] = yield* Effect.all([costIn(undefined), costIn("flex"), costIn("batch")])
    const factorOf = (price: number | undefined) =>
      price === undefined || cost === undefined || cost === 0 ? undefined : price / cost
    return {
      cost,
      flex: factorOf(flex),
      batch: factorOf(batch),
      tokens: Math.ceil(
        scaled(tokens.reduce((sum, { inputTokens, outputTokens }) => sum + inputTokens + outputTokens, 0))
      ),
      latency: Duration.sum(callsBegin, Duration.seconds(output / tokensPerSecond))
    }
  })

/**
 * Makes the plan for requests from a sample: with the abilities of the client's provider, and at its prices. If they
 * are not known, a batch counts as half of the price, and there is no other tier.
 */
export const forRequests = (
  client: LlmClient.Service,
  sample: Sample,
  options: Pick<Plan.PlanOptions, "budget" | "concurrency" | "deadline">
): Effect.Effect<Plan.Plan> =>
  Effect.map(expectations(client, sample), ({ batch, cost, flex, latency, tokens }) =>
    Plan.plan({
      ...options,
      requests: sample.total,
      cost,
      tokens,
      latency,
      ...(flex !== undefined && flex < 1 && { flex: { factor: flex } }),
      ...(client.batches !== undefined && { batch: { factor: batch } })
    }))

/**
 * Makes the planning of a job `via: "auto"`: before each of its passes, with the remaining requests, time and money.
 */
export const make = (
  { client, concurrency, store }: {
    readonly client: LlmClient.Service
    readonly concurrency: number
    readonly store: Store
  }
) => {
  /** Requests from all over the job, as neighbours may be similar. */
  const sampleOf = ({ progress: { id, total } }: JobState) => {
    const steps = Math.min(total, sampleSize)
    const places = Array.from({ length: steps }, (_, step) => Math.floor(step * total / steps))
    return Effect.map(
      persist(store.itemsAt(id, places)),
      (items) => items.map(({ request }) => Operation.readCall(request))
    )
  }

  return (job: JobState): Effect.Effect<JobState> =>
    Effect.gen(function*() {
      const { generation, progress, settings } = job
      const { budget, deadline, plan, via } = settings
      if (via !== "auto" || progress.operation === "embed" || plan?.pass === progress.pass) return job
      const now = yield* Clock.currentTimeMillis
      const left = deadline === undefined ? undefined : progress.submittedAt + Duration.toMillis(deadline) - now
      const requests = yield* sampleOf(job)
      const made = yield* forRequests(
        client,
        { requests, total: progress.pending, outputTokens: Estimate.outputOf(job) },
        {
          concurrency,
          ...(budget !== undefined && { budget: Math.max(0, budget - progress.cost) }),
          ...(left !== undefined && { deadline: Duration.millis(Math.max(0, left)) })
        }
      )
      yield* Effect.logInfo(`The plan of job ${progress.id}: ${made.reasons.join(" ")}`)
      const changed = { ...settings, plan: { pass: progress.pass, ...made } }
      yield* persist(store.change(progress.id, generation, changed))
      return { ...job, settings: changed }
    })
}
