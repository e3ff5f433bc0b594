/**
 * Spreads requests over equal providers: several keys, regions or deployments of the same models act as one provider.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import type { LlmError } from "../../domain/LlmError.js"
import type { LlmRequest } from "../../domain/LlmRequest.js"
import * as Message from "../../domain/Message.js"
import * as Check from "../../internal/check.js"
import * as LlmProvider from "../../LlmProvider.js"
import * as Elapsed from "../../runtime/elapsed.js"
import * as TargetSpan from "../../telemetry/targetSpan.js"
import * as OpenStream from "../openStream.js"
import * as Cooldowns from "./cooldowns.js"
import * as Failover from "./failover.js"
import * as LoadBalancing from "./loadBalancing.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/**
 * How to ask a target, and how often.
 *
 * @since 0.1.0
 * @category models
 */
export interface TargetOptions {
  /** Its share of the requests, in proportion to the other targets'. More than 0. Default: 1. */
  readonly weight?: number | undefined
  /** The target's name of the model. Default: the request's. */
  readonly model?: string | undefined
  /** Other changes to the request for this target. It gets the request with the target's model. */
  readonly mapRequest?: ((request: LlmRequest) => LlmRequest) | undefined
  /**
   * A lasting name: it decides which requests stick to the target. Default: its endpoint, with a number where several
   * have the same.
   */
  readonly id?: string | undefined
}

/**
 * One of the providers.
 *
 * @since 0.1.0
 * @category models
 */
export interface Target<E = never, R = never> extends TargetOptions {
  readonly layer: Layer.Layer<LlmProvider.LlmProvider, E, R>
}

/**
 * One of the providers, already built.
 *
 * @since 0.1.0
 * @category models
 */
export interface BuiltTarget extends TargetOptions {
  readonly provider: LlmProvider.Service
}

/**
 * How to choose a target.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The target with the fewest requests under way for its weight (`leastBusy`), or one at random in proportion to the
   * weights (`weight`). Default: `leastBusy`.
   */
  readonly by?: "leastBusy" | "weight" | undefined
  /**
   * Requests with the same key go to the same target, so that its prompt cache stays warm: a session, a user, or
   * `Balance.promptPrefix`. Where the key is `undefined`, `by` decides. Default: no request sticks.
   */
  readonly stickyBy?: ((request: LlmRequest) => string | undefined) | undefined
  /** Whether another target is asked after a failure. Default: `LlmError.canFailOver`. */
  readonly canFailOver?: ((error: LlmError) => boolean) | undefined
}

/**
 * A target and its number of requests under way.
 *
 * @since 0.1.0
 * @category models
 */
export interface Load {
  readonly id: string
  readonly inFlight: number
}

/**
 * Several providers as one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Balanced extends LlmProvider.Service {
  /** The load of each target, in order. */
  readonly loads: Effect.Effect<Arr.NonEmptyReadonlyArray<Load>>
}

// ---------------------------------------------------------------------------------------------------------------------
// Keys
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A key for `stickyBy`, made of the beginning of a request: tools, instructions and the first message. All turns of a
 * conversation have the same one, and providers keep this beginning in their prompt caches.
 *
 * @since 0.1.0
 * @category keys
 */
export const promptPrefix = ({ messages: [first], system, tools }: LlmRequest): string =>
  JSON.stringify([tools, system, first.role, Message.text(first)])

// ---------------------------------------------------------------------------------------------------------------------
// The balance
// ---------------------------------------------------------------------------------------------------------------------

interface Member extends BuiltTarget {
  readonly id: string
  /** Its name in events. */
  readonly label: string
  readonly hash: number
  readonly weight: number
  readonly cooldowns: Cooldowns.Cooldowns
  inFlight: number
}

/** Counts the requests under way: a call until it ends, a stream until it is closed, which is later than its `Finish`. */
const counting = (member: Member): LlmProvider.Service => {
  const { provider } = member
  const enter = Effect.sync(() => {
    member.inFlight++
  })
  const leave = () =>
    Effect.sync(() => {
      member.inFlight--
    })
  return {
    ...provider,
    call: (request) => Effect.acquireUseRelease(enter, () => provider.call(request), leave),
    stream: (request) =>
      Stream.unwrapScoped(
        Effect.as(Effect.acquireRelease(enter, leave), Stream.suspend(() => provider.stream(request)))
      )
  }
}

