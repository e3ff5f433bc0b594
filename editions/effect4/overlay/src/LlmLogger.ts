// In place of declarations: a log level of Effect 4 is its name, and that of warnings is "Warn".
import { disconnect } from "./runtime/disconnect.js"

const levels: { readonly [Tag in LlmEvent.LlmEvent["_tag"]]: "Debug" | "Info" | "Warn" | "Error" } = {
  CacheHit: "Info",
  CacheMiss: "Debug",
  CacheFailed: "Warn",
  CallStarted: "Debug",
  CallOk: "Info",
  CallFailed: "Warn",
  CallGaveUp: "Error",
  CallInterrupted: "Info",
  CallShared: "Info",
  FellBack: "Warn",
  Hedged: "Info",
  RequestCorrected: "Warn",
  RateLimitQueued: "Debug",
  RateLimitWaited: "Info",
  RateLimitUsed: "Debug",
  CircuitOpened: "Warn",
  CircuitHalfOpened: "Info",
  CircuitClosed: "Info",
  OutputRejected: "Warn",
  BudgetSpent: "Debug",
  StoreUnavailable: "Warn"
}

export const layer: Layer.Layer<LlmLogger> = Layer.succeed(LlmLogger, {
  isImmediate: true,
  log: (event) =>
    Effect.suspend(() => {
      const { fields, name } = format(event)
      return Effect.annotateLogs(Effect.logWithLevel(levels[event._tag])(name), fields)
    })
})

/** Logs within the limit, and does not wait for the end of a logger that hangs. */
const briefly = (logger: Service) => {
  const log = safely(logger)
  return (event: LlmEvent.LlmEvent): Effect.Effect<void> =>
    Effect.asVoid(Effect.timeoutOption(disconnect(log(event)), longestReport))
}
