/**
 * How cost grows with the number of calls and streams that are under way at once in one process. README.md says how to
 * read it.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { clients, floor, lacking } from "./clients/index.mjs"
import { run, startServer } from "./processes.mjs"
import { linesOf } from "./report/lines.mjs"
import { captionOf, machine } from "./report/machine.mjs"
import { replaceBetween } from "./report/marks.mjs"

const { values } = parseArgs({
  options: {
    client: { type: "string" },
    calls: { type: "string", default: "1000,2000,5000,10000" },
    streams: { type: "string", default: "100,200,500,1000" },
    "no-objects": { type: "boolean", default: false },
    publish: { type: "boolean", default: false }
  }
})

const ours = clients.filter((client) => client.ours !== undefined && lacking(client) === undefined)
const client = values.client === undefined ? ours.at(-1) : clients.find(({ name }) => name === values.client)
if (client === undefined) throw new Error(`No client to measure: ${values.client ?? "build the library first"}`)

const place = machine()
const server = await startServer()
const results = []
for (const kind of ["calls", "streams"]) {
  for (const count of values[kind].split(",").filter((text) => text !== "").map(Number)) {
    for (const { name, title } of [floor, client]) {
      const { figures } = await run("measure/scale.mjs", [name, kind, String(count), server.baseUrl], 900)
      results.push({ kind, client: name, title, ...figures })
      process.stderr.write(
        `${kind} ${count} ${name}: ${figures.cpu.toFixed(0)} µs CPU each, peak RSS ${figures.rss.toFixed(0)} MB\n`
      )
    }
  }
}

/** Values that are streamed, beside a client that has them, too. */
const objects = []
for (const one of values["no-objects"] ? [] : [clients.find(({ name }) => name === "aiSdk"), client]) {
  if (lacking(one) !== undefined) continue
  const { figures } = await run("measure/wire.mjs", [one.name, "objects", server.baseUrl, "{\"share\":1}"], 300)
  const points = Object.entries(figures).map(([figure, { cpu }]) => [Number(figure.slice("object".length)), cpu])
  if (points.length > 0) objects.push({ client: one.name, title: one.title, ours: one === client, points })
  process.stderr.write(
    `objects ${one.name}: ${points.map(([count, cpu]) => `${count} ${cpu.toFixed(0)} µs`).join(", ")}\n`
  )
}
server.stop()

const report = { ...place, results, objects }

const number = (value) => Math.round(value).toLocaleString("en-US")

const table = [
  "| at once | | CPU each | a second | peak RSS | memory each | last to median | disorder |",
  "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
  ...results.map(({ count, cpu, disorder, kind, last, median, perSecond, rss, rssEach, title }) =>
    `| ${number(count)} ${kind} | ${title} | ${number(cpu)} µs | ${number(perSecond)} | ${number(rss)} MB | ${
      rssEach.toFixed(0)
    } KiB | ${(last / median).toFixed(2)} | ${disorder.toFixed(2)} |`
  ),
  ""
].join("\n")

const seriesOf = (kind, value) =>
  [floor, client].map(({ name, title }) => ({
    title,
    ours: name === client.name,
    points: results.filter((result) => result.kind === kind && result.client === name)
      .map((result) => [result.count, value(result)])
  })).filter(({ points }) => points.length > 0)

const plot = linesOf([
  {
    title: "CPU seconds of all calls, by calls in flight",
    series: seriesOf("calls", ({ count, cpu }) => (count * cpu) / 1e6)
  },
  { title: "peak RSS in MB, by calls in flight", series: seriesOf("calls", ({ rss }) => rss) },
  {
    title: "CPU seconds of all streams, by streams in flight",
    series: seriesOf("streams", ({ count, cpu }) => (count * cpu) / 1e6)
  },
  { title: "peak RSS in MB, by streams in flight", series: seriesOf("streams", ({ rss }) => rss) },
  { title: "CPU µs a chunk of a streamed value, by chunks", series: objects }
].filter(({ series }) => series.length > 0))

const page = `${captionOf(report)}.\n\n${table}`

const folder = new URL("results/", import.meta.url)
mkdirSync(folder, { recursive: true })
const keep = (name) => {
  writeFileSync(new URL(`${name}.json`, folder), `${JSON.stringify(report, undefined, 1)}\n`)
  writeFileSync(new URL(`${name}.svg`, folder), plot)
}
keep("scale")
if (values.publish) {
  keep("published.scale")
  replaceBetween(
    new URL("README.md", import.meta.url),
    "scale",
    `${page}\n![How CPU time and memory grow](results/published.scale.svg)`
  )
}
process.stdout.write(page)