const members = (targets: Arr.NonEmptyReadonlyArray<BuiltTarget>): Arr.NonEmptyReadonlyArray<Member> => {
  const seen = new Map<string, number>()
  const idOf = ({ id, provider: { endpoint } }: BuiltTarget, index: number): string => {
    const name = id ?? endpoint
    const count = (seen.get(name) ?? 0) + 1
    seen.set(name, count)
    if (count === 1) return name
    return id === undefined
      ? `${name} #${count}`
      : Check.invalidOption(`targets[${index}].id`, "a different one for each target", id)
  }
  return Arr.map(targets, (target, index) => {
    const weight = Check.finite(`targets[${index}].weight`, target.weight ?? 1, 0)
    const id = idOf(target, index)
    return {
      ...target,
      id,
      label: target.id ?? target.provider.name,
      hash: LoadBalancing.hash(id),
      weight: weight > 0 ? weight : Check.invalidOption(`targets[${index}].weight`, "more than 0", weight),
      cooldowns: Cooldowns.make(),
      inFlight: 0
    }
  })
}

/**
 * Makes one provider of several equal ones. It has the name, the endpoint and the dialect of JSON Schema of the first
 * one: cache keys do not depend on the target that answers. An invalid option is a defect that names it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  targets: Arr.NonEmptyReadonlyArray<BuiltTarget>,
  options: Options = {}
): Effect.Effect<Balanced> =>
  Effect.sync(() => {
    const all = members(targets)
    const { by = "leastBusy", canFailOver = Failover.canFailOver, stickyBy } = options
    if (by !== "leastBusy" && by !== "weight") Check.invalidOption("by", `"leastBusy" or "weight"`, by)
    const choose = by === "weight" ? LoadBalancing.byWeight : LoadBalancing.leastBusy
    const providers = new Map(all.map((member) => [member, counting(member)]))

    // A second request for the same answer (of a hedge, or after a failure or a limit) is better off elsewhere. The client
    // asks again with the same request value, which is released when the call is over.
    const asked = new WeakMap<LlmRequest, Set<Member>>()

    const elsewhere = (
      ready: LoadBalancing.Candidates<Member>,
      request: LlmRequest
    ): LoadBalancing.Candidates<Member> => {
      const members = asked.get(request)
      const [first, ...others] = members === undefined ? ready : ready.filter((member) => !members.has(member))
      return first === undefined ? ready : [first, ...others]
    }

    const remember = (member: Member, request: LlmRequest): void => {
      const members = asked.get(request)
      if (members === undefined) asked.set(request, new Set([member]))
      else members.add(member)
    }

    const balanced = <A>(
      operation: "call" | "stream",
      request: LlmRequest,
      ask: (provider: LlmProvider.Service, request: LlmRequest) => Effect.Effect<A, LlmError>
    ): Effect.Effect<A, LlmError> =>
      Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) => {
        const key = stickyBy?.(request)
        const keyHash = key === undefined ? undefined : LoadBalancing.hash(key)

        const asking = (member: Member): Effect.Effect<A, LlmError> => {
          remember(member, request)
          const { label, provider } = member
          const sent = Failover.requestFor(member, request)
          return Effect.onExit(
            TargetSpan.around({ name: `${label}/${sent.model}`, provider, model: sent.model })(
              ask(providers.get(member) ?? provider, sent)
            ),
            (exit) => {
              if (Exit.isSuccess(exit)) return Effect.sync(() => asked.delete(request))
              if (!Cause.isInterruptedOnly(exit.cause)) return Effect.void
              return Effect.map(attempt.expired, (expired) => expired || asked.get(request)?.delete(member))
            }
          )
        }

        /** Asks one of the targets that are left, after another one's failure or as the first. */
        const oneOf = (
          left: ReadonlyArray<Member>,
          errors: ReadonlyArray<LlmError>,
          failure?: { readonly member: Member; readonly error: LlmError }
        ): Effect.Effect<A, LlmError> =>
          Effect.flatMap(Effect.zip(Elapsed.now, Random.next), ([now, random]) => {
            const [first, ...others] = left.filter(({ cooldowns }) => cooldowns.find(request.model, now) === undefined)
            if (first === undefined) {
              const cooling = left.flatMap(({ cooldowns }) => cooldowns.find(request.model, now) ?? [])
              return failed([...errors, ...cooling], failure?.error)
            }
            const ready = elsewhere([first, ...others], request)
            const member = keyHash === undefined ? choose(ready, random) : LoadBalancing.byKey(ready, keyHash)
            const asked = Effect.catchAll(asking(member), (error) =>
              Effect.flatMap(Elapsed.now, (now) => {
                member.cooldowns.start(request.model, error, now)
                return canFailOver(error)
                  ? oneOf(left.filter((other) => other !== member), [...errors, ...Failover.errorsOf(error)], {
                    member,
                    error
                  })
                  : Effect.fail(error)
              }))
            return failure === undefined ? asked : Effect.zipRight(
              Failover.passOn(attempt, {
                error: failure.error,
                provider: failure.member.provider.name,
                model: Failover.requestFor(failure.member, request).model,
                to: `${member.label}/${Failover.requestFor(member, request).model}`
              }),
              asked
            )
          })

        const failed = (errors: ReadonlyArray<LlmError>, last = errors.at(-1)): Effect.Effect<never, LlmError> =>
          last === undefined
            ? Effect.dieMessage("There are targets, and one that is not asked has an error")
            : Effect.fail(
              Failover.failed({ operation, provider: all[0].provider.name, model: request.model }, last, errors)
            )

        return oneOf(all, [])
      })

    return {
      ...all[0].provider,
      call: (request) => balanced("call", request, (provider, asked) => provider.call(asked)),
      stream: (request) => OpenStream.choose((open) => balanced("stream", request, open)),
      loads: Effect.sync(() => Arr.map(all, ({ id, inFlight }) => ({ id, inFlight })))
    }
  })

