import * as Queue from "./queue.js"

/** More keys than most programs have; beyond it the least recently used is forgotten, if it is empty. */
const maxQueues = 1_000

/** An empty queue is forgotten after this time without a request, in milliseconds. */
const idleTime = 600_000

/** The queues of all keys. Times are elapsed milliseconds. */
export interface Queues {
  /** The queue of a key; a new one is made with the settings of a model. */
  readonly get: (key: string, model: string, now: number) => Queue.Queue
  readonly size: () => number
}

/** Begins without queues. */
export const make = (makeQueue: (key: string, model: string) => Queue.Queue): Queues => {
  // The least recently used first.
  const queues = new Map<string, Queue.Queue>()

  /** Each new key checks two queues, so that their number falls as fast as it rose. */
  const forgetIdle = (now: number): void => {
    for (let i = 0; i < 2; i++) {
      const [oldest] = queues.values()
      if (oldest === undefined) return
      const isFull = queues.size >= maxQueues
      if (!isFull && now - oldest.usedAt < idleTime) return
      queues.delete(oldest.key)
      const isOver = Queue.isEmpty(oldest) && (isFull || now >= oldest.pausedUntil)
      if (!isOver) queues.set(oldest.key, oldest)
    }
  }

  return {
    get: (key, model, now) => {
      const found = queues.get(key)
      if (found === undefined) forgetIdle(now)
      else queues.delete(key)
      const queue = found ?? makeQueue(key, model)
      queue.usedAt = now
      queues.set(key, queue)
      return queue
    },
    size: () => queues.size
  }
}
