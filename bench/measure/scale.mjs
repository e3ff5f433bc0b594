/**
 * Measures many calls, or many streams, at once in one process, over HTTP, with everything on.
 *
 *   node measure/scale.mjs <client> <calls|streams> <count> <baseUrl>
 */
import { promptOf, textOf } from "../wire/prompts.mjs"

const [name, kind, countText, baseUrl] = process.argv.slice(2)
const count = Number(countText)

const { open } = await import(`../clients/${name}.mjs`)
// All time limits are on, and out of the way: thousands of calls wait for each other here.
const client = await open({
  baseUrl,
  client: { timeout: "5 minutes", deadline: "10 minutes", firstPartTimeout: "5 minutes", idleTimeout: "5 minutes" }
})

/** Each call is answered when all are there; each stream gives a delta every 20 ms. */
const planOf = (n) => kind === "calls" ? { n, group: count } : { n, deltas: 50, gap: 20 }

const one = async (n) => {
  const plan = planOf(n)
  let text = ""
  if (kind === "calls") text = await client.call(promptOf(plan))
  else {
    await client.stream(promptOf(plan), (delta) => {
      text += delta
    })
  }
  if (text !== textOf(plan)) throw new Error(`call ${n}: another text than the server's`)
}

// Code that is new to the engine would be a large part of a small run.
for (let i = 0; i < 10; i++) {
  await Promise.all(Array.from({ length: 50 }, async (_, n) => {
    const plan = { n: count + 1 + i * 50 + n }
    if (await client.call(promptOf(plan)) !== textOf(plan)) throw new Error("another text than the server's")
  }))
}
const rssBefore = process.memoryUsage().rss
const cpuBefore = process.cpuUsage()
const began = performance.now()

/** When each ended, in milliseconds from the start, and in which order. */
const ended = new Float64Array(count)
const places = []
await Promise.all(Array.from({ length: count }, async (_, n) => {
  await one(n)
  ended[n] = performance.now() - began
  places.push(n)
}))

const wall = performance.now() - began
const rssMost = process.resourceUsage().maxRSS * 1024
const { system, user } = process.cpuUsage(cpuBefore)

/**
 * How far from first come, first served: the mean distance between the place in which a call began and the one in which
 * it ended, of what it would be in a random order (a third of their number). 0 is in order, 1 is by chance.
 */
const disorder = places.reduce((sum, n, place) => sum + Math.abs(n - place), 0) / count / (count / 3)

const sorted = ended.toSorted()
const quantile = (q) => sorted[Math.min(count - 1, Math.floor(q * count))]

process.stdout.write(`\n${
  JSON.stringify({
    figures: {
      count,
      wall,
      perSecond: (count * 1000) / wall,
      cpu: (user + system) / count,
      rss: rssMost / 1024 / 1024,
      rssEach: (rssMost - rssBefore) / count / 1024,
      first: sorted[0],
      median: quantile(0.5),
      p99: quantile(0.99),
      last: sorted[count - 1],
      disorder
    }
  })
}\n`)
process.exit(0)
