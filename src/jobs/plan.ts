import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as Check from "../internal/check.js"
import * as Amounts from "./amounts.js"

const Way = Schema.Literal("calls", "flex", "batch")

/**
 * A way to have the requests of a job answered: by calls; by calls of the cheaper tier that may take longer
 * (`serviceTier: "flex"`); or through the provider's batch API.
 *
 * @since 0.1.0
 * @category plan
 */
export type Way = typeof Way.Type

const considered = {
  /** The way. */
  way: Way,
  /** The latest expected time until the results. */
  time: Schema.DurationFromMillis,
  /** The expected cost in US dollars. Absent if the price is not known. */
  cost: Schema.optional(Schema.Number),
  /** Whether the results are expected within the deadline. */
  isInTime: Schema.Boolean
}

const Candidate = Schema.Struct(considered)

/**
 * A way that a plan has considered.
 *
 * @since 0.1.0
 * @category plan
 */
export interface Candidate extends Schema.Schema.Type<typeof Candidate> {}

/**
 * The chosen way of a job's requests, and the reasons.
 *
 * @since 0.1.0
 * @category plan
 */
export const Plan = Schema.Struct({
  ...considered,
  /** Whether the expected cost is within the budget. True without a budget, or if the price is not known. */
  isWithinBudget: Schema.Boolean,
  /** The reasons for this way, as sentences. */
  reasons: Schema.Array(Schema.String),
  /** All possible ways, including this one. */
  ways: Schema.Array(Candidate)
})

/**
 * The chosen way of a job's requests, and the reasons.
 *
 * @since 0.1.0
 * @category plan
 */
export interface Plan extends Schema.Schema.Type<typeof Plan> {}

/**
 * The input of a plan.
 *
 * @since 0.1.0
 * @category plan
 */
export interface PlanOptions {
  /** The number of requests. */
  readonly requests: number
  /**
   * All their tokens, including those of the answers. Needed if `tokensPerMinute` limits the calls. Default: unknown.
   */
  readonly tokens?: number | undefined
  /** The cost of ordinary calls, in US dollars. Default: unknown, and the factors alone decide. */
  readonly cost?: number | undefined
  /** The time within which the results are needed. Default: no deadline. */
  readonly deadline?: Duration.DurationInput | undefined
  /** The most that the job may cost, in US dollars. Default: any amount. */
  readonly budget?: number | undefined
  /** The number of calls under way at a time. Default: 16. */
  readonly concurrency?: number | undefined
  /** The duration of a call. Default: 10 seconds. */
  readonly latency?: Duration.DurationInput | undefined
  /** The limit of requests. Default: unknown. */
  readonly requestsPerMinute?: number | undefined
  /** The limit of tokens. Default: unknown. */
  readonly tokensPerMinute?: number | undefined
  /** The cheaper tier of calls. Default: the service has none. */
  readonly flex?: {
    /** Its price, as a factor of the ordinary one. Default: 0.5. */
    readonly factor?: number | undefined
    /** The duration of its calls, as a factor of the ordinary one. Services state no figure. Default: 3. */
    readonly slowdown?: number | undefined
  } | undefined
  /** The batch API. Default: the service has none. */
  readonly batch?: {
    /** Its price, as a factor of the ordinary one. Default: 0.5. */
    readonly factor?: number | undefined
    /** The time within which it answers. Default: 24 hours. */
    readonly within?: Duration.DurationInput | undefined
  } | undefined
}

const names: Check.Names<PlanOptions> = {
  requests: true,
  tokens: true,
  cost: true,
  deadline: true,
  budget: true,
  concurrency: true,
  latency: true,
  requestsPerMinute: true,
  tokensPerMinute: true,
  flex: true,
  batch: true
}

/** The time in which services promise the results of a batch. */
export const batchWindow = Duration.hours(24)

/** A way with its price, as a factor of the ordinary one. */
interface Offer {
  readonly way: Way
  readonly factor: number
  readonly time: Duration.Duration
}

const positive = (option: string, value: number): number =>
  Check.finite(option, value, 0) > 0 ? value : Check.invalidOption(option, "a positive number", value)

/** The time that the calls take together, each of the given duration. */
const timeOfCalls = (
  { concurrency = 16, requests, requestsPerMinute, tokens, tokensPerMinute }: PlanOptions,
  latency: Duration.Duration
): Duration.Duration => {
  Check.integer("concurrency", concurrency, 1)
  const rounds = Math.ceil(requests / concurrency)
  const limited = [
    requestsPerMinute === undefined ? 0 : requests / positive("requestsPerMinute", requestsPerMinute),
    tokensPerMinute === undefined || tokens === undefined ? 0 : tokens / positive("tokensPerMinute", tokensPerMinute)
  ]
  return Duration.max(Duration.times(latency, rounds), Duration.minutes(Math.max(...limited)))
}

