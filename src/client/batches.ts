import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { LlmError, type OutputInvalid, type Reason, update } from "../domain/LlmError.js"
import * as LlmRequest from "../domain/LlmRequest.js"
import type * as LlmResponse from "../domain/LlmResponse.js"
import type * as LlmProvider from "../LlmProvider.js"
import type * as StandardSchema from "../output/StandardSchema.js"
import type { Environment } from "./callState.js"
import type { ObjectResponse } from "./object.js"
import { outputOf } from "./objectOutput.js"

/** A request for a value, and the way to read its answer. */
export interface ObjectRequest<A> {
  readonly request: LlmRequest.LlmRequest
  /** Whether the tool choice is the client's own. The provider that encodes the request reads this from the attempt. */
  readonly prefersTool: boolean
  /** Reads the value, or gives the reason why the answer has none, like a call of `object` that asks once. */
  readonly read: (answer: Exit.Exit<LlmResponse.LlmResponse, LlmError>) => Effect.Effect<ObjectResponse<A>, LlmError>
}

/** The batch API of a client's provider. Policies and the cache do not see its requests. */
export interface Batches extends LlmProvider.Batches {
  /** Checks a request, and adds the settings that `call` would add. A batch is a tier of its own: `serviceTier` is left out. */
  readonly request: (input: LlmRequest.Input) => Effect.Effect<LlmRequest.LlmRequest, LlmError>
  /** The request that `object` would send; or, after an answer that did not fit, the one with the issues of that answer. */
  readonly object: <A, I = unknown>(
    schema: StandardSchema.AnySchema<A, I, never>,
    input: LlmRequest.Input,
    unfit?: typeof OutputInvalid.Type
  ) => Effect.Effect<ObjectRequest<A>, LlmError>
}

/** Makes the way to the batch API of a client's provider, if it has one. */
export const make = (environment: Environment): Batches | undefined => {
  const { provider, settings: { defaults } } = environment
  const { batches } = provider
  if (batches === undefined) return undefined

  const { serviceTier: _, ...ownDefaults } = defaults

  const checked = ({ serviceTier: _, ...input }: LlmRequest.Input, operation: "call" | "object") =>
    LlmRequest.decode(input, ownDefaults, operation)

  return {
    ...batches,
    request: (input) => checked(input, "call"),
    object: (schema, input, unfit) =>
      Effect.gen(function*() {
        const output = yield* outputOf(environment, "object", schema, input, {})
        const first = yield* checked({ ...input, ...output.request }, "object")
        const corrections = unfit === undefined ? [] : Option.getOrElse(output.reask(unfit, undefined), () => [])
        const request = corrections.length === 0
          ? first
          : yield* checked({ ...first, messages: [...first.messages, ...corrections] }, "object")

        const failed = (reason: Reason, requestId: string | undefined) =>
          new LlmError({
            reason,
            operation: "object",
            attempts: 1,
            provider: provider.name,
            model: request.model,
            ...(requestId !== undefined && { requestId })
          })

        return {
          request,
          prefersTool: output.tool !== undefined,
          read: (answer) =>
            Effect.matchCauseEffect(answer, {
              onFailure: (cause) =>
                Effect.mapError(Effect.failCause(cause), (error) => {
                  const invalid = output.invalidOf(error.reason)
                  return invalid === undefined
                    ? update(error, { operation: "object" })
                    : failed(invalid, error.requestId)
                }),
              onSuccess: (response) =>
                Effect.mapBoth(output.read(response), {
                  onFailure: (reason) => failed(reason, response.requestId),
                  onSuccess: (value) => ({ value, response })
                })
            })
        }
      })
  }
}
