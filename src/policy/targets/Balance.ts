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
import type * as Embedding from "../../domain/Embedding.js"
import * as EmbeddingView from "../../domain/embeddingView.js"
import { LlmError, UnsupportedFeature } from "../../domain/LlmError.js"
import type { LlmRequest, Settings } from "../../domain/LlmRequest.js"
import * as Message from "../../domain/Message.js"
import * as Reasoning from "../../domain/reasoning.js"
import * as Check from "../../internal/check.js"
import * as LlmProvider from "../../LlmProvider.js"
import * as Elapsed from "../../runtime/elapsed.js"
import * as TargetSpan from "../../telemetry/targetSpan.js"
import * as OpenStream from "../openStream.js"
import * as TargetRequest from "../targetRequest.js"
import * as Cooldowns from "./cooldowns.js"
import * as Failover from "./failover.js"
import * as LoadBalancing from "./loadBalancing.js"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The request for a target, and its share.
 *
 * @since 0.1.0
 * @category models
 */
export interface TargetOptions {
  /** Its share of the requests, in proportion to the other targets'. More than 0. Default: 1. */
  readonly weight?: number | undefined
  /** The target's name for the model. Default: the request's. */
  readonly model?: string | undefined
  /** Settings of this target's requests, on top of the request's own. Default: none. */
  readonly settings?: Settings | undefined
  /** Other changes to the request for this target. It gets the request with the target's model and settings. */
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

/** A target whose settings are checked. */
interface CheckedTarget extends Omit<BuiltTarget, "settings"> {
  readonly settings: Partial<LlmRequest>
}

interface Member extends CheckedTarget {
  readonly id: string
  /** Its name in events. */
  readonly label: string
  /** The name of its account, by which a conversation finds the target that made its reasoning. */
  readonly account: string
  readonly hash: number
  readonly weight: number
  readonly cooldowns: Cooldowns.Cooldowns
  inFlight: number
}

/** Counts the requests under way: a call until it ends, a stream until it is closed, which is later than its `Finish`. */
const counting = (member: Member): LlmProvider.Service => {
  const { provider } = member
  const { embed } = provider
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
    ...(embed !== undefined && {
      embed: (request) => Effect.acquireUseRelease(enter, () => embed(request), leave)
    }),
    stream: (request) =>
      Stream.unwrapScoped(
        Effect.as(Effect.acquireRelease(enter, leave), Stream.suspend(() => provider.stream(request)))
      )
  }
}

const noEmbeddings = ({ name }: LlmProvider.Service, model: string): LlmError =>
  new LlmError({
    operation: "embed",
    attempts: 0,
    provider: name,
    model,
    reason: UnsupportedFeature.make({ feature: "embeddings" })
  })

/** A request for embeddings goes to any of the targets: it keeps to the limits of all. */
const limitsOf = (all: ReadonlyArray<CheckedTarget>) => (model: string): Embedding.Limits => {
  const limits = all.map((target) => target.provider.embedLimits?.(target.model ?? model))
  const least = (limit: keyof Embedding.Limits) => Math.min(...limits.map((each) => each?.[limit] ?? Infinity))
  return { inputs: least("inputs"), tokens: least("tokens") }
}

const checked = (target: BuiltTarget): Effect.Effect<CheckedTarget> =>
  Effect.map(TargetRequest.checkSettings(target.settings ?? {}), (settings) => ({ ...target, settings }))

const members = (targets: Arr.NonEmptyReadonlyArray<CheckedTarget>): Arr.NonEmptyReadonlyArray<Member> => {
  const seen = new Map<string, number>()
  const idOf = ({ id, provider: { endpoint } }: CheckedTarget, index: number): string => {
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
      account: target.provider.account ?? (target.id === undefined ? id : `${target.provider.endpoint} ${id}`),
      hash: LoadBalancing.hash(id),
      weight: weight > 0 ? weight : Check.invalidOption(`targets[${index}].weight`, "more than 0", weight),
      cooldowns: Cooldowns.make(),
      inFlight: 0
    }
  })
}

/** The account of a target, within that of an outer balance. */
const accountOf = ({ account, provider }: Member, outer: LlmProvider.Attempt): string =>
  outer.account === undefined || provider.account !== undefined ? account : `${outer.account} > ${account}`

/** Whether an account is a certain one, or one of a balance within it. */
const isWithin = (account: string, other: string): boolean => account === other || account.startsWith(`${other} > `)

