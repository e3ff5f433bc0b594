/**
 * Measures one client in one scenario, in a process of its own. Every text is compared with what the server sent.
 *
 *   node measure/wire.mjs <client> <scenario> <baseUrl> <options as JSON>
 */
import { isDeepStrictEqual } from "node:util"
import { promptOf, textOf, valueOf } from "../wire/prompts.mjs"

const [name, scenario, baseUrl, options] = process.argv.slice(2)
/** `share` shortens everything, for a quick run. */
const { share } = JSON.parse(options)

let number = 0
const next = (plan) => ({ n: ++number, ...plan })

const check = (plan, text) => {
  const expected = textOf(plan)
  if (text === expected) return
  let at = 0
  while (expected[at] === text[at]) at++
  throw new Error(`call ${plan.n}: another text than the server's, from character ${at} of ${expected.length} on`)
}

const called = async (client, plan) => check(plan, await client.call(promptOf(plan)))

const collected = async (client, plan) => check(plan, await client.collect(promptOf(plan)))

const streamed = async (client, plan) => {
  let text = ""
  await client.stream(promptOf(plan), (delta) => {
    text += delta
  })
  check(plan, text)
}

const cpuMillis = () => {
  const { system, user } = process.cpuUsage()
  return (user + system) / 1000
}

/**
 * As many runs as `times` says, but none begins when `seconds` of CPU time are used up: a machine that is busy otherwise
 * makes a run longer, not different. `every` says after how many runs to look at the time, which itself takes some.
 */
const repeat = async ({ every = 1, seconds, times }, concurrency, run) => {
  const until = cpuMillis() + seconds * 1000 * share
  const most = Math.max(1, Math.round(times * share))
  let begun = 0
  const worker = async () => {
    while (begun < most && (begun === 0 || begun % every !== 0 || cpuMillis() < until)) {
      begun++
      await run()
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  return begun
}

/** CPU time of this process (user and system, all threads) and wall time, for one of `count` units. */
const measured = async (units, run) => {
  const cpu = process.cpuUsage()
  const wall = performance.now()
  const runs = await run()
  const { system, user } = process.cpuUsage(cpu)
  const count = runs * units
  return { cpu: (user + system) / count, wall: ((performance.now() - wall) * 1000) / count, count }
}

const calls = (concurrency, warmUp, limit) => async (client) => {
  const run = () => called(client, next({}))
  await repeat(warmUp, concurrency, run)
  return measured(1, () => repeat(limit, concurrency, run))
}

const deltas = 2_000

const streams = (plan, warmUp, limit, one = streamed) => async (client) => {
  const run = () => one(client, next({ deltas, ...plan }))
  await repeat(warmUp, 1, run)
  return measured(deltas, () => repeat(limit, 1, run))
}

/** Streams that begin one after the other, evenly within one gap, so that each delta comes by itself. */
const paced = async (client, count, plan) => {
  const one = async (i) => {
    await new Promise((resolve) => setTimeout(resolve, (i * plan.gap) / count))
    await streamed(client, next(plan))
  }
  await Promise.all(Array.from({ length: count }, (_, i) => one(i)))
  return count
}

/** An object that comes a chunk a millisecond, so that a partial value can be made of each; by the number of chunks. */
const objects = async (client, counts) => {
  const figures = {}
  if (client.object === undefined) return figures
  let partials = 0
  const run = async (more) => {
    const plan = next({ json: 1, ...more })
    const value = await client.object(promptOf(plan), () => {
      partials++
    })
    if (!isDeepStrictEqual(value, valueOf(plan))) throw new Error(`call ${plan.n}: another value than the server's`)
  }
  await repeat({ times: 20, seconds: 2 }, 1, () => run({ deltas: 1_000, each: 1 }))
  for (const deltas of counts) {
    partials = 0
    const result = await measured(deltas, async () => {
      await run({ deltas, gap: 1 })
      return 1
    })
    figures[`object${deltas}`] = { ...result, partials }
  }
  return figures
}

/** In what forms texts come through: with characters of several bytes, cut anywhere, and one event a read. */
const verify = async (client) => {
  await called(client, next({ wide: 1 }))
  await streamed(client, next({}))
  await streamed(client, next({ wide: 1, cut: 7 }))
  await streamed(client, next({ wide: 1, each: 1 }))
  if (client.collect !== undefined) await collected(client, next({ wide: 1, cut: 5 }))
}

const seq = calls(1, { times: 10_000, seconds: 6, every: 50 }, { times: 4_000, seconds: 3, every: 50 })
const thru = calls(64, { times: 10_000, seconds: 6, every: 50 }, { times: 8_000, seconds: 3, every: 50 })

const scenarios = {
  verify: async () => ({}),

  calls: async (client) => ({ seq: await seq(client), thru: await thru(client) }),

  seq: async (client) => ({ seq: await seq(client) }),

  thru: async (client) => ({ thru: await thru(client) }),

  burst: async (client) => ({
    burst: await streams({}, { times: 100, seconds: 0.8 }, { times: 150, seconds: 1 })(client),
    ...(client.collect !== undefined && {
      collect: await streams({}, { times: 50, seconds: 0.4 }, { times: 150, seconds: 1 }, collected)(client)
    })
  }),

  // Both in one process, so that they are compared with each other.
  linear: async (client) => ({
    each: await streams({ each: 1 }, { times: 20, seconds: 0.8 }, { times: 50, seconds: 1 })(client),
    whole: await streams({}, { times: 100, seconds: 0.8 }, { times: 100, seconds: 1 })(client)
  }),

  paced: async (client) => {
    await paced(client, 100, { deltas: 100, gap: 10 })
    const plan = { deltas: Math.round(50 * Math.max(share, 0.5)), gap: 20 }
    return { paced: await measured(plan.deltas, () => paced(client, 100, plan)) }
  },

  object: (client) => objects(client, [500, 4_000]),

  objects: (client) => objects(client, [500, 1_000, 2_000, 4_000, 8_000]),

  inflight: async (client) => {
    const count = 2_000
    const result = await measured(1, async () => {
      await Promise.all(Array.from({ length: count }, () => called(client, next({ group: count }))))
      return count
    })
    return { inflight: { ...result, rss: process.resourceUsage().maxRSS / 1024 } }
  }
}

const { open } = await import(`../clients/${name}.mjs`)
const client = await open({ baseUrl })
// Memory at its peak is measured cold.
if (scenario !== "inflight") await verify(client)
const figures = await scenarios[scenario](client)
process.stdout.write(`\n${JSON.stringify({ figures, texts: number })}\n`)
process.exit(0)
