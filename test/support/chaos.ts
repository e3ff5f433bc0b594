import type * as HttpClient from "@effect/platform/HttpClient"
import * as Budget from "effect-llm/Budget"
import * as CircuitBreaker from "effect-llm/CircuitBreaker"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmTool from "effect-llm/LlmTool"
import * as RateLimit from "effect-llm/RateLimit"
import * as Simulator from "effect-llm/testing/Simulator"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { chance } from "../../src/testing/chance.js"
import { watch } from "./fibers.js"
import { simulator, transports, turn } from "./overHttp.js"
import { type Protocol, protocols, providers } from "./simulated.js"

// ---------------------------------------------------------------------------------------------------------------------
// Options and reports
// ---------------------------------------------------------------------------------------------------------------------

export const kinds = ["call", "stream", "object", "streamObject", "runTools", "streamTools"] as const

export type Kind = typeof kinds[number]

export interface Options {
  /** How many operations of each kind. */
  readonly counts: { readonly [K in Kind]: number }
  /** Draws everything but the time. */
  readonly seed: string
  readonly transport: "fetch" | "undici"
  /** How many operations are under way at a time. */
  readonly concurrency: number
  /** The number of equal rounds. The heap is measured after each. */
  readonly rounds: number
  /** The limits of an attempt and of a stream's waits, in milliseconds. */
  readonly limit: number
  /** The most seconds for all rounds. */
  readonly seconds: number
}

export interface Report {
  readonly options: Options
  readonly seconds: number
  /** The ends of operations, such as `call ok`, `stream interrupted`, `runTools Overloaded`. */
  readonly ends: Counts
  /** The requests that the simulator answered, in one way or another. */
  readonly requests: number
  /** The faults among the answers. */
  readonly faults: Counts
  /** The attempts that the clients have reported. */
  readonly attempts: number
  /** The bytes in use before the first round, and after each. */
  readonly heap: ReadonlyArray<number>
  /** The broken promises, and the first example of each. */
  readonly violations: ReadonlyMap<string, { readonly times: number; readonly example: string }>
}

type Counts = ReadonlyMap<string, number>

const increment = (counts: Map<string, number>, name: string) => void counts.set(name, (counts.get(name) ?? 0) + 1)

export const total = (counts: Counts): number => [...counts.values()].reduce((sum, n) => sum + n, 0)

/** The violations as lines; none if all promises were kept. */
export const violationsOf = ({ violations }: Report): ReadonlyArray<string> =>
  [...violations].map(([name, { example, times }]) => `${name}: ${times} times, first: ${example}`)

/** The report as text. */
export const show = (report: Report): string => {
  const { attempts, ends, faults, heap, options, requests, seconds } = report
  const table = (counts: Counts) =>
    [...counts].sort(([a], [b]) => a < b ? -1 : 1).map(([name, n]) => `  ${String(n).padStart(7)}  ${name}`)
  const violations = violationsOf(report)
  return [
    `${
      total(ends)
    } operations over ${options.transport}, ${options.concurrency} at a time, seed "${options.seed}", in ${
      seconds.toFixed(1)
    } s`,
    ...table(ends),
    `${requests} requests in ${attempts} attempts, ${total(faults)} of them met a fault`,
    ...table(faults),
    `heap after each round, in MiB: ${heap.map((bytes) => (bytes / mebibyte).toFixed(1)).join(" ")}`,
    violations.length === 0 ? "no violation" : `VIOLATIONS\n  ${violations.join("\n  ")}`
  ].join("\n")
}

// ---------------------------------------------------------------------------------------------------------------------
// Faults and clients
// ---------------------------------------------------------------------------------------------------------------------

/** All faults of the simulator. The wishes of its servers are short. */
const faults: ReadonlyArray<readonly [name: string, fault: Simulator.Fault]> = Object.entries({
  ...Simulator.faults.transient,
  ...Simulator.faults.permanent,
  ...Simulator.faults.stream,
  ...Simulator.faults.harmless,
  rateLimited: Simulator.status(429, { retryAfter: "20 millis", retryAfterAs: "millis" }),
  cutAtByte: Simulator.cutStream({ afterBytes: 150 }),
  slowBody: Simulator.slowBody({ chunkBytes: 16, delay: "1 millis" }),
  redirect: Simulator.redirect("http://127.0.0.1:9/elsewhere")
})

