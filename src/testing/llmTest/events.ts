import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as LlmError from "../../domain/LlmError.js"
import type * as LlmEvent from "../../domain/LlmEvent.js"
import * as LlmLogger from "../../LlmLogger.js"

const isOf = <const Tag extends LlmEvent.LlmEvent["_tag"]>(
  event: LlmEvent.LlmEvent,
  tag: Tag
): event is LlmEvent.EventOf<Tag> => event._tag === tag

const reasonOf = ({ reason }: LlmError.LlmError): string =>
  reason._tag === "TimedOut" ? `TimedOut(${reason.phase})` : reason._tag

/**
 * An event in a line, to be compared at a glance: its name, and where they apply the attempt, the reason and the wait
 * before the next attempt.
 *
 * @since 0.1.0
 * @category events
 */
export const eventLine = (event: LlmEvent.LlmEvent): string => {
  switch (event._tag) {
    case "CallStarted":
    case "CallOk":
      return `${event._tag} ${event.attempt}`
    case "CallFailed":
      return `CallFailed ${event.attempt} ${reasonOf(event.error)}${
        event.willRetry ? `, retry after ${Duration.format(event.delay ?? Duration.zero)}` : ""
      }`
    case "CallGaveUp":
      return `CallGaveUp ${event.attempts} ${reasonOf(event.error)}`
    case "CacheFailed":
      return `CacheFailed ${event.operation}`
    case "StoreUnavailable":
      return `StoreUnavailable ${event.store}`
    case "FellBack":
      return `FellBack ${event.to} ${event.error ? reasonOf(event.error) : event.answer?.finishReason}`
    default:
      return event._tag
  }
}

/**
 * The record of `layerLogger`.
 *
 * @since 0.1.0
 * @category models
 */
export interface EventsService {
  /** The reported events, in order. */
  readonly events: Effect.Effect<ReadonlyArray<LlmEvent.LlmEvent>>
  /** Waits for the first event for which a predicate holds. Events that were reported before count. */
  readonly awaitEvent: (predicate: (event: LlmEvent.LlmEvent) => boolean) => Effect.Effect<LlmEvent.LlmEvent>
}

/**
 * The record of `layerLogger`.
 *
 * @since 0.1.0
 * @category services
 */
export class Events extends Context.Tag("effect-llm/testing/LlmTest/Events")<Events, EventsService>() {}

/**
 * A logger that records each event and prints none.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Layer } from "effect"
 * import { LlmCache, LlmClient } from "effect-llm"
 * import { LlmTest } from "effect-llm/testing"
 *
 * const client = LlmClient.layer().pipe(
 *   Layer.provideMerge(Layer.mergeAll(LlmTest.layer(["Elbe"]), LlmTest.layerLogger, LlmCache.layerMemory()))
 * )
 * ```
 */
export const layerLogger: Layer.Layer<LlmLogger.LlmLogger | Events> = Layer.effectContext(Effect.sync(() => {
  const events: Array<LlmEvent.LlmEvent> = []
  const listeners = new Set<(event: LlmEvent.LlmEvent) => void>()

  const log: LlmLogger.Service["log"] = (event) =>
    Effect.sync(() => {
      events.push(event)
      for (const listener of listeners) listener(event)
    })

  const awaitEvent: EventsService["awaitEvent"] = (predicate) =>
    Effect.async((resume) => {
      const earlier = events.find(predicate)
      if (earlier !== undefined) return resume(Effect.succeed(earlier))
      const listener = (event: LlmEvent.LlmEvent): void => {
        if (!predicate(event)) return
        listeners.delete(listener)
        resume(Effect.succeed(event))
      }
      listeners.add(listener)
      return Effect.sync(() => listeners.delete(listener))
    })

  return Context.make(Events, { awaitEvent, events: Effect.sync(() => [...events]) }).pipe(
    Context.add(LlmLogger.LlmLogger, { log })
  )
}))