/**
 * Makes one provider of several equal ones, also for `embed`. It has the name, the endpoint and the dialect of JSON Schema of the first
 * one: cache keys do not depend on the target that answers. An invalid option is a defect that names it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  targets: Arr.NonEmptyReadonlyArray<BuiltTarget>,
  options: Options = {}
): Effect.Effect<Balanced> =>
  Effect.map(Effect.forEach(targets, checked), (targets) => {
    const all = members(targets)
    const { by = "leastBusy", canFailOver = Failover.canFailOver, stickyBy } = options
    if (by !== "leastBusy" && by !== "weight") Check.invalidOption("by", `"leastBusy" or "weight"`, by)
    const choose = by === "weight" ? LoadBalancing.byWeight : LoadBalancing.leastBusy
    const providers = new Map(all.map((member) => [member, counting(member)]))

    /** A second request for the same answer (of a hedge, or after a failure or a limit) is better off elsewhere. */
    const elsewhere = (
      ready: LoadBalancing.Candidates<Member>,
      asked: LlmProvider.AskedTargets
    ): LoadBalancing.Candidates<Member> => {
      const [first, ...others] = ready.filter((member) => !asked.has(member))
      return first === undefined ? ready : [first, ...others]
    }

    /** The targets that made the reasoning of the conversation, as long as they have not failed to answer it. */
    const home = (
      ready: LoadBalancing.Candidates<Member>,
      request: LlmRequest,
      asked: LlmProvider.AskedTargets,
      attempt: LlmProvider.Attempt
    ): LoadBalancing.Candidates<Member> | undefined => {
      const made = Reasoning.lastAccount(request.messages)
      if (made === undefined) return undefined
      const [first, ...others] = ready.filter((member) =>
        isWithin(made, accountOf(member, attempt)) && asked.get(member) !== "failed"
      )
      return first && [first, ...others]
    }

    const balanced = <A>(
      operation: "call" | "stream" | "embed",
      request: LlmRequest,
      ask: (provider: LlmProvider.Service, request: LlmRequest) => Effect.Effect<A, LlmError>
    ): Effect.Effect<A, LlmError> =>
      Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) => {
        const { asked = new Map() } = attempt
        const key = stickyBy?.(request)
        const keyHash = key === undefined ? undefined : LoadBalancing.hash(key)

        const asking = (member: Member): Effect.Effect<A, LlmError> => {
          asked.set(member, "underWay")
          const { label, provider } = member
          const sent = TargetRequest.requestFor(member, request)
          return Effect.onExit(
            TargetSpan.around({ name: `${label}/${sent.model}`, provider, model: sent.model })(
              Effect.provideService(
                ask(providers.get(member) ?? provider, sent),
                LlmProvider.CurrentAttempt,
                { ...attempt, account: accountOf(member, attempt) }
              )
            ),
            (exit) => {
              if (Exit.isSuccess(exit)) return Effect.sync(() => asked.delete(member))
              if (!Cause.isInterruptedOnly(exit.cause)) return Effect.sync(() => asked.set(member, "failed"))
              return Effect.map(attempt.expired, (expired) => {
                if (expired) asked.set(member, "failed")
                else asked.delete(member)
              })
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
            const ready = home([first, ...others], request, asked, attempt) ?? elsewhere([first, ...others], asked)
            const member = keyHash === undefined ? choose(ready, random) : LoadBalancing.byKey(ready, keyHash)
            const answer = Effect.catchAll(asking(member), (error) =>
              Elapsed.nowWith((now) => {
                member.cooldowns.start(request.model, error, now)
                return canFailOver(error)
                  ? oneOf(left.filter((other) => other !== member), [...errors, ...Failover.errorsOf(error)], {
                    member,
                    error
                  })
                  : Effect.fail(error)
              }))
            return failure === undefined ? answer : Effect.zipRight(
              Failover.passOn(attempt, {
                error: failure.error,
                provider: failure.member.provider.name,
                model: TargetRequest.requestFor(failure.member, request).model,
                to: `${member.label}/${TargetRequest.requestFor(member, request).model}`
              }),
              answer
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

    const embed = (request: Embedding.Request): Effect.Effect<Embedding.Response, LlmError> =>
      balanced(
        "embed",
        EmbeddingView.requestOf(request),
        (provider, { model }) =>
          provider.embed === undefined
            ? Effect.fail(noEmbeddings(provider, model))
            : provider.embed({ ...request, model })
      )

    /** One that is ready is enough. */
    const ready = (request: LlmRequest): Effect.Effect<void> =>
      Effect.raceAll(Arr.map(all, (member) => Failover.readiness(member).ready?.(request) ?? Effect.void))

    return {
      ...all[0].provider,
      ready: all.every(({ provider }) => provider.ready !== undefined) ? ready : undefined,
      account: all.every(({ provider }) => provider.account === all[0].provider.account)
        ? all[0].provider.account
        : undefined,
      ...(all.some(({ provider }) => provider.embed !== undefined) && { embed, embedLimits: limitsOf(all) }),
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
 * A conversation with encrypted or signed reasoning stays on the target that made it, as no other account can read it. If
 * that target fails or cools down, another one is asked without the reasoning, and the answer has a warning. Each target
 * counts as an account of its own; those that share one say so with the option `account` of their layers.
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
