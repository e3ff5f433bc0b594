import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Check from "../../internal/check.js"
import * as RateLimitStore from "../../policy/rateLimit/RateLimitStore.js"
import * as Borrow from "../borrowing/borrow.js"
import type { Unavailable } from "../unavailable.js"
import { type ConnectionOptions, open } from "./connection.js"
import { keysOf } from "./keys.js"
import * as Link from "./link.js"
import * as Scripts from "./rateLimitScripts.js"

/**
 * Options for sharing limits between processes.
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimitOptions extends ConnectionOptions {
  /**
   * The account at the provider that the limits belong to: programs with the same account and server share their
   * limits, and no others.
   */
  readonly account: string
  /** The prefix of each key. Default: "effect-llm:". */
  readonly prefix?: string | undefined
  /**
   * The conduct while the server does not answer. `"local"`: the process keeps to its `localShare` of the limits.
   * `"closed"`: requests fail with `TimedOut` of phase `queue`. `"open"`: all requests pass. Default: "local".
   */
  readonly onUnavailable?: "local" | "closed" | "open" | undefined
  /**
   * The share of the limits that this process keeps to while the server does not answer: more than 0 and at most 1.
   * With as many processes as shares, they keep to the limits together. Default: an equal share for each process that
   * shared the account when the server last answered (that number is up to a third of `leaseTime` old); a tenth if it
   * never answered.
   */
  readonly localShare?: number | undefined
  /**
   * The time after which the permits (`sharedConcurrency`) of a process that was killed are free again. They are renewed
   * three times as often. Default: 30 seconds.
   */
  readonly leaseTime?: Duration.DurationInput | undefined
  /**
   * Takes a share of a limit in advance, for this time, and then gives back the unused rest, so that the trips to the
   * server do not grow with the requests. It is for programs that make more requests than one server can count. More
   * than 0 and at most 1 second. Default: no share is taken in advance, and each request takes two trips.
   *
   * A process takes enough for its recent use and its waiting requests. Beyond a single request it takes at most its
   * share of the limit in that time, which is the limit divided by the number of processes. Every request is let
   * through from a share that was taken before, so the limit holds at all times; to ensure this, `burst` is reduced by
   * this time and `commandTimeout`. A pause in another process takes up to this time to arrive. Limits with
   * `sharedConcurrency`, and those whose `burst` is hardly more than twice `commandTimeout`, are counted request by
   * request. All processes of an account need the same setting.
   */
  readonly borrow?: Duration.DurationInput | undefined
}

type Amounts = RateLimitStore.Amounts
type Limits = RateLimitStore.Limits

const dimensions: ReadonlyArray<RateLimitStore.Dimension> = ["requests", "tokens", "inputTokens", "outputTokens"]

const none: Amounts = { requests: 0, tokens: 0, inputTokens: 0, outputTokens: 0 }

/** The share while the number of processes is not known. */
const unknownShare = 0.1

/** The keys of a limit: its buckets, permits, line, and the needs of those in line. */
type Keys = readonly [base: string, permits: string, line: string, needs: string]

/** The limits whose keys are remembered, as each is asked for again and again. */
const maxKnown = 1_000

/** While the server does not answer, requests that wait for a permit ask again after this time: milliseconds. */
const localRest = Duration.millis(100)

/** The part of this process in a limit. */
interface Own {
  /** The permits of its requests under way. */
  readonly permits: Set<string>
  /** The amounts used while the server did not answer, to be reported to it. */
  owed: Amounts
}

const given = (value: number | undefined): string => value === undefined || value === Infinity ? "" : String(value)

const argsOf = (limits: Limits): Array<string> => {
  const args = [String(limits.burst), given(limits.maxPause), given(limits.concurrency)]
  for (const dimension of dimensions) args.push(given(limits[dimension]))
  return args
}

const number = (text: string | undefined): number => text === "-inf" ? -Infinity : Number(text)

