import { InvalidRequest, NetworkFailed, type Reason } from "../domain/LlmError.js"
import * as Json from "./json.js"

/** The system's code for a broken connection, wherever the runtime has put it. Nothing else of a cause is kept. */
const networkCode = (cause: unknown, depth = 0): string | undefined => {
  if (typeof cause !== "object" || cause === null || depth > 5) return undefined
  const { cause: inner, code, errors } = cause as Json.JsonObject
  if (typeof code === "string" && /^\w{2,64}$/.test(code)) return code
  return networkCode(inner, depth + 1) ?? networkCode(Json.array(errors)[0], depth + 1)
}

/** The reason of a broken connection. */
export const networkFailure = (cause: unknown): Reason => {
  const code = networkCode(cause)
  return NetworkFailed.make(code === undefined ? { message: "the connection failed" } : { code })
}

/** The reason of a request that no client can send. */
export const unsendable = (): Reason => InvalidRequest.make({ message: "the request could not be built" })
