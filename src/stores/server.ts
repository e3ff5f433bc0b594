import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Elapsed from "../runtime/elapsed.js"
import { clockOf } from "../runtime/forkNow.js"
import { setTimer } from "../runtime/timer.js"
import { makeProblems, Unavailable } from "./unavailable.js"

/**
 * Sends a request, and calls back with its outcome, which fails with one line without secrets. The result, if any, ends
 * the request when its time has passed.
 */
export type Send<A> = (
  fiber: Fiber.RuntimeFiber<unknown, unknown>,
  ended: (outcome: Exit.Exit<A, string>) => void
) => (() => void) | void

/** A server that several processes share, and that may be away. */
export interface Server {
  /**
   * Waits for the outcome of a request, within the time limit. After a failure nothing is sent for a while; then one
   * request at a time finds out whether the server is back.
   *
   * An interrupted caller leaves its request behind, whose outcome still shows whether the server answers.
   */
  readonly ask: <A>(send: Send<A>) => Effect.Effect<A, Unavailable>
  /** The failure that has not been reported yet, once. */
  readonly takeProblem: () => string | undefined
}

/** The limits of the waits for a server. */
export interface Options {
  /** The longest wait for an answer: milliseconds. */
  readonly commandTimeout: number
  /** The time for which a server that failed is not asked: milliseconds. */
  readonly retryAfter: number
  /** The reason why nothing can be sent now, if there is one. */
  readonly obstacle?: () => string | undefined
  /** Runs when the server answers again. */
  readonly onReturn?: () => void
}

/**
 * The end of the time for an answer is counted by itself, as a process that was busy reads its sockets only after its
 * timers: without it, answers that came in the meantime would be too late. In milliseconds.
 */
const lastLook = 1

/** Begins with a server that answers. */
export const make = ({ commandTimeout, obstacle, onReturn, retryAfter }: Options): Server => {
  const problems = makeProblems()
  let failure: string | undefined
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
    onReturn?.()
  }

  return {
    ask: <A>(send: Send<A>) =>
      Effect.withFiberRuntime((fiber: Fiber.RuntimeFiber<A, Unavailable>) => {
        const clock = clockOf(fiber)
        if (failure !== undefined) {
          if (isAsking || Elapsed.unsafeNow(clock) < askAgainAt) {
            return Effect.fail(new Unavailable({ problem: failure, wasSent: false }))
          }
          isAsking = true
        }
        const problem = obstacle?.()
        if (problem !== undefined) {
          failed(Elapsed.unsafeNow(clock), problem)
          return Effect.fail(new Unavailable({ problem, wasSent: false }))
        }
        return Effect.async<A, Unavailable>((resume) => {
          let isOver = false
          const ended = (outcome: Exit.Exit<A, string>): void => {
            if (isOver) return
            isOver = true
            stop()
            if (Exit.isSuccess(outcome)) {
              answered()
              return resume(Effect.succeed(outcome.value))
            }
            const problem = Cause.failureOption(outcome.cause)
            if (Option.isSome(problem)) failed(Elapsed.unsafeNow(clock), problem.value)
            else isAsking = false
            resume(Effect.mapError(outcome, (problem) => new Unavailable({ problem, wasSent: true })))
          }
          const expired = () => {
            ended(Exit.fail(`no answer within ${commandTimeout} ms`))
            abandon?.()
          }
          let stop = setTimer(fiber, Math.max(0, commandTimeout - lastLook), () => {
            stop = setTimer(fiber, lastLook, expired)
          })
          const abandon = send(fiber, ended)
        })
      }),
    takeProblem: problems.take
  }
}