/** All ways. At equal cost, an earlier one is preferred. */
const offersOf = (options: PlanOptions): ReadonlyArray<Offer> => {
  const { batch, flex } = options
  const latency = Check.duration("latency", options.latency ?? "10 seconds")
  const slow = Duration.times(latency, Math.max(1, positive("flex.slowdown", flex?.slowdown ?? 3)))
  return [
    { way: "calls", factor: 1, time: timeOfCalls(options, latency) },
    // Preferred to flex, which not every model has.
    ...(batch === undefined ? [] : [
      {
        way: "batch",
        factor: Check.finite("batch.factor", batch.factor ?? 0.5, 0),
        time: Check.duration("batch.within", batch.within ?? batchWindow)
      } as const
    ]),
    ...(flex === undefined ? [] : [
      {
        way: "flex",
        factor: Check.finite("flex.factor", flex.factor ?? 0.5, 0),
        time: timeOfCalls(options, slow)
      } as const
    ])
  ]
}

const cheapest = (offers: ReadonlyArray<Offer>): Offer | undefined =>
  offers.reduce<Offer | undefined>(
    (best, offer) => best === undefined || offer.factor < best.factor ? offer : best,
    undefined
  )

const fastest = (offers: ReadonlyArray<Offer>): Offer | undefined =>
  offers.reduce<Offer | undefined>(
    (best, offer) => best === undefined || Duration.lessThan(offer.time, best.time) ? offer : best,
    undefined
  )

const nameOf: { readonly [W in Way]: string } = { calls: "Calls", flex: "Calls of the tier flex", batch: "A batch" }

const verbs: { readonly [W in Way]: { readonly take: string; readonly cost: string } } = {
  calls: { take: "take about", cost: "cost" },
  flex: { take: "may take", cost: "cost" },
  batch: { take: "takes at most", cost: "costs" }
}

const spoken = (time: Duration.Duration): string => Amounts.duration(Duration.toSeconds(time))

const price = ({ factor }: Offer, cost: number | undefined): string =>
  cost !== undefined
    ? `about ${Amounts.dollars(cost * factor)}`
    : factor === 1
    ? "the ordinary price"
    : `${factor} of the ordinary price`

/**
 * Chooses the way of a job's requests: the cheapest one whose results are expected within the deadline, or else the
 * fastest one. A later deadline never costs more. The budget does not change the choice, as that is the cheapest
 * already: the plan says whether it is enough. A mistake in the options throws, and names the option.
 *
 * @since 0.1.0
 * @category plan
 * @example
 * ```ts
 * import * as LlmBatch from "effect-llm/LlmBatch"
 *
 * const options = { requests: 1_000, cost: 2, batch: {}, flex: {} }
 *
 * LlmBatch.plan({ ...options, deadline: "2 days" }).way // => "batch"
 * LlmBatch.plan({ ...options, deadline: "2 hours" }).way // => "flex"
 * LlmBatch.plan({ ...options, deadline: "15 minutes" }).way // => "calls"
 * ```
 */
export const plan = (options: PlanOptions): Plan => {
  const { budget, cost, requests } = Check.known(options, names)
  Check.integer("requests", requests, 0)
  if (cost !== undefined) Check.finite("cost", cost, 0)
  if (budget !== undefined) Check.finite("budget", budget, 0)
  const deadline = options.deadline === undefined ? undefined : Check.duration("deadline", options.deadline)

  const offers = offersOf(options)
  const isInTime = ({ time }: Offer) => deadline === undefined || Duration.lessThanOrEqualTo(time, deadline)
  const candidateOf = (offer: Offer): Candidate => ({
    way: offer.way,
    time: offer.time,
    isInTime: isInTime(offer),
    ...(cost !== undefined && { cost: cost * offer.factor })
  })
  const best = cheapest(offers.filter(isInTime))
  const chosen = best ?? fastest(offers)!
  const expected = cost === undefined ? undefined : cost * chosen.factor
  const isWithinBudget = budget === undefined || expected === undefined || expected <= budget

  const name = nameOf[chosen.way]
  const choice = best === undefined
    ? `No way is in time: ${name.toLowerCase()} are the fastest.`.replace("a batch are", "a batch is")
    : deadline === undefined
    ? `Nothing is said about the time, so ${name.toLowerCase()} it is: no way is cheaper.`
    : `${name} ${chosen.way === "batch" ? "is" : "are"} the cheapest way that is in time.`
  return {
    ...candidateOf(chosen),
    isWithinBudget,
    ways: offers.map(candidateOf),
    reasons: [
      `There are ${Amounts.count(requests)} requests.`,
      ...offers.map((offer) => {
        const { cost: costs, take } = verbs[offer.way]
        const late = isInTime(offer) || deadline === undefined
          ? ""
          : `: too late, the results are wanted within ${spoken(deadline)}`
        return `${nameOf[offer.way]} ${take} ${spoken(offer.time)} and ${costs} ${price(offer, cost)}${late}.`
      }),
      choice,
      ...(chosen.way === "flex" ? ["A model without that tier is asked in the ordinary one, at its price."] : []),
      ...(budget === undefined
        ? []
        : expected === undefined
        ? [`Whether the budget of ${Amounts.dollars(budget)} is enough is not known, as no price is.`]
        : isWithinBudget
        ? [`The budget of ${Amounts.dollars(budget)} is enough.`]
        : [`The budget of ${Amounts.dollars(budget)} is not enough: the job is halted once it is spent.`])
    ]
  }
}
