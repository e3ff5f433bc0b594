import { instance } from "../internal/instance.js"
import { LlmRequest } from "./LlmRequest.js"

/** A request for the list of models, as events, errors and plans of faults see it: it is about all models, and asks nothing. */
export const request: LlmRequest = instance(LlmRequest, { model: "*", messages: [{ role: "user", content: [] }] })