/**
 * The reported events, in order.
 *
 * @since 0.1.0
 * @category accessors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmTest } from "effect-llm/testing"
 *
 * const last = Effect.map(LlmTest.events, (events) => events.at(-1)?._tag)
 * ```
 */
export const events: Effect.Effect<ReadonlyArray<LlmEvent.LlmEvent>, never, Events> = Effect.flatMap(
  Events,
  (memory) => memory.events
)

/**
 * The reported events with a name, in order.
 *
 * @since 0.1.0
 * @category accessors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmTest } from "effect-llm/testing"
 *
 * const retries = LlmTest.eventsOf("CallFailed").pipe(
 *   Effect.map((failures) => failures.filter((failure) => failure.willRetry).length)
 * )
 * ```
 */
export const eventsOf = <const Tag extends LlmEvent.LlmEvent["_tag"]>(
  tag: Tag
): Effect.Effect<ReadonlyArray<LlmEvent.EventOf<Tag>>, never, Events> =>
  Effect.map(events, (all) => all.filter((event) => isOf(event, tag)))

/**
 * The number of reported events by name. A name that was not reported is absent.
 *
 * @since 0.1.0
 * @category accessors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmTest } from "effect-llm/testing"
 *
 * const failures = Effect.map(LlmTest.eventCounts, ({ CallFailed = 0 }) => CallFailed)
 * ```
 */
export const eventCounts: Effect.Effect<
  { readonly [Tag in LlmEvent.LlmEvent["_tag"]]?: number },
  never,
  Events
> = Effect.map(events, (all) => {
  const counts: { [Tag in LlmEvent.LlmEvent["_tag"]]?: number } = {}
  for (const { _tag } of all) counts[_tag] = (counts[_tag] ?? 0) + 1
  return counts
})

/**
 * Waits for the first event with a name for which the predicate holds. Events that were reported before count. Default:
 * any event with the name.
 *
 * @since 0.1.0
 * @category accessors
 * @example
 * ```ts
 * import { Effect, Fiber } from "effect"
 * import { LlmClient } from "effect-llm"
 * import { LlmTest } from "effect-llm/testing"
 *
 * // Interrupts a call while it waits for its second attempt.
 * const spec = Effect.gen(function*() {
 *   const call = yield* Effect.fork(LlmClient.call({ model: "gpt-4o-mini", prompt: "Name a river." }))
 *   yield* LlmTest.awaitEvent("CallFailed", ({ willRetry }) => willRetry)
 *   yield* Fiber.interrupt(call)
 * })
 * ```
 */
export const awaitEvent = <const Tag extends LlmEvent.LlmEvent["_tag"]>(
  tag: Tag,
  predicate: (event: LlmEvent.EventOf<Tag>) => boolean = () => true
): Effect.Effect<LlmEvent.EventOf<Tag>, never, Events> => {
  const wanted = (event: LlmEvent.LlmEvent): event is LlmEvent.EventOf<Tag> => isOf(event, tag) && predicate(event)
  return Effect.flatMap(Events, (memory) => memory.awaitEvent(wanted)).pipe(
    Effect.flatMap((event) => wanted(event) ? Effect.succeed(event) : Effect.never)
  )
}

/**
 * Each event in a line (`eventLine`), in order.
 *
 * @since 0.1.0
 * @category accessors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmTest } from "effect-llm/testing"
 * import assert from "node:assert/strict"
 *
 * const spec = Effect.map(LlmTest.eventLines, (lines) =>
 *   assert.deepEqual(lines, [
 *     "CacheMiss",
 *     "CallStarted 1",
 *     "CallFailed 1 Overloaded, retry after 1s",
 *     "CallStarted 2",
 *     "CallOk 2"
 *   ]))
 * ```
 */
export const eventLines: Effect.Effect<ReadonlyArray<string>, never, Events> = Effect.map(
  events,
  (all) => all.map(eventLine)
)
