import type * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { LlmError, type Operation, type Reason, update } from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type { OutputMode } from "../LlmProvider.js"
import * as StandardSchema from "../output/StandardSchema.js"
import * as StructuredOutput from "../output/structuredOutput.js"
import { type Call, type Environment, failure } from "./callState.js"
import type { CallOptions } from "./options.js"

/** What can be set for a call whose answer is a value, streamed or not. */
export interface OutputOptions extends CallOptions {
  /** The schema's name: 1 to 64 of the characters A-Z a-z 0-9 _ -. Default: its identifier, else "answer". */
  readonly name?: string | undefined
  /** Tells the model what the value is. */
  readonly description?: string | undefined
  /**
   * How the model is told the schema. `native`: by the provider, which holds the model to it where it can. `tool`: by a
   * tool that the model has to call, with the answer as its arguments; tools of the request's own are not called then.
   * `json`: in words, while the provider sees to it that the answer is JSON. `prompt`: in words only. The latter two take
   * schemas that the provider's dialect cannot express. Default: what is best for the provider and the model.
   */
  readonly mode?: OutputMode | undefined
}

/** How a schema is put to the client's provider; or why it cannot be. */
export const outputOf = <A, I, R>(
  { provider, settings }: Environment,
  operation: Operation,
  schema: StandardSchema.AnySchema<A, I, R>,
  input: LlmRequest.Input,
  { description, mode, name }: OutputOptions
): Effect.Effect<StructuredOutput.StructuredOutput<A, R>, LlmError> =>
  Either.mapLeft(
    StructuredOutput.make(StandardSchema.toSchema(schema), {
      provider,
      model: input.model,
      mode,
      name,
      description,
      system: input.system ?? settings.defaults.system,
      tools: input.tools ?? settings.defaults.tools
    }),
    (reason) => new LlmError({ reason, operation, attempts: 0, provider: provider.name, model: input.model })
  )

/** The failure of an answer that gives no value. */
export const unfit = (call: Call, requestId: string | undefined, reason: Reason): LlmError => {
  const error = failure(call, reason)
  return requestId === undefined ? error : update(error, { requestId })
}
