/**
 * Runs calls, streams, values and tools against the simulator under all its faults, with random interruptions, and checks
 * the promises of docs/guide/reliability.md. Prints a report; the exit code is 1 if a promise was broken.
 *
 *   npm run chaos -- --calls 5000 --streams 5000 [--objects N] [--tools N] [--seed S] [--transport undici|fetch]
 *     [--concurrency 200] [--rounds 10] [--limit 5000] [--seconds 600]
 */
import { Effect } from "effect"
import { parseArgs } from "node:util"
import { run, show, violationsOf } from "../test/support/chaos.ts"

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "2000" },
    streams: { type: "string", default: "2000" },
    objects: { type: "string" },
    tools: { type: "string" },
    seed: { type: "string", default: "chaos" },
    transport: { type: "string", default: "undici" },
    concurrency: { type: "string", default: "200" },
    rounds: { type: "string", default: "10" },
    limit: { type: "string", default: "5000" },
    seconds: { type: "string", default: "600" }
  }
})

const count = (name, minimum, value = values[name]) => {
  const number = Number(value)
  if (Number.isSafeInteger(number) && number >= minimum) return number
  throw new Error(`--${name} must be an integer of at least ${minimum}, but is ${value}`)
}

if (values.transport !== "undici" && values.transport !== "fetch") {
  throw new Error(`--transport must be undici or fetch, but is ${values.transport}`)
}

const [calls, streams] = [count("calls", 0), count("streams", 0)]
// A tenth as many of each, unless it is said how many.
const fewer = Math.round((calls + streams) / 20)
const objects = count("objects", 0, values.objects ?? fewer)
const tools = count("tools", 0, values.tools ?? fewer)

const report = await Effect.runPromise(run({
  counts: {
    call: calls,
    stream: streams,
    object: Math.ceil(objects / 2),
    streamObject: Math.floor(objects / 2),
    runTools: Math.ceil(tools / 2),
    streamTools: Math.floor(tools / 2)
  },
  seed: values.seed,
  transport: values.transport,
  concurrency: count("concurrency", 1),
  rounds: count("rounds", 1),
  limit: count("limit", 1),
  seconds: count("seconds", 1)
}))

console.log(show(report))
process.exitCode = violationsOf(report).length === 0 ? 0 : 1
