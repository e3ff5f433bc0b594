import type { LlmRequest } from "../domain/LlmRequest.js"
import type { RefusedSetting } from "./refusedSetting.js"
import { type MaxTokensField, type Setting, valueOf } from "./settings.js"

/** How long a refusal is remembered, in milliseconds: models change under their names. */
const lifetime = 3_600_000

/** More settings of models than any program has refused; the oldest is forgotten. */
const maxRefusals = 1_000

/** The refusals of one service, by model. Times are elapsed milliseconds. */
export interface Refusals {
  readonly isEmpty: () => boolean
  /** Remembers a refusal. */
  readonly add: (refused: RefusedSetting, request: LlmRequest, now: number) => void
  /** Removes one that turned out to be wrong. */
  readonly remove: (refused: RefusedSetting, request: LlmRequest) => void
  /** Whether the service would refuse a setting of a request. */
  readonly hasSetting: (setting: Setting, request: LlmRequest, now: number) => boolean
  /** The field for the limit of an answer that the service takes, if it has refused the other one. */
  readonly maxTokensField: (request: LlmRequest, now: number) => MaxTokensField | undefined
  /** Whether the service would refuse a stream that asks for its usage. */
  readonly withoutUsage: (request: LlmRequest, now: number) => boolean
}

const fields: ReadonlyArray<MaxTokensField> = ["max_tokens", "max_completion_tokens"]

/** The conditions of a refusal: the value, if it is a word, and the settings that make a model think or call tools. */
const circumstances = (setting: Setting, request: LlmRequest): string => {
  const value = valueOf(setting, request)
  return [
    typeof value === "string" ? value : "",
    request.reasoningEffort ?? "",
    (request.tools ?? []).length > 0,
    request.toolChoice ?? ""
  ].join()
}

const keyOf = (refused: RefusedSetting, request: LlmRequest): string => {
  if (refused._tag === "MaxTokensField") return JSON.stringify([request.model, refused.field])
  if (refused._tag === "StreamUsage") return JSON.stringify([request.model, "stream_options"])
  const { isConditional, setting } = refused
  return JSON.stringify([request.model, setting, ...isConditional ? [circumstances(setting, request)] : []])
}

/** Begins without refusals. */
export const make = (): Refusals => {
  const ends = new Map<string, number>()

  const has = (refused: RefusedSetting, request: LlmRequest, now: number): boolean => {
    const key = keyOf(refused, request)
    const end = ends.get(key)
    if (end === undefined) return false
    if (now < end) return true
    ends.delete(key)
    return false
  }

  return {
    isEmpty: () => ends.size === 0,
    add: (refused, request, now) => {
      const key = keyOf(refused, request)
      ends.delete(key)
      const [oldest] = ends.keys()
      if (ends.size >= maxRefusals && oldest !== undefined) ends.delete(oldest)
      ends.set(key, now + lifetime)
    },
    remove: (refused, request) => {
      ends.delete(keyOf(refused, request))
    },
    hasSetting: (setting, request, now) =>
      has({ _tag: "Setting", setting, isConditional: false }, request, now) ||
      has({ _tag: "Setting", setting, isConditional: true }, request, now),
    maxTokensField: (request, now) => fields.find((field) => has({ _tag: "MaxTokensField", field }, request, now)),
    withoutUsage: (request, now) => has({ _tag: "StreamUsage" }, request, now)
  }
}
