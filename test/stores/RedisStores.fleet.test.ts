import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, it } from "@effect/vitest"
import * as Simulator from "effect-llm/testing/Simulator"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { type ChildProcess, fork } from "node:child_process"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll } from "vitest"
import { suiteWithRedis } from "../support/redisServer.js"
import type { Job, Report } from "./fleet/job.js"

const size = 4

/** Far beyond what a quiet machine needs: 10 seconds for all tests of this file. */
const deadline = 100_000
const timeout = 110_000
/** The pauses of a busy machine, in milliseconds. */
const late = 20_000

// ---------------------------------------------------------------------------------------------------------------------
// The fleet
// ---------------------------------------------------------------------------------------------------------------------

interface Member {
  readonly child: ChildProcess
  /** The next report. */
  readonly next: () => Promise<Report>
}

const startMember = (): Member => {
  const child = fork(fileURLToPath(new URL("fleet/member.ts", import.meta.url)), {
    execArgv: ["--import", "tsx"],
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  })
  const reports: Array<Report> = []
  const waiting: Array<(report: Report) => void> = []
  child.on("message", (report: Report) => {
    const wake = waiting.shift()
    if (wake === undefined) reports.push(report)
    else wake(report)
  })
  return {
    child,
    next: () => {
      const report = reports.shift()
      return report === undefined ? new Promise((resume) => waiting.push(resume)) : Promise.resolve(report)
    }
  }
}

/** A request, as the service saw it. Times are in milliseconds. */
interface Seen {
  readonly member: number
  readonly at: number
  /** Those that the service charged for it. */
  tokens: number
}

const tokensOf = (chunk: unknown): number => {
  const text = Buffer.isBuffer(chunk) || chunk instanceof Uint8Array ? Buffer.from(chunk).toString() : String(chunk)
  return Number(/"total_tokens":\s*(\d+)/.exec(text)?.[1] ?? 0)
}

/** The requests that came to the service, and how many at a time. */
class Counter {
  readonly seen: Array<Seen> = []
  inFlight = 0
  mostInFlight = 0
  private readonly waiting: Array<{ readonly holds: () => boolean; readonly resume: () => void }> = []

  readonly note = (request: IncomingMessage, response: ServerResponse): void => {
    const member = Number(/key-of-(\d+)/.exec(request.headers.authorization ?? "")?.[1])
    const seen = { member, at: performance.now(), tokens: 0 }
    this.seen.push(seen)
    const send = response.end.bind(response)
    response.end = ((...args: [unknown]) => {
      seen.tokens = tokensOf(args[0])
      return send(...args)
    }) as typeof response.end
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight)
    let isOver = false
    const end = () => {
      if (!isOver) this.inFlight--
      isOver = true
    }
    // Before its client can have it.
    response.on("prefinish", end)
    response.on("close", end)
    for (const { holds, resume } of this.waiting) if (holds()) resume()
  }

  private until(holds: () => boolean): Promise<void> {
    return holds() ? Promise.resolve() : new Promise((resume) => this.waiting.push({ holds, resume }))
  }

  /** Waits until so many have come. */
  readonly reached = (count: number): Promise<void> => this.until(() => this.seen.length >= count)

  /** Waits until so many more have come from each member. */
  readonly reachedByEach = (members: number, count: number): Promise<void> => {
    const before = this.seen.length
    return this.until(() => {
      const counts = new Array<number>(members).fill(0)
      for (const { member } of this.seen.slice(before)) counts[member]!++
      return counts.every((each) => each >= count)
    })
  }

  /** From a moment on, no more have come at any time than a bucket lets through that was full then. */
  readonly keepsTo = (from: number, burst: number, perSecond: number, until = Infinity): void =>
    this.keeps(() => 1, from, burst, perSecond, until)

  /** The same of tokens: those of the answers, by the moments when their requests came. */
  readonly keepsToTokens = (from: number, burst: number, perSecond: number): void => {
    assert.isTrue(this.seen.every(({ tokens }) => tokens > 0))
    this.keeps(({ tokens }) => tokens, from, burst, perSecond, Infinity)
  }

  /**
   * While all members wait, each has its turns: from when the last one has begun until the first one has ended. A fifth
   * of its fair part is far from starving, and a busy machine gives it that.
   */
  readonly starvesNone = (members: number): void => {
    const own = Array.from(
      { length: members },
      (_, member) => this.seen.flatMap((seen, at) => seen.member === member ? [at] : [])
    )
    const [first, last] = [Math.max(...own.map((all) => all.at(0)!)), Math.min(...own.map((all) => all.at(-1)!))]
    assert.isAbove(last - first, 100)
    for (const [member, all] of own.entries()) {
      const count = all.filter((at) => at >= first && at <= last).length
      const least = (last - first) / members / 5
      assert.isAbove(count, least, `of ${last - first} requests, member ${member} made ${count}`)
    }
  }

  private keeps(amount: (seen: Seen) => number, from: number, burst: number, perSecond: number, until: number): void {
    let sum = 0
    for (const seen of this.seen) {
      if (seen.at < from || seen.at >= until) continue
      sum += amount(seen)
      const most = burst + (seen.at - from) / 1_000 * perSecond
      assert.isAtMost(sum, most + 1, `${sum} within ${Math.round(seen.at - from)} ms`)
    }
  }
}

