import { LlmRequest } from "../domain/LlmRequest.js"
import { instance } from "../internal/instance.js"

/**
 * The settings without which an answer is still one to the request, by their names in it: a service that refuses one is
 * asked without. `promptCache` is also an option of a provider; `toolChoice` counts only where `object` made it.
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

/** The value of a setting; `undefined` where the request has none. */
export const valueOf = (setting: Setting, request: LlmRequest): unknown =>
  Object.entries(request).find(([name]) => name === setting)?.[1]

/** The fields that limit an answer in Chat Completions: services know one or the other. */
export type MaxTokensField = "max_tokens" | "max_completion_tokens"

/** The deviations of a codec from the request, the model and the service, after refusals of the service. */
export interface Changes {
  /** The settings that are not sent: no default is put in their place. They are not in the request any more. */
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