/** Reads the words of the script. */
const outcomeOf = (words: ReadonlyArray<string>, cost: Amounts, permit: string | undefined): RateLimitStore.Outcome => {
  const buckets: { [D in RateLimitStore.Dimension]?: RateLimitStore.Bucket } = {}
  const taken = { ...cost }
  const left: { [D in RateLimitStore.Dimension]?: number } = {}
  const lowered: { [D in RateLimitStore.Dimension]?: number } = {}
  dimensions.forEach((dimension, d) => {
    const at = 6 + 4 * d
    if (words[at] === "-") return
    const bucket = {
      level: number(words[at]),
      told: words[at + 1] === "-" ? undefined : number(words[at + 1]),
      lowered: number(words[at + 2])
    }
    buckets[dimension] = bucket
    left[dimension] = bucket.level
    lowered[dimension] = bucket.lowered
    if (words[at + 3] !== "-") taken[dimension] = number(words[at + 3])
  })
  const pauses = number(words[5])
  const state = { at: number(words[3]), pause: number(words[4]), pauses, buckets }
  return words[0] === "1"
    ? {
      _tag: "Reserved",
      state,
      reservation: { cost: taken, left, lowered, pauses, ...(permit !== undefined && { permit }) }
    }
    : {
      _tag: "Refused",
      state,
      wait: Duration.millis(number(words[1])),
      askAgainIn: Duration.millis(number(words[2])),
      pausedFor: Duration.millis(state.pause)
    }
}

const scaled = (limits: Limits, share: number): Limits => {
  const part: { -readonly [D in keyof Limits]: Limits[D] } = { ...limits, concurrency: undefined }
  for (const dimension of dimensions) {
    const limit = limits[dimension]
    if (limit !== undefined) part[dimension] = limit * share
  }
  return part
}

const checkBorrow = (given: Duration.DurationInput): Duration.Duration => {
  const hold = Check.positiveDuration("borrow", given)
  return Duration.greaterThan(hold, "1 second") ? Check.invalidOption("borrow", "at most 1 second", given) : hold
}