suiteWithRedis("a fleet of processes with limits in Redis", (redis) => {
  let members: Array<Member> = []
  let counter = new Counter()
  let url = ""
  let latency: "10 millis" | "30 millis" | "1 hour" = "30 millis"
  const scope = Effect.runSync(Scope.make())

  /** A service that takes a while. */
  const serve = async () => {
    counter = new Counter()
    const own = await Effect.runPromise(Scope.fork(scope, ExecutionStrategy.sequential))
    const server = createServer()
    server.on("request", (request, response) => counter.note(request, response))
    const context = await Effect.runPromise(Scope.extend(
      Layer.build(
        Simulator.layer({ latency }).pipe(
          Layer.provide(NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0 }))
        )
      ),
      own
    ))
    url = await Effect.runPromise(Effect.provide(Effect.map(Simulator.Simulator, ({ url }) => url), context))
  }

  beforeAll(async () => {
    members = Array.from({ length: size }, startMember)
    await Promise.all(members.map(({ next }) => next()))
  }, 240_000)

  afterAll(async () => {
    for (const { child } of members) child.kill("SIGKILL")
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  let accounts = 0

  /** Lets members begin together, and gives the moment when they did. */
  const begin = async (chosen: ReadonlyArray<Member>, job: Omit<Job, "member" | "service" | "store">, store = {}) => {
    const account = `${++accounts}`
    chosen.forEach(({ child }) =>
      child.send(
        {
          ...job,
          member: members.findIndex((member) => member.child === child),
          service: url,
          store: {
            connection: redis.server().url,
            account,
            localShare: 1 / size,
            // Longer than in a program, for a machine that has other things to do.
            commandTimeout: 1_000,
            ...store
          }
        } satisfies Job
      )
    )
    await Promise.all(chosen.map(({ next }) => next()))
    const from = performance.now()
    for (const { child } of chosen) child.send("go")
    return from
  }

  const done = async (chosen: ReadonlyArray<Member>) =>
    (await Promise.all(chosen.map(({ next }) => next()))).flatMap((report) => report._tag === "Done" ? [report] : [])

  it(
    "of 250 calls each at once keeps to the limits of requests, tokens and concurrency, and none starves",
    async () => {
      latency = "30 millis"
      await serve()
      const limits = { requestsPerMinute: 12_000, tokensPerMinute: 180_000, sharedConcurrency: 24, burst: 1_000 }
      // No pause of a busy machine counts as an outage, in which each member would keep to its own share.
      const from = await begin(members, { prompts: 250, deadline, limits }, { commandTimeout: 10_000 })
      const reports = await done(members)
      assert.deepStrictEqual(reports.map(({ answered, errors }) => ({ answered, errors })), [
        ...Array.from({ length: size }, () => ({ answered: 250, errors: {} }))
      ])
      assert.strictEqual(counter.seen.length, 1_000)
      counter.keepsTo(from, 200, 200)
      assert.isAtMost(counter.mostInFlight, 24)
      counter.keepsToTokens(from, 3_000, 3_000)
      counter.starvesNone(size)
    },
    timeout
  )

  it("keeps to its shares while Redis is down, and each call ends within its deadline", async () => {
    latency = "10 millis"
    await serve()
    const limits = { requestsPerMinute: 6_000, sharedConcurrency: 40, burst: 1_000 }
    const from = await begin(members, { prompts: 90, deadline, limits })
    const ended = done(members)
    await Promise.race([counter.reached(120), ended])
    await redis.server().stop()
    const down = performance.now()
    // More than a member had leave to ask before: by now it has found out.
    await Promise.race([counter.reachedByEach(size, 20), ended])
    const until = performance.now()
    await redis.server().start()
    const reports = await ended
    for (const { answered, errors, longest, unavailable } of reports) {
      assert.deepStrictEqual({ answered, errors }, { answered: 90, errors: {} })
      assert.isBelow(longest, deadline)
      assert.isAbove(unavailable, 0)
    }
    // The shares of all are the limit, and nothing is saved up: as if Redis were there, but for one request of each.
    counter.keepsTo(from, 100 + size, 100, until)
    const inOutage = counter.seen.filter(({ at }) => at >= down && at < until).length
    assert.isAtMost(inOutage, 40 + (until - down) / 1_000 * 100 + size)
    assert.isAtMost(counter.mostInFlight, 40)
    // A Redis that has lost its data begins with full buckets.
    counter.keepsTo(from, 200 + size, 100)
  }, timeout)

  it(
    "ends each call within its deadline with an answer or a typed error, while Redis is killed and comes back",
    async () => {
      latency = "10 millis"
      await serve()
      const limits = { requestsPerMinute: 3_000, tokensPerMinute: 90_000, sharedConcurrency: 8, burst: 1_000 }
      // Too many for it, so that some are still waiting when it is over.
      const job = { prompts: 150, deadline: 6_000, limits }
      const from = await begin(members, job, { onUnavailable: "closed" })
      const ended = done(members)
      await Promise.race([counter.reached(80), ended])
      await redis.server().stop()
      // Long enough that members find out, and some of their calls end.
      await new Promise((resume) => setTimeout(resume, 500))
      await redis.server().start()
      for (const { answered, errors, longest } of await ended) {
        const { TimedOut: timedOut = 0, ...others } = errors
        assert.deepStrictEqual(others, {})
        assert.strictEqual(answered + timedOut, 150)
        assert.isBelow(longest, 6_000 + late)
      }
      assert.isTrue(counter.seen.every(({ at }) => at - from < 6_000 + late))
    },
    timeout
  )

  it(
    "of 250 calls each that borrows keeps to the limits of requests and tokens, on fewer trips, and none starves",
    async () => {
      latency = "30 millis"
      await serve()
      const limits = { requestsPerMinute: 6_000, tokensPerMinute: 150_000, burst: 5_000 }
      const before = await redis.scriptCalls()
      const from = await begin(members, { prompts: 250, deadline, limits }, { borrow: 500 })
      const reports = await done(members)
      assert.deepStrictEqual(reports.map(({ answered, errors }) => ({ answered, errors })), [
        ...Array.from({ length: size }, () => ({ answered: 250, errors: {} }))
      ])
      counter.keepsTo(from, 500, 100)
      counter.keepsToTokens(from, 12_500, 2_500)
      counter.starvesNone(size)
      assert.isBelow(await redis.scriptCalls() - before, 1_000)
    },
    timeout
  )

  it("gives up at once what a process held that was killed: its permits are free within the lease", async () => {
    latency = "1 hour"
    await serve()
    const [first, second] = members
    const limits = { sharedConcurrency: 4 }
    const lease = { leaseTime: 2_000, account: "lease" }
    await begin([first!], { prompts: 4, deadline: 60_000, limits }, lease)
    await counter.reached(4)
    await begin([second!], { prompts: 4, deadline: 60_000, limits }, lease)
    const killed = performance.now()
    first!.child.kill("SIGKILL")
    await counter.reached(8)
    const waited = performance.now() - killed
    assert.deepStrictEqual(counter.seen.map(({ member }) => member), [0, 0, 0, 0, 1, 1, 1, 1])
    assert.isBelow(waited, 2_000 + late)
  }, timeout)
})