const faultRate = 0.42

/** The requests of one protocol that may be under way at the same time. */
const permits = 32

const limitsOf = ({ limit }: Options): LlmClient.Options => ({
  timeout: limit,
  firstPartTimeout: limit,
  idleTimeout: limit,
  deadline: 4 * limit,
  retry: { base: "5 millis", cap: "20 millis", budget: false }
})

/** The time that an operation may take on a busy machine, beyond its deadlines: that of a turn, for tools. */
const patience = ({ limit }: Options) => Duration.millis(60_000 + 12 * limit)

/** The services that the clients share. */
const shared = (onAttempt: () => void) =>
  Layer.mergeAll(
    LlmCache.layerMemory({ capacity: 200 }),
    Budget.layerMemory,
    Layer.succeed(LlmLogger.LlmLogger, {
      log: (event) => Effect.sync(() => event._tag === "CallStarted" ? onAttempt() : undefined)
    })
  )

const clientOf = (
  options: Options,
  protocol: Protocol,
  url: string,
  services: Layer.Layer<HttpClient.HttpClient | LlmCache.LlmCache | LlmLogger.LlmLogger | Budget.Budget>
): Effect.Effect<LlmClient.Service, never, Scope.Scope> => {
  const limited = providers[protocol].layer(url).pipe(
    RateLimit.limit({ concurrency: permits }),
    Budget.limit({ scope: protocol, tokens: 1e15 })
  )
  // A breaker on each protocol would keep most requests from the faults. It is not open for long: the run waits for it.
  const provider = protocol === "ollama"
    ? CircuitBreaker.protect(limited, { openFor: "20 millis", maxOpenFor: "1 second" })
    : limited
  return Effect.map(
    Layer.build(LlmClient.layer(limitsOf(options)).pipe(Layer.provide(provider), Layer.provide(services))),
    Context.get(LlmClient.LlmClient)
  )
}

type Clients = { readonly [P in Protocol]: LlmClient.Service }

// ---------------------------------------------------------------------------------------------------------------------
// Operations
// ---------------------------------------------------------------------------------------------------------------------

const River = Schema.Struct({ name: Schema.String, length: Schema.Int })

/** A tool with a handler that may wait, or fail. */
const tool = LlmTool.make("measure", {
  parameters: Schema.Struct({ river: Schema.String, unit: Schema.optional(Schema.Literal("km", "mi")) }),
  handler: ({ river }) =>
    river.length % 3 === 0
      ? LlmTool.failure("no such river")
      : Effect.delay(Effect.succeed({ river, kilometers: 1094 }), Duration.millis(river.length))
})

/** An operation; it succeeds with what is wrong with its result. */
type Operation = Effect.Effect<string | undefined, unknown>

/** Takes a stream to its end or a part of it, and compares: one `Finish`, last, and no other text than that in it. */
const streaming = <Part extends { readonly _tag: string }, E>(
  parts: Stream.Stream<Part, E>,
  taken: number | undefined,
  check: (parts: ReadonlyArray<Part>) => string | undefined
): Effect.Effect<string | undefined, E> =>
  parts.pipe(
    taken === undefined ? identity : Stream.take(taken),
    Stream.runCollect,
    Effect.map((all) => {
      const came = [...all]
      const finishes = came.filter(({ _tag }) => _tag === "Finish").length
      if (finishes > 1) return "a stream with several ends"
      if (finishes === 1 && came.at(-1)?._tag !== "Finish") return "a stream that goes on after its end"
      if (taken !== undefined && finishes === 0) return came.length === taken ? undefined : "a stream that just ends"
      return finishes === 0 ? "a stream that just ends" : check(came)
    })
  )

const wrongText = (expected: string, actual: string): string | undefined =>
  actual === expected
    ? undefined
    : `an answer with another text: ${JSON.stringify(actual)} for ${JSON.stringify(expected)}`

const wrongRun = ({ steps }: LlmClient.ToolRun): string | undefined =>
  steps.length >= 2 && steps[0]?.results.length === 1 ? undefined : "a run without its tool"

