import type * as LlmEvent from "../domain/LlmEvent.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import { shortened } from "../internal/boundedText.js"
import * as LlmLogger from "../LlmLogger.js"
import * as Content from "../telemetry/content.js"
import { attributes } from "../telemetry/conventions.js"
import * as Policies from "./policies.js"
import * as Timeline from "./timeline.js"
import type * as View from "./view.js"

/** The bounds of a journal. */
export interface Settings {
  readonly maxCalls: number
  readonly maxBytes: number
  /** Options for keeping prompts and answers. Absent: they are not kept. */
  readonly content: Content.Content | undefined
}

/** The last calls, and the sums of all calls. */
export interface Journal {
  readonly record: (stamped: Timeline.Stamped) => void
  /** The number of the last change. */
  readonly revision: () => number
  /** The changes since that one; all of them since 0. */
  readonly changes: (since: number, now: number) => View.Update
  /** Everything that is still kept of a call. */
  readonly detail: (number: number) => View.Detail | undefined
}

/** A call with its events and texts, as far as they are kept. */
interface Entry {
  /** Its place in the order in which calls came. */
  readonly number: number
  call: Timeline.Call
  readonly events: Array<View.Event>
  omittedEvents: number
  request: View.Request | undefined
  answer: View.Answer | undefined
  bytes: number
  revision: number
}

/** The most events of a call. */
const maxEvents = 300

/** The approximate bytes of a call besides its events and texts, and of an event besides its texts. */
const overhead = { call: 2_000, event: 300 }

/** The bytes that an engine needs for a character of a text. */
const bytesOf = (length: number): number => 2 * length

/** The longest beginning of a text that is shown beside a bar. */
const maxPreview = 160

/** The fields that belong to the call, and not to one of its events. */
const common: ReadonlySet<string> = new Set(["model", "provider", "call_id"])

const eventOf = ({ at, event }: Timeline.Stamped): View.Event => {
  const { fields, level, name } = LlmLogger.format(event)
  const own = Object.entries(fields).filter(([key]) => !common.has(key) && !Object.hasOwn(event.tags ?? {}, key))
  return { at, name, level, fields: Object.fromEntries(own) }
}

const parsed = <A>(json: unknown): ReadonlyArray<A> => typeof json === "string" ? JSON.parse(json) : []

const previewOf = (messages: ReadonlyArray<View.Message>): string => {
  const texts = messages.at(-1)?.parts.flatMap(({ content }) => typeof content === "string" ? [content] : []) ?? []
  return shortened(texts.join(" ").slice(0, 4 * maxPreview).replace(/\s+/g, " ").trim(), maxPreview)
}

/** The length of a kept value as JSON. */
const lengthOf = (value: unknown): number => JSON.stringify(value)?.length ?? 0

const requestOf = (content: Content.Content, request: LlmRequest): View.Request => {
  const known = Content.ofRequest(content, request)
  const messages = parsed<View.Message>(known[attributes.inputMessages])
  const instructions = parsed<View.Part>(known[attributes.systemInstructions])
  return {
    messages: instructions.length === 0 ? messages : [{ role: "system", parts: instructions }, ...messages],
    isCut: known[attributes.contentCut] === true,
    preview: previewOf(messages)
  }
}

const answerOf = (content: Content.Content, response: LlmResponse): View.Answer => {
  const known = Content.ofResponse(content, response)
  const messages = parsed<View.Message>(known[attributes.outputMessages])
  return { messages, isCut: known[attributes.contentCut] === true, preview: previewOf(messages) }
}

/** The id in the events of a call before it joined the run of another one. */
const idOf = (event: LlmEvent.LlmEvent): string | undefined =>
  event._tag === "CallShared" ? event.followerId ?? event.callId : event.callId

/** Makes an empty journal. */
export const make = ({ content, maxBytes, maxCalls }: Settings): Journal => {
  const entries = new Map<string, Entry>()
  let policies = Policies.empty
  let policiesRevision = 0
  let revision = 0
  let calls = 0
  let failed = 0
  let bill: Timeline.Bill = {}
  let bytes = 0

  const begin = (id: string, stamped: Timeline.Stamped): Entry | undefined => {
    const call = Timeline.begin(id, stamped)
    if (call === undefined) return undefined
    const entry: Entry = {
      number: ++calls,
      call,
      events: [],
      omittedEvents: 0,
      request: undefined,
      answer: undefined,
      bytes: overhead.call,
      revision
    }
    bytes += overhead.call
    entries.set(id, entry)
    return entry
  }

  const grow = (entry: Entry, by: number): void => {
    entry.bytes += by
    bytes += by
  }

  const keepEvent = (entry: Entry, stamped: Timeline.Stamped): void => {
    if (entry.events.length >= maxEvents) {
      entry.omittedEvents++
      return
    }
    const event = eventOf(stamped)
    entry.events.push(event)
    grow(entry, overhead.event + bytesOf(lengthOf(event)))
  }

  const keepContent = (entry: Entry, event: LlmEvent.LlmEvent): void => {
    if (content === undefined) return
    if ("request" in event && event.request !== undefined) {
      const before = bytesOf(lengthOf(entry.request))
      entry.request = requestOf(content, event.request)
      grow(entry, bytesOf(lengthOf(entry.request)) - before)
    }
    if (event._tag === "CallOk" || event._tag === "CacheHit") {
      const before = bytesOf(lengthOf(entry.answer))
      entry.answer = answerOf(content, event.response)
      grow(entry, bytesOf(lengthOf(entry.answer)) - before)
    }
  }

  /** The oldest calls go first, even if they are still under way. */
  const forget = (): void => {
    for (const [id, entry] of entries) {
      if (entries.size <= maxCalls && bytes <= maxBytes) return
      entries.delete(id)
      bytes -= entry.bytes
    }
  }

  const record: Journal["record"] = (stamped) => {
    const { event } = stamped
    revision++
    const changed = Policies.step(policies, stamped)
    if (changed !== policies) {
      policies = changed
      policiesRevision = revision
    }
    if (event._tag === "CallOk") bill = Timeline.billed(bill, event)
    if (event._tag === "CallGaveUp") failed++
    const id = idOf(event)
    if (id === undefined) return
    const known = entries.get(id)
    const entry = known ?? begin(id, stamped)
    if (entry === undefined) return
    if (known !== undefined) known.call = Timeline.step(known.call, stamped)
    entry.revision = revision
    keepEvent(entry, stamped)
    keepContent(entry, event)
    forget()
  }

  const viewOf = ({ answer, call, number, request }: Entry): View.Call => {
    const { queueOf: _, ...known } = call
    return { ...known, number, prompt: request?.preview, answer: answer?.preview }
  }

  const first = (): number => {
    const [oldest] = entries.values()
    return oldest?.number ?? calls + 1
  }

  return {
    record,
    revision: () => revision,
    changes: (since, now) => ({
      now,
      first: first(),
      revision,
      calls: Array.from(entries.values()).filter((entry) => entry.revision > since || since === 0).map(viewOf),
      policies: policiesRevision > since || since === 0
        ? {
          circuits: Array.from(policies.circuits.values()),
          budgets: Array.from(policies.budgets.values()),
          limits: Array.from(policies.limits.values()),
          stores: Array.from(policies.stores.values())
        }
        : undefined,
      totals: { calls, failed, bill },
      hasContent: content !== undefined
    }),
    detail: (number) => {
      for (const entry of entries.values()) {
        if (entry.number === number) {
          const { answer, events, omittedEvents, request } = entry
          return { call: viewOf(entry), events, omittedEvents, request, answer }
        }
      }
      return undefined
    }
  }
}
