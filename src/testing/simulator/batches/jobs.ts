import { sha256Hex } from "#sha256"
import type { Json } from "../protocol.js"
import type { Reply } from "./work.js"

/** A request of a batch, and its outcome. */
export interface Item {
  readonly id: string
  readonly reply: Reply
}

/** A batch. Moments are milliseconds since 1970. */
export interface Job {
  readonly id: string
  /** The service's own data about it. */
  readonly facts: Json
  readonly created: number
  readonly items: ReadonlyArray<Item>
  readonly cancelledAt: number | undefined
}

/** The fate of a request: open, its reply, or no reply. */
export type Fate = Exclude<Reply, "never"> | "pending" | "cancelled" | "expired"

/** The progress of a batch at a moment. */
export interface Progress {
  /** How it ended, if it has. */
  readonly end: "completed" | "cancelled" | "expired" | undefined
  readonly endsAt: number
  readonly items: ReadonlyArray<{ readonly id: string; readonly fate: Fate }>
}

/** The times of batches, in milliseconds. */
export interface Times {
  /** The duration of a batch: its requests end one after the other. */
  readonly takes: number
  /** How long it may take. */
  readonly window: number
}

/** The progress of a batch. One with a request that is never answered expires when all others have ended. */
export const progressOf = ({ cancelledAt = Infinity, created, items }: Job, times: Times, now: number): Progress => {
  const { takes, window } = times
  const wholeAt = created + Math.min(takes, window)
  const endsAt = Math.min(cancelledAt, wholeAt)
  const isWhole = takes <= window && items.every(({ reply }) => reply !== "never")
  const end = now < endsAt ? undefined : cancelledAt < wholeAt ? "cancelled" : isWhole ? "completed" : "expired"
  return {
    end,
    endsAt,
    items: items.map(({ id, reply }, index) => {
      const doneAt = created + (takes * (index + 1)) / items.length
      const isDone = reply !== "never" && doneAt <= Math.min(now, endsAt)
      return { id, fate: isDone ? reply : end === undefined ? "pending" : end === "cancelled" ? end : "expired" }
    })
  }
}

/** Whether a fate is a good answer. */
export const isAnswer = (fate: Fate): boolean => typeof fate === "object" && fate.status === 200

/** The number of requests with a kind of fate. */
export const count = ({ items }: Progress, of: (fate: Fate) => boolean): number =>
  items.filter(({ fate }) => of(fate)).length

/** The batches of a service. */
export interface Jobs {
  /** Adds a batch. Its id is made of a prefix and its number. */
  readonly add: (prefix: string, job: Omit<Job, "id" | "cancelledAt">) => Job
  readonly find: (id: string) => Job | undefined
  /** Cancels a batch, unless it has ended. */
  readonly cancel: (job: Job, now: number) => Job
  readonly remove: (job: Job) => void
  /** All, the newest first. */
  readonly all: () => ReadonlyArray<Job>
  readonly clear: () => void
}

/** The most batches that are kept. The oldest are dropped. */
const capacity = 1_000

/** A place for the batches of a service. */
export const make = (times: Times): Jobs => {
  const jobs = new Map<string, Job>()
  let made = 0
  return {
    add: (prefix, { created, facts, items }) => {
      const id = prefix + sha256Hex(`batch ${made++}`).slice(0, 24)
      const job: Job = { id, facts, created, items, cancelledAt: undefined }
      jobs.set(id, job)
      for (const oldest of jobs.keys()) {
        if (jobs.size <= capacity) break
        jobs.delete(oldest)
      }
      return job
    },
    find: (id) => jobs.get(id),
    cancel: (job, now) => {
      if (progressOf(job, times, now).end !== undefined) return job
      const cancelled = { ...job, cancelledAt: now }
      jobs.set(job.id, cancelled)
      return cancelled
    },
    remove: ({ id }) => {
      jobs.delete(id)
    },
    all: () => [...jobs.values()].reverse(),
    clear: () => jobs.clear()
  }
}

/** A page of a list: at most `limit` members after one of them. */
export const pageOf = (
  jobs: ReadonlyArray<Job>,
  after: unknown,
  limit: number
): { readonly page: ReadonlyArray<Job>; readonly hasMore: boolean } => {
  const from = jobs.findIndex(({ id }) => id === after) + 1
  return { page: jobs.slice(from, from + limit), hasMore: from + limit < jobs.length }
}
