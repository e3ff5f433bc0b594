import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as FiberRefs from "effect/FiberRefs"
import { clockOf, schedule, start } from "./fiber.js"

/** How long somebody waits for a flight. */
export interface Patience<E> {
  /** Until when, in epoch milliseconds. */
  readonly deadline: number
  /** The failure of a caller whose deadline has passed; the flight goes on for the others. Default: nobody stops it. */
  readonly onDeadline?: (() => E) | undefined
}

/**
 * Work that belongs to all who wait for it: the one who began it may leave, and the last one who leaves aborts it.
 *
 * It has a fiber of its own, and can be taken out of it: what takes too long is interrupted there, and what is to be done
 * instead goes on in another one. So a part of the work can be given its time without a fiber besides.
 */
export class Flight<A, E> {
  private readonly fiberRefs: FiberRefs.FiberRefs
  private context: Context.Context<never>
  private readonly waiting = new Set<(exit: Exit.Exit<A, E>) => void>()
  /** Absent while the work runs without having waited for anything yet. */
  private fiber: Fiber.RuntimeFiber<A, E> | undefined
  private detour: Effect.Effect<A, E> | undefined
  private exit: Exit.Exit<A, E> | undefined
  private isLeft = false
  private watch: (() => () => void) | undefined
  private unwatch: (() => void) | undefined
  private onEnd: ((exit: Exit.Exit<A, E>) => void) | undefined

  constructor(
    /** Who began it. */
    readonly owner: Fiber.RuntimeFiber<unknown, unknown>,
    private latest: number,
    /** Told when it is over, or given up: by then nobody must join it any more. */
    private readonly onOver: () => void = () => {}
  ) {
    this.fiberRefs = owner.getFiberRefs()
    this.context = owner.currentContext
  }

  /** Begins work that nobody else can join. To be run by the caller's fiber at once. */
  static alone<A, E>(
    caller: Fiber.RuntimeFiber<unknown, unknown>,
    patience: Patience<E>,
    work: (flight: Flight<A, E>) => Effect.Effect<A, E>
  ): Effect.Effect<A, E> {
    const flight = new Flight<A, E>(caller, patience.deadline)
    return flight.begin(work(flight), patience)
  }

  // -------------------------------------------------------------------------------------------------------------------
  // For those who wait
  // -------------------------------------------------------------------------------------------------------------------

  /** Begins the work, at once and on the spot, and waits for it. */
  begin(work: Effect.Effect<A, E>, patience: Patience<E>): Effect.Effect<A, E> {
    return this.goOn(work) ?? this.wait(this.owner, patience)
  }

  /** Waits for what another one began. */
  join(caller: Fiber.RuntimeFiber<unknown, unknown>, patience: Patience<E>): Effect.Effect<A, E> {
    this.latest = Math.max(this.latest, patience.deadline)
    return this.wait(caller, patience)
  }

  /** Interrupts it, whoever waits. */
  readonly abort: Effect.Effect<void> = Effect.suspend(() => {
    this.isLeft = true
    this.onOver()
    return this.fiber === undefined ? Effect.void : Effect.asVoid(Fiber.interrupt(this.fiber))
  })

  private wait(
    caller: Fiber.RuntimeFiber<unknown, unknown>,
    { deadline, onDeadline }: Patience<E>
  ): Effect.Effect<A, E> {
    return Effect.async((resume) => {
      // The caller may have made room for others before it came to wait.
      if (this.exit !== undefined) return resume(this.exit)
      const landed = (exit: Exit.Exit<A, E>): void => {
        stop?.()
        resume(exit)
      }
      const leave = Effect.suspend(() => {
        stop?.()
        this.waiting.delete(landed)
        return this.waiting.size > 0 ? Effect.void : this.abort
      })
      const stop = onDeadline && schedule(
        caller,
        Math.max(deadline - clockOf(caller).unsafeCurrentTimeMillis(), 0),
        () => resume(Effect.zipRight(leave, Effect.failSync(onDeadline)))
      )
      this.waiting.add(landed)
      return leave
    })
  }

  // -------------------------------------------------------------------------------------------------------------------
  // For the work itself
  // -------------------------------------------------------------------------------------------------------------------

  /** The latest moment (in epoch milliseconds) until which anybody who has asked for it is ready to wait. */
  readonly deadline = (): number => this.latest

  /**
   * Begins something as soon as the work waits, which may be now. What that gives ends it, when the work goes on to
   * something else or has ended. There is one at a time.
   */
  whenWaiting(watch: (() => () => void) | undefined): void {
    this.unwatch?.()
    this.unwatch = undefined
    this.watch = watch
    if (this.fiber !== undefined) this.waits()
  }

  /** Tells what came of the work, before those who wait for it are told. */
  whenOver(task: (exit: Exit.Exit<A, E>) => void): void {
    this.onEnd = task
  }

  /** Provides the work, before it begins, and what is done in its place, with a service. */
  provide<I, S>(tag: Context.Tag<I, S>, service: S): void {
    this.context = Context.add(this.context, tag, service)
  }

  /** What surrounded whoever began it. */
  getFiberRefs(): FiberRefs.FiberRefs {
    return this.fiberRefs
  }

  /** Interrupts the work and awaits its end; then this is done in its place, unless all have left, or it succeeded. */
  divert(detour: Effect.Effect<A, E>): void {
    this.detour = detour
    this.fiber?.unsafeInterruptAsFork(this.owner.id())
  }

  private waits(): void {
    const { watch } = this
    this.watch = undefined
    this.unwatch = watch?.()
  }

  private goOn(work: Effect.Effect<A, E>): Exit.Exit<A, E> | undefined {
    this.fiber = undefined
    const fiber = start(this, work, this.context)
    const exit = fiber.unsafePoll()
    if (exit !== null) return this.ended(exit)
    this.fiber = fiber
    fiber.addObserver((exit) => {
      this.ended(exit)
    })
    this.waits()
    return undefined
  }

  private ended(exit: Exit.Exit<A, E>): Exit.Exit<A, E> | undefined {
    const { detour } = this
    this.detour = undefined
    this.whenWaiting(undefined)
    if (detour !== undefined && !this.isLeft && Exit.isFailure(exit)) return this.goOn(detour)
    this.exit = exit
    this.onOver()
    this.onEnd?.(exit)
    for (const landed of this.waiting) landed(exit)
    return exit
  }
}
