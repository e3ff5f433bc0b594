#!/usr/bin/env node
/* eslint-disable no-restricted-imports, no-restricted-globals, no-console -- a command of Node, imported by nothing */
/**
 * Durable jobs as a command: `npx effect-llm-batch --help`.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import { hasProperty } from "effect/Predicate"
import { readFileSync } from "node:fs"

/** That of this package, which is not the same for each major of Effect. */
const { version }: { readonly version: string } = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8")
)

const packages =
  "  npm install @effect/cli@0 @effect/printer@0 @effect/printer-ansi@0 @effect/platform-node@0 @effect/workflow@0 \\\n" +
  "    @effect/cluster@0 @effect/rpc@0 @effect/sql@0 @effect/sql-sqlite-node@0 @effect/experimental@0"

const load = () =>
  Promise.all([
    import("./command/app.js"),
    import("@effect/platform-node/NodeContext"),
    import("@effect/platform-node/NodeRuntime")
  ])

/** The failure that ended the command, in words. The command line explains a wrong argument itself. */
const problemOf = (exit: Exit.Exit<unknown, unknown>): { readonly code: number; readonly message?: string } => {
  if (Exit.isSuccess(exit)) return { code: 0 }
  const failure = Option.getOrUndefined(Cause.failureOption(exit.cause))
  if (hasProperty(failure, "code") && typeof failure.code === "number" && failure instanceof Error) {
    return { code: failure.code, message: failure.message }
  }
  if (failure !== undefined) return { code: 1 }
  return Cause.isInterruptedOnly(exit.cause) ? { code: 130 } : { code: 1, message: Cause.pretty(exit.cause) }
}

load().then(
  ([app, { layer }, { runMain }]) => {
    const screen = {
      isTerminal: process.stderr.isTTY === true,
      write: (text: string) => void process.stderr.write(text),
      print: (line: string) => console.log(line)
    }
    // The first Ctrl-C waits for the answers under way; the second ends the process.
    process.once("SIGINT", () => {
      screen.write("\nWaiting for the answers that are under way. Ctrl-C again stops at once.\n")
      process.once("SIGINT", () => process.exit(130))
    })
    runMain(
      app.make(screen, version)(process.argv).pipe(
        Effect.provide(layer),
        Logger.withMinimumLogLevel(LogLevel.Warning)
      ),
      {
        disableErrorReporting: true,
        teardown: (exit, onExit) => {
          const { code, message } = problemOf(exit)
          if (message !== undefined) console.error(message)
          onExit(code)
        }
      }
    )
  },
  (error: unknown) => {
    console.error(
      `A package is missing: ${error instanceof Error ? error.message : String(error)}\n` +
        `Install what jobs need beside effect-llm:\n${packages}`
    )
    process.exitCode = 1
  }
)
