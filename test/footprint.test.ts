import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmMetrics from "effect-llm/LlmMetrics"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as StreamPart from "effect-llm/StreamPart"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scheduler from "effect/Scheduler"
import * as Stream from "effect/Stream"
import { build } from "esbuild"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { afterEach, vi } from "vitest"

/**
 * What the library may cost. All of it is counted, nothing is timed, so that the same code gives the same numbers on any
 * machine. A change that needs more says why when it raises a number; one that needs less lowers it.
 */
const budget = {
  /** Zipped bundles in KiB, with one for the differences of Node's versions, and the modules that they are made of. */
  bundles: {
    /**
     * `import "effect-llm"`: the modules that a runtime loads, of this library and of its imports. A concept is a file:
     * each protocol is request, answer, models and errors, and each primitive of the runtime stands alone. The loop of
     * tools, with values, approval and streams, is eight of them and 2 KiB. Embeddings, counts and streams as events took
     * 12 KiB, metrics and the spans of attempts 6 KiB, and what goes back to a provider unchanged 7 KiB. The facts about
     * models are data, and what a service may refuse is known by its words. Settings that not all providers have, and
     * the points of prompt caches, took 4 KiB, tools that a provider runs and results with pictures 2 KiB, and the reading
     * of odd answers 2 KiB. Streams that heal, answers in the background, turns of many calls, clouds and signatures took
     * 5 KiB, the batches of three protocols 3 KiB. The error is five files (its reasons, their consequences, its printed
     * form, the error, its handling), and a tool is three (its definition, the results of its handler, toolkits). What a
     * provider is asked besides answers is a file, and a request of Messages is its turns, its settings and the rest.
     * Halves of characters in answers, the parts that may have them, content that comes in pieces and then as a whole, the
     * counts that a provider states, and the patience of an answer that waits for a better one are five files and 2 KiB.
     * JSON whose long integers keep their digits is a file.
     */
    whole: { kibibytes: 238, modules: 803 },
    /**
     * One call over fetch, for a browser. The client's methods come with it: embeddings and counts took 6 KiB, and the
     * provider's batches 2 KiB. The files of all protocols are read, and left out. What protocols share is a file as well:
     * their warnings, where a user is, and the request for a list of models are three. The parts of messages, the settings
     * of requests, the forms of events, the answer so far, and the concepts of errors and tools are files of their own.
     * Answers that contradict themselves, or hold halves of characters and long integers, took 1 KiB.
     */
    helloWorld: { kibibytes: 181, modules: 808 }
  },
  /** Fibers forked, timers set, and instructions that the runtime interprets. */
  runs: {
    /**
     * The provider answers at once. The literal deadline takes two fibers and a timer; each of the cache's two operations,
     * the report of its miss, the run that equal calls share and the attempt have a fiber of their own.
     */
    call: { fibers: 7, timers: 1, instructions: 221 },
    /** Nobody receives events: a call does nothing for them. */
    silentCall: { fibers: 6, timers: 1, instructions: 199 },
    /** With metrics: three events, and a watch for a caller that leaves. */
    measuredCall: { fibers: 6, timers: 1, instructions: 224 },
    /** The provider answers after a while, as over a network: the attempt's clock sets a timer, too. */
    waitingCall: { fibers: 7, timers: 2, instructions: 234 },
    /** The operation of the cache and the report. */
    cacheHit: { fibers: 2, timers: 0, instructions: 53 },
    /** With 100 deltas that come at once, and for each further delta. */
    stream: { fibers: 9, timers: 2, instructions: 1_270, instructionsPerDelta: 0 }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Bundles
// ---------------------------------------------------------------------------------------------------------------------

const root = fileURLToPath(new URL("..", import.meta.url))

const bundle = async (program: string, platform: "browser" | "node") => {
  const { metafile, outputFiles } = await build({
    stdin: { contents: program, loader: "ts", resolveDir: root },
    alias: { "effect-llm": `${root}src/index.ts` },
    bundle: true,
    minify: true,
    format: "esm",
    platform,
    target: "es2022",
    write: false,
    metafile: true,
    logLevel: "silent",
    plugins: [{
      // The package's `imports` map points to what is built.
      name: "sha256",
      setup: ({ onResolve }) =>
        onResolve({ filter: /^#sha256$/ }, () => ({
          path: `${root}src/internal/sha256.${platform === "node" ? "node" : "noble"}.ts`
        }))
    }]
  })
  const inputs = Object.keys(metafile.inputs).filter((path) => path !== "<stdin>")
  const [output] = Object.values(metafile.outputs)
  return {
    kibibytes: gzipSync(outputFiles[0]!.contents, { level: 9 }).length / 1024,
    modules: inputs.length,
    packages: new Set(inputs.map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? "effect-llm")),
    /** The modules of which anything is left in the bundle. */
    carried: Object.entries(output!.inputs).flatMap(([path, { bytesInOutput }]) => bytesInOutput > 0 ? [path] : []),
    external: output!.imports.map(({ path }) => path)
  }
}

