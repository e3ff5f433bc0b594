import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"

/**
 * What comes bit by bit, for one reader. The reader looks at it, and waits in a way of its own where nothing is there:
 * so it can end its wait without a fiber that is to be interrupted. What came while nobody waited is there the next time.
 */
export interface Feed<Taken> {
  /** Takes what is there; `undefined` where that is nothing yet. */
  readonly take: () => Taken | undefined
  /**
   * Calls back once, as soon as it is worth to look again: at once, where something has come since the reader looked.
   */
  readonly whenReady: (wake: () => void) => void
  /** Nobody will look any more. */
  readonly stop: Effect.Effect<void>
}

/** Takes what is there, as soon as something is. */
export const next = <A, E>(feed: Feed<Effect.Effect<A, E>>): Effect.Effect<A, E> => {
  const look: Effect.Effect<A, E> = Effect.suspend(() =>
    feed.take() ?? Effect.async<A, E>((resume) => feed.whenReady(() => resume(look)))
  )
  return look
}

/**
 * Has a fiber draw from an effect until that gives `undefined` or fails, each time when the reader wants it and not ahead.
 * It ends with the scope.
 */
export const draw = <A, E, R>(
  source: Effect.Effect<A | undefined, E, R>
): Effect.Effect<Feed<Exit.Exit<A | undefined, E>>, never, R | Scope.Scope> =>
  Effect.suspend(() => {
    let drawn: Exit.Exit<A | undefined, E> | undefined
    let wake: (() => void) | undefined
    let want: (() => void) | undefined

    const wanted = Effect.async<void>((resume) => {
      if (wake !== undefined) return resume(Effect.void)
      want = () => resume(Effect.void)
    })

    const goesOn = (exit: Exit.Exit<A | undefined, E>) => Exit.isSuccess(exit) && exit.value !== undefined

    const draws: Effect.Effect<void, never, R> = Effect.flatMap(
      Effect.zipRight(wanted, Effect.exit(source)),
      (exit) => {
        drawn = exit
        wake?.()
        wake = undefined
        return goesOn(exit) ? draws : Effect.void
      }
    )

    return Effect.map(Effect.forkScoped(draws), (fiber) => ({
      take: () => {
        const taken = drawn
        // An end stays one.
        if (taken !== undefined && goesOn(taken)) drawn = undefined
        return taken
      },
      whenReady: (callback) => {
        if (drawn !== undefined) return callback()
        wake = callback
        want?.()
        want = undefined
      },
      stop: Effect.asVoid(Fiber.interrupt(fiber))
    }))
  })
