// In place of declarations: a log level of Effect 4 is its name, and that of warnings is "Warn".

type Level = "Debug" | "Info" | "Warn" | "Error"

const levels: { readonly [Tag in LlmEvent.LlmEvent["_tag"]]: Level } = {
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