const operation = (kind: Kind, client: LlmClient.Service, model: string, draw: (what: string) => number): Operation => {
  // A fifth of the operations share a few prompts.
  const text = draw("equal") < 0.2 ? `river ${Math.floor(draw("which") * 20)}` : `river ${draw("text")} of many`
  const taken = draw("taken") < 0.15 ? 1 + Math.floor(draw("parts") * 4) : undefined
  const request = { model, prompt: `Echo: ${text}` }
  switch (kind) {
    case "call":
      return Effect.map(
        client.call(request, draw("streaming") < 0.2 ? { streaming: true } : {}),
        (response) => wrongText(text, response.text)
      )
    case "stream":
      return streaming(client.stream(request), taken, (parts) => {
        const last = parts.at(-1)
        const deltas = parts.map((part) => part._tag === "TextDelta" ? part.text : "").join("")
        return wrongText(text, deltas) ?? (last?._tag === "Finish" ? wrongText(text, last.response.text) : "no end")
      })
    case "object":
      return Effect.map(
        client.object(River, { model, prompt: text }),
        ({ value }) => Schema.is(River)(value) ? undefined : "a value that does not fit"
      )
    case "streamObject":
      return streaming(client.streamObject(River, { model, prompt: text }), taken, (parts) => {
        const last = parts.at(-1)
        return last?._tag === "Finish" && Schema.is(River)(last.value) ? undefined : "a value that does not fit"
      })
    case "runTools":
      return Effect.map(
        client.runTools({ model, prompt: `Please measure the ${text}.` }, [tool], { concurrency: 2 }),
        wrongRun
      )
    case "streamTools":
      return streaming(
        client.streamTools({ model, prompt: `Please measure the ${text}.` }, [tool], { concurrency: 2 }).pipe(
          // Each turn has an end, too.
          Stream.map((part) => part._tag === "Finish" && "response" in part ? { _tag: "Turn" as const } : part)
        ),
        taken,
        (parts) => {
          const last = parts.at(-1)
          const results = parts.filter(({ _tag }) => _tag === "ToolResult").length
          return last?._tag === "Finish" && results === 1 ? wrongRun(last.run) : "a streamed run without its tool"
        }
      )
  }
}

/** The kinds of a round's operations, mixed. */
const mixed = ({ counts, rounds, seed }: Options, round: number): ReadonlyArray<Kind> =>
  kinds
    .flatMap((kind) => {
      const upTo = (n: number) => Math.floor(counts[kind] * n / rounds)
      return Array.from(
        { length: upTo(round + 1) - upTo(round) },
        (_, i) => ({ kind, at: chance(`${seed}/${kind}/${i}`) })
      )
    })
    .sort((a, b) => a.at - b.at)
    .map(({ kind }) => kind)

// ---------------------------------------------------------------------------------------------------------------------
// Measures
// ---------------------------------------------------------------------------------------------------------------------

const mebibyte = 1024 * 1024

/** More than the noise of a heap that does not grow, over all rounds but the first ones. */
const heapGrowth = 4 * mebibyte

const collectGarbage: () => void = globalThis.gc ?? (() => {
  setFlagsFromString("--expose-gc")
  return runInNewContext("gc")
})()

/** The bytes in use. What a collection frees may free more in the next. */
const heapUsed = Effect.gen(function*() {
  for (let i = 0; i < 3; i++) {
    yield* Effect.repeatN(turn, 10)
    collectGarbage()
  }
  return process.memoryUsage().heapUsed
})

/** The growth of the heap from the second quarter of the rounds to the last one. */
const growth = (heap: ReadonlyArray<number>): number => {
  const quarter = Math.max(1, Math.floor(heap.length / 4))
  const median = (part: ReadonlyArray<number>) => [...part].sort((a, b) => a - b)[Math.floor(part.length / 2)] ?? 0
  return median(heap.slice(-quarter)) - median(heap.slice(quarter, 2 * quarter))
}

/** What keeps the process alive. */
const active = (type: string) => process.getActiveResourcesInfo().filter((name) => name === type).length

/** Waits until something holds, for seconds; says whether it came to hold. */
const comesToHold = (holds: Effect.Effect<boolean>): Effect.Effect<boolean> =>
  Effect.gen(function*() {
    const limit = performance.now() + 10_000
    while (!(yield* holds)) {
      if (performance.now() > limit) return false
      yield* Effect.sleep("10 millis")
    }
    return true
  })

