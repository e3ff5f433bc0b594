import * as Cause from "effect/Cause"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as LlmRequest from "../../domain/LlmRequest.js"
import type { LlmResponse } from "../../domain/LlmResponse.js"
import type { Result } from "../results.js"

/** Settings for requests that leave them out. */
export interface Defaults {
  readonly model?: string | undefined
  readonly system?: string | undefined
  readonly maxTokens?: number | undefined
  readonly temperature?: number | undefined
}

const isObject = (value: unknown): value is { readonly [field: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const withDefaults = (defaults: Defaults, fields: { readonly [field: string]: unknown }) => ({
  ...Object.fromEntries(Object.entries(defaults).filter(([, value]) => value !== undefined)),
  ...fields
})

/**
 * Reads a line: a request as JSON, with the fields of `LlmRequest.Input`, or a JSON text, which is a prompt. Whether
 * the request is valid is not checked. The problem is a text for a person.
 */
export const readRequest = (line: string, defaults: Defaults): Either.Either<LlmRequest.Input, string> => {
  const parsed = Either.try((): unknown => JSON.parse(line))
  if (Either.isLeft(parsed)) return Either.left("not JSON")
  const fields = typeof parsed.right === "string" ? { prompt: parsed.right } : parsed.right
  if (!isObject(fields)) return Either.left("expected a JSON object, such as {\"prompt\": \"...\"}, or a JSON text")
  const request = withDefaults(defaults, fields)
  if (!("model" in request)) return Either.left("no model: name one with --model, or in each line")
  // `LlmRequest.decode` checks the rest.
  return Either.right(request as unknown as LlmRequest.Input)
}

const errorOf = (cause: Cause.Cause<unknown>): unknown => {
  const failure = Option.getOrUndefined(Cause.failureOption(cause))
  return isObject(failure) && isObject(failure["reason"])
    ? { reason: failure["reason"]["_tag"], message: failure["message"] }
    : { reason: "Defect", message: Cause.pretty(cause) }
}

/** Writes a result as a line of JSON, without its end. */
export const writeResult = ({ index, result }: Result<LlmResponse>): string =>
  JSON.stringify(
    Exit.match(result, {
      onFailure: (cause) => ({ index, error: errorOf(cause) }),
      onSuccess: ({ cost, finishReason, model, parts, text, usage }) => ({
        index,
        text,
        finishReason,
        ...(parts.some(({ _tag }) => _tag !== "Text") && { parts }),
        model,
        usage,
        ...(cost !== undefined && { cost })
      })
    })
  )