const whole = `export * from "effect-llm"`

const helloWorld = `
  import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
  import * as Config from "effect/Config"
  import * as Console from "effect/Console"
  import * as Effect from "effect/Effect"
  import * as Layer from "effect/Layer"
  import { LlmClient, OpenAiChat } from "effect-llm"

  const program = Effect.flatMap(
    LlmClient.call({ model: "gpt-4o-mini", prompt: "Name three rivers." }),
    (response) => Console.log(response.text)
  )
  const Live = LlmClient.layerDefault().pipe(
    Layer.provide(OpenAiChat.layerConfig({ apiKey: Config.redacted("OPENAI_API_KEY") })),
    Layer.provide(FetchHttpClient.layer)
  )
  void Effect.runPromise(Effect.provide(program, Live))
`

describe("The contents of a program", () => {
  it("is no more than the budget for the whole library, and nothing that is optional", async () => {
    const { external, kibibytes, modules, packages } = await bundle(whole, "node")
    assert.isAtMost(kibibytes, budget.bundles.whole.kibibytes)
    assert.isAtMost(modules, budget.bundles.whole.modules)
    // Schema brings fast-check, which brings pure-rand: they are loaded, but not bundled.
    assert.sameMembers([...packages], ["effect-llm", "effect", "@effect/platform", "fast-check", "pure-rand"])
    assert.deepStrictEqual(external, ["node:crypto"])
  })

  it("is no more than the budget for one call, and runs without Node", async () => {
    const { external, kibibytes, modules, packages } = await bundle(helloWorld, "browser")
    assert.isAtMost(kibibytes, budget.bundles.helloWorld.kibibytes)
    assert.isAtMost(modules, budget.bundles.helloWorld.modules)
    assert.sameMembers(
      [...packages],
      ["effect-llm", "effect", "@effect/platform", "@noble/hashes", "fast-check", "pure-rand"]
    )
    assert.deepStrictEqual(external, [])
  })

  it("is of the policies those that each call has, and of the protocols the one that it speaks", async () => {
    const { carried } = await bundle(helloWorld, "browser")
    const carriedOf = (room: string) =>
      carried.filter((path) => path.startsWith(`src/${room}/`)).map((path) => /([^/]+)\.ts$/.exec(path)?.[1])
    assert.sameMembers(carriedOf("policy"), [
      "RetryPolicy",
      "TokenEstimator",
      "priority",
      "retryBudget",
      "scopedBudget",
      "tokenCount"
    ])
    assert.sameMembers(carriedOf("providers"), [
      "OpenAiChat",
      "answer",
      "answerStream",
      // Answers that are not ready at once, batches of OpenAI's and of all, and the addresses of the clouds.
      "background",
      "batches",
      "batches",
      "batching",
      "cloud",
      "codec",
      "corrections",
      // The vectors of `embed`, of OpenAI's protocols and of all.
      "embeddings",
      "embeddings",
      // What an answer is that something cut short or stopped.
      "ending",
      // Those that are not modelled go back as they came.
      "annotations",
      "logprobs",
      "counts",
      "extras",
      "finish",
      "usage",
      // Its own, and those that OpenAI's protocols share.
      "errors",
      "errors",
      "hosts",
      "httpProvider",
      "listing",
      "modelFacts",
      // Embeddings, counts of tokens and lists of models.
      "otherRequests",
      // Its own, and those of OpenAI.
      "models",
      "models",
      "opaqueBlocks",
      // A request may have tools that the provider runs, and results with pictures.
      "providerTools",
      "toolResults",
      // The points up to which a prompt is cached, as OpenAI and Anthropic write them, and the settings of each host.
      "cachePoints",
      "cacheControl",
      "promptCache",
      "promptCache",
      "portable",
      "rawFields",
      "readableReasoning",
      "refusals",
      "refusedSeals",
      "refusedSetting",
      // A whole that contradicts its pieces.
      "repetition",
      "request",
      "settings",
      "toolCallIds",
      "toolCallPieces",
      // The warnings about what is not sent as it is.
      "unsent"
    ])
    assert.isEmpty(carriedOf("stores"))
    // What `Stream.mapEffect` brings, which each of its uses can do without.
    assert.isEmpty(carried.filter((path) => path.endsWith("/internal/groupBy.js")))
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Calls
// ---------------------------------------------------------------------------------------------------------------------

/** Counts what the runtime asks its scheduler before each instruction of any fiber: whether to let others run. */
class Counting implements Scheduler.Scheduler {
  readonly fibers = new Set<Fiber.RuntimeFiber<unknown, unknown>>()
  instructions = 0

  shouldYield(fiber: Fiber.RuntimeFiber<unknown, unknown>): number | false {
    this.fibers.add(fiber)
    this.instructions++
    return Scheduler.defaultScheduler.shouldYield(fiber)
  }

  scheduleTask(...task: Parameters<Scheduler.Scheduler["scheduleTask"]>): void {
    Scheduler.defaultScheduler.scheduleTask(...task)
  }
}

const answer = LlmResponse.make({
  provider: "memory",
  model: "gpt-4o-mini",
  parts: [{ _tag: "Text", text: "The Elbe." }],
  finishReason: "stop",
  usage: { inputTokens: 8, outputTokens: 4 }
})

const request = { model: "gpt-4o-mini", prompt: "Name a river." }

/** A client with everything on, over a provider whose deltas come in one chunk. */
const clientOf = (
  cache: Layer.Layer<LlmCache.LlmCache>,
  { deltas = 1, logger = LlmLogger.layerHandler(() => {}), reply = Effect.succeed(answer) }: {
    readonly deltas?: number
    readonly logger?: Layer.Layer<LlmLogger.LlmLogger>
    readonly reply?: Effect.Effect<LlmResponse.LlmResponse>
  } = {}
) =>
  Effect.map(
    Layer.build(
      LlmClient.layer().pipe(Layer.provide([
        cache,
        logger,
        Layer.succeed(
          LlmProvider.LlmProvider,
          LlmProvider.make({
            name: "memory",
            endpoint: "memory",
            call: () => reply,
            stream: () =>
              Stream.fromIterable([
                ...Array.from({ length: deltas }, () => StreamPart.TextDelta({ text: "The Elbe." })),
                StreamPart.Finish({ response: answer })
              ])
          })
        )
      ]))
    ),
    Context.get(LlmClient.LlmClient)
  )

/** What a run forks, sets and interprets. The first run of a program may prepare what all others use: it is not counted. */
const counted = <A, E>(run: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    yield* run
    const counting = new Counting()
    const setTimer = vi.spyOn(globalThis, "setTimeout")
    const value = yield* Effect.withScheduler(run, counting)
    // Effect's scheduler now and then yields through a timer of 0.
    const timers = setTimer.mock.calls.filter(([, delay]) => delay !== undefined && delay > 0).length
    setTimer.mockRestore()
    // The fiber that runs it is not one that it forks.
    return { value, cost: { fibers: counting.fibers.size - 1, timers, instructions: counting.instructions } }
  })

/** Tells all that is beyond its limit at once. */
const atMost = (cost: Record<string, number>, limits: Record<string, number>): void =>
  assert.deepStrictEqual(
    Object.fromEntries(Object.entries(cost).filter(([name, value]) => value > limits[name]!)),
    {}
  )

describe("The cost of a run", () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it.scopedLive("is no more than the budget for a call", () =>
    Effect.gen(function*() {
      const client = yield* clientOf(LlmCache.layerNone)
      const { cost, value } = yield* counted(client.call(request))
      assert.strictEqual(value.origin, "provider")
      atMost(cost, budget.runs.call)
    }))

  it.scopedLive("is no more than the budget for a call that waits", () =>
    Effect.gen(function*() {
      const later = Effect.async<LlmResponse.LlmResponse>((resume) => {
        setImmediate(() => resume(Effect.succeed(answer)))
      })
      const client = yield* clientOf(LlmCache.layerNone, { reply: later })
      const { cost } = yield* counted(client.call(request))
      atMost(cost, budget.runs.waitingCall)
    }))

  it.scopedLive("is no more than the budget for a call that nobody hears of", () =>
    Effect.gen(function*() {
      const client = yield* clientOf(LlmCache.layerNone, { logger: LlmLogger.layerSilent })
      const { cost } = yield* counted(client.call(request))
      atMost(cost, budget.runs.silentCall)
    }))

  it.scopedLive("is no more than the budget for a call that is measured", () =>
    Effect.gen(function*() {
      const client = yield* clientOf(LlmCache.layerNone, { logger: LlmMetrics.layer })
      const { cost } = yield* counted(client.call(request))
      atMost(cost, budget.runs.measuredCall)
    }))

  it.scopedLive("is no more than the budget for a call that the cache answers", () =>
    Effect.gen(function*() {
      const client = yield* clientOf(LlmCache.layerMemory())
      const { cost, value } = yield* counted(client.call(request))
      assert.strictEqual(value.origin, "cache")
      atMost(cost, budget.runs.cacheHit)
    }))

  it.scopedLive("is no more than the budget for a stream, and the same for many deltas that come at once", () =>
    Effect.gen(function*() {
      const costOf = (deltas: number) =>
        Effect.flatMap(
          clientOf(LlmCache.layerNone, { deltas }),
          (client) => Effect.map(counted(Stream.runDrain(client.stream(request))), ({ cost }) => cost)
        )
      const few = yield* costOf(100)
      const many = yield* costOf(1_100)
      const { instructionsPerDelta, ...limits } = budget.runs.stream
      atMost(few, limits)
      atMost({ instructionsPerDelta: (many.instructions - few.instructions) / 1_000 }, { instructionsPerDelta })
    }))

  it.scopedLive("comes out the same each time", () =>
    Effect.gen(function*() {
      const client = yield* clientOf(LlmCache.layerNone)
      const once = yield* counted(client.call(request))
      const again = yield* counted(client.call(request))
      assert.deepStrictEqual(again.cost, once.cost)
    }))
})
