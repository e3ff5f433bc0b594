import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { shortened } from "../../internal/boundedText.js"
import * as Server from "../server.js"
import type { Unavailable } from "../unavailable.js"
import type { Opened } from "./connection.js"

/** A script of the server, in Lua. */
export interface Script {
  readonly source: string
  /** Its name on the server, once it is loaded. */
  sha: string | undefined
}

/** Makes a script. The server learns it when it is first used, and again when it has forgotten it. */
export const script = (source: string): Script => ({ source, sha: undefined })

/** The link to the server. No wait for it exceeds the time limit. */
export interface Link {
  readonly command: (name: string, ...args: ReadonlyArray<string>) => Effect.Effect<unknown, Unavailable>
  readonly run: (
    script: Script,
    keys: ReadonlyArray<string>,
    args: ReadonlyArray<string>
  ) => Effect.Effect<unknown, Unavailable>
  /** The failure that has not been reported yet, once. */
  readonly takeProblem: () => string | undefined
}

const maxProblem = 200

const messageOf = (error: unknown): string =>
  shortened(error instanceof Error ? error.message : String(error), maxProblem)

const isUnknownScript = (error: unknown): boolean => error instanceof Error && error.message.startsWith("NOSCRIPT")

/** Makes a link over a connection. `onReturn` runs when the server answers again. */
export const make = ({ commandTimeout, connection, retryAfter }: Opened, onReturn: () => void = () => {}): Link => {
  const server = Server.make({
    commandTimeout,
    retryAfter,
    onReturn,
    obstacle: () => {
      const { status } = connection
      return status === "ready" || status === "wait" ? undefined : `the connection is not ready: ${status}`
    }
  })

  /** A script that the server does not know has done nothing, so it may be sent again. */
  const deliver = (
    asked: Promise<unknown>,
    ended: (outcome: Exit.Exit<unknown, string>) => void,
    whole?: () => Promise<unknown>
  ): void => {
    asked.then(
      (value) => ended(Exit.succeed(value)),
      (error: unknown) =>
        whole !== undefined && isUnknownScript(error)
          ? deliver(whole(), ended)
          : ended(Exit.fail(messageOf(error)))
    )
  }

  const load = (script: Script): Promise<string> =>
    connection.call("SCRIPT", ["LOAD", script.source]).then((sha) => script.sha = String(sha))

  return {
    command: (name, ...args) => server.ask((_, ended) => deliver(connection.call(name, [...args]), ended)),
    run: (script, keys, args) =>
      server.ask((_, ended) => {
        const evaluated = (sha: string) => connection.call("EVALSHA", [sha, keys.length, ...keys, ...args])
        deliver(
          script.sha === undefined ? load(script).then(evaluated) : evaluated(script.sha),
          ended,
          () => connection.call("EVAL", [script.source, keys.length, ...keys, ...args])
        )
      }),
    takeProblem: server.takeProblem
  }
}
