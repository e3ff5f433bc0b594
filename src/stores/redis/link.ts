import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { shortened } from "../../internal/boundedText.js"
import * as Elapsed from "../../runtime/elapsed.js"
import { clockOf, isInterruptible } from "../../runtime/forkNow.js"
import { setTimer } from "../../runtime/timer.js"
import { makeProblems, Unavailable } from "../unavailable.js"
import type { Connection, Opened } from "./connection.js"

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
  let failure: string | undefined
  const problems = makeProblems()
  let askAgainAt = -Infinity
  let isAsking = false

  const failed = (now: number, problem: string): void => {
    failure = problem
    problems.add(problem)
    askAgainAt = now + retryAfter
    isAsking = false
  }

  const answered = (): void => {
    if (failure === undefined) return
    failure = undefined
    isAsking = false
    onReturn()
  }

  /**
   * Sends a command, unless the server is known not to answer: then one command at a time finds out whether it is back.
   */
  const send = <A>(ask: () => Promise<A>): Effect.Effect<A, Unavailable> =>
    Effect.withFiberRuntime((fiber: Fiber.RuntimeFiber<A, Unavailable>) => {
      const clock = clockOf(fiber)
      const now = Elapsed.unsafeNow(clock)
      if (failure !== undefined) {
        if (isAsking || now < askAgainAt) return Effect.fail(new Unavailable({ problem: failure, wasSent: false }))
        isAsking = true
      }
      const { status } = connection
      if (status !== "ready" && status !== "wait") {
        const problem = `the connection is not ready: ${status}`
        failed(now, problem)
        return Effect.fail(new Unavailable({ problem, wasSent: false }))
      }
      return Effect.async<A, Unavailable>((resume) => {
        let isOver = false
        const fail = (problem: string) => {
          isOver = true
          failed(Elapsed.unsafeNow(clock), problem)
          resume(Effect.fail(new Unavailable({ problem, wasSent: true })))
        }
        const stop = setTimer(fiber, commandTimeout, () => {
          if (!isOver) fail(`no answer within ${commandTimeout} ms`)
        })
        ask().then(
          (value) => {
            stop()
            if (isOver) return
            isOver = true
            answered()
            resume(Effect.succeed(value))
          },
          (error: unknown) => {
            stop()
            if (!isOver) fail(messageOf(error))
          }
        )
        // Effect's own steps for a canceler cost as much as all others here, and rate limits never interrupt a command.
        return isInterruptible(fiber)
          ? Effect.sync(() => {
            isOver = true
            isAsking = false
            stop()
          })
          : undefined
      })
    })

  const call: Connection["call"] = (command, ...args) => connection.call(command, ...args)

  const evaluate = (script: Script, keys: ReadonlyArray<string>, args: ReadonlyArray<string>): Promise<unknown> => {
    const counted = [keys.length, ...keys, ...args]
    const whole = () => call("EVAL", script.source, ...counted)
    if (script.sha === undefined) {
      return call("SCRIPT", "LOAD", script.source).then((sha) => {
        script.sha = String(sha)
        return call("EVALSHA", script.sha, ...counted)
      }).catch((error: unknown) => isUnknownScript(error) ? whole() : Promise.reject(error))
    }
    // A script that the server does not know has done nothing, so it may be sent again.
    return call("EVALSHA", script.sha, ...counted).catch((error: unknown) =>
      isUnknownScript(error) ? whole() : Promise.reject(error)
    )
  }

  return {
    command: (name, ...args) => send(() => call(name, ...args)),
    run: (script, keys, args) => send(() => evaluate(script, keys, args)),
    takeProblem: problems.take
  }
}
