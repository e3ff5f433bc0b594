import * as Effect from "effect/Effect"
import { type LlmError, type Reason, update } from "../domain/LlmError.js"
import * as LlmEvent from "../domain/LlmEvent.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import * as LlmProvider from "../LlmProvider.js"
import * as Elapsed from "../runtime/elapsed.js"
import type { Rejected } from "../wire/http.js"
import * as CachePoints from "./cachePoints.js"
import type { Codec, Encoded } from "./codec.js"
import type { ReadableReasoning } from "./readableReasoning.js"
import * as Refusals from "./refusals.js"
import { type RefusedSetting, refusedSetting } from "./refusedSetting.js"
import { allSettings, type Changes, noChanges, type Setting, valueOf, withoutSettings } from "./settings.js"
import * as Unsent from "./unsent.js"

// The requests that are sent twice within one attempt. A correction is below the policies: it is a request that counts,
// an event and a warning, but not a retry.

/** The current form of a request, with all corrections so far. */
export interface Draft {
  readonly request: LlmRequest
  readonly changes: Changes
  /** The differences from the caller's request, in words. */
  readonly warnings: ReadonlyArray<string>
}

/** A change to a request that was refused, after which the service is asked again. */
interface Correction extends Pick<LlmEvent.RequestCorrected, "correction" | "setting"> {
  readonly draft: Draft
  /** A step that comes first; `false` if it was in vain. */
  readonly prepare?: Effect.Effect<boolean, LlmError> | undefined
}

/** A refused request, and the facts that decide about its correction. */
interface Refusal {
  readonly rejected: Rejected
  /** The request as it was refused. */
  readonly draft: Draft
  /** The request as the caller made it. */
  readonly request: LlmRequest
  readonly attempt: LlmProvider.Attempt
  readonly now: number
  /** Whether a draft makes a body that differs from the refused one. */
  readonly differs: (draft: Draft) => boolean
}

/** Corrects a refused request, if this correction applies. Made anew for each attempt, so it may count. */
type Corrector = (refusal: Refusal) => Correction | undefined

/** How to send a draft. */
export interface Exchange<A, R> {
  readonly encode: (draft: Draft) => Encoded
  readonly send: (draft: Draft, encoded: Encoded) => Effect.Effect<A, LlmError | Rejected, R>
}

/** A request that was refused, and that is not asked for again at once: one of a batch. */
export interface Late extends Pick<Refusal, "attempt" | "differs" | "draft" | "request"> {
  readonly rejected: Pick<Rejected, "body" | "status"> & { readonly reason: Reason }
}

/** Asks a service, and again with each correction of a refused part. */
export interface Corrections {
  readonly ask: <A, R>(request: LlmRequest, exchange: Exchange<A, R>) => Effect.Effect<A, LlmError, R>
  /** The settings that the service has refused lately, and that `ask` would leave out of a request. */
  readonly refused: (request: LlmRequest, attempt: LlmProvider.Attempt) => Effect.Effect<ReadonlyArray<Setting>>
  /** A request without some settings. */
  readonly without: (request: LlmRequest, settings: ReadonlyArray<Setting>) => Draft
  /** Remembers the setting for which a request was refused, if it can go without. */
  readonly learn: (late: Late) => Effect.Effect<void>
}

/**
 * The setting that a refusal names, by its name in the request, or in the protocol if the request has no such setting.
 */
const settingOf = (refused: RefusedSetting): string => {
  switch (refused._tag) {
    case "Setting":
      return refused.setting
    case "MaxTokensField":
      return "maxTokens"
    case "StreamUsage":
      return "stream_options"
  }
}

/** The most settings that may be refused in one attempt. */
const maxSettings = 3