/** Makes a store that keeps count in Redis. */
export const make = (options: RateLimitOptions): Effect.Effect<RateLimitStore.Service, never, Scope.Scope> =>
  Effect.gen(function*() {
    const borrow = options.borrow === undefined ? undefined : checkBorrow(options.borrow)
    const { account, localShare, onUnavailable = "local", prefix = "effect-llm:" } = options
    if (typeof account !== "string" || account === "") Check.invalidOption("account", "a name", account)
    if (localShare !== undefined && !(localShare > 0 && localShare <= 1)) {
      Check.invalidOption("localShare", "more than 0 and at most 1", localShare)
    }
    if (!["local", "closed", "open"].includes(onUnavailable)) {
      Check.invalidOption("onUnavailable", "local, closed or open", onUnavailable)
    }
    const lease = Check.positiveDuration("leaseTime", options.leaseTime ?? "30 seconds")
    const leaseMillis = String(Math.ceil(Duration.toMillis(lease)))

    const me = crypto.randomUUID()
    const owns = new Map<string, Own>()
    const started = new Set<string>()
    const local = yield* RateLimitStore.makeMemory()
    const returned = yield* Effect.makeLatch(false)
    let permits = 0
    let processes: number | undefined
    const opened = yield* open(options)
    const link = Link.make(opened, () => {
      // The server learns at once which requests are under way, and the next outage begins anew.
      started.clear()
      returned.unsafeOpen()
    })
    const processesKey = keysOf(prefix, "processes", account)()

    const keyFor = keysOf(prefix, "limit", account)
    const known = new Map<string, Keys>()

    const keysFor = (key: string): Keys => {
      const found = known.get(key)
      if (found !== undefined) return found
      const base = keyFor(key)
      const made: Keys = [base, `${base}:permits`, `${base}:line`, `${base}:needs`]
      if (known.size >= maxKnown) known.clear()
      known.set(key, made)
      return made
    }

    const ownOf = (key: string): Own => {
      const found = owns.get(key)
      if (found !== undefined) return found
      const made = { permits: new Set<string>(), owed: none }
      owns.set(key, made)
      return made
    }

    /** Removes empty entries. */
    const tidy = (key: string): void => {
      const own = owns.get(key)
      if (own?.permits.size === 0 && dimensions.every((dimension) => own.owed[dimension] === 0)) owns.delete(key)
    }

    const owe = (key: string, amounts: (dimension: RateLimitStore.Dimension) => number): void => {
      const own = ownOf(key)
      own.owed = {
        requests: own.owed.requests + amounts("requests"),
        tokens: own.owed.tokens + amounts("tokens"),
        inputTokens: own.owed.inputTokens + amounts("inputTokens"),
        outputTokens: own.owed.outputTokens + amounts("outputTokens")
      }
    }

    const share = (): number => localShare ?? (processes === undefined ? unknownShare : 1 / processes)

    // -----------------------------------------------------------------------------------------------------------------
    // Without the server
    // -----------------------------------------------------------------------------------------------------------------

    /** In its own part of the limits, with empty buckets at first, as the contents of the shared ones belong to all. */
    const begin = (key: string, limits: Limits): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (started.has(key)) return Effect.void
        started.add(key)
        return local.pause(key, limits, Duration.zero)
      })

    const reserveLocally = (key: string, limits: Limits, cost: Amounts): Effect.Effect<RateLimitStore.Outcome> => {
      const part = scaled(limits, share())
      const { concurrency } = limits
      const room = concurrency === undefined ? Infinity : Math.floor(concurrency * share() + 1e-9)
      if (room === 0) {
        return Effect.succeed({
          _tag: "Unavailable",
          problem: `the share of this process is less than one of ${concurrency} requests at a time`
        })
      }
      if ((owns.get(key)?.permits.size ?? 0) >= room) {
        return Effect.succeed({ _tag: "Refused", wait: Duration.zero, askAgainIn: localRest })
      }
      return Effect.zipRight(
        begin(key, part),
        Effect.map(local.reserve(key, part, cost), (outcome): RateLimitStore.Outcome => {
          // No wait is predicted from a part of the buckets.
          if (outcome._tag === "Refused") return { ...outcome, state: undefined }
          if (outcome._tag === "Unavailable") return outcome
          const { reservation } = outcome
          owe(key, (dimension) => reservation.cost[dimension])
          return { _tag: "Reserved", reservation: { ...reservation, place: "local", ...hold(key, limits) } }
        })
      )
    }

    const pass = (key: string, limits: Limits, cost: Amounts): RateLimitStore.Outcome => {
      owe(key, (dimension) => cost[dimension])
      return {
        _tag: "Reserved",
        reservation: { cost, left: {}, lowered: {}, pauses: 0, place: "open", ...hold(key, limits) }
      }
    }

    const hold = (key: string, { concurrency }: Limits): { readonly permit?: string } => {
      if (concurrency === undefined) return {}
      const permit = `${me}:${permits++}`
      ownOf(key).permits.add(permit)
      return { permit }
    }

    const without = (
      key: string,
      limits: Limits,
      cost: Amounts,
      { problem }: Unavailable
    ): Effect.Effect<RateLimitStore.Outcome> => {
      const outcome = onUnavailable === "local"
        ? reserveLocally(key, limits, cost)
        : Effect.succeed<RateLimitStore.Outcome>(
          onUnavailable === "open" ? pass(key, limits, cost) : { _tag: "Unavailable", problem }
        )
      return Effect.map(outcome, (outcome) => {
        const untold = link.takeProblem()
        return untold === undefined ? outcome : { ...outcome, problem: untold }
      })
    }

    // -----------------------------------------------------------------------------------------------------------------
    // With the server
    // -----------------------------------------------------------------------------------------------------------------

    /** At most a full bucket: the rest would have been refilled. */
    const owedBy = (owed: Amounts, limits: Limits, dimension: RateLimitStore.Dimension): number =>
      Math.min(owed[dimension], Math.max(1, (limits[dimension] ?? 0) * limits.burst))

    const reserve: RateLimitStore.Service["reserve"] = (key, limits, cost, queue) =>
      Effect.suspend(() => {
        const own = owns.get(key)
        const permit = limits.concurrency === undefined ? undefined : `${me}:${permits++}`
        // Sent once. If that fails, it is sent with another request.
        const owed = own?.owed ?? none
        if (own !== undefined) own.owed = none
        const args = argsOf(limits)
        for (const dimension of dimensions) args.push(String(cost[dimension]))
        args.push(queue === undefined ? "" : `${me}:${queue}`, permit ?? "", leaseMillis)
        if (owed !== none) { for (const dimension of dimensions) args.push(String(owedBy(owed, limits, dimension))) }
        const asked = link.run(Scripts.reserve, keysFor(key), args)
        return Effect.matchEffect(asked, {
          onFailure: (failure) => {
            if (owed !== none) owe(key, (dimension) => owed[dimension])
            return without(key, limits, cost, failure)
          },
          onSuccess: (reply) => {
            const outcome = outcomeOf(String(reply).split(" "), cost, permit)
            // Only now, as a refused permit must not be renewed.
            if (outcome._tag === "Reserved" && permit !== undefined) ownOf(key).permits.add(permit)
            else tidy(key)
            return Effect.succeed(outcome)
          }
        })
      })

    const settle: RateLimitStore.Service["settle"] = (key, limits, settlement) =>
      Effect.suspend(() => {
        const { reservation, told, used } = settlement
        const own = owns.get(key)
        if (own !== undefined && reservation.permit !== undefined) own.permits.delete(reservation.permit)
        const freed = reservation.permit === undefined
          ? Effect.void
          : Effect.ignore(link.command("ZREM", keysFor(key)[1], reservation.permit))
        if (reservation.place !== undefined) {
          owe(key, (dimension) => (used[dimension] ?? reservation.cost[dimension]) - reservation.cost[dimension])
          const settled = reservation.place === "local"
            ? local.settle(key, scaled(limits, share()), settlement)
            : Effect.void
          return Effect.zipRight(settled, freed)
        }
        tidy(key)
        // An unanswered settlement may have been done, so it is never sent again.
        return Effect.ignore(link.run(Scripts.settle, keysFor(key), [
          ...argsOf(limits),
          reservation.permit ?? "",
          String(reservation.pauses),
          ...dimensions.flatMap((dimension) => [
            String(reservation.cost[dimension]),
            given(used[dimension]),
            given(told?.[dimension]?.limit),
            given(told?.[dimension]?.remaining),
            given(reservation.left[dimension]),
            given(reservation.lowered[dimension])
          ])
        ]))
      })

    const pause: RateLimitStore.Service["pause"] = (key, limits, duration) =>
      Effect.zipRight(
        Effect.suspend(() => {
          started.add(key)
          return local.pause(key, scaled(limits, share()), duration)
        }),
        Effect.ignore(link.run(Scripts.pause, keysFor(key), [
          ...argsOf(limits),
          String(Duration.toMillis(duration))
        ]))
      )

    const leave: RateLimitStore.Service["leave"] = (key, queue) =>
      Effect.suspend(() => {
        const [, , line, needs] = keysFor(key)
        const name = `${me}:${queue}`
        return Effect.ignore(Effect.zipRight(link.command("ZREM", line, name), link.command("HDEL", needs, name)))
      })

    // -----------------------------------------------------------------------------------------------------------------
    // Leases
    // -----------------------------------------------------------------------------------------------------------------

    const renewed = Effect.suspend(() =>
      Effect.forEach(
        Array.from(owns).filter(([, { permits }]) => permits.size > 0),
        ([key, { permits }]) => Effect.ignore(link.run(Scripts.renew, [keysFor(key)[1]], [leaseMillis, ...permits])),
        { discard: true }
      )
    )

    const attended = link.run(Scripts.attend, [processesKey], [leaseMillis, me]).pipe(
      Effect.map((count) => {
        processes = Math.max(1, Number(count))
      }),
      Effect.ignore
    )

    yield* attended
    yield* Effect.forkScoped(Effect.forever(
      Effect.raceFirst(returned.await, Effect.sleep(Duration.times(lease, 1 / 3))).pipe(
        Effect.zipRight(returned.close),
        Effect.zipRight(attended),
        Effect.zipRight(renewed)
      )
    ))
    yield* Effect.addFinalizer(() => Effect.ignore(link.command("ZREM", processesKey, me)))
    const store = { reserve, settle, pause, leave }
    return borrow === undefined
      ? store
      : yield* Borrow.make(store, { hold: Duration.toMillis(borrow), slack: opened.commandTimeout, share })
  })
