import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"

/** Runs an effect, and gives its exit and each line at any level that came to Effect's default logger meanwhile. */
export const recordingLogs = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<{ readonly exit: Exit.Exit<A, E>; readonly logged: ReadonlyArray<string> }, never, R> =>
  Effect.suspend(() => {
    const logged: Array<string> = []
    const recorder = Logger.make(({ logLevel, message }) => void logged.push(`${logLevel.label} ${String(message)}`))
    return Effect.exit(self).pipe(
      Logger.withMinimumLogLevel(LogLevel.All),
      Effect.provide(Logger.replace(Logger.defaultLogger, recorder)),
      Effect.map((exit) => ({ exit, logged }))
    )
  })
