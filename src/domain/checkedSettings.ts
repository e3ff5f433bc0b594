import * as Effect from "effect/Effect"
import { InvalidOption } from "../internal/check.js"
import * as LlmRequest from "./LlmRequest.js"

/** The settings in an option, as fields of a request. A mistake in them is a defect that names the option. */
export const checkedSettings = (
  option: string,
  settings: LlmRequest.Settings
): Effect.Effect<Partial<LlmRequest.LlmRequest>> =>
  // A request that is decoded only for its settings.
  LlmRequest.decode({ model: "any", prompt: "any" }, settings).pipe(
    Effect.map(({ messages: _messages, model: _model, ...fields }) => fields),
    Effect.catchAll(({ message }) =>
      Effect.die(new InvalidOption({ option, expected: "settings of a request", actual: message }))
    )
  )