/** Makes the corrections of a provider. Its refusals are remembered for its endpoint, by model. */
export const make = (
  name: string,
  { cachesPrompts = false, errors: rules }: Pick<Codec, "cachesPrompts" | "errors">,
  reasoning: ReadableReasoning
): Corrections => {
  const refusals = Refusals.make()

  const notSent = (setting: Setting, { model }: LlmRequest): string =>
    Unsent.notSent(setting, `${name} has refused it for ${model}`)

  /** Whether a program has chosen a setting. */
  const isChosen = (setting: Setting, request: LlmRequest): boolean =>
    valueOf(setting, request) !== undefined ||
    (setting === "promptCache" && (cachesPrompts || CachePoints.areIn(request.messages)))

  const refusedLately = (
    request: LlmRequest,
    attempt: LlmProvider.Attempt,
    now: number
  ): ReadonlyArray<Setting> =>
    allSettings.filter((setting) =>
      refusals.hasSetting(setting, request, now) && (setting !== "toolChoice" || attempt.prefersTool === true)
    )

  /** Leaving out a default needs no warning. */
  const without: Corrections["without"] = (request, settings) => {
    const omitted = new Set(settings)
    return {
      request: withoutSettings(request, omitted),
      changes: { omitted },
      warnings: settings.filter((setting) => isChosen(setting, request)).map((setting) => notSent(setting, request))
    }
  }

  /** Leaves out what the service has refused lately. */
  const recalled = (request: LlmRequest, attempt: LlmProvider.Attempt, now: number): Draft => {
    const draft = without(request, refusedLately(request, attempt, now))
    return {
      ...draft,
      changes: {
        ...draft.changes,
        maxTokensField: refusals.maxTokensField(request, now),
        withoutUsage: refusals.withoutUsage(request, now)
      }
    }
  }

  /** The setting for which a service has refused a draft, if it gives one as the reason. */
  const refusedIn = (
    { body, status }: Pick<Rejected, "body" | "status">,
    reason: Reason,
    draft: Draft
  ): RefusedSetting | undefined =>
    // A body about the length of the prompt, or a model, may speak of a setting, too. OpenRouter's 404 is about both.
    reason._tag === "InvalidRequest" || status === 404
      ? refusedSetting(status, body, rules, draft.changes.omitted)
      : undefined

  /** Leaves out a refused setting, or gives it its other name. */
  const makeSettings = (): Corrector => {
    const learned: Array<RefusedSetting> = []

    const changed = (draft: Draft, refused: RefusedSetting): Draft => {
      if (refused._tag === "MaxTokensField") {
        return {
          ...draft,
          changes: { ...draft.changes, maxTokensField: refused.field },
          warnings: [...draft.warnings, Unsent.sentAs("maxTokens", refused.field, `${name} has refused its other name`)]
        }
      }
      if (refused._tag === "StreamUsage") {
        const warning = `the stream has no usage: ${name} has refused to be asked for it`
        return { ...draft, changes: { ...draft.changes, withoutUsage: true }, warnings: [...draft.warnings, warning] }
      }
      const { setting } = refused
      const omitted = new Set([...draft.changes.omitted, setting])
      return {
        request: withoutSettings(draft.request, omitted),
        changes: { ...draft.changes, omitted },
        warnings: [...draft.warnings, notSent(setting, draft.request)]
      }
    }

    return ({ attempt, differs, draft, now, rejected, request }) => {
      const { reason } = rejected.error
      const refused = refusedIn(rejected, reason, draft)
      const setting = refused && settingOf(refused)
      const next = refused && changed(draft, refused)
      // Nothing in `providerOptions` is left out: a body that stays the same is not sent again.
      if (refused === undefined || next === undefined || !differs(next)) {
        // If the request is refused all the same, the settings may not have been the reason.
        if (reason._tag === "InvalidRequest") {
          for (const wrong of learned) refusals.remove(wrong, request)
        }
        return undefined
      }
      if (setting === "toolChoice" && attempt.prefersTool !== true) return undefined
      refusals.add(refused, request, now)
      return learned.push(refused) > maxSettings ? undefined : { correction: "setting", setting, draft: next }
    }
  }

  /** Leaves out reasoning that the service cannot read, all of it at once. */
  const makeReasoning = (): Corrector => {
    let isStripped = false
    return ({ differs, draft, rejected }) => {
      if (rejected.error.reason._tag !== "ReasoningRejected" || isStripped) return undefined
      isStripped = true
      const { request, warnings } = reasoning.stripped(draft.request)
      const next = { ...draft, request, warnings: [...draft.warnings, ...warnings] }
      return differs(next) ? { correction: "reasoning", draft: next } : undefined
    }
  }

  /** Fetches another key, once. */
  const makeKey = (): Corrector => {
    let isRenewed = false
    return ({ draft, rejected: { renew } }) => {
      if (renew === undefined || isRenewed) return undefined
      isRenewed = true
      const warnings = [...draft.warnings, `${name} has refused the key, and was asked again with another one`]
      return { correction: "key", draft: { ...draft, warnings }, prepare: renew }
    }
  }

  /** A further correction has its line here. */
  const correctors = (): ReadonlyArray<Corrector> => [makeKey(), makeReasoning(), makeSettings()]

  const ask: Corrections["ask"] = <A, R>(request: LlmRequest, { encode, send }: Exchange<A, R>) => {
    const askWith = (draft: Draft): Effect.Effect<A, LlmError, R> => {
      const encoded = encode(draft)
      return Effect.catchAll(
        send(draft, encoded),
        (failure) => failure._tag === "LlmError" ? failure : correct(failure, draft, encoded, correctors(), 1)
      )
    }

    const correct = (
      rejected: Rejected,
      draft: Draft,
      encoded: Encoded,
      correctors: ReadonlyArray<Corrector>,
      requests: number
    ): Effect.Effect<A, LlmError, R> =>
      Effect.flatMap(Effect.zip(LlmProvider.CurrentAttempt, Elapsed.now), ([attempt, now]) => {
        const { error } = rejected
        const before = JSON.stringify(encoded.body)
        const refusal: Refusal = {
          rejected,
          draft,
          request,
          attempt,
          now,
          differs: (draft) => JSON.stringify(encode(draft).body) !== before
        }
        const given = Effect.fail(requests === 1 ? error : update(error, { attempts: requests }))
        for (const corrector of correctors) {
          const correction = corrector(refusal)
          if (correction === undefined) continue
          const { draft: next, prepare, ...what } = correction
          const reencoded = encode(next)
          const event = LlmEvent.RequestCorrected({ provider: name, model: request.model, error, ...what })
          const again = Effect.zipRight(
            Effect.zipRight(attempt.countRequest, attempt.report(event)),
            Effect.catchAll(
              send(next, reencoded),
              (failure) =>
                failure._tag === "LlmError"
                  ? update(failure, { attempts: failure.attempts + requests })
                  : correct(failure, next, reencoded, correctors, requests + 1)
            )
          )
          return prepare === undefined ? again : Effect.if(prepare, { onTrue: () => again, onFalse: () => given })
        }
        return given
      })

    return Effect.suspend(() =>
      refusals.isEmpty()
        ? askWith({ request, changes: noChanges, warnings: [] })
        : Effect.flatMap(
          Effect.zip(LlmProvider.CurrentAttempt, Elapsed.now),
          ([attempt, now]) => askWith(recalled(request, attempt, now))
        )
    )
  }

  const learn: Corrections["learn"] = ({ attempt, differs, draft, rejected, request }) =>
    Effect.map(Elapsed.now, (now) => {
      const refused = refusedIn(rejected, rejected.reason, draft)
      if (refused?._tag !== "Setting") return
      if (refused.setting === "toolChoice" && attempt.prefersTool !== true) return
      if (differs(without(request, [...draft.changes.omitted, refused.setting]))) refusals.add(refused, request, now)
    })

  return {
    ask,
    without,
    learn,
    refused: (request, attempt) => Effect.map(Elapsed.now, (now) => refusedLately(request, attempt, now))
  }
}
