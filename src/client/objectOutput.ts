import type * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { LlmError, type Operation, type Reason, update } from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import type { OutputMode } from "../LlmProvider.js"
import * as StandardSchema from "../output/StandardSchema.js"
import * as StructuredOutput from "../output/structuredOutput.js"
import { type Call, type Environment, failure } from "./callState.js"
import type { CallOptions } from "./options.js"

/** The options of a call whose answer is a value, streamed or not. */
export interface OutputOptions extends CallOptions {
  /** The schema's name: 1 to 64 of the characters A-Z a-z 0-9 _ -. Default: its identifier, else "answer". */
  readonly name?: string | undefined
  /** A description of the value for the model. */
  readonly description?: string | undefined
  /**
   * The way in which the model gets the schema. `native`: from the provider, which enforces it where it can. `tool`: as
   * the parameters of a tool that the model has to call; other tools of the request are then not called. `json`: in
   * words, while the provider ensures that the answer is JSON. `prompt`: in words only. The last two take schemas that
   * the provider's dialect cannot express. Default: the best mode for the provider and the model.
   */
  readonly mode?: OutputMode | undefined
}

/** Encodes a schema for the client's provider, or fails with the reason why it cannot be encoded. */
export const outputOf = <A, I, R>(
  { provider, settings }: Environment,
  operation: Operation,
  schema: StandardSchema.AnySchema<A, I, R>,
  input: LlmRequest.Input,
  { besideTools, description, mode, name }: Pick<OutputOptions, "description" | "mode" | "name"> & {
    /** Whether the model may call its other tools before it answers. Default: false. */
    readonly besideTools?: boolean
  }
): Effect.Effect<StructuredOutput.StructuredOutput<A, R>, LlmError> =>
  Either.mapLeft(
    StructuredOutput.make(StandardSchema.toSchema(schema), {
      provider,
      model: input.model,
      mode,
      besideTools,
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