// ---------------------------------------------------------------------------------------------------------------------
// Layers
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Spreads requests over several providers, each with all policies of its own layer: its key, its limits, its circuit
 * breaker. By default each request goes to the target with the least to do. The layers are built once.
 *
 * After a failure that another target may not have (`LlmError.canFailOver`; an open circuit is one), the attempt goes on
 * with another target, until each was asked; then it fails with `AllProvidersFailed`. A target that asks to wait
 * (Retry-After) is skipped meanwhile, for a minute at most; when all of them ask for it, the client waits for the first.
 * Each target has the whole time of the attempt: one that hangs uses it up, and the client's next attempt goes to another
 * target, as does the second request of a hedge. Changes of target are reported as `FellBack`. A stream changes its target
 * only before its first part, and counts as under way until it is closed.
 *
 * With `stickyBy`, equal keys go to the same target in every process: a target that leaves, cools down or fails moves only
 * its own keys, and these spread over the others.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Config } from "effect"
 * import { Balance, CircuitBreaker, OpenAi } from "effect-llm"
 *
 * const account = (key: string) =>
 *   OpenAi.layerConfig({ apiKey: Config.redacted(key) }).pipe(CircuitBreaker.protect({ consecutive: 5 }))
 *
 * const Provider = Balance.over(
 *   [
 *     { id: "batch", layer: account("OPENAI_API_KEY_BATCH"), weight: 3 },
 *     { id: "online", layer: account("OPENAI_API_KEY_ONLINE") }
 *   ],
 *   { stickyBy: Balance.promptPrefix }
 * )
 * ```
 */
export const over = <const T extends Arr.NonEmptyReadonlyArray<Target<unknown, unknown>>>(
  targets: T,
  options?: Options
): Layer.Layer<LlmProvider.LlmProvider, Failover.ErrorOf<T[number]>, Failover.ContextOf<T[number]>> =>
  Failover.combine(
    // The errors and needs of a target are among those of all targets.
    targets as Arr.NonEmptyReadonlyArray<Target<Failover.ErrorOf<T[number]>, Failover.ContextOf<T[number]>>>,
    (built) => make(built, options)
  )
