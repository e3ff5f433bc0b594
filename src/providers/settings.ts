import { LlmRequest } from "../domain/LlmRequest.js"
import { instance } from "../internal/instance.js"

/**
 * The settings that may be left out, as the answer still fits the request without them, by their names in it: a service
 * that refuses one is asked without it. `promptCache` is also an option of a provider; `toolChoice` counts only if
 * `object` made it.
 */
export type Setting = typeof allSettings[number]

/** All of them. */
export const allSettings = [
  "temperature",
  "topP",
  "topK",
  "seed",
  "reasoningEffort",
  "reasoningSummary",
  "verbosity",
  "serviceTier",
  "parallelToolCalls",
  "promptCache",
  "toolChoice"
] as const

/** Whether a setting with this name may be left out. */
export const isSetting = (name: string): name is Setting => allSettings.some((setting) => setting === name)

/** The value of a setting; `undefined` if the request has none. */
export const valueOf = (setting: Setting, request: LlmRequest): unknown =>
  Object.entries(request).find(([name]) => name === setting)?.[1]

/** The fields that limit an answer in Chat Completions: services know one or the other. */
export type MaxTokensField = "max_tokens" | "max_completion_tokens"

/** The deviations of a codec from the request, the model and the service, after refusals of the service. */
export interface Changes {
  /** The settings that are not sent: no default takes their place. The request no longer has them. */
  readonly omitted: ReadonlySet<Setting>
  readonly maxTokensField?: MaxTokensField | undefined
  /** Whether a stream does not ask for its usage, as the service refuses the field. */
  readonly withoutUsage?: boolean | undefined
}

/** Nothing has been refused. */
export const noChanges: Changes = { omitted: new Set() }

/** The same request without some settings. */
export const withoutSettings = (request: LlmRequest, omitted: ReadonlySet<string>): LlmRequest =>
  omitted.size === 0
    ? request
    : instance(LlmRequest, Object.fromEntries(Object.entries(request).filter(([name]) => !omitted.has(name))))