// ---------------------------------------------------------------------------------------------------------------------
// The run
// ---------------------------------------------------------------------------------------------------------------------

/** Runs calls, streams, values and tools under faults and interruptions, and reports the promises that were broken. */
export const run = (options: Options): Effect.Effect<Report> =>
  Effect.gen(function*() {
    const { concurrency, rounds, seconds, seed, transport } = options
    const started = performance.now()
    const ends = new Map<string, number>()
    const met = new Map<string, number>()
    const violations = new Map<string, { times: number; readonly example: string }>()
    const heap: Array<number> = []
    let requests = 0
    let attempts = 0
    let begun = 0

    const violated = (name: string, example: unknown = ""): void => {
      const known = violations.get(name)
      if (known !== undefined) known.times++
      else violations.set(name, { times: 1, example: String(example).slice(0, 2_000) })
    }

    const onRejection = (reason: unknown) => violated("an unhandled rejection", reason)
    yield* Effect.acquireRelease(
      Effect.sync(() => process.on("unhandledRejection", onRejection)),
      () => Effect.sync(() => process.off("unhandledRejection", onRejection))
    )

    /** A plan that counts. */
    const planned = (plan: Simulator.FaultPlan): Simulator.FaultPlan => (attempt) => {
      const fault = plan(attempt)
      const name = faults.find(([, each]) => each === fault)?.[0]
      requests++
      if (name !== undefined) increment(met, name)
      return fault
    }

    const judge = (kind: Kind, exit: Exit.Exit<string | undefined, unknown>, isInterrupted: boolean): string => {
      if (exit._tag === "Success") {
        if (exit.value !== undefined) violated(`${kind}: ${exit.value.split(":")[0]}`, exit.value)
        return "ok"
      }
      if (!Option.isNone(Cause.dieOption(exit.cause))) {
        violated(`${kind}: a defect`, Cause.pretty(exit.cause))
        return "defect"
      }
      const failure = Cause.failureOption(exit.cause)
      if (Option.isNone(failure)) {
        if (!isInterrupted) violated(`${kind}: interrupted by nobody`, Cause.pretty(exit.cause))
        return "interrupted"
      }
      if (LlmError.isLlmError(failure.value)) return failure.value.reason._tag
      violated(`${kind}: a failure of another type`, failure.value)
      return "unknown failure"
    }

    /** Runs one operation to its end, or interrupts it on its way. */
    const one = (clients: Clients, kind: Kind) =>
      Effect.gen(function*() {
        const n = begun++
        const draw = (what: string) => chance(`${seed}/${n}/${what}`)
        const protocol = protocols[Math.floor(draw("protocol") * protocols.length)]!
        let ended = 0
        const fiber = yield* operation(kind, clients[protocol], providers[protocol].model, draw).pipe(
          Effect.onExit(() => Effect.sync(() => ended++)),
          Effect.forkDaemon
        )
        const interrupts = draw("interrupts") < 0.2
        if (interrupts) {
          // A third of them at once: no answer comes over a socket within a turn, however fast the machine.
          const delay = draw("when") * 300 - 100
          yield* delay < 0 ? turn : Effect.sleep(Duration.millis(delay))
          yield* Fiber.interruptFork(fiber)
        }
        const exit = yield* Effect.timeoutOption(Fiber.await(fiber), patience(options))
        if (Option.isNone(exit)) return violated(`${kind}: without an end`, protocol)
        increment(ends, `${kind} ${judge(kind, exit.value, interrupts)}`)
        // An operation that was interrupted before its first step has not begun.
        if (ended !== 1 && !(interrupts && ended === 0)) violated(`${kind}: not exactly one end`, ended)
      })

    /** Whether all permits of a client are free, and no more than there are: all of them can be taken at once. */
    const permitsAreWhole = (protocol: Protocol, client: LlmClient.Service, simulator: Simulator.Service) =>
      Effect.gen(function*() {
        let held = 0
        yield* simulator.setFaults((attempt) => {
          // Requests that were given up may still arrive.
          if (attempt.prompt.text.startsWith("Echo: permit")) held++
          return Simulator.silence
        })
        const fibers = yield* Effect.forEach(
          Array.from({ length: permits + 8 }, (_, i) => i),
          (i) =>
            Effect.fork(client.call({ model: providers[protocol].model, prompt: `Echo: permit ${i}` }, {
              timeout: "1 minute",
              deadline: "1 minute",
              cache: "bypass",
              retry: false
            }))
        )
        yield* comesToHold(Effect.sync(() => held >= permits))
        yield* Effect.sleep("50 millis")
        if (held !== permits) violated("permits", `${held} of ${permits} (${protocol})`)
        yield* Fiber.interruptAll(fibers)
      })

    const reservationsAreWhole = (protocol: Protocol) =>
      Effect.flatMap(Budget.spent(protocol), ({ reserved, tokens }) =>
        Effect.sync(() => {
          if (reserved.tokens !== 0 || reserved.cost !== 0) {
            violated("reservations", `${JSON.stringify(reserved)} (${protocol})`)
          }
          if (!(tokens > 0)) violated("no spending", protocol)
        }))

    const answers = (protocol: Protocol, client: LlmClient.Service) =>
      // A circuit closes with an answer; until then it may be open.
      Effect.gen(function*() {
        const call = client.call({ model: providers[protocol].model, prompt: "Echo: still here" }, {
          timeout: "20 seconds",
          deadline: "20 seconds",
          cache: "bypass"
        })
        const answered = yield* comesToHold(Effect.map(Effect.exit(call), ({ _tag }) => _tag === "Success"))
        if (!answered) violated("a client that answers no more", protocol)
      })

    const everything = Effect.gen(function*() {
      const { simulator: running } = yield* simulator({ history: 10 })
      const context = yield* Layer.build(
        Layer.merge(
          transport === "undici" ? transports.lean : transports.fetch,
          shared(() => attempts++)
        )
      )
      const services = Layer.succeedContext(context)
      const built = yield* Effect.forEach(
        protocols,
        (protocol) =>
          Effect.map(clientOf(options, protocol, running.url, services), (client) => [protocol, client] as const)
      )
      const clients = Object.fromEntries(built) as Clients

      for (const [protocol, client] of built) yield* answers(protocol, client)
      heap.push(yield* heapUsed)
      for (let round = 0; round < rounds; round++) {
        // A new plan forgets the prompts of the one before.
        const plan = Simulator.random({
          seed: `${seed}/${round}`,
          rate: faultRate,
          faults: faults.map(([, fault]) => fault)
        })
        yield* running.setFaults(planned(plan))
        yield* Effect.forEach(mixed(options, round), (kind) => one(clients, kind), { concurrency, discard: true })
        heap.push(yield* heapUsed)
      }
      if (requests > attempts) violated("requests without an attempt", `${requests} in ${attempts}`)

      const counted = { requests, attempts }
      for (const [protocol, client] of built) {
        yield* running.setFaults(Simulator.none)
        yield* answers(protocol, client)
        yield* permitsAreWhole(protocol, client, running)
        yield* Effect.provide(reservationsAreWhole(protocol), context)
      }
      return counted
    })

    const timers = active("Timeout")
    const sockets = active("TCPSocketWrap")
    const fibers = yield* watch
    const counted = yield* everything.pipe(
      Effect.zipLeft(Effect.sync(() => {
        if (growth(heap) > heapGrowth) violated("a heap that grows", heap.join(" "))
      })),
      Effect.scoped,
      Effect.timeoutOption(Duration.seconds(seconds)),
      fibers.over
    )
    if (Option.isNone(counted)) violated("not done in time", `${total(ends)} operations in ${seconds} s`)

    const gone = Effect.map(
      fibers.running,
      (running) => running === 0 && active("Timeout") <= timers && active("TCPSocketWrap") <= sockets
    )
    if (!(yield* comesToHold(gone))) {
      violated(
        "something left behind",
        `${yield* fibers.running} fibers, ${active("Timeout") - timers} timers, ${
          active("TCPSocketWrap") - sockets
        } sockets`
      )
    }
    return {
      options,
      seconds: (performance.now() - started) / 1000,
      ends,
      ...Option.getOrElse(counted, () => ({ requests, attempts })),
      faults: met,
      heap,
      violations
    }
  }).pipe(Effect.scoped)
