// In place of declarations: a log level of Effect 4 is its name, and an interruption is disconnected in another way.
import { disconnect } from "./runtime/disconnect.js"

export const layer: Layer.Layer<LlmLogger> = /* #__PURE__ */ Layer.succeed(LlmLogger, {
  isImmediate: true,
  log: (event) =>
    Effect.suspend(() => {
      const { fields, level, name } = format(event)
      return Effect.annotateLogs(Effect.logWithLevel(level)(name), fields)
    })
})

/** Logs within the limit, and does not wait for the end of a logger that hangs. */
const briefly = (logger: Service) => {
  const log = safely(logger)
  return (event: LlmEvent.LlmEvent): Effect.Effect<void> =>
    Effect.asVoid(Effect.timeoutOption(disconnect(log(event)), longestReport))
}
