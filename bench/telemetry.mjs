/**
 * What listeners cost a call: microseconds of CPU time, one call at a time in one fiber, on a provider in memory. A round
 * is a short block of calls of each kind, in another order each time, so that all share the machine's mood. A difference
 * is the median over the rounds, with its quartiles: a collection of garbage falls into few blocks.
 *
 *   node telemetry.mjs [--rounds 400] [--against <another dist/>] [--quick]
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { resolve } from "node:path"
import { parseArgs } from "node:util"
import { inFiber } from "./measure/loop.mjs"

const { values: { against, quick, rounds } } = parseArgs({
  options: {
    against: { type: "string" },
    quick: { type: "boolean", default: false },
    rounds: { type: "string" }
  }
})

const load = (dist) => import(resolve(dist, "index.js"))

const ours = await load(new URL("../dist", import.meta.url).pathname)

/** A client with a logger, and calls of which each misses the cache. */
const callsOn = async ({ LlmCache, LlmClient, LlmProvider, LlmResponse }, logger) => {
  const answer = LlmResponse.make({
    provider: "memory",
    model: "gpt-4o-mini",
    parts: [{ _tag: "Text", text: "The Elbe." }],
    finishReason: "stop",
    usage: { inputTokens: 200, outputTokens: 4 }
  })
  const provider = LlmProvider.layer({ name: "memory", endpoint: "memory", call: () => Effect.succeed(answer) })
  const runtime = ManagedRuntime.make(LlmClient.layer().pipe(Layer.provide([provider, LlmCache.layerNone, logger])))
  const client = await runtime.runPromise(LlmClient.LlmClient)
  return inFiber(Effect, runtime, (n) => client.call({ model: "gpt-4o-mini", prompt: `Name three rivers. ${n % 100}` }))
}

const kinds = [
  ["no listener", await callsOn(ours, ours.LlmLogger.layerSilent)],
  ["LlmMetrics.layer", await callsOn(ours, ours.LlmMetrics.layer)],
  ["a handler that does nothing", await callsOn(ours, ours.LlmLogger.layerHandler(() => {}))]
]
if (against !== undefined) {
  const others = await load(against)
  kinds.push(["no listener, the other build", await callsOn(others, others.LlmLogger.layerSilent)])
}

const block = 100
const warmUp = quick ? 2_000 : 10_000

const cpuOf = async (run, count) => {
  const before = process.cpuUsage()
  await run(count)
  const { system, user } = process.cpuUsage(before)
  return (system + user) / count
}

for (const [, run] of kinds) await run(warmUp)

const results = kinds.map(() => [])
for (let round = 0; round < Number(rounds ?? (quick ? 50 : 400)); round++) {
  for (let i = 0; i < kinds.length; i++) {
    const index = (i + round) % kinds.length
    results[index].push(await cpuOf(kinds[index][1], block))
  }
}

/** The first quartile, the median and the third one. */
const quartiles = (numbers) => {
  const sorted = numbers.toSorted((a, b) => a - b)
  return [0.25, 0.5, 0.75].map((share) => sorted[Math.floor(share * sorted.length)].toFixed(1))
}

console.log("| listener | CPU a call | more than none |\n| --- | ---: | ---: |")
for (const [index, [name]] of kinds.entries()) {
  const [, cpu] = quartiles(results[index])
  const [low, more, high] = quartiles(results[index].map((cpu, round) => cpu - results[0][round]))
  console.log(`| ${name} | ${cpu} µs | ${index === 0 ? "" : `${more} µs (${low} to ${high})`} |`)
}
