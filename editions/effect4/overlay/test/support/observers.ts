// In place of declarations: a console of Effect 4 is one of the platform, and loggers are given all at once.
import * as References from "effect/References"

const makeConsole = (lines: Array<string>): Console.Console => {
  const write = (...values: ReadonlyArray<unknown>) =>
    void lines.push(values.map((value) => typeof value === "string" ? value : inspect(value, full)).join(" "))
  return new Proxy(globalThis.console, { get: () => write })
}

export const watched = <A, E, R>(program: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const written: Array<string> = []
    return program.pipe(
      Effect.withSpan("program"),
      Effect.withTracer(makeTracer(written)),
      Effect.provide(Logger.layer(loggers)),
      Effect.provideService(References.MinimumLogLevel, "All"),
      Effect.provideService(Console.Console, makeConsole(written)),
      Effect.map((value) => ({ value, written }))
    )
  })
