import type * as Policies from "./policies.js"
import type * as Timeline from "./timeline.js"

// The data for the page, as JSON.

/** A part of a message, in the form of the conventions' schema of messages. */
export interface Part {
  readonly type: string
  readonly [field: string]: unknown
}

/** A message, in the form of the conventions' schema of messages. */
export interface Message {
  readonly role: string
  readonly parts: ReadonlyArray<Part>
}

/** Messages, as far as they are kept. */
export interface Request {
  readonly messages: ReadonlyArray<Message>
  readonly isCut: boolean
  readonly preview: string
}

/** An answer, as far as it is kept. */
export type Answer = Request

/** A line of the log. */
export interface Event {
  readonly at: number
  readonly name: string
  readonly level: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** A call in the list. */
export interface Call extends Omit<Timeline.Call, "queueOf"> {
  readonly number: number
  /** The beginnings of the prompt and the answer, if they are kept. */
  readonly prompt: string | undefined
  readonly answer: string | undefined
}

/** All of a call. */
export interface Detail {
  readonly call: Call
  readonly events: ReadonlyArray<Event>
  readonly omittedEvents: number
  readonly request: Request | undefined
  readonly answer: Answer | undefined
}

/** The changes. */
export interface Update {
  /** The moment of the update, in the time of events. */
  readonly now: number
  /** The number of the first call that is still kept. */
  readonly first: number
  readonly revision: number
  readonly calls: ReadonlyArray<Call>
  readonly policies: {
    readonly circuits: ReadonlyArray<Policies.Circuit>
    readonly budgets: ReadonlyArray<Policies.Budget>
    readonly limits: ReadonlyArray<Policies.RateLimit>
    readonly stores: ReadonlyArray<Policies.Store>
  } | undefined
  /** The sums of all calls since the start, including those that are no longer kept. */
  readonly totals: {
    readonly calls: number
    readonly failed: number
    readonly bill: Timeline.Bill
  }
  /** Whether prompts and answers are kept. */
  readonly hasContent: boolean
}
