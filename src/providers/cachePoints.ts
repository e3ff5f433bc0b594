import type { CacheLifetime, LlmRequest } from "../domain/LlmRequest.js"
import type * as Message from "../domain/Message.js"
import type { Changes } from "./settings.js"
import * as Unsent from "./unsent.js"

/** The rules of a service for points up to which it caches a prompt. */
export interface Ability {
  /** The lifetimes that it takes, the shortest first. */
  readonly lifetimes: readonly [CacheLifetime, ...ReadonlyArray<CacheLifetime>]
  /** The lifetime of a point that has none. */
  readonly lifetime: CacheLifetime
  /** The number of points that it takes. */
  readonly most: number
  /** The least lifetime of the last point. If the service wants longer lifetimes first, those before are no shorter. */
  readonly descendingTo?: CacheLifetime | undefined
}

/** A conversation whose points the service takes. */
export interface Fitted {
  readonly messages: ReadonlyArray<Message.Message>
  readonly warnings: ReadonlyArray<string>
}

/** All lifetimes, the shortest first. */
const order: ReadonlyArray<CacheLifetime> = ["5m", "30m", "1h", "12h", "24h"]

const isLonger = (one: CacheLifetime, other: CacheLifetime): boolean => order.indexOf(one) > order.indexOf(other)

/** The lifetime that a service takes instead of the given one: the next shorter one, or else the shortest. */
export const round = (asked: CacheLifetime, taken: Ability["lifetimes"]): CacheLifetime =>
  taken.findLast((lifetime) => !isLonger(lifetime, asked)) ?? taken[0]

const hasPoint = ({ content }: Message.Message): boolean => content.some(({ _tag }) => _tag === "CachePoint")

/** Whether a conversation has points. */
export const areIn = (messages: ReadonlyArray<Message.Message>): boolean => messages.some(hasPoint)

type Replace = (point: Message.CachePoint) => Message.CachePoint | undefined

/** The conversation with other points, from the last one to the first. */
const mapPoints = (messages: ReadonlyArray<Message.Message>, f: Replace): ReadonlyArray<Message.Message> =>
  messages.toReversed().map((message) => {
    if (message.role !== "user" || !hasPoint(message)) return message
    const parts = message.content.toReversed().flatMap((part): ReadonlyArray<typeof part> => {
      if (part._tag !== "CachePoint") return [part]
      const point = f(part)
      return point === undefined ? [] : [point]
    })
    return { ...message, content: parts.toReversed() }
  }).toReversed()

/** The conversation without its points, for a service that `takesNone`, with a warning. */
export const without = (messages: ReadonlyArray<Message.Message>, takesNone: string): Fitted =>
  areIn(messages)
    ? {
      messages: mapPoints(messages, () => undefined),
      warnings: [`cache points were not sent: ${takesNone} takes none`]
    }
    : { messages, warnings: [] }

/** The conversation without its points, for a service that caches in its own way, or not at all. */
export const unsupported = (
  { promptCache = {} }: LlmRequest,
  messages: ReadonlyArray<Message.Message>,
  service: string,
  { omitted }: Changes
): Fitted => {
  const pointless = without(messages, service)
  // The service has refused it, which another warning says.
  if (omitted.has("promptCache")) return { messages: pointless.messages, warnings: [] }
  const settings = (["lifetime", "automatic", "key"] as const).filter((name) => promptCache[name] !== undefined)
  return {
    messages: pointless.messages,
    warnings: [
      ...settings.map((name) => Unsent.notTaken(`promptCache.${name}`, service)),
      ...pointless.warnings
    ]
  }
}

/** The conversation with as many points as a service takes, the last ones, and with lifetimes that it takes. */
export const fit = (
  messages: ReadonlyArray<Message.Message>,
  service: string,
  { descendingTo, lifetime: byDefault, lifetimes, most }: Ability
): Fitted => {
  if (!areIn(messages)) return { messages, warnings: [] }
  const warnings = new Set<string>()
  let count = 0
  let least = descendingTo
  const fitted = mapPoints(messages, (point) => {
    if (++count > most) {
      warnings.add(Unsent.notSent("a cache point", `${service} takes ${most}`))
      return undefined
    }
    const asked = point.lifetime ?? byDefault
    const rounded = round(asked, lifetimes)
    const lifetime = least !== undefined && isLonger(least, rounded) ? least : rounded
    if (point.lifetime !== undefined && lifetime !== asked) {
      warnings.add(
        lifetime === rounded
          ? Unsent.sentAs("a cache point's lifetime", lifetime, `${service} does not take ${asked}`)
          : Unsent.sentAs("a cache point's lifetime", lifetime, `${service} takes the longer ones first`)
      )
    }
    if (descendingTo !== undefined) least = lifetime
    return { ...point, lifetime }
  })
  return { messages: fitted, warnings: [...warnings] }
}

/** A part of a user's message that has content. */
export type Content = Exclude<Message.UserMessage["content"][number], Message.CachePoint>

/** The parts of a message, and the points after them. */
export interface Pointed {
  /** The point before all parts: it belongs to what comes before the message. */
  readonly before: Message.CachePoint | undefined
  readonly parts: ReadonlyArray<{ readonly part: Content; readonly point: Message.CachePoint | undefined }>
}

/** Gives each point of a message to the part before it. */
export const pointed = ({ content }: Message.UserMessage): Pointed => {
  const parts: Array<{ readonly part: Content; point: Message.CachePoint | undefined }> = []
  let before: Message.CachePoint | undefined
  for (const part of content) {
    const last = parts.at(-1)
    if (part._tag !== "CachePoint") parts.push({ part, point: undefined })
    else if (last === undefined) before = part
    else last.point = part
  }
  return { before, parts }
}

/**
 * The objects of a conversation with a mark on the last one that can have one: `mark` gives `undefined` for others. Gives
 * `undefined` if there is none.
 */
export const markLast = <A>(
  objects: ReadonlyArray<A>,
  mark: (object: A) => A | undefined
): Array<A> | undefined => {
  for (let index = objects.length - 1; index >= 0; index--) {
    const object = objects[index]
    const marked = object === undefined ? undefined : mark(object)
    if (marked !== undefined) return objects.with(index, marked)
  }
  return undefined
}

/** A conversation as objects of the wire format. */
export interface Encoded<A> {
  readonly objects: ReadonlyArray<A>
  /** A point that has no object before it to end. */
  readonly point: Message.CachePoint | undefined
}

/**
 * Encodes the messages of a conversation one by one. A point at the beginning of a message marks the last object before it
 * that can have a mark: `mark` gives `undefined` for others. Those in `before` come first.
 */
export const encodeEach = <A>(
  messages: ReadonlyArray<Message.Message>,
  encode: (message: Message.Message) => ReadonlyArray<A>,
  mark: (object: A, point: Message.CachePoint) => A | undefined,
  before: ReadonlyArray<A> = []
): Encoded<A> => {
  let objects = [...before]
  let unplaced: Message.CachePoint | undefined
  for (const message of messages) {
    const point = message.role === "user" ? pointed(message).before : undefined
    if (point !== undefined) {
      const marked = markLast(objects, (object) => mark(object, point))
      if (marked === undefined) unplaced = point
      else objects = marked
    }
    for (const object of encode(message)) objects.push(object)
  }
  return { objects, point: unplaced }
}
