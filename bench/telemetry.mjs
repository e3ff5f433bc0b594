/**
 * What listeners cost a call: microseconds of CPU time, one call at a time in one fiber, on a provider in memory. Each
 * round measures all kinds one after the other, so that they share the machine's mood; the differences are of rounds.
 *
 *   node telemetry.mjs [--rounds 7] [--against <another dist/>] [--quick]
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { resolve } from "node:path"
import { parseArgs } from "node:util"
import { inFiber, measure } from "./measure/loop.mjs"

const { values: { against, quick, rounds } } = parseArgs({
  options: {
    against: { type: "string" },
    quick: { type: "boolean", default: false },
    rounds: { type: "string", default: "7" }
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

const results = kinds.map(() => [])
for (let round = 0; round < Number(rounds); round++) {
  for (const [index, [, run]] of kinds.entries()) {
    const { least } = await measure(run, quick ? 0.2 : 0.6)
    results[index].push(least)
  }
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]

console.log("| listener | CPU a call | more than none |\n| --- | ---: | ---: |")
for (const [index, [name]] of kinds.entries()) {
  const more = results[index].map((cpu, round) => cpu - results[0][round])
  console.log(
    `| ${name} | ${median(results[index]).toFixed(1)} µs | ${index === 0 ? "" : `${median(more).toFixed(1)} µs`} |`
  )
}
