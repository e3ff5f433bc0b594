import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { LlmError } from "../domain/LlmError.js"
import * as LlmEvent from "../domain/LlmEvent.js"
import * as ScopedBudget from "../policy/budget/scopedBudget.js"
import { Priority } from "../policy/rateLimit/priority.js"
import * as Elapsed from "../runtime/elapsed.js"
import * as SharedRun from "../runtime/sharedRun.js"
import { beginRun, type Call, type Environment, type Run, timedOut } from "./callState.js"
import { keeps } from "./options.js"

/** Joins the run of an equal call, or begins one with this work. */
export type Sharing<A> = (
  call: Call,
  work: (run: Run) => Effect.Effect<A, LlmError>
) => Effect.Effect<A, LlmError>

/**
 * The key by which equal calls share a run: the key of the answer, each option that changes how a run gets it, and the
 * tier of service, which changes how soon. Options that concern only a caller's own wait and the keeping of the answer
 * (deadline, cache mode, ttl, tags) are not part of it.
 */
const keyOf = ({ key, prefersTool = false, request: { serviceTier }, settings }: Call, priority: number): string => {
  const { firstPartTimeout, idleTimeout, retry, streaming, timeout } = settings
  const limits = streaming ? [firstPartTimeout, idleTimeout] : [timeout]
  const ways = [key, retry.key, priority, prefersTool, streaming, ...limits.map(Duration.toMillis)]
  return [...ways, ...serviceTier === undefined ? [] : [serviceTier]].join(" ")
}

/** Lets a call join a run, unless the call asks for a fresh answer: the run may have begun before it was asked for. */
const join = (run: Run, call: Call): boolean => {
  if (call.settings.cache === "refresh" && run.call.settings.cache !== "refresh") return false
  run.deadline = Math.max(run.deadline, call.deadline)
  if (keeps(call.settings)) {
    run.ttl = run.keeps ? longest(run.ttl, call.settings.ttl) : call.settings.ttl
    run.keeps = true
  }
  return true
}

/** The budgets that a run is charged to: that of its region, and those that its tags choose. */
const payerOf = ({ settings: { tags = {} } }: Call, region: string): string =>
  JSON.stringify([region, ...Object.entries(tags).sort()])

/** The longer of two times to live. `undefined` is the cache's own. */
const longest = (a: Duration.Duration | undefined, b: Duration.Duration | undefined): Duration.Duration | undefined =>
  a === undefined || b === undefined ? undefined : Duration.max(a, b)

/** Makes the sharing of a client's runs. `reuse` gives an answer in the form for a caller that did not cause it. */
export const make = <A>(
  { log }: Environment,
  reuse: (answer: A, options: { readonly origin: "shared"; readonly latency: Duration.Duration }) => A
): Effect.Effect<Sharing<A>, never, Scope.Scope> =>
  Effect.map(SharedRun.make<A, LlmError, Run>(), (runs): Sharing<A> => {
    /** The answer of another caller's run, as this caller gets it. */
    const follow = (call: Call, leader: Call, answer: A) =>
      Elapsed.sinceWith(call.started, (latency) =>
        Effect.as(
          log(LlmEvent.CallShared({
            ...call.common,
            callId: leader.common.callId,
            latency,
            followerId: call.common.callId
          })),
          reuse(answer, { origin: "shared", latency })
        ))

    const share = (
      key: string,
      call: Call,
      region: string,
      work: (run: Run) => Effect.Effect<A, LlmError>
    ): Effect.Effect<A, LlmError> =>
      Effect.suspend(() => {
        let run = beginRun(call, region)
        const answer = runs.run(key, {
          begin: () => run,
          join: (found) => {
            const joins = join(found, call)
            if (joins) {
              run = found
              call.progress.run = found
            }
            return joins
          },
          work
        })
        return Effect.matchEffect(answer, {
          onFailure: (error) => {
            // The run's deadline was the latest of its callers: each caller's error names its own.
            if (run.isPastDeadline) return timedOut(call, "total")
            // The budget of another region or tenant is spent: the callers of this one share a run that is charged to
            // their own.
            if (error.reason._tag !== "BudgetExceeded") return Effect.fail(error)
            const payer = payerOf(call, region)
            return payerOf(run.call, run.region) === payer
              ? Effect.fail(error)
              : share(`${key} ${payer}`, call, region, work)
          },
          onSuccess: ({ value }) => run.call === call ? Effect.succeed(value) : follow(call, run.call, value)
        })
      })

    return Effect.fnUntraced(function*(call: Call, work: (run: Run) => Effect.Effect<A, LlmError>) {
      const { id: region } = yield* ScopedBudget.CurrentRegions
      // A call that bypasses the cache shares no run.
      const key = call.settings.cache === "bypass"
        ? `${call.common.callId} ${call.key}`
        : keyOf(call, yield* Priority)
      return yield* share(key, call, region, work)
    })
  })
