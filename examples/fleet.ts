/**
 * Four processes share one limit and one budget over Redis. The service behind them, a simulator in this process, sees
 * how many requests there are a second and at a time. One process is killed in the middle: its permits come back.
 *
 *     REDIS_URL=redis://127.0.0.1:6379 npx tsx examples/fleet.ts
 *
 * Look at the requests a second and at a time, as the service has seen them: within the limits of all four together.
 */
import { NodeHttpClient, NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Cause, Console, Context, Data, Duration, Effect, Exit, Layer, Option, Redacted, Stream } from "effect"
import { Budget, LlmCache, LlmClient, type LlmError, LlmLogger, OpenAiChat, RateLimit } from "effect-llm"
import * as RedisStores from "effect-llm/RedisStores"
import { Simulator } from "effect-llm/testing"
import { Redis } from "ioredis"
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:http"
import { fileURLToPath } from "node:url"

const connection = process.env["REDIS_URL"] ?? "redis://127.0.0.1:6379"

const processes = 4
const callsEach = 100

const limits = { requestsPerMinute: 1_800, sharedConcurrency: 6, burst: "1 second" } as const
const budget = { scope: "fleet", tokens: 6_000 } as const

// ---------------------------------------------------------------------------------------------------------------------
// A process of the fleet
// ---------------------------------------------------------------------------------------------------------------------

/** The ends of a process's calls. */
interface Counts {
  readonly answered: number
  /** The budget has too little left. */
  readonly refused: number
  /** The budget could not be asked. */
  readonly unchecked: number
  readonly failed: number
}

/** All that a program needs to share: two layers, the same in each process. */
const shared = (account: string) =>
  Layer.mergeAll(
    RedisStores.layerRateLimits({ connection, account, localShare: 1 / processes, leaseTime: "2 seconds" }),
    RedisStores.layerBudgets({ connection, account })
  )

const endOf = (result: Exit.Exit<unknown, LlmError.LlmError>): keyof Counts => {
  if (Exit.isSuccess(result)) return "answered"
  const error = Option.getOrUndefined(Cause.failureOption(result.cause))
  if (error?.reason._tag !== "BudgetExceeded") return "failed"
  // While Redis does not answer, a budget refuses all requests, and its message states that.
  return error.message.includes("cannot be checked") ? "unchecked" : "refused"
}

const member = (account: string, service: string) => {
  const Provider = OpenAiChat.layer({ baseUrl: `${service}/v1`, apiKey: Redacted.make("any") }).pipe(
    Budget.limit({ ...budget, estimateInput: () => 10 }),
    RateLimit.limit(limits),
    Layer.provide([shared(account), NodeHttpClient.layerUndici])
  )
  const requests = Array.from({ length: callsEach }, (_, i) => ({
    model: "gpt-4o-mini",
    prompt: `Echo: Ticket ${i} of process ${process.pid}.`,
    maxTokens: 20
  }))
  return LlmClient.callAll(requests, { concurrency: 20, deadline: "1 minute" }).pipe(
    Stream.runFold({ answered: 0, refused: 0, unchecked: 0, failed: 0 }, (counts, { result }) => {
      const end = endOf(result)
      return { ...counts, [end]: counts[end] + 1 }
    }),
    Effect.tap((counts) => Effect.sync(() => process.send?.(counts))),
    Effect.provide(
      LlmClient.layer().pipe(Layer.provide([Provider, LlmCache.layerNone, LlmLogger.layerSilent]))
    ),
    Effect.tap(() => Effect.sync(() => process.disconnect()))
  )
}

// ---------------------------------------------------------------------------------------------------------------------
// The service, and the one that watches it
// ---------------------------------------------------------------------------------------------------------------------

class TooMany extends Data.TaggedError("TooMany")<{ readonly what: string }> {}

const isThere = Effect.promise(async () => {
  const redis = new Redis(connection, { lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null })
  redis.on("error", () => {})
  const answer = await redis.connect().then(() => redis.ping()).catch(() => undefined)
  redis.disconnect()
  return answer === "PONG"
})

const watch = Effect.gen(function*() {
  const account = `fleet-${process.pid}`
  const server = createServer()
  const seen: Array<number> = []
  let inFlight = 0
  let mostInFlight = 0
  let victim: ChildProcess | undefined
  server.on("request", (_request, response) => {
    seen.push(performance.now())
    mostInFlight = Math.max(mostInFlight, ++inFlight)
    response.once("close", () => inFlight--)
    if (seen.length === 60) victim?.kill("SIGKILL")
  })
  const simulator = Context.get(
    yield* Layer.build(
      Simulator.layer({ latency: "100 millis" }).pipe(
        Layer.provide(NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0 }))
      )
    ),
    Simulator.Simulator
  )

  const reports = yield* Effect.promise(() =>
    Promise.all(Array.from({ length: processes }, async (_, i) => {
      const child = fork(fileURLToPath(import.meta.url), [account, simulator.url], { stdio: "inherit" })
      if (i === 0) victim = child
      const reported: Array<Counts> = []
      child.on("message", (counts: Counts) => reported.push(counts))
      const [code, signal] = await once(child, "exit")
      return { name: `process ${i + 1}`, counts: reported[0], end: signal ?? code }
    }))
  )

  const from = seen[0] ?? 0
  const perSecond: Array<number> = []
  for (const at of seen) {
    perSecond[Math.floor((at - from) / 1_000)] = (perSecond[Math.floor((at - from) / 1_000)] ?? 0) + 1
  }
  const rate = limits.requestsPerMinute / 60
  const isOver = seen.some((at, i) => i + 1 > 2 * rate + (at - from) / 1_000 * rate)
  const { tokens } = yield* Budget.spent(budget.scope).pipe(
    Effect.provide(
      // It opens the scope that the others use.
      Layer.tap(shared(account), (context) => Context.get(context, Budget.Budget).open(budget.scope))
    )
  )

  yield* Console.log([
    ...reports.map(({ counts, end, name }) =>
      counts === undefined
        ? `${name}  ended by ${end}`
        : `${name}  ${counts.answered} answered, ${counts.refused} beyond the budget, ${counts.unchecked} while the budget could not be checked, ${counts.failed} failed`
    ),
    "",
    `requests a second   at most ${
      Math.max(...perSecond.filter((count) => count !== undefined))
    }   (the limit is ${rate}, and as many at first)`,
    `at a time           at most ${mostInFlight}   (the limit is ${limits.sharedConcurrency})`,
    `tokens              ${tokens} spent   (the budget is ${budget.tokens})`,
    `time                ${Duration.format(Duration.seconds(Math.round(((seen.at(-1) ?? 0) - from) / 1_000)))}`,
    "",
    "Look at the requests a second and at a time: all processes keep one limit."
  ].join("\n"))

  if (isOver) return yield* new TooMany({ what: "requests a second" })
  if (tokens > budget.tokens) return yield* new TooMany({ what: "tokens" })
}).pipe(Effect.scoped)

const [account, service] = process.argv.slice(2)

const program = account === undefined || service === undefined
  ? Effect.if(isThere, {
    onTrue: () => watch,
    onFalse: () => Console.log(`Skipped, as there is no Redis at ${connection}: set REDIS_URL`)
  })
  : Effect.asVoid(member(account, service))

NodeRuntime.runMain(program)
