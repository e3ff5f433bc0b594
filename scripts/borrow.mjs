/**
 * What borrowing changes where 1,000 processes share one limit over one server, in virtual time: prints the tables of
 * docs/guide/many-processes.md, and writes the plot beside it.
 *
 *   node --import tsx scripts/borrow.mjs
 */
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { simulate } from "../test/support/borrowSimulation.ts"

const processes = 1_000

// A script takes Redis 28 µs, and longer where it looks at a line: measured by bench/stores.mjs.
const common = {
  processes,
  burst: 3_000,
  duration: 8_000,
  from: 3_000,
  network: 0.25,
  work: 0.028,
  workInLine: 0.0014,
  seed: 1
}

const even = () => 100
/** A tenth of the processes asks for ten times as much. */
const uneven = (process) => process < processes / 10 ? 526 : 52.6

const holds = [[undefined, "nothing"], [200, "200 ms"], [1_000, "1 second"]]

const integer = (value) => Math.round(value).toLocaleString("en")
const millis = (value) => value >= 100 ? `${integer(value)} ms` : `${value.toFixed(1)} ms`

console.log(
  "| limit a second | borrowed for | let through a second | trips a second | server busy | wait, median | p99 | Jain's index | over the limit |"
)
console.log("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
for (const [limit, demand, name] of [[120_000, even, ""], [90_000, even, ""], [90_000, uneven, ", uneven"]]) {
  for (const [hold, borrowed] of holds) {
    const { fairness, leastLeft, load, served, trips, wait } = simulate({ ...common, limit, demand, hold })
    console.log(
      `| ${integer(limit)}${name} | ${borrowed} | ${integer(served)} | ${integer(trips)} | ${integer(load * 100)}% | ${
        millis(wait.median)
      } | ${millis(wait.p99)} | ${fairness.toFixed(3)} | ${leastLeft < -1e-6 ? integer(-leastLeft) : "never"} |`
    )
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// The plot
// ---------------------------------------------------------------------------------------------------------------------

const rates = [1_000, 3_000, 10_000, 30_000, 100_000]
const lines = [
  { hold: undefined, color: "#9aa5b1", name: "request by request" },
  { hold: 200, color: "#7ba7e8", name: "borrowed for 200 ms" },
  { hold: 1_000, color: "#2f6fdb", name: "borrowed for 1 second" }
].map((line) => ({
  ...line,
  points: rates.map((rate) => ({
    rate,
    trips: simulate({
      ...common,
      hold: line.hold,
      demand: () => rate / processes,
      limit: rate * 1.2,
      duration: 5_000,
      from: 2_500
    }).trips
  }))
}))

const [width, height, left, right, top, bottom] = [640, 340, 70, 170, 30, 50]
const position = (from, to, least, most) => (value) =>
  from + (to - from) * (Math.log(value / least) / Math.log(most / least))
const x = position(left, width - right, 1_000, 100_000)
const y = position(height - bottom, top, 100, 100_000)

const text = (at, up, content, extra = "") =>
  `<text x="${at.toFixed(1)}" y="${up.toFixed(1)}"${extra}>${content}</text>`
const parts = [
  ...[100, 1_000, 10_000, 100_000].flatMap((value) => [
    `<line x1="${left}" x2="${width - right}" y1="${y(value).toFixed(1)}" y2="${
      y(value).toFixed(1)
    }" stroke="#e1e6eb"/>`,
    text(left - 8, y(value) + 4, integer(value), " text-anchor=\"end\"")
  ]),
  ...rates.map((value) => text(x(value), height - bottom + 20, integer(value), " text-anchor=\"middle\"")),
  text((left + width - right) / 2, height - 10, "calls a second, of 1,000 processes", " text-anchor=\"middle\""),
  text(left, top - 12, "trips to the server a second", " font-weight=\"bold\""),
  ...lines.flatMap(({ color, name, points }) => [
    `<polyline fill="none" stroke="${color}" stroke-width="2.5" points="${
      points.map(({ rate, trips }) => `${x(rate).toFixed(1)},${y(trips).toFixed(1)}`).join(" ")
    }"/>`,
    text(width - right + 10, y(points.at(-1).trips) + 4, name, ` fill="${color}" font-weight="bold"`)
  ])
]

writeFileSync(
  fileURLToPath(new URL("../docs/guide/borrow.svg", import.meta.url)),
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<title>Trips to the server, by calls</title>
<rect width="100%" height="100%" fill="white"/>
${parts.join("\n")}
</svg>
`
)
