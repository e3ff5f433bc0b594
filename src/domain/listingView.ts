import { instance } from "../internal/instance.js"
import { LlmRequest } from "./LlmRequest.js"

/** A request for the list of models, for events, errors and plans of faults: it has no model and no text. */
export const request: LlmRequest = instance(LlmRequest, { model: "*", messages: [{ role: "user", content: [] }] })
