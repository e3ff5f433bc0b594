import type * as Effect from "effect/Effect"
import { checkedSettings } from "../domain/checkedSettings.js"
import * as LlmRequest from "../domain/LlmRequest.js"

/** How to ask a target. */
export interface TargetRequest {
  readonly model?: string | undefined
  /** Fields of a request that were checked. */
  readonly settings?: Partial<LlmRequest.LlmRequest> | undefined
  readonly mapRequest?: ((request: LlmRequest.LlmRequest) => LlmRequest.LlmRequest) | undefined
}

/** The fields of a request were checked when it was made. */
const trusted = { disableValidation: true }

/** The request for a target. */
export const requestFor = (
  { mapRequest, model, settings }: TargetRequest,
  request: LlmRequest.LlmRequest
): LlmRequest.LlmRequest => {
  const isSame = model === undefined && (settings === undefined || Object.keys(settings).length === 0)
  const named = isSame
    ? request
    : new LlmRequest.LlmRequest({ ...request, ...settings, ...(model !== undefined && { model }) }, trusted)
  return mapRequest === undefined ? named : mapRequest(named)
}

/** The settings of a target as fields of its requests. A mistake in them is a defect. */
export const checkSettings = (settings: LlmRequest.Settings): Effect.Effect<Partial<LlmRequest.LlmRequest>> =>
  checkedSettings("settings", settings)
