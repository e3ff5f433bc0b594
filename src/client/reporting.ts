import * as Effect from "effect/Effect"
import * as OnTheSpot from "../domain/onTheSpot.js"
import * as LlmLogger from "../LlmLogger.js"
import type { Environment } from "./callState.js"

/** What reports the events of a client. A logger that dies must not take the call with it. */
export const make = (logger: LlmLogger.Service): Pick<Environment, "log" | "tell"> => {
  if (logger === LlmLogger.silent) return { log: logger.log, tell: () => undefined }
  const guarded = (report: Effect.Effect<void>) => Effect.catchAllCause(report, () => Effect.void)
  const log: Environment["log"] = (event) => guarded(Effect.suspend(() => logger.log(event)))
  const handle = OnTheSpot.log.of(logger.log)
  if (handle === undefined) return { log, tell: (event) => log(event()) }
  return {
    log,
    tell: (event) => {
      try {
        const rest = handle(event())
        return Effect.isEffect(rest) ? guarded(rest) : undefined
      } catch {
        return undefined
      }
    }
  }
}
